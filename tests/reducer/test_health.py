"""What the reducer writes about itself: whatever scripts print, and seldom when there is nothing to say."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from livereduce import status
from livereduce.errors import ScriptError
from livereduce.listeners.fake import FakeListener
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.reducer.health import Reporter
from livereduce.status import ReducerHealth, ScriptUse
from livereduce.workspaces import WorkspaceStore


def monitor() -> Monitor:
    """A cycle that has not taken anything in."""
    builder = ChunkBuilder(FakeListener(lambda: 0), Ledger(), keep_events=True)
    step = LiveStep(WorkspaceStore(), Names(), None, None)
    return Monitor(builder, step, Cadence(10.0, Method.ADD, RunTransitionBehavior.RESTART))


def written(path: Path) -> ReducerHealth:
    return status.REDUCER.validate_json(path.read_bytes())


def report(reporter: Reporter, of: Monitor, behind_bytes: int = 0, *, last_words: bool = False) -> None:
    reporter.report(of, behind_bytes=behind_bytes, reprocess_percent=None, last_words=last_words)


def test_text_that_utf8_cannot_hold_is_written_with_question_marks(tmp_path: Path) -> None:
    path, cycle = tmp_path / "reducer.json", monitor()
    reporter = Reporter(path)
    reporter.printed("caf\udce9.nxs\n")
    reporter.trouble("the result cannot be written", "caf\udce9")
    reporter.script_failed("proc", ScriptError("no caf\udce9", file="caf\udce9.py", line=3, traceback="in caf\udce9"))
    cycle.step.warn("caf\udce9 twice")
    report(reporter, cycle)
    found = written(path)
    assert found.script_output == "caf?.nxs\n"
    assert found.warnings == ("the result cannot be written: caf?", "caf? twice")
    problem = found.script_error
    assert problem is not None
    assert (problem.file, problem.line, problem.message, problem.traceback) == ("caf?.py", 3, "no caf?", "in caf?")


def test_of_what_scripts_print_the_last_20_000_characters_are_written(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "reducer.json")
    for number in range(3000):
        reporter.printed(f"step {number:4}\n")
    report(reporter, monitor())
    assert written(tmp_path / "reducer.json").script_output == "".join(f"step {i:4}\n" for i in range(1000, 3000))


def test_a_version_that_gave_way_to_the_one_before_it_is_said_so(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "reducer.json")
    error = ScriptError("NameError: x.", file="post.py", line=2)
    error.in_use = False
    reporter.script_failed("post", error)
    problem = written(tmp_path / "reducer.json").script_error
    assert problem is not None
    assert (problem.message, problem.since_ns) == ("NameError: x; the version before it stays in use", 0)


def test_the_failure_of_the_chunk_script_comes_before_that_of_the_other(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "reducer.json")
    shown = []
    for stage in ("post", "proc"):
        reporter.script_failed(stage, ScriptError("no", file=f"{stage}.py", line=1))
        shown.append(written(tmp_path / "reducer.json").script_error)
    assert [problem.stage for problem in shown if problem] == ["post", "proc"]


def test_a_refused_version_and_the_one_in_use_are_both_to_be_seen(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "reducer.json")

    def shown() -> list[str]:
        report(reporter, monitor())
        found = written(tmp_path / "reducer.json")
        assert found.script_error is not None or not found.further_errors
        return [p.message for p in (found.script_error, *found.further_errors) if p is not None]

    refused = ScriptError("typo", file="post.py", line=2)
    refused.in_use = False
    reporter.script_failed("post", refused)
    reporter.script_failed("post", ScriptError("no beam", file="post.py", line=5))
    gave_way = "typo; the version before it stays in use"
    assert shown() == [gave_way, "no beam"]
    reporter.script_failed("proc", ScriptError("no chunk", file="proc.py", line=1))
    assert shown() == ["no chunk", gave_way, "no beam"]
    reporter.script_succeeded("proc")
    reporter.script_succeeded("post")
    assert shown() == [gave_way]
    reporter.script_changed("post")
    assert shown() == []


@pytest.mark.parametrize("odd", ["caf\udce9", object()])
def test_a_field_that_json_cannot_hold_is_left_out_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, odd: object
) -> None:
    path = tmp_path / "reducer.json"
    reporter = Reporter(path)
    for n in (1, 2):
        reporter.update(title="now", ledger={"runs": odd}, chunks=n)
        found = written(path)
        assert (found.title, found.ledger, found.chunks) == ("now", {}, n)
    assert [r.getMessage()[:47] for r in caplog.records if r.levelno == logging.ERROR] == [
        "part of the health of the reducer cannot be wri"
    ]


def test_a_report_is_written_when_something_changed_or_a_second_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cycle = tmp_path / "reducer.json", monitor()
    now = [10_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    reporter = Reporter(path)

    def writes(act: Callable[[], None], after_ms: int) -> bool:
        now[0] += after_ms * 1_000_000
        os.utime(path, ns=(0, 0))
        act()
        return path.stat().st_mtime_ns != 0

    reporter.update(scripts={"proc": ScriptUse("abc")})
    report(reporter, cycle)
    assert not writes(lambda: report(reporter, cycle), 100)
    assert not writes(lambda: report(reporter, cycle), 899)
    assert writes(lambda: report(reporter, cycle), 1)  # 1000 ms since it was written
    assert written(path).written_ns == 11_000_000_000
    assert not writes(lambda: report(reporter, cycle), 999)
    assert writes(lambda: report(reporter, cycle, behind_bytes=5), 0)
    assert not writes(lambda: report(reporter, cycle, behind_bytes=5), 100)
    assert writes(lambda: report(reporter, cycle, behind_bytes=5, last_words=True), 0)
