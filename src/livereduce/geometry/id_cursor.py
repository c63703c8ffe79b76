"""How detectors take their ids, one after the other, from the lists of an instrument definition."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.definition import ComponentUse
from livereduce.geometry.document import GeometryError


@dataclass(slots=True)
class IdCursor:
    """The id list in force below one top-level component, and how much of it is used."""

    lists: dict[str, NDArray[np.int64]]
    name: str = ""
    used: int = 0
    left_over: list[str] = field(default_factory=list)

    def switch(self, use: ComponentUse) -> None:
        """Go to the list this component names; the same name again goes on where it is."""
        if not use.idlist or use.idlist == self.name:
            return
        if use.idlist not in self.lists:
            raise GeometryError(f"{use.label}: there is no idlist {use.idlist!r}")
        if self.name and self.used < len(self.lists[self.name]):
            self.left_over.append(
                f"idlist {self.name!r}: {self.used} of {len(self.lists[self.name])} ids were used before {use.label} "
                f"went on with {use.idlist!r}"
            )
        self.name, self.used = use.idlist, 0

    def take(self, count: int, use: ComponentUse) -> NDArray[np.int64]:
        """Return the next ids of the list."""
        if not self.name:
            raise GeometryError(f"{use.label}: places {count} detectors, but neither it nor a parent names an idlist")
        ids = self.lists[self.name]
        self.used += count
        if self.used > len(ids):
            raise GeometryError(
                f"{use.label}: needs {self.used} ids up to here, but idlist {self.name!r} has {len(ids)}"
            )
        return ids[self.used - count : self.used]

    def finish(self, use: ComponentUse) -> None:
        """Check, at the end of a top-level component, that the list is used up exactly."""
        if self.name and self.used != len(self.lists[self.name]):
            raise GeometryError(
                f"{use.label}: idlist {self.name!r} has {len(self.lists[self.name])} ids, but {self.used} detectors "
                "took one"
            )
