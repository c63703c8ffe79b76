import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import (
    create_single_valued_workspace,
    divide,
    integration,
    mask_bins,
    mask_detectors,
    minus,
    multiply,
    plus,
    power,
    rebin,
    scale,
    scale_x,
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


def test_events_are_weighed_by_the_bins_of_the_right_whatever_their_own(
    make_events: MakeEvents, make_histogram: Make
) -> None:
    tofs = [0.5, 1.5, 1.6, 3.5, 4.5], [2.5]
    coarse = make_histogram([1, 2, 4], [[4, 8]], [[0, 2]])
    # factors 4 in [1, 2), 8 +- 2 in [2, 4), nothing elsewhere
    fine = make_events(*tofs, edges=[0, 1, 1.55, 2, 3, 4, 5])
    assert multiply(fine, coarse).y.tolist() == [[0, 4, 4, 0, 8, 0], [0, 0, 0, 8, 0, 0]]
    assert multiply(fine, coarse).e2.tolist() == [[0, 16, 16, 0, 68, 0], [0, 0, 0, 68, 0, 0]]
    assert divide(fine, coarse).y.tolist() == [[0, 0.25, 0.25, 0, 0.125, 0], [0, 0, 0, 0.125, 0, 0]]
    # by other events: two in [0, 2), four in [2, 5)
    others = make_events([0.1, 1.1, 2.1, 3.1, 4.1, 4.2], edges=[0, 2, 5])
    assert divide(fine, others).y.tolist() == [[0.5, 0.5, 0.5, 0, 0.25, 0.25], [0, 0, 0, 0.25, 0, 0]]
    # a row of factors for each spectrum, and events in the one bin that covers them
    rows = make_histogram([1, 2, 4], [[4, 8], [1, 2]])
    unbinned = divide(make_events(*tofs), rows)
    assert isinstance(unbinned, EventWorkspace)
    assert unbinned.y.tolist() == [[0.625], [0.5]]
    assert rebin(unbinned, [0, 2, 4]).y.tolist() == [[0.5, 0.125], [0, 0.5]]


def test_events_are_not_weighed_by_bins_of_another_unit_or_spectra_of_another_number(
    make_events: MakeEvents, make_histogram: Make
) -> None:
    events = make_events([0.5], [1.5], edges=[0, 2])
    with pytest.raises(ValueError, match="X is in 'TOF' on the left and 'Wavelength' on the right"):
        divide(events, make_histogram(X, [[1, 2]], unit="Wavelength"))
    with pytest.raises(ValueError, match="the left has 2 spectra of 1 bins, the right 3 of 2"):
        divide(events, make_histogram(X, [[1, 2]] * 3))
    with pytest.raises(ValueError, match="the left has 2 spectra of 1 bins, the right 1 of 2"):
        divide(events, make_histogram([0.5, 1.5], [[1, 2]]))


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


def test_a_number_on_the_left_leaves_events_events(make_events: MakeEvents) -> None:
    events = make_events([0.5, 1.5, 1.6], edges=X)
    for result in (multiply(2, events), multiply(create_single_valued_workspace(2), events), 2 * events):
        assert isinstance(result, EventWorkspace)
        assert result.y.tolist() == [[2, 4]]
        assert result.e2.tolist() == [[4, 8]]
    # 3 +- 1: (n 3)^2 (1/n + 1/9) = 9 n + n^2
    with_error = multiply(create_single_valued_workspace(3, 1), events)
    assert with_error.e2.tolist() == [[10, 22]]
    assert isinstance(divide(6, events), HistogramWorkspace)
    assert divide(6, events).y.tolist() == [[6, 3]]


# 2 spectra of 3 bins; counts 1, 2, 0 and 0, 1, 3
TOFS = ([0.5, 1.1, 1.9], [1.5, 2.1, 2.2, 2.3])
RIGHTS: list[tuple[Any, Any]] = [
    (2.5, 0.0),
    ([[2.0]], [[0.5]]),
    ([[1.0, 2.0, 4.0]], [[0.5, 0.25, 1.0]]),
    ([[2.0], [5.0]], [[0.1], [0.2]]),
    ([[1.0, 2.0, 4.0], [8.0, 1.0, 2.0]], [[0.5, 0.25, 1.0], [2.0, 0.5, 0.5]]),
]


@pytest.mark.parametrize(("right", "error"), RIGHTS, ids=["number", "single value", "spectrum", "column", "same shape"])
@pytest.mark.parametrize("left", ["events", "histogram", "points"])
def test_all_shapes_of_the_right_side_give_what_slow_numpy_gives(
    make_events: MakeEvents, make_histogram: Make, left: str, right: Any, error: Any
) -> None:
    events = make_events(*TOFS, edges=[0, 1, 2, 3])
    lhs = {"events": events, "histogram": events.to_histogram(), "points": None}[left]
    x = [0, 1, 2, 3] if lhs is not None else [0.5, 1.5, 2.5]
    lhs = lhs or make_histogram(x, [[1, 2, 0], [0, 1, 3]])
    y1 = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
    y2, v2 = np.broadcast_to(right, y1.shape), np.broadcast_to(np.square(error), y1.shape)
    rhs: Any = right if isinstance(right, float) else make_histogram(x if len(right[0]) > 1 else [0, 3], right, error)
    expected = {
        plus: (y1 + y2, y1 + v2),
        minus: (y1 - y2, y1 + v2),
        multiply: (y1 * y2, y1 * y2**2 + v2 * y1**2),
        divide: (y1 / y2, y1 / y2**2 + v2 * y1**2 / y2**4),
    }
    for operation, (y, e2) in expected.items():
        result = operation(lhs, rhs)
        np.testing.assert_allclose(result.y, y, rtol=1e-14)
        np.testing.assert_allclose(result.e2, e2, rtol=1e-14)
        stays_events = left == "events" and operation in (multiply, divide)
        assert isinstance(result, EventWorkspace) == stays_events
        assert result.x.tolist() == x


def test_two_event_workspaces_multiply_and_divide_as_their_histograms_and_stay_events(make_events: MakeEvents) -> None:
    a, b = make_events([0.5, 1.5, 1.6], edges=X), make_events([0.1, 0.2, 1.1], edges=X)
    assert isinstance(multiply(a, b), EventWorkspace)
    assert isinstance(divide(a, b), EventWorkspace)
    assert isinstance(divide(a.to_histogram(), b), HistogramWorkspace)
    assert multiply(a, b).y.tolist() == [[2, 2]]
    # 1*4 + 2*1 and 2*1 + 1*4
    assert multiply(a, b).e2.tolist() == [[6, 6]]
    assert divide(a, b).y.tolist() == [[0.5, 2]]
    # (1 + 0.25*2)/4 and (2 + 4*1)/1
    assert divide(a, b).e2.tolist() == [[0.375, 6]]


def test_bins_masked_on_either_side_are_masked_in_the_result(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2], [3, 4]], bin_mask=[[True, False], [False, False]])
    b = make_histogram(X, [[1, 2], [3, 4]], bin_mask=[[False, False], [False, True]])
    row = make_histogram(X, [[1, 2]], bin_mask=[[False, True]])
    plain = make_histogram(X, [[1, 2], [3, 4]])

    def mask(ws: MatrixWorkspace) -> Any:
        assert isinstance(ws, HistogramWorkspace)
        return None if ws.bin_mask is None else ws.bin_mask.tolist()

    for operation in (plus, minus, multiply, divide):
        assert mask(operation(a, b)) == [[True, False], [False, True]]
        assert mask(operation(plain, b)) == [[False, False], [False, True]]
        assert mask(operation(plain, row)) == [[False, True], [False, True]]
        assert mask(operation(a, 2)) == [[True, False], [False, False]]
        assert mask(operation(plain, plain)) is None


@pytest.mark.parametrize("denominator", [0, 0.0])
def test_events_divided_by_zero_are_as_their_histogram_and_silent(
    make_events: MakeEvents, make_histogram: Make, denominator: float
) -> None:
    events = make_events([0.5, 0.6, 1.5], [0.5], edges=X)
    zero = make_histogram(X, [[denominator, 1]], [[0, 0]])
    for lhs in (events, events.to_histogram()):
        result = divide(lhs, denominator, warn_on_zero_divide=False)
        np.testing.assert_array_equal(result.y, [[np.inf, np.inf], [np.inf, np.nan]])
        np.testing.assert_array_equal(result.e, [[np.inf, np.inf], [np.inf, np.nan]])
        partly = divide(lhs, zero, warn_on_zero_divide=False)
        np.testing.assert_array_equal(partly.y, [[np.inf, 1], [np.inf, 0]])
        np.testing.assert_array_equal(partly.e, [[np.inf, 1], [np.inf, 0]])


def test_what_is_not_a_number_stays_so_and_spreads_to_no_neighbour(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[np.nan, 1]], [[1, 1]]), make_histogram(X, [[2, 3]], [[1, 1]])
    for operation in (plus, minus, multiply, divide):
        for result in (operation(a, b), operation(b, a)):
            assert np.isnan(result.y).tolist() == [[True, False]]


def test_spectra_with_bins_of_their_own_are_combined_if_they_have_the_same(make_histogram: Make) -> None:
    ragged = [[0, 1, 2], [0, 2, 4]]
    a = make_histogram(ragged, [[1, 2], [3, 4]])
    assert plus(a, make_histogram(ragged, [[1, 1], [1, 1]])).y.tolist() == [[2, 3], [4, 5]]
    assert plus(a, make_histogram([0, 9], [[10], [20]])).y.tolist() == [[11, 12], [23, 24]]
    with pytest.raises(ValueError, match="their bins differ"):
        plus(a, make_histogram(X, [[1, 1]]))


def test_points_and_bins_do_not_go_together(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="their bins differ"):
        minus(make_histogram(X, [[1, 2]]), make_histogram([0.5, 1.5], [[1, 2]]))


def test_workspaces_without_events_count_as_nothing(make_events: MakeEvents) -> None:
    none, some = make_events([], [], edges=X), make_events([0.5], [1.5, 1.6], edges=X)
    assert plus(none, some).y.tolist() == plus(some, none).y.tolist() == [[1, 0], [0, 2]]
    assert minus(none, some).y.tolist() == [[-1, 0], [0, -2]]
    assert minus(none, some).e2.tolist() == [[1, 0], [0, 2]]
    assert multiply(none, 3).y.tolist() == divide(none, 3).y.tolist() == [[0, 0], [0, 0]]
    assert plus(none, 5).y.tolist() == [[5, 5], [5, 5]]


def test_products_of_counts_and_a_distribution_are_counts(make_histogram: Make) -> None:
    counts, density = make_histogram(X, [[1, 2]]), make_histogram(X, [[1, 2]], distribution=True)
    assert not multiply(counts, density).isDistribution()
    assert multiply(density, density).isDistribution()
    assert multiply(density, 2).isDistribution()
    assert not multiply(counts, 2).isDistribution()


def test_scale_of_events_multiplies_weights_and_adds_to_their_histogram(make_events: MakeEvents) -> None:
    events = make_events([0.5, 1.5, 1.6], edges=X)
    for ws in (events, events.to_histogram()):
        assert scale(ws, -0.5).y.tolist() == [[-0.5, -1]]
        assert scale(ws, -0.5).e2.tolist() == [[0.25, 0.5]]
        assert scale(ws).y.tolist() == [[1, 2]]
        assert scale(ws, 10, "Add").y.tolist() == [[11, 12]]
        assert scale(ws, 10, "Add").e2.tolist() == [[1, 2]]
    assert isinstance(scale(events, -0.5), EventWorkspace)
    with pytest.raises(ValueError, match="Scale: Operation: expected one of Multiply, Add, found 'Divide'"):
        scale(events, 2, "Divide")  # type: ignore[arg-type]


def test_power_of_empty_bins_has_no_error(make_histogram: Make, make_events: MakeEvents) -> None:
    # d/dy sqrt(y) = 0.5/sqrt(y): 0.25 * 2 at 4, and no matter at 0 +- 0
    result = power(make_histogram([0, 1, 2, 3], [[4, 0, -1]], [[2, 0, 1]]), 0.5)
    assert result.y[0, :2].tolist() == [2, 0]
    assert result.e[0, :2].tolist() == [0.5, 0]
    assert np.isnan(result.y[0, 2])
    events = make_events([0.5, 0.6], edges=X)
    assert power(events, -1).y.tolist() == [[0.5, np.inf]]
    # |-1| y**-2 e = sqrt(2)/4
    assert power(events, -1).e[0].tolist() == pytest.approx([np.sqrt(2) / 4, 0])
    assert power(make_histogram([0, 1], [[1e200]]), 2).y.tolist() == [[np.inf]]


def test_an_in_place_operator_that_makes_events_a_histogram_gives_the_histogram(make_events: MakeEvents) -> None:
    events: Any = make_events([0.5, 1.5], edges=X)
    kept = events
    events *= 2
    assert events is kept
    assert kept.y.tolist() == [[2, 2]]
    events += 1
    assert isinstance(events, HistogramWorkspace)
    assert events.y.tolist() == [[3, 3]]
    assert kept.y.tolist() == [[2, 2]]


def test_weights_by_bin_stay_with_the_events_whatever_is_done_to_them(
    make_events: MakeEvents, make_histogram: Make
) -> None:
    # weights 2 in [0, 1) and 4 in [1, 2): spectrum 0 has 2, 4, 4, spectrum 1 has 2, 2
    ws = multiply(make_events([0.5, 1.5, 1.6], [0.1, 0.2], edges=X), make_histogram(X, [[2, 4]], [[0, 0]]))
    assert isinstance(ws, EventWorkspace)
    other = make_events([0.5], [1.5], edges=[0, 2])
    expected: list[tuple[MatrixWorkspace, Any, Any]] = [
        (integration(ws, 0.2, 1.55), [[6], [2]], [[20], [4]]),
        (rebin(ws, [0, 0.5, 0.5, 1.5, 2]), [[0, 10], [4, 0]], [[0, 36], [8, 0]]),
        (sum_spectra(ws), [[6, 8]], [[12, 32]]),
        (plus(other, ws), [[11], [5]], [[37], [9]]),
        (minus(ws, other), [[1, 8], [4, -1]], [[5, 32], [8, 1]]),
        (mask_bins(ws, 1, 1.55), [[2, 4], [4, 0]], [[4, 16], [8, 0]]),
        (scale_x(ws, 3), [[2, 8], [4, 0]], [[4, 32], [8, 0]]),
        (scale_x(ws, -1), [[8, 2], [0, 4]], [[32, 4], [0, 8]]),
        (scale(ws, 0.5), [[1, 4], [2, 0]], [[1, 8], [2, 0]]),
        (multiply(ws, ws.to_histogram()), [[4, 64], [16, 0]], [[16 + 16, 2 * 32 * 64], [2 * 8 * 16, 0]]),
    ]
    for result, y, e2 in expected:
        assert result.y.tolist() == y
        assert result.e2.tolist() == e2


def test_zeros_in_masked_spectra_are_nothing_to_warn_of(
    make_events: MakeEvents, make_histogram: Make, caplog: pytest.LogCaptureFixture
) -> None:
    events = make_events([0.5, 1.5], [0.5], edges=X)
    masked = make_histogram(X, [[2, 4], [0, 0]], spectra=Spectra([1, 2], [10, 11], masked=[False, True]))
    for lhs in (events, events.to_histogram()):
        assert divide(lhs, masked).y.tolist() == [[0.5, 0.25], [0, 0]]
        # the same for a spectrum without a partner
        matched = divide(lhs, make_histogram(X, [[2, 4]]), allow_different_number_spectra=True)
        assert matched.y.tolist() == [[0.5, 0.25], [0, 0]]
    assert divide(mask_detectors(events, [2]), make_histogram(X, [[2, 4], [0, 0]])).y.tolist() == [[0.5, 0.25], [0, 0]]
    assert caplog.text == ""
    divide(events, make_histogram(X, [[0, 4], [0, 0]], spectra=masked.spectra))
    assert "Divide: 1 values of the denominator are zero" in caplog.text


@pytest.mark.parametrize("kind", ["events", "histogram"])
def test_spectra_are_matched_by_their_detectors_in_all_operations(
    make_events: MakeEvents, make_histogram: Make, kind: str
) -> None:
    events = make_events([0.5, 1.5], [0.5], [1.5], edges=X)  # detectors 10, 11, 12
    lhs = events if kind == "events" else events.to_histogram()
    rhs = make_histogram(X, [[2, 4], [8, 16]], [[0, 0], [1, 1]], spectra=Spectra([7, 8], [12, 10]))
    expected = {
        plus: [[9, 17], [0, 0], [2, 5]],
        minus: [[-7, -15], [0, 0], [-2, -3]],
        multiply: [[8, 16], [0, 0], [0, 4]],
        divide: [[1 / 8, 1 / 16], [0, 0], [0, 1 / 4]],
    }
    for operation, y in expected.items():
        result = operation(lhs, rhs, allow_different_number_spectra=True)
        assert result.y.tolist() == y
        assert result.spectra.masked.tolist() == [False, True, False]
    # 1 * 8**2 + 1**2 * 1 and the like; 1/64 + 1/8**4
    assert multiply(lhs, rhs, allow_different_number_spectra=True).e2.tolist() == [[65, 257], [0, 0], [0, 16]]
    assert divide(lhs, rhs, allow_different_number_spectra=True).e2[0, 0] == pytest.approx(1 / 64 + 1 / 4096)


def test_a_quotient_averages_when_it_is_rebinned_but_weights_of_events_add_up(
    make_events: MakeEvents, make_histogram: Make
) -> None:
    events = make_events([0.5, 0.6, 1.5, 2.5], edges=[0, 1, 2, 4])
    vanadium = make_histogram([0, 1, 2, 4], [[4, 2, 8]], [[0, 0, 0]])
    by_events, by_histogram = divide(events, vanadium), divide(events.to_histogram(), vanadium)
    assert by_events.y.tolist() == by_histogram.y.tolist() == [[0.5, 0.5, 0.125]]
    assert by_events.distribution
    assert by_histogram.distribution
    # two events of 1/4, one of 1/2, one of 1/8
    assert rebin(by_events, [0, 4, 4]).y.tolist() == [[1.125]]
    # 0.5 over a width of 1, 0.5 over 1, 0.125 over 2; over a width of 4
    assert rebin(by_histogram, [0, 4, 4]).y.tolist() == [[0.3125]]


@pytest.mark.parametrize("denominator", [0.0, "one spectrum", "each spectrum"])
def test_masked_spectra_are_zero_even_when_divided_by_zero(
    make_events: MakeEvents, make_histogram: Make, denominator: Any
) -> None:
    events = make_events([0.5, 1.5], [0.5], edges=[0, 1, 2])
    events = events.replaced(spectra=events.spectra.with_masked([False, True]))
    by = denominator
    if denominator:
        rows = [[0, 2]] if denominator == "one spectrum" else [[0, 2], [0, 2]]
        by = make_histogram([0, 1, 2], rows, np.zeros_like(rows))
    for lhs in (events, events.to_histogram()):
        result = divide(lhs, by)
        assert result.y[0].tolist() == ([np.inf, 0.5] if denominator else [np.inf, np.inf])
        assert result.y[1].tolist() == result.e2[1].tolist() == [0, 0]
        assert result.spectra.masked.tolist() == [False, True]
