"""What is worked out once for an object that does not change, and asked for at every chunk."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import count
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_BYTES = 512 << 20
_LEFT = _BYTES - _BYTES // 16  # where there was too much; room for many at once, since it takes a look at all
_EACH = 256 << 10  # counted for each item besides its arrays: so there are never more than some 2000
_WARNINGS = 1000


@dataclass(slots=True)
class _Item:
    value: Any
    nbytes: int
    used: int


class _Items(dict[Hashable, _Item]):
    """What is remembered for one owner, by key."""

    there = 0
    """How many there were when those were left out whose key names something that has gone."""

    def leave_out_gone(self) -> None:
        for key in [key for key in self if _is_gone(key)]:
            del self[key]
        self.there = len(self)


_known: weakref.WeakKeyDictionary[Any, _Items] = weakref.WeakKeyDictionary()
_held = 0  # bytes, with those of owners that have gone since all were counted
_said: weakref.WeakKeyDictionary[Any, set[Hashable]] = weakref.WeakKeyDictionary()
_clock = count()
_guard = threading.RLock()  # a notebook may work beside the live cycle


def remembered(owner: object, key: Hashable, make: Callable[[], T]) -> T:
    """Return what `make` makes for an immutable object; made again only for another key.

    A script asks for the same things in the same order at every chunk, so with too little room none would ever be
    found: there is one limit, in bytes, for all together, and what was asked for longest ago goes first. With spectra
    goes all that was made of them, so a loop that masks one spectrum after another keeps no more either.

    Parameters
    ----------
    owner
        The object; when it goes, so does what is remembered. Nothing that is made may lead back to it.
    key
        Everything else that `make` depends on. Other objects are in it by `weakref.ref`; with them goes the item.
    """
    global _held
    with _guard:
        item = _known.setdefault(owner, _Items()).get(key)
        if item is not None:
            item.used = next(_clock)
            found: T = item.value
            return found
    made = make()
    size = _EACH + _nbytes((key, made), apart_from=owner)
    with _guard:
        items = _known.setdefault(owner, _Items())
        if len(items) > 2 * items.there:  # not each time: a loop over spectra remembers thousands
            items.leave_out_gone()
        items[key] = _Item(made, size, next(_clock))
        _held += size
        if _held > _BYTES:
            _make_room()
    return made


def _make_room() -> None:
    """Count all bytes, and forget what was asked for longest ago, but never the last."""
    global _held
    everything = [(item, items, key) for items in list(_known.values()) for key, item in items.items()]
    _held = sum(item.nbytes for item, *_ in everything)
    for item, items, key in sorted(everything, key=lambda each: each[0].used)[:-1]:
        if _held <= _LEFT:
            break
        del items[key]
        _held -= item.nbytes


def forget_everything() -> None:
    """Forget all that can be worked out again; what was warned of stays said."""
    global _held
    with _guard:
        _known.clear()
        _held = 0


def _is_gone(key: Hashable) -> bool:
    """Whether something that a key names has gone: nobody can ask for it again."""
    if isinstance(key, tuple):
        return any(map(_is_gone, key))
    return isinstance(key, weakref.ref) and key() is None


def _nbytes(values: Iterable[object], apart_from: object) -> int:
    """Count the bytes of all arrays that these hold and another object, which shares some with them, does not."""
    seen = set[int]()
    _arrays([apart_from], seen)
    return _arrays(values, seen)


def _arrays(values: Iterable[object], seen: set[int]) -> int:
    todo, total = list(values), 0
    while todo:
        value = todo.pop()
        if id(value) in seen or isinstance(value, type | FunctionType):
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            total += value.nbytes
        elif isinstance(value, bytes):
            total += len(value)
        else:
            todo += gc.get_referents(value)
    return total


def warned_once(owner: object, logger: logging.Logger, message: str, *values: object) -> None:
    """Log a warning about an object that does not change, unless the same has been said of it before."""
    said = _said.setdefault(owner, set())
    if (message, values) not in said and len(said) < _WARNINGS:
        said.add((message, values))
        logger.warning(message, *values)
