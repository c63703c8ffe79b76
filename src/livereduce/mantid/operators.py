"""Arithmetic between workspaces in scripts: ``difference = a - b`` stores its result under "difference"."""

from __future__ import annotations

import sys
from typing import Any

from livereduce.algorithms import outputs
from livereduce.algorithms.arithmetic import apply_operator
from livereduce.mantid.ads import mtd
from livereduce.mantid.naming import assigned_names
from livereduce.workspaces import install_operator
from livereduce.workspaces.group import install_lookup

# carry_out, MatrixWorkspace._apply and __add__ (or its like) stand between a script and this module
_CALLER = 3


def carry_out(algorithm: str, left: Any, right: Any, *, in_place: bool) -> Any:
    """Carry out an operator; the result is stored under the name it is assigned to, or in place of the left side."""
    result = apply_operator(algorithm, left, right)
    if in_place:
        return outputs.replace_input(mtd.store, left, result)
    names = assigned_names(sys._getframe(_CALLER))
    return outputs.keep(mtd.store, names[0] if names else None, result, ())


def install() -> None:
    """Let the operators of workspaces work so, and groups find what scripts add to them by name."""
    install_operator(carry_out)
    install_lookup(lambda name: mtd[name])
