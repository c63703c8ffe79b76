"""The text of docs/reference/algorithms.md, from the algorithms' declarations."""

import inspect
from collections.abc import Callable
from typing import Any

import livereduce.mantid  # noqa: F401  (declares the algorithms that live outside livereduce.algorithms too)
from livereduce.algorithms.declaration import Declaration, Property, declarations
from livereduce.algorithms.fitting.profiles import PROFILES

INTRO = """# Algorithms

<!-- Generated from the declarations by `make docs`; do not edit by hand. -->

What `from mantid.simpleapi import *` gives a script besides `mtd`, `logger` and `config`. Names of properties may be
written in any case; mandatory ones may be given by position, in this order. A call without `OutputWorkspace` names its
result after the variable it is assigned to. A group in place of a single workspace is worked on member by member.
`livereduce algorithms NAME` shows the same in a terminal. Every algorithm is a function of `livereduce.algorithms` too,
in snake case, that takes and returns objects and leaves the named store alone.

Lists are written as text (`"1,2,5-8"`), list, tuple or array. Without a default in the table, a property that is not
mandatory is left out of the calculation when it is not given.
"""


FUNCTIONS = """## Functions

What `Fit` and `EvaluateFunction` know by name, with their parameters in order.

| function | parameters | value at x |
|---|---|---|
"""
MADE_TO_MEASURE = """| `Polynomial` | `A0` to `An`, with `n` given | As `Quadratic`, to the power n. |
| `UserFunction` | names in its `Formula` but x | The formula: numbers, names, + - * / ^, sqrt, exp, log, sin, cos. |
"""


def page() -> str:
    found = declarations()
    index = ", ".join(f"[{d.name}](#{d.name.lower()})" for d in found)
    return "\n".join([INTRO, f"{index}. [Functions](#functions) to fit.\n", *(section(d) for d in found), functions()])


def functions() -> str:
    rows = [
        f"| `{p.name}` | {', '.join(f'`{name}`' for name in p.defaults)} | {_first_line(p.function)} |"
        for p in PROFILES.values()
    ]
    return FUNCTIONS + "\n".join(rows) + "\n" + MADE_TO_MEASURE


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def section(declared: Declaration) -> str:
    lines = [f"## {declared.name}\n", f"{_description(declared)}\n"]
    called = [f"Also called {', '.join(f'`{alias}`' for alias in declared.aliases)}."] if declared.aliases else []
    python = f"From Python: `{declared.describe()['python']}`."
    lines += [f"{' '.join([*called, python])}\n", "| property | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_row(p) for p in declared.properties)]) + "\n"


def _description(declared: Declaration) -> str:
    """Summary, and what the docstring says before its first section."""
    text = inspect.getdoc(declared.function) or ""
    before = text.partition("\nParameters\n")[0].partition("\nReturns\n")[0]
    return before.strip() or declared.summary


def _row(p: Property) -> str:
    kind = ", ".join(f"`{word}`" for word in p.allowed) if p.allowed else p.kind.value
    way = {"Input": "", "Output": " (out)", "InOut": " (in and out)"}[p.direction]
    default = "mandatory" if p.mandatory else "" if p.default in (None, "", ()) else f"`{p.default}`"
    cells = (f"`{p.name}`", kind + way, default, p.doc)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
