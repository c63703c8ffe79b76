from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import set_uncertainties, weighted_mean
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, Run, Spectra

Make = Callable[..., HistogramWorkspace]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("zero", [0, 0, 0, 0]),
        ("sqrt", [2, 3, 0, 0]),
        ("sqrtOrOne", [2, 3, 1, 1]),
        ("oneIfZero", [5, 1, 7, 1]),
        ("ONEIFZERO", [5, 1, 7, 1]),
    ],
)
def test_errors_are_set(make_histogram: Make, how: Any, expected: list[float]) -> None:
    ws = make_histogram(range(5), [4, -9, 0, 1e-11], [5, 0, 7, 1e-11])
    result = set_uncertainties(ws, how)
    assert result.e.tolist() == [pytest.approx(expected)]
    assert result.y.tolist() == ws.y.tolist()


def test_errors_of_a_given_size_are_replaced(make_histogram: Make) -> None:
    ws = make_histogram(range(6), [1] * 5, [0.025123, 0.02599999, 0.02499, 0.026, 0.025])
    result = set_uncertainties(ws, "custom", set_error_to=1, if_equal_to=0.025, precision=3)
    assert result.e.tolist() == [pytest.approx([1, 1, 0.02499, 0.026, 1])]
    with pytest.raises(ValueError, match="SetUncertainties: Precision: expected 0 or more, found -1"):
        set_uncertainties(ws, "custom", precision=-1)


def test_masked_spectra_get_no_error(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[4], [4]], [[3], [0]], spectra=Spectra([1, 2], [10, 11], masked=[True, True]))
    assert set_uncertainties(ws, "sqrt").e.tolist() == [[0], [0]]
    assert set_uncertainties(ws, "oneIfZero").e.tolist() == [[3], [0]]


def test_the_weighted_mean_of_mantids_documentation_comes_out(make_histogram: Make) -> None:
    first = make_histogram(range(10), range(9), np.ones(9))
    second = make_histogram(np.ones(10), np.full(9, 2), np.full(9, 3))
    result = weighted_mean(first, second)
    assert result.x.tolist() == list(range(10))
    assert result.y[0] == pytest.approx([0.2, 1.1, 2.0, 2.9, 3.8, 4.7, 5.6, 6.5, 7.4])
    assert result.e[0] == pytest.approx([0.9486833] * 9)


def test_a_value_without_error_does_not_count(make_histogram: Make) -> None:
    first = make_histogram(range(5), [1, 2, np.nan, 4], [0, 2, 0, 0])
    second = make_histogram(range(5), [5, np.nan, 7, 8], [3, 0, 1, 0])
    result = weighted_mean(first, second)
    assert result.y.tolist() == [pytest.approx([5, 2, 7, 0])]
    assert result.e.tolist() == [pytest.approx([3, 2, 1, 0])]


def test_different_workspaces_have_no_mean(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2], [1, 2])
    with pytest.raises(ValueError, match="WeightedMean: InputWorkspace2: has 1 spectra of 1 values; expected 1 of 2"):
        weighted_mean(ws, make_histogram([0, 1], [1]))
    with pytest.raises(ValueError, match=r"different .*'TOF', 'Counts' and 'TOF', 'Counts', a distribution"):
        weighted_mean(ws, make_histogram([0, 1, 2], [1, 2], distribution=True))


def test_events_are_taken_as_their_histogram(make_events: Callable[..., EventWorkspace]) -> None:
    first = make_events([0.5, 1.5, 1.6], edges=[0, 1, 2])
    second = make_events([0.5, 0.6], edges=[0, 1, 2])
    for a, b in ((first, second), (first.to_histogram(), second)):
        mean = weighted_mean(a, b)
        # 1 +- 1 and 2 +- sqrt(2): (1 + 2/2) / (1 + 1/2); of the second bin only the first has an error
        assert mean.y[0] == pytest.approx([2 / 1.5, 2])
        assert mean.e2[0] == pytest.approx([1 / 1.5, 2])
    for ws in (first, first.to_histogram()):
        assert set_uncertainties(ws).e.tolist() == [[0, 0]]
        assert set_uncertainties(ws, "sqrtOrOne").e[0] == pytest.approx([1, np.sqrt(2)])
        assert set_uncertainties(ws, "sqrtOrOne").y.tolist() == [[1, 2]]


def test_errors_without_events_are_as_said(make_events: Callable[..., EventWorkspace]) -> None:
    none = make_events([], edges=[0, 1])
    assert set_uncertainties(none, "oneIfZero").e.tolist() == [[1]]
    assert weighted_mean(none, none).y.tolist() == [[0]]


def test_an_unknown_way_to_set_errors_is_named(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match=r"SetUncertainties: SetError: expected one of zero, sqrt, .* found 'half'"):
        set_uncertainties(make_histogram([0, 1], [1]), "half")  # type: ignore[arg-type]


def test_logs_of_both_are_in_a_mean(make_histogram: Make) -> None:
    runs = [make_histogram([0, 1], [4], run=Run({"gd_prtn_chrg": charge})) for charge in (1.0, 2.0)]
    assert weighted_mean(*runs).getRun().getProtonCharge() == 3.0
    assert runs[0].getRun().getProtonCharge() == 1.0


def test_what_is_masked_in_either_is_masked_in_the_mean(make_histogram: Make) -> None:
    def with_masks(spectra: list[bool], bins: Any = None) -> HistogramWorkspace:
        numbers = Spectra([1, 2, 3], [10, 11, 12], masked=spectra)
        return make_histogram([0, 1], [[4], [4], [4]], [[2], [2], [2]], spectra=numbers, bin_mask=bins)

    first = with_masks([True, False, False], [[False], [False], [True]])
    second = with_masks([False, True, False])
    for a, b in ((first, second), (second, first)):
        mean = weighted_mean(a, b)
        assert mean.spectra.masked.tolist() == [True, True, False]
        assert mean.y.tolist() == [[0], [0], [4]]
        assert mean.bin_mask is not None
        assert mean.bin_mask.tolist() == [[False], [False], [True]]
