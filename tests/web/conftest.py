"""A snapshot folder written with plain numpy, and a way to ask the application without a server."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from livereduce import config, status
from livereduce.status import Heartbeat, LogValue, RecorderHealth, ReducerHealth, Stage

SECOND = 1_000_000_000
NOW = 1_772_366_400 * SECOND


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return (gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body).decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Ask = Callable[..., Answer]


@pytest.fixture
def ask() -> Ask:
    """``ask(app, "/path?query", method="GET", **headers)`` -> `Answer`."""

    def asked(app: Starlette, url: str, method: str = "GET", **headers: str) -> Answer:
        path, _, query = url.partition("?")
        sent: list[Any] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
        }  # fmt: skip

        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not requests:
                await asyncio.Event().wait()  # this client never hangs up
            return requests.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        start = next(m for m in sent if m["type"] == "http.response.start")
        body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body)

    return asked


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    """POWGEN with all its folders below the test's own."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "reduce_PG3_live_proc.py").write_text("output = input\n")
    return config.from_mapping(
        {
            "instrument": "POWGEN",
            "script_dir": str(scripts),
            "state_dir": str(tmp_path / "state"),
            "runtime_dir": str(tmp_path / "run"),
            "log": {"file": str(tmp_path / "livereduce.log")},
        },
        environ={},
    )


@dataclass
class Snapshot:
    """Writes what recorder, reducer and supervisor write."""

    folder: Path
    version: int = 0

    def health(self, **reducer: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        records = {
            "recorder.json": status.RECORDER.dump_json(
                RecorderHealth(
                    pid=10, written_ns=NOW - SECOND // 2, started_ns=NOW - 3600 * SECOND, state="connected",
                    address="bl11a-daq1.sns.gov:31415", connection=1, last_receive_ns=NOW - SECOND // 4,
                    bytes=5_000_000, packets=1234, reconnects=2,
                )
            ),
            "reducer.json": status.REDUCER.dump_json(
                ReducerHealth(
                    **{
                        "pid": 11, "written_ns": NOW - SECOND, "stage": Stage.IDLE, "stage_since_ns": NOW - SECOND,
                        "run": 1001, "run_start_ns": NOW - 600 * SECOND, "run_state": "running", "events": 12_345_678,
                        "event_rate": 250_000.0, "charge_rate_pC": 1e9, "charge_pC": 6e11, "pulses": 36_000,
                        "chunks": 7, "newest_data_ns": NOW - 2 * SECOND, "result_ns": NOW - 4 * SECOND,
                        "latency": {"proc": 0.5, "post": 0.25}, "logs": {"temperature": LogValue(293.5, "K", NOW)},
                        "ledger": {
                            "runs": [
                                {"run": 1000, "dropped": {"unmapped": 1}}, {"run": 1001, "dropped": {"unmapped": 5}},
                            ],
                            "between_runs": {},
                        },
                        "story": ("new run 1001",), **reducer,
                    }
                )
            ),
            "heartbeat.json": status.HEARTBEAT.dump_json(
                Heartbeat(pid=1, written_ns=NOW, started_ns=NOW - 3600 * SECOND, restarts=1, memory_bytes=1 << 30)
            ),
        }  # fmt: skip
        for name, data in records.items():
            (self.folder / name).write_bytes(data)

    def write(self, *workspaces: dict[str, Any]) -> None:
        """Write one snapshot; each workspace gives its entry, and its arrays under ``arrays``."""
        self.version += 1
        folder = self.folder / "snapshot"
        folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for given in workspaces:
            arrays = given.pop("arrays")
            names = {part: f"{given['name']}.{self.version}.{part}.npy" for part in arrays}
            for part, array in arrays.items():
                np.save(folder / names[part], array)
            entries.append({"version": self.version, "files": names, "truncated": False} | given)
        manifest = {
            "version": self.version, "written_ns": NOW, "run": 1001, "workspaces": entries,
            "left_out": [{"name": "huge", "why": "beyond the 20 newest"}],
        }  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def snapshot(settings: config.Config) -> Snapshot:
    """A folder with the health of a good run and nothing to see yet."""
    written = Snapshot(settings.runtime_dir)
    written.health()
    return written


@pytest.fixture
def result() -> dict[str, Any]:
    """Two spectra of three bins."""
    return {
        "name": "result",
        "kind": "HistogramWorkspace",
        "shape": [2, 3],
        "x_unit": "Å",
        "x_label": "d-Spacing",
        "y_unit": "counts",
        "title": "silicon",
        "run": 1001,
        "spectra": [0, 1],
        "role": "result",
        "event_count": None,
        "arrays": {
            "x": np.array([1.0, 2.0, 3.0, 4.0]),
            "y": np.array([[4.0, 9.0, 16.0], [1.0, np.nan, 25.0]]),
            "e": np.array([[2.0, 3.0, 4.0], [1.0, 0.0, 5.0]]),
        },
    }
