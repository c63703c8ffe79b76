"""The loop of the live cycle: when a chunk is due, what a failure means, what happens at a run transition.

Covers: cadence, falling behind, retries of a failing chunk script, run transition behaviours, reading a run again.
Does not cover: the step itself (`live.load`), reading the stream (`live.chunk`), processes and signals (`reducer`).

Nothing here waits: `turn` does what is due and says when the next turn is worth while. Time is an argument.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from livereduce.errors import ScriptError
from livereduce.live.chunk import Chunk, ChunkBuilder
from livereduce.live.cuts import CutLog, CutRecord
from livereduce.live.load import LiveStep, Method
from livereduce.live.stages import Stage
from livereduce.live.state import NO_RUN, RunIdentity, Transition
from livereduce.sources import Position
from livereduce.workspaces import Workspace

log = logging.getLogger(__name__)

TRIAL_EVENTS = 1_000_000
"""A larger chunk whose events nobody keeps is not kept for the trial of an edited script either."""
ATTEMPTS = 3
"""A chunk whose script failed so often from one position is set aside."""


class RunTransitionBehavior(Enum):
    """What happens to the accumulation where a run begins or ends."""

    RESTART = "Restart"
    STOP = "Stop"
    RENAME = "Rename"


@dataclass(frozen=True, slots=True)
class Cadence:
    """How the loop behaves, as configured."""

    update_every_s: float
    method: Method
    transition: RunTransitionBehavior


class Observer(Protocol):
    """Who is told how the loop gets on; the reducer writes health files and snapshots."""

    def stage(self, name: str) -> None:
        """Say which stage of a step begins (extract, build, proc, accumulate, post, idle, reprocessing)."""

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """Say that a script raised, one in use or one that gave way to the version before it; the data are safe."""

    def script_succeeded(self, stage: str) -> None:
        """Say that a stage ran through, so that earlier failures of the version in use are over."""

    def shown(self, run: int) -> None:
        """Say that there is a new result."""

    def settled(self, record: CutRecord) -> None:
        """Say that all up to a transition is dealt with; that is noted, and never read again, when this returns."""


class NobodyWatching:
    """An observer that does nothing."""

    def stage(self, name: str) -> None:
        """See `Observer`."""

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """See `Observer`."""

    def script_succeeded(self, stage: str) -> None:
        """See `Observer`."""

    def shown(self, run: int) -> None:
        """See `Observer`."""

    def settled(self, record: CutRecord) -> None:
        """See `Observer`."""


class Monitor:
    """Runs steps as they fall due.

    Parameters
    ----------
    cuts
        Where chunk ends are written down and what has to be read again; None without a journal.
    """

    def __init__(
        self,
        builder: ChunkBuilder,
        step: LiveStep,
        cadence: Cadence,
        *,
        cuts: CutLog | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.builder = builder
        self.step = step
        self.cadence = cadence
        self.observer: Observer = observer or NobodyWatching()
        self.finished_runs = 0
        self.stopped = False
        self.chunks = 0
        self._cuts = cuts
        self._replay = deque(cuts.to_replay if cuts else ())  # in the order of the stream
        # whether what is accumulated, if anything, is of the run before
        self._replace_next = step.accumulation is None
        # a run the source left without an end, and its accumulation: it may be taken up again
        self._left: tuple[RunIdentity, Workspace | None] | None = None
        self._next_due = float("-inf")
        self._last_shown = float("-inf")
        self._attempts = 0
        self._result_stale = False
        self._post_on_trial = False
        self._proven_post: Stage | None = None
        self.last_run = 0
        self.last_chunk: Workspace | None = None
        self._clear_until = cuts.clear_until if cuts else None

    @property
    def reprocessing(self) -> bool:
        """Whether a run is being read again up to where the last process had come."""
        return bool(self._replay)

    @property
    def replay_end(self) -> Position | None:
        """Where reading again ends; None when it is over."""
        return self._replay[-1].end if self._replay else None

    def turn(self, now: float) -> float:
        """Do the step that is due, if any; return the seconds until the next turn can have something to do.

        Parameters
        ----------
        now
            A monotonic clock, s.
        """
        if self.stopped:
            return float("inf")
        if now < self._next_due and not self.reprocessing:
            return self._next_due - now
        self._next_due = now + self.cadence.update_every_s
        self.observer.stage("reprocessing" if self.reprocessing else "extract")
        if self._clear_until is not None:
            return self._clear(self._clear_until, now)
        chunk = self.builder.extract(self._replay_until(), self.observer.stage)
        return self._nothing_new(now) if chunk is None else self.take(chunk, now)

    def take(self, chunk: Chunk, now: float) -> float:
        """Do the step of a chunk that the builder has just given; returns as `turn`."""
        self._next_due = now + self.cadence.update_every_s
        again = self._one_step(chunk, now)
        self.observer.stage("idle")
        if again:
            self._next_due = now
            return 0.0
        return self.cadence.update_every_s

    def clear_until(self, place: Position) -> None:
        """Drop what lies before `place` instead of processing it, now and whenever it is read again."""
        self._clear_until = place
        if self._cuts is not None:
            self._cuts.clear(place)

    def _clear(self, until: Position, now: float) -> float:
        """Drop what lies before the place at which somebody asked for a new beginning."""
        self._next_due = now
        limit = min(until, self.replay_end or until)
        chunk = self.builder.extract(limit, self.observer.stage)
        if chunk is not None:
            record = self._note_cut(chunk)
            self.builder.discard(chunk, "cleared")
            if chunk.transition is not Transition.NONE:
                self._after_transition(chunk)
            self._settled(record)
        elif limit == until:
            self._clear_until = None
        else:
            self._replay.clear()
        return 0.0

    def _nothing_new(self, now: float) -> float:
        if self.reprocessing:
            # The journal is shorter than its cuts say (its last second was lost with the power): that is all there is.
            self._replay.clear()
            self._next_due = now
            return 0.0
        if self._result_stale:
            self._show(now)
        self.observer.stage("idle")
        # Something may arrive at any time and a chunk is due: look again soon.
        self._next_due = now
        return min(self.cadence.update_every_s, 0.1)

    # -- reading a run again ------------------------------------------------------------------------------------------

    def _replay_until(self) -> Position | None:
        """Where the chunk has to end: Append and Replace depend on how data are cut, Add does not."""
        if not self._replay or self.cadence.method is Method.ADD:
            return self.replay_end
        return self._replay[0].end

    def _note_cut(self, chunk: Chunk) -> CutRecord:
        """Write down where the chunk ends before anything is done with it (while reading again it is there already)."""
        record = CutRecord(chunk.begin, chunk.end, chunk.identity, chunk.transition, chunk.resume)
        if self._cuts is not None and not self.reprocessing:
            self._cuts.append(record)
        return record

    def _settled(self, record: CutRecord) -> None:
        """Note that the chunk will not be taken again: it was added or set aside."""
        while self._replay and self._replay[0].end <= record.end:
            self._replay.popleft()
        if record.transition is Transition.NONE:
            return
        if record.transition is Transition.END and record.identity != NO_RUN:
            self.finished_runs += 1
        self.observer.settled(record)
        if self._cuts is not None and self._left is None:
            self._cuts.done(record)

    # -- one step -----------------------------------------------------------------------------------------------------

    def _one_step(self, chunk: Chunk, now: float) -> bool:
        """Process a chunk; return whether the next one should follow without waiting."""
        record = self._note_cut(chunk)
        if chunk.workspace is None:
            self.builder.consume(chunk)
        elif self._processed(chunk.workspace):
            self._attempts = 0
            self._replace_next = False
            self._result_stale = True
            self.builder.consume(chunk)
        elif self._attempts < ATTEMPTS:
            return False
        else:
            self._attempts = 0
            self.builder.set_aside(chunk)
        self.builder.ledger.check()
        self.chunks += 1
        self.last_run = chunk.identity.run
        made = self._is_to_be_shown(chunk, now) and self._result_made(now)
        if chunk.transition is not Transition.NONE:
            self._after_transition(chunk)
        if made:  # what is shown has the copy kept of an ended run in it
            self.observer.shown(self.last_run)
        self._settled(record)
        if chunk.events > TRIAL_EVENTS and not self.step.preserve_events:
            self.last_chunk = None  # else there would be two of them in memory while the next one is taken in
        return (chunk.more or self.reprocessing) and not self.stopped

    def _processed(self, workspace: Workspace) -> bool:
        """Run chunk script and accumulation; on failure the chunk stays where it is."""
        try:
            self.last_chunk = workspace
            method = Method.REPLACE if self._replace_next else self.cadence.method
            self.step.load(workspace, method, self.observer.stage)
        except ScriptError as error:
            self._attempts += 1
            self.observer.script_failed("proc", error)
            return False
        self.observer.script_succeeded("proc")
        return True

    def _is_to_be_shown(self, chunk: Chunk, now: float) -> bool:
        """Tell whether to run the post stage: always at a run's end, once per update while behind.

        Where a copy is kept or nothing follows, the output has to be of all data at a run's beginning too.
        """
        if self._replace_next:  # all of this run was set aside so far: what there is belongs to the run before
            return False
        if chunk.transition is Transition.END or chunk.end == self.replay_end:
            return True
        if chunk.transition is Transition.BEGIN and self.cadence.transition is not RunTransitionBehavior.RESTART:
            return True
        if self.reprocessing:
            return False
        return not chunk.more or now - self._last_shown >= self.cadence.update_every_s

    def swap_post(self, post: Stage | None, now: float) -> None:
        """Take up a changed post-processing stage; its first run, now if there are data, is its trial.

        If it fails, the one before it runs at once in its place and, if it works, stays until the next save.
        """
        if not self._post_on_trial:
            self._proven_post = self.step.post_stage
        self.step.post_stage = post
        self._post_on_trial = True
        if self.step.accumulation is not None and not self.reprocessing:
            self._show(now)

    def _show(self, now: float) -> None:
        if self._result_made(now):
            self.observer.shown(self.last_run)

    def _result_made(self, now: float) -> bool:
        self._last_shown = now
        self._result_stale = False
        failure = self._post_failure()
        fell_back = failure is not None and self._post_on_trial and self._fell_back()
        self._post_on_trial = False
        if failure is not None:
            failure.in_use = not fell_back
            self.observer.script_failed("post", failure)
        worked = failure is None or fell_back
        if worked:
            self.observer.script_succeeded("post")
        return worked

    def _fell_back(self) -> bool:
        """Run the version before the one on trial, which failed; keep it if it works."""
        trial, self.step.post_stage = self.step.post_stage, self._proven_post
        if self._post_failure() is not None:
            # neither works: what has to be seen is the failure of the version somebody is mending
            self.step.post_stage = trial
            return False
        log.warning("the changed post-processing script failed; the one before it stays in use")
        return True

    def _post_failure(self) -> ScriptError | None:
        try:
            self.step.post(self.observer.stage)
        except ScriptError as error:
            return error
        return None

    def _after_transition(self, chunk: Chunk) -> None:
        if chunk.transition is Transition.ANEW:
            log.info("no run has begun for long: data between runs are added up from here on")
            self._replace_next, self._left = True, None
            return
        if self.cadence.transition is RunTransitionBehavior.STOP:
            self.stopped = True
            log.info("%s: monitoring stops, as configured", chunk.transition.value)
            return
        if self.cadence.transition is RunTransitionBehavior.RENAME and not self._replace_next:
            self.step.keep_copy(chunk.identity.run, after_run=chunk.transition is Transition.BEGIN)
        self._pass_on(chunk)

    def _pass_on(self, chunk: Chunk) -> None:
        """Begin a new accumulation, or go on with that of a run which its source had left and takes up again.

        The old accumulation stays visible until the next chunk arrives.
        """
        accumulated, self._replace_next = not self._replace_next, True
        following = self.builder.state.identity
        if chunk.transition is Transition.END:
            open_ended = following == NO_RUN and not self.builder.ledger.open(chunk.identity).end_seen
            self._left = (chunk.identity, self.step.accumulation) if open_ended and accumulated else None
        elif self._left is not None and self._left[0] == following:
            log.info("run %d goes on", following.run)
            self.step.accumulation, self._replace_next = self._left[1], False
        else:
            self._left = None
