from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import declaration, merge_runs
from livereduce.algorithms.calling import execute
from livereduce.workspaces import (
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Run,
    Spectra,
    TableWorkspace,
    WorkspaceGroup,
    WorkspaceStore,
)

Make = Callable[..., HistogramWorkspace]
X, Y = [1, 2, 3, 4, 5], [6, 15, 21, 9]


def y_of(ws: Any) -> list[list[float]]:
    assert isinstance(ws, MatrixWorkspace)
    return [list(row) for row in ws.y.tolist()]


def test_runs_are_added_as_in_mantids_documentation(make_histogram: Make) -> None:
    a, b = make_histogram(X, Y), make_histogram(X, Y)
    merged = merge_runs([a, b])
    assert y_of(merged) == [[12, 30, 42, 18]]
    assert isinstance(merged, MatrixWorkspace)
    assert merged.e2.tolist() == [pytest.approx([12, 30, 42, 18])]


def test_groups_are_taken_as_their_members(make_histogram: Make) -> None:
    groups = [WorkspaceGroup([make_histogram(X, Y), make_histogram(X, Y)]) for _ in range(2)]
    assert y_of(merge_runs(groups)) == [[24, 60, 84, 36]]


def test_groups_of_periods_are_added_period_by_period(make_histogram: Make) -> None:
    def group(first: float, second: float) -> WorkspaceGroup:
        return WorkspaceGroup([make_histogram([0, 1], [y], run=Run({"nperiods": 2})) for y in (first, second)])

    merged = merge_runs([group(1, 2), group(10, 20)])
    assert isinstance(merged, WorkspaceGroup)
    assert [y_of(member) for member in merged] == [[[11]], [[22]]]
    with pytest.raises(ValueError, match=r"MergeRuns: .*different numbers of periods: \[1, 2\]"):
        merge_runs([group(1, 2), WorkspaceGroup([group(1, 2)[0]])])


def test_different_bins_are_rebinned_to_cover_all(make_histogram: Make) -> None:
    fine, coarse = make_histogram([0, 1, 2, 3, 4], [1, 2, 3, 4]), make_histogram([2, 4, 6], [10, 20])
    for order in ([fine, coarse], [coarse, fine]):
        merged = merge_runs(order)
        assert isinstance(merged, MatrixWorkspace)
        assert merged.x.tolist() == [0, 1, 2, 4, 6]
        assert merged.y.tolist() == [[1, 2, 17, 20]]


def test_a_gap_becomes_a_bin(make_histogram: Make) -> None:
    merged = merge_runs([make_histogram([5, 6], [7]), make_histogram([0, 1, 2], [1, 2])])
    assert isinstance(merged, MatrixWorkspace)
    assert merged.x.tolist() == [0, 1, 2, 5, 6]
    assert merged.y.tolist() == [[1, 2, 0, 7]]


def test_events_are_joined_in_the_bins_of_the_first(make_events: Callable[..., EventWorkspace]) -> None:
    merged = merge_runs([make_events([0.5, 1.5], edges=[0, 1, 2]), make_events([0.2], edges=[0, 9])])
    assert isinstance(merged, EventWorkspace)
    assert merged.y.tolist() == [[2, 1]]


def test_totals_in_the_logs_are_added(make_histogram: Make) -> None:
    runs = [make_histogram([0, 1], [1], run=Run({"gd_prtn_chrg": charge})) for charge in (1.5, 2.0)]
    merged = merge_runs(runs)
    assert isinstance(merged, MatrixWorkspace)
    assert merged.run().getProtonCharge() == pytest.approx(3.5)
    assert runs[0].run().getProtonCharge() == pytest.approx(1.5)


def test_what_cannot_be_merged_is_an_error(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="MergeRuns: InputWorkspaces: names no workspace"):
        merge_runs([])
    with pytest.raises(ValueError, match="MergeRuns: InputWorkspaces: expected workspaces with spectra"):
        merge_runs([TableWorkspace()])
    with pytest.raises(ValueError, match=r"MergeRuns: InputWorkspaces: .* has points or different bins"):
        merge_runs([make_histogram([1, 2], [1, 2]), make_histogram([1, 2], [1, 2])])
    with pytest.raises(ValueError, match=r"MergeRuns: .*spectra"):
        merge_runs([make_histogram([0, 1], [[1], [2]]), make_histogram([0, 1], [[1], [2], [3]])])
    np.testing.assert_array_equal(merge_runs([make_histogram([0, 1], [5])]).y, [[5]])  # type: ignore[union-attr]


def test_bins_that_cross_are_shared_out(make_histogram: Make) -> None:
    thin, thick = make_histogram([0, 1, 2, 3], [1, 1, 1]), make_histogram([1.5, 2.5], [4])
    merged = merge_runs([thin, thick])
    assert isinstance(merged, MatrixWorkspace)
    assert merged.x.tolist() == [0, 1, 1.5, 2, 2.5, 3]
    # halves of the thin bins, and of the thick one
    assert merged.y.tolist() == [[1, 0.5, 0.5 + 2, 0.5 + 2, 0.5]]
    assert merged.e2.tolist() == [pytest.approx([1, 0.5, 2.5, 2.5, 0.5])]


def test_events_and_histograms_merge_to_a_histogram(
    make_events: Callable[..., EventWorkspace], make_histogram: Make
) -> None:
    events = make_events([0.5, 1.5, 1.6], edges=[0, 1, 2])
    merged = merge_runs([events, make_histogram([0, 2], [10])])
    assert isinstance(merged, HistogramWorkspace)
    assert merged.x.tolist() == [0, 2]
    assert (merged.y.tolist(), merged.e2.tolist()) == ([[13]], [[pytest.approx(13)]])


def test_runs_without_events_add_nothing(make_events: Callable[..., EventWorkspace]) -> None:
    merged = merge_runs([make_events([0.5], [1.5], edges=[0, 1, 2]), make_events([], [], edges=[0, 1, 2])])
    assert y_of(merged) == [[1, 0], [0, 1]]


def test_runs_may_be_named_in_a_text_and_merged_into_the_first(make_histogram: Make, store: WorkspaceStore) -> None:
    declared = declaration.find("MergeRuns")
    assert declared is not None
    for name, y in (("a", 1), ("b", 2)):
        store.add(name, make_histogram([0, 1], [y]))
    first = store["a"]
    assert y_of(execute(declared, ("a, b",), {"OutputWorkspace": "a"}, store)) == [[3]]
    assert store["a"] is first
    with pytest.raises(ValueError, match="MergeRuns: InputWorkspaces: there is no workspace named 'c'"):
        execute(declared, ("a, c",), {"OutputWorkspace": "d"}, store)


def test_masked_spectra_of_one_run_are_masked_in_all(make_histogram: Make) -> None:
    masked = make_histogram([0, 1], [[0], [2]], spectra=Spectra([1, 2], [10, 11], masked=[True, False]))
    merged = merge_runs([make_histogram([0, 1], [[5], [5]]), masked])
    assert y_of(merged) == [[0], [7]]


def three_runs(make_histogram: Make) -> list[HistogramWorkspace]:
    """Runs 1 to 3 with counts 1, 10, 100, temperatures 5, 5.5, 9 and times 10 s apart."""
    return [
        make_histogram(
            [0, 1],
            [10**i],
            run=Run({
                "run_number": str(i + 1), "T": temperature, "dur": 2.0 + i,
                "start_time": f"2026-01-01T00:00:{10 * i:02}",
            }),
        )
        for i, temperature in enumerate((5.0, 5.5, 9.0))
    ]  # fmt: skip


def test_logs_are_summed_listed_or_made_a_series_if_asked(make_histogram: Make) -> None:
    merged: Any = merge_runs(
        three_runs(make_histogram), sample_logs_sum=["dur"], sample_logs_list=["run_number"],
        sample_logs_time_series=["T"],
    )  # fmt: skip
    assert y_of(merged) == [[111]]
    assert merged.run()["dur"].value == 2 + 3 + 4
    assert merged.run()["run_number"].value == "1, 2, 3"
    assert merged.run()["T"].value.tolist() == [5, 5.5, 9]
    assert [str(time)[:19] for time in merged.run()["T"].times] == [f"2026-01-01T00:00:{s}" for s in ("00", "10", "20")]


def test_runs_that_differ_too_much_are_left_out_or_stop_it(
    make_histogram: Make, caplog: pytest.LogCaptureFixture
) -> None:
    merged: Any = merge_runs(
        three_runs(make_histogram), sample_logs_fail=["T"], sample_logs_fail_tolerances=1, sample_logs_sum=["dur"]
    )
    assert y_of(merged) == [[11]]
    assert merged.run()["dur"].value == 2 + 3
    assert "is left out: log 'T' is 9, in the first run 5" in caplog.text
    with pytest.raises(ValueError, match=r"InputWorkspaces: .*: log 'T' is 5\.5, in the first run 5"):
        merge_runs(three_runs(make_histogram), sample_logs_fail=["T"], fail_behaviour="Stop")


def test_runs_that_differ_are_warned_of_if_asked(make_histogram: Make, caplog: pytest.LogCaptureFixture) -> None:
    runs = three_runs(make_histogram)
    merged = merge_runs(runs, sample_logs_warn=["T", "run_number"], sample_logs_warn_tolerances=[3, 1])
    assert y_of(merged) == [[111]]
    assert [record.message.split(": ", 2)[2] for record in caplog.records] == [
        "log 'T' is 9, in the first run 5", "log 'run_number' is 3, in the first run 1",
    ]  # fmt: skip


def test_other_bins_fail_if_asked(make_histogram: Make, caplog: pytest.LogCaptureFixture) -> None:
    runs = [make_histogram([0, 1], [1]), make_histogram([0, 2], [2]), make_histogram([0, 1], [4])]
    assert y_of(merge_runs(runs, rebin_behaviour="Fail")) == [[5]]
    assert "its bins are not those of the first run" in caplog.text


def test_logs_that_cannot_be_merged_are_told(make_histogram: Make, caplog: pytest.LogCaptureFixture) -> None:
    runs = three_runs(make_histogram)
    merge_runs(runs, sample_logs_sum=["nowhere"])
    assert "has no log 'nowhere'" in caplog.text
    with pytest.raises(ValueError, match="log 'dur' can be one of"):
        merge_runs(runs, sample_logs_sum=["dur"], sample_logs_list=["dur"])
    with pytest.raises(ValueError, match="SampleLogsFailTolerances: has 2 values for 1 logs"):
        merge_runs(runs, sample_logs_fail=["T"], sample_logs_fail_tolerances=[1, 2])
    with pytest.raises(ValueError, match="log 'start_time' is no number"):
        merge_runs(runs, sample_logs_sum=["start_time"])
