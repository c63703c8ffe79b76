"""From messages to chunks: which events are taken, where a chunk ends, what its logs are, what the ledger says.

Covers: run identity and transitions (through `live.state`), pauses, packets sent again after a reconnect, intervals
that never reached us, detector IDs to dense indices, monitors, logs, the account of every event.
Does not cover: scripts and accumulation (`live.load`), when a chunk is due (`live.monitor`).

A chunk that could not be processed is not consumed: the next one begins where it began and takes the new data along.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from livereduce.geometry import Move
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
    Periods,
    Rejected,
    RunInfo,
    RunMark,
    RunMarkKind,
    ScanMark,
    SourceState,
    SpectrumMap,
    Totals,
)
from livereduce.live.chunk_workspaces import of_events, of_totals
from livereduce.live.columns import keep_pulses, of_periods
from livereduce.live.duplicates import PacketMemory
from livereduce.live.layout import DetectorBook
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
from livereduce.workspaces import Workspace

log = logging.getLogger(__name__)

BETWEEN_NS = 24 * 3600 * 10**9
BETWEEN_CHUNKS = 25
"""Where no run begins for so long, or for so many events as the largest chunks have, data are not added up further."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one step works on.

    Attributes
    ----------
    workspace
        A group of one a period if there are several. None where there is only a transition and nothing new to work
        on: what a histogram memory held has been processed.
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

    workspace: Workspace | None
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
    moves
        Parts of the instrument that are not where its definition puts them.
    """

    def __init__(
        self,
        listener: Listener,
        ledger: Ledger,
        *,
        keep_events: bool,
        limit: int = 20_000_000,
        keep_paused: bool = False,
        moves: Sequence[Move] = (),
    ) -> None:
        self.listener = listener
        self.ledger = ledger
        self.state = RunStateMachine()
        self.account = ledger.open(NO_RUN)
        self.logs = LogBook()
        self.instrument = InstrumentInfo("", "", "")
        self.newest_ns = 0
        self.source = SourceState("", 0)
        self._keep_events = keep_events
        self._limit = limit
        self._keep_paused = keep_paused
        self._memory = PacketMemory()
        self._gap_from: int | None = None
        self._pulses_seen = False  # of the present run, by this process
        self._left: tuple[RunIdentity, PacketMemory, int] | None = None  # the numbered run before
        self._book = DetectorBook(moves)
        self._periods = self._periods_said = 1
        self._tick_ns = 100
        self._totals: Totals | None = None
        self._begin = self._resume = listener.position
        self._todo: deque[Instruction] = deque()
        self._heard = False
        self._cut: Transition | None = None
        self._taken = False  # whether there were chunks since the last transition
        self._restating = False  # whether the stream has still to say, on a new connection, what run is on
        # how many events there were between runs, and of what time, where the present sum of them begins
        self._between_from = (self.account.events, 0)
        self._new_tables()

    @property
    def holds_data(self) -> bool:
        """Whether something came that was neither consumed nor set aside yet."""
        return self._heard

    # -- what the live cycle calls ------------------------------------------------------------------------------------

    def extract(self, until: Position | None = None, stage: Callable[[str], None] = lambda _: None) -> Chunk | None:
        """Take in what has arrived and return it as a chunk; None when nothing has.

        Nor is there one while the stream has not said what detectors there are: an accumulation that began without
        spectra could take none later. Stops at a run transition, at the size limit, and at `until` (a cut that is being
        replayed). `stage` is told when all is read and the chunk is made of it.
        """
        more = True
        while self._cut is None:
            self._resume = self.listener.position
            if self._is_long_between_runs(2):
                self._cut, self._heard = Transition.ANEW, True
                break
            if self._tables.pending >= self._limit or (until is not None and self.listener.position >= until):
                break
            message = self.listener.receive(until)
            if message is None:
                more = False
                break
            self._take(message)
        undescribed = self.listener.buffers_events and not self._book.described
        if not self._heard or (undescribed and self._cut is None):
            return None
        stage("build")
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

    def discard(self, chunk: Chunk, reason: str) -> None:
        """Drop a chunk that is not wanted; the next one begins at its end."""
        if chunk.events:
            self.account.dropped[reason] += chunk.events
        self._leave(chunk)

    def _leave(self, chunk: Chunk) -> None:
        self.account.pending -= chunk.events
        self._begin = chunk.resume
        self._heard = False
        self.logs.chunk_taken()
        self._totals = None
        self._taken = chunk.transition is Transition.NONE
        if chunk.transition is Transition.ANEW:
            self._memory.forget()
            self._between_from = self.account.events, self.newest_ns
        if self._keep_events and chunk.transition is Transition.NONE:
            self._tables.chunk_taken()
        else:
            self._new_tables()
        self._cut = None
        self._carry_out_rest()

    # -- messages -----------------------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        # a source that is polled has something to work on only when it has given its totals
        self._heard |= self.listener.buffers_events or isinstance(message, Totals)
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
            case GeometryUpdate() | SpectrumMap():
                if self._book.describe(message, nothing_yet=not self.account.events):
                    self._new_tables()
            case DetectorIds():
                self._book.pixel_map(message)
            case Periods(count):
                if count != self._periods_said:
                    self._set_periods(count)
            case Totals():
                self._totals_taken(message)
            case SourceState():
                self.source = message
            case InstrumentInfo():
                self.instrument = message
            case RunInfo(properties):
                self.logs.properties.update(properties)
            case Rejected(reason, count):
                self.account.rejected[reason] += count
            case Comment(text):
                log.info("the stream says: %s", text)

    def _mark(self, mark: RunMark | PauseMark) -> None:
        todo = self.state.handle(mark)
        if isinstance(mark, RunMark):
            # reading can begin where the stream says again what run is on, what detectors there are and all logs; not
            # on a new connection, which may repeat data that would not be recognised then
            again = not todo and mark.kind is not RunMarkKind.END and not self._restating
            if again and self._is_long_between_runs():
                todo = [Cut(Transition.ANEW)]
            self._restating = False
        self._todo.extend(todo)
        self._carry_out_rest()

    def _is_long_between_runs(self, times: int = 1) -> bool:
        """Tell whether data taken between runs are too many, or over too long, to go on adding them up."""
        if self.account.identity != NO_RUN or not self.listener.buffers_events:
            return False
        events, since_ns = self._between_from
        too_many = self.account.events - events > times * BETWEEN_CHUNKS * self._limit
        return too_many or (since_ns > 0 and self.newest_ns - since_ns > times * BETWEEN_NS)

    def _connected(self, message: Connected) -> None:
        self._todo.extend(self.state.handle(message))
        self._carry_out_rest()
        self._memory.reconnected()
        self._restating = True
        if self._pulses_seen:
            self._gap_from = self.newest_ns

    def _carry_out_rest(self) -> None:
        """Carry out instructions up to a cut; those behind it wait until the chunk it ends has been dealt with."""
        while self._todo and self._cut is None:
            match self._todo.popleft():
                case Cut(transition):
                    self._cut, self._heard = transition, True
                case Begin(identity, joined) as begin:
                    # data may have come before the stream said what they belong to
                    came = self._taken or self._pending_events() > 0
                    if came and identity != self.account.identity:
                        self._cut, self._heard = Transition.BEGIN, True
                        self._todo.appendleft(begin)
                    elif not came:
                        self._begin_run(identity, joined)
                case Finish(identity, end_seen, time_ns):
                    self._finish_run(identity, end_seen, time_ns)
                case HistoryComplete(identity):
                    self.ledger.open(identity).joined_mid_run = False
                case Gate(paused, time_ns):
                    if paused and not self._keep_paused:
                        self.logs.interrupted()
                    self.logs.mark("pause", time_ns or self.newest_ns, int(paused))

    def _begin_run(self, identity: RunIdentity, joined: bool) -> None:
        self.account = self.ledger.open(identity, joined_mid_run=joined)
        self.logs.begin_run(identity)
        self._memory, self.newest_ns = PacketMemory(), 0
        if self._left is not None and self._left[0] == identity:
            # A source that had dropped the run takes it up again: what it repeats is known.
            _, self._memory, self.newest_ns = self._left
            self._memory.reconnected()
            self.account.finished = False
        self._pulses_seen = bool(self.newest_ns)
        self._between_from = self.account.events, 0
        self._gap_from = None
        self._periods = self._periods_said
        self._book.begin_run()
        self._new_tables()

    def _finish_run(self, identity: RunIdentity, end_seen: bool, time_ns: int) -> None:
        account = self.ledger.open(identity)
        self._left = (identity, self._memory, self.newest_ns)
        if self._gap_from is not None and not (end_seen and self.listener.supports_history):
            account.missing.append((self._gap_from, max(time_ns, self._gap_from)))
        account.finished, account.end_seen = True, end_seen
        log.info("run %d: %s, %d events", identity.run, account.in_words(), account.events)

    # -- events -------------------------------------------------------------------------------------------------------

    def _events(self, events: Events) -> None:
        received = events.pulse_time.size
        if events.keys is not None:
            new = self._memory.is_new(events.keys)
            if not new.all():
                events = keep_pulses(events, new)
                self.account.duplicates += int((~new).sum())
        if not received or not events.pulse_time.size:
            self._gap_from = None if received else self._gap_from
            return
        self._close_gap(int(events.pulse_time[0]), overlap=received > events.pulse_time.size)
        self.newest_ns = max(self.newest_ns, int(events.pulse_time.max()))
        if not self._between_from[1]:
            self._between_from = self._between_from[0], int(events.pulse_time[0])
        self._pulses_seen = True
        rejected = {reason: int(counts.sum()) for reason, counts in events.rejected.items()}
        n = int(events.start[-1]) + sum(rejected.values())
        if self.state.paused and not self._keep_paused:
            self.account.paused_events += n
            return
        self.logs.measured(events.pulse_time)
        self._account(events, n, rejected)

    def _account(self, events: Events, received: int, rejected: dict[str, int]) -> None:
        known_charge = events.charge[~np.isnan(events.charge)]
        self.account.pulses += known_charge.size
        self.account.charge_pc += float(known_charge.sum())
        self.account.events += received
        events, wrong_period = of_periods(events, self._periods)
        if self._book.cover(events) or events.tick_ns != self._tables.tick_ns:
            self._tick_ns = events.tick_ns
            self._tables.begin_detectors(self._book.n_detectors, events.tick_ns)
        mapped = self._book.map(events)
        unknown = (("unknown detector", mapped.unmapped), ("unknown period", wrong_period))
        for reason, count in (*rejected.items(), *unknown):
            if count:
                self.account.dropped[reason] += count
        self.account.pending += mapped.tof.size
        self._tables.append(mapped, events)

    def _close_gap(self, first_ns: int, *, overlap: bool) -> None:
        """After a reconnect: what lies between the newest pulse before it and the first new one is missing.

        Not if the source repeated something we had, or began before our newest pulse: then it reached back far enough.
        """
        gap, self._gap_from = self._gap_from, None
        if gap is not None and not overlap and (first_ns > gap or not self.listener.supports_history):
            self.account.missing.append((gap, max(first_ns, gap)))
            self.logs.interrupted()

    def _monitor_events(self, events: MonitorEvents) -> None:
        if events.keys is not None:
            events = keep_pulses(events, self._memory.is_new(events.keys))
        if self.state.paused and not self._keep_paused:
            return
        self.account.monitor_events += int(events.start[-1])
        if self._book.cover_monitors(events):
            self._tables.begin_monitors(self._book.n_monitors)
        mapped = self._book.map_monitors(events)
        if mapped.unmapped:
            self.account.rejected["event of unknown monitor"] += mapped.unmapped
        self._tables.append_monitors(mapped, events)

    def _set_periods(self, count: int) -> None:
        """Take the number of periods; fewer of them than events may be in count from the next run on."""
        self._periods_said = count
        if not self.account.events:
            self._periods = count
            self._new_tables()
        elif count > self._periods:
            self._periods = count
            self._tables.add_periods(count)

    def _totals_taken(self, totals: Totals) -> None:
        """Take in the whole run so far: what is new of it is what has not been accumulated yet."""
        self._totals = totals
        self.newest_ns = totals.time_ns
        self.account.events, self.account.pulses = totals.counts, totals.pulses
        self.account.charge_pc = totals.charge_pc
        self.account.pending = totals.counts - self.account.accumulated - self.account.dropped.total()

    # -- chunks -------------------------------------------------------------------------------------------------------

    def _new_tables(self) -> None:
        self._tables = self._book.new_tables(self._periods, self._tick_ns)

    def _pending_events(self) -> int:
        return self._tables.pending if self._totals is None else self.account.pending

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

    def _title(self) -> str:
        run = self.account.identity.run
        return str(
            self.logs.properties.get("run_title")
            or (f"{self.instrument.name} run {run}" if run else self.instrument.name)
        )

    def _workspace(self) -> Workspace | None:
        about = self.logs.latest(), self.instrument.name, self.account.identity.start_ns
        if self.listener.buffers_events:
            self._book.place(*about)
            return of_events(self._book, self._tables, self.logs, self._title())
        if self._totals is None:
            return None
        return of_totals(self._totals.workspace, self.logs, self._title(), lambda d: self._book.place_totals(d, *about))
