from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import fit_peak
from livereduce.algorithms.fitting.profiles import gaussian
from livereduce.workspaces import HistogramWorkspace

Make = Callable[..., HistogramWorkspace]
X = np.linspace(0, 10, 201)
CENTRES = (X[1:] + X[:-1]) / 2
GIVEN: dict[str, Any] = {
    "peak_function_type": "Gaussian (Height, PeakCentre, Sigma)",
    "peak_parameter_values": [80, 4.6, 0.3],
    "background_type": "Linear (A0, A1)",
    "background_parameter_values": [1, 0],
    "fit_window": [2, 8],
    "peak_range": [4, 6],
}


@pytest.fixture
def peak(make_histogram: Make) -> HistogramWorkspace:
    """100 high at 5, sigma 0.4, on 20 + 2 x; errors of 1."""
    return make_histogram(X, gaussian(CENTRES, 100, 5, 0.4) + 20 + 2 * CENTRES, np.ones(200))


@pytest.mark.parametrize("background_first", [True, False])
def test_a_peak_and_its_background_are_fitted(peak: HistogramWorkspace, background_first: bool) -> None:
    result = fit_peak(peak, **GIVEN, fit_background_first=background_first)
    table = result.parameter_table_workspace
    assert table.column("Name") == [
        "ChiSquare", "Gaussian", "Height", "PeakCentre", "Sigma", "LinearBackground", "A0", "A1",
    ]  # fmt: skip
    assert table.column("Value") == pytest.approx([0, 0, 100, 5, 0.4, 0, 20, 2], abs=1e-9)
    assert result.fitted_peak_parameter_values == pytest.approx([100, 5, 0.4])
    assert result.fitted_background_parameter_values == pytest.approx([20, 2])
    assert result.cost_function_value == pytest.approx(0, abs=1e-12)


def test_errors_are_in_the_table(peak: HistogramWorkspace) -> None:
    table = fit_peak(peak, **GIVEN).parameter_table_workspace
    x = CENTRES[(CENTRES >= 2) & (CENTRES <= 8)]
    z = (x - 5) / 0.4
    g = np.exp(-(z**2) / 2)
    slopes = np.stack([g, 100 * g * z / 0.4, 100 * g * z**2 / 0.4, np.ones_like(x), x], axis=1)
    errors = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    found = [table.cell("Error", row) for row in (2, 3, 4, 6, 7)]
    assert found == pytest.approx(errors.tolist(), rel=1e-6)


def test_the_output_workspace_has_data_fit_and_difference_in_the_window(peak: HistogramWorkspace) -> None:
    out = fit_peak(peak, **GIVEN).output_workspace
    assert out.x[[0, -1]] == pytest.approx([2, 8])
    assert out.y[1] == pytest.approx(out.y[0])
    assert out.y[2] == pytest.approx(np.zeros(120), abs=1e-9)


def test_effective_parameters_are_centre_width_and_height(peak: HistogramWorkspace) -> None:
    table = fit_peak(peak, **GIVEN, raw_params=False).parameter_table_workspace
    assert table.column("Name")[2:5] == ["centre", "width", "height"]
    assert table.column("Value")[2:5] == pytest.approx([5, 0.4 * 2.354820, 100])


def test_what_is_not_given_begins_as_the_data_look(peak: HistogramWorkspace) -> None:
    result = fit_peak(peak, "Gaussian", fit_window=[2, 8])
    assert result.fitted_peak_parameter_values == pytest.approx([100, 5, 0.4])
    named = fit_peak(
        peak, "PseudoVoigt", peak_parameter_names=["PeakCentre"], peak_parameter_values=[4.9], fit_window=[2, 8],
        background_type="Flat",
    )  # fmt: skip
    assert named.fitted_peak_parameter_values[2] == pytest.approx(5, abs=0.01)


def test_other_widths_are_tried_if_the_one_given_leads_nowhere(peak: HistogramWorkspace) -> None:
    hopeless = GIVEN | {"peak_parameter_values": [80, 4.05, 0.001], "fit_background_first": False}
    assert fit_peak(peak, **hopeless).cost_function_value == np.finfo(float).max
    tried = fit_peak(peak, **hopeless, guessed_peak_width_step=4, max_guessed_peak_width=40)
    assert tried.fitted_peak_parameter_values == pytest.approx([100, 5, 0.4])


@pytest.mark.parametrize(
    "changed",
    [{"peak_range": [6, 7], "peak_parameter_values": [80, 6.5, 0.3]}, {"peak_position_tolerance": 0.1}],
)
def test_a_result_that_is_not_the_peak_is_none(peak: HistogramWorkspace, changed: dict[str, Any]) -> None:
    result = fit_peak(peak, **(GIVEN | changed))
    assert result.cost_function_value == np.finfo(float).max
    assert result.parameter_table_workspace.cell("Value", 0) == np.finfo(float).max
    assert result.fitted_peak_parameter_values == pytest.approx((GIVEN | changed)["peak_parameter_values"])


def test_a_dip_is_no_peak(make_histogram: Make) -> None:
    ws = make_histogram(X, 200 - gaussian(CENTRES, 100, 5, 0.4), np.ones(200))
    assert fit_peak(ws, **GIVEN).cost_function_value == np.finfo(float).max


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fit_window": []}, r"FitWindow: expected start and end, the first below the second, found \[\]"),
        ({"peak_range": [6, 4]}, "PeakRange: expected start and end"),
        ({"peak_function_type": "Gauss"}, "PeakFunctionType: expected one of Gaussian, .*, found 'Gauss'"),
        ({"peak_function_type": "FlatBackground"}, "PeakFunctionType: expected one of Gaussian"),
        ({"background_type": "Cubic"}, "BackgroundType: expected one of Flat, Linear, Quadratic, found 'Cubic'"),
        ({"peak_parameter_values": [1, 2]}, "PeakParameterValues: 2 values for Height, PeakCentre, Sigma"),
        ({"peak_parameter_names": ["a", "b", "c"]}, "PeakParameterNames: Gaussian has no parameter 'a'"),
        ({"peak_parameter_values": [1, 9, 1]}, "the centre 9 is outside the FitWindow 2 to 8"),
        ({"workspace_index": 1}, "workspace index 1 is not in 0 to 0"),
    ],
)
def test_wrong_properties_are_named(peak: HistogramWorkspace, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"FitPeak: .*{message}"):
        fit_peak(peak, **(GIVEN | changed))
