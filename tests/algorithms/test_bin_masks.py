from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import mask_bins_from_table, plus, scale_x
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Part,
    Plan,
    Run,
    TableWorkspace,
)


def table(*rows: tuple[Any, ...], column: str = "SpectraList") -> TableWorkspace:
    result = TableWorkspace([("str", column), ("double", "XMin"), ("double", "XMax")])
    for row in rows:
        result.addRow(row)
    return result


def test_every_row_masks_the_bins_it_overlaps(make_histogram: Callable[..., HistogramWorkspace]) -> None:
    ws = make_histogram(np.arange(0, 101, 10), np.ones((1, 10)))
    result: Any = mask_bins_from_table(ws, table(("", 16.0, 32.0), ("", 71.5, 79.0)))
    assert result.y.tolist() == [[1, 0, 0, 0, 1, 1, 1, 0, 1, 1]]
    assert np.flatnonzero(result.bin_mask[0]).tolist() == [1, 2, 3, 7]


def test_rows_name_spectra_by_index_or_by_detector(make_histogram: Callable[..., HistogramWorkspace]) -> None:
    ws = make_histogram([0, 1, 2], np.ones((4, 2)))  # detectors 10 to 13
    by_index = mask_bins_from_table(ws, table(("0,2-3", 0.0, 1.0), ("all", 1.5, 1.6)))
    assert by_index.y.tolist() == [[0, 0], [1, 0], [0, 0], [0, 0]]
    by_detector = mask_bins_from_table(ws, table(("11,13", 0.0, 1.0), column="DetectorIDsList"))
    assert by_detector.y.tolist() == [[1, 1], [0, 1], [1, 1], [0, 1]]


def test_events_and_their_histogram_are_masked_alike(random_events: EventWorkspace) -> None:
    rows = table(("", 10.0, 20.0), ("0", 30.0, 50.0), ("0,2", 60.0, 70.0), ("0", 40.0, 60.0), ("3", 0.0, 100.0))
    by_events = mask_bins_from_table(random_events, rows)
    by_histogram = mask_bins_from_table(random_events.to_histogram(), rows)
    assert isinstance(by_events, EventWorkspace)
    np.testing.assert_array_equal(by_events.y, by_histogram.y)
    np.testing.assert_array_equal(by_events.e2, by_histogram.e2)
    assert by_events.y[0].astype(bool).tolist() == [True, False, True, False, False, False, False, True, True, True]
    assert by_events.y[3].sum() == 0


def test_many_rows_do_not_multiply_what_is_counted(random_events: EventWorkspace) -> None:
    """Twelve windows in each of four spectra: one mask after another would make 3**48 parts."""
    rows = table(*((str(s), 8.0 * k + s, 8.0 * k + s + 2) for s in range(4) for k in range(12)))
    result: Any = mask_bins_from_table(random_events, rows)
    assert len(result.parts) == 13
    for s in range(4):
        times = random_events.getSpectrum(s).getTofs()
        kept = (times < s) | (times >= 88 + s + 2) | ((times - s) % 8 >= 2)
        assert sorted(result.getSpectrum(s).getTofs()) == sorted(times[kept])


def test_masked_chunks_add_up_to_as_many_parts_as_one_has() -> None:
    table_of_events = EventTable(2)
    total: Any = None
    for chunk in range(5):
        a, b = table_of_events.append([50, 150, 250, 150], [0, 0, 0, 1], [chunk], [0, 4], [1.0])
        ws = EventWorkspace([Part(table_of_events, a, b, Plan(2))], Detectors([1, 2]), Run(), edges=[0, 100])
        masked = mask_bins_from_table(ws, table(("0", 10.0, 20.0)))
        total = masked if total is None else plus(total, masked)
    assert len(total.parts) == 2
    assert total.y.tolist() == [[10], [5]]
    assert table_of_events.cache.offered <= 2 * 20


def test_where_x_is_no_longer_the_time_as_it_came_events_are_masked_where_they_are(
    random_events: EventWorkspace,
) -> None:
    moved: Any = scale_x(random_events, 2.0)
    times = moved.getSpectrum(1).getTofs()
    result: Any = mask_bins_from_table(moved, table(("1", 40.0, 100.0), ("1-2", 150.0, 160.0)))
    kept = ((times < 40) | (times >= 100)) & ((times < 150) | (times >= 160))
    assert sorted(result.getSpectrum(1).getTofs()) == sorted(times[kept])
    assert 100 < result.getSpectrum(1).getNumberEvents() < 200 == result.getSpectrum(0).getNumberEvents()


def test_an_empty_table_masks_nothing(random_events: EventWorkspace) -> None:
    assert mask_bins_from_table(random_events, table()).y.tolist() == random_events.y.tolist()


def test_tables_that_make_no_sense_are_refused(random_events: EventWorkspace) -> None:
    cases = [
        (TableWorkspace([("double", "XMin")]), "expected columns XMin, XMax and SpectraList or Detec.*; found XMin"),
        (table(("", 1.0, 2.0), ("", 5.0, 5.0)), r"row 1: XMin \(5\) must be below XMax \(5\)"),
        (table(("4", 1.0, 2.0)), "row 0: workspace index 4 is not in 0 to 3"),
        (table(("9", 1.0, 2.0), column="DetectorIDsList"), "row 0: no spectrum has detector 9"),
        (table(("a", 1.0, 2.0)), "row 0: expected a"),
    ]  # fmt: skip
    for wrong, message in cases:
        with pytest.raises(ValueError, match=f"MaskBinsFromTable: MaskingInformation.*{message}"):
            mask_bins_from_table(random_events, wrong)
