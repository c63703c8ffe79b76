"""Which listener a configuration means, and where it reads from."""

from __future__ import annotations

import time

from livereduce.config import Config
from livereduce.errors import ConfigError
from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Listener
from livereduce.listeners.fake import FakeListener
from livereduce.listeners.nexus_file import NexusFileListener
from livereduce.protocols.adara import peek_header
from livereduce.reducer.careful import HEADER_BYTES, NOTE, CarefulSource, read_skipped
from livereduce.sources import Position
from livereduce.sources.journal import JournalReader


def open_listener(config: Config, start: Position, careful_until: Position | None = None) -> Listener:
    """Return the listener of the configured stream, reading from `start`, up to `careful_until` record by record."""
    if config.listener == "adara":
        source = CarefulSource(
            JournalReader(config.state_dir / "journal"),
            config.runtime_dir / NOTE,
            lambda header: HEADER_BYTES + peek_header(header)[0],
            read_skipped(config.state_dir / "skipped"),
            careful_until,
        )
        return AdaraListener(source, start=start, max_packet_bytes=config.stream.max_packet_bytes)
    if config.listener == "fake":
        stream = config.stream
        return FakeListener(time.time_ns, rate=stream.fake_rate, end_run_every=stream.fake_end_run_every)
    if config.listener == "file" and config.stream.file is not None:
        return NexusFileListener(config.stream.file, config.stream.file_chunks, start=start)
    raise ConfigError([f"listener: found {config.listener!r}; this version reads adara, file and fake streams"])
