"""The layout of an instrument: which components there are, in which order, with which detector ids.

None of this depends on logs, so it is done once per definition; `placement` fills in positions as often as logs
change. Assemblies and panels are one entry each. All detectors that one ``component`` element places in one parent are
one entry too, whatever their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.components import Entry, PixelNames
from livereduce.geometry.definition import MAX_IDS, ComponentUse, Definition, Link, Panel, Type
from livereduce.geometry.document import GeometryError
from livereduce.geometry.id_cursor import IdCursor
from livereduce.geometry.locations import Locations
from livereduce.geometry.parameters import GEOMETRIC, Parameter
from livereduce.geometry.space import Floats

MAX_ENTRIES = 1_000_000
MAX_NESTING = 100

Rows = NDArray[np.intp]


@dataclass(slots=True)
class Node(Entry):
    """A component that has its own frame: assembly, panel, or a leaf without id (source, slit)."""

    locations: Locations = field(kw_only=True)
    row: int = field(kw_only=True)
    parameters: tuple[Parameter, ...] = ()
    role: str = ""
    panel: Panel | None = None
    triple: Floats | None = None  # accumulated (r, theta, phi) where spherical offsets are differences


@dataclass(slots=True)
class Block(Entry):
    """Detectors or monitors placed by one component element in one parent."""

    locations: Locations = field(kw_only=True)
    rows: Rows = field(kw_only=True)  # of the locations; some may be left out
    parameters: list[tuple[Rows, tuple[Parameter, ...]]] = field(default_factory=list)  # rows count within `rows`

    def leaf_turn(self, row: int) -> Floats:
        """Rotation of own detector `row` relative to this entry."""
        return self.locations.turn(int(self.rows[row]))


@dataclass(frozen=True, slots=True)
class Record:
    """A parameter that moves nothing, and the entry (or one detector row of it) it belongs to."""

    entry: int
    row: int | None
    parameter: Parameter


@dataclass(frozen=True, slots=True)
class Tree:
    """A laid-out instrument.

    Attributes
    ----------
    entries
        Parents before children; the descendants of an entry follow it without a gap.
    order
        Rows in order of rising id, to find ids.
    users
        Parameter of a log to the entries it moves.
    driven
        All parameters of logs, those that move nothing too.
    """

    name: str
    definition: Definition
    neutronic: bool
    entries: list[Node | Block]
    ids: NDArray[np.int64]
    monitor: NDArray[np.bool_]
    order: NDArray[np.int64]
    source: int | None
    sample: int | None
    users: dict[Parameter, list[int]]
    driven: frozenset[Parameter]
    records: tuple[Record, ...]
    warnings: tuple[str, ...]


def lay_out(definition: Definition, *, neutronic: bool, name: str = "") -> Tree:
    """Lay out an instrument.

    Raises
    ------
    GeometryError
        A type is missing or not supported, ids do not match their detectors, or an id is used twice.
    """
    return _Builder(definition, neutronic and definition.indirect, name or definition.name).build()


class _Builder:
    def __init__(self, definition: Definition, neutronic: bool, name: str) -> None:
        self.definition = definition
        self.neutronic = neutronic
        self.name = name
        self.entries: list[Node | Block] = []
        self.ids: list[NDArray[np.int64]] = []
        self.monitors: list[NDArray[np.bool_]] = []
        self.count = 0
        self.records: list[Record] = []
        self.warnings: list[str] = []
        self.special: dict[str, int] = {}
        self.moved_places: dict[int, Locations] = {}
        self.linked_rows: dict[int, list[tuple[int, Link]]] = {}
        self.links: dict[str, list[Link]] = {}
        for link in definition.links:
            self.links.setdefault(link.name.rpartition("/")[2], []).append(link)
        self.links_by_id = [link for link in definition.links if link.detector_id is not None]

    def build(self) -> Tree:
        nowhere = Locations([self.name], np.zeros((1, 3)), np.zeros(1, dtype=bool))
        self._node(-1, nowhere, 0, self.definition.parameters, "")
        for use in self.definition.components:
            cursor = IdCursor(self.definition.idlists)
            self._place(use, 0, cursor, 0)
            cursor.finish(use)
            self.warnings += cursor.left_over
        self._close(0)
        ids = np.concatenate([np.empty(0, np.int64), *self.ids])
        order = np.argsort(ids, kind="stable")
        self._refuse_duplicates(ids, order)
        for array in (ids, order):
            array.setflags(write=False)
        monitor = np.concatenate([np.empty(0, bool), *self.monitors])
        monitor.setflags(write=False)
        self._note_missing()
        return Tree(
            self.name,
            self.definition,
            self.neutronic,
            self.entries,
            ids,
            monitor,
            order,
            self.special.get("source"),
            self.special.get("samplepos"),
            users := self._users(),
            frozenset(users) | {r.parameter for r in self.records if r.parameter.log},
            tuple(self.records),
            (*self.definition.warnings, *self.warnings),
        )

    def _place(self, use: ComponentUse, parent: int, cursor: IdCursor, depth: int) -> None:
        kind = self.definition.types.get(use.type_name)
        if kind is None:
            raise GeometryError(f"{use.label}: there is no type {use.type_name!r}")
        if kind.unsupported:
            raise GeometryError(f"unsupported IDF element <{kind.unsupported}> in {kind.label}, placed by {use.label}")
        if depth > MAX_NESTING:
            raise GeometryError(f"{use.label}: nested more than {MAX_NESTING} deep; does a type contain itself?")
        cursor.switch(use)
        rows = self._rows(use, parent)
        role = "monitor" if use.monitor else kind.role
        if kind.components:
            self._assemblies(use, kind, parent, rows, cursor, depth)
        elif kind.panel is not None:
            self._panels(use, kind.panel, parent, rows)
        elif role in {"detector", "monitor"}:
            self._block(use, parent, rows, cursor.take(len(rows), use), role == "monitor")
        else:
            for row in rows:
                self._close(self._node(parent, use.locations, int(row), use.parameters, kind.role))

    def _rows(self, use: ComponentUse, parent: int) -> Rows:
        """Return the locations that the parent's own place does not exclude."""
        holder = self.entries[parent]
        assert isinstance(holder, Node)
        excluded = holder.locations.extra_of(holder.row).excluded
        if not excluded:
            return np.arange(len(use.locations))
        return np.array([row for row, name in enumerate(use.locations.names) if name not in excluded], dtype=np.intp)

    def _assemblies(self, use: ComponentUse, kind: Type, parent: int, rows: Rows, cursor: IdCursor, depth: int) -> None:
        for row in rows:
            number = self._node(parent, use.locations, int(row), use.parameters, kind.role)
            for child in kind.components:
                self._place(child, number, cursor, depth + 1)
            self._close(number)

    def _panels(self, use: ComponentUse, panel: Panel, parent: int, rows: Rows) -> None:
        size = panel.shape[0] * panel.shape[1]
        for row in rows:
            number = self._node(parent, use.locations, int(row), use.parameters, "detector")
            node = self.entries[number]
            assert isinstance(node, Node)
            node.panel = panel
            node.leaves = PixelNames(node.name, panel.shape)
            self._make_room(size, use)
            self._add(use.panel_ids.numbers(panel.shape), use.monitor)
            self._close(number)

    def _block(self, use: ComponentUse, parent: int, rows: Rows, ids: NDArray[np.int64], monitor: bool) -> None:
        locations = self._neutronic_places(use) if self.neutronic else use.locations
        if self.neutronic and not monitor:
            # a detector without a neutronic place does not exist in the neutronic instrument, but has used up its id
            there = np.array([use.locations.extra_of(int(row)).neutronic is not None for row in rows], dtype=bool)
            rows, ids = rows[there], ids[there]
        if not len(rows):
            return
        self._make_room(len(rows), use)
        every = len(rows) == len(locations)
        names = locations.names if every else [locations.names[row] for row in rows]
        number = len(self.entries)
        first, last = self.count, self.count + len(rows)
        block = Block(names[0], parent, first, last, number + 1, names, anonymous=True, locations=locations, rows=rows)
        self._append(block)
        self._add(ids, monitor)
        self._block_parameters(block, number, use, ids)

    def _block_parameters(self, block: Block, number: int, use: ComponentUse, ids: NDArray[np.int64]) -> None:
        own: dict[int, list[Parameter]] = {}
        for place, extra in use.locations.extras.items():
            if extra.parameters:
                own |= {int(row): list(extra.parameters) for row in np.flatnonzero(block.rows == place)}
        for at, link in self._links_to(block, use, ids):
            own.setdefault(at, []).extend(link.parameters)
        for parameter in use.parameters:
            self._record(number, None, parameter)
        shared = tuple(p for p in use.parameters if _moves(p))
        special = sorted(own)
        if shared:
            block.parameters.append((np.setdiff1d(np.arange(len(block.rows)), special), shared))
        for row in special:
            for parameter in own[row]:
                self._record(number, row, parameter)
            if any(_moves(p) for p in own[row]):
                block.parameters.append((np.array([row]), (*shared, *(p for p in own[row] if _moves(p)))))
            elif shared:
                block.parameters.append((np.array([row]), shared))

    def _links_to(self, block: Block, use: ComponentUse, ids: NDArray[np.int64]) -> list[tuple[int, Link]]:
        """Own rows with the links that name them, by name, path or detector id."""
        if not self.definition.links:
            return []
        if id(use) not in self.linked_rows:
            self.linked_rows[id(use)] = [
                (place, link) for place, name in enumerate(use.locations.names) for link in self.links.get(name, ())
            ]
        found = []
        for place, link in self.linked_rows[id(use)]:
            row = np.flatnonzero(block.rows == place)
            if len(row) and self._is_at(link, block.parent, use.locations.names[place]):
                found.append((int(row[0]), link))
        for link in self.links_by_id:
            found += [(int(row), link) for row in np.flatnonzero(ids == link.detector_id)]
        return found

    def _neutronic_places(self, use: ComponentUse) -> Locations:
        """Return the component's locations with the neutronic place where there is one."""
        if id(use) not in self.moved_places:
            self.moved_places[id(use)] = _replaced(use.locations)
        return self.moved_places[id(use)]

    def _node(self, parent: int, locations: Locations, row: int, parameters: Sequence[Parameter], role: str) -> int:
        number = len(self.entries)
        name = locations.names[row]
        node = Node(name, parent, self.count, self.count, number + 1, locations=locations, row=row, role=role)
        self._append(node)
        given = [*parameters, *locations.extra_of(row).parameters]
        for link in self.links.get(name, ()):
            if self._is_at(link, parent, name):
                given += link.parameters
        for parameter in given:
            self._record(number, None, parameter)
        node.parameters = tuple(p for p in given if _moves(p)) if number else ()
        if self.definition.delta:
            above = self.entries[parent] if number else None
            own = locations.coordinates[row]
            start = above.triple if isinstance(above, Node) and above.triple is not None else np.zeros(3)
            node.triple = start + own if locations.spherical[row] else np.zeros(3)
        if role in {"source", "samplepos"} and self.special.setdefault(role, number) != number:
            self.warnings.append(f"component {name!r} is another {role}; the first one is used")
        return number

    def _append(self, entry: Node | Block) -> None:
        self.entries.append(entry)
        if len(self.entries) > MAX_ENTRIES:
            raise GeometryError(f"more than {MAX_ENTRIES} components; does a type repeat itself many times over?")

    def _close(self, number: int) -> None:
        self.entries[number].last = self.count
        self.entries[number].end = len(self.entries)

    def _make_room(self, count: int, use: ComponentUse) -> None:
        if self.count + count > MAX_IDS:
            raise GeometryError(f"{use.label}: brings the instrument to more than {MAX_IDS} detectors")

    def _add(self, ids: NDArray[np.int64], monitor: bool) -> None:
        self.ids.append(ids)
        self.monitors.append(np.full(len(ids), monitor))
        self.count += len(ids)

    def _record(self, number: int, row: int | None, parameter: Parameter) -> None:
        if parameter.name in {"pos", "rot"}:
            warning = f"parameter {parameter.name!r} (line {parameter.line}) is a reserved name and was ignored"
            if warning not in self.warnings:
                self.warnings.append(warning)
        elif not _moves(parameter):
            self.records.append(Record(number, row, parameter))

    def _is_at(self, link: Link, parent: int, name: str) -> bool:
        """Whether a component of this name below `parent` is the one the link names, perhaps by path."""
        *above, last = link.name.split("/")
        if last != name:
            return False
        for part in reversed(above):
            if parent < 0 or self.entries[parent].name != part:
                return False
            parent = self.entries[parent].parent
        return True

    def _users(self) -> dict[Parameter, list[int]]:
        users: dict[Parameter, list[int]] = {}
        for number, entry in enumerate(self.entries):
            groups = [entry.parameters] if isinstance(entry, Node) else [group for _, group in entry.parameters]
            for parameter in {p for group in groups for p in group if p.log}:
                users.setdefault(parameter, []).append(number)
        return users

    def _refuse_duplicates(self, ids: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        twice = np.flatnonzero(np.diff(ids[order]) == 0)
        if not len(twice):
            return
        first, second = (self._owner(int(order[at])) for at in (twice[0], twice[0] + 1))
        raise GeometryError(
            f"detector id {ids[order[twice[0]]]} is used twice: in {first} and in {second} "
            f"({len(twice)} ids are used more than once)"
        )

    def _owner(self, row: int) -> str:
        """Path of the innermost component that holds a detector row."""
        number = max(n for n, e in enumerate(self.entries) if e.first <= row < e.last and isinstance(e, Node))
        parts = []
        while number > 0:
            parts.append(self.entries[number].name)
            number = self.entries[number].parent
        return repr("/".join(reversed(parts)) or self.name)

    def _note_missing(self) -> None:
        for role, what in (("source", "source"), ("samplepos", "sample position")):
            if role not in self.special:
                self.warnings.append(f"the instrument has no {what}; flight paths are undefined")


def _moves(parameter: Parameter) -> bool:
    return parameter.name in GEOMETRIC and parameter.kind == "number"


def _replaced(locations: Locations) -> Locations:
    """Every row with its neutronic place instead, where it has one; the rotation already there stays in front."""
    pieces = []
    for row, name in enumerate(locations.names):
        place = locations.extra_of(row).neutronic
        if place is None:
            turn = None if locations.rotation is None else locations.rotation[row : row + 1]
            shift = None if locations.shift is None else locations.shift[row : row + 1]
            at = slice(row, row + 1)
            pieces.append(Locations([name], locations.coordinates[at], locations.spherical[at], turn, shift))
            continue
        before = locations.turn(row)
        turn = before[None] @ place.turn(0)
        shift = None if place.shift is None else place.shift @ before.T
        pieces.append(Locations([name], place.coordinates, place.spherical, turn, shift))
    return Locations.joined(pieces)
