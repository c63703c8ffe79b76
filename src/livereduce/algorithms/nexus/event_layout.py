"""What the IDs of a raw NeXus file's events mean: detectors, or at ISIS spectra; and where the detectors are.

An ISIS file has tables in ``isis_vms_compat``: ``SPEC`` and ``UDET`` (a row per detector) say what detectors a spectrum
is made of, ``LEN2`` (m) and ``TTHE`` (degrees) where each is, ``MDET`` which rows, from 1 on, are monitors.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import h5py
import numpy as np

from livereduce.algorithms.instruments import instrument_named
from livereduce.algorithms.nexus.events import Bank, Window, ids_in
from livereduce.algorithms.nexus.hdf5 import NUMBERS, WHOLE, dataset
from livereduce.geometry import GeometryError, Instrument, instrument_from_flight_paths, load_nexus
from livereduce.geometry.nexus_histogram import UnfitError, text_of, values_of
from livereduce.workspaces import Detectors, Spectra
from livereduce.workspaces.arrays import I64, Bool, Column
from livereduce.workspaces.detectors import as_pixels

log = logging.getLogger(__name__)

_TABLES = "isis_vms_compat"


class Layout(NamedTuple):
    """What events become.

    Attributes
    ----------
    known
        The IDs events can have, by pixel.
    detectors, group
        Of all pixels: the detector, and the spectrum it is counted in (None: one each).
    by_spectrum
        Whether events have spectrum numbers for IDs.
    """

    known: Detectors
    detectors: Detectors
    spectra: Spectra
    group: Column | None
    instrument: Instrument | None
    by_spectrum: bool

    @property
    def ids(self) -> I64:
        """The ID that events of each spectrum have."""
        return self.spectra.numbers if self.by_spectrum else self.spectra.ids

    def taken(self, indices: I64) -> Layout:
        """Return the layout of only these spectra."""
        spectra = self.spectra.take(indices)
        if self.by_spectrum:
            return _of_spectra(spectra, self.instrument)
        detectors = Detectors(spectra.ids)
        if self.instrument is not None:
            detectors = detectors.placed(self.instrument)
        return Layout(detectors, detectors, spectra, None, self.instrument, False)


def layout_of(file: h5py.File, entry: h5py.Group, banks: list[Bank], *, from_file: bool) -> Layout:
    """Return what the events of an entry become; without `from_file` the instrument is found by its name.

    Raises
    ------
    UnfitError
        The tables of an ISIS file contradict themselves.
    """
    if isinstance(entry.get(_TABLES), h5py.Group):
        return _of_spectra(_isis_spectra(entry[_TABLES]), _by_name(entry, quiet=True) or _flight_paths(entry))
    instrument = _in_file(file) if from_file else _by_name(entry)
    detectors = Detectors(ids_in(banks, Window())) if instrument is None else Detectors.from_instrument(instrument)
    return Layout(detectors, detectors, detectors.default_spectra, detectors.default_group, instrument, False)


def _in_file(file: h5py.File) -> Instrument | None:
    try:
        found = load_nexus(file)
    except GeometryError as error:
        log.warning("LoadEventNexus: detectors are known by their IDs alone: %s", error)
        return None
    if found.monitor.all():
        log.warning("LoadEventNexus: detectors are known by their IDs alone: the file says of none where it is")
        return None
    return found


def _by_name(entry: h5py.Group, *, quiet: bool = False) -> Instrument | None:
    named = entry.get("instrument/name")
    try:
        return instrument_named(text_of(named) if isinstance(named, h5py.Dataset) else "")
    except ValueError as error:
        log.log(
            logging.DEBUG if quiet else logging.WARNING, "LoadEventNexus: no definition of the instrument: %s", error
        )
        return None


def _isis_spectra(tables: h5py.Group) -> Spectra:
    numbers, ids = (dataset(tables, name, kind=WHOLE, ndim=1)[()].astype(np.int64) for name in ("SPEC", "UDET"))
    if len(numbers) != len(ids):
        raise UnfitError(f"{tables.name}: {len(numbers)} entries of SPEC for {len(ids)} of UDET; expected as many")
    numbers, ids = numbers[numbers > 0], ids[numbers > 0]  # 0: in no spectrum
    order = np.argsort(numbers, kind="stable")
    found, first = np.unique(numbers[order], return_index=True)
    return Spectra(found, ids[order], np.append(first, len(ids)))


def _of_spectra(spectra: Spectra, instrument: Instrument | None) -> Layout:
    detectors, group = as_pixels(spectra)
    if instrument is not None:
        detectors = detectors.placed(instrument)
    return Layout(Detectors(spectra.numbers), detectors, spectra, group, instrument, True)


def _flight_paths(entry: h5py.Group) -> Instrument | None:
    """Return the instrument as far as an ISIS file's tables say where its detectors are."""
    tables = entry[_TABLES]
    if not all(name in tables for name in ("LEN2", "TTHE")) or "instrument/moderator/distance" not in entry:
        log.warning("LoadEventNexus: %s does not say where the detectors are (LEN2, TTHE, moderator)", tables.name)
        return None
    ids, l2, angle = (dataset(tables, name, kind=NUMBERS, ndim=1)[()] for name in ("UDET", "LEN2", "TTHE"))
    if not len(ids) == len(l2) == len(angle):
        raise UnfitError(
            f"{tables.name}: {len(ids)} of UDET, {len(l2)} of LEN2, {len(angle)} of TTHE; expected as many"
        )
    monitor: Bool = np.zeros(len(ids), bool)
    if "MDET" in tables:
        rows = dataset(tables, "MDET", kind=WHOLE)[()].ravel().astype(np.int64)
        monitor[rows[(rows > 0) & (rows <= len(ids))] - 1] = True
    _, once = np.unique(ids, return_index=True)
    l1 = abs(float(values_of(entry["instrument/moderator"], "distance", "length")[0]))
    name = text_of(entry.get("instrument/name")) or "ISIS"
    return instrument_from_flight_paths(name, ids[once], l2[once], np.radians(angle[once]), monitor[once], l1)
