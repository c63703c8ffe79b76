from pathlib import Path

import numpy as np
import pytest

from livereduce.algorithms import values


@pytest.mark.parametrize("given", [True, 1, "1", "True", "true", " TRUE ", np.bool_(True), 1.0, np.int64(1)])
def test_truth_is_read_from_what_scripts_write(given: object) -> None:
    assert values.to_boolean(given) is True


@pytest.mark.parametrize("given", [False, 0, "0", "False", np.False_, 0.0])
def test_untruth_is_read_from_what_scripts_write(given: object) -> None:
    assert values.to_boolean(given) is False


@pytest.mark.parametrize("given", ["maybe", 2, "", [1], None])
def test_what_is_neither_true_nor_false_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="expected True or False"):
        values.to_boolean(given)


@pytest.mark.parametrize("given", ["1,2.5,-3e2", [1, 2.5, -300], (1, "2.5", -300.0), np.array([[1, 2.5, -300]])])
def test_numbers_come_from_text_sequences_and_arrays(given: object) -> None:
    assert values.to_numbers(given).tolist() == [1.0, 2.5, -300.0]


@pytest.mark.parametrize("given", [100, 100.0, "100", np.float32(100), np.array(100)])
def test_one_number_is_a_list_of_one(given: object) -> None:
    assert values.to_numbers(given).tolist() == [100.0]


def test_spaces_in_a_list_of_numbers_do_not_matter() -> None:
    assert values.to_numbers(" 0 , 10, 100 ").tolist() == [0.0, 10.0, 100.0]


def test_text_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="'abc'"):
        values.to_numbers("1,abc,3")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1,2,3", [1, 2, 3]),
        ("4-7", [4, 5, 6, 7]),
        ("4:7", [4, 5, 6, 7]),
        ("0:10:5", [0, 5, 10]),
        ("1, 4-6, 9:10", [1, 4, 5, 6, 9, 10]),
        ("-3", [-3]),
        ([1, 2], [1, 2]),
        ((1, "3-5"), [1, 3, 4, 5]),
        (np.array([3.0, 1.0]), [3, 1]),
        (np.arange(3, dtype=np.int32), [0, 1, 2]),
        (range(2, 5), [2, 3, 4]),
        (7, [7]),
    ],
)
def test_whole_numbers_come_with_ranges(given: object, expected: list[int]) -> None:
    assert values.to_integers(given).tolist() == expected


@pytest.mark.parametrize("given", ["7-4", "1.5", [1.5], "a", "0:4:0"])
def test_a_list_that_holds_no_whole_numbers_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="expected a"):
        values.to_integers(given)


@pytest.mark.parametrize(("given", "expected"), [(3, 3), ("3", 3), (3.0, 3), (np.int64(2**62), 2**62)])
def test_a_whole_number_is_read_exactly(given: object, expected: int) -> None:
    assert values.to_integer(given) == expected


@pytest.mark.parametrize("given", [3.5, "3.5", "x", None, float("nan"), float("inf")])
def test_what_is_no_whole_number_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        values.to_integer(given)


def test_texts_are_split_at_commas_or_taken_one_by_one() -> None:
    assert values.to_texts("a, b") == ["a", "b"]
    assert values.to_texts(["a,b", 1]) == ["a,b", "1"]


def test_a_file_name_may_be_text_or_path_but_not_empty() -> None:
    assert values.to_path("a/b.nxs") == values.to_path(Path("a") / "b.nxs")
    with pytest.raises(ValueError, match="expected a file name"):
        values.to_path("")
