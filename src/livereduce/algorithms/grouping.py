"""Spectra summed in groups: GroupDetectors."""

from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from livereduce.algorithms import values
from livereduce.algorithms.by_detector import bare_instrument
from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.files import check_exists, version_of
from livereduce.algorithms.memory import remembered
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import check_indices, distinct, indices_of_numbers, united
from livereduce.geometry import GeometryError
from livereduce.geometry.grouping import load_grouping
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Part, Plan, Spectra
from livereduce.workspaces.arrays import F64, I32, I64, Column

log = logging.getLogger(__name__)


class Group(NamedTuple):
    """Workspace indices of the spectra that become one, and its spectrum number."""

    number: int
    indices: I64


@dataclass(frozen=True, eq=False)
class Layout:
    """What becomes of the spectra.

    Attributes
    ----------
    members
        Workspace indices of each group, masked ones apart.
    spectra
        What the groups are as spectra.
    targets
        Of each layer int32[spectra], the group of each spectrum or -1: one that is used twice needs two layers.
    """

    members: tuple[I64, ...]
    spectra: Spectra
    targets: tuple[I32, ...]


@algorithm("GroupDetectors", version=2)
def group_detectors(
    ws: MatrixWorkspace,
    map_file: Path | None = None,
    ignore_group_number: bool = True,
    grouping_pattern: str = "",
    spectra_list: Integers = (),
    detector_list: Integers = (),
    workspace_index_list: Integers = (),
    keep_ungrouped_spectra: bool = False,
    behaviour: Literal["Sum", "Average"] = "Sum",
    preserve_events: bool = True,
    copy_grouping_from_workspace: MatrixWorkspace | None = None,
) -> MatrixWorkspace:
    """Sum or average groups of spectra; events stay events. Masked spectra are left out of their group.

    Groups come from exactly one of a file, a pattern, a list (which makes one group) or a grouping workspace. One with
    a list has the smallest spectrum number in it, the others are numbered. The vertical axis becomes that of spectra.

    Parameters
    ----------
    map_file
        ``.map`` text (number of groups; of each its number, how many spectra and which) or grouping XML.
    ignore_group_number
        Whether the groups of a map are numbered in its order; without, by their own numbers in it.
    grouping_pattern
        Workspace indices: ``,`` between groups, ``+`` and ``-`` (a range) for one, ``a:b`` for each from a to b alone.
    spectra_list
        Spectrum numbers of one group.
    detector_list
        Detector IDs of one group.
    workspace_index_list
        Workspace indices of one group.
    keep_ungrouped_spectra
        Whether all other spectra follow after the groups.
    behaviour
        Whether a group is the sum or the mean of its spectra.
    preserve_events
        Whether events stay events or become a histogram.
    copy_grouping_from_workspace
        A workspace whose values are the groups of its spectra's detectors (0 and below for none).
    """
    if not ws.common_bins:
        raise ValueError("InputWorkspace: its spectra have different bins; Rebin it first")
    sources = {
        "MapFile": map_file is not None,
        "GroupingPattern": bool(grouping_pattern),
        "SpectraList": len(spectra_list) > 0,
        "DetectorList": len(detector_list) > 0,
        "WorkspaceIndexList": len(workspace_index_list) > 0,
        "CopyGroupingFromWorkspace": copy_grouping_from_workspace is not None,
    }
    if sum(sources.values()) != 1:
        given = [name for name, there in sources.items() if there]
        raise ValueError(f"give exactly one of {', '.join(sources)}; found {', '.join(given) or 'none'}")
    find, depends_on = _request(
        ws,
        map_file,
        grouping_pattern,
        (spectra_list, detector_list, workspace_index_list),
        copy_grouping_from_workspace,
        own_numbers=not ignore_group_number,
    )
    key = ("GroupDetectors", depends_on, keep_ungrouped_spectra)
    layout = remembered(ws.spectra, key, lambda: _layout(ws, find(), keep_ungrouped_spectra))
    result = grouped(ws, layout, average=behaviour == "Average")
    return result if preserve_events or not isinstance(result, EventWorkspace) else result.to_histogram()


def _request(
    ws: MatrixWorkspace,
    path: Path | None,
    pattern: str,
    lists: Sequence[Integers],
    grouping: MatrixWorkspace | None,
    *,
    own_numbers: bool,
) -> tuple[Callable[[], list[Group]], Hashable]:
    """Return how the groups are found, and what that depends on besides the spectra."""
    if path is not None:
        check_exists(path)
        depends_on = (path, version_of(path), weakref.ref(ws.detectors), own_numbers)
        return lambda: _from_file(ws, path, own_numbers), depends_on
    if pattern:
        return lambda: _from_pattern(ws, pattern), pattern
    if grouping is not None:
        return lambda: _from_workspace(ws, grouping), (weakref.ref(grouping.spectra), Column(grouping.y))
    arrays = [np.asarray(items, np.int64) for items in lists]
    return lambda: [_listed(ws, *arrays)], tuple(array.tobytes() for array in arrays)


def _layout(ws: MatrixWorkspace, groups: list[Group], keep_ungrouped: bool) -> Layout:
    if keep_ungrouped:
        used = distinct(np.concatenate([group.indices for group in groups]))
        rest = np.setdiff1d(np.arange(ws.n_spectra), used)
        groups = [*groups, *(Group(int(ws.spectra.numbers[i]), np.array([i])) for i in rest)]
    if not groups:
        raise ValueError("the grouping has no groups")
    masked = ws.spectra.masked
    members = tuple(group.indices[~masked[group.indices]] for group in groups)
    spectra = united(ws.spectra, [group.number for group in groups], [group.indices for group in groups])
    return Layout(members, spectra, _targets(members, ws.n_spectra))


def grouped(ws: MatrixWorkspace, layout: Layout, *, average: bool = False) -> MatrixWorkspace:
    """Return one spectrum a group, the sum or mean of its spectra that are not masked."""
    members, spectra = layout.members, layout.spectra
    count = np.array([max(len(m), 1) for m in members], np.float64)[:, None]
    if isinstance(ws, EventWorkspace):
        result = ws.replaced(parts=_grouped_parts(ws, layout), spectra=spectra, vertical=None)
        if average and np.any(count > 1):
            result = result.planned(lambda plan: plan.multiplied(1.0 / count))
        return result
    histogram = as_histogram(ws)
    y, e2 = _summed(histogram.y, members), _summed(histogram.e2, members)
    x = histogram.x if histogram.x.ndim == 1 else histogram.x[0]
    changes = {"y": y / count, "e2": e2 / count**2} if average else {"y": y, "e2": e2}
    return histogram.replaced(x=x, **changes, e=None, dx=None, bin_mask=None, spectra=spectra, vertical=None)


def _summed(rows: F64, members: Sequence[I64]) -> F64:
    result = np.zeros((len(members), rows.shape[1]))
    for i, indices in enumerate(members):
        result[i] = rows[indices].sum(axis=0)
    return result


def _targets(members: Sequence[I64], n_spectra: int) -> tuple[I32, ...]:
    index = np.concatenate([*members, np.empty(0, np.int64)])
    group = np.repeat(np.arange(len(members)), [len(m) for m in members])
    order = np.argsort(index, kind="stable")
    index, group = index[order], group[order]
    nth = np.arange(len(index)) - np.searchsorted(index, index)
    targets = []
    for layer in range(int(nth.max(initial=0)) + 1):
        target: I32 = np.full(n_spectra, -1, np.int32)
        target[index[nth == layer]] = group[nth == layer]
        targets.append(target)
    return tuple(targets)


def _grouped_parts(ws: EventWorkspace, layout: Layout) -> list[Part]:
    """Parts of which each sends a spectrum to one group."""

    def grouped_by(layer: int, plan: Plan) -> Plan:
        return remembered(layout, (plan, layer), lambda: plan.grouped(layout.targets[layer], len(layout.members)))

    return [part for layer in range(len(layout.targets)) for part in ws.changed_parts(partial(grouped_by, layer))]


def _listed(ws: MatrixWorkspace, numbers: I64, ids: I64, indices: I64) -> Group:
    found = _found(ws, numbers, ids, indices)
    return Group(int(ws.spectra.numbers[found].min()), found)


def _found(ws: MatrixWorkspace, numbers: I64, ids: I64, found: I64) -> I64:
    check_indices(ws, found)
    if len(numbers):
        found = indices_of_numbers(ws, "SpectraList", numbers)
    if len(ids):
        if len(missing := np.setdiff1d(ids, ws.spectra.ids)):
            raise ValueError(f"DetectorList: no spectrum has detector {missing[0]}")
        return distinct(ws.spectra.owner[np.isin(ws.spectra.ids, ids)])
    if len(distinct(found)) < len(found):
        log.warning("GroupDetectors: a spectrum is listed more than once and counts as often")
    return found


def _from_pattern(ws: MatrixWorkspace, pattern: str) -> list[Group]:
    lists: list[I64] = []
    for item in re.split(r"\s*,\s*", pattern.strip()):
        if single := re.fullmatch(r"(\d+)\s*:\s*(\d+)", item):
            lists += [np.array([i]) for i in range(int(single[1]), int(single[2]) + 1)]
        elif re.fullmatch(r"[\d\s+-]+", item):
            lists.append(_joined(item))
        else:
            raise ValueError(f"GroupingPattern: cannot read {item!r}; expected such as 0-3,5+7,9:11")
    for indices in lists:
        check_indices(ws, indices)
    return [Group(i, indices) for i, indices in enumerate(lists, start=1)]


def _joined(item: str) -> I64:
    try:
        return values.to_integers(item.replace("+", ","))
    except ValueError as problem:
        raise ValueError(f"GroupingPattern: {problem}") from None


def _from_workspace(ws: MatrixWorkspace, grouping: MatrixWorkspace) -> list[Group]:
    if not len(grouping.spectra.ids):
        raise ValueError("CopyGroupingFromWorkspace: its spectra have no detectors")
    at = grouping.spectra.index_of_detectors(ws.spectra.ids)
    return _by_detector(np.where(at >= 0, grouping.y[at, 0].astype(np.int64), 0), ws.spectra.owner)


def _from_file(ws: MatrixWorkspace, path: Path, own_numbers: bool) -> list[Group]:
    ids = ws.spectra.ids if len(ws.spectra.ids) else np.arange(ws.n_spectra)
    instrument = ws.detectors.instrument or bare_instrument("workspace", ids)
    rows = instrument.rows_of(ids) if len(ws.spectra.ids) else ids
    owner = ws.spectra.owner if len(ws.spectra.ids) else rows
    numbers = np.full(len(instrument), np.iinfo(np.int64).min)
    numbers[rows[rows >= 0]] = ws.spectra.numbers[owner[rows >= 0]]
    try:
        found = load_grouping(path, instrument, numbers)
    except (GeometryError, OSError) as error:
        raise RuntimeError(f"MapFile: {error}") from error
    is_map = not path.read_text(encoding="utf-8-sig", errors="replace").lstrip().startswith("<")
    for warning in found.warnings:
        if is_map and "are not in the instrument" in warning:
            raise ValueError(f"MapFile: {path}: {warning.replace('the instrument', 'the workspace')}")
        log.warning("GroupDetectors: %s: %s", path, warning)
    of_detector = np.where(rows >= 0, found.group[rows], 0)
    groups = _by_detector(of_detector, owner)
    return [Group(int(found.names[g.number]), g.indices) for g in groups] if is_map and own_numbers else groups


def _by_detector(group: I64, owner: I64) -> list[Group]:
    """Groups in ascending order, from the group of each detector and the spectrum it is in."""
    owner, group = owner[group > 0], group[group > 0]
    if not len(group):
        raise ValueError("the grouping has no detector of the workspace")
    order = np.argsort(group, kind="stable")
    owner, group = owner[order], group[order]
    border = np.flatnonzero(np.diff(group)) + 1
    numbers = group[np.concatenate([[0], border])]
    return [Group(int(n), distinct(own)) for n, own in zip(numbers, np.split(owner, border), strict=True)]
