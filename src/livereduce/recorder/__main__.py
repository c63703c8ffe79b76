"""``python -m livereduce.recorder --config FILE``: the recorder process.

The supervisor starts it with the resolved configuration and holds the other end of its standard input: it ends when
that is closed, and on SIGTERM. SIGINT is ignored, because Ctrl-C in a terminal reaches the whole process group.
"""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from livereduce.config import Config
from livereduce.config.logs import configure_logging
from livereduce.errors import LiveReduceError
from livereduce.recorder.recording import LINKS, Recorder

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Record until told to stop; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m livereduce.recorder", description=__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="resolved configuration, as the supervisor writes it"
    )
    path = parser.parse_args(arguments).config
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        config = Config.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        log.error("%s: %s", path, error)
        return 2
    configure_logging(config, "recorder")
    if config.listener not in LINKS:
        log.error("%s: listener is %r; expected one of %s", path, config.listener, ", ".join(LINKS))
        return 2
    try:
        record(config)
    except (OSError, LiveReduceError) as error:
        log.error("%s", error)
        return 1
    return 0


def record(config: Config) -> None:
    """Record until standard input is at its end or SIGTERM arrives."""
    config.runtime_dir.mkdir(parents=True, exist_ok=True)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGTERM, lambda *_: None)  # its byte in the pipe ends the loop
    recorder = Recorder(config)
    try:
        recorder.run(parent=sys.stdin.fileno(), wake=woken)
    finally:
        recorder.close()


if __name__ == "__main__":
    sys.exit(main())
