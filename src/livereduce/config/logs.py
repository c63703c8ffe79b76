"""Logging of the three processes: to standard error (systemd's journal keeps it) and to one shared file."""

from __future__ import annotations

import logging
import sys
import time

from livereduce.config.settings import Config

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
OURS = "livereduce"


def configure_logging(config: Config, process: str) -> None:
    """Send this process's log to standard error and to the log file; a file that cannot be written is said once.

    Each line is one ``write`` in append mode, so three processes can share the file.
    """
    formatter = logging.Formatter(FORMAT.replace("%(name)s", f"{process}:%(name)s"))
    formatter.converter = time.gmtime
    root = logging.getLogger()
    root.setLevel(config.log.level)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    try:
        config.log.file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(config.log.file, encoding="utf-8", delay=False))
    except OSError as error:
        trouble: OSError | None = error
    else:
        trouble = None
    for old in [handler for handler in root.handlers if handler.name == OURS]:  # of an earlier configuration
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.name = OURS
        handler.setFormatter(formatter)
        root.addHandler(handler)
    if trouble is not None:
        logging.getLogger(__name__).warning(
            "no log file %s: %s; logging to standard error only", config.log.file, trouble
        )
