"""What the reducer says about itself: one JSON file, replaced at every change of stage, in the shape of `status`."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError

from livereduce import status
from livereduce.config.files import replace_file
from livereduce.errors import ScriptError, encodable
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.monitor import Monitor
from livereduce.reducer.heap import own_memory
from livereduce.sources import BEGIN, Position
from livereduce.status import LogValue, ReducerHealth, ScriptProblem, ScriptUse, Stage

log = logging.getLogger(__name__)

PRINTED_KEPT = 20_000
LOGS_SHOWN = 500
RUNS_SHOWN = 50
IDLE_WRITTEN_NS = 1_000_000_000


class Reporter:
    """Keeps the present health and writes it to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._printed = ""
        self._problems: dict[str, ScriptProblem] = {}  # of the versions in use, by stage
        self._refused: dict[str, ScriptProblem] = {}  # of versions that gave way to the one before them
        self._rates = _Rates()
        self._troubles: dict[str, str] = {}
        self._mute = False
        self._left_out = False
        self.health = ReducerHealth(pid=os.getpid(), written_ns=0, stage_since_ns=time.time_ns())

    def update(self, **changes: object) -> None:
        """Change fields and write the file."""
        self._write(replace(self.health, **changes, written_ns=time.time_ns()))  # type: ignore[arg-type]

    def _write(self, health: ReducerHealth) -> None:
        self.health = health
        try:
            replace_file(self._path, self._as_json(health))
        except OSError as error:
            if not self._mute:  # once: it is written several times a second
                log.error("the health of the reducer cannot be written: %s", error)
            self._mute = True
        else:
            self._mute = False

    def _as_json(self, health: ReducerHealth) -> bytes:
        """Fields that JSON cannot hold are left out: a script's odd object must not make the process look dead."""
        try:
            data = status.REDUCER.dump_json(health)
        except (PydanticSerializationError, ValueError, TypeError) as error:
            if not self._left_out:
                log.error("part of the health of the reducer cannot be written: %s", error)
            self._left_out = True
            return status.REDUCER.dump_json(_writable(health))
        self._left_out = False
        return data

    def stage(self, name: str, position: Position = BEGIN, scripts: Mapping[str, ScriptUse] | None = None) -> None:
        """Say what the process does from now on, up to where it has taken data in, and with which scripts."""
        stage = Stage(name)
        if stage is not self.health.stage:
            self.update(stage=stage, stage_since_ns=time.time_ns(), position=position, scripts=scripts or {})

    def trouble(self, what: str, why: object) -> None:
        """Show that something cannot be done now, until it can be (empty `why`); the log has it once."""
        before = self._troubles.pop(what, "")
        if why:
            self._troubles[what] = encodable(str(why))
            if not before:
                log.error("%s: %s", what, why)
        elif before:
            log.info("%s: possible again", what)

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """Show what went wrong until that stage succeeds again, or where it gave way until the next; logged once."""
        message = error.message if error.in_use else f"{error.message.rstrip('.')}; the version before it stays in use"
        problems = self._problems if error.in_use else self._refused
        before = problems.get(stage)
        same = before is not None and (before.line, before.message) == (error.line, message)
        if before is None or not same:
            log.error("%s\n%s", error, error.traceback)
        since_ns = time.time_ns() if error.in_use else 0
        problems[stage] = ScriptProblem(
            stage=stage,
            file=error.file,
            line=error.line,
            message=message,
            traceback=error.traceback,
            count=before.count + 1 if before is not None and same else 1,
            since_ns=before.since_ns if before is not None and same else since_ns,
        )
        self.update(**self._script_errors())

    def script_succeeded(self, stage: str) -> None:
        """Forget earlier failures of the version in use of this stage."""
        self._problems.pop(stage, None)

    def script_changed(self, stage: str) -> None:
        """Forget the version of this stage that was refused: there is a newer one."""
        self._refused.pop(stage, None)

    def _script_errors(self) -> dict[str, Any]:
        # without a chunk script that works nothing is accumulated, so its failure is the one to mend first
        in_use = dict(self._problems)
        first = in_use.pop("proc", None)
        found = [*([first] if first else []), *self._refused.values(), *in_use.values()]
        return {"script_error": next(iter(found), None), "further_errors": tuple(found[1:])}

    def printed(self, text: str) -> None:
        """Keep the tail of what scripts print."""
        self._printed = (self._printed + encodable(text))[-PRINTED_KEPT:]

    def report(
        self,
        monitor: Monitor,
        *,
        behind_bytes: int,
        reprocess_percent: float | None,
        last_words: bool = False,
        odd: Iterable[str] = (),
        **more: object,
    ) -> None:
        """Write the figures of the present moment; as `last_words` with the accounts of all runs.

        `odd` are warnings besides those of the steps, `more` further fields of the health.
        """
        builder, step = monitor.builder, monitor.step
        account = builder.account
        event_rate, charge_rate = self._rates.per_second(builder)
        now_ns = time.time_ns()
        health = replace(
            self.health,
            written_ns=now_ns,
            run=account.identity.run,
            run_start_ns=account.identity.start_ns or None,
            run_state=builder.state.state.value,
            paused=builder.state.paused,
            title=encodable(str(builder.logs.properties.get("run_title", ""))),
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
            **self._script_errors(),
            script_output=self._printed,
            warnings=(*(f"{what}: {why}" for what, why in self._troubles.items()), *odd, *_counted(step.warnings)),
            latency=dict(step.latency),
            memory_bytes=own_memory(),
            logs=_logs(builder),
            ledger=builder.ledger.as_json(None if last_words else RUNS_SHOWN),
            story=tuple(builder.state.story),
            finished_runs=monitor.finished_runs,
            **more,  # type: ignore[arg-type]
        )
        since_written = now_ns - self.health.written_ns
        if last_words or self._mute or since_written >= IDLE_WRITTEN_NS or _differ(health, self.health):
            self._write(health)


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


def _counted(warnings: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{text} ({n} times)" if n > 1 else text for text, n in warnings.items())


def _differ(new: ReducerHealth, written: ReducerHealth) -> bool:
    """Whether there is anything new but the clock and the last pages of memory."""
    return replace(new, written_ns=written.written_ns, memory_bytes=written.memory_bytes) != written


def _writable(health: ReducerHealth) -> ReducerHealth:
    """Return the health with the default in the place of each field that cannot be written."""
    whole = ReducerHealth(pid=health.pid, written_ns=health.written_ns)
    for field in fields(health):
        tried = replace(whole, **{field.name: getattr(health, field.name)})
        try:
            status.REDUCER.dump_json(tried)
        except (PydanticSerializationError, ValueError, TypeError):
            continue
        whole = tried
    return whole


def _logs(builder: ChunkBuilder) -> dict[str, LogValue]:
    latest = sorted(builder.logs.latest().items())[:LOGS_SHOWN]
    return {
        encodable(name): LogValue(encodable(value) if isinstance(value, str) else value, encodable(units), time_ns)
        for name, (time_ns, value, units) in latest
    }
