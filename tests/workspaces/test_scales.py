"""Scales of events against a plain list of one number for each event."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces.arrays import AnyArray, GrowingArray
from livereduce.workspaces.scales import Scales, Steps

chunks = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 5), st.sampled_from([0.5, 2.0, np.inf]), st.booleans()), max_size=12
)


def step(a: int, scale: float) -> Steps:
    return Steps(np.array([a], np.int64), np.array([scale]))


@given(chunks, st.integers(0, 60), st.integers(0, 60), st.integers(0, 4))
def test_whoever_goes_on_from_wherever_finds_his_own_scales(
    chunks: list[tuple[int, int, float, bool]], one: int, two: int, begin: int
) -> None:
    """Each chunk follows what one of the last few was: so histories are shared, and parted from."""
    known = [(Scales.constant(4, 10, 3.0), [3.0] * 10)]
    for back, length, scale, moved in chunks:
        scales, expected = known[-1 - back % len(known)]
        a, b = len(expected), len(expected) + length
        if moved:  # as seen from a table that begins later
            scales = scales.moved(begin).followed(a - begin, b - begin, step(a - begin, scale)).moved(-begin)
        else:
            scales = scales.followed(a, b, step(a, scale))
        known.append((scales, [*expected, *[scale] * length]))
    for scales, expected in known:
        n = len(expected)
        a, b = sorted((min(max(one, 4), n), min(max(two, 4), n)))
        assert scales.of(np.arange(4, n)).tolist() == expected[4:]
        assert scales.over(a, b).tolist() == expected[a:b]
        if a < b:
            first, found = scales.steps(a, b)
            assert first[0] == a
            assert np.repeat(found, np.diff(first, append=b)).tolist() == expected[a:b]


@given(chunks, st.lists(st.integers(1, 4), min_size=2, max_size=12))
def test_ranges_are_cut_where_steps_begin_and_nowhere_else(
    chunks: list[tuple[int, int, float, bool]], lengths: list[int]
) -> None:
    scales, number, end = Scales.constant(0, 6, 3.0), [0] * 6, 6
    for k, (_, length, scale, _) in enumerate(chunks):
        scales = scales.followed(end, end + length, step(end, scale))
        number, end = [*number, *[k + 1] * length], end + length
    borders = np.cumsum([0, *lengths])
    ranges = np.minimum(borders[: len(borders) // 2 * 2].reshape(-1, 2), end)
    ranges = ranges[ranges[:, 0] < ranges[:, 1]]
    pieces, steps, found = scales.cut(ranges)
    covered = [event for a, b in pieces.tolist() for event in range(a, b)]
    assert covered == [event for a, b in ranges.tolist() for event in range(a, b)]
    of_piece = [{number[event] for event in range(a, b)} for a, b in pieces.tolist()]
    assert [of - {min(of)} for of in of_piece] == [set()] * len(pieces)  # of one step each
    assert [min(of) - number[int(ranges[0, 0])] for of in of_piece] == steps.tolist()
    assert found.tolist() == scales.of(pieces[:, 0]).tolist()


def test_what_is_appended_again_is_shared_and_what_is_appended_otherwise_is_not() -> None:
    scales = Scales.constant(0, 10, 1.0)
    first, again = (scales.followed(10, 20, step(10, 2.0)) for _ in range(2))
    other, longer = scales.followed(10, 20, step(10, 3.0)), scales.followed(10, 21, step(10, 2.0))
    assert first == again == scales
    assert len({first, other, longer}) == 3
    assert first.followed(20, 30, step(20, 5.0)) == first


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_steps_whose_append_was_interrupted_leave_no_trace(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scales = Scales.constant(0, 10, 1.0).followed(10, 20, step(10, 2.0))
    plain, done = GrowingArray.append, 0

    def append(self: GrowingArray, values: AnyArray) -> None:
        nonlocal done
        if done < calls:
            plain(self, values)
        done += 1
        if done >= max(calls, 1):
            raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(GrowingArray, "append", append)
        with pytest.raises(TimeoutError):
            scales.followed(20, 30, step(20, 7.0))
    again = scales.followed(20, 30, step(20, 5.0)).followed(30, 40, step(30, 3.0))
    assert again.over(0, 40).tolist() == np.repeat([1.0, 2.0, 5.0, 3.0], 10).tolist()
    assert again.of(np.arange(18, 32)).tolist() == [2.0] * 2 + [5.0] * 10 + [3.0] * 2
    pieces, _, scale = again.cut(np.array([[5, 25], [27, 40]]))
    assert pieces.tolist() == [[5, 10], [10, 20], [20, 25], [27, 30], [30, 40]]
    assert scale.tolist() == [1.0, 2.0, 5.0, 5.0, 3.0]


@pytest.mark.parametrize("begin", [0, 7])
def test_a_pulse_that_begins_before_the_first_step_has_its_scale(begin: int) -> None:
    scales = Scales.constant(10, 20, 2.0).followed(20, 30, step(20, 3.0)).moved(begin)
    assert scales.of(np.array([3, 10, 19, 20]) - begin).tolist() == [2.0, 2.0, 2.0, 3.0]
