"""The transition table of live/state.py, row by row, with instructions written out by hand."""

import pytest

from livereduce.listeners.base import Connected, PauseMark, RunMark, RunMarkKind
from livereduce.live.state import (
    NO_RUN,
    Begin,
    Cut,
    Finish,
    Gate,
    HistoryComplete,
    RunIdentity,
    RunState,
    RunStateMachine,
    Transition,
)

RUN7 = RunIdentity(7, 1000)
RUN8 = RunIdentity(8, 2000)


def mark(kind: str, identity: RunIdentity = NO_RUN, time_ns: int = 5) -> RunMark:
    return RunMark(RunMarkKind(kind), identity.run, identity.start_ns, time_ns)


def machine(*marks: RunMark | PauseMark | Connected) -> RunStateMachine:
    state = RunStateMachine()
    for one in marks:
        state.handle(one)
    return state


def test_new_run_after_nothing_begins_the_run() -> None:
    state = machine()
    assert state.handle(mark("new", RUN7)) == [Begin(RUN7, False, 5)]
    assert (state.state, state.identity) == (RunState.RUNNING, RUN7)


def test_state_with_a_run_after_nothing_joins_in_mid_run() -> None:
    state = machine()
    assert state.handle(mark("continue", RUN7)) == [Begin(RUN7, True, 5)]
    assert state.state is RunState.JOINED


def test_state_without_a_run_is_between_runs() -> None:
    state = machine()
    assert state.handle(mark("continue")) == [Begin(NO_RUN, False, 5)]
    assert state.state is RunState.BETWEEN


def test_data_between_runs_are_cut_off_when_a_run_begins() -> None:
    state = machine(mark("none"))
    assert state.handle(mark("new", RUN7)) == [Cut(Transition.BEGIN), Begin(RUN7, False, 5)]


@pytest.mark.parametrize("kind", ["new", "continue"])
def test_the_current_run_named_again_is_a_continuation(kind: str) -> None:
    state = machine(mark("new", RUN7))
    assert state.handle(mark(kind, RUN7)) == []
    assert state.state is RunState.RUNNING


def test_end_of_run_cuts_the_chunk_and_finishes_the_run() -> None:
    state = machine(mark("new", RUN7))
    assert state.handle(mark("end", RUN7, 9)) == [Cut(Transition.END), Finish(RUN7, True, 9), Begin(NO_RUN, False, 9)]
    assert state.state is RunState.BETWEEN


def test_no_run_after_the_end_changes_nothing() -> None:
    state = machine(mark("new", RUN7), mark("end", RUN7))
    assert state.handle(mark("none")) == []


def test_no_run_without_an_end_is_an_end_not_seen() -> None:
    state = machine(mark("new", RUN7))
    assert state.handle(mark("none", time_ns=9))[1] == Finish(RUN7, False, 9)


def test_another_run_ends_the_old_one_as_end_not_seen() -> None:
    state = machine(mark("new", RUN7))
    assert state.handle(mark("new", RUN8, 9)) == [
        Cut(Transition.END),
        Finish(RUN7, False, 9),
        Begin(RUN8, False, 9),
    ]


def test_the_same_number_with_another_start_is_another_run() -> None:
    state = machine(mark("new", RUN7))
    restarted = RunIdentity(7, 1001)
    assert Finish(RUN7, False, 5) in state.handle(mark("new", restarted))
    assert state.identity == restarted


def test_the_end_of_a_run_that_is_not_on_is_ignored() -> None:
    state = machine(mark("new", RUN8))
    assert state.handle(mark("end", RUN7)) == []
    assert state.identity == RUN8


def test_history_from_the_start_heals_a_run_joined_in_mid_run() -> None:
    state = machine(mark("continue", RUN7), Connected(2))
    assert state.handle(mark("new", RUN7)) == [HistoryComplete(RUN7)]
    assert state.state is RunState.RUNNING


def test_pause_and_resume_are_an_axis_of_their_own() -> None:
    state = machine(mark("new", RUN7))
    assert state.handle(PauseMark(True, 3)) == [Gate(True, 3)]
    assert state.handle(PauseMark(True, 4)) == []
    assert state.handle(mark("continue", RUN7)) == []
    assert state.paused
    assert state.handle(PauseMark(False, 6)) == [Gate(False, 6)]


def test_a_run_transition_and_a_new_connection_end_the_pause() -> None:
    state = machine(mark("new", RUN7), PauseMark(True, 3))
    assert Gate(False, 9) in state.handle(mark("end", RUN7, 9))
    state = machine(mark("new", RUN7), PauseMark(True, 3))
    assert state.handle(Connected(2)) == [Gate(False, 0)]


def test_the_story_keeps_the_last_events_only() -> None:
    state = RunStateMachine(story_length=3)
    for run in range(1, 9):
        state.handle(mark("new", RunIdentity(run, run)))
    assert len(state.story) == 3
    assert "run=8" in state.story[-1]


def test_a_new_run_that_says_the_last_one_has_ended_makes_its_end_seen() -> None:
    state = machine(mark("new", RUN7))
    told = RunMark(RunMarkKind.NEW, *RUN8, 5, previous_ended=True)
    assert state.handle(told) == [Cut(Transition.END), Finish(RUN7, True, 5), Begin(RUN8, False, 5)]


def test_a_new_run_without_a_number_is_a_run_by_its_start() -> None:
    numberless, later = RunIdentity(0, 1000), RunIdentity(0, 2000)
    state = machine(mark("new", numberless))
    assert (state.state, state.identity) == (RunState.RUNNING, numberless)
    assert state.handle(mark("new", numberless)) == []
    assert state.handle(mark("new", later)) == [
        Cut(Transition.END), Finish(numberless, False, 5), Begin(later, False, 5),
    ]  # fmt: skip
    assert machine(mark("continue", numberless)).state is RunState.BETWEEN
