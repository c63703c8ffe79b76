"""The loop on a histogram memory: totals replace each other, and a run's last ones stay until the next run's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from livereduce.listeners.base import Message, RunMark, RunMarkKind, Totals
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.live.scripts import compile_script
from livereduce.live.stages import ScriptStage, Surroundings
from livereduce.mantid import simpleapi
from livereduce.mantid.ads import mtd
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, WorkspaceStore

S = 1_000_000_000


def new(run: int, start: int) -> RunMark:
    return RunMark(RunMarkKind.NEW, run, start * S, start * S)


def totals(count: float) -> Totals:
    return Totals(HistogramWorkspace([0.0, 1.0], [[count]], [[count]]), int(count), 1, 1.0, 100 * S)


@pytest.fixture
def store() -> Iterator[WorkspaceStore]:
    before, store = mtd.store, WorkspaceStore()
    mtd.use(store)
    yield store
    mtd.use(before)


class Live:
    """A monitor on polls that are written down; None ends a poll."""

    def __init__(self, listener: Any, **options: Any) -> None:
        listener.buffers_events = False
        self.listener = listener
        builder = ChunkBuilder(listener, Ledger(), keep_events=True)
        names = Surroundings(simpleapi.script_names())
        proc = ScriptStage(compile_script(options.pop("proc", "output = input"), "proc.py"), names)
        step = LiveStep(mtd.store, Names(), proc, None)
        transition = options.pop("transition", RunTransitionBehavior.RESTART)
        self.monitor = Monitor(builder, step, Cadence(10.0, options.pop("method", Method.REPLACE), transition))
        self.now = 0.0

    def poll(self, *messages: Message) -> None:
        self.listener.extend(*messages, None)
        while self.monitor.turn(self.now) == 0.0:
            pass
        self.now += 10.0


def total(name: str = "result") -> float:
    found = mtd[name]
    assert isinstance(found, MatrixWorkspace)
    return float(found.y.sum())


@pytest.fixture
def live(events_of: Any, store: WorkspaceStore) -> Any:
    return lambda **options: Live(events_of.listener([]), **options)


def test_totals_replace_each_other(live: Any) -> None:
    run = live()
    for count in (30, 50, 80):
        run.poll(new(7, 100), totals(count))
        assert total() == count
    assert run.monitor.chunks == 3


def test_a_poll_without_totals_is_no_step(live: Any) -> None:
    run = live()
    run.poll(new(7, 100), totals(30))
    run.poll()
    assert (run.monitor.chunks, total()) == (1, 30)


def test_the_last_totals_of_a_run_stay_until_those_of_the_next_and_no_script_sees_them_twice(live: Any) -> None:
    proc = (
        "w = mtd['log'] if mtd.doesExist('log') else CreateWorkspace([0, 1], [0], OutputWorkspace='log')\n"
        "w = w + 1\nRenameWorkspace(w, 'log')\noutput = input"
    )
    run = live(proc=proc, transition=RunTransitionBehavior.RENAME)
    run.poll(new(7, 100), totals(30))
    run.poll(new(8, 200), totals(2))
    assert (total(), total("result_7")) == (2, 30)
    assert total("log") == 2  # once a poll
    assert run.monitor.finished_runs == 1


def test_stop_keeps_the_last_totals(live: Any) -> None:
    run = live(transition=RunTransitionBehavior.STOP)
    run.poll(new(7, 100), totals(30))
    run.listener.extend(new(8, 200), totals(2), None)
    run.monitor.turn(run.now)
    assert run.monitor.stopped
    assert total() == 30


def test_append_puts_each_poll_below_the_last_and_a_run_change_adds_none(live: Any) -> None:
    run = live(method=Method.APPEND)
    run.poll(new(7, 100), totals(30))
    run.poll(totals(50))
    workspace = mtd["result"]
    assert isinstance(workspace, MatrixWorkspace)
    assert workspace.y[:, 0].tolist() == [30, 50]
    run.listener.extend(new(8, 200), totals(2), None)
    run.monitor.turn(run.now)
    workspace = mtd["result"]
    assert isinstance(workspace, MatrixWorkspace)
    assert workspace.y[:, 0].tolist() == [30, 50]
    run.monitor.turn(run.now)
    assert total() == 2


def test_totals_whose_script_fails_are_made_good_by_the_next(live: Any) -> None:
    proc = "if input.readY(0)[0] == 30: raise ValueError('thirty')\noutput = input"
    run = live(proc=proc)
    run.poll(new(7, 100), totals(30))
    assert not mtd.doesExist("result")
    run.poll(totals(50))
    assert total() == 50
    run.monitor.builder.ledger.check()
    assert run.monitor.builder.account.accumulated == 50
