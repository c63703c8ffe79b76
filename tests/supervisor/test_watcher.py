import os
from pathlib import Path

import pytest

from livereduce.supervisor.watcher import WatchedScript, tree_digest


@pytest.fixture
def script(tmp_path: Path) -> WatchedScript:
    path = tmp_path / "scripts" / "reduce_X_live_proc.py"
    path.parent.mkdir()
    path.write_text("output = 1\n")
    watched = WatchedScript("proc", path, tmp_path / "state" / "proc.py")
    watched.first_look()
    watched.look()
    return watched


def save(script: WatchedScript, text: str) -> None:
    """As an editor does: a new file put in place by rename."""
    new = script.path.with_name("save.tmp")
    new.write_text(text)
    os.replace(new, script.path)


def test_the_first_version_is_accepted_as_it_is(script: WatchedScript) -> None:
    assert script.accepted.read_text() == "output = 1\n"
    assert script.look() is False


def test_a_save_counts_when_it_is_read_the_same_twice(script: WatchedScript) -> None:
    save(script, "output = 2\n")
    assert script.look() is False
    assert script.look() is True
    assert script.accepted.read_text() == "output = 2\n"
    assert script.look() is False


def test_a_half_written_save_is_waited_for(script: WatchedScript) -> None:
    save(script, "output = 3\nx = 1")
    assert script.look() is False
    save(script, "output = 3\nx = 1\ny = 2\n")
    assert script.look() is False
    assert script.look() is True
    assert script.accepted.read_text().endswith("y = 2\n")


def test_a_change_of_comments_is_no_change(script: WatchedScript) -> None:
    save(script, "# why\noutput = 1\n")
    assert not any(script.look() for _ in range(4))
    assert script.accepted.read_text() == "output = 1\n"


def test_a_broken_edit_is_refused_with_its_line_and_the_old_version_stays(script: WatchedScript) -> None:
    save(script, "output = 1\noutput = (\n")
    assert not any(script.look() for _ in range(3))
    assert script.refused is not None
    assert (script.refused.line, script.refused.stage) == (2, "proc")
    assert script.accepted.read_text() == "output = 1\n"
    save(script, "output = 4\n")
    assert [script.look() for _ in range(2)] == [False, True]
    assert script.refused is None


def test_mending_a_broken_edit_back_to_the_old_text_clears_the_error(script: WatchedScript) -> None:
    save(script, "output = (\n")
    for _ in range(3):
        script.look()
    save(script, "output = 1\n")
    assert not any(script.look() for _ in range(3))
    assert script.refused is None


def test_a_deleted_script_stays_in_use_and_one_that_appears_is_accepted(script: WatchedScript, tmp_path: Path) -> None:
    script.path.unlink()
    assert script.look() is False
    assert script.accepted.exists()
    late = WatchedScript("post", tmp_path / "late.py", tmp_path / "state" / "post.py")
    late.first_look()
    assert not late.accepted.exists()
    late.path.write_text("x = 1\n")
    assert [late.look() for _ in range(2)] == [False, True]


def test_the_digest_is_of_the_syntax_tree() -> None:
    assert tree_digest("a = 1") == tree_digest("a  =  1  # one")
    assert tree_digest("a = 1") != tree_digest("a = 2")
