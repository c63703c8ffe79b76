"""``import mantid`` means our façade: an import hook, installed only where users' scripts run.

Nothing is installed on disk under the name ``mantid``. While the hook is in place, ``mantid`` and its submodules are
the very module objects of ``livereduce.mantid``, whether or not a real Mantid is installed or was imported before; a
submodule we lack is an ImportError, so that guarded imports in scripts go on. ``finddata`` and ``postprocessing`` are
found here only where the real ones are not installed.
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
PUBLIC = ("simpleapi", "kernel", "api", "dataobjects")
_PUBLISHING = f"{_HOME}.publishing"


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
    """An empty package with the publishing module in it."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["publish_plot"] = importlib.import_module(_PUBLISHING)


class _PublishingFinder(MetaPathFinder):
    """Last in the line: the facility's publishing modules, where they are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root, _, child = fullname.partition(".")
        if root not in ("finddata", "postprocessing") or child not in ("", "publish_plot"):
            return None
        return ModuleSpec(fullname, _Alias(_PUBLISHING)) if child else ModuleSpec(fullname, _Package(), is_package=True)


_mantid = _MantidFinder()
_publishing = _PublishingFinder()
_set_aside: dict[str, ModuleType] = {}


def install() -> bool:
    """Let ``import mantid`` mean livereduce's façade from now on; calling it again changes nothing.

    Returns whether it did not before.
    """
    if _mantid in sys.meta_path:
        return False
    _set_aside.update(_take_out("mantid"))
    sys.meta_path.insert(0, _mantid)
    sys.meta_path.append(_publishing)
    return True


def uninstall() -> None:
    """Undo `install`: a Mantid imported before is back, and new imports find what is installed."""
    if _mantid not in sys.meta_path:
        return
    sys.meta_path.remove(_mantid)
    sys.meta_path.remove(_publishing)
    _take_out("mantid")
    for name in ("finddata", "postprocessing"):
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and isinstance(spec.loader, _Package):
            _take_out(name)
    sys.modules.update(_set_aside)
    _set_aside.clear()


def _take_out(root: str) -> dict[str, ModuleType]:
    """Remove a package and its submodules from the loaded modules and return them."""
    found = [name for name in sys.modules if name == root or name.startswith(f"{root}.")]
    return {name: sys.modules.pop(name) for name in found}
