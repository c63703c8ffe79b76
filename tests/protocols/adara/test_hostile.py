"""Bytes nobody should send: no crash, bounded memory, and both ways of decoding agree on what is there."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.protocols.adara import (
    BankedEvent,
    BankedEventState,
    BeamMonitorEvent,
    Decoder,
    DecoderStats,
    EventBatch,
    FramingError,
    Packet,
    encode,
)

CAP = 4096


class Seen(NamedTuple):
    """What a decoder made of a stream, in a form that both ways of decoding can be compared in."""

    others: list[Packet]
    pulses: list[tuple[int, ...]]
    events: list[tuple[int, int]]
    monitor_pulses: list[tuple[int, ...]]
    monitor_events: list[tuple[int, int]]
    stats: DecoderStats
    consumed: int
    framing_lost: bool


def see(data: bytes, piece: int, batch_events: bool) -> Seen:
    decoder = Decoder(CAP, batch_events)
    seen = Seen([], [], [], [], [], decoder.stats, 0, False)
    lost = False
    for at in range(0, len(data), piece):
        try:
            for item in decoder.feed(data[at : at + piece]):
                assert decoder.pending <= max(CAP, piece + CAP)
                _note(seen, item)
        except FramingError:
            lost = True
            break
        assert decoder.pending <= CAP
        assert decoder.consumed <= at + piece
    decoder.stats.last_problem = None  # a batch tells it in fewer words
    return seen._replace(consumed=decoder.consumed, framing_lost=lost)


def _note(seen: Seen, item: Packet | EventBatch) -> None:
    if isinstance(item, EventBatch):
        _note_batch(seen, item)
    elif isinstance(item, BankedEvent):
        _note_banked(seen, item)
    elif isinstance(item, BeamMonitorEvent):
        offset = np.repeat(np.where(item.corrected, 0, item.tof_offset), item.events_per_section)
        tof = item.tof.astype(np.int64) + offset
        number = np.repeat(item.monitor_id, item.events_per_section)
        seen.monitor_pulses.append((item.pulse_id, item.time_ns, item.charge, len(tof)))
        seen.monitor_events.extend(zip(tof.tolist(), number.tolist(), strict=True))
    elif item.type.name != "RTDL":
        seen.others.append(item)


def _note_batch(seen: Seen, b: EventBatch) -> None:
    rows = (b.pulse_id, b.pulse_time, b.charge, b.flags, b.veto, b.packet_type, b.error_events, b.unmapped_events)
    seen.pulses.extend(zip(*(r.tolist() for r in rows), np.diff(b.start).tolist(), strict=True))
    seen.events.extend(zip(b.tof.tolist(), b.pixel.tolist(), strict=True))
    monitor_rows = (b.monitor_pulse_id, b.monitor_time, b.monitor_charge)
    seen.monitor_pulses.extend(zip(*(r.tolist() for r in monitor_rows), np.diff(b.monitor_start).tolist(), strict=True))
    seen.monitor_events.extend(zip(b.monitor_tof.tolist(), b.monitor_number.tolist(), strict=True))


def _note_banked(seen: Seen, p: BankedEvent) -> None:
    bank = np.repeat(p.bank_id, p.events_per_bank)
    offset = np.repeat(np.where(p.corrected, 0, p.tof_offset), p.banks_per_source)
    tof = np.minimum(p.tof.astype(np.int64) + np.repeat(offset, p.events_per_bank), 0xFFFFFFFF)
    unmapped = bank == 0xFFFFFFFF
    error = ~unmapped & ((bank == 0xFFFFFFFE) | (p.pixel >= 1 << 31))
    good = ~unmapped & ~error
    seen.pulses.append(
        (p.pulse_id, p.time_ns, p.charge, p.flags, p.veto, int(p.type), int(error.sum()), int(unmapped.sum()),
         int(good.sum()))
    )  # fmt: skip
    seen.events.extend(zip(tof[good].tolist(), p.pixel[good].tolist(), strict=True))


def assert_both_ways_agree(data: bytes, piece: int) -> None:
    single, batched, whole = see(data, piece, False), see(data, piece, True), see(data, max(len(data), 1), True)
    assert single == batched
    assert single == whole


word = st.integers(0, 0xFFFFFFFF)
small = st.integers(0, 4)


@given(st.binary(max_size=400), st.integers(1, 64))
@settings(deadline=None)  # the first example may compile the kernels
def test_random_bytes_never_crash_a_decoder(data: bytes, piece: int) -> None:
    assert_both_ways_agree(data, piece)


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """Make a packet of sound outer form whose inside is small numbers: lengths that nearly fit."""
    types = [0, 1, 2, 3, *range(0x4000, 0x400F), 0x4100, 0x4102, *range(0x8000, 0x8006), *range(0x8101, 0x8106), 0x7777]
    type_, version = draw(st.sampled_from(types)), draw(st.integers(0, 3))
    words = draw(st.lists(st.one_of(small, small, small, word), max_size=40))
    return struct.pack(f"<{4 + len(words)}I", 4 * len(words), type_ << 8 | version, draw(word), draw(word), *words)


@given(st.lists(framed(), max_size=6), st.integers(1, 200))
@settings(deadline=None)  # the first example may compile the kernels
def test_packets_with_wrong_insides_never_crash_a_decoder(packets: list[bytes], piece: int) -> None:
    assert_both_ways_agree(b"".join(packets), piece)


@st.composite
def event_packets(draw: st.DrawFn) -> bytes:
    """Make an event packet of sound or slightly wrong section headers."""
    type_ = draw(st.sampled_from([0x4000, 0x4001, 0x4100]))
    words: tuple[int, ...] = draw(st.tuples(word, word, word, word))
    for _ in range(draw(small)):
        words += _monitor_section(draw) if type_ == 0x4001 else _source_section(draw, type_ == 0x4100)
    return struct.pack(f"<{4 + len(words)}I", 4 * len(words), type_ << 8 | draw(st.integers(0, 2)), 5, 6, *words)


def _monitor_section(draw: st.DrawFn) -> tuple[int, ...]:
    events = draw(st.lists(word, max_size=5))
    return (draw(st.integers(0, 1023)) << 22 | len(events) + draw(_slip), 1, draw(word), *events)


def _source_section(draw: st.DrawFn, with_state: bool) -> tuple[int, ...]:
    banks = draw(st.lists(st.lists(st.tuples(word, word), max_size=40), max_size=3))
    words: tuple[int, ...] = (1, 2, draw(word), len(banks) + draw(_slip))
    for events in banks:
        bank = draw(st.sampled_from([5, 6, 0xFFFFFFFE, 0xFFFFFFFF]))
        state = (1,) if with_state else ()
        words += (bank, *state, len(events) + draw(_slip), *(w for event in events for w in event))
    return words


_slip = st.sampled_from([0] * 20 + [1, 0x7FFFFFF0])


@given(st.lists(event_packets(), max_size=5), st.integers(1, 300))
@settings(deadline=None)  # the first example may compile the kernels
def test_event_packets_are_read_alike_in_both_ways(packets: list[bytes], piece: int) -> None:
    assert_both_ways_agree(b"".join(packets), piece)


@given(st.data())
@settings(deadline=None)  # the first example may compile the kernels
def test_valid_streams_with_damaged_bytes_never_crash_a_decoder(valid_stream: bytes, data: st.DataObject) -> None:
    damaged = bytearray(valid_stream)
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=6)):
        damaged[at] = data.draw(st.integers(0, 255))
    assert_both_ways_agree(bytes(damaged), data.draw(st.integers(1, 5000)))


@pytest.fixture(scope="module")
def valid_stream() -> bytes:
    one = np.ones(1, np.uint32)
    counts = np.array([3, 40], np.uint32)
    columns = (one, one, one * 7, one == 0, one * 2, one[:1].repeat(2), counts, np.arange(43), np.arange(43))
    packets: list[Packet] = [
        BankedEvent(10**18, 1, 2, 3, 4, 5, *columns),  # type: ignore[arg-type]
        BeamMonitorEvent(10**18, 1, 2, 3, 4, 5, one, one, one, one == 0, one * 2, np.arange(2)),  # type: ignore[arg-type]
        BankedEventState(10**18, 1, 2, 3, 4, 5, *columns, np.arange(2)),  # type: ignore[arg-type]
    ]
    return b"".join(map(encode, packets)) * 3


@given(st.lists(word, max_size=64))
@settings(deadline=None)  # the first example may compile the kernels
def test_bytes_that_are_accepted_are_written_again_and_read_alike(words: list[int]) -> None:
    """What was read is all there is: reading what is written of it changes nothing."""
    for type_ in (0x4000, 0x4001, 0x4003, 0x4100, 0x4102, 0x8003, 0x8101):
        data = struct.pack(f"<{4 + len(words)}I", 4 * len(words), type_ << 8, 1, 2, *words)
        for packet in Decoder().feed(data):
            assert isinstance(packet, Packet)
            assert [packet] == list(Decoder().feed(encode(packet)))
