import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces import TimeSeries
from livereduce.workspaces.ranges import merged_intervals

entries = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=15)


def series(pairs: list[tuple[int, int]]) -> TimeSeries:
    return TimeSeries("x", [t for t, _ in pairs], [float(v) for _, v in pairs])


def pairs_of(log: TimeSeries) -> list[tuple[int, float]]:
    return list(zip(log.time_ns.tolist(), log.value.tolist(), strict=True))


@given(entries, entries)
def test_merging_keeps_all_of_ours_and_those_of_theirs_that_are_new_in_order_of_time(
    ours: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    merged = series(ours).merged(series(theirs))
    new = [p for p in theirs if p not in ours]
    assert sorted(pairs_of(merged)) == sorted((t, float(v)) for t, v in ours + new)
    assert np.all(np.diff(merged.time_ns) >= 0)
    assert merged.total == sum(v for _, v in ours + new)


@given(st.lists(entries, max_size=8))
def test_a_series_extended_piece_by_piece_has_every_entry_and_the_right_total(
    pieces: list[list[tuple[int, int]]],
) -> None:
    whole = TimeSeries("x")
    before = []
    for piece in pieces:
        _ = whole.total  # known from here on, so it has to be carried along
        before.append((whole, pairs_of(whole)))
        whole = whole.extended([t for t, _ in piece], [float(v) for _, v in piece])
    everything = [p for piece in pieces for p in piece]
    assert sorted(pairs_of(whole)) == sorted((t, float(v)) for t, v in everything)
    assert whole.total == sum(v for _, v in everything)
    assert all(pairs_of(old) == was for old, was in before)


def test_appending_in_order_shares_the_entries_there_are() -> None:
    first = TimeSeries("x", np.arange(1000), np.arange(1000.0))
    grown = first.extended([1000], [1.0])
    for i in range(1001, 1010):
        grown = grown.extended([i], [1.0])
    assert np.shares_memory(grown.value, first.extended([], []).value) or np.shares_memory(
        grown.extended([2000], [1.0]).value, grown.value
    )
    assert first.size() == 1000


def test_merging_compares_only_the_overlap() -> None:
    class Counting(float):
        compared = 0

        def __hash__(self) -> int:
            Counting.compared += 1
            return super().__hash__()

    values = np.array([Counting(i) for i in range(10_000)], object)
    long = TimeSeries("x", np.arange(10_000), values)
    short = TimeSeries("x", np.arange(9_999, 10_050), np.array([Counting(i) for i in range(9_999, 10_050)], object))
    assert long.merged(short).size() == 10_050
    assert Counting.compared <= 4


def test_two_series_grown_from_the_same_entries_do_not_see_each_others() -> None:
    base = TimeSeries("x", [1], [1.0])
    one, two = base.extended([2], [2.0]), base.extended([2], [3.0])
    assert one.value.tolist() == [1.0, 2.0]
    assert two.value.tolist() == [1.0, 3.0]
    assert base.value.tolist() == [1.0]


def test_entries_out_of_order_are_sorted_and_equal_times_keep_their_order() -> None:
    log = TimeSeries("x", [3, 1, 2, 1], [30.0, 10.0, 20.0, 11.0])
    assert pairs_of(log) == [(1, 10.0), (1, 11.0), (2, 20.0), (3, 30.0)]
    assert pairs_of(log.extended([2], [21.0])) == [(1, 10.0), (1, 11.0), (2, 20.0), (2, 21.0), (3, 30.0)]


def test_values_may_be_text_numbers_or_truth() -> None:
    assert TimeSeries("s", [1, 2], ["on", "off!"]).value.tolist() == ["on", "off!"]
    assert TimeSeries("s", [1], ["a"]).extended([2], ["much longer"]).value.tolist() == ["a", "much longer"]
    assert TimeSeries("i", [1], [3]).value.dtype == np.int64
    assert TimeSeries("b", [1], [True]).value.dtype == np.bool_
    assert TimeSeries("i", [1], [3]).extended([2], [4.5]).value.tolist() == [3, 4.5]


def test_values_are_read_only_and_times_come_as_datetimes_too() -> None:
    log = TimeSeries("x", [1_000_000_000], [1.0])
    assert log.times[0] == np.datetime64("1970-01-01T00:00:01")
    assert log.lastTime() == log.firstTime() == log.nthTime(0)
    with pytest.raises(ValueError, match="read-only"):
        log.value[0] = 2.0


def test_the_value_at_a_time_is_the_last_one_set_before() -> None:
    log = TimeSeries("x", [10, 20], [1.0, 2.0])
    assert [log.value_at(t) for t in (0, 10, 19, 20, 99)] == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert (log.firstValue(), log.lastValue(), log.nthValue(1)) == (1.0, 2.0, 2.0)


def test_asking_an_empty_series_for_a_value_says_which_log_it_is() -> None:
    with pytest.raises(ValueError, match="log 'x' has no entries yet"):
        TimeSeries("x").lastValue()


def test_statistics_of_one_entry_are_that_entry() -> None:
    found = TimeSeries("x", [5], [3.0]).getStatistics()
    assert (found.mean, found.time_mean, found.minimum, found.maximum, found.duration) == (3.0, 3.0, 3.0, 3.0, 0.0)


def test_times_and_values_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match="2 times for 1 values"):
        TimeSeries("x", [1, 2], [1.0])


@given(
    st.lists(st.integers(0, 30), max_size=12),
    st.lists(st.tuples(st.integers(-5, 35), st.integers(-5, 35)), max_size=5),
)
def test_the_entries_within_intervals_are_those_at_or_after_a_start_and_before_its_stop(
    times: list[int], intervals: list[tuple[int, int]]
) -> None:
    merged = merged_intervals(intervals)
    found = TimeSeries("T", sorted(times), np.arange(len(times)), "K").within(merged)
    expected = [i for i, t in enumerate(sorted(times)) if any(a <= t < b for a, b in merged.tolist())]
    assert found.value.tolist() == expected
    assert (found.name, found.units) == ("T", "K")


@given(entries, st.lists(st.tuples(st.integers(-5, 25), st.integers(-5, 25)), max_size=5))
def test_the_sum_within_intervals_is_that_of_the_entries_in_them(
    pairs: list[tuple[int, int]], intervals: list[tuple[int, int]]
) -> None:
    merged = merged_intervals(intervals)
    expected = sum(v for t, v in pairs if any(a <= t < b for a, b in merged.tolist()))
    assert series(pairs).total_within(merged) == expected
    touching = np.array(
        [[a, m] for a, b in merged.tolist() for a, m in ((a, (a + b) // 2), ((a + b) // 2, b)) if a < m]
    )
    assert series(pairs).total_within(touching.reshape(-1, 2)) == expected


def test_whole_numbers_join_a_series_of_real_ones_without_copying_it() -> None:
    log = TimeSeries("x", np.arange(100), np.arange(100.0)).extended([100], [7])
    again = log.extended([101], [8])
    assert again.value.dtype == np.float64
    assert again.value[-2:].tolist() == [7.0, 8.0]
    assert np.shares_memory(again.value, again.extended([102], [9]).value)  # there is room since it has grown
    assert TimeSeries("x", [1], [1]).extended([2], [2.5]).value.tolist() == [1.0, 2.5]


def test_what_is_new_behind_the_repeated_entry_is_added_with_its_total() -> None:
    log = TimeSeries("x", [1, 2, 3], [1.0, 2.0, 3.0])
    assert log.total == 6.0
    merged = log.merged(TimeSeries("x", [3, 4, 5], [3.0, 4.0, 5.0], "K"))
    assert (pairs_of(merged), merged.total, merged.units) == ([(i, float(i)) for i in range(1, 6)], 15.0, "K")
    other = log.merged(TimeSeries("x", [3, 4], [3.5, 4.0]))
    assert pairs_of(other) == [(1, 1.0), (2, 2.0), (3, 3.0), (3, 3.5), (4, 4.0)]
