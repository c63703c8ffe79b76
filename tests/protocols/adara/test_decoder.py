"""Framing: any cut of the stream, the cap on what is held, what is skipped and counted, where to resume."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from livereduce.errors import ProtocolError
from livereduce.protocols.adara import (
    Decoder,
    EventBatch,
    FramingError,
    Geometry,
    Heartbeat,
    Packet,
    StreamAnnotation,
    encode,
    unix_ns,
)

T = unix_ns(1_000_000_000)


@pytest.fixture
def stream(every_packet: list[Packet]) -> bytes:
    unknown = struct.pack("<4I", 8, 0x123456 << 8, 1, 2) + b"whatever"
    return b"".join(map(encode, every_packet)) + unknown + encode(Heartbeat(T))


def feed_in_pieces(decoder: Decoder, data: bytes, size: int) -> Iterator[Packet | EventBatch]:
    for at in range(0, len(data), size):
        yield from decoder.feed(data[at : at + size])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 64, 1000, 100_000])
def test_the_size_of_the_pieces_makes_no_difference(every_packet: list[Packet], stream: bytes, size: int) -> None:
    decoder = Decoder()
    assert list(feed_in_pieces(decoder, stream, size)) == [*every_packet, Heartbeat(T)]
    assert (decoder.consumed, decoder.pending) == (len(stream), 0)


def test_a_stream_cut_once_at_every_byte_gives_the_same_packets(worked_examples: list[tuple[str, Packet]]) -> None:
    stream = b"".join(bytes.fromhex(text) for text, _ in worked_examples)
    for cut in range(len(stream) + 1):
        decoder = Decoder()
        found = [*decoder.feed(stream[:cut]), *decoder.feed(stream[cut:])]
        assert found == [packet for _, packet in worked_examples]


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_bytes_bytearrays_and_memoryviews_are_taken(stream: bytes, form: type) -> None:
    decoder = Decoder()
    found = list(decoder.feed(form(stream[:100]))) + list(decoder.feed(form(stream[100:])))
    assert found == list(Decoder().feed(stream))


def test_a_receive_buffer_may_be_reused_once_its_packets_are_read(every_packet: list[Packet], stream: bytes) -> None:
    decoder, buffer, found = Decoder(), bytearray(50), []
    for at in range(0, len(stream), 50):
        piece = stream[at : at + 50]
        buffer[: len(piece)] = piece
        found += list(decoder.feed(memoryview(buffer)[: len(piece)]))
    assert found == [*every_packet, Heartbeat(T)]


def test_packets_of_an_abandoned_iterator_come_with_the_next_feed() -> None:
    packets = [Geometry(T, text) for text in "abc"]
    decoder = Decoder()
    first = next(iter(decoder.feed(b"".join(map(encode, packets)))))
    assert [first, *decoder.feed(b"")] == packets


def test_consumed_is_where_the_last_packet_ended_so_that_one_can_resume_there(
    every_packet: list[Packet], stream: bytes
) -> None:
    decoder = Decoder()
    for index, packet in enumerate(decoder.feed(stream), 1):
        assert list(Decoder().feed(stream[decoder.consumed :]))[:1] == [*every_packet, Heartbeat(T)][index : index + 1]
        assert packet == [*every_packet, Heartbeat(T)][index - 1]


def test_what_is_held_of_an_incomplete_packet_is_known() -> None:
    data = encode(Geometry(T, "x" * 100))
    decoder = Decoder()
    assert list(decoder.feed(data[:70])) == []
    assert (decoder.consumed, decoder.pending) == (0, 70)
    assert list(decoder.feed(data[70:])) == [Geometry(T, "x" * 100)]
    assert (decoder.consumed, decoder.pending) == (len(data), 0)


@pytest.mark.parametrize("batch_events", [False, True])
@pytest.mark.parametrize("size", [1, 5, 64, 1 << 20])
def test_a_packet_beyond_the_cap_streams_by_without_being_held(
    worked_examples: list[tuple[str, Packet]], batch_events: bool, size: int
) -> None:
    large = [encode(Geometry(T, "x" * 1000)), struct.pack("<4I", 4000, 0x400000, 1, 2) + bytes(4000)]
    small = Geometry(T, "y" * 76)
    assert len(encode(small)) == 96
    decoder = Decoder(max_packet_bytes=96, batch_events=batch_events)
    found, most = [], 0
    data = encode(small) + large[0] + large[1] + encode(small)
    for at in range(0, len(data), size):
        found += list(decoder.feed(data[at : at + size]))
        most = max(most, decoder.pending)
    assert found == [small, small]
    assert most <= 96
    assert decoder.stats.oversize == 2
    assert decoder.stats.bytes_skipped == len(large[0]) + len(large[1])
    assert decoder.consumed == len(data)
    assert "at most 96" in str(decoder.stats.last_problem)


def test_a_place_to_resume_is_never_inside_a_packet_that_is_being_skipped() -> None:
    data = encode(Heartbeat(T)) + encode(Geometry(T, "x" * 1000))
    decoder = Decoder(max_packet_bytes=100)
    list(decoder.feed(data[:500]))
    assert decoder.consumed == 16
    list(decoder.feed(data[500:]))
    assert decoder.consumed == len(data)


def test_a_length_that_is_no_multiple_of_4_ends_the_stream_after_what_came_before() -> None:
    decoder = Decoder()
    bad = struct.pack("<4I", 6, 0x400A00, 0, 0) + bytes(6)
    packets = decoder.feed(encode(Heartbeat(T)) + bad)
    assert next(packets) == Heartbeat(T)
    with pytest.raises(FramingError, match="packet at byte 16 says its payload has 6 bytes"):
        next(packets)
    assert decoder.consumed == 16
    with pytest.raises(ProtocolError):
        decoder.feed(encode(Heartbeat(T)))
    decoder.restart()
    assert list(decoder.feed(encode(Heartbeat(T)))) == [Heartbeat(T)]


@pytest.mark.parametrize("batch_events", [False, True])
def test_events_before_lost_framing_are_given(worked_examples: list[tuple[str, Packet]], batch_events: bool) -> None:
    pulse = bytes.fromhex(worked_examples[2][0])
    items = Decoder(batch_events=batch_events).feed(pulse + struct.pack("<4I", 5, 0x400001, 0, 0))
    assert len(next(items).tof) == 1  # type: ignore[union-attr]
    with pytest.raises(FramingError):
        next(items)


def test_a_new_connection_voids_the_partial_packet_before_it() -> None:
    data = encode(Geometry(T, "x" * 100))
    decoder = Decoder()
    list(decoder.feed(data[:70]))
    decoder.restart()
    assert decoder.pending == 0
    assert list(decoder.feed(data)) == [Geometry(T, "x" * 100)]
    assert decoder.consumed == 70 + len(data)


def test_a_new_connection_ends_the_skipping_of_a_packet_beyond_the_cap() -> None:
    decoder = Decoder(max_packet_bytes=100)
    list(decoder.feed(encode(Geometry(T, "x" * 1000))[:500]))
    decoder.restart()
    assert list(decoder.feed(encode(Heartbeat(T)))) == [Heartbeat(T)]


def test_unknown_types_are_counted_by_number_but_not_without_bound() -> None:
    decoder = Decoder()
    for type_ in range(0x5000, 0x5000 + 300):
        assert list(decoder.feed(struct.pack("<4I", 4, type_ << 8, 0, 0) + b"abcd")) == []
    assert list(decoder.feed(struct.pack("<4I", 0, 0x5000 << 8, 0, 0))) == []
    assert decoder.stats.unknown[0x5000] == 2
    assert decoder.stats.unknown[-1] == 300 - 256
    assert len(decoder.stats.unknown) == 257
    assert decoder.stats.bytes_skipped == 300 * 20 + 16


def test_packets_are_counted_by_type(every_packet: list[Packet], stream: bytes) -> None:
    decoder = Decoder()
    list(decoder.feed(stream))
    assert decoder.stats.packets.total() == len(every_packet) + 1
    assert decoder.stats.packets["RunStatus"] == 3
    assert decoder.stats.unknown == {0x123456: 1}


def test_many_small_pieces_of_a_large_packet_are_not_copied_again_and_again() -> None:
    """8 MB in 4 kB pieces: 2000 pieces; copying all that is held at each would move 8 GB."""
    note = StreamAnnotation(T, 0, "end")
    data = encode(Geometry(T, "x" * 8_000_000)) + encode(note)
    assert list(feed_in_pieces(Decoder(), data, 4096))[1] == note
