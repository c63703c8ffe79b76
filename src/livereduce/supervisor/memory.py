"""Memory of our processes: how much, for how long it will do, and what to do when it does not.

Counted is what only we can give back: anonymous and shared memory (RssAnon + RssShmem). The resident size also has the
page cache of the journal in it, which the kernel takes back by itself.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import psutil

from livereduce.status import Holding

log = logging.getLogger(__name__)

NEARLY = 0.9
"""From this share of the limit on, what can be computed again is forgotten, and events are read from the disk."""
ENOUGH = 0.8
"""Share of the limit that should be in use after that."""
SAVED_EVERY_S = 60.0
SAVED_WITHIN_S = 10.0
"""What the reducer may take for it at the limit, before worse is done."""
EXPLAINED = 0.8
"""Events that are this share of the memory are its reason: a fresh reducer would need as much."""
RESTARTS_AN_HOUR = 3
FORECAST_WINDOW_S = 300.0
FORECAST_AFTER_S = 60.0
FORECAST_HORIZON_S = 30 * 86400.0


def own_bytes(pid: int) -> int:
    """Anonymous and shared memory of a process; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return _without_proc(pid)
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return 1024 * sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in fields)


def _without_proc(pid: int) -> int:
    """Do the same where there is no /proc; 0 when the process has gone."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))


def limit_bytes(percent: float, cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Give `percent` of the memory of this machine, or of what our control group may have; None = no limit."""
    if not percent:
        return None
    total = psutil.virtual_memory().total
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
        most = (cgroup / group / "memory.max").read_text().strip()
    except OSError:  # no control groups here
        most = "max"
    return int((total if most == "max" else min(total, int(most))) * percent / 100)


@dataclass(slots=True)
class Forecast:
    """When memory is full if it goes on growing as in the last five minutes."""

    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, now: float, used: int) -> None:
        """Take note of the present use; `now` in s by a monotonic clock."""
        self._samples.append((now, used))
        while now - self._samples[0][0] > FORECAST_WINDOW_S:
            self._samples.popleft()

    def restart(self) -> None:
        """Forget what a process that is gone had used."""
        self._samples.clear()

    def seconds_until(self, limit: int) -> float | None:
        """Give the time until `limit` is reached, in s; None = memory does not grow, or not known yet."""
        if not self._samples or self._samples[-1][0] - self._samples[0][0] < FORECAST_AFTER_S:
            return None
        half = len(self._samples) // 2
        (t0, used0), (t1, used1) = (_mean(list(self._samples)[part]) for part in (slice(half), slice(half, None)))
        growth = (used1 - used0) / (t1 - t0)
        if growth <= 0:
            return None
        seconds = max(limit - self._samples[-1][1], 0) / growth
        return seconds if seconds < FORECAST_HORIZON_S else None


def _mean(samples: list[tuple[float, int]]) -> tuple[float, float]:
    return sum(t for t, _ in samples) / len(samples), sum(used for _, used in samples) / len(samples)


class Relief(Enum):
    """What is to be done about memory."""

    NOTHING = ""
    SAVE = "save memory"
    RESTART = "restart"
    SAY_EVENTS = (
        "the events of this run fill it, and are not on the disk; preserve_events false, or a chunk script that bins,"
        " needs less"
    )
    SAY_OFTEN = "three fresh starts within an hour did not help; what scripts keep in the store is the likely reason"


ONLY_SAID = (Relief.SAY_EVENTS, Relief.SAY_OFTEN)


@dataclass(slots=True)
class Pressure:
    """Decides about memory: first what costs nobody anything, once a minute; then three restarts an hour at most."""

    _restarts: deque[float] = field(default_factory=deque)
    _saved: float = float("-inf")
    _full_since: float | None = None

    def judge(self, now: float, used: int, limit: int, largest: Iterable[Holding]) -> Relief:
        """Say what to do when `used` of `limit` bytes are in use; `now` in s by a monotonic clock."""
        first = used >= limit and self._full_since is None
        if used < limit or first:
            self._full_since = now if first else None
        if used < NEARLY * limit:
            return Relief.NOTHING
        if first or now - self._saved >= SAVED_EVERY_S:
            self._saved = now
            return Relief.SAVE
        if self._full_since is None or now - self._full_since < SAVED_WITHIN_S:
            return Relief.NOTHING
        if sum(holding.bytes for holding in largest if holding.kind == "EventTable") >= EXPLAINED * used:
            return Relief.SAY_EVENTS
        while self._restarts and now - self._restarts[0] > 3600.0:
            self._restarts.popleft()
        if len(self._restarts) >= RESTARTS_AN_HOUR:
            return Relief.SAY_OFTEN
        self._restarts.append(now)
        return Relief.RESTART


@dataclass(slots=True)
class MemoryWatch:
    """Memory of one session's processes.

    Attributes
    ----------
    limit
        What they may use, bytes; None = no limit.
    used
        What they used at the last look, bytes.
    trouble
        What is wrong and only said; empty when nothing is.
    """

    limit: int | None
    used: int = 0
    trouble: str = ""
    _forecast: Forecast = field(default_factory=Forecast)
    _pressure: Pressure = field(default_factory=Pressure)

    def look(self, now: float, pids: Iterable[int], largest: Sequence[Holding]) -> Relief:
        """Look at the processes; say what to do about it."""
        self.used = sum(own_bytes(pid) for pid in pids)
        self._forecast.add(now, self.used)
        if self.limit is None:
            return Relief.NOTHING
        relief = self._pressure.judge(now, self.used, self.limit, largest)
        words = in_words(self.used, self.limit, largest)
        if relief in ONLY_SAID:
            self.trouble = f"memory: {words}: {relief.value}"
        elif self.used < self.limit:
            self.trouble = ""
        if relief is Relief.RESTART:
            log.error("memory: %s; beginning the run again with a fresh reducer", words)
        return relief

    @property
    def full_s(self) -> float | None:
        """Time until the limit is reached, s; None = not as memory is used now."""
        return None if self.limit is None else self._forecast.seconds_until(self.limit)

    @property
    def surplus(self) -> int:
        """Bytes that have to be saved for memory to be nearly full no more."""
        return 0 if self.limit is None else max(0, self.used - int(ENOUGH * self.limit))

    def restart(self) -> None:
        """Forget what a process that is gone had used."""
        self._forecast.restart()


def in_words(used: int, limit: int, largest: Iterable[Holding]) -> str:
    """Say how full memory is and what takes most of it."""
    named = ", ".join(f"{h.name} ({h.kind}) {h.bytes / 2**20:,.0f} MiB" for h in largest) or "nothing known"
    return f"{used / 2**20:,.0f} MiB of {limit / 2**20:,.0f} MiB; largest: {named}"
