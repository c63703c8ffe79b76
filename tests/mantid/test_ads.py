from typing import Any

import pytest

from livereduce.mantid.ads import AnalysisDataService, mtd
from livereduce.mantid.api import WorkspaceFactory
from livereduce.workspaces import HistogramWorkspace, TableWorkspace, WorkspaceGroup, WorkspaceStore


@pytest.fixture
def ws() -> HistogramWorkspace:
    workspace = HistogramWorkspace([0, 1], [[5]])
    mtd["ws"] = workspace
    return workspace


def test_workspaces_are_found_in_every_way_scripts_look_for_them(ws: HistogramWorkspace) -> None:
    assert AnalysisDataService is mtd
    assert mtd["ws"] is mtd.retrieve("ws") is ws
    for there in (mtd.doesExist("ws"), mtd.workspaceExists("ws"), "ws" in mtd, ws in mtd):
        assert there
    assert not mtd.doesExist("other")
    assert (len(mtd), mtd.size(), list(mtd), mtd.keys()) == (1, 1, ["ws"], ["ws"])
    with pytest.raises(KeyError, match="there is no workspace 'other'"):
        mtd["other"]


def test_hidden_names_are_not_listed(ws: HistogramWorkspace) -> None:
    name = mtd.unique_hidden_name()
    assert name.startswith("__")
    mtd[name] = HistogramWorkspace([0, 1], [[1]])
    assert mtd.getObjectNames() == ["ws"]
    assert name in mtd
    assert mtd.unique_hidden_name() != name


def test_unique_names_are_not_in_use() -> None:
    first = mtd.unique_name(3, prefix="tmp_", suffix="_x")
    assert (first, len(first)) == ("tmp_000_x", 9)
    mtd[first] = HistogramWorkspace([0, 1], [[1]])
    assert mtd.unique_name(3, prefix="tmp_", suffix="_x") == "tmp_001_x"


def test_adding_refuses_what_replacing_does(ws: HistogramWorkspace) -> None:
    other = HistogramWorkspace([0, 1], [[7]])
    with pytest.raises(RuntimeError, match="'ws' already"):
        mtd.add("ws", other)
    mtd.addOrReplace("ws", other)
    assert ws.readY(0).tolist() == [7]
    mtd.remove("ws")
    assert mtd.getObjectNames() == []
    mtd.remove("ws")  # no error: scripts tidy up before they begin
    assert len(mtd) == 0


def test_members_are_added_to_and_taken_out_of_groups(ws: HistogramWorkspace) -> None:
    mtd["g"] = WorkspaceGroup()
    mtd.addToGroup("g", "ws")
    assert mtd["g"].getNames() == ["ws"]  # type: ignore[attr-defined]
    assert mtd.retrieveWorkspaces(["g", "ws"], unrollGroups=True) == [ws, ws]
    mtd.removeFromGroup("g", "ws")
    assert mtd["g"].getNames() == []  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="'ws' is a Workspace2D, not a group"):
        mtd.addToGroup("ws", "g")


def test_import_all_makes_variables_in_the_callers_globals(ws: HistogramWorkspace) -> None:
    mtd["not an identifier"] = HistogramWorkspace([0, 1], [[1]])
    names: dict[str, Any] = {"mtd": mtd}
    exec("mtd.importAll()", names)
    assert names["ws"] is ws
    assert "not an identifier" not in names


def test_another_store_can_be_used_and_the_first_again(ws: HistogramWorkspace) -> None:
    before = mtd.use(WorkspaceStore())
    assert mtd.getObjectNames() == []
    mtd.use(before)
    assert mtd["ws"] is ws
    mtd.clear()
    assert len(before) == 0


def test_the_factory_makes_empty_workspaces_and_tables(ws: HistogramWorkspace) -> None:
    made = WorkspaceFactory.create("Workspace2D", NVectors=2, XLength=4, YLength=3)
    assert (made.x.shape, made.y.shape) == ((2, 4), (2, 3))
    made.setY(1, [1, 2, 3])
    assert made.readY(1).tolist() == [1, 2, 3]
    like = WorkspaceFactory.Instance().create(ws)
    assert (like.x.shape, like.y.tolist(), like.unit) == ((1, 2), [[0]], "TOF")
    assert isinstance(WorkspaceFactory.createTable(), TableWorkspace)
    with pytest.raises(RuntimeError, match="cannot make a 'PeaksWorkspace'"):
        WorkspaceFactory.create("PeaksWorkspace")


def test_a_group_takes_workspaces_by_name_and_names_those_without_one(ws: HistogramWorkspace) -> None:
    group = WorkspaceGroup()
    mtd.add("g", group)
    group.add(ws.name())
    assert (group.getNames(), mtd["g"] is group) == ([ws.name()], True)
    with pytest.raises(KeyError, match="nowhere"):
        group.add("nowhere")
    nameless = WorkspaceGroup([ws.clone(), ws, ws.clone()])
    mtd.add("h", nameless)
    assert nameless.getNames() == ["h_1", ws.name(), "h_3"]
    assert mtd["h_3"] is nameless[2]
