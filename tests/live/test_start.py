"""Monitoring in this process: the first chunk, the thread, names, the end; the streams are written-down messages."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from livereduce.errors import LiveReduceError, ScriptError
from livereduce.geometry import load_idf
from livereduce.listeners.base import Connected, GeometryUpdate, Message, RunMark, RunMarkKind, SourceState
from livereduce.live import start
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.live.scripts import compile_script
from livereduce.live.stages import ScriptStage, Surroundings
from livereduce.live.start import LiveMonitor, take_first_chunk
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, WorkspaceStore
from livereduce.workspaces.cache import CountCache

S = 1_000_000_000
IDF = """<instrument name="T" xmlns="http://www.mantidproject.org/IDF/1.0">
  <component type="src"><location z="-10"/></component><type name="src" is="Source"/>
  <component type="smp"><location/></component><type name="smp" is="SamplePos"/>
  <component type="det" idlist="d"><location x="1"/></component>
  <type name="det" is="detector"/><idlist idname="d"><id val="5"/></idlist>
</instrument>"""
DEADLINE_S = 10.0


class Stream:
    """A listener whose messages come as the test says, from any thread."""

    name = "stream"
    supports_history = True
    buffers_events = True

    def __init__(self, listener: Any) -> None:
        self._listener = listener
        self.over = False
        self.closed = False

    def extend(self, *messages: Message | None) -> None:
        self._listener.extend(*messages)

    def receive(self, until: Any = None) -> Message | None:
        found: Message | None = self._listener.receive(until)
        return found

    @property
    def position(self) -> Any:
        return self._listener.position

    @property
    def ended(self) -> bool:
        return self.over and self._listener.ended

    def close(self) -> None:
        self.closed = True


class Clock:
    """A clock that goes on only while somebody waits; `at` maps a time to what happens then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: dict[float, Callable[[], object]] = {}

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for due in [time_ for time_ in self.at if time_ <= self.now]:
            self.at.pop(due)()


Make = Callable[..., Monitor]


@pytest.fixture
def make(events_of: Any) -> Iterator[Make]:
    """``make(proc=..., post=..., names=...)`` -> a monitor on an empty stream; none may be running after a test."""

    def build(proc: str | None = None, post: str | None = None, **options: Any) -> Monitor:
        def stage(text: str | None, path: str) -> ScriptStage | None:
            return ScriptStage(compile_script(text, path), Surroundings({})) if text else None

        names = options.pop("names", Names("live", "live"))
        step = LiveStep(options.pop("store", WorkspaceStore()), names, stage(proc, "proc.py"), stage(post, "post.py"))
        stream: Any = Stream(events_of.listener([]))
        transition = options.pop("transition", RunTransitionBehavior.RESTART)
        cadence = Cadence(options.pop("update_every_s", 0.01), Method.ADD, transition)
        return Monitor(ChunkBuilder(stream, Ledger(), keep_events=True), step, cadence)

    yield build
    start.cancel_all()
    assert start.running() == []


def stream_of(monitor: Monitor) -> Stream:
    stream: Any = monitor.builder.listener
    assert isinstance(stream, Stream)
    return stream


def opening() -> list[Message]:
    geometry = GeometryUpdate(load_idf(IDF), hashlib.sha256(IDF.encode()).digest())
    return [Connected(1), geometry, RunMark(RunMarkKind.NEW, 7, 100 * S, 0)]


def counts(monitor: Monitor) -> float:
    found = monitor.step.store[monitor.step.names.output]
    assert isinstance(found, MatrixWorkspace)
    return float(found.y.sum())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "this never came about"
        threading.Event().wait(0.005)


# -- the first chunk ---------------------------------------------------------------------------------------------------


def test_the_first_chunk_is_there_when_the_call_returns_and_says_when_it_was_taken(make: Make, events_of: Any) -> None:
    monitor, clock = make(), Clock()
    stream_of(monitor).extend(*opening(), events_of.make((101 * S, [(5, 1), (5, 2)])))
    taken_at = take_first_chunk(monitor, clock=clock, wait=clock.wait)
    assert (counts(monitor), monitor.chunks, clock.now) == (2, 1, 0.0)
    assert taken_at.startswith("20")


def test_a_description_alone_is_waited_on_for_a_second_and_then_is_an_empty_chunk(make: Make) -> None:
    monitor, clock = make(), Clock()
    stream_of(monitor).extend(*opening())
    take_first_chunk(monitor, clock=clock, wait=clock.wait)
    assert counts(monitor) == 0
    assert clock.now == pytest.approx(1.0, abs=0.11)


def test_events_that_come_within_that_second_are_in_the_first_chunk(make: Make, events_of: Any) -> None:
    monitor, clock = make(), Clock()
    stream_of(monitor).extend(*opening())
    clock.at[0.5] = lambda: stream_of(monitor).extend(events_of.make((101 * S, [(5, 1)])))
    take_first_chunk(monitor, clock=clock, wait=clock.wait)
    assert (counts(monitor), monitor.chunks) == (1, 1)
    assert clock.now == pytest.approx(0.5, abs=0.06)


def test_while_nothing_comes_it_says_so_every_ten_seconds(
    make: Make, events_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monitor, clock = make(), Clock()
    clock.at[35.0] = lambda: stream_of(monitor).extend(*opening(), events_of.make((101 * S, [(5, 1)])))
    take_first_chunk(monitor, clock=clock, wait=clock.wait)
    assert counts(monitor) == 1
    assert len([r for r in caplog.records if "nothing has come yet" in r.message]) == 3


def test_leftovers_of_the_same_name_do_not_enter_the_sum(make: Make, events_of: Any) -> None:
    store = WorkspaceStore()
    for n in (3, 1):
        monitor = make(store=store)
        stream_of(monitor).extend(*opening(), events_of.make((101 * S, [(5, 1)] * n)))
        take_first_chunk(monitor)
        assert counts(monitor) == n


@pytest.mark.parametrize(("proc", "post"), [("1 / 0", None), (None, "1 / 0")])
def test_a_script_error_in_the_first_chunk_is_the_callers(
    make: Make, events_of: Any, proc: str | None, post: str | None
) -> None:
    monitor = make(proc=proc, post=post)
    stream_of(monitor).extend(*opening(), events_of.make((101 * S, [(5, 1)])))
    with pytest.raises(ScriptError, match=r"(proc|post)\.py:1: ZeroDivisionError"):
        take_first_chunk(monitor)


def test_a_source_that_does_not_answer_or_ends_is_an_error(make: Make) -> None:
    monitor = make()
    stream_of(monitor).extend(SourceState("no answer from 127.0.0.1:6789", 0))
    with pytest.raises(LiveReduceError, match="no answer from"):
        take_first_chunk(monitor)
    monitor = make()
    stream_of(monitor).over = True
    with pytest.raises(LiveReduceError, match="ended before it gave any data"):
        take_first_chunk(monitor)


# -- the thread --------------------------------------------------------------------------------------------------------


def started(monitor: Monitor, events_of: Any) -> LiveMonitor:
    stream_of(monitor).extend(*opening(), events_of.make((101 * S, [(5, 1)])))
    take_first_chunk(monitor)
    live = LiveMonitor(monitor, monitor.step.names)
    live.start()
    return live


def test_chunks_go_on_in_a_thread_and_the_object_is_the_same(make: Make, events_of: Any) -> None:
    monitor = make()
    live = started(monitor, events_of)
    found = monitor.step.store["live"]
    for k in range(2, 5):
        stream_of(monitor).extend(events_of.make(((100 + k) * S, [(5, k)])))
        until(lambda k=k: counts(monitor) == k)  # type: ignore[misc]
    assert monitor.step.store["live"] is found
    assert (live.is_running, live.newest_data) == (True, "1970-01-01T00:01:44.000000000")
    assert live.last_time_stamp.startswith("20")
    assert "running" in repr(live)


def test_cancel_ends_the_thread_within_a_second_and_leaves_the_workspace(make: Make, events_of: Any) -> None:
    monitor = make(update_every_s=3600.0)
    live = started(monitor, events_of)
    began = time.monotonic()
    live.cancel()
    assert live.wait(5.0)
    assert time.monotonic() - began < 1.0
    assert (live.is_running, live.error, stream_of(monitor).closed, counts(monitor)) == (False, None, True, 1)


def test_script_errors_in_the_thread_are_contained_logged_once_and_heal(
    make: Make, events_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = make(proc="assert input.getNumberEvents() != 2, 'two'")
    live = started(monitor, events_of)
    stream_of(monitor).extend(events_of.make((102 * S, [(5, 1), (5, 2)])))
    until(lambda: live.script_error is not None)
    assert live.script_error is not None
    assert live.script_error.message == "AssertionError: two"
    stream_of(monitor).extend(events_of.make((103 * S, [(5, 1)])))
    until(lambda: live.script_error is None)
    live.cancel()
    live.wait()
    ledger: Any = live.ledger()
    run = ledger["runs"][0]
    assert (run["events"], run["accumulated"] + run["pending"]) == (4, 4)
    assert len([r for r in caplog.records if "AssertionError: two" in r.message]) == 1


def test_what_ends_the_loop_unasked_is_kept_and_logged(
    make: Make, events_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = make()
    live = started(monitor, events_of)

    def broken(until: Any = None) -> None:
        raise OSError("the disk is gone")

    stream_of(monitor).receive = broken  # type: ignore[method-assign]
    assert live.wait(DEADLINE_S)
    assert str(live.error) == "the disk is gone"
    assert stream_of(monitor).closed
    assert "ended: the disk is gone" in repr(live)
    assert any("monitoring of live has ended" in r.message for r in caplog.records)


def test_the_end_of_the_stream_ends_it_after_the_last_data(make: Make, events_of: Any) -> None:
    monitor = make()
    live = started(monitor, events_of)
    stream_of(monitor).extend(events_of.make((102 * S, [(5, 1)])))
    stream_of(monitor).over = True
    assert live.wait(DEADLINE_S)
    assert (counts(monitor), live.error) == (2, None)


def test_stop_at_a_transition_ends_it(make: Make, events_of: Any) -> None:
    monitor = make(transition=RunTransitionBehavior.STOP)
    live = started(monitor, events_of)
    stream_of(monitor).extend(events_of.make((102 * S, [(5, 1)])), RunMark(RunMarkKind.END, 7, 100 * S, 0))
    assert live.wait(DEADLINE_S)
    assert counts(monitor) == 2


def test_run_does_the_same_here(make: Make, events_of: Any) -> None:
    monitor = make()
    stream_of(monitor).extend(*opening(), events_of.make((101 * S, [(5, 1)])))
    stream_of(monitor).over = True
    live = LiveMonitor(monitor, monitor.step.names)
    live.run()
    assert (counts(monitor), live.is_running) == (1, False)


# -- several -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [Names("a", "x"), Names("x", "a"), Names("b", "y"), Names("y", "b")])
def test_a_name_of_a_running_monitor_is_refused(make: Make, events_of: Any, names: Names) -> None:
    started(make(names=Names("a", "b")), events_of)
    with pytest.raises(ValueError, match=r"workspace '[ab]' belongs to a running MonitorLiveData"):
        LiveMonitor(make(names=names), names)


def test_names_are_free_again_after_the_end(make: Make, events_of: Any) -> None:
    for _ in range(2):
        live = started(make(), events_of)
        live.cancel()
        assert live.wait(DEADLINE_S)


def test_several_monitors_run_beside_each_other_and_scripts_one_at_a_time(make: Make, events_of: Any) -> None:
    busy: list[str] = []
    overlaps: list[int] = []

    def work(name: str) -> None:
        busy.append(name)
        overlaps.append(len(busy))
        threading.Event().wait(0.002)
        busy.remove(name)

    store = WorkspaceStore()
    monitors = []
    for name in ("a", "b"):
        monitor = make(store=store, names=Names(name, name))
        script = compile_script(f"work({name!r})", f"{name}.py")
        monitor.step.proc = ScriptStage(script, Surroundings({"work": work}))
        started(monitor, events_of)
        monitors.append(monitor)
    assert [live.names.output for live in start.running()] == ["a", "b"]
    for k in range(10):
        for monitor in monitors:
            stream_of(monitor).extend(events_of.make(((102 + k) * S, [(5, 1)])))
        until(lambda k=k: all(counts(m) == k + 2 for m in monitors))  # type: ignore[misc]
    start.cancel_all()
    assert start.running() == []
    assert set(overlaps) == {1}


def test_values_are_counted_by_one_thread_at_a_time(make: Make, events_of: Any) -> None:
    """Counts are remembered between updates; two threads that counted the same would count it twice."""
    monitor = make(post="output = input\ninput.y", names=Names("live", "acc"))
    live = started(monitor, events_of)
    store = monitor.step.store
    shown = store.stamp("live")
    with CountCache.guard:
        stream_of(monitor).extend(events_of.make((102 * S, [(5, 1)])))
        until(lambda: monitor.chunks == 2)
        threading.Event().wait(0.05)  # it would be there by now
        assert store.stamp("live") == shown
    until(lambda: counts(monitor) == 2)
    live.cancel()


def test_reading_in_the_notebook_while_chunks_come_never_counts_anything_twice(make: Make, events_of: Any) -> None:
    post = "output = input\nassert input.y.sum() == input.getNumberEvents()"
    monitor = make(post=post, update_every_s=0.001, names=Names("live", "acc"))
    live = started(monitor, events_of)
    for k in range(2, 200):
        stream_of(monitor).extend(events_of.make(((100 + k) * S, [(5, k)] * 50)))
        found = monitor.step.store["live"]
        assert isinstance(found, EventWorkspace)
        table = found.tables[0]
        whole = EventWorkspace.from_table(table, 0, table.n, found.detectors)
        assert whole.y.sum() == whole.parts[0].b
    until(lambda: counts(monitor) == 1 + 198 * 50)
    assert live.script_error is None
    live.cancel()
