"""Small workspaces whose numbers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
    WorkspaceStore,
)


@pytest.fixture
def store() -> WorkspaceStore:
    return WorkspaceStore()


@pytest.fixture
def make_events() -> Callable[..., EventWorkspace]:
    """Make an event workspace: ``make_events([tofs of spectrum 0 in µs], [of spectrum 1], edges=...)``.

    One pulse a second from 1970 on; event k of each spectrum came in pulse k. Detector IDs are 10, 11, ...
    """

    def make(*spectra: list[float], edges: Any = None, **options: Any) -> EventWorkspace:
        n_pulses = max((len(s) for s in spectra), default=0)
        tof, pix, start = [], [], [0]
        for pulse in range(n_pulses):
            for pixel, times in enumerate(spectra):
                if pulse < len(times):
                    tof.append(round(times[pulse] * 10))
                    pix.append(pixel)
            start.append(len(tof))
        table = EventTable(len(spectra), tick_ns=100)
        table.append(tof, pix, np.arange(n_pulses) * 1_000_000_000, start, np.ones(n_pulses))
        detectors = Detectors(np.arange(10, 10 + len(spectra)), l1=10.0, l2=np.ones(len(spectra)))
        parts = [Part(table, 0, table.n, Plan(len(spectra)))]
        return EventWorkspace(parts, detectors, options.pop("run", Run()), edges=edges, **options)

    return make


@pytest.fixture
def make_histogram() -> Callable[..., HistogramWorkspace]:
    """Make a histogram workspace: ``make_histogram(x, rows of y, rows of e)``; detector IDs are 10, 11, ..."""

    def make(x: Any, y: Any, e: Any = None, **options: Any) -> HistogramWorkspace:
        rows = np.atleast_2d(np.asarray(y, float))
        ids = np.arange(10, 10 + len(rows))
        errors = np.sqrt(np.abs(rows)) if e is None else np.atleast_2d(np.asarray(e, float))
        options.setdefault("spectra", Spectra(np.arange(1, len(rows) + 1), ids))
        options.setdefault("detectors", Detectors(ids))
        return HistogramWorkspace(np.array(x, float), rows, e=errors, **options)

    return make


@pytest.fixture
def random_events(make_events: Callable[..., EventWorkspace]) -> EventWorkspace:
    """Four spectra of 200 events between 0 and 100 µs in ten bins."""
    rng = np.random.default_rng(7)
    tofs = [np.round(rng.uniform(0, 100, 200), 1).tolist() for _ in range(4)]
    return make_events(*tofs, edges=np.linspace(0, 100, 11))
