import gc
import logging
import weakref
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from livereduce.algorithms.memory import forget_everything, remembered, warned_once
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


def large(made: list[object], what: object) -> Callable[[], object]:
    def make() -> object:
        made.append(what)
        return {"column": np.broadcast_to(np.zeros(1), 1 << 20)}  # 8 MiB, as far as anybody can tell

    return make


def test_of_large_items_only_the_latest_twelve_are_kept() -> None:
    owner, made = Spectra([1]), list[object]()
    for key in [*range(12), 0, 12, 0, 1]:  # 0 was asked for again before 12 came, so it is 1 that went
        remembered(owner, key, large(made, key))
    assert made == [*range(12), 12, 1]


def test_small_items_are_kept_for_a_script_with_many_steps_though_not_without_end() -> None:
    owner, made = Spectra([1]), list[object]()
    for key in [*range(100), *range(100)]:
        remembered(owner, key, noting(made, key))
    assert made == [*range(100)]
    for key in [*range(100, 1024), 1024, *range(1, 1025), 0]:  # 1024 times 64 KiB are 64 MiB
        remembered(owner, key, noting(made, key))
    assert made == [*range(1025), 0]


def test_what_depends_on_another_object_goes_when_something_is_made_after_it() -> None:
    owner, other, kept = Spectra([1]), Spectra([2]), Spectra([3])
    values = {name: Spectra([4]) for name in ("of other", "of other, deep", "of kept")}
    alive = {name: weakref.ref(value) for name, value in values.items()}
    remembered(owner, ("groups", weakref.ref(other)), partial(values.pop, "of other"))
    remembered(owner, ("plan", (1.5, weakref.ref(other))), partial(values.pop, "of other, deep"))
    remembered(owner, ("groups", weakref.ref(kept)), partial(values.pop, "of kept"))
    del other
    remembered(owner, "something else", lambda: 1)
    gc.collect()
    assert [name for name, value in alive.items() if value() is not None] == ["of kept"]


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


def test_a_warning_is_not_said_again_however_much_else_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    owner, logger = Spectra([1]), logging.getLogger("test")
    for _chunk in range(2):
        warned_once(owner, logger, "no geometry")
        for key in range(20):
            remembered(owner, key, large([], key))
    assert [record.getMessage() for record in caplog.records] == ["no geometry"]


def test_what_is_forgotten_is_made_again_and_no_warning_said_again(caplog: pytest.LogCaptureFixture) -> None:
    owner, made, logger = Spectra([1]), list[object](), logging.getLogger("test")
    for _ in range(2):
        remembered(owner, "a", noting(made, "a"))
        warned_once(owner, logger, "no geometry")
        forget_everything()
    assert made == ["a", "a"]
    assert len(caplog.records) == 1
