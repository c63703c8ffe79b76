"""Ties and limits of a fit's parameters: ``f1.Sigma = 2*f0.Sigma``, ``0 < f0.Sigma < 3``; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from livereduce.algorithms.fitting.expressions import Expression, parse_expression


@dataclass(frozen=True, slots=True)
class Tie:
    """A parameter that follows from others (or from none: it is fixed)."""

    target: str
    expression: Expression

    @property
    def uses(self) -> set[str]:
        """Names of the parameters it follows from."""
        return set(self.expression.names)

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the parameter's value, given the others'."""
        return self.expression.value(values)


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
        try:
            expression = parse_expression(text)
        except ValueError as problem:
            raise ValueError(f"Ties: {problem}") from None
        for name in (*targets, *expression.names):
            _check_known("Ties", name, known)
        ties |= {target: Tie(target, expression) for target in targets}
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
_PENALTY = re.compile(r"\s*(?:f\d+\.)*penalty\s*=")
_CONSTRAINT = re.compile(rf"\s*(?:({_NUMBER})\s*([<>])\s*)?({_PARAMETER})\s*(?:([<>])\s*({_NUMBER})\s*)?")


def parse_constraints(items: Sequence[str], known: Sequence[str]) -> list[Bound]:
    """Return the limits that ``lower < parameter < upper`` (or one half of it, or with >) say.

    ``penalty=1000``, what it costs in Mantid to be outside, says nothing here: limits are kept.

    Raises
    ------
    ValueError
        A text is no such constraint, or names an unknown parameter.
    """
    return [_constraint(item, known) for item in items if not _PENALTY.match(item)]


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
