"""Where bytes come from: the journal, a socket, a recorded file; `base` is the contract."""

from livereduce.sources.base import Block, ByteSource, Position

__all__ = ["Block", "ByteSource", "Position"]
