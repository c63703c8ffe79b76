from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.errors import LiveReduceError
from livereduce.geometry.nexus_histogram import Histogram
from livereduce.protocols.adara import Decoder, EventBatch
from livereduce.simulators.bodies import PulseLayout
from livereduce.simulators.chaos import chaos_from
from livereduce.simulators.file_source import FileSource, Ticks
from livereduce.simulators.nexus_file import read_measurement
from livereduce.simulators.plan import Plan
from livereduce.simulators.scenario import Scenario

SECOND = 1_000_000_000


def ticks(edges: list[float], counts: list[int]) -> Ticks:
    return Ticks(Histogram(np.array([counts]), np.array(edges)), 1 << 21)


def test_ticks_fill_the_inside_of_a_channel_and_stay_off_its_edges() -> None:
    drawn = ticks([1900.0, 1902.0, 1902.3], [1, 1]).draw(np.random.default_rng(1), np.repeat([0, 1], 2000))
    assert set(drawn[:2000].tolist()) == set(range(19_001, 19_020))
    assert set(drawn[2000:].tolist()) == {19_021, 19_022}


def test_edge_tick_is_used_when_it_is_the_only_one() -> None:
    drawn = ticks([10.0, 10.1, 10.2], [1, 1]).draw(np.random.default_rng(1), np.array([0, 1]))
    assert drawn.tolist() == [100, 101]


def test_every_tick_lies_inside_its_channel_as_float64_sees_it() -> None:
    """Edges that decimal fractions cannot say, single-precision ones included."""
    edges = np.cumsum(np.random.default_rng(2).uniform(0.11, 0.5, 3000)).astype(np.float32).astype(np.float64)
    channel = np.arange(2999)
    tick = Ticks(Histogram(np.ones((1, 2999), int), edges), 1 << 21).draw(np.random.default_rng(3), channel)
    time = tick.astype(np.float64) / 10
    assert (time >= edges[:-1]).all()
    assert (time < edges[1:]).all()


@pytest.mark.parametrize(
    ("edges", "counts"),
    [([10.01, 10.09], [1]), ([-5.0, -4.0], [1]), ([209_715.0, 209_716.0], [3])],
)
def test_channels_without_a_sayable_time_are_refused_only_when_they_have_counts(
    edges: list[float], counts: list[int]
) -> None:
    with pytest.raises(LiveReduceError, match=f"from {edges[0]} to {edges[1]} µs"):
        ticks(edges, counts)
    ticks(edges, [0])


@pytest.mark.parametrize("chaos", [(), ("duplicate-pulses", "backwards-time", "malformed")])
def test_real_measurement_arrives_count_for_count_in_each_of_two_runs(
    shared_data: Path, epoch_ns: int, chaos: tuple[str, ...]
) -> None:
    path = shared_data / "lrcs3701.nx5"
    plan = Plan(runs=2, run_seconds=20.0, gap_seconds=2.0, pause_at=5.0, pause_seconds=3.0)
    sms = Scenario(file=path, plan=plan, chaos=chaos_from(chaos)).prepare().begin(epoch_ns)
    reader = sms.history.since(0, skip_paused=True)
    sms.advance(epoch_ns + 23 * SECOND)
    decoder = Decoder(batch_events=True)
    pixel, tof, monitor, monitor_tof = [], [], [], []

    def read() -> None:
        while taken := reader.take(1 << 24):
            for packet in decoder.feed(b"".join(taken)):
                if isinstance(packet, EventBatch):
                    pixel.append(packet.pixel)
                    tof.append(packet.tof)
                    monitor.append(packet.monitor_number)
                    monitor_tof.append(packet.monitor_tof)

    def counted() -> tuple[Any, list[Any]]:
        with h5py.File(path) as file:
            entry = file["Histogram1"]
            edges = entry["data/time_of_flight"][()].astype(float)
            channel = np.searchsorted(edges, np.concatenate(tof) / 10.0, side="right") - 1
            found = np.zeros((148, 750), int)
            np.add.at(found, (np.concatenate(pixel).astype(int) - 1, channel), 1)
            numbers, times = np.concatenate(monitor), np.concatenate(monitor_tof) / 10.0
            monitors = [
                np.histogram(times[numbers == m], entry[f"monitor{m}/time_of_flight"][()].astype(float))[0]
                for m in (1, 2)
            ]
            return found, monitors

    with h5py.File(path) as file:
        expected = file["Histogram1/data/data"][()]
        expected_monitors = [file[f"Histogram1/monitor{m}/data"][()] for m in (1, 2)]
    read()
    found, monitors = counted()
    assert (found == expected).all()
    assert all((a == b).all() for a, b in zip(monitors, expected_monitors, strict=True))
    sms.advance(epoch_ns + 60 * SECOND)
    read()
    found, monitors = counted()
    assert (found == 2 * expected).all()
    truth: Any = sms.truth()
    assert [(run["run"], run["events"]) for run in truth["runs"]] == [(3701, 2_666_912), (3702, 2_666_912)]
    assert truth["between_runs"]["events"] == 0
    assert truth["between_runs"]["pulses"] == pytest.approx(30 * (60 - 2 * 20), rel=0.03)


def test_run_that_is_all_pause_cannot_carry_a_file(shared_data: Path) -> None:
    plan = Plan(runs=1, run_seconds=5.0, pause_at=0.0, pause_seconds=10.0)
    with pytest.raises(LiveReduceError, match="pause covers the whole run"):
        Scenario(file=shared_data / "lrcs3701.nx5", plan=plan).prepare()


def test_run_without_a_pulse_that_counts_is_an_error_and_not_a_loss(shared_data: Path) -> None:
    measurement = read_measurement(shared_data / "lrcs3701.nx5")
    source = FileSource(measurement, PulseLayout(measurement.beamline()), seed=1)
    with pytest.raises(LiveReduceError, match="no pulse outside its pause"):
        source.begin_run(0)
