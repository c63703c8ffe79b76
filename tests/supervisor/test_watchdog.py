import os
from dataclasses import replace
from pathlib import Path

import pytest

from livereduce import status
from livereduce.config import Config, from_mapping
from livereduce.status import Heartbeat
from livereduce.supervisor.watchdog import Restarts, judge, look, threshold_s

S = 1_000_000_000
BEAT = Heartbeat(pid=7, written_ns=1000 * S, started_ns=0)


def config_of(tmp_path: Path, **more: object) -> Config:
    folders = {key: str(tmp_path) for key in ("script_dir", "state_dir", "runtime_dir")}
    return from_mapping({"instrument": "POWGEN"} | folders | more)


@pytest.mark.parametrize(
    ("age_s", "alive", "stopping", "well", "word"),
    [
        (1, True, False, True, "alive"),
        (299, True, False, True, "alive"),
        (301, True, False, False, "hangs in mid-work"),
        (301, True, True, False, "hangs while it was stopping"),
        (5, False, False, True, "gone"),
        (301, False, False, False, "gone"),
        (9999, False, True, True, "stopped on purpose"),
    ],
)
def test_a_session_is_judged_by_the_age_of_its_heartbeat(
    age_s: int, alive: bool, stopping: bool, well: bool, word: str
) -> None:
    verdict = judge(replace(BEAT, stopping=stopping), (1000 + age_s) * S, 300.0, alive=alive)
    assert verdict.well is well
    assert word in verdict.why


def test_a_session_that_was_never_started_is_not_well() -> None:
    assert not judge(None, 0, 300.0, alive=False).well


@pytest.mark.parametrize(
    ("update_every", "threshold", "expected"), [(30, 300, 300.0), (300, 300, 900.0), (0.5, 20, 20.0)]
)
def test_the_threshold_is_never_less_than_three_updates(
    tmp_path: Path, update_every: float, threshold: float, expected: float
) -> None:
    config = config_of(tmp_path, update_every=update_every, watchdog={"threshold": threshold})
    assert threshold_s(config) == expected


def test_a_living_session_is_well_and_says_what_it_does(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert not look(config, 1000 * S).well
    mine = replace(BEAT, pid=os.getpid())
    (tmp_path / "heartbeat.json").write_bytes(status.HEARTBEAT.dump_json(mine))
    verdict = look(config, 1001 * S)
    assert verdict.well
    assert "starting: The reduction is starting." in verdict.why
    assert "hangs" in look(config, 2000 * S).why


def test_restarts_are_at_least_the_threshold_apart_and_five_an_hour_at_most() -> None:
    restarts = Restarts(300.0)
    assert [restarts.allowed(t) for t in (0.0, 299.0, 301.0)] == [True, False, True]
    assert [restarts.allowed(1000.0 + 400 * n) for n in range(5)] == [True, True, True, False, False]
    assert restarts.allowed(3601.0)
