"""Parameters of components: constants, or formulas of a log's value, and what those that move things do.

Covers the ``parameter`` element of instrument definitions and of separate parameter files. A parameter of a name in
`GEOMETRIC` moves, turns or scales its component; any other is kept by name for whoever wants it (``Efixed``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.document import LARGEST, Element, GeometryError
from livereduce.geometry.expression import Formula
from livereduce.geometry.space import Floats, cartesian, rotation

GEOMETRIC = frozenset(
    {"x", "y", "z", "r-position", "t-position", "p-position", "rotx", "roty", "rotz", "scalex", "scaley"}
)
_ANGLES = frozenset({"t-position", "p-position", "rotx", "roty", "rotz"})
_EXTRACTS = ("mean", "first_value", "last_value", "median", "minimum", "maximum", "position")

_VALUE = Formula("value")

# a log: its present value, or (times int64[m] ns, values float64[m]) in order of time
LogValue = float | str | tuple[NDArray[np.int64], NDArray[np.float64]]
Logs = Mapping[str, LogValue]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One ``parameter``: a text to be read as a number or kept, or a log with a formula.

    `scale` turns the file's angle unit into degrees; it is 1 for everything that is not an angle.
    """

    name: str
    kind: str  # "number", "string" or "fitting"
    text: str = ""
    log: str = ""
    formula: Formula = _VALUE
    extract: str = "mean"
    scale: float = 1.0
    line: int = 0

    def constant(self) -> float:
        """Return the value of a parameter that has no log.

        Raises
        ------
        GeometryError
            The text is not a number.
        """
        try:
            value = float(self.text)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            raise GeometryError(f"parameter {self.name!r} (line {self.line}): value {self.text!r} is not a number")
        return value * self.scale

    def evaluate(self, log: LogValue) -> float:
        """Return the value this log gives.

        Raises
        ------
        GeometryError
            The log holds no number, or the formula has no finite value for it.
        """
        try:
            given = self._single(log)
            value = self.formula(given) * self.scale
        except (ArithmeticError, ValueError, IndexError) as error:
            raise GeometryError(f"log {self.log!r} gives no {self.name!r} (line {self.line}): {error}") from error
        if not abs(value) <= LARGEST:
            raise GeometryError(f"log {self.log!r} gives {self.name!r} = {value} (line {self.line}) from {given}")
        return value

    def _single(self, log: LogValue) -> float:
        if not isinstance(log, tuple):
            return float(log)
        times, values = np.asarray(log[0], dtype=np.int64), np.asarray(log[1], dtype=np.float64)
        if len(values) == 0 or len(times) != len(values):
            raise ValueError(f"{len(values)} values at {len(times)} times")
        if len(values) == 1:  # all there is in live use, whatever the definition asks for
            return float(values[0])
        match self.extract.split():
            case ["position", index]:
                return float(values[int(index)])
            case ["first_value"]:
                return float(values[0])
            case ["last_value"]:
                return float(values[-1])
            case ["median"]:
                return float(np.median(values))
            case ["minimum"]:
                return float(np.min(values))
            case ["maximum"]:
                return float(np.max(values))
        # mean weighted by how long each value held; the last one has held for no time yet
        held = np.diff(times).astype(np.float64)
        return float(np.average(values[:-1], weights=held)) if held.sum() > 0 else float(values[-1])


def evaluate(
    parameters: Iterable[Parameter], logs: Logs, earlier: Mapping[Parameter, float]
) -> tuple[dict[Parameter, float], tuple[str, ...]]:
    """Return the values of log-driven parameters after these logs arrived, and what was wrong with the logs.

    Logs not named leave the earlier value. Names match without regard to case where not exactly, since they are
    spelled in several ways even within one instrument's files (theta, Theta, THETA).
    """
    by_lower_case = {name.lower(): value for name, value in logs.items()}
    values, problems = dict(earlier), []
    for parameter in parameters:
        log = logs.get(parameter.log, by_lower_case.get(parameter.log.lower()))
        if log is None:
            continue
        try:
            values[parameter] = parameter.evaluate(log)
        except GeometryError as error:
            problems.append(str(error))
    return values, tuple(sorted(problems))


def moving(component: str, axis: str, expression: str, log: str) -> Parameter:
    """Make the parameter of a user's wish to move a component.

    Raises
    ------
    GeometryError
        Nothing can be moved along this axis, the expression cannot be read, or the log is not named.
    """
    if axis not in GEOMETRIC:
        raise GeometryError(f"cannot move {component!r} along {axis!r}; expected one of {', '.join(sorted(GEOMETRIC))}")
    formula = Formula(expression)
    if log:
        return Parameter(axis, "number", log=log, formula=formula, extract="last_value")
    if "value" in expression:
        raise GeometryError(f"moving {component!r} by {expression!r} needs the name of a log")
    return Parameter(axis, "number", text=repr(formula(0.0)))


def read_parameters(parent: Element, degrees: float = 1.0) -> tuple[Parameter, ...]:
    """All ``parameter`` children of an element; `degrees` is the file's angle unit in degrees."""
    return tuple(_read(element, degrees) for element in parent.all("parameter"))


def _read(element: Element, degrees: float) -> Parameter:
    name = element.required("name")
    kind = element.text_of("type") or "number"
    scale = degrees if name in _ANGLES else 1.0
    value, log = element.first("value"), element.first("logfile")
    if value is not None:
        parameter = Parameter(name, kind, text=value.text_of("val"), scale=scale, line=element.line)
        if name in GEOMETRIC and kind == "number":
            parameter.constant()  # fail now, where the line can be named
        return parameter
    if log is None or kind != "number":
        formula = element.first("formula")
        return Parameter(name, kind, text="" if formula is None else formula.text_of("eq"), line=element.line)
    extract = log.text_of("extract-single-value-as") or "mean"
    if extract.split()[0] not in _EXTRACTS or (extract.startswith("position") and not extract[8:].strip().isdecimal()):
        log.fail(f"extract-single-value-as={extract!r} is not one of {', '.join(_EXTRACTS)} n")
    try:
        formula_ = Formula(log.text_of("eq") or "value")
    except GeometryError as error:
        log.fail(str(error))
    return Parameter(name, "number", "", log.required("id"), formula_, extract, scale, element.line)


def present_values(parameters: Iterable[Parameter], values: Mapping[Parameter, float]) -> dict[str, float]:
    """Name to value of the numeric parameters that have one now; later ones win.

    `values` holds what the logs gave; a parameter whose log is missing is as if it were not there.
    """
    found: dict[str, float] = {}
    for parameter in parameters:
        if not parameter.log:
            found[parameter.name] = parameter.constant()
        elif parameter in values:
            found[parameter.name] = values[parameter]
    return found


def moved(position: Floats, values: Mapping[str, float]) -> Floats:
    """Relative positions [..., 3] after the parameters that replace them or one of their coordinates."""
    position = np.array(position)
    if "r-position" in values:
        position[...] = cartesian((values["r-position"], values.get("t-position", 0.0), values.get("p-position", 0.0)))
    for axis, name in enumerate("xyz"):
        if name in values:
            position[..., axis] = values[name]
    return position


def turned(relative: Floats, values: Mapping[str, float]) -> Floats:
    """Relative rotation after the parameters that replace it: Rx(rotx) Ry(roty) Rz(rotz), missing ones 0."""
    if not {"rotx", "roty", "rotz"} & values.keys():
        return relative
    x, y, z = (
        rotation(values.get(name, 0.0), axis) for name, axis in zip(("rotx", "roty", "rotz"), np.eye(3), strict=True)
    )
    return x @ y @ z
