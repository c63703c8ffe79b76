from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import ref_roi
from livereduce.workspaces import EventWorkspace, HistogramWorkspace

Make = Callable[..., HistogramWorkspace]
SIZE: dict[str, Any] = {"n_x_pixel": 3, "n_y_pixel": 4}


@pytest.fixture
def detector(make_histogram: Make) -> HistogramWorkspace:
    """3 x 4 pixels; that at (x, y) has 100 x + 10 y and 1 more counts, with errors of 1 and 2."""
    y = [[100 * x + 10 * y, 100 * x + 10 * y + 1] for x in range(3) for y in range(4)]
    return make_histogram([2, 4, 8], y, [[1, 2]] * 12, unit="Wavelength")


def test_pixels_are_summed_along_y(detector: HistogramWorkspace) -> None:
    result = ref_roi(detector, **SIZE, y_pixel_min=1, y_pixel_max=2, convert_to_q=False)
    assert result.y.tolist() == [[30, 32], [230, 232], [430, 432]]
    assert result.e.tolist() == [pytest.approx([np.sqrt(2), np.sqrt(8)])] * 3
    assert result.getSpectrum(1).getDetectorIDs() == [10 + 5, 10 + 6]
    assert result.x.tolist() == [2, 4, 8]


def test_pixels_are_summed_along_x(detector: HistogramWorkspace) -> None:
    result = ref_roi(detector, **SIZE, x_pixel_min=1, integrate_y=False, convert_to_q=False)
    assert result.y[:, 0].tolist() == [300, 320, 340, 360]


def test_limits_beyond_the_detector_are_its_edge(detector: HistogramWorkspace) -> None:
    result = ref_roi(detector, **SIZE, y_pixel_min=-5, y_pixel_max=99, convert_to_q=False)
    assert result.y[:, 0].tolist() == [60, 460, 860]


@pytest.mark.parametrize(
    ("options", "y", "e"),
    [
        ({}, 20 + 30 + 120 + 130, np.sqrt(4)),
        ({"integrate_y": False}, 300, 2),
        ({"normalize_sum": True}, 300 / 2, 2 / 2),
        ({"normalize_sum": True, "integrate_y": False}, 300 / 2, 2 / 2),
        ({"normalize_sum": True, "average_over_integrated_axis": True}, 300 / 4, 2 / 4),
        # columns x = 0 and 1 have 50 and 250, variances 2 and 2
        ({"normalize_sum": True, "error_weighting": True}, 150, 1),
    ],
)
def test_the_region_is_summed_to_one_spectrum(
    detector: HistogramWorkspace, options: dict[str, Any], y: float, e: float
) -> None:
    region: dict[str, Any] = {"x_pixel_max": 1, "y_pixel_min": 2, "y_pixel_max": 3}
    result = ref_roi(detector, **SIZE, **region, sum_pixels=True, convert_to_q=False, **options)
    assert result.y.shape == (1, 2)
    assert (result.y[0, 0], result.e[0, 0]) == pytest.approx((y, e))


def test_averages_can_be_weighted_with_errors(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[10], [20], [60]], [[1], [2], [0]], unit="Wavelength")
    result = ref_roi(
        ws, n_x_pixel=3, n_y_pixel=1, sum_pixels=True, normalize_sum=True, error_weighting=True, convert_to_q=False
    )
    # weights 1, 1/4, and 1 for an error of 0
    assert result.y[0, 0] == pytest.approx((10 + 5 + 60) / 2.25)
    assert result.e[0, 0] == pytest.approx(1 / np.sqrt(2.25))


def test_wavelengths_become_momentum_transfer(detector: HistogramWorkspace) -> None:
    result = ref_roi(detector, **SIZE, sum_pixels=True, x_pixel_max=0, y_pixel_max=0, scattering_angle=30)
    assert result.unit == "MomentumTransfer"
    assert result.x == pytest.approx(4 * np.pi * 0.5 / np.array([8, 4, 2]))
    assert result.y.tolist() == [[1, 0]]
    assert result.e.tolist() == [[2, 1]]
    assert result.YUnitLabel() == "Reflectivity"
    assert result.isDistribution()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_x_pixel": 4}, "has 12 spectra; expected 4 x 4 = 16"),
        ({"x_pixel_min": 2, "x_pixel_max": 1, "sum_pixels": True}, r"XPixelMin \(2\) is greater than XPixelMax \(1\)"),
    ],
)
def test_wrong_properties_are_named(detector: HistogramWorkspace, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"RefRoi: .*{message}"):
        ref_roi(detector, **(SIZE | options))


def test_momentum_transfer_is_made_of_wavelengths_only(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="RefRoi: InputWorkspace: X is in 'TOF'; expected Wavelength"):
        ref_roi(make_histogram([0, 1], [1]), n_x_pixel=1, n_y_pixel=1)


def test_events_are_taken_as_their_histogram(make_events: Callable[..., EventWorkspace]) -> None:
    events = make_events([2.5], [5.0, 6.0], [2.1, 2.2], [7.9], edges=[2, 4, 8])
    for ws in (events, events.to_histogram()):
        result = ref_roi(ws, n_x_pixel=2, n_y_pixel=2, convert_to_q=False)
        assert result.y.tolist() == [[1, 2], [2, 1]]
        assert result.e2.tolist() == [[1, 2], [2, 1]]


def test_spectra_with_different_bins_are_no_image(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="RefRoi: InputWorkspace: its spectra have different bins"):
        ref_roi(make_histogram([[0, 1], [0, 2]], [[1], [2]]), n_x_pixel=2, n_y_pixel=1, convert_to_q=False)


def test_one_pixel_is_a_region_too(detector: HistogramWorkspace) -> None:
    one: dict[str, Any] = {"x_pixel_min": 2, "x_pixel_max": 2, "y_pixel_min": 3, "y_pixel_max": 3}
    result = ref_roi(detector, **SIZE, **one, sum_pixels=True, convert_to_q=False)
    assert result.y.tolist() == [[230, 231]]
    assert result.getSpectrum(0).getDetectorIDs() == [10 + 2 * 4 + 3]
