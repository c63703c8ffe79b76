"""What all workspaces have in common: a name, a title, identity under replacement."""

from __future__ import annotations

from typing import Self


class Workspace:
    """Base of everything that lives in a `WorkspaceStore`."""

    _name: str = ""
    title: str = ""
    comment: str = ""

    @property
    def kind(self) -> str:
        """Name of the kind of workspace, as scripts compare it with ``ws.id()``."""
        return type(self).__name__

    @property
    def nbytes(self) -> int:
        """Bytes this workspace holds, event tables (which are shared) apart."""
        return 0

    def clone(self) -> Self:
        """Return an independent copy; data are shared until one of the two is written to."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is cloned")

    def adopt(self, other: Self) -> None:
        """Take over the contents of another workspace of the same class; name and identity stay."""
        if type(other) is not type(self):
            raise TypeError(f"{self!r} cannot take over the contents of {other!r}: another kind of workspace")
        if other is self:
            return
        # in one assignment: a notebook may be reading this workspace while the live cycle gives it new contents
        self.__dict__ = {**other.clone().__dict__, "_name": self._name}

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def name(self) -> str:
        """Return the name in the store, "" outside."""
        return self._name

    def getName(self) -> str:  # noqa: N802
        """Return the name in the store, "" outside."""
        return self._name

    def id(self) -> str:
        """Return the kind of workspace."""
        return self.kind

    def isGroup(self) -> bool:  # noqa: N802
        """Tell whether this is a group of workspaces."""
        return False

    def getTitle(self) -> str:  # noqa: N802
        """Return the title."""
        return self.title

    def setTitle(self, title: str) -> None:  # noqa: N802
        """Set the title."""
        self.title = str(title)

    def getComment(self) -> str:  # noqa: N802
        """Return the comment."""
        return self.comment

    def setComment(self, comment: str) -> None:  # noqa: N802
        """Set the comment."""
        self.comment = str(comment)

    def getMemorySize(self) -> int:  # noqa: N802
        """Return the bytes held."""
        return self.nbytes

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<{self.kind} {self._name!r}>"
