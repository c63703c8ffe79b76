from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import (
    crop_workspace,
    divide,
    extract_spectra,
    filter_by_x_value,
    integration,
    multiply,
    transpose,
)
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, Run, Spectra

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]
X = [0, 1, 2, 3, 4]
ROWS = [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_whole_bins_in_the_range_are_kept(make_histogram: Make) -> None:
    result = crop_workspace(make_histogram(X, ROWS), 0.5, 3)
    assert result.x.tolist() == [1, 2, 3]
    assert result.y.tolist() == [[2, 3], [6, 7]]
    assert result.e[0] == pytest.approx(np.sqrt([2, 3]))


@pytest.mark.parametrize(("x_min", "x_max"), [(None, None), (-5.0, 50.0), (0.0, 4.0), (1e-12, 4 - 1e-12)])
def test_limits_outside_the_data_or_on_its_ends_cut_nothing(
    make_histogram: Make, x_min: float | None, x_max: float | None
) -> None:
    assert crop_workspace(make_histogram(X, ROWS), x_min, x_max).y.tolist() == ROWS


def test_spectra_are_cut_to_a_range_that_includes_its_end(make_histogram: Make) -> None:
    ws = make_histogram(X, [*ROWS, [9, 9, 9, 9]])
    result = crop_workspace(ws, start_workspace_index=1, end_workspace_index=2)
    assert result.y[:, 0].tolist() == [5, 9]
    assert result.getSpectrumNumbers() == [2, 3]
    assert result.getSpectrum(0).getDetectorIDs() == [11]


def test_bins_outside_are_zeroed_where_spectra_have_different_bins(make_histogram: Make) -> None:
    result = crop_workspace(make_histogram([[0, 1, 2, 3, 4], [0, 2, 4, 6, 8]], ROWS), 1, 4)
    assert result.y.tolist() == [[0, 2, 3, 4], [0, 6, 0, 0]]
    assert result.x.shape == (2, 5)


@pytest.mark.parametrize(
    ("low", "high", "edges", "value"),
    [(2.5, 2.5, [2, 4], 3), (2, 2, [2, 4], 3), (2.5, 3.5, [2, 4], 3), (1.5, 2.5, [1, 2], 2), (-5, 0.5, [0, 1], 1)],
)
def test_of_a_range_without_a_whole_bin_the_one_it_begins_in_is_kept(
    make_histogram: Make, low: float, high: float, edges: list[float], value: float
) -> None:
    cropped = crop_workspace(make_histogram([0, 1, 2, 4], [[1, 2, 3]]), low, high)
    assert cropped.x.tolist() == edges
    assert cropped.y.tolist() == [[value]]


def test_the_point_before_a_range_between_points_is_kept(make_histogram: Make) -> None:
    cropped = crop_workspace(make_histogram([0, 1, 3], [[4, 5, 6]]), 1.5, 2.5)
    assert (cropped.x.tolist(), cropped.y.tolist()) == ([1], [[5]])


def test_points_in_the_range_are_kept(make_histogram: Make) -> None:
    result = crop_workspace(make_histogram([0, 1, 2, 3], ROWS), 1, 2)
    assert result.x.tolist() == [1, 2]
    assert result.y.tolist() == [[2, 3], [6, 7]]


def test_ranges_that_make_no_sense_are_refused(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match=r"CropWorkspace: XMin \(3\) is greater than XMax \(1\)"):
        crop_workspace(make_histogram(X, ROWS), 3, 1)
    with pytest.raises(ValueError, match="no bin is between 10 and 20; X is 0 to 4"):
        crop_workspace(make_histogram(X, ROWS), 10, 20)
    with pytest.raises(ValueError, match=r"the first workspace index \(1\) is greater than the last \(0\)"):
        crop_workspace(make_histogram(X, ROWS), start_workspace_index=1, end_workspace_index=0)


def test_events_outside_are_dropped(make_events: MakeEvents) -> None:
    ws = make_events([0.5, 1.5, 2.5, 3.5], edges=X)
    result = crop_workspace(ws, 1, 3)
    assert isinstance(result, EventWorkspace)
    assert result.number_events() == 2
    assert result.x.tolist() == [1, 2, 3]
    assert result.y.tolist() == [[1, 1]]
    assert ws.number_events() == 4


def test_events_on_default_binning_are_cut_to_the_range_itself(make_events: MakeEvents) -> None:
    result = crop_workspace(make_events([0.5, 1.5, 2.5, 3.5]), 1, 3)
    assert result.x.tolist() == [1, 3]
    assert result.y.tolist() == [[2]]
    half_open = crop_workspace(make_events([0.5, 1.5, 2.5, 3.5]), x_min=1)
    assert half_open.getNumberEvents() == 3


def test_events_and_their_histogram_crop_alike(random_events: EventWorkspace) -> None:
    by_events = crop_workspace(random_events, 20, 70, 1, 2)
    by_histogram = crop_workspace(random_events.to_histogram(), 20, 70, 1, 2)
    assert by_events.x.tolist() == by_histogram.x.tolist()
    assert by_events.y.tolist() == by_histogram.y.tolist()


def test_equal_bins_are_cut_even_if_every_spectrum_has_its_own(make_histogram: Make) -> None:
    result = crop_workspace(make_histogram([X, X], ROWS, dx=np.ones((2, 4))), 1, 3)
    assert result.x.tolist() == [1, 2, 3]
    assert result.y.tolist() == [[2, 3], [6, 7]]
    assert isinstance(result, HistogramWorkspace)
    assert result.dx is not None
    assert result.dx.shape == (2, 2)


def test_masked_bins_stay_masked(make_histogram: Make) -> None:
    mask = np.array([[True, False, True, False], [False, False, False, True]])
    result = crop_workspace(make_histogram(X, ROWS, bin_mask=mask), 2, 4, 1, 1)
    assert isinstance(result, HistogramWorkspace)
    assert result.bin_mask is not None
    assert result.bin_mask.tolist() == [[False, True]]


def test_an_event_at_the_upper_limit_a_script_writes_is_kept(make_events: MakeEvents) -> None:
    # 199 * 0.1 is 19.900000000000002 in floating point
    ws = make_events([19.8, 19.9, 20.0], edges=[0, 100])
    assert crop_workspace(ws, 19.9, 19.9000001).getNumberEvents() == 1
    assert filter_by_x_value(ws, 19.9, 19.9).getNumberEvents() == 1
    for tick in range(1, 3000, 7):
        tof = tick / 10
        one = make_events([tof], edges=[0, 1000])
        assert filter_by_x_value(one, tof, tof).number_events() == 1


def test_spectra_are_extracted_by_index_or_detector_in_the_order_of_the_list(make_histogram: Make) -> None:
    ws = make_histogram(X, [*ROWS, [9, 9, 9, 9]])
    assert extract_spectra(ws, workspace_index_list=[2, 0, 2]).y[:, 0].tolist() == [9, 1]
    assert extract_spectra(ws, workspace_index_list=[2, 0]).getSpectrumNumbers() == [3, 1]
    assert extract_spectra(ws, detector_list=[11]).y[:, 0].tolist() == [5]
    assert extract_spectra(ws, detector_list=[12, 10]).y[:, 0].tolist() == [9, 1]
    both = {"workspace_index_list": [1], "start_workspace_index": 0, "end_workspace_index": 2}
    assert extract_spectra(ws, **both).y[:, 0].tolist() == [5]  # type: ignore[arg-type]
    assert extract_spectra(ws, **both | {"detector_list": [12]}).y[:, 0].tolist() == [9]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no spectrum has detector 99"):
        extract_spectra(ws, detector_list=[99])


def test_extracted_events_are_in_the_order_of_the_list(make_events: MakeEvents) -> None:
    ws = make_events([0.5], [0.5, 1.5], [0.5, 1.5, 2.5], edges=X)
    result = extract_spectra(ws, 1, 3, workspace_index_list=[2, 1])
    assert isinstance(result, EventWorkspace)
    assert result.y.tolist() == [[1, 1], [1, 0]]
    assert result.getSpectrumNumbers() == [3, 2]


def test_a_detector_of_a_sum_stands_for_the_whole_spectrum(make_histogram: Make) -> None:
    grouped = Spectra.from_groups([5, 6], [[10, 11], [12]])
    ws = make_histogram(X, ROWS, spectra=grouped)
    assert extract_spectra(ws, detector_list=[11, 10]).getSpectrumNumbers() == [5]
    assert extract_spectra(ws, detector_list=[12, 11]).getSpectrumNumbers() == [6, 5]


@pytest.mark.parametrize(("indices", "axis"), [([1, 2], [2, 3, 4]), ([0, 2], [1.5, 3.5]), ([1], [2, 3])])
def test_the_vertical_axis_is_extracted_with_the_spectra(
    make_histogram: Make, indices: list[int], axis: list[float]
) -> None:
    edges = transpose(make_histogram([1.0, 2.0, 3.0, 4.0], [[7, 8, 9]], unit="Wavelength"))
    result = extract_spectra(edges, workspace_index_list=indices)
    assert result.getAxis(1).extractValues().tolist() == axis
    points = transpose(make_histogram([1.0, 2.0, 3.0], [[7, 8, 9]], unit="Wavelength"))
    expected = [float(i + 1) for i in indices]
    assert extract_spectra(points, workspace_index_list=indices).getAxis(1).extractValues().tolist() == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workspace_index_list": [3]}, "workspace index 3 is not in 0 to 1"),
        ({"workspace_index_list": [-1]}, "workspace index -1 is not in 0 to 1"),
        ({"start_workspace_index": 2}, "workspace index 2 is not in 0 to 1"),
        ({"detector_list": [10, 99]}, "DetectorList: no spectrum has detector 99"),
        ({"x_min": 3, "x_max": 1}, r"XMin \(3\) is greater than XMax \(1\)"),
    ],
)
def test_what_cannot_be_extracted_is_named(make_histogram: Make, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"ExtractSpectra: {message}"):
        extract_spectra(make_histogram(X, ROWS), **given)


def test_everything_is_integrated_without_a_range(make_histogram: Make) -> None:
    result = integration(make_histogram(X, ROWS))
    assert result.y.tolist() == [[10], [26]]
    assert result.e[:, 0] == pytest.approx(np.sqrt([10, 26]))
    assert result.x.tolist() == [0, 4]


def test_only_whole_bins_in_the_range_are_integrated(make_histogram: Make) -> None:
    result = integration(make_histogram(X, ROWS), 0.5, 3.5)
    assert result.y.tolist() == [[5], [13]]
    assert result.x.tolist() == [1, 3]


def test_partial_bins_count_in_proportion_errors_too(make_histogram: Make) -> None:
    result = integration(make_histogram(X, [[1, 2, 3, 4]], [[1, 2, 3, 4]]), 0.5, 3.5, include_partial_bins=True)
    assert result.y.tolist() == [[0.5 + 2 + 3 + 2]]
    assert result.e[0, 0] == pytest.approx(np.sqrt(0.25 + 4 + 9 + 4))
    assert result.x.tolist() == [0.5, 3.5]


def test_a_distribution_is_multiplied_by_its_widths(make_histogram: Make) -> None:
    result = integration(make_histogram([0, 1, 3], [[1, 2]], [[1, 1]], distribution=True))
    assert result.y.tolist() == [[5]]
    assert result.e[0, 0] == pytest.approx(np.sqrt(1 + 4))
    assert not result.isDistribution()


def test_points_are_integrated_as_values_per_x_of_bins_around_them(make_histogram: Make) -> None:
    # edges midway between the points: -0.5, 0.5, 2, 4.5 and, as far out as in, 7.5
    ws = make_histogram([0, 1, 3, 6], [[1, 2, 3, 4]], [[1, 2, 3, 4]])
    whole = integration(ws)
    assert whole.y.tolist() == [[1 * 1 + 2 * 1.5 + 3 * 2.5 + 4 * 3]]
    assert whole.e2.tolist() == [[1 + 9 + 56.25 + 144]]
    assert whole.x.tolist() == [-0.5, 7.5]
    some = integration(ws, 0, 5)
    assert (some.y.tolist(), some.x.tolist()) == ([[10.5]], [0.5, 4.5])
    parts = integration(ws, 0, 5, include_partial_bins=True)
    assert parts.y.tolist() == [[0.5 + 10.5 + 2]]
    assert parts.e2[0, 0] == pytest.approx(0.25 + 9 + 56.25 + 4)
    assert not whole.isDistribution()


def test_spectra_with_different_bins_are_integrated_over_their_own(make_histogram: Make) -> None:
    result = integration(make_histogram([[0, 1, 2, 3, 4], [0, 2, 4, 6, 8]], ROWS), 1, 4)
    assert result.y.tolist() == [[9], [6]]
    assert result.x.tolist() == [[1, 4], [2, 4]]


def test_events_are_counted_from_the_lower_limit_to_before_the_upper(make_events: MakeEvents) -> None:
    ws = make_events([0.5, 1.0, 2.0, 3.0], [1.5], edges=[0, 4])
    result = integration(ws, 1, 3)
    assert isinstance(result, HistogramWorkspace)
    assert result.y.tolist() == [[2], [1]]
    assert result.x.tolist() == [1, 3]
    assert integration(ws).y.tolist() == [[4], [1]]


def test_weighted_events_are_integrated_as_their_histogram(make_events: MakeEvents, make_histogram: Make) -> None:
    weighted = multiply(make_events([0.5, 1.5, 1.6], edges=[0, 1, 2]), make_histogram([0, 1, 2], [[10, 100]]))
    assert integration(weighted).y.tolist() == [[210]]


def test_some_spectra_are_integrated(make_histogram: Make) -> None:
    assert integration(make_histogram(X, ROWS), start_workspace_index=1).y.tolist() == [[26]]
    with pytest.raises(ValueError, match="RangeLower"):
        integration(make_histogram(X, ROWS), 3, 1)


def test_a_distribution_is_integrated_over_parts_of_its_bins(make_histogram: Make) -> None:
    ws = make_histogram([0, 2, 3], [[3, 4]], [[1, 2]], distribution=True)
    result = integration(ws, 1, 2.5, include_partial_bins=True)
    # counts 6 +- 2 and 4 +- 2, of both a half
    assert result.y.tolist() == [[5]]
    assert result.e2.tolist() == [[0.25 * 4 + 0.25 * 4]]


def test_parts_of_bins_of_spectra_with_different_bins(make_histogram: Make) -> None:
    ws = make_histogram([[0, 1, 2], [0, 2, 4]], [[1, 2], [4, 8]])
    result = integration(ws, 0.5, 3, include_partial_bins=True)
    # 1/2 of 1 and all of 2; 3/4 of 4 and 1/2 of 8, variances with the squares
    assert result.y.tolist() == [[2.5], [7]]
    assert result.e2.ravel() == pytest.approx([0.25 + 2, 0.5625 * 4 + 0.25 * 8])
    assert result.x.tolist() == [[0.5, 2], [0.5, 3]]


def test_a_range_within_one_bin_has_nothing_or_its_part(make_histogram: Make) -> None:
    ws = make_histogram([0, 10], [[8]], [[2]])
    assert integration(ws, 2, 4).y.tolist() == [[0]]
    part = integration(ws, 2, 4, include_partial_bins=True)
    assert (part.y[0, 0], part.e[0, 0]) == pytest.approx((1.6, 0.4))
    assert part.x.tolist() == [2, 4]


def test_every_spectrum_may_have_a_range_of_its_own(make_histogram: Make, make_events: MakeEvents) -> None:
    ws = make_histogram([0, 1, 2, 3, 4], [[1, 2, 4, 8], [16, 32, 64, 128]])
    result = integration(ws, range_lower_list=[1, 0], range_upper_list=[4, 2])
    assert result.y.tolist() == [[2 + 4 + 8], [16 + 32]]
    assert result.extractX().tolist() == [[1, 4], [0, 2]]
    # the narrower of two limits counts
    assert integration(ws, 1, range_lower_list=[0, 3]).y.tolist() == [[2 + 4 + 8], [128]]
    assert integration(ws, None, 3, range_upper_list=[2, 4]).y.tolist() == [[1 + 2], [16 + 32 + 64]]
    assert integration(ws, start_workspace_index=1, range_upper_list=[1, 3]).y.tolist() == [[16 + 32 + 64]]
    partial = integration(ws, range_lower_list=[0.5, 0], range_upper=1, include_partial_bins=True)
    assert partial.y.tolist() == [[0.5], [16]]
    assert partial.extractX().tolist() == [[0.5, 1], [0, 1]]
    events = make_events([0.5, 1.5, 2.5], [0.5, 1.5, 2.5], edges=[0.0, 4.0])
    assert integration(events, range_lower_list=[1, 0], range_upper_list=[3, 0.6]).y.tolist() == [[2], [1]]
    with pytest.raises(ValueError, match=r"RangeUpperList: has 1 limits, InputWorkspace has 2 spectra"):
        integration(ws, range_upper_list=[1])
    with pytest.raises(ValueError, match=r"RangeLower \(3\) is greater than RangeUpper \(2\)"):
        integration(ws, range_lower_list=[0, 3], range_upper=2)


def test_ranges_may_be_negative(make_histogram: Make) -> None:
    ws = make_histogram([-2, -1, 0, 1], [[1, 2, 4]])
    assert integration(ws, -2, 0).y.tolist() == [[3]]
    assert integration(ws, range_upper=-1).y.tolist() == [[1]]
    assert integration(ws, 0, 0).y.tolist() == [[0]]


@pytest.mark.parametrize(("limits", "x"), [((10, 20), [10, 20]), ((10, None), [10, 10]), ((-9, -3), [-9, -3])])
def test_a_range_outside_the_data_is_empty_and_its_x_rises(
    make_histogram: Make, make_events: MakeEvents, limits: tuple[float, float | None], x: list[float]
) -> None:
    for ws in (make_histogram(X, ROWS), make_events([0.5, 3.9], [2.0], edges=X)):
        result = integration(ws, *limits)
        assert (result.y.tolist(), result.e.tolist()) == ([[0], [0]], [[0], [0]])
        assert result.x.tolist() == pytest.approx(x)
        assert result.x[1] >= result.x[0]


def test_what_is_not_a_number_makes_only_the_sums_it_is_in(make_histogram: Make) -> None:
    ws = make_histogram(X, [[1, np.nan, 3, 4], [1, 2, 3, 4]])
    np.testing.assert_array_equal(integration(ws, 0, 2).y, [[np.nan], [3]])
    np.testing.assert_array_equal(integration(ws, 2, 4).y, [[7], [7]])


def test_events_with_bins_of_their_own_are_integrated_over_them(make_events: MakeEvents) -> None:
    ws = make_events([0.5, 1.5, 5.0], [3.0, 3.5, 0.1]).replaced(edges=[[0, 1, 2], [3, 3.6, 4]])
    for whole in (integration(ws), integration(ws.to_histogram())):
        assert whole.y.tolist() == [[2], [2]]
        assert whole.x.tolist() == [[0, 2], [3, 4]]
    assert integration(ws, range_lower=1).y.tolist() == [[1], [2]]
    assert integration(ws.to_histogram(), range_lower=1).y.tolist() == [[1], [2]]
    beyond = integration(ws, range_lower=2)  # all of the first's bins are below
    assert beyond.y.tolist() == integration(ws.to_histogram(), range_lower=2).y.tolist() == [[0], [2]]


def test_events_and_their_histogram_integrate_alike_over_whole_bins(random_events: EventWorkspace) -> None:
    rows = np.array(random_events.y)
    for ws in (random_events, random_events.to_histogram()):
        result = integration(ws, 20, 70, 1, 3)
        assert result.y.tolist() == rows[1:, 2:7].sum(axis=1, keepdims=True).tolist()
        assert result.e2.tolist() == result.y.tolist()
        assert result.x.tolist() == [20, 70]
        assert result.getSpectrumNumbers() == [2, 3, 4]


def test_events_that_are_none_integrate_to_nothing(make_events: MakeEvents) -> None:
    assert integration(make_events([], [])).y.tolist() == [[0], [0]]
    assert integration(make_events([], [], edges=X), 1, 2).y.tolist() == [[0], [0]]


def test_masks_and_logs_go_with_the_integral(make_histogram: Make) -> None:
    spectra = Spectra([1, 2], [10, 11], masked=[True, False])
    ws = make_histogram(X, [[0, 0, 0, 0], [1, 2, 3, 4]], spectra=spectra, run=Run({"a": 1}), unit="Wavelength")
    result = integration(ws)
    assert result.spectra.masked.tolist() == [True, False]
    assert (result.getRun()["a"].value, result.unit) == (1, "Wavelength")


@pytest.mark.parametrize("chosen", [{"start_workspace_index": 2}, {"end_workspace_index": -1}])
def test_spectra_that_are_not_there_cannot_be_integrated(make_histogram: Make, chosen: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"Integration: workspace index -?\d is not in 0 to 1"):
        integration(make_histogram(X, ROWS), **chosen)  # type: ignore[arg-type]


def test_events_that_are_a_distribution_are_integrated_as_one(make_events: MakeEvents, make_histogram: Make) -> None:
    events = make_events([0.5, 1.5, 2.5], [0.5, 0.6], edges=[0, 1, 3])
    row = make_histogram([0, 1, 3], [[2, 4]], [[0, 0]])
    for ws in (divide(events, row), divide(events.to_histogram(), row)):
        assert ws.isDistribution()
        result = integration(ws)
        # 1/2 and 2/4 in bins 1 and 2 wide, 2/2 and nothing
        assert result.y.tolist() == [[0.5 * 1 + 0.5 * 2], [1]]
        assert result.e2.tolist() == [[1 / 4 + 4 * 2 / 16], [2 / 4]]
        assert not result.isDistribution()


def test_a_workspace_without_spectra_is_cropped_and_integrated_to_one_without() -> None:
    ws = HistogramWorkspace([0.0, 1.0, 2.0], np.zeros((0, 2)))
    assert crop_workspace(ws, 0, 1).y.shape == (0, 1)
    assert extract_spectra(ws).y.shape == (0, 2)
    result = integration(ws)
    assert result.y.shape == (0, 1)
    assert result.x.tolist() == [0, 2]
