"""Which detectors belong together and which are masked: grouping and mask files.

Files name detectors by id, by spectrum number or by component. The result is a column over the detectors of an
instrument, in its order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.calibration import read_text
from livereduce.geometry.document import Element, GeometryError, parse
from livereduce.geometry.instrument import Instrument, frozen

Ids = NDArray[np.int64]

_NUMBER_OR_RANGE = re.compile(r"(-?\d+)(?:\s*-\s*(-?\d+))?")
_MOST = 20_000_000


@dataclass(frozen=True, eq=False)
class Grouping:
    """Group of each detector.

    Attributes
    ----------
    group
        int64[n], 0 for none.
    names
        Group number to name, in the order of the file; the groups of a map are called by their own numbers in it.
    warnings
        What was ignored or doubtful, for people.
    """

    group: Ids
    names: dict[int, str]
    warnings: tuple[str, ...] = ()


def load_grouping(source: Path | str, instrument: Instrument, spectrum_numbers: Ids | None = None) -> Grouping:
    """Read a grouping file, XML or ``.map``.

    Parameters
    ----------
    source
        A path, or the text itself.
    instrument
        The detectors to be grouped.
    spectrum_numbers
        int64[n]: the spectrum each detector is in, for files that name spectra.

    Raises
    ------
    GeometryError
        The file cannot be read, an element is wrong, a component is not there, or it names spectra and their numbers
        are not known.
    """
    text, label = read_text(source)
    if not _is_xml(text):
        return _map_file(text, label, instrument, spectrum_numbers)
    root = parse(text, "detector-grouping")
    groups = [(_group_id(element, at), element) for at, element in enumerate(root.all("group"), 1)]
    filled = _Filling(instrument, spectrum_numbers)
    for number, element in groups:
        filled.put(number, filled.rows_of_element(element))
    names = {number: element.text_of("name") or str(number) for number, element in groups}
    return filled.grouping(names)


def load_mask(source: Path | str, instrument: Instrument, spectrum_numbers: Ids | None = None) -> NDArray[np.bool_]:
    """Read a mask file, XML or ISIS ``.msk``: bool[n], True where masked.

    Parameters and errors are those of `load_grouping`.
    """
    text, label = read_text(source)
    filled = _Filling(instrument, spectrum_numbers)
    if _is_xml(text):
        for element in parse(text, "detector-masking").all("group"):
            filled.put(1, filled.rows_of_element(element))
    else:
        # a line that starts with anything but a digit is a comment
        lines = [line for line in text.splitlines() if line.strip()[:1].isdecimal()]
        filled.put(1, filled.rows_of_spectra(_numbers(" ".join(lines), label), label))
    return frozen(filled.group > 0)


class _Filling:
    """The column while it is being filled."""

    def __init__(self, instrument: Instrument, spectrum_numbers: Ids | None) -> None:
        self.instrument = instrument
        self.spectrum_numbers = spectrum_numbers
        self.group: Ids = np.zeros(len(instrument), dtype=np.int64)
        self.unknown: list[int] = []
        self.warnings: list[str] = []
        self.twice = 0

    def put(self, number: int, rows: Ids) -> None:
        self.twice += int(np.count_nonzero((self.group[rows] != 0) & (self.group[rows] != number)))
        self.group[rows] = number

    def rows_of_element(self, element: Element) -> Ids:
        """Rows of everything named below a ``group`` element."""
        rows: list[Ids] = [np.empty(0, dtype=np.int64)]
        for child in element.children:
            text, label = child.text or child.text_of("val"), str(child)
            match child.tag:
                case "detids":
                    rows.append(self._known(_numbers(text, label)))
                case "ids":
                    rows.append(self.rows_of_spectra(_numbers(text, label), label))
                case "component":
                    rows += [self._component(name.strip(), child) for name in text.split(",")]
                case _:
                    child.fail("expected detids, ids or component")
        return np.concatenate(rows)

    def rows_of_spectra(self, numbers: Ids, label: str) -> Ids:
        """Rows of all detectors of these spectra."""
        if self.spectrum_numbers is None:
            raise GeometryError(f"{label} names spectra, but which detectors these have is not known here")
        self.unknown += np.setdiff1d(numbers, self.spectrum_numbers).tolist()
        return _where(np.isin(self.spectrum_numbers, numbers))

    def _known(self, ids: Ids) -> Ids:
        rows = self.instrument.rows_of(ids)
        self.unknown += ids[rows < 0].tolist()
        return rows[rows >= 0]

    def _component(self, name: str, element: Element) -> Ids:
        if name not in self.instrument.components:
            element.fail(f"{self.instrument.name} has no component {name!r}")
        return np.arange(len(self.instrument))[self.instrument.components[name].rows]

    def grouping(self, names: dict[int, str]) -> Grouping:
        warnings = self.warnings
        if self.unknown:
            warnings.append(f"{len(self.unknown)} numbers are not in the instrument, the first is {self.unknown[0]}")
        if self.twice:
            warnings.append(f"{self.twice} detectors are in more than one group; the last one counts")
        return Grouping(frozen(self.group), names, tuple(warnings))


def _is_xml(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def _group_id(element: Element, default: int) -> int:
    number = element.integer("ID", default)
    return number if number > 0 else element.fail(f"attribute ID={number} is not a positive number")


def _where(mask: NDArray[np.bool_]) -> Ids:
    return np.flatnonzero(mask).astype(np.int64)


def _numbers(text: str, label: str) -> Ids:
    """Numbers and inclusive ranges, ``1,3-5, 9``, blanks anywhere."""
    left_over = _NUMBER_OR_RANGE.sub("", text).replace(",", " ").strip()
    if left_over:
        raise GeometryError(f"{label}: {left_over[:50]!r} is neither a number nor a range like 3-5")
    pieces: list[Ids] = [np.empty(0, dtype=np.int64)]
    room = _MOST
    for first, last in _NUMBER_OR_RANGE.findall(text):
        start, end = int(first), int(last or first)
        room -= end - start + 1
        if end < start or room < 0 or abs(start) >= 2**62:
            raise GeometryError(f"{label}: the range {start}-{end} is not one of rising numbers, or too long")
        pieces.append(np.arange(start, end + 1))
    return np.concatenate(pieces)


def _map_file(text: str, label: str, instrument: Instrument, spectrum_numbers: Ids | None) -> Grouping:
    """Read a map: how many groups; then of each its number, a count, and that many spectra over any lines."""
    words = iter(re.findall(r"\d+\s*-\s*\d+|\S+", " ".join(line.split("#")[0] for line in text.splitlines())))
    filled, names = _Filling(instrument, spectrum_numbers), {}
    try:
        stated = int(next(words))
        for number, name in enumerate(words, 1):
            names[number] = str(int(name))
            size, found = int(next(words)), [np.empty(0, dtype=np.int64)]
            listed = 0
            while listed < size:
                found.append(_numbers(next(words), label))
                listed += len(found[-1])
            if listed > size:
                raise GeometryError(f"{label}: group {number} says it has {size} spectra, but lists {listed}")
            filled.put(number, filled.rows_of_spectra(np.concatenate(found), label))
    except (StopIteration, ValueError) as error:
        raise GeometryError(f"{label} is not a grouping map, or ends too early {error}".strip()) from error
    if stated != len(names):
        filled.warnings.append(f"it says it has {stated} groups, but has {len(names)}")
    return filled.grouping(names)
