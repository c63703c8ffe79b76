"""DiffractionFocussing: spectra summed by group."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from livereduce.algorithms.binning import edges_by_row, point_edges, shared_out
from livereduce.algorithms.by_detector import values_of
from livereduce.algorithms.calibration_files import groups_in_file
from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.files import check_exists, version_of
from livereduce.algorithms.memory import remembered, warned_once
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import united
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, Spectra
from livereduce.workspaces.arrays import F64, I32, I64, Column

log = logging.getLogger(__name__)


@algorithm("DiffractionFocussing", version=2)
def diffraction_focussing(
    ws: MatrixWorkspace,
    grouping_file_name: Path | None = None,
    grouping_workspace: MatrixWorkspace | None = None,
    preserve_events: bool = True,
    d_min: Numbers = (),
    d_max: Numbers = (),
    delta: Numbers = (),
    full_bins_only: bool = False,
) -> MatrixWorkspace:
    """Sum the spectra of each group; output spectra are in the order of, and numbered as, their groups.

    A histogram is first rebinned, each group to logarithmic bins from its least to its greatest X, as many as there
    were; values of bins that are partly masked are scaled up to the full number of spectra. Events are joined and keep
    the bins they have in common.

    Parameters
    ----------
    ws
        Usually in d-spacing. Spectra in no group, and masked ones, are left out.
    grouping_file_name
        Five-column calibration (``.cal``), HDF5 calibration or grouping XML.
    grouping_workspace
        Group of each detector as a workspace.
    preserve_events
        Whether events stay events or become a histogram.
    d_min, d_max, delta
        Bins of each group, or of all: limits and step, a negative one logarithmic. All groups must come to the same
        number of bins.
    full_bins_only
        Whether what is left over of these bins at the end is dropped.
    """
    if (grouping_file_name is None) == (grouping_workspace is None):
        raise ValueError("give GroupingFileName or GroupingWorkspace, one of the two")
    if grouping_workspace is not None:
        groups = groups_of_workspace(ws, grouping_workspace)
    else:
        assert grouping_file_name is not None
        groups = groups_of_file(ws, grouping_file_name)
    edges = _bins_given(len(groups.members), d_min, d_max, delta, full_bins_only)
    return focused(ws, groups, edges, preserve_events=preserve_events)


@dataclass(frozen=True, eq=False)
class Groups:
    """Which spectra become which.

    Attributes
    ----------
    members
        Workspace indices of each group, masked ones apart.
    target
        int32[spectra]: group of each spectrum, -1 for none.
    spectra
        What the groups are as spectra.
    """

    members: tuple[I64, ...]
    target: I32
    spectra: Spectra

    @classmethod
    def of(cls, spectra: Spectra, numbers: npt.ArrayLike, of_spectrum: I32) -> Groups:
        """Make groups numbered so, from the place of each spectrum's group among the numbers (-1 for none)."""
        order = np.argsort(of_spectrum, kind="stable")
        border = np.searchsorted(of_spectrum[order], np.arange(len(np.asarray(numbers)) + 1))
        everybody = [order[a:b] for a, b in pairwise(border.tolist())]
        masked = spectra.masked
        members = tuple(indices[~masked[indices]] for indices in everybody)
        target = np.where(masked, -1, of_spectrum).astype(np.int32)
        return cls(members, target, united(spectra, numbers, everybody))


def groups_of_workspace(ws: MatrixWorkspace, grouping: MatrixWorkspace) -> Groups:
    """Groups of the workspace's spectra from the group of each detector in another; worked out once."""
    key = (weakref.ref(grouping.spectra), Column(grouping.y))

    def make() -> Groups:
        return groups_of_detectors(ws.spectra, values_of(grouping, ws.spectra.ids).astype(np.int64))

    return remembered(ws.spectra, key, make)


def groups_of_file(ws: MatrixWorkspace, path: Path) -> Groups:
    """Groups of the workspace's spectra from a file of any kind; worked out once for each version of it."""
    check_exists(path)
    key = ("groups of a file", path, version_of(path), weakref.ref(ws.detectors))
    return remembered(ws.spectra, key, lambda: groups_of_detectors(ws.spectra, groups_in_file(path, ws)))


def groups_of_detectors(spectra: Spectra, of_detector: I64) -> Groups:
    """Groups in ascending order, from the group of each detector of the spectra; mixed spectra are in none."""
    lengths = np.diff(spectra.start)
    filled = np.flatnonzero(lengths)
    if not len(filled):
        raise ValueError("no detector of the workspace is in a group: its spectra have no detectors")
    least, greatest = (f.reduceat(of_detector, spectra.start[filled]) for f in (np.minimum, np.maximum))
    mixed = least != greatest
    if mixed.any():
        message = "%d spectra have detectors of several groups: they are left out"
        warned_once(spectra, log, message, int(np.count_nonzero(mixed)))
    used = (least > 0) & ~mixed
    numbers, place = np.unique(least[used], return_inverse=True)
    if not len(numbers):
        raise ValueError("no detector of the workspace is in a group")
    of_spectrum = np.full(len(spectra), -1, np.int32)
    of_spectrum[filled[used]] = place
    return Groups.of(spectra, numbers, of_spectrum)


def each_alone(spectra: Spectra) -> Groups:
    """Return every spectrum as a group of its own."""
    return Groups.of(spectra, spectra.numbers, np.arange(len(spectra), dtype=np.int32))


def focused(
    ws: MatrixWorkspace, groups: Groups, edges: F64 | None = None, *, preserve_events: bool = True
) -> MatrixWorkspace:
    """Return one spectrum a group, in these bins (a row for all or one each) or in those said by the module."""
    if isinstance(ws, EventWorkspace):
        joined = _joined_events(ws, groups, edges)
        return joined if preserve_events else joined.to_histogram()
    histogram = as_histogram(ws)
    return _summed_histogram(histogram, groups, group_edges(histogram, groups) if edges is None else edges)


def _joined_events(ws: EventWorkspace, groups: Groups, edges: F64 | None) -> EventWorkspace:
    bins: F64 | Column | None = edges
    if edges is None and not ws.default_binning:
        bins = ws.edges if ws.edges.ndim == 1 else group_edges(ws, groups)
    n = len(groups.members)
    return ws.planned(
        lambda plan: remembered(groups, plan, lambda: plan.grouped(groups.target, n)),
        spectra=groups.spectra,
        edges=bins,
    )


def group_edges(ws: MatrixWorkspace, groups: Groups) -> F64:
    """Logarithmic bins of each group from its least to its greatest X, as many as the workspace has.

    The step is the mean one in the logarithm, (ln max - ln min) / bins, taken as a relative step; so the last edge
    falls a little short of the greatest X. A least X that is not positive becomes the greatest divided by the bins.
    """
    n = ws.n_bins
    x = point_edges(np.atleast_2d(ws.x), ws.is_histogram)
    low, high = (np.broadcast_to(end, ws.n_spectra) for end in (x[:, 0], x[:, -1]))
    rows = []
    for members in groups.members:
        at = members if len(members) else slice(None)
        least, greatest = float(low[at].min()), float(high[at].max())
        if least <= 0:
            least = greatest / n
        step = (np.log(greatest) - np.log(least)) / n
        rows.append(least * (1 + step) ** np.arange(n + 1))
    return np.array(rows) if any(not np.array_equal(row, rows[0]) for row in rows) else rows[0]


def _bins_given(groups: int, d_min: Numbers, d_max: Numbers, delta: Numbers, full_bins_only: bool) -> F64 | None:
    limits = {"DMin": d_min, "DMax": d_max, "Delta": delta}
    columns = {name: np.atleast_1d(np.asarray(values, np.float64)) for name, values in limits.items()}
    given = [name for name, values in columns.items() if len(values)]
    if not given:
        return None
    if len(given) < 3:
        raise ValueError(f"give all of DMin, DMax and Delta, or none; found only {', '.join(given)}")
    for name, values in columns.items():
        if len(values) not in (1, groups):
            raise ValueError(f"{name}: {len(values)} values for {groups} groups; expected one, or one each")
    low, steps, high = (np.broadcast_to(columns[name], groups) for name in ("DMin", "Delta", "DMax"))
    return edges_by_row(low, steps, high, full_bins_only)


def _summed_histogram(ws: HistogramWorkspace, groups: Groups, edges: F64) -> HistogramWorkspace:
    n = len(groups.members)
    rows = np.broadcast_to(edges, (n, edges.shape[-1]))
    y, e2 = np.zeros((n, edges.shape[-1] - 1)), np.zeros((n, edges.shape[-1] - 1))
    for i, members in enumerate(groups.members):
        if len(members):
            y[i], e2[i] = _sum_of(ws, members, rows[i])
    return ws.replaced(x=edges, y=y, e2=e2, e=None, dx=None, bin_mask=None, spectra=groups.spectra)


def _sum_of(ws: HistogramWorkspace, members: I64, edges: F64) -> tuple[F64, F64]:
    x = np.atleast_2d(point_edges(ws.x, ws.is_histogram))
    x = x if len(x) == 1 else x[members]
    shared = shared_out(x, ws.y[members], ws.e2[members], edges, distribution=ws.distribution)
    y, e2 = (rows.sum(axis=0) for rows in shared)
    if ws.bin_mask is None or not ws.bin_mask[members].any():
        return y, e2
    # share of each new bin that is masked in a spectrum; the rest stands for all of it
    masked = ws.bin_mask[members].astype(np.float64)
    share = shared_out(x, masked, masked, edges, distribution=True)[0].sum(axis=0) / len(members)
    scale = np.divide(1.0, 1.0 - share, out=np.zeros_like(share), where=share < 1.0 - 1e-12)
    return y * scale, e2 * scale**2
