import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces import EventTable
from livereduce.workspaces.ranges import (
    difference,
    intersection,
    layers,
    merged_intervals,
    places,
    selected_ranges,
    split,
    stretches,
    total,
)

intervals = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=8)


def inside(array: np.ndarray) -> list[int]:
    return [i for a, b in array.tolist() for i in range(a, b)]


@st.composite
def disjoint(draw: st.DrawFn) -> np.ndarray:
    borders = sorted(draw(st.sets(st.integers(0, 300), max_size=12)))
    return np.array(borders[: len(borders) // 2 * 2], np.int64).reshape(-1, 2)


@given(intervals)
def test_merged_intervals_cover_what_they_covered_and_are_disjoint(given_: list[tuple[int, int]]) -> None:
    found = merged_intervals(given_)
    assert inside(found) == sorted({i for a, b in given_ for i in range(a, b)})
    assert np.all(found[1:, 0] > found[:-1, 1])


@given(disjoint(), disjoint())
def test_difference_and_intersection_are_those_of_the_sets_of_events(a: np.ndarray, b: np.ndarray) -> None:
    assert inside(difference(a, b)) == sorted(set(inside(a)) - set(inside(b)))
    assert inside(intersection(a, b)) == sorted(set(inside(a)) & set(inside(b)))
    assert total(difference(a, b)) == len(set(inside(a)) - set(inside(b)))
    assert np.all(difference(a, b)[:, 0] < difference(a, b)[:, 1])


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(0, 61))
def test_selections_that_share_most_ranges_differ_in_what_they_do_not_share(
    some: set[int], others: set[int], upto: int
) -> None:
    """Pulses of two events with a gap between them: one selection has those of the other but for a few."""
    ours, theirs = some, {p for p in some if p < upto} | others
    a, b = (
        np.array([[3 * p, 3 * p + 2] for p in sorted(pulses)], np.int64).reshape(-1, 2) for pulses in (ours, theirs)
    )
    assert inside(difference(a, b)) == [i for p in sorted(ours - theirs) for i in (3 * p, 3 * p + 1)]
    assert inside(intersection(a, b)) == [i for p in sorted(ours & theirs) for i in (3 * p, 3 * p + 1)]
    few = a[:5]
    assert inside(intersection(few, b)) == inside(intersection(b, few)) == sorted(set(inside(few)) & set(inside(b)))


@given(st.lists(st.integers(-9, 99)), st.lists(st.integers(-9, 99)))
def test_places_are_those_of_a_search_one_by_one(values: list[int], wanted: list[int]) -> None:
    ascending, sought = np.array(sorted(values), np.int64), np.array(sorted(wanted), np.int64)
    assert places(ascending, sought).tolist() == [sum(v < w for v in values) for w in sorted(wanted)]


@given(intervals)
def test_layers_cover_every_event_as_often_as_the_ranges_do(given_: list[tuple[int, int]]) -> None:
    found = layers(np.array([r for r in given_ if r[0] < r[1]], np.int64).reshape(-1, 2))
    assert len(found) >= 1
    assert all(len(set(inside(layer))) == len(inside(layer)) for layer in found)
    assert sorted(i for layer in found for i in inside(layer)) == sorted(i for a, b in given_ for i in range(a, b))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=30),
    intervals,
    st.data(),
)
def test_selected_ranges_are_the_events_whose_pulse_is_in_an_interval_even_when_time_goes_back(
    pulses: list[tuple[int, int]], select: list[tuple[int, int]], data: st.DataObject
) -> None:
    time = [t for t, _ in pulses]
    start = np.concatenate([[0], np.cumsum([n for _, n in pulses])])
    table = EventTable(1)
    table.append(np.zeros(start[-1]), np.zeros(start[-1]), time, start, np.ones(len(time)))
    a = data.draw(st.integers(0, table.n))
    b = data.draw(st.integers(a, table.n))
    expected = {
        i
        for p, (t, _) in enumerate(pulses)
        for i in range(start[p], start[p + 1])
        if a <= i < b and any(t0 <= t < t1 for t0, t1 in select)
    }
    assert inside(selected_ranges(table.pulses, a, b, merged_intervals(select))) == sorted(expected)


@given(disjoint(), st.integers(1, 5))
def test_ranges_are_split_into_equal_numbers_in_order(ranges: np.ndarray, n: int) -> None:
    pieces = split(ranges, n)
    assert len(pieces) == n
    assert [i for piece in pieces for i in inside(piece)] == inside(ranges)
    sizes = [total(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1


@given(disjoint(), st.integers(1, 60))
def test_stretches_hold_every_event_under_the_number_of_its_stretch(some: np.ndarray, size: int) -> None:
    found = stretches(some, size)
    events = [(k, i) for k, part in found.items() for a, b in part.tolist() for i in range(a, b)]
    assert events == [(i // size, i) for a, b in some.tolist() for i in range(a, b)]
