from collections.abc import Callable

import numpy as np
import pytest

from livereduce.algorithms import logarithm, replace_special_values, smooth_data
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, Spectra

Make = Callable[..., HistogramWorkspace]
X3 = [0, 1, 2, 3]
X5 = [0, 1, 2, 3, 4, 5]


def test_the_natural_logarithm_has_the_relative_error(make_histogram: Make) -> None:
    result = logarithm(make_histogram(X3, [[np.e, 1, 0]], [[np.e, 2, 5]]), filler=-7)
    assert result.y[0] == pytest.approx([1, 0, -7])
    assert result.e[0] == pytest.approx([1, 2, 0])


def test_the_decimal_logarithm_divides_by_ln_10(make_histogram: Make) -> None:
    result = logarithm(make_histogram(X3, [[100, 10, -1]], [[10, 1, 5]]), natural=False)
    assert result.y[0] == pytest.approx([2, 1, 0])
    assert result.e[0] == pytest.approx([0.1 / np.log(10), 0.1 / np.log(10), 0])


def test_special_values_are_replaced_each_by_its_own(make_histogram: Make) -> None:
    ws = make_histogram(X5, [[np.nan, np.inf, -np.inf, 1e9, 1e-9]], [[1, 2, 3, 4, 5]])
    result = replace_special_values(
        ws, nan_value=10, nan_error=0.1, infinity_value=20, infinity_error=0.2, big_number_threshold=1e6,
        big_number_value=30, big_number_error=0.3, small_number_threshold=1e-6, small_number_value=40,
        small_number_error=0.4,
    )  # fmt: skip
    assert result.y.tolist() == [[10, 20, 20, 30, 40]]
    assert result.e.tolist() == [[0.1, 0.2, 0.2, 0.3, 0.4]]


def test_what_is_not_asked_for_stays(make_histogram: Make) -> None:
    ws = make_histogram(X3, [[np.nan, np.inf, 5]], [[1, 2, 3]])
    result = replace_special_values(ws, infinity_value=0)
    assert np.isnan(result.y[0, 0])
    assert result.y[0, 1:].tolist() == [0, 5]
    assert result.e.tolist() == [[1, 0, 3]]
    with pytest.raises(ValueError, match="one of NaNValue, InfinityValue"):
        replace_special_values(ws)


def test_special_errors_are_replaced_if_asked(make_histogram: Make) -> None:
    ws = make_histogram(X3, [[1, 2, 3]], [[np.nan, 1, np.inf]])
    assert np.isnan(replace_special_values(ws, nan_value=0).e[0, 0])
    result = replace_special_values(ws, nan_value=7, infinity_value=8, check_error_axis=True)
    assert (result.y.tolist(), result.e.tolist()) == ([[7, 2, 8]], [[0, 1, 0]])


def test_the_mean_of_neighbours_shrinks_at_the_ends(make_histogram: Make) -> None:
    ws = make_histogram(X5, [[1, 2, 6, 4, 5]], [[1, 1, 2, 2, 3]])
    result = smooth_data(ws, [3])
    assert result.y[0] == pytest.approx([1.5, 3, 4, 5, 4.5])
    assert result.e[0] == pytest.approx(np.sqrt([2 / 4, 6 / 9, 9 / 9, 17 / 9, 13 / 4]))


def test_an_even_number_of_points_is_raised_by_one(make_histogram: Make) -> None:
    ws = make_histogram(X5, [[1, 2, 6, 4, 5]])
    assert smooth_data(ws, [2]).y.tolist() == smooth_data(ws, [3]).y.tolist()
    assert smooth_data(ws).y.tolist() == smooth_data(ws, [3]).y.tolist()
    assert smooth_data(ws, [1]).y.tolist() == ws.y.tolist()


def test_every_spectrum_can_have_its_own_window(make_histogram: Make) -> None:
    ws = make_histogram(X5, [[1, 2, 6, 4, 5], [1, 2, 6, 4, 5]])
    result = smooth_data(ws, [1, 5])
    assert result.y[0].tolist() == [1, 2, 6, 4, 5]
    assert result.y[1] == pytest.approx([3, 13 / 4, 18 / 5, 17 / 4, 5])


def test_every_group_can_have_its_own_window(make_histogram: Make) -> None:
    spectra = Spectra([1, 2, 3, 4], [10, 11, 12, 13])
    ws = make_histogram(X5, [[1, 2, 6, 4, 5]] * 4, spectra=spectra)
    # detector 12 is in no group, 13 is not known to the grouping
    groups = make_histogram([0, 1], [[0], [1], [2]], spectra=Spectra([1, 2, 3], [12, 11, 10]))
    result = smooth_data(ws, [3, 5], groups)
    assert result.y[0] == pytest.approx([3, 13 / 4, 18 / 5, 17 / 4, 5])
    assert result.y[1] == pytest.approx([3 / 2, 3, 4, 5, 9 / 2])
    assert result.y[2:].tolist() == [[1, 2, 6, 4, 5]] * 2
    with pytest.raises(ValueError, match="NPoints: expected 2 numbers, one for each group, found 1"):
        smooth_data(ws, [3], groups)


@pytest.mark.parametrize("points", [[0], [7], [3, 3, 3]])
def test_windows_that_make_no_sense_are_refused(make_histogram: Make, points: list[int]) -> None:
    with pytest.raises(ValueError, match="NPoints: expected one number, or 2, from 1 to the 5 bins"):
        smooth_data(make_histogram(X5, np.ones((2, 5))), points)


def test_events_are_taken_as_their_histogram(make_events: Callable[..., EventWorkspace]) -> None:
    events = make_events([0.5, 1.5, 1.6], edges=[0, 1, 2])
    assert logarithm(events).y[0] == pytest.approx([0, np.log(2)])
    assert smooth_data(events, [1]).y.tolist() == [[1, 2]]


def test_the_logarithm_of_what_is_not_a_number_is_not_a_number(make_histogram: Make) -> None:
    result = logarithm(make_histogram(X3, [[np.nan, np.inf, -np.inf]], [[1, 1, 1]]), filler=5)
    np.testing.assert_array_equal(result.y, [[np.nan, np.inf, 5]])
    np.testing.assert_array_equal(result.e, [[np.nan, 0, 0]])


def test_infinity_is_a_big_number_unless_it_has_a_value_of_its_own(make_histogram: Make) -> None:
    ws = make_histogram(X3, [[np.inf, -11, 10]], [[1, 2, 3]])
    result = replace_special_values(ws, big_number_threshold=10, big_number_value=-1, big_number_error=0.5)
    assert result.y.tolist() == [[-1, -1, 10]]  # 10 is not above 10
    assert result.e.tolist() == [[0.5, 0.5, 3]]
    own = replace_special_values(ws, big_number_threshold=10, big_number_value=-1, infinity_value=7)
    assert own.y.tolist() == [[7, -1, 10]]


def test_small_numbers_are_those_below_the_threshold_of_either_sign(make_histogram: Make) -> None:
    ws = make_histogram(X3, [[-0.5, 1, 0]], [[1, 2, 3]])
    result = replace_special_values(ws, small_number_threshold=1, small_number_value=9, small_number_error=4)
    assert result.y.tolist() == [[9, 1, 9]]
    assert result.e.tolist() == [[4, 2, 4]]


def test_big_errors_are_replaced_if_asked(make_histogram: Make) -> None:
    ws = make_histogram(X3, [[1, 2, 3]], [[1, 100, 3]])
    assert replace_special_values(ws, big_number_threshold=50).y.tolist() == [[1, 2, 3]]
    result = replace_special_values(ws, big_number_threshold=50, check_error_axis=True)
    assert (result.y.tolist(), result.e.tolist()) == ([[1, 0, 3]], [[1, 0, 3]])


def test_what_is_not_a_number_spreads_over_its_window_only(make_histogram: Make) -> None:
    result = smooth_data(make_histogram([0, 1, 2, 3, 4, 5], [[1, 2, 4, 8, np.nan]], [[1, 1, 1, 1, 1]]), [3])
    assert result.y[0, :3] == pytest.approx([1.5, 7 / 3, 14 / 3])
    assert np.isnan(result.y[0, 3:]).all()


def test_an_even_window_that_its_raising_makes_too_wide_says_so(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match=r"from 1 to the 4 bins \(even ones are raised by one\); found 4"):
        smooth_data(make_histogram([0, 1, 2, 3, 4], [[1, 2, 3, 4]]), [4])


def test_points_keep_their_x(make_histogram: Make) -> None:
    ws = make_histogram([1, 2, 4], [[1, 10, 100]])
    for result in (logarithm(ws, natural=False), smooth_data(ws, [1]), replace_special_values(ws, nan_value=0)):
        assert not result.is_histogram
        assert result.x.tolist() == [1, 2, 4]
    assert logarithm(ws, natural=False).y[0] == pytest.approx([0, 1, 2])


def test_events_give_what_their_histogram_gives(random_events: EventWorkspace) -> None:
    histogram = random_events.to_histogram()
    rows = np.array(random_events.y)
    padded = np.pad(rows, ((0, 0), (2, 2)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1)
    for ws in (random_events, histogram):
        np.testing.assert_allclose(smooth_data(ws, [5]).y, np.nanmean(windows, axis=2))
        np.testing.assert_allclose(smooth_data(ws, [5]).e2, np.nansum(windows, 2) / np.sum(~np.isnan(windows), 2) ** 2)
        np.testing.assert_allclose(logarithm(ws).y, np.log(rows))
        np.testing.assert_allclose(logarithm(ws).e, 1 / np.sqrt(rows))
        replaced = replace_special_values(ws, big_number_threshold=20, big_number_value=0)
        np.testing.assert_array_equal(replaced.y, np.where(rows > 20, 0, rows))


def test_events_that_are_none_are_filled(make_events: Callable[..., EventWorkspace]) -> None:
    none = make_events([], [], edges=[0, 1, 2])
    assert logarithm(none, filler=-1).y.tolist() == [[-1, -1], [-1, -1]]
    assert smooth_data(none, [1]).y.tolist() == [[0, 0], [0, 0]]


def test_thresholds_can_mind_the_sign(make_histogram: Make) -> None:
    ws = make_histogram(X5, [[-20, -1, 0, 1, 20]])
    big = replace_special_values(ws, big_number_threshold=10, big_number_value=9, use_absolute=False)
    assert big.y.tolist() == [[-20, -1, 0, 1, 9]]
    small = replace_special_values(ws, small_number_threshold=0, small_number_value=7, use_absolute=False)
    assert small.y.tolist() == [[7, 7, 0, 1, 20]]
