import numpy as np
import pytest

from livereduce.workspaces.arrays import GrowingArray, Rows, frozen


def test_frozen_takes_over_an_array_that_owns_its_memory() -> None:
    array = np.arange(5.0)
    assert frozen(array) is array
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_frozen_copies_a_view_of_memory_that_somebody_can_write_to() -> None:
    memory = np.arange(10.0)
    held = frozen(memory[2:5])
    memory[2] = 100.0
    assert held.tolist() == [2.0, 3.0, 4.0]
    read_only = memory.view()
    read_only.flags.writeable = False
    assert not np.shares_memory(frozen(read_only), memory)


def test_frozen_shares_a_view_of_memory_nobody_can_write_to() -> None:
    memory = frozen(np.arange(10.0))
    assert np.shares_memory(frozen(memory[2:5]), memory)
    assert frozen(np.frombuffer(b"12345678")).base is not None


def test_a_growing_array_keeps_what_it_handed_out() -> None:
    array = GrowingArray(np.int64, 2)
    array.append(np.array([1, 2]))
    first = array.view()
    for value in range(100):
        array.append(np.array([value]))
    assert first.tolist() == [1, 2]
    assert array.view().tolist() == [1, 2, *range(100)]
    assert array.view(3).tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match="read-only"):
        array.view()[0] = 1


def test_rows_give_that_of_one_spectrum_when_called() -> None:
    each = Rows.of(np.array([[1.0, 2.0], [3.0, 4.0]]), 2)
    shared = Rows.of(np.array([5.0, 6.0]), 3)
    assert each(1).tolist() == [3.0, 4.0]
    assert [shared(index).tolist() for index in range(3)] == [[5.0, 6.0]] * 3
    for rows, index in ((each, 2), (each, -1), (shared, 3)):
        with pytest.raises(IndexError, match=f"workspace index {index} is not in 0 to"):
            rows(index)


def test_what_is_computed_of_rows_is_a_plain_array() -> None:
    rows = Rows.of(np.array([[1.0, 2.0]]), 1)
    for result in (rows * 2, np.sqrt(rows), np.where(rows > 1, rows, 0), np.concatenate([rows, rows]), rows(0)):
        assert type(result) is np.ndarray
    assert type(rows.sum()) is np.float64
