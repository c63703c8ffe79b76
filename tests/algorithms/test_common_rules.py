"""What holds for every algorithm that makes a workspace of a workspace, as scripts call it: a table of calls.

The same by name and by object; under the input's own name the object stays; another output leaves the input alone; a
group is taken member by member; keywords in any case, unknown ones an error. Properties are text, as scripts may write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import convert_units, declaration
from livereduce.algorithms.calling import execute
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Run,
    Spectra,
    TableWorkspace,
    TimeSeries,
    Workspace,
    WorkspaceGroup,
    WorkspaceStore,
)

MakeEvents = Callable[..., EventWorkspace]
Properties = dict[str, str]
SECOND = 1_000_000_000
EDGES = [0.0, 10_000.0, 20_000.0, 30_000.0]
PLACE = Detectors([10, 11], l1=10.0, l2=[1.0, 2.0], two_theta=[1.0, 1.5])

# Properties besides the first input and the output.
CALLS: dict[str, Properties] = {
    "AlignAndFocusPowder": {"Params": "0.5,0.5,4"},
    "AlignDetectors": {"CalibrationWorkspace": "difc"},
    "AppendSpectra": {"InputWorkspace2": "other"},
    "CalculateFlatBackground": {"StartX": "0", "EndX": "30000"},
    "ChangeBinOffset": {"Offset": "5"},
    "CloneWorkspace": {},
    "ConvertToHistogram": {},
    "ConvertToMatrixWorkspace": {},
    "ConvertToPointData": {},
    "ConvertUnits": {"Target": "dSpacing"},
    "CropWorkspace": {"XMin": "10000"},
    "DiffractionFocussing": {"GroupingWorkspace": "grouping"},
    "Divide": {"RHSWorkspace": "2"},
    "EvaluateFunction": {"Function": "name=LinearBackground,A0=1,A1=2"},
    "ExtractSingleSpectrum": {"WorkspaceIndex": "1"},
    "ExtractSpectra": {"WorkspaceIndexList": "0-1"},
    "FFTSmooth": {"AllSpectra": "1"},
    "GroupDetectors": {"WorkspaceIndexList": "0-1"},
    "Integration": {"RangeLower": "10000"},
    "Logarithm": {"Natural": "0"},
    "MaskBins": {"XMin": "0", "XMax": "10000", "InputWorkspaceIndexSet": "0-1"},
    "MaskBinsFromTable": {"MaskingInformation": "bins"},
    "Minus": {"RHSWorkspace": "1"},
    "Multiply": {"RHSWorkspace": "2"},
    "NormaliseByCurrent": {},
    "NormaliseToMonitor": {"MonitorWorkspace": "other", "MonitorWorkspaceIndex": "0"},
    "Plus": {"RHSWorkspace": "other"},
    "Power": {"Exponent": "2"},
    "Rebin": {"Params": "0,15000,30000"},
    "RebinToWorkspace": {"WorkspaceToMatch": "other"},
    "RefRoi": {"NXPixel": "2", "NYPixel": "1", "ConvertToQ": "0"},
    "RemovePromptPulse": {"Width": "50"},
    "ReplaceSpecialValues": {"BigNumberThreshold": "1", "BigNumberValue": "9"},
    "ResampleX": {"NumberBins": "2"},
    "Scale": {"Factor": "2"},
    "ScaleX": {"Factor": "2"},
    "SetUncertainties": {"SetError": "sqrt"},
    "SmoothData": {"NPoints": "3"},
    "StripPeaks": {"PeakPositions": "15000"},
    "StripVanadiumPeaks": {},
    "SumSpectra": {"ListOfWorkspaceIndices": "0,1"},
    "Transpose": {},
    "WeightedMean": {"InputWorkspace2": "other"},
}
EVENTS_ONLY: dict[str, Properties] = {
    "CompressEvents": {"Tolerance": "1"},
    "FilterBadPulses": {"LowerCutoff": "50"},
    "FilterByLogValue": {"LogName": "angle", "MinimumValue": "0", "MaximumValue": "1"},
    "FilterByTime": {"StartTime": "0", "StopTime": "2"},
    "FilterByXValue": {"XMin": "10000"},
}
IN_PLACE: dict[str, Properties] = {
    "AddSampleLog": {"LogName": "note", "LogText": "x"},
    "AddSampleLogMultiple": {"LogNames": "note,count", "LogValues": "x,3"},
    "AddTimeSeriesLog": {"Name": "late", "Time": "1970-01-01T00:00:01", "Value": "5"},
    "ConvertToDistribution": {},
    "EditInstrumentGeometry": {"SpectrumIDs": "1,2", "L2": "3,4", "Polar": "90,90"},
    "MaskDetectors": {"WorkspaceIndexList": "1"},
    "RemoveLogs": {"KeepLogs": "angle"},
}
# Those that make no workspace of a workspace with spectra, or whose call needs a file, a definition or a peak.
ELSEWHERE = {
    "ConjoinWorkspaces", "ConvertFromDistribution", "DeleteWorkspace", "DeleteWorkspaces", "FindPeaks", "Fit",
    "FitPeak", "GetEi", "LoadInstrument", "MaskBTP", "MergeRuns", "PDDetermineCharacterizations",
    "RenameWorkspace", "SaveAscii", "SaveFocusedXYE", "SaveGSS", "SaveNexus", "SavePlot1D", "SortEvents",
    "UnGroupWorkspace",
}  # fmt: skip


def logs() -> Run:
    times = [0, SECOND, 2 * SECOND]
    return Run(
        {
            "gd_prtn_chrg": 2.0,
            "frequency": 60.0,
            "proton_charge": TimeSeries("proton_charge", times, [1.0, 1.0, 1.0], "picoCoulomb"),
            "angle": TimeSeries("angle", times, [0.0, 1.0, 2.0]),
        }
    )


@pytest.fixture
def fill(make_events: MakeEvents, store: WorkspaceStore) -> Callable[..., WorkspaceStore]:
    """Put the workspaces that calls name into the store: "data", "other", and "pair" of two more."""
    times = {
        "data": ([5_000.0, 15_000.0, 15_100.0], [25_000.0, 25_100.0]),
        "other": ([15_000.0], [5_000.0, 25_000.0, 25_500.0]),
        "pair_1": ([15_000.0, 25_000.0], [5_000.0]),
        "pair_2": ([5_000.0, 5_100.0, 25_000.0], [15_000.0, 15_200.0, 25_000.0]),
    }

    def filled(*, events: bool, in_d: bool = False) -> WorkspaceStore:
        for name, spectra in times.items():
            ws: MatrixWorkspace = make_events(*spectra, edges=EDGES, run=logs()).replaced(detectors=PLACE)
            ws = convert_units(ws, "dSpacing") if in_d else ws
            store.add(name, ws if events or not isinstance(ws, EventWorkspace) else ws.to_histogram())
        store.add("pair", WorkspaceGroup([store["pair_1"], store["pair_2"]]))
        store.add("grouping", HistogramWorkspace([0.0], [[1.0], [1.0]], spectra=Spectra([1, 2], [10, 11])))
        difc = TableWorkspace([("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero")])
        for row in ([10, 2000.0, 0.0, 0.0], [11, 3000.0, 0.0, 0.0]):
            difc.addRow(row)
        store.add("difc", difc)
        bins = TableWorkspace([("double", "XMin"), ("double", "XMax"), ("str", "SpectraList")])
        bins.addRow([0.0, 10_000.0, "0-1"])
        store.add("bins", bins)
        return store

    return filled


def called(name: str, store: WorkspaceStore, first: Any, properties: Properties, **more: Any) -> Any:
    declared = declaration.find(name)
    assert declared is not None
    prop = next(p for p in declared.inputs if p.classes)
    return execute(declared, (), {prop.name: first} | properties | more, store)


def contents(ws: Workspace) -> list[Any]:
    """What a script can see of a workspace with spectra."""
    assert isinstance(ws, MatrixWorkspace)
    found = [ws.extractX(), ws.extractY(), ws.extractE(), ws.spectra.numbers, ws.spectra.masked, ws.spectra.ids]
    described = [ws.unit, ws.y_unit, ws.distribution, sorted(ws.run().keys())]
    return [[a.tolist() if a.dtype.kind != "f" else np.nan_to_num(a, nan=-1e99).tolist() for a in found], described]


EVERY = [
    pytest.param(name, properties, events, id=f"{name}-{'events' if events else 'histogram'}")
    for name, properties, kinds in (
        *((name, properties, (True, False)) for name, properties in CALLS.items()),
        *((name, properties, (True,)) for name, properties in EVENTS_ONLY.items()),
    )
    for events in kinds
]
every_algorithm = pytest.mark.parametrize(("name", "properties", "events"), EVERY)
IN_D = {"StripVanadiumPeaks"}


@every_algorithm
def test_a_name_and_an_object_mean_the_same_and_the_input_stays_as_it_was(
    name: str, properties: Properties, events: bool, fill: Callable[..., WorkspaceStore]
) -> None:
    store = fill(events=events, in_d=name in IN_D)
    before, names = contents(store["data"]), store.names()
    by_name = called(name, store, "data", properties, OutputWorkspace="a")
    by_object = called(name, store, store["data"], properties, outputworkspace="b")
    assert by_name is store["a"]
    assert contents(by_name) == contents(by_object)
    assert store.names() == [*names, "a", "b"]
    by_object.run().set("a log of the result", 1)
    assert contents(store["data"]) == before


@every_algorithm
def test_an_output_of_the_inputs_name_is_the_same_object_unless_its_kind_changes(
    name: str, properties: Properties, events: bool, fill: Callable[..., WorkspaceStore]
) -> None:
    store = fill(events=events, in_d=name in IN_D)
    original = store["data"]
    expected = contents(called(name, store, "data", properties, OutputWorkspace="elsewhere"))
    result = called(name, store, "data", properties, OutputWorkspace="data")
    assert store["data"] is result
    assert contents(result) == expected
    assert (result is original) == (type(result) is type(original))
    assert result.name() == "data"


@every_algorithm
def test_a_group_is_taken_member_by_member(
    name: str, properties: Properties, events: bool, fill: Callable[..., WorkspaceStore]
) -> None:
    store = fill(events=events, in_d=name in IN_D)
    singles = [
        contents(called(name, store, member, properties, OutputWorkspace="single")) for member in ("pair_1", "pair_2")
    ]
    group = called(name, store, "pair", properties, OutputWorkspace="out")
    assert isinstance(group, WorkspaceGroup)
    assert group.getNames() == ["out_1", "out_2"]
    assert [contents(member) for member in group] == singles
    assert store["out"] is group
    in_place = called(name, store, "pair", properties, OutputWorkspace="pair")
    assert in_place is store["pair"]
    assert [contents(store[member]) for member in ("pair_1", "pair_2")] == singles


@every_algorithm
def test_what_is_wrong_with_a_call_is_said_and_nothing_changes(
    name: str, properties: Properties, events: bool, fill: Callable[..., WorkspaceStore]
) -> None:
    store = fill(events=events)
    names = store.names()
    with pytest.raises(TypeError, match=f"^{name}: there is no property 'Nonsense'"):
        called(name, store, "data", properties, OutputWorkspace="out", Nonsense="1")
    with pytest.raises(ValueError, match=rf"^{name}: .*there is no workspace named 'dota'; did you mean 'data'\?"):
        called(name, store, "dota", properties, OutputWorkspace="out")
    if name != "CloneWorkspace":
        with pytest.raises(ValueError, match=rf"^{name}: .*an? (Matrix|Event)Workspace.*, found a TableWorkspace"):
            called(name, store, "difc", properties, OutputWorkspace="out")
    with pytest.raises(ValueError, match=rf"^{name}: .*OutputWorkspace: must be given"):
        called(name, store, "data", properties)
    assert store.names() == names


@pytest.mark.parametrize("events", [True, False], ids=["events", "histogram"])
@pytest.mark.parametrize(("name", "properties"), IN_PLACE.items(), ids=IN_PLACE)
def test_algorithms_without_an_output_change_their_input_and_each_member_of_a_group(
    name: str, properties: Properties, events: bool, fill: Callable[..., WorkspaceStore]
) -> None:
    store = fill(events=events)
    declared = declaration.find(name)
    assert declared is not None
    before = {member: (store[member], store[member].clone()) for member in ("data", "pair_1", "pair_2")}
    assert called(name, store, "data", properties) is None
    assert called(name, store, store["pair"], properties) is None
    for member, (original, copy) in before.items():
        changed = store[member]
        alone = called(name, store, store.replace("alone", copy), properties) or store["alone"]
        assert contents(changed) == contents(alone)
        assert (changed is original) == (type(changed) is type(original))
    assert list(store["pair"]) == [store["pair_1"], store["pair_2"]]  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=f"^{name}: there is no property 'Nonsense'"):
        called(name, store, "data", properties, Nonsense="1")


def test_no_algorithm_on_workspaces_is_left_out() -> None:
    there = {
        declared.name
        for declared in declaration.declarations()
        if declared.function.__module__.startswith("livereduce.algorithms.")
        and any(p.direction != "Output" and p.mandatory and p.classes for p in declared.properties)
    }
    assert there == {*CALLS, *EVENTS_ONLY, *IN_PLACE, *ELSEWHERE}
