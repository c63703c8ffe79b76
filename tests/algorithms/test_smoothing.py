from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import create_sample_workspace, fft_smooth
from livereduce.workspaces import HistogramWorkspace
from livereduce.workspaces.arrays import F64

Make = Callable[..., HistogramWorkspace]


def slowly(y: F64, response: Callable[[int, int], float]) -> F64:
    """Cosine transform of the mirrored values and back, as sums: every frequency times its response."""
    n = len(y)
    whole = np.array([y[-1], *y[:0:-1], *y])
    at = np.arange(2 * n)
    result = np.zeros(2 * n)
    for k in range(n + 1):
        wave = np.exp(2j * np.pi * k * at / (2 * n))
        share = np.sum(whole * wave.conj()) / (2 * n) * (1 if k in (0, n) else 2)
        result += response(k, n + 1) * np.real(share * wave)
    return result[n:]


@pytest.fixture
def noisy() -> HistogramWorkspace:
    """The example of Mantid's documentation: two peaks with 0.1 added and subtracted in turn."""
    ws = create_sample_workspace(function="Multiple Peaks", x_max=20, bin_width=0.2, bank_pixel_width=1, num_banks=1)
    assert isinstance(ws, HistogramWorkspace)
    ws.setY(0, ws.readY(0) + np.tile([-0.1, 0.1], 50))
    return ws


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"params": "2"}, [0.30, 0.30, 0.47, 10.30, 0.47, 0.30, 8.30, 0.30, 0.30, 0.30]),
        ({}, [0.30, 0.30, 0.47, 10.30, 0.47, 0.30, 8.30, 0.30, 0.30, 0.30]),
        (
            {"filter": "Butterworth", "params": "2,2", "all_spectra": True},
            [0.29, 0.29, 0.46, 10.26, 0.46, 0.29, 8.20, 0.29, 0.29, 0.29],
        ),
        (
            {"filter": "Butterworth", "params": "5,2", "all_spectra": True},
            [0.30, 0.30, 0.43, 9.59, 0.43, 0.16, 7.05, 0.16, 0.30, 0.30],
        ),
        (
            {"filter": "Butterworth", "params": "20,2", "all_spectra": True},
            [-0.05, 0.44, 2.49, 4.58, 2.63, 1.77, 2.74, 1.48, 0.39, 0.20],
        ),
    ],
)
def test_the_numbers_of_mantids_documentation_come_out(
    noisy: HistogramWorkspace, options: dict[str, Any], expected: list[float]
) -> None:
    assert fft_smooth(noisy, **options).readY(0)[::10] == pytest.approx(expected, abs=0.00501)


@pytest.mark.parametrize("n", [6, 7, 8, 13])
def test_filters_are_applied_to_the_mirrored_spectrum(make_histogram: Make, n: int) -> None:
    y = np.random.default_rng(n).normal(5, 1, n)
    ws = make_histogram(np.arange(n + 1), y)
    cut = slowly(y, lambda k, m: float(k < m // 3))
    assert fft_smooth(ws, params="3").y[0] == pytest.approx(cut)
    damped = slowly(y, lambda k, m: 1 / (1 + (k / (m // 3)) ** 6))
    assert fft_smooth(ws, filter="Butterworth", params="3,3").y[0] == pytest.approx(damped)


def test_a_constant_stays_and_errors_are_gone(make_histogram: Make) -> None:
    result = fft_smooth(make_histogram(np.arange(9), np.full(8, 4.0)), params="20")
    assert result.y[0] == pytest.approx([4] * 8)
    assert result.e.tolist() == [[0] * 8]


def test_one_spectrum_or_all_are_smoothed(make_histogram: Make) -> None:
    ws = make_histogram(np.arange(5), [[1, 1, 1, 1], [2, 2, 2, 2]])
    assert fft_smooth(ws, 1).y.tolist() == [pytest.approx([2] * 4)]
    assert fft_smooth(ws, 1).getSpectrumNumbers() == [2]
    assert fft_smooth(ws, all_spectra=True).y.shape == (2, 4)


def test_bins_must_be_of_one_width_unless_told_otherwise(make_histogram: Make) -> None:
    ws = make_histogram([1, 2, 4, 8], [3, 3, 3])
    with pytest.raises(ValueError, match="FFTSmooth: InputWorkspace: bins are 1 to 4 wide; expected one width"):
        fft_smooth(ws)
    result = fft_smooth(ws, ignore_x_bins=True)
    assert result.y[0] == pytest.approx([3, 3, 3])
    assert result.x.tolist() == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"params": "1"}, "Params: expected n above 1 and order above 0, found '1'"),
        ({"filter": "Butterworth", "params": "2,0"}, "Params: expected n above 1 and order above 0"),
        ({"params": "much"}, "expected a whole number, found 'much'"),
        ({"workspace_index": 1}, "workspace index 1 is not in 0 to 0"),
    ],
)
def test_wrong_properties_are_named(make_histogram: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"FFTSmooth: .*{message}"):
        fft_smooth(make_histogram([0, 1, 2], [1, 2]), **options)
