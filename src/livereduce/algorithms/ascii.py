"""Columns of numbers in text files: SaveAscii and LoadAscii.

Layout: a header line that names the columns, then for every spectrum a line with its number and one row per value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.files import check_exists, check_folder, replacing
from livereduce.algorithms.spectra import selected
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, Spectra
from livereduce.workspaces.arrays import F64, I64

_SEPARATORS = {"CSV": ",", "Tab": "\t", "Space": " ", "Colon": ":", "SemiColon": ";"}
# characters that numbers are written with
_IN_NUMBERS = set("0123456789eE+-.")

Separator = Literal["CSV", "Tab", "Space", "Colon", "SemiColon", "UserDefined"]


@algorithm("SaveAscii", version=2, names={"write_x_error": "WriteXError", "write_spectrum_id": "WriteSpectrumID"})
def save_ascii(
    ws: MatrixWorkspace,
    filename: Path,
    workspace_index_min: int | None = None,
    workspace_index_max: int | None = None,
    spectrum_list: Integers = (),
    precision: int | None = None,
    scientific_format: bool = False,
    write_x_error: bool = False,
    write_spectrum_id: bool = True,
    comment_indicator: str = "#",
    separator: Separator = "CSV",
    custom_separator: str = "",
    column_header: bool = True,
    append_to_file: bool = False,
    one_spectrum_per_file: bool = False,
) -> None:
    """Write X, Y and E as columns of text. Of bins, X is the centre.

    Parameters
    ----------
    filename
        The file; its folder must exist. An existing file is replaced, at once and completely.
    workspace_index_min, workspace_index_max, spectrum_list
        Workspace indices of the spectra to write; all without.
    precision
        Significant digits, with ScientificFormat digits after the point; 6 without.
    scientific_format
        Whether all numbers have an exponent.
    write_x_error
        Whether a fourth column holds the resolution of X.
    write_spectrum_id
        Whether a workspace of a single spectrum, too, has a line with the spectrum number before its rows.
    comment_indicator
        What the header line begins with.
    separator
        What stands between columns.
    custom_separator
        With UserDefined: the separator, nothing that numbers or the comment indicator are made of.
    column_header
        Whether there is a header line.
    append_to_file
        Whether to write at the end of an existing file, without a header.
    one_spectrum_per_file
        Whether every spectrum goes to a file of its own, ``name_<workspace index>.ext``.
    """
    if not ws.n_spectra or not ws.n_bins:
        raise ValueError("InputWorkspace: is empty, there is nothing to write")
    chosen = selected(ws, workspace_index_min, workspace_index_max, spectrum_list)
    text = _Text(
        _separator(separator, custom_separator, comment_indicator),
        f"%.{6 if precision is None else precision}{'e' if scientific_format else 'g'}",
        write_x_error,
    )
    with_number = write_spectrum_id or len(chosen) > 1
    for path, indices in _files(filename, chosen, one_spectrum_per_file):
        if append_to_file and path.exists():
            check_folder(path)
            with path.open("a", encoding="utf-8") as file:
                text.write_spectra(file, ws, indices, with_number)
            continue
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            if column_header:
                file.write(text.header(comment_indicator))
            text.write_spectra(file, ws, indices, with_number)


def _files(filename: Path, chosen: I64, one_each: bool) -> Iterator[tuple[Path, I64]]:
    if not one_each:
        yield filename, chosen
        return
    for index in chosen:
        yield filename.with_name(f"{filename.stem}_{index}{filename.suffix}"), np.array([index])


def _separator(name: Separator, custom: str, comment: str) -> str:
    found = custom if name == "UserDefined" else _SEPARATORS[name]
    if not found:
        raise ValueError("CustomSeparator: must be given with Separator=UserDefined")
    if set(found) & _IN_NUMBERS:
        raise ValueError(f"CustomSeparator: {found!r} could be part of a number")
    if found == comment:
        raise ValueError(f"CustomSeparator: {found!r} is the CommentIndicator as well")
    if set(comment) & _IN_NUMBERS:
        raise ValueError(f"CommentIndicator: {comment!r} could be part of a number")
    return found


class _Text:
    """How numbers become lines."""

    def __init__(self, separator: str, number: str, with_dx: bool) -> None:
        self.columns = ["X", "Y", "E", *(["DX"] if with_dx else [])]
        self.separator = separator
        self.row = separator.join([number] * len(self.columns)) + "\n"

    def header(self, comment: str) -> str:
        return f"{comment} {f' {self.separator} '.join(self.columns)}\n"

    def write_spectra(self, file: TextIO, ws: MatrixWorkspace, indices: I64, with_number: bool) -> None:
        for index in indices.tolist():
            if with_number:
                file.write(f"{ws.spectra.numbers[index]}\n")
            x = ws.readX(index)
            points = (x[1:] + x[:-1]) / 2 if ws.is_histogram else x
            values = [points, ws.readY(index), ws.readE(index)]
            if len(self.columns) > 3:
                dx = ws.readDx(index)
                values.append(dx if len(dx) else np.zeros(ws.n_bins))
            file.writelines(self.row % row for row in zip(*(v.tolist() for v in values), strict=True))


@algorithm("LoadAscii", version=2, outputs_after="filename")
def load_ascii(
    filename: Path,
    separator: Literal["Automatic", "CSV", "Tab", "Space", "Colon", "SemiColon", "UserDefined"] = "Automatic",
    custom_separator: str = "",
    comment_indicator: str = "#",
    unit: str = "Energy",
) -> HistogramWorkspace:
    """Read columns X, Y and, where there are, E and DX as points; a line with a single number begins a spectrum.

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
    between = r"[,\s:;]+" if separator == "Automatic" else re.escape(_SEPARATORS.get(separator, custom_separator))
    if not between:
        raise ValueError("CustomSeparator: must be given with Separator=UserDefined")
    numbers, blocks = _read_blocks(filename, re.compile(between), comment_indicator)
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
        unit=unit,
        y_unit="",
        title=filename.stem,
    )


def _read_blocks(path: Path, between: re.Pattern[str], comment: str) -> tuple[list[int], list[F64]]:
    """Spectrum numbers and rows of every spectrum; text lines before the first row are a header."""
    numbers: list[int] = []
    rows: list[list[list[float]]] = []
    for i, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or (comment and line.lstrip().startswith(comment)):
            continue
        try:
            values = [float(item) for item in between.split(line.strip()) if item]
        except ValueError:
            if rows and rows[-1]:
                raise RuntimeError(f"{path}:{i}: expected numbers, found {line.strip()!r}") from None
            continue
        if len(values) == 1:
            numbers.append(int(values[0]))
            rows.append([])
            continue
        if not rows:
            numbers.append(1)
            rows.append([])
        if rows[-1] and len(rows[-1][0]) != len(values):
            raise RuntimeError(f"{path}:{i}: expected {len(rows[-1][0])} columns, found {len(values)}")
        rows[-1].append(values)
    if not rows:
        raise RuntimeError(f"{path}: holds no numbers")
    return numbers, [np.array(block).reshape(len(block), -1) for block in rows]
