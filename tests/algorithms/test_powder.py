"""AlignAndFocusPowder on a simulated silicon powder, whose lines stand where crystallography says."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import convert_units, plus, rebin
from livereduce.algorithms.calling import execute
from livereduce.algorithms.declaration import find
from livereduce.algorithms.property_manager import PropertyManager, property_managers
from livereduce.geometry import Instrument, load_idf
from livereduce.simulators import demo_pow
from livereduce.simulators.powder import SAMPLES, PowderModel
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Run,
    Spectra,
    TableWorkspace,
    WorkspaceStore,
)

align_and_focus_powder: Any = algorithms.align_and_focus_powder

# d of Fd-3m silicon with a = 5.4311946 Å
SILICON = [3.13570, 1.92022, 1.63757, 1.35780, 1.24600, 1.10864, 1.04523, 0.96011]
FINE = "0.5,-0.0002,3.5"


@pytest.fixture(scope="module")
def instrument() -> Instrument:
    return load_idf(demo_pow.idf())


@pytest.fixture(scope="module")
def silicon(instrument: Instrument) -> EventWorkspace:
    """Two million events of silicon on DEMO-POW."""
    return simulated(instrument, 2_000_000, seed=20)


def simulated(instrument: Instrument, n: int, seed: int, table: EventTable | None = None) -> EventWorkspace:
    pixel, tof = PowderModel(SAMPLES["si"]).draw(np.random.default_rng(seed), n, 295.0)
    detectors = Detectors.from_instrument(instrument)
    pix = detectors.index_of(demo_pow.beamline().ids[pixel])
    if table is None:
        table = EventTable(len(detectors), tick_ns=100)
    a, b = table.append(tof, pix, [seed], [0, n], [1.0])
    return EventWorkspace.from_table(table, a, b, detectors, Run({"frequency": 60.0}))


def all_in_one(instrument: Instrument) -> HistogramWorkspace:
    return grouping(instrument, np.ones(len(instrument), int))


def grouping(instrument: Instrument, groups: np.ndarray) -> HistogramWorkspace:
    spectra = Spectra(np.arange(len(instrument)), instrument.ids)
    return HistogramWorkspace(np.zeros(1), groups.reshape(-1, 1).astype(float), spectra=spectra)


def by_panel(instrument: Instrument) -> HistogramWorkspace:
    return grouping(instrument, np.where(instrument.monitor, 0, instrument.ids // 15_000))


def centroid(x: np.ndarray, y: np.ndarray, d: float, half: float) -> float:
    """Mean d within +-half (relative), on a straight line through what is left and right of it."""
    centre = (x[1:] + x[:-1]) / 2
    density = y / np.diff(x)
    left = np.abs(centre / d - 1 + 1.25 * half) < 0.25 * half
    right = np.abs(centre / d - 1 - 1.25 * half) < 0.25 * half
    slope = (density[right].mean() - density[left].mean()) / (centre[right].mean() - centre[left].mean())
    line = density[left].mean() + slope * (centre - centre[left].mean())
    peak = np.abs(centre / d - 1) < half
    weight = (density - line)[peak] * np.diff(x)[peak]
    return float(np.sum(weight * centre[peak]) / weight.sum())


def assert_silicon(x: np.ndarray, y: np.ndarray, tolerance: float = 1e-4) -> None:
    for d in SILICON:
        half = 0.02 if d > 1.5 else 0.0125
        found = centroid(x, y, d, half)
        assert found == pytest.approx(d, rel=tolerance), d


def test_the_first_eight_lines_of_silicon_stand_within_a_ten_thousandth(
    silicon: EventWorkspace, instrument: Instrument
) -> None:
    result = align_and_focus_powder(silicon, grouping_workspace=all_in_one(instrument), params=FINE)
    assert isinstance(result, EventWorkspace)
    assert result.unit == "dSpacing"
    assert result.y.sum() > 1.9e6
    assert_silicon(result.x, result.y[0])


def fitted_lines(focused: HistogramWorkspace, two_theta: np.ndarray) -> dict[float, np.ndarray]:
    """Centres and their errors as Fit gives them, float64[panels, 2], of each line where a panel has enough of it."""
    centre = (focused.x[1:] + focused.x[:-1]) / 2
    found: dict[float, list[list[float]]] = {d: [] for d in SILICON}
    for d, (i, angle) in ((d, panel) for d in SILICON for panel in enumerate(two_theta)):
        width = 1.2e-3 / np.tan(angle / 2)  # what the size of pixels makes of a line, nearly all there is
        window = 1 - 5 * width - 0.003, 1 + 5 * width + 0.003
        counts = focused.y[i][(centre > window[0] * d) & (centre < window[1] * d)]
        if counts.sum() < 4000:
            continue
        start = f"name=Gaussian,Height={counts.max()},PeakCentre={1.0005 * d},Sigma={width * d};name=LinearBackground"
        fit = algorithms.fit(
            start, focused, workspace_index=i, start_x=window[0] * d, end_x=window[1] * d, output="line"
        )
        assert fit.output_status == "success"
        table = fit.output_parameters
        row = table.column("Name").index("f0.PeakCentre")
        found[d].append([table.column("Value")[row], table.column("Error")[row]])
    return {d: np.array(rows) for d, rows in found.items()}


def test_fit_finds_the_first_eight_lines_of_silicon_and_how_well_it_knows_them(
    silicon: EventWorkspace, instrument: Instrument
) -> None:
    # beyond 120 degrees the tail of the moderator's pulse is as wide as the rest: no Gaussian
    group = by_panel(instrument)
    options = {"grouping_workspace": group, "params": FINE, "preserve_events": False}
    focused = align_and_focus_powder(silicon, **options)
    panels = np.unique(group.y[group.y > 0])
    angles = np.array([instrument.two_theta[group.y[:, 0] == panel].mean() for panel in panels])
    lines = fitted_lines(focused, angles[angles < np.radians(120)])
    pulls = []
    for d, (centres, errors) in ((d, rows.T) for d, rows in lines.items()):
        weight = errors**-2.0
        assert np.sum(weight * centres) / weight.sum() == pytest.approx(d, rel=1e-4)
        assert weight.sum() ** -0.5 < 5e-5 * d
        pulls += list((centres - d) / errors)
    # errors are right if deviations divided by them scatter by 1; of n of them the mean is known to 1 / sqrt(n)
    assert len(pulls) > 50
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))
    assert 0.75 < np.std(pulls) < 1.25
    assert np.max(np.abs(pulls)) < 4


@pytest.fixture(scope="module")
def some(silicon: EventWorkspace) -> EventWorkspace:
    """Every tenth detector: enough for what needs a histogram of each."""
    ws = algorithms.extract_spectra(silicon, workspace_index_list=np.arange(0, silicon.n_spectra, 10))
    assert isinstance(ws, EventWorkspace)
    return ws


def test_events_and_their_histogram_give_the_same_pattern(some: EventWorkspace, instrument: Instrument) -> None:
    times = [14_000, -0.0001, 34_000]
    options = {"grouping_workspace": by_panel(instrument), "params": FINE}
    by_events = align_and_focus_powder(rebin(some, times), **options)
    by_histogram = align_and_focus_powder(rebin(some, times, preserve_events=False), **options)
    assert by_events.getSpectrumNumbers() == by_histogram.getSpectrumNumbers() == list(range(1, 21))
    np.testing.assert_array_equal(by_events.x, by_histogram.x)
    # counts of a bin are shared out evenly, so they differ within a bin of 1e-4: not in bins fifty times as wide
    coarse = [0.55, -0.005, 3.4]
    a, b = rebin(by_events, coarse).y, rebin(by_histogram, coarse).y
    assert np.abs(a - b).max() < 0.02 * a.max()
    assert a.sum() == pytest.approx(b.sum(), rel=1e-4)
    assert_silicon(by_histogram.x, by_histogram.y.sum(axis=0))


def test_times_of_flight_come_out_for_the_places_said(
    silicon: EventWorkspace, some: EventWorkspace, instrument: Instrument
) -> None:
    options = {
        "grouping_workspace": all_in_one(instrument),
        "dspacing": False,
        "primary_flight_path": 60.0,
        "spectrum_ids": [1],
        "l2": [3.18],
        "polar": [90.0],
        "t_min": 14_000.0,
        "t_max": 60_000.0,
    }
    difc = 252.778413 * 63.18 * np.sqrt(2)
    result = align_and_focus_powder(silicon, params="15000,-0.0002,80000", **options)
    assert result.unit == "TOF"
    assert_silicon(result.x / difc, result.y[0])
    coarse = rebin(some, [14_000, -0.0004, 34_000], preserve_events=False)
    by_histogram = align_and_focus_powder(coarse, params="15000,-0.0004,80000", **options)
    assert by_histogram.unit == "TOF"
    np.testing.assert_allclose(by_histogram.x[:-1], 15_000 * 1.0004 ** np.arange(len(by_histogram.x) - 1))
    assert_silicon(by_histogram.x / difc, by_histogram.y[0])
    back = convert_units(result, "dSpacing")
    assert_silicon(back.x, back.y[0])


def shifted(instrument: Instrument, difc: np.ndarray) -> TableWorkspace:
    table = TableWorkspace([("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero")])
    for row in zip(instrument.ids[~instrument.monitor].tolist(), difc[~instrument.monitor].tolist(), strict=True):
        table.addRow([*row, 0.0, 0.0])
    return table


def test_the_calibration_comes_from_each_kind_of_source(
    silicon: EventWorkspace, instrument: Instrument, tmp_path: Path
) -> None:
    """The calibration says that all paths are 1 % longer than the definition: every d comes out 1 % smaller."""
    wanted = [d / 1.01 for d in SILICON]
    difc = 252.778413 * (instrument.l1 + instrument.l2) * 2 * np.sin(instrument.two_theta / 2) * 1.01
    detectors = ~instrument.monitor
    with h5py.File(tmp_path / "demo.h5", "w") as file:
        file["calibration/detid"], file["calibration/difc"] = instrument.ids[detectors], difc[detectors]
    offset = 1 / 1.01 - 1
    (tmp_path / "demo.cal").write_text("".join(f"0 {i} {offset} 1 1\n" for i in instrument.ids[detectors]))
    offsets = HistogramWorkspace(
        np.zeros(1), np.full((len(instrument), 1), offset), spectra=Spectra(np.arange(len(instrument)), instrument.ids)
    )
    one = {"grouping_workspace": all_in_one(instrument)}
    for options in (
        {"cal_file_name": tmp_path / "demo.h5"},
        {"cal_file_name": tmp_path / "demo.cal"},
        {"calibration_workspace": shifted(instrument, difc), **one},
        {"offsets_workspace": offsets, **one},
    ):
        result = align_and_focus_powder(silicon, params=FINE, **options)
        assert result.n_spectra == 1
        for d in wanted[:3]:
            assert centroid(result.x, result.y[0], d, 0.02) == pytest.approx(d, rel=1e-4)


def test_a_single_width_takes_its_limits_from_d_min_and_d_max(silicon: EventWorkspace, instrument: Instrument) -> None:
    result = align_and_focus_powder(
        silicon, grouping_workspace=all_in_one(instrument), params=-0.001, d_min=[1.0], d_max=2.0
    )
    assert (result.x[0], result.x[-1]) == (1.0, 2.0)
    np.testing.assert_allclose(result.x[1:-1] / result.x[:-2], 1.001)


@pytest.mark.parametrize("kind", ["events", "histogram"])
def test_each_group_is_resampled_between_limits_of_its_own(
    some: EventWorkspace, instrument: Instrument, kind: str
) -> None:
    ws = some if kind == "events" else rebin(some, [14_000, 20, 34_000], preserve_events=False)
    two = grouping(instrument, np.where(instrument.monitor, 0, np.where(instrument.two_theta < 1.2, 1, 2)))
    result = align_and_focus_powder(
        ws, grouping_workspace=two, resample_x=-300, d_min=[1.0, 0.5], d_max=[3.5, 1.75], preserve_events=False
    )
    assert isinstance(result, HistogramWorkspace)
    np.testing.assert_allclose(result.x[:, [0, -1]], [[1.0, 3.5], [0.5, 1.75]])
    np.testing.assert_allclose(result.x[0, 1:] / result.x[0, :-1], 3.5 ** (1 / 300))
    centre = (result.x[0, 1:] + result.x[0, :-1]) / 2
    near_111 = np.abs(centre - SILICON[0]) < 0.15
    assert centre[near_111][np.argmax(result.y[0, near_111])] == pytest.approx(SILICON[0], rel=0.005)


def test_limits_come_from_the_property_manager_where_they_are_not_given(
    silicon: EventWorkspace, instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = PropertyManager()
    for name, value in {
        "d_min": np.array([1.0]),
        "d_max": np.array([2.0]),
        "tof_min": 20_000.0,
        "tof_max": 0.0,
    }.items():
        manager[name] = value
    monkeypatch.setitem(property_managers._managers, "__powderreduction", manager)
    result = align_and_focus_powder(silicon, grouping_workspace=all_in_one(instrument), params=-0.001)
    assert (result.x[0], result.x[-1]) == (1.0, 2.0)
    tofs = np.concatenate([piece[0] for piece in silicon.tables[0].pieces(0, silicon.tables[0].n)]) / 10
    assert result.getNumberEvents() <= np.count_nonzero(tofs >= 20_000.0) < 2_000_000
    other = align_and_focus_powder(silicon, grouping_workspace=all_in_one(instrument), params=-0.001, d_max=2.5)
    assert other.x[-1] == 2.5


def test_prompt_pulses_masks_and_wavelengths_are_taken_out(silicon: EventWorkspace, instrument: Instrument) -> None:
    one = {"grouping_workspace": all_in_one(instrument), "params": FINE, "compress_tolerance": 0}
    everything = align_and_focus_powder(silicon, **one).getNumberEvents()
    tofs = np.concatenate([piece[0] for piece in silicon.tables[0].pieces(0, silicon.tables[0].n)]) / 10
    prompt = np.count_nonzero((tofs % (1e6 / 60)) < 50)
    without = align_and_focus_powder(silicon, **one, remove_prompt_pulse_width=50).getNumberEvents()
    assert everything - without == pytest.approx(prompt, abs=2)  # times on the border are rounded
    assert prompt > 3000

    masked = np.zeros(len(instrument), bool)
    masked[instrument.two_theta > 2.0] = True
    spectra = Spectra(np.arange(len(instrument)), instrument.ids, masked=masked)
    mask = HistogramWorkspace(np.zeros(1), masked.astype(float).reshape(-1, 1), spectra=spectra)
    result = align_and_focus_powder(silicon, **one, mask_workspace=mask)
    assert result.y[0, result.x[:-1] < 0.5].sum() == 0
    assert 0.3 * everything < result.getNumberEvents() < 0.7 * everything

    cropped = align_and_focus_powder(silicon, **one, crop_wavelength_min=1.2, crop_wavelength_max=1.8)
    wavelengths = convert_units(silicon, "Wavelength")
    expected = algorithms.integration(wavelengths, 1.2, 1.8).y.sum()
    assert cropped.getNumberEvents() == pytest.approx(expected, abs=2)


def two_groups(instrument: Instrument) -> HistogramWorkspace:
    return grouping(instrument, np.where(instrument.monitor, 0, np.where(instrument.two_theta < 1.2, 1, 2)))


@pytest.mark.parametrize("kind", ["events", "histogram"])
def test_each_group_may_have_a_step_and_limits_of_its_own(
    some: EventWorkspace, instrument: Instrument, kind: str
) -> None:
    ws = some if kind == "events" else rebin(some, [14_000, 20, 34_000], preserve_events=False)
    options = {"grouping_workspace": two_groups(instrument), "params": 0.1, "preserve_events": False}
    result = align_and_focus_powder(ws, d_min=[1.0, 0.5], d_max=[3.0, 1.5], delta_ragged=[0.2, 0.1], **options)
    np.testing.assert_allclose(result.x, [np.linspace(1, 3, 11), np.linspace(0.5, 1.5, 11)])
    one = align_and_focus_powder(ws, grouping_workspace=two_groups(instrument), params=[1.0, 0.2, 3.0])
    np.testing.assert_allclose(result.y[0], one.y[0], rtol=1e-9)
    # where no limit is said, by NaN or not at all, it is that of the data
    bare = align_and_focus_powder(ws, d_min=[1.0, np.nan], d_max=3.0, delta_ragged=[-50.0], **options)
    assert bare.n_bins == 1
    assert (bare.x[0] if bare.x.ndim == 2 else bare.x).tolist() == [1.0, 3.0]


def test_groups_of_different_numbers_of_bins_are_refused_by_name(some: EventWorkspace, instrument: Instrument) -> None:
    two = {"grouping_workspace": two_groups(instrument)}
    with pytest.raises(ValueError, match=r"different numbers of bins \(20, 10\).*reduce such groups one by one"):
        align_and_focus_powder(some, d_min=1.0, d_max=3.0, delta_ragged=[0.1, 0.2], **two)
    with pytest.raises(ValueError, match="DeltaRagged: 3 values for 2 groups"):
        align_and_focus_powder(some, d_min=1.0, d_max=3.0, delta_ragged=[0.1, 0.2, 0.3], **two)
    with pytest.raises(ValueError, match="DMin or TMin: 3 values for 2 groups"):
        align_and_focus_powder(some, d_min=[1.0, 1.0, 1.0], d_max=3.0, delta_ragged=0.1, **two)


def test_a_script_gets_the_aligned_data_before_they_are_focused(
    some: EventWorkspace, instrument: Instrument, store: WorkspaceStore
) -> None:
    declaration = find("AlignAndFocusPowder")
    assert declaration is not None
    arguments = {"OutputWorkspace": "out", "GroupingWorkspace": all_in_one(instrument), "Params": "0.5,0.1,3.5"}
    for ws in (some, rebin(some, [14_000, 20, 34_000], preserve_events=False)):
        result = execute(declaration, (ws,), arguments | {"UnfocussedWorkspace": "single"}, store)
        single: Any = store["single"]
        assert (result.OutputWorkspace, result.UnfocussedWorkspace) == (store["out"], single)
        assert (single.n_spectra, single.unit) == (some.n_spectra, "dSpacing")
        np.testing.assert_allclose(single.x, result.OutputWorkspace.x)
        np.testing.assert_allclose(single.y.sum(axis=0), result.OutputWorkspace.y[0], rtol=1e-9)
    store.clear()
    alone = execute(declaration, (some,), arguments | {"UnfocussedWorkspace": ""}, store)
    assert alone is store["out"]
    assert store.names() == ["out"]
    with pytest.raises(ValueError, match="UnfocussedWorkspace: there is no store"):
        align_and_focus_powder(some, unfocussed_workspace="single")


def test_zeros_stand_for_what_is_not_given(some: EventWorkspace, instrument: Instrument) -> None:
    one = {"grouping_workspace": all_in_one(instrument), "params": "0.5,0.1,3.5"}
    unused = {
        "unwrap_ref": 0, "low_res_ref": 0, "low_res_spectrum_offset": -1, "crop_wavelength_min": 0,
        "crop_wavelength_max": 0, "t_min": 0, "t_max": 0, "remove_prompt_pulse_width": 0,
    }  # fmt: skip
    assert align_and_focus_powder(some, **one, **unused).y.tolist() == align_and_focus_powder(some, **one).y.tolist()


def test_a_table_masks_ranges_of_time_in_some_spectra(some: EventWorkspace, instrument: Instrument) -> None:
    table = TableWorkspace([("str", "SpectraList"), ("double", "XMin"), ("double", "XMax")])
    table.addRow(["", 15_000.0, 16_000.0])
    table.addRow(["0-999", 20_000.0, 21_000.0])
    one = {"grouping_workspace": all_in_one(instrument), "params": FINE, "compress_tolerance": 0}
    everything = align_and_focus_powder(some, **one).getNumberEvents()
    masked = align_and_focus_powder(some, **one, mask_bin_table=table).getNumberEvents()
    counts = rebin(some, [15_000, 1000, 21_000]).y
    assert everything - masked == counts[:, 0].sum() + counts[:1000, 5].sum() > 1000


def test_events_are_compressed_as_asked(some: EventWorkspace, instrument: Instrument) -> None:
    one = {"grouping_workspace": all_in_one(instrument), "dspacing": False}
    ws = algorithms.extract_spectra(some, workspace_index_list=[700])
    events = ws.getNumberEvents()
    ways: dict[str, dict[str, Any]] = {
        "not": {"compress_tolerance": 0},
        "by 1 %": {"compress_tolerance": -0.01},
        "by the mode": {"compress_tolerance": 0.01, "compress_binning_mode": "Logarithmic"},
        "in slots": {"compress_tolerance": -0.01, "compress_wall_clock_tolerance": 1.0},
    }
    kept = {name: align_and_focus_powder(ws, **one, **options).getNumberEvents() for name, options in ways.items()}
    assert kept["not"] == events > kept["by 1 %"] == kept["by the mode"] > 10
    assert kept["in slots"] == kept["by 1 %"]  # all of these events are of one pulse


def test_sorted_events_come_out(some: EventWorkspace, instrument: Instrument) -> None:
    result = align_and_focus_powder(some, grouping_workspace=all_in_one(instrument))
    assert np.all(np.diff(result.getSpectrum(0).getTofs()) >= 0)


def test_without_groups_every_spectrum_is_aligned(silicon: EventWorkspace) -> None:
    result = align_and_focus_powder(silicon, params="0.5,0.05,3.5")
    assert result.n_spectra == 21_560
    total = algorithms.sum_spectra(result)
    peak = int(np.argmax(total.y[0] * (total.x[:-1] > 3)))
    assert total.x[peak] <= SILICON[0] < total.x[peak + 1]


@pytest.mark.parametrize("dspacing", [True, False])
def test_without_groups_spectra_that_are_only_flagged_as_masked_become_zero(
    some: EventWorkspace, dspacing: bool
) -> None:
    counts = some.y.sum(axis=1)
    flags = np.zeros(some.n_spectra, bool)
    flags[[0, int(np.argmax(counts)), -1]] = True
    flagged = some.replaced(spectra=some.spectra.with_masked(flags))
    assert flagged.y.sum() == counts.sum()  # a flag alone takes nothing away
    options = {"params": "0.5,0.05,3.5" if dspacing else "14000,200,34000", "dspacing": dspacing}
    for ws in (flagged, rebin(flagged, [13_000, 20, 35_000], preserve_events=False)):
        result = align_and_focus_powder(ws, **options)
        assert not result.y[flags].any()
        assert not result.e2[flags].any()
        assert result.spectra.masked.tolist() == flags.tolist()
        assert result.y[~flags].sum() > 0.9 * counts[~flags].sum()


def test_a_live_reduction_costs_its_new_events_only(instrument: Instrument) -> None:
    table = EventTable(len(instrument), tick_ns=100)
    one = all_in_one(instrument)
    total: Any = None
    for chunk in range(4):
        new = align_and_focus_powder(
            simulated(instrument, 20_000, seed=chunk, table=table),
            grouping_workspace=one,
            params="0.5,-0.002,3.5",
            remove_prompt_pulse_width=50,
        )
        offered = table.cache.offered
        total = new if total is None else plus(total, new)
        assert len(total.parts) == 1
        assert total.y.sum() > 19_000 * (chunk + 1)
        assert table.cache.offered == offered + 20_000


def test_what_is_wrong_is_said(silicon: EventWorkspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"AlignAndFocusPowder: .*there is no file"):
        align_and_focus_powder(silicon, tmp_path / "none.h5")
    with pytest.raises(ValueError, match="X must be TOF, found 'dSpacing'"):
        align_and_focus_powder(convert_units(silicon, "dSpacing"))
    with pytest.raises(ValueError, match="UnwrapRef: needs TMin and TMax"):
        align_and_focus_powder(silicon, unwrap_ref=63.18, t_min=100)
    with pytest.raises(ValueError, match="LowResRef: needs TMin"):
        align_and_focus_powder(silicon, low_res_ref=20_000)
    with pytest.raises(ValueError, match=r"the limits in TOF must rise, found 500 and 100"):
        align_and_focus_powder(silicon, t_min=500, t_max=100)
