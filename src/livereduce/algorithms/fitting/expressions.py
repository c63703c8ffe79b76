"""Arithmetic written as text, with numbers, names and a few functions: ``2*f0.Sigma + sqrt(A)``; pure.

An expression is a syntax tree that may hold nothing else, so that text of users can do no harm. It is evaluated with
complex values and arrays as well as with real numbers.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "ln": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
}
# a parameter's name, with the places of the functions it is in: f0.f1.Sigma
_NAME = re.compile(r"(?:f\d+\.)*[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Expression:
    """What a text says; `names` are those in it, each once, in order."""

    tree: ast.expr
    names: tuple[str, ...]

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the value, given those of the names."""
        return _evaluated(self.tree, values)


def parse_expression(text: str) -> Expression:
    """Read an expression; ``^`` means a power, as ``**`` does.

    Raises
    ------
    ValueError
        It is none, or holds what is not allowed.
    """
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
    except SyntaxError:
        raise ValueError(f"{text!r} is no expression") from None
    _check(tree, text)
    return Expression(tree, tuple(dict.fromkeys(_names(tree))))


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return
        case ast.Name() | ast.Attribute() if _NAME.fullmatch(ast.unparse(node)):
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, text)
            _check(right, text)
            return
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            _check(operand, text)
            return
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            _check(argument, text)
            return
    raise ValueError(
        f"{ast.unparse(node)!r} is not allowed in {text!r}; use numbers, parameters, + - * / ^"
        f" and {', '.join(_FUNCTIONS)}"
    )


def _names(node: ast.expr) -> list[str]:
    match node:
        case ast.Name() | ast.Attribute():
            return [ast.unparse(node)]
        case ast.BinOp(left=left, right=right):
            return [*_names(left), *_names(right)]
        case ast.UnaryOp(operand=operand):
            return _names(operand)
        case ast.Call(args=[argument]):
            return _names(argument)
    return []


def _evaluated(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Name() | ast.Attribute():
            return values[ast.unparse(node)]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluated(left, values), _evaluated(right, values))
        case ast.UnaryOp(op=sign, operand=operand):
            return _UNARY[type(sign)](_evaluated(operand, values))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return _FUNCTIONS[name](_evaluated(argument, values))
    raise AssertionError(f"unchecked node {ast.dump(node)}")
