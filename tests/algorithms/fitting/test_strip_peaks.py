from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from livereduce.algorithms import create_sample_workspace, find_peaks, strip_peaks, strip_vanadium_peaks
from livereduce.algorithms.fitting.profiles import gaussian
from livereduce.algorithms.fitting.strip_peaks import VANADIUM
from livereduce.workspaces import EventWorkspace, HistogramWorkspace

Make = Callable[..., HistogramWorkspace]
GREATEST = np.finfo(float).max
X = np.linspace(0, 40, 401)
CENTRES = (X[1:] + X[:-1]) / 2


@pytest.fixture
def two_peaks(make_histogram: Make) -> HistogramWorkspace:
    """Counted peaks at 12 and 25 in spectrum 0, nothing in spectrum 1."""
    y = 50 + CENTRES + gaussian(CENTRES, 500, 12, 0.3) + gaussian(CENTRES, 300, 25, 0.4)
    counts = np.random.default_rng(3).poisson(y)
    return make_histogram(X, [counts, np.zeros(400)])


def test_peaks_are_searched_for_and_described(two_peaks: HistogramWorkspace) -> None:
    table = find_peaks(two_peaks)
    assert table.getColumnNames() == [
        "spectrum", "centre", "width", "height", "backgroundintercept", "backgroundslope", "A2", "chi2",
    ]  # fmt: skip
    high = [row for row in table if row["height"] > 100]
    assert [row["centre"] for row in high] == pytest.approx([12, 25], abs=0.05)
    assert [row["height"] for row in high] == pytest.approx([500, 300], rel=0.1)
    assert [row["width"] for row in high] == pytest.approx([0.3 * 2.3548, 0.4 * 2.3548], rel=0.1)
    assert [row["spectrum"] for row in table] == [0] * len(table)
    assert all(row["A2"] == 0 for row in table)
    assert all(row["chi2"] < 3 for row in high)


def test_the_peak_of_mantids_documentation_is_found() -> None:
    text = "name=LinearBackground, A0=0.3;name=Gaussian, PeakCentre=5, Height=10, Sigma=0.7"
    ws = create_sample_workspace(
        function="User Defined", user_defined_function=text, num_banks=1, bank_pixel_width=1, x_max=10, bin_width=0.1
    )
    (row,) = list(find_peaks(ws, fwhm=20))
    # values are those at the lower edges of bins, fits are at centres
    assert (row["centre"], row["width"], row["height"]) == pytest.approx((5.05, 0.7 * 2.35482, 10), rel=1e-5)


def test_given_positions_all_have_a_row(two_peaks: HistogramWorkspace) -> None:
    table = find_peaks(two_peaks, workspace_index=0, peak_positions=[25.1, 11.9, 99])
    assert table.column("centre")[:2] == pytest.approx([12, 25], abs=0.05)
    assert table.column("centre")[2] == 99
    assert table.column("chi2")[2] == GREATEST
    nothing = find_peaks(two_peaks, workspace_index=1, peak_positions=[12])
    assert list(nothing) == [
        {"spectrum": 1, "centre": 12, "width": 0, "height": 0, "backgroundintercept": 0, "backgroundslope": 0, "A2": 0,
         "chi2": GREATEST}
    ]  # fmt: skip


def test_raw_parameters_are_those_of_the_functions(two_peaks: HistogramWorkspace) -> None:
    table = find_peaks(
        two_peaks, workspace_index=0, peak_positions=[12, 39.9], peak_function="Lorentzian",
        background_type="Quadratic", raw_peak_parameters=True,
    )  # fmt: skip
    assert table.getColumnNames() == ["spectrum", "Amplitude", "PeakCentre", "FWHM", "A0", "A1", "A2", "chi2"]
    assert table.cell("PeakCentre", 0) == pytest.approx(12, abs=0.05)


def test_a_peak_far_from_its_position_does_not_count(two_peaks: HistogramWorkspace) -> None:
    def chi2(**options: Any) -> float:
        table = find_peaks(two_peaks, workspace_index=0, peak_positions=[12.5], **options)
        value: float = table.cell("chi2", 0)
        return value

    assert chi2() < 3
    assert chi2(peak_position_tolerance=0.1) == GREATEST
    assert chi2(peak_position_tolerance=-1) < 3
    assert chi2(minimum_peak_height=600) == GREATEST
    assert chi2(minimum_peak_height_obs=5000) == GREATEST


def test_windows_say_where_to_fit(two_peaks: HistogramWorkspace) -> None:
    table = find_peaks(two_peaks, workspace_index=0, peak_positions=[13], fit_windows=[8, 16])
    assert table.cell("centre", 0) == pytest.approx(12, abs=0.05)
    with pytest.raises(ValueError, match="FindPeaks: FitWindows: 1 values for 1 PeakPositions; expected two for each"):
        find_peaks(two_peaks, peak_positions=[13], fit_windows=[8])


def test_what_makes_no_sense_is_refused(two_peaks: HistogramWorkspace) -> None:
    with pytest.raises(ValueError, match="FindPeaks: FWHM: expected 1 or more, found 0"):
        find_peaks(two_peaks, fwhm=0)
    with pytest.raises(ValueError, match=r"MinGuessedPeakWidth.*found 5, 2, 2"):
        find_peaks(two_peaks, min_guessed_peak_width=5, max_guessed_peak_width=2)


def test_gaussians_are_subtracted_and_errors_stay(two_peaks: HistogramWorkspace) -> None:
    stripped = strip_peaks(two_peaks, peak_positions=[12, 25], peak_position_tolerance=0.1)
    left = stripped.y[0] - (50 + CENTRES)
    assert np.abs(left.mean()) < 1.5
    # at the foot of the higher peak the noise is that of 550 counts
    assert np.abs(left).max() < 4 * np.sqrt(550)
    assert stripped.e.tolist() == two_peaks.e.tolist()
    assert stripped.y[1].tolist() == [0] * 400
    far = np.abs(CENTRES - 18) < 2
    assert stripped.y[0][far].tolist() == two_peaks.y[0][far].tolist()


def test_peaks_that_fit_badly_stay(two_peaks: HistogramWorkspace, caplog: pytest.LogCaptureFixture) -> None:
    stripped = strip_peaks(two_peaks, peak_positions=[12], peak_position_tolerance=0.1, maximum_chisq=0.1)
    assert stripped.y.tolist() == two_peaks.y.tolist()
    assert "the peak at X=11.9978 is left in: its chi² is 1.09" in caplog.text


def test_only_the_spectrum_asked_for_is_stripped(make_histogram: Make) -> None:
    y = 50 + gaussian(CENTRES, 500, 12, 0.3)
    stripped = strip_peaks(make_histogram(X, [y, y]), peak_positions=[12], workspace_index=1)
    assert stripped.y[0] == pytest.approx(y)
    # cut off at five standard deviations, the peak has 500 exp(-12.5) there
    assert stripped.y[1] == pytest.approx(np.full(400, 50), abs=0.01)


@pytest.mark.parametrize("background", ["Linear", "Quadratic"])
def test_vanadium_loses_its_peaks_and_keeps_what_is_under_them(
    make_histogram: Make, background: Literal["Linear", "Quadratic"]
) -> None:
    edges = np.geomspace(0.45, 2.6, 3001)
    d = (edges[1:] + edges[:-1]) / 2
    smooth = 1000 + 300 * d
    y = smooth.copy()
    for position in (2.1401, 1.5133, 1.2356, 1.0701, 0.9571, 0.8737):
        y += gaussian(d, 900, position, 0.003 * position)
    counts = np.random.default_rng(8).poisson(y).astype(float)
    ws = make_histogram(edges, counts, unit="dSpacing")
    stripped = strip_vanadium_peaks(ws, fwhm=12, background_type=background, peak_position_tolerance=0.01)
    for position in (2.1401, 1.5133, 1.2356, 1.0701, 0.9571, 0.8737):
        near = np.abs(d - position) < 0.006 * position
        before, after = (np.mean((values - smooth)[near]) for values in (counts, stripped.y[0]))
        assert before > 300
        assert abs(after) < 30


def test_vanadium_peaks_are_known_in_d_spacing_only(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match="StripVanadiumPeaks: InputWorkspace: X is in 'TOF'; expected dSpacing"):
        strip_vanadium_peaks(make_histogram([1, 2], [1]))


def test_the_peaks_of_vanadium_are_those_of_its_lattice() -> None:
    # body-centred cubic: d = a / sqrt(N), N = h2 + k2 + l2 even; the first is at 2.1401 Å
    sums = {h * h + k * k + n * n for h in range(7) for k in range(7) for n in range(7)}
    even = [total for total in sorted(sums) if total % 2 == 0 and 0 < total <= 36]
    assert len(even) == 17
    lattice = 2.1401 * np.sqrt(2)
    assert sorted(VANADIUM, reverse=True) == pytest.approx([lattice / np.sqrt(total) for total in even], abs=1e-4)


def test_peaks_of_events_are_stripped_as_those_of_their_histogram(make_events: Callable[..., EventWorkspace]) -> None:
    counts = np.round(20 + gaussian(CENTRES[:200], 300, 12, 0.3)).astype(int)
    events = make_events(np.repeat(10 * CENTRES[:200], counts).tolist(), edges=10 * X[:201])
    assert events.y.tolist() == [counts.tolist()]
    by_events = strip_peaks(events, peak_positions=[120])
    by_histogram = strip_peaks(events.to_histogram(), peak_positions=[120])
    assert by_events.y.tolist() == by_histogram.y.tolist()
    assert np.abs(by_events.y - 20).max() < 1.5  # counts were rounded
    assert by_events.e.tolist() == np.sqrt(events.y).tolist()


def test_spectra_without_events_have_no_peaks(make_events: Callable[..., EventWorkspace]) -> None:
    none = make_events([], [], edges=X)
    assert strip_peaks(none).y.tolist() == strip_peaks(none, peak_positions=[12]).y.tolist() == [[0] * 400] * 2
    assert list(find_peaks(none)) == []


def test_points_are_stripped_as_well(make_histogram: Make) -> None:
    y = 50 + gaussian(CENTRES, 500, 12, 0.3)
    stripped = strip_peaks(make_histogram(CENTRES, [y]), peak_positions=[12])
    assert not stripped.is_histogram
    assert stripped.y[0] == pytest.approx(np.full(400, 50), abs=0.01)


def test_what_is_not_a_number_stays_where_it_is(make_histogram: Make) -> None:
    y = 50 + gaussian(CENTRES, 500, 12, 0.3)
    y[300] = np.nan
    stripped = strip_peaks(make_histogram(X, [y]), peak_positions=[12])
    assert np.flatnonzero(np.isnan(stripped.y[0])).tolist() == [300]
    assert stripped.y[0, :300] == pytest.approx(np.full(300, 50), abs=0.01)


@pytest.mark.parametrize("algorithm", [strip_peaks, strip_vanadium_peaks, find_peaks])
def test_a_spectrum_that_is_not_there_is_named(make_histogram: Make, algorithm: Any) -> None:
    with pytest.raises(ValueError, match="workspace index 1 is not in 0 to 0"):
        algorithm(make_histogram(X, [np.ones(400)], unit="dSpacing"), workspace_index=1)
