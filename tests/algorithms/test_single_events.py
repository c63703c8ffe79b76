from collections.abc import Callable

import numpy as np
import pytest

from livereduce.algorithms import compress_events, filter_by_x_value, sort_events
from livereduce.workspaces import EventWorkspace, Run

MakeEvents = Callable[..., EventWorkspace]
SECOND = 1_000_000_000


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
    assert compress_events(ws, 0.25, binning_mode="Logarithmic").getNumberEvents() == 3
    assert compress_events(ws, -0.3, binning_mode="Linear").getNumberEvents() == 4


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


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf")])
def test_a_tolerance_must_be_finite(make_events: MakeEvents, tolerance: float) -> None:
    with pytest.raises(ValueError, match="CompressEvents: Tolerance: expected a finite number, found"):
        compress_events(make_events([1.0, 2.0]), tolerance)


def test_with_a_tolerance_of_nothing_only_equal_times_are_put_together(make_events: MakeEvents) -> None:
    assert compress_events(make_events([1.0, 2.0, 1.0, 2.1], [1.0]), 0.0).getNumberEvents() == 4


def test_no_events_compress_to_none(make_events: MakeEvents) -> None:
    result = compress_events(make_events([], []))
    assert result.getNumberEvents() == 0
    assert result.getSpectrum(1).getTofs().tolist() == []


def test_with_slots_of_time_only_events_of_pulses_in_one_are_put_together(make_events: MakeEvents) -> None:
    # pulses 0 to 5 s; slots of 2 s from 0: {0, 1}, {2, 3}, {4, 5}
    ws = make_events([1.0, 1.2, 1.0, 5.0, 1.2, 1.1], [2.0, 2.0], edges=[0, 9])
    result = compress_events(ws, 0.25, wall_clock_tolerance=2.0)
    events = result.getSpectrum(0)
    found = zip(events.getTofs().round(3).tolist(), events.getPulseTimes().astype(np.int64).tolist(), strict=True)
    assert list(found) == [(1.0, 2 * SECOND), (1.1, SECOND // 2), (1.15, 4 * SECOND + SECOND // 2), (5.0, 3 * SECOND)]
    assert events.getWeights().tolist() == [1, 2, 2, 1]
    assert result.getNumberEvents() == 5
    assert result.y.tolist() == [[6], [2]]


def test_slots_begin_at_the_start_of_the_run_or_where_one_says(make_events: MakeEvents) -> None:
    run = Run({"run_start": "1970-01-01T00:00:01"})
    ws = make_events([1.0, 1.0, 1.0, 1.0], edges=[0, 9], run=run)  # slots {-1, 0}, {1, 2}, {3, 4}
    assert compress_events(ws, 0.1, 2.0).getSpectrum(0).getWeights().tolist() == [1, 2, 1]
    later = compress_events(ws, 0.1, 2.0, "1970-01-01T00:00:02")
    assert later.getSpectrum(0).getWeights().tolist() == [2]
    assert later.y.tolist() == [[2]]
    assert compress_events(ws, 0.1, start_time="1970-01-01T00:00:02").y.tolist() == [[4]]  # means nothing by itself
    with pytest.raises(ValueError, match="WallClockTolerance: expected 0 or more seconds, found -1"):
        compress_events(ws, 0.1, -1.0)


def test_events_come_sorted_as_asked(make_events: MakeEvents) -> None:
    # event k of a list came in pulse k; the two pixels of the spectrum are grouped to one, so times of pulses repeat
    ws = make_events([3.0, 1.0, 2.0], [2.5, 4.0, 0.5], edges=[0, 5])
    ws = ws.planned(lambda plan: plan.grouped([0, 0], 2))

    def events(asked: EventWorkspace) -> list[tuple[float, int]]:
        one = asked.getSpectrum(0)
        pulses = (one.getPulseTimes().astype(np.int64) // SECOND).tolist()
        return list(zip(one.getTofs().round(1).tolist(), pulses, strict=True))

    came = [(3.0, 0), (1.0, 1), (2.0, 2), (2.5, 0), (4.0, 1), (0.5, 2)]
    assert events(ws) == came
    assert events(sort_events(ws)) == [(0.5, 2), (1.0, 1), (2.0, 2), (2.5, 0), (3.0, 0), (4.0, 1)]
    assert events(sort_events(ws, "Pulse Time")) == [(3.0, 0), (2.5, 0), (1.0, 1), (4.0, 1), (2.0, 2), (0.5, 2)]
    assert events(sort_events(ws, "Pulse Time + TOF")) == [(2.5, 0), (3.0, 0), (1.0, 1), (4.0, 1), (0.5, 2), (2.0, 2)]
    assert events(ws) == came


def test_sorting_changes_no_value_and_stays_with_what_is_made_of_the_workspace(random_events: EventWorkspace) -> None:
    result = sort_events(random_events)
    assert result.y.tolist() == random_events.y.tolist()
    tofs = filter_by_x_value(result.clone(), 20, 60).getSpectrum(2).getTofs()
    assert np.all(np.diff(tofs) >= 0)
    assert tofs.tolist() == sorted(t for t in random_events.getSpectrum(2).getTofs() if 20 <= t <= 60)


def test_compressed_events_can_be_put_back_in_the_order_of_their_pulses(make_events: MakeEvents) -> None:
    ws = compress_events(make_events([5.0, 1.0, 1.1]), 0.2)
    assert ws.getSpectrum(0).getTofs() == pytest.approx([1.05, 5.0])
    assert sort_events(ws, "Pulse Time").getSpectrum(0).getTofs() == pytest.approx([5.0, 1.05])


def test_only_events_can_be_sorted_and_only_by_what_they_have(make_events: MakeEvents) -> None:
    ws = make_events([1.0], edges=[0, 2])
    with pytest.raises(ValueError, match="expected one of X Value, Pulse Time, Pulse Time \\+ TOF, found 'Weight'"):
        sort_events(ws, "Weight")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="SortEvents: InputWorkspace: expected an EventWorkspace"):
        sort_events(ws.to_histogram())  # type: ignore[arg-type]
