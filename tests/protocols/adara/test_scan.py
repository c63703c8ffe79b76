"""Packet boundaries, runs and the last pulse, found in chunks of any size without decoding."""

from __future__ import annotations

import struct

import pytest

from livereduce.protocols.adara import Geometry, Heartbeat, RunState, RunStatus, Sync, encode, unix_ns
from livereduce.protocols.adara.scan import Scan
from livereduce.protocols.scanning import Cut

START_S = 1_000_000_000
LARGE = 1 << 40


def pulse(second: int, payload: bytes = bytes(16), type_: int = 0x4000) -> bytes:
    return struct.pack("<4I", len(payload), type_ << 8 | 1, second, 5) + payload


def status(run: int, state: RunState, start: int = START_S, second: int = START_S) -> bytes:
    return encode(RunStatus(unix_ns(second), run, unix_ns(start) if run else 0, state))


SYNC = encode(Sync(unix_ns(START_S)))


def written(stream: bytes, piece: int, segment_bytes: int = LARGE) -> list[tuple[int, int, bytes]]:
    """Keep a journal as a recorder does: segments of (run, run start in ns, bytes)."""
    scan, rest, segments = Scan(segment_bytes), b"", list[tuple[int, int, bytes]]()
    for at in range(0, len(stream), piece):
        chunk = rest + stream[at : at + piece]
        cuts, settled, _ = scan.feed(chunk)
        bounds = [*(cut.offset for cut in cuts), settled]
        if segments:
            run, start, data = segments[-1]
            segments[-1] = (run, start, data + chunk[: bounds[0]])
        for cut, end in zip(cuts, bounds[1:], strict=True):
            segments.append((cut.run, cut.run_start_ns, chunk[cut.offset : end]))
        rest = chunk[settled:]
    assert b"".join(data for *_, data in segments) + rest == stream
    return segments


@pytest.mark.parametrize("piece", [1, 3, 28, 100, 1 << 20])
def test_a_segment_begins_where_a_run_does_however_the_stream_is_cut(piece: int) -> None:
    """The sequence of the real server: between runs, a run with a change of file, between runs again."""
    between = SYNC + status(0, RunState.NO_RUN) + pulse(1) + status(0, RunState.NO_RUN) + SYNC
    run = (
        status(7, RunState.NEW_RUN) + pulse(2) + status(7, RunState.RUN_EOF) + SYNC + status(7, RunState.RUN_BOF)
        + pulse(3) + status(7, RunState.END_RUN) + SYNC
    )  # fmt: skip
    after = status(0, RunState.NO_RUN) + pulse(4) + pulse(5)
    assert written(between + run + after, piece) == [
        (0, 0, between),
        (7, unix_ns(START_S), run),
        (0, 0, after),
    ]


@pytest.mark.parametrize("piece", [1, 50, 1 << 20])
def test_the_first_segment_is_named_after_the_run_the_stream_begins_in(piece: int) -> None:
    stream = SYNC + status(7, RunState.STATE) + pulse(1)
    assert written(stream, piece) == [(7, unix_ns(START_S), stream)]


def test_the_same_run_number_with_another_start_is_another_run() -> None:
    one, two = status(7, RunState.STATE), status(7, RunState.NEW_RUN, start=START_S + 1)
    assert [run for *run, _ in written(one + two, 1000)] == [[7, unix_ns(START_S)], [7, unix_ns(START_S + 1)]]


@pytest.mark.parametrize("first", [pulse(1), encode(Heartbeat(unix_ns(1))), struct.pack("<4I", 8, 0x400300, 1, 2)])
def test_a_stream_that_does_not_begin_with_a_run_status_is_written_at_once(first: bytes) -> None:
    assert Scan(LARGE).feed(first)[:2] == ([Cut(0, 0, 0)], len(first))


def test_a_first_sync_too_long_to_wait_for_is_written_as_it_comes() -> None:
    endless = struct.pack("<4I", 1 << 30, 0x400800, 1, 2) + bytes(5000)
    scan = Scan(LARGE)
    assert scan.feed(endless[:4000])[:2] == ([], 0)
    assert scan.feed(endless)[:2] == ([Cut(0, 0, 0)], len(endless))


def test_segments_end_at_the_first_packet_boundary_past_their_size() -> None:
    packets = [status(7, RunState.STATE), *(pulse(n, bytes(84)) for n in range(10))]
    segments = written(b"".join(packets), 64, segment_bytes=150)
    assert [len(data) for *_, data in segments] == [36 + 200, 200, 200, 200, 200]
    assert {run for run, *_ in segments} == {7}


def test_a_packet_larger_than_a_segment_is_not_cut() -> None:
    geometry = encode(Geometry(unix_ns(1), "x" * 1000))
    stream = status(0, RunState.NO_RUN) + geometry + pulse(1)
    assert [len(data) for *_, data in written(stream, 64, segment_bytes=36)] == [36, len(geometry), 32]


def test_the_last_pulse_is_the_last_in_the_stream_not_the_latest() -> None:
    scan = Scan(LARGE)
    for type_, second in ((0x4000, 10), (0x4001, 4_000_000_000), (0x4100, 30), (0x0001, 20)):
        scan.feed(pulse(second, type_=type_))
    assert scan.last_pulse_ns == unix_ns(20, 5)
    scan.feed(encode(Geometry(unix_ns(99), "old")))
    assert scan.last_pulse_ns == unix_ns(20, 5)
    assert scan.packets == 5


def test_at_most_a_run_statuss_beginning_waits_for_the_next_chunk() -> None:
    scan = Scan(LARGE)
    scan.feed(pulse(1))
    stream = status(7, RunState.NEW_RUN)
    for size in range(28):
        assert scan.feed(stream[:size]).settled == 0
    assert scan.feed(stream[:28]) == ([Cut(0, 7, unix_ns(START_S))], 28, None)


def test_a_length_that_is_no_multiple_of_4_settles_what_came_before() -> None:
    scan = Scan(LARGE)
    good = pulse(1) + pulse(2)
    cuts, settled, broken = scan.feed(good + struct.pack("<4I", 7, 0x400001, 3, 0))
    assert (cuts, settled) == ([Cut(0, 0, 0)], len(good))
    assert "7 bytes, expected a multiple of 4" in str(broken)
    assert scan.last_pulse_ns == unix_ns(2, 5)
