"""What a change of a script calls for; two looks make a save settle."""

import os
from pathlib import Path

import pytest

from livereduce.config import Config, from_mapping
from livereduce.status import ReducerHealth, ScriptProblem, ScriptTrial, Stage
from livereduce.supervisor.scripts import Change, Scripts
from livereduce.supervisor.watcher import tree_digest

PID = 42


class Bench:
    """A script folder, the scripts in it, and a reducer that says what the test has it say."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder = folder
        self.now = 0.0
        self.health: ReducerHealth | None = ReducerHealth(pid=PID, written_ns=1)
        self.config = self._config(**more)
        self.folder.joinpath("scripts").mkdir()
        self.scripts = Scripts(self.config)

    def _config(self, **more: object) -> Config:
        folders = {"state_dir": "state", "runtime_dir": "run", "script_dir": "scripts"}
        return from_mapping({"instrument": "POWGEN"} | {k: str(self.folder / v) for k, v in folders.items()} | more)

    def save(self, which: str, text: str) -> Path:
        name = {"proc": "reduce_PG3_live_proc.py", "post": "reduce_PG3_live_post_proc.py"}.get(which, which)
        path = self.folder / "scripts" / name
        path.write_text(text)
        return path

    def look(self, times: int = 2) -> list[Change]:
        """Look so often, a second apart; give all that was called for."""
        called_for: list[Change] = []
        for _ in range(times):
            self.now += 1.0
            self.scripts.fetch()
            called_for += self.scripts.look(self.now, self.health)
        return called_for

    def say(self, **given: object) -> None:
        self.health = ReducerHealth(**{"pid": PID, "written_ns": 1} | given)  # type: ignore[arg-type]

    def verdict(self, problem: ScriptProblem | None = None) -> None:
        number = self.scripts.trial_number
        self.say(trial=ScriptTrial(number, "passed" if problem is None else "failed", problem))

    def in_use(self, stage: str) -> str | None:
        accepted = self.folder / "state" / "scripts" / f"{stage}.py"
        return accepted.read_text() if accepted.exists() else None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.save("proc", "a = 1\n")
    made.save("post", "b = 1\n")
    made.scripts.first_look()
    return made


def test_what_is_there_at_start_is_used(bench: Bench) -> None:
    assert (bench.in_use("proc"), bench.in_use("post")) == ("a = 1\n", "b = 1\n")
    assert bench.scripts.usable
    assert bench.look() == []


def test_a_stage_that_is_not_wanted_has_no_script_not_even_of_an_earlier_session(tmp_path: Path) -> None:
    old = tmp_path / "state" / "scripts" / "proc.py"
    old.parent.mkdir(parents=True)
    old.write_text("old = 1\n")
    bench = Bench(tmp_path, post_process_only=True)
    bench.save("proc", "a = 1\n")
    bench.save("post", "b = 1\n")
    bench.scripts.first_look()
    assert (bench.in_use("proc"), bench.in_use("post")) == (None, "b = 1\n")


def test_a_changed_post_script_is_swapped(bench: Bench) -> None:
    bench.save("post", "b = 2\n")
    assert bench.look() == [Change.SWAP_POST]
    assert bench.in_use("post") == "b = 2\n"


def test_a_changed_chunk_script_is_tried_and_used_when_it_passes(bench: Bench) -> None:
    bench.save("proc", "a = 2\n")
    assert bench.look() == [Change.TRY_PROC]
    assert (bench.folder / "state" / "scripts" / "proc.trial.py").read_text() == "a = 2\n"
    bench.say(trial=ScriptTrial(bench.scripts.trial_number, "running"))
    assert bench.look(100) == []
    assert bench.in_use("proc") == "a = 1\n"
    bench.verdict()
    assert bench.look(1) == [Change.RESTART]
    assert bench.in_use("proc") == "a = 2\n"
    assert bench.look(5) == []


def test_a_chunk_script_that_fails_its_trial_is_refused(bench: Bench) -> None:
    bench.save("proc", "a = 2\n")
    bench.look()
    bench.verdict(ScriptProblem("proc", "f", 7, "NameError: x."))
    assert bench.look(5) == []
    problem = bench.scripts.problem()
    assert problem is not None
    assert (problem.line, problem.message) == (
        7,
        "NameError: x (tried on the last chunk); the version before it stays in use",
    )
    assert bench.in_use("proc") == "a = 1\n"
    assert bench.scripts.usable


def test_the_verdict_on_an_earlier_edit_is_none_on_the_next(bench: Bench) -> None:
    bench.save("proc", "a = 2\n")
    bench.look()
    bench.verdict(ScriptProblem("proc", "f", 7, "NameError: x"))
    bench.look(1)
    bench.save("proc", "a = 3\n")
    assert bench.look() == [Change.TRY_PROC]
    assert bench.look(3) == []
    bench.verdict()
    assert bench.look(1) == [Change.RESTART]


def test_a_reducer_that_is_busy_for_half_a_minute_is_not_waited_for(bench: Bench) -> None:
    """Its script may be the very thing that hangs, and the edit the cure."""
    bench.save("proc", "a = 2\n")
    bench.look()
    bench.say(stage=Stage.PROC)
    assert bench.look(29) == []
    assert bench.look(3) == [Change.RESTART]
    assert bench.in_use("proc") == "a = 2\n"


@pytest.mark.parametrize("when", ["before the trial", "during the trial"])
def test_without_a_reducer_a_chunk_script_is_used_as_it_is(bench: Bench, when: str) -> None:
    bench.save("proc", "a = 2\n")
    if when == "during the trial":
        assert bench.look() == [Change.TRY_PROC]
    bench.health = None
    assert bench.look() == [Change.RESTART]
    assert bench.in_use("proc") == "a = 2\n"


def test_a_script_broken_from_the_start_stops_processing_until_it_is_mended(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.save("proc", "a = (\n")
    bench.scripts.first_look()
    bench.health = None
    assert not bench.scripts.usable
    problem = bench.scripts.problem()
    assert problem is not None
    assert "data are recorded meanwhile" in problem.message
    bench.save("proc", "a = 1\n")
    assert bench.look() == [Change.RESTART]
    assert bench.scripts.usable


def test_a_banned_chunk_script_stops_processing_until_it_changes(bench: Bench) -> None:
    bench.scripts.ban(Stage.PROC, "with signal SIGSEGV")
    bench.health = None
    assert (bench.scripts.usable, bench.in_use("proc")) == (False, None)
    problem = bench.scripts.problem()
    assert problem is not None
    assert "died twice" in problem.message
    assert "SIGSEGV" in problem.message
    bench.save("proc", "a = 1  # with a comment\n")
    assert (bench.look(), bench.scripts.usable) == ([], False)
    bench.save("proc", "a = 2\n")
    assert (bench.look(), bench.scripts.usable) == ([Change.RESTART], True)


def test_a_banned_post_script_is_left_out_and_processing_goes_on(bench: Bench) -> None:
    bench.scripts.ban(Stage.POST, "with exit code 7")
    assert (bench.scripts.usable, bench.in_use("post")) == (True, None)
    bench.save("post", "b = 2\n")
    assert bench.look() == [Change.SWAP_POST]
    assert bench.scripts.problem() is None


def test_a_person_may_have_a_banned_script_tried_again(bench: Bench) -> None:
    bench.scripts.ban(Stage.PROC, "with signal SIGSEGV")
    bench.scripts.lift_bans()
    assert (bench.scripts.usable, bench.in_use("proc"), bench.scripts.problem()) == (True, "a = 1\n", None)


# -- modules -----------------------------------------------------------------------------------------------------------


def with_helper(bench: Bench, text: str = "h = 1\n") -> str:
    helper = str(bench.save("helper.py", text))
    bench.say(helpers={helper: tree_digest(text)})
    assert bench.look() == []
    return helper


def test_a_changed_module_means_a_fresh_reducer_once(bench: Bench) -> None:
    with_helper(bench)
    bench.save("helper.py", "h = 1  # the same\n")
    assert bench.look(3) == []
    bench.save("helper.py", "h = 2\n")
    assert bench.look(5) == [Change.RESTART]


def test_a_module_that_changed_while_it_was_imported_is_noticed(bench: Bench) -> None:
    helper = str(bench.save("helper.py", "h = 2\n"))
    bench.say(helpers={helper: tree_digest("h = 1\n")})
    assert bench.look(3) == [Change.RESTART]


def test_a_broken_module_is_refused_and_the_imported_version_stays(bench: Bench) -> None:
    with_helper(bench)
    bench.save("helper.py", "h = (\n")
    assert bench.look(3) == []
    problem = bench.scripts.problem()
    assert problem is not None
    assert (problem.stage, problem.line) == ("helper", 1)
    bench.save("helper.py", "h = 1\n")
    assert bench.look(3) == []
    assert bench.scripts.problem() is None


def test_a_module_saved_with_a_chunk_script_waits_for_its_trial(bench: Bench) -> None:
    with_helper(bench)
    bench.save("helper.py", "h = 2\n")
    bench.save("proc", "a = 2\n")
    assert bench.look(4) == [Change.TRY_PROC]
    bench.verdict()
    assert bench.look(3) == [Change.RESTART]


def test_a_module_saved_after_the_chunk_script_that_needs_it_gives_that_another_trial(bench: Bench) -> None:
    with_helper(bench)
    bench.save("proc", "a = 2\n")
    bench.look()
    bench.verdict(ScriptProblem("proc", "f", 1, "AttributeError: helper"))
    bench.look(1)
    bench.save("helper.py", "h = 2\n")
    assert bench.look(3) == [Change.TRY_PROC]
    bench.verdict()
    assert bench.look(3) == [Change.RESTART]
    assert bench.in_use("proc") == "a = 2\n"


def test_a_mended_module_lifts_the_ban_of_the_script_that_imports_it(bench: Bench) -> None:
    with_helper(bench)
    bench.scripts.ban(Stage.PROC, "with signal SIGSEGV")
    bench.health = None
    bench.save("helper.py", "h = 2\n")
    assert bench.look(3) == [Change.RESTART]
    assert bench.scripts.usable


def test_a_full_disk_only_delays_an_edit(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "scripts"
    moved = folder.rename(folder.with_name("away"))
    folder.write_text("a file where the folder was: nothing can be written below it")
    bench.save("post", "b = 2\n")
    assert bench.look(3) == []
    assert bench.scripts.trouble
    folder.unlink()
    moved.rename(folder)
    assert bench.look(1) == [Change.SWAP_POST]
    assert (bench.in_use("post"), bench.scripts.trouble) == ("b = 2\n", "")


def test_a_disk_that_is_full_at_start_delays_processing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.save("proc", "a = 1\n")
    (tmp_path / "state").write_text("a file where the folder was")
    bench.scripts.first_look()
    bench.health = None
    assert (bench.look(), bench.scripts.usable) == ([], False)
    assert bench.scripts.warnings()
    (tmp_path / "state").unlink()
    assert (bench.look(1), bench.scripts.usable) == ([Change.RESTART], True)


def test_a_refused_script_that_is_saved_again_as_it_is_is_tried_again(bench: Bench) -> None:
    """What it reads may have been mended meanwhile."""
    path = bench.save("proc", "a = 2\n")
    bench.look()
    bench.verdict(ScriptProblem("proc", "f", 7, "FileNotFoundError: calibration"))
    assert bench.look(3) == []
    os.utime(path, ns=(1, 1))
    assert bench.look() == [Change.TRY_PROC]


def test_a_reducer_whose_steps_take_long_is_waited_for_longer(bench: Bench) -> None:
    bench.save("proc", "a = 2\n")
    bench.look()
    bench.say(latency={"proc": 40.0, "post": 20.0})
    assert bench.look(118) == []
    assert bench.look(3) == [Change.RESTART]


# -- rollback ----------------------------------------------------------------------------------------------------------


def test_a_rollback_takes_the_version_before_the_last_save_until_the_next(bench: Bench) -> None:
    assert bench.scripts.roll_back() is False
    bench.save("post", "b = 2\n")
    bench.look()
    assert bench.scripts.roll_back() is True
    assert (bench.in_use("post"), bench.in_use("proc")) == ("b = 1\n", "a = 1\n")
    assert "the version before the last save is in use" in bench.scripts.warnings()[0]
    assert bench.look(5) == []
    bench.folder.joinpath("scripts", "reduce_PG3_live_post_proc.py").unlink()
    bench.look()
    bench.save("post", "b = 2\n")
    assert bench.look() == [Change.SWAP_POST]
    assert (bench.in_use("post"), bench.scripts.warnings()) == ("b = 2\n", [])


def test_a_rollback_helps_against_a_ban(bench: Bench) -> None:
    bench.health = None
    bench.save("proc", "a = 2\n")
    bench.look()
    bench.scripts.ban(Stage.PROC, "with signal SIGSEGV")
    assert bench.scripts.roll_back()
    assert (bench.scripts.usable, bench.in_use("proc"), bench.scripts.problem()) == (True, "a = 1\n", None)
