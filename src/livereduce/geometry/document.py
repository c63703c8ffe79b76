"""XML that came over the network, read safely, with the line of every element.

Document types and entities are refused, nesting and size are bounded, and names are local names because instrument
definitions use several namespaces or none. Only what the geometry files need: no mixed content, no processing
instructions.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat  # every declaration that could expand is refused below

from livereduce.errors import LiveReduceError

MAX_DEPTH = 200
MAX_ELEMENTS = 2_000_000
LARGEST = 1e9  # of any length in m or angle in degrees; sums and squares of such are far from overflow

Source = Path | str | bytes


class GeometryError(LiveReduceError):
    """A geometry, calibration, grouping or mask file says something that cannot be used."""


@dataclass(slots=True)
class Element:
    """One element: its local name, attributes, children, own text and source line."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def __str__(self) -> str:
        label = self.attributes.get("name") or self.attributes.get("idname") or self.attributes.get("type")
        return f"<{self.tag}{f' {label!r}' if label else ''}> (line {self.line})"

    def fail(self, message: str) -> NoReturn:
        """Raise a `GeometryError` that names this element and its line."""
        raise GeometryError(f"{self}: {message}")

    def all(self, *tags: str) -> list[Element]:
        """Children with one of these names, in document order."""
        return [child for child in self.children if child.tag in tags]

    def first(self, tag: str) -> Element | None:
        """Return the first child of this name."""
        return next((child for child in self.children if child.tag == tag), None)

    def text_of(self, name: str) -> str:
        """Attribute without surrounding blanks; empty when absent."""
        return self.attributes.get(name, "").strip()

    def required(self, name: str) -> str:
        """Attribute that has to be there and not empty."""
        return self.text_of(name) or self.fail(f"attribute {name} is missing or empty")

    def number(self, name: str, default: float = 0.0) -> float:
        """Attribute as a finite number of no absurd size; `default` when missing or empty."""
        text = self.text_of(name)
        if not text:
            return default
        try:
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        return value if abs(value) <= LARGEST else self.fail(f"attribute {name}={text!r} is not a number")

    def integer(self, name: str, default: int = 0) -> int:
        """Attribute as a whole number that fits 64 bits; `default` when missing or empty."""
        text = self.text_of(name)
        if not text:
            return default
        try:
            value = None if "_" in text else int(text)
        except ValueError:
            value = None
        if value is None or not -(2**63) <= value < 2**63:
            self.fail(f"attribute {name}={text!r} is not a whole number")
        return value


def parse(source: Source, root: str) -> Element:
    """Read a document whose root element must be `root`.

    Parameters
    ----------
    source
        A `Path`, or a str that ends in ``.xml``; or the text itself, str or bytes. A str from the network that is
        neither is refused, not opened.
    root
        Local name the root element must have.

    Raises
    ------
    GeometryError
        The file cannot be read, the XML is broken, declares a document type or entities, or has another root.
    """
    data, label = _content(source)
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise GeometryError(f"{label} is not well-formed XML: {error}") from error
    except LookupError as error:  # an encoding Python does not know
        raise GeometryError(f"{label} cannot be decoded: {error}") from error
    except GeometryError as error:
        raise GeometryError(f"{label}: {error}") from error
    return _checked_root(reader, label, root)


def root_of_file(path: Path, root: str) -> Element:
    """Return the root element of a file without what is in it; costs nothing however long the file is.

    Raises
    ------
    GeometryError
        As `parse`, as far as that shows up to there.
    """
    reader = _Reader(only_root=True)
    try:
        with path.open("rb") as file:
            while reader.root is None and (data := file.read(1 << 16)):
                reader.parser.Parse(data)
    except OSError as error:
        raise GeometryError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except expat.ExpatError as error:
        if reader.root is None:
            raise GeometryError(f"{path} is not well-formed XML: {error}") from error
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    return _checked_root(reader, str(path), root)


def _checked_root(reader: _Reader, label: str, root: str) -> Element:
    found = reader.root
    if found is None or found.tag != root:
        raise GeometryError(f"{label}: the root element is <{found and found.tag}>, expected <{root}>")
    return found


def source_text(source: Source) -> str:
    """Return the text of a document that `parse` has read, decoded as it declares (undecodable bytes are replaced)."""
    data, _ = _content(source)
    if isinstance(data, str):
        return data
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    declared = re.match(rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]*encoding=[\"']([\w.-]+)", data)
    return data.decode(declared[1].decode("ascii") if declared else "utf-8", "replace").lstrip("\ufeff")


def _content(source: Source) -> tuple[str | bytes, str]:
    if isinstance(source, bytes):
        return source, "the XML text"
    if isinstance(source, str) and source.lstrip("\ufeff \t\r\n").startswith("<"):
        return source.lstrip("\ufeff \t\r\n"), "the XML text"
    if isinstance(source, str) and not source.lower().endswith(".xml"):
        raise GeometryError(f"{source[:100]!r} is neither XML nor the name of an .xml file")
    try:
        return Path(source).read_bytes(), str(source)
    except (OSError, ValueError) as error:
        raise GeometryError(f"cannot read {str(source)[:200]!r}: {error}") from error


class _Reader:
    """Expat handlers that build the tree of `Element`."""

    def __init__(self, *, only_root: bool = False) -> None:
        self.root: Element | None = None
        self._only_root = only_root
        self._stack: list[Element] = []
        self._count = 0
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.UnparsedEntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def _refuse(self, *_: object) -> NoReturn:
        raise GeometryError(
            f"document types and entities are not accepted (line {self.parser.CurrentLineNumber}); remove the DOCTYPE"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._only_root and self.root is not None:
            return
        element = Element(tag.rpartition(":")[2], attributes, self.parser.CurrentLineNumber)
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise GeometryError(f"more than {MAX_ELEMENTS} elements")
        if len(self._stack) >= MAX_DEPTH:
            element.fail(f"nested more than {MAX_DEPTH} deep")
        if self._stack:
            self._stack[-1].children.append(element)
        else:
            self.root = element
        self._stack.append(element)

    def _end(self, _: str) -> None:
        if not self._only_root:
            self._stack.pop()

    def _text(self, text: str) -> None:
        if not self._only_root:
            self._stack[-1].text += text
