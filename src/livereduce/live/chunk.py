"""From messages to chunks: which events are taken, where a chunk ends, what its logs are, what the ledger says.

Covers: run identity and transitions (through `live.state`), pauses, packets sent again after a reconnect, intervals
that never reached us, detector IDs to dense indices, monitors, logs, the account of every event.
Does not cover: scripts and accumulation (`live.load`), when a chunk is due (`live.monitor`).

A chunk that could not be processed is not consumed: the next one begins where it began and takes the new data along.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livereduce.listeners.base import (
    Comment,
    Connected,
    DetectorIds,
    Events,
    GeometryUpdate,
    InstrumentInfo,
    Listener,
    LogDeclared,
    LogValues,
    Message,
    MonitorEvents,
    PauseMark,
    Rejected,
    RunInfo,
    RunMark,
    ScanMark,
)
from livereduce.live.columns import keep_pulses
from livereduce.live.duplicates import PacketMemory
from livereduce.live.ledger import Ledger
from livereduce.live.logbook import LogBook
from livereduce.live.state import (
    NO_RUN,
    Begin,
    Cut,
    Finish,
    Gate,
    HistoryComplete,
    Instruction,
    RunIdentity,
    RunStateMachine,
    Transition,
)
from livereduce.sources import Position
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, Part, Plan, Run, Spectra

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one step works on.

    Attributes
    ----------
    begin, end
        Where it lies in the stream.
    resume
        Where a fresh process would begin to read what follows: `end`, but before the mark of a transition, which says
        what the data behind it belong to.
    identity
        The run it belongs to, `NO_RUN` between runs.
    transition
        What lies at its end.
    more
        Whether the chunk ended before the stream's present end (size limit, transition, replayed cut).
    newest_ns
        Time of its newest pulse, 0 without pulses.
    """

    workspace: EventWorkspace
    begin: Position
    end: Position
    resume: Position
    identity: RunIdentity
    transition: Transition
    events: int
    more: bool
    newest_ns: int


class ChunkBuilder:
    """Takes messages from a listener and gives chunks.

    Parameters
    ----------
    keep_events
        Whether chunks share one table for the whole run (events are preserved) or have one each.
    limit
        A chunk ends at about so many events.
    keep_paused
        Process events that arrive during pauses instead of only counting them.
    """

    def __init__(
        self,
        listener: Listener,
        ledger: Ledger,
        *,
        keep_events: bool,
        limit: int = 20_000_000,
        keep_paused: bool = False,
    ) -> None:
        self.listener = listener
        self.ledger = ledger
        self.state = RunStateMachine()
        self.account = ledger.open(NO_RUN)
        self.logs = LogBook()
        self.instrument = InstrumentInfo("", "", "")
        self.newest_ns = 0
        self._keep_events = keep_events
        self._limit = limit
        self._keep_paused = keep_paused
        self._memory = PacketMemory()
        self._gap_from = 0
        self._geometry: GeometryUpdate | None = None
        self._detectors: Detectors | None = None
        self._monitors: Detectors | None = None
        self._mapped_ids: DetectorIds | None = None
        self._digest = b""
        self._begin = self._resume = listener.position
        self._todo: deque[Instruction] = deque()
        self._heard = False
        self._cut: Transition | None = None
        self._new_tables()

    # -- what the live cycle calls ------------------------------------------------------------------------------------

    def extract(self, until: Position | None = None) -> Chunk | None:
        """Take in what has arrived and return it as a chunk; None when nothing has.

        Stops at a run transition, at the size limit, and at `until` (a cut that is being replayed).
        """
        more = True
        while self._cut is None:
            self._resume = self.listener.position
            if self._pending_events() >= self._limit or (until is not None and self.listener.position >= until):
                break
            message = self.listener.receive(until)
            if message is None:
                more = False
                break
            self._heard = True
            self._take(message)
        if not self._heard:
            return None
        return self._chunk(more or self._cut is not None)

    def consume(self, chunk: Chunk) -> None:
        """Account for a chunk that was added; the next one begins at its end."""
        self.account.accumulated += chunk.events
        self._leave(chunk)

    def set_aside(self, chunk: Chunk) -> None:
        """Leave out a chunk that could not be processed until the run is read again."""
        log.error(
            "%d events of run %d are set aside: the chunk could not be processed", chunk.events, chunk.identity.run
        )
        self.account.pending += chunk.events
        self._leave(chunk)

    def _leave(self, chunk: Chunk) -> None:
        self.account.pending -= chunk.events
        self._begin = chunk.resume
        self._heard = False
        self.logs.chunk_taken()
        if self._keep_events and chunk.transition is Transition.NONE:
            self._first_event, self._first_monitor_event = self._table.n, self._monitor_table.n
            self._first_pulse = len(self._table.pulses)
            self._monitor_counts.clear()
        else:
            self._new_tables()
        self._cut = None
        self._carry_out_rest()

    # -- messages -----------------------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        match message:
            case Events():
                self._events(message)
            case MonitorEvents():
                self._monitor_events(message)
            case LogValues():
                self.logs.values(message)
            case LogDeclared():
                self.logs.declare(message)
            case RunMark() | PauseMark():
                self._mark(message)
            case Connected():
                self._connected(message)
            case ScanMark(index, time_ns):
                self.logs.mark("scan_index", time_ns, index)
            case GeometryUpdate():
                self._geometry_update(message)
            case DetectorIds():
                self._mapped_ids = message
            case InstrumentInfo():
                self.instrument = message
            case RunInfo(properties):
                self.logs.properties.update(properties)
            case Rejected(reason, count):
                self.account.rejected[reason] += count
            case Comment(text):
                log.info("the stream says: %s", text)

    def _mark(self, mark: RunMark | PauseMark) -> None:
        self._todo.extend(self.state.handle(mark))
        self._carry_out_rest()

    def _connected(self, message: Connected) -> None:
        self._todo.extend(self.state.handle(message))
        self._carry_out_rest()
        self._memory.reconnected()
        self._gap_from = self.newest_ns

    def _carry_out_rest(self) -> None:
        """Carry out instructions up to a cut; those behind it wait until the chunk it ends has been dealt with."""
        while self._todo and self._cut is None:
            match self._todo.popleft():
                case Cut(transition):
                    self._cut = transition
                case Begin(identity, joined) as begin:
                    if self._pending_events():  # data came before the stream said what they belong to
                        self._cut = Transition.BEGIN
                        self._todo.appendleft(begin)
                    else:
                        self._begin_run(identity, joined)
                case Finish(identity, end_seen, time_ns):
                    self._finish_run(identity, end_seen, time_ns)
                case HistoryComplete(identity):
                    self.ledger.open(identity).joined_mid_run = False
                case Gate(paused, time_ns):
                    self.logs.mark("pause", time_ns or self.newest_ns, int(paused))

    def _begin_run(self, identity: RunIdentity, joined: bool) -> None:
        self.account = self.ledger.open(identity, joined_mid_run=joined)
        self.logs.begin_run(identity)
        self._memory = PacketMemory()
        self._gap_from = 0
        self.newest_ns = 0
        if self._geometry is not None:
            self._set_geometry(self._geometry)

    def _finish_run(self, identity: RunIdentity, end_seen: bool, time_ns: int) -> None:
        account = self.ledger.open(identity)
        if self._gap_from and not end_seen:
            account.missing.append((self._gap_from, max(time_ns, self._gap_from)))
        account.finished, account.end_seen = True, end_seen
        log.info("run %d: %s, %d events", identity.run, account.in_words(), account.events)

    # -- events -------------------------------------------------------------------------------------------------------

    def _events(self, events: Events) -> None:
        new = self._memory.is_new(events.keys)
        if not new.all():
            events = keep_pulses(events, new)
            self.account.duplicates += int((~new).sum())
        if not new.size or not events.pulse_time.size:
            self._gap_from = 0 if new.size else self._gap_from
            return
        self._close_gap(int(events.pulse_time[0]), overlap=not new.all())
        self.newest_ns = max(self.newest_ns, int(events.pulse_time.max()))
        rejected = {reason: int(counts.sum()) for reason, counts in events.rejected.items()}
        received = int(events.start[-1]) + sum(rejected.values())
        if self.state.paused and not self._keep_paused:
            self.account.paused_events += received
            return
        self._account(events, received, rejected)

    def _account(self, events: Events, received: int, rejected: dict[str, int]) -> None:
        mapped = self._known_detectors(events).map_events(events.tof, events.detector_id, events.start)
        self.account.pulses += events.pulse_time.size
        self.account.charge_pc += float(events.charge.sum())
        self.account.events += received
        for reason, count in (*rejected.items(), ("unknown detector", mapped.unmapped)):
            if count:
                self.account.dropped[reason] += count
        self.account.pending += mapped.tof.size
        self._table.append(mapped.tof, mapped.pix, events.pulse_time, mapped.start, events.charge)

    def _close_gap(self, first_ns: int, *, overlap: bool) -> None:
        """After a reconnect: what lies between the newest pulse before it and the first new one is missing.

        Not if the source repeated something we had, or began before our newest pulse: then it reached back far enough.
        """
        if self._gap_from and not overlap and first_ns > self._gap_from:
            self.account.missing.append((self._gap_from, first_ns))
        self._gap_from = 0

    def _monitor_events(self, events: MonitorEvents) -> None:
        new = self._memory.is_new(events.keys)
        if not new.all():
            events = keep_pulses(events, new)
        if self.state.paused and not self._keep_paused:
            return
        count = int(events.start[-1])
        self.account.monitor_events += count
        mapped = self._known_monitors(events).map_events(events.tof, events.number.astype(np.uint32), events.start)
        if mapped.unmapped:
            self.account.rejected["event of unknown monitor"] += mapped.unmapped
        for number, n in zip(*np.unique(events.number, return_counts=True), strict=True):
            self._monitor_counts[int(number)] = self._monitor_counts.get(int(number), 0) + int(n)
        self._monitor_table.append(
            mapped.tof, mapped.pix, events.pulse_time, mapped.start, np.zeros(events.pulse_time.size)
        )

    # -- detectors and monitors ---------------------------------------------------------------------------------------

    def _geometry_update(self, update: GeometryUpdate) -> None:
        """Take a geometry for the present run if it has none; a different one in mid-run waits for the next run."""
        known, self._geometry = self._geometry, update
        if self._detectors is None:
            self._set_geometry(update)
        elif known is None or known.text_digest != update.text_digest:
            log.warning("the stream sent another geometry in mid-run; it is used from the next run on")

    def _set_geometry(self, update: GeometryUpdate) -> None:
        if self._digest == update.text_digest:
            return
        self._digest = update.text_digest
        self._detectors = Detectors.from_instrument(update.instrument)
        self._set_monitors(update.instrument.ids[update.instrument.monitor])
        self._new_tables()

    def _known_detectors(self, events: Events) -> Detectors:
        """Return the detectors; where the stream described none, those of its pixel map and of the first events."""
        if self._detectors is None:
            log.warning("events arrive before any usable geometry; going on with the detector IDs alone")
            mapped = self._mapped_ids.ids if self._mapped_ids else np.empty(0, np.int64)
            self._detectors = Detectors(np.union1d(mapped, events.detector_id))
            self._new_tables()
        return self._detectors

    def _set_monitors(self, ids: NDArray[np.int64]) -> None:
        # Monitor m of the stream is the detector with ID -m at SNS and with ID m at HFIR.
        self._monitors = Detectors(ids, np.ones(ids.size, bool))
        self._monitor_by_number = Detectors(np.abs(ids))

    def _known_monitors(self, events: MonitorEvents) -> Detectors:
        if self._monitors is None or not len(self._monitors):
            self._set_monitors(-np.unique(events.number).astype(np.int64))
            self._new_monitor_table()
        return self._monitor_by_number

    # -- chunks -------------------------------------------------------------------------------------------------------

    def _new_tables(self) -> None:
        self._table = EventTable(len(self._detectors) if self._detectors is not None else 0)
        self._first_event = 0
        self._first_pulse = 0
        self._new_monitor_table()

    def _new_monitor_table(self) -> None:
        self._monitor_table = EventTable(len(self._monitors) if self._monitors is not None else 0)
        self._first_monitor_event = 0
        self._monitor_counts: dict[int, int] = {}

    def _pending_events(self) -> int:
        return self._table.n - self._first_event

    def _chunk(self, more: bool) -> Chunk:
        return Chunk(
            workspace=self._workspace(),
            begin=self._begin,
            end=self.listener.position,
            resume=self._resume,
            # the account, not the state machine: behind a cut that is already in the next run
            identity=self.account.identity,
            transition=self._cut or Transition.NONE,
            events=self._pending_events(),
            more=more,
            newest_ns=self.newest_ns,
        )

    def _pulses(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        pulses = self._table.pulses
        return pulses.time[self._first_pulse :], pulses.charge[self._first_pulse :]

    def _title(self) -> str:
        run = self.account.identity.run
        return str(
            self.logs.properties.get("run_title")
            or (f"{self.instrument.name} run {run}" if run else self.instrument.name)
        )

    def _placed_detectors(self) -> Detectors:
        """Return the detectors where the logs that move them say they are now."""
        if self._detectors is None:
            self._detectors = Detectors(np.empty(0, np.int64))
        instrument = self._detectors.instrument
        if instrument is not None and instrument.needed_logs:
            # all of them, because an instrument definition may spell a log in another case
            latest = self.logs.latest().items()
            placed = instrument.with_logs({n: float(v) for n, (_, v, _) in latest if isinstance(v, int | float)})
            if placed is not instrument:
                self._detectors = Detectors.from_instrument(placed)
        return self._detectors

    def _workspace(self) -> EventWorkspace:
        run = self.logs.run()
        times, charge = self._pulses()
        run.append("proton_charge", times, charge, "picoCoulomb")
        for number, count in self._monitor_counts.items():
            run.set(f"monitor{number}_counts", count)
        workspace = EventWorkspace.from_table(
            self._table, self._first_event, self._table.n, self._placed_detectors(), run, title=self._title()
        )
        if self._monitors is not None:
            workspace.monitors = self._monitor_workspace(self._monitors, run.clone())
        return workspace

    def _monitor_workspace(self, monitors: Detectors, run: Run) -> EventWorkspace:
        n = len(monitors)
        part = Part(self._monitor_table, self._first_monitor_event, self._monitor_table.n, Plan(n))
        return EventWorkspace([part], monitors, run, spectra=Spectra(np.arange(1, n + 1), monitors.ids))
