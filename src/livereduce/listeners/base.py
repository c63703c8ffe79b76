"""The contract between a stream and the live cycle: messages.

A listener turns one facility's records (journal bytes, a file, a poll) into the few facility-neutral messages below
and knows nothing of chunks, scripts or accumulation. ``live.chunk`` turns messages into chunks and knows nothing of
wire formats. A new stream is a new listener here and nothing else.

Times are nanoseconds since 1970-01-01 UTC; charges are picocoulomb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry import Instrument
from livereduce.sources import Position
from livereduce.workspaces import Workspace

OUR_LOGS = re.compile(
    r"proton_charge|run_number|run_(start|end|title)|experiment_identifier|pause|scan_index|monitor\d+_counts"
)
"""Names of the logs that the live cycle keeps itself; a variable of that name in the stream is not taken."""


class RunMarkKind(Enum):
    """What a stream says about runs at this place in it."""

    NEW = "new"
    """A run starts here."""
    CONTINUE = "continue"
    """The named run is on (state on connection, file roll-over)."""
    END = "end"
    """The named run is over; nothing of it follows."""
    NONE = "none"
    """No run is on."""


@dataclass(frozen=True, slots=True)
class RunMark:
    """A statement of the stream about the run at this position; position, not time, decides what belongs to a run.

    A NEW run may have the number 0: one whose number the source does not tell. `previous_ended` says that nothing more
    of the run before can follow, in streams that have no mark for a run's end.
    """

    kind: RunMarkKind
    run: int
    start_ns: int
    time_ns: int
    previous_ended: bool = False


@dataclass(frozen=True, slots=True)
class PauseMark:
    """Data taking is paused or resumed here."""

    paused: bool
    time_ns: int


@dataclass(frozen=True, slots=True)
class ScanMark:
    """A scan point starts (index) or stops (0)."""

    index: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark for people: operator notes, markers the live cycle does not act on."""

    text: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Connected:
    """Bytes of a new connection follow; identifiers handed out by the old one mean nothing any more."""

    connection: int


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """Who is sending."""

    name: str
    short_name: str
    beamline: str


@dataclass(frozen=True, slots=True)
class GeometryUpdate:
    """The instrument as the stream describes it, parsed; `text_digest` tells a repeated one from a new one."""

    instrument: Instrument
    text_digest: bytes


@dataclass(frozen=True, slots=True)
class DetectorIds:
    """Detector IDs the stream says it uses (a pixel map): what is left to work with where there is no geometry."""

    ids: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SpectrumMap:
    """Events are told by spectrum, not by detector: `Events.detector_id` is an index into these.

    Attributes
    ----------
    numbers
        Spectrum numbers, int64[n].
    ids, start
        Detector IDs of all spectra one after another, and where each begins, int64[n + 1].
    """

    numbers: NDArray[np.int64]
    ids: NDArray[np.int64]
    start: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Periods:
    """The run has so many periods; with more than one, chunks are groups of workspaces."""

    count: int


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Single-valued facts about the run (a text, or an array of numbers), by Mantid's property name."""

    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogDeclared:
    """A log exists: its name, unit and the kind of its values."""

    name: str
    kind: type
    units: str


@dataclass(frozen=True, slots=True)
class LogValues:
    """Values of one log, in stream order (times may jump backwards)."""

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64] | NDArray[np.int64] | NDArray[np.str_]
    units: str = ""


@dataclass(frozen=True, slots=True)
class PacketKeys:
    """One row a packet: what makes a packet recognisable when it is sent again after a reconnect."""

    pulse_id: NDArray[np.uint64]
    kind_and_length: NDArray[np.uint64]
    fingerprint: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Events:
    """Detector events of consecutive pulses.

    Parameters
    ----------
    pulse_time, charge
        int64[np] ns and float64[np] pC, one row a packet. Where a pulse comes in several packets its charge is in one
        of them and NaN in the others, which then do not count as pulses.
    start
        int64[np + 1], first event of each pulse in the columns.
    tof, detector_id
        uint32[n] ticks and uint32[n].
    keys
        None for a source without history, which never sends anything twice.
    rejected
        Events the stream itself marks as unusable, by reason, int64[np] each; they are not in the columns.
    tick_ns
        Length of a tick of `tof`.
    period
        int32[np], from 0; None = all in the first.
    """

    pulse_time: NDArray[np.int64]
    charge: NDArray[np.float64]
    start: NDArray[np.int64]
    tof: NDArray[np.uint32]
    detector_id: NDArray[np.uint32]
    keys: PacketKeys | None
    rejected: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    tick_ns: int = 100
    period: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class MonitorEvents:
    """Beam monitor events of consecutive pulses; `number` is the positive monitor number of the stream."""

    pulse_time: NDArray[np.int64]
    start: NDArray[np.int64]
    tof: NDArray[np.uint32]
    number: NDArray[np.uint16]
    keys: PacketKeys | None
    tick_ns: int = 100


@dataclass(frozen=True, slots=True)
class Totals:
    """What a histogram memory holds now: all of the run so far, so it replaces what was there before.

    Attributes
    ----------
    workspace
        One histogram, or a group of one a period.
    counts, pulses, charge_pc
        Of the whole run so far: counts in the workspace, frames, and proton charge.
    time_ns
        When it was read.
    """

    workspace: Workspace
    counts: int
    pulses: int
    charge_pc: float
    time_ns: int


@dataclass(frozen=True, slots=True)
class SourceState:
    """Whether a source that is polled answers; `error` says in words why not, empty when it does."""

    error: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something in the stream could not be used; counted, shown, never fatal."""

    reason: str
    count: int


Message = (
    RunMark
    | PauseMark
    | ScanMark
    | Comment
    | Connected
    | InstrumentInfo
    | GeometryUpdate
    | DetectorIds
    | SpectrumMap
    | Periods
    | RunInfo
    | LogDeclared
    | LogValues
    | Events
    | MonitorEvents
    | Totals
    | SourceState
    | Rejected
)


class Listener(Protocol):
    """A stream of messages that can be resumed at a position.

    One that does not buffer events is polled: it gives `Totals` once, then None, and with the next call asks again.
    """

    name: str
    supports_history: bool
    buffers_events: bool

    def receive(self, until: Position | None = None) -> Message | None:
        """Return the next message, or None when nothing more has arrived yet. Never blocks for long.

        With `until` (where a chunk ended that is being read again) nothing that ends beyond it is returned.
        """

    @property
    def position(self) -> Position:
        """Where reading would go on after the message returned last."""

    @property
    def ended(self) -> bool:
        """Whether the stream is over for good (end of a recorded file)."""

    def close(self) -> None:
        """Let go of files and sockets."""
