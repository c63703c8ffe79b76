import os
import signal
from pathlib import Path
from typing import Any

import pytest

from livereduce import status
from livereduce.status import RecorderHealth, ReducerHealth, ScriptUse, Stage
from livereduce.supervisor.deaths import Ban, LookCloser, Place, Skip
from livereduce.supervisor.lifeguard import Lifeguard
from livereduce.supervisor.processes import End, RestartBudget

PID = 42
SEGFAULT = End(PID, -signal.SIGSEGV, 5.0)


@pytest.fixture
def guard(tmp_path: Path) -> Lifeguard:
    return Lifeguard(tmp_path, tmp_path)


def says(guard: Lifeguard, **given: Any) -> None:
    health = ReducerHealth(**{"pid": PID, "written_ns": 1} | given)
    (guard.runtime_dir / "reducer.json").write_bytes(status.REDUCER.dump_json(health))


def in_proc(guard: Lifeguard, position: tuple[int, int] = (1, 100), **use: Any) -> None:
    says(guard, stage=Stage.PROC, position=position, scripts={"proc": ScriptUse("digest", 100.0, **use)})


def test_a_script_is_left_alone_until_ten_seconds_after_its_limit(guard: Lifeguard) -> None:
    in_proc(guard)
    assert [bool(guard.reducer_hangs(1000.0 + t, PID)) for t in (0.0, 100.0, 110.0, 110.5)] == [False] * 3 + [True]
    assert "after the limit of 100 s" in guard.reducer_hangs(1111.0, PID)


def test_the_next_run_of_a_script_has_its_full_time_again(guard: Lifeguard) -> None:
    in_proc(guard)
    guard.reducer_hangs(0.0, PID)
    says(guard, stage=Stage.PROC, stage_since_ns=7, scripts={"proc": ScriptUse("digest", 100.0)})
    assert guard.reducer_hangs(111.0, PID) == ""
    assert guard.reducer_hangs(222.0, PID) != ""


def test_a_reducer_that_is_silent_for_half_an_hour_outside_scripts_hangs(guard: Lifeguard) -> None:
    says(guard, stage=Stage.EXTRACT)
    assert [bool(guard.reducer_hangs(t, PID)) for t in (0.0, 1799.0, 1801.0)] == [False, False, True]
    os.utime(guard.runtime_dir / "reducer.json", ns=(1, 1))  # it has written again
    assert guard.reducer_hangs(1802.0, PID) == ""


def test_what_another_process_has_said_does_not_count(guard: Lifeguard) -> None:
    in_proc(guard)
    assert guard.reducer_hangs(0.0, PID + 1) == guard.reducer_hangs(1e6, PID + 1) == ""
    assert guard.reducer_died(End(PID + 1, 1, 5.0), 0.0) == (None, False)


def test_a_recorder_that_does_not_report_for_half_a_minute_hangs(guard: Lifeguard) -> None:
    assert [bool(guard.recorder_hangs(t, PID)) for t in (0.0, 29.0, 31.0)] == [False, False, True]


def test_two_deaths_in_a_script_hold_it(guard: Lifeguard) -> None:
    in_proc(guard)
    assert guard.reducer_died(SEGFAULT, 0.0) == (None, False)
    assert guard.reducer_died(SEGFAULT, 10.0) == (Ban(Stage.PROC, "digest"), False)


def test_a_script_that_has_passed_the_place_is_given_another_chance(guard: Lifeguard) -> None:
    in_proc(guard)
    guard.reducer_died(SEGFAULT, 0.0)
    in_proc(guard, position=(1, 300), passed=(1, 200))
    assert guard.reducer_died(SEGFAULT, 10.0) == (None, False)


def test_a_record_is_first_looked_for_then_skipped_and_written_down(guard: Lifeguard) -> None:
    says(guard, stage=Stage.EXTRACT, position=(1, 0))
    (guard.runtime_dir / "decoding").write_text("3 4096 0    ")
    assert guard.reducer_died(SEGFAULT, 0.0) == (LookCloser(Place(3, 4096)), False)
    (guard.runtime_dir / "decoding").write_text("3 512 1     ")
    assert guard.reducer_died(SEGFAULT, 10.0) == (Skip(Place(3, 512)), False)
    assert (guard.state_dir / "skipped").read_text() == "3:512\n"


def test_no_record_is_suspected_when_somebody_killed_the_process(guard: Lifeguard) -> None:
    says(guard, stage=Stage.REPROCESSING)
    (guard.runtime_dir / "decoding").write_text("3 512 1")
    assert guard.reducer_died(End(PID, -signal.SIGKILL, 5.0), 0.0) == (None, False)
    assert guard.reducer_died(End(PID, -signal.SIGKILL, 5.0, "it hung"), 0.0) == (Skip(Place(3, 512)), False)


def test_outside_the_decoder_no_record_is_suspected(guard: Lifeguard) -> None:
    says(guard, stage=Stage.EXTRACT)
    (guard.runtime_dir / "decoding").write_text(" " * 48)
    assert guard.reducer_died(End(PID, 1, 5.0), 0.0) == (None, False)


def test_records_that_are_fatal_one_after_the_other_are_given_up_in_the_end(guard: Lifeguard) -> None:
    guard.reducer_budget = RestartBudget(limit=5)
    says(guard, stage=Stage.EXTRACT, position=(1, 0))
    spent = []
    for n in range(5):
        (guard.runtime_dir / "decoding").write_text(f"3 {512 + n // 2} {n % 2}")
        spent.append(guard.reducer_died(SEGFAULT, 10.0 * n)[1])
    assert spent == [False, False, False, False, True]
    assert (guard.state_dir / "skipped").read_text() == "3:512\n3:513\n"


def test_a_script_that_is_held_spends_nothing(guard: Lifeguard) -> None:
    guard.reducer_budget = RestartBudget(limit=3)
    in_proc(guard)
    assert not any(guard.reducer_died(SEGFAULT, float(n))[1] for n in range(20))


def test_deaths_count_against_the_budget_unless_the_reducer_got_further(guard: Lifeguard) -> None:
    guard.reducer_budget = RestartBudget(limit=3)
    for n in range(10):
        says(guard, stage=Stage.IDLE, position=(1, 100 * (n + 1)))
        assert guard.reducer_died(SEGFAULT, float(n)) == (None, False)
    assert [guard.reducer_died(SEGFAULT, 10.0 + n)[1] for n in range(2)] == [False, True]


def test_a_long_life_counts_as_progress(guard: Lifeguard) -> None:
    guard.reducer_budget = RestartBudget(limit=2)
    says(guard, stage=Stage.IDLE, position=(1, 100))
    lives = (5.0, 5.0, 5.0, 601.0, 5.0)
    spent = [guard.reducer_died(End(PID, 1, life), 100.0 * n)[1] for n, life in enumerate(lives)]
    assert spent == [False, True, True, False, True]


def test_what_a_person_asks_for_renews_the_budget(guard: Lifeguard) -> None:
    guard.reducer_budget = RestartBudget(limit=2)
    says(guard, stage=Stage.IDLE)
    assert [guard.reducer_died(SEGFAULT, float(n))[1] for n in range(2)] == [False, True]
    guard.forget()
    assert not guard.reducer_died(SEGFAULT, 2.0)[1]


def test_a_recorder_that_receives_something_each_time_is_never_given_up(guard: Lifeguard) -> None:
    guard.recorder_budget = RestartBudget(limit=3)
    received = RecorderHealth(pid=PID, written_ns=1, started_ns=1, state="connected", address="a:1", bytes=1)
    (guard.runtime_dir / "recorder.json").write_bytes(status.RECORDER.dump_json(received))
    assert not any(guard.recorder_died(SEGFAULT, float(n)) for n in range(10))
    (guard.runtime_dir / "recorder.json").unlink()
    assert [guard.recorder_died(SEGFAULT, 10.0 + n) for n in range(2)] == [False, True]
