"""The watchdog's judgement: whether the session is alive, and whether its service may be started again.

For sites where systemd's own watchdog is not used. It looks at the age of the heartbeat, which the supervisor writes
every second whatever scripts, beam and network do; so a long script, an idle beam or a lost source is never a reason.
"""

from __future__ import annotations

import subprocess
from collections import deque
from dataclasses import dataclass, field

import psutil

from livereduce import status
from livereduce.config import Config
from livereduce.status import Heartbeat
from livereduce.web import files

TIMES_UPDATE = 3.0
RESTARTS_AN_HOUR = 5
SYSTEMCTL_S = 120.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the session is well, and why."""

    well: bool
    why: str


def threshold_s(config: Config) -> float:
    """Give the age at which a heartbeat is too old, s: as configured, but never less than three updates."""
    return max(config.watchdog.threshold, TIMES_UPDATE * config.update_every)


def judge(heartbeat: Heartbeat | None, now_ns: int, limit_s: float, *, alive: bool) -> Verdict:
    """Judge a session by its last heartbeat.

    Parameters
    ----------
    heartbeat
        The last one; None = there never was one.
    now_ns
        Present time, Unix ns.
    limit_s
        Age at which it is too old, s.
    alive
        Whether the process that wrote it is there.
    """
    if heartbeat is None:
        return Verdict(False, "there is no heartbeat; livereduce has not been started")
    age_s = status.age_s(heartbeat.written_ns, now_ns) or 0.0
    age, process = status.duration(age_s), f"process {heartbeat.pid}"
    if heartbeat.stopping and not alive:
        return Verdict(True, f"{process} was stopped on purpose {age} ago")
    if not alive:
        return Verdict(age_s < limit_s, f"{process} is gone; its last heartbeat was {age} ago")
    if age_s < limit_s:
        return Verdict(True, f"{process} is alive; its last heartbeat was {age} ago")
    doing = "while it was stopping" if heartbeat.stopping else "in mid-work"
    return Verdict(False, f"{process} hangs {doing}; its last heartbeat was {age} ago, expected one every second")


def look(config: Config, now_ns: int) -> Verdict:
    """Read the heartbeat of a configuration's session and judge it; a well one with the state it says it is in."""
    health = files.read_health(config.runtime_dir)
    heartbeat = health.heartbeat
    alive = heartbeat is not None and psutil.pid_exists(heartbeat.pid)
    verdict = judge(heartbeat, now_ns, threshold_s(config), alive=alive)
    if not alive or not verdict.well:
        return verdict
    now = status.describe(
        health.recorder, health.reducer, now_ns, heartbeat=heartbeat, update_every_s=config.update_every
    )
    return Verdict(True, f"{verdict.why}; {now.state}: {now.sentence}")


@dataclass(slots=True)
class Restarts:
    """When a service may be started again: not twice within the threshold, not more than five times an hour."""

    limit_s: float
    _times: deque[float] = field(default_factory=deque)

    def allowed(self, now: float) -> bool:
        """Tell whether it may be started again, and take note of it if so; `now` in s by a monotonic clock."""
        while self._times and now - self._times[0] > 3600.0:
            self._times.popleft()
        if len(self._times) >= RESTARTS_AN_HOUR or (self._times and now - self._times[-1] < self.limit_s):
            return False
        self._times.append(now)
        return True


def restart_service(unit: str) -> str:
    """Ask systemd to start a unit again; gives what went wrong, empty when nothing did."""
    try:
        done = subprocess.run(
            ["systemctl", "restart", unit], capture_output=True, text=True, timeout=SYSTEMCTL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"systemctl ended with {done.returncode}")
