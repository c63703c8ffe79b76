"""A simulated ISIS event stream: runs that follow each other, as packets due at times; no socket, no clock.

Frames carry events uniform in time of flight and spectrum, as Mantid's fake sends them, or the counts of a measured
file. What is sent is counted twice over: in the truth, and in the histogram memory that the command port shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.protocols.isis import Neutron, Setup, encode
from livereduce.simulators.file_source import Supply
from livereduce.simulators.isis_chaos import EventChaos, grown, unknown_packets
from livereduce.simulators.isis_memory import Memory
from livereduce.simulators.nexus_file import Measurement, read_measurement

NS = 1_000_000_000
FIRST_RUN = 1001
MEAN_CHARGE = 8.9e-4
"""µA h: a beam of 160 µA in 50 frames a second."""
PICOCOULOMB_PER_UAH = 3.6e9
TIMES_OF_FLIGHT = (10_000.0, 20_000.0)
"""µs, as Mantid's fake draws them."""
ODD_EVERY_S = 0.5
BLOCKS = 64
LONGEST_TOF = 42_000_000
"""100 ns ticks below 2**32 ns."""


class Frame(NamedTuple):
    """Neutrons of one frame: float32[n] µs and uint32[n], spectra from 0."""

    tof: NDArray[np.float32]
    spectrum: NDArray[np.uint32]


class FrameSource(Protocol):
    """Where frames get their neutrons from."""

    def begin_run(self, frames: int) -> None:
        """Hear that a run of so many frames begins."""

    def next_frame(self) -> Frame:
        """Give the next one."""


class UniformFrames:
    """Events uniform over spectra and times of flight, the same number in every frame."""

    def __init__(self, spectra: int, events: int, seed: int) -> None:
        self._spectra, self._events = spectra, events
        self._rng = np.random.default_rng([seed, 7])

    def begin_run(self, frames: int) -> None:
        """Runs do not differ."""

    def next_frame(self) -> Frame:
        """Draw a frame."""
        tof = self._rng.uniform(*TIMES_OF_FLIGHT, self._events).astype(np.float32)
        return Frame(tof, self._rng.integers(0, self._spectra, self._events, np.uint32))


class FileFrames:
    """A measured histogram, every count as one event inside its time channel, once a run.

    Raises
    ------
    LiveReduceError
        A time channel is so narrow that a float32 cannot be told to lie in it.
    """

    def __init__(self, measurement: Measurement, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 8])
        self._supply = Supply(measurement.detectors, LONGEST_TOF)
        self._edges = measurement.detectors.edges
        self._ready: list[Frame] = []
        self._left = self._block = 0

    def begin_run(self, frames: int) -> None:
        """Spread all counts over so many frames."""
        self._supply.refill()
        self._ready.clear()
        self._left, self._block = frames, max(50, -(-frames // BLOCKS))

    def next_frame(self) -> Frame:
        """Give the next frame; an empty one when all is sent."""
        if not self._ready and self._left:
            frames = min(self._block, self._left)
            self._ready = self._make(frames, frames / self._left)
            self._left -= frames
        nothing = Frame(np.empty(0, np.float32), np.empty(0, np.uint32))
        return self._ready.pop() if self._ready else nothing

    def _make(self, frames: int, part: float) -> list[Frame]:
        spectrum, ticks = self._supply.share(self._rng, part)
        tof = (ticks / 10.0).astype(np.float32)
        self._check(ticks / 10.0, tof)
        cuts = np.sort(self._rng.integers(0, len(tof) + 1, frames - 1))
        pairs = zip(np.split(tof, cuts), np.split(spectrum.astype(np.uint32), cuts), strict=True)
        return [Frame(*pair) for pair in pairs]

    def _check(self, exact: NDArray[np.float64], tof: NDArray[np.float32]) -> None:
        """Receivers take whole ns, rounded down: these have to be in the channel that was meant."""
        taken = np.floor(tof.astype(np.float64) * 1000) / 1000
        meant, found = (np.searchsorted(self._edges, t, side="right") for t in (exact, taken))
        if (meant != found).any():
            left = self._edges[meant[meant != found][0] - 1]
            raise LiveReduceError(
                f"the time channel from {left} µs is too narrow for this protocol, which has float32 times of flight"
            )


@dataclass(frozen=True, slots=True)
class EventPlan:
    """What shall happen; times in s. Runs follow each other for ever when `runs` is None.

    Attributes
    ----------
    interval
        Between frames.
    cards
        Packets a frame is split into, as if each detector card sent its own.
    """

    runs: int | None = 1
    run_seconds: float = 60.0
    interval: float = 0.02
    periods: int = 1
    cards: int = 2
    first_run: int = FIRST_RUN
    name: str = "MUSR"


@dataclass(slots=True)
class Tally:
    """What was sent in a run; `unheard` events were sent while nobody listened. Charge in whole pC."""

    run: int
    start_s: int
    frames: int = 0
    events: int = 0
    unheard: int = 0
    charge: int = 0

    def report(self) -> dict[str, object]:
        """As in the truth."""
        return {
            "run": self.run,
            "start": datetime.fromtimestamp(self.start_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "pulses": self.frames,
            "events": self.events,
            "monitor_events": 0,
            "charge_pC": self.charge,
            "paused_pulses": 0,
            "paused_events": 0,
            "unheard_events": self.unheard,
        }


@dataclass(slots=True)
class IsisStream:
    """Gives packets as they fall due.

    Parameters
    ----------
    begin_ns
        When the first run begins, Unix ns.
    """

    plan: EventPlan
    source: FrameSource
    memory: Memory
    begin_ns: int
    chaos: EventChaos = field(default_factory=EventChaos)
    finished: bool = False
    _tallies: list[Tally] = field(default_factory=list)
    _frame: int = 0
    _run_begin_ns: int = 0
    _next_odd: float = ODD_EVERY_S
    _held: list[bytes] = field(default_factory=list)
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(9))

    def __post_init__(self) -> None:
        self._begin_run(self.begin_ns)

    @property
    def setup(self) -> bytes:
        """The present Setup packet; after the last run the machine is set up for one more, which does not begin."""
        last = self._tallies[-1]
        if not self.finished:
            return encode(Setup(last.run, last.start_s, 1, self.plan.name))
        return encode(Setup(last.run + 1, max(self._due_ns() // NS, last.start_s + 1), 0, self.plan.name))

    @property
    def _frames(self) -> int:
        return max(1, round(self.plan.run_seconds / self.plan.interval))

    def _begin_run(self, now_ns: int) -> None:
        self._tallies.append(Tally(self.plan.first_run + len(self._tallies), now_ns // NS))
        self._run_begin_ns, self._frame, self._next_odd = now_ns, 0, ODD_EVERY_S
        self.memory.clear()
        self.memory.run = self._tallies[-1].run
        self.source.begin_run(self._frames)

    def advance(self, now_ns: int, *, heard: bool) -> list[bytes]:
        """Give all packets due until now; `heard` says whether anybody receives them."""
        packets: list[bytes] = []
        while not self.finished and self._due_ns() <= now_ns:
            if self._frame == self._frames:
                packets += self._next_run()
            else:
                packets += self._next_frame(heard)
        return packets

    def _due_ns(self) -> int:
        return self._run_begin_ns + round(self._frame * self.plan.interval * NS)

    def _next_run(self) -> list[bytes]:
        """End the run: there is no packet for that, the next one's Setup says it."""
        held, self._held = self._held, []
        ended_ns = self._due_ns()
        self.finished = self.plan.runs is not None and len(self._tallies) == self.plan.runs
        if not self.finished:
            self._begin_run(ended_ns)
        return [*held, self.setup]

    def _next_frame(self, heard: bool) -> list[bytes]:
        tally, number = self._tallies[-1], self._frame
        period = number % self.plan.periods
        frame = self.source.next_frame()
        charge = float(np.float32(MEAN_CHARGE * self._rng.normal(1.0, 0.02)))
        time_s = (self._due_ns() - tally.start_s * NS) / 1e9
        self._frame += 1
        tally.frames += 1
        tally.events += len(frame.tof)
        tally.unheard += 0 if heard else len(frame.tof)
        tally.charge += round(charge * PICOCOULOMB_PER_UAH)
        self.memory.count(period, frame.spectrum, frame.tof)
        self.memory.charge += charge
        self.memory.frames = tally.frames
        cards = np.array_split(np.arange(len(frame.tof)), self.plan.cards)
        packets = [
            encode(Neutron(number, period, charge, time_s, frame.tof[card], frame.spectrum[card])) for card in cards
        ]
        return self._disturbed(packets, time_s - (self._run_begin_ns / 1e9 - tally.start_s), heard)

    # -- faults -------------------------------------------------------------------------------------------------------

    def _disturbed(self, packets: list[bytes], age_s: float, heard: bool) -> list[bytes]:
        if self.chaos.grown_headers:
            packets = [grown(packet) for packet in packets]
        if self.chaos.interleaved:  # the last card of each frame comes with the next one
            packets, self._held = [*packets[:1], *self._held, *packets[1:-1]], packets[1:][-1:]
        if age_s >= self._next_odd:
            self._next_odd += ODD_EVERY_S
            if self.chaos.unknown_types:
                packets.append(unknown_packets())
            if self.chaos.same_setup:
                packets.append(self.setup)
            if self.chaos.odd_values:
                packets += self._odd_packets(heard)
        return packets

    def _odd_packets(self, heard: bool) -> list[bytes]:
        """Events that cannot be: they are sent, so they count, and are for the receiver to drop."""
        tally = self._tallies[-1]
        frame = tally.frames - 1
        tofs = np.array([np.nan, -1.0, np.inf, 5e6, 15_000.0, 15_000.0], np.float32)
        spectra = np.array([0, 0, 0, 0, self.memory.spectra, 0xFFFFFFFF], np.uint32)
        one = np.array([15_000.0], np.float32)
        tally.events += len(tofs) + len(one)
        tally.unheard += 0 if heard else len(tofs) + len(one)
        return [
            encode(Neutron(frame, 0, float("nan"), float("inf"), tofs, spectra)),
            encode(Neutron(frame, self.plan.periods, 0.0, 0.0, one, np.zeros(1, np.uint32))),
        ]

    def truth(self) -> dict[str, object]:
        """Say what was sent in each run; there is nothing between runs."""
        nothing = {"pulses": 0, "events": 0, "monitor_events": 0, "charge_pC": 0}
        return {"runs": [tally.report() for tally in self._tallies], "between_runs": nothing}


def file_frames(path: Path, seed: int) -> tuple[FileFrames, Measurement]:
    """Make frames of a measured file; all of it is tried at once, so that what cannot be told is known now."""
    measurement = read_measurement(path)
    frames = FileFrames(measurement, seed)
    frames.begin_run(1)
    frames.next_frame()
    return frames, measurement
