"""NeXus transformations: where a component stands by its chain of rotations and translations (``depends_on``).

A point in the component's frame is acted on by the first element of the chain first. A rotation's ``offset`` is taken
as the manual's matrix has it, rotate and then shift, with a warning, since readers differ there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from livereduce.geometry.document import LARGEST, GeometryError
from livereduce.geometry.nexus_tree import NexusNode, class_of
from livereduce.geometry.parameters import Parameter
from livereduce.geometry.space import IDENTITY, Floats, rotation

_METRES = {
    "m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "cm": 1e-2, "mm": 1e-3, "millimetre": 1e-3,
    "millimeter": 1e-3, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "micron": 1e-6, "nm": 1e-9, "angstrom": 1e-10, "km": 1e3,
}  # fmt: skip
_DEGREES = {
    "deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0, "rad": float(np.degrees(1.0)),
    "radian": float(np.degrees(1.0)), "radians": float(np.degrees(1.0)), "mrad": float(np.degrees(1e-3)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One transformation, by a constant or by what a log gives."""

    path: str
    turns: bool
    axis: tuple[float, float, float]  # unit vector
    offset: tuple[float, float, float]  # m
    scale: float  # of the value, to m or degrees
    value: float | Parameter


def chain_of(node: NexusNode, warnings: list[str]) -> tuple[Step, ...] | None:
    """Follow the ``depends_on`` of a component; None when it has none.

    Raises
    ------
    GeometryError
        The chain leads nowhere or in a circle, or a transformation cannot be used; the message names its path.
    """
    field = node.at("depends_on")
    target = _text(field.value() if field is not None else node.attribute("depends_on"))
    if not target:
        return None
    steps: list[Step] = []
    seen: set[str] = set()
    holder: NexusNode | None = node
    while target not in {"", "."}:
        found = None if holder is None else holder.at(target)
        if found is None:
            raise GeometryError(f"{node.path}: its depends_on leads to {target!r}, which is not there")
        if found.path in seen:
            raise GeometryError(f"{node.path}: its depends_on goes round in a circle at {found.path}")
        seen.add(found.path)
        steps.append(_step(found, warnings))
        target, holder = _text(found.attribute("depends_on")), found.parent
    return tuple(steps)


def pose(chain: Sequence[Step], values: Mapping[Parameter, float]) -> tuple[Floats, Floats] | None:
    """Position float64[3] in m and rotation float64[3, 3] of a chain; None while a log has given no value."""
    position, turn = np.zeros(3), IDENTITY
    for step in chain:
        value = values.get(step.value) if isinstance(step.value, Parameter) else step.value
        if value is None:
            return None
        if step.turns:
            own = rotation(value * step.scale, step.axis)
            position, turn = own @ position + step.offset, own @ turn
        else:
            position = position + value * step.scale * np.array(step.axis) + step.offset
    return position, turn


def length_scale(node: NexusNode, attribute: str = "units") -> float:
    """Metres in the unit of a dataset.

    Raises
    ------
    GeometryError
        It has no unit, or none of length.
    """
    return _scale(node.path, attribute, node.attribute(attribute), _METRES)


def angle_scale(node: NexusNode) -> float:
    """Degrees in the unit of a dataset; errors as `length_scale`."""
    return _scale(node.path, "units", node.attribute("units"), _DEGREES)


def _scale(path: str, attribute: str, unit: object, known: Mapping[str, float]) -> float:
    text = unit.strip() if isinstance(unit, str) else ""
    found = known.get(text) or known.get(text.lower())
    if found is None:
        raise GeometryError(f"{path}: attribute {attribute} is {unit!r}; expected one of {', '.join(known)}")
    return found


def _step(node: NexusNode, warnings: list[str]) -> Step:
    kind = _text(node.attribute("transformation_type"))
    if kind not in {"rotation", "translation"}:
        raise GeometryError(f"{node.path}: transformation_type is {kind!r}, expected rotation or translation")
    turns = kind == "rotation"
    axis = _vector(node, "vector")
    length = float(np.linalg.norm(axis))
    if length == 0.0:
        raise GeometryError(f"{node.path}: the vector has zero length")
    value, unit = _value(node)
    scale = _scale(node.path, "units", unit, _DEGREES if turns else _METRES)
    offset = _vector(node, "offset") if node.attribute("offset") is not None else np.zeros(3)
    if offset.any():
        if node.attribute("offset_units") is not None:
            offset = offset * length_scale(node, "offset_units")
        elif not turns:
            offset = offset * scale
        if turns:
            warnings.append(f"{node.path}: a rotation with an offset; taken as a rotation followed by the shift")
    x, y, z = axis / length
    dx, dy, dz = offset
    return Step(node.path, turns, (float(x), float(y), float(z)), (float(dx), float(dy), float(dz)), scale, value)


def _value(node: NexusNode) -> tuple[float | Parameter, object]:
    """Value and unit of a transformation: a dataset, a log with values, or one that a stream or a user will give."""
    own_unit = node.attribute("units")
    values = node.value()
    if values is not None:
        if values.size != 1:
            raise GeometryError(f"{node.path}: {values.size} values, expected one")
        return _number(node, values), own_unit
    config = node.stream()
    if config is not None:
        return _last_of(str(config["source"])), own_unit or config.get("value_units") or config.get("unit")
    field = node.at("value")
    logged = None if field is None else field.value()
    if field is None or logged is None:
        raise GeometryError(f"{node.path}: {class_of(node) or 'a group'} without a value")
    value = _number(node, logged) if logged.size else _last_of(node.path)
    return value, own_unit or field.attribute("units")


def _last_of(log: str) -> Parameter:
    return Parameter("value", "number", log=log, extract="last_value")


def _number(node: NexusNode, values: object) -> float:
    try:
        value = float(np.asarray(values).reshape(-1)[-1])
    except (ValueError, TypeError):
        value = float("nan")
    if not abs(value) <= LARGEST:
        raise GeometryError(f"{node.path}: the value is not a number, or absurdly large")
    return value


def _vector(node: NexusNode, name: str) -> Floats:
    try:
        found = np.asarray(node.attribute(name), dtype=np.float64).reshape(-1)
    except (ValueError, TypeError):
        found = np.empty(0)
    if found.shape != (3,) or not np.all(np.abs(found) <= LARGEST):
        raise GeometryError(f"{node.path}: attribute {name} is {node.attribute(name)!r}, expected three numbers")
    return found


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return value.strip() if isinstance(value, str) else ""
