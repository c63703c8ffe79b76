import gc
import logging
import weakref
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from livereduce.algorithms import extract_single_spectrum, group_detectors, mask_detectors, sum_spectra
from livereduce.algorithms.memory import forget_everything, remembered, warned_once
from livereduce.workspaces import EventWorkspace, Spectra


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    forget_everything()


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


class Large:
    """Something with an array of 64 MiB, as far as anybody can tell."""

    def __init__(self) -> None:
        self.column = np.broadcast_to(np.zeros(1), 8 << 20)


def large(made: list[object], what: object) -> Callable[[], object]:
    def make() -> object:
        made.append(what)
        return Large()

    return make


def test_what_was_asked_for_longest_ago_goes_when_all_together_is_too_much() -> None:
    owners, made = [Spectra([1]), Spectra([2])], list[object]()
    for key in [*range(7), 0, 7, 0, 1]:  # seven fit into 512 MiB; 0 was asked for again before 7 came, so 1 went
        remembered(owners[key % 2], key, large(made, key))
    assert made == [*range(8), 1]


def test_steps_of_a_long_script_are_all_found_again_though_not_without_end() -> None:
    owner, made = Spectra([1]), list[object]()
    for key in [*range(2048), *range(2048)]:  # each is taken for 256 KiB
        remembered(owner, key, noting(made, key))
    assert made == [*range(2048)]
    for key in [2048, *range(1, 2049), 0]:
        remembered(owner, key, noting(made, key))
    assert made == [*range(2049), *range(1, 129), 0]  # a sixteenth goes at once, those asked for longest ago


def test_arrays_shared_with_the_owner_do_not_count() -> None:
    owner, made = Large(), list[object]()

    def make() -> object:
        made.append("it")
        return {"column": owner.column}

    for key in [*range(50), *range(50)]:
        remembered(owner, key, make)
    assert len(made) == 50


def test_a_loop_that_masks_one_spectrum_after_another_keeps_no_more_than_all_may() -> None:
    first = Large()
    alive, latest = list[weakref.ref[Large]](), first
    for key in range(20):
        latest = remembered(latest, key, Large)
        alive.append(weakref.ref(latest))
    gc.collect()
    assert sum(ref() is not None for ref in alive) <= 8


def test_workspaces_leave_nothing_behind_when_they_go(make_events: Callable[..., EventWorkspace]) -> None:
    ws = make_events([1.0, 2.0], [3.0], [4.0])
    grouped = group_detectors(mask_detectors(ws, workspace_index_list=[1]), grouping_pattern="0,2")
    assert sum_spectra(extract_single_spectrum(grouped, 1)).readY(0).tolist() == [1.0]
    alive = [weakref.ref(each) for each in (ws.spectra, ws.detectors, grouped.spectra)]
    del ws, grouped
    gc.collect()
    assert [ref() for ref in alive] == [None, None, None]


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
