"""How an algorithm declares itself: one annotated function.

``@algorithm("Rebin")`` reads the function's signature, annotations and docstring and registers a `Declaration`: the
name, aliases and version scripts use, and the properties in the order scripts may give them. From it come

* the function itself, in snake_case, working on objects and returning the result (the store is never touched);
* the call from scripts (`livereduce.algorithms.calling`, wrapped by ``mantid.simpleapi``);
* the reference page (`Declaration.describe`).

Parameters become properties: ``preserve_events`` is ``PreserveEvents``, ``ws`` is ``InputWorkspace``; `names` says the
exceptions. Their texts in the docstring, and of a NamedTuple result those of its attributes, document the properties.
A parameter without default is mandatory. A parameter annotated `WorkspaceStore` is no property: it gets the
store (for the few algorithms that are about names; with ``| None``, Python callers need not give it). One annotated
`OutputName` is an output workspace that the algorithm puts into the store itself.

Any room may register algorithms; importing the module is enough.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from livereduce.algorithms.properties import Integers, Kind, Numbers, OutputName, Property
from livereduce.algorithms.signature import read_signature

__all__ = [
    "Declaration",
    "Integers",
    "Kind",
    "Numbers",
    "OutputName",
    "Property",
    "algorithm",
    "declarations",
    "find",
    "names",
    "nearest",
]

P = ParamSpec("P")
R = TypeVar("R")


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
    assignable: bool = True
    monitors_with: str = ""

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
            "python": f"{_home(self.function)}.{self.function.__name__}",
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


def _home(function: Callable[..., Any]) -> str:
    """Module to import from: those of this package are all in the package itself."""
    module = function.__module__
    return "livereduce.algorithms" if module.startswith("livereduce.algorithms.") else module


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
    assignable: bool = True,
    with_results: bool = False,
    monitors_with: str = "",
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
    assignable
        Whether the names a script's call is assigned to name its outputs; without, assigning is a RuntimeError.
    with_results
        Whether the result's fields are properties even of an algorithm that puts its workspaces into the store itself.
    monitors_with
        The parameter with which a script also gets the monitors attached to the result, as ``MonitorWorkspace``, and
        the store has them as ``<name>_monitors``.

    Returns
    -------
    A decorator. The decorated function parses its arguments as a script's call does, and given a group for a single
    workspace works member by member and returns a group.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        from livereduce.algorithms.calling import run  # calling needs Declaration

        read = read_signature(function, names or {}, in_place, outputs_after, with_results=with_results)
        declaration = Declaration(
            name,
            function,
            read.properties,
            tuple(aliases),
            version,
            read.summary,
            read.wants_store,
            lenient,
            assignable,
            monitors_with,
        )
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
