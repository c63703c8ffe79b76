"""Lines on a disk that may be full; here a limit of the file's size stands for its end."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livereduce.live.lines import LineFile, rewrite


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_lines_follow_each_other(tmp_path: Path) -> None:
    for text in ("one", "two"):
        file = LineFile(tmp_path / "lines")
        file.append(text, text)
        file.close()
    assert (tmp_path / "lines").read_text() == "one\none\ntwo\ntwo\n"


def test_a_line_there_is_no_room_for_waits_and_leaves_no_part_of_it(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines")
    file.append("one")
    with no_file_larger_than(6):
        file.append("second", "third")
        assert "2 lines wait" in file.trouble
        assert (tmp_path / "lines").read_text() == "one\n"
        file.append("fourth")
        assert "3 lines wait" in file.trouble
    file.retry()
    assert file.trouble == ""
    assert (tmp_path / "lines").read_text() == "one\nsecond\nthird\nfourth\n"
    file.close()


def test_what_is_appended_to_a_torn_line_is_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("one\ntor")
    file = LineFile(tmp_path / "lines")
    file.append("two")
    file.close()
    assert (tmp_path / "lines").read_text() == "one\ntor\ntwo\n"


def test_a_file_that_cannot_be_rewritten_stays(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("1\n")
    with no_file_larger_than(4):
        rewrite(path, ["one", "two"])
    assert path.read_text() == "1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["lines"]
    rewrite(path, ["one", "two"])
    assert path.read_text() == "one\ntwo\n"
