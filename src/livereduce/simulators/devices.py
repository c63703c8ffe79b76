"""Sample environment and other devices of a simulated beamline: what is declared, and values as time passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from livereduce.protocols.adara import (
    DeviceDescriptor,
    MultVariableDouble,
    MultVariableDoubleArray,
    MultVariableString,
    MultVariableU32,
    MultVariableU32Array,
    ValueStatus,
    VariableDouble,
    VariableDoubleArray,
    VariablePacket,
    VariableString,
    VariableU32,
    VariableU32Array,
)

SECOND = 1_000_000_000
HOLD_S, OVERSHOOT_K, NOISE_K = 60.0, 1.5, 0.02
MOVE_EVERY_S, MOVE_S = 60, 3
DISCONNECTED_S = (20, 30)
INVALID = 3
CHOPPER_DEVICE = 0x80000001
"""Devices which the server makes up itself have numbers with the top bit set."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One process variable: its log name, type and units as the descriptor says them."""

    name: str
    type: str
    units: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device and its variables; a variable's ID is its place, from 1. Enumerations: name to (element, value)s."""

    number: int
    name: str
    variables: tuple[Variable, ...]
    enumerations: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()

    def xml(self) -> str:
        """Descriptor document."""
        lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<device xmlns="http://public.sns.gov/schema/device.xsd">']
        lines.append(f"  <device_name>{escape(self.name)}</device_name>")
        if self.enumerations:
            lines.append("  <enumerations>")
            for name, elements in self.enumerations:
                lines.append(f"    <enumeration><enum_name>{name}</enum_name>")
                lines += [
                    f"      <enum_element><enum_element_name>{escape(element)}</enum_element_name>"
                    f"<enum_element_value>{value}</enum_element_value></enum_element>"
                    for element, value in elements
                ]
                lines.append("    </enumeration>")
            lines.append("  </enumerations>")
        lines.append("  <process_variables>")
        for number, variable in enumerate(self.variables, 1):
            lines += _variable_xml(number, variable)
        return "\n".join([*lines, "  </process_variables>", "</device>"])


def _variable_xml(number: int, variable: Variable) -> list[str]:
    lines = [f"    <process_variable><pv_name>{escape(variable.name)}</pv_name><pv_id>{number}</pv_id>"]
    if variable.description:
        lines.append(f"      <pv_description>{escape(variable.description)}</pv_description>")
    lines.append(f"      <pv_type>{variable.type}</pv_type>")
    if variable.units:
        lines.append(f"      <pv_units>{escape(variable.units)}</pv_units>")
    return [*lines, "    </process_variable>"]


SAMPLE = Device(
    1,
    "SampleEnvironment",
    (
        Variable("SampleTemp", "double", "K", "temperature of the sample"),
        Variable("SampleTempSetpoint", "double", "K"),
        Variable("Pressure", "double", "mbar", "pressure in the sample vessel"),
        Variable("BL:SE:Fast", "double", "V", "ten values a second"),
    ),
)
CHOPPER = Device(
    CHOPPER_DEVICE,
    "Chopper",
    (
        Variable("BL:Chop:Speed", "double", "Hz"),
        Variable("BL:Chop:Wavelength", "double", "Angstrom"),
        Variable("BL:Chop:Locked", "boolean"),
        Variable("BL:Chop:TDC", "unsigned integer", "ns", "top dead centre after the pulse"),
        # under these two names scripts look for what sets characterisations apart
        Variable("frequency", "double", "Hz"),
        Variable("LambdaRequest", "double", "Angstrom"),
    ),
)
MOTION = Device(
    3,
    "Motion",
    (
        Variable("omega", "double", "deg"),
        Variable("omega:Status", "enum_00"),
        Variable("omega:Steps", "integer", "", "motor steps from home, negative below it"),
        Variable("BL:CS:Scan:Index", "unsigned integer"),
    ),
    (("enum_00", (("Idle", 0), ("Moving", 1))),),
)
DETECTOR = Device(
    4,
    "Detector",
    (
        Variable("BL:Det:Note", "string"),
        Variable("BL:Det:Rates", "integer array", "1/s"),
        Variable("BL:Det:HV", "double array", "V"),
        Variable("BL:Det:Messages", "string"),
        Variable("BL:Det:Maps", "integer array"),
        Variable("BL:Det:Curves", "double array"),
    ),
)
DEVICES = (SAMPLE, CHOPPER, MOTION, DETECTOR)


@dataclass(frozen=True, slots=True)
class Ramp:
    """How the sample's temperature goes: from ``start`` to ``stop`` (K) at ``rate`` (K/min) after a minute's hold."""

    start: float
    stop: float
    rate: float

    def temperature(self, seconds: float) -> float:
        """Temperature in K, without noise, this many seconds after the epoch."""
        warming = seconds - HOLD_S
        length = 60.0 * (self.stop - self.start) / self.rate
        if warming <= 0.0 or length <= 0.0:
            return self.start
        if warming < length:
            return self.start + self.rate / 60.0 * warming
        late = warming - length
        # rises within a few seconds and dies away in 90: its maximum is about 0.6 of the difference
        return self.stop + OVERSHOOT_K / 0.6 * float(np.exp(-late / 90.0) - np.exp(-late / 15.0))

    def setpoint(self, seconds: float) -> float:
        """Setpoint of the controller, K."""
        return self.start if seconds < HOLD_S else self.stop


class Devices:
    """The devices' declarations and latest values.

    Parameters
    ----------
    epoch_ns : int
        Start of the simulated time, Unix ns.
    ramp : Ramp
    wavelength : float
        Centre of the chopper's band, Å.
    seed : int
    """

    def __init__(self, epoch_ns: int, ramp: Ramp, wavelength: float, seed: int) -> None:
        self._epoch_ns = epoch_ns
        self._ramp = ramp
        self._seed = seed
        self._latest: dict[tuple[int, int], VariablePacket] = {}
        for packet in self._initial(wavelength):
            self._latest[packet.device_id, packet.variable_id] = packet

    def temperature(self, time_ns: int) -> float:
        """Temperature of the sample in K, without the sensor's noise."""
        return self._ramp.temperature((time_ns - self._epoch_ns) / SECOND)

    def declared(self) -> Iterator[DeviceDescriptor | VariablePacket]:
        """Every descriptor, followed by the latest value of each of its variables, with the times they changed at."""
        for device in DEVICES:
            yield DeviceDescriptor(self._epoch_ns - 4 * 3600 * SECOND, device.number, device.xml())
            for number in range(1, len(device.variables) + 1):
                yield self._latest[device.number, number]

    def changes(self, second: int) -> list[VariablePacket]:
        """Give what changes in a second, counted from the epoch, and keep it as the latest."""
        packets = list(self._changes(second, np.random.default_rng([self._seed, 4, second])))
        for packet in packets:
            self._latest[packet.device_id, packet.variable_id] = packet
        return packets

    def set_scan(self, time_ns: int, index: int) -> VariablePacket:
        """Say the scan index; becomes the latest."""
        packet = VariableU32(time_ns, MOTION.number, 4, 0, 0, index)
        self._latest[MOTION.number, 4] = packet
        return packet

    def _initial(self, wavelength: float) -> Iterator[VariablePacket]:
        """Values from before the simulation began: up to days old, as on a real beamline."""
        hour = 3600 * SECOND
        t = self._epoch_ns
        yield VariableDouble(t - 2 * SECOND, 1, 1, 0, 0, self._ramp.start)
        yield VariableDouble(t - hour, 1, 2, 0, 0, self._ramp.start)
        yield VariableDouble(t - 60 * SECOND, 1, 3, 0, 0, 1013.0)
        yield MultVariableDouble(t - SECOND, 1, 4, 0, 0, _offsets(1), np.zeros(1))
        yield VariableDouble(t - 100 * hour, CHOPPER_DEVICE, 1, 0, 0, 60.0)
        yield VariableDouble(t - 90 * hour, CHOPPER_DEVICE, 2, 0, 0, wavelength)
        yield VariableU32(t - 90 * hour, CHOPPER_DEVICE, 3, 0, 0, 1)
        yield MultVariableU32(t - SECOND, CHOPPER_DEVICE, 4, 0, 0, _offsets(1), np.array([8000], np.uint32))
        yield VariableDouble(t - 100 * hour, CHOPPER_DEVICE, 5, 0, 0, 60.0)
        yield VariableDouble(t - 90 * hour, CHOPPER_DEVICE, 6, 0, 0, wavelength)
        yield VariableDouble(t - hour, 3, 1, 0, 0, 0.0)
        yield VariableU32(t - hour, 3, 2, 0, 0, 0)
        yield VariableU32(t - hour, 3, 3, 0, 0, _twos_complement(-1200))
        yield VariableU32(t - hour, 3, 4, 0, 0, 0)
        yield VariableString(t - 12 * hour, 4, 1, 0, 0, "ready; wavelength in Å")
        yield VariableU32Array(t - 10 * SECOND, 4, 2, 0, 0, np.zeros(4, np.uint32))
        yield VariableDoubleArray(t - hour, 4, 3, 0, 0, np.full(4, 1850.0))
        yield MultVariableString(t - hour, 4, 4, 0, 0, _offsets(1), ("start",))
        yield MultVariableU32Array(t - hour, 4, 5, 0, 0, _offsets(1), (np.arange(3, dtype=np.uint32),))
        yield MultVariableDoubleArray(t - hour, 4, 6, 0, 0, _offsets(1), (np.array([0.5, 1.5]),))

    def _changes(self, second: int, rng: np.random.Generator) -> Iterator[VariablePacket]:
        t = self._epoch_ns + second * SECOND
        temperature = self._ramp.temperature(second) + NOISE_K * rng.standard_normal()
        previous = self._latest[1, 1]
        assert isinstance(previous, VariableDouble)
        if abs(temperature - previous.value) > 0.01:
            yield VariableDouble(t, 1, 1, 0, 0, temperature)
        if self._ramp.setpoint(second) != self._ramp.setpoint(second - 1):
            yield VariableDouble(t, 1, 2, 0, 0, self._ramp.setpoint(second))
        yield from self._pressure(t, second, rng)
        yield MultVariableDouble(t, 1, 4, 0, 0, _offsets(10), rng.standard_normal(10))
        late = np.rint(8000 + 50 * rng.standard_normal(20)).astype(np.uint32)
        yield MultVariableU32(t, CHOPPER_DEVICE, 4, 0, 0, _offsets(20), late)
        yield from self._motion(t, second)
        if second % 10 == 0:
            yield VariableU32Array(t, 4, 2, 0, 0, rng.poisson(5000, 4).astype(np.uint32))
        if second % 30 == 0:
            yield VariableDoubleArray(t, 4, 3, 0, 0, 1850.0 + 0.1 * rng.standard_normal(4))
            yield MultVariableString(t, 4, 4, 0, 0, _offsets(2), (f"check {second // 30}", "passed"))
            maps = (np.arange(3, dtype=np.uint32), np.arange(5, dtype=np.uint32))
            yield MultVariableU32Array(t, 4, 5, 0, 0, _offsets(2), maps)
            yield MultVariableDoubleArray(t, 4, 6, 0, 0, _offsets(2), (np.array([0.5, 1.5]), np.array([2.5])))
        if second % 300 == 0:
            yield VariableString(t, 4, 1, 0, 0, f"checked {second // 300} times")

    def _pressure(self, t: int, second: int, rng: np.random.Generator) -> Iterator[VariablePacket]:
        """One gauge is unplugged for ten seconds: its last value again, with the status that says so."""
        lost, back = DISCONNECTED_S
        last = self._latest[1, 3]
        assert isinstance(last, VariableDouble)
        if second == lost:
            yield VariableDouble(t, 1, 3, ValueStatus.UPSTREAM_DISCONNECTED, INVALID, last.value)
        elif second % 5 == 0 and not lost <= second < back:
            yield VariableDouble(t, 1, 3, 0, 0, 1013.0 + 0.5 * rng.standard_normal())

    def _motion(self, t: int, second: int) -> Iterator[VariablePacket]:
        """Omega goes a degree further every minute, which takes it three seconds."""
        minute, moving = divmod(second, MOVE_EVERY_S)
        if minute == 0 or moving > MOVE_S:
            return
        angle = minute - 1 + moving / MOVE_S
        yield VariableDouble(t, 3, 1, 0, 0, angle)
        yield VariableU32(t, 3, 3, 0, 0, _twos_complement(round(1000 * angle) - 1200))
        if moving in (0, MOVE_S):
            yield VariableU32(t, 3, 2, 0, 0, int(moving < MOVE_S))


def _offsets(n: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """N times within 16 ms of the header's, ns."""
    return (np.arange(n) * (16_000_000 // n)).astype(np.uint32)


def _twos_complement(value: int) -> int:
    return value & 0xFFFF_FFFF
