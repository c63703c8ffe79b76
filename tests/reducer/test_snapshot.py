"""The files the page reads."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from livereduce.reducer.snapshot import Shown, SnapshotWriter
from livereduce.web.files import load_workspace
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, HistogramWorkspace, TableWorkspace


class Unreadable(HistogramWorkspace):
    """A workspace whose values cannot be had."""

    @property
    def y(self) -> NDArray[np.float64]:
        raise MemoryError


def shown(**values: float) -> list[Shown]:
    """Workspaces of 100 such values each, 800 bytes."""
    edges = np.arange(101.0)
    return [Shown(k, HistogramWorkspace(edges, [[v] * 100], [[v] * 100]), "other") for k, v in values.items()]


def in_manifest(runtime_dir: Path) -> dict[str, dict[str, Any]]:
    manifest = json.loads((runtime_dir / "snapshot" / "manifest.json").read_bytes())
    return {entry["name"]: entry for entry in manifest["workspaces"]}


def first_value(runtime_dir: Path, name: str) -> float:
    y = np.load(runtime_dir / "snapshot" / in_manifest(runtime_dir)[name]["files"]["y"])
    assert y.shape == (1, 100)
    return float(y[0, 0])


@contextmanager
def files_of_at_most(nbytes: int) -> Iterator[None]:
    """Let what is written beyond that fail, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_workspaces_whose_names_differ_in_odd_characters_have_files_of_their_own(tmp_path: Path) -> None:
    values = {"a.b": 1.0, "a_b": 2.0, "a/b": 3.0, "\N{GREEK SMALL LETTER PSI}" * 100: 4.0}
    SnapshotWriter(tmp_path).write(shown(**values), 7)
    assert {name: first_value(tmp_path, name) for name in values} == values


def test_on_a_full_disk_the_version_before_stays_and_nothing_of_the_new_one(tmp_path: Path) -> None:
    writer = SnapshotWriter(tmp_path)
    writer.write(shown(result=1.0), 7)
    there = sorted(os.listdir(tmp_path / "snapshot"))
    with files_of_at_most(600), pytest.raises(OSError, match="File too large"):
        writer.write(shown(result=2.0), 7)  # 128 bytes of a header go through, and some of the values
    assert sorted(os.listdir(tmp_path / "snapshot")) == there
    assert first_value(tmp_path, "result") == 1.0
    writer.write(shown(result=3.0), 7)
    assert first_value(tmp_path, "result") == 3.0
    assert len(os.listdir(tmp_path / "snapshot")) == len(there)


def test_what_a_killed_reducer_left_half_written_is_never_read_and_goes(tmp_path: Path) -> None:
    SnapshotWriter(tmp_path).write(shown(result=1.0, other=2.0), 7)
    folder = tmp_path / "snapshot"
    left = [folder / file.replace("1.", "2.", 1) for file in in_manifest(tmp_path)["result"]["files"].values()]
    for path in left:
        path.write_bytes(b"half")
    assert first_value(tmp_path, "result") == 1.0
    SnapshotWriter(tmp_path).write(shown(result=3.0), 7)
    assert first_value(tmp_path, "result") == 3.0
    assert len(os.listdir(folder)) == 4  # x, y, e and the manifest


def test_an_array_that_a_reader_has_mapped_stays_what_it_is_even_when_versions_begin_anew(tmp_path: Path) -> None:
    SnapshotWriter(tmp_path).write(shown(result=1.0), 7)
    name = in_manifest(tmp_path)["result"]["files"]["y"]
    mapped = np.load(tmp_path / "snapshot" / name, mmap_mode="r")
    (tmp_path / "snapshot" / "manifest.json").write_bytes(b"")  # as a power failure may leave it
    SnapshotWriter(tmp_path).write(shown(result=2.0), 7)
    assert in_manifest(tmp_path)["result"]["files"]["y"] == name
    assert (mapped[0, 0], first_value(tmp_path, "result")) == (1.0, 2.0)


def test_texts_that_no_file_takes_are_shown_with_question_marks(tmp_path: Path) -> None:
    workspace = HistogramWorkspace([0.0, 1.0], [[3.0]], title="caf\udce9", y_unit="\udcb5", y_label="\udcb5 label")
    SnapshotWriter(tmp_path).write([Shown("r\udce9sultat", workspace, "result")], 7)
    entry = in_manifest(tmp_path)["r?sultat"]
    assert [entry[what] for what in ("title", "y_unit", "y_label")] == ["caf?", "?", "? label"]
    assert np.load(tmp_path / "snapshot" / entry["files"]["y"]).tolist() == [[3.0]]


def test_a_workspace_that_cannot_be_written_is_left_out_with_the_reason_and_the_others_stay(tmp_path: Path) -> None:
    good = HistogramWorkspace([0.0, 1.0, 2.0], [[3.0, 4.0]], [[3.0, 4.0]])
    bad = Unreadable([0.0, 1.0, 2.0], [[3.0, 4.0]], [[3.0, 4.0]])
    SnapshotWriter(tmp_path).write([Shown("result", bad, "result"), Shown("accumulation", good, "accumulation")], 7)
    manifest: dict[str, Any] = json.loads((tmp_path / "snapshot" / "manifest.json").read_bytes())
    assert manifest["left_out"] == [{"name": "result", "why": "cannot be written: MemoryError"}]
    (entry,) = manifest["workspaces"]
    assert entry["name"] == "accumulation"
    assert np.load(tmp_path / "snapshot" / entry["files"]["y"]).tolist() == [[3.0, 4.0]]


def test_parts_of_a_large_event_workspace_are_counted_as_events_come_and_its_values_never_made(tmp_path: Path) -> None:
    # 6 spectra of 200,000 bins of 0.1 µs: more than is written whole
    edges = 0.05 + 0.1 * np.arange(200_001)
    table, detectors = EventTable(6), Detectors([1, 2, 3, 4, 5, 6])
    table.append([1, 1, 3, 3, 200_001], [0, 0, 0, 5, 5], [1], [0, 5], [100.0])  # the last lies behind the last edge
    workspace = EventWorkspace.from_table(table, 0, 5, detectors, edges=edges)
    writer = SnapshotWriter(tmp_path)
    (tmp_path / "wanted.json").write_text('{"accumulation": [5, 0]}')

    def write(shown: EventWorkspace) -> dict[str, NDArray[np.float64]]:
        writer.write([Shown("accumulation", shown, "accumulation")], 7)
        manifest = json.loads((tmp_path / "snapshot" / "manifest.json").read_bytes())
        assert manifest["workspaces"][0]["spectra"] == [0, 5]
        assert shown.nbytes == 0
        files = manifest["workspaces"][0]["files"]
        return {part: np.load(tmp_path / "snapshot" / file) for part, file in files.items()}

    parts = write(workspace)
    assert parts["counts"].tolist() == [3, 0, 0, 0, 0, 1]
    assert parts["y"][:, :4].tolist() == [[2, 0, 1, 0], [0, 0, 1, 0]]
    assert parts["e"][:, :4].tolist() == [[np.sqrt(2), 0, 1, 0], [0, 0, 1, 0]]
    assert (parts["sum_y"][:4].tolist(), parts["sum_y"].sum()) == ([2, 0, 2, 0], 4)
    assert parts["sum_e"][:4].tolist() == [np.sqrt(2), 0, np.sqrt(2), 0]
    assert np.array_equal(parts["sum_x"], edges)

    counted = table.cache.offered
    table.append([2], [4], [2], [0, 1], [100.0])
    parts = write(EventWorkspace.from_table(table, 0, 6, detectors, edges=edges))
    assert parts["counts"].tolist() == [3, 0, 0, 0, 1, 1]
    assert parts["sum_y"][:4].tolist() == [2, 1, 2, 0]
    # one event: in the sum, in how many spectra of it are empty, in the wanted spectra, in the counts
    assert table.cache.offered - counted == 4


def test_tables_are_written_by_columns_and_of_a_long_one_the_last_rows(tmp_path: Path) -> None:
    table = TableWorkspace([("str", "hkl"), ("double", "d"), ("int", "n")])
    for i in range(10_001):
        table.addRow([f"line {i}", i / 2, i])
    empty = TableWorkspace([("double", "d")])
    SnapshotWriter(tmp_path).write([Shown("peaks", table, "other"), Shown("none", empty, "other")], 7)
    entry = in_manifest(tmp_path)["peaks"]
    assert (entry["columns"], entry["truncated"], entry["kind"]) == (["hkl", "d", "n"], True, "TableWorkspace")
    found = load_workspace(tmp_path, "peaks")
    assert found is not None
    assert [len(found.arrays[f"column{i}"]) for i in range(3)] == [10_000] * 3
    assert [found.arrays[f"column{i}"][0] for i in range(3)] == ["line 1", 0.5, 1]
    without_rows = load_workspace(tmp_path, "none")
    assert without_rows is not None
    assert without_rows.arrays["column0"].tolist() == []
