"""Leaving out whole pulses from columns of events."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from livereduce.listeners.base import Events, MonitorEvents, PacketKeys

Pulses = TypeVar("Pulses", Events, MonitorEvents)


def keep_pulses(events: Pulses, keep: NDArray[np.bool_]) -> Pulses:
    """Return `events` with only the pulses for which `keep` (bool[np]) is true."""
    counts = np.diff(events.start)
    of_event = np.repeat(keep, counts)
    start = np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64)
    keys = events.keys
    if keys is not None:
        keys = PacketKeys(keys.pulse_id[keep], keys.kind_and_length[keep], keys.fingerprint[keep])
    kept = replace(events, pulse_time=events.pulse_time[keep], start=start, tof=events.tof[of_event], keys=keys)
    if isinstance(kept, Events):
        return replace(
            kept,
            charge=kept.charge[keep],
            detector_id=kept.detector_id[of_event],
            rejected={reason: counts[keep] for reason, counts in kept.rejected.items()},
            period=None if kept.period is None else kept.period[keep],
        )
    return replace(kept, number=kept.number[of_event])


def of_periods(events: Events, count: int) -> tuple[Events, int]:
    """Leave out packets of periods beyond the first `count`; gives how many events that were, too."""
    if events.period is None:
        return events, 0
    known = (events.period >= 0) & (events.period < count)
    if known.all():
        return events, 0
    kept = keep_pulses(events, known)
    return kept, int(events.start[-1] - kept.start[-1])
