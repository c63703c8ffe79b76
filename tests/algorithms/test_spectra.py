from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import (
    append_spectra,
    conjoin_workspaces,
    declaration,
    extract_single_spectrum,
    mask_detectors,
    sum_spectra,
    transpose,
)
from livereduce.algorithms.calling import execute
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    Run,
    Spectra,
    TimeSeries,
    WorkspaceStore,
)

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]
X = [0, 1, 2]
ROWS = [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_all_spectra_are_summed_with_errors_in_quadrature(make_histogram: Make) -> None:
    result = sum_spectra(make_histogram(X, [[1, 2], [3, 4]], [[3, 6], [4, 8]]))
    assert result.y.tolist() == [[4, 6]]
    assert result.e.tolist() == [[5, 10]]
    assert result.getSpectrumNumbers() == [1]
    assert result.getSpectrum(0).getDetectorIDs() == [10, 11]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"start_workspace_index": 2}, [12, 14]),
        ({"end_workspace_index": 1}, [4, 6]),
        ({"start_workspace_index": 1, "end_workspace_index": 2}, [8, 10]),
        ({"list_of_workspace_indices": [0, 3]}, [8, 10]),
        ({"start_workspace_index": 1, "end_workspace_index": 2, "list_of_workspace_indices": [2, 3]}, [15, 18]),
    ],
)
def test_ranges_and_lists_of_indices_are_summed_together(
    make_histogram: Make, make_events: MakeEvents, chosen: dict[str, Any], expected: list[int]
) -> None:
    assert sum_spectra(make_histogram(X, ROWS), **chosen).y.tolist() == [expected]
    events = make_events(*([0.5] * low + [1.5] * high for low, high in ROWS), edges=X)
    assert sum_spectra(events, **chosen).y.tolist() == [expected]


@pytest.mark.parametrize("chosen", [{"end_workspace_index": 4}, {"list_of_workspace_indices": [-1]}])
def test_an_index_that_is_not_there_is_an_error(make_histogram: Make, chosen: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"SumSpectra: workspace index -?\d is not in 0 to 3"):
        sum_spectra(make_histogram(X, ROWS), **chosen)


def test_masked_spectra_are_left_out_but_count_for_the_number(make_histogram: Make) -> None:
    spectra = Spectra([5, 6, 7, 8], [10, 11, 12, 13], masked=[True, False, False, True])
    result = sum_spectra(make_histogram(X, ROWS, spectra=spectra))
    assert result.y.tolist() == [[8, 10]]
    assert result.getSpectrumNumbers() == [5]
    assert result.getSpectrum(0).getDetectorIDs() == [11, 12]
    assert result.getRun()["NumAllSpectra"].value == 2
    assert result.getRun()["NumMaskSpectra"].value == 2


def test_monitors_are_summed_unless_told_otherwise(make_histogram: Make) -> None:
    detectors = Detectors([10, 11, 12, 13], [True, False, False, False])
    ws = make_histogram(X, ROWS, detectors=detectors)
    assert sum_spectra(ws).y.tolist() == [[16, 20]]
    assert sum_spectra(ws, include_monitors=False).y.tolist() == [[15, 18]]


def test_spectra_without_counts_are_numbered_in_the_logs(make_histogram: Make, make_events: MakeEvents) -> None:
    ws = make_histogram(X, [[1, 2], [0, 0], [0, 0]])
    assert sum_spectra(ws).getRun()["NumZeroSpectra"].value == 2
    assert sum_spectra(make_events([0.5], [], [], edges=X)).getRun()["NumZeroSpectra"].value == 2


def test_different_bins_cannot_be_summed(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="different bins; Rebin it first"):
        sum_spectra(make_histogram([[0, 1, 2], [0, 1, 3]], [[1, 2], [3, 4]]))


def test_summed_events_stay_events(random_events: EventWorkspace) -> None:
    result = sum_spectra(random_events)
    assert isinstance(result, EventWorkspace)
    assert result.number_events() == 800
    histogram = sum_spectra(random_events.to_histogram())
    assert result.y.tolist() == histogram.y.tolist()
    assert result.e2 == pytest.approx(histogram.e2)


def test_a_weighted_sum_is_the_weighted_mean_times_the_number(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[10], [20], [99]], [[1], [2], [0]])
    # sum(y/e^2) = 10 + 5, sum(1/e^2) = 1.25; the spectrum without error does not count
    assert sum_spectra(ws, weighted_sum=True).y.tolist() == [[2 * 12]]
    assert sum_spectra(ws, weighted_sum=True).e[0] == pytest.approx([np.sqrt(5)])
    assert sum_spectra(ws, weighted_sum=True, multiply_by_spectra=False).y.tolist() == [[12]]


def test_special_values_can_count_as_zero(make_histogram: Make) -> None:
    ws = make_histogram(X, [[np.nan, 2], [3, np.inf]], [[1, 1], [np.nan, 1]])
    result = sum_spectra(ws, remove_special_values=True)
    assert result.y.tolist() == [[3, 2]]
    assert result.e[0] == pytest.approx([1, np.sqrt(2)])
    assert np.isnan(sum_spectra(ws).y[0, 0])


def test_the_input_keeps_its_logs(make_histogram: Make) -> None:
    ws = make_histogram(X, ROWS)
    sum_spectra(ws)
    assert "NumAllSpectra" not in ws.getRun()


def test_one_spectrum_can_be_taken_out(make_histogram: Make, make_events: MakeEvents) -> None:
    result = extract_single_spectrum(make_histogram(X, ROWS), 2)
    assert result.y.tolist() == [[5, 6]]
    assert result.getSpectrumNumbers() == [3]
    events = extract_single_spectrum(make_events([0.5], [1.5, 1.6], edges=X), 1)
    assert isinstance(events, EventWorkspace)
    assert events.y.tolist() == [[0, 2]]
    assert events.number_events() == 2
    with pytest.raises(ValueError, match="workspace index 9 is not in 0 to 3"):
        extract_single_spectrum(make_histogram(X, ROWS), 9)


def test_appended_spectra_are_stacked_and_renumbered_if_they_clash(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[1, 2], [3, 4]]), make_histogram(X, [[5, 6]])
    result = append_spectra(a, b)
    assert result.y.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert result.getSpectrumNumbers() == [0, 1, 2]
    far = make_histogram(X, [[5, 6]], spectra=Spectra([40], [99]))
    assert append_spectra(a, far).getSpectrumNumbers() == [1, 2, 40]
    assert append_spectra(a, far, number=2).n_spectra == 4


def test_appended_events_stay_events(make_events: MakeEvents) -> None:
    result = append_spectra(make_events([0.5, 1.5], edges=X), make_events([0.1], [0.2, 0.3], edges=X))
    assert isinstance(result, EventWorkspace)
    assert result.y.tolist() == [[1, 1], [1, 0], [2, 0]]


def test_appending_needs_the_same_bins_unless_told_otherwise(make_histogram: Make) -> None:
    a, b = make_histogram([0, 1, 2], [[1, 2]]), make_histogram([0, 2, 4], [[3, 4]])
    with pytest.raises(ValueError, match="different bins"):
        append_spectra(a, b)
    result = append_spectra(a, b, validate_inputs=False)
    assert result.x.tolist() == [[0, 1, 2], [0, 2, 4]]
    with pytest.raises(ValueError, match="2 and 1 bins"):
        append_spectra(a, make_histogram([0, 1], [[1]]), validate_inputs=False)


def test_logs_are_merged_when_appending_only_if_asked(make_histogram: Make) -> None:
    a = make_histogram(X, [[1, 2]], run=Run({"T": TimeSeries("T", [0], [1.0])}))
    b = make_histogram(X, [[1, 2]], run=Run({"T": TimeSeries("T", [5], [2.0])}))
    assert append_spectra(a, b).getRun()["T"].size() == 1
    assert append_spectra(a, b, merge_logs=True).getRun()["T"].size() == 2
    assert a.getRun()["T"].size() == 1


def test_conjoining_refuses_what_is_in_both(make_histogram: Make) -> None:
    a, b = make_histogram(X, [[1, 2]]), make_histogram(X, [[3, 4]])
    with pytest.raises(ValueError, match="spectrum number 1 is in both"):
        conjoin_workspaces(a, b)
    assert conjoin_workspaces(a, b, check_overlapping=False).getSpectrumNumbers() == [1, 2]
    other = make_histogram(X, [[3, 4]], spectra=Spectra([2], [20]))
    assert conjoin_workspaces(a, other).y.tolist() == [[1, 2], [3, 4]]


def test_transposing_swaps_the_axes_and_twice_gives_the_values_back(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 3, 7], [[1, 2, 3], [4, 5, 6]], unit="Wavelength")
    once = transpose(ws)
    assert once.y.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert once.x.tolist() == [1, 2]  # spectrum numbers
    assert once.getAxis(1).extractValues().tolist() == [0, 1, 3, 7]
    assert once.getAxis(1).getUnit().unitID() == "Wavelength"
    twice = transpose(once)
    assert twice.y.tolist() == ws.y.tolist()
    assert twice.x.tolist() == [0, 1, 3, 7]
    assert twice.unit == "Wavelength"
    assert twice.e.tolist() == ws.e.tolist()


def test_only_the_spectra_asked_for_count_for_the_number(make_histogram: Make) -> None:
    spectra = Spectra([9, 4, 7, 2], [10, 11, 12, 13])
    ws = make_histogram(X, ROWS, spectra=spectra)
    assert sum_spectra(ws, end_workspace_index=2).getSpectrumNumbers() == [4]
    assert sum_spectra(ws, list_of_workspace_indices=[2, 0]).getSpectrumNumbers() == [7]


def test_a_detector_of_several_spectra_is_in_the_sum_once(make_histogram: Make) -> None:
    spectra = Spectra.from_groups([1, 2], [[12, 10], [10, 11]])
    result = sum_spectra(make_histogram(X, ROWS[:2], spectra=spectra))
    assert result.getSpectrum(0).getDetectorIDs() == [10, 11, 12]


def test_indices_may_be_written_as_text_with_ranges(make_histogram: Make, store: WorkspaceStore) -> None:
    declared = declaration.find("SumSpectra")
    assert declared is not None
    store.add("ws", make_histogram(X, ROWS))
    result = execute(declared, ("ws",), {"ListOfWorkspaceIndices": "0,2:3", "OutputWorkspace": "ws"}, store)
    assert result.y.tolist() == [[13, 16]]
    assert result is store["ws"]


def test_masked_spectra_and_nan_are_left_out_of_a_weighted_sum(make_histogram: Make) -> None:
    spectra = Spectra([1, 2, 3, 4], [10, 11, 12, 13], masked=[False, False, False, True])
    ws = make_histogram([0, 1], [[10], [np.nan], [30], [999]], [[1], [1], [2], [1]], spectra=spectra)
    # NaN counts as 0 with its weight of 1: (10 + 0 + 30/4) / (1 + 1 + 1/4), three of them
    result = sum_spectra(ws, weighted_sum=True, remove_special_values=True)
    assert result.y[0] == pytest.approx([3 * 17.5 / 2.25])
    assert result.e2[0] == pytest.approx([1 + 1 + 4])
    assert np.isnan(sum_spectra(ws, weighted_sum=True).y).all()
    mean = sum_spectra(ws, weighted_sum=True, remove_special_values=True, multiply_by_spectra=False)
    assert mean.y[0] == pytest.approx([17.5 / 2.25])


def test_a_weighted_sum_counts_the_values_bin_by_bin(make_histogram: Make) -> None:
    ws = make_histogram(X, [[4, 4], [8, 8]], [[1, 0], [2, 2]])
    # bin 0: 2 (4 + 2) / 1.25; bin 1 has one value with an error
    assert sum_spectra(ws, weighted_sum=True).y[0] == pytest.approx([9.6, 8])
    nothing = sum_spectra(make_histogram(X, [[1, 2]], [[0, 0]]), weighted_sum=True)
    assert (nothing.y.tolist(), nothing.e.tolist()) == ([[0, 0]], [[0, 0]])


def test_events_are_weighted_and_freed_of_nan_as_their_histogram(make_events: MakeEvents) -> None:
    events = make_events([0.5, 1.5, 1.6], [0.1, 0.2], edges=X)
    for ws in (events, events.to_histogram()):
        # counts 1, 2 and 2, 0, of variances as large: bin 0 is 2 (1 + 1) / (1 + 1/2)
        assert sum_spectra(ws, weighted_sum=True).y[0] == pytest.approx([2 * 2 / 1.5, 2])
        assert sum_spectra(ws, weighted_sum=True).e2.tolist() == [[3, 2]]
        assert sum_spectra(ws, remove_special_values=True).y.tolist() == [[3, 2]]


def test_spectra_that_have_the_same_bins_each_are_summed_in_these(make_events: MakeEvents) -> None:
    events = make_events([0.5, 1.5], [0.1], edges=X).replaced(edges=[X, X])
    for ws in (events, events.to_histogram()):
        result = sum_spectra(ws)
        assert result.x.tolist() == [0, 1, 2]
        assert result.y.tolist() == [[2, 1]]
        assert result.readX(0).tolist() == [0, 1, 2]


def test_different_bins_of_events_cannot_be_summed_either(make_events: MakeEvents) -> None:
    with pytest.raises(ValueError, match="SumSpectra: InputWorkspace: its spectra have different bins"):
        sum_spectra(make_events([0.5], [0.5]).replaced(edges=[[0, 1], [0, 2]]))


def test_points_and_distributions_are_summed_value_by_value(make_histogram: Make) -> None:
    points = sum_spectra(make_histogram([1, 2], [[1, 2], [3, 4]], distribution=True))
    assert (points.x.tolist(), points.y.tolist()) == ([1, 2], [[4, 6]])
    assert points.isDistribution()


def test_masked_spectra_alone_sum_to_nothing(make_histogram: Make, make_events: MakeEvents) -> None:
    for ws in (make_histogram(X, [[1, 2]]), make_events([0.5], edges=X)):
        result = sum_spectra(mask_detectors(ws, [1]))
        assert result.y.tolist() == [[0, 0]]
        assert result.getRun()["NumAllSpectra"].value == 0
        assert result.getRun()["NumMaskSpectra"].value == 1


def test_events_that_are_none_sum_to_nothing(make_events: MakeEvents) -> None:
    result = sum_spectra(make_events([], [], edges=X))
    assert result.y.tolist() == [[0, 0]]
    assert result.getRun()["NumZeroSpectra"].value == 2


def test_a_range_that_falls_is_refused(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match=r"the first workspace index \(3\) is greater than the last \(1\)"):
        sum_spectra(make_histogram(X, ROWS), 3, 1)


def test_events_are_transposed_as_their_histogram(make_events: MakeEvents) -> None:
    events = make_events([0.5, 1.5, 1.6], [0.1, 0.2], edges=X)
    for ws in (events, events.to_histogram()):
        result = transpose(ws)
        assert result.y.tolist() == [[1, 2], [2, 0]]
        assert result.x.tolist() == [1, 2]
        assert not result.is_histogram
        assert (result.n_spectra, result.n_bins) == (2, 2)
        assert transpose(result).y.tolist() == [[1, 2], [2, 0]]
        assert transpose(result).x.tolist() == X


def test_points_are_transposed_to_points(make_histogram: Make) -> None:
    ws = make_histogram([1, 2, 4], [[1, 2, 3], [4, 5, 6]], [[0, 1, 2], [3, 4, 5]], distribution=True)
    once = transpose(ws)
    assert once.getAxis(1).extractValues().tolist() == [1, 2, 4]
    assert once.e.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert once.isDistribution()
    assert transpose(once).x.tolist() == [1, 2, 4]


def test_spectra_with_different_bins_cannot_be_transposed(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="Transpose: InputWorkspace: its spectra have different bins; Rebin it first"):
        transpose(make_histogram([[0, 1], [0, 2]], [[1], [2]]))


def test_a_masked_monitor_is_not_among_the_masked_unless_monitors_are_summed(make_histogram: Make) -> None:
    detectors = Detectors([10, 11, 12, 13], [True, False, False, False])
    spectra = Spectra([1, 2, 3, 4], [10, 11, 12, 13], masked=[True, True, False, False])
    ws = make_histogram(X, ROWS, detectors=detectors, spectra=spectra)
    logs = [sum_spectra(ws, include_monitors=choice).getRun() for choice in (True, False)]
    assert [log["NumMaskSpectra"].value for log in logs] == [2, 1]
    assert [log["NumAllSpectra"].value for log in logs] == [2, 2]
