import re
from collections.abc import Callable
from typing import Any

import pytest

from livereduce.algorithms import clone_workspace, declaration, group_workspaces
from livereduce.algorithms.calling import execute
from livereduce.workspaces import HistogramWorkspace, Run, TableWorkspace, WorkspaceGroup, WorkspaceStore

Call = Callable[..., Any]


@pytest.fixture
def call(store: WorkspaceStore) -> Call:
    def run(name: str, *args: Any, to: tuple[str | None, ...] = (), **keywords: Any) -> Any:
        found = declaration.find(name)
        assert found is not None
        return execute(found, args, keywords, store, to)

    return run


@pytest.fixture
def ws(store: WorkspaceStore) -> HistogramWorkspace:
    workspace = HistogramWorkspace([0, 1], [[5]], run=Run({"a": 1}))
    store.add("ws", workspace)
    return workspace


@pytest.fixture
def pair(store: WorkspaceStore, call: Call) -> WorkspaceGroup:
    for name in ("pair_1", "pair_2"):
        store.add(name, HistogramWorkspace([0, 1], [[5]]))
    group: WorkspaceGroup = call("GroupWorkspaces", "pair_1,pair_2", to=("pair",))
    return group


def test_a_clone_is_independent_in_data_and_logs(ws: HistogramWorkspace) -> None:
    copy = clone_workspace(ws)
    assert isinstance(copy, HistogramWorkspace)
    copy.dataY(0)[0] = 7
    copy.getRun()["a"] = 2
    assert (ws.readY(0)[0], ws.getRun()["a"].value) == (5, 1)


def test_a_clone_has_monitors_masks_and_events_of_its_own(make_events: Call, make_histogram: Call) -> None:
    monitors = make_histogram([0, 1], [[7]])
    masked = make_events([0.5], [0.5, 1.5], edges=[0.0, 1.0, 2.0], monitors=monitors)
    masked = masked.replaced(spectra=masked.spectra.with_masked([False, True]))
    copy: Any = clone_workspace(masked)
    assert copy.spectra.masked.tolist() == [False, True]
    copy.getMonitorWorkspace().dataY(0)[0] = 8
    copy.setX(0, [0.0, 2.0, 3.0])
    copy.getSpectrum(0)
    assert monitors.y.tolist() == [[7]]
    assert masked.y.tolist() == [[1, 0], [1, 1]]
    assert masked.x.tolist() == [0, 1, 2]
    assert copy.x.tolist() == [[0, 2, 3], [0, 1, 2]]


def test_a_clone_of_a_table_is_independent() -> None:
    table = TableWorkspace([("int", "a")])
    table.addRow([1])
    copy: Any = clone_workspace(table)
    copy.addRow([2])
    assert (table.rowCount(), copy.rowCount()) == (1, 2)


def test_a_clone_costs_no_data(ws: HistogramWorkspace) -> None:
    copy = clone_workspace(ws)
    assert isinstance(copy, HistogramWorkspace)
    assert copy.readY(0).base is ws.readY(0).base


def test_a_cloned_group_has_cloned_members(pair: WorkspaceGroup, call: Call, store: WorkspaceStore) -> None:
    copy = call("CloneWorkspace", "pair", to=("copy",))
    assert copy.getNames() == ["copy_1", "copy_2"]
    assert store["copy_1"] is not store["pair_1"]


def test_a_workspace_is_deleted_by_name_or_object(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    call("DeleteWorkspace", "ws")
    assert store.names() == []
    store.add("other", ws)
    call("DeleteWorkspace", Workspace=ws)
    assert store.names() == []


def test_deleting_what_is_not_there_is_an_error(ws: HistogramWorkspace, call: Call) -> None:
    with pytest.raises(ValueError, match="DeleteWorkspace: Workspace: there is no workspace named 'nope'"):
        call("DeleteWorkspace", "nope")
    call("DeleteWorkspace", ws)
    with pytest.raises(ValueError, match="is not in the store"):
        call("DeleteWorkspace", ws)


def test_a_deleted_group_takes_its_members_along(pair: WorkspaceGroup, call: Call, store: WorkspaceStore) -> None:
    call("DeleteWorkspace", pair)
    assert store.names() == []


def test_several_are_deleted_at_once(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    store.add("b", ws.clone())
    call("DeleteWorkspaces", ["ws", "b"])
    assert store.names() == []


@pytest.mark.parametrize("listed", ["pair,pair_1", "pair_2,pair", "ws,ws,pair", ["ws", "pair"]])
def test_what_is_listed_twice_is_deleted_once(
    ws: HistogramWorkspace, pair: WorkspaceGroup, call: Call, store: WorkspaceStore, listed: Any
) -> None:
    call("DeleteWorkspaces", listed)
    assert store.names() == ([] if "ws" in listed else ["ws"])


def test_nothing_is_deleted_if_one_of_the_names_is_unknown(ws: HistogramWorkspace, call: Call) -> None:
    with pytest.raises(ValueError, match="DeleteWorkspaces: WorkspaceList: there is no workspace named 'nope'"):
        call("DeleteWorkspaces", "ws,nope")
    assert ws.name() == "ws"


def test_a_deleted_member_leaves_its_group(pair: WorkspaceGroup, call: Call) -> None:
    call("DeleteWorkspace", "pair_1")
    assert pair.getNames() == ["pair_2"]


def test_a_renamed_workspace_is_the_same_object(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    assert call("RenameWorkspace", "ws", "new") is ws
    assert (ws.name(), store.names()) == ("new", ["new"])
    assert call("RenameWorkspace", ws, to=("newer",)) is ws
    assert store.names() == ["newer"]


def test_a_workspace_of_the_new_name_goes_unless_told_otherwise(
    ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    other = ws.clone()
    store.add("other", other)
    with pytest.raises(RuntimeError, match="there is a workspace 'other' already and OverwriteExisting is False"):
        call("RenameWorkspace", "ws", OutputWorkspace="other", OverwriteExisting=False)
    call("RenameWorkspace", "ws", OutputWorkspace="other")
    assert store["other"] is ws
    assert len(store) == 1


def test_members_called_after_their_group_are_renamed_with_it(
    pair: WorkspaceGroup, call: Call, store: WorkspaceStore
) -> None:
    call("RenameWorkspace", "pair", "both")
    assert pair.getNames() == ["both_1", "both_2"]
    assert sorted(store.names()) == ["both", "both_1", "both_2"]


def test_members_with_names_of_their_own_keep_them(ws: HistogramWorkspace, call: Call) -> None:
    group = call("GroupWorkspaces", ["ws"], to=("g",))
    call("RenameWorkspace", "g", "h")
    assert group.getNames() == ["ws"]


def test_monitors_are_renamed_if_asked(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    store.add("ws_monitors", HistogramWorkspace([0, 1], [[1]]))
    monitors = store["ws_monitors"]
    assert isinstance(monitors, HistogramWorkspace)
    ws.setMonitorWorkspace(monitors)
    call("RenameWorkspace", "ws", "new", RenameMonitors=True)
    assert monitors.name() == "new_monitors"


def test_groups_are_taken_as_their_members_when_grouped(pair: WorkspaceGroup, ws: HistogramWorkspace) -> None:
    assert group_workspaces([pair, ws, ws]).getNames() == ["pair_1", "pair_2", "ws"]
    with pytest.raises(ValueError, match="name no workspace"):
        group_workspaces([])


def test_names_that_are_not_there_cannot_be_grouped(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    message = "GroupWorkspaces: InputWorkspaces: there is no workspace named 'wx'; did you mean 'ws'?"
    with pytest.raises(ValueError, match=re.escape(message)):
        call("GroupWorkspaces", "ws,wx", to=("g",))
    assert store.names() == ["ws"]


def test_ungrouping_leaves_the_members(pair: WorkspaceGroup, call: Call, store: WorkspaceStore) -> None:
    call("UnGroupWorkspace", "pair")
    assert store.names() == ["pair_1", "pair_2"]
    with pytest.raises(ValueError, match="expected a WorkspaceGroup, found a HistogramWorkspace"):
        call("UnGroupWorkspace", "pair_1")


def test_a_workspace_can_be_renamed_to_its_own_name(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    assert call("RenameWorkspace", "ws", OutputWorkspace="ws", OverwriteExisting=False) is ws
    assert store.names() == ["ws"]


def test_renaming_over_a_group_leaves_its_members(
    pair: WorkspaceGroup, ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    call("RenameWorkspace", "ws", "pair")
    assert store["pair"] is ws
    assert sorted(store.names()) == ["pair", "pair_1", "pair_2"]


def test_what_is_not_in_the_store_cannot_be_renamed(call: Call, store: WorkspaceStore) -> None:
    with pytest.raises(ValueError, match="RenameWorkspace: InputWorkspace: there is no workspace named 'nope'"):
        call("RenameWorkspace", "nope", "new")
    with pytest.raises(ValueError, match=r"RenameWorkspace: InputWorkspace: .* is not in the store"):
        call("RenameWorkspace", HistogramWorkspace([0, 1], [[5]]), "new")
    assert store.names() == []


def test_ungrouping_takes_the_group_itself_and_what_is_not_there_is_named(
    pair: WorkspaceGroup, call: Call, store: WorkspaceStore
) -> None:
    call("UnGroupWorkspace", InputWorkspace=pair)
    assert store.names() == ["pair_1", "pair_2"]
    with pytest.raises(ValueError, match=r"UnGroupWorkspace: InputWorkspace: .*pair"):
        call("UnGroupWorkspace", "pair")


def test_members_may_be_found_by_a_pattern_of_their_names(
    pair: WorkspaceGroup, ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    assert call("GroupWorkspaces", GlobExpression="pair_?", to=("g",)).getNames() == ["pair_1", "pair_2"]
    assert call("GroupWorkspaces", [ws], GlobExpression="pair_2*", to=("g",)).getNames() == ["ws", "pair_2"]
    assert store["g"].isGroup()
    with pytest.raises(ValueError, match="GlobExpression name no workspace"):
        call("GroupWorkspaces", GlobExpression="none*", to=("g",))
