"""Files that scripts name at every chunk."""

from __future__ import annotations

import os
from pathlib import Path

from livereduce.algorithms.files import version_of


def test_versions_of_a_file_with_the_same_size_and_time_are_told_apart(tmp_path: Path) -> None:
    first, second, current = (tmp_path / name for name in ("a.cal", "b.cal", "current.cal"))
    for path, text in ((first, "1.25"), (second, "1.50")):
        path.write_text(text)
        os.utime(path, ns=(10**18, 10**18))  # as archives and copies that keep times leave them
    current.symlink_to(first)
    was = version_of(current)
    assert version_of(current) == was == version_of(first)
    current.unlink()
    current.symlink_to(second)
    assert version_of(current) != was


def test_a_file_that_is_written_to_in_place_is_another_version_even_with_its_time_put_back(tmp_path: Path) -> None:
    path = tmp_path / "a.cal"
    path.write_text("1.25")
    was = version_of(path)
    while path.stat().st_ctime_ns == was.written_ns:  # the clock of files has a coarser tick
        path.write_text("1.50")
    os.utime(path, ns=(was.changed_ns, was.changed_ns))
    assert version_of(path) != was
