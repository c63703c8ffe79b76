"""What a property holds and what may be given for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NewType

import numpy as np
from numpy.typing import NDArray

from livereduce.algorithms import values
from livereduce.workspaces import Workspace

Numbers = Sequence[float] | NDArray[np.float64] | float
Integers = Sequence[int] | NDArray[np.int64]
OutputName = NewType("OutputName", str)

Direction = Literal["Input", "Output", "InOut"]


class Kind(StrEnum):
    """What a property holds; the value is the word the reference page uses."""

    WORKSPACE = "workspace"
    WORKSPACES = "list of workspaces"
    OPERAND = "workspace or number"
    NAME = "name of a workspace"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "string"
    PATH = "file name"
    INTEGERS = "list of integers"
    NUMBERS = "list of numbers"
    TEXTS = "list of strings"
    ANY = "any value"


WORKSPACE_KINDS = (Kind.WORKSPACE, Kind.WORKSPACES, Kind.OPERAND)

PARSERS: dict[Kind, Callable[[object], object]] = {
    Kind.NAME: str,
    Kind.BOOLEAN: values.to_boolean,
    Kind.INTEGER: values.to_integer,
    Kind.NUMBER: values.to_number,
    Kind.TEXT: str,
    Kind.PATH: values.to_path,
    Kind.INTEGERS: values.to_integers,
    Kind.NUMBERS: values.to_numbers,
    Kind.TEXTS: values.to_texts,
}

# What scripts pass for a number that is not given.
_EMPTY = {Kind.NUMBER: (values.EMPTY_DBL,), Kind.INTEGER: (values.EMPTY_INT, values.EMPTY_LONG)}


@dataclass(frozen=True, slots=True)
class Property:
    """One property as scripts see it; `field` is the parameter, or the field of a result with several parts."""

    name: str
    field: str
    kind: Kind
    direction: Direction = "Input"
    mandatory: bool = False
    default: object = None
    doc: str = ""
    allowed: tuple[str, ...] = ()
    classes: tuple[type, ...] = ()

    def parse(self, value: object) -> object:
        """`value` as the algorithm takes it; None, or Mantid's marker for an empty number, is the default."""
        if value is None or (self.kind in _EMPTY and isinstance(value, (int, float)) and value in _EMPTY[self.kind]):
            return self.default
        if isinstance(value, str) and not value and self.kind is not Kind.TEXT:
            return self.default
        if self.kind is Kind.WORKSPACES:
            return [self._checked(item) for item in _sequence(value)]
        if self.kind in (Kind.WORKSPACE, Kind.OPERAND):
            return self._checked(value)
        parsed = PARSERS[self.kind](value) if self.kind in PARSERS else value
        if self.allowed:
            return _one_of(str(parsed), self.allowed)
        return parsed

    def _checked(self, value: object) -> object:
        if isinstance(value, self.classes):
            return value
        if self.kind is Kind.OPERAND and not isinstance(value, Workspace):
            return values.to_number(value)
        expected = [_with_article(cls) for cls in self.classes] + ["a number"] * (self.kind is Kind.OPERAND)
        found = _with_article(type(value)) if isinstance(value, Workspace) else repr(value)
        raise ValueError(f"expected {' or '.join(expected)}, found {found}")


def _with_article(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEIOU' else 'a'} {cls.__name__}"


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    for candidate in allowed:
        if candidate.lower() == text.lower():
            return candidate
    raise ValueError(f"expected one of {', '.join(allowed)}, found {text!r}")


def _sequence(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
