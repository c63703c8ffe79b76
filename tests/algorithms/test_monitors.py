import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import convert_to_distribution, normalise_to_monitor, plus, rebin
from livereduce.algorithms.calling import execute
from livereduce.algorithms.declaration import find
from livereduce.workspaces import Detectors, EventWorkspace, HistogramWorkspace, Spectra, WorkspaceStore

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    """A monitor of 10 +- 3 in each of ten bins, and two spectra of 2 +- 3; numbers 0 to 2, detectors 100 to 102."""
    y = [[10] * 10, [2] * 10, [2] * 10]
    detectors = Detectors([100, 101, 102], np.array([True, False, False]))
    spectra = Spectra([0, 1, 2], [100, 101, 102])
    return make_histogram(np.arange(11), y, np.full((3, 10), 3), detectors=detectors, spectra=spectra)


def normalised(ws: Any, *args: Any, **options: Any) -> Any:
    return normalise_to_monitor(ws, *args, **options).output_workspace


@pytest.mark.parametrize("chosen", [{"monitor_spectrum": 0}, {"monitor_id": 100}])
def test_a_flat_monitor_leaves_values_and_adds_its_error(ws: HistogramWorkspace, chosen: Any) -> None:
    result = normalised(ws, **chosen)
    assert result.y == pytest.approx(ws.y)
    # 2 * sqrt((3/2)^2 + (3/10)^2); the monitor by itself 10 * sqrt(2 * 0.3^2)
    assert result.e[1:] == pytest.approx(np.full((2, 10), 3.05941), abs=1e-5)
    assert result.e[0] == pytest.approx(np.full(10, 4.24264), abs=1e-5)
    assert (result.y_unit, result.distribution) == ("Counts", False)


def test_values_follow_the_monitor_and_widths_of_bins(make_histogram: Make) -> None:
    # monitor 1, 9 in bins of 1 and 3: 10 counts in 4, so the factors are 1 * 4/10 / 1 and 9 * 4/10 / 3
    ws = make_histogram([0, 1, 4], [[1, 9], [6, 6]], [[0, 0], [3, 4]])
    both = normalise_to_monitor(ws, monitor_spectrum=1)
    assert both.norm_factor_ws is not None
    assert both.norm_factor_ws.y == pytest.approx(np.array([[0.4, 1.2]]))
    assert both.output_workspace.y == pytest.approx(np.array([[2.5, 7.5], [15, 5]]))
    assert both.output_workspace.e[1] == pytest.approx([7.5, 4 / 1.2])


def test_a_range_divides_by_the_counts_in_its_whole_bins(ws: HistogramWorkspace) -> None:
    both = normalise_to_monitor(ws, 0, integration_range_min=5, integration_range_max=20)
    result = both.output_workspace
    assert result.y[:, 0] == pytest.approx([10 / 50, 2 / 50, 2 / 50])  # bins 5 to 9
    # e of the sum is sqrt(5) * 3 = 6.7082
    assert result.e[1, 3] == pytest.approx(np.hypot(3 / 50, 2 * 6.7082039 / 50**2))
    assert (result.y_unit, result.YUnitLabel(), result.distribution) == ("", "", False)
    assert both.norm_factor_ws is not None
    assert both.norm_factor_ws.y.tolist() == [[50]]
    assert both.norm_factor_ws.e[0, 0] == pytest.approx(6.7082039)


def test_bins_partly_in_the_range_may_count_in_proportion(ws: HistogramWorkspace) -> None:
    limits = {"integration_range_min": 3.5, "integration_range_max": 9.7}
    assert normalised(ws, 0, **limits, include_partial_bins=True).y[1, 0] == pytest.approx(2 / 62)
    assert normalised(ws, 0, **limits).y[1, 0] == pytest.approx(2 / 50)


def test_limits_outside_or_not_given_are_those_of_the_monitor(ws: HistogramWorkspace) -> None:
    for limits in ({"integration_range_min": 8}, {"integration_range_min": 8, "integration_range_max": 99}):
        assert normalised(ws, 0, **limits).y[1, 0] == pytest.approx(2 / 20)
    assert normalised(ws, 0, integration_range_max=3).y[1, 0] == pytest.approx(2 / 30)
    assert normalised(ws, 0, integration_range_min=-5, integration_range_max=-1).y[1, 0] == pytest.approx(2 / 100)


def test_a_separate_monitor_is_put_into_the_bins_of_the_spectra(make_histogram: Make) -> None:
    ws = make_histogram([0, 2, 4], [[8, 8]], [[0, 0]])
    monitor = make_histogram([0, 1, 2, 3, 4], [[0, 0, 0, 0], [1, 2, 4, 5]])
    # in bins of 2 it has 3 and 9: mean 6
    assert normalised(ws, monitor_workspace=monitor, monitor_workspace_index=1).y == pytest.approx(
        np.array([[16, 16 / 3]])
    )


def test_spectra_with_bins_of_their_own_each_get_the_monitor_in_theirs(make_histogram: Make) -> None:
    ws = make_histogram([[0, 2, 4], [0, 1, 4]], [[6, 6], [6, 6]], [[0, 0], [0, 0]])
    monitor = make_histogram([0, 1, 2, 3, 4], [[1, 2, 4, 5]], [[1, 2, 4, 5]])
    both = normalise_to_monitor(ws, monitor_workspace=monitor)
    # first: 3 and 9, factors 3 * 4/12/2 and 9 * 4/12/2; second: 1 and 11, factors 1 * 4/12/1 and 11 * 4/12/3
    assert both.norm_factor_ws is not None
    assert both.norm_factor_ws.y == pytest.approx(np.array([[0.5, 1.5], [1 / 3, 11 / 9]]))
    assert both.output_workspace.y == pytest.approx(np.array([[12, 4], [18, 54 / 11]]))
    assert both.output_workspace.e[0, 0] == pytest.approx(12 * np.sqrt(1 + 4) / 3)


def test_events_stay_events_and_agree_with_their_histogram(random_events: EventWorkspace) -> None:
    for options in ({}, {"integration_range_min": 20.0, "integration_range_max": 80.0}):
        by_events = normalised(random_events, 2, **options)
        by_histogram = normalised(random_events.to_histogram(), 2, **options)
        assert isinstance(by_events, EventWorkspace)
        assert isinstance(by_histogram, HistogramWorkspace)
        np.testing.assert_allclose(by_events.y, by_histogram.y, rtol=1e-12)
        assert (by_events.y_unit, by_events.y_label) == (by_histogram.y_unit, by_histogram.y_label)
        np.testing.assert_allclose(by_events.e2, by_histogram.e2, rtol=1e-12)


def test_live_data_have_their_monitors_attached(make_events: MakeEvents) -> None:
    def chunk(data: list[float], monitor: list[float]) -> EventWorkspace:
        monitors = make_events(monitor)
        ids, here = np.array([-1]), Spectra([1], [-1])
        monitors = EventWorkspace(monitors.parts, Detectors(ids, np.array([True])), monitors.logs, spectra=here)
        return make_events(data, edges=[0, 5, 10], monitors=monitors)

    first = chunk([1, 2, 7], [0.5, 6, 7, 8])
    assert normalised(first, monitor_id=-1).y == pytest.approx(np.array([[2 * 4 / 2, 1 * 4 / 6]]))
    assert normalised(first, monitor_id=-1, integration_range_min=6).y == pytest.approx(np.array([[2 / 3, 1 / 3]]))
    second = chunk([3], [2, 3])
    both = plus(first, second)
    assert first.monitors is not None
    assert second.monitors is not None
    both.monitors = plus(first.monitors, second.monitors)
    assert normalised(both, monitor_id=-1).y == pytest.approx(np.array([[3, 1]]))


def test_a_spectrum_that_is_no_monitor_is_taken_with_a_warning(
    ws: HistogramWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        normalised(ws, 0)
        assert not caplog.messages
        assert normalised(ws, 1).y[1] == pytest.approx(ws.y[1])
    assert caplog.messages == ["NormaliseToMonitor: spectrum 1, which is normalised by, is not known as a monitor"]


def test_bins_without_counts_are_infinite_or_not_a_number_and_warned_of(
    make_histogram: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ws = make_histogram([0, 1, 2, 3], [[0, 4, 0], [1, 4, 0]])
    result = normalised(ws, 1)
    assert np.isinf(result.y[1, 0])
    assert np.isnan(result.y[1, 2])
    assert result.y[1, 1] == pytest.approx(4 / 3)
    message = "NormaliseToMonitor: the monitor has no counts in 2 of 3 bins; values there are infinite or NaN"
    assert caplog.messages[-1] == message


def test_a_single_point_is_divided_by_the_counts_of_its_monitor(make_histogram: Make) -> None:
    ws = make_histogram([1], [[4], [8]], [[2], [0]])
    result = normalised(ws, 1)
    assert result.y.tolist() == [[1], [2]]
    assert result.e[1, 0] == pytest.approx(2 * 2 / 4)


def test_what_cannot_be_normalised_is_said(
    ws: HistogramWorkspace, make_histogram: Make, make_events: MakeEvents
) -> None:
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (ws, {}, "give MonitorSpectrum, MonitorID or MonitorWorkspace"),
        (ws, {"monitor_spectrum": 7}, "no spectrum has number 7 in the workspace, which has no monitor workspace"),
        (ws, {"monitor_id": -3}, "no spectrum has detector -3 in the workspace"),
        (ws, {"monitor_workspace": ws, "monitor_workspace_index": 3}, "MonitorWorkspaceIndex: 3 is not in 0 to 2"),
        (ws, {"monitor_spectrum": 0, "integration_range_min": 5, "integration_range_max": 4}, "is greater than"),
        (convert_to_distribution(ws), {"monitor_spectrum": 0}, "it is a distribution"),
        (make_histogram([1, 2], [[1, 2]]), {"monitor_spectrum": 1}, "it has points, not bins"),
        (
            make_histogram([0, 1], [[1]], unit="Wavelength"),
            {"monitor_workspace": ws},
            "the monitor is in 'TOF', the workspace in 'Wavelength'; convert it",
        ),
        (
            make_histogram([[0, 1, 2], [0, 1, 3]], [[1, 2], [3, 4]]),
            {"monitor_workspace": make_events([1.0, 2.0])},
            "the spectra have different bins and the monitor has none",
        ),
    ]
    for workspace, options, message in cases:
        with pytest.raises(ValueError, match=r"^NormaliseToMonitor: ") as caught:
            normalise_to_monitor(workspace, **options)
        assert message in str(caught.value)


def test_a_monitor_without_counts_or_masked_is_an_error(make_histogram: Make) -> None:
    ws = make_histogram([0, 1, 2], [[0, 0], [1, 2]])
    with pytest.raises(RuntimeError, match=r"the monitor, spectrum 1, has no counts from 0 to 2 \(TOF\)"):
        normalise_to_monitor(ws, 1)
    with pytest.raises(RuntimeError, match="has no counts from 0 to 1"):
        normalise_to_monitor(ws, 1, integration_range_max=1)
    masked = ws.replaced(spectra=ws.spectra.with_masked([False, True]))
    with pytest.raises(ValueError, match="spectrum 2, is masked"):
        normalise_to_monitor(masked, 2)


def test_scripts_get_the_factor_if_they_name_it(ws: HistogramWorkspace, store: WorkspaceStore) -> None:
    store.add("in", ws)
    declaration = find("NormaliseToMonitor")
    assert declaration is not None
    arguments = {"InputWorkspace": "in", "OutputWorkspace": "out", "MonitorSpectrum": 0}
    result = execute(declaration, (), arguments, store)
    assert result is store["out"]
    assert store.names() == ["in", "out"]
    result = execute(declaration, (), arguments | {"NormFactorWS": "factor"}, store)
    assert (result.OutputWorkspace, result.NormFactorWS) == (store["out"], store["factor"])
    assert store["factor"].y == pytest.approx(np.ones((1, 10)))  # type: ignore[attr-defined]


def test_only_new_events_are_counted_at_an_update(random_events: EventWorkspace) -> None:
    fine = rebin(random_events, [0, 5, 100])
    assert normalised(fine, 2).y.shape == (4, 20)
    cache = random_events.tables[0].cache
    offered = cache.offered
    again = rebin(random_events, [0, 5, 100])
    assert normalised(again, 2).y.shape == (4, 20)
    assert cache.offered == offered
