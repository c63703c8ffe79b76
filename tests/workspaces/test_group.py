import pytest

from livereduce.workspaces import HistogramWorkspace, WorkspaceGroup


def member(name: str, value: float) -> HistogramWorkspace:
    ws = HistogramWorkspace([0.0, 1.0], [[value]])
    ws._name = name
    return ws


def group() -> WorkspaceGroup:
    return WorkspaceGroup([member("g_1", 1.0), member("g_2", 2.0)])


def test_a_group_is_iterated_indexed_and_counted_like_a_list() -> None:
    g = group()
    assert [ws.name() for ws in g] == g.getNames() == ["g_1", "g_2"]
    assert g[1].name() == "g_2"
    assert g[-1].name() == "g_2"
    assert g["g_1"] is g[0] is g.getItem(0)
    assert len(g) == g.size() == g.getNumberOfEntries() == 2
    assert g.isGroup()
    assert g.id() == "WorkspaceGroup"


def test_a_member_is_found_by_name_or_object() -> None:
    g = group()
    assert "g_1" in g
    assert g[0] in g
    assert g.contains("g_2")
    assert "x" not in g
    with pytest.raises(KeyError, match="no member 'x'; it has"):
        g["x"]


def test_members_are_added_once_and_removed_by_name() -> None:
    g, ws = group(), member("g_3", 3.0)
    g.addWorkspace(ws)
    g.addWorkspace(ws)
    assert g.getNames() == ["g_1", "g_2", "g_3"]
    g.remove("g_1")
    assert g.getNames() == ["g_2", "g_3"]


def test_a_clone_has_members_of_its_own_under_the_same_names() -> None:
    g = group()
    copy = g.clone()
    copy[0].dataY(0)[0] = 50.0  # type: ignore[attr-defined]
    assert copy.getNames() == g.getNames()
    assert g[0].readY(0)[0] == 1.0  # type: ignore[attr-defined]


def test_adopting_takes_over_the_members_themselves() -> None:
    g, other = group(), WorkspaceGroup([member("x", 1.0)])
    g.adopt(other)
    assert g[0] is other[0]
    with pytest.raises(TypeError, match="another kind"):
        g.adopt(member("x", 1.0))  # type: ignore[arg-type]


def test_bytes_of_a_group_are_those_of_its_members() -> None:
    assert group().getMemorySize() == 2 * 32
