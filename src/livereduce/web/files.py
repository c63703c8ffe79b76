"""What the other processes have written: their health records and the snapshot of workspaces.

``<runtime_dir>/snapshot/manifest.json`` names ``.npy`` files beside it; a new manifest replaces the old one before old
files go, so a reader that finds a file gone reads the manifest again. Nothing is ever unpickled.

A workspace of the manifest has ``files`` ``x`` (edges or points; one row for all spectra, or one a spectrum), ``y``
and ``e`` (one row for each index in ``spectra``). A truncated one holds only some rows, and may have ``sum_x``,
``sum_y``, ``sum_e`` (the sum of all spectra) and ``counts`` (one number a spectrum) beside them. A table has its column
names in ``columns`` and ``files`` ``column0``, ``column1``, … of numbers or text. Rows that are asked
for and not there are noted in ``<runtime_dir>/wanted.json``, ``{name: [spectrum, ...]}``, for the next snapshot.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from livereduce import status
from livereduce.status import Heartbeat, RecorderHealth, ReducerHealth

T = TypeVar("T")

WANTED_PER_WORKSPACE = 32
READ_AGAIN = 5


@dataclass(frozen=True, slots=True)
class Health:
    """The newest record of each process, and what is wrong with a record that cannot be read."""

    recorder: RecorderHealth | None
    reducer: ReducerHealth | None
    heartbeat: Heartbeat | None
    problems: tuple[str, ...]


def read_health(runtime_dir: Path) -> Health:
    """Read recorder.json, reducer.json and heartbeat.json; one that is not there yet is None."""
    problems: list[str] = []

    def read(name: str, adapter: TypeAdapter[T]) -> T | None:
        try:
            return adapter.validate_json((runtime_dir / name).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            problems.append(f"{runtime_dir / name} cannot be read: {str(error).splitlines()[0]}")
            return None

    return Health(
        read("recorder.json", status.RECORDER),
        read("reducer.json", status.REDUCER),
        read("heartbeat.json", status.HEARTBEAT),
        tuple(problems),
    )


class SnapshotError(Exception):
    """The manifest or one of its files is not what it should be."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of the snapshot: what the reducer wrote about each workspace, unchanged."""

    folder: Path
    version: int
    written_ns: int
    run: int
    workspaces: tuple[dict[str, Any], ...]
    left_out: tuple[dict[str, Any], ...]

    def find(self, name: str) -> dict[str, Any] | None:
        """Give the entry of a workspace; None when there is none of that name."""
        return next((entry for entry in self.workspaces if entry["name"] == name), None)

    def load(self, entry: dict[str, Any], part: str, file: str) -> NDArray[Any]:
        """Map one array of a workspace into memory; `FileNotFoundError`: the file has gone."""
        if Path(file).name != file:
            raise SnapshotError(f"{entry['name']}: {part} is in {file!r}, which leads out of the snapshot folder")
        try:
            array: NDArray[Any] = np.load(self.folder / file, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:  # after a power failure a file may be empty
            raise SnapshotError(f"{self.folder / file}: {error}") from error
        return array


def read_manifest(runtime_dir: Path) -> Manifest:
    """Read the present manifest; an empty one when there is no snapshot yet."""
    folder = runtime_dir / "snapshot"
    try:
        found = json.loads((folder / "manifest.json").read_bytes())
        return Manifest(
            folder=folder,
            version=found["version"],
            written_ns=found.get("written_ns", 0),
            run=found.get("run") or 0,
            workspaces=tuple({"run": found.get("run"), **entry} for entry in found["workspaces"]),
            left_out=tuple(found.get("left_out", ())),
        )
    except FileNotFoundError:
        return Manifest(folder, 0, 0, 0, (), ())
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{folder / 'manifest.json'}: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workspace's entry and arrays, all of one snapshot version; `stamp` is another one for any other content."""

    entry: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    stamp: str


def load_workspace(runtime_dir: Path, name: str) -> Loaded | None:
    """Load a workspace from one snapshot; None when there is no workspace of that name.

    The arrays are mapped, so that asking for one spectrum of a large workspace reads no more than that.

    Raises
    ------
    SnapshotError
        A file is damaged, or snapshots follow each other faster than they can be read.
    """
    for _ in range(READ_AGAIN):
        manifest = read_manifest(runtime_dir)
        entry = manifest.find(name)
        if entry is None:
            return None
        try:
            named = entry.get("files", {})
            arrays = {part: manifest.load(entry, part, file) for part, file in named.items()}
            # versions begin anew with a new reducer, the times of files do not
            times = [(manifest.folder / file).stat().st_mtime_ns for file in named.values()]
        except FileNotFoundError:
            continue  # a newer snapshot has just replaced this one
        return Loaded(entry, arrays, f"{entry.get('version')}-{max(times, default=0)}")
    raise SnapshotError(f"the files of {name} are gone; the snapshot is being replaced faster than it can be read")


def want(runtime_dir: Path, name: str, spectra: list[int]) -> None:
    """Ask the reducer to put these spectra of a truncated workspace into its next snapshots; the newest wishes stay."""
    path = runtime_dir / "wanted.json"
    try:
        wanted = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        wanted = {}
    present = {entry["name"] for entry in read_manifest(runtime_dir).workspaces}
    wanted = {known: indices for known, indices in wanted.items() if known in present}
    earlier = [index for index in wanted.get(name, []) if index not in spectra]
    wanted[name] = [*earlier, *spectra][-WANTED_PER_WORKSPACE:]
    # requests are answered in several threads
    beside = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
    beside.write_text(json.dumps(wanted))
    beside.replace(path)
