"""Reading the user's files in a thread of its own: a folder on a network may not answer for hours.

Meanwhile the data go on, with the scripts in use.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 1.0
HURRIED_S = 0.05
HURRY_S = 1.0
STOP_S = 0.5
SILENT_S = 10.0


class Reading:
    """Calls `fetch` every second, and more often for a second when told to hurry."""

    def __init__(self, fetch: Callable[[], None]) -> None:
        self._fetch = fetch
        self._wake = threading.Event()
        self._ending = False
        self._hurry_until = 0.0
        self._answered = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="reading files", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def hurry(self, now: float) -> None:
        """Read at once, twice."""
        self._hurry_until = now + HURRY_S
        self._wake.set()

    def hurried(self, now: float) -> bool:
        """Tell whether somebody is waiting for what is read."""
        return now < self._hurry_until

    def silence(self, now: float) -> str:
        """Say that the files do not answer; empty while they do."""
        silent_s = now - self._answered
        return "" if silent_s < SILENT_S else f"scripts and configuration cannot be read for {silent_s:.0f} s now"

    def stop(self) -> None:
        """End; a read that hangs ends with the process."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._ending:
            self._fetch()
            self._answered = time.monotonic()
            self._wake.wait(HURRIED_S if self.hurried(self._answered) else EVERY_S)
            self._wake.clear()
