"""Workspaces as scipp DataArrays, for users who think in scipp.

A row of the array is a spectrum, with its number, detectors, flight path and angle as coordinates. Logs are scalar
coordinates, series as DataArrays of their own in them; they are unaligned, so that two arrays with different logs can
be added. The instrument (beyond the flight paths) and attached monitors stay behind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipp as sc

from livereduce.workspaces.arrays import I64
from livereduce.workspaces.detectors import Spectra
from livereduce.workspaces.event_list import SpectrumEvents, blocks
from livereduce.workspaces.event_workspace import EventWorkspace
from livereduce.workspaces.histogram import HistogramWorkspace
from livereduce.workspaces.matrix import MatrixWorkspace
from livereduce.workspaces.scipp_names import BIN_MASK, DETECTOR_ID, MASKED, SPECTRUM, unit_from, x_name
from livereduce.workspaces.series import Log, TimeSeries


def exported(ws: MatrixWorkspace, *, events: bool) -> sc.DataArray:
    """Return a workspace as a DataArray; see `MatrixWorkspace.to_scipp`."""
    if events and not isinstance(ws, EventWorkspace):
        raise ValueError(f"{ws!r} is no event workspace: it has no events to give (events=True)")
    row, name, unit = _row_name(ws), *x_name(ws.unit)
    if isinstance(ws, EventWorkspace) and events:
        array = sc.DataArray(_binned(ws, row, name, unit), name=ws.title)
    else:
        data = sc.array(dims=[row, name], values=ws.y, variances=ws.e2, unit=_y_unit(ws, unit))
        x_dims = [name] if ws.x.ndim == 1 else [row, name]
        array = sc.DataArray(data, coords={name: sc.array(dims=x_dims, values=ws.x, unit=unit)}, name=ws.title)
    _add_rows(array, ws, row)
    if isinstance(ws, HistogramWorkspace) and ws.bin_mask is not None:
        array.masks[BIN_MASK] = sc.array(dims=[row, name], values=ws.bin_mask)
    for log_name, log in ((n, ws.logs[n]) for n in ws.logs):
        key = log_name if log_name not in array.coords and log_name not in array.dims else f"{log_name}_log"
        array.coords[key] = _log(log)
        array.coords.set_aligned(key, False)
    return array


def _row_name(ws: MatrixWorkspace) -> str:
    if ws.vertical is None:
        return SPECTRUM
    name, _ = x_name(ws.vertical.unit)
    return name if ws.vertical.unit and name != x_name(ws.unit)[0] else "vertical"


def _y_unit(ws: MatrixWorkspace, x_unit: sc.Unit | None) -> sc.Unit | None:
    """Unit of the values: counts per X for a distribution; a quotient, a distribution too, has none already."""
    unit = unit_from(ws.y_unit)
    if ws.distribution and unit is not None and unit == sc.units.counts and x_unit is not None:
        return unit / x_unit
    return unit


def _add_rows(array: sc.DataArray, ws: MatrixWorkspace, row: str) -> None:
    """Say what the rows are: numbers, detectors, places, mask; or values of a vertical axis."""
    if ws.vertical is not None:
        unit = x_name(ws.vertical.unit)[1]
        array.coords[row] = sc.array(dims=[row], values=ws.vertical.values, unit=unit)
    else:
        array.coords[SPECTRUM] = sc.array(dims=[row], values=ws.spectra.numbers, unit=None)
        _add_detectors(array, ws.spectra)
    geometry = ws.spectra.geometry_from(ws.detectors)
    if np.isfinite(geometry.l1) and ws.vertical is None:
        array.coords["L1"] = sc.scalar(float(geometry.l1), unit="m")
        array.coords["L2"] = sc.array(dims=[row], values=geometry.l2, unit="m")
        array.coords["two_theta"] = sc.array(dims=[row], values=geometry.two_theta, unit="rad")
    if ws.spectra.masked.any():
        array.masks[MASKED] = sc.array(dims=[row], values=ws.spectra.masked)


def _add_detectors(array: sc.DataArray, spectra: Spectra) -> None:
    """One detector ID each as a coordinate; where spectra have several, a table of IDs by spectrum in a scalar one."""
    if np.all(np.diff(spectra.start) == 1):
        array.coords[DETECTOR_ID] = sc.array(dims=[SPECTRUM], values=spectra.ids, unit=None)
    elif len(spectra.ids):
        numbers = spectra.numbers[spectra.owner]
        array.coords[DETECTOR_ID] = sc.scalar(
            sc.DataArray(
                sc.array(dims=["detector"], values=spectra.ids, unit=None),
                coords={SPECTRUM: sc.array(dims=["detector"], values=numbers, unit=None)},
            )
        )
        array.coords.set_aligned(DETECTOR_ID, False)


def _log(log: Log) -> sc.Variable:
    """A log as a scalar; its unit is left out where scipp knows none of that name."""
    unit = unit_from(log.units)
    if isinstance(log, TimeSeries):
        time = sc.array(dims=["time"], values=log.times)
        return sc.scalar(sc.DataArray(_numbers(log.value, "time", unit), coords={"time": time}))
    value = log.value.item() if isinstance(log.value, np.generic) else log.value
    if isinstance(value, bool | str):
        return sc.scalar(value)
    if isinstance(value, int | float):
        return sc.scalar(value, unit=unit)
    if np.ndim(log.value) == 1:
        return sc.scalar(sc.DataArray(_numbers(np.asarray(log.value), "index", unit)))
    return sc.scalar(str(log.value))


def _numbers(values: Any, dim: str, unit: sc.Unit | None) -> sc.Variable:
    if values.dtype.kind in "OSU":
        return sc.array(dims=[dim], values=[str(value) for value in values])
    if values.dtype.kind in "iu":  # scipp has no unsigned numbers and no short ones
        values = values.astype(np.int64 if np.can_cast(values.dtype, np.int64) else np.float64)
    return sc.array(dims=[dim], values=values, unit=None if values.dtype.kind == "b" else unit)


def _binned(ws: EventWorkspace, row: str, name: str, unit: sc.Unit | None) -> sc.Variable:
    """Return the events of each spectrum as a bin: X, pulse time, weight with variance.

    In float64: scipp adds up weights in the type they have, and float32 counts no further than 2**24.
    """
    begin, events = _by_spectrum(ws)
    table = sc.DataArray(
        sc.array(dims=["event"], values=events.weight, variances=events.variance, unit=unit_from(ws.y_unit)),
        coords={
            name: sc.array(dims=["event"], values=events.x, unit=unit),
            "pulse_time": sc.array(dims=["event"], values=events.pulse_time.view("datetime64[ns]")),
        },
    )
    ends = (sc.array(dims=[row], values=border, unit=None) for border in (begin[:-1], begin[1:]))
    return sc.bins(begin=next(ends), end=next(ends), dim="event", data=table)


def _by_spectrum(ws: EventWorkspace) -> tuple[I64, SpectrumEvents]:
    """Return all events, spectrum after spectrum, and where each spectrum begins."""
    count = np.zeros(ws.n_spectra, np.int64)
    found: list[SpectrumEvents] = []
    if ws.compression is not None:
        for index in range(ws.n_spectra):
            found.append(ws.getSpectrum(index).events())
            count[index] = len(found[-1].x)
    else:
        for spectrum, events in blocks(ws.terms, ws.n_spectra):
            found.append(events)
            count += np.bincount(spectrum, minlength=ws.n_spectra)
    nothing = SpectrumEvents(np.empty(0), np.empty(0, np.int64), np.empty(0), np.empty(0))
    columns = SpectrumEvents(*(np.concatenate(column) for column in zip(nothing, *found, strict=True)))
    return np.concatenate([[0], np.cumsum(count)]), columns
