"""The files the page reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.reducer.snapshot import Shown, SnapshotWriter
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, HistogramWorkspace


class Unreadable(HistogramWorkspace):
    """A workspace whose values cannot be had."""

    @property
    def y(self) -> NDArray[np.float64]:
        raise MemoryError


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
