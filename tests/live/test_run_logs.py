"""Logs, charge and measuring time over a run in chunks with a pause, a gap and another run; all numbers by hand.

Pulses come once a second with 1 uA h each and one event. Run 7 begins at 100 s: pulses 101 to 110; 111 to 120, a pause
with pulses 121 to 130, 131 to 135; a connection lost until 151, 151 to 160; run 8 begins at 200 s: 201 to 205.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.geometry import load_idf
from livereduce.listeners.base import (
    Connected,
    GeometryUpdate,
    LogDeclared,
    LogValues,
    Message,
    PauseMark,
    Periods,
    RunMark,
    RunMarkKind,
    ScanMark,
)
from livereduce.live.accumulate import accumulate
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.logbook import LogBook
from livereduce.live.monitor import Cadence, Monitor, NobodyWatching, RunTransitionBehavior
from livereduce.live.scripts import compile_script
from livereduce.live.stages import ScriptStage, Surroundings
from livereduce.live.state import RunIdentity
from livereduce.mantid import simpleapi
from livereduce.mantid.ads import mtd
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Run, TimeSeries, WorkspaceGroup, WorkspaceStore

S = 1_000_000_000
UAH_PC = 3.6e9
RUN7, RUN8 = RunIdentity(7, 100 * S), RunIdentity(8, 200 * S)
IDF = """<instrument name="T">
  <component type="src"><location z="-10"/></component><type name="src" is="Source"/>
  <component type="smp"><location/></component><type name="smp" is="SamplePos"/>
  <component type="det" idlist="d"><location x="1"/></component>
  <type name="det" is="detector"/><idlist idname="d"><id val="5"/></idlist>
</instrument>"""
# what scripts do to normalise by measuring time; the sum of counts says what it came to
POST = """
run = input.run()
seconds = run.getLogData("duration").value
output = input / seconds
AddSampleLog(output, LogName="span", LogText=str((run.endTime() - run.startTime()).total_seconds()), LogType="Number")
"""


def mark(kind: str, identity: RunIdentity, time_s: float = 0) -> RunMark:
    return RunMark(RunMarkKind(kind), identity.run, identity.start_ns, round(time_s * S))


def log(name: str, time_s: float, value: Any) -> LogValues:
    return LogValues(name, np.array([round(time_s * S)]), np.array([value]), "K")


def parts_of_run(pulses: Callable[[int, int], Message]) -> list[list[Message]]:
    """Messages of each chunk."""
    geometry = GeometryUpdate(load_idf(IDF), hashlib.sha256(IDF.encode()).digest())
    return [
        [Connected(1), geometry, mark("new", RUN7), log("T", 40, 300.0), pulses(101, 110)],
        [
            *[pulses(111, 115), log("T", 115, 310.0), pulses(116, 120), PauseMark(True, round(120.5 * S))],
            *[pulses(121, 130), log("T", 125, 320.0), PauseMark(False, round(130.5 * S)), pulses(131, 135)],
        ],
        [Connected(2), mark("continue", RUN7), log("T", 125, 320.0), pulses(151, 160)],
        [log("T", 161, 330.0), mark("end", RUN7, 162)],
        [mark("new", RUN8), log("T", 161, 330.0), pulses(201, 205)],
    ]


@pytest.fixture
def live(events_of: Any) -> Iterator[Callable[..., Any]]:
    """``live(method, **options)`` gives, chunk by chunk, what is in the store as the result."""
    before = mtd.use(WorkspaceStore())

    def pulses(first: int, last: int) -> Message:
        made: Message = events_of.make(*((t * S, [(5, 1000)]) for t in range(first, last + 1)), charge=UAH_PC)
        return made

    def run(method: Method, *, keep_events: bool = True, keep_paused: bool = False, **scripts: str) -> Iterator[Any]:
        listener = events_of.listener([])
        builder = ChunkBuilder(listener, Ledger(), keep_events=keep_events, keep_paused=keep_paused)
        surroundings = Surroundings(simpleapi.script_names())
        proc, post = (
            ScriptStage(compile_script(text, f"{kind}.py"), surroundings) if (text := scripts.get(kind)) else None
            for kind in ("proc", "post")
        )
        step = LiveStep(mtd.store, Names(), proc, post, preserve_events=keep_events)
        monitor = Monitor(builder, step, Cadence(1.0, method, RunTransitionBehavior.RESTART), observer=NobodyWatching())
        for turn, messages in enumerate(parts_of_run(pulses)):
            listener.extend(*messages)
            monitor.turn(10.0 * turn)
            monitor.turn(10.0 * turn + 5.0)  # what lies behind a transition is a chunk of its own
            builder.ledger.check()
            yield mtd["result"]

    yield run
    mtd.use(before)


def times_and_values(series: Any) -> list[tuple[float, float]]:
    assert isinstance(series, TimeSeries)
    return list(zip((series.time_ns / S).tolist(), series.value.tolist(), strict=True))


def told(run: Run) -> tuple[float, float, int]:
    """Duration, charge and number of pulses, asked for by a script's names."""
    duration, charge = run.getLogData("duration"), run["proton_charge"]
    assert not isinstance(duration, list)
    assert run.getProtonCharge() == run.integrateProtonCharge()
    return float(duration.value), round(run.getProtonCharge(), 9), charge.size()


def test_times_and_charge_of_chunks_add_up_without_pause_and_gap(live: Callable[..., Any]) -> None:
    """9 s from the first pulse on; 10 to pulse 120 and 4 behind the pause; 9 behind the gap; then a run of its own."""
    found = [told(result.run()) for result in live(Method.ADD)]
    expected = [(9, 10), (9 + 14, 25), (23 + 9, 35), (32, 35), (4, 5)]
    assert found == [(s, n, n) for s, n in expected]


def test_replaced_chunks_have_their_own_time_and_charge(live: Callable[..., Any]) -> None:
    found = [told(result.run())[:2] for result in live(Method.REPLACE)]
    expected = [(9, 10), (14, 15), (9, 10), (0, 0), (4, 5)]  # the last chunk of run 7 brings a log but no pulse
    assert found == expected


def test_appended_chunks_add_up_like_added_ones(live: Callable[..., Any]) -> None:
    results = live(Method.APPEND)
    found = [(told(result.run())[:2], result.getNumberHistograms()) for result in results][:3]
    assert found == [((9, 10), 1), ((23, 25), 2), ((32, 35), 3)]


@pytest.mark.parametrize("keep_events", [True, False])
def test_a_script_normalises_by_measuring_time(live: Callable[..., Any], keep_events: bool) -> None:
    results = live(Method.ADD, keep_events=keep_events, post=POST)
    found = [(round(float(result.y.sum()), 12), result.run()["span"].value) for result in results]
    # counts by seconds; start and end are those of the run so far, pauses and all: 100 s to the last pulse
    expected = [(10 / 9, 10), (25 / 23, 35), (35 / 32, 60), (35 / 32, 60), (5 / 4, 5)]
    assert found == [(round(y, 12), s) for y, s in expected]


def test_series_have_each_entry_once_and_begin_with_the_run(live: Callable[..., Any]) -> None:
    logs = [result.run() for result in live(Method.ADD)]
    assert [times_and_values(run["T"]) for run in logs] == [
        [(100, 300)],  # set long before: in force when the run began
        [(100, 300), (115, 310), (125, 320)],
        [(100, 300), (115, 310), (125, 320)],  # said again on connection
        [(100, 300), (115, 310), (125, 320), (161, 330)],
        [(200, 330)],
    ]
    assert times_and_values(logs[3]["pause"]) == [(100, 0), (120.5, 1), (130.5, 0)]
    assert [run["run_number"].value for run in logs] == ["7", "7", "7", "7", "8"]
    # 300 for 15 s, 310 for 10 s, 320 for 36 s, 330 for as long
    mean = (300 * 15 + 310 * 10 + 320 * 36 + 330 * 36) / 97
    assert logs[3].getTimeAveragedValue("T") == pytest.approx(mean)


def test_a_chunk_alone_begins_with_what_was_in_force(live: Callable[..., Any]) -> None:
    logs = [result.run() for result in live(Method.REPLACE)]
    assert [times_and_values(run["T"]) for run in logs][1:3] == [[(100, 300), (115, 310), (125, 320)], [(125, 320)] * 2]
    assert times_and_values(logs[2]["pause"]) == [(130.5, 0)]


def test_pulses_selected_by_a_log_bring_charge_time_and_means_of_their_own(live: Callable[..., Any]) -> None:
    """T is at 310 from 115 s on, before the pause at 120 s, and at 320 from 125 s, in the pause."""
    proc = "output = FilterByLogValue(input, 'T', 305, 315, LogBoundary='Left')"
    post = "output = FilterByLogValue(input, 'T', 305, 315, LogBoundary='Left')"
    for scripts in ({"proc": proc}, {"post": post}):
        results = live(Method.ADD, **scripts)
        next(results)
        run = next(results).run()
        assert told(run) == (5, 6, 6)  # pulses 115 to 120
        assert run.getTimeAveragedValue("T") == pytest.approx(310)
        results.close()


def test_pauses_whose_events_are_kept_count(live: Callable[..., Any]) -> None:
    results = live(Method.ADD, keep_paused=True)
    next(results)
    assert told(next(results).run()) == (34, 35, 35)  # pulses 101 to 135


def test_events_without_a_known_charge_have_a_time_all_the_same(events_of: Any) -> None:
    messages = [mark("new", RUN7), GeometryUpdate(load_idf(IDF), b"1")]
    pulses = events_of.make((101 * S, [(5, 1)]), (104 * S, [(5, 1)]), charge=np.nan)
    builder = ChunkBuilder(events_of.listener([*messages, pulses]), Ledger(), keep_events=True)
    chunk = builder.extract()
    assert chunk is not None
    assert isinstance(chunk.workspace, MatrixWorkspace)
    assert chunk.workspace.run().duration == 3.0
    assert chunk.workspace.run().getProtonCharge() == 0.0


def test_a_chunk_tried_again_has_the_time_of_both_and_one_set_aside_has_none_of_it(events_of: Any) -> None:
    messages = [mark("new", RUN7), GeometryUpdate(load_idf(IDF), b"1"), events_of.make((101 * S, []), (104 * S, []))]
    listener = events_of.listener(messages)
    builder = ChunkBuilder(listener, Ledger(), keep_events=True)
    durations = []
    for more, left in ((106, False), (109, True), (115, False)):
        chunk = builder.extract()
        assert chunk is not None
        assert isinstance(chunk.workspace, EventWorkspace)
        durations.append(chunk.workspace.run().duration)
        if left:
            builder.set_aside(chunk)
        listener.extend(events_of.make((more * S, [])))
    assert durations == [3, 5, 3]


def test_periods_share_the_time_by_their_pulses(events_of: Any) -> None:
    """One pulse a second; each is the end of a second that belongs to its period."""
    listener = events_of.listener([mark("new", RUN7), GeometryUpdate(load_idf(IDF), b"1"), Periods(2)])
    builder, total = ChunkBuilder(listener, Ledger(), keep_events=True), None
    durations = []
    for times, period in (((101, 102, 103, 104), (0, 1, 0, 0)), ((105, 106), (1, 1)), ((107,), (0,))):
        pulses = events_of.make(*((t * S, [(5, 1)]) for t in times))
        listener.extend(replace(pulses, period=np.array(period, np.int32)))
        chunk = builder.extract()
        assert chunk is not None
        assert chunk.workspace is not None
        total = accumulate(total, chunk.workspace, Method.ADD)
        builder.consume(chunk)
        assert isinstance(total, WorkspaceGroup)
        members = [member for member in total.members if isinstance(member, MatrixWorkspace)]
        durations.append([member.run().duration for member in members])
    assert durations == [[2, 1], [2, 3], [3, 3]]


# -- the book itself ---------------------------------------------------------------------------------------------------


def test_logs_in_which_nothing_happens_are_the_same_from_chunk_to_chunk() -> None:
    book = LogBook()
    book.begin_run(RUN7)
    book.values(log("T", 101, 300.0))
    book.run()
    book.chunk_taken()
    first = book.run()
    book.chunk_taken()
    assert book.run()["T"] is first["T"]
    assert book.latest()["T"] == (101 * S, 300.0, "K")
    book.values(log("T", 102, 301.0))
    assert times_and_values(book.run()["T"]) == [(101, 300), (102, 301)]


def test_of_values_from_before_the_run_the_latest_is_its_first_and_of_equal_times_the_last_said() -> None:
    book = LogBook()
    book.begin_run(RUN7)
    for time_s, value in ((50, 1.0), (90, 2.0), (90, 3.0), (70, 4.0), (105, 5.0), (103, 6.0)):
        book.values(log("T", time_s, value))
    assert times_and_values(book.run()["T"]) == [(100, 3), (103, 6), (105, 5)]
    assert book.latest()["T"] == (105 * S, 5.0, "K")
    book.chunk_taken()
    assert times_and_values(book.run()["T"]) == [(105, 5)]


def test_a_unit_said_later_is_that_of_the_values_there_are() -> None:
    book = LogBook()
    book.begin_run(RUN7)
    book.values(LogValues("T", np.array([101 * S]), np.array(["cold"])))
    book.chunk_taken()
    assert book.run()["T"].units == ""
    book.declare(LogDeclared("T", str, "words"))
    found = book.run()["T"]
    assert isinstance(found, TimeSeries)
    assert (found.units, found.value.tolist()) == ("words", ["cold"])


def test_scan_points_are_a_log(events_of: Any) -> None:
    geometry = GeometryUpdate(load_idf(IDF), b"1")
    pulses = events_of.make((101 * S, []))
    messages = [mark("new", RUN7), geometry, ScanMark(3, 101 * S), pulses, ScanMark(0, 102 * S)]
    chunk = ChunkBuilder(events_of.listener(messages), Ledger(), keep_events=True).extract()
    assert chunk is not None
    assert isinstance(chunk.workspace, MatrixWorkspace)
    assert times_and_values(chunk.workspace.run()["scan_index"]) == [(100, 0), (101, 3), (102, 0)]


# -- wherever chunks are cut -------------------------------------------------------------------------------------------

# a log value (time, value), a pulse a second later than the one before, or an interruption
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("value"), st.integers(101, 120), st.integers(0, 3)),
        st.tuples(st.just("pulse"), st.just(0), st.just(0)),
        st.tuples(st.just("pause"), st.just(0), st.just(0)),
    ),
    max_size=30,
    unique_by=lambda each: each if each[0] == "value" else object(),
)


@given(happenings, st.sets(st.integers(0, 30)))
def test_a_run_is_the_same_wherever_its_chunks_are_cut(events: list[tuple[str, int, int]], cuts: set[int]) -> None:
    book, total, second = LogBook(), Run(), 100
    book.begin_run(RUN7)
    entries: list[tuple[float, float]] = []
    measured, last = 0, None
    for at, (kind, time, value) in enumerate(events):
        if kind == "value":
            book.values(LogValues("T", np.array([time * S]), np.array([value])))
            entries.append((time, value))
        elif kind == "pulse":
            second += 1
            book.measured(np.array([second * S]))
            measured += 0 if last is None else second - last
            last = second
        else:
            book.interrupted()
            last = None
        if at in cuts:
            total.add(book.run())
            book.chunk_taken()
    total.add(book.run())
    assert total.duration == measured
    if entries:
        assert sorted(times_and_values(total["T"])) == sorted(entries)
