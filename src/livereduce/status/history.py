"""Rates of the last day, every ten seconds: ``<state_dir>/history.jsonl``, which the supervisor writes for the page.

A line is ``[time_s, run, events per s, pC per s]``, time in seconds since 1970 UTC; a rate that is not known is null.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FILE = "history.jsonl"
EVERY_S = 10.0
KEPT = 8640
"""A day."""


class Rates(NamedTuple):
    """What was measured at a time."""

    time_s: float
    run: int
    event_rate: float | None
    charge_rate_pC: float | None  # noqa: N815


def line(rates: Rates) -> str:
    """Give the line of the file."""
    rounded = [None if rate is None else float(f"{rate:.4g}") for rate in rates[2:]]
    return json.dumps([round(rates.time_s, 1), rates.run, *rounded]) + "\n"


def parse(lines: Iterable[str]) -> list[Rates]:
    """Read lines, the newest `KEPT`; those that a power failure left damaged are passed over."""
    found: deque[Rates] = deque(maxlen=KEPT)
    for text in lines:
        try:
            time_s, run, *rates = json.loads(text)
            event_rate, charge_rate = (None if rate is None else float(rate) for rate in rates)
            found.append(Rates(float(time_s), int(run), event_rate, charge_rate))
        except (ValueError, TypeError):
            continue
    return list(found)


def read(state_dir: Path) -> list[Rates]:
    """Read the file, oldest first; nothing when there is none."""
    try:
        with (state_dir / FILE).open(encoding="utf-8", errors="replace") as lines:
            return parse(lines)
    except FileNotFoundError:
        return []
