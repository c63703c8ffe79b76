"""From a few choices (sample or file, rate, seed, plan, faults) to a server's stream."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from livereduce.errors import LiveReduceError
from livereduce.simulators import demo_pow
from livereduce.simulators.beamline import Beamline
from livereduce.simulators.bodies import PulseLayout
from livereduce.simulators.chaos import Chaos
from livereduce.simulators.devices import Devices, Ramp
from livereduce.simulators.file_source import FileSource
from livereduce.simulators.history import History
from livereduce.simulators.machine import Machine
from livereduce.simulators.nexus_file import read_measurement
from livereduce.simulators.plan import Plan, PulseSource
from livereduce.simulators.powder import SAMPLES, SECOND_SOURCE_OFFSET, PowderModel, PowderSource
from livereduce.simulators.sms import Sms

BAND_CENTRE = 1.5
RATES = (1e3, 1e8)
SHORTEST_S = 0.1


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated.

    Attributes
    ----------
    sample : str
        A key of `powder.SAMPLES`.
    file : Path or None
        Repeat this measured NeXus histogram instead; run number and title are the file's.
    rate : float
        Detector events a second (of a sample).
    seed : int
    plan : Plan
    chaos : Chaos
    ramp_rate : float
        K/min of the heating that the NaCl sample gets from 300 to 500 K.
    """

    sample: str = "si"
    file: Path | None = None
    rate: float = 50_000.0
    seed: int = 1
    plan: Plan = field(default_factory=Plan)
    chaos: Chaos = field(default_factory=Chaos)
    ramp_rate: float = 6.0

    def prepare(self) -> Simulation:
        """Read the file, or work out the sample's scattering: takes a moment and needs no time of day.

        Raises
        ------
        LiveReduceError
            A sample that is not known, a rate out of range, a file that cannot be used.
        """
        self._check()
        if self.file is not None:
            measurement = read_measurement(self.file)
            beamline = measurement.beamline()
            source: PulseSource = FileSource(measurement, PulseLayout(beamline), self.seed)
            plan = replace(self.plan, first_run=measurement.run_number, title=measurement.title, formula="")
            return Simulation(beamline, source, plan, Ramp(295.0, 295.0, 1.0), self, trips=False)
        sample = SAMPLES[self.sample]
        beamline = demo_pow.beamline()
        layout = PulseLayout(beamline, SECOND_SOURCE_OFFSET)
        source = PowderSource(PowderModel(sample, BAND_CENTRE), layout, beamline.ids, self.rate, self.seed)
        ramp = Ramp(300.0, 500.0, self.ramp_rate) if self.sample == "nacl" else Ramp(295.0, 295.0, 1.0)
        plan = replace(self.plan, title=sample.title, formula=sample.formula)
        return Simulation(beamline, source, plan, ramp, self, trips=True)

    def _check(self) -> None:
        plan = self.plan
        if self.sample not in SAMPLES:
            raise LiveReduceError(f"sample {self.sample!r} is not known; there are {', '.join(SAMPLES)}")
        if not RATES[0] <= self.rate <= RATES[1]:
            raise LiveReduceError(f"rate {self.rate:g} events/s is out of range: {RATES[0]:g} to {RATES[1]:g}")
        if min(plan.run_seconds, plan.gap_seconds, plan.index_period) < SHORTEST_S:
            raise LiveReduceError(f"runs, gaps and the index period must last at least {SHORTEST_S} s")
        if self.file is not None and plan.pause_at < 0.1 and plan.pause_seconds >= plan.run_seconds:
            raise LiveReduceError("the pause covers the whole run, which then cannot carry the counts of the file")


@dataclass(slots=True)
class Simulation:
    """A scenario made ready; its stream begins at a given time, once."""

    beamline: Beamline
    source: PulseSource
    plan: Plan
    ramp: Ramp
    scenario: Scenario
    trips: bool

    def begin(self, epoch_ns: int) -> Sms:
        """Start the stream's time, Unix ns."""
        seed = self.scenario.seed
        return Sms(
            self.beamline,
            self.source,
            Machine(epoch_ns, self.beamline.frequency, seed, self.trips),
            Devices(epoch_ns, self.ramp, BAND_CENTRE, seed),
            self.plan,
            self.scenario.chaos,
            History(),
        )
