"""Chunks of streams that count by spectrum and period, and of histogram memories; expected values by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from livereduce.listeners.base import (
    Connected,
    Events,
    Message,
    PauseMark,
    Periods,
    RunInfo,
    RunMark,
    RunMarkKind,
    SourceState,
    SpectrumMap,
    Totals,
)
from livereduce.live.chunk import Chunk, ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.state import RunIdentity, Transition
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, Run, TimeSeries, WorkspaceGroup

S = 1_000_000_000
NAN = float("nan")


def spectra(*groups: list[int]) -> SpectrumMap:
    ids = np.array([i for group in groups for i in group], np.int64)
    start = np.cumsum([0, *(len(group) for group in groups)])
    return SpectrumMap(np.arange(1, len(groups) + 1), ids, start)


def packets(*rows: tuple[int, int, float, list[tuple[int, int]]]) -> Events:
    """Make events from (time s, period, charge, [(spectrum index, ns), ...]) rows."""
    flat = [event for *_, events in rows for event in events]
    return Events(
        pulse_time=np.array([row[0] * S for row in rows]),
        charge=np.array([row[2] for row in rows]),
        start=np.cumsum([0, *(len(row[3]) for row in rows)]),
        tof=np.array([tof for _, tof in flat], np.uint32),
        detector_id=np.array([spectrum for spectrum, _ in flat], np.uint32),
        keys=None,
        tick_ns=1,
        period=np.array([row[1] for row in rows], np.int32),
    )


def new(run: int, start: int = 100, *, ended: bool = False, kind: str = "new") -> RunMark:
    return RunMark(RunMarkKind(kind), run, start * S, start * S, previous_ended=ended)


def builder(listener: Any, *, history: bool = False, polled: bool = False, keep_events: bool = True) -> ChunkBuilder:
    listener.supports_history, listener.buffers_events = history, not polled
    return ChunkBuilder(listener, Ledger(), keep_events=keep_events)


def take(chunks: ChunkBuilder) -> Chunk:
    chunk = chunks.extract()
    assert chunk is not None
    chunks.consume(chunk)
    chunks.ledger.check()
    return chunk


def members(chunk: Chunk) -> list[MatrixWorkspace]:
    assert isinstance(chunk.workspace, WorkspaceGroup)
    return [m for m in chunk.workspace.members if isinstance(m, MatrixWorkspace)]


def charges(workspace: MatrixWorkspace) -> list[tuple[int, float]]:
    series = workspace.logs["proton_charge"]
    assert isinstance(series, TimeSeries)
    return list(zip((series.time_ns // S).tolist(), series.value.tolist(), strict=True))


PROLOGUE: list[Message] = [Connected(1), new(7), Periods(2), spectra([11], [12, 13], [])]


def test_each_period_has_a_member_with_its_own_events_and_charges(events_of: Any) -> None:
    events = packets((101, 0, 5.0, [(0, 10), (1, 20)]), (102, 1, 6.0, [(2, 30)]), (103, 0, 7.0, [(1, 40)]))
    chunk = take(builder(events_of.listener([*PROLOGUE, events])))
    first, second = members(chunk)
    assert first.y[:, 0].tolist() == [1, 2, 0]
    assert second.y[:, 0].tolist() == [0, 0, 1]
    assert (charges(first), charges(second)) == ([(101, 5.0), (103, 7.0)], [(102, 6.0)])
    assert isinstance(first, EventWorkspace)
    assert first.tof_range() == (0.01, 0.04)  # ns to µs


def test_a_period_without_events_has_an_empty_member(events_of: Any) -> None:
    chunk = take(builder(events_of.listener([*PROLOGUE, packets((101, 0, 5.0, [(0, 10)]))])))
    assert [m.n_spectra for m in members(chunk)] == [3, 3]
    assert members(chunk)[1].y.sum() == 0


def test_spectra_keep_their_numbers_and_all_their_detectors(events_of: Any) -> None:
    first = members(take(builder(events_of.listener([*PROLOGUE, packets((101, 0, 1.0, [(1, 9)]))]))))[0]
    assert first.spectra.numbers.tolist() == [1, 2, 3]
    assert [first.spectra.detector_ids(i).tolist() for i in range(3)] == [[11], [12, 13], []]
    # the table's pixels: the spectra's first detectors, one of its own for the spectrum without, then the others
    assert first.detectors.ids[:2].tolist() == [11, 12]
    assert first.detectors.ids[2] < 0
    assert first.detectors.ids[3:].tolist() == [13]


def test_a_detector_that_two_spectra_share_counts_for_both(events_of: Any) -> None:
    stream = [Connected(1), new(7), spectra([11, 12], [11]), packets((101, 0, 1.0, [(0, 9), (1, 9), (1, 9)]))]
    chunk = take(builder(events_of.listener(stream)))
    assert isinstance(chunk.workspace, EventWorkspace)
    assert chunk.workspace.y[:, 0].tolist() == [1, 2]


def test_what_no_spectrum_and_no_period_there_is_takes_is_dropped_by_reason(events_of: Any) -> None:
    events = packets(
        (101, 0, 1.0, [(0, 9), (3, 9), (0xFFFFFFFF, 9)]), (102, 2, 1.0, [(0, 9)] * 4), (103, 1, 1.0, [(1, 9)]),
        (104, (1 << 31) - 1, 1.0, [(0, 9)]),
    )  # fmt: skip
    chunks = builder(events_of.listener([*PROLOGUE, events]))
    assert [m.y.sum() for m in members(take(chunks))] == [1, 1]
    account = chunks.account
    assert (account.events, account.accumulated, account.pulses) == (9, 2, 4)
    assert account.dropped == {"unknown detector": 2, "unknown period": 5}


def test_a_pulse_in_several_packets_counts_once_and_has_one_entry_in_the_log(events_of: Any) -> None:
    events = packets((101, 0, 5.0, [(0, 1)]), (101, 0, NAN, [(0, 2)]), (102, 0, NAN, []), (103, 0, 6.0, []))
    chunks = builder(events_of.listener([Connected(1), new(7), spectra([11]), events]))
    chunk = take(chunks)
    assert isinstance(chunk.workspace, EventWorkspace)
    assert charges(chunk.workspace) == [(101, 5.0), (103, 6.0)]
    assert (chunks.account.pulses, chunks.account.charge_pc, chunks.account.events) == (2, 11.0, 2)


@pytest.mark.parametrize("keep_events", [True, False])
def test_chunks_hold_only_what_is_new_in_every_period(events_of: Any, keep_events: bool) -> None:
    listener = events_of.listener([*PROLOGUE, packets((101, 0, 1.0, [(0, 9)]), (102, 1, 1.0, [(1, 9)]))])
    chunks = builder(listener, keep_events=keep_events)
    take(chunks)
    listener.extend(packets((103, 1, 2.0, [(2, 9), (2, 9)])))
    first, second = members(take(chunks))
    assert (first.y.sum(), second.y[:, 0].tolist()) == (0, [0, 0, 2])
    assert charges(second) == [(103, 2.0)]


def test_periods_may_grow_in_mid_run_and_fewer_wait_for_the_next_run(events_of: Any) -> None:
    listener = events_of.listener([*PROLOGUE, packets((101, 1, 1.0, [(0, 9)])), Periods(3)])
    chunks = builder(listener)
    assert len(members(take(chunks))) == 3
    listener.extend(Periods(1), packets((102, 2, 1.0, [(0, 9)])))
    assert len(members(take(chunks))) == 3
    listener.extend(new(8, 200, ended=True), packets((201, 0, 1.0, [(0, 9)])))
    assert take(chunks).transition is Transition.END
    assert isinstance(take(chunks).workspace, EventWorkspace)


def test_what_the_stream_says_behind_a_runs_mark_holds_for_that_run(events_of: Any) -> None:
    listener = events_of.listener([*PROLOGUE, packets((101, 0, 1.0, [(0, 9)]))])
    chunks = builder(listener)
    take(chunks)
    listener.extend(new(8, 200, ended=True), Periods(1), spectra([21], [22]), packets((201, 0, 1.0, [(1, 9)])))
    take(chunks)
    workspace = take(chunks).workspace
    assert isinstance(workspace, EventWorkspace)
    assert (workspace.n_spectra, workspace.spectra.ids.tolist()) == (2, [21, 22])


def test_other_spectra_in_mid_run_wait_for_the_next_run(events_of: Any) -> None:
    listener = events_of.listener([*PROLOGUE, packets((101, 0, 1.0, [(0, 9)])), spectra([21], [22])])
    chunks = builder(listener)
    assert members(take(chunks))[0].n_spectra == 3
    listener.extend(new(8, 200, ended=True), packets((201, 0, 1.0, [(1, 9)])))
    take(chunks)
    assert members(take(chunks))[0].n_spectra == 2


# -- runs and gaps of a source without history ------------------------------------------------------------------------


def account(chunks: ChunkBuilder, run: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(chunks.ledger.as_json()))
    return next(a for a in found["runs"] if a["run"] == run)


def test_a_run_that_another_one_ends_in_mid_stream_is_complete(events_of: Any) -> None:
    stream = [*PROLOGUE, packets((101, 0, 1.0, [(0, 9)])), new(8, 200, ended=True), packets((201, 0, 1.0, []))]
    chunks = builder(events_of.listener(stream))
    first, second = take(chunks), take(chunks)
    assert (first.identity, first.transition) == (RunIdentity(7, 100 * S), Transition.END)
    assert (second.identity, second.transition) == (RunIdentity(8, 200 * S), Transition.NONE)
    assert account(chunks, 7)["complete"]


def test_another_run_without_that_word_leaves_the_old_one_incomplete(events_of: Any) -> None:
    chunks = builder(events_of.listener([*PROLOGUE, packets((101, 0, 1.0, [(0, 9)])), new(8, 200)]))
    take(chunks)
    assert account(chunks, 7)["state"] == "incomplete: end not seen"


def test_equal_packets_after_a_reconnect_are_no_duplicates_and_the_gap_is_missing(events_of: Any) -> None:
    stream = [
        *PROLOGUE, packets((101, 0, 1.0, [(0, 9)])), Connected(2), new(7, kind="continue"),
        packets((101, 0, 1.0, [(0, 9)]), (110, 0, 1.0, [(0, 9)])),
    ]  # fmt: skip
    chunks = builder(events_of.listener(stream))
    take(chunks)
    found = account(chunks, 7)
    assert (found["events"], found["duplicates"]) == (3, 0)
    assert found["missing"] == [["1970-01-01T00:01:41.000000Z", "1970-01-01T00:01:41.000000Z"]]
    assert not found["complete"]


def test_a_gap_is_missing_from_the_last_pulse_to_the_next(events_of: Any) -> None:
    stream = [
        *PROLOGUE,
        packets((101, 0, 1.0, [(0, 9)])),
        Connected(2),
        new(7, kind="continue"),
        packets((110, 0, 1.0, [])),
    ]
    chunks = builder(events_of.listener(stream))
    take(chunks)
    assert account(chunks, 7)["missing"] == [["1970-01-01T00:01:41.000000Z", "1970-01-01T00:01:50.000000Z"]]


def test_a_gap_that_lasts_to_the_end_of_the_run_is_missing_even_if_the_end_is_seen(events_of: Any) -> None:
    stream = [
        *PROLOGUE, packets((101, 0, 1.0, [(0, 9)])), Connected(2), new(7, kind="continue"), new(8, 150, ended=True),
    ]  # fmt: skip
    chunks = builder(events_of.listener(stream))
    take(chunks)
    assert account(chunks, 7)["missing"] == [["1970-01-01T00:01:41.000000Z", "1970-01-01T00:02:30.000000Z"]]
    assert not account(chunks, 7)["complete"]


# -- histogram memories ------------------------------------------------------------------------------------------------


def totals(*counts: int, time: int = 100, pulses: int = 5, charge: float = 9.0) -> Totals:
    """Make totals of one histogram a period with so many counts."""
    histograms = [HistogramWorkspace([0.0, 1.0], [[float(n)]], [[float(n)]]) for n in counts]
    for histogram in histograms:
        histogram.logs = Run({"gd_prtn_chrg": charge})
    workspace = histograms[0] if len(histograms) == 1 else WorkspaceGroup(histograms)
    return Totals(workspace, sum(counts), pulses, charge, time * S)


def test_a_poll_is_a_chunk_with_logs_of_the_run_beside_its_own(events_of: Any) -> None:
    listener = events_of.listener([new(7), RunInfo({"run_title": "a title"}), totals(30)])
    chunk = take(builder(listener, polled=True))
    assert isinstance(chunk.workspace, HistogramWorkspace)
    logs = chunk.workspace.logs
    assert (logs["run_number"].value, logs.proton_charge) == ("7", 9.0)
    assert chunk.workspace.title == "a title"
    assert (chunk.events, chunk.newest_ns) == (30, 100 * S)


def test_totals_of_several_periods_are_a_group(events_of: Any) -> None:
    group = members(take(builder(events_of.listener([new(7), totals(30, 40)]), polled=True)))
    assert [m.y[0, 0] for m in group] == [30, 40]
    assert all(m.logs.proton_charge == 9.0 for m in group)


def test_without_totals_there_is_nothing_to_work_on(events_of: Any) -> None:
    listener = events_of.listener([new(7), SourceState("no route to host", 50 * S), None])
    chunks = builder(listener, polled=True)
    assert chunks.extract() is None
    assert chunks.source == SourceState("no route to host", 50 * S)
    listener.extend(SourceState("", 60 * S), totals(3))
    assert take(chunks).events == 3
    assert chunks.source.error == ""


def test_totals_replace_what_was_counted_before_in_the_ledger_too(events_of: Any) -> None:
    listener = events_of.listener([new(7), totals(30), None, totals(50, pulses=8, charge=12.0)])
    chunks = builder(listener, polled=True)
    assert [take(chunks).events, take(chunks).events] == [30, 20]
    found = account(chunks, 7)
    assert [found[k] for k in ("events", "accumulated", "pending", "pulses", "charge_pC")] == [50, 50, 0, 8, 12.0]


def test_totals_that_were_not_processed_are_made_good_by_the_next(events_of: Any) -> None:
    listener = events_of.listener([new(7), totals(30), None])
    chunks = builder(listener, polled=True)
    failed = chunks.extract()
    assert failed is not None
    chunks.set_aside(failed)
    chunks.ledger.check()
    assert account(chunks, 7)["pending"] == 30
    listener.extend(totals(50))
    assert take(chunks).events == 50
    assert account(chunks, 7)["pending"] == 0


def test_a_run_change_ends_the_run_with_the_totals_there_were_and_nothing_new_to_work_on(events_of: Any) -> None:
    listener = events_of.listener([new(7), totals(30), None, new(8, 200), totals(2, time=200)])
    chunks = builder(listener, polled=True)
    take(chunks)
    end = take(chunks)
    assert (end.workspace, end.events, end.transition) == (None, 0, Transition.END)
    assert end.identity == RunIdentity(7, 100 * S)
    after = take(chunks)
    assert (after.identity, after.events) == (RunIdentity(8, 200 * S), 2)
    assert account(chunks, 7)["accumulated"] == 30
    assert account(chunks, 7)["state"] == "incomplete: end not seen"


def test_totals_not_yet_processed_when_the_run_changes_are_its_last_chunk(events_of: Any) -> None:
    listener = events_of.listener([new(7), totals(30), None])
    chunks = builder(listener, polled=True)
    assert chunks.extract() is not None  # its script failed: it is not consumed
    listener.extend(new(8, 200), totals(2, time=200))
    end = take(chunks)
    assert isinstance(end.workspace, HistogramWorkspace)
    assert (end.events, end.transition) == (30, Transition.END)


def test_a_run_without_a_number_is_a_run_by_its_start(events_of: Any) -> None:
    listener = events_of.listener([new(0, 100), totals(30), None, new(0, 200), totals(2)])
    chunks = builder(listener, polled=True)
    assert take(chunks).identity == RunIdentity(0, 100 * S)
    assert take(chunks).transition is Transition.END
    assert take(chunks).identity == RunIdentity(0, 200 * S)
    assert [a["run"] for a in chunks.ledger.as_json()["runs"]] == [0, 0]


def test_pausing_is_no_matter_of_totals(events_of: Any) -> None:
    chunks = builder(events_of.listener([new(7), PauseMark(True, 1), totals(30)]), polled=True)
    assert take(chunks).events == 30
