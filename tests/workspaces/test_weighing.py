"""Sums of weights against slow numpy, whatever finds the bins, and the same on several cores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import Curve, EventTable, Plan, parallel
from livereduce.workspaces.arrays import Column
from livereduce.workspaces.events import Weights
from livereduce.workspaces.weighing import Weigher, WeightCounter, finder_of

N = 30
RNG = np.random.default_rng(11)
FACTOR = RNG.uniform(0.5, 1.5, N)
TOP = 20_000.0


def table(n: int = 5000, *, weighted: bool = True, segment: int = 700) -> EventTable:
    rng = np.random.default_rng(3)
    table = EventTable(N, zero_ticks=50, segment_events=segment, weighted=weighted)
    weights = Weights((rng.integers(-8, 9, n) / 4).astype(np.float32), rng.integers(0, 9, n).astype(np.float32))
    own: tuple[Any, ...] = (weights,) if weighted else ()
    table.append(rng.integers(0, 200_000, n), rng.integers(0, N, n), [0], [0, n], [1.0], *own)
    return table


def columns(table: EventTable) -> tuple[np.ndarray, ...]:
    """Time of flight (us), pixel, weight and variance of all events."""
    pieces, weights = table.pieces(0, table.n), table.weights(0, table.n)
    tof, pix = (np.concatenate(c) for c in zip(*pieces, strict=True))
    weight, variance = (np.concatenate(c).astype(np.float64) for c in zip(*weights, strict=True))
    return (tof.astype(np.float64) - 50) * 0.1, pix, weight, variance


def slow(table: EventTable, x: np.ndarray, keep: np.ndarray, row: np.ndarray, edges: np.ndarray) -> list[np.ndarray]:
    rows, bins = int(row.max()) + 1, edges.shape[-1] - 1
    sums = [np.zeros((rows, bins)), np.zeros((rows, bins))]
    for r in range(rows):
        mine = keep & (row == r)
        k = np.searchsorted(edges if edges.ndim == 1 else edges[r], x[mine], side="right") - 1
        inside = (k >= 0) & (k < bins)
        for total, values in zip(sums, columns(table)[2:], strict=True):
            np.add.at(total[r], k[inside], values[mine][inside])
    return sums


def summed(table: EventTable, plan: Plan, edges: Any, ranges: Any = None) -> tuple[np.ndarray, np.ndarray]:
    counter = WeightCounter(table, plan, None if edges is None else Column(np.array(edges, np.float64)))
    out = np.zeros(counter.shape)
    counter(np.array([[0, table.n]] if ranges is None else ranges), False, out)
    return counter.sums(out, slice(None))


@pytest.mark.parametrize(
    ("edges", "found_by"),
    [
        (np.geomspace(1.0, TOP, 300), "bits"),
        (np.linspace(-5.0, TOP, 300), "linear"),
        (np.concatenate([[-3.0], 1.0 + np.geomspace(1e-12, 1e-3, 60), [TOP]]), "bisection"),
        (np.sort(np.random.default_rng(5).uniform(0.0, TOP, (N, 40)), axis=1), "bisection"),
        (np.array([5.0, TOP]), "bits"),
    ],
)
def test_sums_in_any_bins_are_those_of_searchsorted(edges: np.ndarray, found_by: str) -> None:
    plan = Plan(N).in_unit("dSpacing", FACTOR)
    finder = finder_of(plan, Column(edges.copy()))
    assert found_by == ("bisection" if not finder.hops else "bits" if finder.shift else "linear")
    events = table()
    tof, pix, _, _ = columns(events)
    expected = slow(events, tof * FACTOR[pix], np.ones(len(tof), bool), pix, edges)
    # weights are multiples of 1/4, so sums are exact in any order
    assert np.array_equal(np.stack(summed(events, plan, edges)), np.stack(expected))


def test_sums_are_of_the_events_a_plan_keeps_in_the_order_of_x_though_that_falls() -> None:
    plan = Plan(N).limited(1000.0, 15_000.0, include_max=False).without_times([(3000.0, 4000.0)])
    plan = plan.in_unit("MomentumTransfer", FACTOR, None, Curve(-1)).grouped(np.arange(N) % 4 - 1, 3)
    events = table()
    tof, pix, _, _ = columns(events)
    keep = (tof >= 1000) & (tof < 15_000) & ~((tof >= 3000) & (tof < 4000)) & (pix % 4 > 0)
    edges = np.geomspace(5e-5, 2e-3, 50)
    expected = slow(events, 1.0 / (tof * FACTOR[pix]), keep, pix % 4 - 1, edges)
    assert np.array_equal(np.stack(summed(events, plan, edges)), np.stack(expected))


def test_without_bins_every_event_of_a_spectrum_is_in_one() -> None:
    events = table()
    _, pix, weight, variance = columns(events)
    found = summed(events, Plan(N), None)
    assert found[0][:, 0].tolist() == [weight[pix == p].sum() for p in range(N)]
    assert found[1][:, 0].tolist() == [variance[pix == p].sum() for p in range(N)]


def test_weights_are_multiplied_one_factor_after_the_other_each_in_its_own_bins() -> None:
    # first by 2 +- 1 below 1 us and 4 above, then by 10 in Q = 1/t below 0.8 1/us and 3 above; outside of both by 0
    events = EventTable(1, weighted=True)
    events.append(
        [5, 15, 25],
        [0] * 3,
        [0],
        [0, 3],
        [1.0],
        Weights(np.array([1, 0.5, 1], np.float32), np.array([1, 2, 1], np.float32)),
    )
    first = Plan(1).multiplied([[2.0, 4.0]], [[1.0, 0.0]]).in_bins(Column(np.array([0.0, 1.0, 2.0])))
    q = first.in_unit("MomentumTransfer", 1.0, None, Curve(-1)).multiplied([[10.0, 3.0]])
    plan = q.in_bins(Column(np.array([0.1, 0.8, 4.0]))).individually()
    assert len(plan.weightings) == 2
    tof, pix = next(events.pieces(0, 3))
    weight, variance = Weigher(events, plan)(tof, pix, next(events.weights(0, 3)))
    # 1 * 2 * 3, 0.5 * 4 * 10, 0; (1 * 4 + 1 * 1) * 9, 2 * 16 * 100, 0
    assert weight.tolist() == [6.0, 20.0, 0.0]
    assert variance.tolist() == [45.0, 3200.0, 0.0]


@pytest.mark.parametrize("rows", [1, 2, N])
def test_several_threads_sum_to_the_same_last_bit(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = table(2_000_000, segment=600_000)
    values = RNG.uniform(0.1, 1.0, (N, 20))
    edges = np.linspace(0.0, TOP, 21)
    plan = (
        Plan(N).multiplied(values, values / 7).in_bins(Column(edges)).individually().grouped(np.arange(N) % rows, rows)
    )
    ranges = [[10, 700_000], [800_000, 2_000_000]]
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    one = summed(events, plan, np.geomspace(1.0, TOP, 100), ranges)
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    several = summed(events, plan, np.geomspace(1.0, TOP, 100), ranges)
    assert np.array_equal(np.stack(several), np.stack(one))
    assert np.abs(one[0]).sum() > 0


def test_results_too_large_for_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="use fewer bins"):
        WeightCounter(EventTable(1 << 20), Plan(1 << 20), Column(np.arange(2050.0)))


def test_a_plain_event_takes_8_bytes_and_a_weighted_one_16() -> None:
    assert table(5600, weighted=False).nbytes - table(0, weighted=False).nbytes == pytest.approx(8 * 5600, abs=64)
    assert table(5600).nbytes - table(0).nbytes == pytest.approx(16 * 5600, abs=64)
