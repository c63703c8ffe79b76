"""Spectra and bins that are not to count: MaskDetectors, MaskBins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm, nearest
from livereduce.algorithms.operands import as_histogram, masked_spectra
from livereduce.algorithms.spectra import check_indices, indices_of_numbers, selected
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Part
from livereduce.workspaces.arrays import I64, Bool


@algorithm("MaskDetectors", in_place=["workspace"])
def mask_detectors(
    workspace: MatrixWorkspace,
    spectra_list: Integers = (),
    detector_list: Integers = (),
    workspace_index_list: Integers = (),
    masked_workspace: MatrixWorkspace | None = None,
    force_instrument_masking: bool = False,
    start_workspace_index: int | None = None,
    end_workspace_index: int | None = None,
    component_list: Sequence[str] = (),
) -> MatrixWorkspace:
    """Mask spectra: their data become zero, and sums leave them out.

    Parameters
    ----------
    workspace
        The workspace, which is changed.
    spectra_list
        Spectra by spectrum number.
    detector_list
        Spectra by the ID of any of their detectors.
    workspace_index_list
        Spectra by workspace index.
    masked_workspace
        A workspace of which the masked spectra are masked here too: those of the same detectors, or without any
        detectors known, of the same index.
    force_instrument_masking
        Accepted for scripts that give it; detectors that are known always decide.
    start_workspace_index, end_workspace_index
        Range of workspace indices outside which nothing is masked; if nothing else is given, these are.
    component_list
        Parts of the instrument, by name or path (``bank1/tube3``, ``bank1(x=3)``), of which all detectors are masked.
    """
    spectra, n = workspace.spectra, workspace.n_spectra
    masked = np.zeros(n, bool)
    indices = np.asarray(workspace_index_list, np.int64)
    if start_workspace_index is not None or end_workspace_index is not None:
        allowed = selected(workspace, start_workspace_index, end_workspace_index)
        if masked_workspace is None and not any(map(len, (spectra_list, detector_list, indices, component_list))):
            indices = allowed
    else:
        allowed = np.arange(n)
    check_indices(workspace, indices)
    masked[indices] = True
    masked[indices_of_numbers(workspace, "SpectraList", spectra_list)] = True
    ids = np.concatenate(
        [np.asarray(detector_list, np.int64), *(_detectors_below(workspace, name) for name in component_list)]
    )
    if masked_workspace is not None:
        theirs = masked_workspace.spectra
        if len(theirs.ids):
            ids = np.concatenate([ids, theirs.take(np.flatnonzero(theirs.masked)).ids])
        elif masked_workspace.n_spectra == n:
            masked |= theirs.masked
        else:
            raise ValueError(f"MaskedWorkspace: has {masked_workspace.n_spectra} spectra without detectors, not {n}")
    masked[spectra.owner[np.isin(spectra.ids, ids)]] = True
    return masked_spectra(workspace, spectra.masked | (masked & np.isin(np.arange(n), allowed)))


def _detectors_below(ws: MatrixWorkspace, name: str) -> I64:
    instrument = ws.detectors.instrument
    if instrument is None:
        raise ValueError(
            f"ComponentList: {name!r} cannot be found: the workspace has no instrument (use LoadInstrument)"
        )
    try:
        return instrument.components[name].ids
    except KeyError:
        close = nearest(name, instrument.components, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"ComponentList: the instrument has no component {name!r}{hint}") from None


@algorithm("MaskBins", names={"indices": "InputWorkspaceIndexSet", "index_type": "InputWorkspaceIndexType"})
def mask_bins(
    ws: MatrixWorkspace,
    x_min: float,
    x_max: float,
    indices: Integers = (),
    spectra_list: Integers = (),
    index_type: Literal["WorkspaceIndex", "SpectrumNumber"] = "WorkspaceIndex",
) -> MatrixWorkspace:
    """Set bins that overlap [XMin, XMax) to zero and mark them as masked; of events, drop those in that range.

    Parameters
    ----------
    x_min, x_max
        The range.
    indices
        Spectra to mask in; all without.
    spectra_list
        Workspace indices under their older name.
    index_type
        What `indices` are.
    """
    if not x_min < x_max:
        raise ValueError(f"XMin ({x_min:g}) must be below XMax ({x_max:g})")
    chosen = np.asarray(indices, np.int64)
    if index_type == "SpectrumNumber":
        chosen = indices_of_numbers(ws, "InputWorkspaceIndexSet", indices)
    wanted = np.concatenate([chosen, np.asarray(spectra_list, np.int64)])
    check_indices(ws, wanted)
    rows = np.zeros(ws.n_spectra, bool)
    rows[wanted if len(wanted) else slice(None)] = True
    if isinstance(ws, EventWorkspace):
        return _without_events(ws, rows, x_min, x_max)
    histogram = as_histogram(ws)
    x = histogram.x
    inside = (x[..., 1:] > x_min) & (x[..., :-1] < x_max) if ws.is_histogram else (x >= x_min) & (x < x_max)
    mask: Bool = inside & rows[:, None]
    return histogram.replaced(
        y=np.where(mask, 0.0, histogram.y),
        e2=np.where(mask, 0.0, histogram.e2),
        e=None,
        bin_mask=mask if histogram.bin_mask is None else mask | histogram.bin_mask,
    )


def _without_events(ws: EventWorkspace, rows: Bool, x_min: float, x_max: float) -> EventWorkspace:
    if ws.unit == "TOF" and rows.all() and all(part.plan.factor is part.plan.offset is None for part in ws.parts):
        return ws.planned(lambda plan: plan.without_times([(x_min, x_max)]))
    chosen = np.where(rows, np.arange(ws.n_spectra), -1)
    others = np.where(rows, -1, np.arange(ws.n_spectra))
    parts: list[Part] = []
    for part in ws.parts:
        plan = part.plan.grouped(chosen, ws.n_spectra)
        parts += [
            part.with_plan(plan.limited(-np.inf, x_min, include_max=False)),
            part.with_plan(plan.limited(x_max, np.inf)),
        ]
        if not rows.all():
            parts.append(part.with_plan(part.plan.grouped(others, ws.n_spectra)))
    return ws.replaced(parts=parts)
