"""Loops over bins that numpy cannot say without large temporaries."""

import numpy as np
from numba import njit

from livereduce.workspaces.arrays import F64

compiled_njit = njit(nogil=True, cache=True, boundscheck=False, error_model="numpy")


@compiled_njit
def rebin_rows(x: F64, y: F64, e2: F64, edges: F64, distribution: bool, y_out: F64, e2_out: F64) -> None:
    """Share counts and variances of every row out to new bins in proportion to the overlap.

    `x` is (1, B+1) or (rows, B+1), ascending; `y_out` and `e2_out` are (rows, N), zero. For a distribution values are
    per width: y*overlap/new width, and e2*overlap*old width/new width**2.
    """
    shared = x.shape[0] == 1
    n_old, n_new = np.uintp(y.shape[1]), np.uintp(edges.size - 1)
    one = np.uintp(1)
    for row in range(np.uintp(y.shape[0])):
        x_row = x[np.uintp(0) if shared else row]
        i, j = np.uintp(0), np.uintp(0)
        while i < n_old and j < n_new:
            left, right = x_row[i], x_row[i + one]
            low, high = edges[j], edges[j + one]
            overlap = min(right, high) - max(left, low)
            if overlap > 0.0:
                width, new_width = right - left, high - low
                share = overlap / new_width if distribution else overlap / width
                spread = overlap * width / (new_width * new_width) if distribution else share
                y_out[row, j] += y[row, i] * share
                e2_out[row, j] += e2[row, i] * spread
            if right <= high:
                i += one
            else:
                j += one
