"""What is worked out once for an object that does not change, and asked for at every chunk."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Hashable
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

_FEW = 12
_BYTES = 64 << 20
_EACH = 64 << 10  # counted for each besides its arrays: so there are never more than some 1000 of one owner
_WARNINGS = 1000


class _Item(NamedTuple):
    value: Any
    nbytes: int


_known: weakref.WeakKeyDictionary[Any, dict[Hashable, _Item]] = weakref.WeakKeyDictionary()
_said: weakref.WeakKeyDictionary[Any, set[Hashable]] = weakref.WeakKeyDictionary()


def remembered(owner: object, key: Hashable, make: Callable[[], T]) -> T:
    """Return what `make` makes for an immutable object; made again only for another key.

    A script asks for the same keys in the same order at every chunk, so one too many to be kept would mean that none
    is ever found: a few are always kept, and more as long as their arrays are small.

    Parameters
    ----------
    owner
        The object; when it goes, so does what is remembered. Nothing that is made may lead back to it.
    key
        Everything else that `make` depends on. Other objects are in it by `weakref.ref`; with them goes the item.
    """
    items = _known.setdefault(owner, {})
    found = items.pop(key, None)
    if found is None:
        made = make()
        found = _Item(made, _nbytes(key, made))
        for other in [other for other in items if _is_gone(other)]:
            del items[other]
    items[key] = found  # the latest is last
    while len(items) > _FEW and sum(_EACH + item.nbytes for item in items.values()) > _BYTES:
        del items[next(iter(items))]
    value: T = found.value
    return value


def forget_everything() -> None:
    """Forget all that can be worked out again; what was warned of stays said."""
    _known.clear()


def _is_gone(key: Hashable) -> bool:
    """Whether something that a key names has gone: nobody can ask for it again."""
    if isinstance(key, tuple):
        return any(map(_is_gone, key))
    return isinstance(key, weakref.ref) and key() is None


def _nbytes(*values: object) -> int:
    """Count the bytes of all arrays that these hold, those they share with others too."""
    todo, seen, total = list(values), set[int](), 0
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
