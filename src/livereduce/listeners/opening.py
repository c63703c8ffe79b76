"""Live streams for this process alone, without a recorder: for notebooks and the command line.

What a connection loses while it is down is lost unless the source keeps history; what was read is kept nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from livereduce.errors import LiveReduceError
from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Listener
from livereduce.listeners.fake import FakeListener
from livereduce.listeners.isis_events import IsisEventListener
from livereduce.listeners.isis_histogram import IsisHistogramListener
from livereduce.listeners.nexus_file import NexusFileListener
from livereduce.protocols.adara import PacketType, epics_seconds, peek_header
from livereduce.sources.dae import DaeConnection
from livereduce.sources.file import FileSource
from livereduce.sources.isis_link import IsisLink
from livereduce.sources.link import StreamLink
from livereduce.sources.socket import NO_SEGMENTS, SocketSource

CLASSES: dict[str, type[Listener]] = {
    "adara": AdaraListener,
    "isis_events": IsisEventListener,
    "isis_histogram": IsisHistogramListener,
    "file": NexusFileListener,
    "fake": FakeListener,
}
NOW, RUN_START = 0, 1
HDF5 = b"\x89HDF\r\n\x1a\n"
_STEP_S = 0.02


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be listened to.

    Parameters
    ----------
    kind
        As in `facilities.LISTENERS`.
    address
        ``host:port``; files and made-up streams have none.
    start
        0 = from now, 1 = from the start of the current run, else s since 1970 UTC.
    spectra, periods
        Numbers wanted of a histogram memory, from 1; None = all.
    file, file_chunks
        What is replayed, in how many parts.
    fake_rate, fake_end_run_every, fake_not_yet
        See `FakeListener`.
    """

    kind: str
    address: str = ""
    start: int = NOW
    spectra: Sequence[int] | None = None
    periods: Sequence[int] | None = None
    file: Path | None = None
    file_chunks: int = 10
    fake_rate: float = 200.0
    fake_end_run_every: int = 0
    fake_not_yet: int = 0


def open_stream(wanted: Wanted) -> Listener:
    """Return a listener; where there is a connection to make, it is made when this returns.

    Raises
    ------
    LiveReduceError
        Nobody answers at the address, the file cannot be read, or this version has no such listener.
    """
    match wanted.kind:
        case "adara":
            start = wanted.start if wanted.start in (NOW, RUN_START) else epics_seconds(wanted.start * 1_000_000_000)
            source = SocketSource(wanted.address, start)
            return _connected(source, AdaraListener(source))
        case "isis_events":
            source = SocketSource.over(IsisLink(wanted.address, NO_SEGMENTS, time.monotonic))
            return _connected(source, IsisEventListener(source))
        case "isis_histogram":
            return IsisHistogramListener(DaeConnection(wanted.address), spectra=wanted.spectra, periods=wanted.periods)
        case "file":
            if wanted.file is None:
                raise LiveReduceError("no file to replay; name one in config['fileeventdatalistener.filename']")
            return NexusFileListener(wanted.file, wanted.file_chunks)
        case "fake":
            return FakeListener(
                time.time_ns,
                rate=wanted.fake_rate,
                end_run_every=wanted.fake_end_run_every,
                not_yet=wanted.fake_not_yet,
            )
    raise LiveReduceError(f"this version has no {wanted.kind} listener in a notebook; it has {', '.join(CLASSES)}")


def open_recording(path: Path, parts: int = 100) -> Listener:
    """Return a listener for a recorded stream or a NeXus file (read in so many parts); it ends.

    Raises
    ------
    LiveReduceError
        The file cannot be read, or is neither.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(16)
    except OSError as error:
        raise LiveReduceError(f"{path}: cannot be read ({error.strerror})") from error
    if beginning.startswith(HDF5):
        return NexusFileListener(path, parts)
    if len(beginning) < 16 or not _looks_like_adara(beginning):
        raise LiveReduceError(f"{path}: is neither an ADARA stream nor a NeXus (HDF5) file")
    return AdaraListener(FileSource(path))


def _looks_like_adara(beginning: bytes) -> bool:
    length, kind, _, _, nanoseconds = peek_header(beginning)
    return length % 4 == 0 and kind in set(PacketType) and nanoseconds < 1_000_000_000


def _connected(source: SocketSource, listener: Listener) -> Listener:
    """Make the connection; a listener has to exist by then, since a socket cannot go back to its beginning."""
    link: StreamLink = source.link
    try:
        while link.state != "connected":
            link.step()
            if link.error is not None:
                raise LiveReduceError(f"{link.address}: {link.error}")
            time.sleep(_STEP_S)
    except BaseException:
        listener.close()
        raise
    return listener
