"""Looking into HDF5 files that others wrote: whatever is missing, of another kind or damaged is named with its place.

Inside `opened`, an `UnfitError` names the group or dataset; the caller sees a RuntimeError that names the file too.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from livereduce.algorithms.files import check_exists
from livereduce.geometry.nexus_histogram import UnfitError, text_of, unit_factor
from livereduce.workspaces.arrays import F64, I64
from livereduce.workspaces.run import to_ns

NUMBERS, WHOLE, TEXT = "iuf", "iu", "OSU"
_CALLED = {NUMBERS: "numbers", WHOLE: "whole numbers", TEXT: "text"}
# a dataset that claims to be so many times larger than what is stored of it was never written; gzip reaches 1032
_MOST_COMPRESSED = 20_000
_SMALL = 1 << 20
_DEEPEST = 12
# further from 1970 than this, times in ns do not fit into 64 bits
_LATEST_S = 9.2e9
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d*)?)? ?([Zz]|[-+]\d\d:?\d\d)?")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file to read; what is found wrong with its contents becomes a RuntimeError that begins with its name."""
    check_exists(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise RuntimeError(f"{path}: cannot be read as HDF5: it is of another kind or cut short ({error})") from error
    with file:
        try:
            yield file
        except UnfitError as error:
            raise RuntimeError(f"{path}: {error}") from error
        except (OSError, KeyError, RuntimeError, UnicodeError) as error:  # what h5py raises for a damaged file
            raise RuntimeError(f"{path}: cannot be read, it is damaged or cut short ({error})") from error


def dataset(group: h5py.Group, *names: str, kind: str = NUMBERS, ndim: int | None = None) -> h5py.Dataset:
    """Return the dataset of the first of these names that there is.

    Parameters
    ----------
    kind
        `NUMBERS`, `WHOLE` or `TEXT`.
    ndim
        Number of dimensions it must have; any without.

    Raises
    ------
    UnfitError
        It is not there, is a group, or holds something else.
    """
    name = next((n for n in names if n in group), None)
    if name is None:
        raise UnfitError(f"{group.name} has no {names[0]}; it has {listed(group)}")
    found = group.get(name)
    if not isinstance(found, h5py.Dataset):
        raise UnfitError(f"{group.name}/{name}: expected {_CALLED[kind]}, found a group or a broken link")
    if found.shape is None or found.dtype.kind not in kind or (ndim is not None and found.ndim != ndim):
        shape = "nothing" if found.shape is None else f"{found.dtype} of shape {found.shape}"
        expected = _CALLED[kind] + ("" if ndim is None else f" in {ndim} dimension{'s' if ndim > 1 else ''}")
        raise UnfitError(f"{found.name}: expected {expected}, found {shape}")
    stored = found.id.get_storage_size()
    if not found.is_virtual and found.external is None and found.nbytes > _SMALL + _MOST_COMPRESSED * stored:
        raise UnfitError(f"{found.name}: claims shape {found.shape}, but only {stored} bytes of it are in the file")
    return found


def class_of(group: h5py.Group) -> str:
    """NeXus class of a group; empty when it has none."""
    return text_of(group.attrs.get("NX_class"))


def groups(group: h5py.Group) -> Iterator[tuple[str, h5py.Group]]:
    """Go through the groups in a group, by name; links that lead nowhere are left out."""
    for name in group:
        found = group.get(name)
        if isinstance(found, h5py.Group):
            yield _text(name), found


def listed(group: h5py.Group) -> str:
    """Name what is in a group, for a message."""
    return ", ".join(_text(name) for name in itertools.islice(group, 8)) or "nothing"


def _text(name: str | bytes) -> str:
    """Name in a group; h5py gives those that are no UTF-8 as bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def below(group: h5py.Group, *closed: str) -> Iterator[tuple[str, h5py.Group]]:
    """Go through all groups below, by name, each once however many links lead to it; not into these classes."""
    seen: set[int] = set()

    def down(parent: h5py.Group, depth: int) -> Iterator[tuple[str, h5py.Group]]:
        for name, child in groups(parent):
            place = address(child)
            if place in seen:
                continue
            seen.add(place)
            yield name, child
            if depth and class_of(child) not in closed:
                yield from down(child, depth - 1)

    return down(group, _DEEPEST)


def address(found: h5py.Group | h5py.Dataset) -> int:
    """Where in its file an object is: two links to one object have the same."""
    return int(h5py.h5o.get_info(found.id).addr)


def texts(found: h5py.Dataset) -> list[str]:
    """Read a dataset of texts, whatever way they are stored; bytes that are no UTF-8 are replaced."""
    values = np.ravel(found[()]).tolist()
    return [v.decode("utf-8", "replace").rstrip("\0") if isinstance(v, bytes) else str(v) for v in values]


def time_of(text: str) -> int:
    """Return ns since 1970 of a text; ValueError for one that is no time of day in ISO-8601."""
    if not _TIME.fullmatch(text.strip()):
        raise ValueError(f"{text[:40]!r} is not a time; expected ISO-8601 like 2026-11-23T04:37:00")
    return to_ns(text)


def times_ns(found: h5py.Dataset) -> I64:
    """Read times as ns since 1970: counted from the attribute ``offset`` or ``start``, seconds unless it says units.

    Raises
    ------
    UnfitError
        The attribute is no time, or a time is none that 64 bits of ns hold.
    """
    origin_text = text_of(found.attrs.get("offset", found.attrs.get("start")))
    try:
        origin = time_of(origin_text) if origin_text else 0
    except ValueError as error:
        raise UnfitError(f"{found.name}: its origin {error}") from error
    ns = unit_factor(found, "time") * 1000.0 if "units" in found.attrs else 1e9
    values = found[()].ravel()
    seconds: F64 = values.astype(np.float64) * (ns / 1e9) + origin / 1e9
    wrong = ~(np.abs(seconds) < _LATEST_S)
    if wrong.any():
        at = int(np.argmax(wrong))
        unit = text_of(found.attrs.get("units")) or "second"
        raise UnfitError(f"{found.name}: entry {at} is {values[at]} {unit} after {origin_text or 1970}: no usable time")
    # whole numbers are not sent through floats: 64 bits of ns since 1970 do not fit
    whole = values.dtype.kind in WHOLE and ns >= 1
    since = values.astype(np.int64) * round(ns) if whole else np.rint(values * ns).astype(np.int64)
    result: I64 = since + origin
    return result


def entry_of(file: h5py.File, name: str = "") -> h5py.Group:
    """Return the NXentry of this name, or the first.

    Raises
    ------
    UnfitError
        There is none.
    """
    entries = {key: group for key, group in groups(file) if class_of(group) == "NXentry"}
    if name and name in entries:
        return entries[name]
    if entries and not name:
        return next(iter(entries.values()))
    raise UnfitError(f"has no NXentry{f' {name!r}' if name else ''}; it has {', '.join(entries) or listed(file)}")
