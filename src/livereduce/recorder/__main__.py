"""``python -m livereduce.recorder --config FILE``: the recorder process.

The supervisor starts it and holds the other end of its standard input: it ends when that is closed, and on SIGTERM.
SIGINT is ignored, because Ctrl-C in a terminal reaches the whole process group.
"""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from livereduce.errors import ConfigError, LiveReduceError
from livereduce.protocols.adara import epics_seconds
from livereduce.recorder.adara import Recorder
from livereduce.sources.journal import SEGMENT_BYTES
from livereduce.sources.link import parse_addresses
from livereduce.sources.resume import CONTAINER, NOW

LISTENER = "SNSLiveEventDataListener"


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """What the recorder is told; `first_start` in EPICS s."""

    address: str
    journal: Path
    health: Path
    first_start: int
    segment_bytes: int


def read_config(text: str) -> RecorderConfig:
    """Read the recorder's JSON.

    Raises
    ------
    ConfigError
        Naming everything that is wrong.
    """
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError([f"not JSON: {error}"]) from error
    if not isinstance(given, dict):
        raise ConfigError([f"expected a JSON object, found {text[:40]!r}"])
    values: dict[str, Any] = {"start": "run", "segment_bytes": SEGMENT_BYTES, **given}
    readers: dict[str, Callable[[Any], Any]] = {
        "listener": _listener,
        "address": _address,
        "state_dir": Path,
        "runtime_dir": Path,
        "start": _start,
        "segment_bytes": _positive,
    }
    read, problems = {}, []
    for key, reader in readers.items():
        try:
            read[key] = reader(values[key])
        except KeyError:
            problems.append(f"{key} is missing")
        except ConfigError as error:
            problems += error.problems
        except (TypeError, ValueError) as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise ConfigError(problems)
    health = read["runtime_dir"] / "recorder.json"
    return RecorderConfig(read["address"], read["state_dir"] / "journal", health, read["start"], read["segment_bytes"])


def _listener(name: str) -> str:
    if name != LISTENER:
        raise ValueError(f"{name!r} has no recorder, expected {LISTENER}")
    return name


def _address(text: str) -> str:
    parse_addresses(text)
    return text


def _positive(value: object) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"found {value!r}, expected a positive whole number")
    return value


def _start(text: str) -> int:
    """Translate ``run``, ``now`` or a time (UTC unless it says otherwise) to what a hello asks for."""
    words = {"run": CONTAINER, "now": NOW}
    if text in words:
        return words[text]
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"found {text!r}, expected 'run', 'now' or an ISO 8601 time") from None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return max(CONTAINER, epics_seconds(int(time.timestamp()) * 10**9))


def main(arguments: list[str] | None = None) -> int:
    """Record until told to stop; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m livereduce.recorder", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file, for example /run/livereduce/config.json")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        config = read_config(options.config.read_text())
    except (OSError, ConfigError) as error:
        logging.error("%s: %s", options.config, error)
        return 2
    try:
        record(config)
    except (OSError, LiveReduceError) as error:
        logging.error("%s", error)
        return 1
    return 0


def record(config: RecorderConfig) -> None:
    """Record until standard input is at its end or SIGTERM arrives."""
    config.health.parent.mkdir(parents=True, exist_ok=True)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGTERM, lambda *_: None)  # its byte in the pipe ends the loop
    recorder = Recorder(
        config.address, config.journal, config.health, config.first_start, segment_bytes=config.segment_bytes
    )
    try:
        recorder.run(parent=sys.stdin.fileno(), wake=woken)
    finally:
        recorder.close()


if __name__ == "__main__":
    sys.exit(main())
