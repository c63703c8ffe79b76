"""The reducer process: turns the live cycle until told to stop, and does what the supervisor tells it in between.

Does not cover: what the cycle is made of (`cycle`), restarting (`supervisor`).
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any

from livereduce.config import Config
from livereduce.live.scripts import ScriptInterrupted
from livereduce.mantid import finder
from livereduce.reducer.cycle import Cycle
from livereduce.reducer.health import Reporter
from livereduce.reducer.warm import compile_kernels
from livereduce.sources import Position
from livereduce.status import Stage

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 0.5
TOLD_TO_STOP = 143
"""Exit code after a signal to end, as the shell has it; the supervisor knows whether the signal was its own."""
OUT_OF_MEMORY = 137
"""Exit code where memory ran out, which is that of a process the kernel ends for it; no record is to blame."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the supervisor wants of this start.

    Attributes
    ----------
    exit_after_runs
        End after so many numbered runs whose last step is done; None = never.
    counting_from_ns
        When to begin to count them (Unix ns): the session's start, however often this process was started again.
    careful_until
        Up to here the journal is read record by record, because something before ended the process.
    clear
        Forget all that has come so far.
    """

    exit_after_runs: int | None = None
    counting_from_ns: int = 0
    careful_until: Position | None = None
    clear: bool = False


class Reducer:
    """One reducer process; `run` returns its exit code."""

    def __init__(self, config: Config, orders: Orders) -> None:
        self.config = config
        self.reporter = Reporter(config.runtime_dir / "reducer.json")
        self._orders = orders
        self._commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._stopping = False

    def run(self) -> int:
        """Turn the live cycle until the pipe closes, a signal comes, or the wanted runs are done."""
        self.reporter.update(stage=Stage.STARTING, stage_since_ns=time.time_ns())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        try:
            self.reporter.stage("compiling")
            compile_kernels()
            finder.install()
            sys.path.insert(0, str(self.config.script_dir))
            sys.dont_write_bytecode = True  # the folder is the user's, and compiled files know whole seconds only
            orders = self._orders
            cycle = Cycle(self.config, self.reporter, orders.counting_from_ns, orders.careful_until)
            if orders.clear:
                cycle.clear()
            self._turn_until_done(cycle)
        except ScriptInterrupted:
            log.info("stopped while a script was running")
        except MemoryError:
            log.critical("memory ran out in stage %s", self.reporter.health.stage, exc_info=True)
            return OUT_OF_MEMORY
        return TOLD_TO_STOP if self._stopping else 0

    def _turn_until_done(self, cycle: Cycle) -> None:
        monitor = cycle.monitor
        try:
            while not self._stopping and not monitor.stopped and not self._done(cycle):
                wait = monitor.turn(time.monotonic())
                cycle.look_at_trial()
                cycle.report()
                if not self._done(cycle):
                    self._obey(cycle, min(wait, LONGEST_WAIT_S))
            cycle.report(last_words=True)
        finally:
            cycle.close()

    def _done(self, cycle: Cycle) -> bool:
        wanted = self._orders.exit_after_runs
        return wanted is not None and cycle.accounts.finished >= wanted

    # -- commands -----------------------------------------------------------------------------------------------------

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._commands.put(None)
        if self.reporter.health.stage in (Stage.PROC, Stage.POST):
            raise ScriptInterrupted("livereduce is stopping", final=True)

    def _read_commands(self) -> None:
        # unbuffered: a buffered reader in a daemon thread aborts the interpreter when the process ends
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as pipe:
            for line in pipe:
                self._commands.put(json.loads(line))
        # The supervisor is gone. A script may be running, and may run for long: it is interrupted.
        os.kill(os.getpid(), signal.SIGTERM)

    def _obey(self, cycle: Cycle, wait_s: float) -> None:
        """Wait for the next turn or the next command, whichever is first."""
        try:
            command = self._commands.get(timeout=wait_s) if wait_s > 0 else self._commands.get_nowait()
        except queue.Empty:
            return
        match command:
            case {"do": "swap post"}:
                cycle.swap_post()
            case {"do": "try proc", "number": int(number)}:
                cycle.try_proc(number)
            case {"do": "save memory", "surplus": int(surplus)}:
                cycle.save_memory(surplus)
