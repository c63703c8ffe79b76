from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.workspaces import EventWorkspace, HistogramWorkspace

resample_x: Any = algorithms.resample_x
Make = Callable[..., Any]


def test_there_are_as_many_bins_as_asked_for_between_the_ends_of_the_data(make_histogram: Make) -> None:
    result = resample_x(make_histogram([0.0, 1.0, 2.0, 4.0], [[4, 8, 16]]), 2)
    assert result.x.tolist() == [0, 2, 4]
    assert result.y.tolist() == [[12, 16]]


@pytest.mark.parametrize("options", [{"number_bins": -3}, {"number_bins": 3, "log_binning": True}])
def test_logarithmic_bins_grow_by_one_factor(make_histogram: Make, options: dict[str, Any]) -> None:
    result = resample_x(make_histogram([1.0, 5.0], [[16]]), **options, x_min=1, x_max=8)
    np.testing.assert_allclose(result.x, [1, 2, 4, 8])
    np.testing.assert_allclose(result.y, [[4, 8, 4]])


def test_each_spectrum_may_have_limits_of_its_own(random_events: EventWorkspace) -> None:
    low, high = [0, 10, 20, 30], [40, 50, 60, 70]
    by_events = resample_x(random_events, 2, low, high)
    assert isinstance(by_events, EventWorkspace)
    assert by_events.x.tolist() == [[a, a + 20, a + 40] for a in low]
    by_histogram = resample_x(random_events.to_histogram(), 2, low, high)
    np.testing.assert_array_equal(by_events.x, by_histogram.x)
    np.testing.assert_array_equal(by_events.y, by_histogram.y)  # old edges are among the new
    np.testing.assert_array_equal(by_events.e2, by_histogram.e2)
    dense = resample_x(random_events, 2, low, high, preserve_events=False)
    assert isinstance(dense, HistogramWorkspace)
    np.testing.assert_array_equal(dense.y, by_events.y)


def test_spectra_of_a_histogram_are_resampled_over_their_own_data(make_histogram: Make) -> None:
    result = resample_x(make_histogram([[0, 1, 2], [10, 12, 14]], [[1, 3], [5, 7]]), 1)
    assert result.x.tolist() == [[0, 2], [10, 14]]
    assert result.y.tolist() == [[4], [12]]


def test_events_without_limits_are_resampled_over_all_of_them(make_events: Make) -> None:
    result = resample_x(make_events([10.0, 30.0], [50.0]), 4)
    assert result.x.tolist() == [10, 20, 30, 40, 50]


def test_what_is_wrong_is_said(make_histogram: Make) -> None:
    ws = make_histogram([0.0, 1.0, 2.0], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="ResampleX: NumberBins: must not be 0"):
        resample_x(ws, 0)
    with pytest.raises(ValueError, match=r"XMin \(3\) must be below XMax \(2\)"):
        resample_x(ws, 5, 3)
    with pytest.raises(ValueError, match="must start above 0, found 0"):
        resample_x(ws, -5)
    with pytest.raises(ValueError, match="XMin: 3 values for 2 spectra"):
        resample_x(ws, 5, [1, 2, 3])


def test_without_limits_the_bins_there_are_give_them(make_events: Make) -> None:
    events = make_events([0.5, 1.5, 9.0], [0.1, 0.2], edges=[0, 1, 2])
    for ws in (events, events.to_histogram()):
        result = resample_x(ws, 1)
        assert result.x.tolist() == [0, 2]
        assert result.y.tolist() == [[2], [2]]
    ragged = make_events([0.5, 1.5], [3.0, 3.5, 0.1]).replaced(edges=[[0, 1, 2], [3, 3.6, 4]])
    for ws in (ragged, ragged.to_histogram()):
        result = resample_x(ws, 1)
        assert result.x.tolist() == [[0, 2], [3, 4]]
        assert result.y.tolist() == [[2], [2]]


def test_one_limit_may_come_from_the_data(make_histogram: Make) -> None:
    ws = make_histogram([-2.0, 0.0, 2.0], [[4, 8]])
    assert resample_x(ws, 2, x_max=0).x.tolist() == [-2, -1, 0]
    assert resample_x(ws, 2, x_max=0).y.tolist() == [[2, 2]]
    assert resample_x(ws, 2, x_min="-1").x.tolist() == [-1, 0.5, 2]


def test_infinite_edges_are_no_limits(make_histogram: Make) -> None:
    result = resample_x(make_histogram([[0, 1, np.inf], [0, 3, 4]], [[1, 2], [3, 4]]), 1)
    assert result.x.tolist() == [0, 4]
    assert result.y[1].tolist() == [7]
    with pytest.raises(ValueError, match="XMin: the workspace has no finite X to take it from"):
        resample_x(make_histogram([-np.inf, np.inf], [[1]]), 1)


def test_points_are_resampled_to_points(make_histogram: Make) -> None:
    result = resample_x(make_histogram([1.0, 2.0, 3.0], [[1, 2, 3]]), 1)
    # edges midway between: 0.5 to 3.5
    assert (result.x.tolist(), result.y.tolist(), result.is_histogram) == ([2], [[6]], False)


def test_a_distribution_is_averaged(make_histogram: Make) -> None:
    result = resample_x(make_histogram([0, 1, 3], [[1, 2]], [[1, 2]], distribution=True), 1)
    # counts 1 +- 1 and 4 +- 4 over a width of 3; the error of a distribution by Rebin's rule: 1*1*1 + 4*2*2
    assert result.y[0] == pytest.approx([5 / 3])
    assert result.e2[0] == pytest.approx([17 / 9])
    assert result.isDistribution()


def test_workspaces_without_events_can_be_resampled(make_events: Make) -> None:
    result = resample_x(make_events([], []), 2, 0, 10)
    assert result.x.tolist() == [0, 5, 10]
    assert result.y.tolist() == [[0, 0], [0, 0]]


def test_masked_bins_mask_what_they_go_into(make_histogram: Make) -> None:
    ws = make_histogram([[0, 1, 2], [0, 2, 4]], [[0, 2], [1, 3]], bin_mask=[[True, False], [False, False]])
    assert resample_x(ws, 2, 0, 2).bin_mask.tolist() == [[True, False], [False, False]]
    by_row = resample_x(ws, 2)
    assert by_row.x.tolist() == [[0, 1, 2], [0, 2, 4]]
    assert by_row.bin_mask.tolist() == [[True, False], [False, False]]


def test_points_of_their_own_stay_points(make_histogram: Make) -> None:
    result = resample_x(make_histogram([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], [[1, 2, 3], [4, 5, 6]]), 1)
    # edges 0.5 to 3.5 and 1 to 7
    assert result.x.tolist() == [[2], [4]]
    assert result.y.tolist() == [[6], [15]]


def test_logarithmic_bins_of_events_binned_from_zero_begin_at_the_first_event(make_events: Make) -> None:
    ws = make_events([5.0, 15.0], [12.0], edges=[0, 10, 20])
    result = resample_x(ws, -2)
    assert result.x == pytest.approx([5, 10, 20])
    assert result.y.tolist() == [[1, 1], [0, 1]]
    with pytest.raises(ValueError, match="must start above 0, found 0"):
        resample_x(ws.to_histogram(), -2)
    with pytest.raises(ValueError, match="must start above 0, found 0"):
        resample_x(ws, -2, x_min=0)
