"""MergeRuns: several measurements of the same kind as one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np

from livereduce.algorithms.arithmetic import plus
from livereduce.algorithms.binning import rebinned
from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.merging_logs import LogRules, with_tolerances
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Workspace, WorkspaceGroup
from livereduce.workspaces.arrays import F64

log = logging.getLogger(__name__)


@algorithm("MergeRuns")
def merge_runs(
    input_workspaces: Sequence[Workspace],
    sample_logs_time_series: Sequence[str] = (),
    sample_logs_list: Sequence[str] = (),
    sample_logs_warn: Sequence[str] = (),
    sample_logs_warn_tolerances: Numbers = (),
    sample_logs_fail: Sequence[str] = (),
    sample_logs_fail_tolerances: Numbers = (),
    sample_logs_sum: Sequence[str] = (),
    rebin_behaviour: Literal["Rebin", "Fail"] = "Rebin",
    fail_behaviour: Literal["Skip File", "Stop"] = "Skip File",
) -> MatrixWorkspace | WorkspaceGroup:
    """Add workspaces up, with their logs as Plus has it, or as the properties say.

    Histograms in different bins are rebinned to bins that cover all of them, in an overlap to the wider ones; events
    are joined in the bins of the first. Groups of periods (log nperiods above 1) are added period by period, other
    groups are taken as their members.

    Parameters
    ----------
    input_workspaces
        Workspaces or groups.
    sample_logs_time_series, sample_logs_list, sample_logs_sum
        Logs that become a series with a number at the start of each run, a list as text, or a sum.
    sample_logs_warn, sample_logs_fail
        Logs that differ from the first run's only with a warning, or that make a run fail which differs.
    sample_logs_warn_tolerances, sample_logs_fail_tolerances
        By how much these may differ, one number for all logs or one for each; without, they must be equal as text.
    rebin_behaviour
        Whether histograms in other bins than the first's are rebinned, or fail.
    fail_behaviour
        Whether a run that fails is left out with a warning, or is an error.
    """
    if not input_workspaces:
        raise ValueError("InputWorkspaces: names no workspace")
    rules = LogRules(
        sample_logs_sum,
        sample_logs_list,
        sample_logs_time_series,
        with_tolerances(sample_logs_warn, sample_logs_warn_tolerances, "SampleLogsWarn"),
        with_tolerances(sample_logs_fail, sample_logs_fail_tolerances, "SampleLogsFail"),
    )
    alike, stop = rebin_behaviour == "Fail", fail_behaviour == "Stop"

    def merged(workspaces: Sequence[Workspace]) -> MatrixWorkspace:
        parts = _belonging(_matrices(workspaces), rules, alike=alike, stop=stop)
        total = _merged(parts)
        rules.merge(total, parts)
        return total

    groups = [ws for ws in input_workspaces if isinstance(ws, WorkspaceGroup)]
    if len(groups) == len(input_workspaces) and all(_has_periods(group) for group in groups):
        sizes = {len(group) for group in groups}
        if len(sizes) > 1:
            raise ValueError(f"InputWorkspaces: the groups have different numbers of periods: {sorted(sizes)}")
        return WorkspaceGroup([merged(period) for period in zip(*groups, strict=True)])
    return merged([m for ws in input_workspaces for m in (ws if isinstance(ws, WorkspaceGroup) else [ws])])


def _belonging(workspaces: list[MatrixWorkspace], rules: LogRules, *, alike: bool, stop: bool) -> list[MatrixWorkspace]:
    """Return the first and those that may be added to it; others are left out with a warning, or stop it all."""
    first, *others = workspaces
    kept = [first]
    for ws in others:
        reason = rules.reason_to_fail(first, ws)
        if alike and not isinstance(ws, EventWorkspace) and not np.array_equal(ws.x, first.x):
            reason = "; ".join(filter(None, [reason, "its bins are not those of the first run"]))
        if reason and stop:
            raise ValueError(f"InputWorkspaces: {ws!r}: {reason}")
        if reason:
            log.warning("MergeRuns: %r is left out: %s", ws, reason)
            continue
        rules.warn(first, ws)
        kept.append(ws)
    return kept


def _has_periods(group: WorkspaceGroup) -> bool:
    return bool(len(group)) and all(
        isinstance(ws, MatrixWorkspace) and (log := ws.run().get("nperiods")) is not None and float(log.value) > 1
        for ws in group
    )


def _matrices(workspaces: Sequence[Workspace]) -> list[MatrixWorkspace]:
    matrices = [ws for ws in workspaces if isinstance(ws, MatrixWorkspace)]
    if len(matrices) < len(workspaces) or not matrices:
        wrong = next((repr(ws) for ws in workspaces if not isinstance(ws, MatrixWorkspace)), "an empty group")
        raise ValueError(f"InputWorkspaces: expected workspaces with spectra, found {wrong}")
    return matrices


def _merged(workspaces: list[MatrixWorkspace]) -> MatrixWorkspace:
    if not all(isinstance(ws, EventWorkspace) for ws in workspaces):
        for ws in workspaces:
            if not ws.common_bins or not ws.is_histogram:
                raise ValueError(f"InputWorkspaces: {ws!r} has points or different bins; Rebin it first")
        edges = [ws.readX(0) for ws in workspaces]
        common = edges[0]
        for other in sorted(edges, key=lambda x: float(x[0])):
            common = _covering(common, other)
        workspaces = [
            ws if np.array_equal(x, common) else rebinned(ws, common) for ws, x in zip(workspaces, edges, strict=True)
        ]
    total: MatrixWorkspace = workspaces[0].clone()
    for ws in workspaces[1:]:
        total = plus(total, ws)
    return total


def _covering(a: F64, b: F64) -> F64:
    """Edges over the ranges of both; in the overlap those of which there are fewer."""
    if np.array_equal(a, b):
        return a
    first, second = (a, b) if a[0] <= b[0] else (b, a)
    low, high = second[0], min(first[-1], second[-1])
    if high <= low:  # what lies between becomes one bin
        return np.unique(np.concatenate([first, second]))
    longer = first if first[-1] >= second[-1] else second
    overlap = min(((x[(x >= low) & (x <= high)]) for x in (first, second)), key=len)
    return np.unique(np.concatenate([first[first < low], [low], overlap, [high], longer[longer > high]]))
