"""What the page shows, written as files by the reducer after each step: ``.npy`` arrays and, last, the manifest.

Files are named by version and the manifest, put in place by rename, names those that are whole: a reader never sees
half a workspace, and nobody waits.
A workspace of up to 10⁶ values is written whole; of a larger one its sum, the counts per spectrum, and the spectra the
page last asked for (``wanted.json``). What does not fit the time budget is left out and named.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from livereduce.algorithms import extract_spectra, sum_spectra
from livereduce.errors import encodable, reason
from livereduce.workspaces import (
    EventWorkspace,
    MatrixWorkspace,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
    WorkspaceStore,
)

log = logging.getLogger(__name__)

WHOLE_VALUES = 1_000_000
TABLE_ROWS = 10_000
OTHERS = 20
BUDGET_S = 2.0
FIRST_SPECTRA = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """A workspace to be shown, and what it is to the live cycle."""

    name: str
    workspace: Workspace
    role: str


class SnapshotWriter:
    """Writes versions of the snapshot into one folder."""

    def __init__(self, runtime_dir: Path) -> None:
        self._folder = runtime_dir / "snapshot"
        self._wanted = runtime_dir / "wanted.json"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.version = self._last_version()

    def _last_version(self) -> int:
        try:
            return int(json.loads((self._folder / "manifest.json").read_bytes())["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def write(self, shown: Iterable[Shown], run: int) -> None:
        """Write one version; the first workspaces are the most important ones.

        Raises
        ------
        OSError
            There is no room for it; the version before it stays.
        """
        self.version += 1
        try:
            kept = self._write_version(shown, run)
        except OSError:
            for path in self._folder.glob(f"{self.version}.*.npy"):
                path.unlink(missing_ok=True)
            raise
        self._remove_all_but(kept)

    def _write_version(self, shown: Iterable[Shown], run: int) -> set[str]:
        began = time.perf_counter()
        entries: list[dict[str, Any]] = []
        left_out: list[dict[str, str]] = []
        wanted = self._read_wanted()
        for item in _members(shown):
            if not isinstance(item.workspace, MatrixWorkspace | TableWorkspace):
                left_out.append(_left_out(item, f"a {item.workspace.kind} is not shown as curves"))
            elif item.role == "other" and time.perf_counter() - began > BUDGET_S:
                left_out.append(_left_out(item, f"writing took longer than {BUDGET_S:g} s"))
            else:
                try:
                    stem = f"{self.version}.{len(entries) + len(left_out)}.{in_file_name(item.name)}"
                    entries.append(
                        self._table(item, item.workspace, stem)
                        if isinstance(item.workspace, TableWorkspace)
                        else self._entry(item, item.workspace, stem, wanted.get(item.name, []))
                    )
                except OSError:  # the disk: it concerns all of them
                    raise
                except Exception as error:
                    left_out.append(_left_out(item, f"cannot be written: {reason(error)}"))
        manifest = {
            "version": self.version,
            "written_ns": time.time_ns(),
            "run": run,
            "workspaces": entries,
            "left_out": left_out,
        }
        self._put("manifest.json", to_json(manifest))
        return {file for entry in entries for file in entry["files"].values()}

    def _read_wanted(self) -> dict[str, list[int]]:
        try:
            found = json.loads(self._wanted.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _entry(self, item: Shown, workspace: MatrixWorkspace, stem: str, wanted: list[int]) -> dict[str, Any]:
        shape = (workspace.n_spectra, workspace.n_bins)
        whole = shape[0] * shape[1] <= WHOLE_VALUES
        parts, spectra = _whole(workspace) if whole else _parts(workspace, wanted)
        files = {part: f"{stem}.{part}.npy" for part in parts}
        for part, array in parts.items():
            self._put_array(files[part], array)
        x_unit = workspace.axis_unit(0)
        return {
            "name": encodable(item.name),
            "kind": workspace.kind,
            "role": item.role,
            "version": self.version,
            "shape": list(shape),
            "x_unit_id": encodable(workspace.unit),
            "x_unit": encodable(x_unit.mark),
            "x_label": encodable(x_unit.label),
            "y_unit": encodable(str(workspace.y_unit)),  # scripts set these to anything
            "y_label": encodable(str(workspace.y_label)),
            "distribution": bool(workspace.distribution),
            "title": encodable(str(workspace.title)),
            "spectra": spectra,
            "spectrum_numbers": workspace.spectra.numbers[spectra].tolist() if len(workspace.spectra) else [],
            "files": files,
            "truncated": not whole,
            "event_count": int(workspace.number_events()) if isinstance(workspace, EventWorkspace) else None,
        }

    def _table(self, item: Shown, table: TableWorkspace, stem: str) -> dict[str, Any]:
        """Write a table by columns; of a long one the last rows."""
        names = table.getColumnNames()
        files = {f"column{i}": f"{stem}.column{i}.npy" for i in range(len(names))}
        for name, file in zip(names, files.values(), strict=True):
            self._put_array(file, _column(table.column(name)[-TABLE_ROWS:]))
        return {
            "name": encodable(item.name),
            "kind": table.kind,
            "role": item.role,
            "version": self.version,
            "title": encodable(str(table.title)),
            "columns": [encodable(name) for name in names],
            "files": files,
            "truncated": len(table) > TABLE_ROWS,
        }

    def _put_array(self, name: str, array: NDArray[Any]) -> None:
        values = np.ascontiguousarray(array)
        path = self._folder / name
        path.unlink(missing_ok=True)  # never shorten what a reader has mapped
        with path.open("wb") as file:
            # not numpy.save: on a full disk it may lose the end of an array and say nothing
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(values))
            file.write(values.data)

    def _put(self, name: str, data: bytes) -> None:
        beside = self._folder / f"{name}.tmp"
        beside.write_bytes(data)
        os.replace(beside, self._folder / name)

    def _remove_all_but(self, kept: set[str]) -> None:
        for path in self._folder.glob("*.npy*"):
            if path.name not in kept:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    log.warning("%s cannot be removed: %s", path, reason(error))


def _column(values: list[Any]) -> NDArray[Any]:
    """Numbers as they are, anything else as text."""
    found = np.array(values) if all(isinstance(v, int | float | np.number) for v in values) else None
    return found if found is not None and found.dtype.kind in "bif" else np.array([encodable(str(v)) for v in values])


def _left_out(item: Shown, why: str) -> dict[str, str]:
    return {"name": encodable(item.name), "why": encodable(why)}


def in_file_name(name: str) -> str:
    """Return what a file's name tells people of a workspace's; it need not be another one for another workspace."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:80]


def _members(shown: Iterable[Shown]) -> Iterable[Shown]:
    """Replace groups by their members."""
    for item in shown:
        if isinstance(item.workspace, WorkspaceGroup):
            for i, member in enumerate(item.workspace.members, 1):
                yield Shown(member.name() or f"{item.name}_{i}", member, item.role)
        else:
            yield item


def _whole(workspace: MatrixWorkspace) -> tuple[dict[str, NDArray[Any]], list[int]]:
    return {"x": workspace.x, "y": workspace.y, "e": workspace.e}, list(range(workspace.n_spectra))


def _parts(workspace: MatrixWorkspace, wanted: list[int]) -> tuple[dict[str, NDArray[Any]], list[int]]:
    asked = sorted({i for i in wanted if 0 <= i < workspace.n_spectra})
    spectra = asked or list(range(min(FIRST_SPECTRA, workspace.n_spectra)))
    x = workspace.x
    if isinstance(workspace, EventWorkspace):
        parts = _event_parts(workspace, spectra)
    else:
        y, e2 = workspace.y, workspace.e2
        parts = {"y": y[spectra], "e": np.sqrt(e2[spectra]), "counts": np.nansum(y, axis=1)}
        if x.ndim == 1:
            parts |= {"sum_y": np.nansum(y, axis=0), "sum_e": np.sqrt(np.nansum(e2, axis=0))}
    return parts | ({"x": x, "sum_x": x} if x.ndim == 1 else {"x": x[spectra]}), spectra


def _event_parts(workspace: EventWorkspace, spectra: list[int]) -> dict[str, NDArray[Any]]:
    """Count for each part what is new since the last time; the values of all spectra and bins are never made."""
    few = extract_spectra(workspace, workspace_index_list=spectra)
    one_bin = workspace.replaced(edges=workspace.edges[..., [0, -1]])
    parts = {"y": few.y, "e": few.e, "counts": np.nan_to_num(one_bin.y[:, 0], nan=0.0)}
    if workspace.edges.ndim == 1:
        total = sum_spectra(workspace)
        parts |= {"sum_y": np.nansum(total.y, axis=0), "sum_e": np.sqrt(np.nansum(total.e2, axis=0))}
    return parts


def to_show(store: WorkspaceStore, output: str, accumulation: str, owned: Workspace | None) -> list[Shown]:
    """Choose what is shown: the result, the accumulation, and the newest other workspaces scripts left in the store."""
    shown = [Shown(output, store[output], "result")] if output in store else []
    if owned is not None:
        shown.append(Shown(accumulation, owned, "accumulation"))
    members = {
        name for item in shown if isinstance(item.workspace, WorkspaceGroup) for name in item.workspace.getNames()
    }
    others = [name for name in store.names() if name not in {output, accumulation, *members}]
    shown += [Shown(name, store[name], "other") for name in reversed(others[-OTHERS:])]
    return shown
