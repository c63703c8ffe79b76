"""Every unit against numbers worked out from h, m and meV alone, on a flight path of 15 m + 5 m."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError
from livereduce.geometry.units import (
    MEV_ANGSTROM2,
    UNITS,
    US_PER_M_ANGSTROM,
    US_SQRT_MEV_PER_M,
    Conversion,
    conversion,
    geometric_difc,
    inelastic_momentum_transfer,
    wave_vector,
)

L1, L2 = 15.0, 5.0
TWO_THETA = np.radians(60)  # sin(theta) = 1/2
PATHS: dict[str, Any] = {"l1": L1, "l2": [L2], "two_theta": [TWO_THETA]}


def tof(speed: float, path: float) -> float:
    """Time of flight in us at a speed in m/s."""
    return path / speed * 1e6


# a neutron of 2 Å: v = h / (m 2e-10 m) = 1978.0170 m/s, E = m v² / 2 = 20.451053 meV
V2 = 6.62607015e-34 / (1.67492749804e-27 * 2e-10)
E2 = 1.67492749804e-27 * V2**2 / 2 / 1.602176634e-22
T2 = tof(V2, 20.0)


def test_the_constants_are_those_of_codata_2018() -> None:
    assert US_PER_M_ANGSTROM == pytest.approx(252.778413, rel=1e-9)
    assert 1e6 / US_PER_M_ANGSTROM == pytest.approx(3956.03401, rel=1e-9)
    assert US_SQRT_MEV_PER_M == pytest.approx(2286.27155, rel=1e-8)
    assert MEV_ANGSTROM2 == pytest.approx(81.804210, rel=1e-8)
    # E = 2.0721249 k²
    assert wave_vector(2.0721249) == pytest.approx(1.0, rel=1e-7)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("TOF", T2),
        ("Wavelength", 2.0),
        ("Energy", E2),
        ("Energy_inWavenumber", E2 * 8.06554465),
        ("Momentum", np.pi),  # 2 pi / 2
        ("dSpacing", 2.0),  # lambda = 2 d sin(theta), 2 sin(theta) = 1
        ("MomentumTransfer", np.pi),
        ("QSquared", np.pi**2),
    ],
)
def test_an_elastic_neutron_of_two_angstrom_has_its_value_in_every_unit(unit: str, expected: float) -> None:
    found = conversion(unit, **PATHS)
    assert_allclose(found.from_tof([T2]), [[expected]], rtol=1e-12)
    assert_allclose(found.to_tof([expected]), [[T2]], rtol=1e-12)


def test_energies_have_the_known_values_of_cold_and_thermal_neutrons() -> None:
    # 1.8 Å is 25.2 meV, 2200 m/s is 25.3 meV
    assert pytest.approx(25.2482, rel=1e-4) == 81.80421 / 1.8**2
    found = conversion("Energy", **PATHS)
    assert_allclose(found.from_tof([tof(2200.0, 20.0)]), [[5.2270376e-6 * 2200**2]], rtol=1e-7)


# Ei = 100 meV: v = sqrt(2 E / m) = 4373.9336 m/s
V100 = float(np.sqrt(2 * 100 * 1.602176634e-22 / 1.67492749804e-27))
V50 = V100 / np.sqrt(2)


def test_direct_energy_transfer_is_positive_where_the_neutron_lost_energy() -> None:
    found = conversion("DeltaE", mode="Direct", fixed_energy=100.0, **PATHS)
    elastic = tof(V100, L1) + tof(V100, L2)
    lost = tof(V100, L1) + tof(V50, L2)  # Ef = 50 meV
    gained = tof(V100, L1) + tof(V100 * np.sqrt(2), L2)  # Ef = 200 meV
    assert_allclose(found.from_tof([elastic, lost, gained]), [[0, 50, -100]], atol=1e-10)
    assert_allclose(found.to_tof([0, 50, -100]), [[elastic, lost, gained]], rtol=1e-12)
    assert found.rising


def test_direct_energy_transfer_has_no_value_before_the_neutron_reached_the_sample() -> None:
    found = conversion("DeltaE", mode="Direct", fixed_energy=100.0, **PATHS)
    t1 = tof(V100, L1)
    values = found.from_tof([t1 - 1.0, t1 - 1e-6, t1 + 1.0])
    assert np.isnan(values).tolist() == [[True, True, False]]
    # more energy than it came with cannot be lost
    assert np.isnan(found.to_tof([100.1])).all()


def test_indirect_energy_transfer_uses_the_final_energy_of_each_detector() -> None:
    found = conversion("DeltaE", l1=L1, l2=[L2, L2], two_theta=[1.0, 1.0], mode="Indirect", fixed_energy=[100.0, 50.0])
    # Ei = 50: lost 50 - 100 = -50; the second: Ei = 100, lost 100 - 50
    times = np.array([[tof(V100, L2) + tof(V50, L1)], [tof(V50, L2) + tof(V100, L1)]])
    assert_allclose(found.from_tof(times), [[-50], [50]], rtol=1e-12)
    assert_allclose(found.to_tof([[-50], [50]]), times, rtol=1e-12)
    assert not found.rising


def test_energy_transfer_in_wavenumbers_is_8_066_times_that_in_mev() -> None:
    lost = tof(V100, L1) + tof(V50, L2)
    found = conversion("DeltaE_inWavenumber", mode="Direct", fixed_energy=100.0, **PATHS)
    assert_allclose(found.from_tof([lost]), [[50 * 8.06554465]], rtol=1e-10)
    indirect = conversion("DeltaE_inWavenumber", mode="Indirect", fixed_energy=100.0, **PATHS)
    assert_allclose(indirect.from_tof([tof(V100, L2) + tof(V50, L1)]), [[-50 * 8.06554465]], rtol=1e-10)


def test_wavelength_on_an_inelastic_instrument_is_that_of_the_neutron_that_is_not_fixed() -> None:
    lost = tof(V100, L1) + tof(V50, L2)
    direct = conversion("Wavelength", mode="Direct", fixed_energy=100.0, **PATHS)
    assert_allclose(direct.from_tof([lost]), [[np.sqrt(81.804210 / 50)]], rtol=1e-8)
    indirect = conversion("Wavelength", mode="Indirect", fixed_energy=100.0, **PATHS)
    assert_allclose(indirect.from_tof([tof(V100, L2) + tof(V50, L1)]), [[np.sqrt(81.804210 / 50)]], rtol=1e-8)
    energy = conversion("Energy", mode="Direct", fixed_energy=100.0, **PATHS)
    assert_allclose(energy.from_tof([lost]), [[50.0]], rtol=1e-12)


def test_d_and_q_stay_elastic_in_every_mode() -> None:
    for unit, expected in (("dSpacing", 2.0), ("MomentumTransfer", np.pi)):
        found = conversion(unit, mode="Direct", fixed_energy=100.0, **PATHS)
        assert_allclose(found.from_tof([T2]), [[expected]], rtol=1e-12)


def test_monitors_convert_elastically_and_have_no_d_q_or_energy_transfer() -> None:
    # 1 m upstream of the sample: path 14 m
    paths: dict[str, Any] = {"l1": L1, "l2": [-1.0, L2], "two_theta": [0.0, TWO_THETA], "monitor": [True, False]}
    for mode in ("Elastic", "Direct", "Indirect"):
        found = conversion("Wavelength", mode=mode, fixed_energy=100.0, **paths)
        assert_allclose(found.from_tof([tof(V2, 14.0)])[0], [2.0], rtol=1e-12)
    for unit in ("dSpacing", "MomentumTransfer", "QSquared", "DeltaE"):
        found = conversion(unit, mode="Direct", fixed_energy=100.0, **paths)
        assert found.undefined.tolist() == [True, False]
        assert np.isnan(found.from_tof([9000.0])).tolist() == [[True], [False]]
        assert np.isnan(found.to_tof([1.0])).tolist() == [[True], [False]]


def test_detectors_in_the_beam_or_without_a_place_have_no_d_spacing() -> None:
    found = conversion("dSpacing", l1=L1, l2=[L2, np.nan, -L1], two_theta=[0.0, 1.0, 1.0])
    assert found.undefined.all()
    assert not conversion("Wavelength", l1=L1, l2=[L2], two_theta=[0.0]).undefined.any()


def test_a_detector_without_a_final_energy_is_undefined_and_the_others_are_not() -> None:
    found = conversion("DeltaE", l1=L1, l2=[5, 5], two_theta=[1, 1], mode="Indirect", fixed_energy=[np.nan, 2.0])
    assert found.undefined.tolist() == [True, False]
    assert found.intercept == -2.0


def test_events_convert_by_the_row_of_their_detector() -> None:
    found = conversion("Wavelength", l1=L1, l2=[5.0, 10.0], two_theta=[1.0, 1.0])
    times = [tof(V2, 20.0), tof(V2, 25.0), tof(V2, 25.0)]
    assert_allclose(found.from_tof(times, rows=[0, 1, 0]), [2.0, 2.0, 2.5], rtol=1e-12)
    assert_allclose(found.to_tof([2.0, 2.0, 2.5], rows=[0, 1, 0]), times, rtol=1e-12)


@pytest.mark.parametrize("unit", UNITS)
def test_there_and_back_is_the_identity_in_every_unit(unit: str) -> None:
    found = conversion(unit, l1=L1, l2=[3, 4], two_theta=[0.5, 2], mode="Direct" if "Delta" in unit else "Elastic",
                       fixed_energy=50.0)  # fmt: skip
    times = np.linspace(6000.0, 20000.0, 50)  # 50 meV take 4850 us to the sample
    assert_allclose(found.to_tof(found.from_tof(times)), np.tile(times, (2, 1)), rtol=1e-11)
    steps = np.diff(found.from_tof(times))
    assert (steps > 0).all() == found.rising
    assert (steps < 0).all() != found.rising


def test_an_edge_at_time_zero_is_infinite_energy_and_times_before_have_none() -> None:
    for unit in ("Energy", "MomentumTransfer"):
        values = conversion(unit, **PATHS).from_tof([0.0, -1.0])
        assert np.isposinf(values[0, 0])
        assert np.isnan(values[0, 1])
    assert np.isposinf(conversion("Energy", **PATHS).to_tof([0.0]))


def test_units_and_modes_that_do_not_fit_are_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"unit": "Furlong"}, "unknown unit 'Furlong'; expected one of TOF, Wavelength"),
        ({"unit": "Energy", "mode": "Sideways"}, "unknown mode 'Sideways'"),
        ({"unit": "DeltaE"}, "DeltaE has no meaning in elastic mode; choose Direct or Indirect"),
        ({"unit": "DeltaE", "mode": "Direct"}, "Direct mode needs the incident energy in meV"),
        ({"unit": "DeltaE", "mode": "Indirect"}, "Indirect mode needs the final energy in meV"),
        ({"unit": "DeltaE", "mode": "Direct", "fixed_energy": -1.0}, "the incident energy is -1.0 meV"),
        ({"unit": "DeltaE", "mode": "Indirect", "fixed_energy": [np.nan]}, "the final energy is nan meV"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            conversion(**{**PATHS, **arguments})


def test_without_a_source_only_time_of_flight_is_left() -> None:
    assert conversion("TOF", l1=np.nan, l2=[1.0], two_theta=[1.0]).from_tof([3.0]).tolist() == [[3.0]]
    with pytest.raises(GeometryError, match="no conversion to Wavelength: the distance from source to sample"):
        conversion("Wavelength", l1=np.nan, l2=[1.0], two_theta=[1.0])


def test_geometric_difc_is_time_of_flight_per_d_spacing() -> None:
    # 252.778413 * 20 m * 2 * 0.5
    assert_allclose(geometric_difc(L1, [L2], [TWO_THETA]), [5055.56826], rtol=1e-8)


def test_inelastic_momentum_transfer_closes_the_triangle_of_wave_vectors() -> None:
    ki, kf = np.sqrt(100 / 2.0721249), np.sqrt(50 / 2.0721249)
    assert_allclose(inelastic_momentum_transfer(100, 50, np.pi / 2), np.sqrt(ki**2 + kf**2), rtol=1e-7)
    assert_allclose(inelastic_momentum_transfer(100, 50, 0.0), ki - kf, rtol=1e-7)
    assert_allclose(inelastic_momentum_transfer(100, 100, np.pi), 2 * ki, rtol=1e-7)


def test_conversions_are_read_only() -> None:
    found: Conversion = conversion("Wavelength", **PATHS)
    assert not found.factor.flags.writeable
    assert not found.offset.flags.writeable
