"""How focused powder data are binned and where their spectra are said to be; see `powder`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.algorithms.binning import edges_by_row, edges_from
from livereduce.algorithms.declaration import Integers, Numbers
from livereduce.algorithms.instruments import edit_instrument_geometry
from livereduce.algorithms.resampling import edges_between
from livereduce.workspaces import EventWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64


class Bins(NamedTuple):
    """How the result is binned, in d-spacing or TOF.

    By a step for each group between limits, by a number of bins between limits, or by Rebin's parameters: the first of
    these that is given.
    """

    params: F64
    number: int
    steps: F64
    low: F64
    high: F64
    in_d: bool

    @property
    def given(self) -> bool:
        """Whether anything was said at all."""
        return bool(len(self.params) or self.number or len(self.steps))

    @property
    def common(self) -> bool:
        """Whether all groups have the same bins, so that these can be known before there are groups."""
        if len(self.params) > 1 and not self.number and not len(self.steps):
            return True
        return self.given and len(self.low) == len(self.high) == 1 and len(self.steps) < 2

    def edges(self, ws: MatrixWorkspace) -> F64:
        """Edges of the result, for all spectra or of each, for data that are in the unit of the bins."""
        if len(self.steps):
            return self._edges_by_step(ws)
        if self.number:
            return edges_between(ws, self.low, self.high, abs(self.number), logarithmic=self.number < 0)
        if len(self.params) > 1:
            return edges_from(self.params)
        low, high = (_span(ws)[i] if not len(end) else end for i, end in ((0, self.low), (1, self.high)))
        return edges_from([float(np.min(low)), float(self.params[0]), float(np.max(high))])

    def _edges_by_step(self, ws: MatrixWorkspace) -> F64:
        """Edges of each group from its limits and step; a limit that is not given or finite is that of the data."""
        n, (first, last) = ws.n_spectra, _span(ws)
        columns = {"DeltaRagged": self.steps, "DMin or TMin": self.low, "DMax or TMax": self.high}
        for name, column in columns.items():
            if len(column) not in ((1, n) if column is self.steps else (0, 1, n)):
                raise ValueError(f"{name}: {len(column)} values for {n} groups; expected one, or one each")
        low, high = (
            np.broadcast_to(np.where(np.isfinite(given), given, data) if len(given) else data, n)
            for given, data in ((self.low, first), (self.high, last))
        )
        return edges_by_row(low, np.broadcast_to(self.steps, n), high)


class Place(NamedTuple):
    """Where focused spectra are said to be, for EditInstrumentGeometry."""

    l1: float | None
    numbers: Integers
    l2: Numbers
    polar: Numbers

    def applied(self, ws: MatrixWorkspace) -> MatrixWorkspace:
        """Return the workspace with those of these places that belong to one of its spectra."""
        columns = [np.atleast_1d(np.asarray(column, np.float64)) for column in (self.l2, self.polar)]
        numbers = np.atleast_1d(np.asarray(self.numbers, np.int64))
        if self.l1 is None and not any(len(column) for column in columns):
            return ws
        if len(numbers):
            there = np.isin(numbers, ws.spectra.numbers)
            numbers = numbers[there]
            columns = [column[there] if len(column) == len(there) else column for column in columns]
        return edit_instrument_geometry(ws, self.l1, numbers, l2=columns[0], polar=columns[1])


def _span(ws: MatrixWorkspace) -> tuple[F64, F64]:
    if isinstance(ws, EventWorkspace):
        low, high = ws.tof_range()
        return np.array([low]), np.array([high])
    return ws.x[..., 0], ws.x[..., -1]
