"""The configuration file while the service runs: a valid change is taken up, a broken edit is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from livereduce.config import Config
from livereduce.errors import ConfigError
from livereduce.supervisor.watcher import WatchedFile

log = logging.getLogger(__name__)


class WatchedConfig:
    """The file the present configuration came from.

    Parameters
    ----------
    path
        The file; None = there is none to watch.
    present
        The configuration in use.
    load
        Reads the file; raises `ConfigError`.

    Attributes
    ----------
    refused
        Everything wrong with an edit that is not used, for people.
    """

    def __init__(self, path: Path | None, present: Config, load: Callable[[], Config]) -> None:
        self.refused: tuple[str, ...] = ()
        self._present = present
        self._load = load
        self._file = WatchedFile(path) if path is not None else None
        if self._file is not None:
            self._file.take()

    def fetch(self) -> None:
        """Read the file for the next look; may be called in another thread."""
        if self._file is not None:
            self._file.fetch()

    def refuse(self, problems: list[str]) -> None:
        """Say why the file as it is now is not used."""
        for problem in problems:
            log.error("the changed configuration is not used: %s", problem)
        self.refused = tuple(f"the changed configuration is not used: {problem}" for problem in problems)

    def look(self) -> Config | None:
        """Give a new valid configuration that differs from the one in use."""
        if self._file is None or self._file.look() is None:
            return None
        try:
            config = self._load()
        except ConfigError as error:
            self.refuse(error.problems)
            return None
        self.refused = ()
        same = config.model_copy(update={"warnings": self._present.warnings}) == self._present
        return None if same else config
