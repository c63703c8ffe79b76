"""SaveAscii: columns of numbers as text.

Layout: a header line that names the columns, then for every spectrum a line with its number (or what else is asked for)
and one row per value. Tables: see `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TextIO

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.files import check_folder, replacing
from livereduce.algorithms.spectra import selected
from livereduce.algorithms.text.tables import table_text
from livereduce.algorithms.text.writing import write_texts
from livereduce.geometry.units import inelastic_momentum_transfer
from livereduce.workspaces import MatrixWorkspace, TableWorkspace, TimeSeries
from livereduce.workspaces.arrays import F64, I64, AnyArray

SEPARATORS = {"CSV": ",", "Tab": "\t", "Space": " ", "Colon": ":", "SemiColon": ";"}
# characters that numbers are written with
_IN_NUMBERS = set("0123456789eE+-.")

Separator = Literal["CSV", "Tab", "Space", "Colon", "SemiColon", "UserDefined"]


@algorithm("SaveAscii", version=2, names={"write_x_error": "WriteXError", "write_spectrum_id": "WriteSpectrumID"})
def save_ascii(
    ws: MatrixWorkspace | TableWorkspace,
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
    spectrum_meta_data: Sequence[str] = (),
    log_list: Sequence[str] = (),
    ragged_workspace: bool = True,
) -> None:
    """Write X, Y and E, or a table, as columns of text. Of bins, X is the centre.

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
    spectrum_meta_data
        What the line before a spectrum's rows holds in place of the number alone: any of SpectrumNumber, Q (1/Å,
        elastic, of the energy in the log Ei or the instrument's parameter Efixed) and Angle (degrees).
    log_list
        Logs that comment lines before the header line give: name, value (of a series of numbers the mean), unit; or
        that they are not defined.
    ragged_workspace
        Accepted for scripts that give it; every spectrum is written with its own X.
    """
    between = _separator(separator, custom_separator, comment_indicator)
    number = f"%.{6 if precision is None else precision}{'e' if scientific_format else 'g'}"
    if isinstance(ws, TableWorkspace):
        of_spectra = (len(spectrum_list), len(spectrum_meta_data), len(log_list), one_spectrum_per_file, write_x_error)
        if any(of_spectra) or (workspace_index_min, workspace_index_max) != (None, None):
            raise ValueError(f"InputWorkspace: {ws!r} is a table; options for spectra mean nothing for it")
        add = append_to_file and filename.exists()
        rows = table_text(ws, between, number, comment_indicator, header=column_header and not add)
        write_texts({filename: rows}, append=append_to_file)
        return
    if not ws.n_spectra or not ws.n_bins:
        raise ValueError("InputWorkspace: is empty, there is nothing to write")
    chosen = selected(ws, workspace_index_min, workspace_index_max, spectrum_list)
    text = _Text(ws, between, number, write_x_error, spectrum_meta_data)
    with_head = write_spectrum_id or len(chosen) > 1 or len(spectrum_meta_data) > 0
    for path, indices in _files(filename, chosen, one_spectrum_per_file):
        if append_to_file and path.exists():
            check_folder(path)
            with path.open("a", encoding="utf-8") as file:
                text.write_spectra(file, indices, with_head)
            continue
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(
                f"{comment_indicator} {text.between.join(words)}\n" for words in _logs(ws, log_list, number)
            )
            if column_header:
                file.write(text.header(comment_indicator))
            text.write_spectra(file, indices, with_head)


def _files(filename: Path, chosen: I64, one_each: bool) -> Iterator[tuple[Path, I64]]:
    if not one_each:
        yield filename, chosen
        return
    for index in chosen:
        yield filename.with_name(f"{filename.stem}_{index}{filename.suffix}"), np.array([index])


def _separator(name: Separator, custom: str, comment: str) -> str:
    found = custom if name == "UserDefined" else SEPARATORS[name]
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

    def __init__(
        self, ws: MatrixWorkspace, separator: str, number: str, with_dx: bool, meta_data: Sequence[str]
    ) -> None:
        self.ws = ws
        self.columns = ["X", "Y", "E", *(["DX"] if with_dx else [])]
        self.between = f" {separator} "
        self.row = separator.join([number] * len(self.columns)) + "\n"
        names, self.heads = _heads(ws, meta_data, separator, number)
        self.said = names if len(meta_data) else []

    def header(self, comment: str) -> str:
        lines = [self.columns, *([self.said] if self.said else [])]
        return "".join(f"{comment} {self.between.join(line)}\n" for line in lines)

    def write_spectra(self, file: TextIO, indices: I64, with_head: bool) -> None:
        ws = self.ws
        for index in indices.tolist():
            if with_head:
                file.write(f"{self.heads[index]}\n")
            x = ws.readX(index)
            points = (x[1:] + x[:-1]) / 2 if ws.is_histogram else x
            values = [points, ws.readY(index), ws.readE(index)]
            if len(self.columns) > 3:
                dx = ws.readDx(index)
                values.append(dx if len(dx) else np.zeros(ws.n_bins))
            file.writelines(self.row % row for row in zip(*(v.tolist() for v in values), strict=True))


def _logs(ws: MatrixWorkspace, names: Sequence[str], number: str) -> Iterator[list[str]]:
    """Name, value and unit of each log."""
    for name in names:
        if not ws.run().hasProperty(name):
            yield [name, "Not defined"]
            continue
        found = ws.run()[name]
        value = found.value
        if isinstance(found, TimeSeries):
            value = found.statistics().mean if value.dtype.kind in "biuf" and len(found) else found.valueAsStr
        text = number % value if isinstance(value, float) else str(value)
        yield [name, text, found.units] if found.units else [name, text]


# -- the line before a spectrum's rows ----------------------------------------------------------------------------


def _heads(ws: MatrixWorkspace, wanted: Sequence[str], separator: str, number: str) -> tuple[list[str], list[str]]:
    """Names of what is wanted, and the line of each spectrum."""
    known = {name.lower(): name for name in _META_DATA}
    unknown = [name for name in wanted if name.lower() not in known]
    if unknown:
        raise ValueError(f"SpectrumMetaData: expected any of {', '.join(_META_DATA)}, found {unknown[0]!r}")
    names = [known[name.lower()] for name in wanted] or ["SpectrumNumber"]
    columns = [_META_DATA[name](ws) for name in names]
    formats = ["%d" if column.dtype.kind == "i" else number for column in columns]
    line = separator.join(formats)
    return names, [line % row for row in zip(*(column.tolist() for column in columns), strict=True)]


def _angles(ws: MatrixWorkspace) -> F64:
    return np.degrees(ws.spectra.geometry_from(ws.detectors).two_theta)


def _elastic_q(ws: MatrixWorkspace) -> F64:
    if "Ei" in ws.logs:
        energy = ws.logs.getPropertyAsSingleValue("Ei")
    else:
        said = ws.getInstrument().getNumberParameter("Efixed") if ws.detectors.instrument is not None else []
        if not said:
            raise ValueError("SpectrumMetaData: Q needs an energy; there is neither a log Ei nor a parameter Efixed")
        energy = said[0]
    return inelastic_momentum_transfer(energy, energy, ws.spectra.geometry_from(ws.detectors).two_theta)


_META_DATA: dict[str, Callable[[MatrixWorkspace], AnyArray]] = {
    "SpectrumNumber": lambda ws: ws.spectra.numbers,
    "Q": _elastic_q,
    "Angle": _angles,
}
