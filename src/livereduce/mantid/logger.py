"""Mantid's loggers, on top of Python's `logging`."""

from __future__ import annotations

import logging

NOTICE = 25
logging.addLevelName(NOTICE, "NOTICE")


class Logger:
    """``Logger("name")``; the messages go to the Python logger ``script.name``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"script.{name}")

    def fatal(self, message: object) -> None:
        """Report that nothing can go on."""
        self._log(logging.CRITICAL, message)

    def error(self, message: object) -> None:
        """Report that something failed."""
        self._log(logging.ERROR, message)

    def warning(self, message: object) -> None:
        """Report that something may be wrong."""
        self._log(logging.WARNING, message)

    def notice(self, message: object) -> None:
        """Report what a user should see in any case."""
        self._log(NOTICE, message)

    def information(self, message: object) -> None:
        """Report what a curious user may see."""
        self._log(logging.INFO, message)

    def debug(self, message: object) -> None:
        """Report a detail."""
        self._log(logging.DEBUG, message)

    def _log(self, level: int, message: object) -> None:
        self._logger.log(level, "%s", message)

    def getName(self) -> str:  # noqa: N802
        """Name given at construction."""
        return self._logger.name.removeprefix("script.")


logger = Logger("Python")
