"""Polling a histogram memory, which is a simulated one here, spoken to without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.errors import LiveReduceError
from livereduce.listeners.base import InstrumentInfo, Message, RunInfo, RunMark, RunMarkKind, SourceState, Totals
from livereduce.listeners.isis_histogram import IsisHistogramListener
from livereduce.protocols.isis import Block, BlockDecoder, block
from livereduce.protocols.isis.client import Conversation
from livereduce.protocols.isis.memory import Totals as Read
from livereduce.simulators.isis_memory import JUNK, Memory, empty_memory, fake_memory
from livereduce.workspaces import HistogramWorkspace, WorkspaceGroup

S = 1_000_000_000


class Port:
    """Holds a conversation with a memory, so many requests a step; `error` is what the test says."""

    address = "simulated"

    def __init__(self, memory: Memory, pace: int = 1 << 30) -> None:
        self.memory, self.pace, self.error = memory, pace, ""
        self.asked: list[Block] = []
        self._conversation: Conversation[Read] | None = None

    @property
    def busy(self) -> bool:
        return self._conversation is not None

    def begin(self, make: Callable[[], Conversation[Read]]) -> None:
        self._conversation = make()
        self._request = next(self._conversation)

    def step(self, wait_s: float = 0.0) -> Read | None:
        if self.error:
            return None
        assert self._conversation is not None
        try:
            for _ in range(self.pace):
                (asked,) = BlockDecoder().feed(self._request.data)
                self.asked.append(asked)
                self._request = self._conversation.send(self.memory.reply(asked))
        except StopIteration as ended:
            self._conversation = None
            return ended.value  # type: ignore[no-any-return]
        except LiveReduceError:
            self._conversation = None
            raise
        return None

    def close(self) -> None:
        self._conversation = None


class Clock:
    """Seconds, and the same as time of day."""

    def __init__(self) -> None:
        self.s = 5000.0

    def __call__(self) -> float:
        return self.s

    def ns(self) -> int:
        return int(self.s * S)


def listener(port: Port, clock: Clock | None = None, **wanted: Any) -> IsisHistogramListener:
    clock = clock or Clock()
    return IsisHistogramListener(port, clock=clock, clock_ns=clock.ns, **wanted)


def poll(source: IsisHistogramListener) -> list[Message]:
    """All messages up to the None that ends a poll."""
    found = []
    while (message := source.receive()) is not None:
        found.append(message)
    return found


def totals(found: list[Message]) -> Totals:
    (only,) = [m for m in found if isinstance(m, Totals)]
    return only


def histogram(found: list[Message]) -> HistogramWorkspace:
    workspace = totals(found).workspace
    assert isinstance(workspace, HistogramWorkspace)
    return workspace


def test_the_fakes_page_example_reads_3_in_spectrum_3_and_1003_in_period_2() -> None:
    workspace = totals(poll(listener(Port(fake_memory(periods=2))))).workspace
    assert isinstance(workspace, WorkspaceGroup)
    first, second = workspace.members
    assert isinstance(first, HistogramWorkspace)
    assert isinstance(second, HistogramWorkspace)
    assert (first.y.shape, first.x[0], first.x[-1], len(first.x)) == ((100, 30), 10_000, 13_000, 31)
    assert (first.y[2] == 3).all()
    assert (second.y[2] == 1003).all()
    np.testing.assert_array_equal(second.e2, second.y)


def test_one_poll_gives_totals_once_and_the_next_one_asks_again() -> None:
    port = Port(fake_memory())
    source = listener(port)
    assert [type(m) for m in poll(source)] == [RunMark, InstrumentInfo, Totals]
    assert [type(m) for m in poll(source)] == [InstrumentInfo, Totals]
    assert source.position == (0, 0)


def test_a_large_memory_is_read_in_slices_that_never_block() -> None:
    source = listener(Port(fake_memory(periods=20), pace=3))
    nothing = 0
    while not (found := poll(source)):
        nothing += 1
    assert nothing > 5
    assert totals(found).counts == sum(30 * (1000 * p * 100 + 5050) for p in range(20))


def test_counts_charge_and_frames_of_the_run_go_with_the_workspace() -> None:
    memory = empty_memory(fake_memory(periods=2, spectra=4, bins=3))
    memory.count(1, np.array([0, 3, 3], np.uint32), np.array([10_050, 10_250, 10_251], np.float32))
    memory.charge, memory.frames, memory.run, memory.title = 2.5, 17, 12, "a run"
    found = poll(listener(Port(memory)))
    assert found[0] == RunMark(RunMarkKind.NEW, 12, 5000 * S, 5000 * S)
    assert RunInfo({"run_title": "a run"}) in found
    read = totals(found)
    assert (read.counts, read.pulses, read.charge_pc, read.time_ns) == (3, 17, 2.5 * 3.6e9, 5000 * S)
    assert isinstance(read.workspace, WorkspaceGroup)
    ys = [m.y.tolist() for m in read.workspace.members if isinstance(m, HistogramWorkspace)]
    assert ys == [[[0, 0, 0]] * 4, [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 2]]]
    for period, member in enumerate(read.workspace.members, 1):
        assert isinstance(member, HistogramWorkspace)
        assert member.logs.proton_charge == 2.5
        assert (member.logs["current_period"].value, member.logs["nperiods"].value) == (period, 2)


def test_what_stands_in_spectrum_0_and_channel_0_is_never_seen() -> None:
    memory = empty_memory(fake_memory(spectra=4, bins=3))
    assert memory.first.values[0, 0, 0] == JUNK
    assert totals(poll(listener(Port(memory)))).counts == 0


def test_detectors_go_by_spectrum_number_not_by_place() -> None:
    memory = fake_memory(spectra=10, bins=2)
    memory.detector, memory.spectrum = np.array([100, 101, 102, 103], np.int32), np.array([9, 2, 9, 4], np.int32)
    workspace = histogram(poll(listener(Port(memory), spectra=[9, 4, 4, 3])))
    assert workspace.spectra.numbers.tolist() == [3, 4, 9]
    assert [workspace.spectra.detector_ids(i).tolist() for i in range(3)] == [[], [103], [100, 102]]


def test_monitors_come_as_the_attached_workspace_with_their_own_channels() -> None:
    workspace = histogram(poll(listener(Port(fake_memory(spectra=4, bins=3)))))
    monitors = workspace.monitors
    assert isinstance(monitors, HistogramWorkspace)
    assert (monitors.y.shape, monitors.x.tolist()) == ((3, 6), [10_000 + 10 * k for k in range(7)])
    assert monitors.y[:, 0].tolist() == [5, 6, 7]
    assert monitors.spectra.is_monitor(monitors.detectors).all()
    assert not workspace.spectra.is_monitor(workspace.detectors).any()


def test_exactly_one_wanted_period_is_a_workspace_of_its_own() -> None:
    workspace = histogram(poll(listener(Port(fake_memory(periods=5)), periods=[3])))
    assert workspace.y[0, 0] == 2001


def test_a_detector_listed_twice_is_one_detector() -> None:
    memory = fake_memory(spectra=3, bins=2)
    memory.detector = np.array([7, 7, 8, 9, 9, 9], np.int32)
    assert histogram(poll(listener(Port(memory)))).detectors.ids.tolist() == [7, 8, 9]


def marks(found: list[Message]) -> list[tuple[int, int]]:
    return [(m.run, m.start_ns // S) for m in found if isinstance(m, RunMark)]


def measuring(run: int | None = 12) -> Memory:
    memory = empty_memory(fake_memory(spectra=4, bins=3))
    memory.run = run
    add(memory, 5)
    return memory


def add(memory: Memory, counts: int) -> None:
    memory.count(0, np.zeros(counts, np.uint32), np.full(counts, 10_050, np.float32))
    memory.charge += 0.5 * counts


def test_another_run_number_is_another_run_and_comes_before_its_totals() -> None:
    memory, clock = measuring(), Clock()
    source = listener(Port(memory), clock)
    assert marks(poll(source)) == [(12, 5000)]
    add(memory, 3)
    assert marks(poll(source)) == []
    memory.clear()
    memory.run, clock.s = 13, 5030.0
    found = poll(source)
    assert marks(found) == [(13, 5030)]
    assert totals(found).counts == 0


@pytest.mark.parametrize("what", ["counts", "charge"])
def test_where_no_run_number_is_told_totals_that_fall_are_another_run(what: str) -> None:
    memory, clock = measuring(None), Clock()
    source = listener(Port(memory), clock)
    assert marks(poll(source)) == [(0, 5000)]
    clock.s += 30
    if what == "counts":
        memory.first.values[:, :, 1:] //= 2
    else:
        memory.charge -= 0.25
    assert marks(polled(source)) == [(0, 5030)]
    add(memory, 1)
    assert marks(poll(source)) == []


def polled(source: IsisHistogramListener) -> list[Message]:
    """Poll until there are totals: where they fall the tables are read again first."""
    while not (found := poll(source)):
        pass
    return found


def test_a_run_begun_again_under_its_number_is_another_run() -> None:
    memory, clock = measuring(), Clock()
    source = listener(Port(memory), clock)
    poll(source)
    memory.clear()
    clock.s += 30
    assert marks(polled(source)) == [(12, 5030)]


def test_when_a_run_began_is_known_by_its_duration() -> None:
    memory = measuring()
    numbers = np.zeros(32, np.int32)
    numbers[12] = 600
    memory.others["RPB"] = block("OK", numbers)
    assert marks(poll(listener(Port(memory)))) == [(12, 4400)]


def test_periods_and_spectra_may_change_in_mid_run_without_a_new_run() -> None:
    memory = measuring()
    port = Port(memory)
    source = listener(port)
    poll(source)
    larger = empty_memory(fake_memory(periods=3, spectra=6, bins=3))
    larger.run, larger.charge = 12, memory.charge
    port.memory = larger
    found = poll(source)
    assert marks(found) == []
    workspace = totals(found).workspace
    assert isinstance(workspace, WorkspaceGroup)
    assert [m.y.shape for m in workspace.members if isinstance(m, HistogramWorkspace)] == [(6, 3)] * 3
    port.memory = memory
    found = poll(source)
    assert marks(found) == []
    assert histogram(found).y.shape == (4, 3)


def test_wanted_spectra_that_are_not_there_are_said_once_and_asked_for_again_later() -> None:
    clock, port = Clock(), Port(fake_memory(spectra=4))
    source = listener(port, clock, spectra=[2, 99])
    assert poll(source) == [SourceState("spectra [99] are wanted, the data acquisition has 7", 5000 * S)]
    asked = len(port.asked)
    assert poll(source) == []
    assert len(port.asked) == asked
    clock.s += 6
    assert poll(source) == []
    assert len(port.asked) > asked
    port.memory = fake_memory(spectra=120)
    clock.s += 6
    found = poll(source)
    assert found[0] == SourceState("", 5012 * S)
    assert totals(found).counts == 30 * (2 + 99)


def test_a_source_that_does_not_answer_is_said_with_the_time_since_when() -> None:
    clock, port = Clock(), Port(fake_memory())
    source = listener(port, clock)
    poll(source)
    port.error = "connection refused"
    assert poll(source) == [SourceState("connection refused", 5000 * S)]
    clock.s += 10
    port.error = "no route to host"
    assert poll(source) == [SourceState("no route to host", 5000 * S)]
    port.error = ""
    clock.s += 1
    assert poll(source)[0] == SourceState("", 5011 * S)
