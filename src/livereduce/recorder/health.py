"""What the recorder says about itself, for the supervisor to read."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class RecorderHealth:
    """State of the recorder; times in Unix ns.

    Attributes
    ----------
    connection
        Number of the last connection in the journal, 0 before the first.
    bytes, packets
        Received since the process started.
    newest_pulse_ns
        Time of the last pulse in the journal.
    error
        Why nothing is received at the moment, in words; None while connected.
    run
        Run of the packets that arrive, 0 between runs.
    segment
        File of the journal that is being written.
    """

    pid: int
    state: Literal["connecting", "connected", "waiting"]
    address: str
    connection: int
    connected_since_ns: int | None
    bytes: int
    packets: int
    newest_pulse_ns: int | None
    last_receive_ns: int | None
    reconnects: int
    framing_errors: int
    write_errors: int
    error: str | None
    run: int
    segment: str | None
    written_ns: int


def write_health(path: Path, health: RecorderHealth) -> None:
    """Write `health` as JSON in one step: a reader finds the old or the new, never half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(asdict(health)))
    draft.replace(path)
