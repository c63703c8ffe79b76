"""LoadAscii: columns of numbers in a text as points."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.files import check_exists
from livereduce.algorithms.text.ascii import SEPARATORS
from livereduce.algorithms.text.tables import read_table_text
from livereduce.workspaces import HistogramWorkspace, Spectra, TableWorkspace
from livereduce.workspaces.arrays import F64
from livereduce.workspaces.axes import unit as known_unit


@algorithm("LoadAscii", version=2, outputs_after="filename")
def load_ascii(
    filename: Path,
    separator: Literal["Automatic", "CSV", "Tab", "Space", "Colon", "SemiColon", "UserDefined"] = "Automatic",
    custom_separator: str = "",
    comment_indicator: str = "#",
    unit: str = "Energy",
) -> HistogramWorkspace | TableWorkspace:
    """Read columns X, Y and, where there are, E and DX as points; a line with a single number begins a spectrum.

    A text whose first two comment lines name columns and their types, as SaveAscii writes, is a table.

    Parameters
    ----------
    filename
        The file.
    separator
        What stands between columns; Automatic is any of comma, blank, tab, colon, semicolon.
    custom_separator
        With UserDefined: the separator.
    comment_indicator
        What lines to leave out begin with.
    unit
        Unit of X.
    """
    check_exists(filename)
    between = r"[,\s:;]+" if separator == "Automatic" else re.escape(SEPARATORS.get(separator, custom_separator))
    if not between:
        raise ValueError("CustomSeparator: must be given with Separator=UserDefined")
    lines = _lines(filename)
    separators = SEPARATORS.values() if separator == "Automatic" else [SEPARATORS.get(separator, custom_separator)]
    table = read_table_text(filename, lines, separators, comment_indicator)
    if table is not None:
        return table
    numbers, blocks = _read_blocks(filename, lines, re.compile(between), comment_indicator)
    if len({block.shape for block in blocks}) != 1 or blocks[0].shape[1] not in (2, 3, 4):
        shapes = sorted({block.shape for block in blocks})
        raise RuntimeError(f"{filename}: expected spectra of equal length with 2 to 4 columns, found {shapes}")
    data = np.stack(blocks)
    columns = [data[:, :, i] for i in range(data.shape[2])]
    x = columns[0][0] if np.all(columns[0] == columns[0][:1]) else columns[0]
    return HistogramWorkspace(
        x.copy(),
        columns[1].copy(),
        e=columns[2].copy() if len(columns) > 2 else None,
        dx=columns[3].copy() if len(columns) > 3 else None,
        spectra=Spectra(numbers),
        unit=known_unit(unit).id,
        y_unit="",
        title=filename.stem,
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RuntimeError(f"{path}: is no text in UTF-8 ({error})") from error


def _read_blocks(path: Path, lines: list[str], between: re.Pattern[str], comment: str) -> tuple[list[int], list[F64]]:
    """Spectrum numbers and rows of every spectrum; text lines before the first row are a header.

    In files of several spectra without their numbers (XYE) the next one begins where after a comment X falls back.
    """
    numbers: list[int] = []
    rows: list[list[list[float]]] = []
    after_comment = False
    for i, line in enumerate(lines, start=1):
        if not line.strip() or (comment and line.lstrip().startswith(comment)):
            after_comment = True
            continue
        try:
            values = [float(item) for item in between.split(line.strip()) if item]
        except ValueError:
            if rows and rows[-1]:
                raise RuntimeError(f"{path}:{i}: expected numbers, found {line.strip()!r}") from None
            continue
        if len(values) == 1:
            numbers.append(_spectrum_number(path, i, values[0]))
            rows.append([])
            continue
        if not rows or (after_comment and rows[-1] and values[0] <= rows[-1][-1][0]):
            numbers.append(numbers[-1] + 1 if numbers else 1)
            rows.append([])
        after_comment = False
        if rows[-1] and len(rows[-1][0]) != len(values):
            raise RuntimeError(f"{path}:{i}: expected {len(rows[-1][0])} columns, found {len(values)}")
        rows[-1].append(values)
    if not rows:
        raise RuntimeError(f"{path}: holds no numbers")
    return numbers, [np.array(block).reshape(len(block), -1) for block in rows]


def _spectrum_number(path: Path, line: int, value: float) -> int:
    if not value.is_integer():
        raise RuntimeError(f"{path}:{line}: expected a spectrum number or columns, found {value:g} alone")
    return int(value)
