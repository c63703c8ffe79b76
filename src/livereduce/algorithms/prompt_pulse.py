"""RemovePromptPulse: what comes straight from the source at every pulse is cut out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.masking import mask_bins
from livereduce.algorithms.operands import as_histogram
from livereduce.workspaces import LINEAR, EventWorkspace, MatrixWorkspace, Plan

_FREQUENCY_LOGS = ("FrequencyRequest", "frequency", "Frequency", "freq")
# Cuts are made for so many periods more than the data have yet, so that plans of chunks are mostly the same.
_AT_ONCE = 4
_MOST = 1000


@algorithm("RemovePromptPulse")
def remove_prompt_pulse(ws: MatrixWorkspace, width: float, frequency: float | None = None) -> MatrixWorkspace:
    """Drop events that come shortly after a multiple of the source's period; of a histogram, mask those bins.

    Parameters
    ----------
    ws
        Workspace in time of flight.
    width
        How long after every pulse, µs.
    frequency
        Pulses a second; by default from the log FrequencyRequest, or frequency.
    """
    if ws.unit != "TOF":
        raise ValueError(f"InputWorkspace: X must be TOF, found {ws.unit!r}")
    if width <= 0:
        raise ValueError(f"Width: must be positive, found {width:g}")
    period = 1e6 / _frequency(ws, frequency)
    if width >= period:
        raise ValueError(f"Width: {width:g} µs is as long as the period, {period:g} µs: nothing would be left")
    first, last = _whole_range(ws) if isinstance(ws, EventWorkspace) else (ws.x.min(), ws.x.max())
    start = int(np.floor(min(first, 0.0) / period))
    stop = (int(max(last, 0.0) // period) // _AT_ONCE + 1) * _AT_ONCE
    if stop - start > _MOST:
        raise ValueError(
            f"InputWorkspace: times from {first:g} to {last:g} µs are {stop - start} periods of the source"
        )
    windows = [(k * period, k * period + width) for k in range(start, stop)]
    if isinstance(ws, EventWorkspace):
        parts = [part.with_plan(plan) for part in ws.parts for plan in _without(part.plan, windows)]
        return ws.replaced(parts=parts)
    result: MatrixWorkspace = as_histogram(ws)
    for low, high in windows:
        if high > first and low < last:
            result = mask_bins(result, low, high)
    return result if result is not ws else ws.clone()


def _whole_range(ws: EventWorkspace) -> tuple[float, float]:
    """Return the least and greatest X, whatever pulses were selected: new events only widen it, so it costs just these.

    Of selected pulses it would have to be found anew each time one of them is not selected any more.
    """
    low, high = ws.replaced(parts=[replace(part, kept=None) for part in ws.parts]).tof_range()
    return low, high


def _frequency(ws: MatrixWorkspace, given: float | None) -> float:
    frequency = given
    for name in _FREQUENCY_LOGS:
        if frequency is None and name in ws.logs:
            try:
                frequency = ws.logs.getPropertyAsSingleValue(name)
            except (TypeError, ValueError):
                raise ValueError(f"Frequency: the log {name} is {ws.logs[name].value!r}, expected a number") from None
    if frequency is None:
        raise ValueError(f"Frequency: must be given; the logs have none of {', '.join(_FREQUENCY_LOGS)}")
    if not 0 < frequency < 1e6:
        raise ValueError(f"Frequency: must be positive, found {frequency:g} Hz")
    return frequency


def _without(plan: Plan, windows: list[tuple[float, float]]) -> list[Plan]:
    """Plans without events in these windows of X; one, unless X is another time for each pixel."""
    factor, offset = plan.y_map()
    if plan.curve == LINEAR and len(factor) == len(offset) == 1:
        f, o = float(factor[0]), float(offset[0])
        return [plan.without_times([((low - o) / f, (high - o) / f) for low, high in windows])]
    starts = [-np.inf, *(high for _, high in windows)]
    ends = [*(low for low, _ in windows), np.inf]
    return [plan.limited(a, b, include_max=False) for a, b in zip(starts, ends, strict=True)]
