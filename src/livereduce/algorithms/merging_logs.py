"""What MergeRuns does with logs that a script names: sums, lists, series over the runs; runs that differ too much."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from livereduce.algorithms.declaration import Numbers
from livereduce.workspaces import MatrixWorkspace, Run, TimeSeries

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogRules:
    """Names of logs by what becomes of them, and how far a log may be from the first run's (None: equal as text)."""

    summed: Sequence[str] = ()
    listed: Sequence[str] = ()
    series: Sequence[str] = ()
    warned: Sequence[tuple[str, float | None]] = ()
    failed: Sequence[tuple[str, float | None]] = ()

    def __post_init__(self) -> None:
        names = [*self.summed, *self.listed, *self.series]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"log {twice[0]!r} can be one of summed, listed or made a series, not several")

    def warn(self, first: MatrixWorkspace, other: MatrixWorkspace) -> None:
        """Log which logs of a run differ from the first run's."""
        for problem in _differences(first.run(), other.run(), self.warned):
            log.warning("MergeRuns: %r: %s", other, problem)

    def reason_to_fail(self, first: MatrixWorkspace, other: MatrixWorkspace) -> str:
        """Return why a run does not belong to the first one, "" if it does."""
        return "; ".join(_differences(first.run(), other.run(), self.failed))

    def merge(self, total: MatrixWorkspace, parts: Sequence[MatrixWorkspace]) -> None:
        """Give the logs of the sum what was asked for, from those of the runs in it."""
        runs, result = [part.run() for part in parts], total.run()
        for name in (*self.summed, *self.listed, *self.series):
            missing = [part for part, run in zip(parts, runs, strict=True) if not run.hasProperty(name)]
            if missing:
                log.warning("MergeRuns: %r has no log %r, which is merged as others are", missing[0], name)
                continue
            units = str(runs[0][name].units)
            if name in self.summed:
                result.set(name, sum(_number(run, name) for run in runs), units)
            elif name in self.listed:
                result.set(name, ", ".join(_text(run, name) for run in runs))
            else:
                times = [run.start_ns for run in runs]
                result.put(TimeSeries(name, times, [_number(run, name) for run in runs], units))


def with_tolerances(names: Sequence[str], tolerances: Numbers, which: str) -> list[tuple[str, float | None]]:
    """Pair names with tolerances: none, one for all, or one for each."""
    given = np.atleast_1d(np.asarray(tolerances, np.float64))
    if len(given) not in (0, 1, len(names)):
        raise ValueError(f"{which}Tolerances: has {len(given)} values for {len(names)} logs")
    values = np.broadcast_to(given, len(names)).tolist() if len(given) else [None] * len(names)
    return list(zip(names, values, strict=True))


def _differences(first: Run, other: Run, rules: Sequence[tuple[str, float | None]]) -> list[str]:
    found = []
    for name, tolerance in rules:
        there = [run.hasProperty(name) for run in (first, other)]
        if not all(there):
            if any(there):
                found.append(f"log {name!r} is not in both this and the first run")
        elif tolerance is None:
            if _text(first, name) != _text(other, name):
                found.append(f"log {name!r} is {_text(other, name)}, in the first run {_text(first, name)}")
        elif not abs(_number(other, name) - _number(first, name)) <= tolerance:
            found.append(f"log {name!r} is {_number(other, name):g}, in the first run {_number(first, name):g}")
    return found


def _number(run: Run, name: str) -> float:
    try:
        return run.getPropertyAsSingleValue(name)
    except (TypeError, ValueError):
        raise ValueError(f"log {name!r} is no number, found {_text(run, name)!r}") from None


def _text(run: Run, name: str) -> str:
    found = run[name]
    if isinstance(found, TimeSeries):
        return f"{_number(run, name):g}" if found.value.dtype.kind in "biuf" else str(found.value[-1])
    return str(found.value)
