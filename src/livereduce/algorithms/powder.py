"""AlignAndFocusPowder: from raw times of flight to focused spectra, step by step as single algorithms would do it.

Of events every step only changes the plan, so an update of a live reduction costs its new events. Of histograms, counts
are shared out to new bins once: straight to those of the result.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from livereduce.algorithms.bin_masks import mask_bins_from_table
from livereduce.algorithms.binning import point_edges, rebinned
from livereduce.algorithms.by_detector import calibration_from_table
from livereduce.algorithms.calibrating import aligned_by, calibration_from_offsets
from livereduce.algorithms.calibration_files import calibration_of, groups_in_file
from livereduce.algorithms.cropping import crop_workspace
from livereduce.algorithms.declaration import Integers, Numbers, OutputName, algorithm
from livereduce.algorithms.files import check_exists, version_of
from livereduce.algorithms.focusing import Groups, each_alone, focused, groups_of_file, groups_of_workspace
from livereduce.algorithms.masking import mask_detectors
from livereduce.algorithms.memory import remembered
from livereduce.algorithms.operands import masked_spectra
from livereduce.algorithms.powder_bins import Bins, Place
from livereduce.algorithms.prompt_pulse import remove_prompt_pulse
from livereduce.algorithms.property_manager import property_managers
from livereduce.algorithms.single_events import compress_events
from livereduce.algorithms.slow_neutrons import by_resolution, unwrapped
from livereduce.algorithms.stacking import stacked
from livereduce.algorithms.units import in_unit
from livereduce.geometry.calibration import Calibration
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, TableWorkspace, WorkspaceStore
from livereduce.workspaces.arrays import F64
from livereduce.workspaces.event_list import EventOrder


@algorithm("AlignAndFocusPowder", names={"spectrum_ids": "SpectrumIDs"}, with_results=True)
def align_and_focus_powder(
    ws: MatrixWorkspace,
    cal_file_name: Path | None = None,
    group_filename: Path | None = None,
    grouping_workspace: MatrixWorkspace | None = None,
    calibration_workspace: TableWorkspace | None = None,
    offsets_workspace: MatrixWorkspace | None = None,
    mask_workspace: MatrixWorkspace | None = None,
    mask_bin_table: TableWorkspace | None = None,
    params: Numbers = (),
    resample_x: int = 0,
    dspacing: bool = True,
    d_min: Numbers = (),
    d_max: Numbers = (),
    delta_ragged: Numbers = (),
    t_min: float | None = None,
    t_max: float | None = None,
    preserve_events: bool = True,
    remove_prompt_pulse_width: float = 0.0,
    compress_tolerance: float = 1e-5,
    compress_wall_clock_tolerance: float = 0.0,
    compress_binning_mode: Literal["Default", "Linear", "Logarithmic"] = "Default",
    unwrap_ref: float | None = None,
    low_res_ref: float | None = None,
    crop_wavelength_min: float | None = None,
    crop_wavelength_max: float | None = None,
    primary_flight_path: float | None = None,
    spectrum_ids: Integers = (),
    l2: Numbers = (),
    polar: Numbers = (),
    azimuthal: Numbers = (),
    low_res_spectrum_offset: int = -1,
    reduction_properties: str = "__powderreduction",
    unfocussed_workspace: OutputName | None = None,
    store: WorkspaceStore | None = None,
) -> MatrixWorkspace:
    """Align powder data by a calibration, sum them by group and bin them. What is not given is left out.

    In this order: RemovePromptPulse, CompressEvents, CropWorkspace, MaskBinsFromTable, MaskDetectors, unwrapping and
    low resolution, cropping in wavelength, AlignDetectors (without a calibration ConvertUnits), DiffractionFocussing,
    SortEvents, EditInstrumentGeometry, binning. The result is in d-spacing, or with Dspacing=False in time of flight.
    A number of 0 stands for what is not given, as scripts write it.

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
    mask_bin_table
        Ranges of time of flight that are left out of some spectra, as MaskBinsFromTable has them.
    params
        Bins as in Rebin; a single width goes from DMin to DMax (TMin to TMax).
    resample_x
        Number of bins in place of params; negative for logarithmic ones.
    dspacing
        Whether bins, and the result, are in d-spacing.
    d_min, d_max
        Limits of the bins in Å, one for all groups or one for each.
    delta_ragged
        Step of the bins, one for all groups or one for each, negative for logarithmic bins; goes before params. All
        groups must come to the same number of bins.
    t_min, t_max
        Times of flight before and after which data are left out, µs.
    preserve_events
        Whether events stay events or become a histogram.
    remove_prompt_pulse_width
        Time after every pulse that is cut out, µs.
    compress_tolerance
        Distance within which events are put together when they are asked for one by one, µs; 0 for never.
    compress_wall_clock_tolerance, compress_binning_mode
        More of the same, as CompressEvents has it: slots of time, s, and how the tolerance is meant.
    unwrap_ref
        Flight path (m) to which the fastest neutron takes TMin: events that come too early for it over their own path
        are moved to later times by TMax - TMin, which must both be known.
    low_res_ref
        Time of flight per d-spacing (µs/Å) by whose resolution, at TMin, others are measured: data at times at which
        their detectors resolve worse are left out, or see low_res_spectrum_offset.
    crop_wavelength_min, crop_wavelength_max
        Wavelengths outside which data are left out, Å.
    primary_flight_path, spectrum_ids, l2, polar, azimuthal
        Flight paths (m) and angles (degrees) that groups are to have, as in EditInstrumentGeometry.
    low_res_spectrum_offset
        What the numbers of spectra differ by that data of low resolution get of their own, below the others; negative
        for leaving them out.
    reduction_properties
        Property manager of PDDetermineCharacterizations: its d_min, d_max, tof_min, tof_max, wavelength_min,
        wavelength_max, unwrap_ref and lowres_ref are used where they are not given.
    unfocussed_workspace
        Name for the aligned data before they are focused, in d-spacing and, where all groups have the same, in the
        bins of the result.
    """
    manager = _Managed(reduction_properties)
    d_limits = manager.list("d_min", d_min), manager.list("d_max", d_max)
    t_limits = manager.number("tof_min", t_min), manager.number("tof_max", t_max)
    wavelengths = (
        manager.number("wavelength_min", crop_wavelength_min),
        manager.number("wavelength_max", crop_wavelength_max),
    )
    if unfocussed_workspace and store is None:
        raise ValueError("UnfocussedWorkspace: there is no store to put it into; give one")
    ws = _without_prompt_pulses(ws, remove_prompt_pulse_width)
    if compress_tolerance and isinstance(ws, EventWorkspace):
        mode = compress_binning_mode
        ws = compress_events(ws, compress_tolerance, compress_wall_clock_tolerance, binning_mode=mode)
    ws = _cropped_in(ws, "TOF", t_limits)
    if mask_bin_table is not None:
        ws = mask_bins_from_table(ws, mask_bin_table)
    if mask_workspace is not None:
        ws = mask_detectors(ws, masked_workspace=mask_workspace)
    frame = _Frame(manager.number("unwrap_ref", unwrap_ref), manager.number("lowres_ref", low_res_ref), *t_limits)
    calibration = _calibration(ws, cal_file_name, calibration_workspace, offsets_workspace)
    groups = _groups(ws, group_filename, grouping_workspace, cal_file_name)
    parts = [_cropped_in(part, "Wavelength", wavelengths) for part in frame.parts(ws, low_res_spectrum_offset >= 0)]
    in_d = [_in_unit(part, "dSpacing") if calibration is None else aligned_by(part, calibration) for part in parts]
    low, high = d_limits if dspacing else (np.array([] if t is None else [t]) for t in t_limits)
    steps, ragged = (np.atleast_1d(np.asarray(given, np.float64)) for given in (params, delta_ragged))
    bins = Bins(steps, resample_x, ragged, low, high, in_d=dspacing)
    if unfocussed_workspace and store is not None:
        store.replace(unfocussed_workspace, _unfocused(in_d[0], bins))
    place = Place(primary_flight_path, spectrum_ids, l2, polar)
    done = [_focused(part, groups, place, bins) for part in in_d]
    result = done[0]
    for worse in done[1:]:
        result = stacked(result, worse, validate=False, numbers=worse.spectra.numbers + low_res_spectrum_offset)
    return result if preserve_events or not isinstance(result, EventWorkspace) else result.to_histogram()


class _Managed:
    """Properties of a manager for those that are not given; there need be no such manager."""

    def __init__(self, name: str) -> None:
        self._manager = property_managers[name] if name in property_managers else None

    def number(self, name: str, given: float | None) -> float | None:
        if given is None and self._manager is not None and name in self._manager:
            given = float(self._manager[name].value)
        return given or None  # 0 stands for what nobody has said

    def list(self, name: str, given: Numbers) -> F64:
        numbers = np.atleast_1d(np.asarray(given, np.float64))
        if len(numbers) or self._manager is None or name not in self._manager:
            return numbers
        return np.atleast_1d(np.asarray(self._manager[name].value, np.float64))


def _without_prompt_pulses(ws: MatrixWorkspace, width: float) -> MatrixWorkspace:
    if ws.unit != "TOF":
        raise ValueError(f"InputWorkspace: X must be TOF, found {ws.unit!r}")
    return remove_prompt_pulse(ws, width) if width > 0 else ws


class _Frame(NamedTuple):
    """What is known of the frame of time in which neutrons are: reference path (m) and resolution (µs/Å), limits (µs).

    The limits are not taken from the data: these reach further with every chunk, and each would be cut in its own way.
    """

    path: float | None
    resolution: float | None
    t_min: float | None
    t_max: float | None

    def parts(self, ws: MatrixWorkspace, keep_low: bool) -> list[MatrixWorkspace]:
        """Return the workspace with late neutrons moved and badly resolved ones left out, if a reference says so.

        These are another workspace, if they are to be kept.
        """
        if self.path is not None:
            if self.t_min is None or self.t_max is None:
                raise ValueError("UnwrapRef: needs TMin and TMax, the beginning and end of the frame")
            ws = unwrapped(ws, self.path, self.t_min, self.t_max)
        if self.resolution is None:
            return [ws]
        if self.t_min is None:
            raise ValueError("LowResRef: needs TMin")
        parted = by_resolution(ws, self.resolution, self.t_min)
        return list(parted) if keep_low else [parted.good]


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
        return groups_of_file(ws, file)
    if calibration is None:
        return None
    check_exists(calibration)
    key = ("any group in", calibration, version_of(calibration), weakref.ref(ws.detectors))
    grouped = remembered(ws.spectra, key, lambda: bool(np.any(groups_in_file(calibration, ws) > 0)))
    return groups_of_file(ws, calibration) if grouped else None


def _unfocused(ws: MatrixWorkspace, bins: Bins) -> MatrixWorkspace:
    return rebinned(ws, bins.edges(ws)) if bins.in_d and bins.common else ws.clone()


def _focused(ws: MatrixWorkspace, groups: Groups | None, place: Place, bins: Bins) -> MatrixWorkspace:
    if isinstance(ws, EventWorkspace):
        return _focused_events(ws, groups, place, bins)
    return _focused_histogram(ws, groups, place, bins)


def _focused_events(ws: EventWorkspace, groups: Groups | None, place: Place, bins: Bins) -> MatrixWorkspace:
    joined = _without_masked(ws) if groups is None else focused(ws, groups)
    result = place.applied(joined.replaced(order=EventOrder.X))
    if not bins.in_d:
        result = _in_unit(result, "TOF")
    return rebinned(result, bins.edges(result)) if bins.given else result


def _without_masked(ws: EventWorkspace) -> MatrixWorkspace:
    """Return the workspace without events of masked spectra, as every group is: a flag alone does not drop them."""
    masked = ws.spectra.masked
    return masked_spectra(ws, masked) if masked.any() else ws


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
    empty = described.replaced(x=rows, y=np.zeros((len(rows), rows.shape[1] - 1)), e2=None, e=None, unit="TOF")
    result = place.applied(focused(ws, groups, np.atleast_2d(_in_unit(empty, "dSpacing").x)))
    return _in_unit(result, "TOF").replaced(x=edges)


def _ends(ws: MatrixWorkspace, groups: Groups) -> HistogramWorkspace:
    """One empty bin for each group, over all X of its spectra."""
    x = point_edges(np.atleast_2d(ws.x), ws.is_histogram)
    low, high = (np.broadcast_to(end, ws.n_spectra) for end in (x[:, 0], x[:, -1]))
    chosen = [members if len(members) else slice(None) for members in groups.members]
    rows = np.array([[low[at].min(), high[at].max()] for at in chosen])
    return HistogramWorkspace(
        rows, np.zeros((len(rows), 1)), detectors=ws.detectors, spectra=groups.spectra, unit=ws.unit
    )
