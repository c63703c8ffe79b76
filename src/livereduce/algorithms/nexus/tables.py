"""Table workspaces in a processed NeXus file: a dataset for each column."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from livereduce.algorithms.nexus.hdf5 import NUMBERS, TEXT, dataset, texts
from livereduce.geometry.nexus_histogram import UnfitError, text_of
from livereduce.workspaces import TableWorkspace

_STORED = {
    "int": np.int64, "long64": np.int64, "size_t": np.uint64, "uint": np.uint64, "bool": np.uint8,
    "float": np.float64, "double": np.float64, "V3D": np.float64,
}  # fmt: skip


def write_table(group: h5py.Group, table: TableWorkspace) -> None:
    """Write a table's columns as ``column_1``, ``column_2``, ..., with name and type as attributes."""
    for i, (name, kind) in enumerate(zip(table.getColumnNames(), table.columnTypes(), strict=True), start=1):
        values: Any = table.column(name)
        if kind == "str":
            column = group.create_dataset(f"column_{i}", data=values, dtype=h5py.string_dtype())
        else:
            if kind == "V3D":  # rows that were never set are empty
                values = np.array([list(cell) or [0.0, 0.0, 0.0] for cell in values]).reshape(-1, 3)
            column = group.create_dataset(f"column_{i}", data=np.asarray(values, _STORED[kind]))
        column.attrs.update(name=name, interpret_as=kind, units="Not known")


def read_table(group: h5py.Group) -> TableWorkspace:
    """Read a table.

    Raises
    ------
    UnfitError
        The columns differ in length.
    """
    table = TableWorkspace()
    columns = []
    names = [name for name in group if name.rpartition("_")[0] == "column" and name.rpartition("_")[2].isdecimal()]
    for name in sorted(names, key=lambda name: int(name.rpartition("_")[2])):
        kind, values = _read_column(group, name)
        title = text_of(group[name].attrs.get("name")) or name
        if not table.addColumn(kind, title):
            raise UnfitError(f"{group.name}: two columns are called {title!r}")
        columns.append(values)
    if len({len(values) for values in columns}) > 1:
        raise UnfitError(
            f"{group.name}: columns of {[len(values) for values in columns]} rows; expected as many in all"
        )
    for row in zip(*columns, strict=True):
        table.addRow(list(row))
    return table


def _read_column(group: h5py.Group, name: str) -> tuple[str, list[Any]]:
    found = group[name]
    if isinstance(found, h5py.Dataset) and found.dtype.kind in TEXT:
        return "str", texts(dataset(group, name, kind=TEXT))
    found = dataset(group, name, kind=NUMBERS + "b")
    kind = text_of(found.attrs.get("interpret_as"))
    if kind not in _STORED:  # written by another program, which calls types otherwise
        kind = (
            "V3D"
            if found.ndim == 2 and found.shape[1] == 3
            else {"f": "double", "b": "bool"}.get(found.dtype.kind, "int")
        )
    return kind, found[()].tolist() if kind == "V3D" else found[()].ravel().tolist()
