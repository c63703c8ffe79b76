from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import create_workspace, rebin, rebin_to_workspace
from livereduce.algorithms.binning import edges_from
from livereduce.workspaces import EventWorkspace, HistogramWorkspace


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([0, 1, 3], [0, 1, 2, 3]),
        ([0, 2, 5], [0, 2, 4, 5]),  # 2 + 1.25 * 2 = 4.5 fits into 5, so 4 is an edge and the last bin half a step
        ([0, 4, 9], [0, 4, 8, 9]),  # the last bin is exactly 25 % of the step
        ([0, 4, 8.9], [0, 4, 8.9]),  # 22.5 % is too little: the last bin is 122.5 %
        ([0, 1, 2, 0.5, 3], [0, 1, 2, 2.5, 3]),
        ([1, -1, 8], [1, 2, 4, 8]),
        ([1, -1, 8.9], [1, 2, 4, 8.9]),  # 4 + 1.25 * 4 = 9 does not fit, so 8 is no edge
        ([0, 10, 3], [0, 3]),  # a step wider than the section gives one bin
        ([-2, 1, 0], [-2, -1, 0]),
    ],
)
def test_edges_follow_the_rule_of_the_last_bin(params: list[float], expected: list[float]) -> None:
    assert edges_from(params).tolist() == expected


def test_full_bins_only_starts_the_next_section_at_the_last_edge_reached() -> None:
    assert edges_from([0, 2, 4.5, 3, 11], full_bins_only=True).tolist() == [0, 2, 4, 7, 10]


def test_full_bins_only_keeps_the_last_bin_in_spite_of_rounding() -> None:
    assert edges_from([0, 0.1, 0.3], full_bins_only=True) == pytest.approx([0, 0.1, 0.2, 0.3])


def test_reverse_logarithmic_bins_are_the_mirror_of_the_forward_ones() -> None:
    assert edges_from([1, -1, 8], reverse=True).tolist() == [1, 5, 7, 8]
    assert edges_from([1, -1, 8, 1, 10], reverse=True).tolist() == [1, 5, 7, 8, 9, 10]


def test_what_is_left_over_does_not_come_first_in_reverse_bins() -> None:
    # forward 1, 2, 4, 8, 9: the mirrored first bin, 1 wide, goes with the next, which is 4 wide
    assert edges_from([1, -1, 9], reverse=True).tolist() == [1, 6, 8, 9]
    assert edges_from([1, -1, 9], reverse=True, full_bins_only=True).tolist() == [1, 6, 8, 9]
    assert edges_from([1, -9, 2], reverse=True).tolist() == [1, 2]


def test_widths_may_fall_with_a_power_of_their_number() -> None:
    # 3, 3/sqrt(2), 3/sqrt(3), 3/2; 9.353 + 1.25 * 3/sqrt(5) is beyond 10
    assert edges_from([1, 3, 10], power=0.5) == pytest.approx([1, 4, 6.12132, 7.85337, 9.35337, 10], abs=1e-5)
    assert edges_from([1, 3, 10], True, power=0.5) == pytest.approx([1, 4, 6.12132, 7.85337, 9.35337], abs=1e-5)
    assert edges_from([0, 6, 11, 6, 20], power=1.0) == pytest.approx([0, 6, 9, 11, 17, 20])  # each section anew
    assert rebin(create_workspace([0, 20], [1]), [0, -6, 11], power=1, binning_mode="Power").x.tolist() == [0, 6, 9, 11]
    # another mode goes before the power
    assert rebin(create_workspace([0, 20], [1]), [0, 5, 10], power=1, binning_mode="Linear").x.tolist() == [0, 5, 10]


def test_a_power_that_makes_no_bins_is_refused() -> None:
    ws = create_workspace([0, 1], [1])
    cases: list[tuple[list[float], dict[str, Any], str]] = [
        ([0, 1, 2], {"power": 1.5}, "Power: expected above 0 and up to 1, found 1.5"),
        ([0, 1, 2], {"power": -0.5}, "found -0.5"),
        ([0, 1, 2], {"binning_mode": "Power"}, "Power: must be given for BinningMode=Power"),
        ([1, -1, 2], {"power": 0.5}, "all steps must be positive"),
        ([0, 1, 100], {"power": 1}, "more than 10000 bins to 100"),  # the sum of 1/k is 9.8 after so many
    ]
    for params, options, message in cases:
        with pytest.raises(ValueError, match=r"^Rebin: ") as caught:
            rebin(ws, params, **options)
        assert message in str(caught.value)


def test_counts_in_bins_of_no_width_are_an_error_unless_told_otherwise() -> None:
    ws = HistogramWorkspace([[0, 1, 1, 2], [0, 1, 2, 3]], [[1.0, 5.0, 2.0], [1.0, 1.0, 1.0]])
    with pytest.raises(ValueError, match="a bin of spectrum 1 goes from 1 to 1, so its 5 counts cannot be shared out"):
        rebin(ws, [0, 3, 3])
    assert rebin(ws, [0, 3, 3], ignore_bin_errors=True).y.tolist() == [[3], [3]]
    empty = HistogramWorkspace([0, 1, 1, 2], [[1.0, 0.0, 2.0]])
    assert rebin(empty, [0, 2, 2]).y.tolist() == [[3]]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([0, 1], "found 2 numbers"),
        ([0, 1, 2, 3], "found 4 numbers"),
        ([], "found 0 numbers"),
        ([0, 0, 1], "must not be zero"),
        ([2, 1, 1], "must rise"),
        ([0, 1, 5, 1, 4], "must rise"),
        ([0, -0.1, 10], "must start above 0"),
        ([-5, -0.1, 10], "must start above 0"),
        ([0, 1, float("nan")], "finite"),
        ([0, 1e-9, 1e9], "more than 1e+08"),
    ],
)
def test_params_that_mean_no_bins_are_refused(params: list[float], message: str) -> None:
    ws = create_workspace([0, 1], [1])
    with pytest.raises(ValueError, match=r"^Rebin: Params: ") as caught:
        rebin(ws, params)
    assert message in str(caught.value)


def test_counts_are_shared_in_proportion_to_the_overlap() -> None:
    ws = HistogramWorkspace([0, 2, 4], [[8.0, 4.0]], [[8.0, 4.0]])
    result = rebin(ws, [1, 2, 5])
    # [1, 3): half of 8 and half of 4; [3, 5): half of 4. Variances in the same proportion.
    assert result.x.tolist() == [1, 3, 5]
    assert result.y.tolist() == [[6.0, 2.0]]
    assert result.e2.tolist() == [[6.0, 2.0]]


def test_a_distribution_is_averaged() -> None:
    ws = HistogramWorkspace([0, 2, 4], [[8.0, 4.0]], [[1.0, 4.0]], distribution=True)
    result = rebin(ws, [0, 4, 4])
    # y: (8*2 + 4*2)/4; e: sqrt(1*2*2 + 4*2*2)/4
    assert result.y.tolist() == [[6.0]]
    assert result.e[0, 0] == pytest.approx(np.sqrt(20) / 4)
    assert result.isDistribution()


def test_every_spectrum_has_its_own_bins_before_and_the_same_after(make_histogram: Callable[..., Any]) -> None:
    ws = make_histogram([[0, 1, 2], [0, 2, 4]], [[1, 3], [4, 8]])
    result = rebin(ws, [0, 2, 4])
    assert result.x.tolist() == [0, 2, 4]
    assert result.y.tolist() == [[4, 0], [4, 8]]


def test_what_is_not_a_number_stays_in_its_own_bins() -> None:
    ws = HistogramWorkspace([0, 1, 2, 3], [[1.0, np.nan, 3.0]])
    assert np.isnan(rebin(ws, [0, 1.5, 3]).y).all()
    np.testing.assert_array_equal(rebin(ws, [0, 1, 3]).y, [[1.0, np.nan, 3.0]])


def test_a_single_step_takes_its_limits_from_the_bins() -> None:
    ws = HistogramWorkspace([1, 2, 4], [[1.0, 2.0]])
    assert rebin(ws, 1).x.tolist() == [1, 2, 3, 4]
    assert rebin(ws, -1.0).x.tolist() == [1, 2, 4]


def test_a_single_step_takes_its_limits_from_the_events(make_events: Callable[..., EventWorkspace]) -> None:
    ws = make_events([3.0, 10.0], [5.0, 7.0])
    assert rebin(ws, 2).x.tolist() == [3, 5, 7, 9, 10]


def test_a_single_step_without_events_is_an_error_unless_told_otherwise(
    make_events: Callable[..., EventWorkspace],
) -> None:
    ws = make_events([], [])
    with pytest.raises(ValueError, match="these have none; give x0,dx,x1"):
        rebin(ws, 2)
    assert rebin(ws, 2, ignore_bin_errors=True).n_bins == 1
    assert rebin(ws, [0, 1, 2]).y.tolist() == [[0, 0], [0, 0]]


def test_points_stay_points() -> None:
    ws = HistogramWorkspace([0.5, 1.5, 2.5, 3.5], [[1.0, 2.0, 3.0, 4.0]])
    result = rebin(ws, [0, 2, 4])
    assert not result.is_histogram
    assert result.x.tolist() == [1, 3]
    assert result.y.tolist() == [[3, 7]]


def test_events_keep_their_times_when_preserved(make_events: Callable[..., EventWorkspace]) -> None:
    ws = make_events([1.0, 2.0, 2.5, 9.0])
    coarse = rebin(ws, [0, 4, 8])
    assert isinstance(coarse, EventWorkspace)
    assert coarse.y.tolist() == [[3, 0]]
    assert coarse.number_events() == 4  # the one beyond the edges is still there
    assert rebin(coarse, [0, 1, 10]).y.tolist() == [[0, 1, 2, 0, 0, 0, 0, 0, 0, 1]]


def test_events_not_preserved_become_a_histogram(make_events: Callable[..., EventWorkspace]) -> None:
    result = rebin(make_events([1.0, 2.0, 9.0]), [0, 4, 8], preserve_events=False)
    assert isinstance(result, HistogramWorkspace)
    assert result.y.tolist() == [[2, 0]]
    assert result.e.tolist() == [[np.sqrt(2), 0]]


def test_a_bin_includes_its_lower_edge_and_excludes_its_upper(make_events: Callable[..., EventWorkspace]) -> None:
    assert rebin(make_events([1.0, 2.0]), [0, 1, 2]).y.tolist() == [[0, 1]]


def test_events_and_their_histogram_rebin_alike_where_edges_agree(random_events: EventWorkspace) -> None:
    by_events = rebin(random_events, [0, 20, 100], preserve_events=False)
    by_histogram = rebin(random_events.to_histogram(), [0, 20, 100])
    assert by_events.y.tolist() == by_histogram.y.tolist()
    assert by_events.e2 == pytest.approx(by_histogram.e2)


def test_masked_bins_mask_what_they_go_into(make_histogram: Callable[..., Any]) -> None:
    ws = make_histogram([0, 1, 2, 3, 4], [[1, 2, 3, 4]], bin_mask=[[True, False, False, False]])
    result = rebin(ws, [0, 2, 4])
    assert isinstance(result, HistogramWorkspace)
    assert result.bin_mask is not None
    assert result.bin_mask.tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("mode", "params", "expected"),
    [
        ("Linear", [1, -1, 4], [1, 2, 3, 4]),
        ("Logarithmic", [1, 1, 8], [1, 2, 4, 8]),
        ("ReverseLogarithmic", [1, 1, 8], [1, 5, 7, 8]),
    ],
)
def test_the_binning_mode_overrides_the_sign_of_the_step(mode: Any, params: list[float], expected: list[float]) -> None:
    assert rebin(create_workspace([0, 10], [1]), params, binning_mode=mode).x.tolist() == expected


def test_rebin_to_workspace_takes_the_others_bins(make_events: Callable[..., EventWorkspace]) -> None:
    match = HistogramWorkspace([0, 3, 9], [[1.0, 1.0]])
    assert rebin_to_workspace(make_events([1.0, 2.0, 4.0]), match).y.tolist() == [[2, 1]]
    other = create_workspace([0, 1], [1], unit_x="Wavelength")
    with pytest.raises(ValueError, match="WorkspaceToMatch is in 'Wavelength', WorkspaceToRebin in 'TOF'"):
        rebin_to_workspace(match, other)


def test_rebin_to_workspace_shares_counts_out_and_takes_the_first_spectrums_bins(
    make_histogram: Callable[..., Any],
) -> None:
    ws = make_histogram([0, 2, 4], [[4, 8]], [[2, 4]])
    match = make_histogram([[1, 3, 4], [7, 8, 9]], [[0, 0], [0, 0]])
    result = rebin_to_workspace(ws, match)
    # half of 4 and half of 8, half of 8; variances in the same shares
    assert result.x.tolist() == [1, 3, 4]
    assert result.y.tolist() == [[6, 4]]
    assert result.e2.tolist() == [[2 + 8, 8]]


def test_rebin_to_workspace_makes_edges_of_points_and_a_histogram_of_events_if_asked(
    make_events: Callable[..., EventWorkspace], make_histogram: Callable[..., Any]
) -> None:
    points = make_histogram([1.0, 3.0], [[0, 0]])  # edges 0, 2, 4
    events = make_events([0.5, 2.0, 3.9, 4.0], [], edges=[0, 9])
    kept = rebin_to_workspace(events, points)
    assert isinstance(kept, EventWorkspace)
    assert (kept.x.tolist(), kept.y.tolist()) == ([0, 2, 4], [[1, 2], [0, 0]])
    dense = rebin_to_workspace(events, points, preserve_events=False)
    assert isinstance(dense, HistogramWorkspace)
    assert dense.y.tolist() == kept.y.tolist()
    assert rebin_to_workspace(events, events.replaced(edges=[0, 3, 5])).y.tolist() == [[2, 2], [0, 0]]
