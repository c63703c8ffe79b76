from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate

from livereduce.algorithms.fitting.profiles import (
    FWHM_PER_SIGMA,
    PROFILES,
    Extent,
    back_to_back_exponential,
    gaussian,
    polynomial,
    profile,
    pseudo_voigt,
)
from livereduce.workspaces.arrays import F64


def at(x: float, function: Callable[..., F64], *parameters: float) -> float:
    return float(function(np.array([x]), *parameters)[0])


def test_a_gaussian_has_its_height_in_the_middle_and_half_of_it_at_half_width() -> None:
    assert at(5, gaussian, 8, 5, 2) == 8
    assert at(5 + 2, gaussian, 8, 5, 2) == pytest.approx(8 * 0.6065306597)
    assert at(5 + FWHM_PER_SIGMA, gaussian, 8, 5, 2) == pytest.approx(4)


def test_polynomials_have_the_lowest_coefficient_first() -> None:
    assert at(2, polynomial, 1, 10, 100) == 1 + 20 + 400
    assert at(2, polynomial, 7) == 7
    assert list(profile("Polynomial", 3).defaults) == ["A0", "A1", "A2", "A3"]


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_a_pseudo_voigt_has_its_intensity_as_area_and_half_its_height_at_half_width(mixing: float) -> None:
    # substituting x = tan(u) takes the long Lorentzian tails into account
    area, _ = integrate.quad(
        lambda u: at(np.tan(u), pseudo_voigt, mixing, 12.0, 0.0, 1.5) / np.cos(u) ** 2, -np.pi / 2, np.pi / 2
    )
    assert area == pytest.approx(12, rel=1e-6)
    assert at(0.75, pseudo_voigt, mixing, 12, 0, 1.5) == pytest.approx(at(0, pseudo_voigt, mixing, 12, 0, 1.5) / 2)


def convolved(x: float, area: float, rise: float, decay: float, x0: float, sigma: float) -> float:
    """The exponentials convolved with a Gaussian of unit area, by quadrature."""

    def product(t: float) -> float:
        pulse = np.exp(rise * t) if t < 0 else np.exp(-decay * t)
        return float(pulse * np.exp(-0.5 * ((x - x0 - t) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))

    reach = 12 * sigma
    value, _ = integrate.quad(product, x - x0 - reach, x - x0 + reach, points=[0.0, x - x0], epsabs=1e-14, limit=200)
    return float(area * rise * decay / (rise + decay) * value)


@pytest.mark.parametrize("x", [80.0, 95.0, 99.5, 100.0, 101.0, 110.0, 140.0])
@pytest.mark.parametrize(("rise", "decay", "sigma"), [(0.5, 0.1, 2.0), (3.0, 0.05, 1.0), (0.2, 0.2, 5.0)])
def test_back_to_back_exponentials_are_a_convolution(x: float, rise: float, decay: float, sigma: float) -> None:
    expected = convolved(x, 50.0, rise, decay, 100.0, sigma)
    assert at(x, back_to_back_exponential, 50, rise, decay, 100, sigma) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_back_to_back_exponentials_neither_overflow_nor_vanish_wrongly_far_out() -> None:
    x = np.array([-1e5, -1e3, 1e3, 1e5])
    values = back_to_back_exponential(x, 1.0, 5.0, 0.01, 0.0, 3.0)
    assert np.all(np.isfinite(values))
    # far right only the slow decay is left: area * AB/(A+B) * exp(B² S²/2 - B x)
    assert values[2] == pytest.approx(5 * 0.01 / 5.01 * np.exp(0.5 * (0.01 * 3) ** 2 - 10))


@pytest.mark.parametrize("name", PROFILES)
def test_steps_along_the_imaginary_axis_give_derivatives(name: str) -> None:
    shape = profile(name)
    x = np.linspace(-3, 4, 15)
    values = [0.3 + 0.4 * i for i in range(len(shape.defaults))]
    for i in range(len(values)):
        shifted = [v + (1e-40j if i == k else 0) for k, v in enumerate(values)]
        up, down = ([v + (s if i == k else 0) for k, v in enumerate(values)] for s in (1e-6, -1e-6))
        slope = (shape.function(x, *up) - shape.function(x, *down)) / 2e-6
        assert np.imag(shape.function(x, *shifted)) / 1e-40 == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", [name for name, shape in PROFILES.items() if shape.peak])
def test_parameters_for_a_place_height_and_width_make_such_a_peak(name: str) -> None:
    shape = profile(name)
    assert shape.peak is not None
    parameters = shape.peak.parameters(Extent(20.0, 7.0, 1.5))
    assert list(parameters) == list(shape.defaults)
    assert at(20, shape.function, *parameters.values()) == pytest.approx(7)
    if name != "BackToBackExponential":  # whose width is a starting value only
        assert at(20.75, shape.function, *parameters.values()) == pytest.approx(3.5)
    extent = shape.peak.extent(parameters)
    assert extent[:2] == pytest.approx((20, 7), rel=1e-3)
    half = at(20 + extent.fwhm / 2, shape.function, *parameters.values())
    assert half == pytest.approx(3.5, rel=0.01)


def test_an_unknown_function_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no function 'Gauss'; there are FlatBackground, .*Polynomial"):
        profile("Gauss")
