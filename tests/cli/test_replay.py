"""`livereduce replay` on captured and written streams; counts are those of the capture's own account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from livereduce.algorithms import load_nexus_processed
from livereduce.cli.main import cli
from livereduce.workspaces import MatrixWorkspace

REBIN = "output = Rebin(input, '0,10,20', PreserveEvents=False)\n"


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


def ledger(found: Result) -> dict[str, Any]:
    last: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return last


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """210 counts of run 42 in a NeXus file."""
    path = tmp_path / "counts.nxs"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["run_number"] = 42
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        data["counts"] = np.array([[10, 20], [80, 100]], np.int32)
        data["counts"].attrs.update(signal=1, axes="detector:time_of_flight")
        data["time_of_flight"] = np.array([0.0, 10.0, 20.0])
        data["time_of_flight"].attrs["units"] = "us"
    return path


def written(path: Path) -> list[list[float]]:
    found = load_nexus_processed(path)
    assert isinstance(found, MatrixWorkspace)
    values: list[list[float]] = found.y.tolist()
    return values


@pytest.mark.parametrize("update_every", [1, 7, 1000])
def test_a_file_goes_through_the_scripts_and_the_result_of_its_run_is_written(
    tmp_path: Path, counts: Path, update_every: int
) -> None:
    proc, post = tmp_path / "proc.py", tmp_path / "post.py"
    proc.write_text(REBIN)
    post.write_text("output = Scale(input, 10)\nprint('scaled')\n")
    found = replay(counts, "--proc", proc, "--post", post, "--out", tmp_path / "out", "--update-every", update_every)
    assert (found.exit_code, found.stderr.count("wrote ")) == (0, 1)
    assert written(tmp_path / "out" / "result_42.nxs") == [[100, 200], [800, 1000]]
    run = ledger(found)["runs"][0]
    assert (run["run"], run["events"], run["accumulated"], run["complete"]) == (42, 210, 210, True)
    assert "scaled" in found.stderr
    assert len(found.stdout.splitlines()) == 1


def test_methods_and_dropped_events_are_as_in_the_configuration(tmp_path: Path, counts: Path) -> None:
    proc = tmp_path / "proc.py"
    proc.write_text("assert input.id() == 'EventWorkspace'\noutput = Rebin(input, '0,10,20')\n")
    post = tmp_path / "post.py"
    post.write_text("assert input.id() == 'Workspace2D'\noutput = input\n")
    found = replay(
        counts, "--proc", proc, "--post", post, "--drop-events", "--accum-method", "append", "--update-every", 60,
        "--out", tmp_path,
    )  # fmt: skip
    assert found.exit_code == 0
    rows = np.array(written(tmp_path / "result_42.nxs"))
    # 100 parts of a second each fall into two updates: 60 parts and 40
    assert rows.shape == (4, 2)
    assert rows.reshape(2, 2, 2).sum(axis=0).tolist() == [[10, 20], [80, 100]]


def test_a_script_that_fails_is_told_with_its_line_and_the_data_are_accounted_for(tmp_path: Path, counts: Path) -> None:
    proc = tmp_path / "proc.py"
    proc.write_text("x = 1\nx / 0\n")
    found = replay(counts, "--proc", proc)
    assert found.exit_code == 1
    assert f"{proc}:2: ZeroDivisionError: division by zero" in found.stderr
    assert "proc failed " in found.stderr
    run = ledger(found)["runs"][0]
    assert (run["events"], run["accumulated"], run["pending"]) == (210, 0, 210)


def test_a_script_that_does_not_compile_and_a_file_that_is_none_end_with_one_line(tmp_path: Path, counts: Path) -> None:
    proc = tmp_path / "proc.py"
    proc.write_text("x = (\n")
    found = replay(counts, "--proc", proc)
    assert (found.exit_code, found.stdout) == (1, "")
    assert f"{proc}:1: '(' was never closed" in found.stderr
    found = replay(proc)
    assert found.exit_code == 1
    assert "neither an ADARA stream nor a NeXus" in found.stderr


@pytest.mark.parametrize("name", ["now", "run", "mid1", "pause"])
def test_captured_streams_are_accounted_for_as_their_own_account_says(shared_data: Path, name: str) -> None:
    folder = shared_data / "adara-server"
    expected = json.loads((folder / "expected.json").read_text())[name]
    found = replay(folder / expected["file"], "--update-every", 5)
    assert found.exit_code == 0
    told = [*ledger(found)["runs"], ledger(found)["between_runs"]]
    assert sum(a["events"] + a["paused_events"] for a in told) == expected["events_in_real_banks"]
    assert sum(a["pulses"] for a in told) == expected["pulses"]
    assert sum(a["charge_pC"] for a in told) == expected["sum_charge_10pC"] * 10
