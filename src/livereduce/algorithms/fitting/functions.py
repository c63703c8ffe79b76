"""Functions of X written as text: ``name=Gaussian,Height=10,PeakCentre=5,Sigma=1;name=LinearBackground,A0=0.3``.

Members are added, or multiplied behind ``composite=ProductFunction``. One in parentheses may itself have members:
``name=LinearBackground;(composite=ProductFunction;name=Gaussian;name=ExpDecay)``. Parameters are called by their own
name if there is one function, else ``f0.A0``, ``f1.f0.Height``, .... Ties and limits may stand in the text,
``...;ties=(f0.Sigma=2)`` and ``...,constraints=(0<Sigma<3)``, with names as they are inside the same parentheses, or be
given beside it. Not covered: convolutions, functions of several data sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from livereduce.algorithms.fitting.profiles import PROFILES, Profile, profile, user_function
from livereduce.algorithms.fitting.ties import Bound, Tie, parse_constraints, parse_ties
from livereduce.algorithms.values import to_integer, to_number
from livereduce.workspaces.arrays import F64

# a name that is neither part of another one, of a number, nor a function's
_OWN_PARAMETER = re.compile(r"(?<![\w.])([A-Za-z_][\w.]*)(?![\w.(])")
_EXAMPLE = "name=Gaussian,Height=1,PeakCentre=0,Sigma=1"
_COMPOSITES = ("CompositeFunction", "ProductFunction")


@dataclass(frozen=True, slots=True)
class Member:
    """One plain function: its profile, the start of its parameters' names, and the values that are given."""

    profile: Profile
    prefix: str
    given: Mapping[str, float]

    @property
    def start(self) -> dict[str, float]:
        """Values of all its parameters: given, else by default."""
        return {name: self.given.get(name, default) for name, default in self.profile.defaults.items()}


@dataclass(frozen=True, slots=True)
class Combination:
    """A sum or a product of functions: each a member, by its place among all, or a combination itself."""

    parts: tuple[int | Combination, ...]
    product: bool = False

    @property
    def multiplies(self) -> bool:
        """Whether this, or a combination in it, is a product."""
        return self.product or any(part.multiplies for part in self.parts if isinstance(part, Combination))

    def __call__(self, values: Sequence[F64]) -> F64:
        """Values of the whole for those of all members."""
        parts = [values[part] if isinstance(part, int) else part(values) for part in self.parts]
        result: F64 = np.prod(parts, axis=0) if self.product else np.sum(parts, axis=0)
        return result


@dataclass(frozen=True, slots=True)
class Function:
    """Members, with ties and limits of their parameters; they are added unless `combination` says otherwise."""

    members: tuple[Member, ...]
    ties: tuple[Tie, ...] = ()
    bounds: tuple[Bound, ...] = ()
    combination: Combination | None = None

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
            combination = self.combination or Combination(tuple(range(len(self.members))))
            return combination(list(self.member_values(x, values)))


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
    if text.count("(") != text.count(")"):
        raise ValueError(f"Function: {text!r} has {text.count('(')} opening and {text.count(')')} closing parentheses")
    reader = _Reader()
    whole = reader.read(text)
    members = tuple(reader.members)
    names = Function(members).names
    return Function(
        members,
        tuple(parse_ties([*_split(ties, ","), *reader.ties], names)),
        tuple(parse_constraints([*_split(constraints, ","), *reader.bounds], names)),
        whole if isinstance(whole, Combination) else None,
    )


def evaluated(text: str, x: F64) -> F64:
    """Sum of the functions that `text` names, at `x`; ValueError for what cannot be read."""
    function = parse(text)
    return function(x, function.start)


def integrated(function: Function) -> Function:
    """Return the function integrated over bins: its `x` are their edges, float64[bins, 2].

    Raises
    ------
    ValueError
        A member has no integral here, or members are multiplied.
    """
    combination = function.combination
    if combination is not None and combination.multiplies:
        raise ValueError("a product of functions cannot be integrated over bins; use CentrePoint")
    return replace(function, members=tuple(_integrated(member) for member in function.members))


def _integrated(member: Member) -> Member:
    integral = member.profile.integral
    if integral is None:
        there = ", ".join(name for name, known in PROFILES.items() if known.integral is not None)
        raise ValueError(f"{member.profile.name} cannot be integrated over bins, which {there} can; use CentrePoint")

    def over_bins(edges: F64, *parameters: float) -> F64:
        return integral(edges[:, 1], *parameters) - integral(edges[:, 0], *parameters)

    return replace(member, profile=replace(member.profile, function=over_bins))


@dataclass(slots=True)
class _Reader:
    """What has been found in a function's text so far, parameters called as from outside."""

    members: list[Member] = field(default_factory=list)
    ties: list[str] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)

    def read(self, text: str, prefix: str = "") -> int | Combination:
        """Take in a function and all in it; return its place among the members, or how its members are combined."""
        parts = list(_split(_bare(text), ";"))
        settings = [{} if part.startswith("(") else dict(_settings(part)) for part in parts]
        kinds = [_checked(part, found) for part, found in zip(parts, settings, strict=True)]
        functions = [
            i for i, (part, found) in enumerate(zip(parts, settings, strict=True)) if not found or "name" in found
        ]
        if not functions:
            raise ValueError(f"Function: the function is empty; expected for example {_EXAMPLE}")
        single = len(functions) == 1 and not any(kinds)
        pieces: list[int | Combination] = []
        for place, i in enumerate(functions):
            inner = prefix if single else f"{prefix}f{place}."
            pieces.append(self._plain(settings[i], inner) if settings[i] else self.read(parts[i], inner))
        for found in settings:
            if "name" not in found:
                self._restrict(found, prefix)
        return pieces[0] if single else Combination(tuple(pieces), "ProductFunction" in kinds)

    def _plain(self, settings: Mapping[str, str], prefix: str) -> int:
        self.members.append(_member(settings, prefix))
        self._restrict(settings, prefix)
        return len(self.members) - 1

    def _restrict(self, settings: Mapping[str, str], prefix: str) -> None:
        self.ties += [_prefixed(item, prefix) for item in _inner(settings, "ties")]
        self.bounds += [_prefixed(item, prefix) for item in _inner(settings, "constraints")]


def _checked(part: str, settings: Mapping[str, str]) -> str:
    """Return the kind of composite that a part of a text says, "" if it says none."""
    if part.startswith("("):
        if _bare(part) == part:
            raise ValueError(f"Function: expected ; after the closing parenthesis in {part!r}")
        return ""
    kind = settings.get("composite", "")
    if kind and kind not in _COMPOSITES:
        raise ValueError(f"Function: {kind} is not available; functions are combined by {' or '.join(_COMPOSITES)}")
    if not settings.keys() & {"name", "ties", "constraints", "composite"}:
        raise ValueError(f"Function: {part!r} names no function; expected for example {_EXAMPLE}")
    return kind


def _bare(text: str) -> str:
    """Return the text without parentheses around all of it."""
    text = text.strip()
    while text.startswith("("):
        depth = 0
        closed = next((i for i, c in enumerate(text) if (depth := depth + (c == "(") - (c == ")")) == 0), -1)
        if closed != len(text) - 1:
            break
        text = text[1:-1].strip()
    return text


def _member(part: Mapping[str, str], prefix: str) -> Member:
    settings = {key: value for key, value in part.items() if key not in ("name", "ties", "constraints")}
    try:
        found = _profile(part["name"], settings)
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


def _profile(name: str, settings: dict[str, str]) -> Profile:
    """Return the function of that name; what is no parameter of it but makes it is taken out of its settings."""
    if name == "UserFunction":
        return user_function(settings.pop("Formula", ""))
    degree = to_integer(settings.pop("n")) if name == "Polynomial" and "n" in settings else None
    if degree is not None and not 0 <= degree <= 20:
        raise ValueError(f"n of Polynomial is {degree}; expected 0 to 20")
    return profile(name, degree)


def _inner(part: Mapping[str, str], key: str) -> list[str]:
    return list(_split(_bare(part.get(key, "")), ","))


def _prefixed(item: str, prefix: str) -> str:
    """Say of which function the parameters are that ties and limits inside it name."""
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
