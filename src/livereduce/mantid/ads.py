"""The analysis data service: the one store of named workspaces in this process, under Mantid's names.

``mtd``, ``AnalysisDataService`` and ``ADS`` are one object. The store behind it can be exchanged (`use`), which is how
a fresh reducer, a worker or a test begins with an empty one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from livereduce.workspaces import Workspace, WorkspaceGroup, WorkspaceStore


class AnalysisDataServiceImpl:
    """Workspaces by name, for scripts; `store` holds them."""

    def __init__(self, store: WorkspaceStore | None = None) -> None:
        self.store = WorkspaceStore() if store is None else store

    def use(self, store: WorkspaceStore) -> WorkspaceStore:
        """Work on another store from now on and return the one used so far."""
        before, self.store = self.store, store
        return before

    def Instance(self) -> AnalysisDataServiceImpl:  # noqa: N802
        """Give this object, as scripts for old versions ask for it."""
        return self

    # -- reading --------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Workspace:
        return self.store[name]

    def __contains__(self, name: object) -> bool:
        return name in self.store

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[str]:
        return iter(self.store)

    def size(self) -> int:
        """Return the number of workspaces."""
        return len(self.store)

    def retrieve(self, name: str) -> Workspace:
        """Return the workspace of that name; KeyError if there is none."""
        return self.store[name]

    def retrieveWorkspaces(self, names: list[str], unrollGroups: bool = False) -> list[Workspace]:  # noqa: N802, N803
        """Return the workspaces of these names, groups as their members if `unrollGroups`."""
        found = [self.store[name] for name in names]
        if not unrollGroups:
            return found
        return [m for ws in found for m in (ws if isinstance(ws, WorkspaceGroup) else [ws])]

    def doesExist(self, name: str) -> bool:  # noqa: N802
        """Tell whether there is a workspace of that name."""
        return name in self.store

    workspaceExists = doesExist  # noqa: N815

    def getObjectNames(self, contain: str = "") -> list[str]:  # noqa: N802
        """Return the names that are not hidden (and contain a text)."""
        return [name for name in self.store.names() if contain in name]

    def keys(self) -> list[str]:
        """Return the names that are not hidden."""
        return self.store.names()

    def unique_name(self, n: int = 5, prefix: str = "", suffix: str = "") -> str:
        """Return a name that is not in use, with this beginning and end; at least `n` characters are added."""
        number = next(i for i in range(sys.maxsize) if f"{prefix}{i:0{n}d}{suffix}" not in self.store)
        return f"{prefix}{number:0{n}d}{suffix}"

    def unique_hidden_name(self) -> str:
        """Return a name beginning with two underscores that is not in use."""
        return self.store.unique_hidden_name()

    # -- writing --------------------------------------------------------------------------------------------------

    def __setitem__(self, name: str, workspace: Workspace) -> None:
        self.store.replace(name, workspace)

    def add(self, name: str, workspace: Workspace) -> None:
        """Store under a new name; RuntimeError if there is one already."""
        if name in self.store:
            raise RuntimeError(f"there is a workspace {name!r} already; addOrReplace replaces it")
        self.addOrReplace(name, workspace)

    def addOrReplace(self, name: str, workspace: Workspace) -> None:  # noqa: N802
        """Store under a name, new or not; members of a group that have no name are numbered after it."""
        if isinstance(workspace, WorkspaceGroup):
            for i, member in enumerate(workspace):
                if not member.name():
                    self.store.replace(f"{name}_{i + 1}", member)
        self.store.replace(name, workspace)

    def remove(self, name: str) -> None:
        """Take a workspace out; one that is not there is no error, as in Mantid: scripts tidy up before they begin."""
        if name in self.store:
            self.store.remove(name)

    def clear(self, silent: bool = True) -> None:
        """Remove everything."""
        self.store.clear()

    def addToGroup(self, groupName: str, wsName: str) -> None:  # noqa: N802, N803
        """Make a workspace a member of a group."""
        self._group(groupName).addWorkspace(self.store[wsName])

    def removeFromGroup(self, groupName: str, wsName: str) -> None:  # noqa: N802, N803
        """Take a workspace out of a group; it stays in the store."""
        self._group(groupName).remove(wsName)

    def importAll(self) -> None:  # noqa: N802
        """Make variables of all workspaces whose name is an identifier, in the caller's globals."""
        names = {name: self.store[name] for name in self.store if name.isidentifier()}
        sys._getframe(1).f_globals.update(names)

    def _group(self, name: str) -> WorkspaceGroup:
        group = self.store[name]
        if not isinstance(group, WorkspaceGroup):
            raise RuntimeError(f"{name!r} is a {group.kind}, not a group")
        return group


mtd = AnalysisDataService = AnalysisDataServiceImpl()
