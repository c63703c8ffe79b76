"""Which spectra a loader is asked for: SpectrumMin, SpectrumMax and SpectrumList, by spectrum number."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.declaration import Integers
from livereduce.workspaces import Spectra
from livereduce.workspaces.arrays import Bool


def wanted(spectra: Spectra, least: int | None, greatest: int | None, numbers: Integers) -> Bool:
    """Tell of each spectrum whether its number is in the list or between the limits; all are if neither is given.

    Raises
    ------
    ValueError
        There is no spectrum of a number in the list, or none between the limits.
    """
    have, listed = spectra.numbers, np.asarray(numbers, np.int64)
    missing = np.setdiff1d(listed, have)
    if len(missing):
        raise ValueError(f"SpectrumList: there is no spectrum number {missing[0]}")
    result: Bool = np.isin(have, listed)
    if least is None and greatest is None:
        return result if len(listed) else np.ones(len(have), bool)
    within = (have >= (-np.inf if least is None else least)) & (have <= (np.inf if greatest is None else greatest))
    if not within.any():
        there = f"{have.min()} to {have.max()}" if len(have) else "none"
        raise ValueError(f"SpectrumMin, SpectrumMax: no spectrum number is in {least} to {greatest}; there are {there}")
    return result | within
