"""The components of a placed instrument, found by name or path, and the names of its detectors.

Names are not unique: the shallowest component of a name is meant, then the first in the file. A path, names joined by
``/``, tells others apart. Detectors are found by name too, but are no objects until someone asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.space import IDENTITY, Floats


@dataclass(slots=True)
class Entry:
    """One row of the component table: a component, or a run of detectors placed by one component element.

    Rows ``first`` to ``last`` of the detector arrays lie below it; entries up to ``end`` are its descendants.
    """

    name: str
    parent: int
    first: int
    last: int
    end: int
    leaves: Sequence[str] | None = None  # names of the detectors that are this entry's own
    anonymous: bool = False  # a run of detectors, not a component

    def leaf_turn(self, row: int) -> Floats:
        """Rotation of own detector `row` relative to this entry."""
        return IDENTITY


@dataclass(frozen=True, slots=True)
class Component:
    """A component where it stands.

    Attributes
    ----------
    position
        float64[3], m.
    rotation
        float64[3, 3]: its own axes are the columns.
    ids
        int64[k] of the detectors and monitors below it.
    rows
        Where these are in the instrument's arrays.
    """

    name: str
    path: str
    position: Floats
    rotation: Floats
    ids: NDArray[np.int64]
    rows: slice


@dataclass(frozen=True, eq=False)
class Components(Mapping[str, Component]):
    """Name or path to `Component`. Iterates over the names of assemblies and panels; detectors are found as well."""

    entries: Sequence[Entry]
    ids: NDArray[np.int64]
    positions: Floats
    frame_positions: Floats
    frame_rotations: Floats
    _index: dict[str, list[int]] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Component:
        if (row := self.number_of(name)) >= 0:
            return self.component(row)
        *parents, last = [part for part in name.split("/") if part] or [name]
        for number, entry in enumerate(self.entries):
            grid = entry.leaves if isinstance(entry.leaves, PixelNames) else None
            above = [p for p in parents if grid is None or grid.column(p) is None]
            if grid is not None and (rows := grid.column(last)) is not None and self._below(number, above):
                return self._column(number, last, rows)
            if entry.leaves is not None and last in entry.leaves:
                holder = entry.parent if entry.anonymous else number
                if self._below(holder, above):
                    return self._leaf(number, entry.leaves.index(last))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __len__(self) -> int:
        return len(self._by_name())

    def component(self, number: int) -> Component:
        """Return the component of one row of the table."""
        entry = self.entries[number]
        return Component(
            entry.name,
            self.path(number),
            self.frame_positions[number],
            self.frame_rotations[number],
            self.ids[entry.first : entry.last],
            slice(entry.first, entry.last),
        )

    def number_of(self, name: str) -> int:
        """Row of the table of a component by name or path, -1 if there is none; detectors are not in the table."""
        *parents, last = [part for part in name.split("/") if part] or [name]
        rows = self._by_name().get(last, ())
        return next((row for row in rows if self._below(self.entries[row].parent, parents)), -1)

    def children(self, number: int) -> list[int]:
        """Rows of the table directly below one: components and runs of detectors."""
        rows, row = [], number + 1
        while row < self.entries[number].end:
            rows.append(row)
            row = self.entries[row].end
        return rows

    def path(self, number: int) -> str:
        """Names from the instrument down to this row, joined by ``/``."""
        parts = []
        while number > 0:
            parts.append(self.entries[number].name)
            number = self.entries[number].parent
        return "/".join([self.entries[0].name, *reversed(parts)])

    def _below(self, number: int, names: list[str]) -> bool:
        """Whether these names are the nearest ancestors, up to and including this row."""
        for name in reversed(names):
            if number < 0 or self.entries[number].name != name:
                return False
            number = self.entries[number].parent
        return True

    def _leaf(self, number: int, row: int) -> Component:
        entry = self.entries[number]
        assert entry.leaves is not None
        at = entry.first + row
        rotation = self.frame_rotations[number] @ entry.leaf_turn(row)
        rotation.setflags(write=False)
        holder = self.path(entry.parent if entry.anonymous else number)
        name = entry.leaves[row]
        rows = slice(at, at + 1)
        return Component(name, f"{holder}/{name}", self.positions[at], rotation, self.ids[rows], rows)

    def _column(self, number: int, name: str, rows: slice) -> Component:
        """Return a column of a panel, ``bank1(x=3)``, where the panel stands."""
        panel = self.component(number)
        at = slice(panel.rows.start + rows.start, panel.rows.start + rows.stop)
        return Component(name, f"{panel.path}/{name}", panel.position, panel.rotation, self.ids[at], at)

    def _by_name(self) -> dict[str, list[int]]:
        if not self._index:
            depth = [0] * len(self.entries)
            for number, entry in enumerate(self.entries):
                if number:
                    depth[number] = depth[entry.parent] + 1
                if not entry.anonymous:
                    self._index.setdefault(entry.name, []).append(number)
            for numbers in self._index.values():
                numbers.sort(key=depth.__getitem__)
        return self._index


@dataclass(frozen=True, slots=True)
class PixelNames(Sequence[str]):
    """Names of the pixels of a grid, ``panel(x,y)``, the first index outermost."""

    panel: str
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return math.prod(self.shape)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = np.unravel_index(range(len(self))[index], self.shape)
        return f"{self.panel}({','.join(str(int(i)) for i in place)})"

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None

    def column(self, name: str) -> slice | None:
        """Rows of the pixels of a column, ``panel(x=3)``; None if it is none of this grid."""
        start, number = f"{self.panel}(x=", name[len(self.panel) + 3 : -1]
        if not (name.startswith(start) and name.endswith(")") and number.isdecimal() and len(number) < 10):
            return None
        height = len(self) // self.shape[0]
        return slice(int(number) * height, (int(number) + 1) * height) if int(number) < self.shape[0] else None

    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """Row of a pixel name."""
        found = self._find(value)
        if found is None or found not in range(*slice(start, stop).indices(len(self))):
            raise ValueError(f"{value!r} is not a pixel of {self.panel}")
        return found

    def _find(self, name: object) -> int | None:
        if not isinstance(name, str) or not name.startswith(f"{self.panel}(") or not name.endswith(")"):
            return None
        parts = name[len(self.panel) + 1 : -1].split(",")
        if len(parts) != len(self.shape) or not all(part.isdecimal() and len(part) < 10 for part in parts):
            return None
        place = tuple(int(part) for part in parts)
        inside = all(i < size for i, size in zip(place, self.shape, strict=True))
        return int(np.ravel_multi_index(place, self.shape)) if inside else None


class DetectorNames(Sequence[str]):
    """Names of all detectors in the order of the arrays, made when asked for (2.6 million strings are 180 MB)."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._runs = [(entry.first, entry.leaves) for entry in entries if entry.leaves]
        self._starts = np.array([first for first, _ in self._runs], dtype=np.int64)
        self._length = self._runs[-1][0] + len(self._runs[-1][1]) if self._runs else 0

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        row = range(self._length)[index]
        first, names = self._runs[int(np.searchsorted(self._starts, row, side="right")) - 1]
        return names[row - first]
