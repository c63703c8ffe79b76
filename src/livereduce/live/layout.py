"""What the IDs in a stream's events mean: detectors, spectra and monitors, by what the stream has said so far."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.algorithms.instruments import instrument_named, remember, with_parameter_file
from livereduce.geometry import GeometryError, Instrument, Move
from livereduce.listeners.base import DetectorIds, Events, GeometryUpdate, MonitorEvents, SpectrumMap
from livereduce.live.tables import ChunkTables, Rows
from livereduce.workspaces import Detectors, EventWorkspace, Mapped, Part, Plan, Run, Spectra
from livereduce.workspaces.detectors import as_pixels

log = logging.getLogger(__name__)

ENOUGH_KNOWN = 0.9
"""A definition found by the instrument's name is used if it has at least this part of the stream's detectors."""

WARNINGS_TOLD = 20

Description = GeometryUpdate | SpectrumMap


@dataclass(frozen=True, slots=True)
class _BySpectrum:
    """Where events are told by spectrum: pixel i of a table is spectrum i, later pixels only have a place."""

    index: Detectors
    spectra: Spectra
    plan: Plan


class DetectorBook:
    """Takes the stream's descriptions of itself, maps events by them, makes workspaces of what was mapped.

    Where a stream says nothing of where its detectors are, a definition is looked up by the instrument's name.

    Parameters
    ----------
    moves
        What is not where the definition puts it.
    """

    def __init__(self, moves: Sequence[Move] = ()) -> None:
        self._moves = moves
        self._instrument: Instrument | None = None
        self._sought: tuple[str, int] | None = None  # instrument and time a definition was last looked up for
        self._missing: tuple[str, ...] = ()  # logs whose absence was told
        self._warned: set[str] = set()
        self._said: Description | None = None
        self._used: Description | None = None
        self._pixel_map: NDArray[np.int64] = np.empty(0, np.int64)
        self._detectors: Detectors | None = None
        self._by_spectrum: _BySpectrum | None = None
        self._monitors: Detectors | None = None

    # -- what the stream says -----------------------------------------------------------------------------------------

    def pixel_map(self, message: DetectorIds) -> None:
        """Note which detectors there are, for streams that describe them no better."""
        self._pixel_map = message.ids

    def describe(self, message: Description, *, nothing_yet: bool) -> bool:
        """Take a description if the run has none, or `nothing_yet`; another one in mid-run waits for the next run.

        Returns
        -------
        bool
            Whether what events mean has changed, so that tables have to be begun anew.
        """
        self._said = message
        if self._detectors is None or nothing_yet:
            return self.begin_run()
        if self._used is None or not _same(self._used, message):
            log.warning("the stream describes its detectors differently in mid-run; it is used from the next run on")
        return False

    def begin_run(self) -> bool:
        """Take up the newest description; returns as `describe` does."""
        if self._said is None or (self._used is not None and _same(self._used, self._said)):
            return False
        self._used = said = self._said
        self._sought, self._missing, self._warned = None, (), set()
        if isinstance(said, SpectrumMap):
            self._detectors, self._by_spectrum = _of_spectra(said)
            self._monitors = self._instrument = None
        else:
            self._instrument = instrument = _moved(with_parameter_file(said.instrument), self._moves)
            self._detectors, self._by_spectrum = Detectors.from_instrument(instrument), None
            self._set_monitors(_monitors_of(instrument))
        return True

    def cover(self, events: Events) -> bool:
        """Make do with the IDs of pixel map and events if nothing better is known; returns as `describe` does."""
        if self._detectors is not None:
            return False
        log.warning("events arrive before any usable geometry; going on with the detector IDs alone")
        self._detectors = Detectors(np.union1d(self._pixel_map, events.detector_id))
        return True

    def cover_monitors(self, events: MonitorEvents) -> bool:
        """Make do with the numbers of these events if no monitors are known; tells whether that had to be done."""
        if self._monitors is not None and len(self._monitors):
            return False
        ids = -np.unique(events.number).astype(np.int64)
        self._set_monitors(Detectors(ids, np.ones(ids.size, bool)))
        return True

    def _set_monitors(self, monitors: Detectors) -> None:
        # Monitor m of the stream is the detector with ID -m at SNS and with ID m at HFIR.
        self._monitors = monitors
        self._monitor_by_number = Detectors(np.abs(monitors.ids))

    # -- events -------------------------------------------------------------------------------------------------------

    def map(self, events: Events) -> Mapped:
        """Turn the IDs of events, which `cover` has seen, into pixels."""
        assert self._detectors is not None
        index = self._detectors if self._by_spectrum is None else self._by_spectrum.index
        return index.map_events(events.tof, events.detector_id, events.start)

    def map_monitors(self, events: MonitorEvents) -> Mapped:
        """Turn the monitor numbers of events, which `cover_monitors` has seen, into pixels."""
        return self._monitor_by_number.map_events(events.tof, events.number.astype(np.uint32), events.start)

    @property
    def described(self) -> bool:
        """Whether anything is known of the detectors."""
        return self._detectors is not None

    @property
    def n_detectors(self) -> int:
        """How many detectors are known."""
        return 0 if self._detectors is None else len(self._detectors)

    @property
    def n_monitors(self) -> int:
        """How many monitors are known."""
        return 0 if self._monitors is None else len(self._monitors)

    def new_tables(self, periods: int, tick_ns: int) -> ChunkTables:
        """Make tables for what is known now."""
        return ChunkTables(self.n_detectors, self.n_monitors, periods, tick_ns)

    # -- workspaces ---------------------------------------------------------------------------------------------------

    def place(self, latest: Mapping[str, tuple[int, Any, str]], name: str, run_start_ns: int) -> None:
        """Put the detectors where the logs that move them (time, value, unit) say they are now.

        Parameters
        ----------
        name, run_start_ns
            Instrument and start of the run, to find a definition where the stream gives none; empty and 0 if not known.
        """
        if self._instrument is None and self._detectors is not None:
            self._instrument = self._looked_up(self._detectors, name, run_start_ns)
            self._put_in(self._instrument)
        instrument = self._instrument
        if instrument is None:
            return
        if self._used is not None:
            remember(instrument, name)
        self._warn(instrument)
        if instrument.needed_logs:
            # all numbers, because a definition may spell a log's name in another case; text moves nothing
            numbers = {n: float(v) for n, (_, v, _) in latest.items() if isinstance(v, int | float)}
            placed = instrument.with_logs(numbers)
            self._tell_missing(placed)
            self._warn(placed)
            if placed is not instrument:
                self._instrument = placed
                self._put_in(placed)

    def place_totals(
        self, detectors: Detectors, latest: Mapping[str, tuple[int, Any, str]], name: str, run_start_ns: int
    ) -> Detectors:
        """Put the detectors of a histogram memory, which does not say where they are, where a definition has them."""
        if self._detectors is None or self._detectors.ids is not detectors.ids:
            self._detectors, self._instrument, self._sought = detectors, None, None
        self.place(latest, name, run_start_ns)
        return self._detectors

    def _put_in(self, instrument: Instrument | None) -> None:
        if instrument is not None and self._detectors is not None:
            self._detectors = self._detectors.placed(instrument)
        if instrument is not None and self._monitors is not None:
            self._monitors = self._monitors.placed(instrument)

    def _looked_up(self, detectors: Detectors, name: str, run_start_ns: int) -> Instrument | None:
        """Return the definition of an instrument valid at a time; None if there is none with these detectors."""
        if not name or not len(detectors) or self._sought == (name, run_start_ns):
            return None
        self._sought = name, run_start_ns
        try:
            found = instrument_named(name, datetime.fromtimestamp(run_start_ns / 1e9, UTC) if run_start_ns else None)
        except ValueError as error:
            log.info("detectors have no place, so that only times of flight are known: %s", error)
            return None
        known = float(np.mean(found.rows_of(detectors.ids) >= 0))
        if known < ENOUGH_KNOWN:
            log.warning("the definition of %s has only %.0f %% of the detectors; it is not used", name, 100 * known)
            return None
        return _moved(found, self._moves)

    def _warn(self, instrument: Instrument) -> None:
        """Pass on what is doubtful in a definition or in the logs that move it; each once, and not without end."""
        for warning in instrument.warnings:
            if warning not in self._warned and len(self._warned) < WARNINGS_TOLD:
                self._warned.add(warning)
                log.warning("%s: %s", instrument.name, warning)

    def _tell_missing(self, instrument: Instrument) -> None:
        if instrument.missing_logs != self._missing:
            self._missing = instrument.missing_logs
            if self._missing:
                log.warning(
                    "%s is not where it should be: the logs %s, which move parts of it, have no value yet",
                    instrument.name,
                    ", ".join(self._missing),
                )
            else:
                log.info("all logs that move parts of %s have arrived", instrument.name)

    def workspace(self, rows: Rows, run: Run, title: str) -> EventWorkspace:
        """Show a part of a table: one spectrum a detector that is no monitor, or the stream's own spectra."""
        detectors = Detectors([]) if self._detectors is None else self._detectors
        if self._by_spectrum is None:
            return EventWorkspace.from_table(rows.table, rows.a, rows.b, detectors, run, title=title)
        part = Part(rows.table, rows.a, rows.b, self._by_spectrum.plan)
        return EventWorkspace([part], detectors, run, spectra=self._by_spectrum.spectra, title=title)

    def monitor_workspace(self, rows: Rows, run: Run) -> EventWorkspace | None:
        """Show a part of the monitors' table: one spectrum a monitor; None without monitors."""
        if self._monitors is None:
            return None
        n = len(self._monitors)
        part = Part(rows.table, rows.a, rows.b, Plan(n))
        return EventWorkspace([part], self._monitors, run, spectra=Spectra(np.arange(1, n + 1), self._monitors.ids))


def _moved(instrument: Instrument, moves: Sequence[Move]) -> Instrument:
    """Return the instrument after these moves; one that cannot be made is left out."""
    for move in moves:
        try:
            instrument = instrument.moved_by_log(move.component, move.axis, move.expression, move.log)
        except GeometryError as error:
            log.error("instruments.moves: %s", error)
    return instrument


def _monitors_of(instrument: Instrument) -> Detectors:
    at = instrument.monitor
    return Detectors(
        instrument.ids[at],
        np.ones(np.count_nonzero(at), bool),
        l1=instrument.l1,
        l2=instrument.l2[at],
        two_theta=instrument.two_theta[at],
        positions=instrument.positions[at],
        instrument=instrument,
    )


def _same(a: Description, b: Description) -> bool:
    if isinstance(a, GeometryUpdate) or isinstance(b, GeometryUpdate):
        return isinstance(a, GeometryUpdate) and isinstance(b, GeometryUpdate) and a.text_digest == b.text_digest
    pairs = ((a.numbers, b.numbers), (a.ids, b.ids), (a.start, b.start))
    return all(np.array_equal(x, y) for x, y in pairs)


def _of_spectra(said: SpectrumMap) -> tuple[Detectors, _BySpectrum]:
    n, spectra = len(said.numbers), Spectra(said.numbers, said.ids, said.start)
    detectors, group = as_pixels(spectra)
    return detectors, _BySpectrum(Detectors(np.arange(n)), spectra, Plan(n, group))
