"""Calling a declared algorithm: arguments parsed and checked at once, groups member by member, results into the store.

`run` is the pure half (objects in, objects out); `execute` is a script's call: names or objects, keywords in any case,
others by position, mandatory properties first; results stored under the names given or assigned to.

Errors: an unknown keyword or a surplus argument is a TypeError, a wrong or missing value a ValueError that lists all
of them, anything that fails in the algorithm a RuntimeError. Every message begins with the algorithm's name.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from livereduce.algorithms import values
from livereduce.algorithms.declaration import Declaration, Kind, Property, nearest
from livereduce.algorithms.outputs import keep, replace_input
from livereduce.errors import LiveReduceError
from livereduce.geometry import GeometryError
from livereduce.workspaces import MatrixWorkspace, Workspace, WorkspaceGroup, WorkspaceStore

log = logging.getLogger(__name__)

# What every algorithm function of scripts takes besides its properties; only StoreInADS and Version mean anything here.
OPTIONS = {
    name.lower(): name
    for name in ("StoreInADS", "Version", "EnableLogging", "LoggingOffset", "startProgress", "endProgress")
}


class Bound(NamedTuple):
    """A script's call sorted out: raw values by property name, whether results go to the store, what is missing."""

    given: dict[str, Any]
    store_results: bool
    problems: list[str]


def run(declaration: Declaration, arguments: Mapping[str, Any]) -> Any:
    """Return the result for arguments by parameter name; given groups, a group of the members' results."""
    parsed, problems = _parse(declaration, arguments)
    _raise(declaration, problems)
    # lists, since a group loses the members that an algorithm deletes
    groups = {p.field: list(parsed[p.field]) for p in declaration.inputs if _is_group_for(p, parsed.get(p.field))}
    if not groups:
        return _call(declaration, parsed)
    sizes = {len(group) for group in groups.values()}
    if sizes == {0}:
        raise ValueError(f"{declaration.name}: the group has no members")
    if len(sizes) > 1:
        raise ValueError(f"{declaration.name}: the groups must have as many members, found {sorted(sizes)}")
    members = [
        run(declaration, parsed | {field: group[i] for field, group in groups.items()}) for i in range(sizes.pop())
    ]
    return _grouped(members)


def execute(
    declaration: Declaration,
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    store: WorkspaceStore,
    targets: Sequence[str | None] = (),
    *,
    with_folders: Callable[[Declaration, Property, Any], Any] = lambda _declaration, _property, value: value,
) -> Any:
    """Do what a script's call says and return what the script gets.

    Parameters
    ----------
    args, keywords
        As written in the script.
    store
        Where names are looked up and results go.
    targets
        Names the call is assigned to; they name the outputs that no keyword names.
    with_folders
        What a property's value is where it names a file without its folder.
    """
    bound = bind(declaration, args, keywords, targets)
    placed = {
        p.name: with_folders(declaration, p, bound.given[p.name]) for p in declaration.inputs if p.name in bound.given
    }
    arguments, problems = _arguments(declaration, placed, store)
    if bound.problems or problems:
        _raise(declaration, [*bound.problems, *problems, *_parse(declaration, arguments)[1]])
    result = run(declaration, arguments)
    for prop in declaration.properties:
        if prop.direction == "InOut":
            replace_input(store, arguments[prop.field], result)
            return None
    if not declaration.results:
        return result
    names = {p.name: bound.given.get(p.name) if bound.store_results else None for p in declaration.results}
    inputs = [value for value in arguments.values() if isinstance(value, Workspace)]
    kept = {p.name: keep(store, names[p.name], part, inputs) for p, part in _parts(declaration, result)}
    # as in Mantid, a script does not get optional workspaces that it did not name, nor results that were not made
    unasked = {p.name for p in declaration.results if p.kind is Kind.WORKSPACE and not p.mandatory} - set(bound.given)
    given = {name: part for name, part in kept.items() if name not in unasked and (part is not None or names[name])}
    stored = (p.name for p in declaration.outputs if p.kind is Kind.NAME and p.name in bound.given)
    given |= {name: store[bound.given[name]] for name in stored if declaration.assignable}
    if declaration.monitors_with and values.to_boolean(arguments.get(declaration.monitors_with, False)):
        given |= _monitors(store, given)
    if len(given) < 2:
        return next(iter(given.values()), None)
    return collections.namedtuple(f"{declaration.name}_returns", list(given))(*given.values())


def _monitors(store: WorkspaceStore, given: Mapping[str, Any]) -> dict[str, Any]:
    """Store the monitors attached to a result beside it, under its name with ``_monitors``."""
    (ws,) = given.values()
    monitors = ws.monitors if isinstance(ws, MatrixWorkspace) else None
    if monitors is None:
        return {}
    if ws.name():
        ws.monitors = keep(store, f"{ws.name()}_monitors", monitors, [])
    return {"MonitorWorkspace": ws.monitors}


def bind(
    declaration: Declaration, args: Sequence[Any], keywords: Mapping[str, Any], targets: Sequence[str | None] = ()
) -> Bound:
    """Sort a call's arguments to properties; TypeError for those that no property takes."""
    given, options = _by_keyword(declaration, keywords)
    store_results = values.to_boolean(options.get("StoreInADS", True))
    outputs = [p for p in declaration.outputs if p.kind in (Kind.WORKSPACE, Kind.NAME)]
    if any(targets) and not declaration.assignable:
        raise RuntimeError(
            f"{declaration.name}: its result cannot be assigned to a variable; name it with OutputWorkspace='...' and"
            " find it by that name in mtd"
        )
    if store_results:
        given = _named_by(declaration, targets) | given
    supplied = set(given) | (set() if store_results else {p.name for p in outputs})
    missing = [p for p in declaration.properties if p.mandatory and p.name not in supplied]
    optional = [p for p in declaration.inputs if not p.mandatory and p.name not in supplied]
    placed = _by_position(declaration, args, missing, optional)
    given |= placed
    problems = _version_problem(declaration, options.get("Version"))
    for prop in missing[len(args) :]:
        hint = "; assign the result to a name, or name it" if prop in outputs else ""
        if taken := [p.name for p in outputs if p.mandatory and p.name in placed and prop not in outputs]:
            hint = (
                f"; {placed[taken[0]]!r} was taken as {taken[0]}, because the call is not assigned to a variable:"
                " assign it, or give the others by name"
            )
        problems.append(f"{prop.name}: must be given{hint}")
    for prop in outputs:
        if given.get(prop.name) == "" and not prop.mandatory:
            del given[prop.name]  # scripts write so for an output they do not want
        if prop.name in given:
            given[prop.name] = _output_name(declaration, prop, given[prop.name])
    return Bound(given, store_results, problems)


def _by_position(
    declaration: Declaration, args: Sequence[Any], mandatory: Sequence[Property], optional: Sequence[Property]
) -> dict[str, Any]:
    """Match arguments to what is still open: mandatory properties as declared, then optional ones."""
    slots = [*mandatory, *optional]
    if len(args) > len(slots):
        takes = ", ".join(p.name for p in slots) or "none"
        raise TypeError(
            f"{declaration.name}: takes {len(slots)} arguments by position here ({takes}), found {len(args)}"
        )
    for prop, value in zip(optional, args[len(mandatory) :], strict=False):
        if prop.kind not in (Kind.WORKSPACE, Kind.WORKSPACES, Kind.OPERAND):
            try:
                prop.parse(value)
            except ValueError as problem:
                raise TypeError(
                    f"{declaration.name}: argument {value!r} is one too many, or not in its place; it would be"
                    f" {prop.name} ({problem}). Give it by name"
                ) from None
    return {p.name: value for p, value in zip(slots, args, strict=False)}


def _by_keyword(declaration: Declaration, keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    given: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for keyword, value in keywords.items():
        prop = declaration.property_named(keyword)
        if prop is None and keyword.lower() in OPTIONS:
            options[OPTIONS[keyword.lower()]] = value
        elif prop is None:
            _unknown(declaration, keyword)
        elif prop.name in given:
            raise TypeError(f"{declaration.name}: {prop.name} is given twice")
        elif value is not None:
            given[prop.name] = value
    return given, options


def _unknown(declaration: Declaration, keyword: str) -> None:
    known = [p.name for p in declaration.properties]
    close = nearest(keyword, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
    message = f"{declaration.name}: there is no property {keyword!r}; {hint}"
    if not declaration.lenient:
        raise TypeError(message)
    log.warning("%s (dropped)", message)


def _version_problem(declaration: Declaration, version: Any) -> list[str]:
    if version is None or values.to_integer(version) in (-1, declaration.version):
        return []
    return [f"version {version} is not available, only {declaration.version}"]


def _named_by(declaration: Declaration, targets: Sequence[str | None]) -> dict[str, Any]:
    """Output names from the names assigned to; one name for several outputs is the first workspace's."""
    outputs = declaration.outputs
    if len(targets) == 1:
        outputs = tuple(p for p in outputs if p.kind in (Kind.WORKSPACE, Kind.NAME))
    return {
        p.name: target
        for p, target in zip(outputs, targets, strict=False)
        if target is not None and p.kind in (Kind.WORKSPACE, Kind.NAME)
    }


def _output_name(declaration: Declaration, prop: Property, value: Any) -> str:
    name = value.name() if isinstance(value, Workspace) else value
    if not isinstance(name, str) or not name:
        found = "a workspace without a name" if isinstance(value, Workspace) else repr(value)
        raise ValueError(f"{declaration.name}: {prop.name}: expected a name for the result, found {found}")
    return name


def _arguments(
    declaration: Declaration, given: Mapping[str, Any], store: WorkspaceStore
) -> tuple[dict[str, Any], list[str]]:
    """Values by parameter name, workspaces looked up, with the store for those who want it; and what was not found."""
    arguments: dict[str, Any] = {declaration.wants_store: store} if declaration.wants_store else {}
    problems = []
    for prop in declaration.inputs:
        if prop.name in given:
            try:
                arguments[prop.field] = _looked_up(prop, given[prop.name], store)
            except ValueError as problem:
                problems.append(f"{prop.name}: {problem}")
    return arguments, problems


def _looked_up(prop: Property, value: Any, store: WorkspaceStore) -> Any:
    if prop.kind is Kind.WORKSPACES:
        items = values.to_texts(value) if isinstance(value, str) else [value] if isinstance(value, Workspace) else value
        return [_by_name(item, store) for item in items]
    if prop.kind is Kind.OPERAND and isinstance(value, str) and value not in store:
        try:
            return values.to_number(value)
        except ValueError:
            return _by_name(value, store)
    return _by_name(value, store) if prop.kind in (Kind.WORKSPACE, Kind.OPERAND) else value


def _by_name(value: Any, store: WorkspaceStore) -> Any:
    if not isinstance(value, str):
        return value
    if value not in store:
        close = nearest(value, store.names(), n=1)
        raise ValueError(f"there is no workspace named {value!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    return store[value]


def _parse(declaration: Declaration, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values as the function takes them, and what is wrong with the others."""
    parsed, problems = dict(arguments), []
    for prop in declaration.inputs:
        value = arguments.get(prop.field)
        if prop.field not in arguments or _is_group_for(prop, value):
            continue
        try:
            parsed[prop.field] = prop.parse(value)
        except ValueError as problem:
            problems.append(f"{prop.name}: {problem}")
    return parsed, problems


def _is_group_for(prop: Property, value: Any) -> bool:
    """Whether `value` is a group that the algorithm is to take member by member."""
    single = prop.kind in (Kind.WORKSPACE, Kind.OPERAND)
    return single and isinstance(value, WorkspaceGroup) and not issubclass(WorkspaceGroup, prop.classes)


def _raise(declaration: Declaration, problems: Sequence[str]) -> None:
    if problems:
        raise ValueError(f"{declaration.name}: {'; '.join(problems)}")


def _call(declaration: Declaration, parsed: Mapping[str, Any]) -> Any:
    """Run the function; whatever it raises bears the algorithm's name and is of a kind scripts catch."""
    try:
        return declaration.function(**parsed)
    except GeometryError as error:
        raise RuntimeError(f"{declaration.name}: {error}") from error
    except (LiveReduceError, MemoryError):
        raise
    except ValueError as error:
        raise ValueError(f"{declaration.name}: {error}") from error
    except Exception as error:
        what = str(error) if isinstance(error, (RuntimeError, OSError)) else f"{type(error).__name__}: {error}"
        raise RuntimeError(f"{declaration.name}: {what}") from error


def _grouped(members: list[Any]) -> Any:
    """Return a group of the members' results; of results with several parts, a group for each part."""
    if all(member is None for member in members):
        return None
    if isinstance(members[0], tuple):
        return type(members[0])(*(_grouped(list(part)) for part in zip(*members, strict=True)))
    return WorkspaceGroup(members) if isinstance(members[0], Workspace) else members


def _parts(declaration: Declaration, result: Any) -> list[tuple[Property, Any]]:
    if len(declaration.results) == 1 and not declaration.results[0].field:
        return [(declaration.results[0], result)]
    return list(zip(declaration.results, result, strict=True))
