"""/api/workspaces and /api/workspaces/{name}: what is in the snapshot, as JSON, npy, csv, NeXus or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from livereduce.web import files, formats, openapi
from livereduce.web.files import Loaded
from livereduce.web.formats import Curve

IMAGE_ROWS, IMAGE_COLUMNS = 200, 400


class AbsentSpectraError(Exception):
    """Spectra of a truncated workspace that the present snapshot does not hold."""

    def __init__(self, spectra: list[int]) -> None:
        self.spectra = spectra
        super().__init__(f"spectra {spectra} are not in the snapshot")


def listing(runtime_dir: Path) -> dict[str, Any]:
    """Give /api/workspaces."""
    manifest = files.read_manifest(runtime_dir)
    return {
        "version": manifest.version,
        "written_ns": manifest.written_ns,
        "run": manifest.run,
        "workspaces": [formats.meta(entry) for entry in manifest.workspaces],
        "left_out": list(manifest.left_out),
    }


def get(runtime_dir: Path, request: Request) -> Response:
    """Answer ``GET /api/workspaces/{name}``."""
    name, form = request.path_params["name"], request.query_params.get("format", "json")
    if form not in openapi.FORMATS:
        raise HTTPException(400, f"format: found {form!r}, expected one of {', '.join(openapi.FORMATS)}")
    loaded = files.load_workspace(runtime_dir, name)
    if loaded is None:
        names = ", ".join(entry["name"] for entry in files.read_manifest(runtime_dir).workspaces) or "none yet"
        raise HTTPException(404, f"there is no workspace {name!r}; there are: {names}")
    tag = f'W/"{loaded.stamp}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    try:
        response = _respond(loaded, form, request)
    except AbsentSpectraError as absent:
        files.want(runtime_dir, name, absent.spectra)
        return JSONResponse(
            {"detail": f"{absent}; asked for, they come with the next step", "wanted": absent.spectra}, 202
        )
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


def _respond(loaded: Loaded, form: str, request: Request) -> Response:
    wanted = request.query_params.get("spectrum")
    if "columns" in loaded.entry:
        return formats.table(loaded.entry, loaded.arrays, form)
    if "y" not in loaded.arrays and "sum_y" not in loaded.arrays:
        raise HTTPException(409, f"{loaded.entry['name']} ({loaded.entry.get('kind')}) holds no values to show")
    if "image" in request.query_params:
        return JSONResponse(image(loaded))
    if form == "npz":
        return formats.npz(loaded.entry, loaded.arrays)
    if form == "npy" and wanted is None:
        return formats.npy(loaded.entry, _part(loaded, request.query_params.get("part", "y")))
    curves = select(loaded, wanted)
    if form == "npy":
        part = request.query_params.get("part", "y")
        if part not in ("x", "y", "e"):
            raise HTTPException(400, f"part: found {part!r}, expected x, y or e")
        return formats.npy(loaded.entry, np.array([getattr(curve, part) for curve in curves]))
    return {"json": formats.as_json, "csv": formats.csv, "nxs": formats.nexus}[form](loaded.entry, curves)


def _part(loaded: Loaded, part: str) -> NDArray[Any]:
    if part not in loaded.arrays:
        raise HTTPException(400, f"part: found {part!r}, expected one of {', '.join(loaded.arrays)}")
    return loaded.arrays[part]


def select(loaded: Loaded, wanted: str | None) -> list[Curve]:
    """Give the curves that were asked for.

    Parameters
    ----------
    loaded
        Workspace with its arrays.
    wanted
        Workspace indices like ``"0,5"``; ``"sum"`` of all spectra; ``"counts"`` against workspace index; None = all
        that the snapshot holds.
    """
    if wanted == "sum":
        return [_sum(loaded)]
    if wanted == "counts":
        return [_counts(loaded)]
    indices = _indices(loaded)
    if wanted is None:
        asked = indices
    else:
        try:
            asked = [int(text) for text in wanted.split(",")]
        except ValueError:
            raise HTTPException(400, f'spectrum: found {wanted!r}, expected numbers, "sum" or "counts"') from None
    total = _shape(loaded)[0]
    beyond = [index for index in asked if not 0 <= index < total]
    if beyond:
        raise HTTPException(404, f"spectrum: found {beyond}, the workspace has {total} (from 0)")
    rows = {index: row for row, index in enumerate(indices)}
    absent = [index for index in asked if index not in rows]
    if absent:
        raise AbsentSpectraError(absent)
    return [_curve(loaded, index, rows[index]) for index in asked]


def _shape(loaded: Loaded) -> tuple[int, ...]:
    y = loaded.arrays.get("y")
    known = loaded.entry.get("shape")
    return tuple(known) if known else np.atleast_2d(y).shape if y is not None else (0, 0)


def _indices(loaded: Loaded) -> list[int]:
    if "y" not in loaded.arrays:
        return []
    rows = len(np.atleast_2d(loaded.arrays["y"]))
    listed = loaded.entry.get("spectra")
    return [int(index) for index in listed] if listed is not None and len(listed) == rows else list(range(rows))


def _curve(loaded: Loaded, index: int, row: int) -> Curve:
    x, e = loaded.arrays["x"], loaded.arrays.get("e")
    return Curve(
        index,
        x if x.ndim == 1 else x[row],
        np.atleast_2d(loaded.arrays["y"])[row],
        None if e is None else np.atleast_2d(e)[row],
    )


def _sum(loaded: Loaded) -> Curve:
    arrays = loaded.arrays
    if "sum_y" in arrays:
        return Curve("sum", arrays["sum_x" if "sum_x" in arrays else "x"], arrays["sum_y"], arrays.get("sum_e"))
    if len(_indices(loaded)) < _shape(loaded)[0]:
        raise HTTPException(409, "the snapshot holds only some spectra of this workspace, and no sum of all")
    x, y, e = arrays["x"], np.atleast_2d(arrays["y"]), arrays.get("e")
    if x.ndim == 2 and not (x == x[0]).all():
        raise HTTPException(409, "the spectra have different bins, so there is no sum; ask for single spectra")
    error = None if e is None else np.sqrt((np.atleast_2d(e) ** 2).sum(axis=0))
    return Curve("sum", x if x.ndim == 1 else x[0], y.sum(axis=0), error)


def _counts(loaded: Loaded) -> Curve:
    counts = loaded.arrays.get("counts")
    if counts is None:
        if len(_indices(loaded)) < _shape(loaded)[0]:
            raise HTTPException(409, "the snapshot holds only some spectra of this workspace, and no counts of all")
        counts = np.nansum(np.atleast_2d(loaded.arrays["y"]), axis=1)
    return Curve("counts", np.arange(len(counts), dtype=float), counts, None)


def image(loaded: Loaded) -> dict[str, Any]:
    """Give the spectra as a picture of at most `IMAGE_ROWS` x `IMAGE_COLUMNS`, neighbours averaged.

    Averages, not sums, so that cells of unequal numbers of bins at the edges do not look brighter.
    """
    if "y" not in loaded.arrays:
        raise HTTPException(409, "the snapshot holds no spectra of this workspace; ask for single ones first")
    y, x = np.atleast_2d(loaded.arrays["y"]), loaded.arrays["x"]
    rows, columns = _blocks(y.shape[0], IMAGE_ROWS), _blocks(y.shape[1], IMAGE_COLUMNS)
    totals = np.add.reduceat(np.add.reduceat(np.nan_to_num(y), rows[:-1], axis=0), columns[:-1], axis=1)
    values = totals / np.outer(np.diff(rows), np.diff(columns))
    first = x if x.ndim == 1 else x[0]
    at = columns if len(first) > y.shape[1] else columns[:-1]
    indices = [*_indices(loaded), _shape(loaded)[0]]
    return formats.meta(loaded.entry) | {
        "x": formats.numbers(first[at]),
        "spectra": [indices[row] for row in rows],
        "values": [formats.numbers(line) for line in values],
    }


def _blocks(length: int, wanted: int) -> NDArray[np.intp]:
    """Edges that cut `length` items into at most `wanted` blocks of nearly equal size."""
    return np.linspace(0, length, min(length, wanted) + 1).astype(np.intp)
