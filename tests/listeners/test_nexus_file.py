"""NeXus files as streams: small files written here event by event, and a real histogram count for count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.algorithms import plus
from livereduce.errors import LiveReduceError
from livereduce.listeners.base import Events, LogValues, Message, MonitorEvents, RunInfo, RunMark, RunMarkKind
from livereduce.listeners.nexus_file import NexusFileListener
from livereduce.live.chunk import Chunk, ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.state import Transition
from livereduce.sources import Position
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, WorkspaceGroup

S = 1_000_000_000
START_TEXT = "2026-03-01T12:00:00-05:00"
START = int(np.datetime64("2026-03-01T17:00:00", "ns").astype(np.int64))


def group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    return made


def put(parent: h5py.Group, name: str, values: Any, **attrs: Any) -> None:
    made = parent.create_dataset(name, data=values)
    for key, value in attrs.items():
        made.attrs[key] = value


def bank(entry: h5py.Group, name: str, pulses: list[tuple[float, list[tuple[int, float]]]]) -> h5py.Group:
    """Write (pulse time s, [(detector, time of flight µs), ...]) pairs as SNS does."""
    made = group(entry, name, "NXevent_data")
    flat = [event for _, events in pulses for event in events]
    put(made, "event_id", np.array([i for i, _ in flat], np.uint32))
    put(made, "event_time_offset", np.array([t for _, t in flat], np.float32), units="microsecond")
    put(made, "event_time_zero", np.array([t for t, _ in pulses]), units="second", offset=START_TEXT)
    put(made, "event_index", np.cumsum([0, *(len(events) for _, events in pulses)])[:-1].astype(np.uint64))
    put(made, "total_counts", np.array([len(flat)], np.uint64))
    return made


def sns_file(path: Path) -> Path:
    """Two banks, four pulses of 10 pC each (the third in no bank), a log, a monitor."""
    with h5py.File(path, "w") as file:
        entry = group(file, "entry", "NXentry")
        put(entry, "run_number", b"4711")
        put(entry, "title", b"Two banks")
        put(entry, "start_time", START_TEXT)
        bank(entry, "bank1_events", [(0.0, [(5, 1000.0), (6, 2000.0)]), (1.0, [(5, 1500.5)]), (3.0, [])])
        bank(entry, "bank2_events", [(1.0, [(7, 10.0)]), (3.0, [(7, 11.0), (8, 12.0), (8, -1.0)])])
        empty = bank(entry, "bank3_events", [(0.0, [(0, 0.0)])])
        empty["total_counts"][...] = 0
        logs = group(entry, "DASlogs", "NXcollection")
        charge = group(logs, "proton_charge", "NXlog")
        put(charge, "time", [0.0, 1.0, 2.0, 3.0], units="second", start=START_TEXT)
        put(charge, "value", [10.0, 10.0, 10.0, 10.0], units="picoCoulomb")
        temperature = group(logs, "T", "NXlog")
        put(temperature, "time", [-5.0, 1.5, 100.0], units="second", start=START_TEXT)
        put(temperature, "value", [1.0, 2.0, 3.0], units="K")
        monitor = group(entry, "monitor1", "NXmonitor")
        put(monitor, "event_time_offset", np.array([100.0, 200.0, 300.0], np.float32), units="microsecond")
        put(monitor, "event_time_zero", [0.0, 3.0], units="second", offset=START_TEXT)
        put(monitor, "event_index", [0, 1])
    return path


def parts(listener: NexusFileListener) -> list[list[Message]]:
    """Everything the file gives, part by part."""
    found: list[list[Message]] = [[]]
    while not listener.ended:
        message = listener.receive()
        if message is None:
            found.append([])
        else:
            found[-1].append(message)
    listener.close()
    return found


def only(kind: type, messages: list[Message]) -> list[Any]:
    return [m for m in messages if isinstance(m, kind)]


def chunks_of(listener: NexusFileListener) -> tuple[list[Chunk], ChunkBuilder]:
    builder = ChunkBuilder(listener, Ledger(), keep_events=True)
    taken = []
    while not listener.ended:
        chunk = builder.extract()
        if chunk is not None:
            builder.consume(chunk)
            builder.ledger.check()
            taken.append(chunk)
    listener.close()
    return taken, builder


def test_events_of_all_banks_come_pulse_by_pulse_with_their_charge(tmp_path: Path) -> None:
    (messages,) = parts(NexusFileListener(sns_file(tmp_path / "a.nxs"), 1))
    (events,) = only(Events, messages)
    assert (events.pulse_time - START).tolist() == [0, S, 2 * S, 3 * S]
    assert events.charge.tolist() == [10.0] * 4
    assert events.start.tolist() == [0, 2, 4, 4, 6]
    assert events.detector_id.tolist() == [5, 6, 5, 7, 7, 8]
    assert (events.tof * events.tick_ns).tolist() == [1_000_000, 2_000_000, 1_500_500, 10_000, 11_000, 12_000]
    assert {reason: n.tolist() for reason, n in events.rejected.items()} == {
        "time of flight out of range": [0, 0, 0, 1]
    }


def test_parts_have_as_many_pulses_each_and_no_event_is_lost_or_doubled(tmp_path: Path) -> None:
    found = parts(NexusFileListener(sns_file(tmp_path / "a.nxs"), 2))
    assert [[e.start[-1] for e in only(Events, part)] for part in found] == [[4], [2]]
    assert [[(e.pulse_time - START).tolist() for e in only(Events, part)] for part in found] == [
        [[0, S]],
        [[2 * S, 3 * S]],
    ]
    assert [[(m.number.tolist(), m.tof.tolist()) for m in only(MonitorEvents, part)] for part in found] == [
        [([1], [1000])], [([1, 1], [2000, 3000])],
    ]  # fmt: skip


def test_more_parts_than_pulses_leaves_some_empty(tmp_path: Path) -> None:
    found = parts(NexusFileListener(sns_file(tmp_path / "a.nxs"), 9))
    assert len(found) == 9
    assert sum(int(e.start[-1]) for part in found for e in only(Events, part)) == 6


def test_the_run_begins_before_the_first_part_and_ends_with_the_last(tmp_path: Path) -> None:
    found = parts(NexusFileListener(sns_file(tmp_path / "a.nxs"), 2))
    assert only(RunMark, found[0]) == [RunMark(RunMarkKind.NEW, 4711, START, START)]
    assert only(RunMark, found[1]) == [RunMark(RunMarkKind.END, 4711, START, START + 3 * S + 1)]
    assert only(RunInfo, found[0])[0].properties["run_title"] == "Two banks"


def test_logs_go_with_the_part_of_their_time_and_those_outside_the_run_with_the_ends(tmp_path: Path) -> None:
    found = parts(NexusFileListener(sns_file(tmp_path / "a.nxs"), 2))
    logs = [[(m.name, m.values.tolist(), m.units) for m in only(LogValues, part)] for part in found]
    assert logs == [[("T", [1.0, 2.0], "K")], [("T", [3.0], "K")]]


def test_chunks_of_a_file_without_geometry_have_all_its_detectors_from_the_start(tmp_path: Path) -> None:
    chunks, builder = chunks_of(NexusFileListener(sns_file(tmp_path / "a.nxs"), 2))
    assert [c.events for c in chunks] == [4, 2]
    assert [c.transition for c in chunks] == [Transition.NONE, Transition.END]
    first = chunks[0].workspace
    assert isinstance(first, EventWorkspace)
    assert first.spectra.ids.tolist() == [5, 6, 7, 8]
    seen = [c.workspace.monitors.number_events() for c in chunks if isinstance(c.workspace, EventWorkspace)]  # type: ignore[union-attr]
    assert seen == [1, 2]
    account = builder.ledger.as_json()["runs"][0]
    assert (account["run"], account["events"], account["accumulated"], account["complete"]) == (4711, 7, 6, True)
    assert (account["charge_pC"], account["pulses"], account["monitor_events"]) == (40.0, 4, 3)
    assert account["dropped"] == {"time of flight out of range": 1}


def test_times_in_whole_nanoseconds_since_1970_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "ess.nxs"
    pulses = np.array([START + 1, START + 71_428_573], np.int64)
    with h5py.File(path, "w") as file:
        detector = group(group(group(file, "entry", "NXentry"), "instrument", "NXinstrument"), "panel", "NXdetector")
        events = group(detector, "events", "NXevent_data")
        put(events, "event_id", np.array([1, 2], np.int32))
        put(events, "event_time_offset", np.array([12_345_678, 71_000_001], np.int32), units="ns")
        put(events, "event_time_zero", pulses, units="ns")
        put(events, "event_index", [0, 1])
    (messages,) = parts(NexusFileListener(path, 1))
    (found,) = only(Events, messages)
    assert found.pulse_time.tolist() == pulses.tolist()
    assert (found.tof * found.tick_ns).tolist() == [12_345_678, 71_000_001]


def test_pulse_times_that_go_back_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "back.nxs"
    with h5py.File(path, "w") as file:
        entry = group(file, "entry", "NXentry")
        bank(entry, "bank1_events", [(float(t), [(1, 1.0)] * (t + 1)) for t in (0, 1, 5, 3, 4, 6, 2, 7)])
    found = parts(NexusFileListener(path, 3))
    events = [e for part in found for e in only(Events, part)]
    assert sum(int(e.start[-1]) for e in events) == 36
    seen = {(int(t - START) // S): int(n) for e in events for t, n in zip(e.pulse_time, np.diff(e.start), strict=True)}
    assert seen == {t: t + 1 for t in range(8)}


def test_a_charge_that_is_stated_for_the_whole_run_only_is_spread_over_its_pulses(tmp_path: Path) -> None:
    path = tmp_path / "isis.nxs"
    with h5py.File(path, "w") as file:
        entry = group(file, "raw_data_1", "NXentry")
        put(entry, "proton_charge", np.float32(3.0), units="uAh")
        bank(entry, "detector_1_events", [(float(t), [(1, 1.0)]) for t in range(4)])
    chunks, builder = chunks_of(NexusFileListener(path, 2))
    assert builder.ledger.as_json()["runs"][0]["charge_pC"] == pytest.approx(3.0 * 3.6e9)
    first = chunks[0].workspace
    assert isinstance(first, MatrixWorkspace)
    assert first.run().getProtonCharge() == pytest.approx(1.5)


def test_reading_can_go_on_at_any_part_and_a_finished_file_stays_finished(tmp_path: Path) -> None:
    path = sns_file(tmp_path / "a.nxs")
    (second,) = parts(NexusFileListener(path, 2, start=Position(0, 1)))
    assert [m.run for m in only(RunMark, second)] == [4711, 4711]
    assert [int(e.start[-1]) for e in only(Events, second)] == [2]
    over = NexusFileListener(path, 2, start=Position(0, 3))
    assert over.ended
    assert over.receive() is None
    over.close()


def test_a_run_read_again_stops_at_the_recorded_cuts_and_takes_several_parts_at_once(tmp_path: Path) -> None:
    listener = NexusFileListener(sns_file(tmp_path / "a.nxs"), 4)
    builder = ChunkBuilder(listener, Ledger(), keep_events=True)
    taken = []
    for until in (1, 3, 4):
        chunk = builder.extract(Position(0, until))
        assert chunk is not None
        builder.consume(chunk)
        taken.append((chunk.end.offset, chunk.events))
    assert taken == [(1, 2), (3, 2), (4, 2)]
    last = builder.extract()
    assert last is not None
    assert (last.events, last.transition) == (0, Transition.END)
    listener.close()


# -- histograms --------------------------------------------------------------------------------------------------------


def counts_file(path: Path, counts: Any, edges: Any, axes: str = "detector:time_of_flight") -> Path:
    with h5py.File(path, "w") as file:
        entry = group(file, "entry", "NXentry")
        put(entry, "run_number", [42])
        put(entry, "start_time", START_TEXT)
        put(entry, "proton_charge", 2.0, units="uAh")
        data = group(entry, "data", "NXdata")
        put(data, "counts", np.asarray(counts, np.int32), signal=1, axes=axes)
        put(data, "time_of_flight", np.asarray(edges, float), units="microseconds")
    return path


def counted(chunks: list[Chunk], edges: Any) -> list[list[float]]:
    """Sum of the chunks on the file's own edges."""
    total: MatrixWorkspace | None = None
    for chunk in chunks:
        workspace = chunk.workspace
        assert isinstance(workspace, EventWorkspace)
        total = workspace if total is None else plus(total, workspace)
    assert isinstance(total, EventWorkspace)
    values: list[list[float]] = total.replaced(edges=np.asarray(edges, float)).y.tolist()
    return values


@pytest.mark.parametrize("n", [1, 3, 7, 100])
def test_every_count_of_a_histogram_is_one_event_in_its_channel(tmp_path: Path, n: int) -> None:
    counts, edges = [[0, 1, 2], [30, 4, 5], [6, 70, 8]], [100.0, 100.001, 250.25, 9999.9]
    path = counts_file(tmp_path / "h.nxs", counts, edges)
    chunks, builder = chunks_of(NexusFileListener(path, n))
    assert len(chunks) == n
    assert counted(chunks, edges) == counts
    account = builder.ledger.as_json()["runs"][0]
    assert (account["events"], account["complete"], account["run"]) == (126, True, 42)
    assert account["charge_pC"] == pytest.approx(2 * 3.6e9)


def test_parts_of_a_histogram_differ_by_at_most_one_count_a_cell_and_are_the_same_again(tmp_path: Path) -> None:
    path = counts_file(tmp_path / "h.nxs", [[10, 11], [12, 13]], [0.0, 10.0, 20.0])
    found = parts(NexusFileListener(path, 4))
    sizes = [int(e.start[-1]) for part in found for e in only(Events, part)]
    assert sum(sizes) == 46
    assert max(sizes) - min(sizes) <= 4
    again = parts(NexusFileListener(path, 4, start=Position(0, 2)))
    assert only(Events, again[0])[0].tof.tolist() == only(Events, found[2])[0].tof.tolist()


def test_periods_become_members_of_a_group(tmp_path: Path) -> None:
    path = counts_file(
        tmp_path / "p.nxs", [[[1, 2]], [[30, 4]]], [0.0, 10.0, 20.0], "period_index,spectrum_index,time_of_flight"
    )
    chunks, builder = chunks_of(NexusFileListener(path, 2))
    first = chunks[0].workspace
    assert isinstance(first, WorkspaceGroup)
    assert len(first) == 2
    totals = [0, 0]
    for chunk in chunks:
        assert isinstance(chunk.workspace, WorkspaceGroup)
        for p, member in enumerate(chunk.workspace):
            assert isinstance(member, EventWorkspace)
            totals[p] += member.number_events()
    assert totals == [3, 34]
    assert builder.ledger.as_json()["runs"][0]["charge_pC"] == pytest.approx(2 * 3.6e9)


def test_a_real_measurement_comes_out_count_for_count(shared_data: Path) -> None:
    """Detectors and both monitors of run 3701, on the file's own edges (2 666 912 and 178 121 counts)."""
    path = shared_data / "lrcs3701.nx5"
    with h5py.File(path, "r") as file:
        counts, edges = file["Histogram1/data/data"][()], file["Histogram1/data/time_of_flight"][()]
        monitors = [int(file[f"Histogram1/monitor{k}/data"][()].sum()) for k in (1, 2)]
    chunks, builder = chunks_of(NexusFileListener(path, 10))
    assert counted(chunks, edges) == counts.tolist()
    account = builder.ledger.as_json()["runs"][0]
    assert (account["run"], account["events"], account["start"]) == (3701, 2_666_912, "2001-02-07T14:54:21.000000Z")
    seen = np.zeros(2, int)
    for chunk in chunks:
        assert isinstance(chunk.workspace, EventWorkspace)
        assert isinstance(chunk.workspace.monitors, EventWorkspace)
        seen += chunk.workspace.monitors.events_per_spectrum()
    assert seen.tolist() == monitors
    last = chunks[-1].workspace
    assert isinstance(last, EventWorkspace)
    assert last.detectors.l1 == pytest.approx(8.1237, abs=1e-4)


# -- files that will not do --------------------------------------------------------------------------------------------


def no_file(path: Path) -> None:
    path.write_text("not HDF5")


def no_entry(path: Path) -> None:
    h5py.File(path, "w").close()


def no_index(path: Path) -> None:
    with h5py.File(path, "w") as file:
        made = bank(group(file, "entry", "NXentry"), "bank1_events", [(0.0, [(1, 1.0)])])
        del made["event_id"]


def wrong_index(path: Path) -> None:
    with h5py.File(path, "w") as file:
        made = bank(group(file, "entry", "NXentry"), "bank1_events", [(0.0, [(1, 1.0)]), (1.0, [(1, 2.0)])])
        made["event_index"][...] = [5, 0]


def no_edges(path: Path) -> None:
    counts_file(path, [[1, 2]], [0.0, 1.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_file, "cannot be read as HDF5"),
        (no_entry, "has no NXentry with NXevent_data or NXdata"),
        (no_index, "/entry/bank1_events has no event_id"),
        (wrong_index, "/entry/bank1_events/event_index has 2 entries up to 5 for 2 pulses and 2 events"),
        (no_edges, "has 2 values for 2 channels; channel edges are needed"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "wrong.nxs"
    make(path)
    with pytest.raises(LiveReduceError, match=message) as caught:
        NexusFileListener(path)
    assert str(path) in str(caught.value)
