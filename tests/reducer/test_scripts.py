from pathlib import Path

import pytest

from livereduce.errors import ScriptError
from livereduce.live.scripts import compile_script
from livereduce.live.stages import Surroundings
from livereduce.reducer.scripts import BrokenScript, LimitedScript
from livereduce.workspaces import HistogramWorkspace

SCRIPT = compile_script("seen = input\n", "reduce_X_live_proc.py")


@pytest.mark.parametrize(
    ("configured", "longest", "limit"),
    [(None, 0.0, 1800.0), (None, 100.0, 1800.0), (None, 240.0, 2400.0), (60.0, 240.0, 60.0)],
)
def test_a_script_may_take_ten_times_its_longest_success_but_at_least_half_an_hour(
    configured: float | None, longest: float, limit: float
) -> None:
    assert LimitedScript(SCRIPT, Surroundings({}), configured, longest).limit_s == limit


def test_only_successes_make_the_limit_longer() -> None:
    failing = LimitedScript(compile_script("1 / 0\n", "p.py"), Surroundings({}), None)
    workspace = HistogramWorkspace([0.0, 1.0], [[1.0]], [[1.0]])
    with pytest.raises(ScriptError):
        failing.run(workspace, "out")
    assert failing.longest_s == 0.0
    succeeding = LimitedScript(SCRIPT, Surroundings({}), None)
    succeeding.run(workspace, "out")
    assert succeeding.longest_s > 0.0


def test_a_script_that_does_not_compile_fails_whenever_it_is_to_run(tmp_path: Path) -> None:
    error = ScriptError("misplaced global", file="p.py", line=3)
    broken = BrokenScript(error)
    assert (broken.path, broken.problem.line) == ("p.py", 3)
    with pytest.raises(ScriptError, match="misplaced global"):
        broken.run(HistogramWorkspace([0.0, 1.0], [[1.0]], [[1.0]]), "out")
