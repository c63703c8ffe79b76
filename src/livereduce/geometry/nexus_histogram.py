"""Counts by detector and time channel in a NeXus file: which dataset, which of its axes is time, edges in µs.

Reads the form of the 1990s (signal and axes as attributes of the dataset) and today's (attributes of the group).
Covers finding groups and values with their units. Does not cover where detectors are (`nexus`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError

log = logging.getLogger(__name__)

_UNITS: dict[str, dict[str, float]] = {
    "time": {"us": 1.0, "µs": 1.0, "μs": 1.0, "microsecond": 1.0, "microseconds": 1.0, "usec": 1.0, "ns": 1e-3,
             "nanosecond": 1e-3, "nanoseconds": 1e-3, "ms": 1e3, "millisecond": 1e3, "milliseconds": 1e3, "s": 1e6,
             "second": 1e6, "seconds": 1e6},
    "length": {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "mm": 1e-3, "cm": 1e-2},
    "angle": {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "rad": 180 / np.pi, "radian": 180 / np.pi,
              "radians": 180 / np.pi},
    "frequency": {"hz": 1.0, "hertz": 1.0, "1/s": 1.0},
}  # fmt: skip
_ASSUMED = {"time": "us", "length": "m", "angle": "degree", "frequency": "Hz"}


class UnfitError(LiveReduceError):
    """A file lacks or contradicts something needed; the message names the place in it."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts int64[n, channels] and the channels' edges float64[channels + 1] in µs."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


def children(group: h5py.Group, nx_class: str) -> Iterator[h5py.Group]:
    """Go through the groups of a class, in the file's order."""
    for child in group.values():
        if isinstance(child, h5py.Group) and text_of(child.attrs.get("NX_class")) == nx_class:
            yield child


def text_of(value: Any) -> str:
    """Text of a dataset or attribute, whichever way strings or numbers were stored; empty for None."""
    if value is None:
        return ""
    if isinstance(value, h5py.Dataset):
        value = value[()]
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace").strip("\0 ") if isinstance(value, bytes) else str(value)


def values_of(group: h5py.Group, name: str, kind: str) -> NDArray[np.float64]:
    """Read a dataset in µs (time), m (length), degrees (angle) or Hz (frequency), by its units attribute."""
    dataset = group[name]
    factor = unit_factor(dataset, kind)
    values = np.asarray(dataset[()], dtype=np.float64).ravel()
    return values if factor == 1.0 else values * factor


def unit_factor(dataset: h5py.Dataset, kind: str) -> float:
    """Factor from a dataset's unit to ours; see `values_of`."""
    units = text_of(dataset.attrs.get("units"))
    if not units:
        units = _ASSUMED[kind]
        log.warning("%s says no units: taken as %s", dataset.name, units)
    factor = _UNITS[kind].get(units.lower())
    if factor is None:
        raise UnfitError(f"{dataset.name} is in {units!r}; known for a {kind}: {', '.join(_UNITS[kind])}")
    return factor


def signal_of(group: h5py.Group) -> h5py.Dataset | None:
    """Plottable data of a group, by today's convention, the older one, or the name."""
    for name in (text_of(group.attrs.get("signal")), *(k for k, v in group.items() if "signal" in v.attrs), "data"):
        found = group.get(name) if name else None
        if isinstance(found, h5py.Dataset) and np.issubdtype(found.dtype, np.number):
            return found
    return None


def read_histogram(group: h5py.Group, signal: h5py.Dataset) -> Histogram:
    """Read the counts of a group with its time axis last and all others as one.

    Raises
    ------
    UnfitError
        No axis is a time of flight with channel edges, or the values are no counts.
    """
    axis, edges = _time_axis(group, signal)
    return Histogram(_whole_counts(np.moveaxis(signal[()], axis, -1).reshape(-1, signal.shape[axis]), signal), edges)


def axis_names(group: h5py.Group, signal: h5py.Dataset) -> list[str]:
    """Names of the signal's axes, slowest first."""
    if "axes" in group.attrs:
        names = np.atleast_1d(group.attrs["axes"]).tolist()
        return [text_of(name) for name in names]
    if "axes" in signal.attrs:
        return re.split(r"[:,]", text_of(signal.attrs["axes"]).strip("[] "))
    numbered = {int(np.ravel(v.attrs["axis"])[0]): k for k, v in group.items() if "axis" in v.attrs}
    return [numbered.get(k + 1, "") for k in range(signal.ndim)]


def _time_axis(group: h5py.Group, signal: h5py.Dataset) -> tuple[int, NDArray[np.float64]]:
    """Which axis of the signal is time of flight, and its channels' edges in µs."""
    names = axis_names(group, signal)
    for axis, name in [*enumerate(names), (signal.ndim - 1, "time_of_flight"), (signal.ndim - 1, "tof")]:
        found = group.get(name) if name else None
        if not isinstance(found, h5py.Dataset) or text_of(found.attrs.get("units")).lower() not in _UNITS["time"]:
            continue
        edges = values_of(group, name, "time")
        if found.ndim != 1 or len(edges) != signal.shape[axis] + 1 or not (np.diff(edges) > 0).all():
            raise UnfitError(
                f"{found.name} has {len(edges)} values for {signal.shape[axis]} channels; "
                "channel edges are needed: one more than channels, ascending"
            )
        return axis, edges
    raise UnfitError(f"{group.name}: none of the axes {names} of {signal.name} is a time of flight")


def _whole_counts(values: NDArray[Any], signal: h5py.Dataset) -> NDArray[np.int64]:
    counts = values.astype(np.int64)
    if (counts != values).any() or (counts < 0).any():
        raise UnfitError(f"{signal.name} has values that are no counts; a stream needs whole numbers from 0 up")
    return counts
