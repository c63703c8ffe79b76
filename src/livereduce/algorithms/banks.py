"""Detectors told by bank, tube and pixel: MaskBTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm, nearest
from livereduce.algorithms.operands import masked_spectra
from livereduce.algorithms.values import to_integers
from livereduce.geometry.components import Components, PixelNames
from livereduce.workspaces import MatrixWorkspace
from livereduce.workspaces.arrays import I64

_BANK = re.compile(r"bank(\d+)")
_NUMBER = re.compile(r"\d+$")


class _Tube(NamedTuple):
    """A tube: its number, whether it is the first or last of its bank, its first pixel's number, its pixels' rows."""

    number: int
    edge: bool
    first: int
    rows: I64


@algorithm("MaskBTP", in_place=["workspace"])
def mask_btp(
    workspace: MatrixWorkspace,
    instrument: str = "",
    bank: Integers = (),
    tube: Sequence[str] = (),
    pixel: Sequence[str] = (),
    components: Sequence[str] = (),
) -> MatrixWorkspace:
    """Mask detectors by bank, tube and pixel; what is not given means all of its kind.

    Bank 5 is the component ``bank5``. Its tubes are the components below it (or below the only one below it), a tube's
    pixels its detectors; both count from the number that the first one's name ends in, else from 0. In a rectangular
    panel, tubes are along X and pixels along Y, both from 0.

    Parameters
    ----------
    workspace
        The workspace, which is changed; it must have an instrument.
    instrument
        Accepted for scripts that give it; the workspace's own instrument decides.
    bank
        Banks, such as "1-4,7".
    tube, pixel
        Tubes of these banks and pixels of these tubes, such as "1-8,121-128"; "edges" means the first and the last.
    components
        Banks by the names of their components, where these are not called ``bank1``, ``bank2`` and so on.
    """
    geometry = workspace.detectors.instrument
    if geometry is None:
        raise ValueError("Workspace: it has no instrument, so that banks cannot be found (use LoadInstrument)")
    found = geometry.components
    tubes = [one for number in _banks(found, bank, components) for one in _tubes(found, number)]
    asked = _numbers("Tube", tube)
    if asked is None:
        tubes = [one for one in tubes if one.edge]
    elif len(asked):
        _refuse_others("Tube", asked, [one.number for one in tubes])
        tubes = [one for one in tubes if one.number in asked]
    asked = _numbers("Pixel", pixel)
    if asked is None:
        rows = [one.rows[[0, -1]] for one in tubes]
    elif len(asked):
        _refuse_others("Pixel", asked, [n for one in tubes for n in (one.first, one.first + len(one.rows) - 1)])
        rows = [one.rows[np.isin(np.arange(len(one.rows)) + one.first, asked)] for one in tubes]
    else:
        rows = [one.rows for one in tubes]
    spectra = workspace.spectra
    masked = spectra.masked.copy()
    masked[spectra.owner[np.isin(spectra.ids, found.ids[np.concatenate(rows)])]] = True
    return masked_spectra(workspace, masked)


def _numbers(name: str, texts: Sequence[str]) -> I64 | None:
    """Numbers that are asked for, none meaning all; None where the edges are."""
    text = ",".join(texts)
    if text.strip().lower() == "edges":
        return None
    try:
        return to_integers(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}, or 'edges'") from None


def _refuse_others(name: str, asked: I64, known: list[int]) -> None:
    wrong = asked[(asked < min(known)) | (asked > max(known))]
    if len(wrong):
        raise ValueError(f"{name}: there is no {wrong[0]} in these banks, which have {min(known)} to {max(known)}")


def _banks(found: Components, numbers: Integers, names: Sequence[str]) -> list[int]:
    """Rows of the component table: of the banks by number and by name; of all numbered ones if none is asked for."""
    by_number: dict[int, int] = {}
    for row, entry in enumerate(found.entries):
        match = None if entry.anonymous else _BANK.fullmatch(entry.name)
        if match and entry.first < entry.last:
            by_number.setdefault(int(match[1]), row)
    rows = [_component(found, name) for name in names]
    if len(numbers) or not rows:
        wanted = [int(number) for number in numbers] if len(numbers) else sorted(by_number)
        absent = [number for number in wanted if number not in by_number]
        if absent or not wanted:
            which = f"bank{absent[0]}" if absent else "bank1, bank2 ..."
            has = f"; it has {len(by_number)}, bank{min(by_number)} to bank{max(by_number)}" if by_number else ""
            raise ValueError(f"Bank: the instrument has no {which}{has}. Components takes banks of any name")
        rows += [by_number[number] for number in wanted]
    return rows


def _component(found: Components, name: str) -> int:
    row = found.number_of(name)
    if row < 0:
        close = nearest(name, found, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"Components: the instrument has no component {name!r}{hint}")
    return row


def _tubes(found: Components, bank: int) -> Iterator[_Tube]:
    """Tubes of the bank in one row of the component table."""
    below = _with_detectors(found, bank)
    while len(below) == 1 and not found.entries[below[0]].anonymous:
        bank, below = below[0], _with_detectors(found, below[0])
    entry = found.entries[bank]
    if isinstance(entry.leaves, PixelNames) and len(entry.leaves.shape) == 2:
        grid = np.arange(entry.first, entry.last).reshape(entry.leaves.shape[0], -1)
        yield from (_Tube(x, x in (0, len(grid) - 1), 0, rows) for x, rows in enumerate(grid))
        return
    rows = [row for row in below if not found.entries[row].anonymous] or [bank]
    start = _counted_from(found.entries[rows[0]].name)
    for place, row in enumerate(rows):
        tube = found.entries[row]
        pixels = [found.entries[run].leaves for run in (row, *found.children(row)) if found.entries[run].leaves]
        first = _counted_from(pixels[0][0]) if pixels and pixels[0] else 0
        yield _Tube(start + place, place in (0, len(rows) - 1), first, np.arange(tube.first, tube.last))


def _with_detectors(found: Components, row: int) -> list[int]:
    return [below for below in found.children(row) if found.entries[below].first < found.entries[below].last]


def _counted_from(first_name: str) -> int:
    match = _NUMBER.search(first_name)
    return int(match[0]) if match else 0
