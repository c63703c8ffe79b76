"""``mantid.simpleapi``: every algorithm as a function, made from its declaration when it is first asked for.

Algorithms that any room has declared are here, whenever it did so. A capitalised name that nobody has declared is
given as a function too: it raises when it is called, naming what comes near, so that a script that imports an algorithm
it seldom uses still runs. Other names that are not here are an ImportError, as guarded imports expect.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from livereduce import mantid
from livereduce.algorithms import calling, declaration
from livereduce.algorithms.absent import absent
from livereduce.algorithms.declaration import Declaration, Kind
from livereduce.algorithms.property_manager import PropertyManager, property_managers
from livereduce.mantid import operators
from livereduce.mantid.ads import AnalysisDataService, AnalysisDataServiceImpl, mtd
from livereduce.mantid.config import ConfigService, config
from livereduce.mantid.factories import TableFactory, WorkspaceFactory
from livereduce.mantid.file_finder import FileFinder, with_folders
from livereduce.mantid.functions import FUNCTIONS
from livereduce.mantid.logger import Logger, logger
from livereduce.mantid.managed import AlgorithmManager
from livereduce.mantid.naming import assigned_names
from livereduce.workspaces import WorkspaceGroup

operators.install()

# What scripts find here besides algorithms.
_OTHERS: dict[str, Any] = {
    "ADS": AnalysisDataService,
    "AlgorithmManager": AlgorithmManager,
    "AnalysisDataService": AnalysisDataService,
    "AnalysisDataServiceImpl": AnalysisDataServiceImpl,
    "ConfigService": ConfigService,
    "FileFinder": FileFinder,
    "Logger": Logger,
    "PropertyManager": PropertyManager,
    "PropertyManagerDataService": property_managers,
    "TableFactory": TableFactory,
    "WorkspaceFactory": WorkspaceFactory,
    "WorkspaceGroup": WorkspaceGroup,
    "config": config,
    "logger": logger,
    "mantid": mantid,
    "mtd": mtd,
    **FUNCTIONS,
}

_functions: dict[str, Callable[..., Any]] = {}


def script_names() -> dict[str, Any]:
    """Names a script finds without importing anything."""
    return _OTHERS | {name: function(name) for name in declaration.names()}


def function(name: str) -> Callable[..., Any]:
    """Give the function scripts call for an algorithm or alias; for one we lack, a function that raises."""
    declared = declaration.find(name)
    if declared is None or name not in (declared.name, *declared.aliases):
        return _missing(name)
    if name not in _functions:
        _functions[name] = _caller(declared, name)
    return _functions[name]


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted({*_OTHERS, *declaration.names()})
    if name in _OTHERS:
        return _OTHERS[name]
    if name[:1].isupper():
        return function(name)
    near = declaration.nearest(name, declaration.names(), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise AttributeError(f"mantid.simpleapi of livereduce has no {name!r}{hint}", name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return [*_OTHERS, *declaration.names()]


def _caller(declared: Declaration, name: str) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        names = assigned_names(sys._getframe(1)) if declared.outputs else ()
        return calling.execute(declared, args, keywords, mtd.store, names, with_folders=with_folders)

    return _named(call, name, _documentation(declared))


def _missing(name: str) -> Callable[..., Any]:
    def call(*_args: Any, **_keywords: Any) -> Any:
        raise NotImplementedError(absent(name))

    call.is_missing = True  # type: ignore[attr-defined]
    return _named(call, name, f"{name} is not available in livereduce; calling it raises.")


def is_missing(function: Callable[..., Any]) -> bool:
    """Tell whether a function of this module stands for an algorithm that is not here."""
    return bool(getattr(function, "is_missing", False))


def _named(call: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = name
    call.__module__ = __name__
    call.__doc__ = doc
    return call


def _documentation(declared: Declaration) -> str:
    lines = [declared.summary, "", "Properties", "----------"]
    for p in declared.properties:
        kind = f"one of {', '.join(p.allowed)}" if p.allowed else p.kind.value
        mark = ", mandatory" if p.mandatory else "" if p.default is None else f", default {p.default!r}"
        way = "" if p.direction == "Input" or p.kind is Kind.NAME else f" ({p.direction.lower()})"
        lines += [f"{p.name} : {kind}{way}{mark}", f"    {p.doc}"]
    return "\n".join(lines)
