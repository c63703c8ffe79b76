"""What a simulated server shall do, and what it has done: run cycle, source of pulses, the count of what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from livereduce.simulators.bodies import Body


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall happen; times in s. Runs follow each other for ever when ``runs`` is None.

    Attributes
    ----------
    lead_in : float
        Between-runs pulses before the first run.
    pause_at, pause_seconds : float
        Each run is paused once, this long after its start; no pause when ``pause_seconds`` is 0.
    rollover : float
        A new file of the same run this often; 0 = never.
    index_period : float
        How often a place is marked from which history can be read.
    """

    runs: int | None = None
    run_seconds: float = 300.0
    gap_seconds: float = 15.0
    lead_in: float = 1.0
    pause_at: float = 0.0
    pause_seconds: float = 0.0
    rollover: float = 120.0
    index_period: float = 300.0
    first_run: int = 10001
    title: str = "Simulated run"
    formula: str = ""


class PulseSource(Protocol):
    """Where pulses get their neutrons from."""

    def begin_run(self, pulses: int) -> None:
        """Hear that a run begins in which this many pulses will bring neutrons and count."""

    def next_body(self, temperature: float, counting: bool) -> Body:
        """Give the next pulse with beam; ``counting`` in a run and not paused; temperature in K."""


@dataclass(slots=True)
class Tally:
    """What was sent in a run or between runs; charge in 10 pC."""

    pulses: int = 0
    events: int = 0
    monitor_events: int = 0
    charge: int = 0
    paused_pulses: int = 0
    paused_events: int = 0

    def add(self, body: Body, paused: bool) -> None:
        """Count one banked packet and the monitor packet with it; paused ones apart."""
        if paused:
            self.paused_pulses += 1
            self.paused_events += body.events
            return
        self.pulses += 1
        self.events += body.events
        self.monitor_events += body.monitor_events
        self.charge += body.charge

    def report(self) -> dict[str, int]:
        """As in the truth, charge in pC."""
        return {
            "pulses": self.pulses,
            "events": self.events,
            "monitor_events": self.monitor_events,
            "charge_pC": 10 * self.charge,
        }
