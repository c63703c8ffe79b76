import numpy as np
import pytest

from livereduce.workspaces.arrays import GrowingArray, frozen


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
