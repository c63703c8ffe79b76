"""Classes of properties and logs that scripts name: for making logs by hand and for testing what a log is."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from livereduce.algorithms.values import EMPTY_DBL, EMPTY_INT, EMPTY_LONG
from livereduce.workspaces import Property as _Property
from livereduce.workspaces import TimeSeries
from livereduce.workspaces.instrument_view import V3D
from livereduce.workspaces.run import to_ns
from livereduce.workspaces.times import DateAndTime

__all__ = [
    "V3D",
    "BoolTimeSeriesProperty",
    "Direction",
    "FloatTimeSeriesProperty",
    "Int32TimeSeriesProperty",
    "Int64TimeSeriesProperty",
    "Property",
    "StringTimeSeriesProperty",
    "TimeSeriesProperty",
]


class Direction(IntEnum):
    """Which way a property goes."""

    Input = 0
    Output = 1
    InOut = 2
    None_ = 3


class Property(_Property):
    """A log with one value; its constants stand for numbers that are not given."""

    EMPTY_DBL: ClassVar[float] = EMPTY_DBL
    EMPTY_INT: ClassVar[int] = EMPTY_INT
    EMPTY_LONG: ClassVar[int] = EMPTY_LONG


TimeSeriesProperty = TimeSeries


class _OfKind(type):
    """A series is an instance of the class for its kind of values, whoever made it."""

    kinds: str

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, TimeSeries) and instance.value.dtype.kind in cls.kinds


class _Growing(TimeSeries):
    """A series that scripts make empty and fill."""

    dtype: ClassVar[npt.DTypeLike]

    def __init__(self, name: str, units: str = "") -> None:
        super().__init__(name, [], np.empty(0, self.dtype), units)

    def addValue(self, time: Any, value: Any) -> None:  # noqa: N802
        """Add an entry at a time (DateAndTime, ISO-8601 text or datetime64)."""
        unix_ns = to_ns(DateAndTime(time).to_datetime64())
        self.__dict__.update(self.extended([unix_ns], np.array([value], self.dtype)).__dict__)


class FloatTimeSeriesProperty(_Growing, metaclass=_OfKind):
    """Series of real numbers."""

    dtype, kinds = np.float64, "f"


class Int64TimeSeriesProperty(_Growing, metaclass=_OfKind):
    """Series of whole numbers."""

    dtype, kinds = np.int64, "iu"


Int32TimeSeriesProperty = Int64TimeSeriesProperty


class BoolTimeSeriesProperty(_Growing, metaclass=_OfKind):
    """Series of truth values."""

    dtype, kinds = np.bool_, "b"


class StringTimeSeriesProperty(_Growing, metaclass=_OfKind):
    """Series of texts."""

    dtype, kinds = np.object_, "OU"
