from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import convert_units, plus, rebin
from livereduce.workspaces import Detectors, EventWorkspace, HistogramWorkspace

Make = Callable[..., Any]
change_bin_offset: Any = algorithms.change_bin_offset
scale_x: Any = algorithms.scale_x
PLACE = Detectors([10, 11], l1=10.0, l2=[1.0, 1.0], two_theta=[1.0, 1.0])
X = [0.0, 1.0, 2.0, 4.0]
ROWS = [[1, 2, 3], [4, 5, 6]]


def test_an_offset_is_added_to_edges(make_histogram: Make) -> None:
    result = change_bin_offset(make_histogram(X, ROWS), -0.5)
    assert result.x.tolist() == [-0.5, 0.5, 1.5, 3.5]
    assert result.y.tolist() == ROWS


def test_only_the_spectra_asked_for_are_moved(make_histogram: Make) -> None:
    result = change_bin_offset(make_histogram(X, ROWS), 10, 1, 1)
    assert result.x.tolist() == [X, [10, 11, 12, 14]]
    with pytest.raises(ValueError, match="ChangeBinOffset: workspace index 7 is not in 0 to 1"):
        change_bin_offset(make_histogram(X, ROWS), 10, 0, 7)


def test_x_is_multiplied_or_added_to(make_histogram: Make) -> None:
    assert scale_x(make_histogram(X, ROWS), 2).x.tolist() == [0, 2, 4, 8]
    assert scale_x(make_histogram(X, ROWS), 2, "Add").x.tolist() == [2, 3, 4, 6]
    with pytest.raises(ValueError, match="cannot be multiplied by 0"):
        scale_x(make_histogram(X, ROWS), 0)


def test_a_negative_factor_turns_the_bins_round(make_histogram: Make) -> None:
    result = scale_x(make_histogram(X, ROWS), -1)
    assert result.x.tolist() == [-4, -2, -1, 0]
    assert result.y.tolist() == [[3, 2, 1], [6, 5, 4]]
    one = scale_x(make_histogram(X, ROWS), -1, index_min=1)
    assert one.x.tolist() == [X, [-4, -2, -1, 0]]
    assert one.y.tolist() == [[1, 2, 3], [6, 5, 4]]


@pytest.mark.parametrize("chosen", [{}, {"index_min": 1, "index_max": 2}])
def test_events_move_with_their_bins(random_events: EventWorkspace, chosen: dict[str, int]) -> None:
    for change, number in ((change_bin_offset, 7.3), (scale_x, 2.5)):
        result = change(random_events, number, **chosen)
        assert isinstance(result, EventWorkspace)
        by_histogram = change(random_events.to_histogram(), number, **chosen)
        np.testing.assert_array_equal(result.x, by_histogram.x)
        np.testing.assert_array_equal(result.y, random_events.y)
        np.testing.assert_array_equal(result.y, by_histogram.y)
    moved = change_bin_offset(random_events, 1000, **chosen)
    assert isinstance(moved, EventWorkspace)
    tofs = [random_events.getSpectrum(i).getTofs() for i in range(4)]
    for i in range(4):
        move = 1000 if not chosen or i in (1, 2) else 0
        np.testing.assert_array_equal(moved.getSpectrum(i).getTofs(), tofs[i] + move)


def test_events_turned_round_become_a_histogram(random_events: EventWorkspace) -> None:
    result = scale_x(random_events, -1)
    assert isinstance(result, HistogramWorkspace)
    np.testing.assert_array_equal(result.y, random_events.y[:, ::-1])


def test_energies_of_some_spectra_of_events_can_be_moved(make_events: Make) -> None:
    in_tof = make_events([100.0, 200.0], [100.0, 200.0], edges=[50, 150, 250]).replaced(detectors=PLACE)
    ws = convert_units(in_tof, "Energy")
    # 2286.27155 µs over 1 m at 1 meV; the path is 11 m
    energies = (2286.27155 * 11 / np.array([100.0, 200.0])) ** 2
    result = change_bin_offset(ws, 5.0, 1, 1)
    assert isinstance(result, EventWorkspace)
    np.testing.assert_allclose(result.getSpectrum(0).getTofs(), energies, rtol=1e-8)
    np.testing.assert_allclose(result.getSpectrum(1).getTofs(), energies + 5, rtol=1e-8)
    assert result.y.tolist() == ws.y.tolist() == [[1, 1], [1, 1]]
    again = scale_x(result, 3.0)
    np.testing.assert_allclose(again.getSpectrum(1).getTofs(), 3 * (energies + 5), rtol=1e-8)


def test_moved_times_of_flight_are_what_units_are_made_of(make_events: Make) -> None:
    ws = make_events([1000.0], [], edges=[0, 2000]).replaced(detectors=PLACE)
    result = convert_units(change_bin_offset(ws, -100.0), "Wavelength")
    assert isinstance(result, EventWorkspace)
    assert result.getSpectrum(0).getTofs() == pytest.approx([900.0 / (252.778413 * 11)])


def test_moved_events_are_still_counted_once(random_events: EventWorkspace) -> None:
    table = random_events.tables[0]
    once = rebin(change_bin_offset(random_events, 5), [0, 10, 110])
    offered = table.cache.offered
    once.y  # noqa: B018
    twice = plus(once, once)
    assert twice.y.sum() == 2 * once.y.sum() == 1600
    assert table.cache.offered == offered + 800


def test_points_and_bins_of_their_own_are_scaled_as_well(make_histogram: Make) -> None:
    points = scale_x(make_histogram([1, 2, 3], [[1, 2, 3]]), -2)
    assert (points.x.tolist(), points.y.tolist()) == ([-6, -4, -2], [[3, 2, 1]])
    ragged = scale_x(make_histogram([[0, 1, 2], [0, 2, 4]], [[0, 2], [1, 2]], [[1, 3], [1, 2]]), -0.5)
    assert ragged.x.tolist() == [[-1, -0.5, 0], [-2, -1, 0]]
    assert ragged.y.tolist() == [[2, 0], [2, 1]]
    assert ragged.e.tolist() == [[3, 1], [2, 1]]


def test_masked_bins_turn_round_with_the_others(make_histogram: Make) -> None:
    result = scale_x(make_histogram([0, 1, 2], [[0, 2]], bin_mask=[[True, False]]), -1)
    assert result.bin_mask.tolist() == [[False, True]]


def test_workspaces_without_events_can_be_scaled(make_events: Make) -> None:
    result = scale_x(make_events([], [], edges=[0, 1]), 3)
    assert (result.x.tolist(), result.y.tolist()) == ([0, 3], [[0], [0]])


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_factors_that_are_no_numbers_are_refused(make_histogram: Make, factor: float) -> None:
    with pytest.raises(ValueError, match="ScaleX: X cannot be multiplied by"):
        scale_x(make_histogram(X, ROWS), factor)


def test_bins_of_moved_and_converted_events_do_not_change_with_what_they_were_made_of(make_events: Make) -> None:
    ws = make_events([100.0, 200.0], [150.0], edges=[0, 150, 300]).replaced(detectors=PLACE)
    # 252.778413 µs per Å and m; 11 m
    made = [scale_x(ws, 2), change_bin_offset(ws, 1), convert_units(ws, "Wavelength")]
    ws.adopt(rebin(ws, [0, 10, 20]))
    scale = 252.778413 * 11
    expected = [[0, 300, 600], [1, 151, 301], [0, 150 / scale, 300 / scale]]
    for result, x in zip(made, expected, strict=True):
        assert isinstance(result, EventWorkspace)
        assert result.readX(0) == pytest.approx(x)
        assert result.y.tolist() == [[1, 1], [0, 1]]
    again = convert_units(made[2], "TOF")
    made[2].adopt(again)
    assert made[2].readX(0) == pytest.approx([0, 150, 300])


def test_the_resolution_of_x_is_stretched_with_it_and_turned_round_with_the_bins(make_histogram: Make) -> None:
    ws = make_histogram(X, ROWS, dx=[[0.1, 0.2, 0.3], [1, 2, 3]])
    assert change_bin_offset(ws, 5).dx.tolist() == [[0.1, 0.2, 0.3], [1, 2, 3]]
    assert scale_x(ws, 2, index_max=0).dx.tolist() == [[0.2, 0.4, 0.6], [1, 2, 3]]
    assert scale_x(ws, -2, index_min=1).dx.tolist() == [[0.1, 0.2, 0.3], [6, 4, 2]]
