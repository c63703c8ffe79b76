"""Where bytes come from: the journal, a socket, a recorded file."""

from livereduce.sources.base import BEGIN, Block, ByteSource, Position

__all__ = ["BEGIN", "Block", "ByteSource", "Position"]
