"""``DateAndTime``: a moment in UTC to the nanosecond, with Mantid's methods."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from livereduce.workspaces.run import iso, to_ns

# Mantid counts nanoseconds from 1990, everybody else from 1970.
_1990_NS = int(np.datetime64("1990-01-01", "ns").astype(np.int64))


@functools.total_ordering
class DateAndTime:
    """A moment: from ISO-8601 text (UTC), a datetime64, another one, or nanoseconds since 1990.

    Adding or subtracting a number moves it by nanoseconds; the difference of two is a timedelta64.
    """

    def __init__(self, when: str | int | np.datetime64 | DateAndTime = 0, nanoseconds: int = 0) -> None:
        unix_ns = int(when) + _1990_NS if isinstance(when, (int, np.integer)) else _unix_ns(when)
        self._unix_ns: int = unix_ns + nanoseconds

    @staticmethod
    def getCurrentTime() -> DateAndTime:  # noqa: N802
        """Return the present moment."""
        return DateAndTime(time.time_ns() - _1990_NS)

    def totalNanoseconds(self) -> int:  # noqa: N802
        """Return nanoseconds since 1990."""
        return self._unix_ns - _1990_NS

    total_nanoseconds = totalNanoseconds

    def to_datetime64(self) -> np.datetime64:
        """Return a datetime64 in ns."""
        return np.datetime64(self._unix_ns, "ns")

    def toISO8601String(self) -> str:  # noqa: N802
        """Return ISO-8601 text in UTC, with nanoseconds."""
        return iso(self._unix_ns)

    toISO8601 = toISO8601String  # noqa: N815

    def __str__(self) -> str:
        return iso(self._unix_ns).removesuffix(".000000000")

    def __repr__(self) -> str:
        return f"DateAndTime({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self._unix_ns == _unix_ns(other) if _is_time(other) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._unix_ns < _unix_ns(other) if _is_time(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._unix_ns)

    def __add__(self, nanoseconds: Any) -> DateAndTime:
        return DateAndTime(self, _duration_ns(nanoseconds))

    def __sub__(self, other: Any) -> Any:
        if _is_time(other):
            return np.timedelta64(self._unix_ns - _unix_ns(other), "ns")
        return DateAndTime(self, -_duration_ns(other))


def _is_time(value: object) -> bool:
    return isinstance(value, (DateAndTime, np.datetime64))


def _unix_ns(value: Any) -> int:
    unix_ns: int = value._unix_ns if isinstance(value, DateAndTime) else to_ns(value)
    return unix_ns


def _duration_ns(value: Any) -> int:
    return int(value / np.timedelta64(1, "ns")) if isinstance(value, np.timedelta64) else int(value)
