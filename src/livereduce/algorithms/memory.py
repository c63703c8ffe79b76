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
_EACH = 256 << 10  # counted for each item besides its arrays: so there are never more than some 2000
_WARNINGS = 1000


@dataclass(slots=True)
class _Item:
    value: Any
    nbytes: int
    used: int


_known: weakref.WeakKeyDictionary[Any, dict[Hashable, _Item]] = weakref.WeakKeyDictionary()
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
    with _guard:
        item = _known.setdefault(owner, {}).get(key)
        if item is not None:
            item.used = next(_clock)
            found: T = item.value
            return found
    made = make()
    size = _EACH + _nbytes((key, made), apart_from=owner)
    with _guard:
        items = _known.setdefault(owner, {})
        for other in [other for other in items if _is_gone(other)]:
            del items[other]
        items[key] = _Item(made, size, next(_clock))
        while _forget_oldest():
            pass
    return made


def _forget_oldest() -> bool:
    """Forget what was asked for longest ago if all is too much, but never the last; tell whether that was so."""
    everything = [(item, items, key) for items in list(_known.values()) for key, item in items.items()]
    if len(everything) < 2 or sum(item.nbytes for item, *_ in everything) <= _BYTES:
        return False
    _, items, key = min(everything, key=lambda each: each[0].used)
    del items[key]
    return True


def forget_everything() -> None:
    """Forget all that can be worked out again; what was warned of stays said."""
    with _guard:
        _known.clear()


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
