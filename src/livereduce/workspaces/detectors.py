"""Which detector a pixel index is, and which detectors a spectrum is made of.

`Detectors` belongs to event tables (dense index -> detector ID, place), `Spectra` to workspaces (spectrum number,
detector IDs, mask). IDs from the network are mapped to indices once, by `Detectors.map_events`, and trusted after.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import F64, I32, I64, U32, AnyArray, Bool, Column, frozen, kept, read_only

if TYPE_CHECKING:
    from livereduce.geometry import Instrument

# A lookup array costs 4 bytes an ID in the range; beyond this many (64 MB) IDs are searched in a sorted list instead.
_LOOKUP_IDS = 1 << 24


class Mapped(NamedTuple):
    """Events whose detector is known, compacted."""

    tof: U32
    pix: I32
    start: I64
    unmapped: int


class Detectors:
    """The detectors of a table: dense index [0, n) to ID, kind and, where known, place.

    Parameters
    ----------
    ids
        Detector ID of each index; all different.
    monitor
        Which of them are monitors (default: none).
    l1
        Source to sample, m.
    l2, two_theta
        Sample to detector (m) and scattering angle (rad) of each index; NaN where unknown.
    positions
        float64[n, 3], m, sample at the instrument's own origin.
    instrument
        The instrument the arrays come from; only scripts that ask for it need it.
    """

    def __init__(
        self,
        ids: npt.ArrayLike,
        monitor: npt.ArrayLike | None = None,
        *,
        l1: float | None = None,
        l2: npt.ArrayLike | None = None,
        two_theta: npt.ArrayLike | None = None,
        positions: npt.ArrayLike | None = None,
        instrument: Instrument | None = None,
    ) -> None:
        self.ids: I64 = kept(ids, np.int64)
        n = len(self.ids)
        self.monitor: Bool = kept(np.zeros(n, bool) if monitor is None else monitor, bool)
        self.l1 = l1
        self.l2: F64 | None = None if l2 is None else kept(l2, np.float64)
        self.two_theta: F64 | None = None if two_theta is None else kept(two_theta, np.float64)
        self.positions: F64 | None = None if positions is None else kept(positions, np.float64)
        self.instrument = instrument
        for name in ("monitor", "l2", "two_theta", "positions"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise ValueError(f"Detectors: {len(column)} values of {name} for {n} detector IDs")
        order = np.argsort(self.ids, kind="stable")
        self._sorted_ids: I64 = frozen(self.ids[order])
        self._sorted_index: I32 = frozen(order.astype(np.int32))
        if np.any(self._sorted_ids[1:] == self._sorted_ids[:-1]):
            twice = self._sorted_ids[1:][self._sorted_ids[1:] == self._sorted_ids[:-1]][0]
            raise ValueError(f"Detectors: detector ID {twice} occurs more than once")
        self._lookup, self._lookup_first = self._make_lookup()

    @classmethod
    def from_instrument(cls, instrument: Instrument) -> Detectors:
        """Take the detectors of an instrument in its own order."""
        return cls(
            instrument.ids,
            instrument.monitor,
            l1=instrument.l1,
            l2=instrument.l2,
            two_theta=instrument.two_theta,
            positions=instrument.positions,
            instrument=instrument,
        )

    def placed(self, instrument: Instrument) -> Detectors:
        """Return these detectors where an instrument has them; those it does not know have no place.

        Which index is which stays, so that what was sorted and looked up once is shared: a motor may move at any time.
        """
        result = copy(self)
        for name in ("default_spectra", "default_group"):
            result.__dict__.pop(name, None)
        result.l1, result.instrument = instrument.l1, instrument
        if np.array_equal(self.ids, instrument.ids):
            result.monitor, result.l2 = instrument.monitor, instrument.l2
            result.two_theta, result.positions = instrument.two_theta, instrument.positions
            return result
        rows = instrument.rows_of(self.ids)
        known = rows >= 0
        if not len(instrument):
            return Detectors(self.ids, self.monitor, l1=instrument.l1, instrument=instrument)
        result.monitor = frozen(np.where(known, instrument.monitor[rows], self.monitor))
        result.l2 = frozen(np.where(known, instrument.l2[rows], np.nan))
        result.two_theta = frozen(np.where(known, instrument.two_theta[rows], np.nan))
        result.positions = frozen(np.where(known[:, None], instrument.positions[rows], np.nan))
        return result

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def default_spectra(self) -> Spectra:
        """One spectrum per detector that is no monitor, numbered from 1."""
        ids = self.ids[~self.monitor]
        return Spectra(np.arange(1, len(ids) + 1), ids)

    @cached_property
    def default_group(self) -> Column | None:
        """The spectrum of each dense index for `default_spectra`, -1 for monitors; None if index and spectrum agree."""
        if not self.monitor.any():
            return None
        return Column(np.where(self.monitor, -1, np.cumsum(~self.monitor) - 1), np.int32)

    def _make_lookup(self) -> tuple[I32, int]:
        """Array from (ID - first) to index, -1 for gaps; empty when the range of IDs is too wide for it."""
        known = self._sorted_ids[(self._sorted_ids >= 0) & (self._sorted_ids < 1 << 32)]
        if not len(known) or known[-1] - known[0] >= _LOOKUP_IDS:
            return np.empty(0, np.int32), 0
        lookup = np.full(known[-1] - known[0] + 1, -1, np.int32)
        lookup[known - known[0]] = self._search(known)
        return frozen(lookup), int(known[0])

    def index_of(self, ids: npt.ArrayLike) -> I32:
        """Return the dense index of each ID, -1 where there is none."""
        wanted = np.asarray(ids, np.int64)
        at = wanted - self._lookup_first
        inside = (at >= 0) & (at < len(self._lookup))
        if inside.all():
            return self._lookup[at]
        result = np.full(wanted.shape, -1, np.int32)
        result[inside] = self._lookup[at[inside]]
        result[~inside] = self._search(wanted[~inside])  # negative IDs, or a range too wide for the array
        return result

    def _search(self, wanted: I64) -> I32:
        return _looked_up(wanted, self._sorted_ids, self._sorted_index).astype(np.int32)

    def map_events(self, tof: U32, pixel_id: U32, start: I64) -> Mapped:
        """Turn detector IDs into dense indices and leave out events of unknown detectors, in one pass.

        Parameters
        ----------
        tof, pixel_id
            One per event.
        start
            First event of each pulse, then the number of events.
        """
        tof, pixel_id = (read_only(np.ascontiguousarray(c, np.uint32)) for c in (tof, pixel_id))
        start = read_only(np.ascontiguousarray(start, np.int64))
        if tof.shape != pixel_id.shape or start[0] != 0 or start[-1] != len(tof) or np.any(start[1:] < start[:-1]):
            raise ValueError(f"map_events: starts must rise from 0 to {len(tof)}, one tof and one ID per event")
        out_tof, out_pix = np.empty_like(tof), np.empty(len(tof), np.int32)
        out_start = np.zeros_like(start)
        if len(self._lookup):
            kept = kernels.map_by_lookup(
                tof, pixel_id, start, self._lookup, self._lookup_first, out_tof, out_pix, out_start
            )
        else:
            kept = kernels.map_by_search(
                tof, pixel_id, start, self._sorted_ids, self._sorted_index, out_tof, out_pix, out_start
            )
        return Mapped(out_tof[:kept], out_pix[:kept], out_start, len(tof) - kept)


@dataclass(frozen=True, slots=True)
class SpectrumGeometry:
    """Flight paths and angle of each spectrum: means over its detectors, or what an algorithm has set."""

    l1: float
    """m"""
    l2: F64
    """m"""
    two_theta: F64
    """rad"""


class Spectra:
    """What the spectra of a workspace are: number, detector IDs, mask; immutable.

    Parameters
    ----------
    numbers
        Spectrum number of each spectrum.
    ids
        Detector IDs of all spectra one after another.
    start
        First of `ids` of each spectrum, then their number (default: one ID each).
    masked
        Spectra that are masked.
    geometry
        Flight paths and angles if they are not those of the detectors (EditInstrumentGeometry).
    labels
        What the spectra are called, if not by their numbers.
    """

    def __init__(
        self,
        numbers: npt.ArrayLike,
        ids: npt.ArrayLike = (),
        start: npt.ArrayLike | None = None,
        *,
        masked: npt.ArrayLike | None = None,
        geometry: SpectrumGeometry | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.numbers: I64 = kept(numbers, np.int64)
        self.ids: I64 = kept(ids, np.int64)
        n = len(self.numbers)
        if start is None:
            start = np.arange(n + 1) if len(self.ids) == n else np.zeros(n + 1)
            if len(self.ids) not in (n, 0):
                raise ValueError(f"Spectra: {len(self.ids)} detector IDs for {n} spectra need `start`")
        self.start: I64 = kept(start, np.int64)
        self.masked: Bool = kept(np.zeros(n, bool) if masked is None else masked, bool)
        self.geometry = geometry
        self.labels = None if labels is None else tuple(labels)
        if self.labels is not None and len(self.labels) != n:
            raise ValueError(f"Spectra: {len(self.labels)} labels for {n} spectra")
        if len(self.start) != n + 1 or self.start[-1] != len(self.ids) or len(self.masked) != n:
            raise ValueError(
                f"Spectra: {n} numbers, {len(self.start)} starts up to {self.start[-1]}, {len(self.ids)} IDs,"
                f" {len(self.masked)} mask flags do not fit together"
            )

    @classmethod
    def from_groups(cls, numbers: npt.ArrayLike, groups: Iterable[Iterable[int]]) -> Spectra:
        """Make spectra from one list of detector IDs each."""
        lists = [np.asarray(list(group), np.int64) for group in groups]
        start = np.concatenate([[0], np.cumsum([len(ids) for ids in lists])]).astype(np.int64)
        return cls(numbers, np.concatenate(lists) if lists else (), start)

    def __len__(self) -> int:
        return len(self.numbers)

    def detector_ids(self, index: int) -> I64:
        """Return the detector IDs of one spectrum (read-only)."""
        return self.ids[self.start[index] : self.start[index + 1]]

    def take(self, indices: Sequence[int] | AnyArray) -> Spectra:
        """Return these spectra in this order."""
        at = np.asarray(indices, np.int64)
        length = np.diff(self.start)[at]
        start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        ids = self.ids[np.repeat(self.start[at] - start[:-1], length) + np.arange(start[-1])]
        geometry = self.geometry
        if geometry is not None:
            geometry = SpectrumGeometry(geometry.l1, geometry.l2[at], geometry.two_theta[at])
        labels = None if self.labels is None else [self.labels[i] for i in at.tolist()]
        return Spectra(self.numbers[at], ids, start, masked=self.masked[at], geometry=geometry, labels=labels)

    def with_masked(self, masked: npt.ArrayLike) -> Spectra:
        """Return the same spectra with another mask."""
        return Spectra(self.numbers, self.ids, self.start, masked=masked, geometry=self.geometry, labels=self.labels)

    def with_geometry(self, geometry: SpectrumGeometry) -> Spectra:
        """Return the same spectra with flight paths and angles of their own."""
        return Spectra(self.numbers, self.ids, self.start, masked=self.masked, geometry=geometry, labels=self.labels)

    def with_labels(self, labels: Sequence[str]) -> Spectra:
        """Return the same spectra with names."""
        return Spectra(self.numbers, self.ids, self.start, masked=self.masked, geometry=self.geometry, labels=labels)

    @cached_property
    def owner(self) -> I64:
        """Workspace index of the spectrum that each of `ids` is in."""
        return frozen(np.repeat(np.arange(len(self)), np.diff(self.start)))

    @cached_property
    def _by_number(self) -> tuple[I64, I64]:
        """Spectrum numbers ascending, and the workspace index of each."""
        order = np.argsort(self.numbers, kind="stable")
        return self.numbers[order], order

    @cached_property
    def _by_detector(self) -> tuple[I64, I64]:
        """Detector IDs ascending, and the workspace index of each."""
        order = np.argsort(self.ids, kind="stable")
        return self.ids[order], self.owner[order]

    def index_of_numbers(self, numbers: npt.ArrayLike) -> I64:
        """Return the workspace index of each spectrum number, -1 where there is none."""
        return _looked_up(numbers, *self._by_number)

    def index_of_detectors(self, ids: npt.ArrayLike) -> I64:
        """Return the workspace index of the first spectrum with each detector ID, -1 where there is none."""
        return _looked_up(ids, *self._by_detector)

    def is_monitor(self, detectors: Detectors) -> Bool:
        """Tell for each spectrum whether all its detectors are monitors (one without detectors is none)."""
        index = detectors.index_of(self.ids)
        flag = np.where(index >= 0, detectors.monitor[index], False) if len(detectors) else np.zeros(len(index), bool)
        length = np.diff(self.start)
        found = np.bincount(self.owner, flag, len(self))
        result: Bool = (length > 0) & (found == length)
        return result

    def geometry_from(self, detectors: Detectors) -> SpectrumGeometry:
        """Return flight paths and angles: what was set, or the means over each spectrum's detectors (NaN if none)."""
        if self.geometry is not None:
            return self.geometry
        if detectors.l1 is None or detectors.l2 is None or detectors.two_theta is None:
            nan = np.full(len(self), np.nan)
            return SpectrumGeometry(np.nan, nan, nan)
        index = detectors.index_of(self.ids)
        row = self.owner[index >= 0]
        index = index[index >= 0]
        count = np.bincount(row, minlength=len(self))
        with np.errstate(invalid="ignore"):
            l2 = np.bincount(row, detectors.l2[index], len(self)) / count
            two_theta = np.bincount(row, detectors.two_theta[index], len(self)) / count
        return SpectrumGeometry(detectors.l1, frozen(l2), frozen(two_theta))


def as_pixels(spectra: Spectra) -> tuple[Detectors, Column | None]:
    """Lay out pixels for events that are told by spectrum.

    The first are the spectra, each with its first detector; other detectors follow, which only have a place. A spectrum
    without a detector of its own gets an ID that no detector has.

    Returns
    -------
    The detectors of the pixels, and the spectrum of each (-1 for those that follow); None if there are no others.
    """
    n = len(spectra)
    ids = np.arange(n) + min(int(spectra.ids.min(initial=0)), 0) - n - 1
    filled = np.flatnonzero(np.diff(spectra.start))
    first_ids, at = np.unique(spectra.ids[spectra.start[filled]], return_index=True)
    ids[filled[at]] = first_ids
    others = np.setdiff1d(spectra.ids, ids)
    detectors = Detectors(np.concatenate([ids, others]))
    if not len(others):
        return detectors, None
    return detectors, Column(np.concatenate([np.arange(n), np.full(len(others), -1)]), np.int32)


def _looked_up(wanted: npt.ArrayLike, ascending: I64, index: I64 | I32) -> I64:
    """Return the index of the first of equal values that each of the wanted is, -1 where there is none."""
    values = np.asarray(wanted, np.int64)
    if not len(ascending):
        return np.full(values.shape, -1, np.int64)
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.where(ascending[at] == values, index[at], np.int64(-1))
