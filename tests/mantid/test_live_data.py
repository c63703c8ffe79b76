"""StartLiveData and its like as scripts call them, on the made-up stream and on a file."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.algorithms import declaration
from livereduce.live import start
from livereduce.mantid import config, finder, mtd
from livereduce.mantid.api import AlgorithmManager
from livereduce.mantid.live_data import monitor_live_data, start_live_data
from livereduce.mantid.simpleapi import LoadLiveData, MonitorLiveData, StartLiveData
from livereduce.workspaces import MatrixWorkspace

FAKE = {"Instrument": "ADARA_FakeEvent"}
FILE = {"Instrument": "ADARA_FileReader"}
COUNTS, EDGES = [[10, 20, 30], [40, 50, 60]], [0.0, 10.0, 20.0, 30.0]
SHARED = {
    "Instrument", "Connection", "Listener", "Address", "StartTime", "ProcessingAlgorithm", "ProcessingProperties",
    "ProcessingScript", "ProcessingScriptFilename", "AccumulationMethod", "PreserveEvents", "PostProcessingAlgorithm",
    "PostProcessingProperties", "PostProcessingScript", "PostProcessingScriptFilename", "RunTransitionBehavior",
    "AccumulationWorkspace", "OutputWorkspace", "LastTimeStamp", "SpectraList", "PeriodList", "BufferThreshold",
}  # fmt: skip


@pytest.fixture(autouse=True)
def settings(tmp_path: Path) -> Iterator[None]:
    """A fast made-up stream and a file of 210 counts in 4 parts; nothing goes on running."""
    path = tmp_path / "counts.nxs"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["run_number"] = 42
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        data["counts"] = np.array(COUNTS, np.int32)
        data["counts"].attrs.update(signal=1, axes="detector:time_of_flight")
        data["time_of_flight"] = np.array(EDGES)
        data["time_of_flight"].attrs["units"] = "us"
    wanted = {
        "fakeeventdatalistener.datarate": "1000",
        "fileeventdatalistener.filename": str(path),
        "fileeventdatalistener.chunks": "4",
    }
    before = {key: config[key] for key in wanted}
    for key, value in wanted.items():
        config[key] = value
    yield
    start.cancel_all()
    finder.uninstall()
    for key, value in before.items():
        config[key] = value


def counts(name: str = "live") -> float:
    found = mtd[name]
    assert isinstance(found, MatrixWorkspace)
    return float(found.y.sum())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline, "this never came about"
        threading.Event().wait(0.01)


def newest() -> start.LiveMonitor:
    found = AlgorithmManager.newestInstanceOf("MonitorLiveData")
    assert found is not None
    return found


# -- properties -------------------------------------------------------------------------------------------------------


def properties(name: str) -> dict[str, declaration.Property]:
    found = declaration.find(name)
    assert found is not None
    return {p.name: p for p in found.properties}


def test_all_properties_have_mantids_names_and_defaults() -> None:
    start_, monitor, load = (properties(f"{name}LiveData") for name in ("Start", "Monitor", "Load"))
    assert SHARED <= set(load) & set(monitor) & set(start_)
    assert {"UpdateEvery", "FromNow", "FromStartOfRun", "FromTime", "MonitorLiveData"} <= set(start_)
    assert {n: start_[n].default for n in ("FromNow", "FromStartOfRun", "FromTime", "UpdateEvery")} == {
        "FromNow": True, "FromStartOfRun": False, "FromTime": False, "UpdateEvery": 60.0,
    }  # fmt: skip
    assert (load["AccumulationMethod"].default, load["AccumulationMethod"].allowed) == (
        "Add",
        ("Add", "Replace", "Append"),
    )
    assert (load["PreserveEvents"].default, load["RunTransitionBehavior"].default) == (False, "Restart")
    assert [p.name for p in load.values() if p.mandatory] == ["Instrument", "OutputWorkspace"]
    assert all(p.doc for p in start_.values())


BOTH_POST = {"PostProcessingScript": "pass", "AccumulationWorkspace": "acc"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "OutputWorkspace: must be given"),
        ({"OutputWorkspace": "w", "FromStartOfRun": True}, "exactly one of FromNow, FromStartOfRun and FromTime"),
        ({"OutputWorkspace": "w", "FromNow": False}, "exactly one of FromNow"),
        ({"OutputWorkspace": "w", "FromNow": False, "FromTime": True}, "StartTime: must be given with FromTime"),
        (
            {"OutputWorkspace": "w", "FromNow": False, "FromTime": True, "StartTime": "yesterday"},
            "StartTime: 'yesterday' is not a time",
        ),
        (
            {"OutputWorkspace": "w", "FromNow": False, "FromTime": True, "StartTime": "1950-01-01T00:00:00"},
            "StartTime: '1950-01-01T00:00:00' is before 1990",
        ),
        ({"OutputWorkspace": "w", "UpdateEvery": -1}, "UpdateEvery: expected 0 or more seconds, found -1"),
        (
            {"OutputWorkspace": "w", "ProcessingScript": "x", "ProcessingAlgorithm": "Rebin"},
            "ProcessingAlgorithm, ProcessingScript: only one of them may be given",
        ),
        (
            {"OutputWorkspace": "w", **BOTH_POST, "PostProcessingAlgorithm": "Rebin"},
            "PostProcessingAlgorithm, PostProcessingScript: only one",
        ),
        ({"OutputWorkspace": "w", "PostProcessingScript": "pass"}, "AccumulationWorkspace: with post-processing"),
        (
            {"OutputWorkspace": "acc", **BOTH_POST},
            "it must be given, and not be the OutputWorkspace",
        ),
        ({"OutputWorkspace": "w", "ProcessingScriptFilename": "/no/such.py"}, "there is no such script file"),
        ({"OutputWorkspace": "w", "ProcessingAlgorithm": "Rebim"}, "no algorithm 'Rebim'; nearest: Rebin"),
        ({"OutputWorkspace": "w", "AccumulationMethod": "Sum"}, "expected one of Add, Replace, Append, found 'Sum'"),
        ({"OutputWorkspace": "w", "Instrument": "POWGENN"}, "'POWGENN' is not in the table; did you mean POWGEN?"),
        (
            {"OutputWorkspace": "w", "Instrument": "MARI", "Connection": "x"},
            "'x' is none of MARI's: kafka_event, histo",
        ),
        ({"OutputWorkspace": "w", "Instrument": "VENUS"}, "VENUS has no live connection in the table"),
        ({"OutputWorkspace": "w", "Listener": "SNSLiveEvent"}, "there is no 'SNSLiveEvent'; did you mean SNSLive"),
        (
            {"OutputWorkspace": "w", "Instrument": "ISIS_Histogram"},
            "each read of ISISHistoDataListener is the total already; use Replace",
        ),
        ({"OutputWorkspace": "w", "SpectraList": "0-3"}, "numbers count from 1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StartLiveData(**(FAKE | given))
    assert start.running() == []
    assert mtd.getObjectNames() == []


def test_an_unknown_keyword_is_warned_about_with_the_nearest_name_and_case_does_not_matter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        StartLiveData("ADARA_FakeEvent", "live", updateevery=0, Preserve_Events=True)
    assert "there is no property 'Preserve_Events'; did you mean PreserveEvents? (dropped)" in caplog.text
    assert start.running() == []
    assert mtd["live"].id() == "Workspace2D"


def test_the_call_cannot_be_assigned(script: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(RuntimeError, match="its result cannot be assigned to a variable"):
        script("live = StartLiveData('ADARA_FakeEvent', UpdateEvery=0)")
    script("StartLiveData('ADARA_FakeEvent', OutputWorkspace='live', UpdateEvery=0)")
    assert "live" in mtd


def test_nobody_at_the_address_is_an_error(unused_address: str) -> None:
    for listener in ("SNSLiveEventDataListener", "ISISHistoDataListener"):
        with pytest.raises(RuntimeError, match=f"{unused_address}"):
            StartLiveData(
                Instrument="NEW", Listener=listener, Address=unused_address, AccumulationMethod="Replace",
                OutputWorkspace="live",
            )  # fmt: skip
    assert start.running() == []


@pytest.fixture
def unused_address() -> str:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_a_start_in_the_future_or_without_history_becomes_now_with_an_error_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    StartLiveData(**FAKE, OutputWorkspace="live", UpdateEvery=0, FromNow=False, FromStartOfRun=True)
    assert "FakeEventDataListener keeps no history; starting now" in caplog.text
    StartLiveData(
        **FAKE, OutputWorkspace="live", UpdateEvery=0, FromNow=False, FromTime=True, StartTime="2100-01-01T00:00:00"
    )
    assert "StartTime 2100-01-01T00:00:00 is in the future; starting now" in caplog.text


# -- running ----------------------------------------------------------------------------------------------------------


def test_one_chunk_and_no_monitor_with_update_every_0() -> None:
    outputs = start_live_data(
        instrument="ADARA_FakeEvent", output_workspace="live", update_every=0, preserve_events=True
    )
    assert counts() > 0
    assert mtd["live"].id() == "EventWorkspace"
    # the newest pulse came before it was taken in, today
    assert outputs.newest_data[:19] <= outputs.last_time_stamp[:19]
    assert outputs.newest_data[:10] >= "2026"
    assert (outputs.monitor_live_data, start.running()) == (None, [])


def test_what_scripts_print_is_seen_where_the_call_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    StartLiveData(**FAKE, OutputWorkspace="live", UpdateEvery=0, ProcessingScript="print('chunk')")
    assert capsys.readouterr().out == "chunk\n"
    MonitorLiveData(**FILE, OutputWorkspace="file", UpdateEvery=0.01, ProcessingScript="print('part')")
    assert capsys.readouterr().out == "part\n" * 4
    StartLiveData(**FAKE, OutputWorkspace="live", UpdateEvery=0.02, ProcessingScript="print('chunk')")
    until(lambda: start.running()[0].chunks > 3)
    start.cancel_all()
    assert capsys.readouterr().out.startswith("chunk\n" * 3)


def test_a_file_is_reduced_to_its_end_part_by_part() -> None:
    monitor = start_live_data(
        instrument="ADARA_FileReader",
        output_workspace="live",
        update_every=0.01,
        processing_script="from mantid.simpleapi import *\noutput = Rebin(input, '0,10,30')",
        post_processing_algorithm="Scale",
        post_processing_properties="Factor=2",
        accumulation_workspace="acc",
    ).monitor_live_data
    assert monitor.wait(20.0)
    assert (counts(), monitor.chunks, monitor.error) == (420, 4, None)
    found = mtd["live"]
    assert isinstance(found, MatrixWorkspace)
    assert found.y.tolist() == [[20, 40, 60], [80, 100, 120]]
    assert monitor.ledger()["runs"][0]["complete"]
    assert monitor.getPropertyValue("AccumulationWorkspace") == "acc"


def test_monitoring_goes_on_in_the_background_until_all_are_cancelled() -> None:
    StartLiveData(**FAKE, OutputWorkspace="live", UpdateEvery=0.05)
    first = counts()
    until(lambda: counts() > first + 100)
    assert (newest().name(), newest().isRunning()) == ("MonitorLiveData", True)
    began = time.monotonic()
    AlgorithmManager.cancelAll()
    assert time.monotonic() - began < 1.0
    assert AlgorithmManager.runningInstancesOf("MonitorLiveData") == []
    assert AlgorithmManager.newestInstanceOf("MonitorLiveData") is None


def test_several_monitors_need_distinct_names() -> None:
    StartLiveData(**FAKE, OutputWorkspace="one", UpdateEvery=0.05)
    StartLiveData(**FAKE, OutputWorkspace="two", UpdateEvery=0.05)
    with pytest.raises(ValueError, match="workspace 'one' belongs to a running MonitorLiveData"):
        StartLiveData(**FAKE, OutputWorkspace="one", UpdateEvery=0)
    assert len(AlgorithmManager.runningInstancesOf("MonitorLiveData")) == 2


def test_a_script_file_is_read_again_at_every_chunk(tmp_path: Path) -> None:
    file = tmp_path / "proc.py"
    file.write_text("output = Rebin(input, '40000,20000,60000')")
    StartLiveData(
        **FAKE, OutputWorkspace="live", UpdateEvery=0.02, ProcessingScriptFilename=str(file),
        AccumulationMethod="Replace",
    )  # fmt: skip
    assert mtd["live"].blocksize() == 1  # type: ignore[attr-defined]
    file.write_text("output = Rebin(input, '40000,5000,60000')")
    until(lambda: mtd["live"].blocksize() == 4)  # type: ignore[attr-defined]


def test_a_script_error_in_the_first_chunk_is_raised_with_its_line() -> None:
    with pytest.raises(RuntimeError, match=r"<ProcessingScript of live>:2: ZeroDivisionError") as caught:
        StartLiveData(**FAKE, OutputWorkspace="live", ProcessingScript="x = 1\nx / 0")
    assert "x / 0" in str(caught.value)
    assert start.running() == []


def test_a_stream_that_has_nothing_at_first_is_waited_for() -> None:
    config["fakeeventdatalistener.notyettimes"] = "3"
    try:
        StartLiveData(**FAKE, OutputWorkspace="live", UpdateEvery=0)
    finally:
        config["fakeeventdatalistener.notyettimes"] = "0"
    assert counts() > 0


@pytest.mark.parametrize("keyword", ["RunTransitionBehavior", "EndRunBehavior"])
def test_runs_are_kept_under_their_number_with_rename(keyword: str) -> None:
    config["fakeeventdatalistener.endrunevery"] = "2"
    try:
        StartLiveData(**FAKE, OutputWorkspace="live", UpdateEvery=0.05, **{keyword: "Rename"})
        until(lambda: "live_2" in mtd)
    finally:
        config["fakeeventdatalistener.endrunevery"] = "0"
    assert "live_1" in mtd


def test_load_live_data_adds_to_what_is_there() -> None:
    rebin = "output = Rebin(input, '40000,20000,60000')"
    LoadLiveData(**FAKE, OutputWorkspace="live", ProcessingScript=rebin)
    first = counts()
    before = mtd["live"]
    LoadLiveData(**FAKE, OutputWorkspace="live", ProcessingScript=rebin)
    assert counts() > first
    assert mtd["live"] is before
    LoadLiveData(**FILE, OutputWorkspace="live", AccumulationMethod="Replace")
    assert counts() == 51  # a quarter of each count, rounded down: 2 + 5 + 7 + 10 + 12 + 15


def test_monitor_live_data_runs_here_until_the_stream_ends() -> None:
    with pytest.raises(ValueError, match="UpdateEvery: expected more than 0 seconds, found 0"):
        MonitorLiveData(**FILE, OutputWorkspace="live", UpdateEvery=0)
    outputs = monitor_live_data(instrument="ADARA_FileReader", output_workspace="live", update_every=0.01)
    assert counts() == 210
    assert outputs.last_time_stamp.startswith("20")


def test_it_may_be_used_as_an_algorithm_object() -> None:
    algorithm = AlgorithmManager.create("StartLiveData")
    for name, value in (FAKE | {"OutputWorkspace": "live", "UpdateEvery": 0.05}).items():
        algorithm.setProperty(name, value)
    assert algorithm.execute()
    monitor = algorithm.getProperty("MonitorLiveData").value
    assert monitor.isRunning()
    assert algorithm.getPropertyValue("LastTimeStamp").startswith("20")
    monitor.cancel()
    assert monitor.wait(5.0)
