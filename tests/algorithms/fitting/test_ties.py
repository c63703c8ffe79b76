import numpy as np
import pytest

from livereduce.algorithms.fitting.ties import Bound, parse_constraints, parse_ties

KNOWN = ["f0.Height", "f0.Sigma", "f1.Sigma", "A"]


def test_ties_are_expressions_of_other_parameters() -> None:
    (tie,) = parse_ties(["f1.Sigma = 2*f0.Sigma^2 - sqrt(A)/4 + 1e1"], KNOWN)
    assert tie.target == "f1.Sigma"
    assert tie.uses == {"f0.Sigma", "A"}
    assert tie.value({"f0.Sigma": 3.0, "A": 16.0}) == 18 - 1 + 10


def test_a_number_fixes_a_parameter() -> None:
    (tie,) = parse_ties(["A=-2.5"], KNOWN)
    assert tie.value({}) == -2.5
    assert not tie.uses


def test_a_chain_ties_all_to_the_last() -> None:
    ties = parse_ties(["f1.Sigma=A=f0.Sigma"], KNOWN)
    assert {tie.target: tie.value({"f0.Sigma": 4.0}) for tie in ties} == {"f1.Sigma": 4.0, "A": 4.0}


def test_ties_come_in_an_order_in_which_they_can_be_carried_out() -> None:
    ties = parse_ties(["A=f1.Sigma", "f1.Sigma=f0.Sigma", "f0.Sigma=2"], KNOWN)
    assert [tie.target for tie in ties] == ["f0.Sigma", "f1.Sigma", "A"]


@pytest.mark.parametrize(
    ("tie", "message"),
    [
        ("A", "'A' is no tie; expected parameter = expression"),
        ("B=2", "there is no parameter 'B'; there are f0.Height"),
        ("A=f3.Sigma", "there is no parameter 'f3.Sigma'"),
        ("A=2*", "'2\\*' is no expression"),
        ("A=__import__('os')", "is not allowed"),
        ("A=f0.Sigma.real", "is not allowed"),
        ("A=f0.Sigma if 1 else 2", "is not allowed"),
        ("A=A+1", "A depend on each other in a circle"),
    ],
)
def test_what_is_no_tie_is_an_error(tie: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"Ties: .*{message}"):
        parse_ties([tie], KNOWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 < f0.Sigma < 3.5", Bound("f0.Sigma", 0, 3.5)),
        ("-1e-3<A<+2", Bound("A", -0.001, 2)),
        ("A > 4.0", Bound("A", 4, np.inf)),
        ("A<4", Bound("A", -np.inf, 4)),
        ("4 > A", Bound("A", -np.inf, 4)),
        ("4 > A > 1", Bound("A", 1, 4)),
    ],
)
def test_constraints_are_limits(text: str, expected: Bound) -> None:
    assert parse_constraints([text], KNOWN) == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "'A' is no constraint"),
        ("1 < A > 0", "is no constraint"),
        ("A < f0.Sigma", "is no constraint"),
        ("B < 1", "there is no parameter 'B'"),
        ("3 < A < 1", "leaves A no room"),
    ],
)
def test_what_is_no_constraint_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"Constraints: .*{message}"):
        parse_constraints([text], KNOWN)
