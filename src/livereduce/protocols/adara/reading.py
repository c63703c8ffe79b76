"""Bytes to packets: one payload reader a packet type, the inverse of `writing`.

Every length is checked against the payload before it is used; a contradiction raises `MalformedError`. A version newer
than those known here is read as the newest known one, ignoring what follows. Arrays are read-only views of the payload.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from livereduce.protocols.adara import packets as p
from livereduce.protocols.adara.payload import Payload, clean
from livereduce.protocols.adara.wire import (
    PULSE_WORDS,
    F64Array,
    MalformedError,
    PacketType,
    U32Array,
    banked_layout,
    monitor_layout,
    read_only,
    unix_ns,
)

_OFFSET_BITS = 0x7FFFFFFF


def decode_payload(type_: PacketType, version: int, time_ns: int, payload: bytes) -> p.Packet:
    """Make the packet of a header and its payload.

    Raises
    ------
    MalformedError
        The payload is too short, or lengths inside contradict it.
    """
    return _READERS[type_](Payload(payload, version, time_ns))


_U32_2 = struct.Struct("<2I")
_U32_3 = struct.Struct("<3I")
_U32_4 = struct.Struct("<4I")
_U32_5 = struct.Struct("<5I")
_MONITOR = struct.Struct("<4Id")
_RANGE = struct.Struct("<4I2hI")
_TOFS_RATE = struct.Struct("<3Id")


# -- pulses ----------------------------------------------------------------------------------------------------------


def _pulse_header(payload: Payload, split: bool) -> dict[str, Any]:
    charge, energy, cycle, flags = payload.unpack(_U32_4)
    veto = 0
    if split:
        veto, flags = flags >> 20, flags & 0xFFFFF
    return {**payload.head, "charge": charge, "energy": energy, "cycle": cycle, "flags": flags, "veto": veto}


def _walk_banks(words: memoryview, bank_words: int) -> tuple[array[int], array[int]]:
    """Follow the section headers; returns banks per source and events per bank of a sound payload."""
    banks_per_source, events_per_bank = array("q"), array("q")
    at, size = PULSE_WORDS, len(words)
    while at < size:
        if size - at < 4:
            raise MalformedError("a source section ends outside the payload")
        banks = words[at + 3]
        banks_per_source.append(banks)
        at += 4
        for _ in range(banks):
            if size - at < bank_words:
                raise MalformedError("a bank section begins outside the payload")
            events_per_bank.append(words[at + bank_words - 1])
            at += bank_words + 2 * events_per_bank[-1]
            if at > size:
                raise MalformedError("a bank section ends outside the payload")
    return banks_per_source, events_per_bank


def _banked(payload: Payload, with_state: bool) -> p.BankedEvent:
    pulse = _pulse_header(payload, split=with_state or payload.version > 0)
    words = np.frombuffer(payload.data, "<u4")
    bank_words = 3 if with_state else 2
    walked = _walk_banks(memoryview(payload.data).cast("I"), bank_words)
    banks_per_source, events_per_bank = (np.frombuffer(counts, np.int64) for counts in walked)
    layout = banked_layout(banks_per_source, events_per_bank, bank_words)
    offset = words[layout.source + 2]
    columns: dict[str, Any] = {
        "source_id": words[layout.source],
        "intra_pulse_time": words[layout.source + 1],
        "tof_offset": offset & np.uint32(_OFFSET_BITS),
        "corrected": offset > _OFFSET_BITS,
        "banks_per_source": words[layout.source + 3],
        "bank_id": words[layout.section],
        "events_per_bank": words[layout.section + bank_words - 1],
        "tof": words[layout.event],
        "pixel": words[layout.event + 1],
    }
    if with_state:
        columns["state"] = words[layout.section + 1]
    kind = p.BankedEventState if with_state else p.BankedEvent
    return kind(payload.time_ns, **pulse, **_read_only_values(columns))


def _walk_monitors(words: memoryview) -> array[int]:
    events_per_section = array("q")
    at, size = PULSE_WORDS, len(words)
    while at < size:
        if size - at < 3:
            raise MalformedError("a monitor section begins outside the payload")
        events_per_section.append(words[at] & 0x3FFFFF)
        at += 3 + events_per_section[-1]
        if at > size:
            raise MalformedError("a monitor section ends outside the payload")
    return events_per_section


def _monitor(payload: Payload) -> p.BeamMonitorEvent:
    pulse = _pulse_header(payload, split=payload.version > 0)
    words = np.frombuffer(payload.data, "<u4")
    counts = np.frombuffer(_walk_monitors(memoryview(payload.data).cast("I")), np.int64)
    layout = monitor_layout(counts)
    first, offset = words[layout.section], words[layout.section + 2]
    columns: dict[str, Any] = {
        "monitor_id": first >> np.uint32(22),
        "source_id": words[layout.section + 1],
        "tof_offset": offset & np.uint32(_OFFSET_BITS),
        "corrected": offset > _OFFSET_BITS,
        "events_per_section": first & np.uint32(0x3FFFFF),
        "event": words[layout.event],
    }
    return p.BeamMonitorEvent(payload.time_ns, **pulse, **_read_only_values(columns))


def _read_only_values(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: read_only(column) for name, column in columns.items()}


def _rtdl(payload: Payload) -> p.RTDL:
    payload.exactly(120, newest=1)
    charge, timing, intra_pulse_time, offset, ring = payload.unpack(_U32_5)
    if ring >> 24 != 4:
        raise MalformedError(f"RTDL word 4 begins with {ring >> 24}, expected 4")
    flavor = charge >> 24
    return p.RTDL(
        payload.time_ns,
        **payload.head,
        data_flags=flavor >> 3 if payload.version > 0 else 0,
        flavor=flavor & 7 if payload.version > 0 else flavor,
        charge=charge & 0xFFFFFF,
        bad_veto=bool(timing >> 31),
        bad_cycle=bool(timing >> 30 & 1),
        timing_status=timing >> 22 & 0xFF,
        veto=timing >> 10 & 0xFFF,
        cycle=timing & 0x3FF,
        intra_pulse_time=intra_pulse_time,
        corrected=bool(offset >> 31),
        tof_offset=offset & _OFFSET_BITS,
        ring_period=ring & 0xFFFFFF,
        frames=payload.u32s(25),
    )


# -- run and stream --------------------------------------------------------------------------------------------------


def _run_status(payload: Payload) -> p.RunStatus:
    payload.exactly(20 if payload.version > 0 else 12, newest=1)
    run, start, status = payload.unpack(_U32_3)
    paused, addendum = payload.unpack(_U32_2) if payload.version > 0 else (0, 0)
    return p.RunStatus(
        payload.time_ns,
        **payload.head,
        run_number=run,
        run_start_ns=unix_ns(start) if start else 0,
        status=status >> 24,
        file_number=status & 0xFFFFFF,
        paused=bool(paused >> 24),
        pause_file_number=paused & 0xFFFFFF,
        addendum=bool(addendum >> 24),
        addendum_file_number=addendum & 0xFFFFFF,
    )


def _run_info(payload: Payload) -> p.RunInfo:
    return p.RunInfo(payload.time_ns, payload.text(payload.u32()), **payload.head)


def _trans_complete(payload: Payload) -> p.TransComplete:
    word = payload.u32()
    return p.TransComplete(payload.time_ns, word >> 16, payload.text(word & 0xFFFF), **payload.head)


def _hello(payload: Payload) -> p.ClientHello:
    payload.exactly(8 if payload.version > 0 else 4, newest=1)
    start = payload.u32()
    return p.ClientHello(payload.time_ns, start, payload.u32() if payload.version > 0 else 0, **payload.head)


def _annotation(payload: Payload) -> p.StreamAnnotation:
    word, scan_index = payload.unpack(_U32_2)
    comment = payload.text(word & 0xFFFF)
    return p.StreamAnnotation(
        payload.time_ns, word >> 16 & 0x7FFF, comment, scan_index, bool(word >> 31), **payload.head
    )


def _sync(payload: Payload) -> p.Sync:
    at = payload.take(16)
    signature = payload.data[at : at + 16]
    low, high, size = payload.unpack(_U32_3)
    return p.Sync(payload.time_ns, low | high << 32, payload.text(size), signature, **payload.head)


def _plain(kind: Callable[..., p.Packet]) -> Callable[[Payload], p.Packet]:
    return lambda payload: kind(payload.time_ns, **payload.head)


def _whole(kind: Callable[..., p.Packet]) -> Callable[[Payload], p.Packet]:
    return lambda payload: kind(payload.time_ns, payload.data, **payload.head)


# -- the instrument --------------------------------------------------------------------------------------------------


def _geometry(payload: Payload) -> p.Geometry:
    return p.Geometry(payload.time_ns, payload.text(payload.u32()), **payload.head)


def _beamline_info(payload: Payload) -> p.BeamlineInfo:
    word = payload.u32()
    sizes = (word >> 16 & 0xFF, word >> 8 & 0xFF, word & 0xFF)
    ends = [payload.take(size) + size for size in sizes]
    beamline, short, long = (clean(payload.data[end - size : end]) for end, size in zip(ends, sizes, strict=True))
    return p.BeamlineInfo(payload.time_ns, beamline, short, long, word >> 24, **payload.head)


def _monitor_config(payload: Payload) -> p.BeamMonitorConfig:
    count = payload.counted()
    payload.exactly(4 + (28 if payload.version > 0 else 24) * len(count), newest=1)
    sections = [payload.unpack(_MONITOR) for _ in count]
    monitors = ((*section, payload.u32() if payload.version > 0 else 2) for section in sections)
    return p.BeamMonitorConfig(payload.time_ns, tuple(p.MonitorConfig(*m) for m in monitors), **payload.head)


def _bank_sets(payload: Payload) -> p.DetectorBankSets:
    return p.DetectorBankSets(payload.time_ns, tuple(_bank_set(payload) for _ in payload.counted()), **payload.head)


def _bank_set(payload: Payload) -> p.BankSet:
    name = payload.text(16)
    flags, count = payload.unpack(_U32_2)
    banks = payload.u32s(count)
    tof_offset, tof_max, width, throttle = payload.unpack(_TOFS_RATE)
    return p.BankSet(name, flags, banks, tof_offset, tof_max, width, throttle, payload.text(16))


def _pixel_list(payload: Payload) -> p.PixelList:
    base, word = payload.unpack(_U32_2)
    return p.PixelList(base, word >> 16, payload.u32s(word & 0xFFFF))


def _pixel_list_or_range(payload: Payload) -> p.PixelList | p.PixelRange:
    at = payload.at
    _, word = payload.unpack(_U32_2)
    payload.at = at
    if payload.version == 0 or not word & 0x8000:
        return _pixel_list(payload)
    start, word, stop, logical_start, logical_step, step, logical_stop = payload.unpack(_RANGE)
    return p.PixelRange(word >> 16, word & 0x7FFF, start, stop, step, logical_start, logical_stop, logical_step)


def _pixel_map(payload: Payload) -> p.PixelMapping:
    return p.PixelMapping(payload.time_ns, tuple(_pixel_list(payload) for _ in payload.sections()), **payload.head)


def _pixel_map_alt(payload: Payload) -> p.PixelMappingAlt:
    n_banks = payload.u32()
    sections = tuple(_pixel_list_or_range(payload) for _ in payload.sections())
    return p.PixelMappingAlt(payload.time_ns, n_banks, sections, **payload.head)


# -- devices and their variables -------------------------------------------------------------------------------------


def _descriptor(payload: Payload) -> p.DeviceDescriptor:
    device_id, size = payload.unpack(_U32_2)
    return p.DeviceDescriptor(payload.time_ns, device_id, payload.text(size), **payload.head)


def _text_value(payload: Payload) -> str:
    return payload.text(payload.u32())


def _u32_list(payload: Payload) -> U32Array:
    return payload.u32s(payload.u32())


def _double_list(payload: Payload) -> F64Array:
    return payload.f64s(payload.u32())


def _variable(kind: Callable[..., p.Packet], value: Callable[[Payload], Any], payload: Payload) -> p.Packet:
    return kind(payload.time_ns, *_variable_prefix(payload), value(payload), **payload.head)


def _mult_variable(kind: Callable[..., p.Packet], value: Callable[[Payload], Any], payload: Payload) -> p.Packet:
    """Read updates one by one: they are few, and of any length."""
    prefix = _variable_prefix(payload)
    offset, values = array("I"), []
    for _ in payload.counted():
        offset.append(payload.u32())
        values.append(value(payload))
    offsets = read_only(np.frombuffer(offset, np.uint32))
    return kind(payload.time_ns, *prefix, offsets, _VALUES.get(kind, tuple)(values), **payload.head)


def _variable_prefix(payload: Payload) -> tuple[int, int, int, int]:
    device_id, variable_id, word = payload.unpack(_U32_3)
    return device_id, variable_id, word >> 16, word & 0xFFFF


_VALUES: dict[Callable[..., p.Packet], Callable[[list[Any]], Any]] = {
    p.MultVariableU32: lambda values: read_only(np.array(values, np.uint32)),
    p.MultVariableDouble: lambda values: read_only(np.array(values, np.float64)),
}

_READERS: dict[PacketType, Callable[[Payload], p.Packet]] = {
    PacketType.RawEvent: _whole(p.RawEvent),
    PacketType.RTDL: _rtdl,
    PacketType.SourceList: _whole(p.SourceList),
    PacketType.MappedEvent: _whole(p.MappedEvent),
    PacketType.BankedEvent: partial(_banked, with_state=False),
    PacketType.BeamMonitorEvent: _monitor,
    PacketType.PixelMapping: _pixel_map,
    PacketType.RunStatus: _run_status,
    PacketType.RunInfo: _run_info,
    PacketType.TransComplete: _trans_complete,
    PacketType.ClientHello: _hello,
    PacketType.StreamAnnotation: _annotation,
    PacketType.Sync: _sync,
    PacketType.Heartbeat: _plain(p.Heartbeat),
    PacketType.Geometry: _geometry,
    PacketType.BeamlineInfo: _beamline_info,
    PacketType.DataDone: _plain(p.DataDone),
    PacketType.BeamMonitorConfig: _monitor_config,
    PacketType.DetectorBankSets: _bank_sets,
    PacketType.BankedEventState: partial(_banked, with_state=True),
    PacketType.PixelMappingAlt: _pixel_map_alt,
    PacketType.DeviceDescriptor: _descriptor,
    PacketType.VariableU32: partial(_variable, p.VariableU32, Payload.u32),
    PacketType.VariableDouble: partial(_variable, p.VariableDouble, Payload.f64),
    PacketType.VariableString: partial(_variable, p.VariableString, _text_value),
    PacketType.VariableU32Array: partial(_variable, p.VariableU32Array, _u32_list),
    PacketType.VariableDoubleArray: partial(_variable, p.VariableDoubleArray, _double_list),
    PacketType.MultVariableU32: partial(_mult_variable, p.MultVariableU32, Payload.u32),
    PacketType.MultVariableDouble: partial(_mult_variable, p.MultVariableDouble, Payload.f64),
    PacketType.MultVariableString: partial(_mult_variable, p.MultVariableString, _text_value),
    PacketType.MultVariableU32Array: partial(_mult_variable, p.MultVariableU32Array, _u32_list),
    PacketType.MultVariableDoubleArray: partial(_mult_variable, p.MultVariableDoubleArray, _double_list),
}
