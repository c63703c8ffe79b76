"""What an instrument definition (IDF) says, read from its XML and checked, before anything is placed.

Types with their components, locations as arrays, lists of detector ids, defaults. Nothing here knows where a
component ends up: `tree` lays the instrument out, `placement` computes positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.document import Element, Source, parse
from livereduce.geometry.locations import Facing, LocationReader, Locations
from livereduce.geometry.parameters import Parameter, read_parameters

MAX_IDS = 20_000_000  # the largest live instrument has 2.6 million; a malicious file must not take the memory

# shapes and hints for drawing, known and without meaning for positions
_SHAPES = {
    "cuboid", "sphere", "cylinder", "hollow-cylinder", "hexahedron", "cone", "torus", "infinite-cylinder",
    "infinite-plane", "infinite-cone", "slice-of-cylinder-ring", "tapered-guide", "segmented-cylinder", "ellipsoid",
}  # fmt: skip
_DISPLAY = {"algebra", "bounding-box", "outline", "properties", "description", "percent-transparency"} | {
    "side-by-side-view-location", "default-view", "rotate", "rotate-all",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """Pixel grid of a rectangular detector: numbers, starts and steps (m) along x and y."""

    shape: tuple[int, int]
    start: tuple[float, float]
    step: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PanelIds:
    """How a component numbers the pixels of its panel."""

    start: int
    by_x: bool
    by_row: int | None
    step: int

    def numbers(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Ids int64[nx * ny], x outermost."""
        nx, ny = shape
        row = self.by_row if self.by_row is not None else (nx if self.by_x else ny)
        along_x, along_y = (self.step, row) if self.by_x else (row, self.step)
        i, j = np.arange(nx, dtype=np.int64), np.arange(ny, dtype=np.int64)
        return (self.start + along_x * i[:, None] + along_y * j[None, :]).reshape(-1)


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """A ``component`` element: which type it places, where, and with which ids and parameters."""

    type_name: str
    name: str
    idlist: str
    monitor: bool
    locations: Locations
    panel_ids: PanelIds
    parameters: tuple[Parameter, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Type:
    """A ``type`` element. Assemblies have components, panels a grid, everything else is a leaf."""

    name: str
    role: str  # "source", "samplepos", "detector", "monitor", "" or something of no meaning for positions
    components: tuple[ComponentUse, ...]
    panel: Panel | None
    unsupported: str
    label: str


@dataclass(frozen=True, slots=True)
class Link:
    """A ``component-link``: parameters for the components of a name (or path), or for one detector id."""

    name: str
    detector_id: int | None
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class ReferenceFrame:
    """Which axes point along the beam and up. It names axes; it does not turn coordinates."""

    along_beam: str = "z"
    up: str = "y"
    handedness: str = "right"
    theta_sign: str = ""
    origin: str = ""

    def axis(self, which: str) -> NDArray[np.float64]:
        """Return the unit vector of ``along_beam``, ``up`` or ``theta_sign`` (default: up)."""
        letter = getattr(self, which) or self.up
        unit: NDArray[np.float64] = np.eye(3)["xyz".index(letter)]
        return unit


@dataclass(frozen=True, slots=True)
class Definition:
    """All of an instrument definition."""

    name: str
    types: dict[str, Type]
    components: tuple[ComponentUse, ...]
    idlists: dict[str, NDArray[np.int64]]
    links: tuple[Link, ...]
    parameters: tuple[Parameter, ...]
    frame: ReferenceFrame
    delta: bool
    facing: Facing | None
    indirect: bool
    warnings: tuple[str, ...]
    degrees: float
    """The file's unit of angle in degrees."""


@dataclass(slots=True)
class _Defaults:
    degrees: float = 1.0
    delta: bool = False
    facing: Facing | None = None
    indirect: bool = False
    frame: ReferenceFrame = field(default_factory=ReferenceFrame)


def read_definition(source: Source, parameters: Source | None = None) -> Definition:
    """Read an instrument definition, and a separate parameter file with it when given.

    Raises
    ------
    GeometryError
        The file cannot be read, or an element in it cannot be used; the message names element and line.
    """
    root = parse(source, "instrument")
    return _Reading(root).definition(parse(parameters, "parameter-file") if parameters is not None else None)


class _Reading:
    """One pass over a parsed document."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.warnings: dict[str, None] = {}  # ordered, each once
        self.defaults = self._defaults()
        self.locations = LocationReader(self.defaults.degrees, self._unknown)

    def definition(self, parameter_file: Element | None) -> Definition:
        root = self.root
        known = {"type", "component", "idlist", "component-link", "parameter", "defaults"}
        self._unknown(root, known | _DISPLAY)
        links = _links(root, self.defaults.degrees)
        if parameter_file is not None:
            links += _links(parameter_file, self.defaults.degrees)
        return Definition(
            name=root.text_of("name"),
            types=self._types(),
            components=tuple(self._component(element) for element in root.all("component")),
            idlists=self._idlists(),
            links=links,
            parameters=read_parameters(root, self.defaults.degrees),
            frame=self.defaults.frame,
            delta=self.defaults.delta,
            facing=self.defaults.facing,
            indirect=self.defaults.indirect,
            warnings=tuple(self.warnings),
            degrees=self.defaults.degrees,
        )

    def _unknown(self, element: Element, known: set[str]) -> None:
        """Warn, once per name, of children that mean nothing to us."""
        for child in element.children:
            if child.tag not in known:
                self.warnings[f"element <{child.tag}> in <{element.tag}> is not known and was ignored"] = None

    def _defaults(self) -> _Defaults:
        result = _Defaults()
        element = self.root.first("defaults")
        if element is None:
            return result
        known = {"length", "angle", "reference-frame", "offsets", "components-are-facing"}
        self._unknown(element, known | {"indirect-neutronic-positions", "location"} | _DISPLAY)
        for child in element.children:
            match child.tag:
                case "length" if child.text_of("unit") not in {"", "meter", "metre"}:
                    child.fail(f"unsupported length unit {child.text_of('unit')!r}; only metre is")
                case "angle":
                    result.degrees = _angle_unit(child)
                case "reference-frame":
                    result.frame = _reference_frame(child)
                case "offsets":
                    result.delta = child.text_of("spherical").lower() == "delta"
                case "indirect-neutronic-positions":
                    result.indirect = True
        facing = element.first("components-are-facing")
        if facing is not None:
            result.facing = LocationReader(result.degrees, self._unknown).facing(facing)
        return result

    def _types(self) -> dict[str, Type]:
        types: dict[str, Type] = {}
        for element in self.root.all("type"):
            if not element.text_of("name"):
                self.warnings[f"{element} has no name, so nothing can use it; it was ignored"] = None
                continue
            found = self._type(element)
            if found.name in types:
                element.fail("a type of this name is already there")
            types[found.name] = found
        return types

    def _type(self, element: Element) -> Type:
        known = {"component"} | _SHAPES | _DISPLAY
        self._unknown(element, known | {"combine-components-into-one-shape"})
        role = element.text_of("is").lower().replace("_", "")
        combined = element.first("combine-components-into-one-shape") is not None
        uses = () if combined else tuple(self._component(child) for child in element.all("component"))
        return Type(
            name=element.required("name"),
            role=role,
            components=uses,
            panel=_panel(element) if role == "rectangulardetector" else None,
            unsupported={"structureddetector": "structured detector", "griddetector": "grid detector"}.get(role, ""),
            label=str(element),
        )

    def _component(self, element: Element) -> ComponentUse:
        known = {"location", "locations", "parameter", "component-link"} | _DISPLAY
        self._unknown(element, known)
        name = element.text_of("name")
        type_name = element.required("type")
        pieces = self.locations.read_all(element.all("location", "locations"), name or type_name)
        if not pieces:
            element.fail("has no <location>; an empty one, <location/>, places it at the origin of its parent")
        by = element.text_of("idfillbyfirst") or "y"
        if by not in {"x", "y"}:
            element.fail(f"attribute idfillbyfirst={by!r} is neither x nor y")
        return ComponentUse(
            type_name=type_name,
            name=name,
            idlist=element.text_of("idlist"),
            monitor=element.text_of("mark-as").lower() == "monitor",
            locations=Locations.joined(pieces),
            panel_ids=PanelIds(
                start=element.integer("idstart"),
                by_x=by == "x",
                by_row=element.integer("idstepbyrow") if element.text_of("idstepbyrow") else None,
                step=element.integer("idstep", 1),
            ),
            parameters=read_parameters(element, self.defaults.degrees),
            label=str(element),
        )

    def _idlists(self) -> dict[str, NDArray[np.int64]]:
        lists: dict[str, NDArray[np.int64]] = {}
        room = MAX_IDS
        for element in self.root.all("idlist"):
            name = element.required("idname")
            if name in lists:
                self.warnings[f"{element}: a list of this name is already there; the first one is used"] = None
                continue
            pieces = [element] if element.text_of("start") else element.all("id")
            ranges = [_id_range(piece) for piece in pieces]
            room -= sum((end - start) // step + 1 for start, end, step in ranges)
            if room < 0:
                element.fail(f"brings the lists to more than {MAX_IDS} ids")
            runs = [start + step * np.arange((end - start) // step + 1) for start, end, step in ranges]
            lists[name] = np.concatenate([np.empty(0, np.int64), *runs])
        return lists


def _links(parent: Element, degrees: float) -> tuple[Link, ...]:
    links = []
    for element in parent.all("component-link"):
        detector_id = element.integer("id") if element.text_of("id") else None
        if detector_id is None and not element.text_of("name"):
            element.fail("names neither a component (name) nor a detector (id)")
        links.append(Link(element.text_of("name"), detector_id, read_parameters(element, degrees)))
    return tuple(links)


def _angle_unit(element: Element) -> float:
    unit = element.text_of("unit").lower()
    if unit in {"", "degree", "degrees"}:
        return 1.0
    if unit in {"radian", "radians"}:
        return float(np.degrees(1.0))
    element.fail(f"unsupported angle unit {unit!r}; only degree and radian are")


def _reference_frame(element: Element) -> ReferenceFrame:
    def value(tag: str, attribute: str, default: str, allowed: Sequence[str]) -> str:
        child = element.first(tag)
        text = "" if child is None else child.text_of(attribute).lower()
        if child is not None and text and text not in allowed:
            child.fail(f"attribute {attribute}={text!r} is not one of {', '.join(allowed)}")
        return text or default

    origin = element.first("origin")
    return ReferenceFrame(
        along_beam=value("along-beam", "axis", "z", "xyz"),
        up=value("pointing-up", "axis", "y", "xyz"),
        handedness=value("handedness", "val", "right", ("right", "left")),
        theta_sign=value("theta-sign", "axis", "", "xyz"),
        origin="" if origin is None else origin.text_of("val"),
    )


def _panel(element: Element) -> Panel:
    shape = element.integer("xpixels"), element.integer("ypixels")
    if min(shape) < 1:
        element.fail(f"a panel needs xpixels and ypixels of at least 1, found {shape[0]} and {shape[1]}")
    if element.integer("zpixels") > 1:
        element.fail("unsupported: a panel with zpixels")
    start = element.number("xstart"), element.number("ystart")
    return Panel(shape, start, (element.number("xstep"), element.number("ystep")))


def _id_range(element: Element) -> tuple[int, int, int]:
    """Start, end (inclusive) and step."""
    if element.text_of("val"):
        value = element.integer("val")
        return value, value, 1
    if not element.text_of("start"):
        element.fail("has neither val nor start")
    start = element.integer("start")
    end, step = element.integer("end", start), element.integer("step", 1)
    if step == 0 or (end - start) * step < 0:
        element.fail(f"ids from {start} to {end} in steps of {step} never arrive")
    return start, end, step


def with_links(definition: Definition, *links: Link) -> Definition:
    """Return the definition with more component links, which beat all that are there."""
    return replace(definition, links=(*definition.links, *links))


def with_parameter_file(definition: Definition, source: Source) -> Definition:
    """Return the definition with the component links of a separate parameter file.

    Raises
    ------
    GeometryError
        The file cannot be read or used.
    """
    return with_links(definition, *_links(parse(source, "parameter-file"), definition.degrees))
