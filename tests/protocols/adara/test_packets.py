"""The wire form of every packet type, byte for byte in both directions."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import pytest

from livereduce.protocols.adara import (
    BankedEvent,
    BeamlineInfo,
    BeamMonitorConfig,
    ClientHello,
    Decoder,
    DetectorBankSets,
    Geometry,
    MultVariableString,
    Packet,
    PacketType,
    PixelMappingAlt,
    PixelRange,
    RunStatus,
    StreamAnnotation,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    VariableU32,
    encode,
    epics_seconds,
    peek_header,
    unix_ns,
)


def raw(type_: int, version: int, payload: bytes, seconds: int = 1_000_000_000, nanoseconds: int = 0) -> bytes:
    """Make a packet without the code under test."""
    return struct.pack("<4I", len(payload), type_ << 8 | version, seconds, nanoseconds) + payload


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def decode(data: bytes) -> Packet:
    decoder = Decoder()
    [packet] = decoder.feed(data)
    assert isinstance(packet, Packet)
    return packet


def test_worked_examples_of_the_specification_are_written_byte_for_byte(
    worked_examples: list[tuple[str, Packet]],
) -> None:
    for text, packet in worked_examples:
        assert encode(packet).hex() == text.replace(" ", "").lower()


def test_worked_examples_of_the_specification_are_read(worked_examples: list[tuple[str, Packet]]) -> None:
    for text, packet in worked_examples:
        assert decode(bytes.fromhex(text)) == packet


def test_examples_cover_every_packet_type(every_packet: list[Packet]) -> None:
    assert {packet.type for packet in every_packet} == set(PacketType)


def test_every_packet_comes_back_equal_and_its_bytes_too(every_packet: list[Packet]) -> None:
    for packet in every_packet:
        data = encode(packet)
        found = decode(data)
        assert found == packet
        assert encode(found) == data


def test_arrays_of_decoded_packets_are_closed_for_writing(every_packet: list[Packet]) -> None:
    for packet in every_packet:
        found = decode(encode(packet))
        for field in dataclasses.fields(found):
            value = getattr(found, field.name)
            if isinstance(value, np.ndarray):
                assert not value.flags.writeable, f"{packet.type.name}.{field.name}"
                assert value.flags.c_contiguous


def test_packets_of_different_content_or_type_are_unequal() -> None:
    assert Geometry(1, "a") != Geometry(1, "b")
    assert Geometry(1, "a") != Geometry(2, "a")
    assert VariableU32(1, 1, 1, 0, 0, 5) != VariableString(1, 1, 1, 0, 0, "5")


def test_a_value_that_is_not_a_number_equals_itself_as_content() -> None:
    nan = float("nan")
    array = VariableDoubleArray(1, 1, 1, 0, 0, np.array([1, nan]))
    assert VariableDouble(1, 1, 1, 0, 0, nan) == VariableDouble(1, 1, 1, 0, 0, -nan)
    assert array == VariableDoubleArray(1, 1, 1, 0, 0, np.array([1, nan]))
    assert array != VariableDoubleArray(1, 1, 1, 0, 0, np.array([2, nan]))


def test_times_are_unix_nanoseconds_and_pulse_ids_epics_seconds_and_nanoseconds() -> None:
    packet = decode(raw(PacketType.Heartbeat, 0, b"", 16, 7))
    assert packet.time_ns == (631_152_000 + 16) * 10**9 + 7
    assert packet.pulse_id == 16 << 32 | 7
    assert unix_ns(16, 7) == packet.time_ns
    assert epics_seconds(packet.time_ns) == 16


def test_a_header_is_read_where_it_lies() -> None:
    assert peek_header(b"--" + raw(0x4003, 1, b"", 5, 6), 2) == (0, 0x4003, 1, 5, 6)


def test_version_0_event_flags_are_the_whole_word_and_version_1_splits_off_the_veto() -> None:
    payload = words(100, 200, 300, 0x804_00201)
    v0, v1 = (decode(raw(0x4000, version, payload)) for version in (0, 1))
    assert isinstance(v0, BankedEvent)
    assert isinstance(v1, BankedEvent)
    assert (v0.charge, v0.energy, v0.cycle, v0.flags, v0.veto) == (100, 200, 300, 0x804_00201, 0)
    assert (v1.flags, v1.veto) == (0x00201, 0x804)


def test_a_newer_version_is_read_as_the_newest_known_and_its_tail_ignored() -> None:
    status = decode(raw(0x4003, 9, words(7, 16, 0x01000001, 0, 0, 99, 98)))
    assert status == RunStatus(unix_ns(1_000_000_000), 7, unix_ns(16), 1, 1, version=9)
    assert decode(raw(0x4006, 2, words(1, 2, 3))) == ClientHello(unix_ns(1_000_000_000), 1, 2, version=2)
    config = decode(raw(0x400D, 2, words(0, 77)))
    assert isinstance(config, BeamMonitorConfig)
    assert config.monitors == ()


def test_beamline_strings_come_in_the_opposite_order_of_their_lengths() -> None:
    info = decode(raw(0x400B, 1, words(0x02_05_03_06) + b"BL14BHYSHYSPEC\0\0"))
    assert info == BeamlineInfo(unix_ns(1_000_000_000), "BL14B", "HYS", "HYSPEC", 2)


def test_lengths_that_wrongly_count_the_padding_leave_no_nuls_in_the_text() -> None:
    geometry = decode(raw(0x400A, 0, words(8) + b"<a></\0\0\0"))
    assert geometry == Geometry(unix_ns(1_000_000_000), "<a></")


def test_text_that_is_not_utf8_is_read_with_replacement_signs() -> None:
    note = decode(raw(0x4007, 0, words(3, 0) + b"a\xff\xfe\0"))
    assert isinstance(note, StreamAnnotation)
    assert note.comment == "a\ufffd\ufffd"


def test_unknown_status_marker_and_severity_numbers_are_kept() -> None:
    status = decode(raw(0x4003, 0, words(1, 2, 0xC8_000003)))
    note = decode(raw(0x4007, 0, words(0x7FFF_0000, 4)))
    value = decode(raw(0x8001, 0, words(1, 2, 0x1234_5678, 9)))
    assert isinstance(status, RunStatus)
    assert isinstance(note, StreamAnnotation)
    assert isinstance(value, VariableU32)
    assert status.status == 200
    assert (note.marker, note.reset_hint) == (0x7FFF, False)
    assert (value.status, value.severity) == (0x1234, 0x5678)


def test_the_shorthand_pixel_map_seen_on_the_wire_is_read() -> None:
    pixel_map = decode(raw(0x4102, 1, words(1, 0, 0x00018080, 0x7F, 0x7F, 0x0001FFFF, 0)))
    assert isinstance(pixel_map, PixelMappingAlt)
    assert pixel_map.sections == (PixelRange(1, 128, 0, 127, 1, 127, 0, -1),)


def test_multiple_strings_are_padded_one_by_one() -> None:
    payload = words(1, 2, 0, 2) + words(10, 1) + b"a\0\0\0" + words(20, 4) + b"abcd"
    packet = decode(raw(0x8103, 0, payload))
    assert isinstance(packet, MultVariableString)
    assert packet.values == ("a", "abcd")
    assert packet.offset.tolist() == [10, 20]


MALFORMED = [
    ("event packet without its pulse header", 0x4000, 1, words(1, 2, 3)),
    ("source section cut short", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3)),
    ("bank section missing", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3, 1)),
    ("bank section cut short", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3, 1, 5)),
    ("events beyond the payload", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3, 1, 5, 2, 1, 1)),
    ("event count near 2**32", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3, 1, 5, 0xFFFFFFFF, 1, 1)),
    ("event count that wraps to 0 when doubled", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3, 1, 5, 0x80000000)),
    ("bank count near 2**32", 0x4000, 1, words(0, 0, 0, 0, 1, 2, 3, 0xFFFFFFFF)),
    ("state missing", 0x4100, 0, words(0, 0, 0, 0, 1, 2, 3, 1, 5, 0)),
    ("monitor header cut short", 0x4001, 1, words(0, 0, 0, 0, 1 << 22, 0)),
    ("monitor events beyond the payload", 0x4001, 1, words(0, 0, 0, 0, 1 << 22 | 2, 0, 0, 1)),
    ("monitor packet without its pulse header", 0x4001, 1, b""),
    ("RTDL too short", 0x0001, 1, words(*[0] * 4, 4 << 24, *[0] * 24)),
    ("RTDL too long", 0x0001, 1, words(*[0] * 4, 4 << 24, *[0] * 26)),
    ("RTDL without its 4", 0x0001, 1, bytes(120)),
    ("run status too short", 0x4003, 1, words(1, 2, 3, 4)),
    ("run status too long", 0x4003, 0, words(1, 2, 3, 4)),
    ("run status of a newer version too short", 0x4003, 2, words(1, 2, 3, 4)),
    ("hello too long", 0x4006, 0, words(1, 2)),
    ("XML beyond the payload", 0x400A, 0, words(5) + b"abcd"),
    ("geometry without length", 0x400A, 0, b""),
    ("annotation comment beyond the payload", 0x4007, 0, words(5, 0) + b"abcd"),
    ("sync too short", 0x4008, 0, bytes(24)),
    ("beamline names beyond the payload", 0x400B, 1, words(0x01_01_01_03) + b"abcd"),
    ("monitor config of the wrong length", 0x400D, 1, words(1) + bytes(24)),
    ("monitor config with a count beyond reason", 0x400D, 1, words(0xFFFFFFFF)),
    ("bank set cut short", 0x400E, 0, words(1) + bytes(40)),
    ("bank IDs beyond the payload", 0x400E, 0, words(1) + bytes(16) + words(1, 0xFFFFFFFF) + bytes(36)),
    ("pixel list beyond the payload", 0x4102, 1, words(1, 0, 1 << 16 | 3, 1, 2)),
    ("pixel range cut short", 0x4102, 1, words(1, 0, 0x18001, 1, 2, 3)),
    ("descriptor XML beyond the payload", 0x8000, 0, words(1, 4)),
    ("value missing", 0x8001, 0, words(1, 2, 3)),
    ("half a double", 0x8002, 0, words(1, 2, 3, 4)),
    ("string beyond the payload", 0x8003, 0, words(1, 2, 3, 5) + b"abcd"),
    ("array beyond the payload", 0x8004, 0, words(1, 2, 3, 0x40000001, 4)),
    ("doubles beyond the payload", 0x8005, 0, words(1, 2, 3, 0x20000001, 4, 5)),
    ("fewer updates than announced", 0x8101, 0, words(1, 2, 3, 2, 0, 7)),
    ("more updates announced than are read", 0x8103, 0, words(1, 2, 3, 0xFFFFFFFF, 0, 0)),
]


@pytest.mark.parametrize(("what", "type_", "version", "payload"), MALFORMED, ids=[case[0] for case in MALFORMED])
@pytest.mark.parametrize("batch_events", [False, True])
def test_a_packet_that_contradicts_itself_is_dropped_whole_and_the_next_one_read(
    what: str, type_: int, version: int, payload: bytes, batch_events: bool
) -> None:
    decoder = Decoder(batch_events=batch_events)
    after = Geometry(unix_ns(5), "after")
    data = raw(type_, version, payload)
    assert list(decoder.feed(data + encode(after))) == [after]
    assert decoder.stats.malformed == {PacketType(type_).name: 1}
    assert decoder.stats.packets == {"Geometry": 1}
    assert decoder.stats.bytes_skipped == len(data)
    assert PacketType(type_).name in str(decoder.stats.last_problem)


def test_a_field_that_does_not_fit_is_refused_when_written() -> None:
    with pytest.raises(ValueError, match="needs more than 15 bits"):
        encode(StreamAnnotation(unix_ns(1), 0x8000))
    with pytest.raises(ValueError, match="BeamlineInfo"):
        encode(BeamlineInfo(unix_ns(1), "x" * 256, "", ""))
    with pytest.raises(ValueError, match="VariableU32"):
        encode(VariableU32(unix_ns(1), 1, 2, 0, 0, -1))
    with pytest.raises(ValueError, match="Geometry"):
        encode(Geometry(0, "before 1990"))


def test_bank_set_names_fill_their_16_bytes() -> None:
    payload = words(1) + b"BANKS".ljust(16, b"\0") + words(3, 1, 7, 0, 100, 1) + struct.pack("<d", 0.5) + bytes(16)
    packet = decode(raw(0x400E, 0, payload))
    assert isinstance(packet, DetectorBankSets)
    assert (packet.sets[0].name, packet.sets[0].throttle_hz, packet.sets[0].suffix) == ("BANKS", 0.5, "")
    assert packet.sets[0].bank_ids.tolist() == [7]
