"""Functions of X written as text: ``name=Gaussian,Height=10,PeakCentre=5,Sigma=1;name=LinearBackground,A0=0.3``.

Members are added. Their parameters are called by their own name if there is one member, else ``f0.Height``,
``f1.A0``, .... Ties and limits may stand in the text, ``...;ties=(f0.Sigma=2)`` and ``...,constraints=(0<Sigma<3)``,
or be given beside it. Not covered: members other than plain functions (convolutions, several data sets).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from livereduce.algorithms.profiles import Profile, profile
from livereduce.algorithms.ties import Bound, Tie, parse_constraints, parse_ties
from livereduce.algorithms.values import to_integer, to_number
from livereduce.workspaces.arrays import F64

# a name that is neither part of another one, of a number, nor a function's
_OWN_PARAMETER = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?![\w.(])")
_EXAMPLE = "name=Gaussian,Height=1,PeakCentre=0,Sigma=1"


@dataclass(frozen=True, slots=True)
class Member:
    """One function of a sum: its profile, the start of its parameters' names, and the values that are given."""

    profile: Profile
    prefix: str
    given: Mapping[str, float]

    @property
    def start(self) -> dict[str, float]:
        """Values of all its parameters: given, else by default."""
        return {name: self.given.get(name, default) for name, default in self.profile.defaults.items()}


@dataclass(frozen=True, slots=True)
class Function:
    """A sum of members, with ties and limits of their parameters."""

    members: tuple[Member, ...]
    ties: tuple[Tie, ...] = ()
    bounds: tuple[Bound, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of all parameters, in order."""
        return [member.prefix + name for member in self.members for name in member.profile.defaults]

    @property
    def start(self) -> dict[str, float]:
        """Starting values of all parameters, ties carried out."""
        return self.tied({m.prefix + name: value for m in self.members for name, value in m.start.items()})

    @property
    def free(self) -> list[str]:
        """Names of the parameters that are not tied."""
        tied = {tie.target for tie in self.ties}
        return [name for name in self.names if name not in tied]

    @property
    def even(self) -> set[str]:
        """Parameters whose sign makes no difference."""
        return {m.prefix + name for m in self.members for name in m.profile.even}

    def limits(self) -> dict[str, tuple[float, float]]:
        """Limits of the parameters that have any."""
        found = {m.prefix + name: limits for m in self.members for name, limits in m.profile.bounds.items()}
        for bound in self.bounds:
            low, high = found.get(bound.target, (-np.inf, np.inf))
            found[bound.target] = max(low, bound.lower), min(high, bound.upper)
        return found

    def tied(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all values, those of tied parameters computed from the others."""
        # numbers of numpy's: a division by 0 is infinite, and an expression of fixed numbers too
        result = {name: np.asarray(value)[()] for name, value in values.items()}
        with np.errstate(all="ignore"):
            for tie in self.ties:
                result[tie.target] = np.asarray(tie.value(result))[()]
        return result

    def member_values(self, x: F64, values: Mapping[str, Any]) -> Iterator[F64]:
        """Values at `x` of each member."""
        for member in self.members:
            yield member.profile.function(x, *(values[member.prefix + name] for name in member.profile.defaults))

    def __call__(self, x: F64, values: Mapping[str, Any]) -> F64:
        """Values at `x` for values of all parameters (as `tied` gives them)."""
        with np.errstate(all="ignore"):
            result: F64 = np.sum(list(self.member_values(x, values)), axis=0)
        return result


def parse(text: str, ties: str = "", constraints: str = "") -> Function:
    """Return the function a text says.

    Parameters
    ----------
    text
        Members separated by ``;``.
    ties, constraints
        More of them than the text itself holds, separated by commas.

    Raises
    ------
    ValueError
        Something cannot be read; the message says what was found and what there is.
    """
    parts = [dict(_settings(part)) for part in _split(text, ";")]
    settings = [part for part in parts if "name" in part]
    for part in parts:
        _check_part(part, text)
    if not settings:
        raise ValueError(f"Function: the function is empty; expected for example {_EXAMPLE}")
    members, tie_items, bound_items = [], list(_split(ties, ",")), list(_split(constraints, ","))
    for i, part in enumerate(settings):
        prefix = f"f{i}." if len(settings) > 1 else ""
        tie_items += [_prefixed(item, prefix) for item in _inner(part, "ties")]
        bound_items += [_prefixed(item, prefix) for item in _inner(part, "constraints")]
        members.append(_member(part, prefix))
    for part in parts:
        if "name" not in part:
            tie_items += _inner(part, "ties")
            bound_items += _inner(part, "constraints")
    names = Function(tuple(members)).names
    return Function(tuple(members), tuple(parse_ties(tie_items, names)), tuple(parse_constraints(bound_items, names)))


def evaluated(text: str, x: F64) -> F64:
    """Sum of the functions that `text` names, at `x`; ValueError for what cannot be read."""
    function = parse(text)
    return function(x, function.start)


def background(name: str, prefix: str = "", given: Mapping[str, float] | None = None) -> Member:
    """Return the background of a short name: Flat, Linear or Quadratic."""
    return Member(
        profile({"Flat": "FlatBackground", "Linear": "LinearBackground"}.get(name, name)), prefix, given or {}
    )


def _check_part(part: Mapping[str, str], text: str) -> None:
    kind = part.get("composite", "CompositeFunction")
    if kind != "CompositeFunction" or (next(iter(part), "").startswith("(")):
        raise ValueError(f"Function: only plain sums of functions are available, found {kind} in {text!r}")
    if not part.keys() & {"name", "ties", "constraints", "composite"}:
        raise ValueError(f"Function: {part} in {text!r} names no function; expected for example {_EXAMPLE}")


def _member(part: Mapping[str, str], prefix: str) -> Member:
    settings = {key: value for key, value in part.items() if key not in ("name", "ties", "constraints")}
    degree = to_integer(settings.pop("n")) if part["name"] == "Polynomial" and "n" in settings else None
    if degree is not None and not 0 <= degree <= 20:
        raise ValueError(f"Function: n of Polynomial is {degree}; expected 0 to 20")
    try:
        found = profile(part["name"], degree)
    except ValueError as problem:
        raise ValueError(f"Function: {problem}") from None
    if unknown := settings.keys() - found.defaults.keys():
        raise ValueError(
            f"Function: {found.name} has no parameter {min(unknown)!r}; it has {', '.join(found.defaults)}"
        )
    try:
        return Member(found, prefix, {key: to_number(value) for key, value in settings.items()})
    except ValueError as problem:
        raise ValueError(f"Function: {found.name}: {problem}") from None


def _inner(part: Mapping[str, str], key: str) -> list[str]:
    return list(_split(part.get(key, "").strip("()"), ","))


def _prefixed(item: str, prefix: str) -> str:
    """Say of which member the parameters are that ties and limits inside a member name."""
    return _OWN_PARAMETER.sub(rf"{prefix}\1", item)


def _settings(part: str) -> Iterator[tuple[str, str]]:
    for item in _split(part, ","):
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"Function: {item!r} in {part!r} is no setting; expected Parameter=value")
        yield key.strip(), value.strip()


def _split(text: str, separator: str) -> Iterator[str]:
    """Pieces of the text between separators that are not in parentheses; empty ones left out."""
    depth, start = 0, 0
    for i, character in enumerate([*text, separator]):
        depth += (character == "(") - (character == ")")
        if character == separator and (depth == 0 or i == len(text)):
            if piece := text[start:i].strip():
                yield piece
            start = i + 1
