import numpy as np
import pytest

from livereduce.workspaces import HistogramWorkspace, Spectra


def make(n: int = 2, **options: object) -> HistogramWorkspace:
    y = np.arange(n * 3, dtype=np.float64).reshape(n, 3)
    return HistogramWorkspace([0.0, 1.0, 2.0, 3.0], y, y.copy(), **options)  # type: ignore[arg-type]


def test_a_clone_shares_arrays_until_one_of_the_two_is_written_to() -> None:
    ws = make()
    copy = ws.clone()
    assert np.shares_memory(ws.y, copy.y)
    copy.dataY(0)[1] = 100.0
    assert copy.readY(0).tolist() == [0.0, 100.0, 2.0]
    assert ws.readY(0).tolist() == [0.0, 1.0, 2.0]


def test_newer_names_write_to_a_spectrum_as_well() -> None:
    ws = make()
    ws.setSharedX(0, [0.0, 2.0, 4.0, 6.0])
    ws.setSharedY(0, [7.0, 8.0, 9.0])
    ws.setSharedE(0, [1.0, 2.0, 3.0])
    assert (ws.readX(0).tolist(), ws.readY(0).tolist()) == ([0, 2, 4, 6], [7, 8, 9])
    assert ws.readE(0).tolist() == [1, 2, 3]
    ws.mutableX(0)[3], ws.mutableY(0)[1], ws.mutableE(0)[2] = 9.0, 4.0, 5.0
    assert (ws.readX(0).tolist(), ws.readY(0).tolist()) == ([0, 2, 4, 9], [7, 4, 9])
    assert ws.readE(0).tolist() == [1, 2, 5]


def test_the_original_may_be_written_to_as_well_without_touching_the_clone() -> None:
    ws = make()
    copy = ws.clone()
    ws.setY(1, [7.0, 8.0, 9.0])
    ws.dataE(0)[:] = 5.0
    ws.dataX(0)[0] = -1.0
    assert copy.y.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert copy.e2.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert copy.readX(0).tolist() == [0, 1, 2, 3]
    assert ws.readY(1).tolist() == [7, 8, 9]
    assert ws.e2.tolist() == [[25, 25, 25], pytest.approx([3, 4, 5])]


def test_a_row_held_by_a_script_cannot_damage_a_clone_made_later() -> None:
    ws = make()
    row = ws.dataY(0)
    copy = ws.clone()
    other = HistogramWorkspace(ws.x, ws.y, ws.e2)
    row[:] = 99.0
    assert ws.readY(0).tolist() == [99, 99, 99]
    assert copy.readY(0).tolist() == [0, 1, 2]
    assert other.readY(0).tolist() == [0, 1, 2]


def test_the_only_holder_writes_without_a_copy() -> None:
    ws = make()
    address = ws.y.__array_interface__["data"][0]
    ws.dataY(0)[0] = 1.0
    ws.setY(1, [1.0, 1.0, 1.0])
    assert ws.y.__array_interface__["data"][0] == address


def test_sharing_is_cheap_again_once_no_script_holds_a_row() -> None:
    ws = make()
    ws.dataY(0)[0] = 5.0
    assert np.shares_memory(ws.clone().y, ws.y)


def test_what_somebody_has_read_does_not_change_when_the_workspace_is_written_to() -> None:
    ws = make()
    y, row = ws.y, ws.readY(1)
    ws.dataY(0)[:] = -1.0
    ws.setY(1, [-1.0, -1.0, -1.0])
    assert y.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert row.tolist() == [3, 4, 5]
    assert ws.y.tolist() == [[-1, -1, -1], [-1, -1, -1]]


def test_arrays_are_read_only_unless_asked_for_by_data() -> None:
    ws = make()
    for array in (ws.x, ws.y, ws.e2, ws.e, ws.readX(0), ws.readY(0), ws.readE(0)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    row = ws.dataY(0)
    row[0] = 4.0
    with pytest.raises(ValueError, match="read-only"):
        ws.readY(0)[0] = 1.0


def test_a_row_for_writing_stays_the_same_row() -> None:
    ws = make()
    first, second = ws.dataY(0), ws.dataY(0)
    first[0] = 42.0
    assert second[0] == 42.0
    assert ws.readY(0)[0] == 42.0


def test_errors_written_as_deviations_are_seen_as_variances() -> None:
    ws = make()
    row = ws.dataE(1)
    row[:] = [1.0, 2.0, 3.0]
    assert ws.e2[1].tolist() == [1, 4, 9]
    row[0] = 10.0
    assert ws.e2[1].tolist() == [100, 4, 9]
    assert ws.readE(1).tolist() == [10, 2, 3]
    assert ws.clone().readE(1).tolist() == [10, 2, 3]


def test_writing_x_of_one_spectrum_gives_it_bins_of_its_own() -> None:
    ws = make()
    assert ws.isCommonBins()
    ws.setX(1, [0.0, 2.0, 4.0, 6.0])
    assert ws.readX(0).tolist() == [0, 1, 2, 3]
    assert ws.readX(1).tolist() == [0, 2, 4, 6]
    assert not ws.isCommonBins()
    one = make(1)
    one.dataX(0)[0] = -5.0
    assert one.readX(0).tolist() == [-5, 1, 2, 3]


def test_points_and_edges_are_told_apart_by_their_number() -> None:
    assert make().isHistogramData()
    points = HistogramWorkspace([0.5, 1.5, 2.5], [[1.0, 2.0, 3.0]], e=[[1.0, 1.0, 1.0]])
    assert not points.isHistogramData()
    assert points.blocksize() == 3
    assert points.e2.tolist() == [[1, 1, 1]]


def test_errors_are_zero_when_none_are_given() -> None:
    assert HistogramWorkspace([0.0, 1.0], [[5.0]]).e2.tolist() == [[0.0]]


def test_events_of_a_histogram_are_the_sum_of_its_finite_counts() -> None:
    ws = HistogramWorkspace([0.0, 2.0, 4.0], [[1.0, np.nan], [2.0, 3.0]])
    assert ws.getNumberEvents() == 6.0
    density = HistogramWorkspace([0.0, 2.0, 4.0], [[1.0, 3.0]], distribution=True)
    assert density.getNumberEvents() == 8.0


def test_resolution_is_empty_unless_given() -> None:
    ws = make()
    assert ws.readDx(0).tolist() == []
    assert not ws.hasDx(0)
    ws.setDx(0, [0.1, 0.2, 0.3])
    assert ws.readDx(0).tolist() == [0.1, 0.2, 0.3]
    assert ws.readDx(1).tolist() == [0, 0, 0]
    assert ws.clone().readDx(0).tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([0.0, 1.0, 2.0, 3.0], [[1.0]], {}, "expected 2 edges or 1 points"),
        ([[0.0, 1.0]], [[1.0], [2.0]], {}, "for each of 2"),
        ([0.0, 1.0], [[1.0]], {"e2": [[1.0, 2.0]]}, "errors, dx and bin_mask must be as well"),
        ([0.0, 1.0], [[1.0]], {"spectra": Spectra([1, 2])}, "2 spectra described, y has 1"),
        ([0.0, 1.0], [[[1.0]]], {}, "expected rows of values"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x: list[float], y: list[float], options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        HistogramWorkspace(x, y, **options)


def test_setting_a_row_of_the_wrong_length_or_number_is_refused() -> None:
    ws = make()
    with pytest.raises(ValueError, match="Y of a spectrum has 3 values"):
        ws.setY(0, [1.0])
    with pytest.raises(IndexError, match="workspace index 2"):
        ws.dataY(2)
    with pytest.raises(IndexError, match="workspace index -1"):
        ws.readY(-1)


def test_adopting_keeps_the_name_and_shares_nothing_that_can_be_written_to() -> None:
    ws, new = make(), HistogramWorkspace([0.0, 1.0], [[9.0]])
    ws._name = "result"
    ws.adopt(new)
    new.dataY(0)[0] = 1.0
    assert ws.name() == "result"
    assert ws.y.tolist() == [[9.0]]


def test_the_monitors_of_a_clone_are_its_own() -> None:
    ws = make(monitors=make(1))
    copy = ws.clone()
    assert copy.monitors is not None
    copy.monitors.dataY(0)[0] = 50.0  # type: ignore[attr-defined]
    assert ws.monitors is not None
    assert ws.monitors.readY(0)[0] == 0.0
