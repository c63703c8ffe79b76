"""Functions as objects, made and fitted in scripts; expected values follow from the formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.mantid import mtd
from livereduce.mantid.api import FunctionFactory
from livereduce.mantid.simpleapi import (
    CompositeFunction,
    FlatBackground,
    Gaussian,
    LinearBackground,
    Lorentzian,
    Polynomial,
    ProductFunction,
    UserFunction,
)
from livereduce.workspaces import HistogramWorkspace, TableWorkspace

Script = Callable[..., dict[str, Any]]


def test_parameters_are_attributes_and_items_given_or_by_default() -> None:
    peak = Gaussian(Height=3, PeakCentre=5)
    assert (peak.Height, peak["PeakCentre"], peak.Sigma, peak.name) == (3, 5, 1, "Gaussian")
    peak.Height = 7
    peak["Sigma"] = 2
    assert str(peak) == "name=Gaussian,Height=7,PeakCentre=5,Sigma=2"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Gaussian(Width=2), "Gaussian has no parameter 'Width'; it has Height, PeakCentre, Sigma"),
        (lambda: Gaussian().tie(Width=2), "there is no parameter 'Width'"),
        (lambda: Gaussian().constrain("Sigma"), "'Sigma' is no constraint"),
        (lambda: setattr(Gaussian(), "Width", 2), "no parameter 'Width'"),
        (lambda: UserFunction(), "Formula of UserFunction"),
    ],
)
def test_what_the_function_does_not_have_is_told_at_once(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()


def test_an_unknown_parameter_is_no_attribute_and_no_key() -> None:
    with pytest.raises(AttributeError, match="Gaussian has no parameter 'Width'"):
        _ = Gaussian().Width
    with pytest.raises(KeyError, match="f2"):
        _ = (Gaussian() + Gaussian())["f2.Height"]


def test_a_change_that_is_refused_leaves_the_function_as_it_was() -> None:
    peak = Gaussian(Height=3)
    with pytest.raises(ValueError, match="no parameter"):
        peak.tie(Width=1)
    with pytest.raises(ValueError, match="expected a number"):
        peak.Height = "high"
    assert str(peak) == "name=Gaussian,Height=3"


def test_functions_are_called_with_numbers_and_arrays() -> None:
    line = LinearBackground(A0=1, A1=2)
    assert line(3) == 7
    assert line([0, 1]).tolist() == [1, 3]
    assert (line + FlatBackground(A0=10))(3) == 17
    assert (line * line)(3) == 49
    assert (line * (line + FlatBackground(A0=1)) + FlatBackground(A0=2))(3) == 7 * 8 + 2
    assert Polynomial(n=2, A2=3)(2) == 12
    assert UserFunction(Formula="a*x^2", a=5)(2) == 20


def test_sums_are_flat_and_their_members_have_numbers() -> None:
    model = Gaussian(Height=1) + Lorentzian() + LinearBackground(A0=4)
    assert len(model) == 3
    assert [member.name for member in model] == ["Gaussian", "Lorentzian", "LinearBackground"]
    assert (model[2].A0, model.f2.A0, model["f2.A0"], model["f0.Height"]) == (4, 4, 4, 1)
    model["f0.Height"] = 6
    assert model[0].Height == 6
    del model[1]
    model += FlatBackground()
    assert [member.name for member in model] == ["Gaussian", "LinearBackground", "FlatBackground"]
    model[2] = Lorentzian()
    assert model[2].name == "Lorentzian"
    assert str(CompositeFunction(Gaussian(), ProductFunction(Gaussian(), FlatBackground()))) == (
        "composite=CompositeFunction;name=Gaussian;(composite=ProductFunction;name=Gaussian;name=FlatBackground)"
    )


def test_ties_and_limits_are_set_and_undone() -> None:
    peak = Gaussian(Height=4)
    peak.tie(Sigma="2*Height")
    peak.constrain("0 < Height < 9")
    assert peak.Sigma == 8
    assert str(peak) == "name=Gaussian,Height=4,ties=(Sigma=2*Height),constraints=(0 < Height < 9)"
    peak.fix("PeakCentre")
    peak.untie("Sigma")
    peak.unconstrain("Height")
    assert str(peak) == "name=Gaussian,Height=4,ties=(PeakCentre=0.0)"
    peak.untie()
    peak.fixAll()
    assert str(peak) == "name=Gaussian,Height=4,ties=(Height=4.0,PeakCentre=0.0,Sigma=1.0)"


def test_parameters_of_all_members_are_tied_fixed_and_limited_by_their_name() -> None:
    pair = Gaussian(Sigma=2) + Gaussian(Sigma=3) + FlatBackground(A0=1)
    pair.tieAll("Sigma")
    assert (pair["f0.Sigma"], pair(0) - 1, str(pair).endswith(";ties=(f1.Sigma=f0.Sigma)")) == (2, 0, True)
    pair.untieAll("Sigma")
    pair.fixAll("Sigma")
    assert str(pair).endswith("ties=(f0.Sigma=2.0,f1.Sigma=3.0)")
    pair.untieAllParameters()
    pair.constrainAll("0 < Sigma < 5")
    assert str(pair).endswith(";constraints=(0 < f0.Sigma < 5,0 < f1.Sigma < 5)")
    pair.unconstrainAll("Sigma")
    pair.fixAllParameters()
    assert str(pair).count("=(") == 1
    assert str(pair).endswith("f1.Sigma=3.0,f2.A0=1.0)")
    with pytest.raises(ValueError, match=r"has no parameter 'Width'; it has f0\.Height"):
        pair.tieAll("Width")


def test_functions_are_evaluated_with_other_parameters_and_on_workspaces() -> None:
    line = LinearBackground(A0=1, A1=2)
    assert line([0, 1], 5, 10).tolist() == [5, 15]
    assert line(np.array([[0, 1], [2, 3]])).tolist() == [[1, 3], [5, 7]]
    with pytest.raises(ValueError, match="LinearBackground has parameters A0, A1, found 1 values"):
        line(0, 5)
    assert line(HistogramWorkspace([0, 2, 4], [[9, 9]])).y[1].tolist() == [3, 7]


def test_a_sum_with_ties_of_its_own_stays_together() -> None:
    pair = Gaussian(Height=1) + Gaussian(Height=2)
    pair.tie({"f1.Sigma": "f0.Sigma"})
    model = pair + FlatBackground()
    assert len(model) == 2
    assert model["f0.f1.Height"] == 2
    assert str(model).startswith("composite=CompositeFunction;(composite=CompositeFunction;name=Gaussian,Height=1;")


def test_the_factory_makes_functions_by_name() -> None:
    assert FunctionFactory.createFunction("Gaussian").name == "Gaussian"
    assert {"Gaussian", "Polynomial", "UserFunction"} <= set(FunctionFactory.Instance().getFunctionNames())


def test_function_objects_are_fitted(script: Script) -> None:
    x = np.linspace(0, 10, 51)
    y = 20 * np.exp(-0.5 * ((x - 4) / 0.5) ** 2) + 3 + 0.5 * x
    mtd["ws"] = HistogramWorkspace(x, [y], [np.ones(51)])
    left = script(
        "from mantid.simpleapi import *\n"
        "peak = Gaussian(Height=15, PeakCentre=4.2, Sigma=0.6)\n"
        "peak.constrain('3 < PeakCentre < 5')\n"
        "model = peak + LinearBackground()\n"
        "model.tie({'f1.A0': '6*f1.A1'})\n"
        "result = Fit(Function=model, InputWorkspace='ws', Output='found')\n"
    )
    result = left["result"]
    assert result._fields == (
        "OutputStatus",
        "OutputChi2overDoF",
        "OutputNormalisedCovarianceMatrix",
        "OutputParameters",
        "OutputWorkspace",
    )
    assert result.OutputStatus == "success"
    table = result.OutputParameters
    assert isinstance(table, TableWorkspace)
    assert table is mtd["found_Parameters"]
    assert dict(zip(table.column("Name"), table.column("Value"), strict=True)) == pytest.approx(
        {"f0.Height": 20, "f0.PeakCentre": 4, "f0.Sigma": 0.5, "f1.A0": 3, "f1.A1": 0.5, "Cost function value": 0},
        abs=1e-9,
    )
    assert left["model"].f0.Height == 15


def test_without_output_a_fit_gives_status_and_chi2(script: Script) -> None:
    mtd["ws"] = HistogramWorkspace([0, 1, 2, 3], [[1, 2, 6]], [[1, 4, 1]])
    left = script("status, chi2 = Fit('name=FlatBackground', 'ws')\n")
    # as in tests/algorithms/test_fitting.py: weighted mean 10/3, chi² 13 in all, two degrees of freedom
    assert (left["status"], left["chi2"]) == ("success", pytest.approx(6.5))


def test_function_objects_are_taken_by_every_algorithm_that_takes_a_function(script: Script) -> None:
    mtd["ws"] = HistogramWorkspace([1.0, 2.0, 3.0], [[5, 7, 9]], [[1, 1, 1]])
    left = script(
        "from mantid.api import AlgorithmManager\n"
        "line = LinearBackground(A0=3, A1=2) * FlatBackground(A0=2)\n"
        "evaluated = EvaluateFunction(Function=line, InputWorkspace='ws')\n"
        "algorithm = AlgorithmManager.create('Fit')\n"
        "algorithm.setProperty('Function', LinearBackground())\n"
        "algorithm.setProperty('InputWorkspace', 'ws')\n"
        "algorithm.setProperty('Output', 'found')\n"
        "algorithm.execute()\n"
        "status = algorithm.getPropertyValue('OutputStatus')\n"
    )
    assert left["evaluated"].readY(1).tolist() == [10, 14, 18]
    assert left["status"] == "success"
    table = mtd["found_Parameters"]
    assert isinstance(table, TableWorkspace)
    assert table.column("Value")[:2] == pytest.approx([3, 2])
