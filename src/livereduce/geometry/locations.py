"""``location`` and ``locations`` elements as arrays, one row per place a component is put.

A tube of 512 pixels is one `Locations` of 512 rows, shared by all places the tube itself is put; nothing is an object
per detector. What few rows have (facing, parameters, exclusions, neutronic places) sits beside the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.document import LARGEST, Element
from livereduce.geometry.parameters import Parameter, read_parameters
from livereduce.geometry.space import IDENTITY, Floats, cartesian, rotation

MAX_LOCATIONS = 3_000_000  # in one file
_SPHERICAL = (("r", "R"), ("t", "theta"), ("p", "phi"))
_RANGED = ("x", "y", "z", "r", "t", "p", "rot")
_CARTESIAN_ONLY, _SPHERICAL_ONLY = frozenset({"x", "y", "z", "name"}), frozenset({"r", "t", "p", "name"})


@dataclass(frozen=True, slots=True)
class Facing:
    """Turn +z away from `target` (absolute, m), after a turn of `rot` degrees about the own z; None: only the turn."""

    target: Floats | None
    rot: float


@dataclass(frozen=True, slots=True)
class Extra:
    """What only some rows have."""

    facing: Facing | None
    neutronic: Locations | None
    parameters: tuple[Parameter, ...]
    excluded: frozenset[str]


@dataclass(frozen=True, slots=True)
class Locations:
    """k places, relative to a parent.

    Attributes
    ----------
    names
        k names.
    coordinates
        float64[k, 3]: (x, y, z) in m, or (r, theta, phi) in m and degrees where `spherical`.
    spherical
        bool[k].
    rotation
        float64[k, 3, 3] relative rotation, or None when all are the identity.
    shift
        float64[k, 3] sum of ``trans`` steps in the parent's frame before its own rotation acts on them again, or None.
    extras
        Row to what only that row has.
    """

    names: Sequence[str]
    coordinates: Floats
    spherical: NDArray[np.bool_]
    rotation: Floats | None = None
    shift: Floats | None = None
    extras: dict[int, Extra] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.coordinates)

    def relative(self, rows: slice | NDArray[np.intp], parent_triple: Floats | None, parent_rotation: Floats) -> Floats:
        """Relative positions float64[m, 3] of rows.

        `parent_triple` is the parent's accumulated (r, theta, phi) where spherical offsets are differences, else None.
        """
        position = self.coordinates[rows].copy()
        spherical = self.spherical[rows]
        if spherical.any():
            triple = position[spherical]
            if parent_triple is None:
                position[spherical] = cartesian(triple)
            else:
                position[spherical] = cartesian(triple + parent_triple) - cartesian(parent_triple)
        if self.shift is not None:
            position += self.shift[rows] @ parent_rotation.T
        return position

    def turn(self, row: int) -> Floats:
        """Relative rotation of one row."""
        return IDENTITY if self.rotation is None else self.rotation[row]

    def extra_of(self, row: int) -> Extra:
        """Return what this row has beside the arrays."""
        return self.extras.get(row, _NOTHING)

    @staticmethod
    def joined(pieces: Sequence[Locations]) -> Locations:
        """All rows of several, in order."""
        if len(pieces) == 1:
            return pieces[0]
        extras: dict[int, Extra] = {}
        start = 0
        for piece in pieces:
            extras |= {start + row: extra for row, extra in piece.extras.items()}
            start += len(piece)
        turned = any(piece.rotation is not None for piece in pieces)
        shifted = any(piece.shift is not None for piece in pieces)
        return Locations(
            names=[name for piece in pieces for name in piece.names],
            coordinates=np.concatenate([piece.coordinates for piece in pieces]),
            spherical=np.concatenate([piece.spherical for piece in pieces]),
            rotation=np.concatenate([_turns(piece) for piece in pieces]) if turned else None,
            shift=np.concatenate([_shifts(piece) for piece in pieces]) if shifted else None,
            extras=extras,
        )


_NOTHING = Extra(None, None, (), frozenset())


def _turns(piece: Locations) -> Floats:
    return np.broadcast_to(IDENTITY, (len(piece), 3, 3)) if piece.rotation is None else piece.rotation


def _shifts(piece: Locations) -> Floats:
    return np.zeros((len(piece), 3)) if piece.shift is None else piece.shift


class LocationReader:
    """Reads location elements of one file, whose angles are in units of `degrees` degrees."""

    def __init__(self, degrees: float, unknown: Callable[[Element, set[str]], None]) -> None:
        self.degrees = degrees
        self.unknown = unknown
        self.room = MAX_LOCATIONS

    def read_all(self, elements: Sequence[Element], default_name: str) -> list[Locations]:
        """Return the places of all these elements; files that list every pixel have hundreds of thousands."""
        pieces = []
        for columns, group in groupby(elements, _plain_columns):
            run = list(group)
            plain = self._plain(run, columns, default_name) if columns else None
            pieces += [self.read(element, default_name) for element in run] if plain is None else [plain]
        return pieces

    def _plain(self, elements: Sequence[Element], columns: str, default_name: str) -> Locations | None:
        """Return the places of elements that have coordinates in these attributes and nothing else; None if odd."""
        texts = [[each.attributes.get(name) or "0" for name in columns] for each in elements]
        try:
            coordinates = np.array([[float(text) for text in row] for row in texts])
        except ValueError:
            return None
        if not np.all(np.abs(coordinates) <= LARGEST) or any("_" in text for row in texts for text in row):
            return None  # read one by one, so that what is wrong is named
        spherical = columns == "rtp"
        if spherical:
            coordinates[:, 1:] *= self.degrees
        names = [each.text_of("name") or default_name for each in elements]
        return Locations(names, coordinates, np.full(len(names), spherical))

    def read(self, element: Element, default_name: str) -> Locations:
        """One ``location`` or ``locations`` element."""
        if element.tag == "locations":
            self.unknown(element, set())
            return self._many(element, default_name)
        known = {"rot", "trans", "facing", "neutronic", "parameter", "exclude", "component-link"}
        self.unknown(element, known | {"side-by-side-view-location"})
        neutronic = element.first("neutronic")
        facing = element.first("facing")
        parameters = read_parameters(element, self.degrees)
        excluded = frozenset(child.required("sub-part") for child in element.all("exclude"))
        extra = Extra(
            None if facing is None else self.facing(facing),
            None if neutronic is None else self._single(neutronic, default_name),
            parameters,
            excluded,
        )
        return self._single(element, default_name, {} if extra == _NOTHING else {0: extra})

    def facing(self, element: Element) -> Facing:
        """Read a ``facing`` or ``components-are-facing`` element."""
        rot = element.number("rot") * self.degrees
        if element.text_of("val"):
            return Facing(None, rot)
        coordinates, spherical = self._coordinates(element)
        return Facing(cartesian(coordinates) if spherical else np.array(coordinates), rot)

    def _coordinates(self, element: Element) -> tuple[tuple[float, float, float], bool]:
        attributes = element.attributes
        if any(name in attributes for pair in _SPHERICAL for name in pair):
            r, t, p = (element.number(short if short in attributes else long) for short, long in _SPHERICAL)
            return (r, t * self.degrees, p * self.degrees), True
        return (element.number("x"), element.number("y"), element.number("z")), False

    def _axis(self, element: Element) -> Floats:
        axis = np.array([element.number("axis-x"), element.number("axis-y"), element.number("axis-z", 1.0)])
        if not axis.any():
            element.fail("the axis of rotation has zero length")
        return axis

    def _single(self, element: Element, default_name: str, extras: dict[int, Extra] | None = None) -> Locations:
        coordinates, spherical = self._coordinates(element)
        turn, shift = self._chain(element)
        return Locations(
            names=[element.text_of("name") or default_name],
            coordinates=np.array([coordinates]),
            spherical=np.array([spherical]),
            rotation=None if turn is None else turn[None],
            shift=None if shift is None else shift[None],
            extras=extras or {},
        )

    def _chain(self, element: Element) -> tuple[Floats | None, Floats | None]:
        """Rotation and shift of the ``rot`` attribute and the nested ``rot`` and ``trans`` elements."""
        turn: Floats | None = None
        shift: Floats | None = None
        if element.text_of("rot"):
            turn = rotation(element.number("rot") * self.degrees, self._axis(element))
        step = _step(element)
        while step is not None:
            now = IDENTITY if turn is None else turn
            if step.tag == "trans":
                coordinates, spherical = self._coordinates(step)
                along = cartesian(coordinates) if spherical else np.array(coordinates)
                shift = now @ along + (0.0 if shift is None else shift)
            else:
                turn = now @ rotation(step.number("val") * self.degrees, self._axis(step))
            step = _step(step)
        return turn, shift

    def _many(self, element: Element, default_name: str) -> Locations:
        count = element.integer("n-elements") if element.text_of("n-elements") else 0
        if not 1 <= count <= self.room:
            element.fail(f"n-elements={element.text_of('n-elements')!r} is not a number from 1 to {self.room}")
        self.room -= count
        values = {name: self._range(element, name, count) for name in _RANGED}
        spherical = any(name in element.attributes for name in "rtp")
        columns = (
            [values["r"], values["t"] * self.degrees, values["p"] * self.degrees]
            if spherical
            else [values["x"], values["y"], values["z"]]
        )
        turned = bool(element.text_of("rot"))
        return Locations(
            names=_counted_names(element, count, default_name),
            coordinates=np.stack(columns, axis=1),
            spherical=np.full(count, spherical),
            rotation=rotation(values["rot"] * self.degrees, self._axis(element)) if turned else None,
        )

    def _range(self, element: Element, name: str, count: int) -> Floats:
        start = element.number(name)
        if not element.text_of(f"{name}-end"):
            return np.full(count, start)
        if not element.text_of(name):
            element.fail(f"attribute {name}-end is given without {name}")
        end = element.number(f"{name}-end")
        return np.linspace(start, end, count) if count > 1 else np.array([start])


def _plain_columns(element: Element) -> str:
    """Name the three coordinates of a location that has nothing but some of them and a name; empty for others."""
    if element.tag != "location" or element.children:
        return ""
    given = element.attributes.keys()
    return "xyz" if given <= _CARTESIAN_ONLY else "rtp" if given <= _SPHERICAL_ONLY else ""


def _step(element: Element) -> Element | None:
    """Next in a chain of nested steps; a trans beside a rot wins."""
    return element.first("trans") or element.first("rot")


def _counted_names(element: Element, count: int, default_name: str) -> Sequence[str]:
    stem = element.text_of("name")
    if not stem:
        return [default_name] * count
    first = element.integer("name-count-start")
    return [f"{stem}{number}" for number in range(first, first + count)]
