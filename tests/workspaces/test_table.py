from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import TableWorkspace
from livereduce.workspaces.instrument_view import V3D


def table() -> TableWorkspace:
    t = TableWorkspace([("str", "name"), ("double", "value")])
    t.addRow(["a", 1])
    t.addRow({"value": 2.5, "name": "b"})
    return t


def test_rows_are_added_in_column_order_or_by_name() -> None:
    t = table()
    assert t.rowCount() == len(t) == 2
    assert t.columnCount() == 2
    assert t.row(1) == {"name": "b", "value": 2.5}
    assert t.column("value") == t.column(1) == [1.0, 2.5]
    assert t.toDict() == {"name": ["a", "b"], "value": [1.0, 2.5]}
    assert list(t) == [t.row(0), t.row(1)]
    assert t.id() == "TableWorkspace"


def test_cells_are_addressed_by_row_and_column_or_by_column_name_and_row() -> None:
    t = table()
    assert t.cell(0, 1) == t.cell("value", 0) == 1.0
    t.setCell("value", 0, 9)
    t.setCell(1, 0, "z")
    assert t.toDict() == {"name": ["a", "z"], "value": [9.0, 2.5]}
    with pytest.raises(IndexError, match="row 5 of a table of 2"):
        t.cell("value", 5)
    with pytest.raises(ValueError, match="no column 'x'"):
        t.column("x")


def test_columns_are_added_with_empty_values_and_their_type() -> None:
    t = table()
    assert t.addColumn("int", "n")
    assert not t.addColumn("double", "n")
    assert t.column("n") == [0, 0]
    assert t.columnTypes() == ["str", "double", "int"]
    assert t.getColumnNames() == t.keys() == ["name", "value", "n"]
    t.removeColumn("value")
    assert t.row(0) == {"name": "a", "n": 0}
    with pytest.raises(ValueError, match="unknown type 'furlong'"):
        t.addColumn("furlong", "x")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["a"], "1 values for 2 columns"),
        ({"name": "a"}, "row names"),
        ([1, 2.0], "holds text"),
        (["a", "b"], "holds double"),
        (["a", [1.0]], "holds double"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_whole(row: Any, message: str) -> None:
    t = table()
    with pytest.raises(ValueError, match=message):
        t.addRow(row)
    assert t.toDict() == table().toDict()


def test_values_of_numpy_become_plain_ones() -> None:
    t = TableWorkspace([("int", "i"), ("bool", "b"), ("V3D", "v")])
    t.addRow([np.int64(3), np.bool_(True), np.array([1, 2, 3])])
    assert t.row(0) == {"i": 3, "b": True, "v": V3D(1.0, 2.0, 3.0)}
    assert type(t.row(0)["i"]) is int


def test_rows_are_cut_off_or_added_empty() -> None:
    t = table()
    t.setRowCount(1)
    assert t.column("name") == ["a"]
    t.setRowCount(3)
    assert t.toDict() == {"name": ["a", "", ""], "value": [1.0, 0.0, 0.0]}
    t.removeRow(0)
    assert t.rowCount() == 2


def test_a_clone_is_independent_and_a_table_adopts_another() -> None:
    t = table()
    t.setTitle("fit")
    copy = t.clone()
    copy.addRow(["c", 3])
    assert (len(t), len(copy), copy.getTitle()) == (2, 3, "fit")
    t.adopt(copy)
    copy.addRow(["d", 4])
    assert len(t) == 3
