"""Event workspaces: bin edges and a list of parts; values are counted when they are read.

Adding joins part lists, subtracting adds parts of scale -1, every other algorithm edits the plans. Reading Y evaluates
all parts of a table with equal plans as one, through the table's cache of counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F64, I64, Bool, Column, Rows
from livereduce.workspaces.axes import NumericAxis, Unit
from livereduce.workspaces.compression import Compression
from livereduce.workspaces.detectors import Detectors, Spectra
from livereduce.workspaces.evaluation import (
    Evaluated,
    Term,
    events_per_spectrum,
    extent,
    regardless_of_weight,
    terms_of,
)
from livereduce.workspaces.event_list import EventList, EventOrder
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.histogram import HistogramWorkspace
from livereduce.workspaces.matrix import MatrixWorkspace
from livereduce.workspaces.plan import Part, Plan, joined
from livereduce.workspaces.ranges import Interval
from livereduce.workspaces.run import Run


class EventWorkspace(MatrixWorkspace):
    """Parts of event tables, seen through plans.

    Parameters
    ----------
    parts
        At least one (of no events, if need be); all plans have the same spectra and unit.
    detectors
        What the dense pixel indices of the tables are.
    run
        Logs.
    edges
        Bin edges shared by all spectra, or a row for each. None is the default binning: one bin from the least to the
        greatest X there is, growing with the data.
    spectra
        Default: one per detector that is no monitor, numbered from 1.
    compression
        How near events are put together when they are asked for one by one (never in bins); None for not at all.
    order
        In what order they are given then.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        detectors: Detectors,
        run: Run,
        *,
        edges: npt.ArrayLike | Column | None = None,
        spectra: Spectra | None = None,
        title: str = "",
        unit: str | None = None,
        y_unit: str = "Counts",
        y_label: str = "",
        distribution: bool = False,
        vertical: NumericAxis | None = None,
        monitors: MatrixWorkspace | None = None,
        compression: Compression | None = None,
        order: EventOrder = EventOrder.CAME,
    ) -> None:
        self._compression = compression
        self.order = order
        self.parts = joined(parts)
        if not self.parts:
            raise ValueError("EventWorkspace: at least one part is needed; an empty one says what spectra there are")
        plan = self.parts[0].plan
        if any(p.plan.n_spectra != plan.n_spectra or p.plan.unit != plan.unit for p in self.parts):
            raise ValueError("EventWorkspace: the parts' plans differ in their spectra or unit")
        if unit is not None and unit != plan.unit:
            raise ValueError(f"EventWorkspace: unit is {unit!r}, the parts' plans are in {plan.unit!r}")
        super().__init__(
            detectors,
            detectors.default_spectra if spectra is None else spectra,
            run,
            title=title,
            unit=plan.unit,
            y_unit=y_unit,
            y_label=y_label,
            distribution=distribution,
            vertical=vertical,
            monitors=monitors,
        )
        if len(self.spectra) != plan.n_spectra:
            raise ValueError(f"EventWorkspace: {len(self.spectra)} spectra described, plans have {plan.n_spectra}")
        self._edges = edges if isinstance(edges, Column) or edges is None else checked_edges(edges, plan.n_spectra)
        self.parts = tuple(part.with_plan(part.plan.in_bins(self._edges)) for part in self.parts)
        self._terms: list[Term] | None = None
        self._evaluated: Evaluated | None = None

    @classmethod
    def from_table(
        cls, table: EventTable, a: int, b: int, detectors: Detectors, run: Run | None = None, **others: Any
    ) -> Self:
        """Show events [a, b) of a table: one spectrum per detector that is no monitor, default binning."""
        plan = Plan(len(detectors.default_spectra), detectors.default_group)
        return cls([Part(table, a, b, plan)], detectors, Run() if run is None else run, **others)

    @property
    def kind(self) -> str:
        """Mantid's name for it."""
        return "EventWorkspace"

    @property
    def tables(self) -> list[EventTable]:
        """The event tables shown."""
        return list({id(part.table): part.table for part in self.parts}.values())

    @property
    def plan(self) -> Plan:
        """The first part's plan: what spectra and unit are like, in all of them."""
        return self.parts[0].plan

    # -- values ---------------------------------------------------------------------------------------------------

    @property
    def terms(self) -> list[Term]:
        """The parts as they are counted: those of a table with the same plan as one."""
        if self._terms is None:
            self._terms = terms_of(self.parts)
        return self._terms

    def _values(self) -> Evaluated:
        if self._evaluated is None:
            self._evaluated = Evaluated(self.terms, self._edges)
        return self._evaluated

    @property
    def default_binning(self) -> bool:
        """Whether X is one bin that covers the events, and grows with them."""
        return self._edges is None

    @property
    def edges(self) -> F64:
        """Bin edges: shared, or a row per spectrum. Read-only."""
        if self._edges is None:
            lo, hi = self.tof_range()
            return np.array([lo, np.nextafter(hi, np.inf)])
        return self._edges.values

    @property
    def edge_column(self) -> Column | None:
        """Bin edges as a column, whose values may not have been made yet; None on default binning."""
        return self._edges

    @property
    def x(self) -> F64:
        """Bin edges: shared, or a row per spectrum; ``x(i)`` are those of a spectrum. Read-only."""
        return Rows.of(self.edges, self.n_spectra)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return 1 if self._edges is None else int(self._edges.values.shape[-1]) - 1

    @property
    def is_histogram(self) -> bool:
        """Always: X holds edges."""
        return True

    @property
    def y(self) -> F64:
        """Weighted counts, float64[spectra, bins]; ``y(i)`` are those of a spectrum. Read-only."""
        return Rows.of(self._values().y, self.n_spectra)

    @property
    def e2(self) -> F64:
        """Variances: counts times weight squared, and what factors with errors add. Read-only."""
        return self._values().e2

    def _y_row(self, index: int) -> F64:
        return self._values().y_row(index)

    def _e_row(self, index: int) -> F64:
        return np.sqrt(self._values().e2_row(index))

    def number_events(self) -> int:
        """Return the number of events kept, in the range of X or not."""
        return int(self.events_per_spectrum().sum())

    @property
    def compression(self) -> Compression | None:
        """How near events are put together when asked for one by one; it holds in the unit it was recorded in."""
        return self._compression if self._compression and self._compression.unit == self.unit else None

    def getNumberEvents(self) -> int:  # noqa: N802
        """Return the number of events kept, in the range of X or not; after CompressEvents, of what they became."""
        compression = self.compression
        return self.number_events() if compression is None else compression.count(self.terms)

    def events_per_spectrum(self) -> I64:
        """Return how many events each spectrum has, in the range of X or not."""
        counts = np.zeros(self.n_spectra, np.int64)
        for term in regardless_of_weight(self.terms):
            counts += events_per_spectrum(term)
        return counts

    def tof_range(self) -> tuple[float, float]:
        """Return the least and greatest X of the events, in the present unit; (0, 1) if there are none."""
        lo, hi = extent(self.terms)
        return (lo, hi) if lo <= hi else (0.0, 1.0)

    @property
    def nbytes(self) -> int:
        """Bytes of the values evaluated so far; the events belong to their tables."""
        return 0 if self._evaluated is None else self._evaluated.nbytes

    # -- making others --------------------------------------------------------------------------------------------

    def _arguments(self) -> dict[str, Any]:
        arguments = super()._arguments()
        del arguments["unit"]
        own = {"parts": self.parts, "edges": self._edges, "compression": self._compression, "order": self.order}
        return arguments | own

    def replaced(self, **changes: Any) -> Self:
        """Return a workspace like this one but for some constructor arguments; events are shared, logs copied."""
        new = super().replaced(**changes)
        if not changes.keys() & {"parts", "edges", "spectra"}:
            new._terms, new._evaluated = self._terms, self._evaluated
        return new

    def planned(self, change: Callable[[Plan], Plan], **changes: Any) -> Self:
        """Return a workspace whose plans are changed so, and some constructor arguments with them."""
        return self.replaced(parts=self.changed_parts(change), **changes)

    def changed_parts(self, change: Callable[[Plan], Plan]) -> list[Part]:
        """Return the parts with their plans changed.

        Whatever a change does, a scale stays a factor of it; so plans that differ in nothing else are changed once for
        all, and share what that makes.
        """
        changed: dict[Plan, Plan] = {}
        for part in self.parts:
            if part.plan.unscaled not in changed:
                changed[part.plan.unscaled] = change(part.plan.unscaled)
        return [part.with_plan(changed[part.plan.unscaled].scaled_like(part.plan)) for part in self.parts]

    def selected(self, intervals: Iterable[Interval] | I64, **changes: Any) -> Self:
        """Return a workspace of only those pulses that are in these intervals [t0, t1), ns since 1970 UTC."""
        return self.replaced(parts=[part.selected(intervals) for part in self.parts], **changes)

    def clone(self) -> Self:
        """Return an independent copy that shares the events and what is counted of them."""
        copy = self.replaced()
        if self.monitors is not None:
            copy.monitors = self.monitors.clone()
        return copy

    def plus(self, other: EventWorkspace, *, subtract: bool = False) -> Self:
        """Return this workspace with another's events added (or subtracted), in our bins, with our own logs."""
        ours = self.parts[-1].plan
        theirs = [p.with_plan(p.plan.scaled(-1.0 if subtract else 1.0).sharing(ours)) for p in other.parts]
        return self.replaced(parts=[*self.parts, *theirs])

    def to_histogram(self) -> HistogramWorkspace:
        """Return the values as a histogram workspace."""
        monitors = self.monitors
        if isinstance(monitors, EventWorkspace):
            monitors = monitors.to_histogram()
        arguments = MatrixWorkspace._arguments(self) | {"monitors": monitors}
        return HistogramWorkspace(self.edges, self.y, self.e2, **arguments)

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def getTofMin(self) -> float:  # noqa: N802
        """Return the least X of the events, in the present unit."""
        return self.tof_range()[0]

    def getTofMax(self) -> float:  # noqa: N802
        """Return the greatest X of the events, in the present unit."""
        return self.tof_range()[1]

    def _set_unit(self, index: int, new: Unit) -> None:
        if index == 0 and new.id != self.unit:
            raise RuntimeError(f"{self!r} has events in {self.unit}; ConvertUnits gives them in another unit")
        super()._set_unit(index, new)

    def getSpectrum(self, index: int) -> EventList:  # noqa: N802
        """Return a spectrum's event list."""
        return EventList(self.spectra, self._checked(index), self.terms, self.compression, self.order)

    def clearMRU(self) -> None:  # noqa: N802
        """Forget the values counted; they are counted again when read."""
        self._evaluated = None

    def setX(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Set the bin edges of a spectrum (of a workspace on default binning, of all of them)."""
        self._checked(index)
        new = np.asarray(values, np.float64)
        if self._edges is not None and np.array_equal(self._edges.values, new):
            return  # a loop that gives every spectrum the same bins
        if self.n_spectra > 1 and self._edges is not None and self._edges.values.shape[-1:] == new.shape:
            row = checked_edges(new, 1).values
            rows = self._own_edges()
            rows[index] = row
            alike = np.array_equal(rows[0], rows[-1]) and bool(np.all(rows == rows[0]))
            edges = Column(rows[0].copy() if alike else rows)
        else:
            edges = checked_edges(new, self.n_spectra)
        self.parts = tuple(part.with_plan(part.plan.in_bins(edges)) for part in self.parts)
        self._edges, self._terms, self._evaluated = edges, None, None

    setSharedX = setX  # noqa: N815

    def _own_edges(self) -> F64:
        """Return the edges as a row for each spectrum to write to: as they are if nobody else has them, else a copy."""
        assert self._edges is not None
        # in a loop over spectra, each turn of which would copy all; references: the attribute, the argument made of it
        alone = sys.getrefcount(self._edges) <= 2 and sys.getrefcount(self._edges.values) <= 2
        if not alone or self._edges.values.ndim == 1 or self._edges.values.base is not None:
            return self.extractX()
        self._edges.values.flags.writeable = True
        return self._edges.values

    def dataX(self, index: int) -> F64:  # noqa: N802
        """Events have no X to write to; see the message."""
        raise RuntimeError(self._unwritable("dataX", "setX"))

    def dataY(self, index: int) -> F64:  # noqa: N802
        """Events have no Y to write to; see the message."""
        raise RuntimeError(self._unwritable("dataY", "readY"))

    def dataE(self, index: int) -> F64:  # noqa: N802
        """Events have no E to write to; see the message."""
        raise RuntimeError(self._unwritable("dataE", "readE"))

    def setY(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Events have no Y to write to; see the message."""
        raise RuntimeError(self._unwritable("setY", "readY"))

    def setE(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Events have no E to write to; see the message."""
        raise RuntimeError(self._unwritable("setE", "readE"))

    mutableX, mutableY, mutableE = dataX, dataY, dataE  # noqa: N815

    def _unwritable(self, method: str, instead: str) -> str:
        return (
            f"{self!r} is an event workspace: {method} cannot write to it, its values are counted from the events. Use"
            f" {instead}, or make a histogram first (ConvertToMatrixWorkspace, or Rebin with PreserveEvents=False)"
        )


def checked_edges(edges: npt.ArrayLike, n_spectra: int) -> Column:
    """Return bin edges as a column, or say what is wrong with them."""
    values = np.array(edges, np.float64)
    rising: Bool = values[..., 1:] > values[..., :-1] if values.ndim else np.empty(0, bool)
    if values.ndim not in (1, 2) or values.shape[-1] < 2 or (values.ndim == 2 and len(values) != n_spectra):
        raise ValueError(
            f"bin edges have shape {values.shape}; expected two or more, for all or for each of {n_spectra} spectra"
        )
    if not rising.all() or np.isnan(values).any():
        raise ValueError("bin edges must rise from each to the next")
    return Column(values)
