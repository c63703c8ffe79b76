"""Groups of workspaces: one member per period, or whatever a script puts together. Operators work member by member."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Self

from livereduce.workspaces.operators import Arithmetic
from livereduce.workspaces.workspace import Workspace


class _Names:
    find: ClassVar[Callable[[str], Workspace] | None] = None


def install_lookup(find: Callable[[str], Workspace]) -> None:
    """Say where groups find workspaces that scripts add by name; done once, by the façade that has the store."""
    _Names.find = find


class WorkspaceGroup(Arithmetic, Workspace):
    """An ordered group; members keep their own names."""

    def __init__(self, members: Iterable[Workspace] = (), *, title: str = "") -> None:
        self.members = list(members)
        self.title = title

    @property
    def nbytes(self) -> int:
        """Bytes the members hold."""
        return sum(member.nbytes for member in self.members)

    def clone(self) -> Self:
        """Return a group of clones, which keep the members' names."""
        copies = []
        for member in self.members:
            copies.append(member.clone())
            copies[-1]._name = member._name
        return type(self)(copies, title=self.title)

    def adopt(self, other: Self) -> None:
        """Take over another group's members, as they are."""
        if type(other) is not type(self):
            raise TypeError(f"{self!r} cannot take over the contents of {other!r}: another kind of workspace")
        self.members, self.title = list(other.members), other.title

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Workspace]:
        return iter(list(self.members))

    def __getitem__(self, index: int | str) -> Workspace:
        if isinstance(index, str):
            for member in self.members:
                if member._name == index:
                    return member
            raise KeyError(f"group {self._name!r} has no member {index!r}; it has {self.getNames()}")
        return self.members[index]

    def __contains__(self, item: object) -> bool:
        return any(member is item or (isinstance(item, str) and member._name == item) for member in self.members)

    def replace_member(self, old: Workspace, new: Workspace) -> None:
        """Put another workspace in a member's place."""
        self.members = [new if member is old else member for member in self.members]

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def isGroup(self) -> bool:  # noqa: N802
        """Tell that this is a group."""
        return True

    def getNames(self) -> list[str]:  # noqa: N802
        """Return the members' names in order."""
        return [member._name for member in self.members]

    def getNumberOfEntries(self) -> int:  # noqa: N802
        """Return the number of members."""
        return len(self.members)

    def size(self) -> int:
        """Return the number of members."""
        return len(self.members)

    def getItem(self, index: int | str) -> Workspace:  # noqa: N802
        """Return a member by index or name."""
        return self[index]

    def contains(self, item: str | Workspace) -> bool:
        """Tell whether a workspace, or one of that name, is a member."""
        return item in self

    def addWorkspace(self, workspace: Workspace) -> None:  # noqa: N802
        """Add a member at the end."""
        if workspace not in self.members:
            self.members.append(workspace)

    def add(self, name: str) -> None:
        """Add the workspace of that name in the store at the end."""
        if _Names.find is None:
            raise RuntimeError("a workspace is added by its name where there is a store of names; use addWorkspace")
        self.addWorkspace(_Names.find(name))

    def remove(self, name: str) -> None:
        """Remove the member of that name from the group (it stays in the store)."""
        self.members.remove(self[name])
