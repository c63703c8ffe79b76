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
    with pytest.raises(ValueError, match="points have no width"):
        convert_to_distribution(make_histogram([0, 1], [[5, 6]]))
