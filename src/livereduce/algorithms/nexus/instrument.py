"""Instrument, detectors and masks of a workspace in a processed NeXus file.

``instrument`` holds name, definition (``instrument_xml/data``), what each spectrum is made of (``detector``) and where
the detectors are (``physical_detectors``), so that a workspace comes back whose detectors were moved by logs, or never
had a definition. Lengths are in m, angles in degrees.
"""

from __future__ import annotations

import logging
from typing import Any

import h5py
import numpy as np

from livereduce.algorithms.nexus.hdf5 import TEXT, WHOLE, dataset
from livereduce.algorithms.spectra import distinct
from livereduce.geometry import GeometryError, Instrument, load_idf
from livereduce.geometry.instrument import instrument_from_positions
from livereduce.geometry.nexus_histogram import UnfitError, text_of
from livereduce.workspaces import Detectors, MatrixWorkspace, Run, Spectra, SpectrumGeometry, TimeSeries
from livereduce.workspaces.arrays import F64, I64, Bool

log = logging.getLogger(__name__)


# -- writing ------------------------------------------------------------------------------------------------------


def write_instrument(group: h5py.Group, ws: MatrixWorkspace) -> None:
    """Write all that a workspace knows of its detectors."""
    group["name"] = ws.getInstrument().getName()
    spectra, geometry = ws.spectra, ws.spectra.geometry_from(ws.detectors)
    detector = _group(group, "detector", "NXdetector")
    detector["spectra"], detector["detector_list"] = spectra.numbers, spectra.ids
    detector["detector_index"], detector["detector_count"] = spectra.start[:-1], np.diff(spectra.start)
    detector["masked"] = spectra.masked.astype(np.uint8)
    if np.isfinite(geometry.l1):
        _put(group, "primary_flight_path", geometry.l1, "m")
        _put(detector, "distance", geometry.l2, "m")
        _put(detector, "polar_angle", np.degrees(geometry.two_theta), "degree")
    _write_detectors(group, ws.detectors)
    instrument = ws.detectors.instrument
    if instrument is None:
        return
    if instrument.definition:
        note = _group(group, "instrument_xml", "NXnote")
        note["data"], note["type"], note["description"] = instrument.definition, "text/xml", "XML of the instrument"
    for name, place in (("source_position", instrument.source), ("sample_position", instrument.sample)):
        if place is not None:
            _put(group, name, place, "m")


def _write_detectors(group: h5py.Group, detectors: Detectors) -> None:
    """Write the detectors and what is known of their places."""
    physical = _group(group, "physical_detectors", "NXdetector")
    physical["detector_number"], physical["monitor"] = detectors.ids, detectors.monitor.astype(np.uint8)
    if detectors.l1 is not None:
        _put(physical, "primary_flight_path", detectors.l1, "m")
    if detectors.l2 is not None:
        _put(physical, "distance", detectors.l2, "m")
    if detectors.two_theta is not None:
        _put(physical, "polar_angle", np.degrees(detectors.two_theta), "degree")
    if detectors.positions is not None:
        _put(physical, "position", detectors.positions, "m")


def _put(group: h5py.Group, name: str, values: Any, units: str) -> None:
    group.create_dataset(name, data=values).attrs["units"] = units


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


# -- reading ------------------------------------------------------------------------------------------------------


def read_instrument(entry: h5py.Group, axis2: h5py.Dataset, run: Run) -> tuple[Spectra, Detectors]:
    """Read what the spectra of a workspace are made of, and what is known of the detectors.

    Raises
    ------
    UnfitError
        Something contradicts itself.
    """
    group = entry.get("instrument")
    detector = group.get("detector") if isinstance(group, h5py.Group) else None
    if not isinstance(group, h5py.Group) or not isinstance(detector, h5py.Group) or "detector_list" not in detector:
        numbers = axis2[()] if axis2.dtype.kind in WHOLE else np.arange(1, axis2.shape[0] + 1)
        return Spectra(numbers), Detectors([])
    spectra = _read_spectra(detector)
    instrument = _definition(group, run)
    if "physical_detectors" in group:
        detectors = _read_detectors(group, instrument)
    elif instrument is not None:
        detectors = Detectors.from_instrument(instrument)
    else:
        detectors = _of_spectra(group, detector, spectra)
    return _with_geometry(group, detector, spectra, detectors), detectors


def _read_spectra(detector: h5py.Group) -> Spectra:
    count, ids = _column(detector, "detector_count", WHOLE), _column(detector, "detector_list", WHOLE)
    numbers = _column(detector, "spectra", WHOLE)
    if len(numbers) != len(count) or count.sum() != len(ids) or np.any(count < 0):
        raise UnfitError(
            f"{detector.name}: {len(numbers)} spectra, {len(count)} entries of detector_count with a sum of"
            f" {count.sum()}, {len(ids)} of detector_list; expected as many counts as spectra, their sum the list's"
        )
    masked = _column(detector, "masked", WHOLE) if "masked" in detector else np.zeros(len(numbers), np.int64)
    if len(masked) != len(numbers):
        raise UnfitError(f"{detector.name}/masked: {len(masked)} entries for {len(numbers)} spectra")
    return Spectra(numbers, ids, np.concatenate([[0], np.cumsum(count)]), masked=masked != 0)


def _column(group: h5py.Group, name: str, kind: str) -> Any:
    return dataset(group, name, kind=kind, ndim=1)[()].astype(np.int64 if kind == WHOLE else np.float64)


def _definition(group: h5py.Group, run: Run) -> Instrument | None:
    """Return the instrument of the definition in the file, moved by the last values of the logs that move it."""
    note = group.get("instrument_xml")
    if not isinstance(note, h5py.Group):
        return None
    text = text_of(dataset(note, "data", kind=TEXT)[()])
    try:
        found = load_idf(text, name=text_of(group.get("name")))
    except GeometryError as error:
        log.warning("%s cannot be used: %s", note.name, error)
        return None
    return found.with_logs({name: value for name in run if (value := _number(run, name)) is not None})


def _number(run: Run, name: str) -> float | None:
    entry = run[name]
    value = (entry.lastValue() if len(entry) else None) if isinstance(entry, TimeSeries) else entry.value
    return float(value) if isinstance(value, int | float) else None


def _read_detectors(group: h5py.Group, instrument: Instrument | None) -> Detectors:
    physical = group["physical_detectors"]
    ids, monitor = _column(physical, "detector_number", WHOLE), _column(physical, "monitor", WHOLE) != 0
    l1 = float(dataset(physical, "primary_flight_path")[()]) if "primary_flight_path" in physical else None
    l2, angle = (_column(physical, n, "f") if n in physical else None for n in ("distance", "polar_angle"))
    positions = (
        dataset(physical, "position", kind="f", ndim=2)[()].astype(np.float64) if "position" in physical else None
    )
    for name, column in (("monitor", monitor), ("distance", l2), ("polar_angle", angle), ("position", positions)):
        if column is not None and len(column) != len(ids):
            raise UnfitError(f"{physical.name}/{name}: {len(column)} entries for {len(ids)} detectors")
    if len(distinct(ids)) < len(ids):
        raise UnfitError(f"{physical.name}/detector_number: a detector ID is there more than once")
    if instrument is None and positions is not None:
        instrument = _plain_instrument(group, ids, monitor, positions)
    two_theta = None if angle is None else np.radians(angle)
    return Detectors(ids, monitor, l1=l1, l2=l2, two_theta=two_theta, positions=positions, instrument=instrument)


def _plain_instrument(group: h5py.Group, ids: I64, monitor: Bool, positions: F64) -> Instrument | None:
    """Return an instrument that is a list of places; None without the source's."""
    name = text_of(group.get("name"))
    source, sample = (
        dataset(group, n, kind="f", ndim=1)[()].astype(np.float64) if n in group else None
        for n in ("source_position", "sample_position")
    )
    return None if source is None else instrument_from_positions(name, ids, positions, monitor, source, sample)


def _of_spectra(group: h5py.Group, detector: h5py.Group, spectra: Spectra) -> Detectors:
    """Return the detectors of the spectra, each with the place of the first spectrum that has it."""
    if "distance" not in detector or "primary_flight_path" not in group:
        return Detectors(distinct(spectra.ids))
    geometry = _geometry(group, detector, len(spectra))
    unique, first = np.unique(spectra.ids, return_index=True)
    owner = spectra.owner[first]
    return Detectors(unique, l1=geometry.l1, l2=geometry.l2[owner], two_theta=geometry.two_theta[owner])


def _geometry(group: h5py.Group, detector: h5py.Group, n: int) -> SpectrumGeometry:
    l2, angle = (_column(detector, name, "f") for name in ("distance", "polar_angle"))
    if len(l2) != n or len(angle) != n:
        raise UnfitError(f"{detector.name}: {len(l2)} of distance and {len(angle)} of polar_angle for {n} spectra")
    return SpectrumGeometry(float(dataset(group, "primary_flight_path")[()]), l2, np.radians(angle))


def _with_geometry(group: h5py.Group, detector: h5py.Group, spectra: Spectra, detectors: Detectors) -> Spectra:
    """Return the spectra with flight paths of their own if the file's are not those of their detectors."""
    if "distance" not in detector or "primary_flight_path" not in group:
        return spectra
    said, found = _geometry(group, detector, len(spectra)), spectra.geometry_from(detectors)
    same = (
        np.isclose(said.l1, found.l1, rtol=1e-12)
        and np.allclose(said.l2, found.l2, rtol=1e-12, atol=0, equal_nan=True)
        and np.allclose(said.two_theta, found.two_theta, rtol=1e-12, atol=1e-15, equal_nan=True)
    )
    return spectra if same else spectra.with_geometry(said)
