from collections.abc import Callable

import pytest

from livereduce.algorithms import mask_bins, mask_detectors, sum_spectra
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, Spectra

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]
X = [0, 1, 2, 3, 4]


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    """Four spectra, numbers 1 to 4, detectors 10 to 13."""
    return make_histogram([0, 1, 2], [[1, 2], [3, 4], [5, 6], [7, 8]])


@pytest.mark.parametrize(
    "chosen", [{"spectra_list": [2, 4]}, {"detector_list": [11, 13]}, {"workspace_index_list": [1, 3]}]
)
def test_spectra_are_masked_by_number_detector_or_index(ws: HistogramWorkspace, chosen: dict[str, list[int]]) -> None:
    result = mask_detectors(ws, **chosen)  # type: ignore[arg-type]
    assert result.spectra.masked.tolist() == [False, True, False, True]
    assert result.y.tolist() == [[1, 2], [0, 0], [5, 6], [0, 0]]
    assert result.e2.tolist()[1] == [0, 0]
    assert sum_spectra(result).y.tolist() == [[6, 8]]


def test_masks_add_up(ws: HistogramWorkspace) -> None:
    assert mask_detectors(mask_detectors(ws, [1]), [3]).spectra.masked.tolist() == [True, False, True, False]


def test_a_masked_workspace_lends_its_mask_by_detectors_or_by_index(
    ws: HistogramWorkspace, make_histogram: Make
) -> None:
    other = make_histogram([0, 1], [[1], [1]], spectra=Spectra([1, 2], [12, 99], masked=[True, True]))
    assert mask_detectors(ws, masked_workspace=other).spectra.masked.tolist() == [False, False, True, False]
    nameless = make_histogram([0, 1], [[1]] * 4, spectra=Spectra([1, 2, 3, 4], masked=[True, False, False, False]))
    assert mask_detectors(ws, masked_workspace=nameless).spectra.masked.tolist() == [True, False, False, False]


def test_a_range_of_indices_limits_what_is_masked(ws: HistogramWorkspace) -> None:
    result = mask_detectors(ws, [1, 2, 3, 4], start_workspace_index=1, end_workspace_index=2)
    assert result.spectra.masked.tolist() == [False, True, True, False]


def test_what_is_not_there_cannot_be_masked(ws: HistogramWorkspace) -> None:
    with pytest.raises(ValueError, match="there is no spectrum number 9"):
        mask_detectors(ws, [9])
    with pytest.raises(ValueError, match="workspace index 4 is not in 0 to 3"):
        mask_detectors(ws, workspace_index_list=[4])


def test_masked_events_are_gone(make_events: MakeEvents) -> None:
    result = mask_detectors(make_events([0.5, 1.5], [0.5], edges=[0, 1, 2]), workspace_index_list=[0])
    assert isinstance(result, EventWorkspace)
    assert result.y.tolist() == [[0, 0], [1, 0]]
    assert result.number_events() == 1


def test_bins_that_overlap_the_range_are_zeroed_and_marked(make_histogram: Make) -> None:
    result = mask_bins(make_histogram(X, [[1, 2, 3, 4]]), 1.5, 3)
    assert isinstance(result, HistogramWorkspace)
    assert result.y.tolist() == [[1, 0, 0, 4]]
    assert result.e2.tolist()[0][1:3] == [0, 0]
    assert result.bin_mask is not None
    assert result.bin_mask.tolist() == [[False, True, True, False]]
    again = mask_bins(result, 0, 0.5)
    assert isinstance(again, HistogramWorkspace)
    assert again.bin_mask is not None
    assert again.bin_mask.tolist() == [[True, True, True, False]]


def test_bins_of_some_spectra_only_can_be_masked(make_histogram: Make) -> None:
    result = mask_bins(make_histogram(X, [[1, 2, 3, 4], [5, 6, 7, 8]]), 0, 2, [1])
    assert result.y.tolist() == [[1, 2, 3, 4], [0, 0, 7, 8]]


def test_points_in_the_range_are_masked(make_histogram: Make) -> None:
    assert mask_bins(make_histogram([0, 1, 2], [[1, 2, 3]]), 1, 2).y.tolist() == [[1, 0, 3]]


def test_events_in_the_range_are_dropped(make_events: MakeEvents) -> None:
    ws = make_events([0.5, 1.0, 1.9, 2.0, 3.5], [1.5, 2.5], edges=X)
    everywhere = mask_bins(ws, 1, 2)
    assert isinstance(everywhere, EventWorkspace)
    assert everywhere.y.tolist() == [[1, 0, 1, 1], [0, 0, 1, 0]]
    first = mask_bins(ws, 1, 2, [0])
    assert first.y.tolist() == [[1, 0, 1, 1], [0, 1, 1, 0]]
    assert first.getNumberEvents() == 5
    assert ws.number_events() == 7


def test_events_in_another_unit_are_dropped_by_that_unit(make_events: MakeEvents) -> None:
    ws = (
        make_events([1.0, 2.0, 3.0, 4.0])
        .planned(lambda plan: plan.in_unit("dSpacing", [2.0]))
        .replaced(edges=[0, 5, 10])
    )
    result = mask_bins(ws, 4, 6)  # X is 2, 4, 6, 8
    assert result.y.tolist() == [[1, 2]]


def test_ranges_that_make_no_sense_are_refused(ws: HistogramWorkspace) -> None:
    with pytest.raises(ValueError, match="must be below XMax"):
        mask_bins(ws, 2, 2)
