"""Table workspaces: named, typed columns and rows, growing by rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from livereduce.workspaces.instrument_view import V3D
from livereduce.workspaces.workspace import Workspace

_TYPES: dict[str, type] = {
    "str": str, "int": int, "long64": int, "size_t": int, "uint": int, "float": float, "double": float, "bool": bool,
    "V3D": V3D,
}  # fmt: skip


class TableWorkspace(Workspace):
    """Columns of one type each.

    Parameters
    ----------
    columns
        (type, name) of each; types are str, int, float, double, bool, long64, size_t, uint, V3D.
    """

    def __init__(self, columns: Iterable[tuple[str, str]] = (), *, title: str = "") -> None:
        self.title = title
        self._types: dict[str, str] = {}
        self._data: dict[str, list[Any]] = {}
        for kind, name in columns:
            self.addColumn(kind, name)

    @property
    def nbytes(self) -> int:
        """Bytes held, at 32 a cell."""
        return 32 * len(self._data) * len(self)

    def clone(self) -> Self:
        """Return an independent copy."""
        copy = type(self)(((kind, name) for name, kind in self._types.items()), title=self.title)
        copy._data = {name: list(values) for name, values in self._data.items()}
        return copy

    def __len__(self) -> int:
        return len(next(iter(self._data.values()), ()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self.row(i) for i in range(len(self)))

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def addColumn(self, type: str, name: str, plottype: int = 0) -> bool:  # noqa: A002, N802
        """Add a column; the rows there are get the type's empty value. False if the name is taken.

        `plottype` is accepted for scripts that give it and has no effect.
        """
        if type not in _TYPES:
            raise ValueError(f"column {name!r}: unknown type {type!r}, expected one of {', '.join(_TYPES)}")
        if name in self._data:
            return False
        rows = len(self)
        self._types[name] = type
        self._data[name] = [_TYPES[type]() for _ in range(rows)]
        return True

    def removeColumn(self, name: str) -> None:  # noqa: N802
        """Remove a column."""
        self._column(name)
        del self._types[name], self._data[name]

    def addRow(self, row: Sequence[Any] | Mapping[str, Any]) -> None:  # noqa: N802
        """Add a row, given in column order or by column name."""
        if isinstance(row, Mapping):
            if set(row) != set(self._data):
                raise ValueError(f"row names {sorted(row)}, expected {sorted(self._data)}")
            values = [row[name] for name in self._data]
        else:
            values = list(row)
        if len(values) != len(self._data):
            raise ValueError(f"row of {len(values)} values for {len(self._data)} columns {list(self._data)}")
        cells = [self._cell(name, value) for name, value in zip(self._data, values, strict=True)]
        for column, cell in zip(self._data.values(), cells, strict=True):
            column.append(cell)

    def removeRow(self, index: int) -> None:  # noqa: N802
        """Remove a row."""
        for column in self._data.values():
            del column[index]

    def setRowCount(self, count: int) -> None:  # noqa: N802
        """Cut rows off or add empty ones."""
        for name, column in self._data.items():
            empty = _TYPES[self._types[name]]
            column[count:] = [empty() for _ in range(count - len(column))]

    def rowCount(self) -> int:  # noqa: N802
        """Return the number of rows."""
        return len(self)

    def columnCount(self) -> int:  # noqa: N802
        """Return the number of columns."""
        return len(self._data)

    def getColumnNames(self) -> list[str]:  # noqa: N802
        """Return the column names in order."""
        return list(self._data)

    keys = getColumnNames

    def columnTypes(self) -> list[str]:  # noqa: N802
        """Return the column types in order."""
        return list(self._types.values())

    def column(self, column: int | str) -> list[Any]:
        """Return a copy of a column by name or number."""
        return list(self._data[self._column(column)])

    def row(self, index: int) -> dict[str, Any]:
        """Return a row by number, as {column: value}."""
        self._check_row(index)
        return {name: values[index] for name, values in self._data.items()}

    def cell(self, row_or_column: int | str, column_or_row: int) -> Any:
        """Return a cell: ``cell(row, column number)`` or ``cell(column name, row)``."""
        row, name = self._where(row_or_column, column_or_row)
        return self._data[name][row]

    def setCell(self, row_or_column: int | str, column_or_row: int, value: Any) -> None:  # noqa: N802
        """Set a cell: ``setCell(row, column number, value)`` or ``setCell(column name, row, value)``."""
        row, name = self._where(row_or_column, column_or_row)
        self._data[name][row] = self._cell(name, value)

    def toDict(self) -> dict[str, list[Any]]:  # noqa: N802
        """Return {column: values}."""
        return {name: list(values) for name, values in self._data.items()}

    # -- inside ---------------------------------------------------------------------------------------------------

    def _column(self, column: int | str) -> str:
        if isinstance(column, str):
            if column not in self._data:
                raise ValueError(f"table {self._name!r} has no column {column!r}; it has {list(self._data)}")
            return column
        return list(self._data)[column]

    def _check_row(self, index: int) -> None:
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of a table of {len(self)} rows")

    def _where(self, first: int | str, second: int) -> tuple[int, str]:
        row, name = (second, self._column(first)) if isinstance(first, str) else (first, self._column(second))
        self._check_row(row)
        return row, name

    def _cell(self, name: str, value: Any) -> Any:
        kind = _TYPES[self._types[name]]
        if kind is str:
            if not isinstance(value, str):
                raise ValueError(f"column {name!r} holds text, found {value!r}")
            return value
        if kind is V3D:
            return V3D(*(float(v) for v in value))
        if isinstance(value, str | bytes) or np.ndim(value):
            raise ValueError(f"column {name!r} holds {self._types[name]}, found {value!r}")
        return kind(value)
