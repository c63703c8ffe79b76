"""RefRoi: the region of interest of a reflectometer's area detector."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, Spectra
from livereduce.workspaces.arrays import F64, I64


@algorithm(
    "RefRoi",
    names={
        "n_x_pixel": "NXPixel",
        "n_y_pixel": "NYPixel",
        "x_pixel_min": "XPixelMin",
        "x_pixel_max": "XPixelMax",
        "y_pixel_min": "YPixelMin",
        "y_pixel_max": "YPixelMax",
        "convert_to_q": "ConvertToQ",
    },
)
def ref_roi(
    ws: MatrixWorkspace,
    n_x_pixel: int = 304,
    n_y_pixel: int = 256,
    x_pixel_min: int | None = None,
    x_pixel_max: int | None = None,
    y_pixel_min: int | None = None,
    y_pixel_max: int | None = None,
    sum_pixels: bool = False,
    normalize_sum: bool = False,
    average_over_integrated_axis: bool = False,
    error_weighting: bool = False,
    integrate_y: bool = True,
    convert_to_q: bool = True,
    scattering_angle: float = 0.0,
) -> HistogramWorkspace:
    """Sum a rectangle of pixels of an area detector along one axis, or along both.

    The pixel at (x, y) is the spectrum with workspace index x * NYPixel + y.

    Parameters
    ----------
    n_x_pixel, n_y_pixel
        Pixels of the detector along X and Y.
    x_pixel_min, x_pixel_max, y_pixel_min, y_pixel_max
        The rectangle, both ends included; without, or beyond the detector, to its edge. Along the axis that is not
        summed, all pixels are given unless SumPixels is True.
    sum_pixels
        Whether the pixels along the other axis are summed as well, to a single spectrum.
    normalize_sum
        With SumPixels: whether the sum is divided by the number of pixels along the other axis.
    average_over_integrated_axis
        With NormalizeSum: whether it is divided by the number of pixels along the summed axis too.
    error_weighting
        With NormalizeSum: whether pixels along the other axis are averaged with weights 1/E² (1 where E is 0).
    integrate_y
        Whether the pixels are summed along Y; without, along X.
    convert_to_q
        Whether X, a wavelength, becomes the momentum transfer 4 pi sin(ScatteringAngle) / wavelength.
    scattering_angle
        The angle, degrees.
    """
    if not ws.common_bins:
        raise ValueError("InputWorkspace: its spectra have different bins; Rebin it first")
    if convert_to_q and ws.unit != "Wavelength":
        raise ValueError(f"InputWorkspace: X is in {ws.unit!r}; expected Wavelength with ConvertToQ")
    if ws.n_spectra < n_x_pixel * n_y_pixel:
        raise ValueError(
            f"InputWorkspace: has {ws.n_spectra} spectra; expected {n_x_pixel} x {n_y_pixel} ="
            f" {n_x_pixel * n_y_pixel} (NXPixel, NYPixel)"
        )
    across = _range("X", x_pixel_min, x_pixel_max, n_x_pixel, whole=integrate_y and not sum_pixels)
    down = _range("Y", y_pixel_min, y_pixel_max, n_y_pixel, whole=not integrate_y and not sum_pixels)
    index = across[:, None] * n_y_pixel + down
    index = index if integrate_y else index.T  # [kept axis, summed axis]
    histogram = as_histogram(ws)
    y, e2 = (np.stack([values[row].sum(axis=0) for row in index]) for values in (histogram.y, histogram.e2))
    if sum_pixels:
        y, e2 = _summed(y, e2, normalize_sum, error_weighting)
        if normalize_sum and average_over_integrated_axis:
            y, e2 = y / index.shape[1], e2 / index.shape[1] ** 2
    return _result(histogram, y, e2, index, scattering_angle if convert_to_q else None)


def _range(axis: str, low: int | None, high: int | None, n: int, *, whole: bool) -> I64:
    first, last = max(low or 0, 0), n - 1 if high is None else min(high, n - 1)
    if whole:
        first, last = 0, n - 1
    if first > last:
        raise ValueError(f"{axis}PixelMin ({first}) is greater than {axis}PixelMax ({last})")
    return np.arange(first, last + 1)


def _summed(y: F64, e2: F64, normalize: bool, weighted: bool) -> tuple[F64, F64]:
    if normalize and weighted:
        weight = 1.0 / np.where(e2 == 0, 1.0, e2)
        total = weight.sum(axis=0, keepdims=True)
        return (y * weight).sum(axis=0, keepdims=True) / total, 1.0 / total
    n = len(y) if normalize else 1
    return y.sum(axis=0, keepdims=True) / n, e2.sum(axis=0, keepdims=True) / n**2


def _result(ws: HistogramWorkspace, y: F64, e2: F64, index: I64, angle: float | None) -> HistogramWorkspace:
    groups = index.reshape(len(y), -1)
    ids = [np.concatenate([ws.spectra.detector_ids(i) for i in group]) for group in groups.tolist()]
    x = ws.x if ws.x.ndim == 1 else ws.x[0]
    described = {"x": x, "y": y, "e2": e2, "spectra": Spectra.from_groups(np.arange(1, len(y) + 1), ids)}
    described |= {"e": None, "dx": None, "bin_mask": None}
    if angle is not None:
        with np.errstate(divide="ignore"):
            described["x"] = 4 * np.pi * np.sin(np.radians(angle)) / x[::-1]
        described |= {"y": y[:, ::-1], "e2": e2[:, ::-1], "unit": "MomentumTransfer"}
        described |= {"y_label": "Reflectivity", "distribution": True}
    return ws.replaced(**described)
