"""A recorded stream."""

from pathlib import Path

from livereduce.sources.base import BEGIN, Block, Position


class FileSource:
    """Reads the bytes of one connection from a file, as ``livereduce record`` or the ADARA server wrote it."""

    def __init__(self, path: Path | str) -> None:
        self._file = Path(path).open("rb", buffering=0)  # closed by close()
        self._ended = False

    def read(self, max_bytes: int) -> Block | None:
        """Give the next bytes, None at the end."""
        offset = self._file.tell()
        data = self._file.read(max_bytes)
        self._ended = not data
        return Block(data, BEGIN.segment, offset, 0) if data else None

    def seek(self, position: Position) -> None:
        """Go on reading from `position`."""
        self._file.seek(position.offset)
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the end of the file was met."""
        return self._ended

    def close(self) -> None:
        """Close the file."""
        self._file.close()
