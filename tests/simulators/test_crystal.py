"""Reflections against the published tables (d in Å, multiplicity, |F|² in barn, relative m F² d⁴)."""

import numpy as np
import pytest

from livereduce.simulators.crystal import DIAMOND, SILICON, SODIUM_CHLORIDE, reflections

SILICON_TABLE = [
    ((1, 1, 1), 3.13570, 8, 5.509, 100.0),
    ((2, 2, 0), 1.92022, 12, 11.018, 42.19),
    ((3, 1, 1), 1.63757, 24, 5.509, 22.31),
    ((4, 0, 0), 1.35780, 6, 11.018, 5.27),
    ((3, 3, 1), 1.24600, 24, 5.509, 7.48),
    ((4, 2, 2), 1.10864, 24, 11.018, 9.38),
    ((5, 1, 1), 1.04523, 32, 5.509, 4.94),
    ((4, 4, 0), 0.96011, 12, 11.018, 2.64),
    ((5, 3, 1), 0.91804, 48, 5.509, 4.41),
    ((6, 2, 0), 0.85875, 24, 11.018, 3.38),
    ((5, 3, 3), 0.82825, 24, 5.509, 1.46),
    ((4, 4, 4), 0.78393, 8, 11.018, 0.78),
    ((7, 1, 1), 0.76052, 48, 5.509, 2.08),
    ((6, 4, 2), 0.72577, 48, 11.018, 3.44),
    ((7, 3, 1), 0.70708, 72, 5.509, 2.33),
    ((8, 0, 0), 0.67890, 6, 11.018, 0.33),
]
SALT_TABLE = [
    ((1, 1, 1), 3.25637, 48),
    ((2, 0, 0), 2.82010, 100),
    ((2, 2, 0), 1.99411, 50),
    ((3, 1, 1), 1.70058, 10.7),
    ((2, 2, 2), 1.62819, 14.8),
    ((4, 0, 0), 1.41005, 6.3),
    ((3, 3, 1), 1.29395, 3.6),
    ((4, 2, 0), 1.26119, 16.0),
    ((4, 2, 2), 1.15130, 11.1),
]


def test_silicon_has_the_published_lines_and_no_other() -> None:
    lines = reflections(SILICON, 0.678)
    strength = lines.multiplicity * lines.f_squared * lines.d**4
    assert len(lines.d) == len(SILICON_TABLE)
    for k, (hkl, d, multiplicity, f_squared, relative) in enumerate(SILICON_TABLE):
        assert tuple(lines.hkl[k]) == hkl
        assert lines.d[k] == pytest.approx(d, abs=1e-5)
        assert lines.multiplicity[k] == multiplicity
        assert lines.f_squared[k] == pytest.approx(f_squared, abs=6e-4)
        assert 100 * strength[k] / strength[0] == pytest.approx(relative, abs=0.006)


def test_silicon_lines_stand_in_the_ratios_an_expert_looks_for() -> None:
    d = reflections(SILICON, 1.0).d
    assert d[1] / d[0] == pytest.approx(0.6124, abs=5e-5)
    assert d[2] / d[0] == pytest.approx(0.5222, abs=5e-5)


def test_diamond_has_the_lines_of_silicon_at_its_own_size() -> None:
    lines = reflections(DIAMOND, 1.0)
    assert lines.d[:3] == pytest.approx([2.05924, 1.26102, 1.07540], abs=1e-5)
    strength = lines.multiplicity * lines.f_squared * lines.d**4
    assert 100 * strength[1] / strength[0] == pytest.approx(42.19, abs=0.006)


def test_salt_has_strong_even_and_weak_odd_lines() -> None:
    lines = reflections(SODIUM_CHLORIDE, 1.15)
    strength = lines.multiplicity * lines.f_squared * lines.d**4
    strongest = strength[1]
    assert len(lines.d) == len(SALT_TABLE)
    for k, (hkl, d, relative) in enumerate(SALT_TABLE):
        assert tuple(lines.hkl[k]) == hkl
        assert lines.d[k] == pytest.approx(d, abs=1e-5)
        assert 100 * strength[k] / strongest == pytest.approx(relative, abs=0.1)


def test_salt_200_moves_from_2_8201_to_2_8427_when_heated_from_300_to_500_kelvin() -> None:
    d = reflections(SODIUM_CHLORIDE, 2.0).d[1]
    assert d * SODIUM_CHLORIDE.strain(300.0) == pytest.approx(2.8201, abs=5e-5)
    assert d * SODIUM_CHLORIDE.strain(500.0) == pytest.approx(2.8427, abs=5e-5)


def test_structure_factor_equals_the_plain_sum_over_atoms() -> None:
    """One general reflection of NaCl by hand: 111 gives 4 (b_Cl - b_Na) up to a sign, 200 gives 4 (b_Cl + b_Na)."""
    lines = reflections(SODIUM_CHLORIDE, 2.5)
    assert lines.f_squared == pytest.approx(np.array([16 * (9.577 - 3.63) ** 2, 16 * (9.577 + 3.63) ** 2]) / 100)
