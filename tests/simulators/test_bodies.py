"""Blocks of pulses encoded at once, word by word and against the codec."""

from __future__ import annotations

from typing import Any

import numpy as np

from livereduce.protocols.adara import RTDL, BankedEvent, BeamMonitorEvent, Decoder, PulseFlag, encode
from livereduce.simulators.beamline import Bank, Beamline, Monitor
from livereduce.simulators.bodies import EMPTY, Events, MonitorEvents, PulseLayout, pulse_packets
from livereduce.simulators.machine import VETO_NO_BEAM, Pulse

BEAMLINE = Beamline(
    name="TEST",
    short_name="T",
    beamline_id="BL0",
    facility="none",
    idf="",
    ids=np.arange(40),
    banks=tuple(Bank(n + 1, 10 * n, 10) for n in range(4)),
    monitors=(Monitor(1, -1.0), Monitor(7, 2.0)),
    frequency=60.0,
)
CHARGES = np.array([2_330_000, 2_310_000, 2_350_000])
PULSE = Pulse(time_ns=1_700_000_000_123_456_789, veto=0, cycle=599)


def u32(*values: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.array(values, dtype=np.uint32)


def events() -> Events:
    """Pulse 0: banks 1, 4 and an error; pulse 1: nothing; pulse 2: bank 3 and an unmapped pixel."""
    return Events(
        pulse=np.array([0, 2, 0, 0, 2, 0]),
        slot=np.array([0, 4, 5, 2, 3, 0]),
        tof=u32(150_000, 160_000, 170_000, 180_000, 190_000, 200_000),
        pixel=u32(3, 25, 31, 0x80000005, 999, 4),
    )


def monitor_events() -> MonitorEvents:
    return MonitorEvents(np.array([2, 0, 2]), np.array([1, 0, 1]), u32(1000, 2_000_000, 2000))


def test_slots_are_banks_with_the_error_and_unmapped_ones_in_the_first_source() -> None:
    layout = PulseLayout(BEAMLINE, offset=100_000)
    assert layout.bank_ids.tolist() == [1, 2, 0xFFFFFFFE, 0xFFFFFFFF, 3, 4]
    assert layout.slot_of_index[[0, 10, 20, 39]].tolist() == [0, 1, 4, 5]


def test_every_event_arrives_in_its_pulse_and_bank_with_its_time(wire: Any) -> None:
    bodies = PulseLayout(BEAMLINE, offset=100_000).bodies(events(), monitor_events(), CHARGES)
    found = []
    for body in bodies:
        _, monitor, banked = wire.packets(b"".join(pulse_packets(PULSE, body)))
        found.append((wire.events_of(banked), wire.monitor_events_of(monitor)))
    assert found == [
        (
            [(1, 150_000, 3), (1, 200_000, 4), (0xFFFFFFFE, 180_000, 0x80000005), (4, 170_000, 31)],
            [(1, 2_000_000)],
        ),
        ([], []),
        ([(0xFFFFFFFF, 190_000, 999), (3, 160_000, 25)], [(7, 1000), (7, 2000)]),
    ]
    assert [(body.events, body.monitor_events, body.charge) for body in bodies] == [
        (4, 1, 2_330_000),
        (0, 0, 2_310_000),
        (2, 2, 2_350_000),
    ]


def test_second_source_leaves_its_offset_to_the_client(wire: Any) -> None:
    body = PulseLayout(BEAMLINE, offset=100_000).bodies(events(), monitor_events(), CHARGES)[0]
    *_, banked = wire.packets(b"".join(pulse_packets(PULSE, body)))
    assert banked.words[-8:] == (2, 166_667, 100_000, 1, 4, 1, 70_000, 31)


def test_packets_are_those_the_codec_writes() -> None:
    body = PulseLayout(BEAMLINE, offset=100_000).bodies(events(), monitor_events(), CHARGES)[2]
    flags = int(PulseFlag.GOT_NEUTRONS | PulseFlag.GOT_METADATA | PulseFlag.MAPPING_ERROR)
    common = {"charge": 2_350_000, "energy": 885_334_890, "cycle": 599, "flags": flags, "veto": 0}
    monitor = BeamMonitorEvent(
        PULSE.time_ns,
        **common,
        monitor_id=u32(1, 7),
        source_id=u32(31416, 31416),
        tof_offset=u32(0, 0),
        corrected=np.array([True, True]),
        events_per_section=u32(0, 2),
        event=u32(0x80000000 | 1000, 0x80000000 | 2000),
    )
    banked = BankedEvent(
        PULSE.time_ns,
        **common,
        source_id=u32(1, 2),
        intra_pulse_time=u32(166_667, 166_667),
        tof_offset=u32(0, 100_000),
        corrected=np.array([True, False]),
        banks_per_source=u32(1, 1),
        bank_id=u32(0xFFFFFFFF, 3),
        events_per_bank=u32(1, 1),
        tof=u32(190_000, 60_000),
        pixel=u32(999, 25),
    )
    stream = b"".join(pulse_packets(PULSE, body))
    assert stream[136:] == encode(monitor) + encode(banked)
    (rtdl,) = Decoder().feed(stream[:136])
    assert isinstance(rtdl, RTDL)
    assert encode(rtdl) == stream[:136]


def test_packets_of_a_pulse_come_in_the_servers_order_with_one_pulse_id(wire: Any) -> None:
    body = PulseLayout(BEAMLINE, offset=1).bodies(events(), monitor_events(), CHARGES)[0]
    found = list(wire.packets(b"".join(pulse_packets(PULSE, body))))
    assert [packet.type for packet in found] == [0x0001, 0x4001, 0x4000]
    assert {packet.time_ns for packet in found} == {PULSE.time_ns}
    assert found[0].words[0] == 3 << 27 | 1 << 24 | 2_330_000
    assert found[0].words[1] == 599
    assert found[0].words[4] >> 24 == 4
    assert found[2].words[:4] == (2_330_000, 885_334_890, 599, 0x200 | 0x100 | 0x001)


def test_pulse_without_beam_has_its_veto_no_charge_and_no_section(wire: Any) -> None:
    pulse = Pulse(PULSE.time_ns, VETO_NO_BEAM, 12)
    rtdl, monitor, banked = wire.packets(b"".join(pulse_packets(pulse, EMPTY)))
    assert rtdl.words[0] == 2 << 27
    assert rtdl.words[1] == 1 << 31 | 0x001 << 10 | 12
    assert monitor.words == banked.words == (0, 885_334_890, 12, 0x001 << 20 | 0x100 | 0x004)


def test_large_body_stays_one_object_so_that_repeating_it_costs_nothing() -> None:
    n = 20_000
    many = Events(np.zeros(n, int), np.zeros(n, int), np.full(n, 5, np.uint32), np.full(n, 6, np.uint32))
    body = PulseLayout(BEAMLINE).bodies(many, monitor_events(), CHARGES)[0]
    parts = pulse_packets(PULSE, body)
    assert parts[1] is body.monitor
    assert parts[3] is body.banked


def test_instrument_without_monitors_has_monitor_packets_without_sections(wire: Any) -> None:
    bare = Beamline("T", "T", "T", "", "", np.arange(10), (Bank(1, 0, 10),), (), 60.0)
    none = np.empty(0, int)
    nothing = MonitorEvents(none, none, none.astype(np.uint32))
    events = Events(np.array([1]), np.array([0]), u32(7), u32(8))
    bodies = PulseLayout(bare).bodies(events, nothing, CHARGES)
    _, monitor, banked = wire.packets(b"".join(pulse_packets(PULSE, bodies[1])))
    assert len(monitor.payload) == 16
    assert wire.events_of(banked) == [(1, 7, 8)]
