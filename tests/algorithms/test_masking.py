from collections.abc import Callable

import numpy as np
import pytest

from livereduce.algorithms import create_sample_workspace, declaration, mask_bins, mask_detectors, sum_spectra
from livereduce.algorithms.calling import execute
from livereduce.workspaces import (
    Curve,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Spectra,
    WorkspaceStore,
)

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


@pytest.mark.parametrize(
    ("limits", "masked"),
    [
        ({"start_workspace_index": 1, "end_workspace_index": 2}, [False, True, True, False]),
        ({"start_workspace_index": 2}, [False, False, True, True]),
        ({"end_workspace_index": 0}, [True, False, False, False]),
        ({}, [False, False, False, False]),
    ],
)
def test_a_range_of_indices_alone_is_what_is_masked(
    ws: HistogramWorkspace, limits: dict[str, int], masked: list[bool]
) -> None:
    assert mask_detectors(ws, **limits).spectra.masked.tolist() == masked  # type: ignore[arg-type]


def test_a_range_limits_what_another_workspace_masks(ws: HistogramWorkspace) -> None:
    other = mask_detectors(ws, workspace_index_list=[0, 3])
    assert mask_detectors(ws, masked_workspace=other, start_workspace_index=1).spectra.masked.tolist() == [
        False, False, False, True,
    ]  # fmt: skip
    nothing = mask_detectors(ws, masked_workspace=ws, start_workspace_index=1)
    assert not nothing.spectra.masked.any()


def test_a_range_that_is_not_there_is_refused(ws: HistogramWorkspace) -> None:
    with pytest.raises(ValueError, match="MaskDetectors: workspace index 5 is not in 0 to 3"):
        mask_detectors(ws, [1], start_workspace_index=5)
    with pytest.raises(ValueError, match=r"the first workspace index \(2\) is greater than the last \(1\)"):
        mask_detectors(ws, start_workspace_index=2, end_workspace_index=1)


def test_a_spectrum_is_masked_if_any_of_its_detectors_is(make_histogram: Make) -> None:
    groups = Spectra.from_groups([1, 2], [[10, 11], [12]])
    result = mask_detectors(make_histogram([0, 1], [[3], [4]], spectra=groups), detector_list=[11])
    assert result.y.tolist() == [[0], [4]]


def test_masking_works_in_the_workspace_and_takes_names_and_texts(
    make_events: MakeEvents, make_histogram: Make, store: WorkspaceStore
) -> None:
    declared = declaration.find("MaskDetectors")
    assert declared is not None
    store.add("counts", make_histogram(X, [[1, 2, 3, 4]] * 4))
    store.add("events", make_events([0.5], [0.5], [0.5], [0.5], edges=X))
    for name in ("counts", "events"):
        kept = store[name]
        assert execute(declared, (name,), {"WorkspaceIndexList": "0,2-3"}, store) is None
        assert store[name] is kept
        assert isinstance(kept, MatrixWorkspace)
        assert kept.spectra.masked.tolist() == [True, False, True, True]
        assert kept.y.sum(axis=1).tolist() == [0, 10 if name == "counts" else 1, 0, 0]


def test_bins_that_only_touch_the_range_stay_and_ranges_may_be_negative(make_histogram: Make) -> None:
    ws = make_histogram([-3, -2, -1, 0, 1], [[1, 2, 3, 4]])
    assert mask_bins(ws, -2, 0).y.tolist() == [[1, 0, 0, 4]]
    assert mask_bins(ws, -1.5, -1.4).y.tolist() == [[1, 0, 3, 4]]
    assert mask_bins(ws, -99, -2.999).y.tolist() == [[0, 2, 3, 4]]
    assert mask_bins(ws, 1, 99).y.tolist() == [[1, 2, 3, 4]]


def test_bins_of_spectra_that_have_their_own_are_masked_by_them(make_histogram: Make) -> None:
    ws = make_histogram([[0, 1, 2], [0, 2, 4]], [[1, 2], [4, 8]], unit="dSpacing")
    assert mask_bins(ws, 1, 2).y.tolist() == [[1, 0], [0, 8]]


def test_nan_among_masked_bins_is_gone(make_histogram: Make) -> None:
    result = mask_bins(make_histogram([0, 1, 2], [[np.nan, 2]], [[np.inf, 1]]), 0, 1)
    assert result.y.tolist() == [[0, 2]]
    assert result.e2.tolist() == [[0, 1]]


def test_events_and_their_histogram_are_masked_alike_where_the_range_is_of_whole_bins(
    random_events: EventWorkspace,
) -> None:
    for indices in ([], [1, 3]):
        by_events = mask_bins(random_events, 20, 50, indices)
        by_histogram = mask_bins(random_events.to_histogram(), 20, 50, indices)
        expected = np.array(random_events.y)
        expected[indices or slice(None), 2:5] = 0
        assert by_events.y.tolist() == by_histogram.y.tolist() == expected.tolist()
        assert by_events.e2.tolist() == by_histogram.e2.tolist() == expected.tolist()


def test_events_whose_x_falls_with_time_are_dropped_from_the_lower_limit_to_before_the_upper(
    make_events: MakeEvents,
) -> None:
    # X = 1 / t**2: 1, 1/4, 1/16 at 1, 2, 4
    ws = (
        make_events([1.0, 2.0, 4.0])
        .planned(lambda plan: plan.in_unit("Energy", 1.0, curve=Curve(-2)))
        .replaced(edges=[0, 0.1, 0.5, 2])
    )
    assert ws.y.tolist() == [[1, 1, 1]]
    assert mask_bins(ws, 0.25, 1).y.tolist() == [[1, 0, 1]]
    assert mask_bins(ws, 0.1, 0.25).y.tolist() == [[1, 1, 1]]
    assert mask_bins(ws, 0.0625, 0.3, [0]).y.tolist() == [[0, 0, 1]]


def test_events_that_are_none_can_be_masked(make_events: MakeEvents) -> None:
    assert mask_bins(make_events([], []), 1, 2).y.tolist() == [[0], [0]]
    assert mask_detectors(make_events([], [], edges=X), [1]).spectra.masked.tolist() == [True, False]


def test_limits_that_are_no_numbers_and_spectra_that_are_not_there_are_refused(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[1]])
    with pytest.raises(ValueError, match=r"MaskBins: XMin \(0\) must be below XMax \(nan\)"):
        mask_bins(ws, 0, float("nan"))
    with pytest.raises(ValueError, match="MaskBins: workspace index 1 is not in 0 to 0"):
        mask_bins(ws, 0, 1, [1])


def test_spectra_whose_bins_to_mask_may_be_numbers(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2], [[1, 2], [3, 4], [5, 6]], spectra=Spectra([7, 1, 5], [10, 11, 12]))
    assert mask_bins(ws, 0, 1, [1, 7], index_type="SpectrumNumber").y.tolist() == [[0, 2], [0, 4], [5, 6]]
    assert mask_bins(ws, 0, 1, [1], spectra_list=[2]).y.tolist() == [[1, 2], [0, 4], [0, 6]]
    with pytest.raises(ValueError, match="MaskBins: InputWorkspaceIndexSet: there is no spectrum number 0"):
        mask_bins(ws, 0, 1, [0], index_type="SpectrumNumber")


def test_all_detectors_of_a_part_of_the_instrument_are_masked() -> None:
    for kind in ("Event", "Histogram"):
        ws = create_sample_workspace(kind, num_banks=2, bank_pixel_width=2)  # detectors 4 to 7 and 8 to 11
        first = ws.spectra.ids[:4].tolist()
        by_name = mask_detectors(ws, component_list=["bank2"])
        assert by_name.spectra.masked.tolist() == [False] * 4 + [True] * 4
        assert by_name.y[:4].tolist() == ws.y[:4].tolist()
        assert not by_name.y[4:].any()
        both = mask_detectors(ws, detector_list=first[:1], component_list=["bank2"], end_workspace_index=5)
        assert both.spectra.masked.tolist() == [True, *[False] * 3, True, True, False, False]
        with pytest.raises(ValueError, match="ComponentList: the instrument has no component 'bank3'; did you mean"):
            mask_detectors(ws, component_list=["bank3"])


def test_parts_of_an_instrument_that_is_not_known_cannot_be_masked(ws: HistogramWorkspace) -> None:
    with pytest.raises(ValueError, match="MaskDetectors: ComponentList: 'bank1' cannot be found: the workspace has no"):
        mask_detectors(ws, component_list=["bank1"])
