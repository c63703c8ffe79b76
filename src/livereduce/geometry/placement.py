"""Where everything stands: absolute frames of the components and positions of the detectors.

In two steps. Relative places come from the definition as written, once: steps along absolute directions (``trans``) and
facing look at where the parents stand before any parameter moves them. Parameters then replace relative places, and one
pass over the entries, parents first, makes them absolute; when a log changes, only what hangs below the components it
moves is done again.
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
    """Position float64[m, 3] and rotation float64[m, 3, 3] of m entries."""

    position: Floats
    rotation: Floats

    @staticmethod
    def empty(count: int) -> Frames:
        """Return frames at the origin."""
        return Frames(np.zeros((count, 3)), np.tile(IDENTITY, (count, 1, 1)))

    def copy(self) -> Frames:
        """Return frames that may be written."""
        return Frames(self.position.copy(), self.rotation.copy())

    def put(self, number: int, parent: int, position: Floats, turn: Floats) -> None:
        """Make a place relative to the parent's absolute."""
        self.position[number] = self.position[parent] + self.rotation[parent] @ position
        self.rotation[number] = self.rotation[parent] @ turn


@dataclass(frozen=True, slots=True)
class Placement:
    """A placed instrument.

    Attributes
    ----------
    relative
        Places relative to the parent before parameters.
    written
        Absolute rotation float64[m, 3, 3] before parameters.
    frames
        Absolute places.
    detectors
        float64[n, 3].
    """

    relative: Frames
    written: Floats
    frames: Frames
    detectors: Floats


def place_all(tree: Tree) -> Placement:
    """Place the whole instrument as written; parameters with a constant value count, logs do not."""
    relative, written = _relative_places(tree)
    count = len(tree.entries)
    placement = Placement(relative, written, Frames.empty(count), np.empty((len(tree.ids), 3)))
    _place(tree, {}, range(1, count), placement)
    return _frozen(placement)


def place_again(tree: Tree, values: Values, moved_entries: Iterable[int], old: Placement) -> Placement:
    """Place what hangs below these entries anew; the rest is taken over."""
    placement = Placement(old.relative, old.written, old.frames.copy(), old.detectors.copy())
    done = 0
    for number in sorted(set(moved_entries)):
        if number >= done:
            done = tree.entries[number].end
            _place(tree, values, range(number, done), placement)
    return _frozen(placement)


def _frozen(placement: Placement) -> Placement:
    for array in (placement.frames.position, placement.frames.rotation, placement.detectors):
        array.setflags(write=False)
    return placement


def _place(tree: Tree, values: Values, numbers: range, placement: Placement) -> None:
    frames, relative = placement.frames, placement.relative
    for number in numbers:
        entry, parent = tree.entries[number], tree.entries[number].parent
        if isinstance(entry, Block):
            holder = tree.entries[parent]
            assert isinstance(holder, Node)
            frames.put(number, parent, np.zeros(3), IDENTITY)
            leaves = _leaves(entry, holder.triple, placement.written[parent], values)
            placement.detectors[entry.first : entry.last] = frames.position[parent] + leaves @ frames.rotation[parent].T
            continue
        own = present_values(entry.parameters, values)
        frames.put(number, parent, moved(relative.position[number], own), turned(relative.rotation[number], own))
        if entry.panel is not None:
            here = placement.detectors[entry.first : entry.last]
            _fill_panel(entry, own, frames.position[number], frames.rotation[number], here)


def _leaves(block: Block, triple: Floats | None, written: Floats, values: Values) -> Floats:
    """Relative positions of a block's detectors. Their own turning moves nothing."""
    position = block.locations.relative(block.rows, triple, written)
    for rows, parameters in block.parameters:
        position[rows] = moved(position[rows], present_values(parameters, values))
    return position


def _relative_places(tree: Tree) -> tuple[Frames, Floats]:
    """Relative places of all entries as written, and their absolute rotations.

    In a neutronic instrument the rotation of a component comes from its physical place, its position from the
    neutronic one where it has one.
    """
    count = len(tree.entries)
    physical, written, relative = Frames.empty(count), Frames.empty(count), Frames.empty(count)
    for number in range(1, count):
        node, parent = tree.entries[number], tree.entries[tree.entries[number].parent]
        if not isinstance(node, Node):
            continue
        assert isinstance(parent, Node)
        row, above = slice(node.row, node.row + 1), physical.rotation[node.parent]
        position = node.locations.relative(row, parent.triple, above)[0]
        turn = node.locations.turn(node.row)
        if node.panel is not None or node.end > number + 1:  # facing turns a leaf on the spot, which moves no detector
            absolute = physical.position[node.parent] + above @ position
            turn = _faced(node, tree.definition.facing, turn, absolute, above)
        physical.put(number, node.parent, position, turn)
        if tree.neutronic:
            position, turn = _behind(node, parent.triple, position, turn, written.rotation[node.parent])
        written.put(number, node.parent, position, turn)
        relative.position[number], relative.rotation[number] = position, turn
    return relative, written.rotation


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
    return own @ turn_z_to((parent_turn @ own).T @ away / distance)


def _behind(
    node: Node, triple: Floats | None, position: Floats, turn: Floats, parent_turn: Floats
) -> tuple[Floats, Floats]:
    """Relative neutronic place of a component: its own when it has one, else the physical one."""
    place: Locations | None = node.locations.extra_of(node.row).neutronic
    if place is None:
        return position, turn
    # steps of the neutronic place start from the rotation that is there already
    shift = None if place.shift is None else place.shift @ turn.T
    started = Locations(place.names, place.coordinates, place.spherical, shift=shift)
    return started.relative(slice(0, 1), triple, parent_turn)[0], turn @ place.turn(0)


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
