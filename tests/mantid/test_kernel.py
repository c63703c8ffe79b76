import logging
from typing import Any

import numpy as np
import pytest

from livereduce.mantid import kernel
from livereduce.mantid.kernel import (
    BoolTimeSeriesProperty,
    ConfigService,
    DateAndTime,
    DeltaEModeType,
    FloatTimeSeriesProperty,
    Int64TimeSeriesProperty,
    PropertyManager,
    PropertyManagerDataService,
    StringTimeSeriesProperty,
    UnitConversion,
    config,
    logger,
)
from livereduce.workspaces import Run, TimeSeries


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("fatal", "CRITICAL"),
        ("error", "ERROR"),
        ("warning", "WARNING"),
        ("notice", "NOTICE"),
        ("information", "INFO"),
        ("debug", "DEBUG"),
    ],
)
def test_every_method_of_the_logger_logs_at_its_level(
    caplog: pytest.LogCaptureFixture, method: str, level: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        getattr(logger, method)("100 % of it")
    assert [(r.levelname, r.getMessage(), r.name) for r in caplog.records] == [(level, "100 % of it", "script.Python")]


def test_loggers_have_names(caplog: pytest.LogCaptureFixture) -> None:
    own = kernel.Logger("reduce")
    own.warning("x")
    assert caplog.records[0].name == "script.reduce"
    assert own.getName() == "reduce"


def test_config_is_a_dictionary_of_texts() -> None:
    before = config["default.facility"]
    try:
        config["default.facility"] = "ISIS"
        assert ConfigService.Instance().getString("default.facility") == "ISIS"
        assert config.getFacility().name() == "ISIS"
        config.setFacility("sns")
        assert config["default.facility"] == "SNS"
    finally:
        config["default.facility"] = before
    assert config["no.such.key"] == ""
    assert config.hasProperty("default.instrument")
    assert "default.instrument" in config
    assert "default.instrument" in config.keys()


def test_config_knows_instruments_and_facilities() -> None:
    instrument = config.getInstrument("PG3")
    assert (instrument.name(), instrument.shortName(), instrument.facility().name()) == ("POWGEN", "PG3", "SNS")
    assert "POWGEN" in [i.name() for i in config.getFacility("SNS").instruments()]
    assert {"SNS", "ISIS"} <= set(config.getFacilityNames())
    with pytest.raises(RuntimeError, match="there is no instrument 'POWGENN'; did you mean POWGEN"):
        config.getInstrument("POWGENN")
    with pytest.raises(RuntimeError, match="there is no facility 'MOON'"):
        config.getFacility("MOON")


def test_the_service_answers_without_being_asked_for_its_instance() -> None:
    assert ConfigService.getFacility("ISIS").name() == "ISIS"
    assert ConfigService["default.facility"] == config["default.facility"]
    assert ConfigService.Instance() is config


def test_search_folders_are_kept() -> None:
    before = config["datasearch.directories"]
    try:
        config.setDataSearchDirs("/a;/b")
        config.appendDataSearchDir("/c")
        config.appendDataSearchDir("/c")
        assert config.getDataSearchDirs() == ["/a", "/b", "/c"]
    finally:
        config["datasearch.directories"] = before


def test_the_level_of_logging_is_kept_however_it_is_set() -> None:
    before = config["logging.loggers.root.level"]
    try:
        config.setLogLevel(3)
        assert config["logging.loggers.root.level"] == "3"
        config.setConsoleLogLevel("warning")
        assert config["logging.loggers.root.level"] == "warning"
    finally:
        config["logging.loggers.root.level"] = before


def test_times_count_from_1990_and_are_utc() -> None:
    time = DateAndTime("1990-01-01T00:00:01.5")
    assert time.totalNanoseconds() == 1_500_000_000
    assert DateAndTime(1_500_000_000) == time == np.datetime64("1990-01-01T00:00:01.5")
    assert str(DateAndTime("2010-01-01T00:00:00")) == "2010-01-01T00:00:00"
    assert time.toISO8601String() == "1990-01-01T00:00:01.500000000"
    assert time.to_datetime64() == np.datetime64("1990-01-01T00:00:01.500000000")
    assert DateAndTime("2010-01-01T01:00:00+01:00") == DateAndTime("2010-01-01T00:00:00")


def test_times_are_compared_moved_and_subtracted() -> None:
    early, late = DateAndTime("2010-01-01T00:00:00"), DateAndTime("2010-01-01T00:00:02")
    assert early < late
    assert late >= early
    assert late - early == np.timedelta64(2, "s")
    assert early + 2_000_000_000 == late
    assert late - 2_000_000_000 == early
    assert early + np.timedelta64(2, "s") == late
    assert len({early, DateAndTime(early)}) == 1
    assert DateAndTime.getCurrentTime() > late


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (FloatTimeSeriesProperty, [1.5, 2.5]),
        (Int64TimeSeriesProperty, [1, 2]),
        (BoolTimeSeriesProperty, [True, False]),
        (StringTimeSeriesProperty, ["a", "b"]),
    ],
)
def test_series_are_made_empty_and_filled(kind: type, values: list[object]) -> None:
    series = kind("log")
    assert series.size() == 0
    series.addValue("2010-01-01T00:00:00", values[0])
    series.addValue(DateAndTime("2010-01-01T00:00:05"), values[1])
    assert series.value.tolist() == values
    assert series.lastTime() - series.firstTime() == np.timedelta64(5, "s")
    run = Run()
    run.addProperty("log", series, True)
    assert isinstance(run["log"], TimeSeries)
    assert isinstance(run["log"], kind)


def test_a_series_is_an_instance_of_the_class_for_its_values() -> None:
    log = TimeSeries("T", [0], [1.0])
    assert isinstance(log, FloatTimeSeriesProperty)
    others: list[type] = [Int64TimeSeriesProperty, StringTimeSeriesProperty, BoolTimeSeriesProperty]
    assert not any(isinstance(log, other) for other in others)


def test_property_managers_are_found_by_name_and_their_properties_in_any_case() -> None:
    manager = PropertyManager()
    manager.declareProperty("vanadium", 42)
    manager["d_min"] = [0.5]
    PropertyManagerDataService.addOrReplace("__snspowderreduction", manager)
    try:
        found = PropertyManagerDataService.retrieve("__snspowderreduction")
        assert found.getProperty("Vanadium").value == 42
        assert found.getPropertyValue("vanadium") == "42"
        assert found["D_MIN"].value == [0.5]
        assert "container" not in found
        assert found.keys() == ["vanadium", "d_min"]
        assert PropertyManagerDataService.doesExist("__snspowderreduction")
        with pytest.raises(RuntimeError, match="Unknown search object container"):
            found.getProperty("container")
        with pytest.raises(ValueError, match="already"):
            found.declareProperty("vanadium", 1)
        with pytest.raises(RuntimeError, match="already"):
            PropertyManagerDataService.add("__snspowderreduction", manager)
    finally:
        PropertyManagerDataService.remove("__snspowderreduction")
    with pytest.raises(KeyError, match="there is no property manager"):
        PropertyManagerDataService.retrieve("__snspowderreduction")


def test_empty_numbers_are_mantids() -> None:
    assert kernel.Property.EMPTY_DBL == kernel.EMPTY_DBL == pytest.approx(8.98846567431158e307)
    assert kernel.Property.EMPTY_INT == 2147483647


def test_everything_the_module_promises_is_there() -> None:
    for name in kernel.__all__:
        assert getattr(kernel, name) is not None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # 1 meV takes 2286.27 us for 1 m, 1 Å 252.778 us; E = 81.8042 meV / wavelength²
        (("Wavelength", "TOF", 2.0, 10.0, 2.0, 0.0), 252.778 * 12 * 2),
        (("TOF", "Wavelength", 6066.68, 10.0, 2.0, 0.0), 2.0),
        (("Energy", "TOF", 23.0, 10.0, 5.0, 0.0, DeltaEModeType.Direct, 23.0), 2286.27 * 15 / np.sqrt(23.0)),
        (("DeltaE", "TOF", 5.0, 10.0, 2.0, 0.0, DeltaEModeType.Direct, 9.0), 2286.27 * (10 / 3 + 2 / 2)),
        (("dSpacing", "TOF", 1.0, 9.0, 1.0, np.pi / 3), 252.778 * 10 * 2 * 0.5),
        (("Wavelength", "Energy", 2.0, 0.0, 0.0, 0.0, DeltaEModeType.Indirect, 0.0), 81.8042 / 4),
        (("dSpacing", "MomentumTransfer", 4.0, 0.0, 0.0, 0.0), np.pi / 2),
    ],
)
def test_single_values_are_converted(arguments: tuple[Any, ...], expected: float) -> None:
    assert UnitConversion.run(*arguments) == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_converted_is_told() -> None:
    with pytest.raises(ValueError, match="unknown unit 'Furlong'"):
        UnitConversion.run("TOF", "Furlong", 1.0, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="1000 TOF is no dSpacing at l1=1 m, l2=1 m, theta=0 rad"):
        UnitConversion.run("TOF", "dSpacing", 1000.0, 1.0, 1.0, 0.0)
