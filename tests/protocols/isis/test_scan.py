"""What the recorder sees of an event stream: packet boundaries, where segments begin, the last frame."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.protocols.isis import Decoder, FramingError, Neutron, NeutronBatch, Parameters, Setup, encode
from livereduce.protocols.isis.scan import Scan
from livereduce.protocols.isis.wire import pack_header
from livereduce.protocols.scanning import Cut

S = 1_000_000_000
UNKNOWN = pack_header(3) + bytes(30)


def neutron(frame_time: float = 0.0, events: int = 3) -> bytes:
    return encode(Neutron(1, 0, 0.0, frame_time, np.ones(events, np.float32), np.zeros(events, np.uint32)))


def setup(run: int, start: int = 1000) -> bytes:
    return encode(Setup(run, start, 0, "MUSR"))


def follow(stream: bytes, piece: int, segment_bytes: int = 1 << 40) -> tuple[list[Cut], bytes, Scan, str | None]:
    """Feed a stream as a link does: what is not settled comes again; cuts are given in places of the stream."""
    scan, cuts, written, rest = Scan(segment_bytes), [], b"", b""
    for at in range(0, len(stream), piece):
        chunk = rest + stream[at : at + piece]
        found, settled, broken = scan.feed(chunk)
        cuts += [cut._replace(offset=len(written) + cut.offset) for cut in found]
        assert all(cut.offset <= len(written) + settled for cut in cuts)
        written += chunk[:settled]
        rest = chunk[settled:]
        if broken:
            return cuts, written, scan, broken
    return cuts, written, scan, None


STREAM = setup(7) + neutron(0.5) + neutron(1.5) + UNKNOWN + setup(7) + neutron(2.5) + setup(8, 2000) + neutron(0.25)


@pytest.mark.parametrize("piece", [1, 3, 20, 44, 81, 1000])
def test_a_segment_begins_at_the_first_packet_and_where_run_or_start_change(piece: int) -> None:
    cuts, written, scan, broken = follow(STREAM, piece)
    second = len(STREAM) - len(setup(8)) - len(neutron())
    assert cuts == [Cut(0, 7, 1000 * S), Cut(second, 8, 2000 * S)]
    assert written == STREAM
    assert (scan.packets, scan.run, scan.run_start_ns, scan.last_pulse_ns) == (8, 8, 2000 * S, 2000 * S + S // 4)
    assert broken is None


def test_the_same_number_with_another_start_is_another_run() -> None:
    assert [c.run_start_ns for c in follow(setup(7, 1) + setup(7, 1) + setup(7, 2), 1000)[0]] == [1 * S, 2 * S]


def test_events_before_any_setup_belong_to_no_run() -> None:
    assert follow(neutron() + setup(5), 1000)[0] == [Cut(0, 0, 0), Cut(len(neutron()), 5, 1000 * S)]


@pytest.mark.parametrize("piece", [1, 50, 10_000])
def test_a_segment_ends_at_a_packet_boundary_when_it_has_its_size(piece: int) -> None:
    packet = neutron(0.0, 20)
    cuts, written, _, _ = follow(setup(7) + packet * 10, piece, segment_bytes=3 * len(packet))
    assert written == setup(7) + packet * 10
    assert [c.offset for c in cuts] == [0, 80 + 3 * len(packet), 80 + 6 * len(packet), 80 + 9 * len(packet)]
    assert {c.run for c in cuts} == {7}


def test_a_setup_that_has_not_come_whole_waits_because_it_may_begin_a_segment() -> None:
    scan = Scan(1 << 40)
    scan.feed(setup(7) + neutron())
    assert scan.feed(setup(8)[:79]).settled == 0
    assert scan.feed(setup(8)).cuts == [Cut(0, 8, 1000 * S)]


def test_long_packets_are_settled_as_they_come() -> None:
    scan = Scan(1 << 40)
    packet = neutron(0.0, 1000)
    assert scan.feed(setup(7) + packet[:500]).settled == 80 + 500
    assert scan.feed(packet[500:]).settled == len(packet) - 500


@pytest.mark.parametrize("frame_time", [float("nan"), float("inf"), -1.0, 1e9])
def test_a_frame_time_that_cannot_be_counts_as_the_runs_start(frame_time: float) -> None:
    assert follow(setup(7) + neutron(frame_time), 1000)[2].last_pulse_ns == 1000 * S


def test_parameters_put_between_packets_are_packets_as_well() -> None:
    stream = setup(7) + encode(Parameters(())) + neutron()
    assert follow(stream, 7)[1] == stream


@pytest.mark.parametrize(
    ("bad", "why"),
    [(bytes(44), "begins with"), (pack_header(2, version=2 << 16) + bytes(24), "version 2.0"),
     (pack_header(2) + struct.pack("<3I2fI", 24, 0, 0, 0, 0, 0xFFFFFFFF), "at most"),
     (pack_header(1) + struct.pack("<3IqI", 0, 0, 4, 0, 0) + bytes(40), "Setup body")],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 17, 1000])
def test_what_is_no_packet_breaks_the_stream_where_it_begins(bad: bytes, why: str, piece: int) -> None:
    cuts, written, scan, broken = follow(setup(7) + neutron() + bad + neutron(), piece)
    assert written == setup(7) + neutron()
    assert broken is not None
    assert why in broken
    assert (len(cuts), scan.packets) == (1, 2)


def test_no_packet_for_long_behind_one_of_unknown_type_breaks_the_stream() -> None:
    broken = follow(setup(7) + UNKNOWN + bytes((1 << 20) + 5000), 4096)[3]
    assert broken == "no packet within 1048576 bytes of one of unknown type"


def test_a_packet_of_unknown_type_whose_header_claims_to_be_long_hides_none_behind_it() -> None:
    """UNKNOWN begins at byte 216; its header says 276 bytes, and three packets follow within them."""
    stream = bytearray(STREAM)
    assert stream[216 + 12 : 216 + 16] == bytes([20, 0, 0, 0])
    stream[229] = 1
    scan, broken = follow(bytes(stream), 73)[2:]
    assert (scan.packets, scan.run, broken) == (8, 8, None)
    decoder = Decoder()
    found = [len(item.frame) if isinstance(item, NeutronBatch) else 1 for item in decoder.feed(bytes(stream))]
    assert (sum(found), decoder.stats.unknown) == (7, {3: 1})


@given(st.data())
@settings(deadline=None)
def test_scan_and_decoder_find_the_same_boundaries_in_damaged_streams(data: st.DataObject) -> None:
    stream = bytearray(STREAM)
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=5)):
        stream[at] = data.draw(st.one_of(st.integers(0, 255), st.just(0xFF)))
    whole = bytes(stream)
    cuts, written, scan, broken = follow(whole, data.draw(st.integers(1, 200)))
    decoder, packets = Decoder(), 0
    try:
        for item in decoder.feed(whole):
            packets += len(item.frame) if isinstance(item, NeutronBatch) else 1
        lost = False
    except FramingError:
        lost = True
    assert lost == (broken is not None)
    assert written == whole[: len(written)]
    if lost:
        assert decoder.consumed == len(written)
    assert packets + decoder.stats.unknown.total() + decoder.stats.malformed.total() <= scan.packets
    assert all(0 <= c.run < 1 << 31 and c.run_start_ns >= 0 for c in cuts)
