"""MergeRuns: several measurements of the same kind as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from livereduce.algorithms.arithmetic import plus
from livereduce.algorithms.binning import rebinned
from livereduce.algorithms.declaration import algorithm
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Workspace, WorkspaceGroup
from livereduce.workspaces.arrays import F64


@algorithm("MergeRuns")
def merge_runs(input_workspaces: Sequence[Workspace]) -> MatrixWorkspace | WorkspaceGroup:
    """Add workspaces up, with their logs as Plus has it.

    Histograms in different bins are rebinned to bins that cover all of them, in an overlap to the wider ones; events
    are joined in the bins of the first. Groups of periods (log nperiods above 1) are added period by period, other
    groups are taken as their members.

    Parameters
    ----------
    input_workspaces
        Workspaces or groups.
    """
    if not input_workspaces:
        raise ValueError("InputWorkspaces: names no workspace")
    groups = [ws for ws in input_workspaces if isinstance(ws, WorkspaceGroup)]
    if len(groups) == len(input_workspaces) and all(_has_periods(group) for group in groups):
        sizes = {len(group) for group in groups}
        if len(sizes) > 1:
            raise ValueError(f"InputWorkspaces: the groups have different numbers of periods: {sorted(sizes)}")
        return WorkspaceGroup([_merged(_matrices(period)) for period in zip(*groups, strict=True)])
    return _merged(_matrices([m for ws in input_workspaces for m in (ws if isinstance(ws, WorkspaceGroup) else [ws])]))


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
