"""What a configuration file may say (`Settings`) and what the program works with (`Config`), as pydantic models."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from livereduce import facilities


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _whole_number(value: object) -> object:
    """Accept 2e7 and "2e7" where a whole number is wanted."""
    try:
        number = float(value) if isinstance(value, str | float) else value
    except ValueError:
        raise ValueError("expected a whole number") from None
    if isinstance(number, bool) or (isinstance(number, float) and not number.is_integer()):
        raise ValueError("expected a whole number")
    return int(number) if isinstance(number, float) else number


def _index_list(value: object) -> object:
    """Accept ``[1, 3]``, ``3``, ``"1,3"`` and ranges like ``"1-3"`` or ``"1:3"``, as Mantid's list properties do."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    numbers: list[int] = []
    for part in parts:
        first, _, last = str(part).replace(":", "-").replace(" ", "").partition("-")
        last = last or first
        # a longer range is a slip of the pen that would fill the memory
        if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) < 10_000_000):
            raise ValueError('expected numbers from 1, as a list or like "1,3-5"')
        numbers.extend(range(int(first), int(last) + 1))
    return tuple(numbers)


def _listed(value: object) -> object:
    """Accept one where a list is wanted."""
    return [value] if isinstance(value, str | dict) else value


def _start_time(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('expected "now", "run" or an ISO 8601 time')
    if value.lower() in {"now", "run"}:
        return value.lower()
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError('expected "now", "run" or an ISO 8601 time like 2026-03-01T12:00:00Z') from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _address(value: object) -> object:
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("expected host:port")
    return value


def _listener(value: object) -> object:
    kind = facilities.kind_of(str(value))
    if kind is None:
        raise ValueError(f"expected one of {', '.join(facilities.LISTENERS)}")
    return kind


def _spelt(*words: str) -> BeforeValidator:
    """Accept a word in any case."""
    table = {word.casefold(): word for word in words}
    return BeforeValidator(lambda value: table.get(value.casefold(), value) if isinstance(value, str) else value)


Number = Annotated[float, BeforeValidator(_number)]
WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
Indices = Annotated[tuple[int, ...], BeforeValidator(_index_list)]
AccumulationMethod = Annotated[Literal["Add", "Replace", "Append"], _spelt("Add", "Replace", "Append")]
RunTransition = Annotated[Literal["Restart", "Stop", "Rename"], _spelt("Restart", "Stop", "Rename")]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _spelt("DEBUG", "INFO", "WARNING", "ERROR")]
Keep = Annotated[
    Literal["nothing", "result", "accumulation", "both"], _spelt("nothing", "result", "accumulation", "both")
]


class Section(BaseModel):
    """A frozen group of keys; unknown ones are not refused here, they become warnings in `loading`."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)


class Watchdog(Section):
    """Read by the separate watchdog service only."""

    interval: Annotated[Number, Field(ge=20)] = 60
    """How often the watchdog looks at the heartbeat, in s."""
    threshold: Annotated[Number, Field(ge=20)] = 300
    """Age of the heartbeat at which the watchdog restarts the service, in s."""


class Output(Section):
    """What is written to disk beside the page's own files."""

    directory: Path | None = None
    """Folder for results; default: the state directory."""
    keep: Keep = "nothing"
    """What is written as NeXus at the end of each run."""


class Web(Section):
    """The page and its API."""

    host: str = "127.0.0.1"
    """Address the page listens on; 127.0.0.1 = this machine only."""
    port: Annotated[WholeNumber, Field(ge=0, le=65535)] = 8000
    """Port of the page; 0 = any free one, which is logged."""
    token: Annotated[str | None, Field(min_length=1, repr=False, exclude=True)] = None
    """Bearer token for restart, clear and rollback; default: made at first start, mode 0600 in the state directory."""


class Log(Section):
    """The log file; its modification time is touched with the heartbeat."""

    file: Path | None = None
    """Log file; default: `/var/log/SNS_applications/livereduce.log` where writable, else in the state directory."""
    level: LogLevel = "INFO"
    """The least important lines that are still written."""


class Stream(Section):
    """Receiving and the journal."""

    buffer_events: Annotated[WholeNumber, Field(ge=1)] = 20_000_000
    """A chunk ends at this many events even before update_every has passed."""
    segment_bytes: Annotated[WholeNumber, Field(ge=1 << 16)] = 256 << 20
    """Size at which the journal begins a new file, in bytes."""
    retain_bytes: Annotated[WholeNumber, Field(ge=1 << 20)] = 50_000_000_000
    """Size of the journal at which the oldest runs are removed, in bytes; runs still to be processed stay."""
    retain_runs: Annotated[WholeNumber, Field(ge=1)] = 10
    """How many runs stay in the journal, the current one included; runs still to be processed stay beyond it."""
    keep_paused_events: bool = False
    """Process events that arrive while the run is paused."""
    max_packet_bytes: Annotated[WholeNumber, Field(ge=1 << 16)] = 64 << 20
    """Largest packet accepted from the network, in bytes; larger ones are skipped and counted."""
    isis_first_spectrum: Annotated[WholeNumber, Field(ge=0, le=1)] = 0
    """What the ISIS event stream calls the first spectrum; others read it as 0, its documents can be read as 1."""
    file: Path | None = None
    """NeXus file that FileEventDataListener replays (what Mantid calls fileeventdatalistener.filename)."""
    file_chunks: Annotated[WholeNumber, Field(ge=1)] = 10
    """In how many parts that file is replayed, one an update (fileeventdatalistener.chunks)."""
    fake_rate: Annotated[Number, Field(gt=0, le=1e8)] = 200
    """Events a second that FakeEventDataListener makes up (fakeeventdatalistener.datarate)."""
    fake_end_run_every: Annotated[WholeNumber, Field(ge=0)] = 0
    """After so many updates a made-up run ends; 0 = never (fakeeventdatalistener.endrunevery)."""


class Move(Section):
    """One component that a log, or the user, puts where its definition does not."""

    model_config = ConfigDict(extra="forbid")

    component: Annotated[str, Field(min_length=1)]
    """Name of the component, or its path (names joined by /)."""
    axis: Literal["x", "y", "z", "r-position", "t-position", "p-position", "rotx", "roty", "rotz"]
    """What the expression gives, m or degrees relative to the component that holds it."""
    log: str = ""
    """Name of the log; empty for a fixed place."""
    expression: Annotated[str, Field(min_length=1)] = "value"
    """Formula of the log's value, as in ``value/1000``."""


class Instruments(Section):
    """Where definitions of instruments are, and what they do not say."""

    definition_folders: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = (Path("~/.mantid/instrument"),)
    """Folders of `<NAME>_Definition*.xml`, searched in this order: for LoadInstrument, streams without geometry."""
    moves: Annotated[tuple[Move, ...], BeforeValidator(_listed)] = ()
    """What is moved, like `{"component": "detector1", "axis": "z", "log": "detectorZ", "expression": "value/1000"}`."""


class Settings(Section):
    """Everything a configuration file may say."""

    instrument: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Name or short name of the instrument."""
    facility: str | None = None
    """Facility, for instrument names that several have."""
    connection: str | None = None
    """Named live connection of the instrument; default: its first."""
    listener: Annotated[facilities.StreamKind, BeforeValidator(_listener)] | None = None
    """Listener class (as SNSLiveEventDataListener) or kind (as adara); default: the connection's."""
    address: Annotated[str, BeforeValidator(_address)] | None = None
    """host:port of the live stream; default: the connection's."""
    script_dir: Path | None = None
    """Folder of the two scripts; default: `/SNS/<short name>/shared/livereduce`."""
    post_process: bool = True
    """Run the post-processing script."""
    post_process_only: bool = False
    """Run the post-processing script only, whether a chunk script exists or not."""
    update_every: Annotated[Number, Field(gt=0)] = 30
    """Time between updates, in s; fractions are allowed."""
    preserve_events: bool = True
    """Keep events after the chunk script; false turns them into histograms on their present bins."""
    accum_method: AccumulationMethod = "Add"
    """How chunks are put together; for a histogram source, whose reads are totals, the default is Replace."""
    run_transition_behavior: RunTransition = "Restart"
    """When a run begins or ends: begin a new accumulation, end, or keep a copy under a name with the run number."""
    start_time: Annotated[str, BeforeValidator(_start_time)] = "run"
    """Where data begin: "run" (start of the current run), "now" or an ISO 8601 time (UTC unless it says otherwise)."""
    periods: Indices | None = None
    """Periods wanted, from 1; default: all. A list, or text like "1,3-5"."""
    spectra: Indices | None = None
    """Spectra wanted, from 1; default: all. A list, or text like "1,3-5"."""
    script_limit: Annotated[Number | None, Field(gt=0)] = None
    """Time after which a running script is stopped, in s; default: 10 times its longest success, at least 30 min."""
    system_mem_limit_perc: Annotated[Number, Field(ge=0, le=100)] = 70
    """Share of the machine's memory we may use, in percent; 0 = no limit."""
    mem_check_interval_sec: Annotated[Number, Field(gt=0)] = 1
    """How often memory is looked at, in s."""
    state_dir: Path | None = None
    """Folder of the journal; default: `/var/lib/livereduce/<instrument>` where writable, else the user's."""
    runtime_dir: Path | None = None
    """Folder of health files; default: `/run/livereduce/<instrument>` where writable, else the user's."""
    output: Output = Output()
    stream: Stream = Stream()
    instruments: Instruments = Instruments()
    web: Web = Web()
    log: Log = Log()
    watchdog: Watchdog = Watchdog()
    CONDA_ENV: str | None = None
    """Accepted, not needed: the environment is the one livereduce is installed in."""
    PIXI_ENV: str | None = None
    """Accepted, not needed: the environment is the one livereduce is installed in."""
    mantid_loc: str | None = None
    """Accepted, not needed: Mantid is not used."""


class ResolvedOutput(Output):
    """Output with its folder known."""

    directory: Path


class ResolvedLog(Log):
    """Log with its file known."""

    file: Path


class Config(Settings):
    """Resolved settings: what is optional in a file is known here, and every path is absolute.

    Goes to the child processes as ``model_dump_json()``, without the token, and comes back by
    ``Config.model_validate_json``.
    """

    short_name: str
    """Short name of the instrument, as in the names of its scripts."""
    time_zone: str
    """Time zone of the facility, as ``zoneinfo`` knows it."""
    topics: dict[str, str] = {}
    """Kafka topics that differ from the usual names, by kind."""
    listener: facilities.StreamKind
    address: str
    script_dir: Path
    state_dir: Path
    runtime_dir: Path
    output: ResolvedOutput
    log: ResolvedLog
    source: Path | None = None
    """The file these settings came from; None = built-in defaults."""
    warnings: tuple[str, ...] = ()
    """What is odd but not wrong: unknown keys, keys that are not needed."""

    @property
    def start_seconds(self) -> int:
        """Start time as stream sources are asked for it: 0 = now, 1 = start of the run, else s since 1970 UTC."""
        if self.start_time in {"now", "run"}:
            return int(self.start_time == "run")
        return int(datetime.fromisoformat(self.start_time).timestamp())
