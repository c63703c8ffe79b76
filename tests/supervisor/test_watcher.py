import os
from pathlib import Path

import pytest

from livereduce.supervisor.watcher import WatchedFile, WatchedScript, tree_digest


@pytest.fixture
def script(tmp_path: Path) -> WatchedScript:
    path = tmp_path / "scripts" / "reduce_X_live_proc.py"
    path.parent.mkdir()
    path.write_text("output = 1\n")
    watched = WatchedScript("proc", path, tmp_path / "state" / "proc.py")
    watched.first_look()
    watched.look()
    return watched


def save(path: Path, text: str) -> None:
    """As an editor does: a new file put in place by rename."""
    new = path.with_name("save.tmp")
    new.write_text(text)
    os.replace(new, path)


def look(watched: WatchedScript | WatchedFile) -> bool | bytes | None:
    """Read and judge, as happens once a second."""
    watched.fetch()
    return watched.look()


def in_use(script: WatchedScript) -> str:
    assert script.accepted is not None
    return script.accepted.read_text()


def test_the_first_version_is_accepted_as_it_is(script: WatchedScript) -> None:
    assert in_use(script) == "output = 1\n"
    assert look(script) is False


def test_a_save_counts_when_it_is_read_the_same_twice(script: WatchedScript) -> None:
    save(script.path, "output = 2\n")
    assert (look(script), script.settling) == (False, True)
    assert (look(script), script.settling) == (True, False)
    assert in_use(script) == "output = 1\n"
    script.accept()
    assert in_use(script) == "output = 2\n"
    assert look(script) is False


def test_a_half_written_save_is_waited_for(script: WatchedScript) -> None:
    save(script.path, "output = 3\nx = 1")
    assert look(script) is False
    save(script.path, "output = 3\nx = 1\ny = 2\n")
    assert look(script) is False
    assert look(script) is True
    assert script.candidate is not None
    assert script.candidate.text.endswith("y = 2\n")


def test_a_change_of_comments_is_no_change(script: WatchedScript) -> None:
    save(script.path, "# why\noutput = 1\n")
    assert not any(look(script) for _ in range(4))
    assert in_use(script) == "output = 1\n"


def test_a_broken_edit_is_refused_with_its_line_and_the_old_version_stays(script: WatchedScript) -> None:
    save(script.path, "output = 1\noutput = (\n")
    assert not any(look(script) for _ in range(3))
    assert script.refused is not None
    assert (script.refused.line, script.refused.stage) == (2, "proc")
    assert script.refused.message == "SyntaxError: '(' was never closed"
    assert in_use(script) == "output = 1\n"
    save(script.path, "output = 4\n")
    assert [look(script) for _ in range(2)] == [False, True]
    assert script.refused is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), (" \n", "empty"), ("x = " + "1+" * 5000 + "1", "nested too deeply"), ("\0", "null bytes")],
)
def test_whatever_else_is_saved_is_refused_too(script: WatchedScript, text: str, reason: str) -> None:
    save(script.path, text)
    assert not any(look(script) for _ in range(3))
    assert script.refused is not None
    assert reason in script.refused.message


def test_mending_a_broken_edit_back_to_the_old_text_clears_the_error(script: WatchedScript) -> None:
    save(script.path, "output = (\n")
    for _ in range(3):
        look(script)
    save(script.path, "output = 1\n")
    assert not any(look(script) for _ in range(3))
    assert script.refused is None


def test_a_refused_candidate_can_be_offered_again(script: WatchedScript) -> None:
    save(script.path, "output = 5\n")
    assert [look(script) for _ in range(2)] == [False, True]
    script.refuse(1, "NameError: tried on the last chunk")
    assert (script.refused is None, script.candidate) == (False, None)
    script.reconsider()
    script.accept()
    assert (in_use(script), script.refused) == ("output = 5\n", None)


def test_a_new_version_of_a_banned_script_lifts_the_ban(script: WatchedScript) -> None:
    script.ban("died twice")
    save(script.path, "output = 1  # the same\n")
    assert not any(look(script) for _ in range(3))
    assert script.banned is not None
    save(script.path, "output = 6\n")
    assert [look(script) for _ in range(2)] == [False, True]
    script.accept()
    assert script.banned is None


def test_a_deleted_script_stays_in_use_and_one_that_appears_is_a_candidate(
    script: WatchedScript, tmp_path: Path
) -> None:
    script.path.unlink()
    assert look(script) is False
    assert in_use(script) == "output = 1\n"
    late = WatchedScript("post", tmp_path / "late.py", tmp_path / "state" / "post.py")
    late.first_look()
    assert late.digest is None
    late.path.write_text("x = 1\n")
    assert [look(late) for _ in range(2)] == [False, True]


def test_a_file_that_comes_back_as_it_was_is_no_news(tmp_path: Path) -> None:
    file = WatchedFile(tmp_path / "conf")
    file.path.write_text("a")
    assert file.take() == b"a"
    file.path.unlink()
    assert look(file) is None
    file.path.write_text("a")
    assert [look(file) for _ in range(3)] == [None] * 3
    file.path.write_text("b")
    assert [look(file) for _ in range(3)] == [None, b"b", None]


def test_the_digest_is_of_the_syntax_tree() -> None:
    assert tree_digest("a = 1") == tree_digest("a  =  1  # one")
    assert tree_digest("a = 1") != tree_digest("a = 2")


def test_nothing_is_judged_twice_while_the_folder_does_not_answer(script: WatchedScript) -> None:
    save(script.path, "output = 2\n")
    script.fetch()
    assert [script.look() for _ in range(5)] == [False] * 5
    assert script.settling
    script.fetch()
    assert [script.look() for _ in range(2)] == [True, False]


def test_a_file_that_does_not_change_is_not_read_again_and_again(tmp_path: Path) -> None:
    file = WatchedFile(tmp_path / "conf")
    file.path.write_text("a")
    file.take()
    file.fetch()
    stat = file.path.stat()
    file.path.write_text("b")
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as if nothing had happened
    assert [look(file) for _ in range(3)] == [None] * 3
