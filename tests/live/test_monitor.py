"""The loop: a stream written down as messages, a clock that is an argument; every count is that of the messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livereduce.errors import ScriptError
from livereduce.geometry import load_idf
from livereduce.listeners.base import Connected, GeometryUpdate, Message, RunMark, RunMarkKind
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.cuts import CutLog, CutRecord
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.live.scripts import compile_script
from livereduce.live.stages import ScriptStage, Surroundings
from livereduce.live.state import NO_RUN, RunIdentity
from livereduce.mantid import simpleapi
from livereduce.mantid.ads import mtd
from livereduce.sources import Position
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, WorkspaceGroup, WorkspaceStore

S = 1_000_000_000
RUN7, RUN8 = RunIdentity(7, 100 * S), RunIdentity(8, 200 * S)
IDF = """<instrument name="T" xmlns="http://www.mantidproject.org/IDF/1.0">
  <component type="src"><location z="-10"/></component><type name="src" is="Source"/>
  <component type="smp"><location/></component><type name="smp" is="SamplePos"/>
  <component type="det" idlist="d"><location x="1"/></component>
  <type name="det" is="detector"/><idlist idname="d"><id val="5"/></idlist>
</instrument>"""
GROUP = "output = GroupWorkspaces([input, CloneWorkspace(input, OutputWorkspace='second')])"


def mark(kind: str, identity: RunIdentity = NO_RUN) -> RunMark:
    return RunMark(RunMarkKind(kind), identity.run, identity.start_ns, 0)


def opening(identity: RunIdentity = RUN7) -> list[Message]:
    geometry = GeometryUpdate(load_idf(IDF), hashlib.sha256(IDF.encode()).digest())
    return [Connected(1), geometry, mark("new", identity)]


class Diary:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []
        self.gave_way: list[bool] = []
        self.successes: list[str] = []
        self.runs_shown: list[int] = []
        self.stages: list[str] = []
        self.settlements: list[CutRecord] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def script_failed(self, stage: str, error: ScriptError) -> None:
        self.failures.append((stage, error.message))
        self.gave_way.append(not error.in_use)

    def script_succeeded(self, stage: str) -> None:
        self.successes.append(stage)

    def shown(self, run: int) -> None:
        self.runs_shown.append(run)

    def settled(self, record: CutRecord) -> None:
        self.settlements.append(record)


class Live:
    """A monitor on a scripted stream."""

    def __init__(self, listener: Any, events: Callable[..., Any], **options: Any) -> None:
        self.listener, self._events, self._pulse = listener, events, 0
        ledger = Ledger()
        limit = options.pop("limit", 20_000_000)
        preserve = options.pop("preserve_events", True)
        self.builder = ChunkBuilder(listener, ledger, keep_events=preserve, limit=limit)
        step = LiveStep(
            mtd.store,
            Names(),
            script(options.pop("proc", None), "proc.py"),
            script(options.pop("post", None), "post.py"),
            preserve_events=preserve,
        )
        cadence = Cadence(
            options.pop("update_every_s", 10.0),
            options.pop("method", Method.ADD),
            options.pop("transition", RunTransitionBehavior.RESTART),
        )
        self.diary = Diary()
        self.monitor = Monitor(self.builder, step, cadence, observer=self.diary, **options)

    def data(self, n: int) -> Any:
        """One pulse of `n` events, later than all before."""
        self._pulse += 1
        return self._events((100 * S + self._pulse, [(5, 1000 + i) for i in range(n)]))

    def hear(self, *messages: Message | None) -> None:
        self.listener.extend(*messages)

    def account(self, identity: RunIdentity = RUN7) -> Any:
        self.builder.ledger.check()
        return self.builder.ledger.open(identity)


def script(text: str | None, name: str) -> ScriptStage | None:
    surroundings = Surroundings(simpleapi.script_names())
    return None if text is None else ScriptStage(compile_script(text, name), surroundings)


@pytest.fixture
def live(events_of: Any) -> Iterator[Callable[..., Live]]:
    """``live(*messages, **options)`` on a store of its own."""
    before = mtd.use(WorkspaceStore())

    def make(*messages: Message | None, **options: Any) -> Live:
        return Live(events_of.listener(messages), events_of.make, **options)

    yield make
    mtd.use(before)


MakeLive = Callable[..., Live]


def total(name: str = "result") -> float:
    """Sum of counts of a workspace in the store; of a group, of each member, which must agree."""
    found = mtd[name]
    if isinstance(found, WorkspaceGroup):
        sums = {float(member.y.sum()) for member in found if isinstance(member, MatrixWorkspace)}
        assert len(sums) == 1
        return sums.pop()
    assert isinstance(found, MatrixWorkspace)
    return float(found.y.sum())


# -- cadence -----------------------------------------------------------------------------------------------------------


def test_a_step_is_due_every_update_and_takes_all_that_came(live: MakeLive) -> None:
    run = live(*opening())
    run.hear(run.data(2))
    assert run.monitor.turn(0.0) == 10.0
    assert total() == 2
    run.hear(run.data(3), run.data(4))
    assert run.monitor.turn(4.0) == 6.0
    assert total() == 2
    run.monitor.turn(10.0)
    assert total() == 9
    assert (run.monitor.chunks, run.diary.runs_shown) == (2, [7, 7])


def test_nothing_new_is_no_step_and_the_next_look_is_soon(live: MakeLive) -> None:
    run = live(*opening())
    run.monitor.turn(0.0)
    assert run.monitor.turn(10.0) == pytest.approx(0.1)
    assert run.monitor.chunks == 1
    run.hear(run.data(1))
    run.monitor.turn(10.1)
    assert run.monitor.chunks == 2


def test_no_chunk_begins_before_the_stream_has_said_what_detectors_there_are(live: MakeLive) -> None:
    """Else an accumulation without spectra would refuse all that follows."""
    first, *rest = opening()
    run = live(first, proc="assert input.getNumberHistograms() == 1")
    run.monitor.turn(0.0)
    assert run.monitor.chunks == 0
    run.hear(*rest, run.data(3))
    run.monitor.turn(0.1)
    run.hear(run.data(1))
    run.monitor.turn(10.1)
    assert (total(), run.diary.failures) == (4, [])


def test_stages_are_announced_in_order(live: MakeLive) -> None:
    run = live(*opening())
    run.hear(run.data(1))
    run.monitor.turn(0.0)
    assert run.diary.stages == ["extract", "build", "proc", "accumulate", "post", "idle"]


def test_data_that_are_dropped_have_their_chunk_announced_too(live: MakeLive) -> None:
    run = live(*opening())
    run.hear(run.data(1))
    run.monitor.clear_until(Position(0, 4))  # all of it
    run.monitor.turn(0.0)
    assert run.diary.stages == ["extract", "build"]


def test_while_behind_chunks_follow_at_once_and_post_runs_once_per_update(live: MakeLive) -> None:
    run = live(*opening(), limit=2)
    run.hear(*(run.data(2) for _ in range(10)))
    waits = [run.monitor.turn(4.0 * k) for k in range(10)]  # each step takes 4 s
    assert run.monitor.chunks == 10
    assert waits[:9] == [0.0] * 9
    # at 0, 12 (10 s after 0), 24, 36: the last has nothing behind it
    assert run.diary.runs_shown == [7] * 4
    run.monitor.turn(100.0)
    assert total() == 20


def test_what_was_not_shown_while_behind_is_shown_when_nothing_more_comes(live: MakeLive) -> None:
    run = live(*opening(), limit=2)
    run.hear(run.data(2), run.data(2))
    run.monitor.turn(0.0)
    run.monitor.turn(1.0)
    assert (run.monitor.chunks, len(run.diary.runs_shown), total()) == (2, 1, 2)
    run.monitor.turn(1.1)
    assert (run.monitor.chunks, len(run.diary.runs_shown), total()) == (2, 2, 4)


# -- failing scripts ---------------------------------------------------------------------------------------------------


def test_a_failing_chunk_script_takes_the_new_data_along_and_heals_itself(live: MakeLive) -> None:
    run = live(*opening(), proc="assert input.getNumberEvents() > 4, 'too few'")
    run.hear(run.data(2))
    run.monitor.turn(0.0)
    assert (run.account().pending, run.account().accumulated) == (2, 0)
    run.hear(run.data(2))
    run.monitor.turn(10.0)
    assert run.account().pending == 4
    run.hear(run.data(1))
    run.monitor.turn(20.0)
    assert (run.account().pending, run.account().accumulated, total()) == (0, 5, 5)
    assert run.diary.failures == [("proc", "AssertionError: too few")] * 2
    assert run.diary.successes == ["proc", "post"]


def test_after_three_failures_from_one_position_a_chunk_is_set_aside_and_the_loop_goes_on(live: MakeLive) -> None:
    run = live(*opening(), proc="assert input.getNumberEvents() != 2")
    run.hear(run.data(3))
    run.monitor.turn(0.0)
    run.hear(run.data(2))
    for now in (10.0, 20.0, 30.0):
        run.monitor.turn(now)
    assert (run.account().pending, run.account().accumulated, run.account().events) == (2, 3, 5)
    run.hear(run.data(4))
    run.monitor.turn(40.0)
    assert (run.account().pending, run.account().accumulated, total()) == (2, 7, 7)
    # the count begins anew at the next position
    run.hear(run.data(2))
    run.monitor.turn(50.0)
    run.monitor.turn(60.0)
    run.hear(run.data(1))
    run.monitor.turn(70.0)
    assert (run.account().pending, run.account().accumulated, total()) == (2, 10, 10)


def test_a_script_that_raises_every_third_chunk_loses_nothing(live: MakeLive) -> None:
    """Live data test 8; the store is the script's memory of how often it was called."""
    proc = (
        "calls = mtd['calls'] if 'calls' in mtd else CreateEmptyTableWorkspace()\n"
        "if calls.columnCount() == 0: calls.addColumn('int', 'n')\n"
        "calls.addRow([1])\n"
        "if calls.rowCount() % 3 == 0: raise RuntimeError('third')\n"
    )
    run = live(*opening(), proc=proc)
    for k in range(9):
        run.hear(run.data(k + 1))
        run.monitor.turn(10.0 * k)
    run.monitor.turn(90.0)
    assert run.account().accumulated == sum(range(1, 10)) == 45
    assert total() == 45
    assert len(run.diary.failures) == 3


def test_a_failing_post_script_keeps_the_last_result_and_the_data_and_is_run_again_with_the_next_chunk(
    live: MakeLive,
) -> None:
    run = live(*opening(), post="assert input.getNumberEvents() != 3, 'three'\noutput = CloneWorkspace(input)")
    for k, n in enumerate((2, 1, 4)):
        run.hear(run.data(n))
        run.monitor.turn(10.0 * k)
        assert run.account().accumulated == (2, 3, 7)[k]
        assert total() == (2, 2, 7)[k]
    assert run.diary.failures == [("post", "AssertionError: three")]
    assert run.diary.runs_shown == [7, 7]


def test_a_whole_run_that_was_set_aside_shows_and_keeps_nothing_under_its_name(live: MakeLive) -> None:
    """What is in the accumulation is still the run before; it must not appear as the run that failed."""
    proc = "assert input.run().getProperty('run_number').value != '8'"
    run = live(*opening(), proc=proc, transition=RunTransitionBehavior.RENAME)
    run.hear(run.data(2), mark("end", RUN7), mark("new", RUN8), run.data(5), mark("end", RUN8))
    for k in range(10):
        run.monitor.turn(10.0 * k)
    assert total("result_7") == 2
    assert "result_8" not in mtd
    assert 8 not in run.diary.runs_shown
    assert (run.account(RUN8).pending, run.account(RUN8).events, run.monitor.finished_runs) == (5, 5, 2)


# -- a changed post script ---------------------------------------------------------------------------------------------

HALF = "output = Scale(input, 0.5)"
DOUBLE = "output = Scale(input, 2)"
BROKEN = "raise ValueError('typo')"


def test_a_swapped_post_script_is_tried_at_once(live: MakeLive) -> None:
    run = live(*opening(), post=HALF)
    run.hear(run.data(4))
    run.monitor.turn(0.0)
    run.monitor.swap_post(script(DOUBLE, "post.py"), 1.0)
    assert (total(), run.monitor.chunks, len(run.diary.runs_shown)) == (8, 1, 2)


def test_a_swapped_post_script_that_fails_falls_back_and_it_is_said_which_failed_and_which_works(
    live: MakeLive,
) -> None:
    run = live(*opening(), post=HALF)
    run.hear(run.data(4))
    run.monitor.turn(0.0)
    run.diary.successes.clear()
    run.monitor.swap_post(script(BROKEN, "post.py"), 1.0)
    assert (total(), run.diary.failures) == (2, [("post", "ValueError: typo")])
    assert run.diary.gave_way == [True]
    run.hear(run.data(4))
    run.monitor.turn(10.0)
    assert (total(), run.diary.successes) == (4, ["post", "proc", "post"])  # the version in use works
    assert len(run.diary.failures) == 1
    run.monitor.swap_post(script(DOUBLE, "post.py"), 11.0)
    assert (total(), run.diary.successes) == (16, ["post", "proc", "post", "post"])


def test_where_neither_version_works_the_failure_of_the_one_saved_last_is_told_and_it_stays(live: MakeLive) -> None:
    run = live(*opening(), post="raise ValueError('first')")
    run.hear(run.data(4))
    run.monitor.turn(0.0)
    run.diary.failures.clear()
    run.diary.gave_way.clear()
    run.monitor.swap_post(script("assert input.getNumberEvents() > 4", "post.py"), 1.0)
    assert (run.diary.failures, run.diary.gave_way) == ([("post", "AssertionError: ")], [False])
    run.hear(run.data(4))
    run.monitor.turn(10.0)  # more data are what it needed
    assert run.diary.successes[-1] == "post"
    run.monitor.swap_post(script(BROKEN, "post.py"), 11.0)
    assert (run.diary.failures[-1], run.diary.gave_way[-1]) == (("post", "ValueError: typo"), True)


def test_a_swap_before_any_data_is_tried_with_the_first(live: MakeLive) -> None:
    run = live(*opening(), post=HALF)
    run.monitor.swap_post(script(BROKEN, "post.py"), 0.0)
    assert (run.diary.failures, run.diary.runs_shown) == ([], [])
    run.hear(run.data(4))
    run.monitor.turn(1.0)
    assert (total(), len(run.diary.failures)) == (2, 1)


def test_the_fallback_of_two_swaps_is_the_script_that_ran(live: MakeLive) -> None:
    run = live(*opening(), post=HALF)
    run.monitor.swap_post(script(DOUBLE, "post.py"), 0.0)
    run.monitor.swap_post(script(BROKEN, "post.py"), 0.0)
    run.hear(run.data(4))
    run.monitor.turn(1.0)
    assert total() == 2


def test_where_there_was_no_post_script_a_broken_first_one_leaves_the_accumulation_shown(live: MakeLive) -> None:
    run = live(*opening())
    run.hear(run.data(4))
    run.monitor.turn(0.0)
    run.monitor.swap_post(script(BROKEN, "post.py"), 1.0)
    run.hear(run.data(1))
    run.monitor.turn(10.0)
    assert total() == 5


# -- run transitions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("post", [None, "output = CloneWorkspace(input)"], ids=["no post", "post"])
@pytest.mark.parametrize("proc", [None, GROUP], ids=["single", "group"])
class TestTransitions:
    """Live data 4.1, 4.2, 4.5: k extractions of n events each, k = 2, n = 3."""

    @pytest.mark.parametrize("behavior", list(RunTransitionBehavior))
    def test_end_of_run(self, live: MakeLive, proc: str | None, post: str | None, behavior: Any) -> None:
        run = live(*opening(), proc=proc, post=post, transition=behavior)
        run.hear(run.data(3), None, run.data(3), mark("end", RUN7))
        run.monitor.turn(0.0)
        run.monitor.turn(10.0)
        # the final state stays visible until the next chunk arrives
        assert (total(), run.monitor.stopped) == (6, behavior is RunTransitionBehavior.STOP)
        run.hear(run.data(1))
        wait = run.monitor.turn(20.0)
        if behavior is RunTransitionBehavior.STOP:
            assert (wait, total()) == (float("inf"), 6)
            return
        assert total() == 1
        assert mtd.doesExist("result_7") == (behavior is RunTransitionBehavior.RENAME)
        if behavior is RunTransitionBehavior.RENAME:
            assert total("result_7") == 6
        assert run.diary.runs_shown == [7, 7, 0]

    @pytest.mark.parametrize("behavior", list(RunTransitionBehavior))
    def test_begin_of_run(self, live: MakeLive, proc: str | None, post: str | None, behavior: Any) -> None:
        connected, geometry, _ = opening()
        run = live(connected, geometry, mark("none"), proc=proc, post=post, transition=behavior)
        run.hear(run.data(3), None, run.data(3), mark("new", RUN7))
        run.monitor.turn(0.0)
        run.monitor.turn(10.0)
        assert (total(), run.monitor.stopped) == (6, behavior is RunTransitionBehavior.STOP)
        run.hear(run.data(1))
        run.monitor.turn(20.0)
        if behavior is RunTransitionBehavior.STOP:
            assert total() == 6
            return
        assert total() == 1
        assert mtd.doesExist("result_0_post") == (behavior is RunTransitionBehavior.RENAME)
        if behavior is RunTransitionBehavior.RENAME:
            assert total("result_0_post") == 6

    @pytest.mark.parametrize("behavior", list(RunTransitionBehavior))
    def test_end_and_begin_in_consecutive_chunks(
        self, live: MakeLive, proc: str | None, post: str | None, behavior: Any
    ) -> None:
        run = live(*opening(), proc=proc, post=post, transition=behavior)
        run.hear(run.data(3), mark("end", RUN7), run.data(2), mark("new", RUN8), run.data(1), None)
        waits = [run.monitor.turn(float(k)) for k in range(3)]
        if behavior is RunTransitionBehavior.STOP:
            assert (total(), run.monitor.chunks) == (3, 1)
            return
        assert waits[:2] == [0.0, 0.0]
        assert (total(), run.monitor.chunks, run.monitor.finished_runs) == (1, 3, 1)
        kept = {name: total(name) for name in ("result_7", "result_7_post", "result_8") if name in mtd}
        assert kept == ({"result_7": 3, "result_7_post": 2} if behavior is RunTransitionBehavior.RENAME else {})


@pytest.mark.parametrize(("method", "seen"), [(Method.ADD, [3, 6, 2, 4]), (Method.REPLACE, [3, 3, 2, 2])])
def test_the_method_holds_again_after_the_first_chunk_of_a_run(
    live: MakeLive, method: Method, seen: list[float]
) -> None:
    run = live(*opening(), method=method)
    run.hear(run.data(3), None, run.data(3), mark("end", RUN7), mark("new", RUN8), run.data(2), None, run.data(2))
    totals = []
    for k in range(5):
        run.monitor.turn(10.0 * k)
        totals.append(total())
    # between the two there is the empty chunk of no run
    assert [totals[0], totals[1], totals[3], totals[4]] == seen
    assert totals[2] == 0


def test_append_stacks_the_chunks_of_one_run_only(live: MakeLive) -> None:
    run = live(*opening(), method=Method.APPEND)
    run.hear(run.data(3), None, run.data(2), mark("end", RUN7), run.data(1))
    shapes = []
    for k in range(3):
        run.monitor.turn(10.0 * k)
        found = mtd["result"]
        assert isinstance(found, EventWorkspace)
        shapes.append(found.y[:, 0].tolist())
    assert shapes == [[3], [3, 2], [1]]


def test_the_end_of_a_run_is_shown_even_while_behind_and_told_once_it_is_settled(live: MakeLive) -> None:
    run = live(*opening(), limit=2, transition=RunTransitionBehavior.RENAME)
    run.hear(*(run.data(2) for _ in range(3)), mark("end", RUN7), run.data(2), run.data(2))
    for _ in range(4):
        run.monitor.turn(0.0)
    assert run.diary.runs_shown == [7, 7]
    assert total("result_7") == 6
    assert [(r.identity, r.transition.value) for r in run.diary.settlements] == [(RUN7, "end of run")]


def test_without_preserved_events_every_chunk_is_a_histogram(live: MakeLive) -> None:
    proc = "assert input.id() == 'EventWorkspace'\noutput = Rebin(input, '0,50,200')"
    run = live(*opening(), proc=proc, preserve_events=False)
    for k in range(3):
        run.hear(run.data(2))
        run.monitor.turn(10.0 * k)
    found = mtd["result"]
    assert isinstance(found, MatrixWorkspace)
    assert (found.id(), found.y.tolist()) == ("Workspace2D", [[0, 0, 6, 0]])


def test_the_charge_of_a_run_is_the_sum_over_its_pulses(live: MakeLive) -> None:
    """Live data test 7: three chunks, a device value that is repeated at each seam, ten pC a pulse."""
    run = live(*opening())
    for k in range(3):
        run.hear(run.data(1), run.data(1))
        run.monitor.turn(10.0 * k)
        found = mtd["result"]
        assert isinstance(found, MatrixWorkspace)
        assert found.run().getProtonCharge() == pytest.approx((k + 1) * 20 / 3.6e9)
        assert found.run().getProperty("pause").size() == 1


@pytest.mark.parametrize("taken", [False, True], ids=["pending", "taken"])
def test_data_that_came_before_the_stream_said_whose_they_are_are_not_added_to_a_run(
    live: MakeLive, taken: bool
) -> None:
    """A process that begins to read in the middle of a connection meets them."""
    run = live(GeometryUpdate(load_idf(IDF), hashlib.sha256(IDF.encode()).digest()))
    run.hear(run.data(5))
    if taken:
        run.monitor.turn(0.0)
        assert total() == 5
    run.hear(mark("new", RUN7), run.data(2))
    for turn in range(1, 4):
        run.monitor.turn(10.0 * turn)
    assert total() == 2
    assert (run.account().accumulated, run.account(NO_RUN).accumulated) == (2, 5)


def test_that_data_belong_to_no_run_may_be_said_after_them(live: MakeLive) -> None:
    run = live(
        GeometryUpdate(load_idf(IDF), hashlib.sha256(IDF.encode()).digest()), transition=RunTransitionBehavior.STOP
    )
    run.hear(run.data(5))
    run.monitor.turn(0.0)
    run.hear(run.data(1), mark("none"), run.data(2))
    run.monitor.turn(10.0)
    assert (total(), run.monitor.stopped) == (8, False)
    run.hear(mark("new", RUN7), run.data(3))
    run.monitor.turn(20.0)
    assert (total(), run.monitor.stopped) == (8, True)


DAY = 24 * 3600 * S


def later(run: Live, events: int, day: float) -> Any:
    """One pulse, so many days after the first one."""
    return run._events((100 * S + round(day * DAY), [(5, 1000 + i) for i in range(events)]))


def test_where_no_run_begins_for_a_day_data_are_added_up_anew_where_the_stream_says_again_what_there_is(
    live: MakeLive,
) -> None:
    connected, geometry, _ = opening()
    run = live(connected, geometry, mark("none"), transition=RunTransitionBehavior.STOP)
    run.hear(later(run, 1, 0), mark("none"), later(run, 2, 0.9))
    run.monitor.turn(0.0)
    run.hear(later(run, 3, 1.1), mark("none"), geometry, later(run, 4, 1.2))
    run.monitor.turn(100.0)
    assert total() == 1 + 2 + 3  # until something of the next day is processed
    run.monitor.turn(200.0)
    assert total() == 4
    run.hear(later(run, 5, 2.0), mark("none"), mark("new", RUN7))
    run.monitor.turn(300.0)
    assert total() == 4 + 5
    anew, begin = run.diary.settlements
    assert [(r.identity, r.transition.value) for r in (anew, begin)] == [(NO_RUN, "anew"), (NO_RUN, "begin of run")]
    assert (anew.resume.offset, anew.end.offset) == (7, 8)  # reading would go on before the mark
    assert run.account(NO_RUN).accumulated == 15


def test_not_where_a_new_connection_says_it_which_may_repeat_data(live: MakeLive) -> None:
    connected, geometry, _ = opening()
    repeated = later(run := live(connected, geometry, mark("none")), 2, 1.5)
    run.hear(later(run, 1, 0), repeated, Connected(2), mark("none"), geometry, repeated, later(run, 3, 1.6))
    run.monitor.turn(0.0)
    run.hear(mark("none"), later(run, 4, 1.7))
    run.monitor.turn(100.0)
    assert (total(), run.account(NO_RUN).duplicates) == (6, 1)
    run.monitor.turn(200.0)
    assert total() == 4


def test_where_the_stream_says_nothing_again_data_are_added_up_for_two_days(live: MakeLive) -> None:
    connected, geometry, _ = opening()
    run = live(connected, geometry, mark("none"))
    totals, events_held = [], []
    for half_days in range(8):
        run.hear(later(run, 1, half_days / 2))
        run.monitor.turn(100.0 * half_days)
        totals.append(total())
        result = mtd["result"]
        assert isinstance(result, EventWorkspace)
        events_held.append(sum(table.n for table in result.tables))
    assert totals == events_held == [1, 2, 3, 4, 5, 6, 1, 2]


def test_many_events_between_runs_end_a_stretch_too(live: MakeLive) -> None:
    """25 of the largest chunks, of two events here; there is no mark, so twice as many."""
    connected, geometry, _ = opening()
    run = live(connected, geometry, mark("none"), limit=2)
    totals = []
    for n in range(104):
        run.hear(run.data(1))
        run.monitor.turn(100.0 * n)
        totals.append(total())
    assert totals == [*range(1, 102), 1, 2, 3]


def test_a_long_run_is_one_run(live: MakeLive) -> None:
    run = live(*opening())
    for day in range(5):
        run.hear(later(run, 1, day), mark("continue", RUN7))
        run.monitor.turn(100.0 * day)
    assert (total(), run.diary.settlements) == (5, [])


# -- reading a run again -----------------------------------------------------------------------------------------------


def recorded(live: MakeLive, path: Path, method: Method, **options: Any) -> list[Any]:
    """Let a first process take three chunks (3 + 1, 2, 4 events) and die; return the stream it read."""
    cuts = CutLog(path)
    run = live(*opening(), method=method, cuts=cuts, **options)
    stream = [*opening(), run.data(3), run.data(1), run.data(2), run.data(4)]
    run.hear(*stream[3:5], None, stream[5], None, stream[6])
    for k in range(3):
        run.monitor.turn(10.0 * k)
    cuts.close()
    assert run.monitor.chunks == 3
    mtd.store.clear()
    return stream


def test_add_reads_again_in_one_chunk_and_post_runs_once_at_the_end(live: MakeLive, tmp_path: Path) -> None:
    stream = recorded(live, tmp_path / "cuts", Method.ADD)
    cuts = CutLog(tmp_path / "cuts")
    again = live(*stream, cuts=cuts)
    before = again.monitor.reprocessing
    again.monitor.turn(0.0)
    assert (again.monitor.chunks, total(), again.diary.runs_shown) == (1, 10, [7])
    assert (before, again.monitor.reprocessing) == (True, False)
    again.hear(again.data(5))
    again.monitor.turn(10.0)
    assert (total(), len(again.diary.runs_shown)) == (15, 2)
    cuts.close()


def test_add_reads_again_in_chunks_of_the_size_limit_without_waiting(live: MakeLive, tmp_path: Path) -> None:
    stream = recorded(live, tmp_path / "cuts", Method.ADD)
    cuts = CutLog(tmp_path / "cuts")
    again = live(*stream, cuts=cuts, limit=5)
    waits = []
    while again.monitor.reprocessing:
        waits.append(again.monitor.turn(0.0))
    # 3 + 1 + 2 events pass the limit of 5, the rest are 4
    assert (again.monitor.chunks, waits[0], total(), again.diary.runs_shown) == (2, 0.0, 10, [7])
    cuts.close()


@pytest.mark.parametrize(("method", "rows"), [(Method.APPEND, [[4], [2], [4]]), (Method.REPLACE, [[4]])])
def test_append_and_replace_read_again_at_the_recorded_cuts(
    live: MakeLive, tmp_path: Path, method: Method, rows: list[list[float]]
) -> None:
    stream = recorded(live, tmp_path / "cuts", method)
    cuts = CutLog(tmp_path / "cuts")
    again = live(*stream, cuts=cuts, method=method)
    while again.monitor.reprocessing:
        again.monitor.turn(0.0)
    found = mtd["result"]
    assert isinstance(found, MatrixWorkspace)
    assert found.y.tolist() == rows
    assert (again.monitor.chunks, again.diary.runs_shown) == (3, [7])
    cuts.close()


@pytest.mark.parametrize("method", [Method.ADD, Method.APPEND])
@pytest.mark.parametrize("preserve", [True, False])
def test_a_run_that_its_source_had_left_is_shown_whole_when_it_goes_on_in_another_process_too(
    live: MakeLive, tmp_path: Path, method: Method, preserve: bool
) -> None:
    def shown() -> list[float]:
        result = mtd["result"]
        assert isinstance(result, MatrixWorkspace)
        return [float(row.sum()) for row in result.y]

    sums = {Method.ADD: [[2], [9], [8], [15]], Method.APPEND: [[2], [9], [2, 3, 3], [2, 3, 3, 7]]}[method]
    options: dict[str, Any] = {"method": method, "preserve_events": preserve}
    cuts = CutLog(tmp_path / "cuts")
    first = live(*opening(), cuts=cuts, **options)
    two, three, nine, three_more = (first.data(n) for n in (2, 3, 9, 3))
    parts = [[two], [three, mark("none"), nine], [mark("continue", RUN7), three_more]]
    seen = []
    for k, part in enumerate(parts):
        first.hear(*part)
        first.monitor.turn(100.0 * k)
        first.monitor.turn(100.0 * k + 50)
        seen.append(shown())
    assert seen == sums[:3]
    assert first.account().accumulated == 8
    assert [record.transition.value for record in first.diary.settlements] == ["end of run", "begin of run"]
    cuts.close()
    mtd.store.clear()

    cuts = CutLog(tmp_path / "cuts")
    assert cuts.resume_at == Position(0, 0)
    again = live(*opening(), *(message for part in parts for message in part), cuts=cuts, **options)
    while again.monitor.reprocessing:
        again.monitor.turn(0.0)
    assert shown() == sums[2]
    again.hear(again.data(7), RunMark(RunMarkKind.END, RUN7.run, RUN7.start_ns, 0))
    again.monitor.turn(1000.0)
    assert shown() == sums[3]
    assert again.account().accumulated == 15
    cuts.close()
    cuts = CutLog(tmp_path / "cuts")
    assert cuts.to_replay == []  # it has ended: it need not be read again
    cuts.close()


def test_what_another_run_begins_with_is_not_that_of_the_run_its_source_had_left(live: MakeLive) -> None:
    run = live(*opening())
    run.hear(run.data(4), mark("none"), run.data(2), mark("new", RUN8), run.data(1))
    for k in range(4):
        run.monitor.turn(100.0 * k)
    assert total() == 1
    run.hear(mark("none"), mark("continue", RUN7), run.data(3))
    for k in range(4, 8):
        run.monitor.turn(100.0 * k)
    assert total() == 3  # only the run before may go on


def test_cuts_that_are_longer_than_the_journal_do_not_hold_up_the_loop(live: MakeLive, tmp_path: Path) -> None:
    stream = recorded(live, tmp_path / "cuts", Method.APPEND)
    cuts = CutLog(tmp_path / "cuts")
    again = live(*stream[:5], cuts=cuts, method=Method.APPEND)
    for k in range(4):
        again.monitor.turn(0.1 * k)
    assert not again.monitor.reprocessing
    assert total() == 4
    cuts.close()


def test_a_post_script_swapped_while_a_run_is_read_again_waits_for_its_end(live: MakeLive, tmp_path: Path) -> None:
    stream = recorded(live, tmp_path / "cuts", Method.APPEND)
    cuts = CutLog(tmp_path / "cuts")
    again = live(*stream, cuts=cuts, method=Method.APPEND)
    again.monitor.turn(0.0)
    again.monitor.swap_post(script("output = Rebin(input, '0,100,200')", "post.py"), 0.0)
    assert again.diary.runs_shown == []
    while again.monitor.reprocessing:
        again.monitor.turn(0.0)
    assert (again.diary.runs_shown, total()) == ([7], 10)
    cuts.close()


def test_a_chunk_that_fails_while_read_again_is_set_aside_after_three_attempts(live: MakeLive, tmp_path: Path) -> None:
    stream = recorded(live, tmp_path / "cuts", Method.APPEND)
    cuts = CutLog(tmp_path / "cuts")
    again = live(*stream, cuts=cuts, method=Method.APPEND, proc="assert input.getNumberEvents() != 2")
    for _ in range(5):
        again.monitor.turn(0.0)
    assert not again.monitor.reprocessing
    assert (again.account().pending, again.account().accumulated) == (2, 8)
    cuts.close()


def test_cuts_of_a_run_that_is_over_are_not_read_again(live: MakeLive, tmp_path: Path) -> None:
    cuts = CutLog(tmp_path / "cuts")
    run = live(*opening(), cuts=cuts)
    run.hear(run.data(3), mark("end", RUN7), None)
    run.monitor.turn(0.0)
    cuts.close()
    cuts = CutLog(tmp_path / "cuts")
    assert cuts.to_replay == []
    cuts.close()


# -- clear -------------------------------------------------------------------------------------------------------------


def test_what_came_before_a_clear_is_dropped_without_running_a_script(live: MakeLive) -> None:
    run = live(*opening(), proc="print(input)")
    run.hear(run.data(2), run.data(3), None, run.data(4))
    run.monitor.clear_until(Position(0, 5))  # the opening is three messages, each one byte
    while not run.monitor.chunks:
        run.monitor.turn(0.0)
    assert total() == 4
    account = run.account()
    assert (account.events, account.accumulated, dict(account.dropped)) == (9, 4, {"cleared": 5})
    assert run.diary.successes == ["proc", "post"]


def test_a_clear_holds_when_the_run_is_read_again_and_chunks_behind_it_stay_as_they_were(
    live: MakeLive, tmp_path: Path
) -> None:
    path = tmp_path / "cuts"
    first = live(*opening(), cuts=CutLog(path), method=Method.APPEND)
    first.hear(first.data(2))
    first.monitor.turn(0.0)
    first.hear(first.data(3))
    first.monitor.clear_until(Position(0, 5))
    for now in (20.0, 20.0, 20.0):
        first.monitor.turn(now)
    assert (first.account().accumulated, dict(first.account().dropped)) == (2, {"cleared": 3})
    for now, n in ((40.0, 4), (60.0, 5)):
        first.hear(first.data(n))
        first.monitor.turn(now)
    cuts = CutLog(path)
    assert cuts.clear_until == Position(0, 5)
    again = live(*opening(), cuts=cuts, method=Method.APPEND)
    again.hear(*(again.data(n) for n in (2, 3, 4, 5)))
    turns = 0
    while again.monitor.reprocessing:
        again.monitor.turn(0.0)
        turns += 1
        assert turns < 20
    account = again.account()
    assert (account.events, account.accumulated, dict(account.dropped)) == (14, 9, {"cleared": 5})
    spectra = mtd["result"]
    assert isinstance(spectra, MatrixWorkspace)
    assert spectra.y.sum(axis=1).tolist() == [4.0, 5.0]


def test_a_clear_behind_the_end_of_a_run_still_finishes_the_run(live: MakeLive) -> None:
    run = live(*opening())
    run.hear(run.data(2), mark("end", RUN7), run.data(3))
    run.monitor.clear_until(Position(0, 6))
    for _ in range(4):
        run.monitor.turn(0.0)
    assert (run.account().finished, dict(run.account().dropped)) == (True, {"cleared": 2})
    assert run.monitor.finished_runs == 1
    assert dict(run.account(NO_RUN).dropped) == {"cleared": 3}
