"""What users' own tests call; the numbers are those of the chunks handed in."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from livereduce.mantid import mtd
from livereduce.testing import ScriptError, facade, run_scripts, sample_chunks
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace

REBIN = "from mantid.simpleapi import Rebin\noutput = Rebin(input, '0,10000,20000')\n"
SUM = "output = SumSpectra(input)\nprint('summed', output.readY(0).sum())\n"


def histogram(*counts: float) -> HistogramWorkspace:
    return HistogramWorkspace(list(range(len(counts) + 1)), [list(counts)], [list(counts)], unit="TOF")


def y_of(workspace: object) -> list[list[float]]:
    assert isinstance(workspace, MatrixWorkspace)
    values: list[list[float]] = workspace.y.tolist()
    return values


def test_both_scripts_run_on_every_chunk_in_the_daemons_order() -> None:
    done = run_scripts(
        "output = Scale(input, 2)", "output = Scale(input, 10)\nprint('so far', output.readY(0)[0])\n",
        chunks=[histogram(1, 2), histogram(10, 20)],
    )  # fmt: skip
    assert y_of(done.accumulation) == [[22, 44]]
    assert y_of(done.output) == [[220, 440]]
    assert done.printed == "so far 20.0\nso far 220.0\n"
    assert {stage: len(took) for stage, took in done.seconds.items()} == {"proc": 2, "accumulate": 2, "post": 2}
    assert done.output is done.store["result"]


@pytest.mark.parametrize(("method", "expected"), [("Add", [[11]]), ("Replace", [[10]]), ("Append", [[1], [10]])])
def test_the_accumulation_method_is_the_tests_choice(method: str, expected: list[list[float]]) -> None:
    done = run_scripts(chunks=[histogram(1), histogram(10)], method=method)
    assert y_of(done.output) == expected


def test_made_up_chunks_have_events_geometry_and_the_logs_of_live_data() -> None:
    first, second = sample_chunks(2)
    assert (first.n_spectra, first.number_events()) == (200, second.number_events())
    assert 10_000 < first.number_events() <= 40_000
    run = first.run()
    assert run.getProperty("run_number").value == "1"
    assert run.getProtonCharge() == pytest.approx(60 * 2.0e7 / 3.6e9)
    assert {"pause", "scan_index", "run_title"} <= set(run.keys())
    assert first.spectra.geometry_from(first.detectors).l1 == 10.0
    assert second.run().start_ns == first.run().start_ns
    assert second.run().getProperty("proton_charge").value.size == 60


def test_scripts_work_on_made_up_chunks_and_charge_adds_up() -> None:
    done = run_scripts(REBIN, SUM, chunks=3)
    once = run_scripts(REBIN, SUM, chunks=1)
    assert isinstance(done.output, MatrixWorkspace)
    assert isinstance(once.output, MatrixWorkspace)
    assert done.output.y.sum() == 3 * once.output.y.sum() > 0
    assert done.output.run().getProtonCharge() == pytest.approx(3 * 60 * 2.0e7 / 3.6e9)
    assert isinstance(done.accumulation, EventWorkspace)
    assert done.printed.startswith("summed ")


def test_without_preserved_events_the_post_script_sees_histograms() -> None:
    done = run_scripts(REBIN, "assert input.id() == 'Workspace2D'\noutput = input", preserve_events=False)
    assert isinstance(done.accumulation, HistogramWorkspace)


def test_an_error_names_the_users_file_and_line(tmp_path: Path) -> None:
    script = tmp_path / "reduce_X_live_proc.py"
    script.write_text("a = 1\nb = a / 0\n")
    with pytest.raises(ScriptError, match="ZeroDivisionError") as caught:
        run_scripts(script)
    assert (caught.value.file, caught.value.line) == (str(script), 2)
    script.write_text("a = (\n")
    with pytest.raises(ScriptError, match="was never closed"):
        run_scripts(str(script))


def test_modules_beside_a_script_are_found_and_everything_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "my_helper_of_the_test.py").write_text("FACTOR = 5\n")
    script = tmp_path / "proc.py"
    script.write_text("from my_helper_of_the_test import FACTOR\noutput = Scale(input, FACTOR)\n")
    store, path = mtd.store, list(sys.path)
    try:
        assert y_of(run_scripts(script, chunks=[histogram(1)]).output) == [[5]]
    finally:
        sys.modules.pop("my_helper_of_the_test", None)
    assert (mtd.store is store, sys.path) == (True, path)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mantid")
    with facade():
        assert importlib.import_module("mantid").mtd is mtd


def test_chunks_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "counts.nxs"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        data["counts"] = np.array([[10, 20], [30, 40]], np.int32)
        data["counts"].attrs.update(signal=1, axes="detector:time_of_flight")
        data["time_of_flight"] = np.array([0.0, 10.0, 20.0])
        data["time_of_flight"].attrs["units"] = "us"
    done = run_scripts("output = Rebin(input, '0,10,20')", chunks=path)
    assert y_of(done.output) == [[10, 20], [30, 40]]
    assert len(done.seconds["proc"]) == 10


def test_a_captured_stream_may_be_the_chunks(shared_data: Path) -> None:
    """Events of its real banks, as counted by the one who captured it, less those between runs at the end."""
    done = run_scripts(chunks=shared_data / "adara-server" / "run.adara", method="Append")
    assert isinstance(done.output, MatrixWorkspace)
    assert done.output.number_events() > 0


def test_no_chunk_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no chunk in"):
        run_scripts(chunks=[])
