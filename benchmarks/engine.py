"""The jobs of the event engine, through its own classes, and their C counterparts on the same arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measuring import Yardsticks, i64, u32
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, Part, Plan, Spectra
from livereduce.workspaces.arrays import Column
from livereduce.workspaces.binning import Counter
from livereduce.workspaces.event_list import sorted_by_pixel
from livereduce.workspaces.lookup import bits_table

N_PIXELS = 100_000
EVENTS_PER_PULSE = 20_000
PULSE_NS = 16_666_667


@dataclass(frozen=True)
class Job:
    """One measured job: `ours` and `in_c` work on `events` events; both return counts that must be equal."""

    name: str
    what: str
    events: int
    ours: Callable[[], np.ndarray]
    in_c: Callable[[Yardsticks], np.ndarray] | None
    exact: bool = True


def make_table(n: int) -> EventTable:
    """Events random in pixel and time of flight (0 to 16.7 ms), in one segment so that C sees the same memory."""
    rng = np.random.default_rng(1)
    pulses = n // EVENTS_PER_PULSE
    table = EventTable(N_PIXELS, segment_events=n)
    table.append(
        rng.integers(0, 166_700, n, dtype=np.uint32),
        rng.integers(0, N_PIXELS, n, dtype=np.int32),
        np.arange(pulses) * PULSE_NS,
        np.append(np.arange(pulses) * EVENTS_PER_PULSE, n),
        np.ones(pulses),
    )
    return table


def jobs(n: int = 20_000_000) -> list[Job]:
    table = make_table(n)
    return [hist1d(table), filtered(table), hist2d(table), *[focus(table, k) for k in (1, 4, 64)], by_pixel(table)]


def counting(
    table: EventTable, plan: Plan, edges: np.ndarray, ranges: np.ndarray | None = None
) -> Callable[[], np.ndarray]:
    counter = Counter(table, plan, Column(edges))
    todo = np.array([[0, table.n]]) if ranges is None else ranges
    out = np.zeros(counter.shape, np.uint32)

    def count() -> np.ndarray:
        out[:] = 0
        counter(todo, False, out)
        return out

    return count


def columns(table: EventTable) -> tuple[np.ndarray, np.ndarray]:
    ((tof, pix),) = table.pieces(0, table.n)
    return tof, pix


def hist1d(table: EventTable) -> Job:
    tof, _ = columns(table)
    plan = Plan(N_PIXELS).grouped(np.zeros(N_PIXELS), 1)
    out = np.zeros(835, np.uint32)

    def in_c(c: Yardsticks) -> np.ndarray:
        out[:] = 0
        c.call("hist1d", tof, i64(len(tof)), u32(0), u32(200), u32(835), out)
        return out

    return Job("hist1d", "time of flight, 835 bins", table.n, counting(table, plan, np.arange(836) * 20.0), in_c)


def filtered(table: EventTable) -> Job:
    tof, _ = columns(table)
    pulses = len(table.pulses)
    step = PULSE_NS * max(pulses // 500, 2)
    intervals = [(t, t + step // 2 - 1) for t in range(0, pulses * PULSE_NS, step)]
    one = Plan(N_PIXELS).grouped(np.zeros(N_PIXELS), 1)
    everything = Part(table, 0, table.n, one)
    ranges = everything.selected(intervals).ranges
    out = np.zeros(835, np.uint32)
    edges = np.arange(836) * 20.0

    def ours() -> np.ndarray:
        return counting(table, one, edges, everything.selected(intervals).ranges)()

    def in_c(c: Yardsticks) -> np.ndarray:
        out[:] = 0
        c.call("hist1d_ranges", tof, ranges, i64(len(ranges)), u32(0), u32(200), u32(835), out)
        return out

    return Job(
        "filter",
        f"the same in {len(ranges)} stretches of pulses, {int(np.diff(ranges).sum()) / table.n:.0%} of the events",
        table.n,
        ours,
        in_c,
    )


def hist2d(table: EventTable) -> Job:
    tof, pix = columns(table)
    out = np.zeros((N_PIXELS, 835), np.uint32)

    def in_c(c: Yardsticks) -> np.ndarray:
        out[:] = 0
        c.call("hist2d", tof, pix, i64(len(tof)), u32(0), u32(200), u32(835), out)
        return out

    return Job(
        "hist2d", "100 000 pixels x 835 bins", table.n, counting(table, Plan(N_PIXELS), np.arange(836) * 20.0), in_c
    )


def focus_plan(groups: int) -> tuple[Plan, np.ndarray]:
    """Return how to focus into groups, and bins of d-spacing."""
    factor = np.random.default_rng(2).uniform(1e-4, 6e-4, N_PIXELS)
    group = np.arange(N_PIXELS) * groups // N_PIXELS
    return Plan(N_PIXELS).in_unit("dSpacing", factor).grouped(group, groups), np.geomspace(0.5, 3.5, 4001)


def focus(table: EventTable, groups: int) -> Job:
    tof, pix = columns(table)
    plan, edges = focus_plan(groups)
    assert plan.factor is not None
    assert plan.group is not None
    factor, group = plan.factor.values, plan.group.values
    t = bits_table(edges.astype(np.float32).astype(np.float64))
    assert t is not None
    out = np.zeros((groups, 4001), np.uint32)
    # the same table in float32: 8 bits of exponent and the same number of mantissa bits
    shift, key0 = t.shift - 29, int(edges.astype(np.float32)[:1].view(np.uint32)[0]) >> (t.shift - 29)
    in_float32: list[Any] = [
        (factor * 0.1).astype(np.float32), group.astype(np.uint32), np.append(edges, np.nan).astype(np.float32),
        u32(4000), t.lut, u32(len(t.lut) - 1), u32(key0), u32(shift),
    ]  # fmt: skip

    def in_c(c: Yardsticks) -> np.ndarray:
        out[:] = 0
        c.call("focus", tof, pix, i64(len(tof)), *in_float32, out)
        return out[:, :4000]

    name = "focus" if groups == 4 else f"focus{groups}"
    return Job(
        name, f"d-spacing, 4000 logarithmic bins, {groups} groups", table.n, counting(table, plan, edges), in_c, False
    )


def by_pixel(table: EventTable) -> Job:
    tof, pix = columns(table)
    n = table.n
    pulse = (np.arange(n) // EVENTS_PER_PULSE).astype(np.uint32)
    begin, out_tof, out_pulse = np.zeros(N_PIXELS + 1, np.int64), np.empty(n, np.uint32), np.empty(n, np.uint32)

    def ours() -> np.ndarray:
        return sorted_by_pixel(table, np.array([[0, n]])).tof

    def in_c(c: Yardsticks) -> np.ndarray:
        c.call("sort_by_pixel", tof, pulse, pix, i64(n), i64(N_PIXELS), begin, out_tof, out_pulse)
        return out_tof

    return Job("sort", "events sorted by pixel", n, ours, in_c)


def update(chunks: int = 200, size: int = 100_000) -> tuple[float, int]:
    """Return (seconds, events offered to kernels) of a live run: append, add, rebin and sum at every chunk."""

    rng = np.random.default_rng(3)
    table = EventTable(N_PIXELS)
    detectors = Detectors(np.arange(N_PIXELS))
    spectra = Spectra([1])
    total = EventWorkspace.from_table(table, 0, 0, detectors)
    tof = rng.integers(0, 166_700, size, dtype=np.uint32)
    pix = rng.integers(0, N_PIXELS, size, dtype=np.int32)
    group = np.zeros(N_PIXELS)
    begin = time.process_time()
    for chunk in range(chunks):
        a, b = table.append(tof, pix, [chunk], [0, size], [1.0])
        total = total.plus(EventWorkspace.from_table(table, a, b, detectors))
        result = total.planned(lambda p: p.grouped(group, 1), spectra=spectra, edges=np.arange(836) * 20.0)
        assert result.y.sum() > 0
    return time.process_time() - begin, table.cache.offered
