"""The live cycle in this process, for notebooks: a first chunk at once, then monitoring in a thread of its own.

It is the cycle of the daemon (`live.chunk`, `live.load`, `live.monitor`) without a journal and without processes. So of
the daemon's promises these do not hold: what arrived and was not processed is lost with this process; a changed chunk
script does not see the run again; a script that hangs or takes all memory takes the notebook with it; a running script
cannot be interrupted. Script errors are contained, every event is accounted for, and lost connections are made again.

Scripts of several monitors never run at the same time.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from livereduce.errors import LiveReduceError, ScriptError
from livereduce.live.chunk import Chunk
from livereduce.live.load import Names
from livereduce.live.monitor import Monitor, NobodyWatching
from livereduce.live.state import Transition
from livereduce.workspaces.cache import CountCache
from livereduce.workspaces.run import iso

log = logging.getLogger(__name__)

LOOK_S = 0.05
TOLD_EVERY_S = 10.0
LONGEST_WAIT_S = 0.25
FIRST_EVENTS_S = 1.0
"""A stream describes itself before its first events: so long they are waited for."""

_one_at_a_time = threading.RLock()
_counting = threading.RLock()
_running: list[LiveMonitor] = []


class LiveMonitor:
    """Monitoring under way; what StartLiveData gives back as ``MonitorLiveData``.

    Parameters
    ----------
    monitor
        The loop; nobody else may turn it from now on.
    names
        What its workspaces are called; no other monitor may have them.
    """

    def __init__(self, monitor: Monitor, names: Names) -> None:
        self.names = names
        self.error: BaseException | None = None
        """What ended it, if it was not asked to end."""
        self._monitor = monitor
        self._diary = Diary()
        monitor.observer = self._diary
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        refuse_names_in_use(names)
        _running.append(self)

    # -- what users do ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask it to end; it does within a second unless a script is running. The workspaces stay."""
        self._cancelled.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended; tells whether it has."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.is_running

    @property
    def is_running(self) -> bool:
        """Whether chunks may still come."""
        return self in _running

    @property
    def last_time_stamp(self) -> str:
        """When data were taken in last, ISO 8601 UTC by this computer's clock; empty before the first."""
        return self._diary.taken_at

    @property
    def newest_data(self) -> str:
        """Time of the newest pulse, ISO 8601 UTC; empty before the first."""
        newest = self._monitor.builder.newest_ns
        return iso(newest) if newest else ""

    @property
    def script_error(self) -> ScriptError | None:
        """What the scripts raise at present."""
        return next(iter(self._diary.problems.values()), None)

    @property
    def chunks(self) -> int:
        """Chunks taken so far."""
        return self._monitor.chunks

    def ledger(self) -> dict[str, object]:
        """Return where every event went, run by run, as ``livereduce ledger`` shows it."""
        return self._monitor.builder.ledger.as_json()

    def __repr__(self) -> str:
        state = "running" if self.is_running else f"ended: {self.error}" if self.error else "ended"
        return f"<MonitorLiveData of {self.names.output!r}: {state}, {self.chunks} chunks>"

    # -- Mantid's names -----------------------------------------------------------------------------------------------

    def name(self) -> str:
        """Name of the algorithm."""
        return "MonitorLiveData"

    def isRunning(self) -> bool:  # noqa: N802
        """Tell whether chunks may still come."""
        return self.is_running

    def getPropertyValue(self, name: str) -> str:  # noqa: N802
        """Return OutputWorkspace, AccumulationWorkspace or LastTimeStamp as text."""
        values = {
            "outputworkspace": self.names.output,
            "accumulationworkspace": self.names.accumulation if self._monitor.step.post_stage else "",
            "lasttimestamp": self.last_time_stamp,
        }
        if name.lower() not in values:
            raise RuntimeError(f"MonitorLiveData: there is no property {name!r}; there are {', '.join(values)}")
        return values[name.lower()]

    # -- the loop -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on in a thread until cancelled, or until the stream or the run, as configured, ends."""
        if CountCache.guard is not _counting:  # from now on several threads may read values
            CountCache.guard = _counting
        self._thread = threading.Thread(target=self._run_contained, name=f"live data {self.names.output}", daemon=True)
        self._thread.start()

    def _run_contained(self) -> None:
        try:
            self.run()
        except Exception as error:
            self.error = error
            log.exception("monitoring of %s has ended", self.names.output)

    def run(self) -> None:
        """Go on here; see `start`."""
        builder = self._monitor.builder
        try:
            while not self._cancelled.is_set() and not self._monitor.stopped:
                self._cancelled.wait(min(self._turn(), LONGEST_WAIT_S))
                if builder.listener.ended and not builder.holds_data:
                    break
        finally:
            builder.listener.close()
            _running.remove(self)

    def _turn(self) -> float:
        if not _one_at_a_time.acquire(timeout=LONGEST_WAIT_S):
            return 0.0
        try:
            return self._monitor.turn(time.monotonic())
        finally:
            _one_at_a_time.release()


class Diary(NobodyWatching):
    """Keeps what went wrong last with each script; the log has each problem once."""

    def __init__(self) -> None:
        self.problems: dict[str, ScriptError] = {}
        self.taken_at = ""

    def stage(self, name: str) -> None:
        """Note when data are taken in."""
        if name == "proc":
            self.taken_at = now_text()

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """Note and log it, unless that is known."""
        known = self.problems.get(stage)
        if known is None or (known.line, known.message) != (error.line, error.message):
            log.error("%s\n%s", error, error.traceback)
        self.problems[stage] = error

    def script_succeeded(self, stage: str) -> None:
        """Forget earlier failures of this stage."""
        self.problems.pop(stage, None)


class _FirstStep(Diary):
    """The first chunk is the caller's own doing, and so are its errors."""

    def script_failed(self, stage: str, error: ScriptError) -> None:
        raise error


def take_first_chunk(
    monitor: Monitor,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] = time.sleep,
) -> str:
    """Turn the loop until it has taken one chunk, however long that takes, and return when that was.

    Parameters
    ----------
    clock, wait
        Seconds that never go back, and how to let some pass.

    Raises
    ------
    ScriptError
        A script failed; the data were not processed.
    LiveReduceError
        The source does not answer, or has ended.
    """
    builder, first = monitor.builder, _FirstStep()
    monitor.observer = first
    began = told = clock()
    while True:
        with _one_at_a_time:
            chunk = builder.extract()
            if chunk is not None and (_is_worth_while(chunk) or clock() - began > FIRST_EVENTS_S):
                monitor.take(chunk, clock())
        if monitor.chunks:
            return first.taken_at
        if builder.source.error:
            raise LiveReduceError(builder.source.error)
        if builder.listener.ended:
            raise LiveReduceError(f"{builder.listener.name}: the stream has ended before it gave any data")
        if clock() - told >= TOLD_EVERY_S:
            told = clock()
            log.warning("%s: nothing has come yet; waiting (Ctrl-C ends it)", builder.listener.name)
        wait(LOOK_S)


def _is_worth_while(chunk: Chunk) -> bool:
    return chunk.events > 0 or chunk.transition is not Transition.NONE


def refuse_names_in_use(names: Names) -> None:
    """Raise ValueError if a running monitor has one of these names."""
    for other in _running:
        clash = {names.output, names.accumulation} & {other.names.output, other.names.accumulation}
        if clash:
            raise ValueError(
                f"workspace {clash.pop()!r} belongs to a running MonitorLiveData; cancel that or give another name"
            )


def running() -> list[LiveMonitor]:
    """All monitors that are running, the newest last."""
    return list(_running)


@atexit.register
def cancel_all(timeout_s: float = 5.0) -> None:
    """Cancel all monitors and wait until they have ended, at most `timeout_s`."""
    cancelled = running()
    for monitor in cancelled:
        monitor.cancel()
    deadline = time.monotonic() + timeout_s
    for monitor in cancelled:
        monitor.wait(max(0.0, deadline - time.monotonic()))


def now_text() -> str:
    """Present time, ISO 8601 UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
