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

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.geometry.nexus_histogram import (
    Histogram,
    UnfitError,
    children,
    read_histogram,
    signal_of,
    text_of,
    values_of,
)
from livereduce.simulators.beamline import Bank, Beamline, Monitor, document, source_sample_monitors

log = logging.getLogger(__name__)

BANK_SIZE = 1024


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
    except UnfitError as error:
        raise LiveReduceError(f"{path}: {error}") from error


def _read(file: h5py.File) -> Measurement:
    for entry in children(file, "NXentry"):
        for data in children(entry, "NXdata"):
            signal = signal_of(data)
            if signal is not None and signal.ndim >= 2:
                return _measurement(entry, data, signal)
    raise UnfitError("has no NXentry with an NXdata of detectors by time channels")


def _measurement(entry: h5py.Group, data: h5py.Group, signal: h5py.Dataset) -> Measurement:
    histogram = read_histogram(data, signal)
    n = len(histogram.counts)
    instrument = next(children(entry, "NXinstrument"), entry)
    detector = next(children(instrument, "NXdetector"), data)
    groups = (detector, data)
    source = next(children(instrument, "NXsource"), next(children(instrument, "NXmoderator"), None))
    if source is None or "distance" not in source:
        raise UnfitError("has no distance from source to sample (NXsource or NXmoderator: distance)")
    frequency = values_of(source, "frequency", "frequency") if "frequency" in source else np.array([60.0])
    name = text_of(instrument.get("name")) or "NEXUS"
    return Measurement(
        name=name,
        title=text_of(entry.get("title")) or f"{name} run",
        run_number=int(text_of(entry.get("run_number")) or 1),
        frequency=float(frequency[0]),
        l1=abs(float(values_of(source, "distance", "length")[0])),
        ids=_ids(groups, n),
        l2=_per_detector(groups, "distance", "length", n),
        two_theta=_per_detector(groups, "polar_angle", "angle", n),
        azimuth=_per_detector(groups, "azimuthal_angle", "angle", n, default=0.0),
        detectors=histogram,
        monitors=tuple(_monitors(entry)),
    )


def _monitors(entry: h5py.Group) -> Iterator[MeasuredMonitor]:
    for place, group in enumerate(children(entry, "NXmonitor"), 1):
        signal = signal_of(group)
        if signal is None or "distance" not in group or max(signal.shape, default=0) < 2:
            log.warning("%s has no histogram or no distance: left out", group.name)
            continue
        histogram = read_histogram(group, signal)
        if len(histogram.counts) != 1:
            raise UnfitError(f"{group.name} has {len(histogram.counts)} spectra; one is expected of a monitor")
        digits = re.search(r"(\d+)$", group.name)
        number = int(digits.group(1)) if digits else place
        yield MeasuredMonitor(number, float(values_of(group, "distance", "length")[0]), histogram)


def _per_detector(
    groups: tuple[h5py.Group, ...], name: str, kind: str, n: int, default: float | None = None
) -> NDArray[np.float64]:
    """Read one value per detector; a single value is everybody's."""
    for group in groups:
        if name in group:
            values = values_of(group, name, kind)
            if len(values) not in (1, n):
                raise UnfitError(f"{group[name].name} has {len(values)} values for {n} detectors")
            return np.broadcast_to(values, n).copy()
    if default is None:
        raise UnfitError(f"{groups[0].name} has no {name}")
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
