"""`describe`: the records of all processes -> one word of `State`, a sentence, and the figures of /api/status.

Pure: the files and the clock are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from livereduce.status.health import Heartbeat, LogValue, RecorderHealth, ReducerHealth, ScriptProblem, Stage

SILENT_AFTER_S = 30.0
"""A pulsed source sends at 60 Hz or 10 Hz even without beam; longer silence is worth saying."""
REPORT_LATE_S = 10.0
"""The recorder reports once a second; this late it hangs or is gone."""
SLOW_FLOOR_S = 5.0
"""Scripts shorter than this are never called slow, however short update_every is."""

RUN_STATES_IN_RUN = ("running", "joined in mid-run")


class State(StrEnum):
    """The one word for operators."""

    STARTING = "starting"
    WAITING = "waiting for run"
    RUNNING = "running"
    PAUSED = "paused"
    BEAM_OFF = "beam off"
    SOURCE_LOST = "source lost"
    SCRIPT_SLOW = "script slow"
    SCRIPT_ERROR = "script error"
    REDUCER_FAILING = "reducer failing"
    REPROCESSING = "reprocessing"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Status:
    """What ``/api/status`` serves: the state, a sentence, what else is odd, and the figures."""

    state: State
    sentence: str
    also: tuple[str, ...]
    """Further conditions that hold at the same time, most important first."""
    instrument: str
    run: int
    run_start_ns: int | None
    run_state: str
    paused: bool
    title: str
    events: int
    event_rate: float | None
    """Events per s over the last chunk; None = not known, as where nothing comes."""
    pulses: int
    charge_pC: float  # noqa: N815
    charge_rate_pC: float | None  # noqa: N815
    """pC/s."""
    data_age_s: float | None
    """Age of the newest data processed."""
    received_age_s: float | None
    """Time since anything came from the source."""
    result_age_s: float | None
    stage: Stage
    stage_s: float
    latency: Mapping[str, float]
    chunks: int
    behind_bytes: int
    reprocess_percent: float | None
    script_error: ScriptProblem | None
    further_errors: tuple[ScriptProblem, ...]
    script_output: str
    warnings: tuple[str, ...]
    address: str
    connection: int
    bytes: int
    packets: int
    reconnects: int
    restarts: int
    memory_bytes: int
    memory_limit_bytes: int | None
    memory_full_s: float | None
    logs: Mapping[str, LogValue]
    now_ns: int


STATUS = TypeAdapter(Status)


def duration(seconds: float) -> str:
    """Say a duration as people do: 4.2 s, 35 s, 12 min, 3 h 5 min, 2 d 4 h."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def age_s(time_ns: int | None, now_ns: int) -> float | None:
    """Seconds since `time_ns`, never negative (clocks of two machines differ); None when it never was."""
    return None if time_ns is None else max(now_ns - time_ns, 0) / 1e9


@dataclass(frozen=True, slots=True)
class _Facts:
    recorder: RecorderHealth | None
    reducer: ReducerHealth | None
    heartbeat: Heartbeat | None
    now_ns: int
    update_every_s: float
    needs_recorder: bool

    def age(self, time_ns: int | None) -> float:
        return age_s(time_ns, self.now_ns) or 0.0

    @property
    def held(self) -> bool:
        """Whether no reducer is to run, for want of a script it may run or after a failure; the last one is over."""
        heartbeat = self.heartbeat
        if heartbeat is None or heartbeat.reducer_pid is not None:
            return False
        return heartbeat.script_refused is not None or heartbeat.resting != ""

    @property
    def wrong(self) -> list[ScriptProblem]:
        """All that is wrong with scripts, what is to be mended first first."""
        # an edit that is not used comes first: errors of the version in use may be mended in it
        refused = self.heartbeat.script_refused if self.heartbeat else None
        found = [refused] if refused is not None else []
        if self.reducer is None or (found and self.held):
            return found
        own = [self.reducer.script_error] if self.reducer.script_error is not None else []
        return [*found, *own, *self.reducer.further_errors]

    @property
    def in_run(self) -> bool:
        return self.reducer is not None and self.reducer.run_state in RUN_STATES_IN_RUN


def describe(
    recorder: RecorderHealth | None,
    reducer: ReducerHealth | None,
    now_ns: int,
    *,
    heartbeat: Heartbeat | None = None,
    instrument: str = "",
    update_every_s: float = 30.0,
    needs_recorder: bool = True,
    problems: tuple[str, ...] = (),
) -> Status:
    """Say in a word, a sentence and figures how it goes.

    Parameters
    ----------
    recorder, reducer, heartbeat
        The newest record of each process; None when there is none.
    now_ns
        Present time.
    update_every_s
        Wanted time between updates; scripts that take longer are called slow.
    needs_recorder
        False for sources that the reducer reads itself (histogram data acquisition, files).
    problems
        What the caller met on the way, shown before the warnings of the processes.
    """
    facts = _Facts(recorder, reducer, heartbeat, now_ns, update_every_s, needs_recorder)
    (state, sentence), *others = _conditions(facts)
    wrong = facts.wrong
    seen = reducer or ReducerHealth(pid=0, written_ns=now_ns, stage_since_ns=now_ns)
    received = recorder.last_receive_ns if recorder else seen.newest_data_ns
    comes = state is not State.SOURCE_LOST and State.SOURCE_LOST not in {other for other, _ in others}
    return Status(
        state=state,
        sentence=sentence,
        also=tuple(text for other, text in others if other not in {State.RUNNING, State.WAITING}),
        instrument=instrument,
        run=seen.run,
        run_start_ns=seen.run_start_ns,
        run_state=seen.run_state,
        paused=seen.paused,
        title=seen.title,
        events=seen.events,
        event_rate=seen.event_rate if comes else None,
        pulses=seen.pulses,
        charge_pC=seen.charge_pC,
        charge_rate_pC=seen.charge_rate_pC if comes else None,
        data_age_s=age_s(seen.newest_data_ns, now_ns),
        received_age_s=age_s(received, now_ns),
        result_age_s=age_s(seen.result_ns, now_ns),
        stage=seen.stage,
        stage_s=facts.age(seen.stage_since_ns),
        latency=seen.latency,
        chunks=seen.chunks,
        behind_bytes=seen.behind_bytes,
        reprocess_percent=seen.reprocess_percent,
        script_error=next(iter(wrong), None),
        further_errors=tuple(wrong[1:]),
        script_output=seen.script_output,
        warnings=(*problems, *(heartbeat.warnings if heartbeat else ()), *seen.warnings),
        address=recorder.address if recorder else "",
        connection=recorder.connection if recorder else 0,
        bytes=recorder.bytes if recorder else 0,
        packets=recorder.packets if recorder else 0,
        reconnects=recorder.reconnects if recorder else 0,
        restarts=heartbeat.restarts if heartbeat else 0,
        memory_bytes=heartbeat.memory_bytes if heartbeat else seen.memory_bytes,
        memory_limit_bytes=heartbeat.memory_limit_bytes if heartbeat else None,
        memory_full_s=heartbeat.memory_full_s if heartbeat else None,
        logs=seen.logs,
        now_ns=now_ns,
    )


def _conditions(facts: _Facts) -> Iterator[tuple[State, str]]:
    """All that holds now, most important first; the last one (running or waiting) always does."""
    rules = (
        _stopping,
        _reducer_failing,
        _starting,
        _source_lost,
        _script_error,
        _reprocessing,
        _script_slow,
        _paused,
        _beam_off,
        _normal,
    )
    for rule in rules:
        found = rule(facts)
        if found:
            yield found
        if rule is _script_error:
            yield from _further_errors(facts)


def _further_errors(facts: _Facts) -> Iterator[tuple[State, str]]:
    for error in facts.wrong[1:]:
        yield State.SCRIPT_ERROR, _of_script(facts, error)


def _stopping(facts: _Facts) -> tuple[State, str] | None:
    if facts.heartbeat and facts.heartbeat.stopping:
        return State.STOPPING, "Asked to stop; the last result is being written."
    return None


def _reducer_failing(facts: _Facts) -> tuple[State, str] | None:
    heartbeat = facts.heartbeat
    if heartbeat is None or not heartbeat.resting:
        return None
    until_s = ((heartbeat.resting_until_ns or facts.now_ns) - facts.now_ns) / 1e9
    why = heartbeat.resting[0].upper() + heartbeat.resting[1:]
    again = f"tried again in {duration(until_s)}, or when a script is saved or a restart is asked for"
    return State.REDUCER_FAILING, f"{why}; data are recorded meanwhile. It is {again}."


def _starting(facts: _Facts) -> tuple[State, str] | None:
    if facts.held:
        return None
    if facts.reducer is None:
        return State.STARTING, "The reduction is starting."
    if facts.reducer.stage in {Stage.STARTING, Stage.COMPILING} and facts.reducer.reprocess_percent is None:
        what = "compiling for this machine" if facts.reducer.stage is Stage.COMPILING else "starting"
        return State.STARTING, f"The reduction is {what}, for {duration(facts.age(facts.reducer.stage_since_ns))} now."
    return None


def _source_lost(facts: _Facts) -> tuple[State, str] | None:
    recorder, reducer = facts.recorder, facts.reducer
    if not facts.needs_recorder:
        if reducer and reducer.source_error:
            lost = duration(facts.age(reducer.source_lost_since_ns))
            return State.SOURCE_LOST, f"No data from the source for {lost}: {reducer.source_error}. Trying again."
        return None
    if recorder is None:
        return State.STARTING, "The recorder is starting."
    late = facts.age(recorder.written_ns)
    if late > REPORT_LATE_S:
        return State.SOURCE_LOST, f"The recorder has not reported for {duration(late)}; it is being restarted."
    if recorder.state in {"connected", "stopped"}:
        return None
    since = duration(facts.age(recorder.lost_since_ns or recorder.started_ns))
    why = recorder.error or "not connected yet"
    if recorder.connection == 0 and not recorder.error:
        return State.STARTING, f"Connecting to {recorder.address}."
    return State.SOURCE_LOST, f"No connection to {recorder.address} for {since}: {why}. Trying again."


def _script_error(facts: _Facts) -> tuple[State, str] | None:
    return (State.SCRIPT_ERROR, _of_script(facts, facts.wrong[0])) if facts.wrong else None


def _of_script(facts: _Facts, error: ScriptProblem) -> str:
    where = error.file.rpartition("/")[2] + (f" line {error.line}" if error.line else "")
    refused = facts.heartbeat.script_refused if facts.heartbeat else None
    if not error.since_ns or error is refused:
        return f"{where}: {error.message}. Save a corrected script to go on."
    if any(other.file == error.file and other is not error for other in facts.wrong):
        where = f"The version in use, {where}"  # its lines are not those of the file
    times = f" {error.count} times in a row," if error.count > 1 else ""
    since = duration(facts.age(error.since_ns))
    return f"{where}: {error.message} (failing{times} for {since}). Data are kept; save a corrected script to go on."


def _reprocessing(facts: _Facts) -> tuple[State, str] | None:
    if facts.reducer is None or facts.reducer.reprocess_percent is None or facts.held:
        return None
    done = facts.reducer.reprocess_percent
    run = f"run {facts.reducer.run}" if facts.reducer.run else "the run"
    return State.REPROCESSING, f"Reading {run} again from its start: {done:.0f} % done."


def _script_slow(facts: _Facts) -> tuple[State, str] | None:
    reducer = facts.reducer
    if reducer is None or facts.held:
        return None
    limit = max(facts.update_every_s, SLOW_FLOOR_S)
    running = facts.age(reducer.stage_since_ns) if reducer.stage in {Stage.PROC, Stage.POST} else 0.0
    script = "post-processing" if reducer.stage is Stage.POST else "chunk"
    wanted = duration(facts.update_every_s)
    if running > limit:
        return (
            State.SCRIPT_SLOW,
            f"The {script} script has been running for {duration(running)}; updates are wanted every {wanted}.",
        )
    last = reducer.latency.get("proc", 0.0) + reducer.latency.get("post", 0.0)
    if last > limit and facts.in_run and not reducer.paused:
        return State.SCRIPT_SLOW, f"The scripts took {duration(last)} last time; updates are wanted every {wanted}."
    return None


def _paused(facts: _Facts) -> tuple[State, str] | None:
    if facts.reducer and facts.in_run and facts.reducer.paused:
        return State.PAUSED, f"Run {facts.reducer.run} is paused."
    return None


def _beam_off(facts: _Facts) -> tuple[State, str] | None:
    reducer, recorder = facts.reducer, facts.recorder
    if reducer is None or not facts.in_run:
        return None
    silent = facts.age(recorder.last_receive_ns if recorder else reducer.newest_data_ns)
    # a polled source gives something new once an update only
    if silent > (SILENT_AFTER_S if recorder else max(SILENT_AFTER_S, 3 * facts.update_every_s)):
        return State.BEAM_OFF, f"Run {reducer.run}: nothing has come for {duration(silent)}, the connection is up."
    if reducer.chunks and reducer.event_rate == 0 and not reducer.charge_rate_pC:
        return State.BEAM_OFF, f"Run {reducer.run}: data come, but without neutrons."
    return None


def _normal(facts: _Facts) -> tuple[State, str]:
    reducer = facts.reducer
    if reducer is None or not facts.in_run:
        return State.WAITING, "No run is going on; the next one will be shown as it starts."
    joined = " (joined while it was going on)" if reducer.run_state == "joined in mid-run" else ""
    rate = "" if reducer.event_rate is None else f": {reducer.event_rate:,.0f} events/s"
    return State.RUNNING, f"Run {reducer.run} is being reduced{joined}{rate}."
