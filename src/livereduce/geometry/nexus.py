"""Geometry from NeXus: an HDF5 file, or the ``nexus_structure`` that starts a run, read by one reader.

Covers detectors with pixel offsets or faces, monitors, source, moderator and sample placed by ``depends_on`` chains or
by the older distance and angles, and definitions (IDF) embedded in SNS files. Not covered: shapes of pixels, event
data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.components import Components, Entry, PixelNames
from livereduce.geometry.document import GeometryError
from livereduce.geometry.idf import load_idf
from livereduce.geometry.instrument import Instrument, frozen
from livereduce.geometry.nexus_tree import HdfNode, JsonNode, NexusNode, class_of, name_of, text_at
from livereduce.geometry.parameters import Logs, Parameter, evaluate, moved, moving, present_values, turned
from livereduce.geometry.space import IDENTITY, Floats, cartesian
from livereduce.geometry.transformations import Step, angle_scale, chain_of, length_scale, pose

_ID_NAMES = ("detector_number", "detector_id", "pixel_id", "monitor_number")


@dataclass(frozen=True, slots=True)
class Body:
    """A component and the places of its pixels in its own frame."""

    name: str
    kind: str  # "detector", "monitor", "source" or "sample"
    chain: tuple[Step, ...]
    ids: NDArray[np.int64]
    pixels: Floats  # float64[k, 3]
    shape: tuple[int, ...]
    parameters: tuple[Parameter, ...] = ()


def load_nexus(source: Path | str | Any, logs: Logs | None = None, *, name: str = "") -> Instrument:
    """Read the geometry of a NeXus file.

    Parameters
    ----------
    source
        A path, or an open h5py file.
    logs
        What logs say beyond the file: name (the path of the NXlog) to a number or (times, values).
    name
        Name to use instead of the file's.

    Raises
    ------
    GeometryError
        The file cannot be read, or its geometry cannot be used; the message names the path inside.
    """
    if not isinstance(source, Path | str):
        return _load(HdfNode(source["/"]), logs or {}, name)
    import h5py

    try:
        with h5py.File(source, "r") as file:
            return _load(HdfNode(file["/"]), logs or {}, name)
    except OSError as error:
        raise GeometryError(f"cannot read {str(source)!r}: {error}") from error


def load_nexus_structure(
    text: str | bytes | Mapping[str, Any], logs: Logs | None = None, *, name: str = ""
) -> Instrument:
    """Read the geometry of the JSON that starts a run; errors as `load_nexus`.

    Components whose chain holds a stream have no position (nan) until a log named like the stream's source arrives.
    """
    return _load(JsonNode.from_text(text), logs or {}, name)


def _load(root: NexusNode, logs: Logs, name: str) -> Instrument:
    entry = next((group for group in root.groups() if class_of(group) == "NXentry"), None)
    if entry is None:
        raise GeometryError(f"the NeXus tree has no NXentry; found {[name_of(g) for g in root.groups()]}")
    instrument = next((group for group in entry.groups() if class_of(group) == "NXinstrument"), entry)
    definition = text_at(instrument, "instrument_xml/data")
    if definition:
        found = load_idf(definition, name=name)
        return found.with_logs(_logs_of_file(entry, found.needed_logs)).with_logs(logs)
    warnings: list[str] = []
    bodies = tuple(_bodies(entry, instrument, warnings))
    title = name or text_at(instrument, "name") or name_of(instrument)
    if not any(body.kind == "source" for body in bodies):
        warnings.append("the instrument has no source; flight paths are undefined")
    model = NexusModel(title, bodies, {}, tuple(warnings))
    return model.with_logs(logs, model.instrument())


def _logs_of_file(entry: NexusNode, names: tuple[str, ...]) -> dict[str, Any]:
    """Last values of the logs of an SNS file."""
    logs = {}
    for name in names:
        node = entry.at(f"DASlogs/{name}/value")
        values = None if node is None else node.value()
        if values is not None and values.size and values.dtype.kind in "iuf":
            logs[name] = float(values.reshape(-1)[-1])
    return logs


def _bodies(entry: NexusNode, instrument: NexusNode, warnings: list[str]) -> Iterator[Body]:
    yield from _beginnings(entry, instrument, warnings)
    monitors = 0
    for node in _components(entry):
        kind = {"NXdetector": "detector", "NXmonitor": "monitor"}.get(class_of(node))
        if kind is None:
            continue
        ids = _ids(node)
        if kind == "monitor":
            monitors += 1
            ids = np.array([-monitors]) if ids is None or ids.size != 1 else ids
        yield _body(node, kind, ids, warnings)


def _beginnings(entry: NexusNode, instrument: NexusNode, warnings: list[str]) -> Iterator[Body]:
    """Source and sample: the first NXsource, else NXmoderator, that says where it is."""
    nothing, origin = np.empty(0, dtype=np.int64), np.zeros((1, 3))
    kinds = ("NXsource", "NXmoderator")
    for node in sorted(instrument.groups(), key=lambda node: class_of(node) != kinds[0]):
        distance, chain = _lengths(node, "distance"), None
        if class_of(node) not in kinds or ((chain := chain_of(node, warnings)) is None and distance is None):
            continue
        # a distance is written with either sign; a source is upstream
        upstream = origin if distance is None else np.array([[0.0, 0.0, -abs(float(distance.flat[0]))]])
        yield Body(name_of(node), "source", chain or (), nothing, upstream if chain is None else origin, (1,))
        break
    sample = next((node for node in entry.groups() if class_of(node) == "NXsample"), None)
    chain = None if sample is None else chain_of(sample, warnings)
    yield Body("sample" if sample is None else name_of(sample), "sample", chain or (), nothing, origin, (1,))


def _components(group: NexusNode, depth: int = 8) -> Iterator[NexusNode]:
    """Detectors and monitors at any depth of plain groups."""
    for child in group.groups():
        if class_of(child) in {"NXdetector", "NXmonitor"}:
            yield child
        elif depth and class_of(child) not in {"NXevent_data", "NXlog", "NXdata", "NXtransformations"}:
            yield from _components(child, depth - 1)


def _ids(node: NexusNode) -> NDArray[np.int64] | None:
    for name in _ID_NAMES:
        found = node.at(name)
        values = None if found is None else found.value()
        if values is not None:
            whole = values.dtype.kind in "iu" or (
                values.dtype.kind == "f" and np.all(np.abs(values) < 2**53) and np.array_equal(values, np.floor(values))
            )
            if not whole:
                raise GeometryError(f"{node.path}/{name}: {values.dtype} values, expected whole numbers")
            return values.astype(np.int64)
    return None


def _body(node: NexusNode, kind: str, ids: NDArray[np.int64] | None, warnings: list[str]) -> Body:
    chain = chain_of(node, warnings)
    if ids is None:
        faces = _faces(node)
        if faces is not None:
            return Body(name_of(node), kind, chain or (), faces[0], faces[1], faces[0].shape)
    polar = None if chain is not None else _polar(node, None if ids is None else ids.shape)
    if ids is None:
        count = 1 if polar is None else len(polar)
        warnings.append(f"{node.path}: no detector numbers; {count} pixels are numbered from 1")
        ids = np.arange(1, count + 1)
    pixels = _offsets(node, ids.shape, warnings)
    if chain is None and polar is None:
        warnings.append(f"{node.path}: neither depends_on nor distance; its place is not known")
        pixels = np.full((ids.size, 3), np.nan)
    elif polar is not None:
        pixels = polar  # these already say where each pixel is
    return Body(name_of(node), kind, chain or (), ids.reshape(-1), pixels, ids.shape)


def _offsets(node: NexusNode, shape: tuple[int, ...], warnings: list[str]) -> Floats:
    """Pixel centres float64[k, 3] from x, y, z_pixel_offset; on a grid of (ny, nx) x and y may be rows."""
    pixels = np.zeros((*shape, 3))
    offsets = [_lengths(node, f"{axis}_pixel_offset") for axis in "xyz"]
    if all(offset is None for offset in offsets):
        faces = _faces(node)
        if faces is not None:
            return _faces_in_order(node, faces, shape)
        if pixels.size > 3:
            warnings.append(f"{node.path}: {pixels.size // 3} pixels without offsets all stand in one place")
    for axis, offset in enumerate(offsets):
        if offset is None:
            continue
        if len(shape) == 2 and axis == 1 and offset.shape == shape[:1]:
            offset = offset[:, None]  # y is the slow axis of (ny, nx)
        elif offset.size == 1:
            offset = offset.reshape(())
        elif offset.shape != shape and not (len(shape) == 2 and axis == 0 and offset.shape == shape[1:]):
            name = f"{'xyz'[axis]}_pixel_offset"
            raise GeometryError(f"{node.path}/{name} has shape {offset.shape} for detector numbers of shape {shape}")
        pixels[..., axis] = offset
    return pixels.reshape(-1, 3)


def _lengths(node: NexusNode, name: str) -> Floats | None:
    """Values of a dataset in m; None when it is not there."""
    found = node.at(name)
    values = None if found is None else found.value()
    if found is None or values is None:
        return None
    return _floats(found, values) * length_scale(found)


def _floats(node: NexusNode, values: NDArray[Any]) -> Floats:
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise GeometryError(f"{node.path}: {values.dtype} values, expected numbers") from error


def _polar(node: NexusNode, shape: tuple[int, ...] | None) -> Floats | None:
    """Places from distance, polar_angle and azimuthal_angle; None without a distance."""
    distance = _lengths(node, "distance")
    if distance is None:
        return None
    angles = []
    for name in ("polar_angle", "azimuthal_angle"):
        found = node.at(name)
        values = None if found is None else found.value()
        angles.append(np.zeros(()) if found is None or values is None else _floats(found, values) * angle_scale(found))
    columns = [column.reshape(()) if column.size == 1 else column for column in (distance, *angles)]
    try:
        broadcast = np.broadcast_arrays(*columns, np.zeros(() if shape is None else shape))
    except ValueError as error:
        raise GeometryError(f"{node.path}: distance and angles do not fit {shape} detector numbers: {error}") from error
    return cartesian(np.stack([column.reshape(-1) for column in broadcast[:3]], axis=-1))


def _faces(node: NexusNode) -> tuple[NDArray[np.int64], Floats] | None:
    """Ids and centres of pixels that are faces of one shape (NXoff_geometry with ``detector_faces``)."""
    shape = node.at("detector_shape")
    parts = {}
    for name in ("vertices", "faces", "winding_order", "detector_faces"):
        found = None if shape is None else shape.at(name)
        values = None if found is None else found.value()
        if shape is None or found is None or values is None:
            return None
        parts[name] = _floats(found, values)
        if name == "vertices":
            parts[name] = parts[name] * length_scale(found)
    vertices, order = parts["vertices"], parts["winding_order"].astype(np.int64)
    starts, pairs = parts["faces"].astype(np.int64).reshape(-1), parts["detector_faces"].astype(np.int64).reshape(-1, 2)
    try:
        sizes = np.diff(np.append(starts, len(order)))
        centres = np.add.reduceat(vertices[order], starts, axis=0) / sizes[:, None]
        ids, which = np.unique(pairs[:, 1], return_inverse=True)
        mean = np.zeros((len(ids), 3))
        np.add.at(mean, which, centres[pairs[:, 0]])
        return ids, mean / np.bincount(which)[:, None]
    except (IndexError, ValueError) as error:
        raise GeometryError(f"{node.path}/detector_shape: faces and vertices do not fit together: {error}") from error


def _faces_in_order(node: NexusNode, faces: tuple[NDArray[np.int64], Floats], shape: tuple[int, ...]) -> Floats:
    ids = _ids(node)
    wanted = np.arange(1) if ids is None else ids.reshape(-1)
    at = np.minimum(np.searchsorted(faces[0], wanted), len(faces[0]) - 1)
    if not np.array_equal(faces[0][at], wanted):
        raise GeometryError(f"{node.path}: detector_faces do not cover all of its detector numbers {shape}")
    return faces[1][at]


@dataclass(frozen=True, slots=True)
class NexusModel:
    """The bodies of an instrument and the values its logs gave so far."""

    name: str
    bodies: tuple[Body, ...]
    values: Mapping[Parameter, float]
    warnings: tuple[str, ...]
    problems: tuple[str, ...] = ()

    def with_logs(self, logs: Logs, present: Instrument) -> Instrument:
        """Return the instrument with these logs; `present` itself when nothing moves."""
        values, problems = evaluate(self._driven(), logs, self.values)
        if values == self.values and problems == self.problems:
            return present
        return replace(self, values=values, problems=problems).instrument()

    def with_moved(self, component: str, axis: str, expression: str, log: str) -> Instrument:
        """Return the instrument with one more parameter; coordinates are absolute."""
        parameter = moving(component, axis, expression, log)
        if component not in {body.name for body in self.bodies}:
            raise GeometryError(f"{self.name}: there is no component {component!r} to move")
        bodies = tuple(
            replace(body, parameters=(*body.parameters, parameter)) if body.name == component else body
            for body in self.bodies
        )
        return replace(self, bodies=bodies).instrument()

    def parameter_texts(self, name: str) -> list[tuple[str, slice, str]]:
        """Return nothing: NeXus geometry has no named parameters."""
        return []

    def _driven(self) -> set[Parameter]:
        steps = {step.value for body in self.bodies for step in body.chain if isinstance(step.value, Parameter)}
        return steps | {parameter for body in self.bodies for parameter in body.parameters if parameter.log}

    def instrument(self) -> Instrument:
        """Place all bodies."""
        frames = [self._frame(body) for body in self.bodies]
        points = [at + body.pixels @ turn.T for body, (at, turn) in zip(self.bodies, frames, strict=True)]
        ids = frozen(np.concatenate([np.empty(0, np.int64), *(body.ids for body in self.bodies)]))
        unique, counts = np.unique(ids, return_counts=True)
        if len(unique) != len(ids):
            raise GeometryError(f"{self.name}: detector id {unique[counts > 1][0]} is used more than once")
        pixels = [found for body, found in zip(self.bodies, points, strict=True) if len(body.ids)]
        positions = frozen(np.concatenate([np.empty((0, 3)), *pixels]))
        monitor = np.concatenate([np.empty(0, bool), *(np.full(len(b.ids), b.kind == "monitor") for b in self.bodies)])
        special = {body.kind: frozen(found[0].copy()) for body, found in zip(self.bodies, points, strict=True)}
        driven = self._driven()
        return Instrument(
            name=self.name,
            ids=ids,
            positions=positions,
            monitor=frozen(monitor),
            source=special.get("source"),
            sample=special["sample"],
            components=Components(
                self._entries(),
                ids,
                positions,
                frozen(np.array([np.zeros(3), *(at for at, _ in frames)])),
                frozen(np.array([IDENTITY, *(turn for _, turn in frames)])),
            ),
            needed_logs=tuple(sorted({parameter.log for parameter in driven})),
            missing_logs=tuple(sorted({parameter.log for parameter in driven - self.values.keys()})),
            warnings=(*self.warnings, *self.problems),
            model=self,
        )

    def _frame(self, body: Body) -> tuple[Floats, Floats]:
        """Position and rotation; the position is nan while a log of the chain is missing."""
        at, turn = pose(body.chain, self.values) or (np.full(3, np.nan), IDENTITY)
        given = present_values(body.parameters, self.values)
        return moved(at, given), turned(turn, given)

    def _entries(self) -> list[Entry]:
        entries = [Entry(self.name, -1, 0, 0, len(self.bodies) + 1)]
        first = 0
        for number, body in enumerate(self.bodies, 1):
            leaves = PixelNames(body.name, body.shape) if len(body.ids) else None
            entries.append(Entry(body.name, 0, first, first + len(body.ids), number + 1, leaves))
            first += len(body.ids)
        entries[0].last = first
        return entries
