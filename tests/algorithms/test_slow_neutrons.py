"""Two detectors, 1 and 3 m behind a sample at 9 m: paths of 10 and 12 m, under 60 and 180 degrees."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import align_and_focus_powder, convert_units, rebin
from livereduce.algorithms.slow_neutrons import by_resolution, unwrapped
from livereduce.workspaces import Detectors, EventWorkspace, HistogramWorkspace, Spectra

DIFC = [252.778413 * 10 * 2 * 0.5, 252.778413 * 12 * 2]


@pytest.fixture
def ws(make_events: Callable[..., EventWorkspace]) -> EventWorkspace:
    times = [1000.0, 1999.9, 2000.0, 2399.9, 2400.0, 9000.0]
    made = make_events(times, times, edges=[0, 20_000])
    detectors = Detectors([10, 11], l1=9.0, l2=[1.0, 3.0], two_theta=[np.pi / 3, np.pi])
    return EventWorkspace(made.parts, detectors, made.logs, edges=[0, 20_000])


def times(ws: EventWorkspace, index: int) -> list[float]:
    return sorted(ws.getSpectrum(index).getTofs().round(1).tolist())


def test_events_too_early_for_their_path_are_moved_by_the_frame(ws: EventWorkspace) -> None:
    # the fastest neutron takes 2000 µs for 10 m, so 2400 for 12
    result = unwrapped(ws, 10.0, 2000, 12_000)
    assert times(result, 0) == [2000.0, 2399.9, 2400.0, 9000.0, 11_000.0, 11_999.9]
    assert times(result, 1) == [2400.0, 9000.0, 11_000.0, 11_999.9, 12_000.0, 12_399.9]
    in_length: Any = convert_units(result, "Wavelength")
    assert in_length.getSpectrum(0).getTofs().max() == pytest.approx(11_999.9 / 252.778413 / 10)
    assert result.getNumberEvents() == 12


def test_what_resolves_worse_than_the_reference_is_left_out(ws: EventWorkspace) -> None:
    # by the reference's own resolution the least time of the first detector is that of the reference
    result: Any = by_resolution(ws, DIFC[0], 2000).good
    assert times(result, 0) == [2000.0, 2399.9, 2400.0, 9000.0]
    # sqrt(2000 / 2527.8) + 3.22 log10(1 / 2.4) is negative: nothing is left out of the second
    assert len(times(result, 1)) == 6
    # with the second as reference: sqrt(2000 / 6066.68) + 3.22 log10(2.4) = 1.79845, whose square times 2527.78 is 8176
    rest: Any
    result, rest = by_resolution(ws, DIFC[1], 2000)
    assert times(result, 0) == [9000.0]
    assert times(result, 1) == [2000.0, 2399.9, 2400.0, 9000.0]
    assert times(rest, 0) == [1000.0, 1999.9, 2000.0, 2399.9, 2400.0]
    assert times(rest, 1) == [1000.0, 1999.9]


def test_the_least_time_is_that_of_the_formula(make_events: Callable[..., EventWorkspace]) -> None:
    made = make_events([8175.8, 8176.0], [1999.9, 2000.0], edges=[0, 20_000])
    detectors = Detectors([10, 11], l1=9.0, l2=[1.0, 3.0], two_theta=[np.pi / 3, np.pi])
    result = by_resolution(EventWorkspace(made.parts, detectors, made.logs), DIFC[1], 2000).good
    assert [result.getSpectrum(i).getTofs().tolist() for i in (0, 1)] == [[8176.0], [2000.0]]  # type: ignore[attr-defined]


def test_of_a_histogram_bins_are_parted_by_where_they_begin(ws: EventWorkspace) -> None:
    histogram = HistogramWorkspace(
        [0, 2000, 8000, 9000, 10_000], np.ones((2, 4)), detectors=ws.detectors, spectra=ws.spectra
    )
    result, rest = by_resolution(histogram, DIFC[1], 2000)
    assert result.y.tolist() == [[0, 0, 0, 1], [0, 1, 1, 1]]
    assert rest.y.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert result.e2.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]


def test_both_after_each_other_see_the_moved_times(ws: EventWorkspace) -> None:
    result: Any = by_resolution(unwrapped(ws, 10.0, 2000, 12_000), DIFC[1], 2000).good
    assert times(result, 0) == [9000.0, 11_000.0, 11_999.9]
    assert len(times(result, 1)) == 6


def test_spectra_without_a_place_keep_everything(make_events: Callable[..., EventWorkspace]) -> None:
    made = make_events([1000.0], [1000.0], edges=[0, 2000])
    result: Any = by_resolution(made, 20_000, 5000).good
    assert result.y.tolist() == [[1], [1]]
    assert unwrapped(made, 10.0, 2000, 12_000).getSpectrum(0).getTofs() == pytest.approx([1000])


def test_powder_is_aligned_by_the_moved_times(ws: EventWorkspace) -> None:
    options: Any = {"unwrap_ref": 10.0, "low_res_ref": DIFC[1], "t_min": 2000, "t_max": 12_000}
    # TMin and TMax cut before anything else, as they do without the references
    result: Any = align_and_focus_powder(ws, params=[0.0, 1.0, 10.0], **options)
    assert result.unit == "dSpacing"
    assert sorted(result.getSpectrum(0).getTofs()) == pytest.approx([9000 / DIFC[0]])
    moved = [2400.0, 9000.0, 12_000.0, 12_399.9]
    assert sorted(result.getSpectrum(1).getTofs()) == pytest.approx([t / DIFC[1] for t in moved], rel=1e-6)


@pytest.mark.parametrize("kind", ["events", "histogram"])
def test_what_resolves_worse_may_have_spectra_of_its_own(ws: EventWorkspace, kind: str) -> None:
    data: Any = ws if kind == "events" else rebin(ws, [500, 500, 12_000], preserve_events=False)
    options: Any = {"low_res_ref": DIFC[1], "t_min": 2000, "params": [0.0, 1.0, 2.0, 18.0, 20.0], "l2": [1.0, 3.0]}
    options |= {"primary_flight_path": 9.0, "spectrum_ids": [1, 2], "polar": [60.0, 180.0]}
    result: Any = align_and_focus_powder(data, low_res_spectrum_offset=100, **options)
    assert result.getSpectrumNumbers() == [1, 2, 101, 102]
    without = align_and_focus_powder(data, **options)
    assert result.y[:2].tolist() == without.y.tolist()
    everything = align_and_focus_powder(data, **{**options, "low_res_ref": 0})
    np.testing.assert_allclose(result.y[:2] + result.y[2:], everything.y)
    assert result.y[2].sum() > 0
    geometry = result.spectra.geometry_from(result.detectors)
    assert geometry.l2.tolist() == [1.0, 3.0, 1.0, 3.0]
    np.testing.assert_allclose(geometry.two_theta, [np.pi / 3, np.pi] * 2)


def test_histograms_cannot_be_unwrapped(ws: EventWorkspace) -> None:
    spectra = Spectra([1, 2], [10, 11])
    histogram = HistogramWorkspace([0, 1], [[1], [1]], detectors=ws.detectors, spectra=spectra)
    for wrong in (histogram, convert_units(ws, "Wavelength")):
        with pytest.raises(ValueError, match="UnwrapRef: needs events with the times of flight as they came"):
            unwrapped(wrong, 10.0, 2000, 12_000)
