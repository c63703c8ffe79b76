"""From the bytes of an ISIS event stream to messages; the streams are written down packet by packet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from livereduce.listeners.base import (
    Connected,
    Events,
    InstrumentInfo,
    LogValues,
    Message,
    Periods,
    Rejected,
    RunMark,
    RunMarkKind,
    SpectrumMap,
)
from livereduce.listeners.isis_events import FrameMemory, IsisEventListener, detectors_of
from livereduce.protocols.isis import Block, DataType, Neutron, Parameters, Setup, block, encode
from livereduce.protocols.isis.wire import pack_header
from livereduce.sources import BEGIN, Position
from livereduce.sources import Block as Piece

S = 1_000_000_000
UAH = 3.6e9


class Bytes:
    """A byte source of written-down pieces: (connection, segment, bytes)."""

    def __init__(self, *pieces: tuple[int, int, bytes]) -> None:
        self._pieces = pieces
        self._at = BEGIN

    def read(self, max_bytes: int) -> Piece | None:
        begin: dict[int, int] = {}
        for connection, segment, data in self._pieces:
            offset = begin.get(segment, 0)
            begin[segment] = offset + len(data)
            if Position(segment, offset + len(data)) <= self._at:
                continue
            skip = max(0, self._at.offset - offset) if segment == self._at.segment else 0
            self._at = Position(segment, offset + len(data))
            return Piece(data[skip:], segment, offset + skip, connection)
        return None

    def seek(self, position: Position) -> None:
        self._at = position

    @property
    def ended(self) -> bool:
        return False

    def close(self) -> None:
        self._pieces = ()


def setup(run: int, start: int = 1000, state: int = 1, name: str = "MUSR") -> bytes:
    return encode(Setup(run, start, state, name))


def neutron(frame: int, events: Iterable[tuple[float, int]] = (), **others: Any) -> bytes:
    pairs = list(events)
    tof, spectrum = np.array([e[0] for e in pairs], np.float32), np.array([e[1] for e in pairs], np.uint32)
    values = {"period": 0, "charge": 0.5, "frame_time": frame / 8} | others
    return encode(Neutron(frame, tof=tof, spectrum=spectrum, **values))


def tables(periods: int = 2, spectra: int = 3) -> bytes:
    values = {"NPER": [periods], "NSP1": [spectra], "NDET": [4], "UDET": [11, 12, 13, 14], "SPEC": [1, 2, 2, 9]}
    blocks = [block(name, np.array(v, np.int32)) for name, v in values.items()]
    return encode(Parameters(tuple(blocks)))


def listener(*pieces: bytes, **options: Any) -> IsisEventListener:
    return IsisEventListener(Bytes((1, 1, b"".join(pieces))), **options)


def messages(source: IsisEventListener) -> list[Message]:
    found = []
    while (message := source.receive()) is not None:
        found.append(message)
    return found


def marks(source: IsisEventListener) -> list[tuple[str, int, bool]]:
    return [(m.kind.value, m.run, m.previous_ended) for m in messages(source) if isinstance(m, RunMark)]


def events(source: IsisEventListener) -> list[Events]:
    return [m for m in messages(source) if isinstance(m, Events)]


def test_a_connection_begins_with_the_run_the_instrument_and_what_is_counted() -> None:
    first, mark, info, state, periods, spectra = messages(listener(setup(7), tables()))
    assert first == Connected(1)
    assert mark == RunMark(RunMarkKind.CONTINUE, 7, 1000 * S, 1000 * S)
    assert info == InstrumentInfo("MUSR", "MUSR", "")
    assert isinstance(state, LogValues)
    assert (state.name, state.times.tolist(), state.values.tolist()) == ("run_state", [1000 * S], [1])
    assert periods == Periods(2)
    assert isinstance(spectra, SpectrumMap)
    assert (spectra.numbers.tolist(), spectra.ids.tolist(), spectra.start.tolist()) == (
        [1, 2, 3], [11, 12, 13], [0, 1, 3, 3],
    )  # fmt: skip


def test_events_have_the_times_of_their_frames_whole_ns_and_indices_of_spectra() -> None:
    (found,) = events(listener(setup(7), neutron(3, [(10.5, 2), (0.25, 0)]), neutron(4, [(1.0, 1)], period=1)))
    assert found.pulse_time.tolist() == [1000 * S + 375_000_000, 1000 * S + 500_000_000]
    assert (found.tof.tolist(), found.detector_id.tolist()) == ([10_500, 250, 1000], [2, 0, 1])
    assert (found.start.tolist(), found.tick_ns, found.keys) == ([0, 2, 3], 1, None)
    assert found.period is not None
    assert found.period.tolist() == [0, 1]
    assert found.charge.tolist() == [0.5 * UAH, 0.5 * UAH]


def test_a_stream_that_counts_spectra_from_1_can_be_read_so() -> None:
    (found,) = events(listener(setup(7), neutron(0, [(1.0, 1), (1.0, 0)]), spectrum_base=1))
    assert found.detector_id.tolist() == [0, 0xFFFFFFFF]  # the second is in no spectrum there is


def test_the_charge_of_a_frame_counts_once_however_many_packets_and_in_whatever_order() -> None:
    packets = [neutron(frame, charge=frame + 1.0) for frame in (0, 0, 1, 0, 2, 1, 3)]
    (found,) = events(listener(setup(7), *packets))
    assert found.charge.tolist()[:1] == [1.0 * UAH]
    assert [c / UAH for c in found.charge.tolist() if c == c] == [1.0, 2.0, 3.0, 4.0]
    assert np.isnan(found.charge).tolist() == [False, True, False, True, False, True, False]


def test_the_charge_of_a_frame_counts_once_over_batches_and_again_in_the_next_run() -> None:
    source = Bytes((1, 1, setup(7) + neutron(5)), (1, 1, neutron(5) + setup(8, 2000) + neutron(5)))
    charges = [e.charge.tolist() for e in events(IsisEventListener(source))]
    assert charges[0] == charges[2] == [0.5 * UAH]
    assert np.isnan(charges[1]).all()


def test_charges_are_whole_picocoulomb_so_that_their_sum_does_not_depend_on_how_it_is_cut() -> None:
    (found,) = events(listener(setup(7), neutron(0, charge=8.9e-4)))
    assert found.charge.tolist() == [3_204_000.0]


@pytest.mark.parametrize("frame", [0, 4096, 8192, 20_000, 1 << 31, (1 << 32) - 1])
def test_frames_are_remembered_exactly_for_long_and_late_ones_of_long_ago_are_not_counted(frame: int) -> None:
    memory = FrameMemory()
    numbers = np.arange(frame, min(frame + 10_000, 1 << 32), dtype=np.uint64).astype(np.uint32)
    assert all(memory.are_new(part).all() for part in np.array_split(numbers, 7))
    assert not memory.are_new(numbers[-4000:]).any()
    assert not memory.are_new(numbers[:1]).any()


def test_frames_seen_slowly_with_a_set_are_new_as_often() -> None:
    rng = np.random.default_rng(3)
    memory, met = FrameMemory(), set[int]()
    for batch in range(60):
        frames = rng.integers(20 * batch, 20 * batch + 60, 50).astype(np.uint32)
        expected = []
        for frame in frames.tolist():
            expected.append(frame not in met)
            met.add(frame)
        assert memory.are_new(frames).tolist() == expected


def test_joining_in_mid_run_is_said() -> None:
    source = Bytes((1, 1, setup(7) + neutron(41)), (1, 1, neutron(0)))  # too late to be the run's first frame
    assert marks(IsisEventListener(source)) == [("continue", 7, False)]


def test_a_run_whose_first_frame_comes_is_known_from_its_start() -> None:
    assert marks(listener(setup(7), neutron(1), neutron(0), neutron(2))) == [("continue", 7, False), ("new", 7, False)]


def test_a_setup_of_another_run_in_mid_stream_is_the_end_of_the_last_and_a_new_run() -> None:
    source = listener(setup(7), neutron(41), setup(8, 2000), neutron(0), setup(8, 3000))
    assert marks(source) == [("continue", 7, False), ("new", 8, True), ("new", 8, True)]


def test_a_setup_that_repeats_the_run_changes_nothing_but_the_state() -> None:
    found = messages(listener(setup(7), neutron(1), setup(7, state=5), neutron(2)))
    assert [m.kind.value for m in found if isinstance(m, RunMark)] == ["continue", "continue"]
    states = [(m.times.tolist(), m.values.tolist()) for m in found if isinstance(m, LogValues)]
    assert states == [([1000 * S], [1]), ([1000 * S + 125_000_000], [5])]


def test_no_run_is_said() -> None:
    assert marks(listener(setup(7), setup(0))) == [("continue", 7, False), ("none", 0, False)]


def test_after_a_reconnect_the_run_goes_on_and_another_one_is_joined() -> None:
    first, second, third = setup(7) + neutron(0), setup(7) + neutron(90), setup(8, 2000) + neutron(90)
    source = IsisEventListener(Bytes((1, 1, first), (2, 2, second), (3, 3, third)))
    assert marks(source) == [
        ("continue", 7, False), ("new", 7, False), ("continue", 7, False), ("continue", 8, False),
    ]  # fmt: skip


def test_frames_of_before_a_reconnect_are_still_known_after_it() -> None:
    source = IsisEventListener(Bytes((1, 1, setup(7) + neutron(5)), (2, 2, setup(7) + neutron(5) + neutron(6))))
    charges = np.concatenate([e.charge for e in events(source)])
    assert np.isnan(charges).tolist() == [False, True, False]


def test_a_packet_cut_off_with_its_connection_is_void() -> None:
    source = IsisEventListener(Bytes((1, 1, setup(7) + neutron(0, [(1, 1)])[:-3]), (2, 2, setup(7) + neutron(1))))
    assert [e.start[-1] for e in events(source)] == [0]


def test_values_that_cannot_be_are_counted_and_do_no_harm() -> None:
    odd = neutron(1, [(float("nan"), 0), (1.0, 0)], charge=float("nan"), frame_time=float("inf"))
    found = messages(listener(setup(7), odd, neutron(2, charge=-1.0), neutron(3, charge=1e6), neutron(4)))
    assert [m for m in found if isinstance(m, Rejected)] == [
        Rejected("impossible frame time", 1),
        Rejected("impossible proton charge", 3),
    ]
    (batch,) = [m for m in found if isinstance(m, Events)]
    assert batch.pulse_time.tolist()[0] == 1000 * S
    assert batch.charge.tolist() == [0, 0, 0, 0.5 * UAH]
    assert {k: v.tolist() for k, v in batch.rejected.items()} == {"impossible time of flight": [1, 0, 0, 0]}


def test_a_period_beyond_all_counting_stays_out_of_range() -> None:
    (found,) = events(listener(setup(7), neutron(0, period=0xFFFFFFFF)))
    assert found.period is not None
    assert found.period.tolist() == [(1 << 31) - 1]


def test_parameters_that_make_no_sense_are_counted() -> None:
    bad = encode(Parameters((Block("NPER", DataType.INT32, (1,), b"\0\0\0\0"),)))
    assert Rejected("unusable parameters", 1) in messages(listener(setup(7), bad))


def test_packets_of_unknown_type_are_counted_before_what_follows_them() -> None:
    odd = pack_header(3) + b"1234" + neutron(1) + pack_header(77) + neutron(1) + pack_header(78) + neutron(2)
    found = [m for m in messages(listener(setup(7), odd)) if isinstance(m, Rejected | Events)]
    assert [m if isinstance(m, Rejected) else "events" for m in found] == [
        Rejected("sample environment packet", 1), "events",
        Rejected("packet of unknown type", 1), "events",
        Rejected("packet of unknown type", 1), "events",
    ]  # fmt: skip


def test_what_is_behind_lost_boundaries_is_left_out_until_the_next_connection() -> None:
    source = IsisEventListener(
        Bytes((1, 1, setup(7) + neutron(0, [(1, 1)])), (1, 1, bytes(50) + neutron(1)), (2, 2, setup(7) + neutron(2)))
    )
    found = messages(source)
    assert [m for m in found if isinstance(m, Rejected)] == [Rejected("packet boundaries lost", 1)]
    assert sum(len(m.pulse_time) for m in found if isinstance(m, Events)) == 2


def test_reading_goes_on_from_the_position_behind_any_message() -> None:
    stream = setup(7) + tables() + neutron(0, [(1.0, 1)]) + setup(8, 2000) + neutron(0)
    whole = listener(stream)
    while (message := whole.receive()) is not None:
        rest = IsisEventListener(Bytes((1, 1, stream)), start=whole.position)
        left = [m for m in messages(rest) if isinstance(m, Events)]
        if isinstance(message, Events):
            assert len(left) == (1 if message.tof.size else 0)
    assert whole.position == Position(1, len(stream))


def test_nothing_that_ends_beyond_the_wanted_place_is_given() -> None:
    first, second = setup(7) + neutron(0), neutron(1)
    source = listener(first, second)
    until = Position(1, len(first))
    found = []
    while (message := source.receive(until)) is not None:
        found.append(message)
    assert sum(len(m.pulse_time) for m in found if isinstance(m, Events)) == 1
    assert source.position == until
    assert sum(len(e.pulse_time) for e in events(source)) == 1


def test_detectors_are_collected_by_spectrum_number_whatever_their_order() -> None:
    detector, spectrum = np.array([5, 6, 7, 8, 9]), np.array([3, 1, 3, -1, 2])
    ids, start = detectors_of(np.array([1, 3, 4]), detector, spectrum)
    assert (ids.tolist(), start.tolist()) == ([6, 5, 7], [0, 1, 3, 3])
