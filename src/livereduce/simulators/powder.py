"""Events of a powder on DEMO-POW: Bragg lines with their true shape, diffuse scattering, room background, prompt pulse.

Intensities are relative and exact (structure factors, spectrum, Debye-Waller); only the rate is free. No absorption,
no multiple scattering, no empty can. Line widths, the shares of background and of faulty pixels are plausible
estimates, not those of a real machine.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livereduce.simulators import demo_pow
from livereduce.simulators.bodies import ERROR_BIT, Body, Events, MonitorEvents, PulseLayout
from livereduce.simulators.crystal import DIAMOND, SILICON, SODIUM_CHLORIDE, Crystal, reflections
from livereduce.simulators.spectrum import (
    TOF_PER_LAMBDA,
    AliasTable,
    Band,
    Sampler,
    band_of_frame,
    decoupled_hydrogen,
)

D_MIN = 0.5
MEAN_CHARGE = 2_330_000
CHARGE_SIGMA = 30_000
"""10 pC a pulse: 1.4 MW at 1 GeV and 60 Hz."""
DIFFUSE_SHARE, ROOM_SHARE, PROMPT_SHARE, MONITOR_SHARE = 0.15, 0.03, 0.002, 0.05
ERROR_SHARE = UNMAPPED_SHARE = 5e-4
UNMAPPED_ID = 900_000
SECOND_SOURCE_OFFSET = 100_000
"""100 ns: what the second half of the banks leaves for the client to add to its times of flight."""
FRESH_EVENTS_PER_SECOND = 400_000
"""Above this rate pulses are repeated; the pool of encoded pulses is renewed at this pace."""
POOL_EVENTS = 2_000_000
BLOCK = 15


@dataclass(frozen=True, slots=True)
class Sample:
    """What is in the beam; without a crystal it scatters like vanadium, the same everywhere."""

    title: str
    formula: str
    crystal: Crystal | None


SAMPLES = {
    "si": Sample("Si NIST 640 (simulated)", "Si", SILICON),
    "nacl": Sample("NaCl heating (simulated)", "NaCl", SODIUM_CHLORIDE),
    "diamond": Sample("Diamond powder (simulated)", "C", DIAMOND),
    "vanadium": Sample("Vanadium rod (simulated)", "V", None),
}


def detector_efficiency(wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of neutrons of a wavelength (Å) that a tube counts."""
    return np.asarray(1.0 - np.exp(-0.5 * wavelength), dtype=np.float64)


def faulty_pixels(n: int) -> NDArray[np.float64]:
    """Relative efficiency of each pixel: 0.2 % are dead, one is thirty times too loud. The same in every simulation."""
    rng = np.random.default_rng(640)
    chosen = rng.permutation(n)
    efficiency = np.ones(n)
    efficiency[chosen[: round(0.002 * n)]] = 0.0
    efficiency[chosen[-1]] = 30.0
    return efficiency


class _Bragg:
    """Every (pixel, line) pair inside the band: how often it is hit, when, and how wide."""

    def __init__(self, crystal: Crystal, band: Band, path: NDArray[np.float64], theta: NDArray[np.float64],
                 response: NDArray[np.float64]) -> None:  # fmt: skip
        lines = reflections(crystal, D_MIN)
        wavelength = 2.0 * np.sin(theta)[:, None] * lines.d
        flux = decoupled_hydrogen(wavelength) * band.transmission(wavelength) * detector_efficiency(wavelength)
        strength = lines.multiplicity * lines.f_squared * lines.d**4 * np.exp(-crystal.b_iso / (2 * lines.d**2))
        weight = response[:, None] * flux * strength * np.sin(theta)[:, None]
        used = weight > 1e-9 * weight.max()
        self.pixel = np.nonzero(used)[0]
        chosen = wavelength[used]
        self.centre = TOF_PER_LAMBDA * path[self.pixel] * chosen
        angular = 1.2e-3 / np.tan(theta[self.pixel])
        self.sigma = self.centre * np.sqrt((5.0 * chosen / self.centre) ** 2 + angular**2 + 1e-4**2)
        self.tail = 3.0 * chosen
        self.rows = AliasTable(weight[used])

    def draw(self, rng: np.random.Generator, n: int, strain: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pixels and times of flight (µs). The tail's mean is taken off so that a line's centroid stays on its d."""
        row = self.rows.draw(rng, n)
        shape = rng.standard_normal(n) * self.sigma[row] + self.tail[row] * (rng.standard_exponential(n) - 1.0)
        return self.pixel[row], self.centre[row] * strain + shape


class PowderModel:
    """Draws detector and monitor events for a sample on DEMO-POW.

    Parameters
    ----------
    sample : Sample
    band_centre : float
        Å.
    shares : tuple of float
        Diffuse, room background and prompt part of all events; the rest is Bragg scattering.
    """

    def __init__(
        self,
        sample: Sample,
        band_centre: float = 1.5,
        shares: tuple[float, float, float] = (DIFFUSE_SHARE, ROOM_SHARE, PROMPT_SHARE),
    ) -> None:
        position = demo_pow.positions()
        l2 = np.linalg.norm(position, axis=1)
        self._path = demo_pow.L1 + l2
        self._theta = 0.5 * np.arccos(position[:, 2] / l2)
        self._band = band_of_frame(band_centre, 63.0, demo_pow.FREQUENCY)
        self._period = 1e6 / demo_pow.FREQUENCY
        response = demo_pow.solid_angles() * demo_pow.tube_end_shading() * faulty_pixels(len(position))
        self._pixels = AliasTable(response)
        wavelength = np.linspace(self._band.low - 0.1, self._band.high + 0.1, 4096)
        incident = decoupled_hydrogen(wavelength) * self._band.transmission(wavelength)
        self._counted = Sampler(wavelength, incident * detector_efficiency(wavelength))
        self._monitored = Sampler(wavelength, incident / wavelength)
        self._crystal = sample.crystal
        self._bragg = _Bragg(sample.crystal, self._band, self._path, self._theta, response) if sample.crystal else None
        diffuse, room, prompt = shares
        bragg = 1.0 - diffuse - room - prompt
        self._shares = (bragg, diffuse, room, prompt) if self._bragg else (0.0, bragg + diffuse, room, prompt)

    def draw(
        self, rng: np.random.Generator, n: int, temperature: float
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """N events in random order: pixel's place in `Beamline.ids` and time of flight since the pulse in 100 ns.

        Times are total ones (a slow neutron arrives during a later pulse's frame), as the SNS electronics give them.
        """
        numbers = rng.multinomial(n, self._shares)
        parts = [
            draw(rng, int(number), temperature)
            for draw, number in zip((self._draw_bragg, self._draw_diffuse, self._draw_room, self._draw_prompt), numbers,
                                    strict=True) if number
        ]  # fmt: skip
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.uint32)
        order = rng.permutation(n)
        pixel = np.concatenate([pixel for pixel, _ in parts])[order]
        tof = np.concatenate([tof for _, tof in parts])[order]
        return pixel, np.rint(10.0 * tof).astype(np.uint32)

    def draw_monitor(self, rng: np.random.Generator, n: int) -> NDArray[np.uint32]:
        """N times of flight at the monitor, 100 ns."""
        wavelength = self._monitored.draw(rng, n)
        path = demo_pow.L1 + demo_pow.MONITOR.z
        tof = TOF_PER_LAMBDA * path * wavelength + 5.0 * wavelength * rng.standard_normal(n)
        return np.rint(10.0 * tof).astype(np.uint32)

    def _draw_bragg(
        self, rng: np.random.Generator, n: int, temperature: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        assert self._bragg is not None
        assert self._crystal is not None
        return self._bragg.draw(rng, n, self._crystal.strain(temperature))

    def _draw_diffuse(
        self, rng: np.random.Generator, n: int, _temperature: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Incoherent scattering, and thermal diffuse scattering which takes what the Bragg lines lose."""
        flat = 0.2
        pixels, wavelengths, found = [], [], 0
        while found < n:
            pixel = self._pixels.draw(rng, n)
            wavelength = self._counted.draw(rng, n)
            if self._crystal is not None:
                s = np.sin(self._theta[pixel]) / wavelength
                probability = (flat + 1.0 - np.exp(-2.0 * self._crystal.b_iso * s**2)) / (flat + 1.0)
                taken = rng.random(n) < probability
                pixel, wavelength = pixel[taken], wavelength[taken]
            pixels.append(pixel)
            wavelengths.append(wavelength)
            found += len(pixel)
        pixel, wavelength = np.concatenate(pixels)[:n], np.concatenate(wavelengths)[:n]
        return pixel, TOF_PER_LAMBDA * self._path[pixel] * wavelength

    def _draw_room(
        self, rng: np.random.Generator, n: int, _temperature: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Neutrons that lost all memory: the same everywhere in the frame."""
        pixel = self._pixels.draw(rng, n)
        return pixel, TOF_PER_LAMBDA * self._path[pixel] * self._band.low + self._period * rng.random(n)

    def _draw_prompt(
        self, rng: np.random.Generator, n: int, _temperature: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Fast neutrons and gammas of the next pulse, on top of the slow ones of this."""
        return self._pixels.draw(rng, n), self._period + 30.0 * rng.standard_exponential(n)


class PowderSource:
    """Pulse bodies of a powder at a mean event rate, one after the other.

    Up to `FRESH_EVENTS_PER_SECOND` every event is new. Above, encoded pulses are used again in random order from a pool
    which is renewed at that pace: the server's work is then sending, as it has to be at twenty million events a second.
    """

    def __init__(self, model: PowderModel, layout: PulseLayout, ids: NDArray[np.int64], rate: float, seed: int) -> None:
        self._model, self._layout = model, layout
        self._ids = ids.astype(np.uint32)
        self._mean = rate / demo_pow.FREQUENCY
        self._rng = np.random.default_rng([seed, 1])
        self._fresh: deque[Body] = deque()
        self._pool: deque[Body] = deque()
        self._credit = 0.0
        self._renewed = FRESH_EVENTS_PER_SECOND / rate if rate > FRESH_EVENTS_PER_SECOND else 1.0
        self._pool_size = max(6, round(POOL_EVENTS / self._mean))

    def begin_run(self, pulses: int) -> None:
        """Take note of a run, which makes no difference to the neutrons."""

    def next_body(self, temperature: float, counting: bool) -> Body:
        """Body of the next pulse with beam; the beam does not mind whether anybody counts. Temperature in K."""
        if self._renewed == 1.0:
            if not self._fresh:
                self._fresh.extend(self._make(BLOCK, temperature))
            return self._fresh.popleft()
        while len(self._pool) < self._pool_size:
            self._pool.extend(self._make(1, temperature))
        self._credit += self._renewed
        if self._credit >= 1.0:
            self._credit -= 1.0
            self._pool.popleft()
            self._pool.extend(self._make(1, temperature))
        return self._pool[int(self._rng.integers(len(self._pool)))]

    def _make(self, pulses: int, temperature: float) -> list[Body]:
        rng = self._rng
        charges = np.rint(rng.normal(MEAN_CHARGE, CHARGE_SIGMA, pulses)).astype(np.int64)
        counts = rng.poisson(self._mean * charges / MEAN_CHARGE)
        n = int(counts.sum())
        index, tof = self._model.draw(rng, n, temperature)
        pixel, slot = self._ids[index], self._layout.slot_of_index[index]
        pulse = np.repeat(np.arange(pulses), counts)
        wrong = rng.random(n)
        error, unmapped = wrong < ERROR_SHARE, wrong > 1.0 - UNMAPPED_SHARE
        slot[error], slot[unmapped] = self._layout.error_slot, self._layout.unmapped_slot
        pixel[error] |= ERROR_BIT
        pixel[unmapped] = UNMAPPED_ID
        monitored = rng.poisson(MONITOR_SHARE * self._mean * charges / MEAN_CHARGE)
        number = int(monitored.sum())
        monitors = MonitorEvents(
            np.repeat(np.arange(pulses), monitored), np.zeros(number, np.int64), self._model.draw_monitor(rng, number)
        )
        return self._layout.bodies(Events(pulse, slot, tof, pixel), monitors, charges)
