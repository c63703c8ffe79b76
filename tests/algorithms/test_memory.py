import gc
import logging
import weakref
from collections.abc import Callable

import pytest

from livereduce.algorithms.memory import remembered, warned_once
from livereduce.workspaces import Spectra


def noting(made: list[object], what: object) -> Callable[[], object]:
    def make() -> object:
        made.append(what)
        return what

    return make


def test_what_was_made_for_an_object_and_a_key_is_not_made_again() -> None:
    owner, made = Spectra([1]), list[object]()
    for key in ("a", "b", "a"):
        assert remembered(owner, key, noting(made, key)) == key
    assert made == ["a", "b"]
    remembered(Spectra([1]), "a", noting(made, "of another"))
    assert made == ["a", "b", "of another"]


def test_only_the_latest_keys_are_kept() -> None:
    owner, made = Spectra([1]), list[object]()
    for key in [*range(12), 0, 12, 0, 1]:  # 0 was asked for again before 12 came, so it is 1 that went
        remembered(owner, key, noting(made, key))
    assert made == [*range(12), 12, 1]


def test_nothing_keeps_the_object_alive() -> None:
    owner = Spectra([1])
    alive = weakref.ref(owner)
    remembered(owner, "key", lambda: list(range(10)))
    del owner
    gc.collect()
    assert alive() is None


def test_what_is_the_same_at_every_chunk_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    owner, logger = Spectra([1]), logging.getLogger("test")
    for count in (2, 2, 3, 2):
        warned_once(owner, logger, "%d spectra", count)
    assert [record.getMessage() for record in caplog.records] == ["2 spectra", "3 spectra"]
