"""Calibrated d-spacing: TOF = difc d + difa d² + tzero, with constants of each detector from a file.

Reads the diffraction calibration in HDF5 and the older five-column text. Constants are in us and Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livereduce.geometry.document import GeometryError
from livereduce.geometry.instrument import Instrument, frozen
from livereduce.geometry.space import Floats
from livereduce.geometry.units import geometric_difc

Group = Any  # an h5py group or file; h5py is imported only where a path is opened


@dataclass(frozen=True, eq=False)
class Calibration:
    """Constants of n detectors, in the order of `ids`.

    Attributes
    ----------
    ids
        int64[n], not in any order.
    difc, difa, tzero
        float64[n] in us/Å, us/Å², us.
    group
        int64[n], 1 for the first group, 0 for none.
    use
        bool[n]; False masks the detector.
    warnings
        What was ignored or doubtful, for people.
    """

    ids: NDArray[np.int64]
    difc: Floats
    difa: Floats
    tzero: Floats
    group: NDArray[np.int64]
    use: NDArray[np.bool_]
    instrument: str = ""
    warnings: tuple[str, ...] = ()

    def ordered(self, ids: ArrayLike) -> Calibration:
        """Return the constants of these detectors, in this order; those without any are masked and in no group."""
        wanted = np.array(ids, dtype=np.int64)
        if not len(self.ids):
            nothing = np.zeros(len(wanted))
            return _calibration(wanted, (nothing, nothing, nothing), nothing, nothing, self.instrument, self.warnings)
        order = np.argsort(self.ids, kind="stable")
        at = order[np.minimum(np.searchsorted(self.ids[order], wanted), len(order) - 1)]
        there = self.ids[at] == wanted
        constants = [np.where(there, column[at], 0.0) for column in (self.difc, self.difa, self.tzero)]
        group, use = (np.where(there, column[at], 0) for column in (self.group, self.use))
        return _calibration(wanted, constants, group, use, self.instrument, self.warnings)


def load_diffraction_calibration(source: Path | str | Group) -> Calibration:
    """Read a diffraction calibration from HDF5.

    Parameters
    ----------
    source
        A path, or an open h5py file or group that holds ``calibration``.

    Raises
    ------
    GeometryError
        The file cannot be read, or a field is missing, has another length or is not numeric.
    """
    if not isinstance(source, Path | str):
        return _read_hdf5(source, "the calibration")
    import h5py

    try:
        with h5py.File(source, "r") as file:
            return _read_hdf5(file, str(source))
    except OSError as error:
        raise GeometryError(f"cannot read the calibration {str(source)!r}: {error}") from error


def _read_hdf5(file: Group, label: str) -> Calibration:
    if "calibration" not in file:
        raise GeometryError(f"{label} has no group 'calibration'")
    group = file["calibration"]
    ids = _column(group, "detid", label, None, None)
    n = len(ids)
    constants = [_column(group, name, label, n, 0.0) for name in ("difc", "difa", "tzero")]
    groups, use = (_column(group, name, label, n, 1.0) for name in ("group", "use"))
    return _calibration(ids, constants, groups, use, _text(group, "instrument/name"))


def _column(group: Group, name: str, label: str, length: int | None, default: float | None) -> NDArray[Any]:
    if name not in group:
        if default is None:
            raise GeometryError(f"{label} has no calibration/{name}")
        return np.full(length or 0, default)
    values = np.asarray(group[name][()])
    if values.dtype.kind not in "iufb" or values.ndim != 1:
        raise GeometryError(f"{label}: calibration/{name} is {values.dtype} {values.shape}, expected a row of numbers")
    if length is not None and len(values) != length:
        raise GeometryError(f"{label}: calibration/{name} has {len(values)} values for {length} detectors")
    return values


def _text(group: Group, name: str) -> str:
    """Text of a field that may be of fixed or variable length, alone or an array of one."""
    if name not in group:
        return ""
    value = np.asarray(group[name][()]).reshape(-1)
    if not len(value):
        return ""
    return value[0].decode("utf-8", "replace") if isinstance(value[0], bytes) else str(value[0])


def load_cal(source: Path | str, instrument: Instrument) -> Calibration:
    """Read a five-column calibration: number, detector id, offset, select, group.

    Parameters
    ----------
    source
        A path, or the text itself (recognised by a line break).
    instrument
        Gives the constants that the offsets correct: difc = geometric difc / (1 + offset).

    Raises
    ------
    GeometryError
        The file cannot be read, or a line is not five numbers; the message names the line.
    """
    table, label = _five_columns(source)
    ids = table[:, 1].astype(np.int64)
    offset = table[:, 2]
    low = np.flatnonzero(~(offset > -1.0))
    if len(low):
        raise GeometryError(f"{label}: detector {ids[low[0]]} has offset {offset[low[0]]}; expected more than -1")
    rows = instrument.rows_of(ids)
    known = rows >= 0
    warnings: tuple[str, ...] = ()
    if not known.all():
        first = ids[~known][0]
        warnings = (f"{label}: {int((~known).sum())} detectors are not in the instrument, the first is {first}",)
    zero = np.zeros(len(instrument))
    difc = geometric_difc(instrument.l1, instrument.l2, instrument.two_theta)
    difc = np.where(np.isfinite(difc) & ~instrument.monitor, difc, 0.0)
    use, group = zero.astype(bool), zero.astype(np.int64)
    at = rows[known]
    difc[at] /= 1.0 + offset[known]
    use[at] = table[known, 3] > 0
    group[at] = np.maximum(table[known, 4], 0).astype(np.int64)
    return _calibration(instrument.ids, (difc, zero, zero), group, use, instrument.name, warnings)


def _five_columns(source: Path | str) -> tuple[Floats, str]:
    text, label = read_text(source)
    lines = [(number, line.split("#")[0].split()) for number, line in enumerate(text.splitlines(), 1)]
    rows = [(number, words) for number, words in lines if words]
    for number, words in rows:
        if len(words) != 5:
            raise GeometryError(f"{label}, line {number}: {len(words)} columns, expected 5")
    try:
        return np.array([words for _, words in rows], dtype=np.float64).reshape(-1, 5), label
    except ValueError as error:
        raise GeometryError(f"{label}, line {_first_bad(rows)}: not a number") from error


def _first_bad(rows: list[tuple[int, list[str]]]) -> int:
    for number, words in rows:
        try:
            np.array(words, dtype=np.float64)
        except ValueError:
            return number
    raise AssertionError("every line is numeric")


def read_text(source: Path | str) -> tuple[str, str]:
    """Return the text of a path, or a text given as such, and what to call it in messages."""
    if isinstance(source, str) and ("\n" in source or "<" in source):
        return source, "the text"
    try:
        return Path(source).read_text(encoding="utf-8", errors="replace"), str(source)
    except (OSError, ValueError) as error:
        raise GeometryError(f"cannot read {str(source)!r}: {error}") from error


def _calibration(
    ids: ArrayLike,
    constants: Sequence[ArrayLike],
    group: ArrayLike,
    use: ArrayLike,
    instrument: str = "",
    warnings: tuple[str, ...] = (),
) -> Calibration:
    """Check and freeze the columns; a difc that is not positive masks."""
    difc, difa, tzero = (frozen(np.array(column, dtype=np.float64)) for column in constants)
    good = np.array(use, dtype=np.float64) > 0
    good &= np.isfinite(difc) & np.isfinite(difa) & np.isfinite(tzero) & (difc > 0)
    numbers, groups = (frozen(np.array(column, dtype=np.int64)) for column in (ids, group))
    return Calibration(numbers, difc, difa, tzero, groups, frozen(good), instrument, warnings)
