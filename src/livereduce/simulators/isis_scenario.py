"""From a few choices (fake or measuring, file, rate, runs, faults) to the servers of a simulated ISIS machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from livereduce.errors import LiveReduceError
from livereduce.simulators.isis_chaos import EventChaos
from livereduce.simulators.isis_memory import Memory, empty_memory, fake_memory, file_memory
from livereduce.simulators.isis_servers import CommandServer, EventServer, FakeEventServer, free_pair
from livereduce.simulators.isis_stream import EventPlan, FrameSource, IsisStream, UniformFrames, file_frames
from livereduce.simulators.serving import Server

LOWEST_STREAM_PORT = 10000
COMMAND_PORT = 6789
"""Where commands are if the stream is not at a port above 10000."""


@dataclass(frozen=True, slots=True)
class IsisScenario:
    """What an ISIS event stream is to send.

    Attributes
    ----------
    plan
        What runs there are; `runs` None = an endless one as Mantid's fake has it, unless there is a file.
    spectra, bins
        Of the histogram memory beside the stream.
    rate
        Events a second.
    file
        Send the counts of this NeXus histogram, once a run, instead.
    """

    plan: EventPlan = field(default_factory=lambda: EventPlan(runs=None))
    spectra: int = 100
    bins: int = 30
    rate: float = 50_000.0
    seed: int = 1
    file: Path | None = None
    chaos: EventChaos = field(default_factory=EventChaos)

    @property
    def as_fake(self) -> bool:
        """Whether Mantid's fake is copied, which measures nothing."""
        return self.plan.runs is None and self.file is None

    def serve(
        self, host: str, port: int, *, wait: bool = True, linger: float = 10.0, epoch_ns: int | None = None
    ) -> IsisMachine:
        """Listen on `port`, 0 for a free one, and for commands on the port that belongs to it.

        Raises
        ------
        LiveReduceError
            A choice that makes no sense, or a file that cannot be used.
        OSError
            The ports are not free.
        """
        if (
            min(self.rate, self.plan.interval, self.plan.run_seconds) <= 0
            or min(self.plan.periods, self.plan.cards) < 1
        ):
            raise LiveReduceError("rate, interval, length of runs, periods and cards have to be greater than 0")
        events = max(1, round(self.rate * self.plan.interval))
        memory = fake_memory(self.plan.periods, self.spectra, self.bins)
        if self.as_fake:
            return IsisMachine(memory, self.chaos, host, port, lambda at, _: FakeEventServer(
                host, at, periods=self.plan.periods, spectra=self.spectra, interval=self.plan.interval, events=events,
                seed=self.seed,
            ))  # fmt: skip
        source: FrameSource = UniformFrames(self.spectra, events, self.seed)
        plan = self.plan
        if self.file is not None:
            source, measurement = file_frames(self.file, self.seed)
            memory = file_memory(self.file)
            plan = replace(
                plan, runs=plan.runs or 1, first_run=measurement.run_number, name=measurement.name[:31], periods=1
            )
        memory = empty_memory(memory)

        def make_stream(begin_ns: int) -> IsisStream:
            return IsisStream(plan, source, memory, begin_ns, self.chaos)

        return IsisMachine(memory, self.chaos, host, port, lambda at, lock: EventServer(
            make_stream, host, at, chaos=self.chaos, lock=lock, wait=wait, linger=linger, epoch_ns=epoch_ns
        ))  # fmt: skip


class IsisMachine:
    """Event stream and command port side by side; a context manager.

    Attributes
    ----------
    events, commands
        The servers; commands may be None.
    """

    def __init__(
        self,
        memory: Memory,
        chaos: EventChaos,
        host: str,
        port: int,
        make: Callable[[int, threading.Lock], FakeEventServer | EventServer],
    ) -> None:
        lock = threading.Lock()
        self.commands: CommandServer | None = None
        if chaos.no_commands:
            self.events = make(port, lock)
        elif port:
            self.commands = CommandServer(memory, host, command_port(port), lock=lock)
            try:
                self.events = make(port, lock)
            except OSError:
                self.commands.stop()
                raise
        else:
            self.events, self.commands = free_pair(
                lambda: make(0, lock), lambda at: CommandServer(memory, host, at, lock=lock)
            )
        self._stack = ExitStack()

    @property
    def address(self) -> str:
        """host:port of the event stream."""
        return self.events.address

    def __enter__(self) -> IsisMachine:
        servers: list[Server] = [self.commands, self.events] if self.commands else [self.events]
        for server in servers:
            self._stack.enter_context(server)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def command_port(port: int) -> int:
    """Give the command port that belongs to an event port."""
    return port + 1 if port > LOWEST_STREAM_PORT else COMMAND_PORT
