"""The event stream's bytes: worked out by hand from the page, cut anywhere, grown, damaged, of other versions."""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.protocols.isis import (
    Block,
    DataType,
    Decoder,
    FramingError,
    Neutron,
    NeutronBatch,
    Parameters,
    Setup,
    encode,
)
from livereduce.protocols.isis.wire import MAX_SKIP_BYTES

# markers, version 1.0, header of 20 bytes, type 1; 4 bytes of padding; changed, body of 56 bytes, start 1700000000 s,
# run 1234, state 2, "MUSR"
SETUP = bytes.fromhex("ffffffff ffffffff 00000100 14000000 01000000 00000000") + (
    bytes.fromhex("02000000 38000000 00f1536500000000 d2040000 02000000") + b"MUSR" + bytes(28)
)
# type 2; header of 24 bytes, frame 7, period 1, charge 0.5, frame time 1.5, two events: 10000 µs in 3, 12.25 µs in 0
NEUTRON = bytes.fromhex(
    "ffffffff ffffffff 00000100 14000000 02000000"
    "18000000 07000000 01000000 0000003f 0000c03f 02000000"
    "00401c46 03000000 00004441 00000000"
)
UNKNOWN = bytes.fromhex("ffffffff ffffffff 00000100 14000000 03000000 0000803f")


class Seen(NamedTuple):
    """What a decoder gave, batches taken apart."""

    items: list[Any]
    packets: list[tuple[Any, ...]]


def see(data: bytes, piece: int = 1 << 20, cap: int = 1 << 20) -> tuple[Seen, Decoder]:
    decoder, seen = Decoder(cap), Seen([], [])
    for at in range(0, len(data), piece):
        for item in decoder.feed(data[at : at + piece]):
            note(seen, item)
        assert decoder.pending <= cap + 4096
        assert decoder.consumed + decoder.pending <= at + piece
    return seen, decoder


def note(seen: Seen, item: Any) -> None:
    if not isinstance(item, NeutronBatch):
        seen.items.append(item)
        return
    events = list(zip(item.tof.tolist(), item.spectrum.tolist(), strict=True))
    for i, row in enumerate(zip(item.frame, item.period, item.charge, item.frame_time, item.bad_times, strict=True)):
        values = tuple("nan" if v != v else v for v in (n.item() for n in row))
        seen.packets.append((*values, events[item.start[i] : item.start[i + 1]]))
        seen.items.append("neutron")


def test_a_setup_is_the_pages_80_bytes() -> None:
    assert len(SETUP) == 80
    assert encode(Setup(1234, 1_700_000_000, 2, "MUSR", changed=2)) == SETUP
    assert see(SETUP)[0].items == [Setup(1234, 1_700_000_000, 2, "MUSR", changed=2)]


def test_a_neutron_packet_is_the_pages_bytes() -> None:
    neutron = Neutron(7, 1, 0.5, 1.5, np.array([10_000, 12.25], np.float32), np.array([3, 0], np.uint32))
    assert encode(neutron) == NEUTRON
    assert see(NEUTRON)[0].packets == [(7, 1, 0.5, 1.5, 0, [(10_000_000, 3), (12_250, 0)])]


def test_padding_and_what_follows_the_names_nul_mean_nothing() -> None:
    noisy = SETUP[:20] + b"\xde\xad\xbe\xef" + SETUP[24:52] + b"\0" + b"\xff" * 27
    assert see(noisy)[0].items == [Setup(1234, 1_700_000_000, 2, "MUSR", changed=2)]


def test_a_negative_run_number_is_no_run() -> None:
    assert see(SETUP[:40] + struct.pack("<i", -1) + SETUP[44:])[0].items[0].run == 0


def test_parameters_of_the_command_port_lie_between_packets_and_come_back() -> None:
    blocks = (Block("NPER", DataType.INT32, (1,), b"\2\0\0\0"), Block("NAME", DataType.CHAR, (3,), b"GEM"))
    stream = SETUP + encode(Parameters(blocks)) + NEUTRON
    for piece in (1, 13, 1000):
        assert see(stream, piece)[0].items == [see(SETUP)[0].items[0], Parameters(blocks), "neutron"]


def test_parameters_that_are_no_blocks_are_counted_and_passed_over() -> None:
    bad = encode(Parameters((Block("NPER", DataType.INT32, (1,), b"\2\0\0\0"),)))
    bad = bad[:24] + struct.pack("<i", 5) + bad[28:]
    seen, decoder = see(bad + NEUTRON)
    assert seen.items == ["neutron"]
    assert decoder.stats.malformed == {"Parameters": 1}
    assert decoder.stats.bytes_skipped == len(bad)


def event(tof: float, spectrum: int = 0) -> bytes:
    return NEUTRON[:40] + struct.pack("<I", 1) + struct.pack("<fI", tof, spectrum)


@pytest.mark.parametrize(
    ("tof_us", "ns"),
    [
        (0.0, 0),
        (-0.0, 0),
        (1e-9, 0),
        (0.0009, 0),
        (0.001, 1),  # the nearest float32 is a little more than 0.001
        (0.3, 300),  # 0.300000012
        (0.7, 699),  # 0.699999988: rounded down, not to the nearest
        (12345.678, 12_345_677),  # 12345.677734375
        (4_294_967.0, 4_294_967_000),
    ],
)
def test_times_of_flight_become_whole_ns_rounded_down(tof_us: float, ns: int) -> None:
    assert see(event(tof_us))[0].packets[0][4:] == (0, [(ns, 0)])


@pytest.mark.parametrize("tof_us", [math.nan, -math.nan, math.inf, -math.inf, -1e-3, -1e30, 4_294_968.0, 1e30])
def test_times_of_flight_that_cannot_be_leave_no_event_and_are_counted(tof_us: float) -> None:
    assert see(event(tof_us, 5) + event(1.0, 6))[0].packets == [
        (7, 1, 0.5, 1.5, 1, []),
        (7, 1, 0.5, 1.5, 0, [(1000, 6)]),
    ]


def test_spectra_and_periods_are_passed_on_as_they_are() -> None:
    odd = NEUTRON[:28] + struct.pack("<I", 0xFFFFFFFF) + event(1.0, 0xFFFFFFFF)[32:]
    assert see(odd)[0].packets == [(7, 0xFFFFFFFF, 0.5, 1.5, 0, [(1000, 0xFFFFFFFF)])]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 44, 100, 100_000])
def test_the_size_of_the_pieces_makes_no_difference(size: int) -> None:
    stream = SETUP + NEUTRON * 3 + UNKNOWN + SETUP + event(5.0) + NEUTRON
    whole, decoder = see(stream)
    assert see(stream, size)[0] == whole
    assert whole.items == [see(SETUP)[0].items[0], *["neutron"] * 3, see(SETUP)[0].items[0], *["neutron"] * 2]
    assert (decoder.consumed, decoder.pending) == (len(stream), 0)


def test_a_stream_cut_once_at_every_byte_gives_the_same_packets() -> None:
    stream = SETUP + NEUTRON + UNKNOWN + NEUTRON
    whole, _ = see(stream)
    for cut in range(len(stream) + 1):
        decoder, seen = Decoder(), Seen([], [])
        for part in (stream[:cut], stream[cut:]):
            for item in decoder.feed(part):
                note(seen, item)
        assert seen == whole, cut


def test_consecutive_neutron_packets_come_as_one_batch_a_feed() -> None:
    batches = [i for i in Decoder().feed(SETUP + NEUTRON * 5 + SETUP + NEUTRON) if isinstance(i, NeutronBatch)]
    assert [len(b.frame) for b in batches] == [5, 1]
    assert batches[0].start.tolist() == [0, 2, 4, 6, 8, 10]
    assert not batches[0].tof.flags.writeable


def test_consumed_is_where_the_last_packet_ended_so_that_one_can_resume_there() -> None:
    decoder = Decoder()
    places = [decoder.consumed for _ in decoder.feed(SETUP + NEUTRON + SETUP + NEUTRON[:30])]
    assert places == [80, 80 + len(NEUTRON), 160 + len(NEUTRON)]
    assert decoder.pending == 30


def grown_neutron(header: int, second: int) -> bytes:
    head = NEUTRON[:12] + struct.pack("<I", header) + NEUTRON[16:20] + b"+" * (header - 20)
    return head + struct.pack("<I", second) + NEUTRON[24:44] + b"+" * (second - 24) + NEUTRON[44:]


def grown_setup(header: int, body: int) -> bytes:
    place = -(-header // 8) * 8
    head = SETUP[:12] + struct.pack("<I", header) + SETUP[16:20] + b"+" * (place - 20)
    return head + SETUP[24:28] + struct.pack("<I", body) + SETUP[32:80] + b"+" * (body - 56)


@pytest.mark.parametrize(("header", "second"), [(20, 24), (24, 24), (20, 28), (28, 40), (4096, 4096)])
def test_later_minor_versions_may_grow_headers_whose_growth_is_skipped(header: int, second: int) -> None:
    newer = struct.pack("<I", 0x00010007)
    neutron = grown_neutron(header, second)
    setup = grown_setup(header, min(32 + second, 4096))
    stream = b"".join(p[:8] + newer + p[12:] for p in (setup, neutron, setup, neutron, neutron))
    for piece in (1, 99, 1 << 20):
        seen, _ = see(stream, piece, cap=1 << 16)
        assert seen.items == [see(SETUP)[0].items[0], "neutron", see(SETUP)[0].items[0], "neutron", "neutron"]
        assert seen.packets == see(NEUTRON * 3)[0].packets


def changed(packet: bytes, offset: int, value: int) -> bytes:
    return packet[:offset] + struct.pack("<I", value) + packet[offset + 4 :]


HOSTILE = [
    (changed(NEUTRON, 0, 0), "begins with 0x00000000 0xffffffff"),
    (changed(NEUTRON, 4, 0xFFFFFFFE), "begins with 0xffffffff 0xfffffffe"),
    (changed(NEUTRON, 8, 0x00020000), "version 2.0; version 1 can be read"),
    (changed(NEUTRON, 8, 0x00000001), "version 0.1"),
    (changed(NEUTRON, 8, 0xFFFFFFFF), "version 65535.65535"),
    (changed(NEUTRON, 12, 19), "packet header says it has 19 bytes"),
    (changed(NEUTRON, 12, 0), "packet header says it has 0 bytes"),
    (changed(NEUTRON, 12, 22), "22 bytes; expected a multiple of 4"),
    (changed(NEUTRON, 12, 4100), "4100 bytes; expected a multiple of 4 from 20 to 4096"),
    (changed(NEUTRON, 12, 0xFFFFFFFF), "4294967295 bytes"),
    (changed(NEUTRON, 16, 0), "type 0, which is invalid"),
    (changed(NEUTRON, 20, 20), "neutron header says it has 20 bytes"),
    (changed(NEUTRON, 20, 25), "neutron header says it has 25 bytes"),
    (changed(NEUTRON, 20, 0xFFFFFFFC), "neutron header says it has 4294967292 bytes"),
    (changed(NEUTRON, 40, 0xFFFFFFFF), "34359738404 bytes; at most 1048576"),
    (changed(NEUTRON, 40, (1 << 17)), "at most 1048576"),
    (changed(SETUP, 28, 55), "Setup body says it has 55 bytes"),
    (changed(SETUP, 28, 0), "Setup body says it has 0 bytes"),
    (changed(SETUP, 28, 1 << 20), "Setup body says it has 1048576 bytes"),
    (changed(SETUP, 36, 0x80000000), "run starts -9223372035154775808 s after 1970"),
    (changed(SETUP, 36, 0x10), "run starts 70419476736 s after 1970"),
    (changed(encode(Parameters(())), 20, 0xFFFFFFFF), "PARAMETERS packet says it has 4294967319 bytes"),
    (b"HTTP/1.1 400 Bad Request\r\n" * 4, "begins with"),
    (bytes(100), "begins with 0x00000000"),
]


@pytest.mark.parametrize(("packet", "why"), HOSTILE)
@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_what_is_no_packet_ends_the_stream_after_what_came_before_and_says_why(
    packet: bytes, why: str, piece: int
) -> None:
    decoder, seen = Decoder(1 << 20), Seen([], [])
    stream = SETUP + NEUTRON + packet + NEUTRON

    def feed_all() -> None:
        for at in range(0, len(stream), piece):
            for item in decoder.feed(stream[at : at + piece]):
                note(seen, item)

    with pytest.raises(FramingError, match=f"^at byte {80 + len(NEUTRON)}: .*{why}.*reconnect$"):
        feed_all()
    assert seen.items == [see(SETUP)[0].items[0], "neutron"]
    assert decoder.consumed == 80 + len(NEUTRON)
    with pytest.raises(FramingError):
        decoder.feed(NEUTRON)


@pytest.mark.parametrize("size", [1, 5, 64, 1 << 20])
def test_packets_of_unknown_type_are_skipped_to_the_next_whole_header(size: int) -> None:
    # inside it: markers alone, markers with another version, and with a type that is not known
    decoys = (
        b"\xff" * 11 + bytes(9) + changed(NEUTRON, 8, 0x00030000)[:20] + changed(NEUTRON, 16, 77)[:20] + b"\xff" * 8
    )
    seen, decoder = see(NEUTRON + UNKNOWN + decoys + NEUTRON + changed(UNKNOWN, 16, 99) + SETUP, size)
    assert seen.items == ["neutron", "neutron", see(SETUP)[0].items[0]]
    assert decoder.stats.unknown == {3: 1, 99: 1}
    assert decoder.stats.bytes_skipped == 2 * len(UNKNOWN) + len(decoys)


def test_no_packet_for_long_behind_one_of_unknown_type_ends_the_stream() -> None:
    decoder = Decoder()
    with pytest.raises(FramingError, match="no packet within 1048576 bytes of one of unknown type"):
        list(decoder.feed(UNKNOWN + bytes(MAX_SKIP_BYTES + 100)))


def test_bytes_that_look_like_markers_for_ever_are_passed_over_once() -> None:
    decoder = Decoder()
    for _ in range(8):
        list(decoder.feed((UNKNOWN if not decoder.consumed else b"") + b"\xff" * 100_000))
        assert decoder.pending < 64


def test_unknown_types_are_counted_by_number_but_not_without_bound() -> None:
    decoder = Decoder()
    list(decoder.feed(b"".join(changed(UNKNOWN, 16, 1000 + i) + SETUP for i in range(300))))
    assert len(decoder.stats.unknown) == 257
    assert decoder.stats.unknown[-1] == 300 - 256


class Slow(NamedTuple):
    """A packet read with struct alone."""

    packet: tuple[Any, ...]
    size: int


def read_slowly(data: bytes, at: int) -> Slow:
    header = struct.unpack_from("<5I", data, at)
    body = at + header[3]
    length, frame, period, charge, time, n = struct.unpack_from("<3I2fI", data, body)
    first = body + length
    events, bad = [], 0
    for i in range(n):
        tof, spectrum = struct.unpack_from("<fI", data, first + 8 * i)
        if 0 <= tof < 4294967.296:
            events.append((math.floor(tof * 1000), spectrum))
        else:
            bad += 1
    nan = tuple("nan" if v != v else v for v in (charge, time))
    return Slow((frame, period, *nan, bad, events), first + 8 * n - at)


word = st.integers(0, 0xFFFFFFFF)
floats = st.one_of(st.floats(width=32), st.floats(0, 1e5, width=32))


@st.composite
def neutron_packets(draw: st.DrawFn) -> bytes:
    events = draw(st.lists(st.tuples(floats, word), max_size=6))
    header, second = draw(st.sampled_from([(20, 24), (24, 24), (20, 32)]))
    body = struct.pack("<3I2fI", second, draw(word), draw(word), draw(floats), draw(floats), len(events))
    data = b"".join(struct.pack("<fI", *e) for e in events)
    head = struct.pack("<5I", 0xFFFFFFFF, 0xFFFFFFFF, 0x10000, header, 2)
    return head + bytes(header - 20) + body + bytes(second - 24) + data


@given(st.lists(neutron_packets(), max_size=8), st.integers(1, 300))
@settings(deadline=None)  # the first example may compile the kernels
def test_columns_hold_what_reading_word_by_word_gives(packets: list[bytes], piece: int) -> None:
    stream = b"".join(packets)
    assert see(stream, piece)[0].packets == [read_slowly(p, 0).packet for p in packets]


def see_hostile(data: bytes, piece: int) -> tuple[Seen, int, bool]:
    decoder, seen, lost = Decoder(1 << 14), Seen([], []), False
    try:
        for at in range(0, len(data), piece):
            for item in decoder.feed(data[at : at + piece]):
                note(seen, item)
            assert decoder.pending <= (1 << 14) + 4096
    except FramingError:
        lost = True
    return seen, decoder.consumed, lost


@given(st.binary(max_size=300), st.integers(1, 64))
@settings(deadline=None)
def test_random_bytes_end_in_an_error_that_says_where(data: bytes, piece: int) -> None:
    assert see_hostile(data, piece) == see_hostile(data, 1 << 20)


@given(st.data())
@settings(deadline=None)
def test_valid_streams_with_damaged_bytes_are_read_alike_however_they_are_cut(data: st.DataObject) -> None:
    stream = bytearray(SETUP + NEUTRON * 3 + UNKNOWN + grown_neutron(24, 28) + SETUP + NEUTRON)
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=6)):
        stream[at] = data.draw(st.one_of(st.integers(0, 255), st.just(0xFF), st.just(0)))
    whole = see_hostile(bytes(stream), 1 << 20)
    assert see_hostile(bytes(stream), data.draw(st.integers(1, 200))) == whole


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**33 - 1), st.integers(-(2**31), 2**31 - 1), st.text(max_size=31))
def test_setups_that_are_written_are_read_back(run: int, start: int, state: int, name: str) -> None:
    clean = "".join(c for c in name if 0 < ord(c) < 128)
    setup = Setup(run, start, state, clean)
    assert see(encode(setup))[0].items == [setup]
