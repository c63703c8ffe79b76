"""Operators between workspaces and groups of them; sums and products by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.mantid import mtd
from livereduce.workspaces import HistogramWorkspace, WorkspaceGroup

Script = Callable[..., dict[str, Any]]


def _row(*values: float) -> HistogramWorkspace:
    return HistogramWorkspace(np.arange(len(values) + 1.0), [list(values)], [[1.0] * len(values)])


def _rows(group: Any) -> list[list[float]]:
    return [member.y[0].tolist() for member in group]


def test_operators_work_member_by_member() -> None:
    left, right = WorkspaceGroup([_row(1, 2), _row(3, 4)]), WorkspaceGroup([_row(10, 20), _row(30, 40)])
    assert _rows(left + right) == [[11, 22], [33, 44]]
    assert _rows(right - left) == [[9, 18], [27, 36]]
    assert _rows(left * 2) == _rows(2 * left) == [[2, 4], [6, 8]]
    assert _rows(right / left) == [[10, 10], [10, 10]]
    assert _rows(left - _row(1, 1)) == [[0, 1], [2, 3]]
    assert _rows(_row(1, 1) - left) == [[0, -1], [-2, -3]]
    assert _rows(-left) == [[-1, -2], [-3, -4]]
    assert _rows(left**2) == [[1, 4], [9, 16]]


def test_in_place_operators_keep_group_and_members(script: Script) -> None:
    mtd["a"], mtd["b"] = _row(1, 2), _row(3, 4)
    left = script(
        "group = GroupWorkspaces('a,b')\nbefore, first = group, group[0]\ngroup += 1\ngroup *= mtd['a'] * 0 + 2\n"
    )
    group = left["group"]
    assert _rows(group) == [[4, 6], [8, 10]]
    assert group[0] is left["first"] is mtd["a"]
    assert group is left["before"] is mtd["group"]


def test_a_result_is_a_group_under_the_variables_name(script: Script) -> None:
    mtd["a"], mtd["b"] = _row(1, 2), _row(3, 4)
    script("runs = GroupWorkspaces('a,b')\ntwice = runs * 2\nempty = runs - runs\n")
    twice = mtd["twice"]
    assert isinstance(twice, WorkspaceGroup)
    assert twice.getNames() == ["twice_1", "twice_2"]
    assert _rows(twice) == [[2, 4], [6, 8]]
    assert _rows(mtd["empty"]) == [[0, 0], [0, 0]]
    assert _rows(mtd["runs"]) == [[1, 2], [3, 4]]


def test_groups_of_different_sizes_have_no_sum() -> None:
    with pytest.raises(ValueError, match="the groups must have as many members"):
        WorkspaceGroup([_row(1)]) + WorkspaceGroup([_row(1), _row(2)])


@pytest.mark.parametrize("stored", [True, False])
def test_members_that_become_another_kind_in_place_are_exchanged(script: Script, stored: bool) -> None:
    events = script("events = CreateSampleWorkspace('Event', NumBanks=1, BankPixelWidth=1, NumEvents=10)")["events"]
    group = WorkspaceGroup([events if stored else events.clone()])
    before = events.y.sum()
    left = script("group -= 1", group=group)
    assert left["group"] is group
    (member,) = group
    assert isinstance(member, HistogramWorkspace)
    assert member.y.sum() == before - events.blocksize()
    assert (member is mtd["events"]) == stored
