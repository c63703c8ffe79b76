"""What every algorithm that makes a workspace of one leaves alone, keeps, and does with a single spectrum.

One call an algorithm, with events and with a histogram. The other rules for all are in ``test_common_rules``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms.calling import execute
from livereduce.algorithms.declaration import find
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Run,
    TableWorkspace,
    TimeSeries,
    Workspace,
    WorkspaceStore,
)

SECOND = 1_000_000_000
EDGES = [10.0, 20.0, 25.0, 40.0, 50.0]
DETECTORS = Detectors(
    [10, 11, 12], l1=10.0, l2=[1.0, 2.0, 1.5], two_theta=[0.5, 1.0, 1.5], positions=[[0, 0, 1], [0, 0, 2], [0, 1, 1]]
)
GROUPS = HistogramWorkspace(np.zeros(1), [[2.0], [1.0], [2.0]], detectors=DETECTORS, spectra=DETECTORS.default_spectra)
DIFC = TableWorkspace([("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero")])
for _row in ([10, 3.0, 0.0, 0.0], [11, 4.0, 0.0, 2.5], [12, 5.0, 0.0, -1.5]):
    DIFC.addRow(_row)
MASKED_BINS = TableWorkspace([("double", "XMin"), ("double", "XMax"), ("str", "SpectraList")])
MASKED_BINS.addRow([20.0, 25.0, "0,1"])

CALLS: dict[str, dict[str, Any]] = {
    "AddSampleLog": {"LogName": "a", "LogText": "1.5", "LogType": "Number"},
    "AddTimeSeriesLog": {"Name": "a", "Time": "1970-01-01T00:00:01", "Value": "5"},
    "AlignAndFocusPowder": {"Params": "0.002,0.001,0.01"},
    "AlignDetectors": {"CalibrationWorkspace": DIFC},
    "CalculateFlatBackground": {"StartX": 20, "EndX": "40", "Mode": "Mean"},
    "ChangeBinOffset": {"Offset": "-0.5"},
    "CloneWorkspace": {},
    "CompressEvents": {"Tolerance": "0.5"},
    "ConvertFromDistribution": {},
    "ConvertToDistribution": {},
    "ConvertToHistogram": {},
    "ConvertToMatrixWorkspace": {},
    "ConvertToPointData": {},
    "ConvertUnits": {"Target": "dSpacing"},
    "CropWorkspace": {"XMin": "20", "XMax": 40},
    "DiffractionFocussing": {"GroupingWorkspace": GROUPS},
    "EditInstrumentGeometry": {"PrimaryFlightPath": "12", "L2": "1,2,3", "Polar": "90,90,90"},
    "EvaluateFunction": {"Function": "name=LinearBackground,A0=1"},
    "ExtractSingleSpectrum": {"WorkspaceIndex": "1"},
    "ExtractSpectra": {"WorkspaceIndexList": "0,2"},
    "FFTSmooth": {"AllSpectra": "1", "IgnoreXBins": "1"},
    "FilterBadPulses": {"LowerCutoff": "50"},
    "FilterByLogValue": {"LogName": "angle", "MinimumValue": "1", "MaximumValue": 2.5},
    "FilterByTime": {"StartTime": "1", "StopTime": 3},
    "FilterByXValue": {"XMin": "20", "XMax": 40},
    "GroupDetectors": {"WorkspaceIndexList": "0-1"},
    "Integration": {"RangeLower": "20", "RangeUpper": 40},
    "Logarithm": {"Natural": "0"},
    "MaskBins": {"XMin": "20", "XMax": 40},
    "MaskBinsFromTable": {"MaskingInformation": MASKED_BINS},
    "MaskDetectors": {"WorkspaceIndexList": "0,2"},
    "NormaliseByCurrent": {},
    "Power": {"Exponent": "2"},
    "Rebin": {"Params": "10,10,50"},
    "RefRoi": {"NXPixel": "3", "NYPixel": 1, "ConvertToQ": "0"},
    "RemovePromptPulse": {"Width": "10", "Frequency": 25_000},
    "ReplaceSpecialValues": {"NaNValue": "0"},
    "ResampleX": {"NumberBins": "2", "XMin": "10", "XMax": "50"},
    "Scale": {"Factor": "2"},
    "ScaleX": {"Factor": "2"},
    "SetUncertainties": {"SetError": "sqrtOrOne"},
    "SmoothData": {"NPoints": "3"},
    "SumSpectra": {"ListOfWorkspaceIndices": "0-1"},
    "Transpose": {},
}
EVENTS_ONLY = {"CompressEvents", "FilterBadPulses", "FilterByLogValue", "FilterByTime", "FilterByXValue"}
HISTOGRAMS_ONLY = {"ConvertFromDistribution"}  # events are no distribution

Make = Callable[..., Any]


def run_logs() -> Run:
    run = Run({"run_number": 7, "gd_prtn_chrg": 2.0, "run_title": "Sand"})
    run.append("proton_charge", np.arange(4) * SECOND, np.full(4, 4.5e8), "picoCoulomb")
    run.append("angle", np.arange(4) * SECOND, np.arange(4.0), "degree")
    return run


def cases(*but: str) -> list[Any]:
    return [
        pytest.param(name, kind, id=f"{name}-{kind}")
        for name in CALLS
        for kind in ("events", "histogram")
        if name not in (EVENTS_ONLY if kind == "histogram" else HISTOGRAMS_ONLY) and name not in but
    ]


def works_in_place(name: str) -> bool:
    declaration = find(name)
    assert declaration is not None
    return any(p.direction == "InOut" for p in declaration.properties)


@pytest.fixture
def make(make_events: Make) -> Make:
    """Make three spectra with a monitor: ``make("events")``, ``make("histogram", shift=1)``."""

    def made(kind: str, name: str = "", shift: int = 0) -> MatrixWorkspace:
        spectra = [[10.0, 21.0, 30.0, 49.9], [15.0, 20.0 + shift, 45.0], [33.0, 34.0, 9.0]]
        monitors = make_events([12.0, 13.0], edges=EDGES)
        events: EventWorkspace = make_events(*spectra, edges=EDGES, run=run_logs(), title="Sand", monitors=monitors)
        events = events.replaced(detectors=DETECTORS)
        if kind == "events":
            return events
        histogram = events.to_histogram()
        if name == "ConvertFromDistribution":
            histogram = histogram.replaced(distribution=True)
        return histogram

    return made


def call(store: WorkspaceStore, name: str, output: str, ws: Any) -> Any:
    """Call an algorithm as a script does; return what has the output's name then, or of those in place the input's."""
    declaration = find(name)
    assert declaration is not None
    first = next(p.name for p in declaration.properties if p.direction != "Output" and p.classes)
    keywords = {first: ws} | CALLS[name]
    changed = ws if isinstance(ws, str) else ws.name()
    if not works_in_place(name):
        keywords["OutputWorkspace"] = output
        return execute(declaration, (), keywords, store)
    execute(declaration, (), keywords, store)
    return store[changed]


def plain(values: Any) -> list[Any]:
    """Values as a list, in which NaN equals NaN."""
    listed: list[Any] = np.where(np.isnan(values), "nan", values).tolist()
    return listed


def everything_of(ws: Workspace) -> dict[str, Any]:
    """All that a script may read of a workspace, as plain values."""
    assert isinstance(ws, MatrixWorkspace)
    attributes = ("title", "unit", "y_unit", "y_label", "distribution", "n_spectra", "n_bins", "is_histogram", "kind")
    return {name: getattr(ws, name) for name in attributes} | {
        "x": plain(ws.extractX()),
        "y": plain(ws.y),
        "e": plain(ws.e2),
        "numbers": ws.spectra.numbers.tolist(),
        "ids": ws.spectra.ids.tolist(),
        "masked": ws.spectra.masked.tolist(),
        "places": [plain(getattr(ws.spectra.geometry_from(ws.detectors), place)) for place in ("l2", "two_theta")],
        "logs": {name: np.asarray(ws.logs[name].value).tolist() for name in ws.logs.keys()},
        "monitors": None if ws.monitors is None else everything_of(ws.monitors),
    }


@pytest.mark.parametrize(("name", "kind"), cases(*filter(works_in_place, CALLS)))
def test_whatever_is_done_to_the_result_the_input_stays_what_it_was(
    make: Make, store: WorkspaceStore, name: str, kind: str
) -> None:
    ws = make(kind, name)
    store.add("input", ws)
    before = everything_of(ws)
    result = call(store, name, "result", ws="input")
    assert result is not ws
    assert store["input"] is ws
    result.getRun().set("later", 1)
    result.setTitle("Changed")
    if isinstance(result, HistogramWorkspace):
        result.dataY(0)[:] = -1.0
        result.dataE(0)[:] = -1.0
        result.dataX(0)[:] += 1.0
    assert everything_of(ws) == before


@pytest.mark.parametrize(("name", "kind"), cases("EvaluateFunction"))  # as with fits, that is no measurement
def test_title_logs_and_monitors_are_those_of_the_input(
    make: Make, store: WorkspaceStore, name: str, kind: str
) -> None:
    store.add("ws", make(kind, name))
    result = call(store, name, "result", ws="ws")
    assert result.getTitle() == "Sand"
    assert result.getRunNumber() == 7
    assert result.getInstrument() is not None
    assert result.detectors is DETECTORS
    charge = result.getRun()["proton_charge"]
    assert isinstance(charge, TimeSeries)
    assert charge.units == "picoCoulomb"
    monitors = result.getMonitorWorkspace()
    if name == "Transpose":  # its X is no time of flight any more
        assert monitors is None
        return
    assert monitors is not None
    assert monitors.readY(0).tolist() == [2, 0, 0, 0]


@pytest.mark.parametrize(("name", "kind"), cases())
def test_one_spectrum_is_enough(make: Make, store: WorkspaceStore, name: str, kind: str) -> None:
    three = make(kind, name)
    extract = find("ExtractSingleSpectrum")
    assert extract is not None
    store.add("one", execute(extract, (three, 0), {"StoreInADS": False}, store))
    options: dict[str, dict[str, Any]] = {
        "EditInstrumentGeometry": {"L2": "1", "Polar": "90"},
        "ExtractSingleSpectrum": {"WorkspaceIndex": 0},
        "ExtractSpectra": {"WorkspaceIndexList": "0"},
        "GroupDetectors": {"WorkspaceIndexList": "0"},
        "MaskBinsFromTable": {"MaskingInformation": one_row()},
        "MaskDetectors": {"WorkspaceIndexList": "0"},
        "RefRoi": {"NXPixel": 1, "NYPixel": 1, "ConvertToQ": False},
        "SumSpectra": {},
    }
    if isinstance(three, HistogramWorkspace) and three.distribution:
        assert store["one"].distribution  # type: ignore[attr-defined]
    declaration = find(name)
    assert declaration is not None
    given = options.get(name, CALLS[name])
    first = next(p.name for p in declaration.properties if p.direction != "Output" and p.classes)
    output = {} if works_in_place(name) else {"OutputWorkspace": "result"}
    execute(declaration, (), {first: "one"} | given | output, store)
    result = store["one" if works_in_place(name) else "result"]
    assert isinstance(result, MatrixWorkspace)
    assert result.n_spectra == {"Transpose": 4, "EvaluateFunction": 3}.get(name, 1)


def one_row() -> TableWorkspace:
    table = TableWorkspace([("double", "XMin"), ("double", "XMax"), ("str", "SpectraList")])
    table.addRow([20.0, 25.0, "0"])
    return table
