"""Each case is a small source text; `call()` in it records the names its result would be stored under."""

import linecache
import sys
from typing import Any

import pytest

from livereduce.mantid.naming import Targets, assigned_names

COUNT = 0


def recorded(source: str, *, with_source: bool = True) -> list[Targets]:
    """Run `source` and return what each of its calls of ``call`` was told."""
    global COUNT
    COUNT += 1
    found: list[Targets] = []

    def call(*_args: Any, n: int = 1) -> Any:
        found.append(assigned_names(sys._getframe(1)))
        return None if n == 1 else (None,) * n

    path = f"<case {COUNT}>"
    if with_source:
        linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    exec(compile(source, path, "exec"), {"call": call, "box": type("Box", (), {}), "d": {}})
    return found


@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ws = call()", [("ws",)]),
        ("a, b = call(n=2)", [("a", "b")]),
        ("call()", [()]),
        ("def helper():\n    inner = call()\n    return inner\nhelper()", [("inner",)]),
        ("def helper():\n    a, b = call(n=2)\nhelper()", [("a", "b")]),
        ("def helper():\n    return call()\nouter = helper()", [()]),
        ("ws = call(\n    1,\n    2,\n)", [("ws",)]),
        ("for i in range(2):\n    ws = call(i)", [("ws",), ("ws",)]),
        ("box.ws = call()", [()]),
        ("d['k'] = call()", [()]),
        ("ws = call(call())", [(), ("ws",)]),
        ("ws = [call()]", [()]),
    ],
)
def test_the_names_assigned_to_are_found_with_and_without_source(
    source: str, expected: list[Targets], with_source: bool
) -> None:
    assert recorded(source, with_source=with_source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if (ws := call()) is None: pass", [("ws",)]),
        ("ws: object = call()", [("ws",)]),
        ("a = b = call()", [("a",)]),
        ("box.a = b = call()", [("b",)]),
        ("a, b = call(), call()", [("a",), ("b",)]),
        ("a, box.b = call(n=2)", [("a", None)]),
        ("(a, b), c = call(n=2), call()", [("a", "b"), ("c",)]),
        ("ws = call() if True else None", [("ws",)]),
        ("ws = 1 if call() else 2", [()]),
        ("x = call().real if False else 0\nws = (call())", [("ws",)]),
    ],
)
def test_forms_that_need_the_source_are_found(source: str, expected: list[Targets]) -> None:
    assert recorded(source) == expected
