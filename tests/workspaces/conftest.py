"""Slow, obvious counterparts of the engine, in plain numpy: what its results are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from livereduce.workspaces import EventTable, Plan

Array = npt.NDArray[Any]

# no test asserts a time: the first example may compile kernels, and machines are shared
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def make_table() -> Callable[..., EventTable]:
    """Make a table of random events: ``make_table(n, n_pixels, seed, ...)``; pulses of 10 events, 1 s apart."""

    def make(n: int, n_pixels: int = 20, seed: int = 1, *, top: int = 200_000, **options: Any) -> EventTable:
        rng = np.random.default_rng(seed)
        table = EventTable(n_pixels, **options)
        start = np.append(np.arange(0, n, 10), n)
        table.append(
            rng.integers(0, top, n),
            rng.integers(0, n_pixels, n),
            np.arange(len(start) - 1) * 1_000_000_000,
            start,
            np.ones(len(start) - 1),
        )
        return table

    return make


@pytest.fixture(scope="session")
def columns() -> Callable[..., tuple[Array, Array, Array]]:
    """All events of a table as three arrays: tick, pixel, pulse time."""

    def read(table: EventTable, a: int = 0, b: int | None = None) -> tuple[Array, Array, Array]:
        b = table.n if b is None else b
        pieces = list(table.pieces(a, b))
        pulse = np.searchsorted(table.pulses.start, np.arange(a, b), side="right") - 1
        tof = np.concatenate([np.empty(0, np.uint32), *(p[0] for p in pieces)])
        pix = np.concatenate([np.empty(0, np.int32), *(p[1] for p in pieces)])
        return tof, pix, table.pulses.time[pulse]

    return read


@pytest.fixture(scope="session")
def slow_counts(columns: Callable[..., tuple[Array, Array, Array]]) -> Callable[..., Array]:
    """Counts of events [a, b) of a table under a plan, one spectrum after another with searchsorted.

    Of `selections`, lists of intervals of pulse times, all have to hold.
    """

    def count(
        table: EventTable, plan: Plan, edges: Array, a: int = 0, b: int | None = None, selections: Any = ()
    ) -> Array:
        tof, pix, pulse_time = columns(table, a, b)
        time = (tof.astype(np.float64) - table.zero_ticks) * (table.tick_ns / 1000)
        keep = np.ones(len(tof), bool)
        for intervals in selections:
            inside = [(pulse_time >= t0) & (pulse_time < t1) for t0, t1 in intervals]
            keep &= np.any(inside, axis=0) if inside else False
        if plan.lo is not None and plan.hi is not None:
            lo, hi = (np.broadcast_to(c.values, table.n_pixels)[pix] for c in (plan.lo, plan.hi))
            keep &= (time >= lo) & (time < hi)
        for cut_from, cut_to in plan.excluded:
            keep &= ~((time >= cut_from) & (time < cut_to))
        group = pix if plan.group is None else plan.group.values[pix]
        factor = 1.0 if plan.factor is None else np.broadcast_to(plan.factor.values, table.n_pixels)[pix]
        offset = 0.0 if plan.offset is None else np.broadcast_to(plan.offset.values, table.n_pixels)[pix]
        y = time * factor + offset
        with np.errstate(all="ignore"):
            x = y if plan.curve.power == 1 else 1.0 / y if plan.curve.power == -1 else 1.0 / (y * y)
            x = plan.curve.slope * x + plan.curve.intercept if tuple(plan.curve) != (1, 1.0, 0.0) else x
        if plan.curve.power < 0:
            keep &= y > 0
        result = np.zeros((plan.n_spectra, edges.shape[-1] - 1))
        for spectrum in range(plan.n_spectra):
            row = edges if edges.ndim == 1 else edges[spectrum]
            bins = np.searchsorted(row, x[keep & (group == spectrum)], side="right") - 1
            bins = bins[(bins >= 0) & (bins < len(row) - 1)]
            np.add.at(result[spectrum], bins, 1)
        return result

    return count
