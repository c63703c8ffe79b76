"""Event workspaces: values against slow numpy, and what an update costs."""

from collections.abc import Callable
from itertools import pairwise
from operator import methodcaller
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.workspaces import (
    Curve,
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
)
from livereduce.workspaces.compression import Compression

Make = Callable[..., EventTable]
Slow = Callable[..., np.ndarray]
EDGES = np.arange(0.0, 20_001.0, 500.0)
N_PIXELS = 20


def detectors(n: int = N_PIXELS) -> Detectors:
    return Detectors(np.arange(100, 100 + n))


def workspace(table: EventTable, a: int = 0, b: int | None = None, **options: Any) -> EventWorkspace:
    n = table.n_pixels
    return EventWorkspace.from_table(table, a, table.n if b is None else b, detectors(n), **options)


def summed(ws: EventWorkspace) -> EventWorkspace:
    one = Spectra([1], ws.spectra.ids, [0, len(ws.spectra.ids)])
    return ws.planned(lambda p: p.grouped(np.zeros(p.n_spectra), 1), spectra=one)


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_a_table_is_shown_as_a_spectrum_per_detector_that_is_no_monitor() -> None:
    table = EventTable(4)
    table.append([10, 20, 30, 40, 50], [0, 1, 2, 3, 3], [0], [0, 5], [1.0])
    ws = EventWorkspace.from_table(table, 0, 5, Detectors([7, -1, 9, 8], [False, True, False, False]), Run())
    assert ws.n_spectra == 3
    assert ws.spectra.numbers.tolist() == [1, 2, 3]
    assert [ws.spectra.detector_ids(i).tolist() for i in range(3)] == [[7], [9], [8]]
    assert ws.y.tolist() == [[1.0], [1.0], [2.0]]
    assert ws.number_events() == 4


def test_default_binning_is_one_bin_that_covers_all_events_and_grows_with_them() -> None:
    table = EventTable(2)
    table.append([105, 300], [0, 1], [0], [0, 2], [1.0])
    ws = workspace(table)
    assert ws.readX(0).tolist() == [10.5, np.nextafter(30.0, 31.0)]
    assert ws.y.tolist() == [[1.0], [1.0]]
    assert (ws.getTofMin(), ws.getTofMax()) == (10.5, 30.0)
    table.append([900], [1], [1], [0, 1], [1.0])
    grown = ws.plus(workspace(table, 2, 3))
    assert grown.readX(0).tolist() == [10.5, np.nextafter(90.0, 91.0)]
    assert grown.y.tolist() == [[1.0], [2.0]]
    assert ws.y.tolist() == [[1.0], [1.0]]


def test_a_workspace_without_events_has_spectra_one_bin_and_no_counts(make_table: Make) -> None:
    ws = workspace(make_table(0))
    assert ws.y.tolist() == [[0.0]] * N_PIXELS
    assert ws.readX(3).tolist() == pytest.approx([0.0, 1.0])
    assert ws.number_events() == 0
    assert ws.replaced(edges=EDGES).y.sum() == 0


def test_an_event_workspace_shows_a_snapshot_of_its_table(make_table: Make) -> None:
    table = make_table(1000)
    ws = workspace(table, edges=EDGES)
    before = ws.y.copy()
    table.append([50] * 10, [0] * 10, [0], [0, 10], [1.0])
    ws.clearMRU()
    assert np.array_equal(ws.y, before)
    assert ws.number_events() == 1000


def test_number_of_events_counts_those_outside_the_bins_but_not_those_filtered_out(make_table: Make) -> None:
    ws = workspace(make_table(1000), edges=[0.0, 1000.0])
    assert ws.y.sum() < 200
    assert ws.number_events() == 1000
    filtered = ws.planned(lambda p: p.limited(0.0, 1000.0))
    tof = np.concatenate([tof for tof, _ in ws.tables[0].pieces(0, 1000)])
    assert filtered.number_events() == np.count_nonzero(tof <= 10_000)
    masked = ws.planned(lambda p: p.grouped(np.where(np.arange(N_PIXELS) == 3, -1, np.arange(N_PIXELS)), N_PIXELS))
    assert masked.events_per_spectrum()[3] == 0
    assert masked.number_events() == 1000 - ws.events_per_spectrum()[3]


def test_extent_is_in_the_present_unit_and_of_the_events_kept(make_table: Make, columns: Any) -> None:
    table = make_table(2000, zero_ticks=30)
    tof, pix, _ = columns(table)
    time = (tof.astype(float) - 30) * 0.1
    factor = np.linspace(1e-4, 3e-4, N_PIXELS)
    ws = workspace(table).planned(lambda p: p.in_unit("dSpacing", factor))
    assert ws.tof_range() == ((time * factor[pix]).min(), (time * factor[pix]).max())
    energy = workspace(table).planned(lambda p: p.in_unit("Energy", factor, None, Curve(-2)))
    y = (time * factor[pix])[time > 0]
    assert energy.tof_range() == ((1 / (y * y)).min(), (1 / (y * y)).max())
    some = workspace(table).planned(lambda p: p.limited(100.0, 200.0))
    kept = time[(time >= 100) & (time <= 200)]
    assert some.tof_range() == (kept.min(), kept.max())


def test_rows_read_one_by_one_equal_the_whole(make_table: Make) -> None:
    plan = (
        Plan(N_PIXELS).scaled(0.5).multiplied(np.linspace(1, 2, N_PIXELS).reshape(-1, 1), np.full((N_PIXELS, 1), 0.1))
    )
    table = make_table(3000)
    parts = [Part(table, 0, 2000, plan), Part(table, 2000, 3000, plan.scaled(-1.0))]
    rows, whole = (EventWorkspace(parts, detectors(), Run(), edges=EDGES) for _ in range(2))
    read = [(rows.readY(i), rows.readE(i)) for i in range(N_PIXELS)]
    assert np.array_equal([y for y, _ in read], whole.y)
    assert np.array_equal([e for _, e in read], whole.e)
    with pytest.raises(ValueError, match="read-only"):
        rows.readY(0)[0] = 1.0


# -- arithmetic -------------------------------------------------------------------------------------------------------


def test_unweighted_counts_have_their_number_as_variance(make_table: Make) -> None:
    ws = workspace(make_table(5000), edges=EDGES)
    assert np.array_equal(ws.e2, ws.y)
    assert ws.getMemorySize() == ws.y.nbytes
    histogram = ws.to_histogram()
    histogram.dataY(0)[:] = 0.0
    assert np.array_equal(histogram.e2, ws.y)


def test_a_scale_multiplies_values_and_its_square_variances() -> None:
    table = EventTable(1)
    table.append([10] * 9, [0] * 9, [0], [0, 9], [1.0])
    ws = workspace(table, edges=[0.0, 10.0]).planned(lambda p: p.scaled(0.5))
    assert ws.y.tolist() == [[4.5]]
    assert ws.e2.tolist() == [[2.25]]
    assert ws.readE(0).tolist() == [1.5]


def test_factors_with_errors_give_what_dense_error_propagation_gives() -> None:
    # 9 counts +- 3 times 2 +- 0.5: y = 18, variance = 9 * 4 + 81 * 0.25 = 56.25
    table = EventTable(1)
    table.append([10] * 9, [0] * 9, [0], [0, 9], [1.0])
    ws = workspace(table, edges=[0.0, 10.0]).planned(lambda p: p.multiplied([[2.0]], [[0.25]]))
    assert ws.y.tolist() == [[18.0]]
    assert ws.e2.tolist() == [[56.25]]
    assert ws.planned(lambda p: p.scaled(-2.0)).e2.tolist() == [[225.0]]


def test_factors_per_spectrum_and_bin_belong_to_their_spectrum_and_bin() -> None:
    table = EventTable(2)
    table.append([5, 15, 15, 5], [0, 0, 1, 1], [0], [0, 4], [1.0])
    ws = workspace(table, edges=[0.0, 1.0, 2.0])
    assert ws.y.tolist() == [[1, 1], [1, 1]]
    by_row = ws.planned(lambda p: p.multiplied([[2.0], [3.0]]))
    by_bin = ws.planned(lambda p: p.multiplied([[2.0, 5.0]]))
    both = ws.planned(lambda p: p.multiplied([[1.0, 2.0], [3.0, 4.0]]))
    assert by_row.y.tolist() == [[2, 2], [3, 3]]
    assert by_bin.y.tolist() == [[2, 5], [2, 5]]
    assert both.y.tolist() == [[1, 2], [3, 4]]


def test_factors_per_bin_follow_the_bins_of_a_falling_unit() -> None:
    table = EventTable(1)
    table.append([10, 10, 20], [0, 0, 0], [0], [0, 3], [1.0])  # 1/t: 1, 1, 0.5 per us
    q = (
        workspace(table)
        .planned(lambda p: p.in_unit("MomentumTransfer", 1.0, None, Curve(-1)))
        .replaced(edges=[0.25, 0.75, 1.25])
    )
    assert q.y.tolist() == [[1, 2]]
    assert q.planned(lambda p: p.multiplied([[10.0, 1.0]])).y.tolist() == [[10, 2]]


def test_events_weighted_by_bin_keep_the_weight_of_their_bin_in_others(make_table: Make) -> None:
    # two events in the first bin, one in the second, one in none: weights 2, 2, 10 and 0; variances 4, 4, 100 and 0
    table = EventTable(1)
    table.append([5, 9, 12, 25], [0] * 4, [0], [0, 4], [1.0])
    ws = workspace(table, edges=[0.0, 1.0, 2.0]).planned(lambda p: p.multiplied([[2.0, 10.0]]))
    assert (ws.y.tolist(), ws.e2.tolist()) == ([[4, 10]], [[8, 100]])
    other = ws.replaced(edges=[0.0, 0.6, 1.3, 3.0])
    assert (other.y.tolist(), other.e2.tolist()) == ([[2, 12, 0]], [[4, 104, 0]])
    whole = ws.replaced(edges=None)
    assert (whole.y.tolist(), whole.e2.tolist(), whole.number_events()) == ([[14]], [[108]], 4)
    ws.setX(0, [0.0, 1.25])
    assert ws.y.tolist() == [[14]]
    assert np.array_equal(ws.plus(ws.clone()).y, 2 * ws.y)


def test_events_weighted_by_bin_can_be_added_to_others_in_other_bins() -> None:
    table = EventTable(1)
    table.append([5, 15], [0, 0], [0], [0, 2], [1.0])
    weighted = workspace(table, edges=[0.0, 1.0, 2.0]).planned(lambda p: p.multiplied([[3.0, 7.0]]))
    both = workspace(table, edges=[0.0, 0.7, 0.8, 2.0]).plus(weighted, subtract=True)
    assert (both.y.tolist(), both.e2.tolist()) == ([[-2, 0, -6]], [[10, 0, 50]])


def test_an_error_of_a_factor_is_shared_in_its_own_bins_and_of_each_event_alone_in_others() -> None:
    # 3 events times 2 +- 0.5: in their bin 3 * 4 + 9 * 0.25, in others 3 * (4 + 0.25)
    table = EventTable(1)
    table.append([5, 6, 7], [0] * 3, [0], [0, 3], [1.0])
    ws = workspace(table, edges=[0.0, 1.0, 2.0]).planned(lambda p: p.multiplied([[2.0, 1.0]], [[0.25, 0.0]]))
    assert ws.e2.tolist() == [[14.25, 0.0]]
    assert ws.replaced(edges=[0.0, 5.0]).e2.tolist() == [[12.75]]


def test_spectra_with_factors_of_their_own_can_be_summed() -> None:
    table = EventTable(2)
    table.append([5, 6, 7], [0, 0, 1], [0], [0, 3], [1.0])
    ws = workspace(table, edges=[0.0, 1.0]).planned(lambda p: p.multiplied([[2.0], [0.5]]).scaled(10.0))
    one = summed(ws)
    assert (one.y.tolist(), one.e2.tolist()) == ([[45]], [[825]])
    assert one.replaced(edges=[0.0, 0.55, 0.65]).y.tolist() == [[20, 20]]


def test_factors_in_bins_of_each_spectrum_go_with_the_events_when_spectra_are_moved() -> None:
    # spectrum 0 has bins [0, 1, 2) and spectrum 1 [0, 2, 4), both with factors 3 and 7
    table = EventTable(2)
    table.append([5, 15, 5, 15, 25], [0, 0, 1, 1, 1], [0], [0, 5], [1.0])
    ws = workspace(table, edges=[[0.0, 1.0, 2.0], [0.0, 2.0, 4.0]]).planned(lambda p: p.multiplied([[3.0, 7.0]]))
    assert ws.y.tolist() == [[3, 7], [6, 7]]
    turned = ws.planned(lambda p: p.grouped([1, 0], 2), edges=[[0.0, 2.0, 4.0], [0.0, 1.0, 2.0]])
    assert turned.y.tolist() == [[6, 7], [3, 7]]
    assert summed(ws).replaced(edges=[0.0, 1.0, 4.0]).y.tolist() == [[6, 17]]
    masked = ws.planned(lambda p: p.grouped([-1, 1], 2))
    assert masked.plan.factors == ws.plan.factors
    assert masked.y.tolist() == [[0, 0], [6, 7]]


def test_weights_given_in_one_unit_stay_with_the_events_in_another() -> None:
    # Q = 1/t: events at 1 and 2 us have Q 1 and 0.5; factors 3 for Q in [0.25, 0.75), 7 in [0.75, 1.25)
    table = EventTable(1)
    table.append([10, 20], [0, 0], [0], [0, 2], [1.0])
    q = workspace(table).planned(lambda p: p.in_unit("MomentumTransfer", 1.0, None, Curve(-1)))
    q = q.replaced(edges=[0.25, 0.75, 1.25]).planned(lambda p: p.multiplied([[3.0, 7.0]]))
    back = q.planned(lambda p: p.in_unit("TOF", None), edges=[0.5, 1.5, 2.5])
    assert back.y.tolist() == [[7, 3]]


def test_an_update_of_weighted_events_offers_only_the_new_ones_to_the_kernels(make_table: Make) -> None:
    table = make_table(0)
    rng = np.random.default_rng(1)
    accumulated = workspace(table)
    factors = rng.random((N_PIXELS, 4)) + 0.5
    for chunk in range(20):
        a, b = table.append(rng.integers(0, 200_000, 1000), rng.integers(0, N_PIXELS, 1000), [chunk], [0, 1000], [1.0])
        accumulated = accumulated.plus(workspace(table, a, b))
        before = table.cache.offered
        result = accumulated.replaced(edges=[0.0, 3000.0, 5000.0, 15_000.0, 20_000.0])
        result = summed(result.planned(lambda p: p.multiplied(factors))).replaced(edges=EDGES)
        assert result.y.sum() > 0
        assert table.cache.offered - before == 1000
    table.cache.clear()
    assert np.array_equal(result.y, result.clone().replaced(edges=EDGES).y)


def test_adding_chunks_of_a_table_keeps_one_part(make_table: Make) -> None:
    table = make_table(1000)
    total = workspace(table, 0, 100)
    for a in range(100, 1000, 100):
        total = total.plus(workspace(table, a, a + 100))
    assert [(p.a, p.b) for p in total.parts] == [(0, 1000)]
    assert np.array_equal(total.replaced(edges=EDGES).y, workspace(table, edges=EDGES).y)


def test_a_sum_keeps_the_bins_of_the_left_side(make_table: Make) -> None:
    table = make_table(1000)
    both = workspace(table, 0, 500, edges=EDGES).plus(workspace(table, 500, 1000, edges=[0.0, 1.0]))
    assert both.readX(0).tolist() == EDGES.tolist()
    assert len(both.parts) == 1


def test_adding_a_workspace_to_itself_counts_every_event_twice(make_table: Make) -> None:
    ws = workspace(make_table(1000), edges=EDGES)
    twice = ws.plus(ws)
    assert np.array_equal(twice.y, 2 * ws.y)
    assert np.array_equal(twice.e2, 2 * ws.e2)
    assert twice.number_events() == 2000


def test_subtracting_adds_events_of_weight_minus_one(make_table: Make) -> None:
    one, two = workspace(make_table(3000, seed=1), edges=EDGES), workspace(make_table(2000, seed=2), edges=EDGES)
    difference = one.plus(two, subtract=True)
    assert np.array_equal(difference.y, one.y - two.y)
    assert np.array_equal(difference.e2, one.y + two.y)
    assert difference.number_events() == 5000
    assert not one.plus(one, subtract=True).y.any()


def test_parts_with_different_units_or_spectra_cannot_be_joined(make_table: Make) -> None:
    ws = workspace(make_table(100))
    with pytest.raises(ValueError, match="differ in their spectra or unit"):
        ws.plus(ws.planned(lambda p: p.in_unit("dSpacing", 1e-3)))
    with pytest.raises(ValueError, match="differ in their spectra or unit"):
        ws.plus(summed(ws))


# -- updates cost what is new -----------------------------------------------------------------------------------------


def test_an_update_after_many_chunks_offers_only_the_new_events_to_the_kernels(make_table: Make) -> None:
    table = make_table(0)
    rng = np.random.default_rng(1)
    accumulated = workspace(table)
    for chunk in range(50):
        a, b = table.append(rng.integers(0, 200_000, 1000), rng.integers(0, N_PIXELS, 1000), [chunk], [0, 1000], [1.0])
        accumulated = accumulated.plus(workspace(table, a, b))
        before = table.cache.offered
        result = summed(accumulated).replaced(edges=EDGES)  # what a post script does, anew at every update
        assert result.y.sum() == result.to_histogram().y.sum()
        assert result.planned(lambda p: p.scaled(1 / 7)).y.sum() == pytest.approx(result.y.sum() / 7)
        assert table.cache.offered - before == 1000
    assert np.array_equal(result.y, workspace(table, edges=EDGES).y.sum(axis=0, keepdims=True))


def test_default_binning_and_number_of_events_cost_only_the_new_events_as_well(make_table: Make) -> None:
    table = make_table(0)
    accumulated = workspace(table)
    for chunk in range(20):
        a, b = table.append(np.arange(500) + chunk, np.arange(500) % N_PIXELS, [chunk], [0, 500], [1.0])
        accumulated = accumulated.plus(workspace(table, a, b))
        before = table.cache.offered
        assert accumulated.y.sum() == accumulated.number_events() == 500 * (chunk + 1)
        assert accumulated.getTofMax() == pytest.approx((499 + chunk) * 0.1)
        assert table.cache.offered - before == 1000  # counted once, measured once


def test_a_changed_pulse_selection_costs_the_events_that_came_in_and_went_out(
    make_table: Make, slow_counts: Slow
) -> None:
    table = make_table(10_000)  # pulses of 10 events, 1 s apart
    second = 1_000_000_000
    ws = workspace(table, edges=EDGES)
    assert ws.selected([(0, 500 * second)]).y.sum() == pytest.approx(5000, rel=0.01)
    before = table.cache.offered
    window = [(100 * second, 510 * second)]
    assert np.array_equal(ws.selected(window).y, slow_counts(table, ws.plan, EDGES, selections=[window]))
    assert table.cache.offered - before == 1100


def test_chunks_with_selections_of_their_own_are_counted_together(make_table: Make, slow_counts: Slow) -> None:
    table = make_table(10_000)
    second = 1_000_000_000
    total, expected = None, np.zeros((N_PIXELS, len(EDGES) - 1))
    for chunk in range(10):
        a, b, t = chunk * 1000, chunk * 1000 + 1000, chunk * 100 * second
        window = [(t, t + 30 * second)]
        one = workspace(table, a, b, edges=EDGES).selected(window)
        total = one if total is None else total.plus(one)
        expected += slow_counts(table, one.plan, EDGES, a, b, [window])
        before = table.cache.offered
        assert np.array_equal(total.y, expected)
        assert table.cache.offered - before == 300
    assert total is not None
    assert len(total.parts) == 1


def test_chunks_scaled_each_by_its_own_charge_are_changed_once_for_all_and_share_arrays(make_table: Make) -> None:
    table = make_table(300)
    total, asked = None, []
    for chunk in range(30):  # with a gap after each, so that they stay apart
        one = workspace(table, 10 * chunk, 10 * chunk + 9).planned(
            lambda p, s=0.5 + chunk: p.in_unit("dSpacing", np.linspace(1.0, 2.0, N_PIXELS)).scaled(s)  # type: ignore[misc]
        )
        total = one if total is None else total.plus(one)
    assert total is not None

    def change(plan: Plan) -> Plan:
        asked.append(plan)
        return plan.scaled(2.0)

    changed = total.planned(change)
    assert len(asked) == 1
    assert [part.plan.scale for part in changed.parts] == [2.0 * (0.5 + chunk) for chunk in range(30)]
    assert len({id(part.plan.factor) for part in changed.parts}) == 1


def test_chunks_scaled_each_by_its_own_charge_cost_only_the_last_of_them(make_table: Make, slow_counts: Slow) -> None:
    table = make_table(0)
    rng = np.random.default_rng(1)
    total, y, e2 = None, np.zeros((N_PIXELS, len(EDGES) - 1)), np.zeros((N_PIXELS, len(EDGES) - 1))
    for chunk in range(40):
        a, b = table.append(rng.integers(0, 200_000, 300), rng.integers(0, N_PIXELS, 300), [chunk], [0, 300], [1.0])
        scale = 1 / (1 + chunk)
        one = workspace(table, a, b, edges=EDGES).planned(lambda p, s=scale: p.scaled(s))  # type: ignore[misc]
        total = one if total is None else total.plus(one)
        before = table.cache.offered
        counts = slow_counts(table, Plan(N_PIXELS), EDGES, a, b)
        y, e2 = y + scale * counts, e2 + scale**2 * counts
        assert total.replaced(edges=EDGES).y == pytest.approx(y, rel=1e-13)
        assert total.replaced(edges=EDGES).e2 == pytest.approx(e2, rel=1e-13)
        if chunk > 9:
            assert table.cache.offered - before <= 4 * 300
    assert total is not None
    in_one_go = total.replaced(edges=EDGES)
    table.cache.clear()
    assert np.array_equal(total.replaced(edges=EDGES).y, in_one_go.y)
    assert total.number_events() == 40 * 300


def scaled_chunks(table: EventTable, borders: list[int], scales: list[float]) -> EventWorkspace:
    chunks = [workspace(table, a, b, edges=EDGES) for a, b in pairwise(borders)]
    first, *others = (ws.planned(lambda p, s=s: p.scaled(s)) for ws, s in zip(chunks, scales, strict=True))  # type: ignore[misc]
    for other in others:
        first = first.plus(other)
    return first


def test_sums_of_scaled_chunks_are_the_same_to_the_last_bit_however_they_came(make_table: Make) -> None:
    table = make_table(6000)
    # 40 bins of 20 spectra: of chunks of some hundred events each is counted, of less each is weighed
    borders, scales = [0, 10, 3000, 3010, 3030, 5000, 5010, 6000], [1 / 3, 1 / 7, 1 / 7, 0.1, 0.3, 1 / 11, 0.7]
    for n in range(2, len(borders)):
        grown = scaled_chunks(table, borders[:n], scales[: n - 1])
        y, e2 = grown.y, grown.e2
    assert len(grown.parts) == 1
    table.cache.clear()
    grown.clearMRU()
    assert np.array_equal(grown.y, y)
    assert np.array_equal(grown.e2, e2)


def test_a_chunk_of_infinite_weight_leaves_what_it_has_no_events_in(make_table: Make, slow_counts: Slow) -> None:
    table = make_table(6000)
    ws = scaled_chunks(table, [0, 3000, 3200, 6000], [2.0, np.inf, 3.0])
    before, there, after = (
        slow_counts(table, Plan(N_PIXELS), EDGES, a, b) for a, b in ((0, 3000), (3000, 3200), (3200, 6000))
    )
    assert np.array_equal(ws.y, np.where(there > 0, np.inf, 2 * before + 3 * after))
    assert np.array_equal(ws.e2, np.where(there > 0, np.inf, 4 * before + 9 * after))
    assert sorted(set(ws.getSpectrum(3).getWeights())) == [2.0, 3.0, np.inf]


def test_long_lists_that_begin_with_chunks_scaled_otherwise_are_summed_apart(make_table: Make) -> None:
    table = make_table(300)
    windows = [Part(table, 0, 300, Plan(N_PIXELS).limited(0.0, 1000.0 * k)) for k in range(1, 12)]
    one, other = (scaled_chunks(table, [0, 100, 300], [1.0, scale]) for scale in (2.0, 5.0))
    with_windows = [ws.replaced(parts=[*ws.parts, *windows]) for ws in (one, other)]
    assert [len(ws.terms) for ws in with_windows] == [12, 12]
    difference = with_windows[1].y - with_windows[0].y
    assert np.array_equal(difference, 3 * workspace(table, 100, 300, edges=EDGES).y)


def test_events_of_scaled_chunks_weigh_each_its_own_wherever_one_asks(make_table: Make) -> None:
    table = make_table(400, 2)
    ws = scaled_chunks(table, [0, 100, 250, 400], [2.0, 3.0, 5.0])
    (tof, pix), *_ = table.pieces(0, 400)
    scale = np.repeat([2.0, 3.0, 5.0], [100, 150, 150])
    assert len(ws.parts) == 1
    for index in (0, 1):
        events = ws.getSpectrum(index).events()
        assert events.x.tolist() == (tof[pix == index] * 0.1).tolist()
        assert events.weight.tolist() == scale[pix == index].tolist()
        assert events.variance.tolist() == (scale[pix == index] ** 2).tolist()
    selected = ws.selected([(5 * 10**9, 15 * 10**9)])  # pulses 5 to 14: events 50 to 149
    assert sorted(selected.getSpectrum(0).getWeights()) == sorted(scale[50:150][pix[50:150] == 0])
    compressed = ws.replaced(compression=Compression(1e6, "TOF"))
    assert compressed.getNumberEvents() == 2
    assert compressed.getSpectrum(1).getWeights().tolist() == [scale[pix == 1].sum()]
    assert sorted(ws.to_scipp(events=True)["spectrum", 1].value.values) == sorted(scale[pix == 1])


@pytest.mark.parametrize("length", [90, 100])
def test_long_lists_of_scaled_chunks_that_differ_in_the_middle_are_summed_apart(make_table: Make, length: int) -> None:
    table = make_table(3000)

    def total(scales: list[float]) -> EventWorkspace:
        parts = [Part(table, 100 * i, 100 * i + length, Plan(N_PIXELS).scaled(s)) for i, s in enumerate(scales)]
        return EventWorkspace(parts, detectors(), Run(), edges=EDGES)

    scales = [float(i) for i in range(1, 21)]
    other = [1.0, 2.0, 50.0, *scales[3:]]
    difference = total(other).y - total(scales).y
    assert len(total(scales).parts) == (1 if length == 100 else 20)
    assert np.array_equal(difference, 47 * workspace(table, 200, 200 + length, edges=EDGES).y)
    assert np.array_equal(total(scales[:15]).y, total(scales).y - total([0.0] * 15 + scales[15:]).y)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 60), st.integers(0, 1000)),
        st.tuples(st.just("select"), st.integers(0, 80), st.integers(0, 80)),
        st.tuples(st.just("scale"), st.sampled_from([0.5, 2.0, -1.0, 0.0]), st.just(0)),
        st.tuples(st.just("minus"), st.integers(0, 100), st.integers(0, 100)),
        st.tuples(st.just("again"), st.just(0), st.just(0)),
        st.tuples(st.just("limit"), st.integers(0, 15_000), st.integers(0, 20_000)),
        st.tuples(st.just("reset"), st.just(0), st.just(0)),
        st.tuples(st.just("forget"), st.sampled_from([0, 700, 1 << 30]), st.just(0)),
    ),
    max_size=14,
)


@pytest.mark.parametrize("n_chunks", [2, 8, 9, 30])
def test_chunks_of_different_weight_share_the_error_of_a_factor_that_all_have(n_chunks: int) -> None:
    table = EventTable(1)
    ws = None
    for k in range(1, n_chunks + 1):  # chunk k: two events in the first bin, each of weight k
        a, b = table.append([5, 6], [0, 0], [k], [0, 2], [1.0])
        chunk = workspace(table, a, b, edges=[0.0, 1.0, 2.0]).planned(methodcaller("scaled", k))
        ws = chunk if ws is None else ws.plus(chunk)
        # values 3 and 7 with variances 0.25 and 1, for all chunks there are so far
        divided = ws.planned(lambda p: p.multiplied([[3.0, 7.0]], [[0.25, 1.0]]))
        weight, variance = sum(2 * j for j in range(1, k + 1)), sum(2 * j**2 for j in range(1, k + 1))
        assert divided.y.tolist() == [[3.0 * weight, 0.0]]
        assert divided.e2.tolist() == [[9.0 * variance + 0.25 * weight**2, 0.0]]
        assert divided.readE(0) ** 2 == pytest.approx(divided.e2[0])


def test_factors_that_differ_have_errors_of_their_own() -> None:
    table = EventTable(1)
    ws = None
    for k in range(12):  # ten counts each, times 2 with variance 1 in every third chunk, times 3 with variance 4 else
        a, b = table.append([5] * 10, [0] * 10, [k], [0, 10], [1.0])
        factor, variance = (2.0, 1.0) if k % 3 == 0 else (3.0, 4.0)
        chunk = workspace(table, a, b, edges=[0.0, 1.0]).planned(methodcaller("scaled", 1 + k))
        chunk = chunk.planned(methodcaller("multiplied", factor, variance))
        ws = chunk if ws is None else ws.plus(chunk)
    assert ws is not None
    assert ws.y.tolist() == [[sum(10 * (1 + k) * (2.0 if k % 3 == 0 else 3.0) for k in range(12))]]
    # the chunks with the same factor share its error
    runs = [([0, 3, 6, 9], 2.0, 1.0), ([1, 2, 4, 5, 7, 8, 10, 11], 3.0, 4.0)]
    expected = sum(
        sum(10 * (1 + k) ** 2 for k in ks) * f**2 + sum(10 * (1 + k) for k in ks) ** 2 * v for ks, f, v in runs
    )
    assert ws.e2.tolist() == [[expected]]


@pytest.mark.parametrize("how", ["pixels", "summed", "d-spacing"])
@given(actions=actions)
@settings(max_examples=120)
def test_values_after_any_sequence_of_changes_equal_those_counted_from_nothing(
    slow_counts: Slow, how: str, actions: list[tuple[str, Any, int]]
) -> None:
    """The cache lives through the whole sequence; the slow count knows nothing of it."""
    table = EventTable(4, segment_events=37)
    time = 0

    def fresh(a: int, b: int) -> EventWorkspace:
        ws = workspace(table, a, b)
        if how == "summed":
            return summed(ws).replaced(edges=[0.0, 700.0, 900.0, 20_000.0])
        if how == "d-spacing":
            ws = ws.planned(lambda p: p.in_unit("dSpacing", [1e-4, 2e-4, 3e-4, 4e-4]))
            return ws.replaced(edges=[0.0, 0.3, 1.0, 4.0])
        return ws.replaced(edges=[0.0, 700.0, 900.0, 20_000.0])

    def item(a: int, b: int, scale: float = 1.0) -> tuple[int, int, Plan, list[Any]]:
        return a, b, fresh(a, b).plan.scaled(scale), []

    ws, items = fresh(0, 0), [item(0, 0)]
    for action, one, two in actions:
        low, high = (min(one, two), max(one, two)) if action != "scale" else (0, 0)
        if action == "append":
            rng = np.random.default_rng(two)
            a, b = table.append(
                rng.integers(0, 150_000, one), rng.integers(0, 4, one), [time, time + 5], [0, one // 2, one], [1.0, 1.0]
            )
            time += 7 if two % 5 else -9
            ws = ws.plus(fresh(a, b))
            items.append(item(a, b))
        elif action == "select":
            window = [(low, high), (90, 95)]
            ws = ws.selected(window)
            items = [(a, b, plan, [*selections, window]) for a, b, plan, selections in items]
        elif action == "scale":
            ws = ws.planned(lambda p, x=one: p.scaled(x))  # type: ignore[misc]
            items = [(a, b, plan.scaled(one), selections) for a, b, plan, selections in items]
        elif action == "minus":
            a, b = min(low, table.n), min(high, table.n)
            ws = ws.plus(fresh(a, b), subtract=True)
            items.append(item(a, b, -1.0))
        elif action == "again":
            if len(ws.parts) < 8:
                ws, items = ws.plus(ws), items * 2
        elif action == "limit" and how != "d-spacing":
            ws = ws.planned(lambda p, x=low, y=high: p.limited(x, y))  # type: ignore[misc]
            items = [(a, b, plan.limited(low, high), selections) for a, b, plan, selections in items]
        elif action == "reset":
            ws, items = fresh(0, table.n), [item(0, table.n)]
        elif action == "forget":
            table.cache.limit_bytes = one
        y = e2 = np.zeros((ws.n_spectra, ws.n_bins))
        for a, b, plan, selections in items:
            n = slow_counts(table, plan, ws.edges, a, b, selections)
            y, e2 = y + plan.scale * n, e2 + plan.scale**2 * n
        ws.clearMRU()
        assert np.array_equal(ws.y, y)  # all weights are powers of two: sums are exact in any order
        assert np.array_equal(ws.e2, e2)


# -- copies -----------------------------------------------------------------------------------------------------------


def test_a_clone_shares_events_and_values_but_not_what_happens_to_it(make_table: Make) -> None:
    ws = workspace(make_table(1000), edges=EDGES, title="one")
    ws.logs["run_number"] = "7"
    _ = ws.y
    before = ws.tables[0].cache.offered
    copy = ws.clone()
    assert np.shares_memory(copy.y, ws.y)
    copy.logs["run_number"] = "8"
    copy.setTitle("two")
    copy.setX(0, [0.0, 1.0])
    assert (ws.getRunNumber(), ws.getTitle(), ws.n_bins) == (7, "one", 40)
    assert ws.tables[0].cache.offered == before


def test_adopting_takes_the_contents_and_keeps_name_and_identity(make_table: Make) -> None:
    table = make_table(1000)
    ws, other = workspace(table, 0, 100), workspace(table, 0, 1000, edges=EDGES)
    ws._name = "accumulation"
    ws.adopt(other)
    assert ws.name() == "accumulation"
    assert ws.number_events() == 1000
    assert ws.n_bins == 40
    other.logs["x"] = 1
    assert not ws.logs.hasProperty("x")


def test_a_histogram_of_the_events_has_their_values_logs_and_spectra(make_table: Make) -> None:
    ws = workspace(make_table(1000), edges=EDGES, title="t").planned(lambda p: p.scaled(0.5))
    ws.logs["run_number"] = 12
    ws.setMonitorWorkspace(workspace(make_table(10)))
    histogram = ws.to_histogram()
    assert isinstance(histogram, HistogramWorkspace)
    assert np.array_equal(histogram.y, ws.y)
    assert np.array_equal(histogram.e2, ws.e2)
    assert histogram.x.tolist() == EDGES.tolist()
    assert histogram.getRunNumber() == 12
    assert histogram.spectra is ws.spectra
    assert histogram.getTitle() == "t"
    assert isinstance(histogram.monitors, HistogramWorkspace)


def test_an_array_of_values_does_not_change_when_events_arrive(make_table: Make) -> None:
    table = make_table(1000)
    ws = summed(workspace(table, edges=EDGES))
    y = ws.y
    kept = y.copy()
    table.append([50] * 10, [0] * 10, [0], [0, 10], [1.0])
    later = summed(workspace(table, edges=EDGES))
    assert later.y.sum() == kept.sum() + 10
    assert np.array_equal(y, kept)
    assert np.array_equal(ws.e2, kept)


# -- writing ----------------------------------------------------------------------------------------------------------


def test_writing_to_the_values_of_events_says_what_to_do_instead(make_table: Make) -> None:
    ws = workspace(make_table(10))
    for call in (ws.dataY, ws.dataE, ws.dataX):
        with pytest.raises(RuntimeError, match="is an event workspace"):
            call(0)
    for setter in (ws.setY, ws.setE):
        with pytest.raises(RuntimeError, match="ConvertToMatrixWorkspace"):
            setter(0, [1.0])


def test_setting_x_of_every_spectrum_alike_makes_shared_bins(make_table: Make) -> None:
    ws = workspace(make_table(1000))
    for i in range(ws.n_spectra):
        ws.setX(i, EDGES)
    assert ws.x.ndim == 1
    assert np.array_equal(ws.y, workspace(make_table(1000), edges=EDGES).y)


def test_setting_x_of_one_spectrum_leaves_the_others(make_table: Make, slow_counts: Slow) -> None:
    ws = workspace(make_table(1000), edges=[0.0, 5000.0, 20_000.0])
    ws.setX(3, [0.0, 1000.0, 2000.0])
    rows = np.tile([0.0, 5000.0, 20_000.0], (N_PIXELS, 1))
    rows[3] = [0.0, 1000.0, 2000.0]
    assert np.array_equal(ws.y, slow_counts(ws.tables[0], ws.plan, rows))
    assert not ws.isCommonBins()


def test_setting_x_of_each_spectrum_changes_nothing_that_others_have(make_table: Make, slow_counts: Slow) -> None:
    ws = workspace(make_table(1000), edges=[0.0, 5000.0, 20_000.0])
    rows = np.tile([0.0, 5000.0, 20_000.0], (N_PIXELS, 1))
    for i in range(N_PIXELS // 2):
        rows[i] = [0.0, 1000.0 + i, 2000.0]
        ws.setX(i, rows[i])
    before, x, one_row, clone = rows.copy(), ws.x, ws.readX(0), ws.clone()
    counted = slow_counts(ws.tables[0], ws.plan, before)
    assert np.array_equal(ws.y, counted)
    for i in range(N_PIXELS):
        rows[i] = [0.0, 3000.0, 4000.0 + i]
        ws.setX(i, rows[i])
    assert np.array_equal(ws.x, rows)
    assert np.array_equal(ws.y, slow_counts(ws.tables[0], ws.plan, rows))
    assert np.array_equal(x, before)
    assert np.array_equal(one_row, before[0])
    assert np.array_equal(clone.x, before)
    assert np.array_equal(clone.y, counted)
    with pytest.raises(ValueError, match="must rise"):
        ws.setX(3, [0.0, 2.0, 1.0])
    assert np.array_equal(ws.x, rows)
    with pytest.raises(ValueError, match="read-only"):
        ws.x[0] = 0.0


@pytest.mark.parametrize("edges", [[1.0], [2.0, 1.0], [1.0, 1.0], [0.0, np.nan], [[0.0, 1.0]]])
def test_bin_edges_that_are_none_are_refused(make_table: Make, edges: Any) -> None:
    with pytest.raises(ValueError, match="edges"):
        workspace(make_table(10), edges=edges)


def test_descriptions_that_do_not_fit_the_plans_are_refused(make_table: Make) -> None:
    with pytest.raises(ValueError, match="1 spectra described, plans have 20"):
        workspace(make_table(10), spectra=Spectra([1]))
    with pytest.raises(ValueError, match="at least one part"):
        EventWorkspace([], detectors(), Run())
    with pytest.raises(ValueError, match="unit is 'dSpacing'"):
        workspace(make_table(10), unit="dSpacing")
