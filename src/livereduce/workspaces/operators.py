"""Arithmetic between workspaces and numbers, written with operators.

Operators call what `install_operator` was given, because algorithms build on workspaces and not the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np

from livereduce.workspaces.workspace import Workspace


class Operator(Protocol):
    """Carries out ``left <algorithm> right``; stores the result in `left` itself if `in_place`."""

    def __call__(self, algorithm: str, left: Any, right: Any, *, in_place: bool) -> Any:
        """Carry out "Plus", "Minus", "Multiply", "Divide" or "Power"."""


class _Operators:
    carry_out: ClassVar[Callable[..., Any] | None] = None


def install_operator(operator: Operator) -> None:
    """Say who carries out arithmetic between workspaces; done once, by the algorithms."""
    _Operators.carry_out = operator


class Arithmetic:
    """The operators + - * / ** and their in-place forms."""

    __array_ufunc__ = None  # so that numpy's numbers on the left leave arithmetic to us

    def _apply(self, algorithm: str, left: Any, right: Any, *, in_place: bool = False) -> Any:
        if not isinstance(right if left is self else left, Workspace | float | int | np.integer | np.floating):
            return NotImplemented
        if _Operators.carry_out is None:
            raise RuntimeError("arithmetic between workspaces needs livereduce.algorithms; import it first")
        return _Operators.carry_out(algorithm, left, right, in_place=in_place)

    def __add__(self, other: Any) -> Any:
        return self._apply("Plus", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._apply("Plus", self, other)

    def __iadd__(self, other: Any) -> Any:
        return self._apply("Plus", self, other, in_place=True)

    def __sub__(self, other: Any) -> Any:
        return self._apply("Minus", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._apply("Minus", other, self)

    def __isub__(self, other: Any) -> Any:
        return self._apply("Minus", self, other, in_place=True)

    def __mul__(self, other: Any) -> Any:
        return self._apply("Multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._apply("Multiply", self, other)

    def __imul__(self, other: Any) -> Any:
        return self._apply("Multiply", self, other, in_place=True)

    def __truediv__(self, other: Any) -> Any:
        return self._apply("Divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._apply("Divide", other, self)

    def __itruediv__(self, other: Any) -> Any:
        return self._apply("Divide", self, other, in_place=True)

    def __pow__(self, other: Any) -> Any:
        return self._apply("Power", self, other)

    def __neg__(self) -> Any:
        return self._apply("Multiply", self, -1.0)

    def __pos__(self) -> Any:
        return self._apply("Multiply", self, 1.0)
