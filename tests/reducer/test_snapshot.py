"""The files the page reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.reducer.snapshot import Shown, SnapshotWriter
from livereduce.workspaces import HistogramWorkspace


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
