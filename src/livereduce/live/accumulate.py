"""Putting chunks together: Add, Replace, Append, for single workspaces and groups."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np

from livereduce.algorithms import append_spectra, plus
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, Workspace, WorkspaceGroup

Combine = Callable[[MatrixWorkspace, MatrixWorkspace], MatrixWorkspace]


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
    return _memberwise(accumulation, chunk, _added if method is Method.ADD else _appended)


def _memberwise(old: Workspace, new: Workspace, combine: Combine) -> Workspace:
    """Combine two workspaces, or two groups member by member; members that only one of them has are kept.

    The number of periods may grow during a run: a new period begins with its first chunk.
    """
    if isinstance(old, WorkspaceGroup) != isinstance(new, WorkspaceGroup):
        raise ValueError(
            f"the chunk is {_kind(new)} and the accumulation {_kind(old)}; the chunk script has to give the same kind "
            "of output at every chunk"
        )
    if isinstance(old, WorkspaceGroup) and isinstance(new, WorkspaceGroup):
        common = [_memberwise(a, b, combine) for a, b in zip(old.members, new.members, strict=False)]
        longer = old if len(old) > len(new) else new
        return WorkspaceGroup([*common, *(w.clone() for w in longer.members[len(common) :])], title=old.title)
    if not isinstance(old, MatrixWorkspace) or not isinstance(new, MatrixWorkspace):
        raise ValueError(f"the chunk is {_kind(new)} and the accumulation {_kind(old)}; such can only be Replaced")
    combined = combine(old, new)
    if _better_placed(new, old):
        combined.detectors = new.detectors
    # algorithms leave attached monitors alone
    combined.monitors = old.monitors or new.monitors
    if old.monitors is not None and new.monitors is not None:
        combined.monitors = combine(old.monitors, new.monitors)
    return combined


def _better_placed(new: MatrixWorkspace, old: MatrixWorkspace) -> bool:
    """Tell whether a chunk knows where detectors are that the accumulation did not: logs came late, or the geometry."""
    if new.detectors is old.detectors or new.detectors.instrument is None or new.detectors.ids is not old.detectors.ids:
        return False
    instrument = old.detectors.instrument
    return instrument is None or len(new.detectors.instrument.missing_logs) < len(instrument.missing_logs)


def _added(old: MatrixWorkspace, new: MatrixWorkspace) -> MatrixWorkspace:
    """Add, but never spread one value over many as Plus does: a chunk of another shape is a mistake."""
    if not isinstance(old, EventWorkspace) or not isinstance(new, EventWorkspace):
        found, expected = (f"{w.n_spectra} spectra of {w.n_bins} bins in {w.unit or 'no unit'}" for w in (new, old))
        if found != expected:
            raise ValueError(
                f"the chunk has {found}, the accumulation {expected}; the chunk script has to give the same at every "
                "chunk (Rebin with start, width and end does)"
            )
    return _spanning(plus(old, new), old, new)


def _spanning(total: MatrixWorkspace, old: MatrixWorkspace, new: MatrixWorkspace) -> MatrixWorkspace:
    """Let a single bin that was never rebinned span what is in it: it covers each chunk's own times of flight."""
    if not isinstance(total, HistogramWorkspace) or total.n_bins != 1 or not total.is_histogram:
        return total
    if old.x.ndim > 1 or new.x.ndim > 1 or np.array_equal(old.x, new.x):
        return total
    return total.replaced(x=[min(old.x[0], new.x[0]), max(old.x[1], new.x[1])])


def _appended(old: MatrixWorkspace, new: MatrixWorkspace) -> MatrixWorkspace:
    return append_spectra(old, new, validate_inputs=False, merge_logs=True)


def _kind(workspace: Workspace) -> str:
    return "a group" if isinstance(workspace, WorkspaceGroup) else f"a single {workspace.kind}"


def without_events(workspace: Workspace) -> Workspace:
    """Return `workspace` with its events (its members', its monitors') histogrammed on the bins they have now."""
    if isinstance(workspace, WorkspaceGroup):
        return WorkspaceGroup([without_events(member) for member in workspace.members], title=workspace.title)
    if isinstance(workspace, EventWorkspace):
        return workspace.to_histogram()
    if isinstance(workspace, MatrixWorkspace) and isinstance(workspace.monitors, EventWorkspace):
        monitors = workspace.monitors.to_histogram()
        workspace = workspace.clone()
        workspace.monitors = monitors
    return workspace
