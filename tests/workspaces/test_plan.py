from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces import EventTable, Part, Plan
from livereduce.workspaces.arrays import Column
from livereduce.workspaces.plan import joined
from livereduce.workspaces.ranges import merged_intervals

Make = Callable[..., EventTable]
intervals = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=8)


def inside(array: np.ndarray) -> set[int]:
    return {i for a, b in array.tolist() for i in range(a, b)}


def test_plans_made_apart_are_equal_when_their_contents_are() -> None:
    def make(last: float) -> Plan:
        factor = np.full(1000, 1e-3)
        factor[-1] = last
        return Plan(1000).in_unit("dSpacing", factor).grouped(np.arange(1000) % 4, 4).scaled(2.0)

    assert make(2e-3) == make(2e-3)
    assert hash(make(2e-3)) == hash(make(2e-3))
    assert make(2e-3) != make(3e-3)
    assert {make(2e-3): "found"}[make(2e-3)] == "found"


def test_count_key_leaves_out_scale_and_factors_only() -> None:
    plan = Plan(3).limited(1.0, 2.0).without_times([(5.0, 6.0)])
    weighed = plan.scaled(3.0).multiplied([[1.0], [2.0], [3.0]])
    assert weighed.count_key == plan
    assert weighed.count_key != Plan(3)


@given(intervals, intervals)
def test_selecting_twice_keeps_what_both_keep(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    table = EventTable(1)
    table.append(np.zeros(100), np.zeros(100), np.arange(100), np.arange(101), np.ones(100))
    part = Part(table, 10, 90, Plan(1)).selected(one).selected(two)
    expected = inside(merged_intervals(one)) & inside(merged_intervals(two)) & set(range(10, 90))
    assert inside(part.ranges) == expected


def test_a_plan_shares_the_arrays_of_an_equal_one_whatever_its_scale() -> None:
    one, two, other = (Plan(3).in_unit("dSpacing", [0.1, 0.2, f]).scaled(f) for f in (0.3, 0.3, 0.4))
    shared = two.scaled(5.0).sharing(one)
    assert shared.factor is one.factor
    assert (shared, shared.scale) == (two.scaled(5.0), 1.5)
    assert other.sharing(one) is other


def test_grouping_twice_sends_pixels_through_both_maps() -> None:
    plan = Plan(4).grouped([1, 0, -1, 1], 2).grouped([5, 3], 6)
    assert plan.group is not None
    assert plan.group.values.tolist() == [3, 5, -1, 3]
    assert plan.n_spectra == 6


def test_a_map_to_spectra_that_do_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="from -1 to 1"):
        Plan(3).grouped([0, 1, 2], 2)
    with pytest.raises(ValueError, match="2 targets for 3 spectra"):
        Plan(3).grouped([0, 1], 2)


def test_factors_multiply_with_their_variances() -> None:
    # 2 +- 0.5 times 3 +- 0.2: variance 0.25 * 9 + 4 * 0.04 = 2.41
    plan = Plan(1).multiplied([[2.0]], [[0.25]]).multiplied([[3.0]], [[0.04]])
    assert plan.factors is not None
    assert plan.factors.values.values.tolist() == [[6.0]]
    assert plan.factors.variances.values[0, 0] == pytest.approx(2.41)
    columns = Plan(2).multiplied([[2.0], [3.0]]).multiplied([[1.0, 10.0, 100.0]])
    assert columns.factors is not None
    assert columns.factors.values.values.tolist() == [[2, 20, 200], [3, 30, 300]]
    assert columns.factors.per_bin
    assert columns.factors.per_spectrum


def test_factors_of_spectra_follow_them_when_moved_or_dropped_and_go_to_the_events_when_summed() -> None:
    plan = Plan(3).multiplied([[2.0], [3.0], [4.0]], [[0.2], [0.3], [0.4]])
    moved = plan.grouped([1, -1, 0], 2)
    assert moved.factors is not None
    assert moved.factors.values.values.tolist() == [[4.0], [2.0]]
    assert moved.factors.variances.values.tolist() == [[0.4], [0.2]]
    summed = plan.grouped([0, 0, -1], 1)
    assert summed.factors is None
    assert [weighting.factors for weighting in summed.weightings] == [plan.factors]
    assert summed.weightings[0].shown == Plan(3)
    assert summed.event_key == Plan(3).grouped([0, 0, -1], 1)
    assert Plan(3).multiplied([[2.0]]).grouped([0, 0, 0], 1).factors is not None


def test_neighbouring_parts_with_equal_plans_become_one(make_table: Make) -> None:
    table, plan = make_table(100), Plan(20)
    parts = joined([Part(table, 0, 30, plan), Part(table, 30, 60, Plan(20)), Part(table, 60, 100, plan)])
    assert [(p.a, p.b) for p in parts] == [(0, 100)]


def test_parts_with_others_between_them_become_one_too(make_table: Make) -> None:
    table, one, two = make_table(100), Plan(20), Plan(20).without_times([(1, 2)])
    chunks = [Part(table, a, b, plan) for a, b in ((0, 30), (30, 60), (60, 100)) for plan in (one, two)]
    assert [(p.a, p.b, p.plan == one) for p in joined(chunks)] == [(0, 100, True), (0, 100, False)]
    twice = [Part(table, 0, 30, one), Part(table, 0, 30, one), Part(table, 30, 60, one), Part(table, 30, 60, one)]
    assert sum(p.b - p.a for p in joined(twice)) == 120


def test_parts_stay_apart_when_table_plan_or_place_differ(make_table: Make) -> None:
    table, other = make_table(100), make_table(100)
    parts = [
        Part(table, 0, 30, Plan(20)),
        Part(other, 30, 60, Plan(20)),
        Part(table, 30, 60, Plan(20).limited(1.0, 2.0)),
        Part(table, 70, 100, Plan(20)),
        Part(table, 100, 100, Plan(20)),
    ]
    assert joined(parts) == tuple(parts[:4])


def test_neighbours_scaled_each_by_a_number_become_one_that_knows_them(make_table: Make) -> None:
    table, plan = make_table(100), Plan(20)
    scaled = [Part(table, 10 * i, 10 * i + 10, plan.scaled(s)) for i, s in enumerate((2.0, 2.0, 3.0, 2.0))]
    (one,) = joined(scaled)
    assert (one.a, one.b, one.plan) == (0, 40, plan)
    assert [column.tolist() for column in one.steps] == [[0, 20, 30], [2.0, 3.0, 2.0]]
    (more,) = joined([one, Part(table, 40, 50, plan.scaled(5.0)).selected([])])
    assert [column.tolist() for column in more.steps] == [[0, 20, 30, 40], [2.0, 3.0, 2.0, 5.0]]
    assert more.ranges.tolist() == [[0, 40]]
    again = more.with_plan(plan.scaled(0.5))
    assert [column.tolist() for column in again.steps] == [[0, 20, 30, 40], [1.0, 1.5, 1.0, 2.5]]
    assert [column.tolist() for column in one.steps] == [[0, 20, 30], [2.0, 3.0, 2.0]]


def test_scaled_parts_are_joined_to_those_scaled_like_them_first(make_table: Make) -> None:
    table, plan = make_table(100), Plan(20)
    chunks = [Part(table, a, a + 30, plan.scaled(s)) for a in (0, 30, 60) for s in (1.0, -0.5)]
    found = joined(chunks)
    assert [(p.a, p.b, p.plan.scale, p.scales) for p in found] == [(0, 90, 1.0, None), (0, 90, -0.5, None)]
    both = [Part(table, a, a + 30, plan.scaled(s / (1 + a))) for a in (0, 30, 60) for s in (1.0, -0.5)]
    found = joined(joined([*joined(both[:2]), *both[2:4]]) + tuple(both[4:]))
    assert [p.steps.scale.tolist() for p in found] == [[1.0, 1 / 31, 1 / 61], [-0.5, -0.5 / 31, -0.5 / 61]]


def test_no_step_follows_parts_with_scales_that_were_scaled_again_or_that_end_within_a_pulse(make_table: Make) -> None:
    table, plan = make_table(100), Plan(20)  # a pulse of ten events each
    (one,) = joined([Part(table, 0, 10, plan), Part(table, 10, 20, plan.scaled(2.0))])
    for first in (one.with_plan(plan.scaled(3.0)), Part(table, 0, 15, plan)):
        second = Part(table, first.b, 30, plan.scaled(4.0))
        assert joined([first, second]) == (first, second)
    assert len(joined([Part(table, 0, 15, plan), Part(table, 15, 30, plan)])) == 1


def test_empty_parts_go_unless_there_is_nothing_else(make_table: Make) -> None:
    table = make_table(100)
    assert len(joined([Part(table, 0, 0, Plan(20)), Part(table, 0, 0, Plan(20))])) == 1
    assert [(p.a, p.b) for p in joined([Part(table, 5, 5, Plan(20)), Part(table, 0, 9, Plan(20))])] == [(0, 9)]


def test_a_changed_plan_keeps_the_selection(make_table: Make) -> None:
    part = Part(make_table(100), 0, 100, Plan(20)).selected([(0, 3_000_000_000)])
    assert part.ranges.tolist() == [[0, 30]]
    assert part.with_plan(part.plan.scaled(2.0)).ranges.tolist() == [[0, 30]]


def test_neighbours_with_selections_of_their_own_become_one_with_both(make_table: Make) -> None:
    table, second = make_table(100), 1_000_000_000
    parts = [
        Part(table, 0, 30, Plan(20)).selected([(second, 2 * second)]),
        Part(table, 30, 60, Plan(20)),
        Part(table, 60, 90, Plan(20)).selected([(0, 7 * second), (8 * second, 99 * second)]),
        Part(table, 90, 100, Plan(20)).selected([]),
    ]
    (one,) = joined(parts)
    assert (one.a, one.b, one.ranges.tolist()) == (0, 100, [[10, 20], [30, 70], [80, 90]])


def test_columns_compare_by_type_shape_and_content() -> None:
    assert Column(np.arange(3)) == Column(np.arange(3))
    assert Column(np.arange(3)) != Column(np.arange(3).astype(np.int32))
    assert Column(np.zeros((2, 3))) != Column(np.zeros((3, 2)))
    assert Column(np.array(1.0)) == Column(np.array(1.0))
    assert Column(np.zeros(0)) == Column(np.zeros(0))
    assert hash(Column(np.arange(3))) == hash(Column(np.arange(3)))
