"""Streams captured from the real server, against what an independent decoder found in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.errors import ProtocolError
from livereduce.protocols.adara import (
    BankedEvent,
    BeamMonitorEvent,
    Decoder,
    DeviceDescriptor,
    EventBatch,
    Packet,
    RunInfo,
    RunStatus,
    StreamAnnotation,
    encode,
    unix_ns,
)
from livereduce.protocols.adara.xml import parse_device_descriptor, parse_run_info

NAMES = {"VarU32": "VariableU32", "Annotation": "StreamAnnotation"}


@pytest.fixture(params=["now", "run", "mid1", "pause"])
def capture(request: pytest.FixtureRequest, shared_data: Path) -> tuple[bytes, dict[str, Any]]:
    folder = shared_data / "adara-server"
    expected = json.loads((folder / "expected.json").read_text())[request.param]
    return (folder / expected["file"]).read_bytes(), expected


def test_packets_are_counted_as_expected_and_written_again_byte_for_byte(
    capture: tuple[bytes, dict[str, Any]],
) -> None:
    data, expected = capture
    decoder = Decoder()
    packets = [p for p in decoder.feed(data) if isinstance(p, Packet)]
    assert decoder.stats.packets == {NAMES.get(name, name): n for name, n in expected["packets"].items()}
    assert (decoder.consumed, decoder.pending) == (expected["complete_bytes"], expected["trailing_partial"])
    assert not decoder.stats.malformed
    assert not decoder.stats.unknown
    assert b"".join(map(encode, packets)) == data


def test_single_packets_hold_the_expected_pulses_events_and_charge(capture: tuple[bytes, dict[str, Any]]) -> None:
    data, expected = capture
    packets = list(Decoder().feed(data))
    pulses = [p for p in packets if isinstance(p, BankedEvent)]
    special = [int(p.events_per_bank[p.bank_id >= 0xFFFFFFFE].sum()) for p in pulses]
    assert len(pulses) == expected["pulses"]
    assert sum(special) == expected["events_in_error_or_unmapped_banks"]
    assert sum(len(p.tof) for p in pulses) - sum(special) == expected["events_in_real_banks"]
    assert sum(p.charge for p in pulses) == expected["sum_charge_10pC"]
    assert sum(len(p.event) for p in packets if isinstance(p, BeamMonitorEvent)) == expected["monitor_events"]


@pytest.mark.parametrize("piece", [1000, 65_536, 1 << 30])
def test_batches_hold_the_expected_pulses_events_and_charge(capture: tuple[bytes, dict[str, Any]], piece: int) -> None:
    data, expected = capture
    decoder, found = Decoder(batch_events=True), []
    for at in range(0, len(data), piece):
        found += [b for b in decoder.feed(data[at : at + piece]) if isinstance(b, EventBatch)]
    assert decoder.stats.packets == {NAMES.get(name, name): n for name, n in expected["packets"].items()}
    assert sum(len(b.pulse_id) for b in found) == expected["pulses"]
    assert sum(len(b.tof) for b in found) == expected["events_in_real_banks"]
    dropped = sum(int(b.error_events.sum() + b.unmapped_events.sum()) for b in found)
    assert dropped == expected["events_in_error_or_unmapped_banks"]
    assert sum(int(b.charge.sum()) for b in found) == expected["sum_charge_10pC"]
    assert sum(len(b.monitor_tof) for b in found) == expected["monitor_events"]
    assert len(np.unique(np.concatenate([b.fingerprint for b in found]))) == expected["pulses"]


def test_run_statuses_and_annotations_are_the_expected_ones(capture: tuple[bytes, dict[str, Any]]) -> None:
    data, expected = capture
    decoder, statuses, notes = Decoder(), [], []
    for packet in decoder.feed(data):
        at = decoder.consumed - len(encode(packet)) if isinstance(packet, RunStatus | StreamAnnotation) else 0
        if isinstance(packet, RunStatus):
            statuses.append((at, packet))
        elif isinstance(packet, StreamAnnotation):
            notes.append((at, packet))
    assert statuses == [
        (
            s["offset"],
            RunStatus(
                unix_ns(s["sec"], s["ns"]), s["run"], unix_ns(s["run_start"]) if s["run_start"] else 0, s["status"],
                s["mode"] << 12 | s["file"], bool(s["paused"]),
            ),
        )
        for s in expected["run_status"]
    ]  # fmt: skip
    assert notes == [
        (a["offset"], StreamAnnotation(unix_ns(a["sec"], a["ns"]), a["type"], a["comment"], a["scan"], a["reset"]))
        for a in expected["annotations"]
    ]


def test_xml_of_the_real_server_is_read_and_its_nonsense_refused(shared_data: Path) -> None:
    packets = list(Decoder().feed((shared_data / "adara-server" / "run.adara").read_bytes()))
    info = next(p for p in packets if isinstance(p, RunInfo))
    details = parse_run_info(info.xml)
    assert (details.run_number, details.run_title, details.proposal_id) == ("1001", "peer run", "IPTS-1234")
    nonsense, chopper = [p for p in packets if isinstance(p, DeviceDescriptor)][:2]
    with pytest.raises(ProtocolError, match="<nonsense>, expected <device>"):
        parse_device_descriptor(nonsense.xml)
    device = parse_device_descriptor(chopper.xml)
    assert [(v.name, v.pv_id, v.type, v.units) for v in device.variables] == [
        ("chopper0_TDC_falling", 1, "unsigned integer", "nanoseconds"),
        ("chopper0_TDC", 2, "unsigned integer", "nanoseconds"),
    ]
