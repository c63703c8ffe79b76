"""AlignDetectors with constants given by hand, from files of each kind, and with a quadratic term."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import convert_units, plus, rebin
from livereduce.algorithms.by_detector import calibration_from_table
from livereduce.algorithms.calibrating import calibration_from_offsets
from livereduce.algorithms.converted_x import Quadratic
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
    TableWorkspace,
    WorkspaceStore,
)

align_detectors: Any = algorithms.align_detectors
load_cal_file: Any = algorithms.load_cal_file
load_diff_cal: Any = algorithms.load_diff_cal
DIFC = np.array([3000.0, 4000.0, 5000.0])
TZERO = np.array([0.0, 20.0, -30.0])
DIFA = np.array([0.0, 50.0, -40.0])
EDGES = np.linspace(2000.0, 12000.0, 21)
IDS = [10, 11, 12]
PLACE = Detectors(IDS, l1=10.0, l2=[2.0, 1.0, 3.0], two_theta=[1.0, 2.0, 0.5])


def table(difa: Any = None, ids: Any = IDS) -> TableWorkspace:
    result = TableWorkspace([("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero")])
    for row in zip(ids, DIFC, np.zeros(3) if difa is None else difa, TZERO, strict=False):
        result.addRow(row)
    return result


def events(n: int = 2000, place: Detectors = PLACE, **options: Any) -> Any:
    rng = np.random.default_rng(2)
    events = EventTable(3)
    events.append(rng.integers(20_000, 120_000, n), rng.integers(0, 3, n), [0], [0, n], [1.0])
    return EventWorkspace([Part(events, 0, n, Plan(3))], place, Run(), **({"edges": EDGES} | options))


def histogram() -> HistogramWorkspace:
    histogram: HistogramWorkspace = events().to_histogram()
    return histogram


@pytest.mark.parametrize("make", [events, histogram])
def test_d_is_time_less_tzero_over_difc(make: Callable[[], Any]) -> None:
    ws = make()
    result = align_detectors(ws, calibration_workspace=table())
    assert result.unit == "dSpacing"
    for i in range(3):
        np.testing.assert_allclose(result.readX(i), (EDGES - TZERO[i]) / DIFC[i])
        np.testing.assert_array_equal(result.readY(i), ws.readY(i))


def test_every_event_has_its_own_d() -> None:
    ws = events(50)
    result = align_detectors(ws, calibration_workspace=table())
    for i in range(3):
        tofs = ws.getSpectrum(i).getTofs()
        np.testing.assert_allclose(result.getSpectrum(i).getTofs(), (tofs - TZERO[i]) / DIFC[i], rtol=1e-12)


def test_the_same_constants_are_the_same_calibration_until_a_cell_is_changed() -> None:
    constants, ws = table(), events()
    found = calibration_from_table(constants)
    assert calibration_from_table(constants) is found
    assert calibration_from_table(table()) is found
    constants.setCell("difc", 1, 2000.0)  # 4000 before: d doubles
    assert calibration_from_table(constants).difc.tolist() == [3000.0, 2000.0, 5000.0]
    before, after = (align_detectors(ws, calibration_workspace=t) for t in (table(), constants))
    np.testing.assert_allclose(after.readX(1), 2 * before.readX(1))


def test_offsets_written_to_in_place_are_worked_out_again() -> None:
    ws = events()
    offsets = HistogramWorkspace(np.zeros(1), [[0.0], [0.25], [0.0]], spectra=Spectra([1, 2, 3], IDS))
    found = calibration_from_offsets(ws, offsets)
    assert calibration_from_offsets(ws, offsets) is found
    assert calibration_from_offsets(events(), offsets) is found
    offsets.dataY(1)[0] = 1.5
    np.testing.assert_allclose(calibration_from_offsets(ws, offsets).difc[1], found.difc[1] / 2)  # 1.25 / 2.5


def root(tof: Any, i: int) -> Any:
    """Textbook root of difa d² + difc d + tzero - tof = 0."""
    if DIFA[i] == 0:
        return (tof - TZERO[i]) / DIFC[i]
    return (-DIFC[i] + np.sqrt(DIFC[i] ** 2 - 4 * DIFA[i] * (TZERO[i] - tof))) / (2 * DIFA[i])


def test_a_quadratic_term_is_solved_for_histograms_and_for_events_alike() -> None:
    ws = events()
    by_events = align_detectors(ws, calibration_workspace=table(DIFA))
    by_histogram = align_detectors(ws.to_histogram(), calibration_workspace=table(DIFA))
    assert isinstance(by_events, EventWorkspace)
    for i in range(3):
        np.testing.assert_allclose(by_histogram.readX(i), root(EDGES, i), rtol=1e-12)
        tofs = ws.getSpectrum(i).getTofs()
        # second times are kept to 1 ns: half of that over difc in d
        np.testing.assert_allclose(by_events.getSpectrum(i).getTofs(), root(tofs, i), rtol=0, atol=0.51e-3 / DIFC[i])
    edges = [0.3, 0.01, 4.5]
    assert np.abs(rebin(by_events, edges).y.sum(axis=1) - ws.y.sum(axis=1)).max() <= 5


def test_the_root_is_the_one_that_becomes_linear_and_keeps_its_digits() -> None:
    # t - tzero = 10000 µs with difc = 5000: linear d = 2. First correction: d = 2 - difa d²/difc = 2 - 4 difa/5000
    found = Quadratic("dSpacing", np.array([1 / 5000]), np.array([-3 / 5000]), bend=np.array([1e-9 / 5000]))
    np.testing.assert_allclose(found.from_tof([10003.0], rows=[0]) - 2.0, [-8e-13], atol=1e-15)


def test_quadratic_events_are_converted_and_counted_once_as_data_come_in() -> None:
    rng = np.random.default_rng(3)
    first = EventTable(3)
    total: Any = None
    for chunk in range(4):
        a, b = first.append(rng.integers(20_000, 120_000, 500), rng.integers(0, 3, 500), [chunk], [0, 500], [1.0])
        ws = EventWorkspace([Part(first, a, b, Plan(3))], PLACE, Run())
        new = rebin(align_detectors(ws, calibration_workspace=table(DIFA)), [0.3, -0.01, 4.5])
        total = new if total is None else plus(total, new)
        assert len(total.parts) == 1
        total.y  # noqa: B018
    assert total.tables[0] is not first
    assert total.tables[0].n == 2000
    assert total.tables[0].cache.offered == 2000
    assert first.cache.offered == 0


def test_windows_in_time_still_hold_after_a_quadratic_term() -> None:
    ws = events()
    cropped = algorithms.crop_workspace(ws, 4000.0, 8000.0)
    kept = cropped.getNumberEvents()
    assert 0 < kept < 2000
    aligned = align_detectors(cropped, calibration_workspace=table(DIFA))
    assert aligned.getNumberEvents() == kept
    cut = ws.planned(lambda plan: plan.without_times([(5000.0, 6000.0)]))
    assert align_detectors(cut, calibration_workspace=table(DIFA)).getNumberEvents() == cut.getNumberEvents() < 2000


def test_times_with_no_real_root_are_dropped() -> None:
    # difc² + 4 difa t < 0 for t > 2000 µs with difa = -5e2, difc = 2000
    bad = TableWorkspace([("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero")])
    bad.addRow([10, 2000.0, -500.0, 0.0])
    times = EventTable(1)
    times.append([15_000, 19_000, 25_000], [0, 0, 0], [0], [0, 3], [1.0])
    place = Detectors([10], l1=1.0, l2=[1.0], two_theta=[1.0])
    ws = EventWorkspace([Part(times, 0, 3, Plan(1))], place, Run())
    result = align_detectors(ws, calibration_workspace=bad)
    np.testing.assert_allclose(result.getSpectrum(0).getTofs(), [1.0, 2 - np.sqrt(0.2)], atol=1e-6)


def test_spectra_without_calibration_become_zero(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = align_detectors(events(), calibration_workspace=table(ids=[10, 12]))
    assert "1 of 3 spectra have no dSpacing (none of their detectors is in the calibration" in caplog.text
    assert result.y.any(axis=1).tolist() == [True, False, True]


def test_grouped_spectra_are_aligned_by_the_mean_of_their_constants() -> None:
    spectra = Spectra.from_groups([1], [[10, 11]])
    ws = HistogramWorkspace(EDGES, np.ones((1, 20)), detectors=PLACE, spectra=spectra)
    result = align_detectors(ws, calibration_workspace=table())
    np.testing.assert_allclose(result.x, (EDGES - 10) / 3500)


def cal_file(path: Path) -> Path:
    path.write_text("# number UDET offset select group\n1 10 0.01 1 1\n2 11 -0.02 1 2\n3 12 0.0 0 2\n")
    return path


def hdf5_file(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("calibration")
        group["detid"], group["difc"] = np.array([12, 10, 11], np.int32), DIFC[[2, 0, 1]]
        group["tzero"], group["group"] = TZERO[[2, 0, 1]], np.array([2, 1, 2], np.int32)
        group["use"] = np.array([1, 1, 0], np.int32)
    return path


def test_offsets_of_a_five_column_file_correct_the_constants_of_the_positions(tmp_path: Path) -> None:
    ws = events()
    result = align_detectors(ws, cal_file(tmp_path / "a.cal"))
    nominal = convert_units(ws, "dSpacing")
    np.testing.assert_allclose(result.readX(0), nominal.readX(0) * 1.01)
    np.testing.assert_allclose(result.readX(1), nominal.readX(1) * 0.98)
    assert not result.readY(2).any()  # it is deselected


def test_an_offsets_workspace_means_the_same_as_the_file(tmp_path: Path) -> None:
    ws = events()
    store = WorkspaceStore()
    loaded = load_cal_file(store, cal_file(tmp_path / "a.cal"), "demo", ws)
    assert store.names() == ["demo_group", "demo_offsets", "demo_mask", "demo_cal"]
    assert loaded.OutputOffsetsWorkspace.readY(0)[0] == pytest.approx(0.01)
    assert loaded.OutputGroupingWorkspace.y[:, 0].tolist() == [1, 2, 2]
    assert loaded.OutputMaskWorkspace.y[:, 0].tolist() == [0, 0, 1]
    assert loaded.OutputMaskWorkspace.spectra.masked.tolist() == [False, False, True]
    by_offsets = align_detectors(ws, offsets_workspace=loaded.OutputOffsetsWorkspace)
    by_table = align_detectors(ws, calibration_workspace=loaded.OutputCalWorkspace)
    assert by_table.extractX()[0].tolist() == pytest.approx(by_offsets.extractX()[0].tolist())
    by_file = align_detectors(ws, tmp_path / "a.cal")
    np.testing.assert_allclose(by_offsets.x[:2], by_file.x[:2], rtol=1e-12)


def test_a_diffraction_calibration_in_hdf5_is_used_row_by_detector(tmp_path: Path) -> None:
    path = hdf5_file(tmp_path / "a.h5")
    result = align_detectors(events(), path)
    np.testing.assert_allclose(result.readX(0), EDGES / 3000)
    np.testing.assert_allclose(result.readX(2), (EDGES + 30) / 5000)
    assert not result.readY(1).any()
    store = WorkspaceStore()
    loaded = load_diff_cal(store, path, "pg3")
    assert sorted(store.names()) == ["pg3_cal", "pg3_group", "pg3_mask"]
    assert loaded.OutputCalWorkspace.toDict() == {
        "detid": [12, 10],
        "difc": [5000, 3000],
        "difa": [0, 0],
        "tzero": [-30, 0],
    }
    by_table = align_detectors(events(), calibration_workspace=loaded.OutputCalWorkspace)
    np.testing.assert_array_equal(by_table.x, result.x)
    assert loaded.OutputGroupingWorkspace.spectra.ids.tolist() == [10, 11, 12]
    assert loaded.OutputGroupingWorkspace.y[:, 0].tolist() == [1, 2, 2]
    assert loaded.OutputMaskWorkspace.y[:, 0].tolist() == [0, 1, 0]


def test_only_the_workspaces_asked_for_are_made(tmp_path: Path) -> None:
    store = WorkspaceStore()
    made = load_diff_cal(store, hdf5_file(tmp_path / "a.h5"), "x", make_mask_workspace=False, make_cal_workspace=False)
    assert store.names() == ["x_group"]
    assert made.OutputMaskWorkspace is None
    assert made.OutputCalWorkspace is None


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path, ws = cal_file(tmp_path / "a.cal"), events()
    before = align_detectors(ws, path)
    path.write_text("1 10 0.25 1 1\n2 11 0 1 1\n3 12 0 1 1\n")
    after = align_detectors(ws, path)
    np.testing.assert_allclose(after.readX(0), before.readX(0) * 1.25 / 1.01)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="AlignDetectors: give exactly one of CalibrationFile"):
        align_detectors(events())
    with pytest.raises(ValueError, match=r"give exactly one of .*found CalibrationFile, CalibrationWorkspace"):
        align_detectors(events(), tmp_path / "a.cal", table())
    with pytest.raises(ValueError, match="there is no file"):
        align_detectors(events(), tmp_path / "none.cal")
    with pytest.raises(ValueError, match="X must be TOF, found 'dSpacing'"):
        align_detectors(convert_units(events(), "dSpacing"), calibration_workspace=table())
    wrong = TableWorkspace([("int", "detid"), ("double", "offset")])
    with pytest.raises(ValueError, match="it has no column difc"):
        align_detectors(events(), calibration_workspace=wrong)
    (tmp_path / "bad.cal").write_text("1 10 0.0\n")
    with pytest.raises(RuntimeError, match=r"AlignDetectors: .*bad.cal, line 1: 3 columns"):
        align_detectors(events(), tmp_path / "bad.cal")
    with pytest.raises(ValueError, match="no instrument"):
        align_detectors(events(place=Detectors(IDS)), cal_file(tmp_path / "a.cal"))
    with pytest.raises(ValueError, match="no spectrum has a dSpacing"):
        align_detectors(events(), calibration_workspace=table(ids=[1, 2, 3]))
