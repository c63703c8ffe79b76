"""Runs of event packets as columns, against a slow reading of the same bytes."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import numpy as np
import pytest

from livereduce.protocols.adara import (
    RTDL,
    BankedEvent,
    BankedEventState,
    BeamMonitorEvent,
    Decoder,
    EventBatch,
    Geometry,
    Packet,
    PacketType,
    encode,
    unix_ns,
)

T = unix_ns(1_000_000_000)


def batches(data: bytes, **options: Any) -> tuple[list[Packet | EventBatch], Decoder]:
    decoder = Decoder(batch_events=True, **options)
    return list(decoder.feed(data)), decoder


def only_batch(data: bytes) -> EventBatch:
    [batch], _ = batches(data)
    assert isinstance(batch, EventBatch)
    return batch


def event_packet(sections: list[int], type_: int = 0x4000, version: int = 1, head: tuple[int, ...] = (0,) * 4) -> bytes:
    payload = struct.pack(f"<{4 + len(sections)}I", *head, *sections)
    return struct.pack("<4I", len(payload), type_ << 8 | version, 1_000_000_000, 0) + payload


def test_the_worked_examples_come_as_one_batch(worked_examples: list[tuple[str, Packet]]) -> None:
    data = b"".join(encode(p) for _, p in worked_examples if isinstance(p, BankedEvent | BeamMonitorEvent))
    batch = only_batch(data)
    assert batch.pulse_id.tolist() == [1_000_000_000 << 32]
    assert batch.pulse_time.tolist() == [1_631_152_000_000_000_000]
    assert batch.charge.tolist() == [1_847_000]
    assert (batch.flags.tolist(), batch.veto.tolist()) == ([0x300], [0])
    assert batch.packet_type.tolist() == [0x4000]
    assert batch.payload_length.tolist() == [48]
    assert (batch.start.tolist(), batch.tof.tolist(), batch.pixel.tolist()) == ([0, 1], [100_000], [1000])
    assert (batch.error_events.tolist(), batch.unmapped_events.tolist()) == ([0], [0])
    assert batch.monitor_pulse_id.tolist() == [1_000_000_000 << 32]
    assert batch.monitor_time.tolist() == [1_631_152_000_000_000_000]
    assert batch.monitor_charge.tolist() == [1_847_000]
    assert batch.monitor_payload_length.tolist() == [36]
    assert batch.monitor_start.tolist() == [0, 2]
    assert batch.monitor_tof.tolist() == [100_000, 100_005]
    assert batch.monitor_number.tolist() == [1, 1]


def test_columns_have_their_types_and_are_closed_for_writing(every_packet: list[Packet]) -> None:
    batch = only_batch(b"".join(encode(p) for p in every_packet if isinstance(p, BankedEvent | BeamMonitorEvent)))
    dtypes = {
        "pulse_id": "u8", "pulse_time": "i8", "charge": "u4", "flags": "u4", "veto": "u4", "packet_type": "u4",
        "payload_length": "u4", "fingerprint": "u8", "error_events": "i8", "unmapped_events": "i8", "start": "i8",
        "tof": "u4", "pixel": "u4", "monitor_pulse_id": "u8", "monitor_time": "i8", "monitor_charge": "u4",
        "monitor_payload_length": "u4", "monitor_fingerprint": "u8", "monitor_start": "i8", "monitor_tof": "u4",
        "monitor_number": "u2",
    }  # fmt: skip
    assert dtypes == {f.name: getattr(batch, f.name).dtype.str[1:] for f in dataclasses.fields(batch)}
    for field in dataclasses.fields(batch):
        column = getattr(batch, field.name)
        assert not column.flags.writeable
        assert column.flags.c_contiguous


def test_offsets_are_added_unless_corrected_and_saturate() -> None:
    batch = only_batch(
        event_packet(
            [
                *(1, 0, 50, 1, 5, 2, 100, 1, 0xFFFFFFF0, 2),  # offset 50
                *(2, 0, 1 << 31 | 50, 1, 5, 1, 100, 3),  # the same, corrected
            ]
        )
    )
    assert batch.tof.tolist() == [150, 0xFFFFFFFF, 100]
    assert batch.pixel.tolist() == [1, 2, 3]


def test_monitor_offsets_are_added_unless_corrected() -> None:
    batch = only_batch(
        event_packet([3 << 22 | 2, 1, 50, 1 << 31 | 0x3FF << 21 | 7, 8, 4 << 22 | 1, 1, 1 << 31 | 50, 9], 0x4001)
    )
    assert batch.monitor_tof.tolist() == [57, 58, 9]
    assert batch.monitor_number.tolist() == [3, 3, 4]


def test_events_in_error_and_unmapped_ones_are_dropped_and_counted() -> None:
    batch = only_batch(
        event_packet(
            [
                *(1, 0, 0, 4),
                *(0xFFFFFFFF, 2, 1, 1, 2, 2),
                *(0xFFFFFFFE, 1, 3, 0x80000003),
                *(5, 4, 4, 4, 5, 0x80000005, 6, 6, 7, 0xFFFFFFFF),  # two with bit 31 inside a real bank
                *(6, 1, 8, 8),
            ]
        )
    )
    assert batch.tof.tolist() == [4, 6, 8]
    assert batch.pixel.tolist() == [4, 6, 8]
    assert batch.error_events.tolist() == [3]
    assert batch.unmapped_events.tolist() == [2]
    assert batch.start.tolist() == [0, 3]


def test_a_bad_packet_between_good_ones_leaves_no_events_behind() -> None:
    good = [1, 0, 0, 1, 5, 2, 10, 11, 20, 21]
    bad = [1, 0, 0, 2, 5, 2, 30, 31, 40, 41, 6, 3, 50, 51]  # its first bank is sound
    data = event_packet(good) + event_packet(bad) + event_packet(good)
    found, decoder = batches(data)
    [batch] = found
    assert isinstance(batch, EventBatch)
    assert batch.tof.tolist() == [10, 20, 10, 20]
    assert batch.start.tolist() == [0, 2, 4]
    assert decoder.stats.packets == {"BankedEvent": 2}
    assert decoder.stats.malformed == {"BankedEvent": 1}


def test_a_pulse_without_neutrons_still_has_its_charge() -> None:
    batch = only_batch(event_packet([], head=(77, 0, 0, 0x804_00001)))
    assert batch.charge.tolist() == [77]
    assert (batch.flags.tolist(), batch.veto.tolist()) == ([1], [0x804])
    assert batch.start.tolist() == [0, 0]


def test_version_0_flags_are_the_whole_word_but_for_packets_with_states() -> None:
    head = (0, 0, 0, 0x804_00001)
    batch = only_batch(event_packet([], 0x4000, 0, head) + event_packet([], 0x4100, 0, head))
    assert batch.flags.tolist() == [0x804_00001, 1]
    assert batch.veto.tolist() == [0, 0x804]
    assert batch.packet_type.tolist() == [0x4000, 0x4100]


def test_states_of_a_bank_are_merged() -> None:
    batch = only_batch(event_packet([1, 0, 0, 2, 5, 0, 1, 10, 1, 5, 1, 1, 20, 1], 0x4100, 0))
    assert batch.tof.tolist() == [10, 20]


def test_a_batch_ends_at_any_other_packet() -> None:
    pulse, geometry = event_packet([]), Geometry(T, "g")
    found, _ = batches(pulse + pulse + encode(geometry) + pulse)
    assert [len(f.pulse_id) if isinstance(f, EventBatch) else f for f in found] == [2, geometry, 1]


def test_rtdl_packets_are_counted_and_otherwise_left_out(every_packet: list[Packet]) -> None:
    rtdls = [encode(p) for p in every_packet if isinstance(p, RTDL)]
    found, decoder = batches(rtdls[0] + event_packet([]) + rtdls[1] + event_packet([]))
    assert [len(f.pulse_id) for f in found if isinstance(f, EventBatch)] == [2]
    assert decoder.stats.packets == {"RTDL": 2, "BankedEvent": 2}
    assert batches(rtdls[0])[0] == []


def test_nanoseconds_beyond_a_second_are_carried_over_as_in_single_packets() -> None:
    data = struct.pack("<4I", 16, 0x400001, 5, 3_000_000_007) + bytes(16)
    batch = only_batch(data)
    [packet] = Decoder().feed(data)
    assert isinstance(packet, BankedEvent)
    assert batch.pulse_time.tolist() == [(631_152_000 + 8) * 10**9 + 7] == [packet.time_ns]
    assert batch.pulse_id.tolist() == [8 << 32 | 7] == [packet.pulse_id]


def test_fingerprints_are_equal_for_a_packet_sent_again_and_differ_for_any_changed_word() -> None:
    sections = [1, 0, 50, 1, 5, 3, 100, 1, 200, 2, 300, 3]
    same = only_batch(event_packet(sections) + event_packet([]) + event_packet(sections)).fingerprint
    assert same[0] == same[2] != same[1]
    seen = {int(same[0])}
    for index in (0, 1, 4, 6, 7, 8, 9, 10, 11):
        changed = list(sections)
        changed[index] += 1
        seen.add(int(only_batch(event_packet(changed)).fingerprint[0]))
    swapped = [*sections[:6], 200, 2, 100, 1, 300, 3]
    seen.add(int(only_batch(event_packet(swapped)).fingerprint[0]))
    assert len(seen) == 11


@pytest.mark.parametrize("type_", [0x4000, 0x4100, 0x4001])
def test_a_charge_is_in_the_fingerprint_without_a_pulse_energy_and_not_the_same_in_its_place(type_: int) -> None:
    heads = [(7, 0, 0, 0), (8, 0, 0, 0), (7, 8, 0, 0), (8, 7, 0, 0), (0, 0, 0, 0), (0, 0, 7, 0), (0, 0, 0, 7)]
    batch = only_batch(b"".join(event_packet([], type_, head=head) for head in heads))
    assert len({*batch.fingerprint.tolist(), *batch.monitor_fingerprint.tolist()}) == 7


@pytest.mark.parametrize(
    "heads",
    [
        # in products of words with the keys K and 3 K: -3 times one is 1 times the other
        [(1 << 31, 1, 1 << 31, 0xFFFFFFFF), (1 << 31, 2, 1 << 31, 0xFFFFFFFE)],
        [(0x85EBCA77, 1, 0, 0), (0x85EBCA77, 2, 0, 0)],  # the first word is its key: a factor of 0
        [(0, 0x9E3779B1, 0, 0), (1, 0x9E3779B1, 0, 0)],
    ],
)
def test_words_that_go_with_the_keys_are_in_the_fingerprint(heads: list[tuple[int, ...]]) -> None:
    one, other = only_batch(b"".join(event_packet([], head=head) for head in heads)).fingerprint
    assert one != other


@pytest.mark.parametrize(("type_", "head"), [(0x4000, [5]), (0x4100, [5, 1])])
@pytest.mark.parametrize("events", [3, 300, 5000])  # short, long, and more than are folded in at a time
def test_every_word_of_an_event_is_in_the_fingerprint_wherever_the_packet_lies(
    type_: int, head: list[int], events: int
) -> None:
    rows = [0] * (2 * events)
    sections = [1, 0, 0, 3, *head, 1, 0, 0, *head, events, *rows, *head, 0]
    first = 4 + 2 * len(head) + 4  # word of the sections at which the events begin
    changed = [[*sections[:at], 1, *sections[at + 1 :]] for at in (first, first + 1, first + 2, first + 2 * events - 1)]
    packets = [event_packet(words, type_) for words in (sections, *changed)]
    together = only_batch(b"".join(packets)).fingerprint.tolist()
    assert len(set(together)) == 5
    assert [int(only_batch(event_packet([], 0x4001) + data).fingerprint[0]) for data in packets] == together


def test_monitor_fingerprints_see_the_last_word_of_an_odd_payload() -> None:
    one, two = (event_packet([1 << 22 | 2, 1, 0, 7, last], 0x4001) for last in (8, 9))
    batch = only_batch(one + two + one)
    assert batch.monitor_payload_length.tolist() == [36] * 3
    assert batch.monitor_fingerprint[0] == batch.monitor_fingerprint[2] != batch.monitor_fingerprint[1]


@pytest.mark.parametrize("lead", [0, 1, 2, 3])
def test_a_buffer_that_does_not_lie_on_a_word_boundary_is_read_too(lead: int) -> None:
    data = event_packet([1, 0, 0, 1, 5, 1, 10, 11])
    batch = only_batch(memoryview(bytes(lead) + data)[lead:])  # type: ignore[arg-type]
    assert batch.tof.tolist() == [10]


def test_batches_carry_what_single_packets_say(every_packet: list[Packet]) -> None:
    packets = [p for p in every_packet if isinstance(p, BankedEvent)]
    batch = only_batch(b"".join(map(encode, packets)))
    assert batch.pulse_id.tolist() == [p.pulse_id for p in packets]
    assert batch.pulse_time.tolist() == [p.time_ns for p in packets]
    assert batch.charge.tolist() == [p.charge for p in packets]
    assert batch.flags.tolist() == [p.flags for p in packets]
    assert batch.veto.tolist() == [p.veto for p in packets]
    assert batch.packet_type.tolist() == [p.type for p in packets]
    for row, packet in enumerate(packets):
        tof, pixel, error, unmapped = slow_events(packet)
        mine = slice(batch.start[row], batch.start[row + 1])
        assert batch.tof[mine].tolist() == tof
        assert batch.pixel[mine].tolist() == pixel
        assert (batch.error_events[row], batch.unmapped_events[row]) == (error, unmapped)


def slow_events(packet: BankedEvent) -> tuple[list[int], list[int], int, int]:
    """Walk the sections of a packet one event at a time."""
    tofs, pixels, error, unmapped, bank, event = [], [], 0, 0, 0, 0
    for source, n_banks in enumerate(packet.banks_per_source.tolist()):
        offset = 0 if packet.corrected[source] else int(packet.tof_offset[source])
        for _ in range(n_banks):
            for _ in range(packet.events_per_bank[bank]):
                tof, pixel = int(packet.tof[event]), int(packet.pixel[event])
                if packet.bank_id[bank] == 0xFFFFFFFF:
                    unmapped += 1
                elif packet.bank_id[bank] == 0xFFFFFFFE or pixel >= 1 << 31:
                    error += 1
                else:
                    tofs.append(min(tof + offset, 0xFFFFFFFF))
                    pixels.append(pixel)
                event += 1
            bank += 1
    return tofs, pixels, error, unmapped


def test_a_pulse_of_many_large_banks_is_copied_event_for_event() -> None:
    rng = np.random.default_rng(7)
    counts = rng.integers(0, 400, 120).astype(np.uint32)
    n = int(counts.sum())
    tof, pixel = (rng.integers(0, 1 << 20, n).astype(np.uint32) for _ in range(2))
    one = np.ones(1, np.uint32)
    packet = BankedEventState(
        T, 1, 2, 3, 4, 5, one, one, one * 1000, one == 0, one * 120, np.arange(120, dtype=np.uint32), counts,
        tof, pixel, np.zeros(120, np.uint32),
    )  # fmt: skip
    batch = only_batch(encode(packet))
    assert packet.type == PacketType.BankedEventState
    np.testing.assert_array_equal(batch.tof, tof + 1000)
    np.testing.assert_array_equal(batch.pixel, pixel)
