"""Times as options of the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click


def epoch_ns(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Read a time in ISO 8601, UTC unless it says otherwise, as Unix ns."""
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not ISO 8601 such as 2026-11-23T12:00:00Z") from error
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    if when.year < 1991:
        raise click.BadParameter(f"{value} is before 1991; ADARA counts from 1990")
    return round(when.timestamp()) * 1_000_000_000
