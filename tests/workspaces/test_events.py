from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.workspaces import EventTable
from livereduce.workspaces.events import Weights


def append(table: EventTable, tof: list[int], pix: list[int] | None = None, **pulses: Any) -> tuple[int, int]:
    pix = [0] * len(tof) if pix is None else pix
    return table.append(
        tof, pix, pulses.get("time", [0]), pulses.get("start", [0, len(tof)]), pulses.get("charge", [1.0])
    )


def test_append_returns_the_range_the_events_occupy() -> None:
    table = EventTable(5)
    assert append(table, [1, 2, 3]) == (0, 3)
    assert append(table, []) == (3, 3)
    assert append(table, [4]) == (3, 4)
    assert table.n == 4


@given(
    st.lists(st.integers(0, 50), max_size=12),
    st.integers(1, 40),
    st.data(),
)
@settings(max_examples=60)
def test_pieces_are_the_events_appended_whatever_the_segments(
    sizes: list[int], segment: int, data: st.DataObject
) -> None:
    table = EventTable(1000, segment_events=segment)
    for size in sizes:
        append(table, list(range(table.n, table.n + size)), [i % 1000 for i in range(table.n, table.n + size)])
    a = data.draw(st.integers(0, table.n))
    b = data.draw(st.integers(a, table.n))
    pieces = list(table.pieces(a, b))
    assert [t for tof, _ in pieces for t in tof.tolist()] == list(range(a, b))
    assert [p for _, pix in pieces for p in pix.tolist()] == [i % 1000 for i in range(a, b)]


def test_a_published_event_stays_where_it_is_and_cannot_be_written_to() -> None:
    table = EventTable(1)
    append(table, [7, 8])
    ((tof, pix),) = table.pieces(0, 2)
    for _ in range(50):
        append(table, list(range(200)))
    assert tof.tolist() == [7, 8]
    ((again, _),) = table.pieces(0, 2)
    assert np.shares_memory(tof, again)
    with pytest.raises(ValueError, match="read-only"):
        tof[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        pix[0] = 1


def test_a_table_of_few_events_reserves_little_and_a_large_one_hardly_more_than_twice_its_events() -> None:
    small = EventTable(10)
    append(small, [1] * 100)
    assert small.nbytes < 20_000
    large = EventTable(10)
    for _ in range(100):
        append(large, [1] * 1000)
    assert large.nbytes < 8 * 100_000 * 2.2


def test_segments_end_at_the_largest_size_so_that_nothing_is_ever_moved() -> None:
    table = EventTable(1, segment_events=3000)
    append(table, [1] * 10_000)
    assert {len(tof) for tof, _ in table.pieces(0, 10_000)} <= {3000, 1000}


def test_pulses_are_a_table_of_time_first_event_and_charge() -> None:
    table = EventTable(1)
    append(table, [1, 2, 3], time=[100, 200], start=[0, 2, 3], charge=[5.0, 6.0])
    append(table, [4], time=[300, 350, 400], start=[0, 0, 1, 1], charge=[7.0, 0.0, 8.0])
    assert table.pulses.time.tolist() == [100, 200, 300, 350, 400]
    assert table.pulses.start.tolist() == [0, 2, 3, 3, 4, 4]
    assert table.pulses.charge.tolist() == [5.0, 6.0, 7.0, 0.0, 8.0]
    assert not table.pulses.disorder.size


def test_pulses_may_come_out_of_order_within_an_append_and_between_two() -> None:
    table = EventTable(1)
    append(table, [1, 2, 3], time=[10, 30, 20], start=[0, 1, 2, 3], charge=[1.0] * 3)
    append(table, [1, 2], time=[15, 40], start=[0, 1, 2], charge=[1.0] * 2)
    append(table, [1], time=[40], start=[0, 1], charge=[1.0])
    assert table.pulses.disorder.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1, 2], [0], [0], [0, 2], [1.0]), "times of flight for"),
        (([1], [10], [0], [0, 1], [1.0]), "outside"),
        (([1], [-1], [0], [0, 1], [1.0]), "outside"),
        (([1], [0], [0], [0, 2], [1.0]), "pulse starts"),
        (([1, 2], [0, 0], [0, 1, 2], [0, 2, 1, 2], [1.0] * 3), "pulse starts"),
        (([1], [0], [0], [1, 1], [1.0]), "pulse starts"),
        (([1], [0], [0], [1], [1.0]), "starts and as many charges"),
        (([1], [0], [0], [0, 1], []), "starts and as many charges"),
    ],
)
def test_columns_that_do_not_fit_are_refused_and_leave_the_table_as_it_was(columns: Any, message: str) -> None:
    table = EventTable(10)
    with pytest.raises(ValueError, match=message):
        table.append(*columns)
    assert (table.n, len(table.pulses)) == (0, 0)


def test_asking_for_events_that_are_not_there_is_an_error() -> None:
    table = EventTable(1)
    append(table, [1, 2])
    with pytest.raises(IndexError, match=r"events \[1, 3\) of a table of 2"):
        list(table.pieces(1, 3))


@pytest.mark.parametrize("weighted", [False, True])
def test_events_on_disk_are_the_same_and_need_no_memory(tmp_path: Path, weighted: bool) -> None:
    """950 events in segments of 100: nine are full, and a file holds a GiB."""
    table = EventTable(1000, segment_events=100, weighted=weighted)
    size = 16 if weighted else 8
    rng = np.random.default_rng(1)
    tof, pix = rng.integers(0, 1 << 32, 950, dtype=np.uint32), rng.integers(0, 1000, 950, dtype=np.int32)
    weights = Weights(*(rng.random(950, dtype=np.float32) for _ in range(2))) if weighted else None
    table.append(tof, pix, [0], [0, 950], [1.0], weights)
    held, before = next(table.pieces(0, 10)), table.nbytes
    assert table.move_to_disk(tmp_path, 1 << 30) == 900 * size
    assert table.nbytes == before - 900 * size
    assert list(tmp_path.iterdir()) == []
    assert held[0].tolist() == tof[:10].tolist()
    table.append([5], [7], [1], [0, 1], [1.0], Weights(*np.ones((2, 1), np.float32)) if weighted else None)
    pieces = list(table.pieces(30, 951))
    assert np.concatenate([t for t, _ in pieces]).tolist() == [*tof[30:].tolist(), 5]
    assert np.concatenate([p for _, p in pieces]).tolist() == [*pix[30:].tolist(), 7]
    if weights is not None:
        found = list(table.weights(0, 950))
        assert np.concatenate([w.variance for w in found]).tolist() == weights.variance.tolist()
    with pytest.raises(ValueError, match="read-only"):
        pieces[0][0][0] = 1
    assert table.move_to_disk(tmp_path, 1 << 30) == 0


def test_no_more_events_go_to_disk_than_there_is_room_for(tmp_path: Path) -> None:
    table = EventTable(1, segment_events=100)
    append(table, list(range(500)))
    assert table.move_to_disk(tmp_path, -5) == 0
    assert table.move_to_disk(tmp_path, 1700) == 1600
    assert table.move_to_disk(tmp_path, 1 << 30) == 2400
    assert [t for tof, _ in table.pieces(0, 500) for t in tof.tolist()] == list(range(500))


def test_events_that_cannot_be_written_stay_in_memory(tmp_path: Path) -> None:
    table = EventTable(1, segment_events=100)
    append(table, list(range(500)))
    before = table.nbytes
    with pytest.raises(OSError, match="No such file or directory"):
        table.move_to_disk(tmp_path / "missing", 1 << 30)
    assert table.nbytes == before
    assert [t for tof, _ in table.pieces(0, 500) for t in tof.tolist()] == list(range(500))
