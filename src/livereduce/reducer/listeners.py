"""Which listener a configuration means, and where it reads from."""

from __future__ import annotations

from livereduce.config import Config
from livereduce.errors import ConfigError
from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Listener
from livereduce.sources import Position
from livereduce.sources.journal import JournalReader


def open_listener(config: Config, start: Position) -> Listener:
    """Return the listener of the configured stream, reading from `start`."""
    if config.listener == "adara":
        source = JournalReader(config.state_dir / "journal")
        return AdaraListener(source, start=start, max_packet_bytes=config.stream.max_packet_bytes)
    raise ConfigError([f"listener: found {config.listener!r}; this version reads adara streams"])
