"""Every way of counting against searchsorted, event for event."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import Curve, EventTable, Plan, kernels
from livereduce.workspaces.arrays import Column
from livereduce.workspaces.binning import Counter

Make = Callable[..., EventTable]
Slow = Callable[..., np.ndarray]

UNIFORM = np.arange(0.0, 20_001.0, 20.0)
UNEVEN = np.array([10.0, 10.05, 10.3, 11.0, 250.0, 251.7, 9000.0, 15_000.1])
LOGARITHMIC = 100.0 * 1.01 ** np.arange(500)
FINER_THAN_TICKS = np.linspace(100.0, 104.0, 400)
ONE_BIN = np.array([0.0, 20_000.0])
BEYOND = np.array([-100.0, 5_000.0, 1e9])


def fast(table: EventTable, plan: Plan, edges: np.ndarray, a: int = 0, b: int | None = None) -> np.ndarray:
    counter = Counter(table, plan, Column(edges.copy()))
    out = np.zeros(counter.shape, np.uint32)
    counter(np.array([[a, table.n if b is None else b]]), False, out)
    return counter.sums(out, slice(None))[0]


def kernel_of(table: EventTable, plan: Plan, edges: np.ndarray) -> str:
    counter = Counter(table, plan, Column(edges.copy()))
    return str(counter._kernel(counter.group, slice(0, plan.n_spectra)).func.__name__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("edges", [UNIFORM, UNEVEN, LOGARITHMIC, FINER_THAN_TICKS, ONE_BIN, BEYOND])
@pytest.mark.parametrize("spectra", ["one of all", "one of some", "few", "each pixel"])
def test_time_of_flight_counts_equal_searchsorted(
    make_table: Make, slow_counts: Slow, edges: np.ndarray, spectra: str
) -> None:
    table = make_table(20_000)
    groups = {
        "one of all": np.zeros(20, np.int32),
        "one of some": np.where(np.arange(20) % 3, 0, -1),
        "few": np.arange(20) % 4 - 1,
        "each pixel": np.arange(20),
    }
    plan = Plan(20).grouped(groups[spectra], int(groups[spectra].max()) + 1)
    assert np.array_equal(fast(table, plan, edges), slow_counts(table, plan, edges))


@pytest.mark.parametrize(
    ("edges", "kernel"),
    [(UNIFORM, "hist1d_uniform"), (UNEVEN, "hist1d_table"), (LOGARITHMIC, "hist1d_table")],
)
def test_one_spectrum_of_all_pixels_is_counted_without_looking_at_pixels(
    make_table: Make, edges: np.ndarray, kernel: str
) -> None:
    assert kernel_of(make_table(100), Plan(20).grouped(np.zeros(20), 1), edges) == kernel


def test_an_event_on_an_edge_is_in_the_bin_above_and_on_the_last_edge_in_none() -> None:
    table = EventTable(1)
    table.append([100, 199, 200, 299, 300, 99], [0] * 6, [0], [0, 6], [1.0])
    assert fast(table, Plan(1), np.array([10.0, 20.0, 30.0])).tolist() == [[2, 2]]


def test_subtracting_takes_back_exactly_what_was_added(make_table: Make) -> None:
    table = make_table(5000)
    for plan in (Plan(20), Plan(20).grouped(np.zeros(20), 1), Plan(20).in_unit("d", np.linspace(1e-4, 1e-3, 20))):
        for edges in (UNIFORM, UNEVEN, np.linspace(0.0, 10.0, 50)):
            counter = Counter(table, plan, Column(edges.copy()))
            out = np.zeros(counter.shape, np.uint32)
            counter(np.array([[0, 3000]]), False, out)
            first = out.copy()
            counter(np.array([[1000, 5000]]), False, out)
            counter(np.array([[1000, 5000]]), True, out)
            assert np.array_equal(out, first)


@pytest.mark.parametrize(
    ("edges", "kernel"),
    [
        (np.geomspace(0.5, 8.0, 4001), "focus_bits"),
        (np.linspace(0.0, 8.0, 1001), "focus_linear"),
        (np.linspace(-1.0, 8.0, 7), "focus_linear"),
        (np.sort(np.concatenate([np.geomspace(0.5, 8.0, 100), 2.0 + np.arange(1, 6) * 4e-16 * 2])), "focus_bits"),
        (np.concatenate([[0.0], 2.0 + np.arange(12) * 4.5e-16, [8.0]]), "focus_search"),
        (np.array([0.5, np.inf]), "focus_search"),
        (np.geomspace(0.01, 20.0, 70_001), "focus_bits"),
    ],
)
@pytest.mark.parametrize("offset", [None, "per pixel"])
def test_counts_in_a_unit_with_constants_per_pixel_equal_searchsorted(
    make_table: Make, slow_counts: Slow, edges: np.ndarray, kernel: str, offset: str | None
) -> None:
    table = make_table(20_000, zero_ticks=50)
    rng = np.random.default_rng(5)
    plan = Plan(20).in_unit("dSpacing", rng.uniform(1e-4, 6e-4, 20), rng.uniform(-0.5, 0.5, 20) if offset else None)
    plan = plan.grouped(np.arange(20) % 5 - 1, 4)
    assert kernel_of(table, plan, edges) == kernel
    assert np.array_equal(fast(table, plan, edges), slow_counts(table, plan, edges))


def test_events_whose_y_is_exactly_an_edge_are_in_the_bin_above() -> None:
    table = EventTable(3)
    tof = np.arange(1, 3001, dtype=np.uint32)
    table.append(tof, np.arange(3000) % 3, [0], [0, 3000], [1.0])
    factor = np.array([0.1, 0.7, 1.3])
    edges = np.unique((tof.astype(np.float64) * 0.1) * factor[np.arange(3000) % 3])
    plan = Plan(3).in_unit("d", factor).grouped([0, 0, 0], 1)
    counts = fast(table, plan, edges)
    expected = np.histogram((tof.astype(np.float64) * 0.1) * factor[np.arange(3000) % 3], edges)[0]
    expected[-1] -= 1  # numpy's last bin is closed, ours is not
    assert counts[0].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("unit", "curve", "edges"),
    [
        ("MomentumTransfer", Curve(-1, 2 * np.pi), np.linspace(0.5, 40.0, 200)),
        ("Energy", Curve(-2, 1.0), np.geomspace(0.01, 1000.0, 300)),
        ("DeltaE", Curve(-2, -1.0, 20.0), np.linspace(-30.0, 19.0, 250)),
        ("DeltaE", Curve(-2, 1.0, -2.0), np.linspace(-1.9, 30.0, 250)),
    ],
)
@pytest.mark.parametrize("common", [True, False])
def test_counts_in_a_unit_that_is_no_linear_function_equal_searchsorted(
    make_table: Make, slow_counts: Slow, unit: str, curve: Curve, edges: np.ndarray, common: bool
) -> None:
    table = make_table(20_000, zero_ticks=1000)
    rng = np.random.default_rng(3)
    factor, offset = (3e-4, -0.3) if common else (rng.uniform(1e-4, 6e-4, 20), rng.uniform(-0.5, 0.2, 20))
    plan = Plan(20).in_unit(unit, factor, offset, curve).grouped(np.arange(20) % 3, 3)
    assert np.array_equal(fast(table, plan, edges), slow_counts(table, plan, edges))


def test_every_spectrum_may_have_its_own_edges(make_table: Make, slow_counts: Slow) -> None:
    table = make_table(10_000)
    edges = np.sort(np.random.default_rng(2).uniform(0.0, 21_000.0, (20, 30)), axis=1)
    assert np.array_equal(fast(table, Plan(20), edges), slow_counts(table, Plan(20), edges))
    q = Plan(20).in_unit("MomentumTransfer", 1e-3, None, Curve(-1, 2 * np.pi))
    edges = np.sort(np.random.default_rng(2).uniform(0.2, 9.0, (20, 30)), axis=1)
    assert np.array_equal(fast(table, q, edges), slow_counts(table, q, edges))


def test_windows_keep_and_drop_events_at_their_borders_as_stated() -> None:
    table = EventTable(2)
    table.append([149, 150, 249, 250, 251, 300], [0] * 6, [0], [0, 6], [1.0])
    each = np.array([0.0, 15.0, 20.0, 25.0, 25.1, 30.0, 100.0])
    assert fast(table, Plan(2).limited(15.0, 25.0), each)[0].tolist() == [0, 1, 1, 1, 0, 0]
    assert fast(table, Plan(2).limited(15.0, 25.0, include_max=False), each)[0].tolist() == [0, 1, 1, 0, 0, 0]
    assert fast(table, Plan(2).without_times([(15.0, 25.0)]), each)[0].tolist() == [1, 0, 0, 1, 1, 1]
    assert fast(table, Plan(2).without_times([(15.0, 25.0), (30.0, 40.0)]), each)[0].tolist() == [1, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("zero", [0, 700])
def test_windows_in_any_unit_equal_a_filter_on_x_in_that_unit(make_table: Make, zero: int) -> None:
    table = make_table(20_000, zero_ticks=zero)
    rng = np.random.default_rng(9)
    factor, offset = rng.uniform(1e-4, 6e-4, 20), rng.uniform(-0.5, 0.5, 20)
    pieces = list(table.pieces(0, table.n))
    tof, pix = (np.concatenate([p[i] for p in pieces]) for i in (0, 1))
    y = (tof.astype(np.float64) - zero) * 0.1 * factor[pix] + offset[pix]
    everything = np.array([-1e9, 1e9])
    for curve, x in ((Curve(), y), (Curve(-1, 2 * np.pi), 2 * np.pi / y), (Curve(-2, -1.0, 20.0), 20.0 - 1 / (y * y))):
        x = np.where((y > 0) | (curve.power == 1), x, np.nan)
        lo, hi = np.sort(x[np.isfinite(x)])[[5000, 15_000]]  # the borders are events themselves
        plan = Plan(20).in_unit("x", factor, offset, curve).limited(lo, hi)
        expected = np.bincount(pix[(x >= lo) & (x <= hi)], minlength=20)
        assert fast(table, plan, everything)[:, 0].tolist() == expected.tolist()
        counter = Counter(table, plan, None)
        out = np.zeros(counter.shape, np.uint32)
        counter(np.array([[0, table.n]]), False, out)
        assert out[:, 0].tolist() == expected.tolist()


def test_windows_stay_with_the_events_when_the_unit_changes(make_table: Make, slow_counts: Slow) -> None:
    table = make_table(20_000)
    plan = Plan(20).limited(1000.0, 9000.0).in_unit("dSpacing", np.linspace(1e-4, 1e-3, 20)).limited(0.5, 4.0)
    edges = np.linspace(0.0, 20.0, 100)
    assert np.array_equal(fast(table, plan, edges), slow_counts(table, plan, edges))
    assert fast(table, plan, edges).sum() < fast(table, Plan(20), np.array([1000.0, 9000.0])).sum()


def test_pixels_without_a_positive_factor_are_dropped(make_table: Make) -> None:
    table = make_table(1000)
    factor = np.full(20, 1e-3)
    factor[[3, 4, 5]] = [0.0, -1.0, np.nan]
    counts = fast(table, Plan(20).in_unit("dSpacing", factor), np.array([-1e9, 1e9]))
    assert not counts[[3, 4, 5]].any()
    assert counts.sum() == sum(np.isin(p[1], [3, 4, 5], invert=True).sum() for p in table.pieces(0, 1000))


def test_ticks_at_both_ends_of_32_bits_are_counted() -> None:
    table = EventTable(1)
    table.append([0, 1, (1 << 32) - 2, (1 << 32) - 1], [0] * 4, [0], [0, 4], [1.0])
    top = ((1 << 32) - 1) * 0.1
    assert fast(table, Plan(1), np.array([0.0, 0.1, top, np.nextafter(top, np.inf)])).tolist() == [[1, 2, 1]]
    assert fast(table, Plan(1), np.array([0.0, top])).tolist() == [[3]]
    assert fast(table, Plan(1).limited(0.1, top), np.array([0.0, 1e9])).tolist() == [[3]]


def test_a_tick_of_one_nanosecond_is_binned_as_exactly(slow_counts: Slow) -> None:
    table = EventTable(2, tick_ns=1)
    rng = np.random.default_rng(4)
    table.append(rng.integers(0, 71_000_000, 5000), rng.integers(0, 2, 5000), [0], [0, 5000], [1.0])
    for edges in (np.arange(0.0, 71_000.0, 10.0), np.arange(0.0, 71_000.0, 0.3), 50.0 * 1.003 ** np.arange(2400)):
        assert np.array_equal(fast(table, Plan(2), edges), slow_counts(table, Plan(2), edges))


def test_a_map_of_spectra_must_fit_the_table(make_table: Make) -> None:
    with pytest.raises(ValueError, match="groups of 3 pixels for a table of 20"):
        Counter(make_table(10), Plan(1, Column(np.zeros(3, np.int32))), None)


def test_more_than_four_thousand_million_values_are_refused_before_any_memory_is_taken() -> None:
    table = EventTable(70_000)
    with pytest.raises(ValueError, match=r"70000 spectra of 70000 bins are more than 2\*\*32 values"):
        Counter(table, Plan(70_000), Column(np.arange(70_001.0)))


def test_each_kernel_is_compiled_for_one_type_of_arguments_only() -> None:
    # the tests of this file run with every kind of plan; a second form doubles the time to the first result
    several: dict[str, Any] = {
        name: kernel.signatures
        for name, kernel in vars(kernels).items()
        if hasattr(kernel, "signatures") and len(kernel.signatures) > 1
    }
    allowed = {"hist1d_table", "grouped_table", "focus_bits", "focus_linear"}  # tables of 16 or of 32 bits
    assert {name for name, found in several.items() if name not in allowed or len(found) > 2} == set()
