"""Recorded pulses at their own time: what is given when, and how it falls into chunks."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from livereduce.geometry import load_idf
from livereduce.listeners.base import Connected, Events, GeometryUpdate, Message, MonitorEvents, RunMark, RunMarkKind
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, NobodyWatching, RunTransitionBehavior
from livereduce.live.pacing import PacedListener, run_to_end
from livereduce.workspaces import MatrixWorkspace, WorkspaceStore

S = 1_000_000_000
T0 = 1_000 * S
IDF = """<instrument name="T" xmlns="http://www.mantidproject.org/IDF/1.0">
  <component type="src"><location z="-10"/></component><type name="src" is="Source"/>
  <component type="smp"><location/></component><type name="smp" is="SamplePos"/>
  <component type="det" idlist="d"><location x="1"/></component>
  <type name="det" is="detector"/><idlist idname="d"><id val="5"/></idlist>
</instrument>"""


def opening() -> list[Message]:
    geometry = GeometryUpdate(load_idf(IDF), hashlib.sha256(IDF.encode()).digest())
    return [Connected(1), geometry, RunMark(RunMarkKind.NEW, 7, T0, 0)]


def pulses(events_of: Any, *seconds: float) -> Events:
    """One event in each pulse."""
    made: Events = events_of.make(*((T0 + round(s * S), [(5, 1)]) for s in seconds))
    return made


def times(message: Message | None) -> list[float]:
    assert isinstance(message, Events)
    return [(t - T0) / S for t in message.pulse_time.tolist()]


class Totals(NobodyWatching):
    """Writes down what is shown each time."""

    def __init__(self, store: WorkspaceStore) -> None:
        self._store = store
        self.seen: list[float] = []

    def shown(self, run: int) -> None:
        found = self._store["result"]
        assert isinstance(found, MatrixWorkspace)
        self.seen.append(float(found.y.sum()))


def cycle(paced: PacedListener, update_every_s: float) -> tuple[Monitor, Totals]:
    store = WorkspaceStore()
    totals = Totals(store)
    builder = ChunkBuilder(paced, Ledger(), keep_events=True)
    cadence = Cadence(update_every_s, Method.ADD, RunTransitionBehavior.RESTART)
    return Monitor(builder, LiveStep(store, Names(), None, None), cadence, observer=totals), totals


def test_pulses_are_given_up_to_their_time_and_a_batch_is_split(events_of: Any) -> None:
    paced = PacedListener(events_of.listener([pulses(events_of, 0, 1, 2, 3), pulses(events_of, 4)]))
    paced.now_s = 1.5
    assert times(paced.receive()) == [0, 1]
    assert (paced.receive(), paced.next_s, paced.ended) == (None, 2.0, False)
    paced.now_s = 4.0
    assert times(paced.receive()) == [2, 3]
    assert times(paced.receive()) == [4]
    assert (paced.receive(), paced.next_s, paced.ended) == (None, None, True)


def test_what_follows_a_pulse_that_is_held_waits_behind_it(events_of: Any) -> None:
    end = RunMark(RunMarkKind.END, 7, T0, 0)
    paced = PacedListener(events_of.listener([*opening(), pulses(events_of, 0), pulses(events_of, 9), end]))
    assert [type(paced.receive()).__name__ for _ in range(5)] == [
        "Connected", "GeometryUpdate", "RunMark", "Events", "NoneType",
    ]  # fmt: skip
    paced.now_s = 9.0
    assert times(paced.receive()) == [9]
    assert paced.receive() == end


def test_a_pulse_behind_a_later_one_waits_with_it(events_of: Any) -> None:
    paced = PacedListener(events_of.listener([pulses(events_of, 0, 5, 1, 6)]))
    paced.now_s = 2.0
    assert times(paced.receive()) == [0]
    paced.now_s = 5.0
    assert times(paced.receive()) == [5, 1]


def test_monitors_and_detectors_of_one_batch_do_not_hold_up_each_other(events_of: Any) -> None:
    """A stream gives a batch as the monitors of many pulses, then the detectors of the same pulses."""
    detectors = pulses(events_of, 0, 1, 2, 3)
    monitors = MonitorEvents(
        pulse_time=detectors.pulse_time,
        start=np.arange(5),
        tof=np.ones(4, np.uint32),
        number=np.ones(4, np.uint16),
        keys=None,
    )
    paced = PacedListener(events_of.listener([monitors, detectors, monitors, detectors]))
    seen = []
    for paced.now_s in (1.0, 3.0):
        while (message := paced.receive()) is not None:
            assert isinstance(message, Events | MonitorEvents)
            seen.append((type(message).__name__, message.pulse_time.size))
    pair = [("MonitorEvents", 2), ("Events", 2)]
    assert seen == [*pair, *pair, ("MonitorEvents", 4), ("Events", 4)]
    assert paced.ended


def test_pauses_of_the_other_listener_are_not_passed_on(events_of: Any) -> None:
    """A file gives None between its parts; nothing has to arrive there."""
    paced = PacedListener(events_of.listener([None, pulses(events_of, 0), None, None, pulses(events_of, 0)]))
    assert [times(paced.receive()) for _ in range(2)] == [[0], [0]]


@pytest.mark.parametrize(("update_every", "seen"), [(1.0, [2, 4, 6, 7, 8]), (2.0, [4, 7, 8]), (100.0, [8])])
def test_as_fast_as_possible_data_fall_into_updates_of_their_own_time(
    events_of: Any, update_every: float, seen: list[float]
) -> None:
    """Pulses at 0, 0.6, 1.2, ..., 4.2 s: up to 1 s there are two of them, up to 2 s four, up to 3 s six, ..."""
    every = [round(0.6 * k, 1) for k in range(8)]
    paced = PacedListener(events_of.listener([*opening(), pulses(events_of, *every)]))
    monitor, totals = cycle(paced, update_every)
    run_to_end(monitor, paced)
    assert totals.seen == seen


def test_an_empty_year_is_passed_over_at_once(events_of: Any) -> None:
    year = 365.0 * 86400
    paced = PacedListener(events_of.listener([*opening(), pulses(events_of, 0, year, year + 1)]))
    monitor, totals = cycle(paced, 10.0)
    run_to_end(monitor, paced)
    assert totals.seen[-1] == 3
    assert monitor.chunks <= 4


def test_with_a_speed_data_come_by_the_clock(events_of: Any) -> None:
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += max(seconds, 0.001)

    paced = PacedListener(events_of.listener([*opening(), pulses(events_of, *range(101))]))
    monitor, totals = cycle(paced, 10.0)
    run_to_end(monitor, paced, speed=10.0, clock=lambda: now, wait=wait)
    assert totals.seen[-1] == 101
    # 100 s of data at ten times the pace, an update every second of the clock
    assert now == pytest.approx(10.0, abs=0.3)
    assert 10 <= len(totals.seen) <= 12
