"""What scripts write for a property, turned into the value its algorithm works with.

Scripts give numbers as text, lists as text with ranges ("1,3-5,8:10"), tuples, numpy arrays or a single number, and
truth as ``1``, ``"0"`` or ``True``. Every function here takes any of these and returns one type, or raises
``ValueError`` with what it found; the caller adds the names of the algorithm and the property.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Scripts pass these of mantid.kernel.Property for "not given".
EMPTY_DBL = float(np.finfo(np.float64).max) / 2
EMPTY_INT = 2**31 - 1
EMPTY_LONG = 2**63 - 1

_RANGE = re.compile(r"(-?\d+)\s*[-:]\s*(-?\d+)(?:\s*:\s*(\d+))?")
_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def to_boolean(value: object) -> bool:
    """Truth from a bool, 0 or 1, or their names as text."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, float, np.number)) and float(value) in (0.0, 1.0):
        return bool(value)
    found = _TRUTH.get(str(value).strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"expected True or False (or 1 or 0), found {value!r}")
    return found


def to_number(value: object) -> float:
    """One real number from a number, a one-element array or text."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, (int, float, np.number, str)):
        try:
            return float(value)
        except ValueError:
            pass
    raise ValueError(f"expected a number, found {value!r}")


def to_integer(value: object) -> int:
    """One whole number; 3.0 is accepted, 3.5 is not."""
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d+\s*", value):
        return int(value)
    try:
        number = to_number(value)
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        raise ValueError(f"expected a whole number, found {value!r}")
    return int(value) if isinstance(value, (int, np.integer)) else int(number)


def to_numbers(value: object) -> NDArray[np.float64]:
    """float64[n] from "1,2,3", a sequence, an array of any shape (flattened) or one number."""
    if isinstance(value, str):
        return np.array([to_number(item) for item in _split(value)], dtype=np.float64)
    if isinstance(value, (int, float, np.number)):
        return np.array([value], dtype=np.float64)
    try:
        return np.asarray(value if isinstance(value, np.ndarray) else _listed(value), dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise ValueError(f"expected a list of numbers, found {_shortened(value)}") from None


def to_integers(value: object) -> NDArray[np.int64]:
    """int64[n] from "1,3-5,8:10,0:20:5" (both ends included), a sequence, an array or one whole number."""
    if isinstance(value, str):
        return np.concatenate([np.empty(0, np.int64), *(_range_of(item) for item in _split(value))])
    if isinstance(value, (int, float, np.number)):
        return np.array([to_integer(value)], dtype=np.int64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        return value.astype(np.int64).reshape(-1)
    items = value.reshape(-1) if isinstance(value, np.ndarray) else _listed(value)
    return np.array([n for i in items for n in (_range_of(i) if isinstance(i, str) else [to_integer(i)])], np.int64)


def to_texts(value: object) -> list[str]:
    """List of texts from "a,b", a sequence, or a path."""
    if isinstance(value, os.PathLike):
        return [str(value)]
    return _split(value) if isinstance(value, str) else [str(item) for item in _listed(value)]


def to_path(value: object) -> Path:
    """File name as a path; a leading ``~`` is the user's home."""
    if not isinstance(value, (str, os.PathLike)) or not str(value):
        raise ValueError(f"expected a file name, found {value!r}")
    return Path(value).expanduser()


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _range_of(item: str) -> NDArray[np.int64]:
    match = _RANGE.fullmatch(item.strip())
    if match is None:
        return np.array([to_integer(item)], np.int64)
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if last < first or step == 0:
        raise ValueError(f"expected a rising range such as 4-7, found {item!r}")
    return np.arange(first, last + 1, step, dtype=np.int64)


def _listed(value: object) -> list[object]:
    if not isinstance(value, Iterable):
        raise ValueError(f"expected a list, found {value!r}")
    return list(value)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
