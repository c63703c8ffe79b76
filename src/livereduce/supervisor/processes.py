"""The children: started by exec, told to stop through a pipe, restarted with a back-off when they die.

A child runs in a session of its own and ends when its standard input closes, so nothing survives the supervisor.
Does not cover: why one died and what follows from that (`deaths`).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

RETURN_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(12 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}
"""glibc gives what is over 12 MiB (the events of a chunk) back when it is freed; left alone it raises that limit.

Smaller blocks it keeps: giving back the columns of every block read made decoding four times slower. Of those at the
end of its heap 32 MiB, of those between others all, until memory is short (``reducer.heap``).
"""

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0
STOP_S = 1.5
"""Ctrl-C ends everything within 2 s; what a kill interrupts is read again from the journal."""


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
class RestartBudget:
    """How many deaths without any progress between them are too many; each further one is, until there is progress."""

    limit: int = 20
    window_s: float = 600.0
    _deaths: deque[float] = field(default_factory=deque)
    _spent: bool = False

    def spent(self, now: float, *, progress: bool) -> bool:
        """Take note of a death; tell whether that was one too many."""
        if progress:
            self.renew()
        self._deaths.append(now)
        while now - self._deaths[0] > self.window_s:
            self._deaths.popleft()
        self._spent |= len(self._deaths) >= self.limit
        return self._spent

    def renew(self) -> None:
        """Begin anew, because something else has changed or a person asks for it."""
        self._deaths.clear()
        self._spent = False


@dataclass(frozen=True, slots=True)
class End:
    """A child that has ended without being asked to."""

    pid: int
    code: int
    lived_s: float
    killed_for: str = ""
    """Why we killed it; empty when we did not."""

    @property
    def in_words(self) -> str:
        """How it ended, for people."""
        how = f"signal {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"
        return f"{how} ({self.killed_for})" if self.killed_for else how

    @property
    def by_someone_else(self) -> bool:
        """Whether somebody from outside ended it: a person, or the kernel for want of memory.

        A child that catches the signal, or finds no memory left itself, ends with the code the shell has for it.
        """
        outside = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        return not self.killed_for and self.code in (code for s in outside for code in (-s, 128 + s))


@dataclass(slots=True)
class Child:
    """One child process; whoever owns it calls `look_after` again and again.

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
    _process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _next_start: float | None = None
    _next_arguments: tuple[str, ...] = ()
    _killed_for: str = ""
    _back_off: BackOff = field(default_factory=BackOff)

    @property
    def name(self) -> str:
        """The room the child runs."""
        return self.module.rpartition(".")[2]

    @property
    def pid(self) -> int | None:
        """Process ID while it runs."""
        return self._process.pid if self._process else None

    def start(self, now: float, *more: str) -> None:
        """Start the child, this once with `more` arguments; a machine that cannot is asked again later."""
        self._started, self._next_start, self._next_arguments, self._killed_for = now, None, (), ""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--config", str(self.config), *self.arguments, *more],
                stdin=subprocess.PIPE,
                stdout=sys.stderr.fileno(),
                start_new_session=True,
                # numpy and scipy would start a pool of threads each that nothing here uses
                env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **RETURN_MEMORY, **os.environ},
            )
        except OSError as error:  # no memory, no process left
            wait = self.start_later(now, *more)
            log.error("%s cannot be started: %s; trying again in %.0f s", self.name, error, wait)

    def look_after(self, now: float) -> End | None:
        """Start the child when its time has come; tell when it has ended without being asked to."""
        if self._process is not None and (code := self._process.poll()) is not None:
            end = End(self._process.pid, code, now - self._started, self._killed_for)
            self._bury()
            return end
        if self._next_start is not None and now >= self._next_start:
            self.restarts += 1
            self.start(now, *self._next_arguments)
        return None

    def start_later(self, now: float, *more: str, rest_s: float | None = None) -> float:
        """Start it again after a rest that grows with each quick death, or after `rest_s`; gives that rest in s."""
        wait = self._back_off.after_death(now - self._started) if rest_s is None else rest_s
        self._next_start, self._next_arguments = now + wait, more
        return wait

    def tell(self, **message: Any) -> None:
        """Send the child one line of JSON; a child that is just dying learns it at its next start."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            log.warning("%s was ending when told %s", self.name, message)

    def restart(self, now: float, *more: str) -> None:
        """Begin again at once, on purpose."""
        stop([self])
        self.start(now, *more)

    def kill(self, why: str) -> None:
        """End the child now; `look_after` will tell of it."""
        if self._process is not None and not self._killed_for:
            log.error("killing %s: %s", self.name, why)
            self._killed_for = why
            self._process.kill()

    def ask_to_stop(self) -> None:
        """Close its pipe and ask; it is not started again."""
        self._next_start = None
        if self._process is None:
            return
        self._close_pipe()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self, patience_s: float) -> None:
        """Wait for its end, then insist."""
        if self._process is None:
            return
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            log.warning("%s was busy when asked to stop; killing it", self.name)
            self._process.kill()
            self._process.wait()
        self._bury()

    def _bury(self) -> None:
        self._close_pipe()
        self._process = None

    def _close_pipe(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                log.debug("%s left unread lines", self.name)


def stop(children: Iterable[Child], patience_s: float = STOP_S) -> None:
    """End children together, within `patience_s` altogether."""
    ending = list(children)
    deadline = time.monotonic() + patience_s
    for child in ending:
        child.ask_to_stop()
    for child in ending:
        child.wait_stopped(max(deadline - time.monotonic(), 0.0))
