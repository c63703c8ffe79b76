from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from livereduce.algorithms import declaration, evaluate_function, fit
from livereduce.algorithms.calling import execute
from livereduce.workspaces import HistogramWorkspace, TableWorkspace, WorkspaceGroup, WorkspaceStore

Make = Callable[..., HistogramWorkspace]
LINE = "name=LinearBackground"


@pytest.fixture
def line(make_histogram: Make) -> HistogramWorkspace:
    """Counts 5, 7, 9, 11, 13 in bins with centres 1, 3, 5, 7, 9: exactly 4 + x."""
    return make_histogram([0, 2, 4, 6, 8, 10], [5, 7, 9, 11, 13], [1, 1, 1, 1, 1], unit="dSpacing")


def values(result: Any) -> list[float]:
    column: list[float] = result.output_parameters.column("Value")
    return column


def test_bins_are_fitted_at_their_centres(line: HistogramWorkspace) -> None:
    result = fit(LINE, line, output="out")
    assert result.output_status == "success"
    assert values(result)[:2] == pytest.approx([4, 1])


def test_points_are_fitted_where_they_are(make_histogram: Make) -> None:
    ws = make_histogram([1, 2, 3], [5, 7, 9], [1, 1, 1])
    assert values(fit(LINE, ws, create_output=True))[:2] == pytest.approx([3, 2])


def test_events_are_fitted_as_the_histogram_they_make(make_events: Callable[..., Any]) -> None:
    ws = make_events([0.5], [0.5, 0.6, 1.5], edges=[0, 1, 2])
    result = fit("name=FlatBackground", ws, workspace_index=1, output="out")
    # weights 1/2 and 1/1: mean of 2 and 1
    assert values(result)[0] == pytest.approx((2 / 2 + 1 / 1) / (1 / 2 + 1))


def test_chi2_is_per_degree_of_freedom(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [1, 2, 6], [1, 2, 1])
    # weighted mean (1 + 2/4 + 6) / (1 + 1/4 + 1) = 10/3; deviations (7/3)², (4/3)²/4, (8/3)²; 3 - 1 degrees of freedom
    result = fit("name=FlatBackground", ws)
    assert result.output_chi2_over_dof == pytest.approx((49 + 4 + 64) / 9 / 2)


def test_the_parameter_table_has_names_values_errors_and_the_cost_in_its_last_row(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [1, 2, 6], [1, 2, 1])
    table = fit("name=FlatBackground", ws, output="out").output_parameters
    assert table.getColumnNames() == ["Name", "Value", "Error"]
    assert table.columnTypes() == ["str", "double", "double"]
    assert table.column("Name") == ["A0", "Cost function value"]
    assert table.column("Value") == pytest.approx([10 / 3, 6.5])
    assert table.column("Error") == pytest.approx([1 / np.sqrt(2.25), 0])


def test_the_covariance_table_has_correlations_in_percent_of_the_free_parameters(line: HistogramWorkspace) -> None:
    result = fit("name=Quadratic", line, ties="A2=0", output="out")
    table = result.output_normalised_covariance_matrix
    assert table.getColumnNames() == ["Name", "A0", "A1"]
    # of a line: -mean(x) / sqrt(mean(x²)) with x = 1, 3, 5, 7, 9
    correlation = -100 * 5 / np.sqrt(33)
    assert table.column("A0") == pytest.approx([100, correlation])
    assert table.column("A1") == pytest.approx([correlation, 100])


def test_the_output_workspace_has_data_calculated_values_and_difference(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [1, 2, 6], [1, 2, 1], unit="dSpacing", distribution=True)
    out = fit("name=FlatBackground", ws, start_x=1, end_x=3, output="out").output_workspace
    # mean of 2 (weight 1/4) and 6 (weight 1)
    mean = 6.5 / 1.25
    assert out.x.tolist() == [1, 2, 3]
    assert out.unit == "dSpacing"
    assert out.distribution
    assert out.y.tolist() == [[2, 6], pytest.approx([mean, mean]), pytest.approx([2 - mean, 6 - mean])]
    assert out.e.tolist() == [[2, 1], pytest.approx([1 / np.sqrt(1.25)] * 2), [0, 0]]


def test_members_of_the_function_can_be_shown_too(line: HistogramWorkspace) -> None:
    text = "name=FlatBackground,A0=4;name=LinearBackground,A0=0,A1=1"
    result = fit(text, line, ties="f1.A0=0", output="out", output_composite_members=True)
    assert result.output_workspace.y[3:].tolist() == [pytest.approx([4] * 5), pytest.approx([1, 3, 5, 7, 9])]
    assert fit(text, line, ties="f1.A0=0", output="out", output_parameters_only=True).output_workspace is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, [10, 20, 30, 40]),
        ({"start_x": 1.5}, [20, 30, 40]),
        ({"start_x": 1.6, "end_x": 2.5}, [30]),
        ({"start_x": 2.5, "end_x": 0.5}, [10, 20, 30]),
        ({"end_x": 2.0}, [10, 20]),
    ],
)
def test_bins_whose_centre_is_in_the_range_are_fitted(
    make_histogram: Make, limits: dict[str, Any], expected: list[float]
) -> None:
    ws = make_histogram([0, 1, 2, 3, 4], [10, 20, 30, 40], [1, 1, 1, 1])
    assert fit("name=FlatBackground", ws, output="out", **limits).output_workspace.readY(0).tolist() == expected


def test_ranges_can_be_left_out(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3, 4], [10, 999, 30, 999], [1, 1, 1, 1])
    assert values(fit("name=FlatBackground", ws, exclude=[1, 2, 3, 4], output="out"))[0] == pytest.approx(20)
    with pytest.raises(ValueError, match=r"Fit: Exclude: expected pairs of start and end, found \[1.0\]"):
        fit("name=FlatBackground", ws, exclude=[1])


def test_an_error_of_zero_counts_as_one_or_leaves_the_point_out(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [1, 2, 6], [0, 0.5, 1])
    # weights 1, 4, 1
    assert values(fit("name=FlatBackground", ws, output="out"))[0] == pytest.approx((1 + 8 + 6) / 6)
    ignored = fit("name=FlatBackground", ws, output="out", ignore_invalid_data=True)
    assert values(ignored)[0] == pytest.approx((8 + 6) / 5)
    unweighted = fit("name=FlatBackground", ws, output="out", cost_function="Unweighted least squares")
    assert values(unweighted)[0] == pytest.approx(3)


def test_values_that_are_not_finite_are_an_error_unless_ignored(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2, 3], [1, np.nan, 3], [1, 1, np.inf])
    with pytest.raises(ValueError, match=r"Fit: InputWorkspace: is not finite at X=1.5 \(2 points are not\)"):
        fit("name=FlatBackground", ws)
    assert values(fit("name=FlatBackground", ws, output="out", ignore_invalid_data=True))[0] == pytest.approx(1)


def test_peak_parameters_that_are_not_given_begin_as_the_data_look(make_histogram: Make) -> None:
    x = np.linspace(5000, 6000, 201)
    y = 100 * np.exp(-0.5 * ((x - 5432.1) / 21) ** 2) + 7
    ws = make_histogram(x, y, np.ones(201))
    result = fit("name=Gaussian;name=FlatBackground", ws, output="out")
    assert values(result)[:4] == pytest.approx([100, 5432.1, 21, 7])


def test_a_table_is_fitted_as_in_mantids_documentation() -> None:
    table = TableWorkspace([("double", "X data"), ("double", "Y data"), ("double", "Errors")])
    for i in range(99):
        table.addRow([i * 0.1, 10 * np.exp(-0.5 * (i * 0.1 - 5.0) ** 2 / 0.7**2) + 0.5, 0.5])
    result = fit(
        "name=Gaussian, PeakCentre=4, Height=8, Sigma=1", table, start_x=1, end_x=20, output="fit",
        x_column="X data", y_column="Y data", err_column="Errors",
    )  # fmt: skip
    assert result.output_chi2_over_dof == pytest.approx(0.59, abs=0.005)
    assert values(result)[:3] == pytest.approx([10.33, 5.00, 0.75], abs=0.005)
    assert result.output_workspace.readY(1)[19] == pytest.approx(0.2125, abs=5e-5)


def test_a_table_needs_the_columns_that_are_named() -> None:
    table = TableWorkspace([("double", "a"), ("double", "b")])
    table.addRow([1, 2])
    with pytest.raises(ValueError, match="Fit: YColumn: the table has no column 'c'; it has a, b"):
        fit("name=FlatBackground", table, y_column="c")
    result = fit("name=FlatBackground", table, output="out")  # without errors, all weigh the same
    assert values(result)[0] == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workspace_index": 3}, "Fit: workspace index 3 is not in 0 to 0"),
        ({"start_x": 11}, "Fit: StartX and EndX: no point is between 11 and inf; X is 1 to 9"),
        ({"start_x": 0, "end_x": 2}, "Fit: there are 1 points to fit 2 parameters to"),
        ({"ties": "A5=1"}, "Fit: Ties: there is no parameter 'A5'; there are A0, A1"),
        ({"constraints": "A0"}, "Fit: Constraints: 'A0' is no constraint"),
        ({"cost_function": "Poisson"}, "Fit: CostFunction: expected one of Least squares"),
        ({"x_column": "a"}, "Fit: XColumn, YColumn and ErrColumn are for tables"),
    ],
)
def test_wrong_properties_are_named(line: HistogramWorkspace, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(LINE, line, **given)


# -- as scripts call it -------------------------------------------------------------------------------------------


@pytest.fixture
def call(store: WorkspaceStore, line: HistogramWorkspace) -> Callable[..., Any]:
    """Call Fit or another algorithm as a script does, with `line` in the store as "line"."""
    store.add("line", line)

    def run(name: str, *args: Any, to: tuple[str, ...] = (), **keywords: Any) -> Any:
        declared = declaration.find(name)
        assert declared is not None
        return execute(declared, args, keywords, store, to)

    return run


def test_outputs_are_stored_under_the_name_given_with_endings(call: Callable[..., Any], store: WorkspaceStore) -> None:
    result = call("Fit", LINE, "line", Output="out", to=("result",))
    assert store.names() == ["line", "out_NormalisedCovarianceMatrix", "out_Parameters", "out_Workspace"]
    assert result._fields == (
        "OutputStatus", "OutputChi2overDoF", "OutputNormalisedCovarianceMatrix", "OutputParameters", "OutputWorkspace",
    )  # fmt: skip
    assert result.OutputParameters is store["out_Parameters"]
    assert result.OutputWorkspace is store["out_Workspace"]
    status, _, _, table, _ = result
    assert status == "success"
    assert table.cell("Value", 1) == pytest.approx(1)


def test_without_a_name_outputs_are_called_after_the_input(call: Callable[..., Any], store: WorkspaceStore) -> None:
    call("Fit", LINE, InputWorkspace="line", CreateOutput=True, to=("a", "b", "c", "d", "e"))
    assert "line_Workspace" in store
    assert "c" not in store


def test_without_outputs_status_and_chi2_come(call: Callable[..., Any], store: WorkspaceStore) -> None:
    status, chi2 = call("Fit", LINE, "line")
    assert status == "success"
    assert chi2 == pytest.approx(0, abs=1e-20)
    assert store.names() == ["line"]


def test_a_group_is_fitted_member_by_member(line: HistogramWorkspace, make_histogram: Make) -> None:
    other = make_histogram([0, 1, 2, 3], [1, 1, 1], [1, 1, 1])
    result = fit("name=FlatBackground", WorkspaceGroup([line, other]))  # type: ignore[arg-type]
    assert list(result.output_status) == ["success", "success"]
    assert result.output_parameters is None


def test_a_function_is_evaluated_at_the_x_of_a_spectrum(line: HistogramWorkspace) -> None:
    result = evaluate_function("name=LinearBackground,A0=1,A1=2", line, start_x=2, end_x=8)
    assert result.y.tolist() == [[7, 9, 11], [7, 11, 15], [0, -2, -4]]
    assert result.e[0].tolist() == [1, 1, 1]
    assert result.x.tolist() == [2, 4, 6, 8]


def test_a_function_is_evaluated_at_the_centres_of_bins_or_at_points_and_beside_nan(make_histogram: Make) -> None:
    function = "name=LinearBackground,A0=1,A1=2"
    bins = evaluate_function(function, make_histogram([0, 1, 2, 4], [[9, 9, 9], [1, np.nan, 3]]), 1)
    assert bins.y[1].tolist() == [2, 4, 7]  # at 0.5, 1.5 and 3
    assert (bins.y[2, 0], bins.y[2, 2]) == (-1, -4)
    assert np.isnan(bins.y[2, 1])
    points = evaluate_function(function, make_histogram([0, 1], [5, 1]), start_x=1, end_x=1)
    assert points.y.tolist() == [[1], [3], [-2]]
    assert not points.isHistogramData()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workspace_index": 1}, "workspace index 1 is not in 0 to 0"),
        ({"start_x": 20, "end_x": 30}, "StartX and EndX: no point is between 20 and 30; X is 1 to 9"),
        ({"function": "name=Nonsense"}, "there is no function 'Nonsense'"),
        ({"function": ""}, "the function is empty"),
    ],
)
def test_what_cannot_be_evaluated_is_named(line: HistogramWorkspace, given: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"function": "name=FlatBackground", "ws": line} | given
    with pytest.raises(ValueError, match=f"EvaluateFunction: .*{message}"):
        evaluate_function(**arguments)


def test_a_product_of_functions_is_fitted_by_its_nested_names(make_histogram: Make) -> None:
    x = np.linspace(0.0, 10.0, 41)
    # (line) x (decay) + flat with line 2 + x, decay exp(-x/5), flat 3
    ws = make_histogram(x, (2 + x) * np.exp(-x / 5) + 3, np.ones(41))
    result = fit(
        "(composite=ProductFunction;name=LinearBackground,A0=1,A1=0.5;name=ExpDecay,Lifetime=4);name=FlatBackground",
        ws,
        ties="f0.f1.Height=1",
        constraints="1<f0.f1.Lifetime<20",
        output="out",
    )
    table = result.output_parameters
    assert table.column("Name") == [
        "f0.f0.A0", "f0.f0.A1", "f0.f1.Height", "f0.f1.Lifetime", "f1.A0", "Cost function value",
    ]  # fmt: skip
    assert table.column("Value") == pytest.approx([2, 1, 1, 5, 3, 0], abs=1e-7)


def test_members_of_nested_functions_are_spectra_of_the_output(make_histogram: Make) -> None:
    ws = make_histogram([1.0, 2.0, 3.0], [5, 7, 9], [1, 1, 1])
    result = fit(
        "(name=FlatBackground,A0=1;name=FlatBackground,A0=2);name=LinearBackground,A1=2",
        ws, ties="f0.f0.A0=1,f0.f1.A0=2", output="out", output_composite_members=True,
    )  # fmt: skip
    # 3 + 2x in all: the line begins at 0
    assert result.output_workspace.y[3:].tolist() == [[1, 1, 1], [2, 2, 2], pytest.approx([2, 4, 6])]


@pytest.mark.parametrize(
    ("function", "integral", "expected"),
    [
        ("name=FlatBackground", lambda x: 3 * x, [3]),
        ("name=LinearBackground", lambda x: 3 * x + x**2, [3, 2]),
        ("name=Gaussian,Sigma=0.5", lambda x: [special.ndtr((v - 0.25) / 0.8) * 20 for v in x],
         [20 / 0.8 / np.sqrt(2 * np.pi), 0.25, 0.8]),
        ("name=Lorentzian,FWHM=2", lambda x: 20 / np.pi * np.arctan((x - 0.25) / 0.8), [20, 0.25, 1.6]),
    ],
)  # fmt: skip
def test_integrals_over_wide_bins_are_fitted_if_asked_for(
    make_histogram: Make, function: str, integral: Callable[[Any], Any], expected: list[float]
) -> None:
    x = np.array([-4.0, -3, -1.5, 0, 1, 1.5, 3, 5])
    ws = make_histogram(x, np.diff(integral(x)), np.ones(7))
    result = fit(function, ws, evaluation_type="Histogram", output="out", peak_radius=5, step_size_method="Default")
    assert values(result)[: len(expected)] == pytest.approx(expected, rel=1e-6)
    assert result.output_workspace.y[2].tolist() == pytest.approx(np.zeros(7), abs=1e-6)
    assert values(fit(function, ws, output="out"))[: len(expected)] != pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("name=Quadratic", "Quadratic cannot be integrated over bins, which .*Gaussian, Lorentzian can"),
        ("name=LinearBackground;(composite=ProductFunction;name=Gaussian;name=FlatBackground)", "a product of"),
    ],
)
def test_what_cannot_be_integrated_is_told(line: HistogramWorkspace, function: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"EvaluationType: {message}"):
        fit(function, line, evaluation_type="Histogram")
    with pytest.raises(ValueError, match="EvaluationType: Histogram needs bins"):
        fit(LINE, line.replaced(x=[1, 2, 3, 4, 5]), evaluation_type="Histogram")


def test_a_formula_is_fitted(make_histogram: Make) -> None:
    ws = make_histogram([0.0, 1.0, 2.0, 3.0], [5, 3.5, 2.75, 2.375], [1, 1, 1, 1])  # 2 + 3 / 2^x
    result = fit("name=UserFunction,Formula=a+b*exp(-x*c),a=1,b=2,c=1", ws, output="out")
    assert values(result)[:3] == pytest.approx([2, 3, np.log(2)])


def test_normalised_counts_are_fitted_per_width(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 3, 7], [5, 10, 20], [1, 2, 4])
    result = fit("name=FlatBackground", ws, normalise=True, output="out")
    assert values(result)[0] == pytest.approx(5)
    assert result.output_workspace.y[0].tolist() == [5, 5, 5]
    assert result.output_workspace.e[0].tolist() == [1, 1, 1]
    points = make_histogram([0, 1, 3], [5, 10, 20], [1, 2, 4])
    assert fit("name=FlatBackground", points, normalise=True, output="out").output_workspace.y[0].tolist() == [
        5,
        10,
        20,
    ]
