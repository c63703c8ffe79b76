from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from livereduce import status
from livereduce.status import Heartbeat, LogValue, RecorderHealth, ReducerHealth, ScriptProblem, Stage, State

SECOND = 1_000_000_000
NOW = 1_772_366_400 * SECOND

RECORDER = RecorderHealth(
    pid=10,
    written_ns=NOW - SECOND // 2,
    started_ns=NOW - 3600 * SECOND,
    state="connected",
    address="bl11a-daq1.sns.gov:31415",
    connection=1,
    connected_since_ns=NOW - 3599 * SECOND,
    last_receive_ns=NOW - SECOND // 60,
    bytes=5_000_000,
    packets=1000,
    run=1001,
)
REDUCER = ReducerHealth(
    pid=11,
    written_ns=NOW - SECOND,
    stage=Stage.IDLE,
    stage_since_ns=NOW - SECOND,
    run=1001,
    run_state="running",
    events=12_345_678,
    event_rate=250_000.0,
    charge_rate_pC=1e9,
    chunks=7,
    newest_data_ns=NOW - 2 * SECOND,
    result_ns=NOW - 4 * SECOND,
    latency={"proc": 0.5, "post": 0.25},
)


def described(
    recorder: dict[str, Any] | None = None, reducer: dict[str, Any] | None = None, **more: Any
) -> status.Status:
    return status.describe(replace(RECORDER, **recorder or {}), replace(REDUCER, **reducer or {}), NOW, **more)


def test_a_run_that_comes_in_is_running_with_its_rate_and_ages() -> None:
    found = described(instrument="POWGEN")
    assert (found.state, found.sentence) == ("running", "Run 1001 is being reduced: 250,000 events/s.")
    assert found.also == ()
    assert (found.data_age_s, found.result_age_s) == (2.0, 4.0)
    assert found.received_age_s == pytest.approx(1 / 60, abs=1e-6)
    assert (found.instrument, found.run, found.events, found.address) == (
        "POWGEN", 1001, 12_345_678, "bl11a-daq1.sns.gov:31415",
    )  # fmt: skip


def test_joining_a_run_while_it_goes_on_is_said() -> None:
    found = described(reducer={"run_state": "joined in mid-run"})
    assert found.state is State.RUNNING
    assert "joined while it was going on" in found.sentence


@pytest.mark.parametrize("run_state", ["unknown", "between runs"])
def test_without_a_run_it_waits_even_though_data_come(run_state: str) -> None:
    assert described(reducer={"run_state": run_state, "run": 0}).state == "waiting for run"


def test_a_paused_run_is_paused_although_no_neutrons_come() -> None:
    found = described(reducer={"paused": True, "event_rate": 0.0, "charge_rate_pC": 0.0})
    assert (found.state, found.sentence) == ("paused", "Run 1001 is paused.")
    assert found.also == ("Run 1001: data come, but without neutrons.",)


def test_pulses_without_events_and_charge_mean_beam_off() -> None:
    assert described(reducer={"event_rate": 0.0, "charge_rate_pC": 0.0}).state == "beam off"
    assert described(reducer={"event_rate": 0.0, "charge_rate_pC": None}).state == "beam off"


def test_beam_without_neutrons_on_the_detectors_is_not_beam_off() -> None:
    assert described(reducer={"event_rate": 0.0, "charge_rate_pC": 1e9}).state == "running"
    assert described(reducer={"event_rate": None, "charge_rate_pC": None}).state == "running"


def test_half_a_minute_of_silence_on_a_good_connection_is_beam_off() -> None:
    assert described(recorder={"last_receive_ns": NOW - 29 * SECOND}).state == "running"
    found = described(recorder={"last_receive_ns": NOW - 31 * SECOND})
    assert (found.state, found.sentence) == (
        "beam off",
        "Run 1001: nothing has come for 31 s, the connection is up.",
    )


def test_a_lost_connection_is_named_with_its_cause_and_duration() -> None:
    found = described(recorder={"state": "waiting", "error": "connection refused", "lost_since_ns": NOW - 135 * SECOND})
    assert (found.state, found.sentence) == (
        "source lost",
        "No connection to bl11a-daq1.sns.gov:31415 for 2 min: connection refused. Trying again.",
    )


def test_a_recorder_that_stopped_reporting_is_a_lost_source() -> None:
    assert described(recorder={"written_ns": NOW - 10 * SECOND}).state == "running"
    found = described(recorder={"written_ns": NOW - 11 * SECOND})
    assert (found.state, found.sentence) == (
        "source lost",
        "The recorder has not reported for 11 s; it is being restarted.",
    )


def test_the_first_attempt_to_connect_is_starting_and_a_refused_one_a_lost_source() -> None:
    first = {"state": "connecting", "connection": 0}
    assert described(recorder=first).state == "starting"
    assert described(recorder=first | {"error": "no such host"}).state == "source lost"


def test_before_the_children_report_it_is_starting() -> None:
    assert status.describe(None, None, NOW).state == "starting"
    assert status.describe(RECORDER, None, NOW).state == "starting"
    assert status.describe(None, REDUCER, NOW).state == "starting"


def test_compiling_is_starting_with_the_time_it_takes() -> None:
    found = described(reducer={"stage": Stage.COMPILING, "stage_since_ns": NOW - 8 * SECOND})
    assert (found.state, found.sentence) == (
        "starting",
        "The reduction is compiling for this machine, for 8.0 s now.",
    )


def test_a_source_the_reducer_reads_needs_no_recorder() -> None:
    assert status.describe(None, REDUCER, NOW, needs_recorder=False).state == "running"
    lost = replace(REDUCER, source_error="NDXGEM:6789 does not answer", source_lost_since_ns=NOW - 60 * SECOND)
    found = status.describe(None, lost, NOW, needs_recorder=False)
    assert (found.state, found.sentence) == (
        "source lost",
        "No data from the source for 60 s: NDXGEM:6789 does not answer. Trying again.",
    )


def test_a_polled_source_may_be_silent_for_three_updates() -> None:
    old = replace(REDUCER, newest_data_ns=NOW - 89 * SECOND)
    assert status.describe(None, old, NOW, needs_recorder=False, update_every_s=30).state == "running"
    older = replace(REDUCER, newest_data_ns=NOW - 91 * SECOND)
    assert status.describe(None, older, NOW, needs_recorder=False, update_every_s=30).state == "beam off"


PROBLEM = ScriptProblem(
    stage="proc",
    file="/SNS/PG3/shared/livereduce/reduce_PG3_live_proc.py",
    line=12,
    message="NameError: name 'Rebim' is not defined",
    count=3,
    since_ns=NOW - 90 * SECOND,
)


def test_a_script_error_says_file_line_and_message() -> None:
    found = described(reducer={"script_error": PROBLEM})
    assert found.state == "script error"
    assert found.sentence == (
        "reduce_PG3_live_proc.py line 12: NameError: name 'Rebim' is not defined "
        "(failing 3 times in a row, for 90 s). Data are kept; save a corrected script to go on."
    )


def test_an_edit_that_is_not_used_is_a_script_error_even_before_there_is_a_reducer() -> None:
    refused = replace(PROBLEM, message="invalid syntax; data are recorded meanwhile", count=1)
    beat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, script_refused=refused)
    found = status.describe(RECORDER, None, NOW, heartbeat=beat)
    assert (found.state, found.script_error) == ("script error", refused)
    assert found.sentence == (
        "reduce_PG3_live_proc.py line 12: invalid syntax; data are recorded meanwhile. "
        "Save a corrected script to go on."
    )
    assert described(heartbeat=beat).state == "script error"


def test_an_edit_that_is_not_used_is_shown_before_the_error_of_the_version_in_use() -> None:
    refused = replace(PROBLEM, message="invalid syntax; the version before it stays in use", count=1)
    beat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, script_refused=refused)
    assert described(reducer={"script_error": PROBLEM}, heartbeat=beat).script_error == refused
    assert described(reducer={"script_error": PROBLEM}).script_error == PROBLEM


def test_what_is_wrong_with_the_version_in_use_is_said_beside_the_edit_that_is_not_used() -> None:
    refused = replace(
        PROBLEM, line=4, message="invalid syntax; the version before it stays in use", since_ns=0, count=1
    )
    post = replace(
        PROBLEM, stage="post", file="/s/reduce_PG3_live_post_proc.py", line=7, message="KeyError: x", count=1
    )
    beat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, reducer_pid=11, script_refused=refused)
    found = described(reducer={"script_error": PROBLEM, "further_errors": (post,)}, heartbeat=beat)
    assert (found.script_error, found.further_errors) == (refused, (PROBLEM, post))
    assert found.sentence == (
        "reduce_PG3_live_proc.py line 4: invalid syntax; the version before it stays in use. "
        "Save a corrected script to go on."
    )
    assert found.also == (
        "The version in use, reduce_PG3_live_proc.py line 12: NameError: name 'Rebim' is not defined "
        "(failing 3 times in a row, for 90 s). Data are kept; save a corrected script to go on.",
        "reduce_PG3_live_post_proc.py line 7: KeyError: x (failing for 90 s). "
        "Data are kept; save a corrected script to go on.",
    )


def test_where_no_reducer_may_run_what_the_last_one_said_of_scripts_is_over() -> None:
    beat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, script_refused=replace(PROBLEM, message="died twice"))
    found = described(reducer={"script_error": PROBLEM}, heartbeat=beat)
    assert (found.further_errors, found.also) == ((), ())


def test_a_version_that_gave_way_to_the_one_before_it_is_not_said_to_go_on_failing() -> None:
    gave_way = replace(PROBLEM, message="NameError: x; the version before it stays in use", count=1, since_ns=0)
    assert described(reducer={"script_error": gave_way}).sentence == (
        "reduce_PG3_live_proc.py line 12: NameError: x; the version before it stays in use. "
        "Save a corrected script to go on."
    )


def test_a_reducer_that_gets_no_further_is_said_to_fail_while_it_is_not_running() -> None:
    why = "the reducer ended again and again without getting further, lastly while idle (exit code 1)"
    beat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, resting=why, resting_until_ns=NOW + 300 * SECOND)
    dead = {"stage": Stage.COMPILING, "reprocess_percent": 3.0}
    found = described(reducer=dead, heartbeat=beat)
    assert found.state == "reducer failing"
    assert found.sentence == (
        "The reducer ended again and again without getting further, lastly while idle (exit code 1); data are recorded "
        "meanwhile. It is tried again in 5 min, or when a script is saved or a restart is asked for."
    )
    assert found.also == ()
    tried = replace(beat, reducer_pid=11, resting="", resting_until_ns=None)
    assert described(reducer=dead, heartbeat=tried).state == "reprocessing"


def test_several_conditions_are_all_told_the_most_important_first() -> None:
    found = described(
        recorder={"state": "waiting", "error": "connection reset", "lost_since_ns": NOW - 5 * SECOND},
        reducer={"script_error": PROBLEM, "paused": True},
    )
    assert found.state == "source lost"
    assert len(found.also) == 2
    assert found.also[0].startswith("reduce_PG3_live_proc.py line 12")
    assert found.also[1] == "Run 1001 is paused."


def test_reading_a_run_again_says_how_far() -> None:
    found = described(reducer={"reprocess_percent": 41.6, "stage": Stage.REPROCESSING})
    assert (found.state, found.sentence) == (
        "reprocessing",
        "Reading run 1001 again from its start: 42 % done.",
    )
    found = described(reducer={"reprocess_percent": 0.0, "run": 0, "run_state": "unknown", "stage": Stage.COMPILING})
    assert (found.state, found.sentence) == ("reprocessing", "Reading the run again from its start: 0 % done.")


def test_a_script_that_runs_longer_than_an_update_is_slow_and_one_update_is_not() -> None:
    running = {"stage": Stage.POST, "stage_since_ns": NOW - 30 * SECOND}
    assert described(reducer=running, update_every_s=30).state == "running"
    found = described(reducer=running, update_every_s=29)
    assert (found.state, found.sentence) == (
        "script slow",
        "The post-processing script has been running for 30 s; updates are wanted every 29 s.",
    )


def test_scripts_that_took_too_long_last_time_are_slow_but_never_below_five_seconds() -> None:
    assert described(reducer={"latency": {"proc": 20.0, "post": 15.0}}, update_every_s=30).state == "script slow"
    assert described(reducer={"latency": {"proc": 2.0, "post": 2.9}}, update_every_s=1).state == "running"
    assert described(reducer={"latency": {"extract": 50.0}}, update_every_s=30).state == "running"


def test_stopping_goes_before_everything() -> None:
    beat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, stopping=True, restarts=2, memory_bytes=7)
    found = described(reducer={"script_error": PROBLEM}, heartbeat=beat)
    assert (found.state, found.restarts, found.memory_bytes) == ("stopping", 2, 7)


def test_clocks_that_differ_never_give_a_negative_age() -> None:
    found = described(reducer={"newest_data_ns": NOW + 5 * SECOND})
    assert found.data_age_s == 0.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"), (4.24, "4.2 s"), (35.4, "35 s"), (119, "119 s"), (720, "12 min"), (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    assert status.duration(seconds) == words


def test_every_record_survives_the_way_through_its_file() -> None:
    reducer = replace(
        REDUCER,
        script_error=PROBLEM,
        logs={"temperature": LogValue(293.5, "K", NOW), "sample": LogValue("Si")},
        ledger={"runs": [{"run": 1001, "dropped": {"unmapped": 3}}]},
        warnings=("a", "b"),
    )
    heartbeat = Heartbeat(pid=1, written_ns=NOW, started_ns=NOW, memory_limit_bytes=1 << 34)
    assert status.REDUCER.validate_json(status.REDUCER.dump_json(reducer)) == reducer
    assert status.RECORDER.validate_json(status.RECORDER.dump_json(RECORDER)) == RECORDER
    assert status.HEARTBEAT.validate_json(status.HEARTBEAT.dump_json(heartbeat)) == heartbeat


def test_a_record_of_another_version_is_read_as_far_as_it_goes_and_half_a_record_is_refused() -> None:
    data = status.REDUCER.dump_json(REDUCER)
    assert status.REDUCER.validate_json(data[:-1] + b', "new_field": 1}') == REDUCER
    with pytest.raises(ValidationError):
        status.REDUCER.validate_json(data[:-10])


def test_a_log_value_that_is_no_number_can_be_written() -> None:
    data = status.REDUCER.dump_json(replace(REDUCER, logs={"t": LogValue(float("nan"), "K")}))
    assert status.REDUCER.validate_json(data).logs["t"] == LogValue(None, "K")
