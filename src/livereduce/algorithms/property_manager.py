"""Named sets of properties that one algorithm leaves for others and for scripts (Mantid's property managers)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from livereduce.workspaces import Property


class PropertyManager:
    """Properties by name; names are found whatever their case."""

    def __init__(self) -> None:
        self._properties: dict[str, Property] = {}

    def declareProperty(self, name: str, value: Any, doc: str = "") -> None:  # noqa: N802
        """Add a property; ValueError if there is one already."""
        if name in self:
            raise ValueError(f"there is a property {name!r} already")
        self[name] = value

    def setProperty(self, name: str, value: Any) -> None:  # noqa: N802
        """Set a property, new or not."""
        self[name] = value

    setPropertyValue = setProperty  # noqa: N815

    def getProperty(self, name: str) -> Property:  # noqa: N802
        """Return a property; its ``value`` is what scripts read. RuntimeError if there is none."""
        return self[name]

    def getPropertyValue(self, name: str) -> str:  # noqa: N802
        """Return a property's value as text."""
        return self[name].valueAsStr

    def existsProperty(self, name: str) -> bool:  # noqa: N802
        """Tell whether there is such a property."""
        return name in self

    hasProperty = existsProperty  # noqa: N815

    def keys(self) -> list[str]:
        """Return the names in the order they were set."""
        return [p.name for p in self._properties.values()]

    def __getitem__(self, name: str) -> Property:
        if name not in self:
            raise RuntimeError(f"Unknown search object {name}: there are {', '.join(self.keys()) or 'no properties'}")
        return self._properties[name.lower()]

    def __setitem__(self, name: str, value: Any) -> None:
        self._properties[name.lower()] = Property(name, value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._properties

    def __len__(self) -> int:
        return len(self._properties)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


class PropertyManagerService:
    """Property managers by name; one instance, `property_managers`."""

    def __init__(self) -> None:
        self._managers: dict[str, PropertyManager] = {}

    def Instance(self) -> PropertyManagerService:  # noqa: N802
        """Give this object, as scripts for old versions ask for it."""
        return self

    def retrieve(self, name: str) -> PropertyManager:
        """Return the manager of that name; KeyError if there is none."""
        if name not in self._managers:
            raise KeyError(f"there is no property manager {name!r}; there are: {', '.join(self._managers) or 'none'}")
        return self._managers[name]

    __getitem__ = retrieve

    def add(self, name: str, manager: PropertyManager) -> None:
        """Store under a new name."""
        if name in self._managers:
            raise RuntimeError(f"there is a property manager {name!r} already; addOrReplace replaces it")
        self._managers[name] = manager

    def addOrReplace(self, name: str, manager: PropertyManager) -> None:  # noqa: N802
        """Store under a name, new or not."""
        self._managers[name] = manager

    __setitem__ = addOrReplace

    def doesExist(self, name: str) -> bool:  # noqa: N802
        """Tell whether there is a manager of that name."""
        return name in self._managers

    __contains__ = doesExist

    def remove(self, name: str) -> None:
        """Remove the manager of that name."""
        self.retrieve(name)
        del self._managers[name]

    def clear(self) -> None:
        """Remove all."""
        self._managers.clear()

    def getObjectNames(self) -> list[str]:  # noqa: N802
        """Return all names."""
        return list(self._managers)

    def size(self) -> int:
        """Return the number of managers."""
        return len(self._managers)

    __len__ = size


property_managers = PropertyManagerService()
