"""The simulated event stream: what is due when, what is counted, and that the truth and the memory agree with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.errors import LiveReduceError
from livereduce.geometry.nexus_histogram import Histogram
from livereduce.protocols.isis import Decoder, NeutronBatch, Setup
from livereduce.simulators.isis_chaos import EVENT_HELP, MANGLED, POISON, CommandChaos, EventChaos, fault_of
from livereduce.simulators.isis_memory import empty_memory, fake_memory, file_memory
from livereduce.simulators.isis_stream import EventPlan, FileFrames, IsisStream, UniformFrames, file_frames
from livereduce.simulators.nexus_file import Measurement

S = 1_000_000_000
BEGIN = 1_700_000_000 * S


def stream(plan: EventPlan, events: int = 10, *chaos: str) -> IsisStream:
    memory = empty_memory(fake_memory(plan.periods, 100, 100))
    faults = EventChaos(**dict.fromkeys(chaos, True))
    return IsisStream(plan, UniformFrames(100, events, 1), memory, BEGIN, faults)


def decode(packets: list[bytes]) -> list[Any]:
    return list(Decoder().feed(b"".join(packets)))


def columns(items: list[Any], name: str) -> Any:
    return np.concatenate([getattr(i, name) for i in items if isinstance(i, NeutronBatch)])


def told(source: IsisStream) -> list[dict[str, Any]]:
    runs = source.truth()["runs"]
    assert isinstance(runs, list)
    return runs


def measured(counts: Any, edges: Any) -> Measurement:
    """A file's measurement of one detector with nothing else to it."""
    one = np.ones(1)
    return Measurement(
        "T", "t", 1, 50.0, 10.0, np.array([1]), one, one, one, Histogram(counts.astype(np.int64), edges), ()
    )


PLAN = EventPlan(runs=2, run_seconds=1.0, interval=0.1, periods=3, cards=2)


def test_frames_fall_due_one_interval_after_the_other_in_so_many_packets() -> None:
    source = stream(PLAN)
    assert source.advance(BEGIN - 1, heard=True) == []
    items = decode(source.advance(BEGIN + S // 5, heard=True))
    assert columns(items, "frame").tolist() == [0, 0, 1, 1, 2, 2]
    assert columns(items, "period").tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(columns(items, "frame_time"), [0, 0, 0.1, 0.1, 0.2, 0.2], atol=1e-6)
    charge = columns(items, "charge")
    assert (charge[::2] == charge[1::2]).all()
    assert len(columns(items, "tof")) == 30


def test_runs_follow_each_other_with_a_setup_between_and_one_more_at_the_end() -> None:
    source = stream(PLAN)
    assert decode([source.setup]) == [Setup(1001, 1_700_000_000, 1, "MUSR")]
    items = decode(source.advance(BEGIN + 10 * S, heard=True))
    assert [i for i in items if isinstance(i, Setup)] == [
        Setup(1002, 1_700_000_001, 1, "MUSR"), Setup(1003, 1_700_000_002, 0, "MUSR"),
    ]  # fmt: skip
    assert source.finished
    assert source.advance(BEGIN + 20 * S, heard=True) == []
    assert columns(items, "frame").max() == 9


def test_the_truth_is_what_was_sent() -> None:
    source = stream(PLAN)
    sent = decode(source.advance(BEGIN + 10 * S, heard=True))
    runs = told(source)
    assert [run["run"] for run in runs] == [1001, 1002]
    assert runs[0]["start"] == "2023-11-14T22:13:20.000000Z"
    assert [(run["pulses"], run["events"], run["unheard_events"]) for run in runs] == [(10, 100, 0)] * 2
    first = next(i for i in sent if isinstance(i, NeutronBatch))
    frames, at = np.unique(first.frame, return_index=True)
    assert len(frames) == 10
    assert runs[0]["charge_pC"] == np.rint(first.charge[at] * 3.6e9).sum()


def test_what_nobody_hears_is_counted_as_such() -> None:
    source = stream(PLAN)
    source.advance(BEGIN + S // 2 - 1, heard=False)
    source.advance(BEGIN + S - 1, heard=True)
    (run,) = told(source)
    assert (run["events"], run["unheard_events"]) == (100, 50)


def test_the_memory_beside_the_stream_holds_the_same_events() -> None:
    source = stream(PLAN)
    items = decode(source.advance(BEGIN + S - 1, heard=True))
    period = np.repeat(columns(items, "period"), 5)
    tof, spectrum = columns(items, "tof"), columns(items, "spectrum")
    counts = source.memory.first.values[:, :, 1:]
    for p in range(3):
        expected, _, _ = np.histogram2d(
            spectrum[period == p], tof[period == p] / 1000, [np.arange(101), 10_000 + 100 * np.arange(101)]
        )
        np.testing.assert_array_equal(counts[p], expected)
    assert (source.memory.run, source.memory.frames) == (1001, 10)
    assert source.memory.charge == pytest.approx(10 * 8.9e-4, rel=0.03)
    source.advance(BEGIN + S, heard=True)
    assert (source.memory.run, source.memory.first.values[:, :, 1:].sum()) == (1002, 10)


def test_same_seed_same_bytes() -> None:
    assert stream(PLAN).advance(BEGIN + S, heard=True) == stream(PLAN).advance(BEGIN + S, heard=True)


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_measured_file_is_sent_count_for_count_once_a_run(shared_data: Path) -> None:
    path = shared_data / "lrcs3701.nx5"
    with h5py.File(path) as file:
        counts, edges = file["Histogram1/data/data"][()], file["Histogram1/data/time_of_flight"][()]
    frames, measurement = file_frames(path, 3)
    plan = EventPlan(runs=2, run_seconds=0.5, interval=0.01, first_run=measurement.run_number)
    source = IsisStream(plan, frames, empty_memory(file_memory(path)), BEGIN)
    first = source.advance(BEGIN + S // 2 - 1, heard=True)
    held = source.memory.first.values[0, :, 1:].copy()
    second = source.advance(BEGIN + S - 1, heard=True)
    for packets in (first, second):
        items = decode(packets)
        tof, spectrum = columns(items, "tof"), columns(items, "spectrum")
        found, _, _ = np.histogram2d(spectrum, tof / 1000, [np.arange(149), edges])
        np.testing.assert_array_equal(found, counts)
        assert len(tof) == counts.sum()
    np.testing.assert_array_equal(held, counts)


def test_time_channels_too_narrow_for_float32_are_refused() -> None:
    # near 40000 µs float32 has steps of 1/256 µs: 40000.1 is written as 40000.1015625
    edges = np.array([39_000.0, 40_000.0999, 40_000.1001, 41_000.0])
    frames = FileFrames(measured(np.array([[0, 5, 0]]), edges), 1)
    frames.begin_run(1)
    with pytest.raises(LiveReduceError, match=r"from 40000\.0999 µs is too narrow for this protocol"):
        frames.next_frame()


# -- faults ------------------------------------------------------------------------------------------------------------


def test_grown_headers_and_unknown_types_and_repeated_setups_change_nothing_of_what_counts() -> None:
    plain = decode(stream(PLAN).advance(BEGIN + S - 1, heard=True))
    odd = decode(stream(PLAN, 10, "grown_headers", "unknown_types", "same_setup").advance(BEGIN + S - 1, heard=True))
    for name in ("frame", "tof", "spectrum", "charge"):
        np.testing.assert_array_equal(columns(odd, name), columns(plain, name))
    assert sum(isinstance(i, Setup) for i in odd) == 1


def test_interleaved_frames_lose_nothing() -> None:
    plain = stream(PLAN).advance(BEGIN + 10 * S, heard=True)
    mixed = stream(PLAN, 10, "interleaved").advance(BEGIN + 10 * S, heard=True)
    assert sorted(plain) == sorted(mixed)
    assert columns(decode(mixed), "frame")[:6].tolist() == [0, 1, 0, 2, 1, 3]


def test_odd_values_count_as_sent() -> None:
    source = stream(PLAN, 10, "odd_values")
    items = decode(source.advance(BEGIN + S - 1, heard=True))
    sent = len(columns(items, "tof")) + int(columns(items, "bad_times").sum())
    (run,) = told(source)
    assert run["events"] == sent == 100 + 7
    assert columns(items, "bad_times").sum() == 4
    assert columns(items, "period").max() == 3


@pytest.mark.parametrize("name", POISON)
def test_poison_ends_a_stream(name: str) -> None:
    from livereduce.protocols.isis import FramingError

    with pytest.raises(FramingError):
        list(Decoder(1 << 20).feed(POISON[name] + bytes(100)))
    assert f"{name.replace('_', '-')}=SECONDS" in EVENT_HELP


def test_faults_of_replies_come_every_nth_time() -> None:
    chaos = CommandChaos(truncate=3, close=2)
    assert [fault_of(chaos, n) for n in range(1, 7)] == [None, "close", "truncate", "close", None, "truncate"]
    assert set(MANGLED) < set(CommandChaos.__dataclass_fields__)
