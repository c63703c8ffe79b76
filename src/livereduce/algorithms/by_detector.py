"""Workspaces with a value for each detector: groups, masks, offsets; and calibrations as tables.

Mantid has classes of their own for them. Here they are histogram workspaces with one point per detector; in a mask
workspace, value 1 means masked and the spectrum is marked as masked as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from livereduce.algorithms.memory import remembered
from livereduce.algorithms.spectra import distinct
from livereduce.geometry import Instrument, instrument_from_flight_paths
from livereduce.geometry.calibration import Calibration
from livereduce.workspaces import (
    Detectors,
    HistogramWorkspace,
    MatrixWorkspace,
    Spectra,
    TableWorkspace,
)
from livereduce.workspaces.arrays import F64, I64, Bool, Column

log = logging.getLogger(__name__)

CALIBRATION_COLUMNS = (("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero"))


def instrument_of(ws: MatrixWorkspace) -> Instrument:
    """Return the workspace's instrument; where it has only flight paths and angles, one made of these.

    Raises
    ------
    ValueError
        Nothing is known of the detectors.
    """
    detectors = ws.detectors
    if detectors.instrument is not None:
        return detectors.instrument
    return remembered(detectors, "instrument", lambda: _from_flight_paths(detectors))


def _from_flight_paths(detectors: Detectors) -> Instrument:
    if detectors.l1 is None or detectors.l2 is None or detectors.two_theta is None:
        raise ValueError("the workspace has no instrument: nothing is known of where its detectors are")
    return instrument_from_flight_paths(
        "", detectors.ids, detectors.l2, detectors.two_theta, detectors.monitor, detectors.l1
    )


def bare_instrument(name: str, ids: I64) -> Instrument:
    """Make an instrument that only says which detectors there are."""
    known = distinct(ids)
    nothing = np.zeros(len(known))
    return instrument_from_flight_paths(name, known, nothing, nothing, nothing > 0, 0.0)


def per_detector(
    instrument: Instrument, values: npt.ArrayLike, *, title: str = "", masked: npt.ArrayLike | None = None
) -> HistogramWorkspace:
    """Make a workspace with one value for each detector, in the instrument's order."""
    detectors = Detectors.from_instrument(instrument)
    spectra = Spectra(np.arange(1, len(detectors) + 1), detectors.ids, masked=masked)
    y = np.array(values, np.float64).reshape(-1, 1)
    return HistogramWorkspace(
        np.zeros(1), y, np.zeros_like(y), detectors=detectors, spectra=spectra, title=title, unit="", y_unit=""
    )


def mask_workspace(instrument: Instrument, masked: Bool) -> HistogramWorkspace:
    """Make a mask workspace: 1 where masked."""
    return per_detector(instrument, masked.astype(np.float64), title="mask", masked=masked)


def values_of(ws: MatrixWorkspace, ids: I64, missing: float = 0.0) -> F64:
    """Value of each of these detectors in a workspace of values per detector.

    Raises
    ------
    ValueError
        The workspace has no detectors, or several values for each.
    """
    if not len(ws.spectra.ids) or ws.n_bins != 1:
        raise ValueError(f"{ws!r} has no value for each detector: expected one bin and detector IDs in every spectrum")
    at = ws.spectra.index_of_detectors(ids)
    return np.where(at >= 0, ws.y[at, 0], missing)


def calibration_table(calibration: Calibration) -> TableWorkspace:
    """Calibration constants as a table: detid, difc (µs/Å), difa (µs/Å²), tzero (µs); masked detectors have none."""
    table = TableWorkspace(CALIBRATION_COLUMNS, title="calibration")
    used = calibration.use
    columns = (calibration.ids, calibration.difc, calibration.difa, calibration.tzero)
    for row in zip(*(column[used].tolist() for column in columns), strict=True):
        table.addRow(row)
    return table


def calibration_from_table(table: TableWorkspace) -> Calibration:
    """Read calibration constants from a table with at least the columns detid and difc.

    The same constants give the same object, so that what follows from them is worked out once.
    """
    names = table.getColumnNames()
    if missing := [name for name in ("detid", "difc") if name not in names]:
        raise ValueError(f"{table!r} is no calibration: it has no column {missing[0]}, only {', '.join(names)}")
    ids = np.array(table.column("detid"), np.int64)
    zero = np.zeros(len(ids))
    difc = np.array(table.column("difc"), np.float64)
    difa, tzero = (np.array(table.column(n), np.float64) if n in names else zero for n in ("difa", "tzero"))
    return _calibration(*map(Column, (ids, difc, difa, tzero)))


@lru_cache(maxsize=4)
def _calibration(ids: Column, difc: Column, difa: Column, tzero: Column) -> Calibration:
    used = difc.values > 0
    group = np.zeros(len(used), np.int64)
    return Calibration(ids.values, difc.values, difa.values, tzero.values, group, used)


def warn(algorithm: str, warnings: Iterable[str]) -> None:
    """Log what a file's reader has to say."""
    for text in warnings:
        log.warning("%s: %s", algorithm, text)
