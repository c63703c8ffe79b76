"""Chunks put together; the numbers are those of the few counts written down here."""

from __future__ import annotations

import numpy as np
import pytest

from livereduce.live.accumulate import Method, accumulate, without_events
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Run,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
)

DETECTORS = Detectors([1, 2])


def events(*tof_us: tuple[float, int], edges: list[float] | None = None, pulse: int = 1) -> EventWorkspace:
    """Events (time of flight in µs, spectrum) of one pulse of 100 pC, `pulse` seconds after the epoch."""
    table = EventTable(2)
    ticks = [round(10 * tof) for tof, _ in tof_us]
    table.append(ticks, [i for _, i in tof_us], [pulse * 10**9], [0, len(tof_us)], [100.0])
    run = Run()
    run.append("proton_charge", [pulse * 10**9], [100.0], "picoCoulomb")
    return EventWorkspace.from_table(table, 0, table.n, DETECTORS, run, edges=edges)


def counts(*rows: list[float], x: list[float] | None = None) -> HistogramWorkspace:
    return HistogramWorkspace(x or list(range(len(rows[0]) + 1)), list(rows), list(rows), unit="TOF")


def y_of(workspace: Workspace | None) -> list[list[float]]:
    assert isinstance(workspace, MatrixWorkspace)
    values: list[list[float]] = workspace.y.tolist()
    return values


def test_the_first_chunk_is_the_accumulation_whatever_the_method() -> None:
    chunk = counts([1, 2])
    for method in Method:
        first = accumulate(None, chunk, method)
        assert first is not chunk
        assert y_of(first) == [[1, 2]]


def test_add_sums_counts_and_variances_and_leaves_both_sides_as_they_were() -> None:
    old, new = counts([1, 2], [3, 4]), counts([10, 20], [30, 40])
    total = accumulate(old, new, Method.ADD)
    assert y_of(total) == [[11, 22], [33, 44]]
    assert isinstance(total, HistogramWorkspace)
    assert total.e2.tolist() == [[11, 22], [33, 44]]
    assert (y_of(old), y_of(new)) == ([[1, 2], [3, 4]], [[10, 20], [30, 40]])


def test_replace_is_the_chunk_alone_and_append_stacks_spectra() -> None:
    old, new = counts([1, 2]), counts([10, 20])
    assert y_of(accumulate(old, new, Method.REPLACE)) == [[10, 20]]
    assert y_of(accumulate(old, new, Method.APPEND)) == [[1, 2], [10, 20]]


def test_append_does_not_compare_bins_and_joins_logs() -> None:
    stacked = accumulate(events((5, 0), edges=[0, 10], pulse=1), events((7, 1), edges=[0, 20], pulse=2), Method.APPEND)
    assert isinstance(stacked, EventWorkspace)
    assert y_of(stacked) == [[1], [0], [0], [1]]
    assert [stacked.readX(i).tolist() for i in (0, 3)] == [[0, 10], [0, 20]]
    assert stacked.run().getProperty("proton_charge").value.tolist() == [100.0, 100.0]


def test_events_keep_the_bins_of_the_left_side_and_gather_both_pulses() -> None:
    total = accumulate(events((5, 0), edges=[0, 10], pulse=1), events((5, 0), (15, 1), pulse=2), Method.ADD)
    assert isinstance(total, EventWorkspace)
    assert total.readX(0).tolist() == [0, 10]
    assert y_of(total) == [[2], [0]]
    assert total.number_events() == 3
    assert total.logs.integrated_proton_charge == pytest.approx(200 / 3.6e9)


def test_the_default_bin_of_events_grows_with_the_data() -> None:
    total = accumulate(events((5, 0), (6, 0)), events((1, 1), (9, 1)), Method.ADD)
    assert isinstance(total, EventWorkspace)
    assert total.tof_range() == (1.0, 9.0)
    assert y_of(total) == [[2], [2]]


def test_single_bins_that_were_never_rebinned_add_and_span_both() -> None:
    total = accumulate(without_events(events((5, 0), (6, 0))), without_events(events((1, 1), (9, 1))), Method.ADD)
    assert isinstance(total, HistogramWorkspace)
    assert y_of(total) == [[2], [2]]
    assert total.x[0] == 1.0
    assert total.x[1] == pytest.approx(9.0)


def test_attached_monitors_follow_the_method() -> None:
    old, new = counts([1]), counts([10])
    old.monitors, new.monitors = counts([2, 0]), counts([3, 4])
    assert y_of(monitors_of(accumulate(old, new, Method.ADD))) == [[5, 4]]
    assert y_of(monitors_of(accumulate(old, new, Method.REPLACE))) == [[3, 4]]
    assert y_of(monitors_of(accumulate(old, new, Method.APPEND))) == [[2, 0], [3, 4]]
    assert y_of(old.monitors) == [[2, 0]]


def monitors_of(workspace: Workspace) -> MatrixWorkspace:
    assert isinstance(workspace, MatrixWorkspace)
    assert workspace.monitors is not None
    return workspace.monitors


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (counts([1, 2, 3]), "the chunk has 1 spectra of 3 bins in TOF, the accumulation 1 spectra of 2 bins in TOF"),
        (counts([1, 2], [1, 2]), "the chunk has 2 spectra"),
        (counts([5.0]), "the chunk has 1 spectra of 1 bins"),
        (counts([1, 2], x=[0, 5, 9]), "bins differ"),
        (WorkspaceGroup([counts([1, 2])]), "the chunk is a group and the accumulation a single Workspace2D"),
        (
            TableWorkspace(),
            "a single TableWorkspace and the accumulation a single Workspace2D; such can only be Replaced",
        ),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused_and_not_spread_over_the_others(new: Workspace, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accumulate(counts([1, 2]), new, Method.ADD)


@pytest.mark.parametrize(
    ("method", "expected"), [(Method.ADD, [[[11]], [[22]]]), (Method.APPEND, [[[1], [10]], [[2], [20]]])]
)
def test_groups_are_combined_member_by_member(method: Method, expected: list[list[list[float]]]) -> None:
    total = accumulate(WorkspaceGroup([counts([1]), counts([2])]), WorkspaceGroup([counts([10]), counts([20])]), method)
    assert isinstance(total, WorkspaceGroup)
    assert [y_of(member) for member in total] == expected


def test_a_new_period_begins_with_its_first_chunk_and_one_that_is_missing_keeps_what_it_has() -> None:
    one, two = WorkspaceGroup([counts([1])]), WorkspaceGroup([counts([10]), counts([20])])
    grown = accumulate(one, two, Method.ADD)
    assert isinstance(grown, WorkspaceGroup)
    assert [y_of(member) for member in grown] == [[[11]], [[20]]]
    again = accumulate(grown, WorkspaceGroup([counts([100])]), Method.ADD)
    assert isinstance(again, WorkspaceGroup)
    assert [y_of(member) for member in again] == [[[111]], [[20]]]
    assert y_of(two[1]) == [[20]]


def test_dropping_events_uses_the_bins_they_have_now_in_groups_and_monitors_too() -> None:
    workspace = events((5, 0), (15, 0), (15, 1), edges=[0, 10, 20])
    workspace.monitors = events((3, 1), edges=[0, 4, 8])
    for dropped in (without_events(workspace), without_events(WorkspaceGroup([workspace])[0])):
        assert isinstance(dropped, HistogramWorkspace)
        assert dropped.x.tolist() == [0, 10, 20]
        assert y_of(dropped) == [[1, 1], [0, 1]]
        assert isinstance(dropped.monitors, HistogramWorkspace)
        assert y_of(dropped.monitors) == [[0, 0], [1, 0]]
    group = without_events(WorkspaceGroup([workspace, counts([1])]))
    assert isinstance(group, WorkspaceGroup)
    assert [type(member) for member in group] == [HistogramWorkspace, HistogramWorkspace]


def test_a_histogram_whose_monitors_are_events_loses_those_too() -> None:
    workspace = counts([1, 2])
    workspace.monitors = events((3, 1), edges=[0, 4])
    dropped = without_events(workspace)
    assert isinstance(dropped, HistogramWorkspace)
    assert isinstance(dropped.monitors, HistogramWorkspace)
    assert isinstance(workspace.monitors, EventWorkspace)


def test_a_table_or_a_histogram_is_no_business_of_dropping_events() -> None:
    table, histogram = TableWorkspace(), counts([1])
    assert without_events(table) is table
    assert without_events(histogram) is histogram


def test_charge_that_a_script_stated_stays_true_after_the_next_chunk() -> None:
    """A chunk's `gd_prtn_chrg` is not copied over as the total: 100 pC stated, 100 pC from the next pulse."""
    old, new = events((5, 0), pulse=1), events((5, 0), pulse=2)
    old.logs.set("gd_prtn_chrg", 100 / 3.6e9, "uAh")
    total = accumulate(old, new, Method.ADD)
    assert isinstance(total, EventWorkspace)
    assert total.logs.proton_charge == pytest.approx(200 / 3.6e9)
    assert np.array_equal(total.run().getProperty("proton_charge").value, [100.0, 100.0])
