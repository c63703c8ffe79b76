"""The made-up stream: counts are rate times time, the clock is an argument."""

from __future__ import annotations

import numpy as np
import pytest

from livereduce.listeners.base import Events, GeometryUpdate, Message, RunMark, RunMarkKind
from livereduce.listeners.fake import FakeListener
from livereduce.live.chunk import Chunk, ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.state import Transition
from livereduce.workspaces import EventWorkspace

S = 1_000_000_000
START = 1_700_000_000 * S


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def extraction(listener: FakeListener) -> list[Message]:
    messages = []
    while (message := listener.receive()) is not None:
        messages.append(message)
    return messages


def events_in(messages: list[Message]) -> list[Events]:
    return [m for m in messages if isinstance(m, Events)]


def test_it_says_first_what_it_is_and_that_a_run_begins(clock: Clock) -> None:
    messages = extraction(FakeListener(clock))
    geometry = next(m for m in messages if isinstance(m, GeometryUpdate))
    assert geometry.instrument.ids.tolist() == [1, 2]
    assert messages[-1] == RunMark(RunMarkKind.NEW, 1, START, START, previous_ended=True)


def test_events_are_exactly_rate_times_time_uniform_and_in_two_spectra(clock: Clock) -> None:
    listener = FakeListener(clock, rate=10_000)
    extraction(listener)
    clock.now += 2 * S
    (events,) = events_in(extraction(listener))
    assert (events.tof.size, events.pulse_time.size, int(events.start[-1])) == (20_000, 20, 20_000)
    assert events.tick_ns == 100
    assert (events.tof.min() >= 400_000, events.tof.max() < 600_000) == (True, True)
    # uniform: mean 50 000 µs, standard deviation of the mean 20 000/sqrt(12 n) = 41 µs; 5 of them
    assert abs(events.tof.mean() / 10 - 50_000) < 205
    # binomial: standard deviation sqrt(n)/2 = 71
    assert abs(np.count_nonzero(events.detector_id == 1) - 10_000) < 355
    assert set(np.unique(events.detector_id)) == {1, 2}
    assert events.pulse_time[[0, -1]].tolist() == [START, START + 19 * S // 10]


def test_fractions_of_an_event_are_not_lost_between_extractions(clock: Clock) -> None:
    listener = FakeListener(clock, rate=7)
    extraction(listener)
    total = 0
    for _ in range(30):
        clock.now += S // 10
        total += sum(e.tof.size for e in events_in(extraction(listener)))
    assert total == 21


def test_nothing_is_due_twice_at_one_time(clock: Clock) -> None:
    listener = FakeListener(clock)
    extraction(listener)
    clock.now += S
    assert len(extraction(listener)) == 1
    assert extraction(listener) == []


def test_the_same_seed_gives_the_same_events_and_another_one_others() -> None:
    found = []
    for seed in (1, 1, 2):
        clock = Clock()
        listener = FakeListener(clock, seed=seed)
        extraction(listener)
        clock.now += S
        found.append(events_in(extraction(listener))[0].tof.tolist())
    assert found[0] == found[1] != found[2]


def test_a_long_silence_is_made_up_for_in_pieces(clock: Clock) -> None:
    listener = FakeListener(clock, rate=100)
    extraction(listener)
    clock.now += 150 * S
    pieces = events_in(extraction(listener))
    assert [p.pulse_time.size for p in pieces] == [600, 600, 300]
    assert sum(p.tof.size for p in pieces) == 15_000


def test_nothing_at_first_as_often_as_wished(clock: Clock) -> None:
    listener = FakeListener(clock, not_yet=2)
    assert [len(extraction(listener)) > 0 for _ in range(3)] == [False, False, True]


def test_a_run_ends_with_every_nth_extraction_that_brought_events(clock: Clock) -> None:
    listener = FakeListener(clock, end_run_every=3)
    extraction(listener)
    runs = []
    for _ in range(7):
        clock.now += S
        runs.append([m.run for m in extraction(listener) if isinstance(m, RunMark)])
    assert runs == [[], [], [2], [], [], [3], []]


def test_a_run_ends_after_so_many_seconds_even_within_an_extraction(clock: Clock) -> None:
    listener = FakeListener(clock, rate=10, end_run_every_s=2)
    extraction(listener)
    clock.now += 5 * S
    messages = extraction(listener)
    assert [m.run if isinstance(m, RunMark) else m.tof.size for m in messages if isinstance(m, RunMark | Events)] == [
        20, 2, 20, 3, 10,
    ]  # fmt: skip
    assert [m.start_ns for m in messages if isinstance(m, RunMark)] == [START + 2 * S, START + 4 * S]


def take(chunks: ChunkBuilder) -> Chunk:
    chunk = chunks.extract()
    assert chunk is not None
    chunks.consume(chunk)
    chunks.ledger.check()
    return chunk


def test_its_chunks_have_geometry_charge_and_whole_runs(clock: Clock) -> None:
    chunks = ChunkBuilder(FakeListener(clock, end_run_every=2), Ledger(), keep_events=True)
    take(chunks)
    taken = []
    for _ in range(4):
        clock.now += S
        taken.append(take(chunks))
    assert [c.transition for c in taken] == [Transition.NONE, Transition.END, Transition.NONE, Transition.END]
    assert [(c.identity.run, c.events) for c in taken] == [(1, 200), (1, 200), (2, 200), (2, 200)]
    workspace = taken[-1].workspace
    assert isinstance(workspace, EventWorkspace)
    assert workspace.n_spectra == 2
    assert workspace.spectra.geometry_from(workspace.detectors).l2.tolist() == [1.0, 1.0]
    assert workspace.run().getProtonCharge() == pytest.approx(10 * 2.0e7 / 3.6e9)
    assert [run["complete"] for run in chunks.ledger.as_json()["runs"]] == [True, True, False]
