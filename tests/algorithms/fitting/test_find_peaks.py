import numpy as np
import pytest

from livereduce.algorithms.fitting.find_peaks import find, guess
from livereduce.algorithms.fitting.profiles import gaussian

X = np.linspace(0, 10, 101)


def test_place_height_and_width_are_seen_on_a_sloping_line() -> None:
    seen = guess(X, gaussian(X, 20, 6, 0.5) + 3 + 0.2 * X)
    assert seen is not None
    assert seen.extent.centre == pytest.approx(6)
    assert seen.extent.height == pytest.approx(20, rel=0.01)
    assert seen.extent.fwhm == pytest.approx(0.5 * 2.3548, rel=0.02)
    assert (seen.intercept, seen.slope) == pytest.approx((3, 0.2), abs=0.01)


def test_a_given_place_is_kept_though_another_is_higher() -> None:
    y = gaussian(X, 5, 3, 0.3) + gaussian(X, 50, 7, 0.3)
    seen = guess(X, y, 3.0)
    assert seen is not None
    assert seen.extent == pytest.approx((3, 5, 0.3 * 2.3548), rel=0.03)


@pytest.mark.parametrize("y", [np.zeros(101), X, np.ones(101)])
def test_where_nothing_stands_out_nothing_is_guessed(y: np.ndarray) -> None:
    seen = guess(X, y)
    assert seen is None or seen.extent.height < 1e-9


def test_too_few_points_are_no_peak() -> None:
    assert guess(X[:2], np.ones(2)) is None
    assert find(np.ones(2), np.ones(2), 7, 4) == []


def test_peaks_above_the_noise_are_found() -> None:
    x = np.arange(400.0)
    y = 100 + gaussian(x, 400, 80, 3) + gaussian(x, 150, 200, 3) + gaussian(x, 800, 310, 3)
    counts = np.random.default_rng(5).poisson(y).astype(float)
    found = find(counts, np.sqrt(counts), fwhm=7, tolerance=4)
    for expected in (80, 200, 310):
        assert any(abs(candidate.middle - expected) <= 1 for candidate in found)
    assert len(found) <= 6


def test_flat_noise_has_about_as_many_peaks_as_two_standard_deviations_allow() -> None:
    counts = np.random.default_rng(6).poisson(np.full(2000, 100.0)).astype(float)
    # 250 stretches of 8 points, 2.3 % of them by chance, in each of the places a stretch may be shifted to
    assert len(find(counts, np.sqrt(counts), fwhm=7, tolerance=4)) <= 20
    assert find(np.full(2000, 100.0), np.full(2000, 10.0), fwhm=7, tolerance=4) == []


def test_a_peak_of_another_width_is_not_what_is_looked_for() -> None:
    x = np.arange(400.0)
    y = 100 + gaussian(x, 1000, 200, 25)
    assert find(y, np.sqrt(y), fwhm=7, tolerance=4) == []
    assert [c.middle for c in find(y, np.sqrt(y), fwhm=59, tolerance=4)] == pytest.approx([200], abs=1)
