"""The XML inside DeviceDescriptor and RunInfo packets, read without trusting it.

No document type declaration, hence no entity, is accepted; size and depth are bounded; elements are found by their
local names whatever the namespace. What cannot be read raises `ProtocolError`, for the caller to count and go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from livereduce.errors import ProtocolError

MAX_CHARACTERS = 4 << 20
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class DeviceVariable:
    """A process variable: the key in values is `pv_id`, the log's name `name`.

    Attributes
    ----------
    type
        As declared: ``double``, ``unsigned integer``, ``integer``, ``boolean``, ``string``, ``enum_00`` and so on,
        or an array form. The packets that carry the values need not agree.
    enumeration
        Text of each value, of an enumerated variable.
    """

    name: str
    pv_id: int
    type: str
    units: str = ""
    enumeration: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Device:
    """What a descriptor declares; variables without name, ID or type are left out."""

    name: str
    variables: tuple[DeviceVariable, ...]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody of the experiment's team."""

    name: str
    id: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What RunInfo tells; texts are empty where it does not.

    Attributes
    ----------
    sample
        Text of the sample's elements by local name (``name``, ``chemical_formula``, …).
    """

    run_number: str = ""
    run_title: str = ""
    proposal_id: str = ""
    proposal_title: str = ""
    facility_name: str = ""
    instrument_name: str = ""
    das_version: str = ""
    users: tuple[User, ...] = ()
    sample: dict[str, str] = field(default_factory=dict)


def parse_device_descriptor(xml: str) -> Device:
    """Read the XML of a `DeviceDescriptor`.

    Raises
    ------
    ProtocolError
        It is not well-formed, not a device, or asks for something that is not allowed.
    """
    root = _parse(xml, "device")
    enumerations = {
        _text(enumeration, "enum_name"): _enumeration(enumeration) for enumeration in _descendants(root, "enumeration")
    }
    declared = (_variable(element, enumerations) for element in _descendants(root, "process_variable"))
    return Device(_text(root, "device_name"), tuple(variable for variable in declared if variable is not None))


def parse_run_info(xml: str) -> RunDetails:
    """Read the XML of a `RunInfo`; raises `ProtocolError` as `parse_device_descriptor` does."""
    root = _parse(xml, "runinfo")
    names = (
        "run_number", "run_title", "proposal_id", "proposal_title", "facility_name", "instrument_name", "das_version",
    )  # fmt: skip
    users = tuple(User(_text(u, "name"), _text(u, "id"), _text(u, "role")) for u in _descendants(root, "user"))
    sample = {_local(e): (e.text or "").strip() for s in _children(root, "sample") for e in s}
    return RunDetails(**{name: _text(root, name) for name in names}, users=users, sample=sample)


def _variable(element: Element, enumerations: dict[str, dict[int, str]]) -> DeviceVariable | None:
    name, pv_id, kind = _text(element, "pv_name"), _integer(_text(element, "pv_id")), _text(element, "pv_type")
    if not name or pv_id is None or not kind:
        return None
    return DeviceVariable(name, pv_id, kind, _text(element, "pv_units"), enumerations.get(kind, {}))


def _enumeration(element: Element) -> dict[int, str]:
    values = (
        (_integer(_text(e, "enum_element_value")), _text(e, "enum_element_name"))
        for e in _descendants(element, "enum_element")
    )
    return {value: name for value, name in values if value is not None}


def _parse(xml: str, expected: str) -> Element:
    if len(xml) > MAX_CHARACTERS:
        raise ProtocolError(f"XML of a {expected} has {len(xml)} characters, at most {MAX_CHARACTERS} are read")
    reader = _Reader(expected)
    try:
        reader.expat.Parse(xml, True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise ProtocolError(f"XML of a {expected} is not well-formed: {error}") from error
    root: Element = reader.tree.close()
    if _local(root) != expected:
        raise ProtocolError(f"XML begins with <{_local(root)}>, expected <{expected}>")
    return root


class _Reader:
    """Expat with its dangerous doors shut, building an element tree."""

    def __init__(self, expected: str) -> None:
        self.tree = TreeBuilder()
        self.expat = expat.ParserCreate(namespace_separator="}")
        self._expected = expected
        self._depth = 0
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.CharacterDataHandler = self.tree.data
        self.expat.StartDoctypeDeclHandler = self._refuse_doctype

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ProtocolError(f"XML of a {self._expected} nests deeper than {MAX_DEPTH} elements")
        self.tree.start(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.tree.end(name)

    def _refuse_doctype(self, *_: object) -> NoReturn:
        raise ProtocolError(f"XML of a {self._expected} has a document type declaration, which is not read")


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _local(child) == name)


def _descendants(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element.iter() if _local(child) == name)


def _text(element: Element, name: str) -> str:
    """Text of the first child called `name`, stripped; empty when there is none."""
    child = next(_children(element, name), None)
    return "" if child is None else "".join(child.itertext()).strip()


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
