"""Putting chunks together: Add, Replace, Append, for single workspaces and groups."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from livereduce.algorithms import append_spectra, plus
from livereduce.workspaces import EventWorkspace, Workspace, WorkspaceGroup


class Method(Enum):
    """How a processed chunk is put to what there is."""

    ADD = "Add"
    REPLACE = "Replace"
    APPEND = "Append"


def accumulate(accumulation: Workspace | None, chunk: Workspace, method: Method) -> Workspace:
    """Return the accumulation with `chunk` taken in.

    Raises
    ------
    ValueError, RuntimeError
        The two do not fit (other bins, another number of spectra, single and group).
    """
    if accumulation is None or method is Method.REPLACE:
        return chunk.clone()
    return _memberwise(accumulation, chunk, plus if method is Method.ADD else append_spectra)


def _memberwise(old: Workspace, new: Workspace, combine: Callable[..., Workspace]) -> Workspace:
    """Combine two workspaces, or two groups member by member; members that only one of them has are kept.

    The number of periods may grow during a run: a new period begins with its first chunk.
    """
    if isinstance(old, WorkspaceGroup) != isinstance(new, WorkspaceGroup):
        raise ValueError(
            f"the chunk is {_kind(new)} and the accumulation {_kind(old)}; the chunk script has to give the same kind "
            "of output at every chunk"
        )
    if not isinstance(old, WorkspaceGroup) or not isinstance(new, WorkspaceGroup):
        return combine(old, new)
    pairs = zip(old.members, new.members, strict=False)
    common = [combine(a, b) for a, b in pairs]
    longer = old if len(old) > len(new) else new
    return WorkspaceGroup([*common, *(w.clone() for w in longer.members[len(common) :])], title=old.title)


def _kind(workspace: Workspace) -> str:
    return "a group" if isinstance(workspace, WorkspaceGroup) else f"a single {workspace.kind}"


def without_events(workspace: Workspace) -> Workspace:
    """Return `workspace` with its events (its members', its monitors') histogrammed on the bins they have now."""
    if isinstance(workspace, WorkspaceGroup):
        return WorkspaceGroup([without_events(member) for member in workspace.members], title=workspace.title)
    if not isinstance(workspace, EventWorkspace):
        return workspace
    histogram = workspace.to_histogram()
    if isinstance(histogram.monitors, EventWorkspace):
        histogram.monitors = histogram.monitors.to_histogram()
    return histogram
