"""Spectra put below others: what each brings along, and which numbers they get."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import append_spectra, conjoin_workspaces, declaration, transpose
from livereduce.algorithms.calling import execute
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    Run,
    Spectra,
    WorkspaceGroup,
    WorkspaceStore,
)

Make = Callable[..., Any]
edit_instrument_geometry: Any = algorithms.edit_instrument_geometry
X = [0.0, 1.0, 2.0]
PLACE = Detectors([10, 11], l1=10.0, l2=[1.0, 2.0], two_theta=[1.0, 2.0])


def conjoin(store: WorkspaceStore, *inputs: Any, **options: Any) -> Any:
    declared = declaration.find("ConjoinWorkspaces")
    assert declared is not None
    return execute(declared, inputs, options, store)


def test_the_second_is_deleted_and_the_first_stays_the_same_object(make_histogram: Make, store: WorkspaceStore) -> None:
    first: Any = make_histogram(X, [[1, 2]])
    second = make_histogram(X, [[3, 4]], spectra=Spectra([2], [20]))
    store.add("first", first)
    store.add("second", second)
    conjoin(store, "first", "second")
    assert store.names() == ["first"]
    assert first.y.tolist() == [[1, 2], [3, 4]]
    assert store["first"] is first
    assert second.y.tolist() == [[3, 4]]


def test_what_is_not_in_the_store_under_its_name_is_not_deleted(make_histogram: Make, store: WorkspaceStore) -> None:
    first, apart = make_histogram(X, [[1, 2]]), make_histogram(X, [[3, 4]], spectra=Spectra([2], [20]))
    store.add("first", first)
    conjoin(store, "first", apart)
    assert first.n_spectra == 2
    conjoin(store, "first", "first", CheckOverlapping=False)
    assert store.names() == ["first"]
    assert first.y[:, 0].tolist() == [1, 3, 1, 3]


def test_nothing_is_deleted_if_the_two_do_not_go_together(make_histogram: Make, store: WorkspaceStore) -> None:
    store.add("first", make_histogram(X, [[1, 2]]))
    store.add("second", make_histogram([0, 2, 4], [[3, 4]], spectra=Spectra([2], [20])))
    with pytest.raises(ValueError, match="ConjoinWorkspaces: the workspaces have different bins"):
        conjoin(store, "first", "second")
    assert store.names() == ["first", "second"]
    conjoin(store, "first", "second", CheckMatchingBins="0")
    first: Any = store["first"]
    assert first.x.tolist() == [[0, 1, 2], [0, 2, 4]]


def test_a_second_group_goes_with_its_members(make_histogram: Make, store: WorkspaceStore) -> None:
    for name, number in (("a_1", 1), ("a_2", 1), ("b_1", 2), ("b_2", 2)):
        store.add(name, make_histogram(X, [[number, 0]], spectra=Spectra([number], [10 * number])))
    for group in "ab":
        store.add(group, WorkspaceGroup([store[f"{group}_1"], store[f"{group}_2"]]))
    conjoin(store, "a", "b")
    assert store.names() == ["a_1", "a_2", "a"]
    for name in ("a_1", "a_2"):
        member: Any = store[name]
        assert member.y[:, 0].tolist() == [1, 2]


def test_one_workspace_is_put_below_every_member_and_deleted_once(make_histogram: Make, store: WorkspaceStore) -> None:
    for name in ("a_1", "a_2"):
        store.add(name, make_histogram(X, [[1, 0]]))
    store.add("a", WorkspaceGroup([store["a_1"], store["a_2"]]))
    store.add("b", make_histogram(X, [[2, 0]], spectra=Spectra([2], [20])))
    conjoin(store, "a", "b")
    assert store.names() == ["a_1", "a_2", "a"]
    assert [ws.y[:, 0].tolist() for ws in store["a"]] == [[1, 2], [1, 2]]  # type: ignore[attr-defined]


def test_numbers_that_clash_go_on_from_the_greatest_of_the_first(make_histogram: Make) -> None:
    first = make_histogram(X, [[1, 2], [3, 4]], spectra=Spectra([4, 7], [10, 11]))
    clashing = make_histogram(X, [[5, 6], [7, 8]], spectra=Spectra([7, 9], [12, 13]))
    assert conjoin_workspaces(first, clashing, check_overlapping=False).getSpectrumNumbers() == [4, 7, 14, 16]
    apart = make_histogram(X, [[5, 6]], spectra=Spectra([5], [12]))
    assert conjoin_workspaces(first, apart, check_overlapping=False).getSpectrumNumbers() == [4, 7, 5]


def test_a_detector_in_both_is_refused_even_if_numbers_differ(make_histogram: Make) -> None:
    first = make_histogram(X, [[1, 2]], spectra=Spectra([1], [10]))
    with pytest.raises(ValueError, match="detector 10 is in both workspaces; CheckOverlapping=False allows it"):
        conjoin_workspaces(first, make_histogram(X, [[1, 2]], spectra=Spectra([2], [10])))


def test_masks_resolution_and_masked_bins_of_both_are_there(make_histogram: Make) -> None:
    first = make_histogram(X, [[1, 2]], dx=[[0.1, 0.2]])
    second = make_histogram(X, [[3, 4]], spectra=Spectra([9], [20], masked=[True]), bin_mask=np.array([[False, True]]))
    result = append_spectra(first, second)
    assert result.spectra.masked.tolist() == [False, True]
    assert isinstance(result, HistogramWorkspace)
    assert result.dx is not None
    assert result.dx.tolist() == [[0.1, 0.2], [0, 0]]
    assert result.bin_mask is not None
    assert result.bin_mask.tolist() == [[False, False], [False, True]]


@pytest.mark.parametrize("kind", ["histogram", "events"])
def test_places_that_were_set_stay_with_their_spectra(make_histogram: Make, make_events: Make, kind: str) -> None:
    def two(*rows: Any) -> Any:
        made = make_histogram(X, rows) if kind == "histogram" else make_events(*rows, edges=X)
        return made.replaced(detectors=PLACE)

    focused = edit_instrument_geometry(two([0.5, 1.5], [0.5, 1.5]), l2=[3.0, 4.0], polar=[90.0, 60.0])
    plain = two([0.5, 1.5], [0.5, 1.5])
    for first, second, l2 in ((focused, plain, [3, 4, 1, 2]), (plain, focused, [1, 2, 3, 4])):
        result = append_spectra(first, second)
        assert isinstance(result, EventWorkspace) is (kind == "events")
        assert [result.spectrumInfo().l2(i) for i in range(4)] == l2
        assert result.spectrumInfo().l1() == 10.0
    assert append_spectra(focused, focused).spectrumInfo().twoTheta(3) == pytest.approx(np.radians(60))


def test_vertical_axes_of_numbers_are_joined(make_histogram: Make) -> None:
    points = transpose(make_histogram([1.0, 2.0, 3.0], [[1, 2, 3]], unit="Wavelength"))
    result = append_spectra(points, points)
    assert result.getAxis(1).extractValues().tolist() == [1, 2, 3, 1, 2, 3]
    assert result.getAxis(1).getUnit().unitID() == "Wavelength"


def test_events_and_histogram_are_stacked_as_histograms(make_events: Make, make_histogram: Make) -> None:
    events = make_events([0.5, 1.5, 1.6], edges=X, run=Run({"a": 1}))
    result = append_spectra(events, make_histogram(X, [[5, 6]]))
    assert isinstance(result, HistogramWorkspace)
    assert result.y.tolist() == [[1, 2], [5, 6]]
    assert result.e2[1] == pytest.approx([5, 6])
    assert result.getRun()["a"].value == 1


def test_events_in_different_bins_keep_their_own(make_events: Make) -> None:
    first, second = make_events([0.5, 1.5], edges=X), make_events([0.5, 3.5], edges=[0.0, 3.0, 4.0])
    result = append_spectra(first, second, validate_inputs=False)
    assert isinstance(result, EventWorkspace)
    assert result.x.tolist() == [[0, 1, 2], [0, 3, 4]]
    assert result.y.tolist() == [[1, 1], [1, 1]]


def test_events_that_were_never_put_into_bins_are_stacked_so(make_events: Make) -> None:
    first, second = make_events([5.0, 15.0]), make_events([1.0], [400.0, 2.0], spectra=Spectra([8, 9], [20, 21]))
    for result in (append_spectra(first, second), conjoin_workspaces(first, second)):
        assert isinstance(result, EventWorkspace)
        assert result.default_binning
        assert result.y.tolist() == [[2], [1], [2]]
        assert result.x == pytest.approx([1.0, 400.0])
        assert result.getSpectrumNumbers() == [1, 8, 9]
    with pytest.raises(ValueError, match="different bins"):
        append_spectra(first, make_events([1.0], edges=X))


@pytest.mark.parametrize(("unit", "y_unit"), [("dSpacing", "Counts"), ("TOF", "Yield")])
def test_units_must_agree_unless_told_otherwise(make_histogram: Make, unit: str, y_unit: str) -> None:
    first, other = make_histogram(X, [[1, 2]]), make_histogram(X, [[3, 4]], unit=unit, y_unit=y_unit)
    with pytest.raises(ValueError, match=r"AppendSpectra: the workspaces have different units \(X, Y\)"):
        append_spectra(first, other)
    assert append_spectra(first, other, validate_inputs=False).unit == "TOF"


def test_a_number_below_one_is_refused(make_histogram: Make) -> None:
    ws = make_histogram(X, [[1, 2]])
    with pytest.raises(ValueError, match="AppendSpectra: Number: expected 1 or more, found 0"):
        append_spectra(ws, ws, number=0)


def test_joined_spectra_get_another_unit_and_label(make_histogram: Make) -> None:
    def join(**options: Any) -> tuple[str, str]:
        first = make_histogram(X, [[1, 2]], y_unit="Counts", y_label="Neutrons")
        second = make_histogram(X, [[3, 4]], y_unit="Counts", spectra=Spectra([9], [20]))
        result = conjoin_workspaces(first, second, **options)
        return result.YUnit(), result.YUnitLabel()

    assert join() == ("Counts", "Neutrons")
    assert join(y_unit="Events") == ("Events", "Events")
    assert join(y_unit="Events", y_label="Hits") == ("Events", "Hits")
    assert join(y_label="Hits") == ("Counts", "Hits")
