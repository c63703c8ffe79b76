from __future__ import annotations

import math

import pytest

from livereduce.geometry import GeometryError
from livereduce.geometry.expression import Formula


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("value", 3.5, 3.5),
        ("value/1000", 4000.0, 4.0),
        ("-value + 2*3", 1.0, 5.0),
        ("(value-1)*-2", 4.0, -6.0),
        ("2^3^2 + value", 0.0, 512.0),  # powers bind to the right: 2^9
        ("-2^2 + value", 0.0, -4.0),  # and more strongly than the sign
        ("tan(value)", math.pi / 4, 1.0),
        ("sin(value*_pi/180)", 30.0, 0.5),
        ("rint(value)", 2.5, 3.0),  # floor(x + 0.5), not half to even
        ("rint(value)", -2.5, -2.0),
        ("sqrt(abs(value))", -9.0, 3.0),
        ("ln(exp(value))", 2.0, 2.0),
        ("log10(value)", 1000.0, 3.0),
        ("min(value, 2, 3)", 5.0, 2.0),
        ("max(value)", 5.0, 5.0),
        ("acos(value) - atan(0) + asin(0) + cos(0)", 1.0, 1.0),
    ],
)
def test_formulas_have_their_value(text: str, value: float, expected: float) -> None:
    assert Formula(text)(value) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')", "value.__class__", "open(value)", "[value]", "value if value else 1", "x+1",
        "lambda: 1", "'a'", "True", "1j", "value == 1", "sin(value, 2)", "sin()", "min(*value)", "sin(value=1)",
        "value and 1", "~value", "value // 2", "(value := 3)", "f'{value}'", "",
    ],
)  # fmt: skip
def test_anything_but_arithmetic_is_refused_when_the_file_is_read(text: str) -> None:
    with pytest.raises(GeometryError, match="formula"):
        Formula(text)


@pytest.mark.parametrize("text", ["(" * 400 + "1" + ")" * 40, "1+" * 400])
def test_long_or_deep_formulas_are_errors_and_no_crash(text: str) -> None:
    with pytest.raises(GeometryError):
        Formula(text)


@pytest.mark.parametrize(
    ("text", "value"), [("1/value", 0.0), ("sqrt(value)", -1.0), ("value^0.5", -1.0), ("9^9^9^9", 1.0)]
)
def test_a_formula_without_a_value_raises_at_once(text: str, value: float) -> None:
    with pytest.raises((ArithmeticError, ValueError)):
        Formula(text)(value)
