"""``import mantid`` means our façade: an import hook, installed only where users' scripts run.

Nothing is installed on disk under the name ``mantid``. While the hook is in place, ``mantid`` and its submodules are
the very module objects of ``livereduce.mantid``, whether or not a real Mantid is installed or was imported before; a
submodule we lack is an ImportError, so that guarded imports in scripts go on. ``finddata``, ``postprocessing`` and
``plotly`` are found here only where the real ones are not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_HOME = "livereduce.mantid"
# Modules of ours that are Mantid's too; the others (this one, for instance) are not to be seen from outside.
PUBLIC = ("simpleapi", "kernel", "kernel.funcinspect", "api", "dataobjects")
# What there is of packages that may be missing, by the modules that stand in for theirs.
_STAND_INS = {
    "finddata": {"publish_plot": "publishing"},
    "postprocessing": {"publish_plot": "publishing"},
    "plotly": dict.fromkeys(("graph_objs", "graph_objects", "offline"), "plots"),
}


class _Alias(Loader):
    """Loads a module under a second name: the module object stays one and keeps its own spec."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.own_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.target)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own_spec


class _MantidFinder(MetaPathFinder):
    """First in the line: whatever is called mantid is ours or is missing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "mantid":
            return ModuleSpec(fullname, _Alias(_HOME), is_package=True)
        root, _, child = fullname.partition(".")
        if root != "mantid":
            return None
        if child in PUBLIC:
            return ModuleSpec(fullname, _Alias(f"{_HOME}.{child}"))
        raise ModuleNotFoundError(
            f"No module named {fullname!r}: livereduce has mantid.{', mantid.'.join(PUBLIC)}", name=fullname
        )


class _Package(Loader):
    """An empty package with the modules in it that stand in for its own."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        for child, target in _STAND_INS[self._name].items():
            vars(module)[child] = importlib.import_module(f"{_HOME}.{target}")


class _StandInFinder(MetaPathFinder):
    """Last in the line: packages that are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root, _, child = fullname.partition(".")
        if root not in _STAND_INS:
            return None
        if not child:
            return ModuleSpec(fullname, _Package(root), is_package=True)
        if child in _STAND_INS[root]:
            return ModuleSpec(fullname, _Alias(f"{_HOME}.{_STAND_INS[root][child]}"))
        if not _is_ours(root):
            return None  # a real package, which lacks the module
        raise ModuleNotFoundError(
            f"No module named {fullname!r}: {root} is not installed, and livereduce stands in for"
            f" {', '.join(f'{root}.{name}' for name in _STAND_INS[root])} only",
            name=fullname,
        )


def _is_ours(root: str) -> bool:
    """Tell whether a package that is loaded stands in for a missing one."""
    return isinstance(getattr(getattr(sys.modules.get(root), "__spec__", None), "loader", None), _Package)


_mantid = _MantidFinder()
_stand_ins = _StandInFinder()
_set_aside: dict[str, ModuleType] = {}


def install() -> bool:
    """Let ``import mantid`` mean livereduce's façade from now on; calling it again changes nothing.

    Returns whether it did not before.
    """
    if _mantid in sys.meta_path:
        return False
    _set_aside.update(_take_out("mantid"))
    sys.meta_path.insert(0, _mantid)
    sys.meta_path.append(_stand_ins)
    return True


def uninstall() -> None:
    """Undo `install`: a Mantid imported before is back, and new imports find what is installed."""
    if _mantid not in sys.meta_path:
        return
    sys.meta_path.remove(_mantid)
    sys.meta_path.remove(_stand_ins)
    _take_out("mantid")
    for name in _STAND_INS:
        if _is_ours(name):
            _take_out(name)
    sys.modules.update(_set_aside)
    _set_aside.clear()


def _take_out(root: str) -> dict[str, ModuleType]:
    """Remove a package and its submodules from the loaded modules and return them."""
    found = [name for name in sys.modules if name == root or name.startswith(f"{root}.")]
    return {name: sys.modules.pop(name) for name in found}
