"""The children: started by exec, told to stop through a pipe, restarted with a back-off when they die.

A child runs in a session of its own and ends when its standard input closes, so nothing survives the supervisor.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
HEALTHY_AFTER_S = 60.0
STOP_S = 5.0


@dataclass(slots=True)
class BackOff:
    """How long to wait before the next start: doubling with each quick death, forgotten after a healthy minute."""

    delay_s: float = FIRST_DELAY_S

    def after_death(self, lived_s: float) -> float:
        """Return the time to wait before the next start."""
        if lived_s >= HEALTHY_AFTER_S:
            self.delay_s = FIRST_DELAY_S
        wait = self.delay_s
        self.delay_s = min(2 * self.delay_s, LONGEST_DELAY_S)
        return wait


@dataclass(slots=True)
class Child:
    """One child process, kept alive.

    Parameters
    ----------
    module
        What ``python -m`` runs.
    config
        The file with the resolved configuration.
    arguments
        Further arguments of its command line.
    """

    module: str
    config: Path
    arguments: tuple[str, ...] = ()
    restarts: int = 0
    exit_code: int | None = None
    _process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _next_start: float = 0.0
    _back_off: BackOff = field(default_factory=BackOff)

    @property
    def name(self) -> str:
        """The room the child runs."""
        return self.module.rpartition(".")[2]

    @property
    def pid(self) -> int | None:
        """Process ID while it runs."""
        return self._process.pid if self._process else None

    def start(self, now: float) -> None:
        """Start the child."""
        self.exit_code = None
        self._started = now
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module, "--config", str(self.config), *self.arguments],
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            # numpy and scipy would start a pool of threads each that nothing here uses
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ},
        )

    def look_after(self, now: float) -> None:
        """Notice a death and start the child again when its time has come."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._bury(code)
            if code != 0:
                wait = self._back_off.after_death(now - self._started)
                self._next_start = now + wait
                log.error("%s ended with %s; starting it again in %.0f s", self.name, _in_words(code), wait)
        if self._process is None and self.exit_code not in (None, 0) and now >= self._next_start:
            self.restarts += 1
            self.start(now)

    def tell(self, **message: Any) -> None:
        """Send the child one line of JSON; a child that is just dying learns it at its next start."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            log.warning("%s was ending when told %s", self.name, message)

    def stop(self, patience_s: float = STOP_S) -> None:
        """End the child: close its pipe, ask, then insist."""
        if self._process is None:
            return
        process = self._process
        if process.stdin is not None:
            try:
                process.stdin.close()
            except BrokenPipeError:
                log.debug("%s had closed its pipe", self.name)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop within %.0f s; killing it", self.name, patience_s)
            process.kill()
            code = process.wait()
        self._bury(code)

    def restart(self, now: float) -> None:
        """Begin again at once, on purpose."""
        self.stop()
        self.start(now)

    def kill(self) -> None:
        """End the child now; it is started again like after any other death."""
        if self._process is not None:
            self._process.kill()

    def _bury(self, code: int) -> None:
        self.exit_code = code
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                log.debug("%s left unread lines", self.name)
        self._process = None


def _in_words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
