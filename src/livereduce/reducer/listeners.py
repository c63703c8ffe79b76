"""Which listener a configuration means, and where it reads from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from livereduce.config import Config
from livereduce.errors import ConfigError
from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Listener
from livereduce.listeners.fake import FakeListener
from livereduce.listeners.isis_events import IsisEventListener
from livereduce.listeners.isis_histogram import IsisHistogramListener
from livereduce.listeners.nexus_file import NexusFileListener
from livereduce.protocols import adara, isis
from livereduce.reducer.careful import NOTE, CarefulSource, read_skipped
from livereduce.sources import Position
from livereduce.sources.dae import DaeConnection
from livereduce.sources.journal import JournalReader


def open_listener(config: Config, start: Position, careful_until: Position | None = None) -> Listener:
    """Return the listener of the configured stream, reading from `start`, up to `careful_until` record by record."""
    if config.listener not in _OPENERS:
        raise ConfigError([f"listener: found {config.listener!r}; this version reads {', '.join(_OPENERS)}"])
    return _OPENERS[config.listener](config, start, careful_until)


def _adara(config: Config, start: Position, careful_until: Position | None) -> Listener:
    source = _journal(config, adara.packet_size, careful_until)
    return AdaraListener(source, start=start, max_packet_bytes=config.stream.max_packet_bytes)


def _isis_events(config: Config, start: Position, careful_until: Position | None) -> Listener:
    return IsisEventListener(
        _journal(config, isis.packet_size, careful_until),
        start=start,
        spectrum_base=config.stream.isis_first_spectrum,
    )


def _isis_histogram(config: Config, _start: Position, _careful_until: Position | None) -> Listener:
    return IsisHistogramListener(DaeConnection(config.address), spectra=config.spectra, periods=config.periods)


def _fake(config: Config, _start: Position, _careful_until: Position | None) -> Listener:
    stream = config.stream
    return FakeListener(time.time_ns, rate=stream.fake_rate, end_run_every=stream.fake_end_run_every)


def _file(config: Config, start: Position, _careful_until: Position | None) -> Listener:
    if config.stream.file is None:
        raise ConfigError(["stream.file: missing; expected the NeXus file to read"])
    return NexusFileListener(config.stream.file, config.stream.file_chunks, start=start)


_OPENERS: Mapping[str, Callable[[Config, Position, Position | None], Listener]] = {
    "adara": _adara,
    "isis_events": _isis_events,
    "isis_histogram": _isis_histogram,
    "fake": _fake,
    "file": _file,
}


def _journal(config: Config, length_of: Callable[[bytes], int | None], careful_until: Position | None) -> CarefulSource:
    """Open the journal, leaving out records that ended the process."""
    journal = JournalReader(config.state_dir / "journal")
    skipped = read_skipped(config.state_dir / "skipped")
    return CarefulSource(journal, config.runtime_dir / NOTE, length_of, skipped, careful_until)
