"""Functions to fit as objects: ``Gaussian(Height=10, PeakCentre=5) + LinearBackground()``, to be given to Fit.

An object stands for the text that `livereduce.algorithms.fitting.functions` reads; it holds what was given, ties and
limits. Fit leaves it as it is: what was found is in ``OutputParameters``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from livereduce.algorithms import evaluate_function
from livereduce.algorithms.fitting import functions
from livereduce.algorithms.fitting.profiles import MADE_TO_MEASURE, PROFILES
from livereduce.workspaces import MatrixWorkspace


class FunctionWrapper:
    """A plain function; parameters are its attributes and items.

    Parameters
    ----------
    name
        As in the text of a function.
    settings
        Values of parameters, and what else makes the function (n of Polynomial, Formula of UserFunction).
    """

    def __init__(self, name: str, **settings: Any) -> None:
        self._set(_name=name, _given=dict(settings), _ties={}, _limits=[])
        self._read()

    def _set(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def _read(self) -> functions.Function:
        return functions.parse(str(self))

    @property
    def name(self) -> str:
        """Name of the function."""
        return str(self.__dict__["_name"])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as problem:
            raise AttributeError(problem.args[0]) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __getitem__(self, name: str) -> Any:
        found = self._read()
        if name not in found.names:
            raise KeyError(f"{self.name} has no parameter {name!r}; it has {', '.join(found.names)}")
        return float(found.start[name])

    def __setitem__(self, name: str, value: Any) -> None:
        self._try("_given", {**self._given, name: value})

    def _try(self, attribute: str, value: Any) -> None:
        """Set an attribute if the function can be read with it."""
        before = self.__dict__[attribute]
        self._set(**{attribute: value})
        try:
            self._read()
        except ValueError:
            self._set(**{attribute: before})
            raise

    # -- ties and limits ------------------------------------------------------------------------------------------

    def tie(self, ties: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Let parameters follow from others: ``tie(Sigma="2*Height")``, ``tie({"f1.Sigma": "f0.Sigma"})``."""
        self._try("_ties", {**self._ties, **(ties or {}), **more})

    def untie(self, *names: str) -> None:
        """Undo `tie` and `fix`, without names for all parameters."""
        self._try("_ties", {name: tie for name, tie in self._ties.items() if names and name not in names})

    def fix(self, *names: str) -> None:
        """Keep parameters at their values."""
        self.tie({name: self[name] for name in names})

    def fixAll(self, *names: str) -> None:  # noqa: N802
        """Keep parameters of these names in all members at their values, without names all parameters."""
        self.fix(*(p for name in names for p in self._all(name)) if names else self._read().names)

    def fixAllParameters(self) -> None:  # noqa: N802
        """Keep all parameters at their values."""
        self.fixAll()

    def untieAllParameters(self) -> None:  # noqa: N802
        """Undo all of `tie` and `fix`."""
        self.untie()

    def tieAll(self, name: str) -> None:  # noqa: N802
        """Let the parameters of this name of all members be equal."""
        first, *others = self._all(name)
        self.tie(dict.fromkeys(others, first))

    def untieAll(self, name: str) -> None:  # noqa: N802
        """Undo `tieAll` and `fixAll` of a name."""
        self.untie(*self._all(name))

    def _all(self, name: str) -> list[str]:
        """Parameters of this name in the function and all its members."""
        found = [parameter for parameter in self._read().names if parameter.rpartition(".")[2] == name]
        if not found:
            raise ValueError(f"{self.name} has no parameter {name!r}; it has {', '.join(self._read().names)}")
        return found

    def constrain(self, limits: str) -> None:
        """Keep parameters inside limits: ``constrain("0 < Sigma < 3, Height > 0")``."""
        self._try("_limits", [*self._limits, limits])

    def unconstrain(self, *names: str) -> None:
        """Undo `constrain`, without names for all parameters."""
        bounds = {limits: {b.target for b in self._read().bounds} for limits in self._limits}
        self._try("_limits", [text for text, targets in bounds.items() if names and not targets & set(names)])

    def constrainAll(self, limits: str) -> None:  # noqa: N802
        """Keep the parameters of a name inside limits in all members: ``constrainAll("Sigma < 2")``."""
        name = re.search(r"[A-Za-z_]\w*", limits)
        if name is None:
            raise ValueError(f"{limits!r} is no constraint; expected such as Sigma < 2")
        for parameter in self._all(name[0]):
            self.constrain(limits[: name.start()] + parameter + limits[name.end() :])

    def unconstrainAll(self, name: str) -> None:  # noqa: N802
        """Undo `constrainAll` of a name."""
        self.unconstrain(*self._all(name))

    # -- use ------------------------------------------------------------------------------------------------------

    def __call__(self, x: npt.ArrayLike | MatrixWorkspace, *parameters: float) -> Any:
        """Values at x (numbers), with other parameters if given; of a workspace, what EvaluateFunction makes of it."""
        if isinstance(x, MatrixWorkspace):
            return evaluate_function(str(self), x)
        found = self._read()
        if len(parameters) not in (0, len(found.names)):
            raise ValueError(f"{self.name} has parameters {', '.join(found.names)}, found {len(parameters)} values")
        start = found.tied({**found.start, **dict(zip(found.names, parameters, strict=False))})
        values = found(np.atleast_1d(np.asarray(x, np.float64)), start)
        return values if np.ndim(x) else float(values[0])

    def __add__(self, other: FunctionWrapper) -> Any:
        return _combined(CompositeFunctionWrapper, self, other)

    def __mul__(self, other: FunctionWrapper) -> Any:
        return _combined(ProductFunctionWrapper, self, other)

    def _head(self) -> list[str]:
        return [f"name={self.name}", *(f"{name}={value}" for name, value in self._given.items())]

    def _restrictions(self) -> list[str]:
        ties = ",".join(f"{name}={value}" for name, value in self._ties.items())
        limits = ",".join(self._limits)
        return [f"{key}=({text})" for key, text in (("ties", ties), ("constraints", limits)) if text]

    def __str__(self) -> str:
        return ",".join([*self._head(), *self._restrictions()])

    def __repr__(self) -> str:
        return f"<{self}>"


class CompositeFunctionWrapper(FunctionWrapper):
    """A sum of functions, which are its items by number; parameters are called ``f0.Height``."""

    kind = "CompositeFunction"

    def __init__(self, *members: FunctionWrapper) -> None:
        self._set(_name=self.kind, _given={}, _ties={}, _limits=[], _members=list(members))
        self._read()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[FunctionWrapper]:
        return iter(list(self._members))

    def __getitem__(self, name: int | str) -> Any:
        if isinstance(name, int):
            return self._members[name]
        return super().__getitem__(name) if "." in name else self._inside(name)[0]

    def __setitem__(self, name: int | str, value: Any) -> None:
        if isinstance(name, int):
            self._try("_members", [value if i == name else old for i, old in enumerate(self._members)])
            return
        member, inner = self._inside(name)
        member[inner] = value

    def __delitem__(self, index: int) -> None:
        self._try("_members", [old for i, old in enumerate(self._members) if i != index])

    def __iadd__(self, other: FunctionWrapper) -> Self:
        self._try("_members", [*self._members, other])
        return self

    def _inside(self, name: str) -> tuple[FunctionWrapper, str]:
        """Member and the rest of the name: of ``f0.Height``, member 0 and ``Height``."""
        place, _, inner = name.partition(".")
        if place[:1] == "f" and place[1:].isdigit() and int(place[1:]) < len(self):
            return self._members[int(place[1:])], inner
        raise KeyError(f"{self.name} has no {name!r}; it has {', '.join(self._read().names)}")

    def __str__(self) -> str:
        members = [f"({m})" if isinstance(m, CompositeFunctionWrapper) else str(m) for m in self._members]
        return ";".join([f"composite={self.kind}", *members, *self._restrictions()])


class ProductFunctionWrapper(CompositeFunctionWrapper):
    """A product of functions."""

    kind = "ProductFunction"


def _combined(kind: type[CompositeFunctionWrapper], left: FunctionWrapper, right: object) -> Any:
    """Combine two; a sum of a sum and more is one sum, unless ties or limits of its own keep it together."""
    if not isinstance(right, FunctionWrapper):
        return NotImplemented
    parts: list[FunctionWrapper] = []
    for side in (left, right):
        loose = isinstance(side, CompositeFunctionWrapper) and type(side) is kind and not side._restrictions()
        parts += side._members if loose else [side]
    return kind(*parts)


class FunctionFactoryImpl:
    """Makes functions; one instance, `FunctionFactory`."""

    def Instance(self) -> FunctionFactoryImpl:  # noqa: N802
        """Give this object, as scripts for old versions ask for it."""
        return self

    def createFunction(self, name: str) -> FunctionWrapper:  # noqa: N802
        """Make a function by name."""
        return FunctionWrapper(name)

    def getFunctionNames(self) -> list[str]:  # noqa: N802
        """Names of all functions there are."""
        return [*PROFILES, *MADE_TO_MEASURE]


FunctionFactory = FunctionFactoryImpl()


def _maker(name: str) -> Callable[..., FunctionWrapper]:
    def make(**settings: Any) -> FunctionWrapper:
        return FunctionWrapper(name, **settings)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Make the function {name} with parameters given by name."
    return make


FUNCTIONS: dict[str, Any] = {
    **{name: _maker(name) for name in FunctionFactory.getFunctionNames()},
    "CompositeFunction": CompositeFunctionWrapper,
    "CompositeFunctionWrapper": CompositeFunctionWrapper,
    "FunctionFactory": FunctionFactory,
    "FunctionWrapper": FunctionWrapper,
    "ProductFunction": ProductFunctionWrapper,
    "ProductFunctionWrapper": ProductFunctionWrapper,
}
