"""Write docs/reference/algorithms.md from the algorithms' declarations: `algorithm_reference.py [--check] FILE`."""

import inspect
import sys
from pathlib import Path

import livereduce.mantid  # noqa: F401  (declares the algorithms that live outside livereduce.algorithms too)
from livereduce.algorithms.declaration import Declaration, Property, declarations

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


def page() -> str:
    found = declarations()
    index = ", ".join(f"[{d.name}](#{d.name.lower()})" for d in found)
    return "\n".join([INTRO, f"{index}\n", *(section(d) for d in found)])


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


def main(arguments: list[str]) -> int:
    check, target = "--check" in arguments, Path(arguments[-1])
    if not check:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(), encoding="utf-8")
    elif not target.is_file() or target.read_text(encoding="utf-8") != page():
        print(f"{target} is not what the declarations say; run `make docs` and commit it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
