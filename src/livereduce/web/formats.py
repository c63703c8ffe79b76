"""Curves of a workspace as JSON, npy, csv or NeXus."""

from __future__ import annotations

import csv as csv_text
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

TEXT_VALUES = 200_000
"""More values are not sent as text: that would be about 4 MB."""
META = (
    "name", "kind", "version", "shape", "x_unit", "x_label", "y_unit", "y_label", "distribution", "title", "run",
    "spectra", "spectrum_numbers", "truncated", "event_count", "role",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curve:
    """One spectrum: `x` has one value more than `y` (edges of bins) or as many (points); `e` is one standard deviation.

    `spectrum` is the workspace index, or ``sum`` or ``counts``.
    """

    spectrum: int | str
    x: NDArray[Any]
    y: NDArray[Any]
    e: NDArray[Any] | None


def meta(entry: dict[str, Any]) -> dict[str, Any]:
    """Give what the outside may know of a workspace: all but its file names."""
    return {key: entry.get(key) for key in META}


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Give an array for JSON, which has no NaN and no infinity: null instead."""
    finite = np.isfinite(values)
    listed: list[float | None] = values.tolist()
    return listed if finite.all() else [v if ok else None for v, ok in zip(listed, finite, strict=True)]


def as_json(entry: dict[str, Any], curves: list[Curve]) -> Response:
    """Curves as ``{"curves": [{"spectrum", "x", "y", "e"}, ...]}`` beside the workspace's description."""
    _refuse_long_text(curves)
    listed = [
        {
            "spectrum": curve.spectrum,
            "x": numbers(curve.x),
            "y": numbers(curve.y),
            "e": None if curve.e is None else numbers(curve.e),
        }
        for curve in curves
    ]
    return JSONResponse(meta(entry) | {"curves": listed})


def npy(entry: dict[str, Any], array: NDArray[Any]) -> Response:
    """One array as NumPy writes it."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return _download(entry, buffer.getvalue(), "application/octet-stream", "npy")


def npz(entry: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Response:
    """All arrays of one version in one file, beside the workspace's description as JSON in ``about``."""
    buffer = io.BytesIO()
    contents: dict[str, Any] = {"about": np.array(json.dumps(meta(entry))), **arrays}
    np.savez(buffer, **contents)
    return _download(entry, buffer.getvalue(), "application/octet-stream", "npz")


def csv(entry: dict[str, Any], curves: list[Curve]) -> Response:
    """One line a bin: spectrum, its edges (or its point), value and error."""
    _refuse_long_text(curves)
    edges = any(len(curve.x) > len(curve.y) for curve in curves)
    head = ["spectrum", *(["x_from", "x_to"] if edges else ["x"]), "y", "e"]
    lines = [",".join(head), *(line for curve in curves for line in _lines(curve))]
    return _download(entry, "\r\n".join([*lines, ""]).encode(), "text/csv; charset=utf-8", "csv")


def _lines(curve: Curve) -> Iterator[str]:
    n = len(curve.y)
    x = [curve.x[:-1], curve.x[1:]] if len(curve.x) > n else [curve.x]
    e = curve.e if curve.e is not None else np.full(n, np.nan)
    for row in zip(*(column.tolist() for column in (*x, curve.y, e)), strict=True):
        yield ",".join([str(curve.spectrum), *("" if value != value else repr(value) for value in row)])


def table(entry: dict[str, Any], arrays: dict[str, NDArray[Any]], form: str) -> Response:
    """Columns of a table as JSON or csv."""
    columns = [(name, arrays[f"column{i}"]) for i, name in enumerate(entry["columns"])]
    cells = [numbers(values) if values.dtype.kind == "f" else values.tolist() for _, values in columns]
    if form == "json":
        listed = [{"name": name, "values": cell} for (name, _), cell in zip(columns, cells, strict=True)]
        return JSONResponse(meta(entry) | {"columns": listed})
    if form != "csv":
        raise HTTPException(400, f"format: found {form!r}; a table is given as json or csv")
    buffer = io.StringIO(newline="")
    writer = csv_text.writer(buffer)
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*cells, strict=True))
    return _download(entry, buffer.getvalue().encode(), "text/csv; charset=utf-8", "csv")


def nexus(entry: dict[str, Any], curves: list[Curve]) -> Response:
    """Curves in the processed layout that LoadNexus reads (see `algorithms.nexus.saving`), without logs and places."""
    numbers = dict(zip(entry.get("spectra") or [], entry.get("spectrum_numbers") or [], strict=False))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "mantid_workspace_1"})
        group = file.create_group("mantid_workspace_1")
        group.attrs.update({"NX_class": "NXentry", "default": "workspace"})
        group["title"] = str(entry.get("title") or entry["name"])
        group["workspace_name"] = str(entry["name"])
        data = group.create_group("workspace")
        data.attrs.update({"NX_class": "NXdata", "signal": "values", "axes": ["axis2", "axis1"]})
        data["values"] = np.array([curve.y for curve in curves])
        data["values"].attrs.update(units=str(entry.get("y_unit") or ""), unit_label=str(entry.get("y_label") or ""))
        data["errors"] = np.array([np.zeros_like(curve.y) if curve.e is None else curve.e for curve in curves])
        same = all(np.array_equal(curve.x, curves[0].x) for curve in curves)
        data["axis1"] = curves[0].x if same else np.array([curve.x for curve in curves])
        against_index = curves[0].spectrum == "counts"
        data["axis1"].attrs.update(
            units="Empty" if against_index else str(entry.get("x_unit_id") or "Empty"),
            distribution=int(bool(entry.get("distribution"))),
        )
        data["axis2"] = [numbers.get(curve.spectrum, place) for place, curve in enumerate(curves, 1)]
        data["axis2"].attrs.update(units="spectraNumber", caption="Spectrum")
    return _download(entry, buffer.getvalue(), "application/x-hdf5", "nxs")


def _refuse_long_text(curves: list[Curve]) -> None:
    values = sum(len(curve.y) for curve in curves)
    if values > TEXT_VALUES:
        raise HTTPException(
            413, f"{values} values are too many for text ({TEXT_VALUES}); ask for ?spectrum=… or ?format=npy"
        )


def _download(entry: dict[str, Any], content: bytes, media_type: str, ending: str) -> Response:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in str(entry["name"]))
    headers = {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
    return Response(content, media_type=media_type, headers=headers)
