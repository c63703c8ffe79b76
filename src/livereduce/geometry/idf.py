"""Instrument definition files (IDF) to `Instrument`.

The way through: `document` reads the XML, `definition` and `locations` what it says, `tree` lays it out, `placement`
computes positions. Not covered: structured and grid detectors (no live instrument uses them), shapes and other hints
for drawing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from livereduce.geometry.components import Components
from livereduce.geometry.definition import Definition, Link, read_definition, with_links, with_parameter_file
from livereduce.geometry.document import GeometryError, Source, root_of_file, source_text
from livereduce.geometry.instrument import Instrument
from livereduce.geometry.parameters import Logs, Parameter, evaluate, moving
from livereduce.geometry.placement import Placement, place_again, place_all
from livereduce.geometry.space import Floats
from livereduce.geometry.tree import Tree, lay_out

# instruments whose files do not bear the name they are known by, or that have two
_SAME = ({"nimrod", "nim"}, {"cg2", "gpsans"}, {"cg3", "biosans"})


def load_idf(
    path_or_text: Source,
    logs: Logs | None = None,
    neutronic: bool = True,
    *,
    name: str = "",
    parameters: Source | None = None,
) -> Instrument:
    """Read an instrument definition and place everything in it.

    Parameters
    ----------
    path_or_text
        A path (`Path`, or a str that ends in ``.xml``), or the XML itself.
    logs
        What the logs say: name to a number, or to (times int64[m] in ns, values float64[m]). More can come later with
        `Instrument.with_logs`.
    neutronic
        For indirect instruments, positions to calculate with, behind the virtual analysers. False: the physical ones.
    name
        Name from the stream or file, which is better than the one in the definition.
    parameters
        A separate parameter file, path or text.

    Raises
    ------
    GeometryError
        The definition cannot be used; the message names the element and its line.
    """
    definition = read_definition(path_or_text, parameters)
    tree = lay_out(definition, neutronic=neutronic, name=name)
    return _IdfModel(tree, {}, place_all(tree), (), source_text(path_or_text)).place_from_start(logs or {})


def find_definition(directory: Path, instrument: str, when: datetime) -> Path:
    """Find the definition file of an instrument that was valid at a time.

    Of the files ``<instrument>_Definition*.xml`` (in any case) valid then, the one valid since the latest date.

    Raises
    ------
    GeometryError
        There is none, or one of them cannot be read.
    """
    found: list[tuple[datetime, Path]] = []
    outdated = 0
    stems = next((names for names in _SAME if instrument.lower() in names), {instrument.lower()})
    for path in sorted(directory.glob("*_Definition*.xml")):
        if path.name.partition("_Definition")[0].lower() not in stems:
            continue
        root = root_of_file(path, "instrument")
        start = _date(path, root.text_of("valid-from"), datetime.min.replace(tzinfo=UTC))
        end = _date(path, root.text_of("valid-to"), datetime.max.replace(tzinfo=UTC))
        if start <= when <= end:
            found.append((start, path))
        else:
            outdated += 1
    if not found:
        which = f"no {instrument}_Definition*.xml in {directory}"
        valid = f" (of {outdated}) is valid at {when:%Y-%m-%d %H:%M:%S}" if outdated else ""
        raise GeometryError(f"{which}{valid}")
    return max(found, key=lambda pair: pair[0])[1]


def _date(path: Path, text: str, default: datetime) -> datetime:
    if not text:
        return default
    try:
        date = datetime.fromisoformat(re.sub(r"\s+", "T", text.strip()))
    except ValueError as error:
        raise GeometryError(f"{path}: {text!r} is not a date like 2024-01-31 23:59:59") from error
    return date if date.tzinfo else date.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _IdfModel:
    """A laid-out definition, the values its logs gave so far, and where that puts everything."""

    tree: Tree
    values: Mapping[Parameter, float]
    placement: Placement
    problems: tuple[str, ...]
    text: str

    def place_from_start(self, logs: Logs) -> Instrument:
        """Return the instrument with only these logs."""
        return self.with_logs(logs, self._instrument())

    def with_logs(self, logs: Logs, present: Instrument) -> Instrument:
        values, problems = evaluate(self.tree.driven, logs, self.values)
        changed = {p for p in values if values[p] != self.values.get(p)}
        if not changed and problems == self.problems:
            return present
        users = self.tree.users
        entries = [entry for parameter in changed & users.keys() for entry in users[parameter]]
        placement = place_again(self.tree, values, entries, self.placement) if entries else self.placement
        return replace(self, values=values, placement=placement, problems=problems)._instrument()

    def with_moved(self, component: str, axis: str, expression: str, log: str) -> Instrument:
        parameter = moving(component, axis, expression, log)
        if component not in self._instrument().components:
            raise GeometryError(f"{self.tree.name}: there is no component {component!r} to move")
        return self._laid_out_anew(with_links(self.tree.definition, Link(component, None, (parameter,))))

    def with_parameters(self, source: Source) -> Instrument:
        return self._laid_out_anew(with_parameter_file(self.tree.definition, source))

    def _laid_out_anew(self, definition: Definition) -> Instrument:
        tree = lay_out(definition, neutronic=self.tree.neutronic, name=self.tree.name)
        placement = place_again(tree, self.values, [0], place_all(tree)) if self.values else place_all(tree)
        return _IdfModel(tree, self.values, placement, self.problems, self.text)._instrument()

    def parameter_texts(self, name: str) -> list[tuple[str, slice, str]]:
        components = self._instrument().components
        texts = []
        for record in self.tree.records:
            parameter = record.parameter
            if parameter.name.lower() != name.lower() or (parameter.log and parameter not in self.values):
                continue
            entry = self.tree.entries[record.entry]
            rows = slice(entry.first, entry.last)
            if record.row is not None:
                rows = slice(entry.first + record.row, entry.first + record.row + 1)
            text = repr(self.values[parameter]) if parameter.log else parameter.text
            texts.append((components.path(record.entry), rows, text))
        return texts

    def _instrument(self) -> Instrument:
        tree, frames = self.tree, self.placement.frames
        needed = {p.log for p in tree.users}
        missing = {p.log for p in tree.users if p not in self.values}
        return Instrument(
            name=tree.name,
            ids=tree.ids,
            positions=self.placement.detectors,
            monitor=tree.monitor,
            source=_at(frames.position, tree.source),
            sample=_at(frames.position, tree.sample),
            components=Components(tree.entries, tree.ids, self.placement.detectors, frames.position, frames.rotation),
            frame=tree.definition.frame,
            needed_logs=tuple(sorted(needed)),
            missing_logs=tuple(sorted(missing)),
            warnings=(*tree.warnings, *self.problems),
            model=self,
            definition=self.text,
        )


def _at(positions: Floats, entry: int | None) -> Floats | None:
    return None if entry is None else positions[entry]
