"""A payload that is read from its beginning, every length checked before it is used."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from livereduce.protocols.adara.wire import F64Array, MalformedError, U32Array

MAX_PARTS = 1 << 20
"""Parts (map sections, values) one packet may have; keeps objects made from a hostile packet to some 100 MB."""

F64 = struct.Struct("<d")


class Payload:
    """A payload and how far it has been read."""

    def __init__(self, data: bytes, version: int, time_ns: int) -> None:
        self.data = data
        self.at = 0
        self.head: Any = {"version": version}
        self.version = version
        self.time_ns = time_ns

    def take(self, size: int) -> int:
        """Move on by `size` bytes and return where they begin."""
        at = self.at
        if size > len(self.data) - at:
            raise MalformedError(f"{size} bytes wanted at byte {at} of a payload of {len(self.data)}")
        self.at = at + size
        return at

    def exactly(self, size: int, newest: int) -> None:
        """Refuse another size than `size` in versions up to `newest`; later ones may only be longer."""
        found = len(self.data)
        if found < size or (found > size and self.version <= newest):
            raise MalformedError(f"payload of {found} bytes, expected {size} in version {self.version}")

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        """Read a fixed form."""
        return form.unpack_from(self.data, self.take(form.size))

    def u32(self) -> int:
        """Read one uint32."""
        return int.from_bytes(self.data[(at := self.take(4)) : at + 4], "little")

    def u32s(self, count: int) -> U32Array:
        """View `count` uint32."""
        return np.frombuffer(self.data, "<u4", count, self.take(4 * count))

    def f64(self) -> float:
        """Read one float64."""
        value: float = self.unpack(F64)[0]
        return value

    def f64s(self, count: int) -> F64Array:
        """Copy `count` float64."""
        at = self.take(8 * count)
        # doubles lie on 4-byte boundaries only; bytes of their own are aligned
        return np.frombuffer(self.data[at : at + 8 * count], "<f8")

    def text(self, size: int) -> str:
        """Read text of `size` bytes and its padding; NULs that the length wrongly includes are stripped."""
        at = self.take(size)
        self.at = min(self.at + -size % 4, len(self.data))
        return clean(self.data[at : at + size])

    def sections(self) -> Iterator[None]:
        """Step through sections until the payload ends."""
        parts = 0
        while self.at < len(self.data):
            parts = _checked_count(parts + 1)
            yield

    def counted(self) -> range:
        """Read how many parts follow."""
        return range(_checked_count(self.u32()))


def clean(text: bytes) -> str:
    """Decode text without its trailing NULs; bytes that are not UTF-8 become replacement signs."""
    return text.rstrip(b"\0").decode("utf-8", "replace")


def _checked_count(count: int) -> int:
    if count > MAX_PARTS:
        raise MalformedError(f"{count} parts in one packet, at most {MAX_PARTS} are read")
    return count
