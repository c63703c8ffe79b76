from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import convert_units, mask_bins, mask_detectors, multiply, plus, rebin
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

diffraction_focussing: Any = algorithms.diffraction_focussing
Make = Callable[..., Any]


def grouping(*groups: int) -> HistogramWorkspace:
    """Group of detectors 10, 11, ..."""
    spectra = Spectra(np.arange(len(groups)), np.arange(10, 10 + len(groups)))
    return HistogramWorkspace(np.zeros(1), np.array(groups, float).reshape(-1, 1), spectra=spectra)


def slow_focus(ws: HistogramWorkspace, members: list[int], edges: np.ndarray) -> np.ndarray:
    """Counts of these spectra shared out bin by bin."""
    total = np.zeros(len(edges) - 1)
    for i in members:
        x, y = ws.readX(i), ws.readY(i)
        for j in range(len(y)):
            for k in range(len(total)):
                overlap = min(x[j + 1], edges[k + 1]) - max(x[j], edges[k])
                total[k] += y[j] * max(overlap, 0) / (x[j + 1] - x[j])
    return total


def test_a_group_is_summed_in_logarithmic_bins_from_its_least_to_its_greatest_x(make_histogram: Make) -> None:
    x = [[1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 8.0], [2.0, 3.0, 5.0, 6.0]]
    ws = make_histogram(x, [[10, 20, 30], [40, 50, 60], [70, 80, 90]], unit="dSpacing")
    result = diffraction_focussing(ws, grouping_workspace=grouping(5, 2, 5))
    assert result.getSpectrumNumbers() == [2, 5]
    assert [list(result.getSpectrum(i).getDetectorIDs()) for i in (0, 1)] == [[11], [10, 12]]
    step = (np.log(6.0) - np.log(1.0)) / 3
    edges = 1.0 * (1 + step) ** np.arange(4)
    np.testing.assert_allclose(result.readX(1), edges)
    assert edges[-1] < 6.0
    np.testing.assert_allclose(result.readY(1), slow_focus(ws, [0, 2], edges))
    step = (np.log(8.0) - np.log(1.5)) / 3
    np.testing.assert_allclose(result.readX(0), 1.5 * (1 + step) ** np.arange(4))
    assert result.unit == "dSpacing"


def test_an_axis_that_begins_at_zero_begins_at_its_end_over_its_bins(make_histogram: Make) -> None:
    result = diffraction_focussing(make_histogram([0.0, 1.0, 4.0], [[1, 1]]), grouping_workspace=grouping(1))
    np.testing.assert_allclose(result.x[0], 2.0)
    np.testing.assert_allclose(result.x[1], 2.0 * (1 + np.log(2.0) / 2))


def test_spectra_in_no_group_or_masked_are_left_out(make_histogram: Make) -> None:
    ws = make_histogram([1.0, 2.0, 4.0], [[1, 1], [2, 2], [4, 4], [8, 8]])
    masked = mask_detectors(ws, workspace_index_list=[1])
    result = diffraction_focussing(masked, grouping_workspace=grouping(1, 1, 0, 1), d_min=1, d_max=4, delta=1.5)
    # new bins 1 to 2.5 to 4: the first has the old first and a quarter of the second
    np.testing.assert_allclose(result.y, [[9 * 1.25, 9 * 0.75]])
    np.testing.assert_allclose(result.e2, [[9 * 1.25, 9 * 0.75]])


def test_a_bin_masked_in_some_spectra_stands_for_all_of_them(make_histogram: Make) -> None:
    ws = make_histogram([1.0, 2.0, 3.0], [[10, 10], [12, 10]])
    masked = mask_bins(ws, 1.0, 2.0, [0])
    result = diffraction_focussing(masked, grouping_workspace=grouping(1, 1), d_min=1, d_max=3, delta=1)
    assert result.y.tolist() == [[24, 20]]
    assert result.e.tolist() == [[pytest.approx(2 * np.sqrt(12)), pytest.approx(np.sqrt(20))]]


def test_events_are_joined_and_keep_their_common_bins(random_events: EventWorkspace) -> None:
    result = diffraction_focussing(random_events, grouping_workspace=grouping(2, 1, 2, 0))
    assert isinstance(result, EventWorkspace)
    np.testing.assert_array_equal(result.x, random_events.x)
    np.testing.assert_array_equal(result.y[0], random_events.y[1])
    np.testing.assert_array_equal(result.y[1], random_events.y[0] + random_events.y[2])
    histogram = diffraction_focussing(random_events, grouping_workspace=grouping(2, 1, 2, 0), preserve_events=False)
    assert isinstance(histogram, HistogramWorkspace)
    np.testing.assert_array_equal(histogram.y, result.y)


def test_events_with_bins_of_their_own_get_those_of_their_histogram() -> None:
    ws = in_d()
    by_events = diffraction_focussing(ws, grouping_workspace=grouping(1, 2, 1))
    by_histogram = diffraction_focussing(ws.to_histogram(), grouping_workspace=grouping(1, 2, 1))
    np.testing.assert_allclose(by_events.x, by_histogram.x)
    assert by_events.y.sum() == pytest.approx(by_histogram.y.sum(), rel=0.02)  # a histogram knows no more of its bins


def in_d(n: int = 3000) -> EventWorkspace:
    rng = np.random.default_rng(8)
    table = EventTable(3)
    table.append(rng.integers(30_000, 100_000, n), rng.integers(0, 3, n), [0], [0, n], [1.0])
    place = Detectors([10, 11, 12], l1=10.0, l2=[1.0, 2.0, 1.5], two_theta=[1.0, 2.0, 1.1])
    ws = EventWorkspace([Part(table, 0, n, Plan(3))], place, Run(), edges=np.linspace(3000, 10_000, 101))
    result = convert_units(ws, "dSpacing")
    assert isinstance(result, EventWorkspace)
    return result


def test_the_same_from_events_and_histogram_in_given_bins() -> None:
    edges = np.linspace(0.5, 4.0, 8)
    ws = rebin(in_d(), [0.5, 0.5, 4.0])
    options = {"grouping_workspace": grouping(1, 2, 1), "d_min": 0.5, "d_max": 4.0, "delta": 0.5}
    by_events = diffraction_focussing(ws, **options)
    by_histogram = diffraction_focussing(rebin(in_d(), [0.5, 0.5, 4.0], preserve_events=False), **options)
    np.testing.assert_allclose(by_events.x, edges)
    np.testing.assert_allclose(by_events.y, by_histogram.y, rtol=1e-12)
    np.testing.assert_allclose(by_events.e2, by_histogram.e2, rtol=1e-12)


def test_each_group_may_have_bins_of_its_own() -> None:
    options = {"grouping_workspace": grouping(1, 2, 1), "d_min": [0.5, 1.0], "d_max": [4.0, 4.5]}
    result = diffraction_focussing(in_d(), **options, delta=0.5)
    np.testing.assert_allclose(result.x, [np.arange(0.5, 4.1, 0.5), np.arange(1.0, 4.6, 0.5)])
    with pytest.raises(ValueError, match=r"different numbers of bins \(7, 4\)"):
        diffraction_focussing(in_d(), **options, delta=[0.5, 1.0])
    with pytest.raises(ValueError, match="all of DMin, DMax and Delta"):
        diffraction_focussing(in_d(), **options)
    with pytest.raises(ValueError, match="DMax: 3 values for 2 groups"):
        diffraction_focussing(in_d(), **options | {"d_max": [1, 2, 3]}, delta=1)


def test_what_is_left_over_of_the_last_bin_may_be_dropped() -> None:
    options = {"grouping_workspace": grouping(1, 1, 1), "d_min": 0.5, "d_max": 2.4, "delta": 0.5}
    assert diffraction_focussing(in_d(), **options).x.tolist() == [0.5, 1.0, 1.5, 2.0, 2.4]
    assert diffraction_focussing(in_d(), **options, full_bins_only=True).x.tolist() == [0.5, 1.0, 1.5, 2.0]


def test_weights_by_spectrum_go_into_the_sum(random_events: EventWorkspace, make_histogram: Make) -> None:
    weights = make_histogram([0.0, 100.0], [[1], [2], [3], [4]], [[0], [0], [0], [0]])
    result = diffraction_focussing(
        multiply(random_events, weights), grouping_workspace=grouping(1, 1, 1, 1), d_min=0, d_max=100, delta=10
    )
    np.testing.assert_allclose(result.y[0], (random_events.y * [[1], [2], [3], [4]]).sum(axis=0))


def test_groups_come_from_files_of_each_kind(random_events: EventWorkspace, tmp_path: Path) -> None:
    (tmp_path / "a.cal").write_text("1 10 0 1 2\n2 11 0 1 1\n3 12 0 1 2\n4 13 0 0 1\n")
    (tmp_path / "a.xml").write_text(
        '<detector-grouping><group ID="2"><detids val="10,12"/></group><group ID="1"><detids val="11"/></group>'
        "</detector-grouping>"
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["calibration/detid"], file["calibration/difc"] = [10, 11, 12, 13], [1.0, 1, 1, 1]
        file["calibration/group"], file["calibration/use"] = [2, 1, 2, 1], [1, 1, 1, 0]
    place = Detectors([10, 11, 12, 13], l1=10.0, l2=np.ones(4), two_theta=np.ones(4))
    ws = random_events.replaced(detectors=place)
    expected = diffraction_focussing(ws, grouping_workspace=grouping(2, 1, 2, 0))
    for name in ("a.cal", "a.xml", "a.h5"):
        result = diffraction_focussing(ws, tmp_path / name)
        assert result.getSpectrumNumbers() == [1, 2]
        np.testing.assert_array_equal(result.y, expected.y)


def test_what_is_wrong_is_said(random_events: EventWorkspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give GroupingFileName or GroupingWorkspace"):
        diffraction_focussing(random_events)
    with pytest.raises(ValueError, match="there is no file"):
        diffraction_focussing(random_events, tmp_path / "none.cal")
    with pytest.raises(ValueError, match="no detector of the workspace is in a group"):
        diffraction_focussing(random_events, grouping_workspace=grouping(0, 0))
    with pytest.raises(ValueError, match="has no value for each detector"):
        diffraction_focussing(random_events, grouping_workspace=random_events.to_histogram())


def test_a_spectrum_of_detectors_of_two_groups_is_in_none(
    make_histogram: Make, caplog: pytest.LogCaptureFixture
) -> None:
    spectra = Spectra.from_groups([1, 2, 3], [[10, 11], [12], []])
    ws = make_histogram([1.0, 2.0], [[1], [2], [4]], spectra=spectra)
    result = diffraction_focussing(ws, grouping_workspace=grouping(1, 2, 2), d_min=1, d_max=2, delta=1)
    assert result.y.tolist() == [[2]]
    assert "1 spectra have detectors of several groups" in caplog.text


def test_focused_events_are_counted_once_as_data_come_in() -> None:
    rng = np.random.default_rng(4)
    table = EventTable(3)
    total: Any = None
    place = Detectors([10, 11, 12], l1=10.0, l2=[1.0, 2.0, 1.5], two_theta=[1.0, 2.0, 1.1])
    for chunk in range(5):
        a, b = table.append(rng.integers(30_000, 100_000, 400), rng.integers(0, 3, 400), [chunk], [0, 400], [1.0])
        ws = rebin(convert_units(EventWorkspace([Part(table, a, b, Plan(3))], place, Run()), "dSpacing"), [0.5, 0.1, 4])
        new = diffraction_focussing(ws, grouping_workspace=grouping(1, 2, 1))
        total = new if total is None else plus(total, new)
        assert len(total.parts) == 1
        total.y  # noqa: B018
    assert table.cache.offered == 2000
