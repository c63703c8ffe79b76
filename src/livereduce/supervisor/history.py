"""Keeps the rates of the last day (`status.history`), whatever happens to the processes they are of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from livereduce.config.files import replace_file
from livereduce.status import Status, history

log = logging.getLogger(__name__)


class HistoryWriter:
    """Adds a line every ten seconds, and takes the oldest ones out once a day."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / history.FILE
        self._due = float("-inf")
        self._lines: int | None = None
        self._failing = False

    def note(self, now: float, status: Callable[[], Status]) -> None:
        """Write down the rates there are now, if it is time; `now` in s by a monotonic clock."""
        if now < self._due:
            return
        self._due = now + history.EVERY_S
        seen = status()
        rates = history.Rates(seen.now_ns / 1e9, seen.run, seen.event_rate, seen.charge_rate_pC)
        try:
            self._write(history.line(rates))
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error("%s: rates are not kept: %s", self._path, error.strerror or error)
            self._failing = True

    def _write(self, line: str) -> None:
        if self._lines is None or self._lines >= 2 * history.KEPT:
            kept = history.read(self._path.parent)
            replace_file(self._path, "".join(map(history.line, kept)).encode())
            self._lines = len(kept)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)
        self._lines += 1
