"""``mantid.kernel.funcinspect``: what a call is assigned to, for helper functions that name their results after it."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Literal

from livereduce.mantid.naming import Targets, assigned_names

__all__ = ["lhs_info"]


def lhs_info(
    output_type: Literal["both", "nreturns", "names"] = "both", frame: FrameType | None = None
) -> tuple[int, Targets] | int | Targets:
    """Tell what the call of the function that asks is assigned to.

    Parameters
    ----------
    output_type
        ``nreturns`` for the number of targets, ``names`` for their names (None for one that is no plain name), ``both``
        for a tuple of the two.
    frame
        Where the call was made; by default where the asking function was called.
    """
    names = assigned_names(sys._getframe(2) if frame is None else frame)
    if output_type == "both":
        return len(names), names
    if output_type not in ("names", "nreturns"):
        raise ValueError(f"output_type: expected 'both', 'nreturns' or 'names', found {output_type!r}")
    return names if output_type == "names" else len(names)
