"""From an ADARA server to the journal.

Does: receive, find packet boundaries and run starts, write, connect again, say how it is. Does not: look into packets,
decide what comes twice, remove old segments.
"""

import logging
import os
import select
import time
from pathlib import Path

from livereduce.protocols.adara.scan import Scan
from livereduce.recorder.health import RecorderHealth, write_health
from livereduce.sources.journal import SEGMENT_BYTES, JournalWriter, Segment, segments
from livereduce.sources.link import BUFFER_BYTES, Chunk, Link
from livereduce.sources.resume import Resume

HEALTH_SECONDS = 0.5

log = logging.getLogger(__name__)


class Recorder:
    """Writes one server's stream to a journal until told to stop.

    Parameters
    ----------
    address
        See `Link`.
    journal
        Directory of the journal; nobody else may write it.
    health
        File that tells how it goes.
    first_start
        What to ask for when the journal holds no pulse; see `Resume`.
    """

    def __init__(
        self, address: str, journal: Path, health: Path, first_start: int, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._writer = JournalWriter(journal)
        self._resume = Resume(first_start, last_pulse_ns(journal))
        self._link = Link(address, self._resume, time.monotonic, segment_bytes)
        self._health_path = health
        self._health_due = 0.0
        self._told: tuple[object, ...] = ()
        self._numbered = 0  # connections of the link that have a number in the journal
        self._bytes = self._write_errors = 0
        self._connected_since_ns: int | None = None
        self._last_receive_ns: int | None = None

    def run(self, parent: int, wake: int) -> None:
        """Record until the parent's end of the pipe `parent` is closed or a byte arrives from `wake`."""
        while not self._should_stop(parent, wake):
            try:
                self._step()
            except OSError as error:
                self._cannot_write(error)
            self._tell()

    def close(self) -> None:
        """End the connection and the segment."""
        self._link.close()
        self._writer.close()

    def health(self) -> RecorderHealth:
        """Say how it goes."""
        link = self._link
        return RecorderHealth(
            pid=os.getpid(),
            state=link.state,
            address=link.address,
            connection=self._writer.connection,
            connected_since_ns=self._connected_since_ns if link.state == "connected" else None,
            bytes=self._bytes,
            packets=link.packets,
            newest_pulse_ns=self._resume.last_pulse_ns,
            last_receive_ns=self._last_receive_ns,
            reconnects=max(0, link.connections - 1),
            framing_errors=link.framing_errors,
            write_errors=self._write_errors,
            error=link.error,
            run=link.scan.run,
            segment=self._writer.segment,
            written_ns=time.time_ns(),
        )

    def _should_stop(self, parent: int, wake: int) -> bool:
        """Wait until there is something to do; tells whether that is to stop."""
        poll = select.poll()
        poll.register(parent, select.POLLIN)
        poll.register(wake, select.POLLIN)
        due = self._health_due
        if self._link.interest is not None:
            poll.register(*self._link.interest)
        if self._link.state != "connected":
            due = min(due, self._link.retry_at)
        ready = {fd for fd, _ in poll.poll(max(0.0, due - time.monotonic()) * 1000 + 1)}
        return wake in ready or (parent in ready and not os.read(parent, 4096))

    def _step(self) -> None:
        chunk = self._link.step()
        if self._link.connections != self._numbered:
            self._numbered = self._link.connections
            self._connected_since_ns = time.time_ns()
            self._writer.new_connection()
        if chunk is not None:
            self._last_receive_ns = time.time_ns()
            self._write(chunk)
            self._link.taken(chunk)
        self._writer.sync(time.monotonic())

    def _write(self, chunk: Chunk) -> None:
        at = 0
        for cut in chunk.cuts:
            self._writer.write(chunk.data[at : cut.offset])
            self._writer.begin_segment(cut.run, cut.run_start_ns, self._link.requested)
            at = cut.offset
        self._writer.write(chunk.data[at:])
        self._bytes += len(chunk.data)

    def _cannot_write(self, error: OSError) -> None:
        """Give up the connection: what the server sends again later is not lost, what cannot be written is."""
        self._write_errors += 1
        self._link.lose(f"cannot write the journal: {error}")
        try:
            self._writer.end_segment()
        except OSError as again:
            log.warning("cannot end the segment: %s", again)

    def _tell(self) -> None:
        """Write the health file when something changed, and regularly."""
        now = time.monotonic()
        link = self._link
        state = (link.state, link.error, link.connections, self._writer.segment)
        if now < self._health_due and state == self._told:
            return
        self._health_due, self._told = now + HEALTH_SECONDS, state
        try:
            write_health(self._health_path, self.health())
        except OSError as error:
            log.warning("cannot write %s: %s", self._health_path, error)


def last_pulse_ns(journal: Path) -> int | None:
    """Find the time of the last pulse in a journal (Unix ns), None when there is none."""
    pulses = (_last_pulse_in(segment) for segment in reversed(segments(journal)))
    return next((pulse for pulse in pulses if pulse is not None), None)


def _last_pulse_in(segment: Segment) -> int | None:
    scan, rest = Scan(1 << 62), b""
    with segment.path.open("rb", buffering=0) as file:
        while data := file.read(BUFFER_BYTES):
            chunk = rest + data
            rest = chunk[scan.feed(chunk).settled :]
    return scan.last_pulse_ns
