from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import calculate_flat_background
from livereduce.workspaces import Detectors, EventWorkspace, HistogramWorkspace

Make = Callable[..., HistogramWorkspace]
X = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


def test_the_middle_of_a_fitted_line_is_subtracted_as_in_mantids_documentation(make_histogram: Make) -> None:
    ws = make_histogram(X, [3, 1, 1, 1, 7, -3], np.zeros(6), distribution=True)
    assert calculate_flat_background(ws, 2, 4).y.tolist() == [pytest.approx([2, 0, 0, 0, 6, 0])]


def test_the_mean_is_given_as_in_mantids_documentation(make_histogram: Make) -> None:
    ws = make_histogram(X, [3, 4, 2, 3, -3], np.zeros(5))
    result = calculate_flat_background(ws, 1, 3, mode="Mean", output_mode="Return Background")
    assert result.y.tolist() == [pytest.approx([3, 3, 2, 3, -3])]


def test_the_least_moving_average_is_given_as_in_mantids_documentation(make_histogram: Make) -> None:
    x = np.arange(0.5, 9.1, 0.2)
    z = (x[:-1] + 0.1) / 10.0 - 0.5
    y = np.sin(5.5 * (z + 0.1) * np.pi) + 2.0 * np.exp(-((z / 0.1) ** 2)) + 1.0
    result = calculate_flat_background(
        make_histogram(x, y), mode="Moving Average", averaging_window_width=3, output_mode="Return Background"
    )
    assert result.readY(0)[0] == pytest.approx(0.09483, abs=5e-6)


def test_the_line_is_weighted_with_the_errors(make_histogram: Make) -> None:
    y, e = np.array([2.0, 6, 4, 9]), np.array([1.0, 2, 0, 1])
    ws = make_histogram([1, 2, 3, 4], y, e)
    weight = 1 / np.array([1, 2, 1, 1.0])  # an error of 0 counts as 1
    slope, intercept = np.polyfit([1, 2, 3, 4], y, 1, w=weight)
    background = intercept + slope * (0 + 4) / 2
    result = calculate_flat_background(ws, 0, 4, nullify_negative_values=False)
    assert result.y[0] == pytest.approx(y - background)
    assert result.e.tolist() == [e.tolist()]  # the error of the line is left out


def test_the_error_of_a_mean_is_added_in_quadrature(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [4, 6, 20], [1, 2, 3])
    # bins that hold 0.5 and 1.5: mean 5, variance (1 + 4) / 4
    result = calculate_flat_background(ws, 0.5, 1.5, mode="Mean", nullify_negative_values=False)
    assert result.y.tolist() == [[-1, 1, 15]]
    assert result.e[0] == pytest.approx(np.sqrt([1 + 1.25, 4 + 1.25, 9 + 1.25]))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 1, 10), (0, 3, 20), (1, 2, 15), (1.1, 2, 20), (1, 1, 10), (1.5, 2.5, 25), (0, 4, 25)],
)
def test_a_limit_on_an_edge_belongs_to_the_bin_below(
    make_histogram: Make, start: float, end: float, expected: float
) -> None:
    ws = make_histogram([0, 1, 2, 3, 4], [10, 20, 30, 40])
    result = calculate_flat_background(
        ws, start, end, mode="Mean", output_mode="Return Background", nullify_negative_values=False
    )
    assert result.readY(0).tolist() == [expected] * 4


def test_points_of_a_mean_are_those_in_the_range(make_histogram: Make) -> None:
    ws = make_histogram([1, 2, 3], [10, 20, 60])
    result = calculate_flat_background(ws, 2, 3, mode="Mean", output_mode="Return Background")
    assert result.readY(0)[2] == 40


def test_counts_are_taken_per_width(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 3, 7], [2, 8, 8], [1, 2, 4])
    # per width 2, 4, 2 with errors 1, 1, 1; the mean of all is 8/3
    result = calculate_flat_background(ws, 0, 7, mode="Mean", nullify_negative_values=False)
    assert result.y[0] == pytest.approx([2 - 8 / 3, 8 - 16 / 3, 8 - 32 / 3])
    assert result.e[0] == pytest.approx(np.sqrt(1 + 3 / 9) * np.array([1, 2, 4]))


def test_values_that_would_be_negative_become_zero_with_the_background_as_error(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [4, 6, 1], [1, 1, 9])
    result = calculate_flat_background(ws, 0.5, 1.5, mode="Mean")
    assert result.y.tolist() == [[0, 1, 0]]
    assert result.e[0] == pytest.approx([5, np.sqrt(1.5), 9])


def test_a_moving_average_goes_round_at_the_end(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3, 4], [1, 9, 9, 2], [1, 1, 1, 3])
    result = calculate_flat_background(
        ws, mode="Moving Average", averaging_window_width=2, output_mode="Return Background",
        nullify_negative_values=False,
    )  # fmt: skip
    assert result.y.tolist() == [[1.5] * 4]  # of the last and the first bin
    assert result.e[0] == pytest.approx([np.sqrt(10) / 2] * 4)


def test_a_negative_background_is_not_subtracted(make_histogram: Make, caplog: pytest.LogCaptureFixture) -> None:
    ws = make_histogram([0, 1, 2], [[-3, -1], [3, 1]], [[1, 1], [1, 1]])
    result = calculate_flat_background(ws, 0, 2, mode="Mean", nullify_negative_values=False)
    assert result.y.tolist() == [[-3, -1], [1, -1]]
    assert "the background of spectrum 0 is -2; left" in caplog.text
    given = calculate_flat_background(ws, 0, 2, mode="Mean", output_mode="Return Background")
    assert given.y[0].tolist() == given.e[0].tolist() == [0, 0]


def test_only_the_spectra_asked_for_change(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2], [[3, 1], [3, 1]], detectors=Detectors([10, 11], [True, False]))
    chosen = calculate_flat_background(ws, 0, 2, [0], mode="Mean", nullify_negative_values=False)
    assert chosen.y.tolist() == [[1, -1], [3, 1]]
    no_monitors = calculate_flat_background(ws, 0, 2, mode="Mean", skip_monitors=True, nullify_negative_values=False)
    assert no_monitors.y.tolist() == [[3, 1], [1, -1]]


def test_events_become_a_histogram(make_events: Callable[..., EventWorkspace]) -> None:
    ws = make_events([0.5, 1.5, 1.6, 1.7], edges=[0, 1, 2])
    result = calculate_flat_background(ws, 0, 1, mode="Mean")
    assert isinstance(result, HistogramWorkspace)
    assert result.y.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "StartX: must be given with this Mode"),
        ({"start_x": 0}, "EndX: must be given"),
        ({"start_x": 2, "end_x": 1}, r"StartX \(2\) is greater than EndX \(1\)"),
        ({"start_x": 0, "end_x": 1}, "fewer than two bins have their centre between 0 and 1"),
        ({"start_x": 0, "end_x": 9, "mode": "Mean"}, "0 to 9 is not within X, which is 0 to 3"),
        ({"start_x": 0, "end_x": 0, "mode": "Mean"}, "no bin is between 0 and 0"),
        ({"mode": "Moving Average"}, r"AveragingWindowWidth: expected 1 to 3 \(the number of bins\), found nothing"),
        ({"mode": "Moving Average", "averaging_window_width": 4}, "expected 1 to 3 .*, found 4"),
        ({"start_x": 0, "end_x": 3, "workspace_index_list": [1]}, "workspace index 1 is not in 0 to 0"),
    ],
)
def test_wrong_properties_are_named(make_histogram: Make, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"CalculateFlatBackground: .*{message}"):
        calculate_flat_background(make_histogram([0, 1, 2, 3], [1, 2, 3]), **given)


def test_a_single_bin_has_no_background(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="has 1 bin; at least two are needed"):
        calculate_flat_background(make_histogram([0, 1], [1]), 0, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("mode", ["Mean", "Linear Fit"])
def test_a_range_with_a_value_that_is_no_number_gives_none_and_other_spectra_theirs(
    make_histogram: Make, value: float, mode: Any
) -> None:
    ws = make_histogram([0, 1, 2, 3], [[5, value, 5], [5, 5, 7]], np.ones((2, 3)), distribution=True)
    result = calculate_flat_background(ws, 0.1, 2, mode=mode, output_mode="Return Background")
    assert not np.isfinite(result.y[0]).all()
    assert result.y[1] == pytest.approx([5, 5, 5])


def test_a_moving_average_goes_round_values_that_are_no_numbers(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3, 4, 5], [[9, np.nan, 3, 5, 7]], np.ones((1, 5)), distribution=True)
    result = calculate_flat_background(
        ws, mode="Moving Average", averaging_window_width=2, nullify_negative_values=False
    )
    # windows without NaN: 3 and 5, 5 and 7, 7 and (going round) 9; the least mean is 4
    assert result.y[0, [0, 2, 3, 4]].tolist() == [5, -1, 1, 3]
    assert result.e[0, 0] == pytest.approx(np.sqrt(1 + 2 / 4))
