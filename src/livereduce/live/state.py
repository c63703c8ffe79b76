"""The run state machine: what the stream says about runs and pauses, turned into instructions.

Covers: which run data belong to, joining in mid-run, pauses, run transitions, continuation after a reconnect.
Does not cover: when a chunk is due, what scripts do, the accumulation method (`live.monitor`).

Pure: no clock, no socket. Feed it marks, carry out what it returns. The run axis and the pause axis are independent.

==========  ===================  ==========  =========================================================
state       mark                 next        instructions
==========  ===================  ==========  =========================================================
any         same run and start   same        none: a continuation (reconnect, roll-over, repeated NEW)
UNKNOWN     NEW                  RUNNING     begin
UNKNOWN     CONTINUE             JOINED      begin, joined in mid-run
BETWEEN     NEW                  RUNNING     cut (begin), begin
BETWEEN     CONTINUE             JOINED      cut (begin), begin, joined in mid-run
in a run    END, same run        BETWEEN     cut (end), finish, end seen
in a run    NONE                 BETWEEN     cut (end), finish, end not seen
in a run    NEW, other run       RUNNING     cut (end), finish, end seen if the mark says so; begin
in a run    CONTINUE, other run  JOINED      cut (end), finish, end not seen; begin, joined in mid-run
JOINED      NEW, same run        RUNNING     the history from the run's start is being delivered after all
==========  ===================  ==========  =========================================================
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from livereduce.errors import StateError
from livereduce.listeners.base import Connected, PauseMark, RunMark, RunMarkKind


class RunState(Enum):
    """The run axis."""

    UNKNOWN = "unknown"
    BETWEEN = "between runs"
    JOINED = "joined in mid-run"
    RUNNING = "running"


class RunIdentity(NamedTuple):
    """A run is its number and its start; two runs of one number but different starts are two runs."""

    run: int
    start_ns: int


NO_RUN = RunIdentity(0, 0)


class Transition(Enum):
    """What lies at the end of a chunk."""

    NONE = "none"
    END = "end of run"
    """The chunk holds the last data of its run."""
    BEGIN = "begin of run"
    """The chunk holds data taken between runs; a run begins where it ends."""
    ANEW = "anew"
    """No run has begun for so long that what follows is not added to what came since the last one."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The present chunk ends here, before anything that follows is taken in."""

    transition: Transition


@dataclass(frozen=True, slots=True)
class Begin:
    """Data from here on belong to this run (or to none: `NO_RUN`)."""

    identity: RunIdentity
    joined_mid_run: bool
    time_ns: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more comes for this run."""

    identity: RunIdentity
    end_seen: bool
    time_ns: int


@dataclass(frozen=True, slots=True)
class HistoryComplete:
    """The run joined in mid-run is being delivered from its start after all."""

    identity: RunIdentity


@dataclass(frozen=True, slots=True)
class Gate:
    """Events from here on are (not) to be used."""

    paused: bool
    time_ns: int


Instruction = Cut | Begin | Finish | HistoryComplete | Gate
RunEvent = RunMark | PauseMark | Connected


class RunStateMachine:
    """Feed marks with `handle`; read `state`, `identity` and `paused` at any time; nothing has side effects."""

    def __init__(self, story_length: int = 200) -> None:
        self.state = RunState.UNKNOWN
        self.identity = NO_RUN
        self.paused = False
        self.story: deque[str] = deque(maxlen=story_length)

    @property
    def in_run(self) -> bool:
        """Whether data now belong to a numbered run."""
        return self.state in (RunState.JOINED, RunState.RUNNING)

    def handle(self, event: RunEvent) -> list[Instruction]:
        """Take in one mark; return what has to be done, in order."""
        before = self.state
        match event:
            case RunMark():
                instructions = self._run_mark(event)
            case PauseMark(paused, time_ns):
                instructions = self._set_pause(paused, time_ns)
            case Connected():
                # The snapshot or history of the new connection restates a pause that is still on.
                instructions = self._set_pause(False, 0)
        self.story.append(
            f"{event} | {before.value} -> {self.state.value} | {[type(i).__name__ for i in instructions]}"
        )
        self._validate()
        return instructions

    def _run_mark(self, mark: RunMark) -> list[Instruction]:
        numberless = mark.kind is RunMarkKind.NEW and mark.start_ns
        named = RunIdentity(mark.run, mark.start_ns) if mark.run or numberless else NO_RUN
        if mark.kind is RunMarkKind.END:
            return self._leave(mark, end_seen=True) if named == self.identity and self.in_run else []
        if mark.kind is RunMarkKind.NONE or named == NO_RUN:
            return self._to_between(mark)
        if named == self.identity:
            return self._continue(mark)
        return self._to_run(mark, named)

    def _continue(self, mark: RunMark) -> list[Instruction]:
        if self.state is RunState.JOINED and mark.kind is RunMarkKind.NEW:
            self.state = RunState.RUNNING
            return [HistoryComplete(self.identity)]
        return []

    def _to_between(self, mark: RunMark) -> list[Instruction]:
        if self.in_run:
            return self._leave(mark, end_seen=False)
        if self.state is RunState.UNKNOWN:
            self.state = RunState.BETWEEN
            return [Begin(NO_RUN, False, mark.time_ns)]
        return []

    def _to_run(self, mark: RunMark, named: RunIdentity) -> list[Instruction]:
        instructions: list[Instruction] = []
        if self.in_run:
            instructions += [Cut(Transition.END), Finish(self.identity, mark.previous_ended, mark.time_ns)]
        elif self.state is RunState.BETWEEN:
            instructions += [Cut(Transition.BEGIN)]
        joined = mark.kind is not RunMarkKind.NEW
        self.state = RunState.JOINED if joined else RunState.RUNNING
        self.identity = named
        return [*instructions, *self._set_pause(False, mark.time_ns), Begin(named, joined, mark.time_ns)]

    def _leave(self, mark: RunMark, *, end_seen: bool) -> list[Instruction]:
        finished = self.identity
        self.state, self.identity = RunState.BETWEEN, NO_RUN
        return [
            Cut(Transition.END),
            Finish(finished, end_seen, mark.time_ns),
            *self._set_pause(False, mark.time_ns),
            Begin(NO_RUN, False, mark.time_ns),
        ]

    def _set_pause(self, paused: bool, time_ns: int) -> list[Instruction]:
        if paused == self.paused:
            return []
        self.paused = paused
        return [Gate(paused, time_ns)]

    def _validate(self) -> None:
        if self.in_run == (self.identity == NO_RUN):
            raise StateError(f"state {self.state} with run {self.identity}. Story:\n" + "\n".join(self.story))
