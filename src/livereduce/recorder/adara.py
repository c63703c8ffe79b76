"""The link to an ADARA server: what to ask for, by the configuration and by what the journal holds already."""

import time
from pathlib import Path

from livereduce.config import Config
from livereduce.protocols.adara import epics_seconds
from livereduce.protocols.adara.scan import Scan
from livereduce.sources.dialects import adara
from livereduce.sources.journal import SEGMENT_BYTES, Segment, segments
from livereduce.sources.link import BUFFER_BYTES, Link
from livereduce.sources.resume import CONTAINER, NOW, Resume

SEARCHED_BYTES = 8 * SEGMENT_BYTES
"""So much of the journal's end is searched for a pulse: seconds of reading, and far more than a stream says without."""


def open_link(config: Config, journal: Path) -> Link:
    """Open the link; history is asked for from the end of the journal."""
    resume = Resume(hello_start(config.start_seconds), last_pulse_ns(journal))
    return Link(config.address, adara(config.stream.segment_bytes), resume, time.monotonic)


def hello_start(start_seconds: int) -> int:
    """Translate the configured start (Unix s, 0 now, 1 start of the run) to what a hello asks for."""
    if start_seconds in (NOW, CONTAINER):
        return start_seconds
    return max(CONTAINER, epics_seconds(start_seconds * 1_000_000_000))


def last_pulse_ns(journal: Path, searched_bytes: int = SEARCHED_BYTES) -> int | None:
    """Find the time of the last pulse in a journal (Unix ns), None when there is none.

    Segments are looked at from the newest back until `searched_bytes` have been read. It is bytes that are limited,
    not segments: a server that comes and goes leaves many short ones without a pulse.
    """
    for segment in reversed(segments(journal)):
        pulse = _last_pulse_in(segment)
        searched_bytes -= segment.size
        if pulse is not None or searched_bytes <= 0:
            return pulse
    return None


def _last_pulse_in(segment: Segment) -> int | None:
    scan, rest = Scan(1 << 62), b""
    with segment.path.open("rb", buffering=0) as file:
        while data := file.read(BUFFER_BYTES):
            chunk = rest + data
            rest = chunk[scan.feed(chunk).settled :]
    return scan.last_pulse_ns
