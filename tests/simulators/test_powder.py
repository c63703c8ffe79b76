"""The powder's events against the physics they come from; reductions here are plain numpy, not ours."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from livereduce.simulators import demo_pow
from livereduce.simulators.bodies import PulseLayout
from livereduce.simulators.powder import SAMPLES, PowderModel, PowderSource, faulty_pixels

FIRST_EIGHT = [3.13570, 1.92022, 1.63757, 1.35780, 1.24600, 1.10864, 1.04523, 0.96011]
RELATIVE = [100, 42.19, 22.31, 5.27, 7.48, 9.38, 4.94, 2.64]
PERIOD_US = 1e6 / 60


def path_and_sine() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    position = demo_pow.positions()
    l2 = np.linalg.norm(position, axis=1)
    return 60.0 + l2, np.sqrt((1 - position[:, 2] / l2) / 2)


def d_spacing(pixel: NDArray[np.int64], tof: NDArray[np.uint32]) -> NDArray[np.float64]:
    path, sine = path_and_sine()
    return tof / 10.0 / (252.778 * path[pixel] * 2 * sine[pixel])


@pytest.fixture(scope="module")
def bragg_d() -> NDArray[np.float64]:
    """d of two million events of silicon without anything between the lines."""
    model = PowderModel(SAMPLES["si"], shares=(0.0, 0.0, 0.0))
    return d_spacing(*model.draw(np.random.default_rng(7), 2_000_000, 295.0))


def test_first_eight_silicon_lines_stand_within_1e_4_of_their_d(bragg_d: NDArray[np.float64]) -> None:
    for d in FIRST_EIGHT:
        near = bragg_d[np.abs(bragg_d / d - 1) < 0.025]
        assert near.mean() == pytest.approx(d, rel=1e-4)


def test_nothing_stands_where_200_and_222_are_forbidden(bragg_d: NDArray[np.float64]) -> None:
    for d in (5.4311946 / 2, 5.4311946 / np.sqrt(12)):
        assert not (np.abs(bragg_d / d - 1) < 0.01).any()


def test_line_areas_over_a_vanadium_run_are_those_of_the_table(bragg_d: NDArray[np.float64]) -> None:
    """As one would measure it: peak area over the counts per Å of a flat sample; the table is without B."""
    flat = PowderModel(SAMPLES["vanadium"], shares=(0.0, 0.0, 0.0))
    vanadium_d = d_spacing(*flat.draw(np.random.default_rng(13), 2_000_000, 295.0))
    ratios = []
    for d in FIRST_EIGHT:
        area = (np.abs(bragg_d / d - 1) < 0.025).sum()
        per_angstrom = (np.abs(vanadium_d / d - 1) < 0.025).sum() / (0.05 * d)
        ratios.append(area / per_angstrom * np.exp(0.46 / (2 * d**2)))
    assert 100 * np.array(ratios) / ratios[0] == pytest.approx(RELATIVE, rel=0.03)


def test_lines_grow_wider_towards_low_angles_and_have_their_tail_at_long_times() -> None:
    model = PowderModel(SAMPLES["si"], shares=(0.0, 0.0, 0.0))
    pixel, tof = model.draw(np.random.default_rng(8), 1_000_000, 295.0)
    d = d_spacing(pixel, tof)
    panel = pixel // 1078
    widths = []
    for number, line in ((0, 3.13570), (9, 1.10864), (19, 0.96011)):
        near = d[(panel == number) & (np.abs(d / line - 1) < 0.03)]
        widths.append(near.std() / near.mean())
    # by hand: panel 0 averages cot over its own width; 0.0068, 0.0013 and 0.0004 are the formula's at the centres
    assert widths == pytest.approx([0.0070, 0.0013, 0.0004], rel=0.15)
    back = d[(panel == 19) & (np.abs(d / 0.96011 - 1) < 0.005)] / 0.96011 - 1
    assert (back**3).mean() / (back**2).mean() ** 1.5 > 0.05


def test_salt_200_is_at_2_8427_at_500_kelvin_in_every_panel_that_sees_it() -> None:
    model = PowderModel(SAMPLES["nacl"], shares=(0.0, 0.0, 0.0))
    pixel, tof = model.draw(np.random.default_rng(9), 1_000_000, 500.0)
    d = d_spacing(pixel, tof)
    for panel in (0, 1, 2):
        near = d[(pixel // 1078 == panel) & (np.abs(d / 2.8427 - 1) < 0.03)]
        assert near.mean() == pytest.approx(2.8427, rel=2e-4)


def test_spectrum_ends_at_the_chopper_band_and_prompt_pulse_stands_at_one_period() -> None:
    model = PowderModel(SAMPLES["vanadium"], shares=(0.0, 0.0, 0.02))
    pixel, tof = model.draw(np.random.default_rng(10), 500_000, 295.0)
    path, _ = path_and_sine()
    time = tof / 10.0
    wavelength = time / (252.778 * path[pixel])
    prompt = (time >= PERIOD_US) & (time < PERIOD_US + 300)
    assert wavelength[~prompt].min() > 0.88
    assert wavelength[~prompt].max() < 2.12
    before = (time >= PERIOD_US - 300) & (time < PERIOD_US)
    # 2 % of the events, e-folding in 30 µs, on top of what the slow neutrons of this frame give
    assert prompt.sum() - before.sum() == pytest.approx(0.02 * 500_000, rel=0.1)


def test_dead_pixels_stay_silent_and_one_is_thirty_times_too_loud() -> None:
    efficiency = faulty_pixels(21_560)
    assert (efficiency == 0).sum() == 43
    assert (efficiency == 30).sum() == 1
    pixel, _ = PowderModel(SAMPLES["vanadium"]).draw(np.random.default_rng(11), 2_000_000, 295.0)
    counts = np.bincount(pixel, minlength=21_560)
    assert (counts[efficiency == 0] == 0).all()
    share = demo_pow.solid_angles() * demo_pow.tube_end_shading() * efficiency
    loud = int(np.argmax(efficiency))
    expected = 2_000_000 * share[loud] / share.sum()
    assert counts[loud] == pytest.approx(expected, abs=5 * np.sqrt(expected))


def test_monitor_sees_the_band_at_its_own_distance() -> None:
    tof = PowderModel(SAMPLES["si"]).draw_monitor(np.random.default_rng(12), 100_000) / 10.0
    wavelength = tof / (252.778 * 58.5)
    assert 0.88 < wavelength.min() < 0.98
    assert 2.02 < wavelength.max() < 2.12


@pytest.mark.parametrize("rate", [6e4, 2e6])
def test_pulses_carry_the_asked_rate_and_23_3_microcoulomb(rate: float) -> None:
    beamline = demo_pow.beamline()
    source = PowderSource(PowderModel(SAMPLES["si"]), PulseLayout(beamline, 100_000), beamline.ids, rate, seed=3)
    bodies = [source.next_body(295.0, True) for _ in range(300)]
    events = np.array([body.events for body in bodies])
    assert events.mean() == pytest.approx(rate / 60, rel=0.01)
    assert np.mean([body.charge for body in bodies]) * 1e-5 == pytest.approx(23.3, abs=0.15)
    assert np.mean([body.monitor_events for body in bodies]) == pytest.approx(0.05 * rate / 60, rel=0.03)


def test_counts_follow_the_charge() -> None:
    beamline = demo_pow.beamline()
    source = PowderSource(PowderModel(SAMPLES["si"]), PulseLayout(beamline), beamline.ids, 3e5, seed=4)
    bodies = [source.next_body(295.0, True) for _ in range(600)]
    events = np.array([body.events for body in bodies], dtype=float)
    charge = np.array([body.charge for body in bodies], dtype=float)
    slope = np.polyfit(charge / charge.mean(), events / events.mean(), 1)[0]
    # Poisson noise of 5000 counts is 1.4 %, the charge varies by 1.3 %: the slope of 600 pulses is good to 0.05
    assert slope == pytest.approx(1.0, abs=0.2)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    beamline = demo_pow.beamline()
    model, layout = PowderModel(SAMPLES["si"]), PulseLayout(beamline)
    first, again, other = (
        [PowderSource(model, layout, beamline.ids, 5e4, seed).next_body(295.0, True) for _ in range(2)]
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other
