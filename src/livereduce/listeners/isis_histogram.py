"""The ISIS histogram memory, polled: totals of the run so far, one workspace or a group of one a period.

Covers: what is wanted of the memory, run changes (by the run number where it is told, else by totals that fall),
shapes that change in mid-run, a server that does not answer. Does not cover: the order of questions (`protocols.isis.
memory`), connecting (`sources.dae`).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.listeners.base import (
    InstrumentInfo,
    Message,
    RunInfo,
    RunMark,
    RunMarkKind,
    SourceState,
    Totals,
)
from livereduce.listeners.isis_events import detectors_of
from livereduce.protocols.isis import memory
from livereduce.protocols.isis.client import Conversation
from livereduce.sources import BEGIN, Position
from livereduce.workspaces import Detectors, HistogramWorkspace, Run, Spectra, WorkspaceGroup
from livereduce.workspaces.run import CHARGE_TOTAL, PICOCOULOMB_PER_UAH

log = logging.getLogger(__name__)

SLICE_S = 0.2
"""So long a call may take; a poll of a large memory goes on with the next one."""
REST_S = 5.0
"""After a poll that ended with an error of ours, as of spectra that are not there."""
NS = 1_000_000_000


class CommandPort(Protocol):
    """Holds conversations with a DAE; see `sources.dae.DaeConnection`."""

    error: str

    @property
    def address(self) -> str:
        """The server's."""

    @property
    def busy(self) -> bool:
        """Whether a conversation is under way."""

    def begin(self, make: Callable[[], Conversation[memory.Totals]]) -> None:
        """Hold the conversation that `make` makes."""

    def step(self, wait_s: float = 0.0) -> memory.Totals | None:
        """Go on for at most about `wait_s`; gives the outcome when there is one."""

    def close(self) -> None:
        """End the connection."""


class IsisHistogramListener:
    """Polls the command port of a DAE.

    Parameters
    ----------
    port
        The way to it.
    spectra, periods
        Spectrum and period numbers wanted, from 1; None = all. Order and repetition do not matter.
    clock, clock_ns
        Seconds that never go back, and the time of day, ns since 1970 UTC.
    """

    name = "ISISHistoDataListener"
    supports_history = False
    buffers_events = False

    def __init__(
        self,
        port: CommandPort,
        *,
        spectra: Sequence[int] | None = None,
        periods: Sequence[int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._selection = memory.Selection.of(spectra, periods)
        self._connection = port
        self._clock, self._clock_ns = clock, clock_ns
        self._queue: deque[Message] = deque()
        self._last: memory.Totals | None = None
        self._known: memory.Totals | None = None
        self._polled = False  # the totals of this poll have been given
        self._next_poll = clock()
        self._told_error = ""
        self._since_ns = 0
        self._described: tuple[memory.Tables, Detectors] | None = None

    # -- the contract -------------------------------------------------------------------------------------------------

    def receive(self, until: Position | None = None) -> Message | None:
        """Return the next message: once the totals, then None, then totals read anew.

        Takes `SLICE_S` at most; None in between means that the memory is still being read, or does not answer.
        """
        if not self._queue:
            if self._polled:
                self._polled = False
                return None
            self._poll()
        return self._queue.popleft() if self._queue else None

    @property
    def position(self) -> Position:
        """Always the same: a memory has no past."""
        return BEGIN

    @property
    def ended(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    # -- polling ------------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        if not self._connection.busy:
            if self._clock() < self._next_poll:
                return
            known = self._known
            self._connection.begin(lambda: memory.read_totals(self._selection, known))
        try:
            totals = self._connection.step(SLICE_S)
        except LiveReduceError as error:
            self._next_poll = self._clock() + REST_S
            self._tell(str(error))
            return
        self._tell("" if totals is not None else self._connection.error)
        if totals is not None:
            self._take(totals)

    def _tell(self, error: str) -> None:
        """Say that the source does not answer, or does again; once each."""
        if error != self._told_error:
            if error:
                log.error("%s: %s", self._connection.address, error)
            began = bool(error) != bool(self._told_error)
            self._told_error = error
            self._since_ns = self._clock_ns() if began else self._since_ns
            self._queue.append(SourceState(error, self._since_ns))

    def _take(self, totals: memory.Totals) -> None:
        last, now = self._last, self._clock_ns()
        if last is None or _another_run(last.state, totals.state) or fell(last, totals):
            if last is not None and totals.tables is last.tables:
                self._known = None  # those tables may be the last run's: read everything again
                return
            self._queue.append(_new_run(totals.state, now))
        self._last = self._known = totals
        tables = totals.tables
        self._queue.append(InstrumentInfo(tables.name, tables.name, ""))
        if tables.title:
            self._queue.append(RunInfo({"run_title": tables.title}))
        self._queue.append(self._totals(totals, now))
        self._polled = True

    def _totals(self, totals: memory.Totals, now_ns: int) -> Totals:
        if self._described is None or self._described[0] is not totals.tables:
            self._described = totals.tables, _detectors(totals.tables)
        members = [self._workspace(totals, i, self._described[1]) for i in range(len(totals.periods))]
        state = totals.state
        return Totals(
            workspace=members[0] if len(members) == 1 else WorkspaceGroup(members),
            counts=sum(int(counts.sum(dtype=np.int64)) for counts in totals.counts),
            pulses=state.good_frames or 0,
            charge_pc=(state.charge or 0.0) * PICOCOULOMB_PER_UAH,
            time_ns=now_ns,
        )

    def _workspace(self, totals: memory.Totals, i: int, detectors: Detectors) -> HistogramWorkspace:
        workspace = _histogram(totals, totals.edges, totals.counts[i], totals.spectra, detectors)
        workspace.logs = _logs(totals.state, totals.periods[i])
        if totals.monitor_counts:
            workspace.monitors = _histogram(
                totals, totals.monitor_edges, totals.monitor_counts[i], totals.monitor_spectra, detectors
            )
            workspace.monitors.logs = workspace.logs.clone()
        return workspace


def _another_run(before: memory.State, now: memory.State) -> bool:
    """Tell whether the run number says so; a server that does not tell it (any more) says nothing."""
    return before.run is not None and now.run is not None and before.run != now.run


def fell(before: memory.Totals, now: memory.Totals) -> bool:
    """Tell whether charge or counts are less than before, which within a run they never are."""
    if before.state.charge is not None and now.state.charge is not None and now.state.charge < before.state.charge:
        return True
    if before.state.shape._replace(periods=0) != now.state.shape._replace(periods=0):
        return False  # not to be compared
    earlier = dict(zip(before.periods, before.counts, strict=True))
    pairs = [(earlier[p], counts) for p, counts in zip(now.periods, now.counts, strict=True) if p in earlier]
    return any(counts.sum(dtype=np.int64) < old.sum(dtype=np.int64) for old, counts in pairs)


def _new_run(state: memory.State, now_ns: int) -> RunMark:
    """Say that a run is on; when it began is only known by its duration."""
    start_ns = (now_ns // NS - (state.duration_s or 0)) * NS
    return RunMark(RunMarkKind.NEW, state.run or 0, start_ns, now_ns)


def _logs(state: memory.State, period: int) -> Run:
    run = Run()
    # the total charge of all periods, for each of them, as the script's own reference has it
    for name, value, units in (
        (CHARGE_TOTAL, state.charge, "uAh"),
        ("tot_prtn_chrg", state.charge, "uAh"),
        ("goodfrm", state.good_frames, ""),
        ("rawfrm", state.raw_frames, ""),
        ("dur", state.duration_s, "second"),
        ("nperiods", state.shape.periods, ""),
        ("current_period", period, ""),
    ):
        if value is not None:
            run.set(name, value, units)
    return run


def _histogram(
    totals: memory.Totals,
    edges: NDArray[np.float64],
    counts: NDArray[np.int32],
    numbers: NDArray[np.int64],
    detectors: Detectors,
) -> HistogramWorkspace:
    ids, start = detectors_of(numbers, totals.tables.detector, totals.tables.spectrum)
    y = counts.astype(np.float64)
    y.flags.writeable = False
    return HistogramWorkspace(edges, y, y, detectors=detectors, spectra=Spectra(numbers, ids, start))


def _detectors(tables: memory.Tables) -> Detectors:
    """Make the detectors of the memory's table; one that is in it twice is one detector."""
    ids, first = np.unique(tables.detector, return_index=True)
    return Detectors(ids, np.isin(tables.spectrum[first], list(tables.monitors)))
