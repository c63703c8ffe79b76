"""Times of flight that count in some spectra and not in others: events limited by spectrum, without looking at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from livereduce.algorithms.converting import spectrum_of_pixel
from livereduce.workspaces import LINEAR, EventWorkspace, Part
from livereduce.workspaces.arrays import F64, Column


def has_plain_times(ws: EventWorkspace) -> bool:
    """Tell whether X is the time of flight as it came or moved for all detectors alike, so that X is easily limited."""
    plans = [part.plan for part in ws.parts]
    plain = all(plan.unit == "TOF" and plan.factor is None and plan.curve == LINEAR for plan in plans)
    return plain and all(len(plan.y_map()[1]) == 1 for plan in plans)


def parts_within(ws: EventWorkspace, low: F64, high: F64) -> list[Part]:
    """Return the parts with only events at times in [low, high) of their spectrum, µs; for plain times."""
    return [_within(part, low, high) for part in ws.parts]


def _within(part: Part, low: F64, high: F64) -> Part:
    plan = part.plan
    rows = spectrum_of_pixel(plan)
    lo, hi = (limit[rows] - plan.y_map()[1] for limit in (low, high))
    if plan.lo is not None and plan.hi is not None:
        lo, hi = np.maximum(lo, plan.lo.values), np.minimum(hi, plan.hi.values)
    return part.with_plan(replace(plan, lo=Column(lo), hi=Column(np.maximum(lo, hi))))


def without_windows(ws: EventWorkspace, windows: Sequence[Sequence[tuple[float, float]]]) -> EventWorkspace:
    """Return the events at times in none of the windows [a, b) of their spectrum; for plain times.

    What is left of a spectrum with k windows are k + 1 stretches. The workspace gets a part for the first of each
    spectrum, one for the second, and so on: as many as the spectrum with most windows has stretches.
    """
    stretches = [_gaps(of_spectrum) for of_spectrum in windows]
    parts: list[Part] = []
    for nth in range(max(len(s) for s in stretches)):
        # a spectrum with fewer stretches has nothing in this part
        limits = np.array([s[nth] if nth < len(s) else (np.inf, np.inf) for s in stretches])
        parts += parts_within(ws, limits[:, 0], limits[:, 1])
    return ws.replaced(parts=parts)


def _gaps(windows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found, begin = [], -np.inf
    for a, b in sorted(windows):
        if a > begin:
            found.append((begin, a))
        begin = max(begin, b)
    return [*found, (begin, np.inf)]
