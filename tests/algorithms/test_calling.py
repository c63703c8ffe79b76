"""A script's call: arguments to properties, names to workspaces, results to the store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from livereduce.algorithms import declaration, rebin
from livereduce.algorithms.calling import execute
from livereduce.algorithms.declaration import algorithm
from livereduce.workspaces import (
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
    WorkspaceStore,
)

Call = Callable[..., Any]


def first_values(group: WorkspaceGroup) -> list[float]:
    return [float(member.y[0, 0]) for member in group if isinstance(member, MatrixWorkspace)]


@pytest.fixture
def call(store: WorkspaceStore) -> Call:
    def run(name: str, *args: Any, to: tuple[str | None, ...] = (), **keywords: Any) -> Any:
        found = declaration.find(name)
        assert found is not None
        return execute(found, args, keywords, store, to)

    return run


@pytest.fixture
def ws(store: WorkspaceStore) -> HistogramWorkspace:
    """Stored as "ws": three bins of counts 2, 4, 6 over 0 to 3."""
    workspace = HistogramWorkspace([0, 1, 2, 3], [[2, 4, 6]], [[2, 4, 6]])
    store.add("ws", workspace)
    return workspace


@pytest.fixture
def group(store: WorkspaceStore) -> WorkspaceGroup:
    """Stored as "pair" with members "pair_1" and "pair_2" of one bin each, with 1 and 2 counts."""
    for i in (1, 2):
        store.add(f"pair_{i}", HistogramWorkspace([0, 1], [[i]], [[i]]))
    members = WorkspaceGroup([store["pair_1"], store["pair_2"]])
    store.add("pair", members)
    return members


def test_names_objects_and_keywords_of_any_case_mean_the_same(ws: HistogramWorkspace, call: Call) -> None:
    by_name = call("Rebin", InputWorkspace="ws", Params="0,3,3", OutputWorkspace="a")
    by_object = call("Rebin", inputworkspace=ws, PARAMS=[0, 3, 3], outputWorkspace="b")
    assert by_name.readY(0).tolist() == by_object.readY(0).tolist() == [12.0]
    assert (by_name.name(), by_object.name()) == ("a", "b")


def test_positional_arguments_fill_mandatory_properties_not_given_otherwise(ws: HistogramWorkspace, call: Call) -> None:
    assert call("Rebin", "ws", "out", "0,3,3").name() == "out"
    assert call("Rebin", ws, "0,3,3", to=("assigned",)).name() == "assigned"
    assert call("Rebin", "ws", [0, 3, 3], OutputWorkspace="named").name() == "named"


def test_further_positional_arguments_fill_optional_properties_in_order(
    random_events: EventWorkspace, call: Call
) -> None:
    result = call("Rebin", random_events, "0,10,100", False, to=("counts",))
    assert isinstance(result, HistogramWorkspace)


def test_a_positional_argument_too_many_is_a_type_error(ws: HistogramWorkspace, call: Call) -> None:
    with pytest.raises(TypeError, match=r"Rebin: argument 'more' is one too many.*PreserveEvents"):
        call("Rebin", ws, "0,3,3", "more", to=("out",))
    with pytest.raises(TypeError, match="DeleteWorkspace: takes 1 arguments by position"):
        call("DeleteWorkspace", ws, "more")


def test_an_unknown_keyword_is_a_type_error_naming_the_nearest(ws: HistogramWorkspace, call: Call) -> None:
    with pytest.raises(TypeError, match=r"Rebin: there is no property 'Parameters'; did you mean Params"):
        call("Rebin", ws, Parameters="0,3,3", to=("out",))


def test_a_keyword_in_two_spellings_is_a_type_error(ws: HistogramWorkspace, call: Call) -> None:
    with pytest.raises(TypeError, match="Params is given twice"):
        call("Rebin", ws, Params="0,3,3", params="0,1,3", to=("out",))


def test_a_call_that_is_not_assigned_is_told_what_its_second_argument_was_taken_for(
    ws: HistogramWorkspace, call: Call
) -> None:
    with pytest.raises(ValueError, match="Params: must be given; '0,3,3' was taken as OutputWorkspace, because"):
        call("Rebin", ws, "0,3,3")


def test_all_that_is_wrong_with_a_call_is_said_at_once(ws: HistogramWorkspace, call: Call) -> None:
    with pytest.raises(ValueError, match=r"^Rebin: ") as caught:
        call("Rebin", "wz", Params="0,a,3", PreserveEvents="maybe")
    message = str(caught.value)
    assert "OutputWorkspace: must be given; assign the result to a name, or name it" in message
    assert "InputWorkspace: there is no workspace named 'wz'; did you mean 'ws'?" in message
    assert "Params: expected a number, found 'a'" in message
    assert "PreserveEvents: expected True or False" in message


def test_a_failing_call_changes_nothing_in_the_store(ws: HistogramWorkspace, call: Call, store: WorkspaceStore) -> None:
    with pytest.raises(ValueError, match="rise"):
        call("Rebin", ws, Params="3,1,0", OutputWorkspace="ws")
    assert store.names() == ["ws"]
    assert ws.readY(0).tolist() == [2, 4, 6]


def test_the_name_assigned_to_yields_to_the_keyword(ws: HistogramWorkspace, call: Call) -> None:
    assert call("Rebin", ws, Params=[0, 3, 3], OutputWorkspace="keyword", to=("variable",)).name() == "keyword"


def test_the_output_of_the_inputs_name_works_in_place(
    ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    result = call("Rebin", ws, Params=[0, 3, 3], OutputWorkspace="ws")
    assert result is ws is store["ws"]
    assert ws.readY(0).tolist() == [12.0]


def test_an_output_may_be_named_by_a_workspace(ws: HistogramWorkspace, call: Call) -> None:
    assert call("Rebin", ws, Params=[0, 3, 3], OutputWorkspace=ws) is ws


def test_an_output_of_another_kind_takes_the_name_over(
    random_events: EventWorkspace, call: Call, store: WorkspaceStore
) -> None:
    store.add("data", random_events)
    result = call("Rebin", "data", Params=[0, 50, 100], PreserveEvents=False, OutputWorkspace="data")
    assert isinstance(result, HistogramWorkspace)
    assert store["data"] is result


def test_store_in_ads_false_returns_the_result_and_stores_nothing(
    ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    result = call("Rebin", ws, [0, 3, 3], StoreInADS=False, to=("variable",))
    assert result.readY(0).tolist() == [12.0]
    assert store.names() == ["ws"]
    assert call("Rebin", result, [0, 1.5, 3], StoreInADS=False).readY(0).tolist() == [6.0, 6.0]


def test_a_version_that_there_is_not_is_an_error(ws: HistogramWorkspace, call: Call) -> None:
    assert call("Rebin", ws, [0, 3, 3], Version=1, to=("out",)).name() == "out"
    with pytest.raises(ValueError, match="version 9 is not available"):
        call("Rebin", ws, [0, 3, 3], Version=9, to=("out",))


def test_a_group_is_taken_member_by_member_and_its_output_grouped(
    group: WorkspaceGroup, call: Call, store: WorkspaceStore
) -> None:
    result = call("Scale", "pair", Factor=10, OutputWorkspace="tens")
    assert result.getNames() == ["tens_1", "tens_2"]
    assert [m.readY(0)[0] for m in result] == [10.0, 20.0]
    assert store["tens_2"] is result[1]
    assert first_values(group) == [1.0, 2.0]


def test_a_group_in_place_keeps_its_members_and_their_names(group: WorkspaceGroup, call: Call) -> None:
    before = list(group)
    result = call("Scale", group, Factor=10, OutputWorkspace="pair")
    assert result is group
    assert list(group) == before
    assert group.getNames() == ["pair_1", "pair_2"]
    assert first_values(group) == [10.0, 20.0]


def test_members_with_names_of_their_own_lend_them_to_the_results(call: Call, store: WorkspaceStore) -> None:
    for name in ("up", "down"):
        store.add(name, HistogramWorkspace([0, 1], [[1]]))
    call("GroupWorkspaces", ["up", "down"], to=("spins",))
    assert call("Scale", "spins", Factor=2, to=("twice",)).getNames() == ["up_twice", "down_twice"]


def test_two_groups_are_taken_pairwise_and_a_single_workspace_for_all(
    group: WorkspaceGroup, ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    both = call("Plus", "pair", "pair", to=("both",))
    assert [m.readY(0)[0] for m in both] == [2.0, 4.0]
    store.add("one", HistogramWorkspace([0, 1], [[5]], [[0]]))
    assert [m.readY(0)[0] for m in call("Minus", "pair", "one", to=("less",))] == [-4.0, -3.0]


def test_groups_of_different_size_are_an_error(group: WorkspaceGroup, call: Call, store: WorkspaceStore) -> None:
    store.add("single", WorkspaceGroup([store["pair_1"]]))
    with pytest.raises(ValueError, match=r"Plus: the groups must have as many members, found \[1, 2\]"):
        call("Plus", "pair", "single", to=("sum",))


def test_a_group_without_members_is_an_error(call: Call, store: WorkspaceStore) -> None:
    store.add("empty", WorkspaceGroup([]))
    with pytest.raises(ValueError, match="Rebin: the group has no members"):
        call("Rebin", "empty", "0,1,2", to=("out",))


def test_the_python_function_of_a_group_gives_a_group_outside_the_store(group: WorkspaceGroup) -> None:
    result = rebin(group, [0, 0.5, 1])  # type: ignore[arg-type]
    assert isinstance(result, WorkspaceGroup)
    assert [member.readY(0).tolist() for member in result] == [[0.5, 0.5], [1.0, 1.0]]  # type: ignore[attr-defined]
    assert [member.name() for member in result] == ["", ""]


class Pair(NamedTuple):
    """Result of the algorithm below."""

    quality: float
    lower: MatrixWorkspace
    upper: MatrixWorkspace | None


@pytest.fixture
def pair_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "_registry", dict(declaration._registry))

    @algorithm("ZzzPair", names={"lower": "LowerWorkspace", "upper": "UpperWorkspace"})
    def zzz_pair(ws: MatrixWorkspace) -> Pair:
        """Do something."""
        return Pair(0.5, ws.clone(), None)

    return


@pytest.mark.usefixtures("pair_algorithm")
def test_several_outputs_come_as_a_named_tuple_and_are_stored_by_the_targets(
    ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    result = call("ZzzPair", ws, to=("q", "low", "up"))
    assert result._fields == ("Quality", "LowerWorkspace", "UpperWorkspace")
    assert result.Quality == 0.5
    assert result.LowerWorkspace is store["low"]
    assert result.UpperWorkspace is None
    assert store.names() == ["ws", "low"]


@pytest.mark.usefixtures("pair_algorithm")
def test_one_target_for_several_outputs_names_the_first_workspace(
    ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    call("ZzzPair", ws, to=("found",))
    assert store.names() == ["ws", "found"]


def test_a_single_output_is_returned_itself_and_no_output_as_none(ws: HistogramWorkspace, call: Call) -> None:
    assert isinstance(call("CreateEmptyTableWorkspace", to=("t",)), TableWorkspace)
    assert call("DeleteWorkspace", ws) is None


def test_a_lenient_algorithm_warns_of_unknown_keywords_and_drops_them(
    monkeypatch: pytest.MonkeyPatch, store: WorkspaceStore, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(declaration, "_registry", dict(declaration._registry))

    @algorithm("ZzzLenient", lenient=True)
    def zzz_lenient(update_every: float = 60.0) -> None:
        """Do something."""

    found = declaration.find("ZzzLenient")
    assert found is not None
    with caplog.at_level(logging.WARNING):
        execute(found, (), {"UpdateEvry": 3}, store)
    assert "there is no property 'UpdateEvry'; did you mean UpdateEvery? (dropped)" in caplog.text


def test_numbers_stand_for_workspaces_where_an_operand_is_asked_for(ws: HistogramWorkspace, call: Call) -> None:
    for two in (2, 2.0, "2", np.float64(2)):
        assert call("Multiply", "ws", two, to=("twice",)).readY(0).tolist() == [4, 8, 12]


def test_a_list_of_workspaces_is_names_in_a_text_or_objects(
    ws: HistogramWorkspace, call: Call, store: WorkspaceStore
) -> None:
    other: Workspace = ws.clone()
    store.add("other", other)
    for members in ("ws, other", ["ws", other], (ws, "other")):
        assert call("GroupWorkspaces", InputWorkspaces=members, OutputWorkspace="g").getNames() == ["ws", "other"]
