"""Fit: parameters of a function by least squares; EvaluateFunction: its values with the parameters given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.fitting import least_squares
from livereduce.algorithms.fitting.find_peaks import guess
from livereduce.algorithms.fitting.functions import Function, Member, integrated, parse
from livereduce.algorithms.fitting.least_squares import Fitted, Points
from livereduce.algorithms.spectra import check_indices
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, TableWorkspace, Workspace, WorkspaceStore
from livereduce.workspaces.arrays import F64

COST_FUNCTIONS = Literal["Least squares", "Unweighted least squares"]


class FitResult(NamedTuple):
    """What Fit gives; the workspaces only if they are asked for (CreateOutput or Output), as in Mantid.

    Attributes
    ----------
    output_status
        "success", or why the fit stopped.
    output_chi2_over_dof
        Sum of squared weighted residuals per degree of freedom.
    output_normalised_covariance_matrix
        Table of the parameters' correlations in percent.
    output_parameters
        Table of names, values and errors; the last row is the cost.
    output_workspace
        Data, calculated values and their difference.
    """

    output_status: str
    output_chi2_over_dof: float
    output_normalised_covariance_matrix: Any = None
    output_parameters: Any = None
    output_workspace: Any = None


class Spectrum(NamedTuple):
    """Part of a spectrum to fit: edges or points as they are, one X for each value, values, deviations."""

    axis: F64
    x: F64
    y: F64
    e: F64


@algorithm(
    "Fit",
    names={"output_chi2_over_dof": "OutputChi2overDoF"},
    outputs_after="ws",
)
def fit(
    function: str,
    ws: MatrixWorkspace | TableWorkspace,
    ties: str = "",
    constraints: str = "",
    max_iterations: int = 500,
    minimizer: str = "Levenberg-Marquardt",
    cost_function: COST_FUNCTIONS = "Least squares",
    create_output: bool = False,
    output: str = "",
    calc_errors: bool = False,
    output_composite_members: bool = False,
    output_parameters_only: bool = False,
    ignore_invalid_data: bool = False,
    workspace_index: int = 0,
    start_x: float | None = None,
    end_x: float | None = None,
    exclude: Numbers = (),
    normalise: bool = False,
    evaluation_type: Literal["CentrePoint", "Histogram"] = "CentrePoint",
    x_column: str = "",
    y_column: str = "",
    err_column: str = "",
    peak_radius: int = 0,
    step_size_method: str = "Default",
    domain_type: str = "Simple",
    convolve_members: bool = False,
    store: WorkspaceStore | None = None,
) -> FitResult:
    """Fit a function to a spectrum, or to the columns of a table, by least squares weighted with 1/E.

    Of bins, X is the centre. An error of 0 counts as 1. Peak parameters that the function does not give begin at what
    the data look like.

    Parameters
    ----------
    function
        Functions to add, ``name=Gaussian,PeakCentre=5;name=LinearBackground``, with the values to begin with; or a
        function object, ``Gaussian(PeakCentre=5) + LinearBackground()``.
    ws
        Data.
    ties
        Parameters that follow from others or are fixed: ``f1.Sigma=f0.Sigma,f1.A0=2``.
    constraints
        Limits: ``0<f0.Sigma<3,f1.A0>0``.
    max_iterations
        At most so many steps; 0 leaves the parameters.
    minimizer
        Accepted for scripts that give it; the method is always Levenberg-Marquardt (inside limits a trust region).
    cost_function
        Whether the deviations are weighted.
    create_output
        Whether there are output workspaces, stored under the input's name with endings.
    output
        Name to use in place of the input's; ``<name>_NormalisedCovarianceMatrix``, ``<name>_Parameters``,
        ``<name>_Workspace``.
    calc_errors
        Accepted for scripts that give it; errors are always computed.
    output_composite_members
        Whether the output workspace has a spectrum for every member of the function as well.
    output_parameters_only
        Whether the output workspace is left out.
    ignore_invalid_data
        Whether points that are not finite, or without error, are left out; without, the former are an error.
    workspace_index
        Spectrum to fit.
    start_x, end_x
        Range of X to fit in; bins are in it if their centre is.
    exclude
        Ranges of X to leave out: start, end, start, end, ....
    normalise
        Whether counts and errors of bins are divided by the bins' widths first.
    evaluation_type
        Whether the function is taken at the centre of a bin or, as Histogram, integrated over it (Gaussian, Lorentzian,
        FlatBackground, LinearBackground and their sums).
    x_column, y_column, err_column
        With a table: its columns; by default the first three.
    peak_radius, step_size_method, domain_type, convolve_members
        Accepted for scripts that give them: peaks are evaluated everywhere, derivatives are exact, and there are no
        convolutions.

    Returns
    -------
    output_status
        "success", or why not.
    output_chi2_over_dof
        chi² divided by the number of points used less that of free parameters.
    output_normalised_covariance_matrix
        Table of correlations of the free parameters, percent; this and the next two only with outputs.
    output_parameters
        Table of names, values and errors; the last row is chi² per degree of freedom. The error of a tied parameter
        follows from those it is tied to.
    output_workspace
        Data, calculated values (with the error that follows from those of the parameters), difference.
    """
    model = parse(function, ties, constraints)
    whole = _read(ws, workspace_index, x_column, y_column, err_column)
    counts = isinstance(ws, MatrixWorkspace) and ws.is_histogram and not ws.distribution
    spectrum = _selected(_per_width(whole) if normalise and counts else whole, start_x, end_x)
    points = points_of(
        spectrum,
        exclude=exclude,
        ignore_invalid=ignore_invalid_data,
        zero_error_weight=0.0 if ignore_invalid_data else 1.0,
        weighted=cost_function == "Least squares",
    )
    model = begun(model, points)
    if evaluation_type == "Histogram":
        model, points = _over_bins(model, points, spectrum)
    fitted = least_squares.fit(model, points, max_iterations)
    if not create_output and not output:
        return FitResult(fitted.status, fitted.reduced_chi2)
    base = output or ws.name() or "Output"
    members = output_composite_members
    compared = None if output_parameters_only else comparison(spectrum, fitted, ws, points.x, members=members)
    return FitResult(
        fitted.status,
        fitted.reduced_chi2,
        _stored(store, f"{base}_NormalisedCovarianceMatrix", covariance_table(fitted)),
        _stored(store, f"{base}_Parameters", parameter_table(fitted)),
        _stored(store, f"{base}_Workspace", compared),
    )


@algorithm("EvaluateFunction", outputs_after="ws")
def evaluate_function(
    function: str,
    ws: MatrixWorkspace,
    workspace_index: int = 0,
    start_x: float | None = None,
    end_x: float | None = None,
) -> MatrixWorkspace:
    """Evaluate a function at the X of a spectrum: the data, the function and the difference.

    Parameters
    ----------
    function
        Functions to add, ``name=Gaussian,Height=2,PeakCentre=5;name=LinearBackground``.
    ws
        Where X and the data are from.
    workspace_index
        Spectrum.
    start_x, end_x
        Range of X; bins are in it if their centre is.
    """
    model = parse(function)
    spectrum = _selected(_read(ws, workspace_index), start_x, end_x)
    calculated = model(spectrum.x, model.start)
    rows = [spectrum.y, calculated, spectrum.y - calculated]
    return _spectra(spectrum, rows, [spectrum.e, *np.zeros((2, len(spectrum.x)))], ws)


# -- data ---------------------------------------------------------------------------------------------------------


def read_spectrum(ws: MatrixWorkspace, index: int, start: float | None = None, end: float | None = None) -> Spectrum:
    """Return a spectrum, or the part of it whose X (of bins, the centre) is in a range."""
    return _selected(_read(ws, index), start, end)


def _read(ws: Workspace, index: int, *columns: str) -> Spectrum:
    if isinstance(ws, TableWorkspace):
        return _columns(ws, columns)
    assert isinstance(ws, MatrixWorkspace)
    if any(columns):
        raise ValueError("XColumn, YColumn and ErrColumn are for tables, InputWorkspace is none")
    check_indices(ws, [index])
    x = ws.readX(index)
    return Spectrum(x, (x[1:] + x[:-1]) / 2 if ws.is_histogram else x, ws.readY(index), ws.readE(index))


def _per_width(spectrum: Spectrum) -> Spectrum:
    width = np.diff(spectrum.axis)
    return spectrum._replace(y=spectrum.y / width, e=spectrum.e / width)


def _columns(ws: TableWorkspace, columns: tuple[str, ...]) -> Spectrum:
    there = ws.getColumnNames()
    values = []
    for i, (prop, name) in enumerate(zip(("XColumn", "YColumn", "ErrColumn"), columns, strict=True)):
        name = name or (there[i] if i < len(there) else "")
        if name not in there and (name or i < 2):
            raise ValueError(f"{prop}: the table has no column {name!r}; it has {', '.join(there) or 'none'}")
        values.append(np.array(ws.column(name), np.float64) if name else np.zeros(len(ws)))
    return Spectrum(values[0], *values)


def _selected(spectrum: Spectrum, start: float | None, end: float | None) -> Spectrum:
    """Return the points from start to end, which may be given in either order."""
    low, high = (-np.inf if start is None else start), (np.inf if end is None else end)
    if start is not None and end is not None:
        low, high = min(low, high), max(low, high)
    inside = np.flatnonzero((spectrum.x >= low) & (spectrum.x <= high))
    if not len(inside):
        reach = f"{spectrum.x.min():g} to {spectrum.x.max():g}" if len(spectrum.x) else "of no points"
        raise ValueError(f"StartX and EndX: no point is between {low:g} and {high:g}; X is {reach}")
    first, last = int(inside[0]), int(inside[-1]) + 1
    edge = len(spectrum.axis) - len(spectrum.x)
    part = slice(first, last)
    return Spectrum(spectrum.axis[first : last + edge], spectrum.x[part], spectrum.y[part], spectrum.e[part])


def points_of(
    spectrum: Spectrum,
    *,
    exclude: Numbers = (),
    ignore_invalid: bool = False,
    zero_error_weight: float = 1.0,
    weighted: bool = True,
) -> Points:
    """Return the points to fit with weights 1/E, where E is 0 the given one, and 0 for those that are left out."""
    finite = np.isfinite(spectrum.y) & np.isfinite(spectrum.e)
    if not ignore_invalid and not finite.all():
        where = spectrum.x[~finite][0]
        raise ValueError(
            f"InputWorkspace: is not finite at X={where:g} ({np.count_nonzero(~finite)} points are not);"
            " IgnoreInvalidData=True leaves such points out"
        )
    known = finite & (spectrum.e > 0)
    weight = np.where(known, 1.0, np.where(finite, zero_error_weight, 0.0))
    if weighted:
        np.divide(1.0, spectrum.e, out=weight, where=known)
    ranges = np.asarray(exclude, np.float64)
    if len(ranges) % 2 or np.any(ranges[::2] > ranges[1::2]):
        raise ValueError(f"Exclude: expected pairs of start and end, found {ranges.tolist()}")
    for low, high in ranges.reshape(-1, 2):
        weight[(spectrum.x >= low) & (spectrum.x <= high)] = 0.0
    return Points(spectrum.x, np.where(finite, spectrum.y, 0.0), weight)


def begun(function: Function, points: Points) -> Function:
    """Return the function with peak parameters that are not given as the data suggest."""
    used = points.weight > 0
    return replace(function, members=tuple(_begun(m, points.x[used], points.y[used]) for m in function.members))


def _begun(member: Member, x: F64, y: F64) -> Member:
    peak = member.profile.peak
    if peak is None or member.given.keys() >= member.profile.defaults.keys():
        return member
    found = guess(x, y, member.given.get(peak.centre))
    return member if found is None else replace(member, given=peak.parameters(found.extent) | dict(member.given))


def _over_bins(function: Function, points: Points, spectrum: Spectrum) -> tuple[Function, Points]:
    """Return the function integrated over bins, and the points with the edges of their bins as X."""
    if len(spectrum.axis) == len(spectrum.x):
        raise ValueError("EvaluationType: Histogram needs bins, InputWorkspace has points; use CentrePoint")
    try:
        over = integrated(function)
    except ValueError as problem:
        raise ValueError(f"EvaluationType: {problem}") from None
    return over, replace(points, x=np.stack([spectrum.axis[:-1], spectrum.axis[1:]], axis=1))


# -- results ------------------------------------------------------------------------------------------------------


def covariance_table(fitted: Fitted) -> TableWorkspace:
    """Return correlations of the free parameters in percent, 100 with themselves."""
    table = TableWorkspace([("str", "Name"), *(("double", name) for name in fitted.free)])
    for name, row in zip(fitted.free, 100 * fitted.correlation, strict=True):
        table.addRow([name, *row.tolist()])
    return table


def parameter_table(fitted: Fitted) -> TableWorkspace:
    """Return values and errors of all parameters, and in the last row chi² per degree of freedom."""
    table = TableWorkspace([("str", "Name"), ("double", "Value"), ("double", "Error")])
    for name in fitted.function.names:
        table.addRow([name, fitted.values[name], fitted.errors[name]])
    table.addRow(["Cost function value", fitted.reduced_chi2, 0.0])
    return table


def comparison(
    spectrum: Spectrum, fitted: Fitted, ws: Workspace, x: F64, *, members: bool = False
) -> HistogramWorkspace:
    """Return three spectra: data, calculated (with the error that follows from the parameters'), difference.

    The function is taken at `x`. Spectra of its members follow if asked for.
    """
    calculated = fitted(x)
    zero = np.zeros_like(spectrum.y)
    rows = [spectrum.y, calculated, spectrum.y - calculated]
    errors = [spectrum.e, fitted.uncertainty(x), zero]
    if members and len(fitted.function.members) > 1:
        rows += fitted.function.member_values(x, fitted.values)
        errors += [zero] * len(fitted.function.members)
    return _spectra(spectrum, rows, errors, ws)


def _spectra(spectrum: Spectrum, rows: list[F64], errors: list[F64], ws: Workspace) -> HistogramWorkspace:
    described: dict[str, Any] = {"unit": "", "y_unit": ""}
    if isinstance(ws, MatrixWorkspace):
        described = {
            "unit": ws.unit, "y_unit": ws.y_unit, "y_label": ws.y_label, "distribution": ws.distribution,
        }  # fmt: skip
    return HistogramWorkspace(spectrum.axis.copy(), np.array(rows), e=np.array(errors), **described)


def _stored(store: WorkspaceStore | None, name: str, workspace: Workspace | None) -> Workspace | None:
    return workspace if store is None or workspace is None else store.replace(name, workspace)
