"""The workspace of a chunk: from the events taken in, or from what a histogram memory held; with the run's logs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from livereduce.live.layout import DetectorBook
from livereduce.live.logbook import LogBook
from livereduce.live.tables import ChunkTables, Rows
from livereduce.workspaces import Detectors, EventWorkspace, MatrixWorkspace, Run, Workspace, WorkspaceGroup
from livereduce.workspaces.ranges import merged_intervals


def of_events(book: DetectorBook, tables: ChunkTables, logs: LogBook, title: str) -> Workspace:
    """Show what the tables hold of the chunk: one workspace, or a group of one a period."""
    run, periods = logs.run(), tables.rows()
    members = [_period(book, tables, rows, run.clone(), title) for rows in periods]
    if len(members) > 1:
        _share_time(members, periods)
    return members[0] if len(members) == 1 else WorkspaceGroup(members, title=title)


def _period(book: DetectorBook, tables: ChunkTables, rows: Rows, run: Run, title: str) -> EventWorkspace:
    known = ~np.isnan(rows.charge)
    run.append("proton_charge", rows.pulse_time[known], rows.charge[known], "picoCoulomb")
    for number, count in tables.monitor_counts.items():
        run.set(f"monitor{number}_counts", count)
    workspace = book.workspace(rows, run, title)
    workspace.monitors = book.monitor_workspace(tables.monitor_rows(), run.clone())
    return workspace


def _share_time(members: list[EventWorkspace], periods: list[Rows]) -> None:
    """Give each period its part of the time measured: from the pulse before, of whatever period, to each of its own."""
    everyone = np.unique(np.concatenate([rows.pulse_time for rows in periods]))
    for member, rows in zip(members, periods, strict=True):
        own = np.unique(rows.pulse_time)
        at = np.searchsorted(everyone, own)
        before = np.where(at > 0, everyone[at - 1], 0)  # the time measured says where the first one begins
        if member.logs.measured is not None:
            member.logs.measured = member.logs.measured.within(merged_intervals(np.stack([before, own], axis=1)))


def of_totals(
    totals: Workspace, logs: LogBook, title: str, placed: Callable[[Detectors], Detectors] = lambda d: d
) -> Workspace:
    """Return what a histogram memory holds with title and logs of the run beside its own, detectors where `placed`."""
    if isinstance(totals, WorkspaceGroup):
        return WorkspaceGroup([of_totals(member, logs, title, placed) for member in totals.members], title=title)
    workspace = totals.clone()
    if isinstance(workspace, MatrixWorkspace):
        workspace.title = title
        if workspace.detectors.l2 is None:
            workspace.detectors = placed(workspace.detectors)
        own = workspace.logs
        workspace.logs = logs.run()
        workspace.logs.measured = None  # a histogram memory says itself for how long it measured
        for name in own:
            workspace.logs.set(name, own[name])
    return workspace
