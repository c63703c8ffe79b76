"""What the surveyed live scripts call, a test for each row: methods, the store, services, forms of scripts.

One chunk stands for all: two detectors 90 degrees from the beam at 2 and 3 m, 10 m behind the source, three pulses.
Expected values follow from what is written into it.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import pytest

from livereduce.errors import ScriptError
from livereduce.geometry import load_idf
from livereduce.live.scripts import ScriptOutcome, compile_script, run_script
from livereduce.mantid import mtd, script_names
from livereduce.mantid.kernel import V3D, PropertyManager
from livereduce.simulators.beamline import document, source_sample_monitors
from livereduce.testing import run_scripts
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Run,
    Workspace,
    WorkspaceGroup,
)

pytestmark = pytest.mark.usefixtures("installed")

BEGIN = 1_767_225_600_000_000_000  # 2026-01-01
IDF = document(
    "PAIR",
    source_sample_monitors(-10.0, ())
    + """  <component type="pixel" idlist="first"><location name="near" x="2"/></component>
  <component type="pixel" idlist="second"><location name="far" y="3"/></component>
  <type name="pixel" is="detector"/>
  <idlist idname="first"><id val="70"/></idlist>
  <idlist idname="second"><id val="80"/></idlist>
  <component-link name="PAIR">
    <parameter name="deadtime"><value val="3.5"/></parameter>
    <parameter name="mode" type="string"><value val="direct"/></parameter>
  </component-link>
""",
)


@pytest.fixture
def chunk() -> EventWorkspace:
    table = EventTable(2, tick_ns=100)
    times = BEGIN + np.array([0, 500_000_000, 1_000_000_000])
    # pulse 0: 100 us and 300 us in the first detector; pulse 1: nothing; pulse 2: 250 us in the second
    table.append([1000, 3000, 2500], [0, 0, 1], times, [0, 2, 2, 3], np.full(3, 1.2e9))
    run = Run({"run_number": "4711", "experiment_identifier": "IPTS-9", "Ei": 25.0})
    run.append("proton_charge", times, np.full(3, 1.2e9), "picoCoulomb")
    run.append("ths", [BEGIN], [0.6], "degree")
    run.append("BL4B:CS:Mode", [BEGIN, BEGIN + 10**9], [1, 2])
    workspace = EventWorkspace.from_table(table, 0, 3, Detectors.from_instrument(load_idf(IDF)), run, title="pair")
    workspace = workspace.replaced(edges=np.array([0.0, 200.0, 400.0]))
    mtd["__chunk"] = workspace
    return workspace


def run(text: str, given: Any) -> ScriptOutcome:
    return run_script(compile_script(text, "reduce_X_live_proc.py"), given, "result", script_names())


METHODS = {
    "input.getRunNumber()": 4711,
    "input.getNumberEvents()": 3,
    "list(input.readX(0))": [0, 200, 400],
    "list(input.readY(0))": [1, 1],
    "list(input.readE(1))": [0, 1],
    "list(input.readDx(0))": [],
    "list(input.x(1))": [0, 200, 400],
    "list(input.y(0))": [1, 1],
    "list(input.e(1))": [0, 1],
    "list(ConvertToMatrixWorkspace(input, StoreInADS=False).x(1))": [0, 200, 400],
    "list(ConvertToMatrixWorkspace(input, StoreInADS=False).y(1))": [0, 1],
    "list(ConvertToMatrixWorkspace(input, StoreInADS=False).e(0))": [1, 1],
    "list(CreateWorkspace([1, 2], [3, 4], Dx=[5, 6], StoreInADS=False).dx(0))": [5, 6],
    "list(ConvertToMatrixWorkspace(input, StoreInADS=False).dataX(1))": [0, 200, 400],
    "list(ConvertToMatrixWorkspace(input, StoreInADS=False).dataY(0))": [1, 1],
    "input.extractX().tolist()": [[0, 200, 400]] * 2,
    "input.extractY().tolist()": [[1, 1], [0, 1]],
    "input.extractE().tolist()": [[1, 1], [0, 1]],
    "input.getTofMin()": 100,
    "input.getTofMax()": 300,
    "input.id()": "EventWorkspace",
    "input.name()": "__chunk",
    "str(input)": "__chunk",
    "input.getTitle()": "pair",
    "input.getNumberHistograms()": 2,
    "input.blocksize()": 2,
    "input.getRun() is input.run()": True,
    # logs
    "input.getRun().getProtonCharge()": 1.0,
    "input.getRun().integrateProtonCharge()": 1.0,
    "input.run().getProperty('Ei').value": 25.0,
    "input.run().getLogData('Ei').value": 25.0,
    "input.run().getLogData('ths').value[0]": 0.6,
    "input.run().getProperty('BL4B:CS:Mode').value[-1]": 2,
    "input.run().getStatistics('BL4B:CS:Mode').mean": 1.5,
    "input.run().hasProperty('ths')": True,
    "input.run().hasProperty('tthd')": False,
    "'ths' in input.run()": True,
    "input.run()['experiment_identifier'].value": "IPTS-9",
    "sorted(input.run().keys())": ["BL4B:CS:Mode", "Ei", "experiment_identifier", "proton_charge", "run_number", "ths"],
    "input.getRun()['proton_charge'].units": "picoCoulomb",
    # instrument
    "input.getInstrument().getName()": "PAIR",
    "input.getInstrument().getNumberParameter('deadtime')": [3.5],
    "input.getInstrument().getNumberParameter('deadtime')[0]": 3.5,
    "input.getInstrument().getNumberParameter('no-such')": [],
    "input.getInstrument().getStringParameter('mode')": ["direct"],
    "input.getInstrument().hasParameter('mode')": True,
    "input.getInstrument().getSource().getPos().getZ()": -10,
    "input.getInstrument().getSource().getPos().Z()": -10,
    "input.getInstrument().getSample().getPos()": V3D(0, 0, 0),
    "input.getInstrument().getSample().getDistance(input.getInstrument().getSource())": 10,
    "input.getInstrument().getComponentByName('far').getPos().Y()": 3,
    "input.getDetector(0).getPos()": V3D(2, 0, 0),
    "input.getDetector(1).getID()": 80,
    "input.getDetector(0).getDistance(input.getDetector(1))": np.sqrt(13),
    "input.getDetector(0).getPos().angle(V3D(0, 0, 1))": np.pi / 2,
    "input.spectrumInfo().l2(1)": 3,
    "input.spectrumInfo().twoTheta(0)": np.pi / 2,
    "input.spectrumInfo().position(1)": V3D(0, 3, 0),
    "input.getSpectrum(1).getDetectorIDs()": [80],
    "input.getSpectrum(1).getSpectrumNo()": 2,
    # the store
    "mtd['__chunk'] is input": True,
    "mtd.doesExist('__chunk')": True,
    "mtd.workspaceExists('nothing')": False,
    "'__chunk' in mtd": True,
    "AnalysisDataService['__chunk'] is input": True,
    "AnalysisDataService.retrieve('__chunk') is input": True,
    "mtd.unique_hidden_name().startswith('__')": True,
    "mtd.getObjectNames()": [],
}


@pytest.mark.parametrize("expression", METHODS)
def test_a_call_of_scripts_gives_what_was_put_in(expression: str, chunk: EventWorkspace) -> None:
    outcome = run(f"from mantid.kernel import V3D\ntold = []\ntold.append({expression})\ninput = told", chunk)
    (told,) = outcome.input
    expected = METHODS[expression]
    if isinstance(expected, str | list | bool | V3D):
        assert told == expected
    else:
        assert told == pytest.approx(expected)


def test_logs_are_written_through_the_subscripted_run(chunk: EventWorkspace) -> None:
    run("input.getRun()['mine'] = 5\ninput.mutableRun().addProperty('more', 2.5, 'K', True)", chunk)
    assert chunk.logs["mine"].value == 5
    assert (chunk.logs["more"].value, chunk.logs["more"].units) == (2.5, "K")


def test_data_are_written_through(chunk: EventWorkspace) -> None:
    outcome = run("output = Rebin(input, '0,200,400', PreserveEvents=False)\noutput.dataY(0)[1] = 9", chunk)
    assert outcome.output.readY(0).tolist() == [1, 9]


def test_the_missing_log_is_an_error_scripts_catch(chunk: EventWorkspace) -> None:
    outcome = run("try:\n    input.run().getProperty('tthd')\nexcept RuntimeError:\n    input = 'caught'", chunk)
    assert outcome.input == "caught"


def test_operators_between_workspaces_and_numbers(chunk: EventWorkspace) -> None:
    text = "h = Rebin(input, '0,200,400', PreserveEvents=False)\noutput = -(2 * h + h - 1) / 2.0\noutput -= h\n"
    assert run(text, chunk).output.extractY().tolist() == [[-2, -2], [0.5, -2]]


def test_tables_are_made_titled_and_filled(chunk: EventWorkspace) -> None:
    text = (
        "table = CreateEmptyTableWorkspace()\n"
        "table.setTitle('centres')\n"
        "table.addColumn('str', 'name')\n"
        "table.addColumn('double', 'value')\n"
        "table.addColumn('V3D', 'place')\n"
        "table.addRow(['near', 1, input.getDetector(0).getPos()])\n"
        "table.addRow({'name': 'far', 'value': 2.5, 'place': [0, 3, 0]})\n"
        "output = table\n"
    )
    table = run(text, chunk).output
    assert (table.getTitle(), table.rowCount(), table.columnCount()) == ("centres", 2, 3)
    assert table.row(1) == {"name": "far", "value": 2.5, "place": V3D(0, 3, 0)}
    assert table.column("place")[0].X() == 2


def test_groups_tell_their_members(chunk: EventWorkspace) -> None:
    text = (
        "a = Rebin(input, '0,200,400')\nb = a * 3\noutput = GroupWorkspaces('a,b')\n"
        "names = output.getNames()\ndifference = mtd['output'] - a\n"
        "input = [names, output.size(), [m.readY(0).sum() for m in output], [m.name() for m in difference]]\n"
    )
    assert run(text, chunk).input == [["a", "b"], 2, [2, 6], ["difference_1", "difference_2"]]


@pytest.mark.parametrize("level", ["information", "notice", "warning", "error", "debug"])
def test_the_logger_takes_every_level(level: str, chunk: EventWorkspace, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        run(f"logger.{level}('from the script')\nfrom mantid import logger as other\nother.{level}('again')", chunk)
    assert [r.getMessage() for r in caplog.records if r.name.startswith("script.")] == ["from the script", "again"]


def test_property_managers_are_read_and_left_by_scripts(chunk: EventWorkspace) -> None:
    text = (
        "from mantid.kernel import PropertyManagerDataService, PropertyManager\n"
        "manager = PropertyManager()\n"
        "manager['d_min'] = '0.5,0.6'\n"
        "PropertyManagerDataService.addOrReplace('__powderreduction', manager)\n"
        "found = PropertyManagerDataService.retrieve('__powderreduction')\n"
        "input = [found['d_min'].value, found.getProperty('D_MIN').value, 'vanadium' in found,\n"
        "         PropertyManagerDataService.doesExist('__powderreduction')]\n"
        "PropertyManagerDataService.remove('__powderreduction')\n"
    )
    assert run(text, chunk).input == ["0.5,0.6", "0.5,0.6", False, True]
    assert PropertyManager.__module__.startswith("livereduce")


def test_the_result_of_get_ei_is_read_by_attribute_and_by_place(chunk: EventWorkspace) -> None:
    text = (
        "found = GetEi(input, Monitor1Spec=1, Monitor2Spec=2, EnergyEstimate=25, FixEi=True)\n"
        "energy, peak, index, t0 = found\n"
        "input = [found.IncidentEnergy, energy, found.FirstMonitorIndex, t0]\n"
    )
    assert run(text, chunk).input == [25, 25, 0, 0]


def test_publishing_answers_as_the_monitor_does(chunk: EventWorkspace) -> None:
    text = (
        "from finddata.publish_plot import publish_plot\n"
        "import postprocessing.publish_plot as other\n"
        "first = publish_plot('X', input.getRunNumber(), files={'file': '<div></div>'})\n"
        "second = other.publish_plot('X', input.getRunNumber(), files={'file': '<div></div>'})\n"
        "input = [first.status_code, second.status_code, isinstance(first.text, str)]\n"
    )
    assert run(text, chunk).input == [200, 200, True]


IMPORTS = [
    "import mantid",
    "import mantid.simpleapi as api\napi.Rebin",
    "from mantid.simpleapi import *",
    "from mantid.simpleapi import mtd, Rebin, logger",
    "from mantid import mtd, config",
    "from mantid import AlgorithmManager, ConfigService, FileFinder, Logger, logger, AnalysisDataService",
    "import mantid\nmantid.PropertyManagerDataService, mantid.DateAndTime, mantid.WorkspaceFactory",
    "from mantid.kernel import ConfigService\nConfigService.getFacility().name()",
    "import mantid.api\nmantid.api.AnalysisDataService",
    "from mantid.api import AnalysisDataService as ADS, WorkspaceGroup, MatrixWorkspace, IEventWorkspace",
    "from mantid.kernel import ConfigService, Logger, DateAndTime, V3D, PropertyManagerDataService",
    "from mantid.kernel.funcinspect import lhs_info",
    "from mantid.kernel import funcinspect\nfuncinspect.lhs_info",
    "from mantid.dataobjects import EventWorkspace, Workspace2D, TableWorkspace",
    "import os, sys, math, time, json, logging, tempfile, shutil, typing, contextlib",
    "import numpy as np",
    "try:\n    import mr_reduction\nexcept ImportError:\n    pass",
]


@pytest.mark.parametrize("line", IMPORTS)
def test_the_imports_of_scripts_work(line: str, chunk: EventWorkspace) -> None:
    assert run(f"{line}\noutput = input", chunk).output is chunk


def test_a_helper_names_its_results_after_what_its_call_is_assigned_to(chunk: EventWorkspace) -> None:
    text = """
from mantid.kernel.funcinspect import lhs_info

def load(*what):
    return lhs_info(*what)

def summed(ws):
    SumSpectra(ws, OutputWorkspace=lhs_info("names")[0])

one = load("both")
two = load("names")
a, b = load()
none = [load("nreturns")]
load()
total = summed(input)
output = [one, two, (a, b), none, mtd["total"].getNumberHistograms()]
"""
    found = run(text, chunk).output
    assert found == [(1, ("one",)), ("two",), (2, ("a", "b")), [0], 1]
    with pytest.raises(
        ScriptError, match="ValueError: output_type: expected 'both', 'nreturns' or 'names', found 'all'"
    ):
        run("from mantid.kernel.funcinspect import lhs_info\nlhs_info('all')", chunk)


FORMS = {
    "bare return": ("output = Rebin(input, '0,200,400')\nreturn\noutput = None", "output"),
    "return with a number": ("output = Rebin(input, '0,200,400')\nreturn 0", "output"),
    "output bound to a workspace": ("output = CloneWorkspace(input)", "output"),
    "output bound to another name": ("CloneWorkspace(input, OutputWorkspace='other')\noutput = 'other'", "other"),
    "output used as the name": ("CloneWorkspace(input, OutputWorkspace=output)", "result"),
    "guarded by __name__": ("if __name__ == '__main__':\n    output = CloneWorkspace(input)", "output"),
    "named in a helper": (
        "def reduce(ws):\n    inner = Rebin(ws, '0,200,400')\n    return inner\noutput = reduce(input)", "inner",
    ),
    "positional": ("Rebin(input, '0,200,400', OutputWorkspace='other')\nRenameWorkspace('other', output)", "result"),
    "lower-case keywords": ("output = Rebin(inputworkspace=input, params='0,200,400')", "output"),
    "workspace by name": ("output = Rebin(InputWorkspace=str(input), Params='0,200,400')", "output"),
    "in place": ("Rebin(input, '0,200,400', OutputWorkspace=str(input))\noutput = input", "__chunk"),
    "list": ("output = Rebin(input, [0, 200, 400])", "output"),
    "tuple": ("output = Rebin(input, (0, 200, 400))", "output"),
    "array": ("import numpy\noutput = Rebin(input, numpy.array([0, 200, 400]))", "output"),
    "a hidden name": ("output = mtd.unique_hidden_name()\nCloneWorkspace(input, OutputWorkspace=output)", "__hidden"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_script_gives_the_result(form: str, chunk: EventWorkspace) -> None:
    text, name = FORMS[form]
    output: Any = run(text, chunk).output
    if isinstance(output, str):
        output = mtd[output]
    assert isinstance(output, Workspace)
    assert output.name().startswith(name)
    assert output.extractY().tolist() == [[1, 1], [0, 1]]  # type: ignore[attr-defined]


def test_state_stays_in_the_store_between_calls(chunk: EventWorkspace) -> None:
    text = (
        "before = mtd['count'].readY(0)[0] if 'count' in mtd else 0\n"
        "CreateSingleValuedWorkspace(before + 1, OutputWorkspace='count')\n"
    )
    for _ in range(3):
        run(text, chunk)
    count: Any = mtd["count"]
    assert count.readY(0)[0] == 3


def test_a_package_that_is_not_installed_is_an_error_that_names_it_and_the_place(chunk: EventWorkspace) -> None:
    with pytest.raises(ScriptError) as caught:
        run("import math\nimport not_installed_here.offline", chunk)
    assert caught.value.line == 2
    assert caught.value.message.startswith("ModuleNotFoundError: No module named 'not_installed_here'; ")
    assert sys.executable in caught.value.message
    # what livereduce stands in for says itself what there is
    with pytest.raises(ScriptError, match=r"livereduce has mantid\.simpleapi") as caught:
        run("import mantid.plots", chunk)
    assert sys.executable not in caught.value.message


def test_a_growing_table_may_be_the_output() -> None:
    post = (
        "if not mtd.doesExist('growing'):\n"
        "    CreateEmptyTableWorkspace(OutputWorkspace='growing').addColumn('double', 'sum')\n"
        "mtd['growing'].addRow([input.readY(0).sum()])\n"
        "output = mtd['growing']\n"
    )
    chunks = [HistogramWorkspace([0, 1, 2], [[k, k]]) for k in (1, 2, 3)]
    output: Any = run_scripts(None, post, chunks=chunks).output
    assert output.toDict() == {"sum": [2, 6, 12]}


def test_the_accumulation_is_found_under_its_name_and_as_a_variable() -> None:
    post = "print(mtd['accumulation'] is input, accumulation is input)\nRenameWorkspace('accumulation', 'result')\n"
    done = run_scripts(None, post, chunks=[HistogramWorkspace([0, 1], [[k]]) for k in (1, 2)])
    output: Any = done.output
    assert done.printed == "True True\n" * 2
    assert output.readY(0).tolist() == [3]


def test_a_group_of_periods_goes_through_both_scripts() -> None:
    periods = [[HistogramWorkspace([0, 1], [[n]]) for n in (k, 10 * k)] for k in (1, 2)]
    chunks = [WorkspaceGroup(members) for members in periods]
    done = run_scripts("output = input * 2", "output = input - input[0]", chunks=chunks)
    output: Any = done.output
    assert [member.readY(0)[0] for member in output] == [0, 54]
    assert output.getNames() == ["result_1", "result_2"]
