"""Formulas of one variable, ``value``, as instrument definitions write them in ``eq``.

Evaluated by walking a syntax tree that may hold only numbers, the variable, arithmetic and the functions below;
nothing is ever handed to Python's own evaluation, since the text comes from the network.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field

from livereduce.geometry.document import GeometryError

MAX_LENGTH = 500


def _rint(x: float) -> float:
    return float(math.floor(x + 0.5))


_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,  # refuses a complex result, unlike **
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
# angles in radians; log is the natural one as in muParser, log10 the decimal one
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sqrt": math.sqrt,
    "abs": abs,
    "exp": math.exp,
    "ln": math.log,
    "log": math.log,
    "log10": math.log10,
    "rint": _rint,
    "min": min,
    "max": max,
}
_VARIADIC = {"min", "max"}
_CONSTANTS = {"_pi": math.pi, "pi": math.pi, "_e": math.e}


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula of ``value``.

    Raises
    ------
    GeometryError
        The text is not a formula this grammar allows.
    """

    text: str
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise GeometryError(f"formula of {len(self.text)} characters; at most {MAX_LENGTH} are accepted")
        try:
            # ^ is the power sign here, but a weakly binding exclusive-or to Python's parser
            tree = ast.parse(self.text.strip().replace("^", "**"), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise GeometryError(f"formula {self.text!r} cannot be read: {error}") from error
        self._check(tree)
        object.__setattr__(self, "_tree", tree)

    def __call__(self, value: float) -> float:
        """Value of the formula.

        Raises
        ------
        ArithmeticError, ValueError
            The value lies outside a function's domain, or overflows.
        """
        return _evaluate(self._tree, value)

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return
            case ast.Name(id=name) if name == "value" or name in _CONSTANTS:
                return
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                self._check(left)
                self._check(right)
                return
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
                self._check(operand)
                return
            case ast.Call(func=ast.Name(id=name), args=[_, *rest] as args, keywords=[]) if name in _FUNCTIONS and (
                not rest or name in _VARIADIC
            ):
                for argument in args:
                    self._check(argument)
                return
        allowed = ", ".join(sorted(_FUNCTIONS))
        raise GeometryError(
            f"formula {self.text!r}: {ast.unparse(node)!r} is not allowed; use value, numbers, + - * / ^ and {allowed}"
        )


def _evaluate(node: ast.expr, value: float) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)  # floats only: whole numbers would let 9^9^9 run for ever
        case ast.Name(id=name):
            return value if name == "value" else _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand):
            return _UNARY[type(sign)](_evaluate(operand, value))
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, value), _evaluate(right, value))
        case ast.Call(func=ast.Name(id=name), args=args):
            arguments = [_evaluate(argument, value) for argument in args]
            if name in _VARIADIC:
                return float(_FUNCTIONS[name](*arguments, *arguments[:1]))  # min(x) of one argument is x
            return float(_FUNCTIONS[name](*arguments))
    raise AssertionError(f"unchecked node {node!r}")
