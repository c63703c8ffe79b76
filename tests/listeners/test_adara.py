"""What ADARA packets say in the live cycle's terms; the packets are written with the encoder, positions by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Connected, LogDeclared, LogValues, Message, Rejected, RunInfo
from livereduce.protocols import adara
from livereduce.sources import Block, Position

T0 = 1_700_000_000_000_000_000
DEVICE = (
    '<device xmlns="http://public.sns.gov/schema/device.xsd"><device_name>d</device_name><process_variables>{}'
    "</process_variables></device>"
)
VARIABLE = "<process_variable><pv_name>{}</pv_name><pv_id>{}</pv_id><pv_type>{}</pv_type></process_variable>"


class Bytes:
    """One connection's bytes, all there."""

    ended = True

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, max_bytes: int) -> Block | None:
        at, self.at = self.at, min(self.at + max_bytes, len(self.data))
        return Block(self.data[at : self.at], 0, at, 1) if self.at > at else None

    def seek(self, position: Position) -> None:
        self.at = position.offset

    def close(self) -> None:
        self.at = len(self.data)


def messages(*packets: adara.Packet) -> list[Message]:
    listener = AdaraListener(Bytes(b"".join(map(adara.encode, packets))))
    found = []
    while (message := listener.receive()) is not None:
        found.append(message)
    return found


def descriptor(*variables: tuple[str, int, str]) -> adara.DeviceDescriptor:
    return adara.DeviceDescriptor(T0, 7, DEVICE.format("".join(VARIABLE.format(*v) for v in variables)))


def value(pv_id: int, number: int) -> adara.VariableU32:
    return adara.VariableU32(T0, 7, pv_id, 0, 0, number)


def test_signed_integers_travel_as_twos_complement() -> None:
    found = messages(descriptor(("count", 1, "integer")), value(1, 0xFFFFFFFE))
    assert found[:2] == [Connected(1), LogDeclared("count", int, "")]
    log: Any = found[2]
    assert (log.name, log.times.tolist(), log.values.tolist()) == ("count", [T0], [-2])


def test_a_variable_with_the_name_of_a_log_of_ours_is_refused_and_its_values_with_it() -> None:
    names = ["proton_charge", "run_title", "monitor3_counts", "pause"]
    found = messages(descriptor(*((name, i, "double") for i, name in enumerate(names))), value(0, 5), value(1, 6))
    refused = [m for m in found if isinstance(m, Rejected)]
    assert len(refused) == 6
    assert not [m for m in found if isinstance(m, LogValues | LogDeclared | RunInfo)]


def test_many_values_in_one_packet_have_their_own_times_and_none_are_no_message() -> None:
    def many(*values: float) -> adara.MultVariableDouble:
        return adara.MultVariableDouble(
            T0, 7, 1, 0, 0, np.arange(len(values), dtype=np.uint32) * 1000, np.array(values, np.float64)
        )

    found = messages(descriptor(("fast", 1, "double")), many(1.5, 2.5), many())
    logs: list[Any] = [m for m in found if isinstance(m, LogValues)]
    assert [(m.times.tolist(), m.values.tolist()) for m in logs] == [([T0, T0 + 1000], [1.5, 2.5])]


def test_what_a_disconnected_source_repeats_is_no_value() -> None:
    lost = adara.VariableU32(T0, 7, 1, adara.ValueStatus.UPSTREAM_DISCONNECTED, 3, 42)
    assert not [m for m in messages(descriptor(("t", 1, "double")), lost) if isinstance(m, LogValues)]


def test_a_geometry_that_is_no_xml_is_counted_and_opens_no_file() -> None:
    assert messages(adara.Geometry(T0, "/dev/zero")) == [Connected(1), Rejected("unusable geometry", 1)]
