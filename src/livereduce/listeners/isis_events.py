"""ISIS event stream to messages.

Covers: run changes, which only show as another Setup; frames that come in several packets, each repeating the frame's
charge; periods; spectra. Does not cover: framing and columns (`protocols.isis`), what a run or a gap means for the
ledger (`live`). The stream keeps no history: what was not received is lost, and nothing comes twice.
"""

from __future__ import annotations

import logging
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import ProtocolError
from livereduce.listeners.base import (
    Connected,
    Events,
    InstrumentInfo,
    LogValues,
    Message,
    Periods,
    Rejected,
    RunMark,
    RunMarkKind,
    SpectrumMap,
)
from livereduce.listeners.packets import PacketDecoder, PacketListener, PacketReader
from livereduce.protocols import isis
from livereduce.protocols.isis.events import Item
from livereduce.protocols.isis.memory import EventTables, event_tables
from livereduce.protocols.isis.wire import LONGEST_RUN_S, NS
from livereduce.sources import BEGIN, ByteSource, Position
from livereduce.workspaces.run import PICOCOULOMB_PER_UAH

log = logging.getLogger(__name__)

FRAMES_REMEMBERED = 4096
"""Packets of a frame leave as each detector card is read: well within the 80 s that this is at 50 Hz."""
LARGEST_CHARGE = 1e3
"""µA h; a frame brings some 1e-6 of that."""


class IsisEventListener(PacketListener[Item]):
    """Reads the ISIS event stream, with the command port's parameters in it, from a byte source.

    Parameters
    ----------
    source
        The journal, or a `SocketSource` over an `IsisLink`.
    spectrum_base
        What the stream calls the first spectrum. It counts from 0 as far as anybody knows, although it says "spectrum".
    """

    name = "ISISLiveEventDataListener"
    supports_history = False
    buffers_events = True

    def __init__(self, source: ByteSource, *, start: Position = BEGIN, spectrum_base: int = 0) -> None:
        super().__init__(PacketReader[Item](source, isis.Decoder, _skipped, start), start)
        self._spectrum_base = np.uint32(spectrum_base)
        self._frames = FrameMemory()
        self._run: tuple[int, int] | None = None  # of the last Setup: number, start
        self._new_connection = True  # no Setup has come on it yet
        self._joined = False  # whether the run's start was seen is still open
        self._newest_ns = 0

    # -- packets ------------------------------------------------------------------------------------------------------

    def _messages(self, item: Item | Connected | Rejected) -> list[Message]:
        match item:
            case Connected():
                self._new_connection = True
                return [item]
            case Rejected():
                return [item]
            case isis.Setup():
                return self._setup(item)
            case isis.Parameters():
                try:
                    tables = event_tables(item.blocks)
                except ProtocolError as error:
                    log.error("the parameters of the command port cannot be used: %s", error)
                    return [Rejected("unusable parameters", 1)]
                return [Periods(tables.periods), _spectrum_map(tables)]
            case isis.NeutronBatch():
                return self._neutrons(item)

    def _setup(self, setup: isis.Setup) -> list[Message]:
        run = (setup.run, setup.start_s * NS)
        first, self._new_connection = self._new_connection, False
        time_ns = max(run[1], self._newest_ns)
        if not setup.run:
            kind = RunMarkKind.NONE
        elif first or run == self._run:
            kind = RunMarkKind.CONTINUE
        else:
            kind = RunMarkKind.NEW
        if run != self._run:
            self._frames = FrameMemory()
            self._joined = kind is RunMarkKind.CONTINUE
            self._run, self._newest_ns = run, 0
        state = LogValues("run_state", np.array([time_ns], np.int64), np.array([setup.state], np.int64))
        return [
            RunMark(kind, *run, time_ns, previous_ended=kind is RunMarkKind.NEW),
            InstrumentInfo(setup.name, setup.name, ""),
            state,
        ]

    def _neutrons(self, batch: isis.NeutronBatch) -> list[Message]:
        messages: list[Message] = []
        number, start_ns = self._run or (0, 0)
        if self._joined and not batch.frame.min():  # the run's first frame: nothing of it came before
            messages.append(RunMark(RunMarkKind.NEW, number, start_ns, start_ns))
        self._joined = False
        known_time = (batch.frame_time >= 0) & (batch.frame_time < LONGEST_RUN_S)
        known_charge = (batch.charge >= 0) & (batch.charge < LARGEST_CHARGE)
        for reason, known in (("impossible frame time", known_time), ("impossible proton charge", known_charge)):
            if not known.all():
                messages.append(Rejected(reason, int((~known).sum())))
        pulse_time = start_ns + (np.where(known_time, batch.frame_time, 0.0) * 1e9).astype(np.int64)
        self._newest_ns = max(self._newest_ns, int(pulse_time.max()))
        # whole pC, far below the step of a float32 charge: so the sum of a run does not depend on how it is cut
        charge = np.rint(np.where(known_charge, batch.charge, 0.0) * PICOCOULOMB_PER_UAH)
        messages.append(
            Events(
                pulse_time=pulse_time,
                charge=np.where(self._frames.are_new(batch.frame), charge, np.nan),
                start=batch.start,
                tof=batch.tof,
                detector_id=batch.spectrum - self._spectrum_base,
                keys=None,
                rejected={"impossible time of flight": batch.bad_times},
                tick_ns=isis.TICK_NS,
                period=np.minimum(batch.period, np.iinfo(np.int32).max).astype(np.int32),
            )
        )
        return messages


class FrameMemory:
    """Which frames of a run have been met; of the newest `FRAMES_REMEMBERED` it is certain."""

    def __init__(self) -> None:
        self._met: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._forgotten = -1  # frames up to here count as met

    def are_new(self, frame: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Tell for each packet whether it is the first of its frame; a late one of long ago is not."""
        frames, first = np.unique(frame, return_index=True)
        new = (frames > self._forgotten) & ~np.isin(frames, self._met, assume_unique=True)
        result = np.zeros(frame.size, bool)
        result[first[new]] = True
        self._met = np.union1d(self._met, frames)
        if self._met.size > 2 * FRAMES_REMEMBERED:
            self._forgotten = max(self._forgotten, int(self._met[-FRAMES_REMEMBERED - 1]))
            self._met = self._met[-FRAMES_REMEMBERED:]
        return result


def _skipped(decoder: PacketDecoder[Item]) -> Counter[str]:
    assert isinstance(decoder, isis.Decoder)
    stats = decoder.stats
    skipped = Counter({f"malformed {name}": n for name, n in stats.malformed.items()})
    environment = stats.unknown[isis.PacketType.SAMPLE_ENVIRONMENT]
    # not each by its number: a server that has lost its mind has many
    skipped["sample environment packet"] = environment
    skipped["packet of unknown type"] = stats.unknown.total() - environment
    return skipped


def _spectrum_map(tables: EventTables) -> SpectrumMap:
    numbers = np.arange(1, tables.spectra + 1)
    return SpectrumMap(numbers, *detectors_of(numbers, tables.detector, tables.spectrum))


def detectors_of(
    numbers: NDArray[np.int64], detector: NDArray[np.int64], spectrum: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Collect the detectors of spectra: their IDs one spectrum after another, and where each begins.

    Parameters
    ----------
    numbers
        Spectrum numbers, ascending.
    detector, spectrum
        The DAE's table, parallel: an ID and the number of the spectrum it counts into.
    """
    order = np.argsort(spectrum, kind="stable")
    wanted = order[np.isin(spectrum[order], numbers)]
    start = np.searchsorted(spectrum[wanted], np.append(numbers, np.iinfo(np.int64).max))
    return detector[wanted], start.astype(np.int64)
