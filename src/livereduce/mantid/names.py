"""Which names a script takes from ``mantid.simpleapi``, found in its syntax tree without running it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from livereduce.algorithms.absent import nearest_algorithms
from livereduce.mantid import simpleapi

MODULE = "mantid.simpleapi"


def missing_names(text: str, path: str) -> list[str]:
    """Say which names of ``mantid.simpleapi`` a script uses that we do not have, with the nearest one we have."""
    lines = []
    for name, line in names_used(ast.parse(text)):
        if hasattr(simpleapi, name) and not simpleapi.is_missing(getattr(simpleapi, name)):
            continue
        near = nearest_algorithms(name)
        hint = f"; nearest: {near[0]}" if near else ""
        lines.append(f"{path}:{line}: {name} is not an algorithm livereduce has{hint}")
    return lines


def names_used(tree: ast.Module) -> list[tuple[str, int]]:
    """Give the names a script expects of ``mantid.simpleapi``, with the line of their first use, in order of lines.

    These are names imported from it, attributes of it, and capitalised names that are called without being defined in
    the script or in Python (scripts need not import what they call).
    """
    bound, modules = _bound(tree), _module_names(tree)
    found = [*_imported(tree), *_attributes(tree, modules), *_called(tree, bound)]
    first: dict[str, int] = {}
    for name, line in sorted(found, key=lambda item: item[1]):
        first.setdefault(name, line)
    return list(first.items())


def _bound(tree: ast.Module) -> set[str]:
    """Names the script itself gives a meaning to, anywhere in it."""
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return bound


def _module_names(tree: ast.Module) -> set[str]:
    """Expressions that mean ``mantid.simpleapi`` in this script, as text."""
    names = {MODULE}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname for alias in node.names if alias.name == MODULE and alias.asname}
            names |= {f"{alias.asname}.simpleapi" for alias in node.names if alias.name == "mantid" and alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "mantid":
            names |= {alias.asname or alias.name for alias in node.names if alias.name == "simpleapi"}
    return names


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == MODULE:
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name != "*")


def _attributes(tree: ast.Module, modules: set[str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in modules:
            yield node.attr, node.lineno


def _called(tree: ast.Module, bound: set[str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name[:1].isupper() and name not in bound:
                yield name, node.lineno
