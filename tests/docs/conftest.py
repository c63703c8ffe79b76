"""Streams whose every event is written down, and the live cycle that takes the documentation's scripts through them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.errors import ScriptError
from livereduce.geometry import load_idf
from livereduce.listeners.base import (
    Connected,
    Events,
    GeometryUpdate,
    InstrumentInfo,
    Listener,
    LogValues,
    Message,
    MonitorEvents,
    RunInfo,
    RunMark,
    RunMarkKind,
)
from livereduce.live.cuts import CutRecord
from livereduce.live.pacing import PacedListener, run_to_end
from livereduce.sources import Position
from livereduce.testing import facade, live_cycle
from livereduce.workspaces import Workspace, WorkspaceStore

BEGIN_NS = 1_767_225_600_000_000_000
"""2026-01-01, the start of the run."""
PULSES = 60
PULSE_CHARGE_PC = 2.0e7
"""60 pulses of 2e7 pC: a third of a microampere hour in each chunk."""
RUN = 4711


class Written:
    """A stream that is a list of messages."""

    name = "written"
    supports_history = True
    buffers_events = True

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = deque(messages)
        self._given = 0

    def receive(self, until: Position | None = None) -> Message | None:
        if not self._messages or (until is not None and self.position >= until):
            return None
        self._given += 1
        return self._messages.popleft()

    @property
    def position(self) -> Position:
        return Position(0, self._given)

    @property
    def ended(self) -> bool:
        return not self._messages

    def close(self) -> None:
        self._messages.clear()


class Stream:
    """Chunks of one second each on an instrument given by its definition."""

    def __init__(self, idf: str) -> None:
        self.chunks = 0
        self.messages: list[Message] = [
            Connected(1),
            InstrumentInfo("TEST", "TEST", ""),
            GeometryUpdate(load_idf(idf), b"idf"),
            RunInfo({"run_title": "written down"}),
            RunMark(RunMarkKind.NEW, RUN, BEGIN_NS, BEGIN_NS),
        ]

    def chunk(
        self,
        detectors: Mapping[int, Sequence[float]],
        monitors: Mapping[int, Sequence[float]] | None = None,
        logs: Mapping[str, float] | None = None,
    ) -> Stream:
        """Add a chunk: times of flight (µs) by detector ID, by monitor number, and values of logs at its start."""
        start = BEGIN_NS + self.chunks * 1_000_000_000
        # between 0.01 s and 0.9 s of the second, but for the first pulse of all, from which the cycle counts
        pulses = start + 10_000_000 + np.arange(PULSES) * 15_000_000
        if not self.chunks:
            pulses[0] = start
        self.chunks += 1
        for name, value in (logs or {}).items():
            self.messages.append(LogValues(name, np.array([start]), np.array([float(value)]), "K"))
        ids, tof, first = _spread(detectors)
        self.messages.append(
            Events(pulses, np.full(PULSES, PULSE_CHARGE_PC), first, tof, ids.astype(np.uint32), keys=None)
        )
        if monitors:
            numbers, tof, first = _spread(monitors)
            self.messages.append(MonitorEvents(pulses, first, tof, numbers.astype(np.uint16), keys=None))
        return self

    def listener(self) -> Listener:
        return Written(self.messages)


def _spread(times: Mapping[int, Sequence[float]]) -> tuple[Any, Any, Any]:
    """IDs, ticks of 100 ns and the first event of each pulse: events are dealt out to the pulses in turn."""
    ids = np.concatenate([np.full(len(t), i) for i, t in times.items()])
    ticks = np.concatenate([np.rint(np.asarray(t, float) * 10) for t in times.values()]).astype(np.uint32)
    order = np.argsort(np.arange(len(ids)) % PULSES, kind="stable")
    counts = np.bincount(np.arange(len(ids)) % PULSES, minlength=PULSES)
    return ids[order], ticks[order], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@dataclass(slots=True)
class Outcome:
    """What a pair of scripts has made of a stream."""

    output: Any
    accumulation: Any
    store: WorkspaceStore
    printed: str
    shown: list[Workspace] = field(default_factory=list)


class _Watching:
    """Raises what scripts raised; keeps a copy of every result."""

    def __init__(self) -> None:
        self.result: Callable[[], Workspace | None] = lambda: None
        self.shown_so_far: list[Workspace] = []

    def stage(self, name: str) -> None: ...

    def script_failed(self, stage: str, error: ScriptError) -> None:
        raise error

    def script_succeeded(self, stage: str) -> None: ...

    def shown(self, run: int) -> None:
        result = self.result()
        if run and result is not None:
            self.shown_so_far.append(result.clone())

    def settled(self, record: CutRecord) -> None: ...


def _run(listener: Listener, proc: Path | str | None, post: Path | str | None, *, every: float = 1.0) -> Outcome:
    printed: list[str] = []
    watching = _Watching()
    with facade(proc, post) as store:
        paced = PacedListener(listener)
        monitor = live_cycle(paced, proc, post, update_every_s=every, observer=watching, echo=printed.append)
        watching.result = lambda: monitor.step.output
        run_to_end(monitor, paced)
        paced.close()
        return Outcome(monitor.step.output, monitor.step.accumulation, store, "".join(printed), watching.shown_so_far)


@pytest.fixture
def through_scripts() -> Callable[..., Outcome]:
    """Take a listener's stream through two scripts, chunks of a second (of `every` seconds)."""
    return _run


@pytest.fixture
def stream() -> type[Stream]:
    """To write streams with."""
    return Stream


@pytest.fixture(scope="session")
def examples() -> Path:
    """Folder of the documentation's scripts."""
    return Path(__file__).parents[2] / "examples"


@pytest.fixture
def pair(examples: Path) -> Callable[[str], tuple[Path, Path]]:
    """Chunk and post-processing script of an example, by its folder."""

    def find(folder: str) -> tuple[Path, Path]:
        (proc,) = (examples / folder).glob("reduce_*_live_proc.py")
        (post,) = (examples / folder).glob("reduce_*_live_post_proc.py")
        return proc, post

    return find
