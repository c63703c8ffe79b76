"""What is worked out once for an object that does not change, and asked for at every chunk."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

_KEPT = 12

_known: weakref.WeakKeyDictionary[Any, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def remembered(owner: object, key: Hashable, make: Callable[[], T]) -> T:
    """Return what `make` makes for an immutable object; made again only for another key.

    Parameters
    ----------
    owner
        The object; when it goes, so does what is remembered. The latest few keys of each are kept.
    key
        Everything else that `make` depends on. Other objects are in it by `weakref.ref`.
    """
    items = _known.setdefault(owner, {})
    if key in items:
        items[key] = items.pop(key)  # the latest is last
        return items[key]  # type: ignore[no-any-return]
    items[key] = result = make()
    while len(items) > _KEPT:
        del items[next(iter(items))]
    return result
