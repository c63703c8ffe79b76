from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.algorithms.fitting.functions import evaluated, parse
from livereduce.algorithms.fitting.ties import Bound

TWO = "name=Gaussian,Height=2,PeakCentre=5;name=LinearBackground,A0=1"


def test_a_single_function_has_its_own_parameter_names_several_have_prefixes() -> None:
    assert parse("name=Gaussian").names == ["Height", "PeakCentre", "Sigma"]
    assert parse(TWO).names == ["f0.Height", "f0.PeakCentre", "f0.Sigma", "f1.A0", "f1.A1"]


def test_parameters_that_are_not_given_have_defaults() -> None:
    assert parse(TWO).start == {"f0.Height": 2, "f0.PeakCentre": 5, "f0.Sigma": 1, "f1.A0": 1, "f1.A1": 0}


def test_members_are_added() -> None:
    x = np.array([5.0, 6.0])
    assert evaluated(f"{TWO},A1=0.5", x) == pytest.approx([2 + 1 + 2.5, 2 * np.exp(-0.5) + 1 + 3])


def test_ties_and_limits_may_stand_in_the_text_or_beside_it() -> None:
    function = parse(
        "name=Gaussian,Height=4,ties=(Sigma=Height/2),constraints=(0<Height<9);"
        "name=Gaussian,PeakCentre=3;ties=(f1.Sigma=f0.Sigma);constraints=(f1.PeakCentre>1)",
        ties="f1.Height=7",
        constraints="f0.PeakCentre<2",
    )
    assert function.start["f0.Sigma"] == function.start["f1.Sigma"] == 2
    assert function.start["f1.Height"] == 7
    assert function.free == ["f0.Height", "f0.PeakCentre", "f1.PeakCentre"]
    assert set(function.bounds) == {
        Bound("f0.Height", 0, 9), Bound("f1.PeakCentre", 1), Bound("f0.PeakCentre", -np.inf, 2),
    }  # fmt: skip


def test_a_functions_own_limits_are_kept() -> None:
    assert parse("name=PseudoVoigt").limits() == {"Mixing": (0, 1)}
    assert parse("name=PseudoVoigt", constraints="Mixing<0.5").limits() == {"Mixing": (0, 0.5)}


def test_a_polynomial_is_of_the_degree_given() -> None:
    assert parse("name=Polynomial,n=3,A3=2").names == ["A0", "A1", "A2", "A3"]
    assert evaluated("name=Polynomial,n=3,A3=2,A0=1", np.array([2.0])).tolist() == [17]


def test_what_other_programs_write_around_a_plain_sum_is_read() -> None:
    assert parse(f"composite=CompositeFunction,NumDeriv=false;{TWO}").names == parse(TWO).names


def test_a_function_in_parentheses_has_members_of_its_own() -> None:
    function = parse("name=FlatBackground,A0=1;(name=LinearBackground,A1=2;name=Gaussian,Height=4,PeakCentre=3)")
    assert function.names == [
        "f0.A0", "f1.f0.A0", "f1.f0.A1", "f1.f1.Height", "f1.f1.PeakCentre", "f1.f1.Sigma",
    ]  # fmt: skip
    assert function(np.array([3.0]), function.start).tolist() == [1 + 2 * 3 + 4]


def test_a_product_multiplies_its_members_and_may_stand_in_a_sum() -> None:
    line = "name=LinearBackground,A0=1,A1=1"
    assert evaluated(f"composite=ProductFunction,NumDeriv=false;{line};{line}", np.array([2.0])).tolist() == [9]
    nested = f"(composite=ProductFunction;{line};{line};name=FlatBackground,A0=10);name=FlatBackground,A0=5"
    assert evaluated(nested, np.array([2.0])).tolist() == [95]
    turned = f"composite=ProductFunction;(name=FlatBackground,A0=5;{line});{line}"
    assert evaluated(turned, np.array([2.0])).tolist() == [(5 + 3) * 3]


def test_parentheses_around_one_function_make_no_difference() -> None:
    assert parse("(name=Gaussian)").names == parse("name=Gaussian").names
    assert parse("((name=Gaussian));(name=FlatBackground)").names == [
        "f0.Height", "f0.PeakCentre", "f0.Sigma", "f1.A0",
    ]  # fmt: skip
    assert parse(f"({TWO})").names == parse(TWO).names
    assert parse("composite=CompositeFunction;name=FlatBackground").names == ["f0.A0"]


def test_ties_and_limits_are_named_as_seen_from_where_they_stand() -> None:
    function = parse(
        "(composite=CompositeFunction;name=FlatBackground,A0=3;name=Gaussian,ties=(Sigma=sqrt(Height)),Height=4;"
        "ties=(f1.PeakCentre=2*f0.A0);constraints=(0<f0.A0<9));name=FlatBackground;ties=(f1.A0=f0.f1.Height+1)",
        ties="f0.f1.Height=9",
        constraints="f0.f0.A0<5",
    )
    assert function.start == {
        "f0.f0.A0": 3, "f0.f1.Height": 9, "f0.f1.PeakCentre": 6, "f0.f1.Sigma": 3, "f1.A0": 10,
    }  # fmt: skip
    assert function.free == ["f0.f0.A0"]
    assert function.limits() == {"f0.f0.A0": (0, 5)}


def test_text_may_be_laid_out_over_lines_as_the_workbench_writes_it() -> None:
    function = parse(
        """(composite=CompositeFunction,NumDeriv=false;
          name = Gaussian, Height = 4, PeakCentre = 3,
            constraints=(0<Height<9,penalty=1000, 1 < PeakCentre);
          (
            composite=ProductFunction, NumDeriv=false;
            name=LinearBackground,A1=2; name=FlatBackground,A0=5,ties=(A0=5)
          )
        )
        """
    )
    assert function.limits() == {"f0.Height": (0, 9), "f0.PeakCentre": (1, np.inf)}
    assert function(np.array([3.0]), function.start).tolist() == [4 + 6 * 5]


def test_a_user_function_is_its_formula() -> None:
    function = parse("name=UserFunction,Formula=a*exp(-x/tau)+b^2,a=2,tau=4,b=3")
    assert function.names == ["a", "tau", "b"]
    assert function(np.array([0.0, 4.0]), function.start) == pytest.approx([11, 9 + 2 / np.e])
    assert evaluated('name=UserFunction,Formula="c",c=7', np.array([1.0, 2.0])).tolist() == [7, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the function is empty"),
        ("name=Gauss", "there is no function 'Gauss'"),
        ("name=Gaussian,Width=3", "Gaussian has no parameter 'Width'; it has Height, PeakCentre, Sigma"),
        ("name=Gaussian,Height=high", "Gaussian: expected a number, found 'high'"),
        ("name=Gaussian,Height", "'Height' in 'name=Gaussian,Height' is no setting"),
        ("Height=3", "names no function"),
        (
            "composite=Convolution;name=Gaussian;name=Gaussian",
            "Convolution is not available; functions are combined by",
        ),
        ("(name=Gaussian;name=Gaussian", "has 1 opening and 0 closing parentheses"),
        ("(name=Gaussian;name=Gaussian)(name=Gaussian)", "expected ; after the closing parenthesis"),
        (")name=Gaussian(", "no function|no setting"),
        ("()", "the function is empty"),
        ("composite=CompositeFunction", "the function is empty"),
        ("(name=Gaussian;name=Gaussian);name=Gaussian;ties=(f0.Sigma=2)", "there is no parameter 'f0.Sigma'"),
        ("name=UserFunction,Formula=a*x+", "Formula of UserFunction: 'a\\*x\\+' is no expression"),
        ("name=UserFunction,Formula=open(x)", "'open\\(x\\)' is not allowed"),
        ("name=Polynomial,n=99", "n of Polynomial is 99; expected 0 to 20"),
    ],
)
def test_what_cannot_be_read_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


_LEAVES = st.tuples(st.integers(-3, 3), st.integers(-3, 3))
_TREES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES, lambda inner: st.tuples(st.booleans(), st.lists(inner, min_size=1, max_size=3)), max_leaves=12
)


def _written(tree: Any) -> str:
    first, second = tree
    if not isinstance(second, list):
        return f"name=LinearBackground,A0={first},A1={second}"
    kind = "ProductFunction" if first else "CompositeFunction"
    return f"(composite={kind};{';'.join(_written(part) for part in second)})"


def _value(tree: Any, x: float) -> float:
    first, second = tree
    if not isinstance(second, list):
        return float(first + second * x)
    parts = [_value(part, x) for part in second]
    return float(np.prod(parts) if first else np.sum(parts))


@given(tree=_TREES, x=st.sampled_from([-2.0, 0.0, 0.5, 3.0]))
def test_any_nesting_has_the_value_of_its_arithmetic(tree: Any, x: float) -> None:
    assert evaluated(_written(tree), np.array([x])) == pytest.approx([_value(tree, x)], rel=1e-9, abs=1e-9)


_PIECES = ["name=", "Gaussian", "UserFunction", "Formula=", "composite=", "ProductFunction", "ties=", "constraints=",
           "(", ")", ";", ",", "=", "f0.", "Sigma", "A0", "1", "-", "^", "<", " ", "x", "é", "\n"]  # fmt: skip


@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=25))
def test_whatever_is_written_is_read_or_refused(pieces: list[str]) -> None:
    try:
        function = parse("".join(pieces))
    except ValueError:
        return
    assert function(np.zeros(2), function.start).shape == (2,)
