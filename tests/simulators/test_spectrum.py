import numpy as np
import pytest

from livereduce.simulators.spectrum import AliasTable, Band, Sampler, band_of_frame, decoupled_hydrogen, maxwellian


def test_maxwellian_integrates_to_one_and_peaks_at_the_root_of_two_fifths_a() -> None:
    wavelength = np.linspace(0.05, 60.0, 600_000)
    flux = maxwellian(wavelength, 310.0)
    assert np.trapezoid(flux, wavelength) == pytest.approx(1.0, abs=1e-3)
    assert wavelength[np.argmax(flux)] == pytest.approx(np.sqrt(2 * (949 / 310) / 5), abs=2e-4)


def test_band_of_a_63_metre_machine_at_60_hertz_is_1_05_angstrom_wide() -> None:
    band = band_of_frame(1.5, 63.0, 60.0)
    assert band.width == pytest.approx(1.0466, abs=1e-4)
    assert (band.low, band.high) == pytest.approx((0.977, 2.023), abs=1e-3)


def test_band_edges_are_half_open_and_not_steps() -> None:
    band = Band(1.5, 1.0)
    assert band.transmission(np.array([1.0, 1.5, 2.0])) == pytest.approx([0.5, 1.0, 0.5], abs=1e-12)
    # erf(1/3) = 0.36265: a third of the edge width inside
    assert band.transmission(np.array([1.01]))[0] == pytest.approx(0.5 * (1 + 0.36265), abs=1e-4)


def test_moderator_is_brightest_near_one_angstrom_and_falls_on_both_sides_of_the_demo_band() -> None:
    flux = decoupled_hydrogen(np.array([1.0, 1.5, 2.0]))
    assert flux[0] > flux[1] > flux[2] > 0.3 * flux[0]


def test_sampler_reproduces_a_triangular_density() -> None:
    x = np.linspace(0.0, 1.0, 101)
    drawn = Sampler(x, x).draw(np.random.default_rng(1), 200_000)
    assert drawn.mean() == pytest.approx(2 / 3, abs=2e-3)
    assert (drawn < 0.5).mean() == pytest.approx(0.25, abs=5e-3)


def test_alias_table_draws_each_row_in_proportion_to_its_weight() -> None:
    weights = np.array([1.0, 0.0, 7.0, 2.0, 0.5, 1e-3])
    drawn = np.bincount(AliasTable(weights).draw(np.random.default_rng(2), 1_000_000), minlength=6)
    expected = 1e6 * weights / weights.sum()
    assert drawn[1] == 0
    assert np.all(np.abs(drawn - expected) < 5 * np.sqrt(expected + 1))
