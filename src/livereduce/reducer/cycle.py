"""The live cycle of a reducer: built from a configuration, its health and its results written as files.

Does not cover: the cycle itself (`live`), when it is turned (`process`).
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from typing import Any

from livereduce.algorithms import save_nexus
from livereduce.algorithms.instruments import definition_folders
from livereduce.algorithms.memory import forget_everything
from livereduce.config import Config
from livereduce.errors import reason
from livereduce.geometry import Move
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.cuts import CutLog, CutRecord
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.live.state import Transition
from livereduce.mantid.api import mtd
from livereduce.mantid.publishing import publications
from livereduce.reducer.accounts import Accounts
from livereduce.reducer.health import Reporter
from livereduce.reducer.heap import own_memory, return_free_memory
from livereduce.reducer.listeners import open_listener
from livereduce.reducer.plots import PlotWriter
from livereduce.reducer.scripts import BrokenScript, LimitedScript, ScriptFolder
from livereduce.reducer.snapshot import Shown, SnapshotWriter, to_show
from livereduce.reducer.trial import Trial
from livereduce.sources import BEGIN, Position
from livereduce.sources.journal import bytes_between, segments, write_needed
from livereduce.status import Holding, ScriptTrial, ScriptUse
from livereduce.workspaces import MatrixWorkspace, TableWorkspace, WorkspaceGroup

log = logging.getLogger(__name__)

LARGEST = 10
DISK_LEFT = 0.05
"""Share of the disk that events leave to the journal, without which nothing goes on."""
SAVED = MatrixWorkspace | TableWorkspace | WorkspaceGroup


class Cycle:
    """The live cycle of one configuration, fed from the journal, with its results written as files.

    Parameters
    ----------
    counting_from_ns
        Runs that finish from then on (Unix ns) are counted.
    careful_until
        Up to here the journal is read record by record.
    """

    def __init__(
        self, config: Config, reporter: Reporter, counting_from_ns: int = 0, careful_until: Position | None = None
    ) -> None:
        self._config = config
        self._reporter = reporter
        self._snapshots = SnapshotWriter(config.runtime_dir)
        self._plots = PlotWriter(config.runtime_dir)
        self._cuts = CutLog(config.state_dir / "cuts")
        self._said_needed: Position | None = None
        self.accounts = Accounts(config.state_dir / "accounts.jsonl", self._cuts.resume_at, counting_from_ns)
        self._say_needed()
        definition_folders[:] = config.instruments.definition_folders
        ledger = Ledger()
        self.accounts.restore(ledger)
        builder = ChunkBuilder(
            open_listener(config, self._cuts.resume_at or BEGIN, careful_until),
            ledger,
            keep_events=config.preserve_events,
            limit=config.stream.buffer_events,
            keep_paused=config.stream.keep_paused_events,
            moves=[Move(m.component, m.axis, m.log, m.expression) for m in config.instruments.moves],
        )
        self._scripts = ScriptFolder(config, reporter.printed)
        self._trial: Trial | None = None
        step = LiveStep(
            store=mtd.store,
            names=Names(),
            proc=self._scripts.load("proc"),
            post_stage=self._scripts.load("post"),
            preserve_events=config.preserve_events,
            copies_folder=config.output.directory,
        )
        transition = RunTransitionBehavior(config.run_transition_behavior)
        cadence = Cadence(config.update_every, Method(config.accum_method), transition)
        self.monitor = Monitor(builder, step, cadence, cuts=self._cuts, observer=self)
        self._to_replay = self._left_to_replay() if self.monitor.reprocessing else 0
        if self.monitor.reprocessing:  # before the first turn, which may take long
            reporter.update(reprocess_percent=0.0)

    def close(self) -> None:
        """Close the journal and the files beside it."""
        if self._trial is not None:
            self._trial.end()
        self.monitor.builder.listener.close()
        self._cuts.close()
        self.accounts.close()

    # -- what the supervisor tells ------------------------------------------------------------------------------------

    def swap_post(self) -> None:
        """Take up a changed post-processing script."""
        log.info("taking up the changed post-processing script")
        self._reporter.script_changed("post")
        self.monitor.swap_post(self._scripts.load("post"), time.monotonic())
        self.stage("idle")
        self.report()

    def try_proc(self, number: int) -> None:
        """Begin to try a changed chunk script on the last chunk; before there is one it passes if it compiles."""
        if self._trial is not None:
            self._trial.end()
            self._trial = None
        script, chunk = self._scripts.load("trial"), self.monitor.last_chunk
        verdict = ScriptTrial(number, "passed")
        if isinstance(script, BrokenScript):
            verdict = ScriptTrial(number, "failed", script.problem)
        elif script is not None and chunk is not None:
            self._trial = Trial(number, script, self.monitor.step, chunk, self._scripts.forget_helpers)
            verdict = self._trial.poll()
        self._reporter.update(trial=verdict)

    def look_at_trial(self) -> None:
        """Pass on the verdict of a trial that is over."""
        if self._trial is not None and (verdict := self._trial.poll()).verdict != "running":
            self._trial = None
            self._reporter.update(trial=verdict)

    def save_memory(self, surplus: int) -> None:
        """Save `surplus` bytes of memory, beginning with what costs nobody anything.

        What can be computed again is forgotten, events are read from the disk where it has room for them, and if that
        is not enough copies of results of ended runs become files.
        """
        before = own_memory()
        log.warning("memory is nearly full: forgetting what can be computed again")
        mtd.store.drop_caches()
        forget_everything()
        self._move_events()
        return_free_memory()
        if self.monitor.step.shed_copies(surplus - (before - own_memory())):
            return_free_memory()

    def _move_events(self) -> None:
        folder = self._config.state_dir / "events"
        what = f"events cannot be moved from memory to {folder}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            disk = shutil.disk_usage(folder)
            moved = mtd.store.move_events_to_disk(folder, disk.free - int(DISK_LEFT * disk.total))
        except OSError as error:
            self._reporter.trouble(what, error.strerror or error)
        else:
            self._reporter.trouble(what, "")
            if moved:
                log.warning("%.0f MiB of events are now read from %s", moved / 2**20, folder)

    def clear(self) -> None:
        """Forget all that is in the journal by now, and show nothing until something new has come."""
        journal = self._config.state_dir / "journal"
        if journal.is_dir() and (written := segments(journal)):
            self.monitor.clear_until(Position(written[-1].index, written[-1].size))
        elif self._config.listener == "file" and self._cuts.to_replay:  # places in a file last, as in a journal
            self.monitor.clear_until(self._cuts.to_replay[-1].end)
        self._write_snapshot([], 0)
        publications.clear()
        self._handle_plots(self._plots.clear)

    # -- the live cycle's observer ------------------------------------------------------------------------------------

    def stage(self, name: str) -> None:
        """See `live.monitor.Observer`."""
        # what is read and not processed yet may grow from death to death, and is no progress
        before, here = Position(*self._reporter.health.position), self.monitor.builder.listener.position
        self._reporter.stage(name, before if name == "build" else here, self._uses())

    def _uses(self) -> dict[str, ScriptUse]:
        step = self.monitor.step
        stages = {"proc": step.proc, "post": step.post_stage}
        return {name: script.use for name, script in stages.items() if isinstance(script, LimitedScript)}

    def script_failed(self, stage: str, error: Any) -> None:
        """See `live.monitor.Observer`."""
        self._reporter.script_failed(stage, error)

    def script_succeeded(self, stage: str) -> None:
        """See `live.monitor.Observer`."""
        self._reporter.script_succeeded(stage)
        script = self.monitor.step.proc if stage == "proc" else self.monitor.step.post_stage
        if isinstance(script, LimitedScript):
            script.passed = self.monitor.builder.listener.position

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
            except Exception as error:  # one workspace that cannot be saved is no reason to end
                step.warn(f"{path} was not written: {reason(error)}")

    def shown(self, run: int) -> None:
        """Write a snapshot of what there is now."""
        self._reporter.stage("snapshot")
        step, began = self.monitor.step, time.perf_counter()
        self._write_snapshot(to_show(mtd.store, step.names.output, step.names.accumulation, step.accumulation), run)
        self._handle_plots(lambda: self._plots.write(publications, time.time_ns(), step.warn))
        step.latency["snapshot"] = time.perf_counter() - began

    def _handle_plots(self, handle: Callable[[], None]) -> None:
        what = "what scripts publish cannot be written for the page"
        try:
            handle()
        except OSError as error:
            self._reporter.trouble(what, error.strerror or error)
        else:
            self._reporter.trouble(what, "")

    def _write_snapshot(self, shown: list[Shown], run: int) -> None:
        try:
            self._snapshots.write(shown, run)
        except OSError as error:
            self._reporter.trouble("the result cannot be written for the page", error.strerror or error)
        else:
            self._reporter.trouble("the result cannot be written for the page", "")
            self._reporter.update(result_ns=time.time_ns(), result_version=self._snapshots.version)

    # -- figures ------------------------------------------------------------------------------------------------------

    def report(self, *, last_words: bool = False) -> None:
        """Write the health file."""
        position = self.monitor.builder.listener.position
        self._reporter.trouble("ends of chunks cannot be noted", self._cuts.trouble)
        self._reporter.trouble("accounts of runs cannot be kept", self.accounts.trouble)
        self._say_needed()
        self._reporter.report(
            self.monitor,
            position=position,
            scripts=self._uses(),
            helpers=self._scripts.helpers(),
            largest=_largest(),
            odd=self._scripts.warnings(),
            behind_bytes=bytes_between(self._config.state_dir / "journal", position),
            reprocess_percent=100 * (1 - self._left_to_replay() / max(self._to_replay, 1))
            if self.monitor.reprocessing
            else None,
            last_words=last_words,
        )

    def _say_needed(self) -> None:
        """Tell the recorder from where on the journal has to stay: where a process that begins now would read."""
        journal, what = self._config.state_dir / "journal", "the recorder cannot be told what it may remove"
        needed = self._cuts.resume_at or BEGIN
        if needed == self._said_needed or self._cuts.trouble or self.accounts.trouble or not journal.is_dir():
            return
        try:
            write_needed(journal, needed)
        except OSError as error:
            self._reporter.trouble(what, error.strerror or error)
        else:
            self._said_needed = needed
            self._reporter.trouble(what, "")

    def _left_to_replay(self) -> int:
        position = self.monitor.builder.listener.position
        return bytes_between(self._config.state_dir / "journal", position, self.monitor.replay_end)


def _largest() -> tuple[Holding, ...]:
    return tuple(Holding(h.name, h.kind, h.nbytes) for h in mtd.store.holdings()[:LARGEST])
