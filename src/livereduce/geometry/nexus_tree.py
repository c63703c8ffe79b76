"""One view of a NeXus tree, whether it lies in an HDF5 file or in the JSON that starts a run (``nexus_structure``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.document import GeometryError

MAX_LINKS = 20


class NexusNode(Protocol):
    """A group or dataset."""

    @property
    def path(self) -> str:
        """Absolute path."""
        ...

    @property
    def parent(self) -> NexusNode | None:
        """The group it is in; None for the root."""
        ...

    def attribute(self, name: str) -> Any:
        """Return an attribute: text, number or array; None when absent."""
        ...

    def groups(self) -> Iterator[NexusNode]:
        """Go through the groups in a group, links left out."""
        ...

    def at(self, path: str) -> NexusNode | None:
        """Return what stands at an absolute path, or at one relative to this group."""
        ...

    def value(self) -> NDArray[Any] | None:
        """Return the values of a dataset; None for a group."""
        ...

    def stream(self) -> Mapping[str, Any] | None:
        """Return the configuration of the stream that fills this group; None when none does."""
        ...


def name_of(node: NexusNode) -> str:
    """Last part of the path."""
    return node.path.rsplit("/", 1)[-1]


def class_of(node: NexusNode) -> str:
    """NeXus class of a group; empty when it has none."""
    found = node.attribute("NX_class")
    return found if isinstance(found, str) else ""


def text_at(node: NexusNode, path: str) -> str:
    """Text of a dataset; empty when there is none."""
    found = node.at(path)
    value = None if found is None else found.value()
    if value is None or not value.size:
        return ""
    first = value.reshape(-1)[0]
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


class HdfNode:
    """A node of an open h5py file."""

    def __init__(self, found: Any) -> None:
        self._found = found

    @property
    def path(self) -> str:
        """Absolute path."""
        return str(self._found.name)

    @property
    def parent(self) -> NexusNode | None:
        """The group it is in; None for the root."""
        return None if self.path == "/" else HdfNode(self._found.parent)

    def attribute(self, name: str) -> Any:
        """Return an attribute; arrays of one as their only value."""
        if name not in self._found.attrs:
            return None
        value = self._found.attrs[name]
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def groups(self) -> Iterator[NexusNode]:
        """Go through the groups, links left out."""
        import h5py

        for name in self._found:
            hard = isinstance(self._found.get(name, getlink=True), h5py.HardLink)
            if hard and isinstance(self._found[name], h5py.Group):
                yield HdfNode(self._found[name])

    def at(self, path: str) -> NexusNode | None:
        """Return what stands at a path; links are followed."""
        try:
            return HdfNode(self._found[path])
        except (KeyError, ValueError, TypeError):  # not there; not a path; not a group
            return None

    def value(self) -> NDArray[Any] | None:
        """Return the values of a dataset; None for a group."""
        return np.asarray(self._found[()]) if hasattr(self._found, "shape") else None

    def stream(self) -> Mapping[str, Any] | None:
        """Return nothing: what streams wrote into a file is there as values."""
        return None


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A node of a ``nexus_structure``. Parts of a wrong kind are as if they were not there."""

    data: Mapping[str, Any]
    path: str = "/"
    parent: JsonNode | None = None

    @staticmethod
    def from_text(text: str | bytes | Mapping[str, Any]) -> JsonNode:
        """Return the root of a structure.

        Raises
        ------
        GeometryError
            The text is not JSON, or not an object.
        """
        try:
            data = text if isinstance(text, Mapping) else json.loads(text)
        except (ValueError, RecursionError) as error:
            raise GeometryError(f"the nexus_structure is not JSON: {error}") from error
        if not isinstance(data, Mapping):
            raise GeometryError(f"the nexus_structure is a {type(data).__name__}, expected an object")
        return JsonNode(data)

    def attribute(self, name: str) -> Any:
        """Return an attribute from either way of writing them, an object or a list of named values."""
        attributes = self.data.get("attributes")
        if isinstance(attributes, Mapping):
            value = attributes.get(name)
            return value.get("values") if isinstance(value, Mapping) else value
        found = (item for item in _mappings(attributes) if item.get("name") == name)
        return next((item.get("values", item.get("value")) for item in found), None)

    def groups(self) -> Iterator[NexusNode]:
        """Go through the groups, links left out."""
        return (child for child in self._children() if child.data.get("type") == "group")

    def at(self, path: str) -> NexusNode | None:
        """Return what stands at a path; links are followed."""
        return self._at(path, MAX_LINKS)

    def _at(self, path: str, links: int) -> JsonNode | None:
        node: JsonNode | None = self
        while path.startswith("/") and node is not None and node.parent is not None:
            node = node.parent
        for part in (part for part in path.split("/") if part not in {"", "."}):
            if node is None or links < 0:
                return None
            if part == "..":
                node = node.parent
                continue
            node = next((child for child in node._children() if name_of(child) == part), None)
            target = None if node is None else node._link()
            if node is not None and target is not None:
                links -= 1
                node = None if node.parent is None else node.parent._at(target, links)
        return node

    def value(self) -> NDArray[Any] | None:
        """Return the values of a dataset; None for a group."""
        if not self._is("dataset"):
            return None
        values = {**self.data, **_mapping(self.data.get("config"))}.get("values")
        try:
            return np.asarray(values)
        except ValueError as error:
            raise GeometryError(f"{self.path}: the values are no array: {error}") from error

    def stream(self) -> Mapping[str, Any] | None:
        """Return the configuration of the stream that fills this group; None when none does."""
        for child in _mappings(self.data.get("children")):
            config = _mapping(child.get("config") or child.get("stream"))
            if isinstance(config.get("source"), str) and "topic" in config:
                return config
        return None

    def _is(self, kind: str) -> bool:
        return kind in (self.data.get("type"), self.data.get("module"))

    def _children(self) -> Iterator[JsonNode]:
        for child in _mappings(self.data.get("children")):
            name = child.get("name") or _mapping(child.get("config")).get("name")
            if isinstance(name, str):
                yield JsonNode(child, f"{self.path.rstrip('/')}/{name}", self)

    def _link(self) -> str | None:
        target = self.data.get("target") or _mapping(self.data.get("config")).get("source")
        return target if self._is("link") and isinstance(target, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(values: object) -> Iterator[Mapping[str, Any]]:
    return (value for value in values if isinstance(value, Mapping)) if isinstance(values, list) else iter(())
