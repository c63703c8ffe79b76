"""Chunks from written-down messages; every total is counted by hand in the message list."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.geometry import load_idf
from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import (
    Connected,
    DetectorIds,
    GeometryUpdate,
    LogValues,
    Message,
    MonitorEvents,
    PacketKeys,
    PauseMark,
    Rejected,
    RunMark,
    RunMarkKind,
    ScanMark,
)
from livereduce.live.chunk import Chunk, ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.state import NO_RUN, RunIdentity, Transition
from livereduce.sources import Block, Position
from livereduce.workspaces import EventWorkspace

S = 1_000_000_000
RUN7 = RunIdentity(7, 100 * S)

IDF = """<instrument name="T" xmlns="http://www.mantidproject.org/IDF/1.0">
  <component type="src"><location z="-10"/></component><type name="src" is="Source"/>
  <component type="smp"><location/></component><type name="smp" is="SamplePos"/>
  <component type="det" idlist="d"><location x="1"/><location x="2"/><location x="3"/></component>
  <type name="det" is="detector"/><idlist idname="d"><id start="5" end="7"/></idlist>
  <component type="mon" idlist="m"><location z="-1"/></component>
  <type name="mon" is="monitor"/><idlist idname="m"><id val="-1"/></idlist>
</instrument>"""


def mark(kind: str, identity: RunIdentity = NO_RUN, time_ns: int = 0) -> RunMark:
    return RunMark(RunMarkKind(kind), identity.run, identity.start_ns, time_ns)


def geometry(text: str = IDF) -> GeometryUpdate:
    return GeometryUpdate(load_idf(text), hashlib.sha256(text.encode()).digest())


def prologue(identity: RunIdentity = RUN7) -> list[Message]:
    return [Connected(1), mark("new", identity), geometry()]


def builder(listener: Any, *, keep_events: bool = True, **options: Any) -> ChunkBuilder:
    return ChunkBuilder(listener, Ledger(), keep_events=keep_events, **options)


def take(chunks: ChunkBuilder) -> Chunk:
    chunk = chunks.extract()
    assert chunk is not None
    chunks.consume(chunk)
    chunks.ledger.check()
    return chunk


def shown(chunk: Chunk) -> EventWorkspace:
    assert isinstance(chunk.workspace, EventWorkspace)
    return chunk.workspace


def test_nothing_new_is_no_chunk(events_of: Any) -> None:
    chunks = builder(events_of.listener([]))
    assert chunks.extract() is None


def test_events_land_in_the_spectra_of_their_detectors(events_of: Any) -> None:
    events = events_of.make((101 * S, [(5, 1000), (7, 2000), (7, 3000)]))
    chunk = take(builder(events_of.listener([*prologue(), events])))
    assert shown(chunk).n_spectra == 3
    assert shown(chunk).y[:, 0].tolist() == [1, 0, 2]
    assert shown(chunk).tof_range() == (100.0, 300.0)
    assert (chunk.identity, chunk.transition, chunk.events) == (RUN7, Transition.NONE, 3)


def test_every_event_is_in_the_ledger_by_what_became_of_it(events_of: Any) -> None:
    events = events_of.make((101 * S, [(5, 1), (99, 1)]), (102 * S, [(6, 1)]), error=2)
    paused = events_of.make((103 * S, [(5, 1), (5, 2)]), error=1)
    chunks = builder(events_of.listener([*prologue(), events, PauseMark(True, 0), paused, Rejected("malformed X", 3)]))
    take(chunks)
    account = chunks.ledger.open(RUN7).as_json()
    assert (account["events"], account["accumulated"], account["paused_events"]) == (7, 2, 3)
    assert account["dropped"] == {"error pixel": 4, "unknown detector": 1}
    assert (account["pulses"], account["charge_pC"]) == (2, 20.0)
    assert account["rejected_packets"] == {"malformed X": 3}


@pytest.mark.parametrize("keep_events", [True, False])
def test_a_chunk_never_holds_two_runs(events_of: Any, keep_events: bool) -> None:
    before = events_of.make((90 * S, [(5, 1)]))
    during = events_of.make((101 * S, [(5, 1), (5, 2)]))
    after = events_of.make((200 * S, [(6, 1), (6, 2), (6, 3)]))
    listener = events_of.listener(
        [
            *[Connected(1), mark("none"), geometry(), before],
            *[mark("new", RUN7), during, mark("end", RUN7), mark("none"), after],
        ]
    )
    chunks = builder(listener, keep_events=keep_events)
    taken = [take(chunks) for _ in range(3)]
    assert [(c.identity, c.events, c.transition) for c in taken] == [
        (NO_RUN, 1, Transition.BEGIN),
        (RUN7, 2, Transition.END),
        (NO_RUN, 3, Transition.NONE),
    ]
    assert [shown(c).number_events() for c in taken] == [1, 2, 3]
    assert [c.more for c in taken] == [True, True, False]
    assert chunks.ledger.open(RUN7).complete
    assert chunks.ledger.between_runs.events == 4


def test_data_before_any_run_status_are_between_runs(events_of: Any) -> None:
    early = events_of.make((90 * S, [(5, 1)]))
    chunks = builder(events_of.listener([Connected(1), geometry(), early, mark("new", RUN7)]))
    assert (take(chunks).identity, chunks.account.identity) == (NO_RUN, RUN7)


def test_a_chunk_ends_at_the_size_limit_and_says_there_is_more(events_of: Any) -> None:
    batches = [events_of.make((101 * S + i, [(5, 1), (6, 1)])) for i in range(3)]
    chunks = builder(events_of.listener([*prologue(), *batches]), limit=3)
    first, second = take(chunks), take(chunks)
    assert [(first.events, first.more), (second.events, second.more)] == [(4, True), (2, False)]
    assert first.end == second.begin


def test_a_chunk_that_was_not_consumed_takes_the_new_data_along(events_of: Any) -> None:
    listener = events_of.listener([*prologue(), events_of.make((101 * S, [(5, 1)]))])
    chunks = builder(listener, keep_events=False)
    failed = chunks.extract()
    assert failed is not None
    chunks.ledger.check()
    assert chunks.ledger.open(RUN7).pending == 1
    listener.extend(events_of.make((102 * S, [(6, 1)])))
    again = take(chunks)
    assert (again.begin, again.events, shown(again).y[:, 0].tolist()) == (failed.begin, 2, [1, 1, 0])
    assert chunks.ledger.open(RUN7).pending == 0


def test_a_chunk_set_aside_stays_pending_in_the_ledger(events_of: Any) -> None:
    listener = events_of.listener([*prologue(), events_of.make((101 * S, [(5, 1)]))])
    chunks = builder(listener)
    failed = chunks.extract()
    assert failed is not None
    chunks.set_aside(failed)
    listener.extend(events_of.make((102 * S, [(6, 1), (6, 2)])))
    chunk = take(chunks)
    account = chunks.ledger.open(RUN7)
    assert (chunk.events, shown(chunk).y[:, 0].tolist()) == (2, [0, 2, 0])
    assert (account.events, account.accumulated, account.pending) == (3, 2, 1)


def test_what_is_repeated_after_a_reconnect_is_taken_once_and_nothing_is_missing(events_of: Any) -> None:
    one, two = events_of.make((101 * S, [(5, 1)])), events_of.make((102 * S, [(5, 2)]))
    three = events_of.make((103 * S, [(5, 3)]))
    messages = [*prologue(), one, two, Connected(2), mark("continue", RUN7), geometry(), one, two, three]
    chunks = builder(events_of.listener(messages))
    assert take(chunks).events == 3
    account = chunks.ledger.open(RUN7)
    assert (account.events, account.duplicates, account.missing) == (3, 2, [])


def test_a_gap_that_the_source_cannot_give_is_missing_from_pulse_to_pulse(events_of: Any) -> None:
    one, later = events_of.make((101 * S, [(5, 1)])), events_of.make((150 * S, [(5, 2)]))
    chunks = builder(events_of.listener([*prologue(), one, Connected(2), mark("continue", RUN7), later]))
    take(chunks)
    account = chunks.ledger.open(RUN7)
    assert account.missing == [(101 * S, 150 * S)]
    assert not account.complete


def test_a_run_whose_end_was_lost_with_the_connection_is_incomplete(events_of: Any) -> None:
    run8 = RunIdentity(8, 300 * S)
    one = events_of.make((101 * S, [(5, 1)]))
    chunks = builder(events_of.listener([*prologue(), one, Connected(2), mark("new", run8, 310 * S), geometry()]))
    assert take(chunks).transition is Transition.END
    account = chunks.ledger.open(RUN7)
    assert account.in_words() == "incomplete: end not seen, data missing"
    assert account.missing == [(101 * S, 310 * S)]


def test_joining_in_mid_run_is_said_and_healed_by_history(events_of: Any) -> None:
    listener = events_of.listener([Connected(1), mark("continue", RUN7), geometry()])
    chunks = builder(listener)
    take(chunks)
    assert chunks.ledger.open(RUN7).joined_mid_run
    listener.extend(Connected(2), mark("new", RUN7))
    take(chunks)
    assert not chunks.ledger.open(RUN7).joined_mid_run


def test_without_geometry_the_pixel_map_and_the_events_say_what_detectors_there_are(events_of: Any) -> None:
    events = events_of.make((101 * S, [(8, 1), (11, 1)]))
    chunks = builder(events_of.listener([Connected(1), mark("new", RUN7), DetectorIds(np.array([8, 9])), events]))
    workspace = shown(take(chunks))
    assert [workspace.spectra.detector_ids(i).tolist() for i in range(workspace.n_spectra)] == [[8], [9], [11]]
    assert workspace.y[:, 0].tolist() == [1, 0, 1]


def test_monitor_events_have_spectra_of_their_own_and_are_counted_as_logs(events_of: Any) -> None:
    keys = PacketKeys(np.array([1], np.uint64), np.array([0], np.uint64), np.array([0], np.uint64))
    events = MonitorEvents(
        pulse_time=np.array([101 * S]),
        start=np.array([0, 3]),
        tof=np.array([10, 20, 30], np.uint32),
        number=np.array([1, 1, 4], np.uint16),
        keys=keys,
    )
    chunks = builder(events_of.listener([*prologue(), events]))
    workspace = shown(take(chunks))
    assert workspace.number_events() == 0
    monitors = workspace.monitors
    assert monitors is not None
    assert (monitors.n_spectra, monitors.y.sum(), monitors.spectra.ids.tolist()) == (1, 2, [-1])
    assert workspace.run().getProperty("monitor1_counts").value == 2
    account = chunks.ledger.open(RUN7)
    assert (account.monitor_events, account.rejected["event of unknown monitor"]) == (3, 1)


def test_logs_of_a_chunk_begin_with_the_value_in_force_and_charges_do_not(events_of: Any) -> None:
    def values(*pairs: tuple[int, float]) -> LogValues:
        return LogValues("T", np.array([t for t, _ in pairs]), np.array([v for _, v in pairs]), "K")

    listener = events_of.listener(
        [*prologue(), values((50 * S, 1.0), (110 * S, 2.0)), ScanMark(3, 105 * S), events_of.make((101 * S, []))]
    )
    chunks = builder(listener)
    run: Any = shown(take(chunks)).run()
    # the value from before the run holds at its start
    assert (run["T"].time_ns.tolist(), run["T"].value.tolist()) == ([100 * S, 110 * S], [1.0, 2.0])
    assert run["scan_index"].value.tolist() == [0, 3]
    assert run["run_number"].value == "7"
    assert run["run_start"].value == "1970-01-01T00:01:40.000000000"  # without Z, of which numpy.datetime64 warns
    listener.extend(values((120 * S, 4.0)), events_of.make((102 * S, [])))
    run = shown(take(chunks)).run()
    assert (run["T"].time_ns.tolist(), run["T"].value.tolist()) == ([110 * S, 120 * S], [2.0, 4.0])
    assert run["proton_charge"].time_ns.tolist() == [102 * S]
    assert run["proton_charge"].units == "picoCoulomb"


class Recorded:
    """The bytes of a captured stream as one segment of one connection."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, max_bytes: int) -> Block | None:
        if self._at >= len(self._data):
            return None
        at = self._at
        self._at = min(at + max_bytes, len(self._data))
        return Block(self._data[at : self._at], 0, at, 1)

    def seek(self, position: Position) -> None:
        self._at = position.offset

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def close(self) -> None:
        self._at = len(self._data)


@pytest.mark.parametrize("name", ["now", "run", "mid1", "pause"])
def test_streams_of_the_real_server_balance_and_hold_what_was_counted_in_them(shared_data: Path, name: str) -> None:
    folder = shared_data / "adara-server"
    expected = json.loads((folder / "expected.json").read_text())[name]
    chunks = builder(AdaraListener(Recorded((folder / expected["file"]).read_bytes())))
    while (chunk := chunks.extract()) is not None:
        chunks.consume(chunk)
    ledger = chunks.ledger
    ledger.check()
    told = [*ledger.as_json()["runs"], ledger.as_json()["between_runs"]]
    assert sum(a["events"] + a["paused_events"] for a in told) == expected["events_in_real_banks"]
    assert sum(a["accumulated"] for a in told) == expected["events_in_real_banks"]
    assert sum(a["pulses"] for a in told) == expected["pulses"]
    assert sum(a["monitor_events"] for a in told) == expected["monitor_events"]
    assert sum(a["charge_pC"] for a in told) == expected["sum_charge_10pC"] * 10


def test_a_run_read_again_falls_into_the_same_chunks_at_the_recorded_cuts(shared_data: Path) -> None:
    data = (shared_data / "adara-server" / "mid1.adara").read_bytes()

    class Trickle(Recorded):
        def read(self, max_bytes: int) -> Block | None:
            return super().read(100_001)

    listener = AdaraListener(Trickle(data))
    chunks = builder(listener, limit=10_000)
    first = []
    while (chunk := chunks.extract()) is not None:
        chunks.consume(chunk)
        first.append((chunk.begin, chunk.end, chunk.events))
    assert len(first) > 4
    again = builder(AdaraListener(Recorded(data)))
    second = []
    for _, end, _ in first:
        replayed = again.extract(end)
        assert replayed is not None
        again.consume(replayed)
        second.append((replayed.begin, replayed.end, replayed.events))
    assert second == first


def test_a_fresh_process_begins_before_the_mark_of_the_run_that_follows(events_of: Any) -> None:
    before, during = events_of.make((90 * S, [(5, 1)])), events_of.make((101 * S, [(5, 1), (5, 2)]))
    messages = [Connected(1), mark("none"), geometry(), before, mark("new", RUN7), during, mark("end", RUN7)]
    chunks = builder(events_of.listener([*messages, mark("none")]))
    first, second = take(chunks), take(chunks)
    assert [messages[chunk.resume.offset] for chunk in (first, second)] == [mark("new", RUN7), mark("end", RUN7)]
    assert [second.begin, first.end] == [first.resume, Position(0, first.resume.offset + 1)]
    # one that begins there finds the same run, and after its end none
    again = builder(events_of.listener(messages[first.resume.offset :]))
    assert (take(again).identity, again.ledger.open(RUN7).complete) == (RUN7, True)
    after = builder(events_of.listener([*messages[second.resume.offset :], mark("none"), before]))
    assert take(after).identity == NO_RUN


def test_a_log_without_values_says_nothing(events_of: Any) -> None:
    empty = LogValues("T", np.empty(0, np.int64), np.empty(0), "K")
    chunk = take(builder(events_of.listener([*prologue(), empty, events_of.make((101 * S, [(5, 1)]))])))
    assert "T" not in runs_logs(chunk)


def runs_logs(chunk: Chunk) -> list[str]:
    workspace: Any = chunk.workspace
    return list(workspace.run().keys())


def test_a_connection_before_any_pulse_of_this_process_opens_no_gap(events_of: Any) -> None:
    chunks = builder(events_of.listener([Connected(3), mark("none"), geometry(), events_of.make((90 * S, [(5, 1)]))]))
    chunks.ledger.between_runs.pulses = 12  # of an earlier process
    take(chunks)
    assert chunks.ledger.between_runs.missing == []


def test_a_run_that_is_left_and_taken_up_again_counts_nothing_twice(events_of: Any) -> None:
    one, two = events_of.make((101 * S, [(5, 1)])), events_of.make((102 * S, [(5, 2), (6, 2)]))
    listener = events_of.listener(
        [*prologue(), one, two, mark("none"), Connected(2), mark("continue", RUN7), geometry(), one, two]
    )
    listener.extend(events_of.make((103 * S, [(5, 3)])))
    chunks = builder(listener)
    while (chunk := chunks.extract()) is not None:
        chunks.consume(chunk)
    chunks.ledger.check()
    account = chunks.ledger.open(RUN7)
    assert (account.events, account.duplicates) == (4, 2)


def test_text_in_a_log_that_moves_detectors_moves_nothing(events_of: Any) -> None:
    moved = IDF.replace(
        '<component type="det" idlist="d">',
        '<component type="det" idlist="d"><parameter name="x"><logfile id="arm" eq="value"/></parameter>',
    )
    text = LogValues("arm", np.array([101 * S]), np.array(["broken"]))
    messages = [Connected(1), mark("new", RUN7), geometry(moved), text, events_of.make((102 * S, [(5, 1)]))]
    assert take(builder(events_of.listener(messages))).events == 1
