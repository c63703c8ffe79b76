"""The forms in which real scripts call algorithms, one test each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.mantid import mtd, script_names, simpleapi
from livereduce.mantid.simpleapi import function, is_missing
from livereduce.workspaces import HistogramWorkspace, WorkspaceGroup

Script = Callable[..., dict[str, Any]]


@pytest.fixture
def ws() -> HistogramWorkspace:
    """Stored as "ws": counts 1 to 4 in four bins from 0 to 4."""
    workspace = HistogramWorkspace([0, 1, 2, 3, 4], [[1, 2, 3, 4]], [[1, 2, 3, 4]])
    mtd["ws"] = workspace
    return workspace


def values(name: str) -> list[float]:
    workspace = mtd[name]
    assert isinstance(workspace, HistogramWorkspace)
    return [float(value) for value in workspace.readY(0)]


@pytest.mark.usefixtures("ws")
def test_a_script_without_any_import_line_runs(script: Script) -> None:
    script("Rebin('ws', Params='0,2,4', OutputWorkspace='out')\nlogger.notice(str(mtd['out']))")
    assert values("out") == [3, 7]


@pytest.mark.usefixtures("ws")
@pytest.mark.parametrize(
    "line",
    [
        "from mantid.simpleapi import *",
        "from mantid.simpleapi import Rebin, mtd",
        "import mantid.simpleapi as api; Rebin = api.Rebin",
        "import mantid; Rebin = mantid.simpleapi.Rebin",
        "from mantid import simpleapi; Rebin = simpleapi.Rebin",
    ],
)
def test_algorithms_are_imported_in_every_way(script: Script, line: str) -> None:
    script(f"{line}\nout = Rebin('ws', '0,2,4')")
    assert values("out") == [3, 7]


def test_the_star_import_brings_algorithms_store_logger_and_config(script: Script) -> None:
    found = script("from mantid.simpleapi import *")
    for name in ("Rebin", "SaveNexus", "SaveNexusProcessed", "mtd", "logger", "config", "AnalysisDataService"):
        assert name in found
    assert set(simpleapi.__all__) == set(script_names())


@pytest.mark.usefixtures("ws")
def test_keywords_may_be_spelled_in_any_case(script: Script) -> None:
    script("Rebin(inputworkspace='ws', params='0,2,4', OUTPUTWORKSPACE='out')")
    assert values("out") == [3, 7]


@pytest.mark.usefixtures("ws")
@pytest.mark.parametrize(
    "params", ["'0,2,4'", "[0, 2, 4]", "(0, 2, 4)", "np.array([0, 2, 4])", "['0', '2', '4']", "2", "2.0", "'2'"]
)
def test_lists_come_as_text_list_tuple_array_or_single_number(script: Script, params: str) -> None:
    script(f"out = Rebin('ws', Params={params})", np=np)
    assert values("out") == [3, 7]


@pytest.mark.usefixtures("ws")
def test_results_are_named_by_the_variable_inside_helpers_too(script: Script) -> None:
    script(
        "def reduce(workspace):\n"
        "    coarse = Rebin(workspace, '0,2,4')\n"
        "    total = SumSpectra(coarse)\n"
        "    return total\n"
        "answer = reduce('ws')\n"
    )
    assert mtd.getObjectNames() == ["ws", "coarse", "total"]


@pytest.mark.usefixtures("ws")
def test_two_calls_in_one_line_are_named_apart(script: Script) -> None:
    script("a, b = Rebin('ws', '0,2,4'), Rebin('ws', '0,4,4')")
    assert (values("a"), values("b")) == ([3, 7], [10])


@pytest.mark.usefixtures("ws")
def test_a_result_that_is_not_assigned_needs_a_name(script: Script) -> None:
    with pytest.raises(ValueError, match="Rebin: OutputWorkspace: must be given"):
        script("Rebin('ws', Params='0,2,4')")
    with pytest.raises(ValueError, match="OutputWorkspace: must be given"):
        script("class Box: pass\nBox.ws = Rebin('ws', Params='0,2,4')")


def test_the_same_name_works_in_place_and_the_object_stays(script: Script, ws: HistogramWorkspace) -> None:
    script("Rebin(InputWorkspace=ws, OutputWorkspace=ws, Params='0,2,4')", ws=ws)
    assert mtd["ws"] is ws
    assert values("ws") == [3, 7]
    script("ws = Rebin('ws', '0,4,4')")
    assert mtd["ws"] is ws
    assert ws.readY(0).tolist() == [10]


def test_the_text_output_is_a_name_to_create(script: Script, ws: HistogramWorkspace) -> None:
    found = script(
        "Rebin(input, Params='0,2,4', OutputWorkspace=output)\nsecond = output + '_sum'", input=ws, output="r"
    )
    assert values("r") == [3, 7]
    assert found["second"] == "r_sum"


def test_operators_store_their_result_under_the_variable(script: Script, ws: HistogramWorkspace) -> None:
    script("difference = ws - 1\ndouble = 2 * ws\nws += 10\nws /= 2", ws=ws)
    assert values("difference") == [0, 1, 2, 3]
    assert values("double") == [2, 4, 6, 8]
    assert mtd["ws"] is ws
    assert values("ws") == [5.5, 6, 6.5, 7]


def test_an_operator_in_an_expression_stores_nothing(script: Script, ws: HistogramWorkspace) -> None:
    script("total = ((ws - 1) * 2).readY(0).sum()", ws=ws)
    assert mtd.getObjectNames() == ["ws"]


def test_in_place_subtraction_from_events_gives_the_name_a_histogram(script: Script) -> None:
    found = script("ws = CreateSampleWorkspace('Event', NumBanks=1, BankPixelWidth=1)\nws -= 1")
    assert isinstance(mtd["ws"], HistogramWorkspace)
    assert found["ws"] is mtd["ws"]


@pytest.mark.usefixtures("ws")
def test_groups_come_out_of_calls_with_groups(script: Script) -> None:
    script("b = CloneWorkspace('ws')\ng = GroupWorkspaces(['ws', b])\nRebin(g, OutputWorkspace='r', Params='0,2,4')")
    group = mtd["r"]
    assert isinstance(group, WorkspaceGroup)
    assert group.getNames() == ["ws_r", "b_r"]


@pytest.mark.usefixtures("ws")
def test_unknown_keywords_and_wrong_values_are_errors_that_scripts_catch(script: Script) -> None:
    found = script(
        "caught = []\n"
        "for call in (lambda: Rebin('ws', Parms=1), lambda: Rebin('nope', Params=1, OutputWorkspace='o'),\n"
        "             lambda: Integration('ws', 5, 1, OutputWorkspace='o'), lambda: mtd['nope']):\n"
        "    try:\n"
        "        call()\n"
        "    except Exception as error:\n"
        "        caught.append(type(error).__name__)\n"
    )
    assert found["caught"] == ["TypeError", "ValueError", "ValueError", "KeyError"]


def test_an_algorithm_we_lack_can_be_imported_and_raises_when_called(script: Script) -> None:
    found = script("from mantid.simpleapi import Rebin, ConvertUnitz")
    with pytest.raises(NotImplementedError, match="ConvertUnitz is not available in livereduce") as caught:
        found["ConvertUnitz"]("ws")
    assert isinstance(caught.value, RuntimeError)
    assert "`livereduce algorithms` lists all there are" in str(caught.value)


def test_the_nearest_neighbours_of_a_missing_algorithm_are_named() -> None:
    with pytest.raises(RuntimeError, match=r"Nearest: .*SumSpectra"):
        function("SumSpektra")()
    assert is_missing(function("SumSpektra"))
    assert not is_missing(function("SumSpectra"))


def test_a_lower_case_name_we_lack_is_an_import_error(script: Script) -> None:
    script("try:\n    from mantid.simpleapi import frobnicate\nexcept ImportError:\n    frobnicate = None")
    with pytest.raises(ImportError, match="frobnicate"):
        script("from mantid.simpleapi import frobnicate")


def test_a_name_is_case_sensitive_and_the_nearest_is_told() -> None:
    with pytest.raises(AttributeError, match="has no 'rebin'; did you mean Rebin"):
        _ = simpleapi.rebin


def test_aliases_are_the_same_algorithm(script: Script, tmp_path: Path, ws: HistogramWorkspace) -> None:
    for name in ("SaveNexus", "SaveNexusProcessed"):
        script(f"{name}(ws, Filename=path)", ws=ws, path=str(tmp_path / f"{name}.nxs"))
    script("a = LoadNexus(path)\nb = LoadNexusProcessed(path)", path=str(tmp_path / "SaveNexus.nxs"))
    assert values("a") == values("b") == [1, 2, 3, 4]


def test_functions_look_like_functions() -> None:
    rebin = simpleapi.Rebin
    assert rebin is simpleapi.Rebin
    assert (rebin.__name__, rebin.__module__) == ("Rebin", "livereduce.mantid.simpleapi")
    assert "Params : list of numbers, mandatory" in (rebin.__doc__ or "")
    assert "Rebin" in dir(simpleapi)


def test_results_that_are_kept_out_of_the_store_need_no_name(script: Script, ws: HistogramWorkspace) -> None:
    found = script("y = Rebin(ws, '0,2,4', StoreInADS=False).readY(0)", ws=ws)
    assert found["y"].tolist() == [3, 7]
    assert mtd.getObjectNames() == ["ws"]


def test_state_is_kept_in_the_store_between_scripts(script: Script) -> None:
    text = (
        "if not mtd.doesExist('count'):\n"
        "    CreateSingleValuedWorkspace(OutputWorkspace='count', DataValue=0)\n"
        "mtd['count'].dataY(0)[0] += 1\n"
    )
    for _ in range(3):
        script(text)
    assert values("count") == [3]


def test_helpers_of_other_modules_are_missing_in_a_way_scripts_guard_against(script: Script) -> None:
    found = script("try:\n    import mantid.plots\n    there = True\nexcept ImportError:\n    there = False")
    assert found["there"] is False
