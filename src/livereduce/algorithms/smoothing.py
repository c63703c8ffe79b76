"""FFTSmooth: noise taken out of spectra by leaving out high frequencies."""

from __future__ import annotations

from typing import Literal

import numpy as np

from livereduce.algorithms import values
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import check_indices, taken
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64

# widths of bins that differ by less, relative to their mean, are the same
_SAME_WIDTH = 1e-7


@algorithm("FFTSmooth", version=2, names={"ignore_x_bins": "IgnoreXBins"})
def fft_smooth(
    ws: MatrixWorkspace,
    workspace_index: int = 0,
    filter: Literal["Zeroing", "Butterworth"] = "Zeroing",  # noqa: A002  (the property's name)
    params: str = "",
    ignore_x_bins: bool = False,
    all_spectra: bool = False,
) -> HistogramWorkspace:
    """Smooth spectra by filtering their Fourier transform; the result has no errors.

    Every spectrum is put beside its mirror image first, so that its ends meet.

    Parameters
    ----------
    workspace_index
        Spectrum to smooth; the result has only this.
    filter
        Zeroing cuts the frequencies above a limit off, Butterworth damps them by 1 / (1 + (f / limit)^(2 order)).
    params
        "n" for Zeroing, "n,order" for Butterworth: the limit is a part 1/n of all frequencies; 2 and 2 without.
    ignore_x_bins
        Whether bins may differ in width; without, that is an error.
    all_spectra
        Whether all spectra are smoothed.
    """
    check_indices(ws, [workspace_index])
    chosen = as_histogram(ws if all_spectra else taken(ws, np.array([workspace_index])))
    if not ignore_x_bins:
        _check_widths(chosen.x)
    y = chosen.y
    mirrored = np.concatenate([y[:, -1:], y[:, :0:-1], y], axis=1)
    spectrum = np.fft.rfft(mirrored, axis=1) * _response(filter, params, mirrored.shape[1] // 2 + 1)
    smooth = np.fft.irfft(spectrum, mirrored.shape[1], axis=1)[:, y.shape[1] :]
    return chosen.replaced(y=smooth, e2=np.zeros_like(smooth), e=None)


def _check_widths(x: F64) -> None:
    width = np.diff(x)
    mean = width.mean(axis=-1, keepdims=True)
    if np.any(np.abs(width - mean) > _SAME_WIDTH * np.abs(mean)):
        raise ValueError(
            f"InputWorkspace: bins are {width.min():g} to {width.max():g} wide; expected one width"
            " (IgnoreXBins=True takes them all the same)"
        )


def _response(name: str, params: str, frequencies: int) -> F64:
    """Factor for each frequency, lowest first."""
    numbers = [values.to_integer(text) for text in params.replace(",", " ").replace(":", " ").split()]
    n, order = (numbers + [2, 2][len(numbers) :])[:2]
    if n < 2 or order < 1:
        raise ValueError(f"Params: expected n above 1 and order above 0, found {params!r}")
    limit = max(frequencies // n, 1)
    frequency = np.arange(frequencies)
    if name == "Zeroing":
        return (frequency < limit).astype(np.float64)
    return 1.0 / (1.0 + (frequency / limit) ** (2 * order))
