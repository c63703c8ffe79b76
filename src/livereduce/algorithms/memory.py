"""What is worked out once for an object that does not change, and asked for at every chunk."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

_KEPT = 12
_MISSING: Any = object()

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
    found = items.pop(key, _MISSING)
    items[key] = found = make() if found is _MISSING else found  # the latest is last
    while len(items) > _KEPT:
        items.pop(next(iter(items)), None)
    return found


def warned_once(owner: object, logger: logging.Logger, message: str, *values: object) -> None:
    """Log a warning about an object that does not change, unless the same has been said of it before."""
    remembered(owner, ("warned", message, values), lambda: logger.warning(message, *values))
