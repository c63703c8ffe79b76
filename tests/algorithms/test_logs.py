from collections.abc import Callable
from typing import Any

import pytest

from livereduce.algorithms import add_sample_log, add_sample_log_multiple, add_time_series_log, remove_logs
from livereduce.workspaces import HistogramWorkspace, Run, TimeSeries


@pytest.fixture
def ws(make_histogram: Callable[..., HistogramWorkspace]) -> HistogramWorkspace:
    return make_histogram([0, 1], [1])


def add(ws: HistogramWorkspace, time: str, value: Any, **options: Any) -> None:
    add_time_series_log(ws, "my_log", time, value, **options)


def test_entries_are_added_as_in_mantids_documentation(ws: HistogramWorkspace) -> None:
    add(ws, "2010-01-01T00:00:00", 100)
    add(ws, "2010-01-01T00:30:00", "15")
    add(ws, "2010-01-01T00:50:00", 100.2)
    log = ws.run()["my_log"]
    assert isinstance(log, TimeSeries)
    assert log.value.tolist() == [100, 15, 100.2]
    assert str(log.times[1]) == "2010-01-01T00:30:00.000000000"
    add(ws, "2010-01-01T00:00:00", 12, type="int", delete_existing=True)
    add(ws, "2010-01-01T00:50:00", 34, type="int")
    log = ws.run()["my_log"]
    assert isinstance(log, TimeSeries)
    assert log.value.tolist() == [12, 34]
    assert log.value.dtype.kind == "i"


def test_an_earlier_entry_finds_its_place(ws: HistogramWorkspace) -> None:
    add(ws, "2010-01-01T00:30:00", 2)
    add(ws, "2010-01-01T00:10:00", 1)
    assert ws.run()["my_log"].value.tolist() == [1, 2]


def test_what_does_not_fit_the_log_is_an_error(ws: HistogramWorkspace) -> None:
    add(ws, "2010-01-01T00:00:00", 12)
    with pytest.raises(ValueError, match="AddTimeSeriesLog: Type: log 'my_log' holds float64, found int"):
        add(ws, "2010-01-01T00:00:01", 13, type="int")
    with pytest.raises(ValueError, match=r"AddTimeSeriesLog: expected a whole number, found '1\.5'"):
        add(ws, "2010-01-01T00:00:01", 1.5, type="int")
    with pytest.raises(ValueError, match="AddTimeSeriesLog: 'noon' is not a time"):
        add(ws, "noon", 1)
    ws.run().set("my_log", 3.0)
    with pytest.raises(ValueError, match="AddTimeSeriesLog: Name: log 'my_log' is no series"):
        add(ws, "2010-01-01T00:00:01", 13)


def test_logs_are_added_as_text_number_or_series() -> None:
    ws = HistogramWorkspace([0, 1], [[1]], run=Run({"run_start": "1970-01-01T00:00:05"}))
    add_sample_log(ws, "note", "hello")
    add_sample_log(ws, "count", "3", log_type="Number")
    add_sample_log(ws, "length", "3", log_type="Number", number_type="Double", log_unit="mm")
    add_sample_log(ws, "T", "1.5", log_type="Number Series", log_unit="K")
    run = ws.getRun()
    assert run["note"].value == "hello"
    assert (run["count"].value, type(run["count"].value)) == (3, int)
    assert (run["length"].value, type(run["length"].value), run["length"].units) == (3.0, float, "mm")
    series = run["T"]
    assert isinstance(series, TimeSeries)
    assert (series.value.tolist(), series.time_ns.tolist(), series.units) == ([1.5], [5_000_000_000], "K")


def test_text_that_is_no_number_is_no_number_log() -> None:
    ws = HistogramWorkspace([0, 1], [[1]])
    with pytest.raises(ValueError, match="LogText: expected a number, found 'x'"):
        add_sample_log(ws, "a", "x", log_type="Number")
    with pytest.raises(ValueError, match=r"expected a whole number, found '1\.5'"):
        add_sample_log(ws, "a", "1.5", log_type="Number", number_type="Int")
    with pytest.raises(ValueError, match="LogName must not be empty"):
        add_sample_log(ws, "", "x")


def test_all_logs_go_but_those_named(ws: HistogramWorkspace) -> None:
    for name in ("run_title", "run_start", "proton_charge"):
        ws.run()[name] = "x"
    remove: Any = remove_logs
    assert remove(ws, keep_logs="run_start, run_title, unknown").run().keys() == ["run_title", "run_start"]
    assert remove(ws).run().keys() == []


def test_several_logs_are_added_at_once(ws: HistogramWorkspace) -> None:
    add_many: Any = add_sample_log_multiple
    run = add_many(ws, ["x", "y", "z"], ["test", 5, 1.6e-7]).run()  # as in Mantid's documentation
    assert [run[name].value for name in "xyz"] == ["test", 5, 1.6e-7]
    assert isinstance(run["y"].value, int)
    run = add_many(ws, "a,b", "1,2", log_units="mm,s").run()
    assert [(run[name].value, run[name].units) for name in "ab"] == [(1, "mm"), (2, "s")]
    run = add_many(ws, "a,b", "1,2", log_types=["String", "Number Series"]).run()
    assert (run["a"].value, run["b"].value.tolist()) == ("1", [2])
    assert add_many(ws, ["a"], [7], parse_type=False).run()["a"].value == "7"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"log_names": "a,b", "log_values": [1]}, "LogValues: has 1 entries, LogNames has 2"),
        ({"log_names": "a", "log_values": [1], "log_units": "m,s"}, "LogUnits: has 2 entries, LogNames has 1"),
        ({"log_names": "a", "log_values": [1], "log_types": "Text"}, "LogType: .*'Text'"),
    ],
)
def test_lists_of_logs_must_fit_each_other(ws: HistogramWorkspace, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"AddSampleLogMultiple: .*{message}"):
        add_sample_log_multiple(ws, **given)
    assert "a" not in ws.run()
