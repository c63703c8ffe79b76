"""A simulated DAE's histogram memory and the answers to every request about it; no socket, no clock.

By default it answers as Mantid's fake does, its constant data included; a measured file, or the events of a simulated
stream, can be counted into it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.geometry.nexus_histogram import Histogram
from livereduce.protocols.isis import Block, CommandError, DataType, block
from livereduce.protocols.isis.memory import BLOCK_VALUES, GOOD_CHARGE, GOOD_FRAMES, RAW_FRAMES, TOTAL_CHARGE
from livereduce.simulators.nexus_file import read_measurement

MAX_VALUES = 1 << 28
FAKE_MONITORS = 3
FAKE_CHARGE = 3.14
JUNK = 0x5EED5
"""What stands in spectrum 0 and in channel 0 of a memory that counts: whoever takes it for data is found out."""


@dataclass(slots=True)
class Regime:
    """Spectra that share time channels.

    Attributes
    ----------
    edges
        float32[channels + 1], µs.
    values
        int32[periods, spectra, channels + 1], channel 0 first.
    """

    edges: NDArray[np.float32]
    values: NDArray[np.int32]


@dataclass(slots=True)
class Memory:
    """All a command port knows.

    Attributes
    ----------
    first, second
        The time regimes; the second one may be None.
    spectrum_zero
        int32[periods], the value that fills spectrum 0 of each period.
    detector, spectrum, monitors
        Detector IDs, their spectra, and where in these tables the monitors are, from 1.
    run, title
        Told if the server is not a fake; Mantid's tells neither.
    """

    first: Regime
    second: Regime | None
    spectrum_zero: NDArray[np.int32]
    detector: NDArray[np.int32]
    spectrum: NDArray[np.int32]
    monitors: NDArray[np.int32]
    name: str = "MUSR"
    run: int | None = None
    title: str | None = None
    charge: float = FAKE_CHARGE
    frames: int | None = None
    strict: bool = False
    others: dict[str, Block] = field(default_factory=dict)

    @property
    def periods(self) -> int:
        """Number of periods."""
        return len(self.first.values)

    @property
    def spectra(self) -> int:
        """Number of spectra of the first regime."""
        return int(self.first.values.shape[1])

    # -- answers ------------------------------------------------------------------------------------------------------

    def reply(self, request: Block) -> Block:
        """Answer a request; ``OK`` without data to what is not known.

        A fake looks at a parameter's name only. A strict server wants to be asked for the type that a parameter has.

        Raises
        ------
        CommandError
            No server understands this: the connection is closed.
        """
        if request.type is DataType.CHAR:
            found = self.parameter(request.data.decode("latin-1"))
            fits = not self.strict or request.command == f"GETPAR{found.type.code}"
            return found if fits else block("OK")
        if request.type is DataType.INT32 and len(request.values) == 2:
            first, number = (int(v) for v in request.values)
            return self.histograms(first, number)
        raise CommandError(f"request {request.command!r} with {len(request.data)} bytes of {request.type.name} data")

    def parameter(self, name: str) -> Block:
        """Answer with a parameter."""
        if name in self.others:
            return self.others[name]
        second = self.second
        scalars = {
            "NPER": self.periods,
            "NDET": len(self.detector),
            "NTC1": len(self.first.edges) - 1,
            "NSP1": self.spectra,
            "NTC2": len(second.edges) - 1 if second else 0,
            "NSP2": second.values.shape[1] if second else 0,
            "NMON": len(self.monitors),
            "RUN": self.run,
        }
        if (value := scalars.get(name)) is not None:
            return block("OK", [int(value)])
        texts = {"NAME": self.name, "TITL": self.title}
        if (text := texts.get(name)) is not None:
            return block("OK", text)
        integers = {"UDET": self.detector, "SPEC": self.spectrum, "MDET": self.monitors}
        if name in integers:
            return block("OK", integers[name])
        if name == "RTCB1":
            return block("OK", self.first.edges)
        if second is not None and name.startswith("RTCB"):
            return block("OK", second.edges)
        if name == "RRPB":
            reals = np.zeros(BLOCK_VALUES, np.float32)
            reals[TOTAL_CHARGE] = self.charge
            reals[GOOD_CHARGE] = 0 if self.frames is None else self.charge
            return block("OK", reals)
        if name == "RPB" and self.frames is not None:
            numbers = np.zeros(BLOCK_VALUES, np.int32)
            numbers[[GOOD_FRAMES, RAW_FRAMES]] = self.frames
            return block("OK", numbers)
        return block("OK")

    def histograms(self, first: int, number: int) -> Block:
        """Answer with spectra; those of both regimes follow each other as they are, with the first one's dimensions."""
        last = self.spectra + (self.second.values.shape[1] if self.second else 0)
        period, spectrum = divmod(first, last + 1)
        if number < 1 or not 0 <= period < self.periods or spectrum + number > last + 1:
            return block("OK")
        rows = [self._row(period, s) for s in range(spectrum, spectrum + number)]
        data = np.concatenate(rows).astype("<i4").tobytes()
        return Block("OK", DataType.INT32, (number, len(self.first.edges)), data)

    def _row(self, period: int, spectrum: int) -> NDArray[np.int32]:
        if spectrum == 0:
            return np.full(len(self.first.edges), self.spectrum_zero[period], np.int32)
        regime, row = self.first, spectrum - 1
        if spectrum > self.spectra:
            assert self.second is not None
            regime, row = self.second, spectrum - self.spectra - 1
        values: NDArray[np.int32] = regime.values[period, row]
        return values

    # -- counting -----------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Begin a run: nothing counted, no charge."""
        for regime in (self.first, self.second):
            if regime is not None:
                regime.values[:, :, 1:] = 0
        self.charge, self.frames = 0.0, 0

    def count(self, period: int, spectrum: NDArray[np.uint32], tof: NDArray[np.float32]) -> None:
        """Count events (spectra from 0) into the first regime; what is outside its channels is not counted."""
        edges = self.first.edges.astype(np.float64)
        channel = np.searchsorted(edges, tof.astype(np.float64), side="right")
        inside = (channel >= 1) & (channel < len(edges)) & (spectrum < self.spectra)
        np.add.at(self.first.values[period], (spectrum[inside], channel[inside]), 1)


def fake_memory(periods: int = 1, spectra: int = 100, bins: int = 30) -> Memory:
    """Make the memory of Mantid's fake: each value of spectrum s in period p (from 0) is 1000 p + s.

    Raises
    ------
    LiveReduceError
        There would be too many values, or none.
    """
    if min(periods, spectra, bins) < 1 or periods * (spectra * bins + 6 * bins) > MAX_VALUES:
        raise LiveReduceError(
            f"{periods} periods of {spectra} spectra of {bins} bins: each must be at least 1, all together at most"
            f" {MAX_VALUES} values"
        )
    total = spectra + FAKE_MONITORS
    base = 1000 * np.arange(periods, dtype=np.int32)[:, None, None]
    number = np.arange(1, total + 1, dtype=np.int32)[None, :, None]
    level = base + number
    edges = (10_000 + 100 * np.arange(bins + 1)).astype(np.float32)
    edges2 = (10_000 + 10 * np.arange(2 * bins + 1)).astype(np.float32)
    ids = np.arange(1, total + 1, dtype=np.int32)
    return Memory(
        first=Regime(edges, np.repeat(level[:, :spectra], bins + 1, axis=2)),
        second=Regime(edges2, np.repeat(level[:, spectra:], 2 * bins + 1, axis=2)),
        spectrum_zero=base[:, 0, 0],
        detector=ids,
        spectrum=ids,
        monitors=ids[spectra:],
    )


def empty_memory(like: Memory) -> Memory:
    """Make a memory of the same layout that counts from nothing."""
    memory = Memory(
        first=_nothing(like.first),
        second=None if like.second is None else _nothing(like.second),
        spectrum_zero=np.full(like.periods, JUNK, np.int32),
        detector=like.detector,
        spectrum=like.spectrum,
        monitors=like.monitors,
        name=like.name,
        title=like.title,
        strict=True,
    )
    memory.clear()
    return memory


def _nothing(regime: Regime) -> Regime:
    return Regime(regime.edges, np.full_like(regime.values, JUNK))


def file_memory(path: Path) -> Memory:
    """Make a memory that holds a measured NeXus histogram, its first monitor in the second time regime.

    Raises
    ------
    LiveReduceError
        The file cannot be read or does not fit: the DAE has 32-bit counts and boundaries.
    """
    measurement = read_measurement(path)
    n = len(measurement.ids)
    monitors = measurement.monitors[:1]
    ids = [*measurement.ids.tolist(), *(-m.number for m in monitors)]
    if np.abs(ids).max() >= 1 << 31:
        raise LiveReduceError(f"{path}: detector IDs beyond 32 bits cannot be told by this protocol")
    return Memory(
        first=_measured(path, measurement.detectors),
        second=_measured(path, monitors[0].histogram) if monitors else None,
        spectrum_zero=np.full(1, JUNK, np.int32),
        detector=np.array(ids, np.int32),
        spectrum=np.arange(1, len(ids) + 1, dtype=np.int32),
        monitors=np.arange(n + 1, len(ids) + 1, dtype=np.int32),
        name=measurement.name,
        run=measurement.run_number,
        title=measurement.title,
        charge=1.0,
        frames=1,
        strict=True,
    )


def _measured(path: Path, histogram: Histogram) -> Regime:
    edges = histogram.edges.astype(np.float32)
    if not (np.diff(edges.astype(np.float64)) > 0).all():
        raise LiveReduceError(f"{path}: time channels are narrower than the float32 boundaries of this protocol")
    if histogram.counts.max(initial=0) >= 1 << 31:
        raise LiveReduceError(f"{path}: counts beyond 32 bits cannot be told by this protocol")
    values = np.full((1, len(histogram.counts), len(edges)), JUNK, np.int32)
    values[0, :, 1:] = histogram.counts
    return Regime(edges, values)
