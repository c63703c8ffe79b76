"""``python -m livereduce.reducer --config FILE``: the child process that runs users' scripts.

Single-threaded but for one thread that reads the pipe from the supervisor: its closing ends the process, its lines are
commands (a new post-processing script), taken up between steps.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from livereduce.config import Config
from livereduce.config.logs import configure_logging
from livereduce.errors import ConfigError
from livereduce.reducer.careful import position_of
from livereduce.reducer.process import Orders, Reducer

WRONG_CONFIGURATION = 2


def main() -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m livereduce.reducer")
    parser.add_argument("--config", type=Path, required=True, help="resolved configuration, JSON")
    parser.add_argument("--exit-after-runs", type=int, default=None)
    parser.add_argument("--counting-from", type=int, default=0, help="when to begin to count runs, Unix ns")
    parser.add_argument("--careful", type=position_of, help="read record by record up to here, SEGMENT:OFFSET")
    parser.add_argument("--clear", action="store_true", help="forget what has come so far")
    arguments = parser.parse_args()
    config = Config.model_validate_json(arguments.config.read_bytes())
    configure_logging(config, "reducer")
    orders = Orders(arguments.exit_after_runs, arguments.counting_from, arguments.careful, arguments.clear)
    try:
        return Reducer(config, orders).run()
    except ConfigError as error:
        logging.getLogger(__name__).error("%s", error)
        return WRONG_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main())
