"""What a declaration makes of a function, on functions declared here under names no real algorithm has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pytest

import livereduce.algorithms
from livereduce.algorithms import declaration, values
from livereduce.algorithms.declaration import Kind, OutputName, algorithm
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, TableWorkspace, WorkspaceStore


@pytest.fixture(autouse=True)
def registry_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "_registry", dict(declaration._registry))
    return


def properties(name: str) -> list[str]:
    found = declaration.find(name)
    assert found is not None
    return [p.name for p in found.properties]


def test_parameters_become_properties_with_the_output_after_the_leading_workspaces() -> None:
    @algorithm("ZzzRebin", names={"lhs": "LHSWorkspace"})
    def zzz_rebin(lhs: MatrixWorkspace, ws: MatrixWorkspace, some_params: str, x_min: float = 1.0) -> MatrixWorkspace:
        """Do something."""
        return ws

    assert properties("ZzzRebin") == ["LHSWorkspace", "InputWorkspace", "OutputWorkspace", "SomeParams", "XMin"]


def test_an_algorithm_without_input_workspace_has_its_output_first() -> None:
    @algorithm("ZzzCreate")
    def zzz_create(number: int = 1) -> MatrixWorkspace:
        """Do something."""
        raise NotImplementedError

    assert properties("ZzzCreate") == ["OutputWorkspace", "Number"]


def test_a_loader_says_where_its_output_goes() -> None:
    @algorithm("ZzzLoad", outputs_after="filename")
    def zzz_load(filename: str, option: bool = False) -> MatrixWorkspace:
        """Do something."""
        raise NotImplementedError

    assert properties("ZzzLoad") == ["Filename", "OutputWorkspace", "Option"]


def test_a_named_tuple_result_gives_one_output_property_a_field() -> None:
    class Fitted(NamedTuple):
        output_status: str
        output_workspace: MatrixWorkspace
        parameters: TableWorkspace | None

    globals()["Fitted"] = Fitted  # annotations are looked up in the module

    @algorithm("ZzzFit", names={"parameters": "OutputParameters"})
    def zzz_fit(ws: MatrixWorkspace) -> Fitted:
        """Do something."""
        raise NotImplementedError

    found = declaration.find("ZzzFit")
    assert found is not None
    assert [(p.name, p.mandatory) for p in found.outputs] == [
        ("OutputStatus", False),
        ("OutputWorkspace", True),
        ("OutputParameters", False),
    ]


def test_the_store_is_no_property_and_an_output_name_is_an_output() -> None:
    @algorithm("ZzzRename")
    def zzz_rename(store: WorkspaceStore, ws: MatrixWorkspace, output_workspace: OutputName) -> MatrixWorkspace:
        """Do something."""
        raise NotImplementedError

    found = declaration.find("ZzzRename")
    assert found is not None
    assert found.wants_store == "store"
    assert [p.name for p in found.properties] == ["InputWorkspace", "OutputWorkspace"]
    assert [p.name for p in found.outputs] == ["OutputWorkspace"]
    assert found.results == ()


def test_kinds_follow_from_annotations() -> None:
    @algorithm("ZzzKinds")
    def zzz_kinds(
        operand: MatrixWorkspace | float,
        several: Sequence[MatrixWorkspace],
        flag: bool = False,
        count: int | None = None,
        width: float = 1.0,
        list_of_numbers: Sequence[float] = (),
        list_of_indices: Sequence[int] = (),
        words: Sequence[str] = (),
        mode: Literal["Add", "Replace"] = "Add",
    ) -> None:
        """Do something."""

    found = declaration.find("zzzkinds")
    assert found is not None
    assert [p.kind for p in found.properties] == [
        Kind.OPERAND,
        Kind.WORKSPACES,
        Kind.BOOLEAN,
        Kind.INTEGER,
        Kind.NUMBER,
        Kind.NUMBERS,
        Kind.INTEGERS,
        Kind.TEXTS,
        Kind.TEXT,
    ]
    assert found.properties[-1].allowed == ("Add", "Replace")


def test_the_function_stays_callable_with_arguments_parsed_as_in_scripts() -> None:
    @algorithm("ZzzSum")
    def zzz_sum(ws: MatrixWorkspace, indices: Sequence[int], mode: Literal["Add", "Keep"] = "Add") -> str:
        """Do something."""
        return f"{[int(i) for i in indices]} {mode}"

    ws = HistogramWorkspace([0, 1], [[1]])
    assert zzz_sum(ws, "1-3", mode="keep") == "[1, 2, 3] Keep"  # type: ignore[arg-type]


def test_everything_wrong_is_said_at_once_with_the_names_of_algorithm_and_property() -> None:
    @algorithm("ZzzMany")
    def zzz_many(ws: MatrixWorkspace, number: float, flag: bool = True, mode: Literal["A", "B"] = "A") -> None:
        """Do something."""

    with pytest.raises(ValueError, match="ZzzMany") as caught:
        zzz_many(TableWorkspace(), "x", flag="perhaps", mode="C")  # type: ignore[arg-type]
    message = str(caught.value)
    for part in ("InputWorkspace: expected a MatrixWorkspace, found a TableWorkspace", "Number:", "Flag:", "Mode:"):
        assert part in message


def test_mantids_markers_for_empty_numbers_mean_the_default() -> None:
    @algorithm("ZzzEmpty")
    def zzz_empty(x_max: float | None = None, last: int | None = None, width: float = 2.0) -> str:
        """Do something."""
        return f"{x_max} {last} {width}"

    dbl, integer = values.EMPTY_DBL, values.EMPTY_INT
    assert zzz_empty(x_max=dbl, last=integer, width=dbl) == "None None 2.0"


def test_errors_bear_the_algorithms_name_and_a_kind_that_scripts_catch() -> None:
    @algorithm("ZzzFail")
    def zzz_fail(how: str) -> None:
        """Do something."""
        raise {"value": ValueError("Width: negative"), "key": KeyError("k"), "run": RuntimeError("no beam")}[how]

    with pytest.raises(ValueError, match=r"^ZzzFail: Width: negative$"):
        zzz_fail("value")
    with pytest.raises(RuntimeError, match=r"^ZzzFail: KeyError: 'k'$"):
        zzz_fail("key")
    with pytest.raises(RuntimeError, match=r"^ZzzFail: no beam$"):
        zzz_fail("run")


def test_a_second_algorithm_of_a_name_from_another_module_is_refused() -> None:
    def rebin(ws: MatrixWorkspace) -> MatrixWorkspace:
        """Do something."""
        return ws

    with pytest.raises(ValueError, match=r"Rebin is declared in livereduce.algorithms.binning already"):
        algorithm("Rebin")(rebin)


def test_every_algorithm_is_described_completely_and_as_json() -> None:
    for found in declaration.declarations():
        page = json.loads(json.dumps(found.describe()))
        assert page["summary"].endswith(".") or page["summary"].endswith(":"), found.name
        for entry in page["properties"]:
            assert entry["doc"], f"{found.name}.{entry['name']} is not documented"


def test_the_page_of_rebin_says_what_its_signature_says() -> None:
    found = declaration.find("Rebin")
    assert found is not None
    page = found.describe()
    entries = {entry["name"]: entry for entry in page["properties"]}  # type: ignore[attr-defined]
    assert page["python"] == "livereduce.algorithms.rebin"
    assert list(entries)[:4] == ["InputWorkspace", "OutputWorkspace", "Params", "PreserveEvents"]
    assert entries["Params"] | {"doc": ""} == {
        "name": "Params", "type": "list of numbers", "direction": "Input", "mandatory": True, "default": None,
        "allowed": [], "doc": "",
    }  # fmt: skip
    assert entries["PreserveEvents"]["default"] == "True"


def test_the_package_exports_the_function_of_every_algorithm_of_its_own() -> None:
    of_its_own = [d for d in declaration.declarations() if d.function.__module__.startswith("livereduce.algorithms.")]
    functions = {d.function.__name__ for d in of_its_own}
    assert len(functions) > 20
    assert functions <= set(livereduce.algorithms.__all__)


def test_near_names_are_found_whatever_the_case() -> None:
    assert declaration.nearest("rebbin", ["Rebin", "SumSpectra"])[0] == "Rebin"


def test_the_parts_of_a_result_are_documented_by_its_attributes() -> None:
    class Answer(NamedTuple):
        """Two things.

        Attributes
        ----------
        first_part, second_part
            One of the parts.
        """

        first_part: float
        second_part: float

    globals()["Answer"] = Answer

    @algorithm("ZzzAnswer")
    def zzz_answer(ws: MatrixWorkspace) -> Answer:
        """Do something."""
        raise NotImplementedError

    found = declaration.find("ZzzAnswer")
    assert found is not None
    assert [(p.name, p.doc) for p in found.outputs] == [
        ("FirstPart", "One of the parts."),
        ("SecondPart", "One of the parts."),
    ]
