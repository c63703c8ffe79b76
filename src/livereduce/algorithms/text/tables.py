"""Tables as columns of text: a comment line that names the columns, one with their types, then a line for each row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from livereduce.workspaces import TableWorkspace

_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    **dict.fromkeys(("int", "long64", "size_t", "uint"), int),
    **dict.fromkeys(("float", "double"), float),
    "bool": lambda text: {"1": True, "0": False}[text],
    "V3D": lambda text: tuple(float(part) for part in text.strip("[]").split()),
}


def table_text(table: TableWorkspace, separator: str, number: str, comment: str, *, header: bool) -> str:
    """Write a table as text; numbers in the format `number`, truth as 1 and 0, places as ``[x y z]``.

    Raises
    ------
    ValueError
        A name or a cell has the separator or a line break in it, so that it could not be told apart again.
    """
    names, kinds = table.getColumnNames(), table.columnTypes()
    rows = [[_cell(value, kind, number) for value, kind in zip(row.values(), kinds, strict=True)] for row in table]
    for row in [names, *rows]:
        for name, text in zip(names, row, strict=True):
            if separator in text or "\n" in text or (row is not names and text.startswith(comment) and comment):
                raise ValueError(
                    f"column {name!r}: {text!r} cannot be told apart from what is around it; choose another Separator"
                )
    head = [f"{comment} {f' {separator} '.join(words)}" for words in (names, kinds)] if header else []
    return "".join(f"{line}\n" for line in [*head, *(separator.join(row) for row in rows)])


def _cell(value: Any, kind: str, number: str) -> str:
    if kind in ("float", "double"):
        return str(number % value)
    if kind == "V3D":
        return f"[{' '.join(number % part for part in value)}]"
    return str(value) if kind == "str" else str(int(value))


def read_table_text(path: Path, lines: list[str], separators: Iterable[str], comment: str) -> TableWorkspace | None:
    """Read a table that says its columns' names and types in its first two lines; None for any other text."""
    if len(lines) < 2 or not comment or not all(line.startswith(comment) for line in lines[:2]):
        return None
    for separator in separators:
        between = r"\s+" if separator == " " else re.escape(separator)
        names, kinds = ([w.strip() for w in re.split(between, line[len(comment) :].strip())] for line in lines[:2])
        if len(names) == len(kinds) and all(kind in _READERS for kind in kinds):
            return _rows(path, lines[2:], TableWorkspace(zip(kinds, names, strict=True), title=path.stem), separator)
    return None


def _rows(path: Path, lines: list[str], table: TableWorkspace, separator: str) -> TableWorkspace:
    kinds, names = table.columnTypes(), table.getColumnNames()
    for i, line in enumerate(lines, start=3):
        cells = line.split(separator)
        if len(cells) != len(kinds):
            raise RuntimeError(f"{path}:{i}: expected {len(kinds)} columns ({', '.join(names)}), found {len(cells)}")
        try:
            table.addRow([_READERS[kind](cell) for kind, cell in zip(kinds, cells, strict=True)])
        except (ValueError, KeyError):
            raise RuntimeError(f"{path}:{i}: expected {', '.join(kinds)}, found {line!r}") from None
    return table
