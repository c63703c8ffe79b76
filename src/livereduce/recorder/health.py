"""Writing the recorder's health where the other processes read it."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from livereduce.status import RecorderHealth


def write_health(path: Path, health: RecorderHealth) -> None:
    """Write `health` as JSON in one step: a reader finds the old or the new, never half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(asdict(health)))
    draft.replace(path)
