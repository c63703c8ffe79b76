"""GetEi on peaks worked out by hand, and on a real chopper spectrometer's run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import change_bin_offset, convert_units, create_sample_workspace
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
)

get_ei: Any = algorithms.get_ei

# -- by hand ------------------------------------------------------------------------------------------------------

MONITORS = Detectors([-1, -2], [True, True], l1=10.0, l2=[-2.0, 2.0], two_theta=[0.0, 0.0])  # at 8 m and 12 m
EDGES = np.arange(3000.0, 7001.0, 10.0)


def peak(*counts: float, at: float) -> np.ndarray:
    """Counts of which the middle one is in the bin that begins at this time."""
    y = np.zeros(len(EDGES) - 1)
    middle = int((at - EDGES[0]) / 10)
    y[middle - len(counts) // 2 : middle + len(counts) // 2 + 1] = counts
    return y


def monitors(**options: Any) -> HistogramWorkspace:
    # half of 8 is reached half way from 2 to 6 on the left and from 6 to 2 on the right: their middle is the top's
    rows = [peak(2, 6, 8, 6, 2, at=4000.0), peak(2, 6, 8, 6, 2, at=5900.0)]
    return HistogramWorkspace(EDGES, rows, rows, detectors=MONITORS, spectra=Spectra([1, 2], [-1, -2]), **options)


def test_the_energy_is_that_of_the_speed_between_the_two_monitors() -> None:
    ws = monitors()
    energy, first_peak, index, tzero = get_ei(ws, 1, 2, 22.0)
    # 4 m in 1900 µs; at 475 µs/m they were at 8 m after 3800 µs, 205 µs before they were seen
    assert energy == pytest.approx((2286.27155 / 475.0) ** 2)
    assert first_peak == pytest.approx(4005.0)
    assert index == 0
    assert tzero == pytest.approx(205.0)
    assert ws.run().getProperty("Ei").value == energy


def test_a_lopsided_peak_is_where_the_middle_of_its_half_height_is() -> None:
    # half of 10 is at 3985 on the left and, from 8 down to 4, at 4022.5 on the right
    rows = [peak(0, 10, 8, 4, 0, at=4005.0), peak(2, 6, 8, 6, 2, at=5900.0)]
    ws = HistogramWorkspace(EDGES, rows, detectors=MONITORS, spectra=Spectra([1, 2], [-1, -2]))
    left, right = 3985.0 + 10 * 0.5, 4005.0 + 10 * 3 / 4
    assert get_ei(ws, 1, 2, 22.0).first_monitor_peak == pytest.approx((left + right) / 2)


def test_the_background_does_not_move_the_half_height() -> None:
    raised = monitors()
    raised = HistogramWorkspace(EDGES, raised.y + 100, detectors=MONITORS, spectra=raised.spectra)
    assert get_ei(raised, 1, 2, 22.0) == pytest.approx(get_ei(monitors(), 1, 2, 22.0))


def test_the_estimate_comes_from_the_logs_if_it_is_not_given() -> None:
    assert get_ei(monitors(run=Run({"EnergyRequest": 22.0})), 1, 2) == get_ei(monitors(), 1, 2, 22.0)
    with pytest.raises(ValueError, match="GetEi: EnergyEstimate: must be given"):
        get_ei(monitors(), 1, 2)


def test_a_fixed_energy_gives_the_time_it_takes_to_the_first_monitor() -> None:
    # the first monitor stands 5 m behind the sample, 15 m from the source; Mantid's page says 8854.69 µs
    ws = create_sample_workspace(bank_pixel_width=1, bin_width=10)
    found = get_ei(ws, 1, 2, 15.0, fix_ei=True)
    assert found.incident_energy == 15.0
    assert found.first_monitor_peak == pytest.approx(8854.69, abs=0.005)
    assert (found.first_monitor_index, found.tzero) == (0, 0.0)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="Monitor1Spec: must be given"):
        get_ei(monitors(), energy_estimate=22.0)
    with pytest.raises(ValueError, match="there is no spectrum number 7"):
        get_ei(monitors(), 1, 7, 22.0)
    with pytest.raises(ValueError, match=r"spectrum 1, .* no counts to find a peak in"):
        get_ei(monitors(), 1, 2, 10.0)
    with pytest.raises(ValueError, match="from this there is no speed"):
        get_ei(monitors(), 1, 1, 22.0)
    with pytest.raises(ValueError, match="EnergyEstimate: must be positive"):
        get_ei(monitors(), 1, 2, -1.0)
    with pytest.raises(ValueError, match="X must be TOF"):
        get_ei(monitors(unit="Energy"), 1, 2, 22.0)
    flat = HistogramWorkspace(EDGES, np.ones((2, 400)), detectors=MONITORS, spectra=Spectra([1, 2], [-1, -2]))
    with pytest.raises(ValueError, match="do not fall to half on both sides"):
        get_ei(flat, 1, 2, 22.0)


# -- a real run: LRMECS at IPNS, run 3701, MgB2 at 130 meV ----------------------------------------------------------


class Lrmecs:
    """The run as workspaces, from histograms and from events made of every count."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path) as file:
            run = file["Histogram1"]
            self.l1 = -float(run["instrument/source/distance"][0])
            self.l2 = run["instrument/detector/distance"][()].astype(float)
            self.two_theta = np.radians(np.abs(run["instrument/detector/polar_angle"][()].astype(float)))
            self.edges = run["data/time_of_flight"][()].astype(float)
            self.counts = run["data/data"][()].astype(float)
            self.monitors = [
                (float(run[f"{name}/distance"][0]), run[f"{name}/time_of_flight"][()], run[f"{name}/data"][()])
                for name in ("monitor1", "monitor2")
            ]
        n = len(self.l2)
        self.detectors = Detectors(np.arange(1, n + 1), l1=self.l1, l2=self.l2, two_theta=self.two_theta)
        self.beam = Detectors(
            [-1, -2], [True, True], l1=self.l1, l2=[distance for distance, _, _ in self.monitors], two_theta=[0.0, 0.0]
        )

    def histogram(self) -> HistogramWorkspace:
        return HistogramWorkspace(
            self.edges, self.counts, self.counts, detectors=self.detectors, spectra=self.detectors.default_spectra
        )

    def events(self) -> EventWorkspace:
        table = events_of(self.counts, self.edges)
        return EventWorkspace([Part(table, 0, table.n, Plan(len(self.l2)))], self.detectors, Run(), edges=self.edges)

    def monitor_histogram(self) -> HistogramWorkspace:
        """Both monitors; the second has half as many channels, so empty ones follow to make up the number."""
        rows, edges = np.zeros((2, 1000)), np.zeros((2, 1001))
        for i, (_, x, y) in enumerate(self.monitors):
            rows[i, : len(y)], edges[i, : len(x)] = y, x
            edges[i, len(x) :] = x[-1] + np.arange(1, 1001 - len(x) + 1)
        return HistogramWorkspace(edges, rows, rows, detectors=self.beam, spectra=Spectra([1, 2], [-1, -2]))

    def monitor_events(self) -> EventWorkspace:
        found = [events_of(y[None].astype(float), np.asarray(x, float)) for _, x, y in self.monitors]
        table = EventTable(2)
        for pixel, one in enumerate(found):
            for tof, pix in one.pieces(0, one.n):
                table.append(tof, np.full_like(pix, pixel), [0], [0, len(tof)], [1.0])
        return EventWorkspace([Part(table, 0, table.n, Plan(2))], self.beam, Run(), spectra=Spectra([1, 2], [-1, -2]))


def events_of(counts: np.ndarray, edges: np.ndarray) -> EventTable:
    """Make one event for each count, spread evenly over its channel; detectors in any order."""
    n = counts.astype(np.int64).ravel()
    pix, channel = np.divmod(np.repeat(np.arange(n.size), n), counts.shape[1])
    within = np.arange(len(pix)) - np.repeat(np.cumsum(n) - n, n)
    share = (within + 0.5) / np.repeat(n, n)
    ticks = np.floor((edges[channel] + share * np.diff(edges)[channel]) * 10)
    order = np.random.default_rng(0).permutation(len(pix))
    table = EventTable(len(counts))
    table.append(ticks[order].astype(np.uint32), pix[order].astype(np.int32), [0], [0, len(pix)], [1.0])
    return table


@pytest.fixture(scope="module")
def lrmecs() -> Callable[[Path], Lrmecs]:
    made: dict[Path, Lrmecs] = {}

    def make(folder: Path) -> Lrmecs:
        path = folder / "lrcs3701.nx5"
        return made.setdefault(path, Lrmecs(path))

    return make


@pytest.mark.parametrize("kind", ["histogram", "events"])
def test_the_real_monitors_give_129_6_mev_and_a_clock_108_microseconds_fast(
    shared_data: Path, lrmecs: Callable[[Path], Lrmecs], kind: str
) -> None:
    run = lrmecs(shared_data)
    ws = run.monitor_histogram() if kind == "histogram" else run.monitor_events()
    found = get_ei(ws, 1, 2, 130.0)
    assert found.incident_energy == pytest.approx(129.6, abs=0.5)
    assert found.tzero == pytest.approx(-108.0, abs=1.0)
    assert found.first_monitor_peak == pytest.approx(1427.5, abs=1.0)


@pytest.mark.parametrize("kind", ["histogram", "events"])
def test_the_real_elastic_line_stands_at_zero_and_no_count_is_lost(
    shared_data: Path, lrmecs: Callable[[Path], Lrmecs], kind: str
) -> None:
    run = lrmecs(shared_data)
    energy, _, _, tzero = get_ei(run.monitor_histogram(), 1, 2, 130.0)
    ws: Any = run.histogram() if kind == "histogram" else run.events()
    moved = change_bin_offset(ws, -tzero)
    result = convert_units(moved, "DeltaE", "Direct", energy)

    # channels that begin before the neutrons can have reached the sample would be taken away: none does
    arrival = run.l1 * 2286.27155 / np.sqrt(energy)
    assert run.edges[0] - tzero > arrival
    np.testing.assert_array_equal(result.y, run.counts)
    assert result.y.sum() == 2_666_912  # all there are

    # all detectors stand at 2.501 or 2.5035 m, so their channels are all but the same: 2 µs, or 1 meV. The line is
    # 12 channels wide; its middle comes out 2.0 µs late, as far as the times of the two monitors can tell
    x, y = result.x.mean(axis=0), result.y.sum(axis=0)
    zero, highest = int(np.searchsorted(x, 0.0)) - 1, int(np.argmax(y))
    assert x[zero + 1] - x[zero] == pytest.approx(1.035, abs=0.01)
    assert abs(highest - zero) <= 1
    above = np.flatnonzero(y > y.max() / 2)
    assert np.all(np.diff(above) == 1)  # one peak
    assert abs((above[0] + above[-1]) / 2 - zero) <= 1.5
