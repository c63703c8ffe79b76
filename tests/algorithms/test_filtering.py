"""One pulse a second from 1970 on; event k of a spectrum came in pulse k, so counts tell which pulses stayed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import filter_bad_pulses, filter_by_log_value, filter_by_time, filter_by_x_value, plus
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, Part, Plan, Run, TimeSeries

MakeEvents = Callable[..., EventWorkspace]
convert_units: Any = algorithms.convert_units
SECOND = 1_000_000_000


@pytest.fixture
def ws(make_events: MakeEvents) -> EventWorkspace:
    """Ten pulses with one event each, at k + 0.5 µs in pulse k: bin k is pulse k. 1 uAh in each."""
    run = Run({"proton_charge": TimeSeries("proton_charge", np.arange(10) * SECOND, np.full(10, 3.6e9), "picoCoulomb")})
    return make_events([k + 0.5 for k in range(10)], edges=np.arange(11.0), run=run)


def kept(ws: EventWorkspace) -> list[int]:
    return np.flatnonzero(ws.y[0]).tolist()


def with_log(ws: EventWorkspace, times: list[float], values: list[Any]) -> EventWorkspace:
    ws.getRun().set("T", TimeSeries("T", [round(t * SECOND) for t in times], values))
    return ws


def test_events_outside_a_range_of_x_are_dropped_and_edges_stay(ws: EventWorkspace) -> None:
    result = filter_by_x_value(ws, 2.5, 5.5)
    assert kept(result) == [2, 3, 4, 5]  # both ends belong to the range
    assert result.number_events() == 4
    assert result.x.tolist() == ws.x.tolist()
    assert kept(filter_by_x_value(ws, x_max=1)) == [0]
    assert kept(filter_by_x_value(ws, x_min=8)) == [8, 9]
    with pytest.raises(ValueError, match="is greater than XMax"):
        filter_by_x_value(ws, 2, 1)


@pytest.mark.parametrize(
    "unit", ["TOF", "Wavelength", "dSpacing", "Energy", "MomentumTransfer", ("DeltaE", "Direct", 30.0)]
)
def test_a_range_of_x_is_one_of_the_present_unit_and_includes_both_ends(unit: Any) -> None:
    rng = np.random.default_rng(1)
    table = EventTable(3, tick_ns=100)
    table.append(rng.integers(10_000, 200_000, 60), rng.integers(0, 3, 60), [0], [0, 60], [1.0])
    place = Detectors([10, 11, 12], l1=10.0, l2=[1.0, 2.0, 1.5], two_theta=[0.5, 1.0, 1.5])
    in_tof = EventWorkspace([Part(table, 0, 60, Plan(3))], place, Run(), edges=[1000.0, 20_000.0])
    ws: Any = in_tof if unit == "TOF" else convert_units(in_tof, *([unit] if isinstance(unit, str) else unit))
    x = np.sort(np.concatenate([ws.getSpectrum(i).getTofs() for i in range(3)]))
    for i in range(0, len(x), 7):
        for j in range(i, len(x), 11):
            expected = np.count_nonzero((x >= x[i]) & (x <= x[j]))
            assert filter_by_x_value(ws, x[i], x[j]).number_events() == expected


def test_histograms_cannot_be_filtered(ws: EventWorkspace) -> None:
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (filter_by_x_value, ()), (filter_by_time, (0, 1)), (filter_by_log_value, ("T",)), (filter_bad_pulses, ()),
    ]  # fmt: skip
    for algorithm, arguments in calls:
        with pytest.raises(ValueError, match="InputWorkspace: expected an EventWorkspace, found a HistogramWorkspace"):
            algorithm(ws.to_histogram(), *arguments)


def test_times_count_from_the_first_pulse_and_are_half_open(ws: EventWorkspace) -> None:
    assert kept(filter_by_time(ws, 2, 5)) == [2, 3, 4]
    assert kept(filter_by_time(ws, start_time=7)) == [7, 8, 9]
    assert kept(filter_by_time(ws, stop_time=2)) == [0, 1]
    assert kept(filter_by_time(ws, 7, 0)) == [7, 8, 9]
    assert kept(filter_by_time(filter_by_time(ws, 2, 8), 1, 3)) == [3, 4]


def test_without_a_charge_log_the_first_pulse_is_that_of_the_events(make_events: MakeEvents) -> None:
    ws = make_events([0.5, 1.5, 2.5], edges=[0, 1, 2, 3])
    assert kept(filter_by_time(ws, 1, 2)) == [1]
    with pytest.raises(RuntimeError, match="has no pulses"):
        filter_by_time(make_events([]), 1, 2)


def test_absolute_times_are_utc(ws: EventWorkspace) -> None:
    result = filter_by_time(ws, absolute_start_time="1970-01-01T00:00:03", absolute_stop_time="1970-01-01T00:00:05")
    assert kept(result) == [3, 4]
    assert kept(filter_by_time(ws, absolute_stop_time="1970-01-01T00:00:02")) == [0, 1]


def test_times_that_make_no_sense_are_refused(ws: EventWorkspace) -> None:
    with pytest.raises(ValueError, match="not both"):
        filter_by_time(ws, 1, 2, absolute_start_time="1970-01-01T00:00:03")
    with pytest.raises(ValueError, match="the start must be before the stop"):
        filter_by_time(ws, 5, 2)
    with pytest.raises(ValueError, match="is not a time"):
        filter_by_time(ws, absolute_start_time="yesterday")


@pytest.mark.parametrize("much", [1e12, 1e300, float("inf")])
def test_times_longer_than_any_run_are_no_limit(ws: EventWorkspace, much: float) -> None:
    assert kept(filter_by_time(ws, 4, much)) == [4, 5, 6, 7, 8, 9]
    assert kept(filter_by_time(ws, -much, 3)) == [0, 1, 2]
    with_log(ws, [0, 4.5, 8], [9.0, 1.0, 9.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5, time_tolerance=much)) == list(range(10))
    assert kept(filter_by_log_value(ws, "T", 0, 5, time_tolerance=much, pulse_filter=True)) == []


def test_a_stop_before_the_first_pulse_is_refused(ws: EventWorkspace) -> None:
    with pytest.raises(ValueError, match="FilterByTime: the start must be before the stop"):
        filter_by_time(ws, stop_time=-1)
    assert kept(filter_by_time(ws, -5, -1)) == []


def test_filtering_nothing_leaves_a_workspace_without_events(make_events: MakeEvents) -> None:
    empty = make_events([], [], edges=[0.0, 1.0])
    for result in (
        filter_by_x_value(empty, 1, 2),
        filter_by_time(empty, absolute_start_time="1970-01-01T00:00:03"),
        filter_by_log_value(with_log(empty, [1], [1.0]), "T", 0, 5),
    ):
        assert result.number_events() == 0
        assert result.y.tolist() == [[0], [0]]


def test_entries_that_are_not_numbers_are_not_good(ws: EventWorkspace) -> None:
    with_log(ws, [0, 2, 5, 8], [1.0, np.nan, 1.0, np.inf])
    assert kept(filter_by_log_value(ws, "T", 0, 5, log_boundary="Left")) == [0, 1, 5, 6, 7]


def test_logs_and_charge_are_filtered_with_the_events(ws: EventWorkspace) -> None:
    with_log(ws, [0, 4, 8], [1.0, 2.0, 3.0])
    result = filter_by_time(ws, 3, 6)
    assert result.getRun().getProtonCharge() == pytest.approx(3.0)
    assert result.getRun()["T"].value.tolist() == [2.0]
    assert ws.getRun().getProtonCharge() == pytest.approx(10.0)


def test_centred_stretches_go_from_the_first_to_the_last_good_entry(ws: EventWorkspace) -> None:
    with_log(ws, [0, 2, 4, 6, 8], [9.0, 1.0, 1.0, 9.0, 9.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5)) == [2, 3, 4]
    assert kept(filter_by_log_value(ws, "T", 0, 5, time_tolerance=1)) == [1, 2, 3, 4, 5]
    assert kept(filter_by_log_value(ws, "T", 0, 5, time_tolerance=0.5)) == [2, 3, 4]


def test_a_single_good_entry_keeps_almost_nothing(ws: EventWorkspace) -> None:
    with_log(ws, [0, 4.5, 8], [9.0, 1.0, 9.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5)) == []
    assert kept(filter_by_log_value(ws, "T", 0, 5, time_tolerance=0.6)) == [4, 5]


def test_left_stretches_go_to_the_next_bad_entry_whatever_the_tolerance(ws: EventWorkspace) -> None:
    with_log(ws, [0, 2, 4, 6, 8], [9.0, 1.0, 1.0, 9.0, 9.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5, log_boundary="Left")) == [2, 3, 4, 5]
    assert kept(filter_by_log_value(ws, "T", 0, 5, 1.5, log_boundary="Left")) == [2, 3, 4, 5]


@pytest.mark.parametrize("boundary", ["Centre", "Left"])
def test_the_first_and_last_value_hold_to_the_ends_of_the_run(ws: EventWorkspace, boundary: Any) -> None:
    with_log(ws, [3, 4, 5, 6], [1.0, 9.0, 9.0, 1.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5, log_boundary=boundary)) == [0, 1, 2, 3, 6, 7, 8, 9]


def test_start_and_end_of_the_run_serve_where_there_is_no_charge(make_events: MakeEvents) -> None:
    run = Run({"run_start": "1970-01-01T00:00:01", "run_end": "1970-01-01T00:00:08"})
    ws = with_log(make_events([k + 0.5 for k in range(10)], edges=np.arange(11.0), run=run), [4], [1.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5)) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_without_either_nothing_is_drawn_out_backwards(make_events: MakeEvents) -> None:
    ws = with_log(make_events([k + 0.5 for k in range(10)], edges=np.arange(11.0)), [4], [1.0])
    assert kept(filter_by_log_value(ws, "T", 0, 5)) == [4, 5, 6, 7, 8, 9]


def test_limits_are_included_and_may_be_open(ws: EventWorkspace) -> None:
    with_log(ws, [0, 3, 6], [1.0, 2.0, 3.0])
    assert kept(filter_by_log_value(ws, "T", 2, 2, log_boundary="Left")) == [3, 4, 5]
    assert kept(filter_by_log_value(ws, "T", minimum_value=2, log_boundary="Left")) == [3, 4, 5, 6, 7, 8, 9]
    assert kept(filter_by_log_value(ws, "T", maximum_value=2, log_boundary="Left")) == [0, 1, 2, 3, 4, 5]


def test_the_pulse_filter_cuts_notches_around_entries(ws: EventWorkspace) -> None:
    with_log(ws, [3, 7], [1.0, 1.0])
    assert kept(filter_by_log_value(ws, "T", time_tolerance=1, pulse_filter=True)) == [0, 1, 5, 9]


def test_a_single_value_keeps_all_or_nothing(ws: EventWorkspace) -> None:
    ws.getRun().set("angle", 3.0)
    assert len(kept(filter_by_log_value(ws, "angle", 2, 4))) == 10
    assert kept(filter_by_log_value(ws, "angle", 4, 5)) == []


def test_logs_that_are_missing_or_hold_no_numbers_are_named(ws: EventWorkspace) -> None:
    with_log(ws, [0], ["open"])
    with pytest.raises(ValueError, match="LogName: the workspace has no log 'nope'"):
        filter_by_log_value(ws, "nope")
    with pytest.raises(ValueError, match="no log 'proton_chrge'; did you mean proton_charge"):
        filter_by_log_value(ws, "proton_chrge")
    with pytest.raises(ValueError, match="LogName: 'T' does not hold numbers"):
        filter_by_log_value(ws, "T")
    with pytest.raises(ValueError, match="is greater than MaximumValue"):
        filter_by_log_value(ws, "T", 2, 1)
    with pytest.raises(ValueError, match="TimeTolerance"):
        filter_by_log_value(ws, "T", time_tolerance=-1)


def test_the_charge_drops_with_the_time_kept(ws: EventWorkspace) -> None:
    with_log(ws, [0, 2, 6], [9.0, 1.0, 9.0])
    result = filter_by_log_value(ws, "T", 0, 5, log_boundary="Left")
    assert result.getRun().getProtonCharge() == pytest.approx(4.0)


def with_charges(ws: EventWorkspace, *charges: float) -> EventWorkspace:
    """Give pulse k the k-th charge."""
    times = np.arange(len(charges)) * SECOND
    ws.getRun().set("proton_charge", TimeSeries("proton_charge", times, list(charges), "picoCoulomb"))
    return ws


def test_pulses_much_below_the_mean_charge_are_dropped(ws: EventWorkspace) -> None:
    with_charges(ws, 100, 100, 0, 100, 96, 100, 94, 100, 100, 100)  # mean 89
    assert kept(filter_bad_pulses(ws)) == [0, 1, 3, 4, 5, 6, 7, 8, 9]  # 95 % of it is 84.55
    assert kept(filter_bad_pulses(ws, lower_cutoff=0)) == list(range(10))


def test_the_cutoff_is_a_share_of_the_plain_mean_and_itself_good_enough(ws: EventWorkspace) -> None:
    with_charges(ws, 8, 12, 9.5, 10.5, 9.25, 10.75, 9.75, 10.25, 10, 10)  # mean 10
    assert kept(filter_bad_pulses(ws)) == [1, 2, 3, 5, 6, 7, 8, 9]  # from 9.5 on
    assert kept(filter_bad_pulses(ws, 100)) == [1, 3, 5, 7, 8, 9]


def test_a_pulse_far_above_the_mean_is_kept(ws: EventWorkspace) -> None:
    with_charges(ws, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1000)
    assert kept(filter_bad_pulses(ws)) == [9]


def test_bad_pulses_take_their_charge_and_log_entries_along(ws: EventWorkspace) -> None:
    with_log(ws, [0, 2, 4], [1.0, 2.0, 3.0])
    with_charges(ws, *[3.6e9] * 2, 0, *[3.6e9] * 7)
    ws.getRun().set("gd_prtn_chrg", 9.0, "uAh")
    result = filter_bad_pulses(ws)
    assert kept(result) == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert result.getRun().getProtonCharge() == pytest.approx(9.0)
    assert result.getRun()["proton_charge"].size() == 9
    assert result.getRun()["T"].value.tolist() == [1.0, 3.0]
    assert ws.getRun()["proton_charge"].size() == 10


def test_the_mean_follows_a_run_and_only_pulses_whose_verdict_it_changes_are_counted_again() -> None:
    table = EventTable(1)
    detectors = Detectors([10])

    def chunk(first: int, charges: list[float]) -> EventWorkspace:
        n = len(charges)
        times = (first + np.arange(n)) * SECOND
        a, b = table.append(np.full(n, 5), np.zeros(n), times, np.arange(n + 1), charges)
        run = Run({"proton_charge": TimeSeries("proton_charge", times, charges, "picoCoulomb")})
        return EventWorkspace.from_table(table, a, b, detectors, run, edges=[0, 1])

    total: Any = chunk(0, [10.0] * 4 + [9.45] + [10.0] * 5)  # mean 9.945, cut at 9.44775: none is bad
    assert filter_bad_pulses(total).y.tolist() == [[10]]
    offered = table.cache.offered
    total = plus(total, chunk(10, [10.5]))  # mean 9.9955 (109.95 / 11), cut at 9.4957: the 9.45 is bad
    assert filter_bad_pulses(total).y.tolist() == [[10]]
    assert table.cache.offered == offered + 2  # one came in, one went out
    total = plus(total, chunk(11, [9.0]))  # mean 9.9125 (118.95 / 12), cut at 9.4169: only the new one is bad
    assert filter_bad_pulses(total).y.tolist() == [[11]]
    assert table.cache.offered == offered + 3  # the 9.45 came back


def test_charges_that_say_nothing_are_an_error(make_events: MakeEvents) -> None:
    ws = make_events([0.5, 1.5], edges=[0, 1, 2])
    with pytest.raises(RuntimeError, match="FilterBadPulses: the workspace has no series proton_charge"):
        filter_bad_pulses(ws)
    ws.getRun().set("proton_charge", 5.0)
    with pytest.raises(RuntimeError, match="no series proton_charge"):
        filter_bad_pulses(ws)
    with pytest.raises(RuntimeError, match="the mean of proton_charge is 0"):
        filter_bad_pulses(with_charges(ws, 0, 0))
    for cutoff in (-1, 101):
        with pytest.raises(ValueError, match="LowerCutoff: expected 0 to 100 %"):
            filter_bad_pulses(with_charges(ws, 1, 1), cutoff)
