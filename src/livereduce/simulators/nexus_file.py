"""A measured time-of-flight histogram in a NeXus file: counts, channel edges, where the detectors and monitors are.

Reads files with one NXdata of detectors by time channels per NXentry: the form of the 1990s (signal and axes as
attributes of the dataset) and today's (attributes of the group). The first such entry is taken.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.simulators.beamline import Bank, Beamline, Monitor, document, source_sample_monitors

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
BANK_SIZE = 1024


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts int64[n, channels] and the channels' edges float64[channels + 1] in µs."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeasuredMonitor:
    """A beam monitor: its number, place along the beam (m from the sample) and histogram of one spectrum."""

    number: int
    z: float
    histogram: Histogram


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a file says, in m, degrees and µs.

    Attributes
    ----------
    ids : int64[n]
    l2, two_theta, azimuth : float64[n]
        ``two_theta`` may be negative: the other side of the beam.
    l1 : float
        Source to sample.
    """

    name: str
    title: str
    run_number: int
    frequency: float
    l1: float
    ids: NDArray[np.int64]
    l2: NDArray[np.float64]
    two_theta: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    detectors: Histogram
    monitors: tuple[MeasuredMonitor, ...]

    def beamline(self) -> Beamline:
        """Describe the instrument as a stream does; detectors stand where the file says, monitors have IDs -number."""
        monitors = tuple(Monitor(m.number, m.z) for m in self.monitors)
        return Beamline(
            name=self.name,
            short_name=self.name,
            beamline_id=self.name,
            facility="replayed file",
            idf=self._idf(monitors),
            ids=self.ids,
            banks=tuple(_banks(self.ids)),
            monitors=monitors,
            frequency=self.frequency,
        )

    def _idf(self, monitors: tuple[Monitor, ...]) -> str:
        lines = ['  <component type="detectors" idlist="detectors">', "    <location/>", "  </component>"]
        lines += ['  <type name="detectors">', '    <component type="detector">']
        lines += [
            f'      <location r="{r!r}" t="{t!r}" p="{p!r}" name="detector{i}"/>'
            for i, r, t, p in zip(
                self.ids.tolist(), self.l2.tolist(), self.two_theta.tolist(), self.azimuth.tolist(), strict=True
            )
        ]
        lines += ["    </component>", "  </type>", '  <type name="detector" is="detector"/>']
        lines.append('  <idlist idname="detectors">')
        lines += [f'    <id start="{b.first_id}" end="{b.first_id + b.size - 1}"/>' for b in _banks(self.ids)]
        lines.append("  </idlist>")
        return document(self.name, source_sample_monitors(-self.l1, monitors) + "\n".join(lines) + "\n")


def _banks(ids: NDArray[np.int64]) -> Iterator[Bank]:
    """Cut the IDs into runs of consecutive ones of at most `BANK_SIZE`."""
    number = 1
    for run in np.split(ids, np.nonzero(np.diff(ids) != 1)[0] + 1):
        for start in range(0, len(run), BANK_SIZE):
            part = run[start : start + BANK_SIZE]
            yield Bank(number, int(part[0]), len(part))
            number += 1


def read_measurement(path: Path) -> Measurement:
    """Read a NeXus histogram file.

    Raises
    ------
    LiveReduceError
        The file cannot be read, or lacks or contradicts something needed; the message says what.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(file)
    except OSError as error:
        raise LiveReduceError(f"{path}: cannot be read as HDF5 ({error}); give a NeXus file of histograms") from error
    except _UnfitError as error:
        raise LiveReduceError(f"{path}: {error}") from error


class _UnfitError(Exception):
    """What is wrong with the file."""


def _read(file: h5py.File) -> Measurement:
    for entry in _children(file, "NXentry"):
        for data in _children(entry, "NXdata"):
            signal = _signal(data)
            if signal is not None and signal.ndim >= 2:
                return _measurement(entry, data, signal)
    raise _UnfitError("has no NXentry with an NXdata of detectors by time channels")


def _measurement(entry: h5py.Group, data: h5py.Group, signal: h5py.Dataset) -> Measurement:
    axis, edges = _time_axis(data, signal)
    counts = _whole_counts(np.moveaxis(signal[()], axis, -1).reshape(-1, signal.shape[axis]), signal)
    n = len(counts)
    instrument = next(_children(entry, "NXinstrument"), entry)
    detector = next(_children(instrument, "NXdetector"), data)
    groups = (detector, data)
    source = next(_children(instrument, "NXsource"), next(_children(instrument, "NXmoderator"), None))
    if source is None or "distance" not in source:
        raise _UnfitError("has no distance from source to sample (NXsource or NXmoderator: distance)")
    frequency = _values(source, "frequency", "frequency") if "frequency" in source else np.array([60.0])
    name = _text(instrument.get("name")) or "NEXUS"
    return Measurement(
        name=name,
        title=_text(entry.get("title")) or f"{name} run",
        run_number=int(_text(entry.get("run_number")) or 1),
        frequency=float(frequency[0]),
        l1=abs(float(_values(source, "distance", "length")[0])),
        ids=_ids(groups, n),
        l2=_per_detector(groups, "distance", "length", n),
        two_theta=_per_detector(groups, "polar_angle", "angle", n),
        azimuth=_per_detector(groups, "azimuthal_angle", "angle", n, default=0.0),
        detectors=Histogram(counts, edges),
        monitors=tuple(_monitors(entry)),
    )


def _monitors(entry: h5py.Group) -> Iterator[MeasuredMonitor]:
    for place, group in enumerate(_children(entry, "NXmonitor"), 1):
        signal = _signal(group)
        if signal is None or "distance" not in group or max(signal.shape, default=0) < 2:
            log.warning("%s has no histogram or no distance: left out", group.name)
            continue
        axis, edges = _time_axis(group, signal)
        counts = _whole_counts(np.moveaxis(signal[()], axis, -1).reshape(-1, signal.shape[axis]), signal)
        if len(counts) != 1:
            raise _UnfitError(f"{group.name} has {len(counts)} spectra; one is expected of a monitor")
        digits = re.search(r"(\d+)$", group.name)
        number = int(digits.group(1)) if digits else place
        yield MeasuredMonitor(number, float(_values(group, "distance", "length")[0]), Histogram(counts, edges))


def _children(group: h5py.Group, nx_class: str) -> Iterator[h5py.Group]:
    """Go through the groups of a class, in the file's order."""
    for child in group.values():
        if isinstance(child, h5py.Group) and _text(child.attrs.get("NX_class")) == nx_class:
            yield child


def _text(value: Any) -> str:
    """Text of a dataset or attribute, whichever way strings or numbers were stored."""
    if value is None:
        return ""
    if isinstance(value, h5py.Dataset):
        value = value[()]
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace").strip("\0 ") if isinstance(value, bytes) else str(value)


def _signal(group: h5py.Group) -> h5py.Dataset | None:
    """Plottable data of a group, by today's convention, the older one, or the name."""
    for name in (_text(group.attrs.get("signal")), *(k for k, v in group.items() if "signal" in v.attrs), "data"):
        found = group.get(name) if name else None
        if isinstance(found, h5py.Dataset) and np.issubdtype(found.dtype, np.number):
            return found
    return None


def _axis_names(group: h5py.Group, signal: h5py.Dataset) -> list[str]:
    """Names of the signal's axes, slowest first."""
    if "axes" in group.attrs:
        names = np.atleast_1d(group.attrs["axes"]).tolist()
        return [_text(name) for name in names]
    if "axes" in signal.attrs:
        return re.split(r"[:,]", _text(signal.attrs["axes"]).strip("[] "))
    numbered = {int(np.ravel(v.attrs["axis"])[0]): k for k, v in group.items() if "axis" in v.attrs}
    return [numbered.get(k + 1, "") for k in range(signal.ndim)]


def _time_axis(group: h5py.Group, signal: h5py.Dataset) -> tuple[int, NDArray[np.float64]]:
    """Which axis of the signal is time of flight, and its channels' edges in µs."""
    names = _axis_names(group, signal)
    for axis, name in [*enumerate(names), (signal.ndim - 1, "time_of_flight"), (signal.ndim - 1, "tof")]:
        found = group.get(name) if name else None
        if not isinstance(found, h5py.Dataset) or _text(found.attrs.get("units")).lower() not in _UNITS["time"]:
            continue
        edges = _values(group, name, "time")
        if found.ndim != 1 or len(edges) != signal.shape[axis] + 1 or not (np.diff(edges) > 0).all():
            raise _UnfitError(
                f"{found.name} has {len(edges)} values for {signal.shape[axis]} channels; "
                "channel edges are needed: one more than channels, ascending"
            )
        return axis, edges
    raise _UnfitError(f"{group.name}: none of the axes {names} of {signal.name} is a time of flight")


def _values(group: h5py.Group, name: str, kind: str) -> NDArray[np.float64]:
    """Read a dataset in µs, m, degrees or Hz, by its units attribute."""
    dataset = group[name]
    units = _text(dataset.attrs.get("units"))
    if not units:
        units = _ASSUMED[kind]
        log.warning("%s says no units: taken as %s", dataset.name, units)
    factor = _UNITS[kind].get(units.lower())
    if factor is None:
        raise _UnfitError(f"{dataset.name} is in {units!r}; known for a {kind}: {', '.join(_UNITS[kind])}")
    values = np.asarray(dataset[()], dtype=np.float64).ravel()
    return values if factor == 1.0 else values * factor


def _per_detector(
    groups: tuple[h5py.Group, ...], name: str, kind: str, n: int, default: float | None = None
) -> NDArray[np.float64]:
    """Read one value per detector; a single value is everybody's."""
    for group in groups:
        if name in group:
            values = _values(group, name, kind)
            if len(values) not in (1, n):
                raise _UnfitError(f"{group[name].name} has {len(values)} values for {n} detectors")
            return np.broadcast_to(values, n).copy()
    if default is None:
        raise _UnfitError(f"{groups[0].name} has no {name}")
    return np.full(n, default)


def _ids(groups: tuple[h5py.Group, ...], n: int) -> NDArray[np.int64]:
    """Detector numbers where the file has usable ones, else 1 to n."""
    for group in groups:
        for name in ("detector_number", "detector_id", "pixel_id"):
            if name in group and group[name].size == n:
                ids = np.asarray(group[name][()]).ravel().astype(np.int64)
                if len(np.unique(ids)) == n and ids.min() >= 0:
                    return ids
                log.warning("%s has repeated or negative numbers: detectors are numbered from 1", group[name].name)
    return np.arange(1, n + 1)


def _whole_counts(values: NDArray[Any], signal: h5py.Dataset) -> NDArray[np.int64]:
    counts = values.astype(np.int64)
    if (counts != values).any() or (counts < 0).any():
        raise _UnfitError(f"{signal.name} has values that are no counts; a stream needs whole numbers from 0 up")
    return counts
