"""``DateAndTime``: a moment in UTC to the nanosecond, and ``Duration`` between two, with Mantid's methods."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import numpy as np

NS_PER_SECOND = 1_000_000_000
# Mantid counts nanoseconds from 1990, everybody else from 1970.
_1990_NS = int(np.datetime64("1990-01-01", "ns").astype(np.int64))


@functools.total_ordering
class DateAndTime:
    """A moment: from ISO-8601 text (UTC), a datetime64, another one, or nanoseconds since 1990.

    Adding or subtracting a number moves it by nanoseconds; the difference of two is a `Duration`.
    """

    def __init__(self, when: str | int | np.datetime64 | DateAndTime = 0, nanoseconds: int = 0) -> None:
        unix_ns = int(when) + _1990_NS if isinstance(when, (int, np.integer)) else to_ns(when)
        self._unix_ns: int = unix_ns + nanoseconds

    @classmethod
    def of_unix(cls, unix_ns: int) -> DateAndTime:
        """Return the moment so many nanoseconds after 1970 began."""
        return cls(unix_ns - _1990_NS)

    @property
    def unix_ns(self) -> int:
        """Nanoseconds since 1970 UTC."""
        return self._unix_ns

    @staticmethod
    def getCurrentTime() -> DateAndTime:  # noqa: N802
        """Return the present moment, to the microsecond."""
        return DateAndTime(np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ns"))

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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.to_datetime64(), dtype)

    def __str__(self) -> str:
        return iso(self._unix_ns).removesuffix(".000000000")

    def __repr__(self) -> str:
        return f"DateAndTime({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self._unix_ns == to_ns(other) if _is_time(other) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._unix_ns < to_ns(other) if _is_time(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._unix_ns)

    def __add__(self, nanoseconds: Any) -> DateAndTime:
        return DateAndTime(self, _duration_ns(nanoseconds))

    def __sub__(self, other: Any) -> Any:
        if _is_time(other):
            return Duration(self._unix_ns - to_ns(other))
        return DateAndTime(self, -_duration_ns(other))


@functools.total_ordering
class Duration:
    """Time between two moments, ns."""

    def __init__(self, nanoseconds: int) -> None:
        self._ns = nanoseconds

    def total_nanoseconds(self) -> int:
        """Return it in ns."""
        return self._ns

    def total_microseconds(self) -> int:
        """Return whole µs."""
        return self._ns // 1000

    def total_milliseconds(self) -> int:
        """Return whole ms."""
        return self._ns // 1_000_000

    def total_seconds(self) -> float:
        """Return it in s."""
        return self._ns / NS_PER_SECOND

    def to_timedelta64(self) -> np.timedelta64:
        """Return a timedelta64 in ns."""
        return np.timedelta64(self._ns, "ns")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.to_timedelta64(), dtype)

    def __truediv__(self, other: Any) -> Any:
        return self.to_timedelta64() / other

    def __eq__(self, other: object) -> bool:
        return self._ns == _duration_ns(other) if isinstance(other, (Duration, np.timedelta64)) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._ns < _duration_ns(other) if isinstance(other, (Duration, np.timedelta64)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._ns)

    def __repr__(self) -> str:
        return f"Duration({self._ns} ns)"


def _is_time(value: object) -> bool:
    return isinstance(value, (DateAndTime, np.datetime64))


def _duration_ns(value: Any) -> int:
    if isinstance(value, Duration):
        return value.total_nanoseconds()
    return int(value / np.timedelta64(1, "ns")) if isinstance(value, np.timedelta64) else int(value)


def to_ns(value: Any) -> int:
    """Return ns since 1970 UTC of a moment: ISO-8601 text (UTC unless it says otherwise), datetime64, number of ns."""
    if isinstance(value, DateAndTime):
        return value.unix_ns
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[ns]").astype(np.int64))
    if isinstance(value, int | np.integer):
        return int(value)
    text = str(value).strip()
    offset_at = max(text.rfind("+", 11), text.rfind("-", 11))
    if text.endswith(("Z", "z")):
        text, offset_at = text[:-1], -1
    try:
        if offset_at < 0:
            return int(np.datetime64(text, "ns").astype(np.int64))
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text[offset_at:]}")
        shift = zone.utcoffset()
        ns = 0 if shift is None else round(shift.total_seconds()) * NS_PER_SECOND
        return int(np.datetime64(text[:offset_at], "ns").astype(np.int64)) - ns
    except ValueError:
        raise ValueError(f"{value!r} is not a time; expected ISO-8601 like 2026-11-23T04:37:00") from None


def iso(time_ns: int) -> str:
    """Return a time as ISO-8601 text in UTC with nanoseconds, as logs hold it."""
    seconds, ns = divmod(time_ns, NS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}"
