"""``python -m livereduce.reducer --config FILE``: the child process that runs users' scripts.

Single-threaded but for one thread that reads the pipe from the supervisor: its closing ends the process, its lines are
commands (a new post-processing script), taken up between steps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from livereduce.config import Config
from livereduce.config.logs import configure_logging
from livereduce.reducer.process import Reducer


def main() -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m livereduce.reducer")
    parser.add_argument("--config", type=Path, required=True, help="resolved configuration, JSON")
    parser.add_argument("--exit-after-runs", type=int, default=None)
    parser.add_argument("--counting-from", type=int, default=0, help="when to begin to count runs, Unix ns")
    arguments = parser.parse_args()
    config = Config.model_validate_json(arguments.config.read_bytes())
    configure_logging(config, "reducer")
    wanted, counting_from_ns = arguments.exit_after_runs, arguments.counting_from
    return Reducer(config, exit_after_runs=wanted, counting_from_ns=counting_from_ns).run()


if __name__ == "__main__":
    sys.exit(main())
