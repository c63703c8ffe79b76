"""Scripts as the live cycle compiles and runs them: a function body with `input` and `output`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.errors import ScriptError
from livereduce.live.scripts import ScriptOutcome, compile_script, run_script
from livereduce.mantid import mtd, script_names
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, HistogramWorkspace, Part, Plan, Run

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


def test_an_algorithm_we_lack_that_is_not_imported_is_told_with_what_serves_in_its_place(
    chunk: HistogramWorkspace,
) -> None:
    where = "`livereduce algorithms` lists all there are"
    for script in ("SofQW3(input)", "from mantid.simpleapi import *\nSofQW3(input)"):
        with pytest.raises(ScriptError, match=rf"NameError: .*SofQW3.* Nearest: ConvertUnits\. {where}"):
            run(script, chunk)
    with pytest.raises(ScriptError, match=r"NameError: name 'colour' is not defined$"):
        run("colour", chunk)
    with pytest.raises(ScriptError, match=r"UnboundLocalError: [^;]*$"):
        run("Colour += 1", chunk)


POWDER = """
import mantid
from mantid import simpleapi
simpleapi.PDLoadCharacterizations(Filename={file!r}, OutputWorkspace="rows")
simpleapi.PDDetermineCharacterizations(InputWorkspace=input, Characterizations="rows", ReductionProperties="__setting")
setting = mantid.PropertyManagerDataService.retrieve("__setting")
simpleapi.Rebin(InputWorkspace=input, OutputWorkspace=input,
                Params=(setting["tof_min"].value, 100, setting["tof_max"].value))
simpleapi.AlignAndFocusPowder(InputWorkspace=input, OutputWorkspace=output, {bins},
                              RemovePromptPulseWidth=0, ReductionProperties="__setting")
simpleapi.ConvertUnits(InputWorkspace=output, OutputWorkspace=output, Target="dSpacing", EMode="Elastic")
"""


@pytest.mark.parametrize(("bins", "n_bins"), [("Params=-0.0008", None), ("ResampleX=-6000", 6000)])
def test_a_powder_diffractometers_script_bins_by_the_characterisation_of_the_run(
    bins: str, n_bins: int | None, tmp_path: Path
) -> None:
    (tmp_path / "rows.txt").write_text("60 0.5 1 11 12 13 0.1 2.0 0 9000\n60 1.3 3 21 22 23 0.4 1.5 2500 20000\n")
    tofs = np.random.default_rng(1).integers(20_000, 250_000, 4000)  # ticks of 0.1 µs
    table = EventTable(4, tick_ns=100)
    table.append(tofs, np.arange(4000) % 4, [0], [0, 4000], [1.0])
    l2, two_theta = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 1.0, 1.5, 2.5])
    place = Detectors([1, 2, 3, 4], l1=20.0, l2=l2, two_theta=two_theta)
    logs = Run({"frequency": 60.0, "LambdaRequest": 1.333})
    chunk = EventWorkspace([Part(table, 0, 4000, Plan(4))], place, logs)
    mtd["__chunk"] = chunk
    run(POWDER.format(file=str(tmp_path / "rows.txt"), bins=bins), chunk)
    result = mtd["result"]
    assert isinstance(result, EventWorkspace)
    assert result.unit == "dSpacing"
    assert (result.readX(0)[0], result.readX(0)[-1]) == pytest.approx((0.4, 1.5))
    assert n_bins is None or result.n_bins == n_bins
    # 252.778413 µs per Å and m; the row limits times and d-spacings
    d = tofs / 10 / (2 * 252.778413 * np.sin(two_theta / 2) * (20 + l2))[np.arange(4000) % 4]
    counted = (d >= 0.4) & (d < 1.5) & (tofs >= 25_000) & (tofs <= 200_000)
    assert result.y.sum(axis=1).tolist() == np.bincount(np.arange(4000) % 4, weights=counted).tolist()
    assert 500 < counted.sum() < 3500
