import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.workspaces import EventTable
from livereduce.workspaces.lookup import (
    bits_table,
    linear_table,
    reciprocal,
    reciprocal_of,
    tick_table,
    tick_thresholds,
)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 10, 200, 255, 4096, 9973, 65537])
def test_reciprocal_divides_every_tick_of_the_span_as_integer_division_does(width: int) -> None:
    span = (1_700_000 // width + 1) * width
    found = reciprocal(width, span)
    assert found is not None
    m, s = found
    x = np.arange(span + 1, dtype=np.uint64)
    assert np.array_equal((x * np.uint64(m)) >> np.uint64(s), x // np.uint64(width))


@given(st.integers(1, 1 << 31), st.integers(1, 1 << 22), st.data())
def test_reciprocal_is_right_next_to_every_border_of_bins_in_the_full_range(
    width: int, nbins: int, data: st.DataObject
) -> None:
    span = min(nbins, ((1 << 32) - 2) // width) * width
    found = reciprocal(width, span)
    if found is None:
        return
    m, s = found
    assert m < 1 << 63
    border = data.draw(st.integers(0, span // width)) * width
    for x in {max(border - 1, 0), border, min(border + 1, span), span}:
        assert x * m < 1 << 64
        assert (x * m) >> s == x // width


def test_every_binning_of_a_frame_of_16_ms_in_ticks_of_100_ns_has_a_reciprocal() -> None:
    assert all(reciprocal(width, -(-166_667 // width) * width) for width in range(1, 166_668))


def test_bins_of_different_widths_have_no_reciprocal() -> None:
    assert reciprocal_of(np.array([0, 10, 21])) is None
    assert reciprocal_of(np.array([0, 10, 10])) is None


def test_tick_threshold_is_the_first_tick_whose_time_in_float64_is_not_below_the_edge() -> None:
    table = EventTable(1)  # 100 ns
    # 3 * 0.1 is 0.30000000000000004 in float64, so tick 3 is not below the edge 0.3 and is below the next number up
    edges = np.array([0.0, 0.3, 0.30000000000000004, 0.30000000000000010, 1.0, 1.05, 16666.7])
    assert tick_thresholds(table, edges, 1.0, 0.0).tolist() == [0, 3, 3, 4, 10, 11, 166667]


def test_tick_threshold_sees_times_before_zero_through_the_tables_offset() -> None:
    table = EventTable(1, tick_ns=1, zero_ticks=1000)
    assert tick_thresholds(table, np.array([-5.0, -1.0, 0.0, 2.5]), 1.0, 0.0).tolist() == [0, 0, 1000, 3500]


def test_tick_threshold_of_an_edge_past_all_ticks_is_one_past_the_last() -> None:
    edges = np.array([-np.inf, 1e12, np.inf])
    assert tick_thresholds(EventTable(1), edges, 1.0, 0.0).tolist() == [0, 1 << 32, 1 << 32]


@given(
    st.lists(st.integers(0, 3_000_000), min_size=2, max_size=60),
    st.integers(0, 3_100_000),
)
@settings(max_examples=300)
def test_tick_table_finds_the_bin_that_searchsorted_finds(edges: list[int], tick: int) -> None:
    ticks = np.sort(np.array(edges))
    table = tick_table(ticks)
    if ticks[0] == ticks[-1] or table is None:
        return
    for t in {tick, *edges, *(e + 1 for e in edges), *(max(e - 1, 0) for e in edges)}:
        if t < ticks[0]:
            continue
        x = min(t - ticks[0], ticks[-1] - ticks[0])
        j = int(table.lut[x >> table.shift])
        for _ in range(table.hops):
            j += bool(x >= table.edges[j + 1])
        assert j == np.searchsorted(ticks, t, side="right") - 1


def test_a_table_of_logarithmic_tof_bins_fits_the_cache_and_needs_one_comparison() -> None:
    edges = 300.0 * np.power(1.004, np.arange(1000.0))
    table = tick_table(tick_thresholds(EventTable(1), edges, 1.0, 0.0))
    assert table is not None
    assert table.hops == 1
    assert table.lut.dtype == np.uint16
    assert table.lut.nbytes < 1 << 18


def test_bits_table_of_4000_logarithmic_d_bins_needs_one_comparison() -> None:
    table = bits_table(np.geomspace(0.3, 12.0, 4001))
    assert table is not None
    assert table.hops == 1
    assert len(table.lut) <= 1 << 17


def test_bits_table_refuses_edges_that_are_not_positive() -> None:
    assert bits_table(np.array([0.0, 1.0])) is None
    assert bits_table(np.array([-1.0, 1.0])) is None
    assert bits_table(np.array([1.0, np.inf])) is None


def test_linear_table_of_even_bins_needs_one_comparison() -> None:
    table = linear_table(np.linspace(-5.0, 70.0, 1501))
    assert table is not None
    assert table.hops == 1


def test_more_than_65534_bins_are_looked_up_in_a_table_of_32_bits() -> None:
    for edges in (np.arange(1.0, 70_002.0), np.arange(1.0, 65_536.0)):
        table = linear_table(edges)
        assert table is not None
        assert table.lut.dtype == (np.uint32 if len(edges) > 65535 else np.uint16)
        assert table.lut[-1] == len(edges) - 1
