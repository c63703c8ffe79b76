"""From a stream to the journal.

Does: receive, cut into segments as the link says, write, connect again, remove what is too old, say how it goes.
Does not: look into packets, decide what comes twice.
"""

import errno
import logging
import os
import select
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from livereduce.config import Config
from livereduce.recorder import adara, isis_events
from livereduce.recorder.health import write_health
from livereduce.sources import BEGIN
from livereduce.sources.journal import JournalWriter, bytes_between, prune, prune_oldest
from livereduce.sources.link import Chunk, StreamLink
from livereduce.status import RecorderHealth

HEALTH_SECONDS = 0.5
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
LINKS: Mapping[str, Callable[[Config, Path], StreamLink]] = {
    "adara": adara.open_link,
    "isis_events": isis_events.open_link,
}
"""Kind of stream -> what opens the link to `config.address`, given the journal written so far."""

log = logging.getLogger(__name__)


class Recorder:
    """Writes the stream of `config.address` to the journal until told to stop.

    Raises
    ------
    LiveReduceError
        Another process writes this journal.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._journal = config.state_dir / "journal"
        self._health_path = config.runtime_dir / "recorder.json"
        self._writer = JournalWriter(self._journal, config.listener)
        self._link = LINKS[config.listener](config, self._journal)
        self._journal_bytes = bytes_between(self._journal, BEGIN)
        self._numbered = 0  # connections of the link that have a number in the journal
        self._bytes = 0
        self._started_ns = self._lost_since_ns = time.time_ns()
        self._connected_since_ns: int | None = None
        self._last_receive_ns: int | None = None
        self._health_due = 0.0
        self._told: tuple[object, ...] = ()
        self._stopped = False

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
        self._stopped = True
        self._tell()
        self._writer.close()

    def health(self) -> RecorderHealth:
        """Say how it goes."""
        link, connected = self._link, self._link.state == "connected"
        return RecorderHealth(
            pid=os.getpid(),
            written_ns=time.time_ns(),
            started_ns=self._started_ns,
            state="stopped" if self._stopped else link.state,
            address=link.address,
            connection=self._writer.connection if link.connections else 0,
            connected_since_ns=self._connected_since_ns if connected else None,
            lost_since_ns=None if connected else self._lost_since_ns,
            bytes=self._bytes,
            packets=link.packets,
            newest_pulse_ns=link.last_pulse_ns,
            last_receive_ns=self._last_receive_ns,
            reconnects=max(0, link.connections - 1),
            framing_errors=link.framing_errors,
            error=link.error or "",
            run=link.run,
            segment=self._writer.segment,
            journal_bytes=self._journal_bytes,
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
        was_connected = self._link.state == "connected"
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
        if was_connected and self._link.state != "connected":
            self._lost_since_ns = time.time_ns()

    def _write(self, chunk: Chunk) -> None:
        at = 0
        for cut in chunk.cuts:
            self._writer.write(chunk.data[at : cut.offset])
            self._writer.begin_segment(cut.run, cut.run_start_ns, self._link.requested)
            at = cut.offset
        self._writer.write(chunk.data[at:])
        self._bytes += len(chunk.data)
        self._journal_bytes += len(chunk.data)
        if chunk.cuts:
            keep = self._config.stream
            self._journal_bytes -= prune(self._journal, keep.retain_bytes, keep.retain_runs)

    def _cannot_write(self, error: OSError) -> None:
        """Give up the connection: what the server still has comes again, what it cannot give is said to be missing."""
        said = f"cannot write the journal: {error}"
        self._lost_since_ns = time.time_ns()
        try:
            self._writer.end_segment()
        except OSError as again:
            log.warning("cannot end the segment: %s", again)
        if error.errno in NO_ROOM:
            said += f". {self._make_room()}"
        self._link.lose(said)
        self._journal_bytes = bytes_between(self._journal, BEGIN)

    def _make_room(self) -> str:
        """Remove the oldest run that is not needed any more, however many are to be kept; says what came of it."""
        removed = prune_oldest(self._journal)
        if removed:
            return f"The oldest run was removed from it ({removed} bytes)"
        return (
            f"No run can be removed from {self._journal}: each is under way or has still to be processed. "
            "Make room on that disk, or look why processing does not go on"
        )

    def _tell(self) -> None:
        """Write the health file when something changed, and regularly."""
        now = time.monotonic()
        link = self._link
        state = (self._stopped, link.state, link.error, link.connections, self._writer.segment)
        if now < self._health_due and state == self._told:
            return
        self._health_due, self._told = now + HEALTH_SECONDS, state
        try:
            write_health(self._health_path, self.health())
        except OSError as error:
            log.warning("cannot write %s: %s", self._health_path, error)
