"""Expressions of a fit's parameters: ``f1.Sigma = 2*f0.Sigma``, ``0 < f0.Sigma < 3``; pure.

An expression is a syntax tree that may hold only numbers, parameters, arithmetic and a few functions. It is evaluated
with complex values as well as real ones.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Tie:
    """A parameter that follows from others (or from none: it is fixed)."""

    target: str
    text: str
    tree: ast.expr
    uses: frozenset[str]

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the parameter's value, given the others'."""
        return _evaluated(self.tree, values)


@dataclass(frozen=True, slots=True)
class Bound:
    """Limits of one parameter."""

    target: str
    lower: float = -np.inf
    upper: float = np.inf


def parse_ties(items: Sequence[str], known: Sequence[str]) -> list[Tie]:
    """Return ties in an order in which each finds what it uses; ``a = b = expression`` ties a and b to the last.

    Raises
    ------
    ValueError
        A text is no tie, names an unknown parameter, or a parameter depends on itself.
    """
    ties: dict[str, Tie] = {}
    for item in items:
        *targets, text = (part.strip() for part in item.split("="))
        if not targets:
            raise ValueError(f"Ties: {item.strip()!r} is no tie; expected parameter = expression")
        tree = _parsed(text)
        uses = frozenset(_names(tree))
        for name in (*targets, *uses):
            _check_known("Ties", name, known)
        ties |= {target: Tie(target, text, tree, uses) for target in targets}
    return _ordered(ties)


def _ordered(ties: dict[str, Tie]) -> list[Tie]:
    ordered: list[Tie] = []
    open_ties = dict(ties)
    while open_ties:
        ready = [tie for tie in open_ties.values() if not tie.uses & open_ties.keys()]
        if not ready:
            raise ValueError(f"Ties: {', '.join(open_ties)} depend on each other in a circle")
        ordered += ready
        for tie in ready:
            del open_ties[tie.target]
    return ordered


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PARAMETER = r"[A-Za-z_][\w.]*"
_CONSTRAINT = re.compile(rf"\s*(?:({_NUMBER})\s*([<>])\s*)?({_PARAMETER})\s*(?:([<>])\s*({_NUMBER})\s*)?")


def parse_constraints(items: Sequence[str], known: Sequence[str]) -> list[Bound]:
    """Return the limits that ``lower < parameter < upper`` (or one half of it, or with >) say.

    Raises
    ------
    ValueError
        A text is no such constraint, or names an unknown parameter.
    """
    return [_constraint(item, known) for item in items]


def _constraint(item: str, known: Sequence[str]) -> Bound:
    match = _CONSTRAINT.fullmatch(item)
    if match is None or not (match[2] or match[4]) or (match[2] and match[4] and match[2] != match[4]):
        raise ValueError(
            f"Constraints: {item.strip()!r} is no constraint; expected number < parameter < number, or one half of it"
        )
    left, first, name, second, right = match.groups()
    _check_known("Constraints", name, known)
    low, high = (float(left) if left else None), (float(right) if right else None)
    if ">" in (first, second):
        low, high = high, low
    bound = Bound(name, -np.inf if low is None else low, np.inf if high is None else high)
    if bound.lower >= bound.upper:
        raise ValueError(f"Constraints: {item.strip()!r} leaves {name} no room")
    return bound


def _check_known(where: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"{where}: there is no parameter {name!r}; there are {', '.join(known)}")


def _parsed(text: str) -> ast.expr:
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval").body
    except SyntaxError:
        raise ValueError(f"Ties: {text!r} is no expression") from None
    _check(tree, text)
    return tree


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return
        case ast.Name() | ast.Attribute(value=ast.Name()):
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
        f"Ties: {ast.unparse(node)!r} is not allowed in {text!r}; use numbers, parameters, + - * / ^"
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
