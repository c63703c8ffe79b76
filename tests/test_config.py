import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from livereduce import config
from livereduce.errors import ConfigError

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def write(folder: Path, settings: object) -> Path:
    path = folder / "livereduce.conf"
    path.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    return path


def resolved(**settings: Any) -> config.Config:
    return config.from_mapping({"instrument": "POWGEN"} | settings, environ={"HOME": "/home/me"}, now=NOW)


def problems(settings: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        config.from_mapping(settings, environ={}, now=NOW)
    return [problem.removeprefix("configuration: ") for problem in raised.value.problems]


def test_the_instrument_alone_is_a_complete_configuration(tmp_path: Path) -> None:
    found = config.load(write(tmp_path, {"instrument": "POWGEN"}))
    assert (found.instrument, found.short_name, found.facility) == ("POWGEN", "PG3", "SNS")
    assert (found.listener, found.address) == ("adara", "bl11a-daq1.sns.gov:31415")
    assert found.script_dir == Path("/SNS/PG3/shared/livereduce")
    assert found.time_zone == "America/New_York"
    assert (found.update_every, found.preserve_events, found.accum_method) == (30, True, "Add")
    assert (found.system_mem_limit_perc, found.mem_check_interval_sec) == (70, 1)
    assert (found.watchdog.interval, found.watchdog.threshold) == (60, 300)
    assert (found.run_transition_behavior, found.start_time, found.start_seconds) == ("Restart", "run", 1)
    assert (found.web.host, found.web.port, found.stream.buffer_events) == ("127.0.0.1", 8000, 20_000_000)
    assert found.warnings == ()


def test_a_file_of_today_works_unchanged_with_numbers_as_text(tmp_path: Path) -> None:
    found = config.load(
        write(
            tmp_path,
            {
                "instrument": "NOM",
                "script_dir": "/SNS/NOM/shared/livereduce",
                "update_every": "180",
                "preserve_events": "false",
                "accum_method": "Replace",
                "periods": [1, "3"],
                "spectra": "5-7,9",
                "system_mem_limit_perc": "25",
                "mem_check_interval_sec": "0.5",
                "CONDA_ENV": "mantid",
                "PIXI_ENV": "mantid-dev",
                "mantid_loc": "/opt/Mantid/bin",
                "post_process": "true",
                "watchdog": {"interval": "30", "threshold": "120"},
            },
        )
    )
    assert (found.instrument, found.update_every, found.preserve_events) == ("NOMAD", 180, False)
    assert (found.periods, found.spectra) == ((1, 3), (5, 6, 7, 9))
    assert (found.system_mem_limit_perc, found.mem_check_interval_sec) == (25, 0.5)
    assert (found.watchdog.interval, found.watchdog.threshold) == (30, 120)
    assert [w.rpartition(": ")[0].rpartition(": ")[2] for w in found.warnings] == [
        "CONDA_ENV",
        "PIXI_ENV",
        "mantid_loc",
    ]


def test_everything_wrong_is_said_at_once_with_what_was_found_and_expected() -> None:
    assert problems(
        {
            "instrument": "POWGAN",
            "update_every": "often",
            "accum_method": "Sum",
            "system_mem_limit_perc": 101,
            "start_time": "yesterday",
            "periods": "0",
            "listener": "SNSLiveListener",
            "watchdog": {"interval": 5},
            "web": {"port": "80.5", "token": 3},
            "stream": "fast",
        }
    ) == [
        'listener: found "SNSLiveListener", expected one of SNSLiveEventDataListener, ISISHistoDataListener, '
        "ISISLiveEventDataListener, KafkaEventListener, FileEventDataListener, FakeEventDataListener",
        'update_every: found "often", expected a valid number, unable to parse string as a number',
        "accum_method: found \"Sum\", expected 'Add', 'Replace' or 'Append'",
        'start_time: found "yesterday", expected "now", "run" or an ISO 8601 time like 2026-03-01T12:00:00Z',
        'periods: found "0", expected numbers from 1, as a list or like "1,3-5"',
        "system_mem_limit_perc: found 101, expected less than or equal to 100",
        'stream: found "fast", expected an object with keys',
        'web.port: found "80.5", expected a whole number',
        "web.token: found a value, expected a valid string",
        "watchdog.interval: found 5, expected greater than or equal to 20",
        'instrument: found "POWGAN", which is not in the table; did you mean POWGEN? If not, give address',
    ]


def test_unknown_keys_are_ignored_and_reported_with_the_nearest() -> None:
    found = resolved(updateEvery=30, port=9000, web={"prot": 1}, xyzzy=None)
    assert found.warnings == (
        "configuration: updateEvery: unknown key, ignored; did you mean update_every?",
        "configuration: port: unknown key, ignored; did you mean web.port?",
        "configuration: xyzzy: unknown key, ignored",
        "configuration: web.prot: unknown key, ignored; did you mean web.port?",
    )


def test_misspelt_keys_are_told_with_what_is_wrong_since_they_may_be_what_is_missing() -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_mapping({"instrument": "DEMO-POW", "listner": "adara", "address": "127.0.0.1:1"})
    assert caught.value.problems[-1] == "configuration: listner: unknown key, ignored; did you mean listener?"
    assert len(caught.value.problems) == 2


def test_a_missing_instrument_is_an_error() -> None:
    assert problems({}) == ["instrument: missing; expected a value"]
    assert problems({"instrument": ""})[0].startswith('instrument: found "", expected')


def test_an_instrument_outside_the_table_needs_listener_and_address() -> None:
    assert problems({"instrument": "ZZTOP9"}) == [
        'instrument: found "ZZTOP9", which is not in the table; give listener and address'
    ]
    found = config.from_mapping(
        {"instrument": "ZZTOP9", "listener": "SNSLiveEventDataListener", "address": "127.0.0.1:31415"}, environ={}
    )
    assert (found.instrument, found.short_name, found.listener) == ("ZZTOP9", "ZZTOP9", "adara")
    assert (found.facility, found.time_zone) == ("", "UTC")


def test_an_instrument_without_live_data_says_so() -> None:
    assert problems({"instrument": "BASIS"}) == [
        "instrument: BASIS has no live connection in the table; give listener and address"
    ]


def test_a_named_connection_is_chosen_and_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(ConfigError, match="found KafkaEventListener; this version cannot read Kafka streams yet"):
        resolved(instrument="MARI")
    assert resolved(instrument="MARI", connection="histo").address == "NDXMARI:6789"
    assert problems({"instrument": "MARI", "connection": "events"}) == [
        'connection: found "events", expected one of MARI\'s: kafka_event, histo'
    ]


def test_listener_and_address_override_the_table_one_by_one() -> None:
    found = resolved(address="127.0.0.1:31415")
    assert (found.listener, found.address) == ("adara", "127.0.0.1:31415")
    assert problems({"instrument": "POWGEN", "address": "127.0.0.1"}) == [
        'address: found "127.0.0.1", expected host:port'
    ]


def test_a_histogram_source_is_never_added_up() -> None:
    assert resolved(instrument="GEM").accum_method == "Replace"
    assert resolved(instrument="GEM", accum_method="Append").accum_method == "Append"
    assert problems({"instrument": "GEM", "accum_method": "add"}) == [
        'accum_method: found "Add" with a histogram source, whose reads are totals; expected "Replace"'
    ]


def test_an_unknown_facility_lists_the_known_ones() -> None:
    assert problems({"instrument": "POWGEN", "facility": "NIST"}) == [
        'facility: found "NIST", expected one of ISIS, HFIR, SNS, HZB, ESS, TEST_LIVE'
    ]


@pytest.mark.parametrize(
    ("given", "kept", "seconds"),
    [
        ("now", "now", 0),
        ("Run", "run", 1),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:00+00:00", 1772366400),
        ("2026-03-01T07:00:00-05:00", "2026-03-01T12:00:00+00:00", 1772366400),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00", 1772366400),
    ],
)
def test_start_times_are_kept_in_utc(given: str, kept: str, seconds: int) -> None:
    found = resolved(start_time=given)
    assert (found.start_time, found.start_seconds) == (kept, seconds)


def test_a_start_time_in_the_future_means_now_and_is_reported() -> None:
    found = resolved(start_time="2026-11-24T00:00:00Z")
    assert found.start_time == "now"
    assert found.warnings == ("configuration: start_time: 2026-11-24T00:00:00+00:00 is in the future; now is used",)


@pytest.mark.parametrize("given", [20000000, 2e7, "20000000", "2e7"])
def test_whole_numbers_are_read_however_they_are_written(given: object) -> None:
    assert resolved(stream={"buffer_events": given}).stream.buffer_events == 20_000_000


@pytest.mark.parametrize("given", [True, "inf", "nan", 1.5, "many", None, [1]])
def test_other_things_are_no_whole_number(given: object) -> None:
    (problem,) = problems({"instrument": "POWGEN", "stream": {"buffer_events": given}})
    assert problem.startswith("stream.buffer_events: found ")


@pytest.mark.parametrize("given", ["-1", "3-1", "1-99999999999", [[1]], 1.5, "", True])
def test_a_list_of_spectra_that_makes_no_sense_is_refused(given: object) -> None:
    (problem,) = problems({"instrument": "POWGEN", "spectra": given})
    assert problem.startswith("spectra: found ")


def test_words_are_accepted_in_any_case() -> None:
    found = resolved(accum_method="append", run_transition_behavior="RENAME", log={"level": "debug"})
    assert (found.accum_method, found.run_transition_behavior, found.log.level) == ("Append", "Rename", "DEBUG")


@pytest.mark.parametrize("name", ["../etc", "A B", ".hidden", "a/b", 7, None])
def test_an_instrument_name_that_is_no_name_is_refused(name: object) -> None:
    (problem,) = problems({"instrument": name, "listener": "adara", "address": "h:1"})
    assert problem.startswith("instrument: found ")


def test_an_explicit_file_that_is_missing_is_fatal_even_with_a_system_file(tmp_path: Path) -> None:
    system = write(tmp_path, {"instrument": "POWGEN"})
    with pytest.raises(ConfigError, match=r"nothere\.conf: cannot be read \(No such file or directory\)"):
        config.load(tmp_path / "nothere.conf", system_path=system)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found an empty file"),
        ('{"instrument": "POWGEN",\n}', "at line 2, column 1|trailing comma .* at line 1, column 24"),  # from 3.13 on
        ("[1]", r"found \[1\]; expected JSON like"),
        ('{"instrument"', "at line 1, column 14"),
    ],
)
def test_an_explicit_file_that_is_no_configuration_is_fatal(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        config.load(write(tmp_path, text))
    assert raised.value.problems[0].startswith(str(tmp_path))


def test_bytes_that_are_no_text_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "livereduce.conf"
    path.write_bytes(b'{"instrument": "\xff"}')
    with pytest.raises(ConfigError, match="byte 16 is not UTF-8"):
        config.load(path)


def test_without_a_path_the_system_file_is_read_and_an_empty_one_is_as_none(tmp_path: Path) -> None:
    system = write(tmp_path, {"instrument": "POWGEN"})
    found = config.load(system_path=system)
    assert (found.instrument, found.source) == ("POWGEN", system)
    system.write_text("")
    with pytest.raises(ConfigError, match="configuration: instrument: missing"):
        config.load(system_path=system)


def test_a_key_given_twice_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path, '{"instrument": "NOMAD", "instrument": "POWGEN"}')
    found = config.load(path)
    assert found.instrument == "POWGEN"
    assert found.warnings == (f"{path}: instrument: given twice, the last one counts",)


def test_all_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = resolved(script_dir="scripts", state_dir="~/state", runtime_dir="run/../run", output={"directory": "out"})
    assert found.script_dir == tmp_path / "scripts"
    assert found.state_dir == Path("/home/me/state")
    assert found.runtime_dir == tmp_path / "run"
    assert found.output.directory == tmp_path / "out"
    assert found.log.file.is_absolute()


def test_results_and_log_go_to_the_state_directory_unless_said_otherwise(tmp_path: Path) -> None:
    found = resolved(state_dir=str(tmp_path), log={"file": str(tmp_path / "my.log")})
    assert found.output.directory == tmp_path
    assert found.log.file == tmp_path / "my.log"


def test_a_folder_of_the_user_is_taken_where_the_system_one_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    user = tmp_path / "user"
    assert config.loading.writable_or(blocked / "livereduce", user) == user
    assert config.loading.writable_or(tmp_path / "new" / "deep", user) == tmp_path / "new" / "deep"


def test_a_configuration_survives_the_way_to_a_child_process() -> None:
    found = resolved(start_time="2026-03-01T12:00:00Z", periods="1-3", instrument="MARI", connection="histo")
    assert config.Config.model_validate_json(found.model_dump_json()) == found


def test_the_token_stays_in_the_process_that_needs_it() -> None:
    found = resolved(web={"token": "secret", "port": 9000})
    assert (found.web.token, found.web.port) == ("secret", 9000)
    sent = found.model_dump_json()
    assert "secret" not in sent
    assert config.Config.model_validate_json(sent).web == config.Web(port=9000)


def test_a_configuration_cannot_be_changed_and_does_not_show_its_token() -> None:
    found = resolved(web={"token": "secret"})
    with pytest.raises(ValueError, match="frozen"):
        found.update_every = 1
    assert "secret" not in repr(found)


def with_scripts(folder: Path, *names: str, **settings: Any) -> config.Config:
    for name in names:
        (folder / name).write_text("output = input\n")
    return resolved(script_dir=str(folder), **settings)


PROC, POST = "reduce_PG3_live_proc.py", "reduce_PG3_live_post_proc.py"


def test_either_script_is_enough(tmp_path: Path) -> None:
    assert config.resolve_scripts(with_scripts(tmp_path, POST)) == config.Scripts(None, tmp_path / POST)
    assert config.resolve_scripts(with_scripts(tmp_path, PROC)) == config.Scripts(tmp_path / PROC, tmp_path / POST)


def test_no_script_at_all_names_both_paths_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        config.resolve_scripts(with_scripts(tmp_path))
    assert str(tmp_path / PROC) in raised.value.problems[0]
    assert str(tmp_path / POST) in raised.value.problems[0]


def test_empty_scripts_and_folders_in_their_place_are_refused_together(tmp_path: Path) -> None:
    (tmp_path / PROC).touch()
    (tmp_path / POST).mkdir()
    with pytest.raises(ConfigError) as raised:
        config.resolve_scripts(with_scripts(tmp_path))
    assert [p.partition(": ")[2] for p in raised.value.problems] == [
        "found no file, expected a Python script",
        "found an empty file, expected a Python script; fill or remove it",
    ]


def test_post_process_only_ignores_the_chunk_script(tmp_path: Path) -> None:
    (tmp_path / PROC).touch()
    only = with_scripts(tmp_path, POST, post_process_only=True)
    assert config.resolve_scripts(only) == config.Scripts(None, tmp_path / POST)


def test_post_process_false_ignores_the_post_script(tmp_path: Path) -> None:
    only = with_scripts(tmp_path, PROC, POST, post_process="false")
    assert config.resolve_scripts(only) == config.Scripts(tmp_path / PROC, None)


def test_leaving_no_script_to_run_is_a_contradiction() -> None:
    assert problems({"instrument": "POWGEN", "post_process": False, "post_process_only": True}) == [
        "post_process: found false with post_process_only true, which leaves no script; remove one"
    ]


def test_a_replayed_file_is_named_under_stream_and_its_absence_is_said() -> None:
    wanted = {"instrument": "ADARA_FileReader", "stream": {"file": "~/run.nxs", "file_chunks": "3"}}
    found = config.from_mapping(wanted, environ={"HOME": "/home/me"}, now=NOW)
    assert (found.listener, found.stream.file, found.stream.file_chunks) == ("file", Path("/home/me/run.nxs"), 3)
    missing = "stream.file: missing; FileEventDataListener needs the NeXus file to replay"
    assert problems({"instrument": "ADARA_FileReader"}) == [missing]
    assert problems({"instrument": "POWGEN", "listener": "file", "stream": {"file_chunks": 2}}) == [missing]


def test_the_made_up_stream_has_a_rate_and_a_length_of_runs() -> None:
    found = resolved(instrument="ADARA_FakeEvent", stream={"fake_rate": "1e3", "fake_end_run_every": 5})
    assert (found.listener, found.stream.fake_rate, found.stream.fake_end_run_every) == ("fake", 1000.0, 5)
    assert problems({"instrument": "ADARA_FakeEvent", "stream": {"fake_rate": 0}})[0].startswith("stream.fake_rate: ")


def test_definitions_and_moves_of_components_are_read_and_their_folders_absolute() -> None:
    move = {"component": "detector1", "axis": "z", "log": "detectorZ", "expression": "value/1000"}
    found = resolved(instruments={"definition_folders": ["~/idf", "/opt/idf"], "moves": [move]}).instruments
    assert found.definition_folders == (Path("/home/me/idf"), Path("/opt/idf"))
    assert [m.model_dump() for m in found.moves] == [move]
    one = resolved(instruments={"definition_folders": "/idf", "moves": move}).instruments
    assert one.definition_folders == (Path("/idf"),)
    assert one.moves == found.moves
    default = resolved().instruments
    assert default.definition_folders == (Path("/home/me/.mantid/instrument"),)
    assert default.moves == ()


def test_a_move_that_makes_no_sense_is_explained() -> None:
    moves = [{"component": "a", "axis": "up"}, {"component": "a", "axis": "x", "lgo": "b"}, "a"]
    found = problems({"instrument": "POWGEN", "instruments": {"moves": moves, "definition_folders": 3}})
    axes = "'x', 'y', 'z', 'r-position', 't-position', 'p-position', 'rotx', 'roty' or 'rotz'"
    assert [line.removeprefix("instruments.") for line in found] == [
        "definition_folders: found 3, expected a list",
        f'moves.0.axis: found "up", expected {axes}',
        "moves.1.lgo: unknown key; expected one of component, axis, log, expression",
        'moves.2: found "a", expected an object with keys',
    ]
