"""The stream of an ADARA server as a function of time: pulses, runs, pauses, files, annotations, values.

No clock and no socket: `Sms.advance` writes all that happens up to a time into a `History`. The order of packets is
that of the real server (SMS 1.8.5). Same seed, epoch and plan: same bytes.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from livereduce.protocols.adara import (
    Marker,
    Packet,
    PulseFlag,
    RunState,
    RunStatus,
    StreamAnnotation,
    Sync,
    encode,
)
from livereduce.simulators import chaos as faults
from livereduce.simulators.beamline import Beamline
from livereduce.simulators.bodies import EMPTY, Body, pulse_packets
from livereduce.simulators.chaos import Chaos
from livereduce.simulators.devices import MOVE_EVERY_S, MOVE_S, Devices
from livereduce.simulators.history import Container, File, History
from livereduce.simulators.machine import Machine, Pulse
from livereduce.simulators.metadata import Run, beamline_info, instrument_packets, run_info
from livereduce.simulators.plan import Plan, PulseSource, Tally

SECOND = 1_000_000_000
LATENCY_NS = 50_000_000
"""A pulse is written this long after it happened: the detector electronics and the server take their time."""
CLEANUP_NS = SECOND
"""A container gets its last RunStatus this long after its end."""
SYNC_BYTES = 16 << 20
CONTINUATION = "[NEW RUN FILE CONTINUATION] "


@dataclass(order=True, slots=True)
class _Cue:
    time_ns: int
    order: int
    act: Callable[[int], None] = field(compare=False)


@dataclass(slots=True, eq=False)
class _Progress:
    """Of the run that is on: its numbers of files, and whether it is paused or in a scan."""

    run: Run
    tally: Tally
    mode: int = 1
    file: int = 1
    paused: bool = False
    scans: int = 0
    in_scan: bool = False


class Sms:
    """The simulated server's stream.

    Parameters
    ----------
    beamline, source, machine, devices
        What it serves.
    plan : Plan
    chaos : Chaos
    history : History
    """

    def __init__(
        self,
        beamline: Beamline,
        source: PulseSource,
        machine: Machine,
        devices: Devices,
        plan: Plan,
        chaos: Chaos,
        history: History,
    ) -> None:
        self._beamline, self._source, self._machine, self._devices = beamline, source, machine, devices
        self._plan, self._chaos, self.history = plan, chaos, history
        self._now = machine.epoch_ns
        self._cues: list[_Cue] = []
        self._order = itertools.count()
        self._pulse = 0
        self._progress: _Progress | None = None
        self._runs: list[tuple[Run, Tally]] = []
        self._gap = Tally()
        self._last_sync = 0
        self.finished = False
        epoch = machine.epoch_ns
        described = epoch - 3 * 3600 * SECOND
        self._info = beamline_info(beamline, described)
        self._instrument = instrument_packets(beamline, described)
        self._begin_gap(epoch)
        self._cue(epoch + SECOND, self._new_second)
        self._cue(epoch + round(plan.index_period * SECOND), self._mark)
        if plan.runs != 0:
            self._cue(epoch + round(plan.lead_in * SECOND), self._begin_run)

    # -- time --------------------------------------------------------------------------------------------------------

    def advance(self, until_ns: int) -> None:
        """Write all that is due before a time (Unix ns)."""
        while self._cues[0].time_ns < until_ns:
            cue = heapq.heappop(self._cues)
            self._write_pulses(cue.time_ns - LATENCY_NS)
            self._now = cue.time_ns
            cue.act(cue.time_ns)
        self._write_pulses(until_ns - LATENCY_NS)
        self._now = max(self._now, until_ns)

    def _cue(self, time_ns: int, act: Callable[[int], None]) -> None:
        heapq.heappush(self._cues, _Cue(time_ns, next(self._order), act))

    def _new_second(self, time_ns: int) -> None:
        second = round((time_ns - self._machine.epoch_ns) / SECOND)
        self._write(self._devices.changes(second))
        if self._chaos.malformed:
            self._put([faults.malformed_packet(time_ns)])
        if second % MOVE_EVERY_S == MOVE_S:
            self._begin_scan(time_ns)
        elif second % MOVE_EVERY_S == 0:
            self._end_scan(time_ns)
        self._cue(time_ns + SECOND, self._new_second)

    def _mark(self, time_ns: int) -> None:
        self.history.mark(time_ns, self.snapshot())
        self._cue(time_ns + round(self._plan.index_period * SECOND), self._mark)

    # -- pulses ------------------------------------------------------------------------------------------------------

    def _write_pulses(self, before_ns: int, late: bool = False) -> None:
        """Write the pulses before a time; ``late`` when what comes next divides the stream by time."""
        while (pulse := self._machine.pulse(self._pulse)).time_ns < before_ns:
            following = self._machine.pulse(self._pulse + 1)
            if not self._chaos.backwards_time or self._pulse % 50:
                self._write_pulse(pulse)
            elif following.time_ns < before_ns:
                self._write_pulse(following)
                self._write_pulse(pulse)
                self._pulse += 1
            elif late:
                self._write_pulse(pulse)
            else:
                return
            self._pulse += 1

    def _write_pulse(self, pulse: Pulse) -> None:
        body = EMPTY if pulse.veto else self._next_body(pulse)
        self._emit(pulse, body, 0)
        if self._chaos.duplicate_pulses and self._pulse % 40 == 0 and not pulse.veto:
            self._emit(pulse, self._next_body(pulse)._replace(charge=0), PulseFlag.DUPLICATE_PULSE)
        if self._chaos.unknown_types and self._pulse % 30 == 0:
            self._put([faults.unknown_packets(pulse.time_ns)])

    def _next_body(self, pulse: Pulse) -> Body:
        counting = self._progress is not None and not self._progress.paused
        return self._source.next_body(self._devices.temperature(pulse.time_ns), counting)

    def _emit(self, pulse: Pulse, body: Body, flags: int) -> None:
        progress = self._progress
        tally = self._gap if progress is None else progress.tally
        tally.add(body, progress is not None and progress.paused)
        parts = pulse_packets(pulse, body, flags)
        self._put(parts, unique=len(parts) == 1)

    # -- runs --------------------------------------------------------------------------------------------------------

    def _begin_run(self, time_ns: int) -> None:
        self._write_pulses(time_ns, late=True)
        plan, n = self._plan, len(self._runs)
        whole = time_ns // SECOND * SECOND
        run = Run(plan.first_run + n, whole, time_ns, plan.title, plan.formula)
        tally = Tally()
        self._runs.append((run, tally))
        self._close_later(time_ns, None)
        self._progress = _Progress(run, tally)
        started = StreamAnnotation(time_ns, Marker.GENERIC, f"Run {run.number} Started.")
        self._begin_container(RunState.NEW_RUN, time_ns, [started])
        if self._chaos.oversize:
            self._put(faults.oversize_packet(time_ns), unique=False)
        short = self._chaos.short_run and n == 0
        stop = time_ns + round((faults.SHORT_RUN_S if short else plan.run_seconds) * SECOND)
        pause = time_ns + round(plan.pause_at * SECOND)
        resume = min(pause + round(plan.pause_seconds * SECOND), stop)
        paused = pause < resume
        if paused:
            self._cue(pause, self._pause)
            self._cue(resume, self._resume)
        counting = self._machine.with_neutrons(time_ns, stop)
        self._source.begin_run(counting - paused * self._machine.with_neutrons(pause, resume))
        self._cue_in_run(time_ns + round(plan.rollover * SECOND), self._roll_over)
        self._cue(stop - LATENCY_NS, self._announce_stop)
        self._cue(stop, self._end_run)

    def _cue_in_run(self, time_ns: int, act: Callable[[int], None]) -> None:
        """As `_cue`, unless the run is over by then."""
        progress = self._progress
        if time_ns > self._now:
            self._cue(time_ns, lambda t: act(t) if self._progress is progress else None)

    def _announce_stop(self, time_ns: int) -> None:
        """Say that the run stops, while a few pulses from before the stop are still to come."""
        assert self._progress is not None
        stop = time_ns + LATENCY_NS
        self._end_scan(stop)
        self._write([StreamAnnotation(stop, Marker.GENERIC, f"Run {self._progress.run.number} Stopped.")])

    def _end_run(self, time_ns: int) -> None:
        self._write_pulses(time_ns, late=True)
        self._close_later(time_ns, self._status(RunState.END_RUN, time_ns + CLEANUP_NS))
        self._progress = None
        self._begin_gap(time_ns)
        if self._plan.runs is None or len(self._runs) < self._plan.runs:
            self._cue(time_ns + round(self._plan.gap_seconds * SECOND), self._begin_run)
        else:
            self._cue(time_ns + CLEANUP_NS, self._finish)

    def _finish(self, _time_ns: int) -> None:
        self.finished = True

    def _begin_gap(self, time_ns: int) -> None:
        self._begin_container(RunState.NO_RUN, time_ns, [])

    def _begin_container(self, state: RunState, time_ns: int, annotations: list[Packet]) -> None:
        if self.history.current.files:
            self.history.begin_container()
        self._begin_file(self._status(state, time_ns), annotations)

    def _close_later(self, time_ns: int, last: RunStatus | None) -> None:
        """Leave the container open for late data; so its closing status is later than what follows it."""
        container: Container = self.history.current
        closing = last or RunStatus(time_ns + CLEANUP_NS, 0, 0, RunState.NO_RUN, 0x1001)

        def close(_time_ns: int) -> None:
            self.history.append(container.files[-1], [encode(closing)])
            self.history.close(container)

        self._cue(time_ns + CLEANUP_NS, close)

    # -- pause, files, scans -----------------------------------------------------------------------------------------

    def _pause(self, time_ns: int) -> None:
        progress = self._progress
        assert progress is not None
        self._write_pulses(time_ns, late=True)
        self._write([StreamAnnotation(time_ns, Marker.PAUSE, f"Run {progress.run.number} Paused.")])
        self._write([self._status(RunState.RUN_EOF, time_ns)])
        progress.paused, progress.mode, progress.file = True, progress.mode + 1, 1
        self._begin_file(self._status(RunState.RUN_BOF, time_ns), self._in_force())

    def _resume(self, time_ns: int) -> None:
        progress = self._progress
        assert progress is not None
        self._write_pulses(time_ns, late=True)
        self._write([self._status(RunState.RUN_EOF, time_ns)])
        progress.paused, progress.mode, progress.file = False, progress.mode + 1, 1
        self._begin_file(self._status(RunState.RUN_BOF, time_ns), self._in_force())
        self._write([StreamAnnotation(time_ns - 500_000, Marker.RESUME, f"Run {progress.run.number} Resumed.")])

    def _roll_over(self, time_ns: int) -> None:
        assert self._progress is not None
        self._write_pulses(time_ns, late=True)
        self._write([self._status(RunState.RUN_EOF, time_ns)])
        self._progress.file += 1
        self._begin_file(self._status(RunState.RUN_BOF, time_ns), self._in_force())
        self._cue_in_run(time_ns + round(self._plan.rollover * SECOND), self._roll_over)

    def _begin_scan(self, time_ns: int) -> None:
        progress = self._progress
        if progress is None or progress.in_scan:
            return
        progress.scans += 1
        progress.in_scan = True
        self._write([self._scan_mark(Marker.SCAN_START, time_ns), self._devices.set_scan(time_ns, progress.scans)])

    def _end_scan(self, time_ns: int) -> None:
        progress = self._progress
        if progress is None or not progress.in_scan:
            return
        progress.in_scan = False
        self._write([self._scan_mark(Marker.SCAN_STOP, time_ns), self._devices.set_scan(time_ns, 0)])

    def _scan_mark(self, marker: Marker, time_ns: int, prefix: str = "") -> StreamAnnotation:
        assert self._progress is not None
        paused = "PAUSED " if self._progress.paused else ""
        what = "Started" if marker is Marker.SCAN_START else "Stopped"
        text = f"{prefix}[{paused}Run {self._progress.run.number}] Scan #{self._progress.scans} {what}."
        return StreamAnnotation(time_ns, marker, text, self._progress.scans, reset_hint=True)

    # -- writing -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Say all that is known now, for a client that begins here."""
        status = self._status(RunState.STATE, self._now)
        return b"".join(map(encode, self._head(status, self._in_force())))

    def _status(self, state: RunState, time_ns: int) -> RunStatus:
        progress = self._progress
        number = 0 if state is RunState.STATE else 0x1001
        if progress is None:
            return RunStatus(time_ns, 0, 0, state, number)
        run = progress.run
        if state is RunState.STATE:  # a snapshot never says that the run is paused; the annotation does
            return RunStatus(time_ns, run.number, run.start_ns, state, 0)
        number = progress.mode << 12 | progress.file
        paused_file = progress.file if progress.paused else 0
        return RunStatus(time_ns, run.number, run.start_ns, state, number, progress.paused, paused_file)

    def _in_force(self) -> list[Packet]:
        """Annotations restated at the head of a file or snapshot, with its time."""
        progress = self._progress
        restated: list[Packet] = []
        if progress is not None and progress.paused:
            text = f"{CONTINUATION}Run {progress.run.number} Paused."
            restated.append(StreamAnnotation(self._now, Marker.PAUSE, text))
        if progress is not None and progress.in_scan:
            restated.append(self._scan_mark(Marker.SCAN_START, self._now, CONTINUATION))
        return restated

    def _head(self, status: RunStatus, annotations: list[Packet]) -> list[Packet]:
        info = [] if self._progress is None else [run_info(self._beamline, self._progress.run)]
        return [
            Sync(status.time_ns),
            status,
            *self._devices.declared(),
            *annotations,
            self._info,
            *info,
            *self._instrument,
        ]

    def _begin_file(self, status: RunStatus, annotations: list[Packet]) -> None:
        self.history.begin_file(status.time_ns, status.paused)
        self._last_sync = 0
        sync, *rest = self._head(status, annotations)
        self._write([sync])
        if self._chaos.bad_xml:
            self._put([faults.broken_xml(status.time_ns, status.in_run)])
        self._write(rest)

    def _write(self, packets: Iterable[Packet]) -> None:
        self._put([b"".join(map(encode, packets))])

    def _put(self, parts: list[bytes], unique: bool = True) -> None:
        file: File = self.history.current.files[-1]
        self.history.append(file, parts, unique)
        if file.size - self._last_sync > SYNC_BYTES:
            self._last_sync = file.size
            self.history.append(file, [encode(Sync(self._now, file.size))])

    # -- truth -------------------------------------------------------------------------------------------------------

    def truth(self) -> dict[str, object]:
        """Say what was sent in each run and between runs. Paused events are sent only to who asks for them."""
        runs = [
            {
                "run": run.number,
                "start": datetime.fromtimestamp(run.start_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                **tally.report(),
                "paused_pulses": tally.paused_pulses,
                "paused_events": tally.paused_events,
            }
            for run, tally in self._runs
        ]
        return {"runs": runs, "between_runs": self._gap.report()}
