"""Where everything stands: absolute frames of the components and positions of the detectors.

One pass over the entries of a `Tree`, parents first; a change of a log repeats it only for what hangs below the
components that log moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from livereduce.geometry.locations import Facing, Locations
from livereduce.geometry.parameters import Parameter, moved, present_values, turned
from livereduce.geometry.space import IDENTITY, Floats, rotation, turn_z_to
from livereduce.geometry.tree import Block, Node, Tree

Values = Mapping[Parameter, float]


@dataclass(frozen=True, slots=True)
class Frames:
    """Absolute position float64[m, 3] and rotation float64[m, 3, 3] of m entries."""

    position: Floats
    rotation: Floats

    @staticmethod
    def empty(count: int) -> Frames:
        """Frames at the origin."""
        return Frames(np.zeros((count, 3)), np.tile(IDENTITY, (count, 1, 1)))

    def copy(self) -> Frames:
        """Frames that may be written."""
        return Frames(self.position.copy(), self.rotation.copy())


@dataclass(frozen=True, slots=True)
class Placement:
    """Frames of all entries and positions float64[n, 3] of all detectors.

    In a neutronic instrument `physical` holds the frames of the real components, which facing and rotations come
    from; otherwise both are the same object.
    """

    frames: Frames
    physical: Frames
    detectors: Floats

    def copy(self) -> Placement:
        """Return a placement that may be written."""
        physical = self.physical.copy()
        frames = physical if self.frames is self.physical else self.frames.copy()
        return Placement(frames, physical, self.detectors.copy())

    def freeze(self) -> Placement:
        """Return the same arrays, from now on read-only."""
        for frames in (self.frames, self.physical):
            frames.position.setflags(write=False)
            frames.rotation.setflags(write=False)
        self.detectors.setflags(write=False)
        return self


def place_all(tree: Tree, values: Values) -> Placement:
    """Place the whole instrument."""
    count = len(tree.entries)
    physical = Frames.empty(count)
    frames = Frames.empty(count) if tree.neutronic else physical
    placement = Placement(frames, physical, np.empty((len(tree.ids), 3)))
    _place(tree, values, range(1, count), placement)
    return placement.freeze()


def place_again(tree: Tree, values: Values, moved_entries: Iterable[int], old: Placement) -> Placement:
    """Place what hangs below these entries anew; the rest is taken over."""
    placement = old.copy()
    done = 0
    for number in sorted(set(moved_entries)):
        if number >= done:
            done = tree.entries[number].end
            _place(tree, values, range(number, done), placement)
    return placement.freeze()


def _place(tree: Tree, values: Values, numbers: range, placement: Placement) -> None:
    frames, physical = placement.frames, placement.physical
    for number in numbers:
        entry = tree.entries[number]
        parent = tree.entries[entry.parent]
        assert isinstance(parent, Node)
        at, turn = frames.position[entry.parent], frames.rotation[entry.parent]
        if isinstance(entry, Block):
            frames.position[number], frames.rotation[number] = at, turn
            placement.detectors[entry.first : entry.last] = at + _leaves(entry, parent.triple, turn, values) @ turn.T
            continue
        real_at, real_turn = physical.position[entry.parent], physical.rotation[entry.parent]
        own = present_values(entry.parameters, values)
        relative = moved(entry.locations.relative(slice(entry.row, entry.row + 1), parent.triple, real_turn)[0], own)
        leaf = entry.panel is None and entry.end == number + 1
        turning = entry.locations.turn(entry.row)
        if not leaf:  # facing turns a leaf on the spot, which moves no detector
            turning = _faced(entry, tree.definition.facing, turning, real_at + real_turn @ relative, real_turn)
        relative_turn = turned(turning, own)
        physical.position[number] = real_at + real_turn @ relative
        physical.rotation[number] = real_turn @ relative_turn
        if tree.neutronic:
            relative, relative_turn = _behind(entry, parent.triple, relative, relative_turn, turn)
            frames.position[number] = at + turn @ relative
            frames.rotation[number] = turn @ relative_turn
        if entry.panel is not None:
            here = placement.detectors[entry.first : entry.last]
            _fill_panel(entry, own, frames.position[number], frames.rotation[number], here)


def _leaves(block: Block, triple: Floats | None, turn: Floats, values: Values) -> Floats:
    """Relative positions of a block's detectors. Their own turning moves nothing."""
    position = block.locations.relative(block.rows, triple, turn)
    for rows, parameters in block.parameters:
        position[rows] = moved(position[rows], present_values(parameters, values))
    return position


def _faced(node: Node, default: Facing | None, own: Floats, position: Floats, parent_turn: Floats) -> Floats:
    """Relative rotation `own` of a component at absolute `position` after facing."""
    facing = node.locations.extra_of(node.row).facing or default
    if facing is None:
        return own
    if facing.rot:
        own = own @ rotation(facing.rot, (0.0, 0.0, 1.0))
    if facing.target is None:
        return own
    away = position - facing.target
    distance = np.linalg.norm(away)
    if distance == 0.0:
        return own
    result: Floats = own @ turn_z_to((parent_turn @ own).T @ away / distance)
    return result


def _behind(
    node: Node, triple: Floats | None, relative: Floats, relative_turn: Floats, turn: Floats
) -> tuple[Floats, Floats]:
    """Relative neutronic place of a component: its own when it has one, else the physical one."""
    place: Locations | None = node.locations.extra_of(node.row).neutronic
    if place is None:
        return relative, relative_turn
    position = Locations(
        place.names,
        place.coordinates,
        place.spherical,
        shift=None if place.shift is None else place.shift @ relative_turn.T,
    ).relative(slice(0, 1), triple, turn)[0]
    return position, relative_turn @ place.turn(0)


def _fill_panel(node: Node, values: Mapping[str, float], at: Floats, turn: Floats, out: Floats) -> None:
    """Pixel centres at + x ex + y ey, x outermost."""
    panel = node.panel
    assert panel is not None
    axes = []
    for axis, name in enumerate(("scalex", "scaley")):
        along = panel.start[axis] + panel.step[axis] * np.arange(panel.shape[axis])
        axes.append((along * values.get(name, 1.0))[:, None] * turn[:, axis])
    grid = out.reshape(*panel.shape, 3)
    np.add(axes[0][:, None, :], (axes[1] + at)[None, :, :], out=grid)
