import errno
import json
import os
from pathlib import Path

import pytest

from livereduce.config.files import replace_file


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    for number in (1, 2):
        replace_file(path, json.dumps({"n": number}).encode())
    assert json.loads(path.read_bytes()) == {"n": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["health.json"]


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "no folder" / "health.json", b"{}")


def test_without_room_for_a_second_file_the_first_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the new file is to take the place of the old; one that is shorter is blank to its end."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "health.json"
    path.write_text('{"state": "connected"}')
    monkeypatch.setattr(os, "replace", no_room)
    replace_file(path, b'{"state": "lost"}')
    assert json.loads(path.read_bytes()) == {"state": "lost"}
    assert path.stat().st_size == len('{"state": "connected"}')
    replace_file(path, b'{"state": "a word longer than before"}')
    assert json.loads(path.read_bytes()) == {"state": "a word longer than before"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["health.json"]
