"""Workspaces made from numbers: CreateWorkspace and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.values import to_numbers, to_texts
from livereduce.workspaces import (
    HistogramWorkspace,
    MatrixWorkspace,
    NumericAxis,
    Spectra,
    TableWorkspace,
)
from livereduce.workspaces.arrays import F64
from livereduce.workspaces.axes import unit


@algorithm("CreateWorkspace", names={"n_spec": "NSpec"})
def create_workspace(
    data_x: Numbers,
    data_y: Numbers,
    data_e: Numbers = (),
    n_spec: int = 1,
    unit_x: str = "",
    vertical_axis_unit: str = "SpectraNumber",
    vertical_axis_values: Any = (),
    distribution: bool = False,
    parent_workspace: MatrixWorkspace | None = None,
    y_unit_label: str = "",
    workspace_title: str = "",
    dx: Numbers = (),
) -> HistogramWorkspace:
    """Make a workspace from lists of numbers.

    Parameters
    ----------
    data_x
        Bin edges (one more than values) or points, of one spectrum for all or of all one after another.
    data_y
        Values of all spectra one after another.
    data_e
        Standard deviations, as many as values; without, they are zero.
    n_spec
        Number of spectra.
    unit_x
        Unit of X, as in ConvertUnits, in any case; empty for none.
    vertical_axis_unit
        SpectraNumber, Text, or the unit of the vertical axis values.
    vertical_axis_values
        Values of the vertical axis, one per spectrum (or one more: edges). With Text, what each spectrum is called.
    distribution
        Whether the values are divided by the bin widths.
    parent_workspace
        Where instrument, logs, comment and (if it has as many) spectra are taken from; units, labels and title too if
        they are not given.
    y_unit_label
        Label of Y.
    workspace_title
        Title.
    dx
        Resolution of X, as many as values.
    """
    y = _as_rows("DataY", data_y, n_spec)
    numeric, labels = _vertical(vertical_axis_unit, vertical_axis_values, n_spec)
    e, resolution = np.asarray(data_e, np.float64), np.asarray(dx, np.float64)
    result = HistogramWorkspace(
        _x_rows(data_x, y.shape),
        y,
        e=_as_rows("DataE", e, n_spec, y.shape[1]) if e.size else None,
        dx=_as_rows("Dx", resolution, n_spec, y.shape[1]) if resolution.size else None,
        title=workspace_title,
        unit=unit(unit_x).id,
        y_unit="",
        y_label=y_unit_label,
        distribution=distribution,
        vertical=numeric,
        spectra=Spectra(np.arange(1, n_spec + 1), labels=labels),
    )
    return result if parent_workspace is None else _with_parent(result, parent_workspace)


def _vertical(name: str, given: object, n_spec: int) -> tuple[NumericAxis | None, list[str] | None]:
    """Return the numbers or the labels on the vertical axis, if it is not simply spectrum numbers."""
    if name == "SpectraNumber":
        return None, None
    if name.lower() == "text":
        labels = to_texts(given)
        if len(labels) != n_spec:
            raise ValueError(f"VerticalAxisValues: {len(labels)} labels for {n_spec} spectra; expected one each")
        return None, labels
    values = to_numbers(given)
    if len(values) not in (n_spec, n_spec + 1):
        raise ValueError(f"VerticalAxisValues: {len(values)} values for {n_spec} spectra; expected one each")
    return NumericAxis.of(values, unit(name).id), None


def _as_rows(name: str, data: Numbers, n_spec: int, bins: int | None = None) -> F64:
    values = np.array(data, np.float64).reshape(-1)
    if n_spec < 1 or not values.size or values.size % n_spec or (bins and values.size != bins * n_spec):
        wanted = f"{bins * n_spec}" if bins else "a multiple of NSpec"
        raise ValueError(f"{name}: {values.size} values for NSpec={n_spec}; expected {wanted}")
    return values.reshape(n_spec, -1)


def _x_rows(data: Numbers, shape: tuple[int, int]) -> F64:
    x = np.array(data, np.float64).reshape(-1)
    n, bins = shape
    if x.size in (bins, bins + 1):
        return x
    if x.size in (n * bins, n * (bins + 1)):
        return x.reshape(n, -1)
    raise ValueError(
        f"DataX: {x.size} values for {n} spectra of {bins}; expected {bins} or {bins + 1}, for all or for each"
    )


def _with_parent(ws: HistogramWorkspace, parent: MatrixWorkspace) -> HistogramWorkspace:
    spectra = parent.spectra if parent.n_spectra == ws.n_spectra else ws.spectra
    if ws.spectra.labels is not None:
        spectra = spectra.with_labels(ws.spectra.labels)
    result = ws.replaced(
        detectors=parent.detectors,
        spectra=spectra,
        run=parent.logs.clone(),
        unit=ws.unit or parent.unit,
        y_unit=parent.y_unit,
        y_label=ws.y_label or parent.y_label,
        title=ws.title or parent.title,
    )
    result.comment = parent.comment
    return result


@algorithm("CreateSingleValuedWorkspace")
def create_single_valued_workspace(data_value: float = 0.0, error_value: float = 0.0) -> HistogramWorkspace:
    """Make a workspace that is a number with an error, for arithmetic with others.

    Parameters
    ----------
    data_value
        The number.
    error_value
        Its standard deviation.
    """
    return HistogramWorkspace([0.0], [[data_value]], e=[[error_value]], unit="", y_unit="")


@algorithm("CreateEmptyTableWorkspace")
def create_empty_table_workspace(title: str = "") -> TableWorkspace:
    """Make a table without columns.

    Parameters
    ----------
    title
        Title.
    """
    return TableWorkspace(title=title)
