"""Counting on several cores: the same counts, and no thread left (the fixture for all tests sees to that)."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import EventTable, Part, Plan, parallel
from livereduce.workspaces.arrays import Column
from livereduce.workspaces.binning import Counter
from livereduce.workspaces.evaluation import extent, terms_of

MANY = 2_000_000
N_PIXELS = 300


@pytest.fixture(scope="module")
def table() -> EventTable:
    """Enough events for three threads, in several segments, the last pixels with more of them than the first."""
    rng = np.random.default_rng(3)
    table = EventTable(N_PIXELS, segment_events=700_000)
    start = np.arange(0, MANY + 1, 1000)
    pixel = (N_PIXELS * np.sqrt(rng.random(MANY))).astype(np.int32)
    times = np.arange(len(start) - 1) * 10
    table.append(rng.integers(0, 200_000, MANY), pixel, times, start, np.ones(len(times)))
    return table


def counts(table: EventTable, plan: Plan, edges: Any, ranges: Any, subtract: bool = False) -> np.ndarray:
    counter = Counter(table, plan, None if edges is None else Column(np.array(edges, np.float64)))
    out = np.ones(counter.shape, np.uint32)
    counter(np.array(ranges), subtract, out)
    return out


FACTOR = np.linspace(0.9, 1.1, N_PIXELS)
GROUP = np.where(np.arange(N_PIXELS) % 50 == 7, -1, np.arange(N_PIXELS) // 3).astype(np.int32)
RAGGED = np.sort(np.random.default_rng(5).uniform(0.0, 2e4, (100, 50)), axis=1)


FINE, COARSE = np.arange(0.0, 20_001.0, 4.0), np.arange(0.0, 20_001.0, 400.0)
IN_D = Plan(N_PIXELS).in_unit("dSpacing", FACTOR)


@pytest.mark.parametrize(
    ("plan", "edges"),
    [
        # small results: each thread counts some events into a histogram of its own
        (Plan(N_PIXELS).grouped(np.zeros(N_PIXELS), 1), FINE),
        (Plan(N_PIXELS), COARSE),
        (IN_D.grouped(GROUP, 100), np.geomspace(1.0, 20_000.0, 400)),
        (Plan(N_PIXELS).grouped(GROUP, 100), RAGGED),
        (Plan(N_PIXELS).grouped(GROUP, 100), None),
        # large ones: each thread counts all events of some rows
        (Plan(N_PIXELS), FINE),
        (Plan(N_PIXELS).limited(100.0, 9000.0), FINE),
        (Plan(N_PIXELS), np.geomspace(1.0, 20_000.0, 3000)),
        (IN_D.grouped(GROUP, 100), np.geomspace(1.0, 20_000.0, 9000)),
        (IN_D, np.linspace(0.0, 20_000.0, 3000)),
        (Plan(N_PIXELS), np.linspace(0.0, 2e4, 3000) + np.arange(N_PIXELS)[:, None]),
    ],
)
def test_several_threads_count_what_one_does(
    table: EventTable, monkeypatch: pytest.MonkeyPatch, plan: Plan, edges: Any
) -> None:
    ranges = [[1, 700_001], [700_010, 1_200_000], [1_300_000, MANY]]
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    one = counts(table, plan, edges, ranges)
    assert (one - np.uint32(1)).sum() > 100_000
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    assert np.array_equal(counts(table, plan, edges, ranges), one)
    assert np.array_equal(counts(table, plan, edges, ranges, subtract=True), np.uint32(2) - one)


def test_few_events_are_counted_in_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 8)
    assert parallel.threads_for(1_000_000) == 1
    assert parallel.threads_for(3 << 19) == 3
    assert parallel.threads_for(1 << 40) == 8


def test_the_extent_of_many_events_is_that_of_the_pieces(
    table: EventTable, monkeypatch: pytest.MonkeyPatch, columns: Callable[..., Any]
) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    tof, _, _ = columns(table)
    assert extent(terms_of([Part(table, 0, table.n, Plan(N_PIXELS))])) == (tof.min() * 0.1, tof.max() * 0.1)


def test_tasks_run_at_the_same_time_and_return_in_order() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def meet(value: int) -> int:
        meeting.wait()
        return value

    assert parallel.all_of([partial(meet, value) for value in (5, 6, 7)]) == [5, 6, 7]


def test_what_a_task_raises_is_raised_here() -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        parallel.all_of([fail, fail])


def test_one_task_needs_no_thread() -> None:
    assert parallel.all_of([threading.get_ident]) == [threading.get_ident()]
