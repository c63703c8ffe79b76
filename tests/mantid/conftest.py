"""Scripts run as live/scripts.py runs them: text compiled under a file name, with the source to be had by it."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from livereduce.mantid import finder, mtd, script_names
from livereduce.workspaces import WorkspaceStore

_COUNT = itertools.count()


@pytest.fixture(autouse=True)
def fresh_store() -> Iterator[WorkspaceStore]:
    """Every test begins with an empty store."""
    store = WorkspaceStore()
    before = mtd.use(store)
    yield store
    mtd.use(before)


@pytest.fixture
def installed() -> Iterator[None]:
    """``import mantid`` works."""
    finder.install()
    yield
    finder.uninstall()


@pytest.fixture
def script(installed: None) -> Callable[..., dict[str, Any]]:
    """Run a script's text with the names scripts find without import; returns its globals."""

    def run(text: str, **names: Any) -> dict[str, Any]:
        path = f"<script {next(_COUNT)}>"
        linecache.cache[path] = (len(text), None, text.splitlines(True), path)
        namespace = {**script_names(), **names, "__name__": "__main__"}
        exec(compile(text, path, "exec"), namespace)
        return namespace

    return run
