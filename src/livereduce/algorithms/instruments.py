"""Instruments for workspaces: LoadInstrument, LoadEmptyInstrument, EditInstrumentGeometry."""

from __future__ import annotations

import logging
import weakref
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from livereduce.algorithms.declaration import Integers, Numbers, algorithm
from livereduce.algorithms.files import Version, check_exists, version_of
from livereduce.algorithms.memory import remembered, warned_once
from livereduce.algorithms.spectra import indices_of_numbers
from livereduce.geometry import GeometryError, Instrument, find_definition, load_idf
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Spectra,
    SpectrumGeometry,
)
from livereduce.workspaces.arrays import F64

log = logging.getLogger(__name__)

# Folders with <NAME>_Definition*.xml, searched in this order; the first is where Mantid keeps what it downloads.
definition_folders: list[Path] = [Path("~/.mantid/instrument")]
# What streams have said of their own instruments, for scripts that ask for them by name where no folder has them.
_described_by_streams: dict[str, Instrument] = {}


def remember(instrument: Instrument, *names: str) -> None:
    """Let an instrument that a stream describes be found by its names."""
    _described_by_streams.update({name.lower(): instrument for name in (instrument.name, *names) if name})


def instrument_named(name: str, when: datetime | None = None) -> Instrument:
    """Load the definition of an instrument that is valid now, or at a time, from the `definition_folders`.

    An instrument that no folder has but a stream has described is that one.

    Raises
    ------
    ValueError
        There is none, or its definition cannot be used.
    """
    problems = []
    for folder in definition_folders:
        try:
            return _from_file(find_definition(folder.expanduser(), name, when or datetime.now(UTC)))
        except GeometryError as error:
            problems.append(str(error))
    if name.lower() in _described_by_streams:
        return _described_by_streams[name.lower()]
    raise ValueError(
        f"InstrumentName: {'; '.join(problems) or 'no folder of definitions is configured'}; put the definition into a"
        " folder that instruments.definition_folders names, or give Filename"
    )


def _from_file(path: Path) -> Instrument:
    """Load a definition with its parameters; the last few are kept, since scripts ask again at every chunk."""
    name, _, version = path.name.partition("_Definition")
    candidates = [path.with_name(f"{name}_Parameters{version}"), path.with_name(f"{name}_Parameters.xml")]
    parameters = next((each for each in candidates if each.is_file()), None)
    return _loaded(path, parameters, *(version_of(each) for each in (path, parameters) if each is not None))


@lru_cache(maxsize=4)
def _loaded(path: Path, parameters: Path | None, *_versions: Version) -> Instrument:
    return load_idf(path, name=path.name.partition("_Definition")[0], parameters=parameters)


def with_parameter_file(instrument: Instrument, *names: str) -> Instrument:
    """Return an instrument with the parameters of the first ``<NAME>_Parameters.xml`` in the `definition_folders`.

    A stream sends the definition alone. A file that cannot be used is left out with an error in the log.
    """
    for folder in definition_folders:
        for name in dict.fromkeys(name for name in (*names, instrument.name) if name):
            path = folder.expanduser() / f"{Path(name).name}_Parameters.xml"
            if path.is_file():
                try:
                    return instrument.with_parameters(path)
                except GeometryError as error:
                    log.error("the parameters of %s are not used: %s", instrument.name, error)
    return instrument


def loaded_instrument(filename: Path | None, name: str, xml: str = "", when: datetime | None = None) -> Instrument:
    """Load an instrument from whichever is given: a definition's text, its file, or the name and a time (or now)."""
    if xml:
        return _described(xml)
    if filename is not None:
        check_exists(filename)
        return _given(filename, version_of(filename))
    if not name:
        raise ValueError("give Filename or InstrumentName")
    return instrument_named(name, when)


@lru_cache(maxsize=4)
def _given(path: Path, _version: Version) -> Instrument:
    return load_idf(path)


@lru_cache(maxsize=4)
def _described(xml: str) -> Instrument:
    return load_idf(xml)


@algorithm("LoadInstrument", names={"instrument_xml": "InstrumentXML"}, in_place=["workspace"])
def load_instrument(
    workspace: MatrixWorkspace,
    filename: Path | None = None,
    instrument_name: str = "",
    instrument_xml: str = "",
    rewrite_spectra_map: bool = False,
) -> MatrixWorkspace:
    """Give a workspace the geometry of an instrument definition.

    Parameters
    ----------
    workspace
        The workspace, which is changed.
    filename, instrument_name, instrument_xml
        The definition: a file, the instrument's name, or the text itself. By name it is the one valid when the run of
        the workspace began.
    rewrite_spectra_map
        Whether spectra get the instrument's detectors one by one in the order of their IDs. Events keep their
        detectors, and spectra without any always get them so.
    """
    instrument = loaded_instrument(filename, instrument_name, instrument_xml, _start_of(workspace))
    spectra = workspace.spectra
    if not isinstance(workspace, EventWorkspace) and (rewrite_spectra_map or not len(spectra.ids)):
        order = np.argsort(instrument.ids, kind="stable")[: workspace.n_spectra]
        start = np.minimum(np.arange(len(spectra) + 1), len(order))
        spectra = Spectra(spectra.numbers, instrument.ids[order], start, masked=spectra.masked)
    ids = workspace.detectors.ids if len(workspace.detectors) else instrument.ids
    key = ("placed in", weakref.ref(instrument))
    detectors = remembered(workspace.detectors, key, lambda: detectors_in(instrument, ids))
    unknown = remembered(spectra, ("unknown to", weakref.ref(instrument)), lambda: _unknown(spectra, instrument))
    if len(unknown):
        message = "LoadInstrument: %d detectors are not in %s, the first is %d"
        warned_once(spectra, log, message, len(unknown), instrument.name, int(unknown[0]))
    return workspace.replaced(detectors=detectors, spectra=_without_edited_geometry(spectra))


def _unknown(spectra: Spectra, instrument: Instrument) -> npt.NDArray[np.int64]:
    return np.setdiff1d(spectra.ids, instrument.ids)


def _without_edited_geometry(spectra: Spectra) -> Spectra:
    if spectra.geometry is None:
        return spectra
    return Spectra(spectra.numbers, spectra.ids, spectra.start, masked=spectra.masked)


def detectors_in(instrument: Instrument, ids: npt.NDArray[np.int64]) -> Detectors:
    """Place detectors by their IDs; those the instrument does not know have no place."""
    same = np.array_equal(ids, instrument.ids)
    return Detectors.from_instrument(instrument) if same else Detectors(ids).placed(instrument)


def _start_of(workspace: MatrixWorkspace) -> datetime | None:
    run = workspace.run()
    return datetime.fromtimestamp(run.start_ns / 1e9, UTC) if run.has_start else None


@algorithm("LoadEmptyInstrument")
def load_empty_instrument(
    filename: Path | None = None,
    instrument_name: str = "",
    detector_value: float = 1.0,
    monitor_value: float = 2.0,
) -> HistogramWorkspace:
    """Make a workspace with one spectrum, of one value, for every detector of an instrument definition.

    Parameters
    ----------
    filename, instrument_name
        The definition: a file, or the instrument's name.
    detector_value, monitor_value
        Values of detectors and of monitors; the errors are zero.
    """
    instrument = loaded_instrument(filename, instrument_name)
    detectors = Detectors.from_instrument(instrument)
    y = np.where(instrument.monitor, monitor_value, detector_value).reshape(-1, 1)
    spectra = Spectra(np.arange(1, len(detectors) + 1), detectors.ids)
    return HistogramWorkspace(np.array([0.0, 1.0]), y, detectors=detectors, spectra=spectra, title=instrument.name)


@algorithm(
    "EditInstrumentGeometry",
    names={"spectrum_ids": "SpectrumIDs", "detector_ids": "DetectorIDs"},
    in_place=["workspace"],
)
def edit_instrument_geometry(
    workspace: MatrixWorkspace,
    primary_flight_path: float | None = None,
    spectrum_ids: Integers = (),
    l2: Numbers = (),
    polar: Numbers = (),
    azimuthal: Numbers = (),
    detector_ids: Integers = (),
    instrument_name: str = "",
) -> MatrixWorkspace:
    """Say what flight paths and angle spectra have, whatever their detectors: for spectra that are sums of many.

    Parameters
    ----------
    workspace
        The workspace, which is changed.
    primary_flight_path
        Source to sample, m; by default it stays.
    spectrum_ids
        Spectrum numbers of those to change; by default all.
    l2
        Sample to detector of each of these spectra, m.
    polar
        Scattering angle of each, degrees.
    azimuthal
        Accepted for scripts that give it; nothing here depends on it.
    detector_ids
        New detector ID of each of these spectra, in place of those it has.
    instrument_name
        Accepted for scripts that give it; the instrument keeps its name.
    """
    indices = np.arange(workspace.n_spectra)
    if len(np.atleast_1d(spectrum_ids)):
        indices = indices_of_numbers(workspace, "SpectrumIDs", spectrum_ids)
    old = workspace.spectra.geometry_from(workspace.detectors)
    paths = _changed(old.l2, indices, l2, "L2")
    angles = _changed(old.two_theta, indices, np.radians(polar), "Polar")
    if np.any(paths[indices] <= 0):
        raise ValueError(f"L2: must be positive, found {paths[indices].min():g}")
    l1 = old.l1 if primary_flight_path is None else primary_flight_path
    if l1 <= 0:
        raise ValueError(f"PrimaryFlightPath: must be positive, found {l1:g}")
    spectra = workspace.spectra
    if len(np.atleast_1d(detector_ids)):
        spectra = _with_detectors(spectra, indices, np.asarray(detector_ids, np.int64))
    return workspace.replaced(spectra=spectra.with_geometry(SpectrumGeometry(l1, paths, angles)))


def _changed(values: F64, indices: npt.NDArray[np.int64], new: Numbers, what: str) -> F64:
    new = np.atleast_1d(np.asarray(new, np.float64))
    result = np.array(values)
    if not len(new):
        return result
    if len(new) != len(indices):
        raise ValueError(f"{what}: {len(new)} values for {len(indices)} spectra")
    result[indices] = new
    return result


def _with_detectors(spectra: Spectra, indices: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> Spectra:
    if len(ids) != len(indices):
        raise ValueError(f"DetectorIDs: {len(ids)} values for {len(indices)} spectra")
    groups = [spectra.detector_ids(i) for i in range(len(spectra))]
    for index, detector in zip(indices.tolist(), ids, strict=True):
        groups[index] = np.array([detector])
    start = np.concatenate([[0], np.cumsum([len(group) for group in groups])])
    return Spectra(spectra.numbers, np.concatenate(groups), start, masked=spectra.masked)
