from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.workspaces import cache as cache_module
from livereduce.workspaces.cache import CountCache

BINS = 7


class Modulo:
    """Counts event number i in bin i % BINS, and notes what it was asked."""

    shape = (1, BINS)
    dtype = np.uint32

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, bool]] = []

    def __call__(self, ranges: np.ndarray, subtract: bool, out: np.ndarray) -> None:
        for a, b in ranges.tolist():
            self.asked.append((a, b, subtract))
            n = np.bincount(np.arange(a, b) % BINS, minlength=BINS).astype(np.uint32)
            out += np.uint32(0xFFFFFFFF) * n if subtract else n


def array(ranges: Any) -> np.ndarray:
    return np.array(ranges, np.int64).reshape(-1, 2)


@st.composite
def disjoint(draw: st.DrawFn) -> np.ndarray:
    borders = sorted(draw(st.sets(st.integers(0, 300), max_size=12)))
    return array(borders[: len(borders) // 2 * 2])


@given(st.lists(st.tuples(st.sampled_from("abc"), disjoint()), max_size=25), st.integers(0, 200))
@settings(max_examples=200)
def test_counts_are_those_of_the_ranges_asked_for_whatever_was_asked_before(
    requests: list[tuple[str, np.ndarray]], limit: int
) -> None:
    cache, counter = CountCache(limit_bytes=limit), Modulo()
    given_out = []
    for key, ranges in requests:
        counts = cache.counts(key, ranges, counter)
        expected = np.bincount([i % BINS for a, b in ranges.tolist() for i in range(a, b)] or [], minlength=BINS)
        given_out.append((counts, expected))
        assert counts[0].tolist() == expected.tolist()
    for counts, expected in given_out:  # later updates have not changed what was handed out
        assert counts[0].tolist() == expected.tolist()
    assert cache.offered == sum(b - a for a, b, _ in counter.asked)
    assert cache.nbytes <= limit


def test_only_new_events_are_offered_when_a_range_grows() -> None:
    cache, counter = CountCache(), Modulo()
    for end in range(1000, 101_000, 1000):
        cache.counts("plan", array([0, end]), counter)
    assert cache.offered == 100_000
    assert counter.asked[-1] == (99_000, 100_000, False)


def test_events_that_go_out_are_subtracted_instead_of_counting_all_again() -> None:
    cache, counter = CountCache(), Modulo()
    cache.counts("plan", array([0, 10_000]), counter)
    cache.counts("plan", array([[0, 300], [400, 10_000]]), counter)
    assert counter.asked[1:] == [(300, 400, True)]


@pytest.mark.parametrize(("begin", "of_each_update"), [(300, 300), (3000, 1000)])
def test_two_selections_of_a_growing_run_each_keep_an_entry(begin: int, of_each_update: int) -> None:
    """The second takes what is new, or leaves out of the first what it has not, whichever is less."""
    cache, counter = CountCache(), Modulo()
    for end in range(4000, 21_000, 1000):
        for first in (0, begin):
            expected = np.bincount(np.arange(first, end) % BINS, minlength=BINS)
            assert cache.counts("plan", array([first, end]), counter)[0].tolist() == expected.tolist()
    assert cache.offered == 20_000 + 17 * of_each_update


def test_as_many_selections_are_remembered_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, counter = CountCache(), Modulo()
    slices = [array([1000 * i, 1000 * i + 1000]) for i in range(40)]
    for _ in range(3):
        for some in slices:
            cache.counts("plan", some, counter)
    assert cache.offered == 40_000
    monkeypatch.setattr(cache_module, "_BYTES_PER_KEY", 10 * 4 * BINS)
    for _ in range(2):
        for some in slices[:11]:
            cache.counts("other", some, counter)
    assert cache.offered == 40_000 + 22_000


def test_a_chunk_and_the_accumulation_each_keep_an_entry() -> None:
    cache, counter = CountCache(), Modulo()
    for chunk in range(20):
        cache.counts("plan", array([chunk * 1000, chunk * 1000 + 1000]), counter)
        cache.counts("plan", array([0, chunk * 1000 + 1000]), counter)
    assert cache.offered <= 20 * 2000


def test_counts_that_may_exceed_32_bits_are_kept_in_64() -> None:
    class Many:
        shape = (1, 1)
        dtype = np.uint32

        def __call__(self, ranges: np.ndarray, subtract: bool, out: np.ndarray) -> None:
            n = int((ranges[:, 1] - ranges[:, 0]).sum())
            assert n < 1 << 32
            out += np.array(n * (0xFFFFFFFF if subtract else 1)).astype(np.uint32)

    cache = CountCache()
    assert cache.counts("k", array([0, 3_000_000_000]), Many()).tolist() == [[3_000_000_000]]
    assert cache.counts("k", array([0, 10_000_000_000]), Many()).tolist() == [[10_000_000_000]]
    assert cache.counts("k", array([5, 10_000_000_000]), Many()).tolist() == [[9_999_999_995]]
    assert cache.counts("new", array([0, 10_000_000_000]), Many()).tolist() == [[10_000_000_000]]


def test_the_least_recently_used_counts_go_when_there_is_no_room() -> None:
    size = 4 * BINS
    cache, counter = CountCache(limit_bytes=2 * size), Modulo()
    for key in ("old", "used", "old", "new"):
        cache.counts(key, array([0, 100]), counter)
    before = cache.offered
    cache.counts("old", array([0, 100]), counter)
    assert cache.offered == before
    cache.counts("used", array([0, 100]), counter)
    assert cache.offered == before + 100


def test_counts_handed_out_cannot_be_written_to() -> None:
    counts = CountCache().counts("k", array([0, 10]), Modulo())
    with pytest.raises(ValueError, match="read-only"):
        counts[0, 0] = 1


def test_an_extent_measures_new_events_only_and_all_again_when_some_went_out() -> None:
    cache = CountCache()
    asked: list[tuple[int, ...]] = []

    def measure(ranges: np.ndarray) -> tuple[float, float]:
        asked.extend(map(tuple, ranges.tolist()))
        return float(ranges[0, 0]), float(ranges[-1, 1] - 1)

    assert cache.extent("k", array([5, 10]), measure) == (5.0, 9.0)
    assert cache.extent("k", array([5, 20]), measure) == (5.0, 19.0)
    assert asked == [(5, 10), (10, 20)]
    assert cache.extent("k", array([7, 20]), measure) == (7.0, 19.0)
    assert asked[2:] == [(7, 20)]
    assert cache.extent("none", array([]), measure) == (np.inf, -np.inf)


def test_counts_whose_counting_was_interrupted_are_forgotten() -> None:
    class Interrupted(Modulo):
        def __call__(self, ranges: np.ndarray, subtract: bool, out: np.ndarray) -> None:
            super().__call__(ranges, subtract, out)
            raise TimeoutError

    cache = CountCache()
    cache.counts("k", array([0, 70]), Modulo())
    with pytest.raises(TimeoutError):
        cache.counts("k", array([0, 140]), Interrupted())
    assert cache.counts("k", array([0, 140]), Modulo())[0].tolist() == [20] * 7


class Halves:
    """Adds 0.5 to one value for each event, and notes what it was asked."""

    shape = (1, 1)
    dtype = np.float64

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, ranges: np.ndarray, subtract: bool, out: np.ndarray) -> None:
        assert not subtract
        self.asked += [(a, b) for a, b in ranges.tolist()]
        out += 0.5 * (ranges[:, 1] - ranges[:, 0]).sum()


def test_sums_grow_with_what_is_appended_and_are_made_again_when_something_went_out_or_came_between() -> None:
    cache, sums = CountCache(), Halves()
    assert cache.counts("k", array([[0, 100], [200, 300]]), sums).tolist() == [[100.0]]
    assert cache.counts("k", array([[0, 100], [200, 310]]), sums).tolist() == [[105.0]]
    assert sums.asked[2:] == [(300, 310)]
    assert cache.counts("k", array([[0, 150], [200, 310]]), sums).tolist() == [[130.0]]
    assert sums.asked[3:] == [(0, 150), (200, 310)]
    assert cache.counts("k", array([0, 100]), sums).tolist() == [[50.0]]
    assert sums.asked[5:] == [(0, 100)]


def test_clearing_forgets_everything() -> None:
    cache, counter = CountCache(), Modulo()
    cache.counts("k", array([0, 10]), counter)
    cache.clear()
    assert cache.nbytes == 0
    cache.counts("k", array([0, 10]), counter)
    assert cache.offered == 20


def test_a_selection_that_moves_a_little_takes_its_large_entry_along() -> None:
    """Copying the 70 000 values would take longer than counting the 20 events that change."""

    class Large(Modulo):
        shape = (10_000, BINS)

        def __call__(self, ranges: np.ndarray, subtract: bool, out: np.ndarray) -> None:
            super().__call__(ranges, subtract, out[:1])

    cache, counter = CountCache(), Large()
    for begin in range(0, 200, 10):
        counts = cache.counts("plan", array([begin, begin + 100]), counter)
        expected = np.bincount(np.arange(begin, begin + 100) % BINS, minlength=BINS)
        assert counts[0].tolist() == expected.tolist()
        del counts
    assert cache.nbytes == 4 * 70_000
    assert cache.offered == 100 + 19 * 20
