"""Packets to bytes: one payload writer a packet type, the inverse of `reading`."""

import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from livereduce.protocols.adara import packets as p
from livereduce.protocols.adara.wire import (
    PULSE_WORDS,
    Layout,
    PacketType,
    U32Array,
    banked_layout,
    epics_seconds,
    monitor_layout,
    pack_header,
    padded,
)


def encode(packet: p.Packet) -> bytes:
    """Write a packet with its header.

    Raises
    ------
    ValueError
        A field does not fit the bits it has on the wire.
    """
    try:
        payload = _WRITERS[packet.type](packet)
        return pack_header(len(payload), packet.type, packet.version, packet.time_ns) + payload
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{type(packet).__name__} has a value that does not fit its field: {error}") from error


def _u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _bits(*parts: tuple[int, int]) -> int:
    """Join (value, number of bits) pairs, highest first, into one word."""
    word = 0
    for value, bits in parts:
        if not 0 <= value < 1 << bits:
            raise OverflowError(f"{value} needs more than {bits} bits")
        word = word << bits | value
    return word


def _array(values: Any, dtype: str) -> bytes:
    return np.asarray(values, dtype).tobytes()


def _text(text: str) -> bytes:
    """Write a text as length, bytes and padding."""
    data = text.encode()
    return _u32(len(data)) + padded(data)


def _fixed_text(text: str, size: int) -> bytes:
    data = text.encode()
    if len(data) > size:
        raise OverflowError(f"{text!r} is longer than {size} bytes")
    return data.ljust(size, b"\0")


# -- pulses ----------------------------------------------------------------------------------------------------------


def _pulse_header(packet: p.PulsePacket) -> tuple[int, int, int, int]:
    split = packet.version > 0 or isinstance(packet, p.BankedEventState)
    flags = _bits((packet.veto, 12), (packet.flags, 20)) if split else packet.flags
    return packet.charge, packet.energy, packet.cycle, flags


def _offset_words(packet: p.BankedEvent | p.BeamMonitorEvent) -> U32Array:
    corrected: U32Array = np.asarray(packet.corrected, np.uint32) << np.uint32(31)
    return np.asarray(packet.tof_offset, np.uint32) | corrected


def _empty_payload(layout: Layout, packet: p.PulsePacket) -> U32Array:
    words = np.empty(layout.size, "<u4")
    words[:PULSE_WORDS] = _pulse_header(packet)
    return words


def _banked(packet: p.BankedEvent) -> bytes:
    state = packet.state if isinstance(packet, p.BankedEventState) else None
    bank_words = 2 if state is None else 3
    layout = banked_layout(
        np.asarray(packet.banks_per_source, np.int64), np.asarray(packet.events_per_bank, np.int64), bank_words
    )
    words = _empty_payload(layout, packet)
    words[layout.source] = packet.source_id
    words[layout.source + 1] = packet.intra_pulse_time
    words[layout.source + 2] = _offset_words(packet)
    words[layout.source + 3] = packet.banks_per_source
    words[layout.section] = packet.bank_id
    if state is not None:
        words[layout.section + 1] = state
    words[layout.section + bank_words - 1] = packet.events_per_bank
    words[layout.event] = packet.tof
    words[layout.event + 1] = packet.pixel
    return words.tobytes()


def _monitor(packet: p.BeamMonitorEvent) -> bytes:
    counts = np.asarray(packet.events_per_section, np.int64)
    layout = monitor_layout(counts)
    words = _empty_payload(layout, packet)
    if np.any(counts >> 22) or np.any(np.asarray(packet.monitor_id) >> 10):
        raise OverflowError("monitor IDs have 10 bits, event counts 22")
    words[layout.section] = np.asarray(packet.monitor_id, "<u4") << np.uint32(22) | counts.astype("<u4")
    words[layout.section + 1] = packet.source_id
    words[layout.section + 2] = _offset_words(packet)
    words[layout.event] = packet.event
    return words.tobytes()


def _rtdl(packet: p.RTDL) -> bytes:
    flavor = ((packet.flavor, 8),) if packet.version == 0 else ((packet.data_flags, 5), (packet.flavor, 3))
    timing = _bits(
        (packet.bad_veto, 1), (packet.bad_cycle, 1), (packet.timing_status, 8), (packet.veto, 12), (packet.cycle, 10)
    )
    return _u32(
        _bits(*flavor, (packet.charge, 24)),
        timing,
        packet.intra_pulse_time,
        _bits((packet.corrected, 1), (packet.tof_offset, 31)),
        _bits((4, 8), (packet.ring_period, 24)),
        *np.asarray(packet.frames, "<u4").tolist(),
    )


# -- run and stream --------------------------------------------------------------------------------------------------


def _run_status(packet: p.RunStatus) -> bytes:
    start = 0 if packet.run_start_ns == 0 else epics_seconds(packet.run_start_ns)
    words = _u32(packet.run_number, start, _bits((packet.status, 8), (packet.file_number, 24)))
    if packet.version == 0:
        return words
    return words + _u32(
        _bits((packet.paused, 8), (packet.pause_file_number, 24)),
        _bits((packet.addendum, 8), (packet.addendum_file_number, 24)),
    )


def _trans_complete(packet: p.TransComplete) -> bytes:
    reason = packet.reason.encode()
    return _u32(_bits((packet.status, 16), (len(reason), 16))) + padded(reason)


def _hello(packet: p.ClientHello) -> bytes:
    return _u32(packet.start) if packet.version == 0 else _u32(packet.start, packet.flags)


def _annotation(packet: p.StreamAnnotation) -> bytes:
    comment = packet.comment.encode()
    kind = _bits((packet.reset_hint, 1), (packet.marker, 15), (len(comment), 16))
    return _u32(kind, packet.scan_index) + padded(comment)


def _sync(packet: p.Sync) -> bytes:
    return _fixed_bytes(packet.signature, 16) + struct.pack("<Q", packet.file_offset) + _text(packet.comment)


def _fixed_bytes(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise OverflowError(f"{data!r} is not {size} bytes long")
    return data


def _nothing(packet: p.Packet) -> bytes:
    return b""


# -- the instrument --------------------------------------------------------------------------------------------------


def _beamline_info(packet: p.BeamlineInfo) -> bytes:
    names = [name.encode() for name in (packet.beamline_id, packet.short_name, packet.long_name)]
    return _u32(_bits((packet.target_station, 8), *((len(name), 8) for name in names))) + padded(b"".join(names))


def _monitor_config(packet: p.BeamMonitorConfig) -> bytes:
    sections = [
        struct.pack("<4Id", m.monitor_id, m.tof_offset_us, m.tof_max_us, m.bin_us, m.distance_m)
        for m in packet.monitors
    ]
    formats = [] if packet.version == 0 else [m.format for m in packet.monitors]
    return _u32(len(sections)) + b"".join(sections) + _u32(*formats)


def _bank_sets(packet: p.DetectorBankSets) -> bytes:
    return _u32(len(packet.sets)) + b"".join(map(_bank_set, packet.sets))


def _bank_set(s: p.BankSet) -> bytes:
    return (
        _fixed_text(s.name, 16)
        + _u32(s.flags, len(s.bank_ids))
        + _array(s.bank_ids, "<u4")
        + struct.pack("<3Id", s.tof_offset_us, s.tof_max_us, s.bin_us, s.throttle_hz)
        + _fixed_text(s.suffix, 16)
    )


def _pixel_list(section: p.PixelList, count_bits: int) -> bytes:
    count = _bits((section.bank_id, 16), (0, 16 - count_bits), (len(section.pixels), count_bits))
    return _u32(section.base, count) + _array(section.pixels, "<u4")


def _pixel_range(r: p.PixelRange) -> bytes:
    return (
        _u32(r.physical_start, _bits((r.bank_id, 16), (1, 1), (r.count, 15)), r.physical_stop, r.logical_start)
        + struct.pack("<2h", r.logical_step, r.physical_step)
        + _u32(r.logical_stop)
    )


def _pixel_map(packet: p.PixelMapping) -> bytes:
    return b"".join(_pixel_list(section, 16) for section in packet.sections)


def _pixel_map_alt(packet: p.PixelMappingAlt) -> bytes:
    count_bits = 16 if packet.version == 0 else 15
    return _u32(packet.n_banks) + b"".join(
        _pixel_list(section, count_bits) if isinstance(section, p.PixelList) else _pixel_range(section)
        for section in packet.sections
    )


# -- devices and their variables -------------------------------------------------------------------------------------


def _descriptor(packet: p.DeviceDescriptor) -> bytes:
    return _u32(packet.device_id) + _text(packet.xml)


def _u32_value(value: int) -> bytes:
    return _u32(value)


def _double_value(value: float) -> bytes:
    return struct.pack("<d", value)


def _u32_list(values: Any) -> bytes:
    return _u32(len(values)) + _array(values, "<u4")


def _double_list(values: Any) -> bytes:
    return _u32(len(values)) + _array(values, "<f8")


def _variable(value: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda packet: _variable_prefix(packet) + value(packet.value)


def _mult_variable(value: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def write(packet: Any) -> bytes:
        offsets: Iterable[int] = np.asarray(packet.offset, "<u4").tolist()
        entries = [_u32(offset) + value(v) for offset, v in zip(offsets, packet.values, strict=True)]
        return _variable_prefix(packet) + _u32(len(entries)) + b"".join(entries)

    return write


def _variable_prefix(packet: p.VariablePacket) -> bytes:
    return _u32(packet.device_id, packet.variable_id, _bits((packet.status, 16), (packet.severity, 16)))


_WRITERS: dict[PacketType, Callable[[Any], bytes]] = {
    PacketType.RawEvent: lambda packet: packet.payload,
    PacketType.RTDL: _rtdl,
    PacketType.SourceList: lambda packet: packet.payload,
    PacketType.MappedEvent: lambda packet: packet.payload,
    PacketType.BankedEvent: _banked,
    PacketType.BeamMonitorEvent: _monitor,
    PacketType.PixelMapping: _pixel_map,
    PacketType.RunStatus: _run_status,
    PacketType.RunInfo: lambda packet: _text(packet.xml),
    PacketType.TransComplete: _trans_complete,
    PacketType.ClientHello: _hello,
    PacketType.StreamAnnotation: _annotation,
    PacketType.Sync: _sync,
    PacketType.Heartbeat: _nothing,
    PacketType.Geometry: lambda packet: _text(packet.xml),
    PacketType.BeamlineInfo: _beamline_info,
    PacketType.DataDone: _nothing,
    PacketType.BeamMonitorConfig: _monitor_config,
    PacketType.DetectorBankSets: _bank_sets,
    PacketType.BankedEventState: _banked,
    PacketType.PixelMappingAlt: _pixel_map_alt,
    PacketType.DeviceDescriptor: _descriptor,
    PacketType.VariableU32: _variable(_u32_value),
    PacketType.VariableDouble: _variable(_double_value),
    PacketType.VariableString: _variable(_text),
    PacketType.VariableU32Array: _variable(_u32_list),
    PacketType.VariableDoubleArray: _variable(_double_list),
    PacketType.MultVariableU32: _mult_variable(_u32_value),
    PacketType.MultVariableDouble: _mult_variable(_double_value),
    PacketType.MultVariableString: _mult_variable(_text),
    PacketType.MultVariableU32Array: _mult_variable(_u32_list),
    PacketType.MultVariableDoubleArray: _mult_variable(_double_list),
}
