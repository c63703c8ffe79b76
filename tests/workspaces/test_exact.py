import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.workspaces import Curve
from livereduce.workspaces.exact import least_argument
from livereduce.workspaces.plan import y_edges

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
def test_least_argument_of_a_comparison_is_the_threshold_itself(threshold: float, guess: float) -> None:
    found = least_argument(lambda x: x >= threshold, np.array([guess]))
    assert found[0] == threshold


def test_least_argument_is_minus_infinity_where_all_is_true_and_infinity_where_nothing_is() -> None:
    assert least_argument(lambda x: np.ones(x.shape, bool), [0.0]).tolist() == [-np.inf]
    assert least_argument(lambda x: np.zeros(x.shape, bool), [0.0]).tolist() == [np.inf]


@given(st.floats(1e-6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e9, 1e9))
def test_least_time_at_which_a_linear_y_reaches_a_value_is_exact(factor: float, offset: float, y: float) -> None:
    with np.errstate(all="ignore"):
        t = least_argument(lambda t: t * factor + offset >= y, [(y - offset) / factor])[0]
    assert t * factor + offset >= y
    below = np.nextafter(t, -np.inf)
    assert not below * factor + offset >= y


@pytest.mark.parametrize(
    "curve",
    [
        Curve(1, 2.5, -3.0),
        Curve(-1, 6.283185307179586),
        Curve(-2, 81.80421),
        Curve(-2, -1.0, 60.0),
        Curve(-2, 1.0, -2.08),
    ],
)
@given(edges=st.lists(st.floats(0.01, 59.0), min_size=2, max_size=8, unique=True), y=st.floats(1e-3, 1e3))
def test_bins_in_y_are_the_bins_in_x_for_every_curve(curve: Curve, edges: list[float], y: float) -> None:
    x_edges = np.sort(np.array(edges))
    in_y = y_edges(curve, x_edges)
    around = [y, *in_y, *np.nextafter(in_y, -np.inf), *np.nextafter(in_y, np.inf)]
    for value in around:
        if not np.isfinite(value) or (value <= 0 and curve.power < 0):
            continue
        x = {1: value, -1: 1.0 / value, -2: 1.0 / (value * value)}[curve.power] * curve.slope + curve.intercept
        in_x = np.searchsorted(x_edges, x, side="right") - 1
        found = np.searchsorted(in_y, value, side="right") - 1
        if not curve.rising:  # bins come in reverse order; outside stays outside
            found = len(edges) - 2 - found
        assert found == in_x


def test_energy_transfer_edge_in_y_is_the_inverse_speed_worked_out_by_hand() -> None:
    # X = 60 - 1/y**2 = 35 at y = 0.2; = 51 at y = 1/3 (rounded): between them lies y = 0.25 with X = 44
    in_y = y_edges(Curve(-2, -1.0, 60.0), np.array([35.0, 44.0, 51.0]))
    assert in_y == pytest.approx([0.2, 0.25, 1 / 3], rel=1e-14)


def test_momentum_transfer_falls_with_y_so_its_edges_are_reversed() -> None:
    # Q = 2 pi / d: Q 1..2 is d pi..2 pi; the closed side moves, so edges are the next numbers above
    in_y = y_edges(Curve(-1, 2 * np.pi), np.array([1.0, 2.0]))
    assert in_y == pytest.approx([np.pi, 2 * np.pi], rel=1e-15)
    assert 2 * np.pi / in_y[1] < 1.0
    assert 2 * np.pi / np.nextafter(in_y[1], 0) >= 1.0
