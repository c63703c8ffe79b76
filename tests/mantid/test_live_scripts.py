"""Scripts as the live cycle compiles and runs them: a function body with `input` and `output`."""

from typing import Any

import pytest

from livereduce.errors import ScriptError
from livereduce.live.scripts import ScriptOutcome, compile_script, run_script
from livereduce.mantid import mtd, script_names
from livereduce.workspaces import HistogramWorkspace

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture
def chunk() -> HistogramWorkspace:
    workspace = HistogramWorkspace([0, 1, 2, 3, 4], [[1, 2, 3, 4]], [[1, 2, 3, 4]])
    mtd["__chunk"] = workspace
    return workspace


def run(text: str, given: Any) -> ScriptOutcome:
    return run_script(compile_script(text, "reduce_TEST_live_proc.py"), given, "result", script_names())


def test_the_idiom_of_the_documentation_creates_the_named_output(chunk: HistogramWorkspace) -> None:
    outcome = run("Rebin(input, Params='0,2,4', OutputWorkspace=output)", chunk)
    assert outcome.output == "result"
    assert mtd["result"].readY(0).tolist() == [3, 7]  # type: ignore[attr-defined]


def test_an_assignment_to_output_names_and_binds_it(chunk: HistogramWorkspace) -> None:
    outcome = run("output = Rebin(input, '0,2,4')", chunk)
    assert outcome.output is mtd["output"]


def test_names_are_found_in_nested_helpers_and_after_a_top_level_return(chunk: HistogramWorkspace) -> None:
    text = (
        "from mantid.simpleapi import *\n"
        "def reduce(ws):\n"
        "    def inner(w):\n"
        "        coarse = Rebin(w, '0,2,4')\n"
        "        return coarse\n"
        "    scaled = inner(ws) * 2\n"
        "    return scaled\n"
        "output = SumSpectra(reduce(input))\n"
        "return\n"
    )
    outcome = run(text, chunk)
    assert mtd.getObjectNames() == ["coarse", "scaled", "output"]
    assert outcome.output.readY(0).tolist() == [6, 14]


def test_in_place_work_on_the_input_is_seen_under_its_name(chunk: HistogramWorkspace) -> None:
    outcome = run("Rebin(input, '0,2,4', OutputWorkspace=str(input))\ninput *= 10", chunk)
    assert outcome.input is chunk is mtd["__chunk"]
    assert chunk.readY(0).tolist() == [30, 70]


def test_an_error_names_the_algorithm_and_the_users_line(chunk: HistogramWorkspace) -> None:
    with pytest.raises(ScriptError, match=r"reduce_TEST_live_proc\.py:3: ValueError: Rebin: Params: ") as caught:
        run("# a comment\n\nout = Rebin(input, '4,1,0')", chunk)
    assert caught.value.line == 3


def test_an_algorithm_we_lack_fails_at_its_line_only_when_it_is_reached(chunk: HistogramWorkspace) -> None:
    run("from mantid.simpleapi import SofQW3\nif False:\n    SofQW3(input)", chunk)
    with pytest.raises(ScriptError, match=r":2: NotImplementedError: SofQW3 is not available in livereduce"):
        run("from mantid.simpleapi import SofQW3\nSofQW3(input)", chunk)
