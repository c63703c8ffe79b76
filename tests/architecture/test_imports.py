"""Who may import whom: the arrows of the architecture, checked on every module's import statements."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "livereduce"

# room -> rooms it may import (errors is free for all). A room missing here may import nothing of ours.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "status": set(),
    "facilities": set(),
    "geometry": set(),
    "protocols": set(),
    "workspaces": {"geometry"},
    "algorithms": {"workspaces", "geometry"},
    "sources": {"protocols"},
    "recorder": {"sources", "protocols", "status", "config"},
    "listeners": {"protocols", "sources", "workspaces", "geometry"},
    "live": {"listeners", "sources", "algorithms", "workspaces", "geometry"},
    "mantid": {"live", "algorithms", "workspaces", "geometry", "listeners", "sources", "facilities"},
    "config": {"facilities"},
    "reducer": {
        "mantid", "live", "listeners", "algorithms", "workspaces", "geometry", "protocols", "sources", "status",
        "config",
    },
    "testing": {"mantid", "live", "listeners", "algorithms", "workspaces", "geometry"},
    "simulators": {"protocols", "geometry"},
    "web": {"status", "config"},
    "supervisor": {"web", "status", "config"},
    "client": set(),
    "cli": {
        "supervisor", "web", "status", "config", "facilities", "simulators", "protocols", "sources", "recorder",
        "reducer", "testing", "mantid", "live", "listeners", "algorithms", "workspaces", "geometry", "client",
    },
}  # fmt: skip

# rooms (or single modules) that are pure: no sockets, clocks, threads or web inside
PURE = ["protocols", "geometry", "workspaces", "live/state.py", "status"]
IMPURE_MODULES = {
    "asyncio", "socket", "select", "selectors", "ssl", "time", "threading", "multiprocessing", "subprocess",
    "http", "urllib", "uvicorn", "starlette", "signal", "psutil",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Absolute dotted names this module imports, at any depth of nesting."""
    names: set[str] = set()
    package = ["livereduce", *path.relative_to(SRC).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from livereduce import config` imports a room; `from x.y import name` imports x.y
            names |= {f"{stem}.{alias.name}" if stem == "livereduce" else stem for alias in node.names}
    return names


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_module_imports_only_along_the_arrows(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("livereduce.")}
    ours -= {room, "errors", "__version__"}
    assert room in ALLOWED, f"{path}: room '{room}' is not in the architecture; add it there and here"
    assert ours <= ALLOWED[room], f"{path} imports {sorted(ours - ALLOWED[room])}; '{room}' may import {ALLOWED[room]}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_pure_rooms_import_no_io(path: Path) -> None:
    relative = str(path.relative_to(SRC))
    if not any(relative == rule or relative.startswith(f"{rule}/") for rule in PURE):
        return
    impure = {name.split(".")[0] for name in imported(path)} & IMPURE_MODULES
    assert not impure, f"{path} is pure but imports {sorted(impure)}"


@pytest.mark.parametrize("path", sorted(SRC.rglob("kernels.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_every_kernel_releases_the_gil_and_is_cached(path: Path) -> None:
    """One kernel without nogil stops reception in a notebook (measured: 0.004 GB/s against 1.3)."""
    tree = ast.parse(path.read_text())
    options = {
        target.id: {keyword.arg for keyword in node.value.keywords} | dict_keys(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Call, ast.Dict))
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Call)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            text = ast.unparse(decorator)
            if "njit" not in text:
                continue
            given = set(options.get(text, set()))
            if isinstance(decorator, ast.Call):
                given |= {keyword.arg for keyword in decorator.keywords if keyword.arg}
                for keyword in decorator.keywords:
                    if keyword.arg is None and isinstance(keyword.value, ast.Name):
                        given |= options.get(keyword.value.id, set())
            assert {"nogil", "cache"} <= given, f"{path}:{node.lineno} {node.name} lacks nogil or cache"


def dict_keys(call: ast.Call) -> set[str]:
    """Keys of ``dict(nogil=True, ...)`` style option tables."""
    return {keyword.arg for keyword in call.keywords if keyword.arg}
