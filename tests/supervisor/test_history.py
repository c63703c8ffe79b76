import logging
from pathlib import Path
from typing import Any

import pytest

from livereduce.status import ReducerHealth, Stage, Status, describe, history
from livereduce.supervisor.history import HistoryWriter

NOW = 1_700_000_000_000_000_000


def said(**reducer: Any) -> Status:
    health = ReducerHealth(
        pid=1, written_ns=NOW, stage=Stage.IDLE, stage_since_ns=NOW, chunks=1, run=7, run_state="running", **reducer
    )
    return describe(None, health, NOW, needs_recorder=False)


def test_the_rates_are_written_every_ten_seconds(tmp_path: Path) -> None:
    writer = HistoryWriter(tmp_path)
    for now in (100.0, 101.0, 109.9, 110.0, 121.0):
        writer.note(now, lambda now=now: said(event_rate=now * 1e3, charge_rate_pC=None))  # type: ignore[misc]
    expected = [(1.7e9, 7, 100e3, None), (1.7e9, 7, 110e3, None), (1.7e9, 7, 121e3, None)]
    assert [tuple(rates) for rates in history.read(tmp_path)] == expected


def test_nothing_is_known_of_the_rates_while_nothing_comes(tmp_path: Path) -> None:
    lost = said(event_rate=5e4, charge_rate_pC=1e9, source_error="refused", source_lost_since_ns=NOW - 60_000_000_000)
    assert lost.state == "source lost"
    HistoryWriter(tmp_path).note(0.0, lambda: lost)
    assert history.read(tmp_path)[0][1:] == (7, None, None)


def test_only_a_day_is_kept_and_it_is_carried_on_by_the_next_process(tmp_path: Path) -> None:
    lines = (f"[{i}, 1, 2.0, 3.0]\n" for i in range(20_000))
    (tmp_path / history.FILE).write_text("".join(lines))
    HistoryWriter(tmp_path).note(0.0, lambda: said(event_rate=1.0))
    assert len((tmp_path / history.FILE).read_text().splitlines()) == 8641
    found = history.read(tmp_path)
    assert (len(found), found[0].time_s, found[-2].time_s, found[-1].time_s) == (8640, 11_361.0, 19_999.0, 1.7e9)


def test_damaged_lines_are_passed_over() -> None:
    good = history.Rates(5.0, 1, 2.5, None)
    lines = ["", "[1, 2", "[1, 2, 3]", '["a", 1, 2, 3]', "7", "\0\0", "{}", history.line(good)]
    assert history.parse(lines) == [good]


def test_a_full_disk_is_said_once_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = HistoryWriter(tmp_path / "missing")
    with caplog.at_level(logging.ERROR):
        for now in (0.0, 10.0, 20.0):
            writer.note(now, said)
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "rates are not kept: No such file or directory"
    ]
    (tmp_path / "missing").mkdir()
    writer.note(30.0, said)
    assert len(history.read(tmp_path / "missing")) == 1
