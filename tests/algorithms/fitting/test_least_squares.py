import numpy as np
import pytest
from scipy import optimize

from livereduce.algorithms.fitting.functions import evaluated, parse
from livereduce.algorithms.fitting.least_squares import Points, fit
from livereduce.workspaces.arrays import F64

# a reflection of silicon at d = 1.9201 Å, counted for a while
SILICON = {"Height": 800.0, "PeakCentre": 1.9201, "Sigma": 0.004, "A0": 60.0, "A1": -10.0}
D = np.linspace(1.88, 1.96, 161)
START = "name=Gaussian,Height=500,PeakCentre=1.917,Sigma=0.006;name=LinearBackground,A0=10"


def silicon(x: F64, height: float, centre: float, sigma: float, a0: float, a1: float) -> F64:
    result: F64 = height * np.exp(-((x - centre) ** 2) / (2 * sigma**2)) + a0 + a1 * x
    return result


def counted(seed: int) -> Points:
    y = np.random.default_rng(seed).poisson(silicon(D, *SILICON.values())).astype(float)
    return Points(D, y, 1 / np.sqrt(np.maximum(y, 1)))


def slopes(x: F64, height: float, centre: float, sigma: float) -> F64:
    """Derivatives of `silicon` by its parameters, by hand."""
    z = (x - centre) / sigma
    shape = np.exp(-(z**2) / 2)
    return np.stack([shape, height * shape * z / sigma, height * shape * z**2 / sigma, np.ones_like(x), x], axis=1)


def test_a_counted_peak_is_found_within_its_error() -> None:
    fitted = fit(parse(START), counted(11))
    assert fitted.status == "success"
    for name, true in SILICON.items():
        prefixed = ("f1." if name.startswith("A") else "f0.") + name
        assert abs(fitted.values[prefixed] - true) < 2 * fitted.errors[prefixed]
    assert abs(fitted.values["f0.PeakCentre"] - 1.9201) < fitted.errors["f0.PeakCentre"]
    assert fitted.degrees_of_freedom == 161 - 5
    assert 0.7 < fitted.reduced_chi2 < 1.3


def test_errors_are_those_of_the_inverse_curvature_worked_out_by_hand() -> None:
    points = counted(11)
    fitted = fit(parse(START), points)
    peak = [fitted.values[f"f0.{name}"] for name in ("Height", "PeakCentre", "Sigma")]
    weighted = slopes(D, *peak) * points.weight[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    assert fitted.covariance == pytest.approx(covariance, rel=1e-6)
    assert list(fitted.errors.values()) == pytest.approx(np.sqrt(np.diag(covariance)).tolist(), rel=1e-6)
    deviation = np.sqrt(np.diag(covariance))
    assert fitted.correlation == pytest.approx(covariance / np.outer(deviation, deviation), rel=1e-6)
    band = np.sqrt(np.diag(slopes(D, *peak) @ covariance @ slopes(D, *peak).T))
    assert fitted.uncertainty(D) == pytest.approx(band, rel=1e-6)


def test_the_minimum_is_that_of_another_program() -> None:
    points = counted(11)
    fitted = fit(parse(START), points)
    found, covariance = optimize.curve_fit(
        silicon, D, points.y, [500, 1.917, 0.006, 10, 0], 1 / points.weight, absolute_sigma=True,
        x_scale=[100, 0.001, 0.001, 10, 10], ftol=1e-12, xtol=1e-12, method="trf",
    )  # fmt: skip
    assert list(fitted.values.values()) == pytest.approx(found.tolist(), rel=1e-5)
    assert list(fitted.errors.values()) == pytest.approx(np.sqrt(np.diag(covariance)).tolist(), rel=1e-3)
    assert fitted.chi2 == pytest.approx(np.sum(((silicon(D, *found) - points.y) * points.weight) ** 2))


def test_over_many_measurements_deviations_are_as_large_as_the_errors_say() -> None:
    deviations = []
    for seed in range(150):
        fitted = fit(parse(START), counted(seed))
        deviations.append((fitted.values["f0.PeakCentre"] - 1.9201) / fitted.errors["f0.PeakCentre"])
    # the mean of 150 has an error of 0.08, their deviation one of 0.06
    assert abs(np.mean(deviations)) < 0.3
    assert np.std(deviations) == pytest.approx(1, abs=0.2)


def test_a_straight_line_is_found_as_by_the_normal_equations() -> None:
    x, y, e = np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 4, 8]), np.array([1.0, 2, 1, 2])
    a = np.stack([np.ones(4), x], axis=1) / e[:, None]
    covariance = np.linalg.inv(a.T @ a)
    fitted = fit(parse("name=LinearBackground"), Points(x, y, 1 / e))
    assert list(fitted.values.values()) == pytest.approx((covariance @ a.T @ (y / e)).tolist())
    assert fitted.covariance == pytest.approx(covariance)


def test_points_without_weight_do_not_count() -> None:
    x, y = np.arange(5.0), np.array([1.0, 2, 99, 4, 5])
    fitted = fit(parse("name=LinearBackground"), Points(x, y, np.array([1.0, 1, 0, 1, 1])))
    assert list(fitted.values.values()) == pytest.approx([1, 1])
    assert fitted.degrees_of_freedom == 2


def test_a_tied_parameter_follows_and_has_the_error_that_follows() -> None:
    x = np.linspace(0, 10, 101)
    text = "name=Gaussian,Height={},PeakCentre=3,Sigma=0.5;name=Gaussian,Height={},PeakCentre=7,Sigma=1"
    y = evaluated(text.format(9, 4), x)
    fitted = fit(parse(text.format(8, 5), ties="f1.Sigma=2*f0.Sigma,f0.PeakCentre=3"), Points(x, y, np.ones(101)))
    assert fitted.values["f1.Sigma"] == pytest.approx(1)
    assert fitted.errors["f1.Sigma"] == pytest.approx(2 * fitted.errors["f0.Sigma"])
    assert fitted.errors["f0.PeakCentre"] == 0
    assert fitted.free == ["f0.Height", "f0.Sigma", "f1.Height", "f1.PeakCentre"]

    def by_hand(x: F64, h0: float, s: float, h1: float, c: float) -> F64:
        result: F64 = h0 * np.exp(-((x - 3) ** 2) / 2 / s**2) + h1 * np.exp(-((x - c) ** 2) / 8 / s**2)
        return result

    _, covariance = optimize.curve_fit(by_hand, x, y, [9, 0.5, 4, 7], np.ones(101), absolute_sigma=True)
    assert [fitted.errors[name] for name in fitted.free] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-3)


def test_limits_are_kept_also_where_the_search_begins() -> None:
    points = counted(11)
    free = fit(parse(START), points)
    held = fit(parse(START, constraints="f0.Sigma<0.0035,0<f1.A0<1000"), points)
    assert held.values["f0.Sigma"] == pytest.approx(0.0035)
    assert held.chi2 > free.chi2
    wide = fit(parse(START, constraints="0<f0.Sigma<0.1,f0.PeakCentre>1.9"), points)
    assert wide.values == pytest.approx(free.values, rel=1e-5)


def test_a_width_comes_out_positive() -> None:
    start = START.replace("Sigma=0.006", "Sigma=-0.006")
    assert fit(parse(start), counted(11)).values == pytest.approx(fit(parse(START), counted(11)).values, rel=1e-6)


def test_too_few_steps_are_said() -> None:
    fitted = fit(parse(START), counted(11), max_iterations=2)
    assert fitted.status == "Failed to converge after 2 iterations."
    none = fit(parse(START), counted(11), max_iterations=0)
    assert none.values == parse(START).start
    assert none.status == "Failed to converge after 0 iterations."


def test_parameters_that_the_data_do_not_determine_are_said() -> None:
    x = np.linspace(0, 1, 20)
    fitted = fit(parse("name=FlatBackground;name=LinearBackground"), Points(x, 2 + x, np.ones(20)))
    assert fitted.status == "Singular matrix: the data do not determine f0.A0, f1.A0"
    assert fitted.errors["f0.A0"] == np.inf
    assert fitted.values["f1.A1"] == pytest.approx(1)
    # the slope of 20 points with errors of 1: 1 / sqrt of the sum of squared distances from their mean
    assert fitted.errors["f1.A1"] == pytest.approx(1 / np.sqrt(np.sum((x - 0.5) ** 2)))


def test_a_fit_of_nothing_free_gives_chi2() -> None:
    points = Points(np.arange(3.0), np.array([1.0, 2, 4]), np.ones(3))
    fitted = fit(parse("name=FlatBackground", ties="A0=2"), points)
    assert (fitted.chi2, fitted.degrees_of_freedom, fitted.status) == (5, 3, "success")


def test_as_many_points_as_parameters_leave_one_degree_of_freedom() -> None:
    fitted = fit(parse("name=LinearBackground"), Points(np.arange(2.0), np.array([1.0, 3]), np.ones(2)))
    assert fitted.degrees_of_freedom == 1


def test_what_cannot_be_fitted_is_an_error() -> None:
    with pytest.raises(ValueError, match="there are 2 points to fit 3 parameters to"):
        fit(parse("name=Gaussian"), Points(np.arange(2.0), np.ones(2), np.ones(2)))
    with pytest.raises(ValueError, match=r"not finite where the fit begins \(Height=1, PeakCentre=0, Sigma=0\)"):
        fit(parse("name=Gaussian,Height=1,Sigma=0"), Points(np.arange(5.0), np.ones(5), np.ones(5)))
