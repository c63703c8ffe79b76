"""Writing the recorder's health where the other processes read it."""

import json
from dataclasses import asdict
from pathlib import Path

from livereduce.config.files import replace_file
from livereduce.status import RecorderHealth


def write_health(path: Path, health: RecorderHealth) -> None:
    """Write `health` as JSON in one step: a reader finds the old or the new, never half of one."""
    replace_file(path, json.dumps(asdict(health)).encode())
