"""The ledger: where every event that reached us went, run by run, and what never reached us.

``events = accumulated + pending + sum(dropped)`` holds after every step; `RunLedger.check` says so or raises.
Events during pauses, duplicates and monitor events are kept beside that sum. ``accumulated`` means that the chunk
an event came in was added; what a script's binning leaves out is the script's business.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from livereduce.errors import StateError
from livereduce.live.state import NO_RUN, RunIdentity


def json_time(time_ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601 UTC with microseconds, as all our JSON has it."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (
        f".{time_ns % 1_000_000_000 // 1000:06d}Z"
    )


def time_of_json(text: str) -> int:
    """Read what `json_time` gives."""
    whole = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000_000 + whole.microsecond * 1000


@dataclass(slots=True)
class RunLedger:
    """The account of one run, or of all data between runs (`NO_RUN`)."""

    identity: RunIdentity
    joined_mid_run: bool = False
    pulses: int = 0
    events: int = 0
    paused_events: int = 0
    monitor_events: int = 0
    charge_pc: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    accumulated: int = 0
    pending: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    missing: list[tuple[int, int]] = field(default_factory=list)
    finished: bool = False
    end_seen: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything from the run's start to its end is known to have reached us."""
        return self.end_seen and not self.joined_mid_run and not self.missing

    def check(self) -> None:
        """Raise `StateError` unless every event is accounted for."""
        told = self.accumulated + self.pending + self.dropped.total()
        if told != self.events:
            raise StateError(
                f"ledger of run {self.identity.run} does not balance: {self.events} events received, {told} accounted "
                f"for (accumulated {self.accumulated}, pending {self.pending}, dropped {dict(self.dropped)})"
            )

    def take_over(self, account: dict[str, Any]) -> None:
        """Go on from what `as_json` gave."""
        for name in ("pulses", "events", "paused_events", "monitor_events", "accumulated", "pending", "duplicates"):
            setattr(self, name, account[name])
        self.charge_pc = account["charge_pC"]
        self.dropped, self.rejected = Counter(account["dropped"]), Counter(account["rejected_packets"])
        self.missing = [(time_of_json(a), time_of_json(b)) for a, b in account["missing"]]

    def in_words(self) -> str:
        """Return the end of the run as a sentence for people."""
        if self.identity == NO_RUN:
            return "between runs"
        if not self.finished:
            return "running"
        if self.complete:
            return "complete"
        causes = [
            *(["joined in mid-run"] if self.joined_mid_run else []),
            *(["end not seen"] if not self.end_seen else []),
            *(["data missing"] if self.missing else []),
        ]
        return "incomplete: " + ", ".join(causes)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `run --exit-after-runs` prints and ``/api/ledger`` serves."""
        account: dict[str, Any] = {
            "pulses": self.pulses,
            "events": self.events,
            "paused_events": self.paused_events,
            "monitor_events": self.monitor_events,
            "charge_pC": self.charge_pc,
            "dropped": dict(sorted(self.dropped.items())),
            "accumulated": self.accumulated,
            "pending": self.pending,
            "duplicates": self.duplicates,
            "rejected_packets": dict(sorted(self.rejected.items())),
            "missing": [[json_time(a), json_time(b)] for a, b in self.missing],
        }
        if self.identity == NO_RUN:
            return account
        return {
            "run": self.identity.run,
            "start": json_time(self.identity.start_ns),
            **account,
            "complete": self.complete,
            "finished": self.finished,
            "joined_mid_run": self.joined_mid_run,
            "state": self.in_words(),
        }


KEPT = 1000
"""Runs in a ledger; of more than that the oldest are forgotten."""


class Ledger:
    """The accounts of the newest `KEPT` runs in the order they were met, and one for the data between runs."""

    def __init__(self) -> None:
        self._open: dict[RunIdentity, RunLedger] = {}
        self._runs: dict[RunIdentity, RunLedger] = {}
        self._finished_before: dict[tuple[int, str], dict[str, Any]] = {}
        self.between_runs = RunLedger(NO_RUN)

    def open(self, identity: RunIdentity, *, joined_mid_run: bool = False) -> RunLedger:
        """Return the account of `identity`, opened if it is new."""
        if identity == NO_RUN:
            return self.between_runs
        if identity not in self._runs:
            if len(self._runs) >= KEPT:
                oldest = next(iter(self._runs))
                del self._runs[oldest]
                self._open.pop(oldest, None)
            self._runs[identity] = RunLedger(identity, joined_mid_run=joined_mid_run)
        self._open[identity] = self._runs[identity]
        return self._runs[identity]

    def restore(self, finished_runs: list[dict[str, Any]], between_runs: dict[str, Any] | None) -> None:
        """Take over what earlier processes have counted; a run read again replaces its old account."""
        self._finished_before |= {(account["run"], account["start"]): account for account in finished_runs[-KEPT:]}
        if between_runs is not None:
            self.between_runs.take_over(between_runs)

    def check(self) -> None:
        """Raise `StateError` unless every account balances; one that is settled is not looked at again."""
        for account in (*self._open.values(), self.between_runs):
            account.check()
        self._open = {i: account for i, account in self._open.items() if not account.finished or account.pending}

    def as_json(self, newest: int | None = None) -> dict[str, Any]:
        """Return the JSON object of interfaces: runs in order, then what lay between them.

        With `newest` only so many runs: a process that works for months has thousands.
        """
        few = slice(-(KEPT if newest is None else newest), None)
        own = {(a["run"], a["start"]): a for a in (run.as_json() for run in list(self._runs.values())[few])}
        return {
            "runs": list((self._finished_before | own).values())[few],
            "between_runs": self.between_runs.as_json(),
        }
