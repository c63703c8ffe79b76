"""A NeXus file as a stream: one run in so many parts, then a clean end.

Event files are read part by part (`nexus_events`); of histogram files every count becomes an event (`nexus_counts`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.geometry import GeometryError, Instrument, load_nexus
from livereduce.geometry.nexus_histogram import UnfitError, children, text_of
from livereduce.listeners.base import (
    Connected,
    GeometryUpdate,
    InstrumentInfo,
    LogValues,
    Message,
    RunInfo,
    RunMark,
    RunMarkKind,
)
from livereduce.listeners.nexus_counts import CountParts
from livereduce.listeners.nexus_events import EventParts, has_events
from livereduce.listeners.nexus_logs import FileLog, run_span_ns, within
from livereduce.sources import BEGIN, Position


class _Parts(Protocol):
    """What is in a file, in parts; part k is of the time [bounds_ns[k], bounds_ns[k + 1])."""

    logs: list[FileLog]
    bounds_ns: NDArray[np.int64]

    def describe(self) -> list[Message]:
        """Say what a stream says of its detectors besides geometry."""

    def part(self, k: int) -> Iterator[Message]:
        """Give the events of part `k`."""


class NexusFileListener:
    """Gives one part of the file each time it is asked, until the end of its run.

    Parameters
    ----------
    path
        A NeXus file of events or of counts; of several entries the first with data is taken.
    chunks
        Number of parts.
    start
        Where to go on: the offset is the number of parts given before.
    seed
        For what a histogram does not say.

    Raises
    ------
    LiveReduceError
        The file cannot be read or lacks something; the message says what.
    """

    name = "FileEventDataListener"
    supports_history = False
    buffers_events = True

    def __init__(self, path: Path | str, chunks: int = 10, *, start: Position = BEGIN, seed: int = 1) -> None:
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise LiveReduceError(f"{path}: cannot be read as HDF5 ({error}); give a NeXus file") from error
        self._path, self._chunks = Path(path), chunks
        self._given = min(start.offset, chunks + 1)
        try:
            self._instrument = _instrument(self._file)
            self._entry, self._parts = self._contents(seed)
        except UnfitError as error:
            self._file.close()
            raise LiveReduceError(f"{path}: {error}") from error
        self._stream = self._everything()

    def receive(self, until: Position | None = None) -> Message | None:
        """Return the next message; None after each part and at the end."""
        if until is not None and self.position >= until:
            return None
        for message, given in self._stream:
            self._given = given
            if message is not None or until is None:
                return message
        return None

    @property
    def position(self) -> Position:
        """How many parts were given; one more when the end of the run was, too."""
        return Position(0, self._given)

    @property
    def ended(self) -> bool:
        """Whether everything was given."""
        return self._given > self._chunks

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # -- what is said, in order ---------------------------------------------------------------------------------------

    def _everything(self) -> Iterator[tuple[Message | None, int]]:
        """Give each message with how many parts have been given after it; None between parts."""
        if self.ended:
            return
        start_ns = run_span_ns(self._entry)[0] or int(self._parts.bounds_ns[0])
        run = int(re.sub(r"\D", "", text_of(self._entry.get("run_number"))) or 1)
        first = self._given
        for message in self._description(RunMark(RunMarkKind.NEW, run, start_ns, start_ns)):
            yield message, first
        for k in range(first, self._chunks):
            messages: list[Message] = [*self._logs(k), *self._parts.part(k)]
            yield from ((message, k) for message in messages[:-1])
            yield messages[-1], k + 1
            if k + 1 < self._chunks:
                yield None, k + 1
        yield RunMark(RunMarkKind.END, run, start_ns, int(self._parts.bounds_ns[-1])), self._chunks + 1

    def _description(self, begin: RunMark) -> list[Message]:
        name = self._instrument.name if self._instrument else self._path.stem
        title = text_of(self._entry.get("title")) or self._path.stem
        geometry: list[Message] = []
        if self._instrument is not None:
            digest = hashlib.sha256(str(self._path).encode()).digest()
            geometry.append(GeometryUpdate(self._instrument, digest))
        return [
            Connected(1),
            InstrumentInfo(name, name, ""),
            *geometry,
            *self._parts.describe(),
            begin,
            RunInfo({"run_title": title, "experiment_identifier": text_of(self._entry.get("experiment_identifier"))}),
        ]

    def _logs(self, k: int) -> Iterator[LogValues]:
        """Logs of the time of part `k`; those from before the run go with the first, those from after with the last."""
        first = int(self._parts.bounds_ns[k]) if k else None
        end = int(self._parts.bounds_ns[k + 1]) if k + 1 < self._chunks else None
        for series in within(self._parts.logs, first, end):
            yield LogValues(series.name, series.time_ns, series.values, series.units)

    def _contents(self, seed: int) -> tuple[h5py.Group, _Parts]:
        entries = list(children(self._file, "NXentry"))
        for entry in entries:
            if has_events(entry):
                return entry, EventParts(entry, self._chunks)
        ids = None if self._instrument is None else self._instrument.ids[~self._instrument.monitor]
        for entry in entries:
            if any(children(entry, "NXdata")):
                parts = CountParts(entry, self._chunks, ids, seed)
                if not parts.placed:
                    self._instrument = None
                return entry, parts
        raise UnfitError("has no NXentry with NXevent_data or NXdata")


def _instrument(file: h5py.File) -> Instrument | None:
    """Read where the detectors are; None where the file does not say."""
    try:
        found = load_nexus(file)
    except GeometryError:
        return None
    return found if np.any(~found.monitor) else None
