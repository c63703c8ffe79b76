"""Recorded streams."""

from __future__ import annotations

from pathlib import Path

from livereduce.sources import Block, Position
from livereduce.sources.file import FileSource


def test_a_file_is_read_once_through_and_ends(tmp_path: Path) -> None:
    (tmp_path / "stream").write_bytes(b"abcde")
    source = FileSource(tmp_path / "stream")
    steps = [(source.read(3), source.ended) for _ in range(3)]
    assert steps == [(Block(b"abc", 0, 0, 0), False), (Block(b"de", 0, 3, 0), False), (None, True)]
    source.close()


def test_one_can_go_back_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "stream").write_bytes(b"abcde")
    source = FileSource(tmp_path / "stream")
    while source.read(100) is not None:
        pass
    source.seek(Position(0, 2))
    assert not source.ended
    assert source.read(100) == Block(b"cde", 0, 2, 0)
    source.close()
