"""The named store scripts share: what Mantid calls the analysis data service; its names for it are in `mantid.ads`.

Names are case-sensitive; one that begins with two underscores is hidden from listings. An alias is a second name that
is resolved to the first ("accumulation" to the name the live cycle uses inside). Scripts run one at a time; where they
run in a thread (`live.start`), others may list and read names meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from livereduce.workspaces.event_workspace import EventWorkspace
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.group import WorkspaceGroup
from livereduce.workspaces.matrix import MatrixWorkspace
from livereduce.workspaces.workspace import Workspace

HIDDEN = "__"


@dataclass(frozen=True, slots=True)
class Holding:
    """Who holds how many bytes: a workspace by name, or an event table with the names that show it."""

    name: str
    kind: str
    nbytes: int
    shown_by: tuple[str, ...] = ()


class WorkspaceStore:
    """Workspaces by name."""

    def __init__(self) -> None:
        self._items: dict[str, Workspace] = {}
        self._aliases: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._stamps: dict[str, int] = {}
        self._next_stamp = itertools.count(1)

    def resolve(self, name: str) -> str:
        """Return the name an alias stands for; a workspace really stored under the name comes first."""
        return name if name in self._items else self._aliases.get(name, name)

    def __contains__(self, name: object) -> bool:
        key = name.name() if isinstance(name, Workspace) else name
        return isinstance(key, str) and self.resolve(key) in self._items

    def __getitem__(self, name: str) -> Workspace:
        try:
            return self._items[self.resolve(str(name))]
        except KeyError:
            raise KeyError(
                f"there is no workspace {str(name)!r}; there are: {', '.join(self.names()) or 'none'}"
            ) from None

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def names(self, *, hidden: bool = False) -> list[str]:
        """Return the names in order of their first use, hidden ones only when asked."""
        return [name for name in list(self._items) if hidden or not name.startswith(HIDDEN)]

    # -- changing -------------------------------------------------------------------------------------------------

    def add(self, name: str, workspace: Workspace) -> None:
        """Store a workspace under a new name."""
        if self.resolve(name) in self._items:
            raise ValueError(f"there is a workspace {name!r} already; use replace")
        self.replace(name, workspace)

    def replace(self, name: str, workspace: Workspace) -> Workspace:
        """Store under a name, new or not, and return the object that is stored.

        A workspace of the same class that has the name keeps its identity and adopts the new contents, so that other
        references see the change; one of another class is replaced, in groups too. A workspace that has another name
        already is stored as a clone: one object has one name.
        """
        _check_name(name)
        name = self.resolve(name)
        self._stamps[name] = next(self._next_stamp)
        old = self._items.get(name)
        if old is workspace:
            return old
        if old is not None and type(old) is type(workspace):
            old.adopt(workspace)
            return old
        if workspace._name and self._items.get(workspace._name) is workspace:
            workspace = workspace.clone()
        self._items[name] = workspace
        workspace._name = name
        if old is not None:
            self._forget(old, replacement=workspace)
        return workspace

    def remove(self, name: str) -> Workspace:
        """Take a workspace out and return it; a group's members stay."""
        workspace = self[name]
        del self._items[workspace._name]
        del self._stamps[workspace._name]
        self._forget(workspace)
        return workspace

    def _forget(self, workspace: Workspace, replacement: Workspace | None = None) -> None:
        workspace._name = ""
        for group in list(self._items.values()):
            if isinstance(group, WorkspaceGroup) and workspace in group.members:
                if replacement is not None:
                    group.replace_member(workspace, replacement)
                else:
                    group.members.remove(workspace)

    def rename(self, old: str, new: str) -> Workspace:
        """Give a stored workspace another name; a workspace that has it already goes."""
        _check_name(new)
        workspace = self[old]
        if workspace._name == new:
            return workspace
        if new in self._items:
            self.remove(new)
        del self._items[workspace._name]
        self._items[new] = workspace
        del self._stamps[workspace._name]
        self._stamps[new] = next(self._next_stamp)
        workspace._name = new
        return workspace

    def clear(self) -> None:
        """Remove everything; aliases stay."""
        for workspace in self._items.values():
            workspace._name = ""
        self._items.clear()
        self._stamps.clear()

    def alias(self, name: str, target: str) -> None:
        """Let a name stand for another until something is stored under it."""
        self._aliases[name] = target

    def stamp(self, name: str) -> int:
        """Return a number that grows whenever something is stored under the name; 0 where nothing is."""
        return self._stamps.get(self.resolve(name), 0)

    # -- asking ---------------------------------------------------------------------------------------------------

    def unique_hidden_name(self) -> str:
        """Return a hidden name that is not in use."""
        return next(name for i in self._numbers if (name := f"{HIDDEN}hidden_{i}") not in self._items)

    def holdings(self) -> list[Holding]:
        """List who holds how many bytes, largest first; an event table is listed once with all who show it."""
        found = [Holding(name, ws.kind, ws.nbytes) for name, ws in self._items.items()]
        found += [
            Holding("events", "EventTable", table.nbytes + table.cache.nbytes, tuple(names))
            for table, names in self._tables().items()
        ]
        return sorted(found, key=lambda holding: -holding.nbytes)

    def drop_caches(self) -> None:
        """Forget all counts and values that can be computed again; what was handed out stays valid."""
        for workspace in self._items.values():
            if isinstance(workspace, EventWorkspace):
                workspace.clearMRU()
        for table in self._tables():
            table.cache.clear()

    def move_events_to_disk(self, folder: Path, most: int) -> int:
        """Do as `EventTable.move_to_disk` with all events there are."""
        moved = 0
        for table in self._tables():
            moved += table.move_to_disk(folder, most - moved)
        return moved

    def _tables(self) -> dict[EventTable, list[str]]:
        """Event tables with the names of the workspaces that show them, in themselves or in monitors attached."""
        found: dict[EventTable, list[str]] = {}
        for name, workspace in self._items.items():
            monitors = workspace.monitors if isinstance(workspace, MatrixWorkspace) else None
            shown = [ws.tables for ws in (workspace, monitors) if isinstance(ws, EventWorkspace)]
            for table in {table: None for tables in shown for table in tables}:
                found.setdefault(table, []).append(name)
        return found


def _check_name(name: str) -> None:
    if not name.strip():
        raise ValueError(f"a workspace needs a name, found {name!r}")
