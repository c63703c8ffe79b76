"""MaskBinsFromTable: ranges of X that are not to count, each in some spectra, from a table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.algorithms import values
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.masking import mask_bins
from livereduce.algorithms.spectra import check_indices, distinct
from livereduce.algorithms.time_windows import has_plain_times, without_windows
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, TableWorkspace
from livereduce.workspaces.arrays import I64

_NOTHING_SAID = ("", "all")


class BinMask(NamedTuple):
    """A range of X, and the workspace indices of the spectra it is masked in; all of them if there is none."""

    low: float
    high: float
    indices: I64


@algorithm("MaskBinsFromTable")
def mask_bins_from_table(ws: MatrixWorkspace, masking_information: TableWorkspace) -> MatrixWorkspace:
    """Mask bins, as MaskBins does, by the rows of a table; of events, drop those in the ranges.

    Parameters
    ----------
    masking_information
        Table with columns XMin, XMax and SpectraList (workspace indices as text, nothing for all) or DetectorIDsList
        (detector IDs as text).
    """
    masks = _masks(ws, masking_information)
    for mask in masks:
        if not len(mask.indices):
            ws = mask_bins(ws, mask.low, mask.high)
    some = [mask for mask in masks if len(mask.indices)]
    if isinstance(ws, EventWorkspace) and some and has_plain_times(ws):
        windows: list[list[tuple[float, float]]] = [[] for _ in range(ws.n_spectra)]
        for mask in some:
            for index in mask.indices.tolist():
                windows[index].append((mask.low, mask.high))
        return without_windows(ws, windows)
    for mask in some:
        ws = mask_bins(ws, mask.low, mask.high, mask.indices)
    return ws if masks else ws.clone()


def _masks(ws: MatrixWorkspace, table: TableWorkspace) -> list[BinMask]:
    columns = table.getColumnNames()
    missing = [name for name in ("XMin", "XMax") if name not in columns]
    if missing or not {"SpectraList", "DetectorIDsList"} & set(columns):
        raise ValueError(
            "MaskingInformation: expected columns XMin, XMax and SpectraList or DetectorIDsList; found"
            f" {', '.join(columns) or 'none'}"
        )
    found = []
    for number, row in enumerate(table):
        try:
            low, high = float(row["XMin"]), float(row["XMax"])
            if not low < high:
                raise ValueError(f"XMin ({low:g}) must be below XMax ({high:g})")
            mask = BinMask(low, high, _indices(ws, row))
        except ValueError as problem:
            raise ValueError(f"MaskingInformation, row {number}: {problem}") from None
        found.append(mask)
    return found


def _indices(ws: MatrixWorkspace, row: dict[str, object]) -> I64:
    ids = str(row.get("DetectorIDsList", "")).strip()
    if ids.lower() not in _NOTHING_SAID:
        wanted = values.to_integers(ids)
        if len(missing := np.setdiff1d(wanted, ws.spectra.ids)):
            raise ValueError(f"no spectrum has detector {missing[0]}")
        return distinct(ws.spectra.owner[np.isin(ws.spectra.ids, wanted)])
    listed = str(row.get("SpectraList", "")).strip()
    indices = values.to_integers("" if listed.lower() in _NOTHING_SAID else listed)
    check_indices(ws, indices)
    return distinct(indices)
