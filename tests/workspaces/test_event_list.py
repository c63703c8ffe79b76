from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces import Curve, Detectors, EventTable, EventWorkspace, Spectra
from livereduce.workspaces.event_list import pulses_of, sorted_by_pixel, spans

Make = Callable[..., EventTable]


def workspace(table: EventTable, a: int = 0, b: int | None = None) -> EventWorkspace:
    return EventWorkspace.from_table(
        table, a, table.n if b is None else b, Detectors(np.arange(table.n_pixels)), edges=[0.0, 1e6]
    )


@pytest.mark.parametrize("n_pixels", [1, 20, 511, 512, 513, 2000])
@pytest.mark.parametrize("segment", [100, 1 << 22])
def test_sorting_by_pixel_is_stable_and_complete(
    make_table: Make, columns: Callable[..., Any], n_pixels: int, segment: int
) -> None:
    table = make_table(3000, n_pixels, segment_events=segment)
    ranges = np.array([[0, 1234], [1300, 3000]])
    tof, pix, _ = (np.concatenate(c) for c in zip(columns(table, 0, 1234), columns(table, 1300, 3000), strict=True))
    pulse = np.concatenate([np.arange(0, 1234) // 10, np.arange(1300, 3000) // 10])
    view = sorted_by_pixel(table, ranges)
    order = np.argsort(pix, kind="stable")
    assert np.array_equal(view.tof, tof[order])
    assert np.array_equal(view.pulse, pulse[order])
    assert np.array_equal(view.begin, np.searchsorted(pix[order], np.arange(n_pixels + 1)))


def test_nothing_to_sort_is_sorted(make_table: Make) -> None:
    view = sorted_by_pixel(make_table(10), np.empty((0, 2), np.int64))
    assert view.begin.tolist() == [0] * 21


def test_the_pulse_of_an_event_is_known_even_when_pulses_are_empty() -> None:
    table = EventTable(1)
    table.append([1] * 5, [0] * 5, [0, 1, 2, 3, 4], [0, 0, 2, 2, 5, 5], [1.0] * 5)
    assert pulses_of(table, 0, 5).tolist() == [1, 1, 3, 3, 3]
    assert pulses_of(table, 1, 3).tolist() == [1, 3]
    assert pulses_of(table, 2, 2).tolist() == []


def test_a_spectrum_lists_its_events_with_times_pulses_and_weights() -> None:
    table = EventTable(3)
    table.append([10, 20, 30, 40], [2, 0, 2, 1], [1000, 2000], [0, 2, 4], [1.0, 1.0])
    events = workspace(table).getSpectrum(2)
    assert events.getTofs().tolist() == [1.0, 3.0]
    assert events.getPulseTimes().astype(np.int64).tolist() == [1000, 2000]
    assert events.getWeights().tolist() == [1.0, 1.0]
    assert events.getNumberEvents() == 2
    assert (events.getTofMin(), events.getTofMax()) == (1.0, 3.0)
    assert events.getSpectrumNo() == 3
    assert events.getDetectorIDs() == [2]


def test_events_are_listed_as_the_plan_shows_them(make_table: Make, columns: Callable[..., Any]) -> None:
    table = make_table(2000)
    tof, pix, time = columns(table)
    second = 1_000_000_000
    ws = workspace(table).selected([(0, 100 * second)]).planned(
        lambda p: (
            p.limited(2000.0, 15_000.0).without_times([(5000.0, 6000.0)])
            .in_unit("Energy", np.linspace(1e-4, 2e-4, 20), None, Curve(-2)).grouped(np.arange(20) % 3, 3).scaled(-0.5)
        ),
        spectra=Spectra([1, 2, 3]),
    )  # fmt: skip
    t = tof * 0.1
    for spectrum in range(3):
        keep = (time < 100 * second) & (t >= 2000) & (t <= 15_000) & ~((t >= 5000) & (t < 6000)) & (pix % 3 == spectrum)
        y = (t * np.linspace(1e-4, 2e-4, 20)[pix])[keep]
        events = ws.getSpectrum(spectrum)
        assert np.sort(events.getTofs()).tolist() == np.sort(1.0 / (y * y)).tolist()
        assert events.getNumberEvents() == keep.sum()
        assert np.sort(events.getPulseTimes().astype(np.int64)).tolist() == np.sort(time[keep]).tolist()
        assert set(events.getWeights()) == {-0.5}
        assert set(events.getWeightErrors()) == {0.5}


def test_events_of_several_parts_are_listed_together(make_table: Make) -> None:
    one, two = make_table(100, seed=1), make_table(100, seed=2)
    both = workspace(one).plus(workspace(two), subtract=True)
    events = both.getSpectrum(4)
    n = [workspace(t).getSpectrum(4).getNumberEvents() for t in (one, two)]
    assert events.getNumberEvents() == len(events.getTofs()) == sum(n)
    assert events.getWeights().tolist() == [1.0] * n[0] + [-1.0] * n[1]


def test_the_sorted_events_are_made_once_and_dropped_when_the_range_changes(make_table: Make) -> None:
    table = make_table(1000)
    ws = workspace(table)
    ws.getSpectrum(0).getTofs()
    before = table.cache.offered
    ws.getSpectrum(1).getTofs()
    assert table.cache.offered == before
    table.append([1], [0], [0], [0, 1], [1.0])
    assert workspace(table).getSpectrum(0).getNumberEvents() == ws.getSpectrum(0).getNumberEvents() + 1
    assert workspace(table).getSpectrum(0).getTofs().size == ws.getSpectrum(0).getNumberEvents() + 1
    assert table.cache.offered == before + 1001 + 1 + 1001  # counted for two workspaces that differ by one, and sorted


def test_a_weight_per_spectrum_or_bin_is_given_with_its_error(make_table: Make) -> None:
    ws = workspace(make_table(1000))
    weighed = ws.planned(lambda p: p.multiplied(np.full((20, 1), 3.0), np.full((20, 1), 16.0)))
    assert set(weighed.getSpectrum(7).getWeights()) == {3.0}
    assert set(weighed.getSpectrum(7).getWeightErrors()) == {5.0}
    by_bin = ws.replaced(edges=[0.0, 5000.0, 10_000.0]).planned(lambda p: p.multiplied([[1.0, 2.0]], [[0.0, 5.0]]))
    events = by_bin.getSpectrum(0)
    tof = events.getTofs()
    expected = np.where(tof < 5000, 1.0, np.where(tof < 10_000, 2.0, 0.0))
    assert np.array_equal(events.getWeights(), expected)
    assert np.array_equal(events.getWeightErrors(), np.where(expected == 2, 3.0, expected))


@given(st.lists(st.integers(0, 10), max_size=12), st.integers(1, 15))
def test_spans_cover_all_spectra_in_order_and_hold_no_more_than_they_may(size: list[int], most: int) -> None:
    found = list(spans(np.array(size, np.int64), most))
    assert [i for first, last in found for i in range(first, last)] == list(range(len(size)))
    assert all(sum(size[first:last]) <= most or last == first + 1 for first, last in found)


def test_a_list_is_summed_over_x_and_tells_its_order_and_kind() -> None:
    table = EventTable(1)
    table.append([5, 30, 10], [0, 0, 0], [0], [0, 3], [1.0])
    ws = workspace(table)
    x = ws.getSpectrum(0).getTofs()
    events: Any = ws.getSpectrum(0)
    assert (events.integrate(x[0], x[2]), events.integrate(0, 0), events.integrate(0, 0, True)) == (2, 0, 3)
    assert (events.isSortedByTof(), events.getEventType()) == (False, "TOF")
    assert events.getMemorySize() == 3 * 4 * 8  # X, pulse time, weight and variance
    doubled: Any = ws.planned(lambda plan: plan.scaled(2.0)).getSpectrum(0)
    assert (doubled.integrate(x[0], x[2]), doubled.getEventType()) == (4, "WEIGHTED")
