"""AlignAndFocusPowder: from raw times of flight to focused spectra, step by step as single algorithms would do it.

Of events every step only changes the plan, so an update of a live reduction costs its new events. Of histograms, counts
are shared out to new bins once: straight to those of the result.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from livereduce.algorithms.binning import edges_from, point_edges, rebinned
from livereduce.algorithms.by_detector import calibration_from_table
from livereduce.algorithms.calibrating import aligned_by, calibration_from_offsets
from livereduce.algorithms.calibration_files import calibration_of, groups_in_file
from livereduce.algorithms.cropping import crop_workspace
from livereduce.algorithms.declaration import Integers, Numbers, algorithm
from livereduce.algorithms.focusing import Groups, each_alone, focused, groups_of_detectors, groups_of_workspace
from livereduce.algorithms.instruments import edit_instrument_geometry
from livereduce.algorithms.masking import mask_detectors
from livereduce.algorithms.prompt_pulse import remove_prompt_pulse
from livereduce.algorithms.property_manager import property_managers
from livereduce.algorithms.resampling import edges_between
from livereduce.algorithms.single_events import compress_events
from livereduce.algorithms.units import in_unit
from livereduce.geometry.calibration import Calibration
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, TableWorkspace
from livereduce.workspaces.arrays import F64


class Bins(NamedTuple):
    """How the result is binned: Rebin's parameters, or a number of bins between limits; in d-spacing or TOF."""

    params: F64
    number: int
    low: F64
    high: F64
    in_d: bool

    @property
    def given(self) -> bool:
        """Whether anything was said at all."""
        return bool(len(self.params) or self.number)

    def edges(self, ws: MatrixWorkspace) -> F64:
        """Edges of the result, for all spectra or of each, for data that are in the unit of the bins."""
        if self.number:
            return edges_between(ws, self.low, self.high, abs(self.number), logarithmic=self.number < 0)
        if len(self.params) > 1:
            return edges_from(self.params)
        low, high = (_span(ws)[i] if not len(end) else end for i, end in ((0, self.low), (1, self.high)))
        return edges_from([float(np.min(low)), float(self.params[0]), float(np.max(high))])


class Place(NamedTuple):
    """Where focused spectra are said to be, for EditInstrumentGeometry."""

    l1: float | None
    numbers: Integers
    l2: Numbers
    polar: Numbers

    def applied(self, ws: MatrixWorkspace) -> MatrixWorkspace:
        """Return the workspace with those of these places that belong to one of its spectra."""
        columns = [np.atleast_1d(np.asarray(column, np.float64)) for column in (self.l2, self.polar)]
        numbers = np.atleast_1d(np.asarray(self.numbers, np.int64))
        if self.l1 is None and not any(len(column) for column in columns):
            return ws
        if len(numbers):
            there = np.isin(numbers, ws.spectra.numbers)
            numbers = numbers[there]
            columns = [column[there] if len(column) == len(there) else column for column in columns]
        return edit_instrument_geometry(ws, self.l1, numbers, l2=columns[0], polar=columns[1])


@algorithm("AlignAndFocusPowder", names={"spectrum_ids": "SpectrumIDs"})
def align_and_focus_powder(
    ws: MatrixWorkspace,
    cal_file_name: Path | None = None,
    group_filename: Path | None = None,
    grouping_workspace: MatrixWorkspace | None = None,
    calibration_workspace: TableWorkspace | None = None,
    offsets_workspace: MatrixWorkspace | None = None,
    mask_workspace: MatrixWorkspace | None = None,
    params: Numbers = (),
    resample_x: int = 0,
    dspacing: bool = True,
    d_min: Numbers = (),
    d_max: Numbers = (),
    t_min: float | None = None,
    t_max: float | None = None,
    preserve_events: bool = True,
    remove_prompt_pulse_width: float = 0.0,
    compress_tolerance: float = 1e-5,
    crop_wavelength_min: float | None = None,
    crop_wavelength_max: float | None = None,
    primary_flight_path: float | None = None,
    spectrum_ids: Integers = (),
    l2: Numbers = (),
    polar: Numbers = (),
    azimuthal: Numbers = (),
    reduction_properties: str = "__powderreduction",
) -> MatrixWorkspace:
    """Align powder data by a calibration, sum them by group and bin them. What is not given is left out.

    In this order: RemovePromptPulse, CompressEvents, CropWorkspace, MaskDetectors, AlignDetectors (without a
    calibration ConvertUnits), DiffractionFocussing, EditInstrumentGeometry, binning. The result is in d-spacing, or
    with Dspacing=False in time of flight.

    Parameters
    ----------
    ws
        Workspace in time of flight.
    cal_file_name
        Calibration, HDF5 or five-column text; its groups are used if no others are given.
    group_filename, grouping_workspace
        Groups of detectors, from a file or as a workspace.
    calibration_workspace
        Calibration as a table with columns detid, difc, difa and tzero.
    offsets_workspace
        Calibration as an offset for each detector.
    mask_workspace
        Workspace whose masked spectra's detectors are left out.
    params
        Bins as in Rebin; a single width goes from DMin to DMax (TMin to TMax).
    resample_x
        Number of bins in place of params; negative for logarithmic ones.
    dspacing
        Whether bins, and the result, are in d-spacing.
    d_min, d_max
        Limits of the bins in Å, one for all groups or one for each.
    t_min, t_max
        Times of flight before and after which data are left out, µs.
    preserve_events
        Whether events stay events or become a histogram.
    remove_prompt_pulse_width
        Time after every pulse that is cut out, µs.
    compress_tolerance
        Distance within which events are put together when they are asked for one by one, µs; 0 for never.
    crop_wavelength_min, crop_wavelength_max
        Wavelengths outside which data are left out, Å.
    primary_flight_path, spectrum_ids, l2, polar, azimuthal
        Flight paths (m) and angles (degrees) that groups are to have, as in EditInstrumentGeometry.
    reduction_properties
        Property manager of PDDetermineCharacterizations: its d_min, d_max, tof_min, tof_max, wavelength_min and
        wavelength_max are used where they are not given.
    """
    manager = _Managed(reduction_properties)
    d_limits = manager.list("d_min", d_min), manager.list("d_max", d_max)
    t_limits = manager.number("tof_min", t_min), manager.number("tof_max", t_max)
    wavelengths = (
        manager.number("wavelength_min", crop_wavelength_min),
        manager.number("wavelength_max", crop_wavelength_max),
    )
    ws = _prepared(ws, remove_prompt_pulse_width, compress_tolerance, t_limits, mask_workspace)
    calibration = _calibration(ws, cal_file_name, calibration_workspace, offsets_workspace)
    groups = _groups(ws, group_filename, grouping_workspace, cal_file_name)
    ws = _cropped_in(ws, "Wavelength", wavelengths)
    in_d = _in_unit(ws, "dSpacing") if calibration is None else aligned_by(ws, calibration)
    low, high = d_limits if dspacing else (np.array([] if t is None else [t]) for t in t_limits)
    bins = Bins(np.atleast_1d(np.asarray(params, np.float64)), resample_x, low, high, in_d=dspacing)
    place = Place(primary_flight_path, spectrum_ids, l2, polar)
    if isinstance(in_d, EventWorkspace):
        result = _focused_events(in_d, groups, place, bins)
        return result if preserve_events or not isinstance(result, EventWorkspace) else result.to_histogram()
    return _focused_histogram(in_d, groups, place, bins)


class _Managed:
    """Properties of a manager for those that are not given; there need be no such manager."""

    def __init__(self, name: str) -> None:
        self._manager = property_managers[name] if name in property_managers else None

    def number(self, name: str, given: float | None) -> float | None:
        if given is not None or self._manager is None or name not in self._manager:
            return given
        return float(self._manager[name].value) or None  # 0 stands for what nobody has said

    def list(self, name: str, given: Numbers) -> F64:
        numbers = np.atleast_1d(np.asarray(given, np.float64))
        if len(numbers) or self._manager is None or name not in self._manager:
            return numbers
        return np.atleast_1d(np.asarray(self._manager[name].value, np.float64))


def _prepared(
    ws: MatrixWorkspace,
    prompt_width: float,
    tolerance: float,
    limits: tuple[float | None, float | None],
    mask: MatrixWorkspace | None,
) -> MatrixWorkspace:
    """Return the workspace in time of flight without what is not wanted."""
    if ws.unit != "TOF":
        raise ValueError(f"InputWorkspace: X must be TOF, found {ws.unit!r}")
    if prompt_width > 0:
        ws = remove_prompt_pulse(ws, prompt_width)
    if tolerance and isinstance(ws, EventWorkspace):
        ws = compress_events(ws, tolerance)
    ws = _cropped_in(ws, "TOF", limits)
    return ws if mask is None else mask_detectors(ws, masked_workspace=mask)


def _cropped_in(ws: MatrixWorkspace, unit: str, limits: tuple[float | None, float | None]) -> MatrixWorkspace:
    """Return the workspace, in its own unit, without what is outside these limits in another."""
    low, high = (fallback if end is None else end for end, fallback in zip(limits, (-np.inf, np.inf), strict=True))
    if limits == (None, None):
        return ws
    if low >= high:
        raise ValueError(f"the limits in {unit} must rise, found {low:g} and {high:g}")
    there = _in_unit(ws, unit)
    if isinstance(there, EventWorkspace):
        # bins stay as they are: nothing of them is counted before the end
        cropped: MatrixWorkspace = there.planned(lambda plan: plan.limited(low, high))
    else:
        cropped = crop_workspace(there, low, high)
    return _in_unit(cropped, ws.unit)


def _in_unit(ws: MatrixWorkspace, unit: str) -> MatrixWorkspace:
    return ws if ws.unit == unit else in_unit(ws, unit)


def _calibration(
    ws: MatrixWorkspace, file: Path | None, table: TableWorkspace | None, offsets: MatrixWorkspace | None
) -> Calibration | None:
    """Return the calibration: a workspace's before a file's."""
    if table is not None:
        return calibration_from_table(table)
    if offsets is not None:
        return calibration_from_offsets(ws, offsets)
    return None if file is None else calibration_of(file, ws)


def _groups(
    ws: MatrixWorkspace, file: Path | None, grouping: MatrixWorkspace | None, calibration: Path | None
) -> Groups | None:
    """Return the groups: a workspace's before a file's, and that before the calibration's; None if there are none."""
    if grouping is not None:
        return groups_of_workspace(ws, grouping)
    if file is not None:
        return groups_of_detectors(ws.spectra, groups_in_file(file, ws))
    if calibration is None:
        return None
    of_detector = groups_in_file(calibration, ws)
    return groups_of_detectors(ws.spectra, of_detector) if np.any(of_detector > 0) else None


def _focused_events(ws: EventWorkspace, groups: Groups | None, place: Place, bins: Bins) -> MatrixWorkspace:
    result = place.applied(ws if groups is None else focused(ws, groups))
    if not bins.in_d:
        result = _in_unit(result, "TOF")
    return _rebinned(result, bins.edges(result)) if bins.given else result


def _focused_histogram(ws: MatrixWorkspace, groups: Groups | None, place: Place, bins: Bins) -> MatrixWorkspace:
    if groups is None:
        groups = each_alone(ws.spectra)
    if not bins.given:
        result = place.applied(focused(ws, groups))
        return result if bins.in_d else _in_unit(result, "TOF")
    if bins.in_d:
        return place.applied(focused(ws, groups, bins.edges(_ends(ws, groups))))
    # the bins in time of flight, at the places of the groups, are bins in d-spacing: counts go straight to these
    described = place.applied(_ends(ws, groups))
    edges = bins.edges(_in_unit(described, "TOF"))
    rows = np.array(np.broadcast_to(edges, (len(groups.members), edges.shape[-1])))
    empty: HistogramWorkspace = described.replaced(
        x=rows, y=np.zeros((len(rows), rows.shape[1] - 1)), e2=None, e=None, unit="TOF"
    )
    result = place.applied(focused(ws, groups, np.atleast_2d(_in_unit(empty, "dSpacing").x)))
    in_tof: HistogramWorkspace = _in_unit(result, "TOF").replaced(x=edges)
    return in_tof


def _ends(ws: MatrixWorkspace, groups: Groups) -> HistogramWorkspace:
    """One empty bin for each group, over all X of its spectra."""
    x = point_edges(np.atleast_2d(ws.x), ws.is_histogram)
    low, high = (np.broadcast_to(end, ws.n_spectra) for end in (x[:, 0], x[:, -1]))
    chosen = [members if len(members) else slice(None) for members in groups.members]
    rows = np.array([[low[at].min(), high[at].max()] for at in chosen])
    return HistogramWorkspace(
        rows, np.zeros((len(rows), 1)), detectors=ws.detectors, spectra=groups.spectra, unit=ws.unit
    )


def _span(ws: MatrixWorkspace) -> tuple[F64, F64]:
    if isinstance(ws, EventWorkspace):
        low, high = ws.tof_range()
        return np.array([low]), np.array([high])
    return ws.x[..., 0], ws.x[..., -1]


def _rebinned(ws: MatrixWorkspace, edges: F64) -> MatrixWorkspace:
    """Return events in these bins, one row for all spectra or one each."""
    if edges.ndim == 1 or not isinstance(ws, EventWorkspace):
        return rebinned(ws, edges)
    return ws.replaced(edges=edges)
