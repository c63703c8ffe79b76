"""What an update costs: events read from tables, counted where they are read, and never a time.

Each case is what a post-processing script does, anew at every update, with all the events so far. Whatever it reads of
the result, an update may read the new events a few times, but nothing of what was read before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, HistogramWorkspace, Run, TimeSeries
from livereduce.workspaces import event_list as event_list_module
from livereduce.workspaces.arrays import GrowingArray

alg: Any = algorithms
N, CHUNK = 8, 500
SECOND = 1_000_000_000
EDGES = np.geomspace(100.0371, 20_000.9317, 40)
DETECTORS = Detectors(np.arange(N), l1=20.0, l2=np.linspace(1.0, 2.0, N), two_theta=np.linspace(0.3, 2.0, N))
FACTORS = HistogramWorkspace(
    EDGES, np.random.default_rng(1).random((N, 39)) + 0.5, np.full((N, 39), 0.01), unit="TOF", y_unit="Counts"
)


class Reads:
    """Events read from all tables so far."""

    events = 0


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Count every event that anything takes out of a table."""
    found, plain = Reads(), EventTable.pieces

    def pieces(self: EventTable, a: int, b: int) -> Iterator[Any]:
        found.events += b - a
        return plain(self, a, b)

    monkeypatch.setattr(EventTable, "pieces", pieces)
    return found


class LiveRun:
    """A run in progress: chunks of events, a second long each, accumulated."""

    def __init__(self, each: Callable[[EventWorkspace], EventWorkspace] = lambda ws: ws) -> None:
        self.rng = np.random.default_rng(5)
        self.table = EventTable(N)
        self.each = each
        self.chunks = 0
        self.total: EventWorkspace | None = None

    def update(self) -> EventWorkspace:
        """Add a chunk and return the accumulation."""
        times = SECOND * (10 * self.chunks + np.arange(10))
        charge = np.where(self.rng.random(10) < 0.2, 1e6, 1e8)
        tof, pix = self.rng.integers(1000, 200_000, CHUNK), self.rng.integers(0, N, CHUNK)
        start = np.linspace(0, CHUNK, 11).astype(int)
        a, b = self.table.append(tof, pix, times, start, charge)
        logs = Run()
        logs.set("proton_charge", TimeSeries("proton_charge", times, charge, "picoCoulomb"))
        logs.set("frequency", 60.0, "Hz")
        chunk = self.each(EventWorkspace.from_table(self.table, a, b, DETECTORS, logs, edges=EDGES))
        self.total = chunk if self.total is None else alg.plus(self.total, chunk)
        self.chunks += 1
        return self.total.clone()


def in_d(ws: EventWorkspace) -> EventWorkspace:
    found: EventWorkspace = alg.convert_units(ws, "dSpacing")
    return found


def rebinned(ws: EventWorkspace) -> Any:
    return alg.rebin(ws, [0.1, -0.01, 5.0] if ws.unit == "dSpacing" else [150.0, 200.0, 19_000.0])


def weighted(ws: EventWorkspace) -> EventWorkspace:
    found = alg.divide(ws, FACTORS)
    found.y_unit, found.distribution = "Counts", False
    return found  # type: ignore[no-any-return]


BACKGROUND = LiveRun()
BACKGROUND.update()

SCRIPTS: dict[str, Callable[[EventWorkspace], Any]] = {
    "nothing": lambda ws: ws,
    "Rebin": rebinned,
    "Rebin, no events": lambda ws: alg.rebin(ws, [150.0, 200.0, 19_000.0], preserve_events=False),
    "Rebin by a width alone": lambda ws: alg.rebin(ws, 250.0),
    "RebinToWorkspace": lambda ws: alg.rebin_to_workspace(ws, FACTORS),
    "ResampleX": lambda ws: alg.resample_x(ws, 50),
    "ConvertUnits": in_d,
    "ConvertUnits, Rebin": lambda ws: rebinned(in_d(ws)),
    "ConvertUnits to Q, Rebin": lambda ws: alg.rebin(alg.convert_units(ws, "MomentumTransfer"), [1.0, 0.1, 20.0]),
    "ConvertUnits to DeltaE": lambda ws: alg.convert_units(ws, "DeltaE", e_mode="Direct", e_fixed=50.0),
    "ScaleX": lambda ws: alg.scale_x(ws, 1.01),
    "ChangeBinOffset": lambda ws: alg.change_bin_offset(ws, 3.0),
    "moved in Q, ConvertUnits": lambda ws: in_d(alg.change_bin_offset(alg.convert_units(ws, "MomentumTransfer"), 0.01)),
    "SumSpectra": alg.sum_spectra,
    "ExtractSingleSpectrum": lambda ws: alg.extract_single_spectrum(ws, 3),
    "GroupDetectors": lambda ws: alg.group_detectors(ws, grouping_pattern="0-3,4+5"),
    "GroupDetectors, average": lambda ws: alg.group_detectors(ws, grouping_pattern="0-3,4+5", behaviour="Average"),
    "CropWorkspace": lambda ws: alg.crop_workspace(ws, 500.0, 15_000.0),
    "FilterByXValue": lambda ws: alg.filter_by_x_value(ws, 500.0, 15_000.0),
    "FilterByTime": lambda ws: alg.filter_by_time(ws, 3.0, 1e6),
    "FilterByLogValue": lambda ws: alg.filter_by_log_value(ws, "proton_charge", 1e7, 1e9, log_boundary="Left"),
    "RemovePromptPulse": lambda ws: alg.remove_prompt_pulse(ws, 20.0),
    "MaskDetectors": lambda ws: alg.mask_detectors(ws, workspace_index_list=[2]),
    "MaskBins": lambda ws: alg.mask_bins(ws, 700.0, 900.0),
    "Integration": lambda ws: alg.integration(ws, 500.0, 5000.0),
    "Multiply by a number": lambda ws: alg.multiply(ws, 0.3),
    "Divide by a histogram": weighted,
    "Divide, Rebin": lambda ws: rebinned(weighted(ws)),
    "Divide, SumSpectra": lambda ws: alg.sum_spectra(weighted(ws)),
    "Divide, ConvertUnits, Rebin": lambda ws: rebinned(in_d(weighted(ws))),
    "Divide, moved in Q, ConvertUnits": lambda ws: in_d(
        alg.change_bin_offset(alg.convert_units(weighted(ws), "MomentumTransfer"), 0.01)
    ),
    "NormaliseByCurrent": alg.normalise_by_current,
    "Plus a background": lambda ws: alg.plus(ws, BACKGROUND.total),
    "Minus a background": lambda ws: alg.minus(ws, BACKGROUND.total),
    "Minus a part of itself": lambda ws: alg.minus(ws, alg.filter_by_time(ws, 0.0, 5.0)),
    "CompressEvents": lambda ws: alg.compress_events(ws, 0.5),
}
READS: dict[str, Callable[[Any], object]] = {
    "values": lambda ws: (ws.y.sum(), ws.e2.sum()),
    "one spectrum": lambda ws: (ws.readY(0), ws.readE(0)),
    "a histogram": lambda ws: ws.to_histogram().y if isinstance(ws, EventWorkspace) else ws.y,
    "how many": lambda ws: ws.number_events(),
    "the range of X": lambda ws: ws.tof_range() if isinstance(ws, EventWorkspace) else ws.x,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_update_reads_the_new_events_alone(script: str, read: str, reads: Reads) -> None:
    run = LiveRun()
    for _ in range(12):
        READS[read](SCRIPTS[script](run.update()))
    before = reads.events
    READS[read](SCRIPTS[script](run.update()))
    assert reads.events - before <= 4 * CHUNK


@pytest.mark.parametrize("script", ["SumSpectra", "ConvertUnits, Rebin", "Divide, Rebin", "FilterByLogValue"])
def test_so_it_does_where_the_chunks_were_changed_before_they_were_added(script: str, reads: Reads) -> None:
    run = LiveRun(SCRIPTS[script])
    for _ in range(12):
        rebinned(run.update()).to_histogram()
    before = reads.events
    rebinned(run.update()).to_histogram()
    assert reads.events - before <= 4 * CHUNK


def by_a_number_of_its_own(ws: EventWorkspace) -> EventWorkspace:
    """Scale a chunk by what no other chunk is scaled by."""
    found: EventWorkspace = alg.multiply(ws, 1 / (3 + ws.parts[0].a))
    return found


SCALING: dict[str, Callable[[EventWorkspace], EventWorkspace]] = {
    "NormaliseByCurrent": alg.normalise_by_current,
    "Scale": lambda ws: alg.scale(ws, 1 / (3 + ws.parts[0].a)),
    "Multiply": by_a_number_of_its_own,
    "Divide by a workspace of one value": lambda ws: alg.divide(
        ws, alg.create_single_valued_workspace(3.0 + ws.parts[0].a)
    ),
    "Divide by a histogram, Multiply": lambda ws: by_a_number_of_its_own(weighted(ws)),
    "ConvertUnits, Multiply": lambda ws: by_a_number_of_its_own(in_d(ws)),
    "FilterByLogValue, Multiply": lambda ws: by_a_number_of_its_own(SCRIPTS["FilterByLogValue"](ws)),
    "Multiply, moved in Q, ConvertUnits": lambda ws: SCRIPTS["moved in Q, ConvertUnits"](by_a_number_of_its_own(ws)),
}


@pytest.fixture(scope="module")
def scaled_runs() -> dict[str, LiveRun]:
    """Runs of 300 chunks that were scaled each by a number of its own."""
    runs = {name: LiveRun(scaling) for name, scaling in SCALING.items()}
    for run in runs.values():
        for _ in range(300):
            run.update()
    return runs


@pytest.mark.parametrize("scaling", SCALING)
def test_chunks_scaled_each_by_a_number_are_one_part_whose_steps_are_shared(
    scaling: str, scaled_runs: dict[str, LiveRun]
) -> None:
    run = scaled_runs[scaling]
    (before,) = run.update().parts
    (after,) = run.update().parts
    assert len(after.steps.scale) >= 300
    assert len(set(after.steps.scale)) > 5
    assert after.scales == before.scales is not None
    assert after.b == before.b + CHUNK
    assert scaling.startswith("Filter") or len(after.ranges) == 1


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_update_reads_the_new_events_alone_after_300_chunks_scaled_each_by_a_number(
    script: str, read: str, reads: Reads, scaled_runs: dict[str, LiveRun]
) -> None:
    run = scaled_runs["Multiply"]
    READS[read](SCRIPTS[script](run.update()))
    before = reads.events
    ws = SCRIPTS[script](run.update())
    READS[read](ws)
    assert reads.events - before <= 4 * CHUNK
    assert not isinstance(ws, EventWorkspace) or len(ws.parts) <= 3


@pytest.mark.parametrize("scaling", SCALING)
def test_so_it_does_however_they_were_scaled(scaling: str, reads: Reads, scaled_runs: dict[str, LiveRun]) -> None:
    run = scaled_runs[scaling]
    before = run.update()
    rebinned(before).to_histogram()
    known = reads.events
    rebinned(run.update()).to_histogram()
    assert reads.events - known <= 4 * CHUNK


def test_a_scaled_chunk_adds_as_much_to_arrays_after_300_as_after_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    appended, plain = [0], GrowingArray.append

    def append(self: GrowingArray, values: Any) -> None:
        appended[0] += len(values)
        plain(self, values)

    monkeypatch.setattr(GrowingArray, "append", append)
    run, costs = LiveRun(by_a_number_of_its_own), []
    for _ in range(300):
        before = appended[0]
        run.update()
        costs.append(appended[0] - before)
    assert set(costs[2:]) == {costs[2]}


@pytest.mark.parametrize("each", [lambda ws: ws, by_a_number_of_its_own])
@pytest.mark.parametrize(
    "look",
    [
        lambda ws: alg.compress_events(ws, 0.5).getNumberEvents(),
        lambda ws: alg.compress_events(ws, 0.5).getSpectrum(2).getTofs(),
        lambda ws: ws.getSpectrum(2).getTofs(),
        lambda ws: [ws.getSpectrum(i).getWeights() for i in range(N)],
        lambda ws: weighted(ws).getSpectrum(1).getWeights(),
    ],
)
def test_event_lists_are_sorted_again_in_one_stretch_of_the_run_at_most(
    look: Callable[[EventWorkspace], object],
    each: Callable[[EventWorkspace], EventWorkspace],
    reads: Reads,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stretch = 3 * CHUNK
    monkeypatch.setattr(event_list_module, "STRETCH_EVENTS", stretch)
    run = LiveRun(each)
    costs = []
    for _ in range(20):
        ws, before = run.update(), reads.events
        look(ws)
        costs.append(reads.events - before)
    # a sort reads twice: to count the events of each bucket of pixels, and to put them there
    assert max(costs[3:]) <= 2 * stretch + 4 * CHUNK


def test_what_is_read_a_second_time_is_not_read_from_the_events(reads: Reads) -> None:
    ws = LiveRun().update()
    for script in SCRIPTS.values():
        assert np.isfinite(script(ws.clone()).y).any()
    before = reads.events
    for script in SCRIPTS.values():
        assert np.isfinite(script(ws.clone()).y).any()
    assert reads.events == before
