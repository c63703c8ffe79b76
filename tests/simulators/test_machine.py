import numpy as np
import pytest

from livereduce.simulators.machine import VETO_NO_BEAM, Machine

HOUR_OF_PULSES = 216_000


@pytest.fixture(scope="module")
def hour() -> list[tuple[int, int, int]]:
    machine = Machine(1_700_000_000_000_000_000, 60.0, seed=1)
    return [machine.pulse(k) for k in range(HOUR_OF_PULSES)]


def test_pulses_follow_the_mains_with_20_microseconds_of_jitter(hour: list[tuple[int, int, int]]) -> None:
    times = np.array([pulse[0] for pulse in hour]) - 1_700_000_000_000_000_000
    late = times - np.arange(HOUR_OF_PULSES) * 1e9 / 60
    assert late.std() == pytest.approx(20_000, rel=0.02)
    assert np.abs(late).max() <= 100_000
    assert (np.diff(times) > 0).all()


def test_cycle_rolls_over_after_599(hour: list[tuple[int, int, int]]) -> None:
    assert [pulse[2] for pulse in hour[598:602]] == [598, 599, 0, 1]


def test_about_one_pulse_in_2000_is_missing_and_six_trips_an_hour_last_5_to_20_s(
    hour: list[tuple[int, int, int]],
) -> None:
    off = np.array([pulse[1] == VETO_NO_BEAM for pulse in hour])
    starts = np.nonzero(np.diff(off.astype(int)) == 1)[0]
    lengths = np.array([int(np.argmin(off[start + 1 :])) for start in starts])
    trips = lengths[lengths > 5] / 60
    assert len(trips) == 6
    assert ((trips >= 4.9) & (trips <= 20.1)).all()
    assert (lengths <= 5).sum() == pytest.approx(HOUR_OF_PULSES / 2000, abs=5 * np.sqrt(108))


def test_pulses_are_the_same_in_whatever_order_they_are_asked_for() -> None:
    one, other = (Machine(0, 60.0, seed=2) for _ in range(2))
    forward = [one.pulse(k) for k in range(0, 50_000, 997)]
    backward = [other.pulse(k) for k in reversed(range(0, 50_000, 997))]
    assert forward == backward[::-1]


def test_first_pulse_at_a_time_is_not_before_it_and_its_predecessor_is() -> None:
    machine = Machine(10**18, 60.0, seed=3)
    for time_ns in (10**18, 10**18 + 1, 10**18 + 16_666_667, 10**18 + 10**9, 10**18 + 123_456_789_012):
        k = machine.first_at(time_ns)
        assert machine.pulse(k).time_ns >= time_ns
        assert k == 0 or machine.pulse(k - 1).time_ns < time_ns


def test_pulses_with_neutrons_are_counted_across_blocks() -> None:
    machine = Machine(0, 60.0, seed=4)
    a, b = 33_000_000_000, 700_000_000_000
    slow = sum(1 for k in range(60 * 800) if a <= machine.pulse(k).time_ns < b and not machine.pulse(k).veto)
    assert machine.with_neutrons(a, b) == slow
    assert machine.with_neutrons(a, a) == 0
