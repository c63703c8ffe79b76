import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces.ticks import InTicks, in_ticks


def shown(found: InTicks) -> np.ndarray:
    """X as an event workspace computes it."""
    return (found.tick.astype(np.float64) - found.zero_ticks) * (found.tick_ns / 1000) * found.factor


def test_times_in_tenths_of_microseconds_become_ticks_of_100_ns() -> None:
    found = in_ticks(np.array([0.1, 16_666.6, 100.3]), "TOF")
    assert (found.tick.tolist(), found.tick_ns, found.zero_ticks, found.factor) == ([1, 166_666, 1003], 100, 0, 1.0)


def test_finer_times_become_ticks_of_1_ns_and_negative_ones_move_the_zero() -> None:
    found = in_ticks(np.array([-0.002, 0.1, 3.4567]), "TOF")
    assert (found.tick.tolist(), found.tick_ns, found.zero_ticks) == ([0, 102, 3459], 1, 2)


def test_what_no_ticks_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4\.29 s"):
        in_ticks(np.array([0.001, 5e6]), "TOF")
    with pytest.raises(ValueError, match="2 events have an X that is not finite"):
        in_ticks(np.array([np.nan, 1.0, np.inf]), "dSpacing")


@pytest.mark.parametrize("unit", ["TOF", "dSpacing"])
def test_no_events_need_no_range(unit: str) -> None:
    assert in_ticks(np.empty(0), unit).tick.tolist() == []


@given(st.lists(st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=30))
def test_another_x_is_rounded_up_by_a_tiny_part_of_its_range(values: list[float]) -> None:
    x = np.array(values)
    found = shown(in_ticks(x, "DeltaE"))
    span = max(x.max(), 0.0) - min(x.min(), 0.0)
    assert np.all(found >= x)
    assert np.all(found - x <= 3e-10 * span)
