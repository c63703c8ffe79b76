"""A new beginning for sources that have no journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from livereduce.config import Config, from_mapping
from livereduce.mantid.api import mtd
from livereduce.reducer.cycle import Cycle
from livereduce.reducer.health import Reporter


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Any]:
    """``configured(listener=..., ...)`` with folders of its own."""
    for name in ("scripts", "runtime", "state"):
        (tmp_path / name).mkdir()

    def make(**options: Any) -> Config:
        folders = {f"{name}_dir": str(tmp_path / name) for name in ("state", "runtime")}
        return from_mapping(
            {
                "instrument": "POWGEN", "address": "127.0.0.1:1", "script_dir": str(tmp_path / "scripts"),
                "log": {"file": str(tmp_path / "log")}, **folders, **options,
            }
        )  # fmt: skip

    yield make
    mtd.clear()


def begun(config: Config) -> Cycle:
    return Cycle(config, Reporter(config.runtime_dir / "reducer.json"))


def manifest(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((config.runtime_dir / "snapshot" / "manifest.json").read_bytes())
    return found


def test_a_source_of_its_own_data_begins_anew_and_shows_nothing(configured: Any) -> None:
    config = configured(listener="fake")
    cycle = begun(config)
    cycle.clear()
    cycle.close()
    assert manifest(config)["workspaces"] == []


def one_event_a_pulse(path: Path) -> Path:
    """Eight pulses, 1 s apart, with one event each."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["run_number"] = "7"
        entry["start_time"] = "2026-01-01T00:00:00"
        bank = entry.create_group("bank1_events")
        bank.attrs["NX_class"] = "NXevent_data"
        bank["event_id"] = [1] * 8
        bank["event_index"] = range(8)
        bank["event_time_offset"] = [1000.0] * 8
        bank["event_time_offset"].attrs["units"] = "microsecond"
        bank["event_time_zero"] = [float(i) for i in range(8)]
        bank["event_time_zero"].attrs.update({"units": "second", "offset": "2026-01-01T00:00:00"})
    return path


def test_what_was_read_of_a_file_is_forgotten_and_the_rest_taken(configured: Any, tmp_path: Path) -> None:
    config = configured(
        listener="file", stream={"file": str(one_event_a_pulse(tmp_path / "run.nxs")), "file_chunks": 4}
    )
    cycle = begun(config)
    cycle.monitor.turn(0.0)  # the first of four parts: two events
    assert cycle.monitor.builder.account.accumulated == 2
    cycle.close()
    mtd.clear()
    cycle = begun(config)
    cycle.clear()
    for now in range(1, 1000, 100):
        cycle.monitor.turn(float(now))
    (account,) = cycle.monitor.builder.ledger.as_json()["runs"]
    cycle.close()
    assert (account["dropped"], account["accumulated"], account["events"]) == ({"cleared": 2}, 6, 8)
