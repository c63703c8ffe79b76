"""`livereduce.connect` and `livereduce status` against a page served on the loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from click.testing import CliRunner
from numpy.testing import assert_array_equal

import livereduce
from livereduce import config, status
from livereduce.cli.main import cli
from livereduce.errors import LiveReduceError
from livereduce.status import RecorderHealth, ReducerHealth, Stage
from livereduce.web.app import create_app

pytestmark = pytest.mark.system


def write(folder: Path, version: int, factor: float) -> dict[str, np.ndarray[Any, Any]]:
    arrays = {"x": np.arange(4.0), "y": np.arange(6.0).reshape(2, 3) * factor, "e": np.ones((2, 3)) * factor}
    snapshot = folder / "snapshot"
    snapshot.mkdir(parents=True, exist_ok=True)
    files = {part: f"{version}.{part}.npy" for part in arrays}
    for part, array in arrays.items():
        np.save(snapshot / files[part], array)
    entry = {"name": "a result", "kind": "EventWorkspace", "version": version, "shape": [2, 3], "x_unit": "Å",
             "spectra": [0, 1], "files": files, "truncated": False, "title": "Si"}  # fmt: skip
    beside = snapshot / "manifest.tmp"
    beside.write_text(json.dumps({"version": version, "run": 7, "workspaces": [entry]}))
    beside.replace(snapshot / "manifest.json")
    return arrays


def write_health(folder: Path) -> None:
    now = time.time_ns()
    recorder = RecorderHealth(pid=1, written_ns=now, started_ns=now, state="connected", address="h:1", connection=1,
                              last_receive_ns=now)  # fmt: skip
    account = {"run": 7, "events": 5, "accumulated": 5, "dropped": {}, "pending": 0, "duplicates": 0, "missing": [],
               "state": "running"}  # fmt: skip
    reducer = ReducerHealth(pid=2, written_ns=now, stage=Stage.IDLE, stage_since_ns=now, run=7, run_state="running",
                            events=5, event_rate=10.0, ledger={"runs": [account], "between_runs": {}})  # fmt: skip
    (folder / "recorder.json").write_bytes(status.RECORDER.dump_json(recorder))
    (folder / "reducer.json").write_bytes(status.REDUCER.dump_json(reducer))


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def runtime_dir(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def url(tmp_path: Path, runtime_dir: Path) -> Iterator[str]:
    settings = {"instrument": "POWGEN", "state_dir": str(tmp_path), "runtime_dir": str(runtime_dir)}
    app = create_app(config.from_mapping(settings), token="t")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_values_come_as_they_were_written(url: str, runtime_dir: Path) -> None:
    arrays = write(runtime_dir, 3, 1.0)
    live = livereduce.connect(url)
    assert [w["name"] for w in live.workspaces()] == ["a result"]
    found = live.get("a result")
    assert_array_equal(found.x, arrays["x"])
    assert_array_equal(found.y, arrays["y"])
    assert_array_equal(found.e, arrays["e"])
    assert (found.version, found.run, found.x_unit, found.spectra) == (3, 7, "Å", (0, 1))


def test_a_workspace_is_all_of_one_version_while_it_changes(url: str, runtime_dir: Path) -> None:
    write(runtime_dir, 1, 1.0)
    live = livereduce.connect(url)
    done = threading.Event()

    def change() -> None:
        version = 1
        while not done.wait(0.01):
            version += 1
            write(runtime_dir, version, float(version))

    writer = threading.Thread(target=change)
    writer.start()
    try:
        seen = [live.get("a result")]
        deadline = time.monotonic() + 20
        while seen[-1].version <= seen[0].version + 5:
            assert time.monotonic() < deadline
            seen.append(live.get("a result"))
    finally:
        done.set()
        writer.join()
    for found in seen:
        assert_array_equal(found.y, np.arange(6.0).reshape(2, 3) * found.version)
        assert_array_equal(found.e, np.ones((2, 3)) * found.version)


def test_a_name_that_is_not_there_lists_those_that_are(url: str, runtime_dir: Path) -> None:
    write(runtime_dir, 1, 1.0)
    with pytest.raises(LiveReduceError, match="no workspace 'resutl'; there are: a result"):
        livereduce.connect(url).get("resutl")


def test_the_command_line_says_status_and_ledger(url: str, runtime_dir: Path) -> None:
    write_health(runtime_dir)
    text = CliRunner().invoke(cli, ["status", "--url", url])
    assert text.exit_code == 0
    assert text.output.startswith("POWGEN: running\nRun 7 is being reduced: 10 events/s.\n")
    assert json.loads(CliRunner().invoke(cli, ["status", "--url", url, "--json"]).output)["events"] == 5
    assert json.loads(CliRunner().invoke(cli, ["ledger", "--url", url, "--json"]).output)["runs"][0]["run"] == 7
    assert "1001" not in CliRunner().invoke(cli, ["ledger", "--url", url]).output


def test_when_nobody_answers_the_exit_code_is_1() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        found = CliRunner().invoke(cli, ["status", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}"])
    assert found.exit_code == 1
    assert "nothing answers at http://127.0.0.1" in found.stderr
