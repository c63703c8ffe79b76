"""The plots scripts publish, written for the page: ``<runtime_dir>/plots/<name>.plot``, put in place by rename.

The first line of a file is JSON with ``instrument``, ``run``, ``file`` (the name the script gave it) and ``time_ns``;
the HTML follows. A plot replaces the one of the same instrument, run and file. The newest `KEPT` stay, of at most
`TOTAL_BYTES` together.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from livereduce.errors import encodable
from livereduce.mantid.publishing import Publication
from livereduce.reducer.snapshot import in_file_name

KEPT = 20
PLOT_BYTES = 10_000_000
TOTAL_BYTES = 40_000_000
"""The folder is usually in memory."""
WORD = 200
"""Characters kept of an instrument's, a run's and a file's name."""


class PlotWriter:
    """Writes plots into one folder; those of a process before this one count."""

    def __init__(self, runtime_dir: Path) -> None:
        self._folder = runtime_dir / "plots"
        for path in self._folder.glob("*.tmp"):
            path.unlink(missing_ok=True)
        found = sorted(
            (path.stat().st_mtime_ns, path.name, path.stat().st_size) for path in self._folder.glob("*.plot")
        )
        self._sizes = {name: size for _, name, size in found}  # oldest first

    def write(self, waiting: deque[Publication], now_ns: int, warn: Callable[[str], None]) -> None:
        """Write what waits, oldest first, and take it out; `warn` is told of what is too large.

        Raises
        ------
        OSError
            There is no room for it; it stays in `waiting`.
        """
        while waiting:
            published = waiting[0]
            for file, text in published.files.items():
                self._write(
                    encodable(published.instrument), encodable(published.run), encodable(file), text, now_ns, warn
                )
            waiting.popleft()

    def _write(self, instrument: str, run: str, file: str, text: str, now_ns: int, warn: Callable[[str], None]) -> None:
        about = {"instrument": instrument[:WORD], "run": run[:WORD], "file": file[:WORD], "time_ns": now_ns}
        data = json.dumps(about).encode() + b"\n" + encodable(text).encode()
        if len(data) > PLOT_BYTES:
            warn(
                f"the plot {file[:WORD]!r} of run {run[:WORD]} is not shown: its HTML has {len(data) / 1e6:.1f} MB, the"
                f" page takes {PLOT_BYTES / 1e6:g} MB; publish fewer points, and plotly.js not with them"
            )
            return
        name = f"{_safe(f'{instrument}_{run}_{file}')}.plot"
        self._make_room(name, len(data))
        self._put(self._folder / name, data)
        self._sizes[name] = len(data)

    def _make_room(self, name: str, size: int) -> None:
        others = [other for other in self._sizes if other != name]
        while others and (len(others) >= KEPT or size + sum(self._sizes[other] for other in others) > TOTAL_BYTES):
            self._remove(others.pop(0))
        self._sizes.pop(name, None)  # comes back as the newest

    def _remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        del self._sizes[name]

    def _put(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".tmp")
        try:
            beside.write_bytes(data)
            os.replace(beside, path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """Remove all plots; `OSError`: one cannot be removed."""
        for name in list(self._sizes):
            self._remove(name)


def _safe(said: str) -> str:
    """Return a name for files and addresses; where that is not what was said, with what tells it from others."""
    name = in_file_name(said)
    return name if name == said else f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"
