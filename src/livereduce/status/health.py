"""What each process says about itself, as frozen records that are written as JSON and read by the others.

The recorder writes `RecorderHealth` (recorder.json, at least once a second), the reducer `ReducerHealth`
(reducer.json, at every change of stage), the supervisor `Heartbeat` (heartbeat.json), each by rename. All times are
nanoseconds since 1970 UTC; None = not yet. Not covered: what it means (`words`), reading and writing the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from pydantic import TypeAdapter


class Stage(StrEnum):
    """What the reducer is doing."""

    STARTING = "starting"
    COMPILING = "compiling"
    IDLE = "idle"
    EXTRACT = "extract"
    BUILD = "build"
    """Making a chunk of what was read."""
    PROC = "proc"
    ACCUMULATE = "accumulate"
    POST = "post"
    SNAPSHOT = "snapshot"
    REPROCESSING = "reprocessing"


@dataclass(frozen=True, slots=True)
class RecorderHealth:
    """What the recorder says about itself and its connection."""

    pid: int
    written_ns: int
    started_ns: int
    state: Literal["connecting", "connected", "waiting", "stopped"]
    """waiting = a time of rest before the next attempt; stopped = told to end."""
    address: str
    connection: int = 0
    """Number of the connection; 0 = there was none yet."""
    connected_since_ns: int | None = None
    lost_since_ns: int | None = None
    bytes: int = 0
    packets: int = 0
    newest_pulse_ns: int | None = None
    last_receive_ns: int | None = None
    reconnects: int = 0
    framing_errors: int = 0
    error: str = ""
    """Why there is no connection, for people; empty when there is one."""
    run: int = 0
    segment: int = 0
    journal_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ScriptProblem:
    """A script that raised or cannot be compiled; `count` times in a row since `since_ns`, 0 if it is not in use."""

    stage: str
    file: str
    line: int | None
    message: str
    traceback: str = ""
    count: int = 1
    since_ns: int = 0


@dataclass(frozen=True, slots=True)
class LogValue:
    """The newest value of a run log."""

    value: float | int | str | None
    units: str = ""
    time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ScriptUse:
    """A script as the reducer runs it."""

    digest: str
    """Digest of its syntax tree."""
    limit_s: float | None = None
    """Time after which it is interrupted; None = never."""
    passed: tuple[int, int] | None = None
    """Place in the journal (segment, offset) up to which it has run through; None = it has not yet."""


@dataclass(frozen=True, slots=True)
class ScriptTrial:
    """The `number`-th changed chunk script that was tried on the last chunk."""

    number: int
    verdict: Literal["running", "passed", "failed"]
    problem: ScriptProblem | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """A workspace, or the events several of them share, and the memory it takes."""

    name: str
    kind: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ReducerHealth:
    """What the reducer says about the run and its own work."""

    pid: int
    written_ns: int
    stage: Stage = Stage.STARTING
    stage_since_ns: int = 0
    run: int = 0
    run_start_ns: int | None = None
    run_state: str = "unknown"
    """unknown, between runs, joined in mid-run or running."""
    paused: bool = False
    title: str = ""
    events: int = 0
    """Events of this run, those between runs when there is none."""
    event_rate: float | None = None
    """Events per s over the last chunk; None = not known."""
    pulses: int = 0
    charge_pC: float = 0.0  # noqa: N815  (the unit, as in interfaces)
    charge_rate_pC: float | None = None  # noqa: N815
    """Proton charge per s over the last chunk, in pC/s; None for a source that does not send any."""
    newest_data_ns: int | None = None
    result_ns: int | None = None
    """When the newest result was made."""
    result_version: int = 0
    chunks: int = 0
    behind_bytes: int = 0
    """Bytes in the journal not yet processed."""
    reprocess_percent: float | None = None
    """How far reading the run again has come; None = not reading again."""
    source_error: str = ""
    """For sources the reducer polls itself: why there is no data; empty when there is."""
    source_lost_since_ns: int | None = None
    script_error: ScriptProblem | None = None
    """The one to mend first."""
    further_errors: tuple[ScriptProblem, ...] = ()
    """What else is wrong with scripts: of the other stage, or of the version in use where an edit is not used."""
    script_output: str = ""
    """The tail of what the scripts printed."""
    warnings: tuple[str, ...] = ()
    latency: Mapping[str, float] = field(default_factory=dict)
    """Duration of each stage of the last step, in s."""
    memory_bytes: int = 0
    logs: Mapping[str, LogValue] = field(default_factory=dict)
    ledger: Mapping[str, Any] = field(default_factory=dict)
    """The object of /api/ledger."""
    story: tuple[str, ...] = ()
    """The last events of the run state machine, oldest first."""
    finished_runs: int = 0
    """Numbered runs whose last post step is done."""
    position: tuple[int, int] = (0, 0)
    """Place in the journal (segment, offset) up to which data had been taken in when the stage began."""
    scripts: Mapping[str, ScriptUse] = field(default_factory=dict)
    """By stage: ``proc``, ``post``."""
    helpers: Mapping[str, str] = field(default_factory=dict)
    """Modules that scripts imported from the script folder: file -> digest of the syntax tree that is in use."""
    trial: ScriptTrial | None = None
    largest: tuple[Holding, ...] = ()
    """What takes most memory, largest first."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the supervisor says; its age is what a watchdog looks at."""

    pid: int
    written_ns: int
    started_ns: int
    stopping: bool = False
    restarts: int = 0
    recorder_pid: int | None = None
    reducer_pid: int | None = None
    memory_bytes: int = 0
    """Anonymous and shared memory of all our processes."""
    memory_limit_bytes: int | None = None
    memory_full_s: float | None = None
    """Time until the limit is reached if memory goes on growing as now; None = it does not grow."""
    script_refused: ScriptProblem | None = None
    """An edit of a script that is not used, and why."""
    warnings: tuple[str, ...] = ()
    resting: str = ""
    """Why the reducer is not started for some time, although nobody held it; empty when it is."""
    resting_until_ns: int | None = None
    """When it will be started again."""


RECORDER = TypeAdapter(RecorderHealth)
REDUCER = TypeAdapter(ReducerHealth)
HEARTBEAT = TypeAdapter(Heartbeat)
"""``REDUCER.dump_json(health)`` gives the bytes to write, ``REDUCER.validate_json(data)`` the record."""
