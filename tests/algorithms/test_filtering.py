"""One pulse a second from 1970 on; event k of a spectrum came in pulse k, so counts tell which pulses stayed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import compress_events, filter_by_log_value, filter_by_time, filter_by_x_value
from livereduce.workspaces import EventWorkspace, Run, TimeSeries

MakeEvents = Callable[..., EventWorkspace]
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


def test_histograms_cannot_be_filtered(ws: EventWorkspace) -> None:
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (filter_by_x_value, ()), (filter_by_time, (0, 1)), (filter_by_log_value, ("T",)),
    ]  # fmt: skip
    for algorithm, arguments in calls:
        with pytest.raises(ValueError, match="InputWorkspace: expected a EventWorkspace, found a HistogramWorkspace"):
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


def test_near_events_become_one_when_lists_are_read(make_events: MakeEvents) -> None:
    # from 1.0 reaches 1.2; 1.4 begins anew and reaches 1.6; 3.0 is alone. In the second spectrum nothing is near.
    ws = make_events([1.0, 1.1, 1.2, 1.4, 1.5, 3.0], [1.0, 2.0], edges=[0, 2, 4])
    result = compress_events(ws, 0.25)
    events = result.getSpectrum(0)
    assert events.getTofs() == pytest.approx([1.1, 1.45, 3.0])
    assert events.getWeights().tolist() == [3, 2, 1]
    assert events.getWeightErrors() == pytest.approx(np.sqrt([3, 2, 1]))
    assert events.getNumberEvents() == 3
    assert result.getNumberEvents() == 5
    assert ws.getNumberEvents() == 8


def test_values_in_bins_are_those_of_the_events_as_they_came(make_events: MakeEvents) -> None:
    ws = make_events([0.9, 1.1], edges=[0, 1, 2])
    assert compress_events(ws, 1.0).y.tolist() == [[1, 1]]


def test_a_negative_tolerance_is_a_fraction(make_events: MakeEvents) -> None:
    ws = make_events([1.0, 1.2, 10.0, 11.5, 13.0])
    assert compress_events(ws, -0.25).getNumberEvents() == 3
    assert compress_events(ws, 0.25, "Logarithmic").getNumberEvents() == 3
    assert compress_events(ws, -0.3, "Linear").getNumberEvents() == 4


def test_compression_stays_with_what_is_made_of_the_workspace(make_events: MakeEvents) -> None:
    ws = compress_events(make_events([1.0, 1.1, 5.0], edges=[0, 10]), 0.2)
    assert filter_by_x_value(ws, 0, 2).getNumberEvents() == 1
    assert ws.clone().getNumberEvents() == 2
    assert ws.planned(lambda plan: plan.in_unit("dSpacing", [2.0])).getNumberEvents() == 3


def test_many_spectra_are_counted_as_one_by_one(random_events: EventWorkspace) -> None:
    result = compress_events(random_events, 0.35)
    slow = 0
    for i in range(4):
        first = -np.inf
        for x in np.sort(random_events.getSpectrum(i).getTofs()):
            if x - first > 0.35:
                first, slow = x, slow + 1
    assert result.getNumberEvents() == slow < 800
    assert sum(result.getSpectrum(i).getNumberEvents() for i in range(4)) == slow


def test_no_events_compress_to_none(make_events: MakeEvents) -> None:
    result = compress_events(make_events([], []))
    assert result.getNumberEvents() == 0
    assert result.getSpectrum(1).getTofs().tolist() == []
