"""What is said of algorithms that are not here."""

import pytest

from livereduce.algorithms import absent
from livereduce.algorithms.declaration import names


def test_what_serves_in_place_of_an_algorithm_is_there_and_the_algorithm_is_not() -> None:
    there = {name.lower(): name for name in names()}
    for missing, others in absent._IN_PLACE_OF.items():
        assert missing not in there
        assert [there[other.lower()] for other in others] == list(others)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DgsReduction", ["GetEi", "ChangeBinOffset", "ConvertUnits"]),
        ("FILTEREVENTS", ["FilterByLogValue", "FilterByTime"]),
        ("SumNeighbours", ["GroupDetectors"]),
        ("Rebinn", ["Rebin"]),
    ],
)
def test_what_serves_goes_before_what_is_spelled_alike(name: str, nearest: list[str]) -> None:
    assert absent.nearest_algorithms(name)[: len(nearest)] == nearest


def test_nothing_is_named_that_does_not_come_near() -> None:
    assert absent.absent("Xyzzy42") == (
        "Xyzzy42 is not available in livereduce. `livereduce algorithms` lists all there are."
    )


def test_where_nothing_serves_no_other_is_named_for_its_spelling() -> None:
    assert absent.nearest_algorithms("Pause") == []
    assert (
        absent.absent("Pause") == "Pause is not available in livereduce. `livereduce algorithms` lists all there are."
    )
