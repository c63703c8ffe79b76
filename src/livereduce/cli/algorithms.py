"""`livereduce algorithms`: which algorithms scripts find, with their properties and defaults."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import Any

import click

UNWRAPPED = 10_000
"""Columns where there is no terminal: programs that read the page want a property on one line."""


@click.command(epilog="Example: livereduce algorithms Rebin")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def algorithms(name: str | None, as_json: bool) -> None:
    """List the algorithms scripts can call, or the properties of NAME."""
    import livereduce.mantid.simpleapi  # noqa: F401  (declares those that live outside livereduce.algorithms too)
    from livereduce.algorithms import declaration
    from livereduce.algorithms.absent import nearest_algorithms

    if name is None:
        described = [d.describe() for d in declaration.declarations()]
        click.echo(json.dumps(described) if as_json else "\n".join(map(_summary, described)))
        return
    found = declaration.find(name)
    if found is None:
        near = nearest_algorithms(name)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        click.echo(f"livereduce: there is no algorithm {name}{hint}", err=True)
        sys.exit(2)
    click.echo(json.dumps(found.describe()) if as_json else "\n".join(_page(found.describe())))


def _summary(described: dict[str, Any]) -> str:
    names = ", ".join([described["name"], *described["aliases"]])
    return f"{names:32} {described['summary']}"


def _page(described: dict[str, Any]) -> list[str]:
    lines = [described["name"], *_wrapped(f"  {described['summary']}", 2)]
    if described["aliases"]:
        lines.append(f"  also called {', '.join(described['aliases'])}")
    lines += [f"  from Python: {described['python']}", ""]
    names = max((len(p["name"]) for p in described["properties"]), default=0)
    for p in described["properties"]:
        kind = f"one of {', '.join(p['allowed'])}" if p["allowed"] else p["type"]
        line = f"  {p['name']:{names}}  {p['direction'].lower()} {kind}, {_need(p)}. {p['doc']}"
        lines += _wrapped(line, names + 4)
    return lines


def _wrapped(line: str, indent: int) -> list[str]:
    columns = shutil.get_terminal_size((UNWRAPPED, 0)).columns
    plain = line.replace("``", "")
    return textwrap.wrap(plain, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _need(described: dict[str, Any]) -> str:
    if described["mandatory"]:
        return "mandatory"
    default = described["default"]
    return "optional" if default in (None, "", "()") else f"default {default}"
