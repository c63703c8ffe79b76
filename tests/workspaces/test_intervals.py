import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces import Intervals

pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


def covered(*lists: list[tuple[int, int]]) -> set[int]:
    """The unit steps that the intervals cover: each interval [a, b) of whole numbers is b - a of them."""
    return {step for intervals in lists for a, b in intervals for step in range(a, b)}


def steps(intervals: Intervals) -> set[int]:
    return covered([(int(a), int(b)) for a, b in intervals.array])


@given(st.lists(pairs, max_size=5))
def test_what_is_joined_piece_by_piece_is_covered_once(pieces: list[list[tuple[int, int]]]) -> None:
    whole = Intervals()
    for piece in pieces:
        before = whole, steps(whole)
        whole = whole.joined(Intervals(piece))
        assert steps(before[0]) == before[1]
    assert steps(whole) == covered(*pieces)
    assert whole.seconds == len(covered(*pieces)) / 1e9
    assert np.all(whole.array[1:, 0] > whole.array[:-1, 1])  # apart, and in order


@given(pairs, pairs)
def test_parts_in_and_outside_others_make_up_the_whole(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    a, b = Intervals(one), Intervals(other)
    assert steps(a.within(b.array)) == covered(one) & covered(other)
    assert steps(a.without(b)) == covered(one) - covered(other)


def test_intervals_that_meet_become_one_and_what_was_before_stays() -> None:
    first = Intervals([[0, 10], [20, 30]])
    grown = first.joined(Intervals([[30, 40]]))
    other = first.joined(Intervals([[35, 45], [50, 60]]))
    assert grown.array.tolist() == [[0, 10], [20, 40]]
    assert other.array.tolist() == [[0, 10], [20, 30], [35, 45], [50, 60]]
    assert first.array.tolist() == [[0, 10], [20, 30]]
    assert (grown.span, Intervals().span) == ((0, 40), None)
    assert (len(first), len(Intervals([[3, 3]]))) == (2, 0)


def test_joining_what_comes_later_shares_what_there_is() -> None:
    many = Intervals([[2 * i, 2 * i + 1] for i in range(1000)])
    grown = many.joined(Intervals([[5000, 5001]])).joined(Intervals([[6000, 6001]]))
    again = grown.joined(Intervals([[7000, 7001]]))
    assert np.shares_memory(grown._closed.time_ns, again._closed.time_ns)
