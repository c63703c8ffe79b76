"""Scales of events by their number in a table: constant over ranges of events, and only ever appended to.

A chunk that was scaled by a number of its own (its charge, its duration) adds a step. All workspaces that such chunks
were added to share the steps, and each looks only at those of its own events; so a chunk is added in constant time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from livereduce.workspaces.arrays import F64, I64, GrowingArray
from livereduce.workspaces.cache import CountCache


class Steps(NamedTuple):
    """Ranges of events, by the first of each, and the scale in each."""

    first: I64
    scale: F64

    def times(self, factor: float) -> Steps:
        """Return the steps with all scales multiplied."""
        return Steps(self.first, self.scale * factor)

    def same(self, other: Steps) -> bool:
        """Tell whether other steps are equal to these."""
        return np.array_equal(self.first, other.first) and np.array_equal(self.scale, other.scale)


class _History:
    """Steps of the events before `end`: these never change, and more are appended."""

    def __init__(self, steps: Steps, end: int) -> None:
        self._first, self._scale = GrowingArray(np.int64), GrowingArray(np.float64)
        self.append(steps, end)

    def append(self, steps: Steps, end: int) -> None:
        self._scale.n = self._first.n  # the time limit of scripts may have ended the last append half-way
        self._scale.append(steps.scale)  # before what it is found by, since somebody may be looking
        self._first.append(steps.first)
        self.end = end

    @property
    def steps(self) -> Steps:
        first = self._first.view()
        return Steps(first, self._scale.view(len(first)))


@dataclass(frozen=True, slots=True)
class Scales:
    """Scale of each event of a table; equal to others only where they share a history.

    Parameters
    ----------
    history
        Steps by the number of the event in this table, or in one that this table follows.
    begin
        Number of this table's first event there.
    """

    history: _History
    begin: int = 0

    @classmethod
    def constant(cls, a: int, b: int, scale: float) -> Scales:
        """Return scales of events [a, b) that are all the same."""
        return cls(_History(Steps(np.array([a], np.int64), np.array([scale])), b))

    def moved(self, begin: int) -> Scales:
        """Return the scales of a table whose first event is number `begin` of this one."""
        return Scales(self.history, self.begin + begin)

    def of(self, events: I64) -> F64:
        """Return the scale of each of these events, or of the pulses that begin with them: there is one before all."""
        first, scale = self.history.steps
        at = np.searchsorted(first, events + self.begin, side="right") - 1
        return scale[np.maximum(at, 0)]

    def over(self, a: int, b: int) -> F64:
        """Return the scale of each event of [a, b)."""
        first, scale = self.steps(a, b)
        return np.repeat(scale, np.diff(first, append=b))

    def steps(self, a: int, b: int) -> Steps:
        """Return the steps of events [a, b); the first begins at a."""
        first, scale = self.history.steps
        low = int(np.searchsorted(first, a + self.begin, side="right")) - 1
        high = int(np.searchsorted(first, b + self.begin))
        return Steps(np.maximum(first[low:high] - self.begin, a), scale[low:high])

    def cut(self, ranges: I64) -> tuple[I64, I64, F64]:
        """Return sorted disjoint ranges cut where steps begin, and of each piece the number of its step and its scale.

        There has to be a range; steps are numbered from that of its first event.
        """
        first, scale = self.steps(int(ranges[0, 0]), int(ranges[-1, 1]))
        within = first[first < ranges[np.searchsorted(ranges[:, 0], first, side="right") - 1, 1]]
        begin = np.union1d(ranges[:, 0], within)
        end = ranges[np.searchsorted(ranges[:, 0], begin, side="right") - 1, 1]
        end[:-1] = np.minimum(end[:-1], begin[1:])
        step = np.searchsorted(first, begin, side="right") - 1
        return np.stack([begin, end], axis=1), step, scale[step]

    def followed(self, a: int, b: int, steps: Steps) -> Scales:
        """Return these scales up to event a, and steps of events [a, b) after them.

        They are appended to the history we share, unless others went on from a in another way.
        """
        with CountCache.guard:
            if a + self.begin == self.history.end:
                self.history.append(Steps(steps.first + self.begin, steps.scale), b + self.begin)
                return self
            if b + self.begin <= self.history.end and self.steps(a, b).same(steps):
                return self
            first, scale = self.history.steps
            before = int(np.searchsorted(first, a + self.begin))
            history = _History(Steps(first[:before], scale[:before]), a + self.begin)
            return Scales(history, self.begin).followed(a, b, steps)
