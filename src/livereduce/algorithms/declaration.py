"""How an algorithm declares itself: one annotated function.

``@algorithm("Rebin")`` reads the function's signature, annotations and docstring and registers a `Declaration`: the
name, aliases and version scripts use, and the properties in the order scripts may give them. From it come

* the function itself, in snake_case, working on objects and returning the result (the store is never touched);
* the call from scripts (`livereduce.algorithms.calling`, wrapped by ``mantid.simpleapi``);
* the reference page (`Declaration.describe`).

Parameters become properties: ``preserve_events`` is ``PreserveEvents``, ``ws`` is ``InputWorkspace``; `names` says the
exceptions. A parameter without default is mandatory. A parameter annotated `WorkspaceStore` is no property: it gets the
store (for the few algorithms that are about names; with ``| None``, Python callers need not give it). One annotated
`OutputName` is an output workspace that the algorithm puts into the store itself.

Any room may register algorithms; importing the module is enough.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NewType, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from livereduce.algorithms import values
from livereduce.workspaces import Workspace, WorkspaceStore

P = ParamSpec("P")
R = TypeVar("R")

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
_WORKSPACES = (Kind.WORKSPACE, Kind.WORKSPACES, Kind.OPERAND)


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
        if self.kind is Kind.OPERAND:
            return values.to_number(value)
        expected = " or ".join(cls.__name__ for cls in self.classes)
        found = f"a {type(value).__name__}" if isinstance(value, Workspace) else repr(value)
        raise ValueError(f"expected a {expected}, found {found}")


@dataclass(frozen=True, slots=True)
class Declaration:
    """An algorithm as it is known to scripts."""

    name: str
    function: Callable[..., Any]
    properties: tuple[Property, ...]
    aliases: tuple[str, ...] = ()
    version: int = 1
    summary: str = ""
    wants_store: str = ""
    lenient: bool = False

    @property
    def inputs(self) -> tuple[Property, ...]:
        """Properties that are parameters of the function."""
        return tuple(p for p in self.properties if p.direction != "Output" or p.kind is Kind.NAME)

    @property
    def outputs(self) -> tuple[Property, ...]:
        """Properties that come out, by the function's result or by its own storing."""
        return tuple(p for p in self.properties if p.direction == "Output")

    @property
    def results(self) -> tuple[Property, ...]:
        """Properties that the function returns."""
        return tuple(p for p in self.outputs if p.kind is not Kind.NAME)

    def property_named(self, keyword: str) -> Property | None:
        """Return the property a keyword means, whatever its case."""
        return next((p for p in self.properties if p.name.lower() == keyword.lower()), None)

    def describe(self) -> dict[str, object]:
        """Everything a reference page says, as plain JSON values."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "version": self.version,
            "summary": self.summary,
            "python": f"livereduce.algorithms.{self.function.__name__}",
            "properties": [
                {
                    "name": p.name,
                    "type": p.kind.value,
                    "direction": p.direction,
                    "mandatory": p.mandatory,
                    "default": None if p.mandatory or p.default is None else str(p.default),
                    "allowed": list(p.allowed),
                    "doc": p.doc,
                }
                for p in self.properties
            ],
        }


_registry: dict[str, Declaration] = {}


def algorithm(
    name: str,
    *,
    aliases: Sequence[str] = (),
    version: int = 1,
    names: Mapping[str, str] | None = None,
    in_place: Sequence[str] = (),
    outputs_after: str | None = None,
    lenient: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register the decorated function as the algorithm scripts call `name`.

    Parameters
    ----------
    name, aliases, version
        As in scripts; an alias means the same algorithm.
    names
        Property names of parameters, and of fields of a NamedTuple result, that are not the CamelCase of their own.
    in_place
        Parameters whose workspace the result replaces; such an algorithm has no output property.
    outputs_after
        The parameter after which the output properties come; by default after the leading input workspaces.
    lenient
        Warn about unknown keywords, and drop them, where other algorithms raise (StartLiveData does).

    Returns
    -------
    A decorator. The decorated function parses its arguments as a script's call does, and given a group for a single
    workspace works member by member and returns a group.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        from livereduce.algorithms.calling import run  # calling needs Declaration

        declaration = _declare(function, name, tuple(aliases), version, names or {}, in_place, outputs_after, lenient)
        for key in (name, *aliases):
            if (other := _registry.get(key.lower())) and other.function.__module__ != function.__module__:
                raise ValueError(f"algorithm {key} is declared in {other.function.__module__} already")
            _registry[key.lower()] = declaration
        signature = inspect.signature(function)

        @functools.wraps(function)
        def twin(*args: P.args, **kwargs: P.kwargs) -> R:
            result: R = run(declaration, dict(signature.bind(*args, **kwargs).arguments))
            return result

        return twin

    return register


def find(name: str) -> Declaration | None:
    """Return the algorithm of this name or alias, whatever its case."""
    return _registry.get(name.lower())


def declarations() -> list[Declaration]:
    """Every algorithm once, by name."""
    return sorted({id(d): d for d in _registry.values()}.values(), key=lambda d: d.name)


def names() -> list[str]:
    """Names and aliases of every algorithm."""
    return sorted(name for d in declarations() for name in (d.name, *d.aliases))


def nearest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Candidates that look like `name`, best first, whatever the case."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=n, cutoff=0.4)]


def _declare(
    function: Callable[..., Any],
    name: str,
    aliases: tuple[str, ...],
    version: int,
    renamed: Mapping[str, str],
    in_place: Sequence[str],
    outputs_after: str | None,
    lenient: bool,
) -> Declaration:
    hints = typing.get_type_hints(function)
    documented = {"ws": "Workspace to work on."} | _documented(function)
    properties, after, store = [], 0, ""
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if WorkspaceStore in (hint, *typing.get_args(hint)):
            store = parameter.name
            continue
        properties.append(_parameter(parameter, hint, renamed, parameter.name in in_place, documented))
        leading = after == len(properties) - 1 and properties[-1].mandatory and properties[-1].kind in _WORKSPACES
        if parameter.name == outputs_after or (outputs_after is None and leading):
            after = len(properties)
    if not in_place and not any(p.kind is Kind.NAME for p in properties):
        properties[after:after] = _results(hints["return"], renamed, documented)
    summary = (inspect.getdoc(function) or "").split("\n", 1)[0]
    return Declaration(name, function, tuple(properties), aliases, version, summary, store, lenient)


def _parameter(
    parameter: inspect.Parameter, hint: Any, renamed: Mapping[str, str], in_place: bool, documented: Mapping[str, str]
) -> Property:
    kind, classes, allowed = _kind(hint)
    mandatory = parameter.default is inspect.Parameter.empty
    return Property(
        name=_property_name(parameter.name, renamed),
        field=parameter.name,
        kind=kind,
        direction="InOut" if in_place else "Output" if kind is Kind.NAME else "Input",
        mandatory=mandatory,
        default=None if mandatory else parameter.default,
        doc=documented.get(parameter.name, ""),
        allowed=allowed,
        classes=classes,
    )


def _results(hint: Any, renamed: Mapping[str, str], documented: Mapping[str, str]) -> list[Property]:
    """Output properties of a return annotation: none, a workspace, or a NamedTuple with one field each."""
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = typing.get_type_hints(hint)
        kinds = {field: _kind(fields[field]) for field in hint._fields}
        return [
            Property(
                name=_property_name(field, renamed),
                field=field,
                kind=kind,
                direction="Output",
                mandatory=kind is Kind.WORKSPACE and not _optional(fields[field]),
                doc=documented.get(field, ""),
                classes=classes,
            )
            for field, (kind, classes, _) in kinds.items()
        ]
    if hint is NoneType:
        return []
    kind, classes, _ = _kind(hint)
    doc = "Name of the result." if kind is Kind.WORKSPACE else "The result."
    name = renamed.get("return", "OutputWorkspace")
    return [Property(name, "", kind, "Output", kind is Kind.WORKSPACE, doc=doc, classes=classes)]


def _property_name(field: str, renamed: Mapping[str, str]) -> str:
    default = "InputWorkspace" if field == "ws" else "".join(part[:1].upper() + part[1:] for part in field.split("_"))
    return renamed.get(field, default)


def _optional(hint: Any) -> bool:
    return NoneType in typing.get_args(hint)


_SCALARS: dict[Any, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    Path: Kind.PATH,
    OutputName: Kind.NAME,
    object: Kind.ANY,
    Any: Kind.ANY,
}


def _kind(hint: Any) -> tuple[Kind, tuple[type, ...], tuple[str, ...]]:
    """Kind, workspace classes and allowed texts an annotation means."""
    if typing.get_origin(hint) is Literal:
        return Kind.TEXT, (), tuple(str(arg) for arg in typing.get_args(hint))
    union = typing.get_origin(hint) in (typing.Union, UnionType)
    options = [o for o in typing.get_args(hint) if o is not NoneType] if union else [hint]
    classes = tuple(o for o in options if isinstance(o, type) and issubclass(o, Workspace))
    if classes:
        return (Kind.OPERAND if float in options else Kind.WORKSPACE), classes, ()
    if typing.get_origin(options[0]) is Literal:
        return _kind(options[0])
    if options[0] in _SCALARS:
        return _SCALARS[options[0]], (), ()
    element = typing.get_args(options[0])[0]
    element_kind, classes, _ = _kind(element)
    lists = {
        Kind.WORKSPACE: Kind.WORKSPACES,
        Kind.INTEGER: Kind.INTEGERS,
        Kind.NUMBER: Kind.NUMBERS,
        Kind.TEXT: Kind.TEXTS,
    }
    return lists[element_kind], classes, ()


def _documented(function: Callable[..., Any]) -> dict[str, str]:
    """Parameter name -> text, from the NumPy style docstring; ``a, b`` share one text."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    section = ""
    lines = (inspect.getdoc(function) or "").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", following.strip()):
            section = line.strip()
        elif section not in ("Parameters", "Returns") or re.fullmatch(r"-{3,}", line.strip()):
            continue
        elif line and not line.startswith(" "):
            current = []
            for parameter in line.split(":")[0].split(","):
                found[parameter.strip()] = current
        else:
            current.append(line.strip())
    return {parameter: " ".join(text).strip() for parameter, text in found.items()}


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    for candidate in allowed:
        if candidate.lower() == text.lower():
            return candidate
    raise ValueError(f"expected one of {', '.join(allowed)}, found {text!r}")


def _sequence(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
