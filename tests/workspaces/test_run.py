import numpy as np
import pytest

from livereduce.workspaces import Intervals, Property, Run, TimeSeries
from livereduce.workspaces.run import iso, to_ns
from livereduce.workspaces.times import DateAndTime

SECOND = 1_000_000_000


def charge_series(times: list[int], values: list[float]) -> TimeSeries:
    return TimeSeries("proton_charge", np.array(times) * SECOND, values, "picoCoulomb")


# -- proton charge ----------------------------------------------------------------------------------------------------


def test_charge_in_picocoulomb_is_integrated_to_microampere_hours() -> None:
    # 3 pulses of 1.2e9 pC are 3.6e9 pC = 3.6 mC = 1 uA h
    run = Run({"proton_charge": charge_series([0, 1, 2], [1.2e9] * 3)})
    assert run.getProtonCharge() == pytest.approx(1.0)
    assert run.integrateProtonCharge() == pytest.approx(1.0)


def test_charge_in_another_unit_is_a_plain_sum_and_without_logs_zero() -> None:
    assert Run({"proton_charge": TimeSeries("", [0, 1], [0.25, 0.5], "uAh")}).getProtonCharge() == 0.75
    assert Run().getProtonCharge() == 0.0
    assert Run().integrateProtonCharge() == 0.0


def test_the_charge_the_source_states_is_believed() -> None:
    run = Run({"gd_prtn_chrg": 5.5, "proton_charge": charge_series([0], [3.6e9])})
    assert run.getProtonCharge() == 5.5


def test_the_good_charge_is_a_log_wherever_there_is_the_series_and_never_stale() -> None:
    run = Run({"proton_charge": charge_series([0, 10], [3.6e9, 7.2e9])})
    assert run.hasProperty("gd_prtn_chrg")
    assert "gd_prtn_chrg" not in run.keys()
    assert (run["gd_prtn_chrg"].value, run["gd_prtn_chrg"].units) == (pytest.approx(3.0), "uAh")
    assert run.get("gd_prtn_chrg").value == pytest.approx(3.0)
    assert run.filtered(np.array([[5 * SECOND, 20 * SECOND]])).getProperty("gd_prtn_chrg").value == pytest.approx(2.0)
    run.add(Run({"proton_charge": charge_series([20], [3.6e9])}))
    assert run["gd_prtn_chrg"].value == pytest.approx(4.0)
    run["gd_prtn_chrg"] = 0.5
    assert (run["gd_prtn_chrg"].value, run.getProtonCharge()) == (0.5, 0.5)
    assert not Run().hasProperty("gd_prtn_chrg")


def test_charge_is_right_after_every_addition_though_it_was_read_before() -> None:
    run = Run({"proton_charge": charge_series([0], [3.6e9])})
    for second in range(1, 5):
        assert run.integrateProtonCharge() == pytest.approx(second)
        assert run.getProtonCharge() == pytest.approx(second)
        run.add(Run({"proton_charge": charge_series([second], [3.6e9])}))
    assert run.getProtonCharge() == pytest.approx(5.0)


def test_a_stated_charge_is_added_to_one_that_has_to_be_integrated() -> None:
    stated, measured = Run({"gd_prtn_chrg": 2.0}), Run({"proton_charge": charge_series([0], [3.6e9])})
    left, right = stated.clone(), measured.clone()
    left.add(measured)
    right.add(stated)
    assert left.getProtonCharge() == pytest.approx(3.0)
    assert right.getProtonCharge() == pytest.approx(3.0)


def test_totals_of_a_measurement_are_added_whatever_the_side() -> None:
    run = Run({"gd_prtn_chrg": 1.5, "rawfrm": 10, "dur": "60", "monitor3_counts": 7, "nspectra": 4})
    run.add(Run({"gd_prtn_chrg": 2.0, "rawfrm": 5, "dur": 30, "monitor3_counts": 1, "nspectra": 4}))
    assert {n: run[n].value for n in run} == {
        "gd_prtn_chrg": 3.5, "rawfrm": 15, "dur": 90.0, "monitor3_counts": 8, "nspectra": 4,
    }  # fmt: skip


# -- adding -----------------------------------------------------------------------------------------------------------


def test_a_single_value_keeps_the_left_side_and_a_missing_one_is_copied() -> None:
    run = Run({"run_number": "12"})
    run.add(Run({"run_number": "13", "run_title": "Si"}))
    assert run["run_number"].value == "12"
    assert run["run_title"].value == "Si"


def test_the_entry_repeated_at_the_seam_is_counted_once() -> None:
    run = Run({"proton_charge": charge_series([0, 1, 2], [3.6e9] * 3)})
    run.add(Run({"proton_charge": charge_series([2, 3], [3.6e9] * 2)}))
    assert run["proton_charge"].size() == 4
    assert run.getProtonCharge() == pytest.approx(4.0)


def test_clones_share_entries_but_grow_apart() -> None:
    run = Run({"T": TimeSeries("T", [1, 2], [300.0, 301.0], "K")})
    copy = run.clone()
    run.append("T", [3], [302.0])
    copy.append("T", [3, 4], [400.0, 401.0])
    assert run["T"].value.tolist() == [300.0, 301.0, 302.0]
    assert copy["T"].value.tolist() == [300.0, 301.0, 400.0, 401.0]
    assert copy["T"].units == "K"


# -- filtering --------------------------------------------------------------------------------------------------------


def test_filtering_keeps_entries_in_the_intervals_and_lets_the_charge_fall() -> None:
    run = Run({
        "gd_prtn_chrg": 10.0,
        "proton_charge": charge_series([0, 1, 2, 3], [3.6e9] * 4),
        "T": TimeSeries("T", [0, 3 * SECOND], [300.0, 310.0]),
        "title": "x",
    })  # fmt: skip
    kept = run.filtered(np.array([[SECOND, 3 * SECOND]]))
    assert kept["proton_charge"].size() == 2
    assert kept.getProtonCharge() == pytest.approx(2.0)
    assert kept["T"].value.tolist() == [300.0]  # nothing set in the interval: what held at its beginning
    assert kept["title"].value == "x"
    assert run.getProtonCharge() == 10.0
    assert run.filtered(np.empty((0, 2), np.int64)).getProtonCharge() == 0.0


def test_a_filtered_run_stays_what_it_was_when_the_other_grows_or_a_clone_is_changed() -> None:
    run = Run({"T": TimeSeries("T", [1, 2], [300.0, 301.0]), "proton_charge": charge_series([], [])})
    kept = run.filtered(np.array([[0, 100]]))
    run.append("T", [3], [302.0])
    copy = kept.clone()
    copy.append("T", [4], [303.0])
    assert kept["T"].value.tolist() == [300.0, 301.0]
    assert copy["T"].value.tolist() == [300.0, 301.0, 303.0]
    assert kept.nbytes > 0
    kept.add(copy)
    assert kept["T"].value.tolist() == [300.0, 301.0, 303.0]


def test_filtering_twice_keeps_what_both_keep() -> None:
    run = Run({"T": TimeSeries("T", np.arange(10), np.arange(10.0))})
    twice = run.filtered(np.array([[2, 8]])).filtered(np.array([[0, 4], [7, 9]]))
    assert twice["T"].value.tolist() == [2.0, 3.0, 7.0]


# -- times ------------------------------------------------------------------------------------------------------------


def test_start_and_end_come_from_the_logs_or_else_from_the_pulses() -> None:
    run = Run({"proton_charge": charge_series([100, 160], [1.0, 1.0])})
    assert (run.start_ns, run.end_ns, run.duration) == (100 * SECOND, 160 * SECOND, 60.0)
    assert run.getLogData("duration").value == 60.0  # type: ignore[union-attr]
    run["run_start"] = "1970-01-01T00:00:40"
    assert run.duration == 120.0
    assert run.startTime() == np.datetime64("1970-01-01T00:00:40")
    assert run.endTime() == np.datetime64("1970-01-01T00:02:40")
    run["duration"] = 7.0
    assert run["duration"].value == 7.0


def test_times_of_a_run_that_says_nothing_are_an_error() -> None:
    with pytest.raises(RuntimeError, match="start of the run is not known"):
        Run().startTime()
    assert not Run().hasProperty("duration")
    with pytest.raises(RuntimeError, match="duration"):
        Run()["duration"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01", SECOND),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01 00:00:01.000000001", 1_000_000_001),
        ("1970-01-01T01:00:01+01:00", SECOND),
        ("1969-12-31T19:00:01-05:00", SECOND),
        (np.datetime64(5, "s"), 5 * SECOND),
        (np.int64(7), 7),
    ],
)
def test_times_are_read_as_utc_unless_they_say_otherwise(text: object, ns: int) -> None:
    assert to_ns(text) == ns


def test_a_time_that_is_none_says_what_was_expected() -> None:
    with pytest.raises(ValueError, match="'yesterday' is not a time; expected ISO-8601"):
        to_ns("yesterday")


def test_times_are_written_with_all_nanoseconds() -> None:
    assert iso(1_500_000_001) == "1970-01-01T00:00:01.500000001"
    assert to_ns(iso(1_700_000_000_123_456_789)) == 1_700_000_000_123_456_789


# -- access -----------------------------------------------------------------------------------------------------------


def test_logs_are_read_and_written_by_subscription() -> None:
    run = Run()
    run["s2"] = 30.5
    assert run["s2"].value == 30.5
    assert run.getProperty("s2").value == 30.5
    assert run.getLogData("s2") is run["s2"]
    assert run.hasProperty("s2")
    assert "s2" in run
    assert run.keys() == ["s2"]
    assert [log.name for log in run.getLogData()] == ["s2"]  # type: ignore[union-attr]
    assert isinstance(run["s2"], Property)


def test_a_log_that_is_not_there_raises_what_scripts_catch() -> None:
    with pytest.raises(RuntimeError, match="Unknown search object nope"):
        Run().getProperty("nope")
    with pytest.raises(RuntimeError, match=r"SampleTmp: .* none of that name; did you mean SampleTemp"):
        Run({"SampleTemp": 3.0}).getProperty("SampleTmp")


def test_properties_are_added_with_units_and_not_replaced_by_accident() -> None:
    run = Run()
    run.addProperty("a", 1, "mm", False)
    assert run["a"].units == "mm"
    with pytest.raises(ValueError, match="already"):
        run.addProperty("a", 2, False)
    run.addProperty("a", 2, True)
    assert run["a"].value == 2
    run.addProperty("a", 3, "", True)
    assert run["a"].value == 3


def test_the_mean_of_a_series_weighs_values_by_the_time_they_held() -> None:
    run = Run({"T": TimeSeries("T", np.array([0, 1, 11]) * SECOND, [100.0, 200.0, 300.0]), "n": 4})
    # 100 for 1 s, 200 for 10 s, 300 for as long as the one before, 10 s: 5100 / 21
    assert run.getTimeAveragedValue("T") == pytest.approx(5100 / 21)
    assert run.getStatistics("T").mean == pytest.approx(200.0)
    assert run.getPropertyAsSingleValue("T") == pytest.approx(200.0)
    assert run.getPropertyAsSingleValue("n") == 4.0
    assert run.getTimeAveragedValue("n") == 4.0


# -- filtered logs and the time that is left ---------------------------------------------------------------------------


def test_statistics_of_a_filtered_log_weigh_values_by_the_time_that_is_left() -> None:
    run = Run({
        "T": TimeSeries("T", np.array([0, 100, 130]) * SECOND, [300.0, 310.0, 320.0], "K"),
        "proton_charge": charge_series([0, 50, 100, 150, 199], [1.0] * 5),
    })  # fmt: skip
    kept = run.filtered(np.array([[50, 110], [120, 140]]) * SECOND)
    # 300 held 50..100, 310 held 100..110 and 120..130, 320 held 130..140: (15000 + 6200 + 3200) / 80
    assert kept.getTimeAveragedValue("T") == pytest.approx(24400 / 80)
    assert kept["T"].getStatistics().duration == 80.0  # type: ignore[union-attr]
    assert kept["T"].timeAverageValue() == pytest.approx(305.0)  # type: ignore[union-attr]
    spread = (50 * 5**2 + 20 * 5**2 + 10 * 15**2) / 80
    assert kept.getStatistics("T").time_standard_deviation == pytest.approx(np.sqrt(spread))
    # plain figures are those of the entries that are left
    assert kept["T"].value.tolist() == [310.0, 320.0]
    assert kept.getStatistics("T")[:3] == (310.0, 320.0, 315.0)
    assert kept.getLogData("duration").value == 80.0  # type: ignore[union-attr]
    assert run["T"].timeAverageValue() == pytest.approx((300 * 100 + 310 * 30 + 320 * 30) / 160)  # type: ignore[union-attr]


def test_filtering_twice_weighs_by_what_both_keep() -> None:
    run = Run({"T": TimeSeries("T", np.array([0, 10]) * SECOND, [1.0, 2.0])})
    run.measured = Intervals([[0, 20 * SECOND]])
    twice = run.filtered(np.array([[2, 14]]) * SECOND).filtered(np.array([[0, 4], [8, 20]]) * SECOND)
    assert twice.duration == 8.0  # 2..4 and 8..14
    assert twice.getTimeAveragedValue("T") == pytest.approx((4 * 1 + 4 * 2) / 8)


def test_filtered_chunks_add_up_to_the_filtered_run() -> None:
    time, value = np.arange(0, 60, 5) * SECOND, np.arange(12.0)
    intervals = np.array([[7, 22], [41, 58]]) * SECOND
    chunks = []
    for begin in (0, 20, 40):
        inside = (time >= begin * SECOND) & (time < (begin + 20) * SECOND)
        seed = [] if not begin else [int(np.flatnonzero(inside)[0]) - 1]
        rows = [*seed, *np.flatnonzero(inside)]
        run = Run({"T": TimeSeries("T", time[rows], value[rows]), "proton_charge": TimeSeries("", [], np.empty(0))})
        run.measured = Intervals([[begin * SECOND, (begin + 20) * SECOND]])
        chunks.append(run.filtered(intervals))
    total = chunks[0]
    for chunk in chunks[1:]:
        total.add(chunk)
    assert total.duration == 32.0
    # value i holds from 5 i to 5 i + 5: by hand for 7..22 and 41..58
    held = {1: 3, 2: 5, 3: 5, 4: 2, 8: 4, 9: 5, 10: 5, 11: 3}
    assert total.getTimeAveragedValue("T") == pytest.approx(sum(v * s for v, s in held.items()) / 32)


def test_a_filtered_run_without_any_known_time_has_plain_statistics() -> None:
    run = Run({"T": TimeSeries("T", [0, 10], [1.0, 3.0])}).filtered(np.array([[-(1 << 62), 1 << 62]]))
    assert run.getStatistics("T").time_mean == pytest.approx(2.0)
    assert "duration" not in run


# -- time in which data were taken -------------------------------------------------------------------------------------


def test_a_pause_the_logs_tell_of_is_not_in_the_duration() -> None:
    run = Run({
        "proton_charge": charge_series([0, 100], [1.0, 1.0]),
        "pause": TimeSeries("pause", np.array([0, 20, 50, 90]) * SECOND, [0, 1, 0, 1]),
    })  # fmt: skip
    assert run.duration == 100 - 30 - 10
    assert (run.end_ns - run.start_ns) == 100 * SECOND


def test_times_of_chunks_add_up_and_what_two_have_in_common_counts_once() -> None:
    def chunk(*pairs: tuple[int, int]) -> Run:
        run = Run({"run_number": "1"})
        run.measured = Intervals(np.array(pairs) * SECOND)
        return run

    run = chunk((0, 10))
    run.add(chunk((10, 20)))
    run.add(chunk((25, 30)))  # five seconds of pause
    assert run.duration == 25.0
    run.add(chunk((5, 12)))  # another bank of the same data
    assert run.duration == 25.0
    assert run.getLogData("duration").value == 25.0  # type: ignore[union-attr]
    assert (run.endTime() - run.startTime()).total_seconds() == 30.0
    assert "duration" in run
    assert run.hasProperty("duration")


def test_a_stated_duration_stays_on_the_left_and_does_not_replace_a_computed_one() -> None:
    stated, live = Run({"duration": 600.0}), Run()
    live.measured = Intervals([[0, 20 * SECOND]])
    left, right = live.clone(), stated.clone()
    left.add(stated)
    right.add(live)
    assert left["duration"].value == 20.0
    assert right["duration"].value == 600.0


def test_the_duration_a_histogram_memory_states_is_believed() -> None:
    run = Run({"run_start": "1970-01-01T00:00:00", "dur": 42})
    assert run.duration == 42.0
    assert run["duration"].value == 42.0


def test_moments_of_a_run_have_the_methods_scripts_call() -> None:
    run = Run(
        {"run_start": "1990-01-01T00:00:01.5", "proton_charge": TimeSeries("", [to_ns("1990-01-01T00:01:00")], [1.0])}
    )
    assert run.startTime().totalNanoseconds() == 1_500_000_000
    assert str(run.startTime()) == "1990-01-01T00:00:01.500000000"
    passed = run.endTime() - run.startTime()
    assert (passed.total_seconds(), passed.total_milliseconds()) == (58.5, 58500)
    assert passed / np.timedelta64(1, "s") == 58.5
    assert run.startTime().to_datetime64() + np.timedelta64(1, "s") == np.datetime64("1990-01-01T00:00:02.5")
    assert np.array(run.startTime()) == np.datetime64("1990-01-01T00:00:01.5")


# -- cost --------------------------------------------------------------------------------------------------------------


def test_adding_costs_no_entry_of_a_log_before_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    merges: list[str] = []
    merged = TimeSeries.merged

    def counted(ours: TimeSeries, theirs: TimeSeries) -> TimeSeries:
        merges.append(ours.name)
        return merged(ours, theirs)

    monkeypatch.setattr(TimeSeries, "merged", counted)
    run = Run({name: TimeSeries(name, np.arange(1000), np.ones(1000)) for name in ("T", "proton_charge")})
    background = Run({name: TimeSeries(name, np.arange(-50, 0), np.ones(50)) for name in ("T", "proton_charge")})
    for _ in range(3):  # what a script does at every step
        difference = run.clone()
        difference.add(background)
        assert difference.getProtonCharge() == 1050.0
        copy = difference.clone()
    assert merges == []
    assert copy["T"].size() == difference["T"].size() == 1050
    assert merges == ["T"]  # once for both


def test_adding_a_run_to_its_own_copy_compares_nothing() -> None:
    class Untouchable(float):
        def __hash__(self) -> int:
            raise AssertionError("entries were compared")

    values = np.array([Untouchable(i) for i in range(100)], object)
    run = Run({"T": TimeSeries("T", np.arange(100), values)})
    run.add(run.clone())
    assert run["T"].size() == 100


def test_the_entry_repeated_at_the_seam_is_one_though_it_is_no_number() -> None:
    run = Run({"T": TimeSeries("T", [1, 2], [1.0, np.nan])})
    run.add(Run({"T": TimeSeries("T", [2, 3], [np.nan, 4.0])}))
    run.add(Run({"T": TimeSeries("T", [3], [4.0])}))
    np.testing.assert_array_equal(run["T"].value, [1.0, np.nan, 4.0])


def test_a_clone_added_to_does_not_make_the_first_one_copy_its_entries() -> None:
    run = Run({"T": TimeSeries("T", np.arange(1000), np.arange(1000.0))})
    run.add(Run({"T": TimeSeries("T", [1000], [1.0])}))
    _ = run["T"].value
    later = run.clone()
    later.add(Run({"T": TimeSeries("T", [5000], [2.0])}))  # a script's own sum, which nobody looks into
    before = run["T"].value
    run.add(Run({"T": TimeSeries("T", [1001], [3.0])}))
    assert np.shares_memory(run["T"].value, before)
    assert later["T"].value[-1] == 2.0


def test_start_and_end_are_set_together() -> None:
    run = Run({"run_start": "2010-01-01T00:00:00"})
    run.setStartAndEndTime(DateAndTime("2015-01-27T11:00:00"), "2015-01-27T11:57:51")
    assert (str(run.startTime()), str(run.endTime())) == ("2015-01-27T11:00:00", "2015-01-27T11:57:51")
    assert run.duration == 57 * 60 + 51
