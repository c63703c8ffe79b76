"""Putting results into the store under the names a call gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livereduce.workspaces import Workspace, WorkspaceGroup, WorkspaceStore


def keep(store: WorkspaceStore, name: str | None, result: Any, inputs: Sequence[Workspace]) -> Any:
    """Store a result and return what the script gets: the object that now has the name.

    Without a name, or for a result that is no workspace, nothing is stored. Under a name that is in use the object
    there takes over the contents, so other references see the change. A group's members get names of their own.
    """
    if not isinstance(result, Workspace):
        return result
    if any(result is given for given in inputs):
        result = result.clone()
    if not name:
        return result
    if isinstance(result, WorkspaceGroup):
        names = _member_names(store, name, result, [g for g in inputs if isinstance(g, WorkspaceGroup)])
        members = [store.replace(n, member) for n, member in zip(names, result.members, strict=True)]
        result = WorkspaceGroup(members, title=result.title)
    return store.replace(name, result)


def replace_input(store: WorkspaceStore, original: Workspace, result: Workspace) -> Workspace:
    """Let a workspace that is worked on in place have the result as its contents, and return what stands for it now.

    That is the same object unless the result is of another kind (events of which a number was subtracted).
    """
    if isinstance(original, WorkspaceGroup) and isinstance(result, WorkspaceGroup):
        pairs = zip(original.members, result.members, strict=True)
        original.members = [replace_input(store, member, new) for member, new in pairs]
        return original
    name = original.name()
    if result is original or (name in store and store[name] is original):
        return store.replace(name, result) if name else original
    if type(result) is not type(original):
        return result
    original.adopt(result)
    return original


def _member_names(
    store: WorkspaceStore, name: str, group: WorkspaceGroup, inputs: Sequence[WorkspaceGroup]
) -> list[str]:
    """Names for the members of a group to be called `name`.

    Members that are in the store keep theirs. A group made from groups in place takes the names of that group's
    members; from members called after their group, ``name_1``, ``name_2``, ...; from others, ``member_name``.
    """
    if all(member.name() in store and store[member.name()] is member for member in group):
        return group.getNames()
    for given in inputs:
        if given.name() == name and len(given) == len(group):
            return given.getNames()
    numbered = [f"{name}_{i + 1}" for i in range(len(group))]
    if not inputs or len(inputs[0]) != len(group) or _named_after_group(inputs[0]):
        return numbered
    joined = ["_".join(names) for names in zip(*(given.getNames() for given in inputs), strict=True)]
    return [f"{member}_{name}" if member else number for member, number in zip(joined, numbered, strict=True)]


def _named_after_group(group: WorkspaceGroup) -> bool:
    return all(name.startswith(f"{group.name()}_") for name in group.getNames())
