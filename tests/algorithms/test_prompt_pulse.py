from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import change_bin_offset, convert_units, filter_bad_pulses, plus
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    Part,
    Plan,
    Run,
    SpectrumGeometry,
    TimeSeries,
)

remove_prompt_pulse: Any = algorithms.remove_prompt_pulse
Make = Callable[..., Any]


def test_events_after_every_period_are_dropped(make_events: Make) -> None:
    # 1 kHz: cuts at 0, 1000, 2000, ... for 50 µs
    ws = make_events([0.0, 49.9, 50.0, 999.9, 1000.0, 1049.9, 1050.0, 5020.0, 5060.0], edges=[0, 6000])
    result = remove_prompt_pulse(ws, 50, 1000)
    assert result.getSpectrum(0).getTofs().tolist() == pytest.approx([50.0, 999.9, 1050.0, 5060.0])
    assert result.y.tolist() == [[4]]


def test_bins_of_a_histogram_that_overlap_are_masked(make_histogram: Make) -> None:
    ws = make_histogram(np.arange(0, 2300, 100), np.ones(22))
    result = remove_prompt_pulse(ws, 150, 1000)
    assert np.flatnonzero(result.y[0] == 0).tolist() == [0, 1, 10, 11, 20, 21]
    assert np.flatnonzero(result.bin_mask[0]).tolist() == [0, 1, 10, 11, 20, 21]
    assert ws.y.sum() == 22


def test_the_frequency_comes_from_the_logs(make_events: Make) -> None:
    ws = make_events([10.0, 60.0], edges=[0, 100], run=Run({"frequency": 1000.0}))
    assert remove_prompt_pulse(ws, 50).number_events() == 1
    with pytest.raises(ValueError, match="RemovePromptPulse: Frequency: must be given"):
        remove_prompt_pulse(make_events([10.0]), 50)


def test_times_moved_before_are_cut_where_they_are_now(make_events: Make) -> None:
    moved = change_bin_offset(make_events([970.0, 1010.0, 1060.0], edges=[0, 2000]), 40.0)
    result = remove_prompt_pulse(moved, 50, 1000)
    assert result.getSpectrum(0).getTofs().tolist() == pytest.approx([1050.0, 1100.0])


def test_times_of_another_geometry_are_cut_too() -> None:
    table = EventTable(2)
    table.append([9_000, 10_000, 10_800, 9_000, 10_000, 10_800], [0, 0, 0, 1, 1, 1], [0], [0, 6], [1.0])
    place = Detectors([1, 2], l1=10.0, l2=[1.0, 2.0], two_theta=[1.0, 1.0])
    ws: Any = convert_units(EventWorkspace([Part(table, 0, 6, Plan(2))], place, Run()), "dSpacing")
    # as if both were at 12 m: times of the first are longer by 12/11
    same_place = SpectrumGeometry(10.0, np.array([2.0, 2.0]), np.array([1.0, 1.0]))
    elsewhere = ws.replaced(spectra=ws.spectra.with_geometry(same_place))
    times = convert_units(elsewhere, "TOF")
    result = remove_prompt_pulse(times, 50, 1000)
    kept = [result.getSpectrum(i).getTofs() for i in (0, 1)]
    np.testing.assert_allclose(np.sort(kept[0]), np.array([900, 1000, 1080]) * 12 / 11)  # 982, 1091, 1178
    np.testing.assert_allclose(np.sort(kept[1]), [900, 1080])


def test_chunks_with_different_times_have_one_plan() -> None:
    table = EventTable(1)
    total: Any = None
    for tofs in ([10_000], [35_000], [20_000]):
        a, b = table.append(tofs, [0], [0], [0, 1], [1.0])
        ws = EventWorkspace([Part(table, a, b, Plan(1))], Detectors([1]), Run())
        new = remove_prompt_pulse(ws, 50, 1000)
        total = new if total is None else plus(total, new)
    assert len(total.parts) == 1


def test_with_pulses_selected_anew_at_each_update_only_what_changes_is_looked_at() -> None:
    table = EventTable(1)
    charges = [10.0] * 8 + [9.4]  # the mean is 9.93, so 95 % of it are 9.437: the last pulse is bad
    tofs = [100 * (k + 1) for k in range(9)]
    a, b = table.append(tofs, np.zeros(9), np.arange(9), np.arange(10), charges)
    run = Run({"proton_charge": TimeSeries("proton_charge", np.arange(9), charges)})
    total: Any = EventWorkspace([Part(table, a, b, Plan(1))], Detectors([1]), run, edges=[0, 1000])

    def reduced() -> Any:
        return remove_prompt_pulse(filter_bad_pulses(total), 15, 1000)  # takes the first event, at 10 µs

    assert reduced().y.tolist() == [[7]]
    offered = table.cache.offered
    a, b = table.append([2000], [0], [9], [0, 1], [8.0])  # mean 9.74: the one before is good now
    run = Run({"proton_charge": TimeSeries("proton_charge", [9], [8.0])})
    total = plus(total, EventWorkspace([Part(table, a, b, Plan(1))], Detectors([1]), run))
    assert reduced().y.tolist() == [[8]]
    a, b = table.append([2000], [0], [10], [0, 1], [12.0])  # mean 9.945: it is bad again
    run = Run({"proton_charge": TimeSeries("proton_charge", [10], [12.0])})
    total = plus(total, EventWorkspace([Part(table, a, b, Plan(1))], Detectors([1]), run))
    assert reduced().y.tolist() == [[8]]
    # extent: the two new ones; counts: one came back, one new and that one out again
    assert table.cache.offered == offered + 2 + 3


def test_what_is_wrong_is_said(make_events: Make) -> None:
    ws = make_events([10.0, 60.0], edges=[0, 100])
    with pytest.raises(ValueError, match="Width: must be positive, found 0"):
        remove_prompt_pulse(ws, 0, 60)
    with pytest.raises(ValueError, match="nothing would be left"):
        remove_prompt_pulse(ws, 20_000, 60)
    with pytest.raises(ValueError, match="found -60 Hz"):
        remove_prompt_pulse(ws, 20, -60)
    with pytest.raises(ValueError, match="X must be TOF"):
        remove_prompt_pulse(ws.planned(lambda plan: plan.in_unit("dSpacing", 1.0)), 20, 60)
    with pytest.raises(ValueError, match="periods of the source"):
        remove_prompt_pulse(make_events([10.0, 50_000.0]), 0.1, 900_000)


def test_events_and_their_histogram_lose_the_same_bins(make_events: Make) -> None:
    ws = make_events([0.0, 49.9, 50.0, 999.9, 1000.0, 1049.9, 1050.0], [1049.9], edges=[0, 50, 1000, 1050, 2000])
    for kind in (ws, ws.to_histogram()):
        result = remove_prompt_pulse(kind, 50, 1000)
        assert result.y.tolist() == [[0, 2, 0, 1], [0, 0, 0, 0]]
        assert result.e2.tolist() == [[0, 2, 0, 1], [0, 0, 0, 0]]


def test_pulses_before_time_zero_count_too(make_histogram: Make) -> None:
    ws = make_histogram([-1500, -1000, -900, -1, 0, 100], [[1, 2, 3, 4, 5]])
    assert remove_prompt_pulse(ws, 100, 1000).y.tolist() == [[1, 0, 3, 4, 0]]


def test_spectra_with_bins_of_their_own_and_points_are_cut_by_them(make_histogram: Make) -> None:
    ragged = make_histogram([[0, 1000, 2000], [100, 900, 1900]], [[1, 2], [4, 8]])
    assert remove_prompt_pulse(ragged, 100, 1000).y.tolist() == [[0, 0], [4, 0]]
    points = make_histogram([0, 50, 99, 100, 1050], [[1, 2, 3, 4, 5]])
    assert remove_prompt_pulse(points, 100, 1000).y.tolist() == [[0, 0, 0, 4, 0]]


def test_nothing_is_cut_where_no_pulse_falls(make_histogram: Make) -> None:
    ws = make_histogram([100, 200, 900], [[1, 2]])
    result = remove_prompt_pulse(ws, 100, 1000)
    assert result.y.tolist() == [[1, 2]]
    assert result is not ws


def test_workspaces_without_events_stay_so(make_events: Make) -> None:
    result = remove_prompt_pulse(make_events([], [], edges=[0, 10_000]), 50, 60)
    assert (result.y.tolist(), result.x.tolist()) == ([[0], [0]], [0, 10_000])


def test_the_frequency_may_be_a_series_and_must_make_sense(make_histogram: Make) -> None:
    def with_log(value: Any) -> Any:
        return make_histogram([0, 50, 900], [[1, 2]], run=Run({"frequency": value}))

    series = TimeSeries("frequency", [0, 1_000_000_000], [900.0, 1100.0], "Hz")
    assert remove_prompt_pulse(with_log(series), 50).y.tolist() == [[0, 2]]
    with pytest.raises(ValueError, match="RemovePromptPulse: Frequency: must be positive, found 0 Hz"):
        remove_prompt_pulse(with_log(0.0), 50)
    with pytest.raises(ValueError, match="Frequency: the log frequency is 'sixty', expected a number"):
        remove_prompt_pulse(with_log("sixty"), 50)
