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
from livereduce.geometry.document import GeometryError, Source
from livereduce.geometry.idf import load_idf
from livereduce.geometry.instrument import Instrument, frozen
from livereduce.geometry.nexus_pixels import face_centres, lengths, pixel_ids, pixel_offsets, polar_places
from livereduce.geometry.nexus_tree import HdfNode, JsonNode, NexusNode, class_of, name_of, text_at
from livereduce.geometry.parameters import Logs, Parameter, evaluate, moved, moving, present_values, turned
from livereduce.geometry.space import IDENTITY, Floats
from livereduce.geometry.transformations import Step, chain_of, pose


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
    counted: bool = False  # the file numbers its pixels nowhere


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
    nothing, origin = np.empty(0, dtype=np.int64), np.zeros((1, 3))
    upstream = _source(instrument, warnings)
    if upstream is not None:
        yield upstream
    sample = next((node for node in entry.groups() if class_of(node) == "NXsample"), None)
    chain = None if sample is None else chain_of(sample, warnings)
    yield Body("sample" if sample is None else name_of(sample), "sample", chain or (), nothing, origin, (1,))
    monitors, uncounted = 0, 0
    for node in _components(entry):
        if class_of(node) == "NXmonitor":
            monitors += 1
            number = pixel_ids(node)
            ids = np.array([-monitors]) if number is None or number.size != 1 else number
            yield _body(node, "monitor", ids, warnings)
            continue
        body = _body(node, "detector", pixel_ids(node), warnings)
        if body.counted:
            body, uncounted = replace(body, ids=body.ids + uncounted), uncounted + len(body.ids)
        yield body


def _source(instrument: NexusNode, warnings: list[str]) -> Body | None:
    """Return the first NXsource, else NXmoderator, that says where it is."""
    for nx_class in ("NXsource", "NXmoderator"):
        for node in instrument.groups():
            if class_of(node) != nx_class:
                continue
            chain, distance = chain_of(node, warnings), lengths(node, "distance")
            place = np.zeros((1, 3))
            if chain is None and distance is None:
                continue
            if chain is None and distance is not None:
                # written with either sign; a source is upstream
                place[0, 2] = -abs(float(distance.flat[0]))
            return Body(name_of(node), "source", chain or (), np.empty(0, dtype=np.int64), place, (1,))
    return None


def _components(group: NexusNode, depth: int = 8) -> Iterator[NexusNode]:
    """Detectors and monitors at any depth of plain groups."""
    for child in group.groups():
        if class_of(child) in {"NXdetector", "NXmonitor"}:
            yield child
        elif depth and class_of(child) not in {"NXevent_data", "NXlog", "NXdata", "NXtransformations"}:
            yield from _components(child, depth - 1)


def _body(node: NexusNode, kind: str, ids: NDArray[np.int64] | None, warnings: list[str]) -> Body:
    chain = chain_of(node, warnings)
    faces = face_centres(node) if ids is None else None
    if faces is not None:
        return Body(name_of(node), kind, chain or (), *faces, faces[0].shape)
    polar = polar_places(node, None if ids is None else ids.shape) if chain is None else None
    counted = ids is None
    if ids is None:
        ids = np.arange(1, 2 if polar is None else len(polar) + 1)
        warnings.append(f"{node.path}: no detector numbers; its {len(ids)} pixels are counted up from 1")
    if polar is not None:
        pixels = polar  # says where each pixel is, offsets included
    elif chain is None:
        warnings.append(f"{node.path}: neither depends_on nor distance; its place is not known")
        pixels = np.full((ids.size, 3), np.nan)
    else:
        pixels = pixel_offsets(node, ids, warnings)
    return Body(name_of(node), kind, chain or (), ids.reshape(-1), pixels, ids.shape, counted=counted)


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

    def with_parameters(self, source: Source) -> Instrument:
        """Refuse: parameter files speak of the components of instrument definitions."""
        raise GeometryError(f"{self.name}: a parameter file does not go with NeXus geometry")

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
