"""What the reducer says about itself: one JSON file, replaced at every change of stage, in the shape of `status`."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil

from livereduce import status
from livereduce.config.files import replace_file
from livereduce.errors import ScriptError
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.monitor import Monitor
from livereduce.sources import BEGIN, Position
from livereduce.status import LogValue, ReducerHealth, ScriptProblem, ScriptUse, Stage

log = logging.getLogger(__name__)

PRINTED_KEPT = 20_000
LOGS_SHOWN = 500
RUNS_SHOWN = 50


class Reporter:
    """Keeps the present health and writes it to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._printed: deque[str] = deque()
        self._problems: dict[str, ScriptProblem] = {}
        self._rates = _Rates()
        self._troubles: dict[str, str] = {}
        self._mute = False
        self.health = ReducerHealth(pid=os.getpid(), written_ns=0, stage_since_ns=time.time_ns())

    def update(self, **changes: object) -> None:
        """Change fields and write the file."""
        self.health = replace(self.health, **changes, written_ns=time.time_ns())  # type: ignore[arg-type]
        try:
            replace_file(self._path, status.REDUCER.dump_json(self.health))
        except OSError as error:
            if not self._mute:  # once: it is written several times a second
                log.error("the health of the reducer cannot be written: %s", error)
            self._mute = True
        else:
            self._mute = False

    def stage(self, name: str, position: Position = BEGIN, scripts: Mapping[str, ScriptUse] | None = None) -> None:
        """Say what the process does from now on, up to where it has taken data in, and with which scripts."""
        stage = Stage(name)
        if stage is not self.health.stage:
            self.update(stage=stage, stage_since_ns=time.time_ns(), position=position, scripts=scripts or {})

    def trouble(self, what: str, why: object) -> None:
        """Show that something cannot be done now, until it can be (empty `why`); the log has it once."""
        before = self._troubles.pop(what, "")
        if why:
            self._troubles[what] = str(why)
            if not before:
                log.error("%s: %s", what, why)
        elif before:
            log.info("%s: possible again", what)

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """Show what went wrong until that stage succeeds again; the log has it once."""
        before = self._problems.get(stage)
        same = before is not None and (before.line, before.message) == (error.line, error.message)
        if before is None or not same:
            log.error("%s\n%s", error, error.traceback)
        self._problems[stage] = ScriptProblem(
            stage=stage,
            file=error.file,
            line=error.line,
            message=error.message,
            traceback=error.traceback,
            count=before.count + 1 if before is not None and same else 1,
            since_ns=before.since_ns if before is not None and same else time.time_ns(),
        )
        self.update(script_error=self._problem())

    def script_succeeded(self, stage: str) -> None:
        """Forget earlier failures of this stage."""
        self._problems.pop(stage, None)

    def _problem(self) -> ScriptProblem | None:
        return next(iter(self._problems.values()), None)

    def printed(self, text: str) -> None:
        """Keep the tail of what scripts print."""
        self._printed.append(text)
        while sum(map(len, self._printed)) > PRINTED_KEPT and len(self._printed) > 1:
            self._printed.popleft()

    def report(
        self,
        monitor: Monitor,
        *,
        behind_bytes: int,
        reprocess_percent: float | None,
        last_words: bool = False,
        **more: object,
    ) -> None:
        """Write the figures of the present moment; as `last_words` with the accounts of all runs."""
        builder, step = monitor.builder, monitor.step
        account = builder.account
        event_rate, charge_rate = self._rates.per_second(builder)
        self.update(
            run=account.identity.run,
            run_start_ns=account.identity.start_ns or None,
            run_state=builder.state.state.value,
            paused=builder.state.paused,
            title=str(builder.logs.properties.get("run_title", "")),
            events=account.events,
            event_rate=event_rate,
            pulses=account.pulses,
            charge_pC=account.charge_pc,
            charge_rate_pC=charge_rate,
            newest_data_ns=builder.newest_ns or self.health.newest_data_ns,
            chunks=monitor.chunks,
            behind_bytes=behind_bytes,
            reprocess_percent=reprocess_percent,
            source_error=builder.source.error,
            source_lost_since_ns=builder.source.time_ns if builder.source.error else None,
            script_error=self._problem(),
            script_output="".join(self._printed)[-PRINTED_KEPT:],
            warnings=(*(f"{what}: {why}" for what, why in self._troubles.items()), *_counted(step.warnings)),
            latency=dict(step.latency),
            memory_bytes=_own_memory(),
            logs=_logs(builder),
            ledger=builder.ledger.as_json(None if last_words else RUNS_SHOWN),
            story=tuple(builder.state.story),
            finished_runs=monitor.finished_runs,
            **more,
        )


class _Rates:
    """Events and charge per second of data time, between reports that saw new data of one run."""

    def __init__(self) -> None:
        self._before: tuple[int, int, float, int] | None = None
        self._rates: tuple[float | None, float | None] = (None, None)

    def per_second(self, builder: ChunkBuilder) -> tuple[float | None, float | None]:
        account = builder.account
        now = (account.identity.start_ns, account.events, account.charge_pc, builder.newest_ns)
        before, self._before = self._before, now
        if before is None or before[0] != now[0] or not before[3]:
            self._rates = (None, None)
        elif now[3] > before[3]:
            seconds = (now[3] - before[3]) / 1e9
            self._rates = ((now[1] - before[1]) / seconds, (now[2] - before[2]) / seconds)
        return self._rates


def _own_memory() -> int:
    """Anonymous memory of this process; the journal's page cache and program files are not ours to count."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - memory.shared)


def _counted(warnings: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{text} ({n} times)" if n > 1 else text for text, n in warnings.items())


def _logs(builder: ChunkBuilder) -> dict[str, LogValue]:
    latest = sorted(builder.logs.latest().items())[:LOGS_SHOWN]
    return {name: LogValue(value, units, time_ns) for name, (time_ns, value, units) in latest}
