import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import (
    create_single_valued_workspace,
    divide,
    minus,
    multiply,
    plus,
    power,
    scale,
    sum_spectra,
)
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, Run, Spectra, TimeSeries

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]

X = [0, 1, 2]


def test_sums_and_differences_add_errors_in_quadrature(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[10, 20]], [[3, 6]]), make_histogram(X, [[1, 2]], [[4, 8]])
    assert plus(a, b).y.tolist() == [[11, 22]]
    assert minus(a, b).y.tolist() == [[9, 18]]
    assert plus(a, b).e.tolist() == minus(a, b).e.tolist() == [[5, 10]]


def test_products_and_quotients_propagate_errors(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[10, 0]], [[3, 2]]), make_histogram(X, [[2, 4]], [[1, 1]])
    # product: sqrt((3*2)^2 + (1*10)^2) and sqrt((2*4)^2 + 0)
    assert multiply(a, b).y.tolist() == [[20, 0]]
    assert multiply(a, b).e[0] == pytest.approx([np.sqrt(136), 8])
    # quotient: 5 * sqrt((3/10)^2 + (1/2)^2); a numerator of zero keeps e1/y2
    assert divide(a, b).y.tolist() == [[5, 0]]
    assert divide(a, b).e[0] == pytest.approx([5 * np.sqrt(0.09 + 0.25), 0.5])


def test_a_number_has_no_error(make_histogram: Make) -> None:
    a = make_histogram(X, [[10, 20]], [[3, 6]])
    for result, y, e in [
        (plus(a, 1), [11, 21], [3, 6]),
        (minus(a, 1), [9, 19], [3, 6]),
        (multiply(a, 2), [20, 40], [6, 12]),
        (divide(a, 2), [5, 10], [1.5, 3]),
        (plus(1, a), [11, 21], [3, 6]),
        (minus(1, a), [-9, -19], [3, 6]),
        (multiply(2, a), [20, 40], [6, 12]),
    ]:
        assert result.y.tolist() == [y]
        assert result.e.tolist() == [e]
    inverse = divide(40, a)
    assert inverse.y.tolist() == [[4, 2]]
    assert inverse.e[0] == pytest.approx([4 * 0.3, 2 * 0.3])


def test_two_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="both numbers"):
        plus(1, 2)


def test_a_single_value_workspace_is_a_number_with_an_error(make_histogram: Make) -> None:
    a, number = make_histogram(X, [[10, 20]], [[3, 6]]), create_single_valued_workspace(2, 4)
    assert plus(a, number).e.tolist() == [[5, np.sqrt(52)]]
    assert minus(number, a).y.tolist() == [[-8, -18]]
    assert multiply(a, number).unit == a.unit


def test_one_spectrum_on_the_right_is_taken_for_all(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[1, 2], [3, 4]]), make_histogram(X, [[10, 20]])
    assert minus(a, b).y.tolist() == [[-9, -18], [-7, -16]]


def test_one_bin_on_the_right_is_a_value_for_each_spectrum(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[1, 2], [3, 4]]), make_histogram([0, 2], [[10], [100]])
    assert multiply(a, b).y.tolist() == [[10, 20], [300, 400]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_unit": "other"}, "Y is in 'Counts' on the left and 'other' on the right"),
        ({"unit": "Wavelength"}, "X is in 'TOF' on the left and 'Wavelength' on the right"),
    ],
)
def test_units_must_agree_to_add(make_histogram: Make, change: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match="cannot be added") as caught:
        plus(make_histogram(X, [[1, 2]]), make_histogram(X, [[1, 2]], **change))
    assert message in str(caught.value)


def test_bins_must_agree_to_within_rounding(make_histogram: Make) -> None:
    a = make_histogram([0, 1, 2], [[1, 2]])
    assert plus(a, make_histogram([0, 1, 2 + 1e-9], [[1, 2]])).y.tolist() == [[2, 4]]
    with pytest.raises(ValueError, match="their bins differ"):
        plus(a, make_histogram([0, 1, 3], [[1, 2]]))


def test_shapes_that_do_not_go_together_are_named(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="the left has 2 spectra of 2 bins, the right 3 of 2"):
        minus(make_histogram(X, np.ones((2, 2))), make_histogram(X, np.ones((3, 2))))


def test_a_division_by_zero_gives_infinity_or_nan_and_a_warning(
    make_histogram: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = divide(make_histogram(X, [[1, 0]]), make_histogram(X, [[0, 0]]))
    assert np.isinf(result.y[0, 0])
    assert np.isnan(result.y[0, 1])
    assert "2 values of the denominator are zero" in caplog.text
    caplog.clear()
    divide(make_histogram(X, [[1, 0]]), 0, warn_on_zero_divide=False)
    assert caplog.text == ""


def test_a_quotient_of_the_same_unit_is_a_distribution_without_unit(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2]])
    assert (divide(a, a).YUnit(), divide(a, a).isDistribution()) == ("", True)
    monitor = make_histogram([0, 2], [[4]], y_unit="Monitor")
    wide = make_histogram(X, [[1, 2], [1, 2]])
    assert divide(wide, make_histogram([0, 2], [[4], [4]], y_unit="Monitor")).YUnit() == "Counts/Monitor"
    assert divide(wide, monitor).YUnit() == "Counts"


def test_masked_spectra_of_either_side_mask_the_result(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2], [3, 4]], spectra=Spectra([1, 2], [10, 11], masked=[True, False]))
    b = make_histogram(X, [[1, 2], [3, 4]], spectra=Spectra([1, 2], [10, 11], masked=[False, True]))
    result = plus(a, b)
    assert result.spectra.masked.tolist() == [True, True]
    assert result.y.tolist() == [[0, 0], [0, 0]]
    assert multiply(a, 2).y.tolist() == [[0, 0], [6, 8]]


def test_logs_are_merged_in_sums_and_not_in_products(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2]], run=Run({"gd_prtn_chrg": 1.0, "T": TimeSeries("T", [0], [5.0])}))
    b = make_histogram(X, [[1, 2]], run=Run({"gd_prtn_chrg": 2.0, "T": TimeSeries("T", [10], [6.0])}))
    for result in (plus(a, b), minus(a, b)):
        assert result.getRun().getProtonCharge() == 3.0
        assert result.getRun()["T"].value.tolist() == [5, 6]
    assert multiply(a, b).getRun().getProtonCharge() == 1.0
    assert a.getRun().getProtonCharge() == 1.0


def test_spectra_can_be_matched_by_their_detectors(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2], [3, 4], [5, 6]])  # detectors 10, 11, 12
    b = make_histogram(X, [[10, 20], [30, 40]], spectra=Spectra([7, 8], [12, 10]))
    result = plus(a, b, allow_different_number_spectra=True)
    assert result.y.tolist() == [[31, 42], [0, 0], [15, 26]]
    assert result.spectra.masked.tolist() == [False, True, False]


def test_events_are_joined_whatever_their_bins(make_events: MakeEvents) -> None:
    a, b = make_events([1.0, 5.0], [2.0], edges=[0, 5, 10]), make_events([1.5], [8.0, 9.0], edges=[0, 10])
    both = plus(a, b)
    assert isinstance(both, EventWorkspace)
    assert both.number_events() == 6
    assert both.y.tolist() == [[2, 1], [1, 2]]
    difference = minus(a, b)
    assert isinstance(difference, EventWorkspace)
    assert difference.y.tolist() == [[0, 1], [1, -2]]
    assert difference.e2.tolist() == [[2, 1], [1, 2]]


def test_events_of_different_numbers_of_spectra_are_not_joined(make_events: MakeEvents) -> None:
    with pytest.raises(ValueError, match="the left has 1 spectra, the right 2"):
        plus(make_events([1.0]), make_events([1.0], [1.0]))


def test_events_with_a_number_or_a_histogram_added_become_a_histogram(
    make_events: MakeEvents, make_histogram: Make
) -> None:
    events = make_events([0.5, 1.5, 1.6], edges=X)
    for result in (plus(events, 10), plus(events, make_histogram(X, [[10, 10]], [[0, 0]]))):
        assert isinstance(result, HistogramWorkspace)
        assert result.y.tolist() == [[11, 12]]
    assert minus(make_histogram(X, [[10, 10]]), events).y.tolist() == [[9, 8]]


@pytest.mark.parametrize(
    ("values", "errors"),
    [([[2, 4], [5, 10]], [[1, 1], [1, 2]]), ([[2, 4]], [[0.5, 0.25]])],
)
def test_events_times_a_histogram_stay_events_and_equal_the_histograms_product(
    make_events: MakeEvents, make_histogram: Make, values: Any, errors: Any
) -> None:
    events = make_events([0.5, 1.5, 1.6], [0.1, 0.2], edges=X)
    factor = make_histogram(X, values, errors)
    for operation in (multiply, divide):
        result, expected = operation(events, factor), operation(events.to_histogram(), factor)
        assert isinstance(result, EventWorkspace)
        np.testing.assert_allclose(result.y, expected.y)
        np.testing.assert_allclose(result.e, expected.e)
        assert result.YUnit() == expected.YUnit()


def test_events_times_a_column_stay_events_that_can_be_rebinned(make_events: MakeEvents, make_histogram: Make) -> None:
    events = make_events([0.5, 1.5], [0.1], edges=X)
    result = multiply(events, make_histogram([0, 2], [[2], [3]], [[0], [0]]))
    assert isinstance(result, EventWorkspace)
    assert result.y.tolist() == [[2, 2], [3, 0]]
    assert sum_spectra(result).y.tolist() == [[5, 2]]


def test_events_times_a_number_keep_relative_errors(make_events: MakeEvents) -> None:
    result = divide(make_events([0.5, 0.6, 0.7, 0.8], edges=[0, 1]), 2)
    assert isinstance(result, EventWorkspace)
    assert result.y.tolist() == [[2]]
    assert result.e.tolist() == [[1]]


def test_scale_multiplies_values_and_errors_or_shifts_values(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2]], [[3, 4]])
    assert (scale(a, 10).y.tolist(), scale(a, 10).e.tolist()) == ([[10, 20]], [[30, 40]])
    shifted = scale(a, 10, "Add")
    assert (shifted.y.tolist(), shifted.e.tolist()) == ([[11, 12]], [[3, 4]])


def test_power_propagates_to_first_order(make_histogram: Make) -> None:
    result = power(make_histogram(X, [[3, 2]], [[0.1, 0.2]]), 2)
    assert result.y.tolist() == [[9, 4]]
    assert result.e[0] == pytest.approx([0.6, 0.8])


def test_operands_are_left_as_they_were(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[1, 2]]), make_histogram(X, [[3, 4]])
    plus(a, b)
    divide(a, b)
    assert (a.y.tolist(), b.y.tolist()) == ([[1, 2]], [[3, 4]])
    assert (a.YUnit(), a.isDistribution()) == ("Counts", False)


def test_operators_mean_the_algorithms(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[4, 9]]), make_histogram(X, [[2, 3]])
    results: list[tuple[MatrixWorkspace, list[float]]] = [
        (a + b, [6, 12]), (a - b, [2, 6]), (a * b, [8, 27]), (a / b, [2, 3]), (a + 1, [5, 10]), (1 + a, [5, 10]),
        (a - 1, [3, 8]), (1 - a, [-3, -8]), (a * 2, [8, 18]), (2 * a, [8, 18]), (a / 2, [2, 4.5]), (36 / a, [9, 4]),
        (a**2, [16, 81]), (-a, [-4, -9]),
    ]  # fmt: skip
    for result, expected in results:
        assert result.y.tolist() == [expected]


def test_in_place_operators_keep_the_object(make_histogram: Make) -> None:
    a = kept = make_histogram(X, [[4, 9]])
    a += make_histogram(X, [[1, 1]])
    a *= 2
    a -= 4
    a /= 2
    assert a is kept
    assert kept.y.tolist() == [[3, 8]]


def test_what_is_no_operand_is_left_to_python(make_histogram: Make) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        make_histogram(X, [[4, 9]]) + "text"
