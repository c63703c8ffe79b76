from collections.abc import Callable

import numpy as np
import pytest

from livereduce.algorithms import (
    convert_from_distribution,
    convert_to_distribution,
    convert_to_histogram,
    convert_to_matrix_workspace,
    convert_to_point_data,
)
from livereduce.workspaces import EventWorkspace, HistogramWorkspace

Make = Callable[..., HistogramWorkspace]


def test_events_become_the_histogram_of_their_bins(make_events: Callable[..., EventWorkspace]) -> None:
    result = convert_to_matrix_workspace(make_events([0.5, 1.5, 1.6], edges=[0, 1, 2]))
    assert isinstance(result, HistogramWorkspace)
    assert result.y.tolist() == [[1, 2]]
    assert result.e[0] == pytest.approx([1, np.sqrt(2)])


def test_a_histogram_becomes_an_independent_copy(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[5]])
    copy = convert_to_matrix_workspace(ws)
    copy.dataY(0)[0] = 7
    assert ws.readY(0).tolist() == [5]


def test_points_are_the_centres_of_bins(make_histogram: Make) -> None:
    result = convert_to_point_data(make_histogram([0, 1, 4], [[5, 6]]))
    assert result.x.tolist() == [0.5, 2.5]
    assert result.y.tolist() == [[5, 6]]
    assert not result.isHistogramData()
    assert convert_to_point_data(result).x.tolist() == [0.5, 2.5]


def test_bins_lie_midway_between_points_and_mirror_outside(make_histogram: Make) -> None:
    result = convert_to_histogram(make_histogram([1, 2, 4], [[5, 6, 7]]))
    assert result.x.tolist() == [0.5, 1.5, 3, 5]
    assert convert_to_histogram(make_histogram([3], [[5]])).x.tolist() == [2.5, 3.5]


def test_a_distribution_is_counts_over_width_and_back(make_histogram: Make) -> None:
    result = convert_to_distribution(make_histogram([0, 1, 3], [[5, 6]], [[1, 2]]))
    assert (result.y.tolist(), result.e.tolist()) == ([[5, 3]], [[1, 1]])
    back = convert_from_distribution(result)
    assert (back.y.tolist(), back.e.tolist()) == ([[5, 6]], [[1, 2]])
    assert (result.isDistribution(), back.isDistribution()) == (True, False)


def test_what_is_so_already_or_has_no_widths_is_refused(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 3], [[5, 6]])
    with pytest.raises(ValueError, match="is a distribution already"):
        convert_to_distribution(convert_to_distribution(ws))
    with pytest.raises(ValueError, match="is no distribution"):
        convert_from_distribution(ws)
    for x in ([0, 0, 1], [2, 1, 0]):
        with pytest.raises(ValueError, match="ConvertToDistribution: Workspace: some bins have no width, or X falls"):
            convert_to_distribution(make_histogram(x, [[5, 6]]))
    with pytest.raises(ValueError, match="points have no width"):
        convert_to_distribution(make_histogram([0, 1], [[5, 6]]))


def test_every_spectrum_has_its_own_bins_points_and_widths(make_histogram: Make) -> None:
    ws = make_histogram([[0, 1, 3], [0, 4, 5]], [[2, 8], [4, 3]], [[1, 2], [8, 3]])
    distribution = convert_to_distribution(ws)
    assert distribution.y.tolist() == [[2, 4], [1, 3]]
    assert distribution.e.tolist() == [[1, 1], [2, 3]]
    points = convert_to_point_data(ws)
    assert points.x.tolist() == [[0.5, 2], [2, 4.5]]
    # midway between 0.5 and 2 is 1.25; the outermost as far out: 0.5 - 0.75, 2 + 0.75
    assert convert_to_histogram(points).x.tolist() == [[-0.25, 1.25, 2.75], [0.75, 3.25, 5.75]]


def test_nan_stays_where_it_is(make_histogram: Make) -> None:
    ws = make_histogram([0, 2, 3], [[np.nan, 6]], [[1, np.nan]])
    result = convert_to_distribution(ws)
    assert np.isnan(result.y[0, 0])
    assert np.isnan(result.e[0, 1])
    assert (result.y[0, 1], result.e[0, 0]) == (6, 0.5)


def test_events_without_any_event_have_the_values_of_none(make_events: Callable[..., EventWorkspace]) -> None:
    empty = make_events([], [], edges=[0, 1, 3])
    for convert in (convert_to_distribution, convert_to_point_data, convert_to_histogram, convert_to_matrix_workspace):
        result = convert(empty)
        assert isinstance(result, HistogramWorkspace)
        assert result.y.tolist() == result.e.tolist() == [[0, 0], [0, 0]]


def test_counts_of_events_divided_by_widths_are_a_distribution(make_events: Callable[..., EventWorkspace]) -> None:
    result = convert_to_distribution(make_events([0.0, 1.0, 2.0, 2.9, 3.0], edges=[0, 1, 3]))
    # 0 is in [0, 1); 1, 2 and 2.9 in [1, 3); 3 in none
    assert result.y.tolist() == [[1, 1.5]]
    assert result.e[0] == pytest.approx([1, np.sqrt(3) / 2])


def test_resolution_and_masked_bins_stay_with_their_values(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 3], [[5, 6]], dx=[[0.1, 0.2]], bin_mask=np.array([[True, False]]))
    for convert in (convert_to_distribution, convert_to_point_data, convert_to_histogram, convert_to_matrix_workspace):
        result = convert(ws)
        assert result.dx is not None
        assert result.dx.tolist() == [[0.1, 0.2]]
        assert result.bin_mask is not None
        assert result.bin_mask.tolist() == [[True, False]]
