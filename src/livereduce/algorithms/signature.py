"""Reading an annotated function: its parameters and results as properties, its docstring as their documentation."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple

from livereduce.algorithms.properties import WORKSPACE_KINDS, Kind, OutputName, Property
from livereduce.workspaces import Workspace, WorkspaceStore


class Signature(NamedTuple):
    """What a function says: its properties in order, the parameter that wants the store, the first line of its text."""

    properties: tuple[Property, ...]
    wants_store: str
    summary: str


def read_signature(
    function: Callable[..., Any],
    renamed: Mapping[str, str],
    in_place: Sequence[str],
    outputs_after: str | None,
    *,
    with_results: bool = False,
) -> Signature:
    """Turn a function into properties; the arguments are those of `declaration.algorithm`."""
    hints = typing.get_type_hints(function)
    documented = {"ws": "Workspace to work on."} | _documented(function)
    properties: list[Property] = []
    after, store = 0, ""
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if WorkspaceStore in (hint, *typing.get_args(hint)):
            store = parameter.name
            continue
        properties.append(_parameter(parameter, hint, renamed, parameter.name in in_place, documented))
        leading = after == len(properties) - 1 and properties[-1].mandatory and properties[-1].kind in WORKSPACE_KINDS
        if parameter.name == outputs_after or (outputs_after is None and leading):
            after = len(properties)
    stores_itself = any(p.kind is Kind.NAME for p in properties)
    if not in_place and (with_results or not stores_itself):
        properties[after:after] = _results(hints["return"], renamed, documented)
    summary = (inspect.getdoc(function) or "").split("\n", 1)[0]
    return Signature(tuple(properties), store, summary)


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
        documented = {**_documented(hint), **documented}
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
    """Name -> text of parameters or attributes, from the NumPy style docstring; ``a, b`` share one text."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    section = ""
    lines = (inspect.getdoc(function) or "").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", following.strip()):
            section = line.strip()
        elif section not in ("Parameters", "Returns", "Attributes") or re.fullmatch(r"-{3,}", line.strip()):
            continue
        elif line and not line.startswith(" "):
            current = []
            for parameter in line.split(":")[0].split(","):
                found[parameter.strip()] = current
        else:
            current.append(line.strip())
    return {parameter: " ".join(text).strip() for parameter, text in found.items()}
