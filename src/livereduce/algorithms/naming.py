"""Workspaces as names: cloning, deleting, renaming, grouping."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from livereduce.algorithms.declaration import OutputName, algorithm
from livereduce.workspaces import MatrixWorkspace, Workspace, WorkspaceGroup, WorkspaceStore


@algorithm("CloneWorkspace")
def clone_workspace(ws: Workspace) -> Workspace:
    """Make an independent copy: data, logs, masks and monitors; a group's members too.

    Data are shared until one of the copies is written to, so this costs nothing.
    """
    return ws.clone()


@algorithm("DeleteWorkspace")
def delete_workspace(store: WorkspaceStore, workspace: Workspace) -> None:
    """Remove a workspace from the store; a group with its members.

    Parameters
    ----------
    workspace
        The workspace or its name.
    """
    members = list(workspace) if isinstance(workspace, WorkspaceGroup) else []
    _remove(store, workspace)
    for member in members:
        _remove(store, member)


@algorithm("DeleteWorkspaces")
def delete_workspaces(store: WorkspaceStore, workspace_list: Sequence[Workspace]) -> None:
    """Remove workspaces from the store; groups with their members.

    Parameters
    ----------
    workspace_list
        The workspaces or their names.
    """
    gone: list[Workspace] = []
    for workspace in workspace_list:
        if any(workspace is other for other in gone):
            continue  # listed twice, or with the group that it is a member of
        gone += [workspace, *(workspace if isinstance(workspace, WorkspaceGroup) else ())]
        delete_workspace(store, workspace)


def _remove(store: WorkspaceStore, workspace: Workspace) -> None:
    name = workspace.name()
    if name not in store or store[name] is not workspace:
        raise ValueError(f"{workspace!r} is not in the store (any more)")
    store.remove(name)


@algorithm("RenameWorkspace")
def rename_workspace(
    store: WorkspaceStore,
    ws: Workspace,
    output_workspace: OutputName,
    rename_monitors: bool = False,
    overwrite_existing: bool = True,
) -> Workspace:
    """Give a workspace another name; the object stays the same.

    Members of a group that are all called after it (``old_...``) are numbered after the new name.

    Parameters
    ----------
    output_workspace
        The new name.
    rename_monitors
        Whether the attached monitor workspace, if it is in the store, is called ``<new name>_monitors``.
    overwrite_existing
        Whether a workspace that has the name already goes; without, it is an error.
    """
    old = ws.name()
    if old not in store:
        raise ValueError(f"InputWorkspace: {ws!r} is not in the store")
    if not overwrite_existing and output_workspace in store and store[output_workspace] is not ws:
        raise RuntimeError(f"there is a workspace {output_workspace!r} already and OverwriteExisting is False")
    store.rename(old, output_workspace)
    if isinstance(ws, WorkspaceGroup) and all(name.startswith(f"{old}_") for name in ws.getNames()):
        for i, name in enumerate(ws.getNames()):
            store.rename(name, f"{output_workspace}_{i + 1}")
    if rename_monitors and isinstance(ws, MatrixWorkspace) and ws.monitors is not None and ws.monitors.name() in store:
        store.rename(ws.monitors.name(), f"{output_workspace}_monitors")
    return ws


@algorithm("GroupWorkspaces")
def group_workspaces(
    input_workspaces: Sequence[Workspace] = (), glob_expression: str = "", store: WorkspaceStore | None = None
) -> WorkspaceGroup:
    """Put workspaces into a group; they keep their names. Groups given are taken as their members.

    Parameters
    ----------
    input_workspaces
        The members, in this order.
    glob_expression
        Further members by their names in the store, in alphabetical order: ``run?_*``.
    """
    found = fnmatch.filter(sorted(store.names()), glob_expression) if store is not None and glob_expression else []
    members: list[Workspace] = []
    for ws in (*input_workspaces, *(store[name] for name in found if store is not None)):
        for member in ws if isinstance(ws, WorkspaceGroup) else [ws]:
            if not any(member is other for other in members):
                members.append(member)
    if not members:
        raise ValueError("InputWorkspaces and GlobExpression name no workspace")
    return WorkspaceGroup(members)


@algorithm("UnGroupWorkspace")
def un_group_workspace(store: WorkspaceStore, ws: WorkspaceGroup) -> None:
    """Remove a group from the store; its members stay.

    Parameters
    ----------
    ws
        The group or its name.
    """
    _remove(store, ws)
