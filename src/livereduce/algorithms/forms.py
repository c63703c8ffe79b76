"""From one form of the same data to another: events, histogram, points, distribution."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.binning import point_edges
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64


@algorithm("ConvertToMatrixWorkspace")
def convert_to_matrix_workspace(ws: MatrixWorkspace) -> HistogramWorkspace:
    """Make a histogram workspace of events, in the bins they have; of a histogram workspace, a copy."""
    histogram = as_histogram(ws)
    return histogram.clone() if histogram is ws else histogram


@algorithm("ConvertToPointData")
def convert_to_point_data(ws: MatrixWorkspace) -> HistogramWorkspace:
    """Give every value one X, the centre of its bin; values and errors stay. Points stay points."""
    histogram = as_histogram(ws)
    x = histogram.x
    return histogram.replaced(x=(x[..., 1:] + x[..., :-1]) / 2 if ws.is_histogram else x)


@algorithm("ConvertToHistogram")
def convert_to_histogram(ws: MatrixWorkspace) -> HistogramWorkspace:
    """Give every value a bin: from midway between points, the outermost as wide as symmetry asks. Bins stay bins."""
    histogram = as_histogram(ws)
    return histogram.replaced(x=point_edges(histogram.x, histogram.is_histogram))


@algorithm("ConvertToDistribution", in_place=["workspace"])
def convert_to_distribution(workspace: MatrixWorkspace) -> HistogramWorkspace:
    """Divide values and errors by the widths of their bins.

    Parameters
    ----------
    workspace
        Histogram data, which are changed; not a distribution already.
    """
    if workspace.distribution:
        raise ValueError("Workspace: is a distribution already")
    return _times_width(workspace, -1, distribution=True)


@algorithm("ConvertFromDistribution", in_place=["workspace"])
def convert_from_distribution(workspace: MatrixWorkspace) -> HistogramWorkspace:
    """Multiply values and errors by the widths of their bins.

    Parameters
    ----------
    workspace
        A distribution, which is changed.
    """
    if not workspace.distribution:
        raise ValueError("Workspace: is no distribution")
    return _times_width(workspace, 1, distribution=False)


def _times_width(ws: MatrixWorkspace, power: int, *, distribution: bool) -> HistogramWorkspace:
    histogram = as_histogram(ws)
    if not histogram.is_histogram:
        raise ValueError("Workspace: its X holds points, and points have no width; ConvertToHistogram first")
    width = np.diff(histogram.x)
    if not np.all(width > 0):
        raise ValueError("Workspace: some bins have no width, or X falls; Rebin it first")
    factor: F64 = width**power
    return histogram.replaced(y=histogram.y * factor, e2=histogram.e2 * factor**2, e=None, distribution=distribution)
