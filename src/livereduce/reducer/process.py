"""The reducer: builds the live cycle from a configuration and turns it until told to stop.

Covers: what the process is made of, commands from the supervisor, health and snapshot after each step.
Does not cover: the cycle itself (`live`), restarting (`supervisor`).
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
from types import FrameType
from typing import Any

from livereduce.algorithms import save_nexus
from livereduce.config import Config, script_names
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.cuts import CutLog, CutRecord
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.live.scripts import ScriptInterrupted, compile_script
from livereduce.live.stages import ScriptStage, Surroundings
from livereduce.live.state import Transition
from livereduce.mantid import finder, simpleapi
from livereduce.mantid.api import mtd
from livereduce.reducer.accounts import Accounts
from livereduce.reducer.health import Reporter
from livereduce.reducer.listeners import open_listener
from livereduce.reducer.snapshot import SnapshotWriter, to_show
from livereduce.reducer.warm import compile_kernels
from livereduce.sources import BEGIN
from livereduce.sources.journal import bytes_between
from livereduce.status import Stage
from livereduce.workspaces import MatrixWorkspace, TableWorkspace, WorkspaceGroup

log = logging.getLogger(__name__)

SCRIPT_LIMIT_S = 30 * 60.0
LONGEST_WAIT_S = 0.5
SAVED = MatrixWorkspace | TableWorkspace | WorkspaceGroup


class Reducer:
    """One reducer process; `run` returns its exit code.

    Parameters
    ----------
    exit_after_runs
        End after so many numbered runs whose last step is done; None = never.
    counting_from_ns
        When to begin to count them (Unix ns): the session's start, however often this process was started again.
    """

    def __init__(self, config: Config, *, exit_after_runs: int | None = None, counting_from_ns: int = 0) -> None:
        self.config = config
        self.reporter = Reporter(config.runtime_dir / "reducer.json")
        self._exit_after_runs = exit_after_runs
        self._counting_from_ns = counting_from_ns
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
            self._turn_until_done(Cycle(self.config, self.reporter, self._counting_from_ns))
        except ScriptInterrupted:
            log.info("stopped while a script was running")
        return 0

    def _turn_until_done(self, cycle: Cycle) -> None:
        monitor = cycle.monitor
        try:
            while not self._stopping and not monitor.stopped and not self._done(cycle):
                wait = monitor.turn(time.monotonic())
                cycle.report()
                if not self._done(cycle):
                    self._obey(cycle, min(wait, LONGEST_WAIT_S))
            cycle.report(last_words=True)
        finally:
            cycle.close()

    def _done(self, cycle: Cycle) -> bool:
        return self._exit_after_runs is not None and cycle.accounts.finished >= self._exit_after_runs

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
        if command and command.get("do") == "swap post":
            cycle.swap_post()


class Cycle:
    """The live cycle of one configuration, fed from the journal, with its results written as files."""

    def __init__(self, config: Config, reporter: Reporter, counting_from_ns: int) -> None:
        self._config = config
        self._reporter = reporter
        self._snapshots = SnapshotWriter(config.runtime_dir)
        self._cuts = CutLog(config.state_dir / "cuts")
        self.accounts = Accounts(config.state_dir / "accounts.jsonl", self._cuts.resume_at, counting_from_ns)
        ledger = Ledger()
        self.accounts.restore(ledger)
        builder = ChunkBuilder(
            open_listener(config, self._cuts.resume_at or BEGIN),
            ledger,
            keep_events=config.preserve_events,
            limit=config.stream.buffer_events,
            keep_paused=config.stream.keep_paused_events,
        )
        self._surroundings = Surroundings(
            simpleapi.script_names(), echo=reporter.printed, limit_s=config.script_limit or SCRIPT_LIMIT_S
        )
        step = LiveStep(
            store=mtd.store,
            names=Names(),
            proc=self._script("proc"),
            post_stage=self._script("post"),
            preserve_events=config.preserve_events,
        )
        transition = RunTransitionBehavior(config.run_transition_behavior)
        cadence = Cadence(config.update_every, Method(config.accum_method), transition)
        self.monitor = Monitor(builder, step, cadence, cuts=self._cuts, observer=self)
        self._to_replay = self._left_to_replay() if self.monitor.reprocessing else 0

    def close(self) -> None:
        """Close the journal and the cuts."""
        self.monitor.builder.listener.close()
        self._cuts.close()

    def _script(self, stage: str) -> ScriptStage | None:
        """Compile the accepted version of a script under the name of the user's own file."""
        accepted = self._config.state_dir / "scripts" / f"{stage}.py"
        if not accepted.exists():
            return None
        proc, post = script_names(self._config.short_name)
        users_file = self._config.script_dir / (proc if stage == "proc" else post)
        script = compile_script(accepted.read_text(encoding="utf-8"), str(users_file))
        return ScriptStage(script, self._surroundings)

    def swap_post(self) -> None:
        """Take up a changed post-processing script."""
        log.info("taking up the changed post-processing script")
        self.monitor.swap_post(self._script("post"), time.monotonic())
        self.stage("idle")
        self.report()

    # -- the live cycle's observer ------------------------------------------------------------------------------------

    def stage(self, name: str) -> None:
        """See `live.monitor.Observer`."""
        self._reporter.stage(name)

    def script_failed(self, stage: str, error: Any) -> None:
        """See `live.monitor.Observer`."""
        self._reporter.script_failed(stage, error)

    def script_succeeded(self, stage: str) -> None:
        """See `live.monitor.Observer`."""
        self._reporter.script_succeeded(stage)

    def settled(self, record: CutRecord) -> None:
        """Keep the account of a run that is over, and of its workspaces those the configuration asks for."""
        self.accounts.keep(self.monitor.builder.ledger, record.resume, time.time_ns())
        if record.transition is Transition.END:
            self._save(record.identity.run)

    def _save(self, run: int) -> None:
        """Write the workspaces of a finished run as ``<instrument>_<run>_<name>.nxs``; a full disk stops nothing."""
        step, output = self.monitor.step, self._config.output
        kept = {"result": step.output, "accumulation": step.accumulation}
        for name, workspace in kept.items():
            if output.keep not in (name, "both") or not isinstance(workspace, SAVED):
                continue
            path = output.directory / f"{self._config.short_name}_{run}_{name}.nxs"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                save_nexus(workspace, path)
            except (OSError, RuntimeError, ValueError) as error:
                step.warn(f"{path} was not written: {error}")

    def shown(self, run: int) -> None:
        """Write a snapshot of what there is now."""
        self._reporter.stage("snapshot")
        step, began = self.monitor.step, time.perf_counter()
        self._snapshots.write(to_show(mtd.store, step.names.output, step.names.accumulation, step.accumulation), run)
        step.latency["snapshot"] = time.perf_counter() - began
        self._reporter.update(result_ns=time.time_ns(), result_version=self._snapshots.version)

    # -- figures ------------------------------------------------------------------------------------------------------

    def report(self, *, last_words: bool = False) -> None:
        """Write the health file."""
        position = self.monitor.builder.listener.position
        self._reporter.report(
            self.monitor,
            behind_bytes=bytes_between(self._config.state_dir / "journal", position),
            reprocess_percent=100 * (1 - self._left_to_replay() / max(self._to_replay, 1))
            if self.monitor.reprocessing
            else None,
            last_words=last_words,
        )

    def _left_to_replay(self) -> int:
        position = self.monitor.builder.listener.position
        return bytes_between(self._config.state_dir / "journal", position, self.monitor.replay_end)
