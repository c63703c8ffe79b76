"""The text of docs/reference/config.md, from the settings models."""

import json
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from livereduce import facilities
from livereduce.config.settings import Move, Section, Settings

INTRO = """# Configuration

<!-- Generated from the models by `make docs`; do not edit by hand. -->

`livereduce run CONF` reads the JSON file CONF; without CONF it reads `/etc/livereduce.conf` if that exists and is not
empty. A CONF that is missing or wrong ends the program with exit code 2 after everything wrong in it has been listed.

```json
{"instrument": "POWGEN"}
```

is complete: the [table of instruments](../../src/livereduce/facilities.toml) gives listener, address, short name and
time zone. An instrument that is not in it needs `listener` and `address`. Numbers may be written as text (`"300"`),
words in any case. Unknown keys are ignored with a warning that names the nearest known one. Relative paths start at the
working directory. `livereduce check CONF` shows what comes of a file without starting anything.

The scripts are `<script_dir>/reduce_<SHORT>_live_proc.py` (every chunk) and
`<script_dir>/reduce_<SHORT>_live_post_proc.py` (the accumulation), where `<SHORT>` is the instrument's short name; one
of them is enough.
"""


def type_in_words(field: FieldInfo) -> str:
    return _words(field.annotation)


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        if arguments == get_args(facilities.StreamKind):
            return "listener class or kind"
        return ", ".join(f"`{word}`" for word in arguments)
    if origin in {Union, types.UnionType}:
        return _words(next(a for a in arguments if a is not type(None)))
    if hasattr(annotation, "__metadata__"):
        return _words(arguments[0])
    if origin is tuple:
        return {int: "list of whole numbers", Path: "list of paths", Move: "list of objects"}[arguments[0]]
    return {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}[annotation]


def default_in_words(field: FieldInfo) -> str:
    if field.is_required():
        return "(needed)"
    return "" if field.default is None else f"`{json.dumps(field.default, default=str)}`"


def limits_in_words(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {value:,}"
        for m in field.metadata
        for name, sign in signs.items()
        if (value := getattr(m, name, None)) is not None
    ]
    return "".join(f", {limit}" for limit in limits)


def table(model: type[Section], prefix: str = "") -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            kind = type_in_words(field) + limits_in_words(field)
            rows.append(f"| `{prefix}{name}` | {kind} | {default_in_words(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    parts = [INTRO, "## Keys\n", table(Settings)]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            parts += [
                f"## `{name}`\n",
                f'{field.annotation.__doc__} Written as `{{"{name}": {{...}}}}`.\n',
                table(field.annotation, f"{name}."),
            ]
    classes = "\n".join(f"| `{name}` | `{kind}` |" for name, kind in facilities.LISTENERS.items())
    parts += ["## Listeners\n", f"| class | kind |\n|---|---|\n{classes}\n"]
    return "\n".join(parts)
