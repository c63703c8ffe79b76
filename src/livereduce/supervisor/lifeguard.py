"""Whether the children are alive, and what their deaths mean: read from the files they leave.

The clock by which something has hung for too long is the supervisor's own, which nobody sets; the children's health
only has to stay the same. Does not cover: the rules (`deaths`), starting and stopping (`processes`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from livereduce import status
from livereduce.status import ReducerHealth, Stage
from livereduce.supervisor.deaths import SCRIPT_STAGES, Ban, Death, DeathRules, LookCloser, Place, Skip
from livereduce.supervisor.processes import End, RestartBudget

log = logging.getLogger(__name__)

BEGIN = Place(0, 0)
AFTER_LIMIT_S = 10.0
"""A script is interrupted at its limit; one that goes on in spite of that ends with its process so much later."""
REDUCER_SILENT_S = 1800.0
RECORDER_SILENT_S = 30.0
"""It reports twice a second, whatever the network does."""


@dataclass(slots=True)
class Unchanged:
    """How long something has been the same."""

    _last: object = None
    _since: float = 0.0

    def seconds(self, now: float, value: object) -> float:
        """Give the s since `value` was first what it is now."""
        if value != self._last:
            self._last, self._since = value, now
        return now - self._since


@dataclass(slots=True)
class Lifeguard:
    """Looks at the children of one session.

    Parameters
    ----------
    runtime_dir, state_dir
        Where the children leave their files, and where records to skip are written down.
    """

    runtime_dir: Path
    state_dir: Path
    rules: DeathRules = field(default_factory=DeathRules)
    reducer_budget: RestartBudget = field(default_factory=RestartBudget)
    recorder_budget: RestartBudget = field(default_factory=RestartBudget)
    _stage: Unchanged = field(default_factory=Unchanged)
    _reducer: Unchanged = field(default_factory=Unchanged)
    _recorder: Unchanged = field(default_factory=Unchanged)
    _furthest: Place = BEGIN

    # -- health -------------------------------------------------------------------------------------------------------

    def reducer_health(self, pid: int | None = None) -> ReducerHealth | None:
        """Return what the reducer wrote last; with `pid` only what that process wrote."""
        try:
            health = status.REDUCER.validate_json((self.runtime_dir / "reducer.json").read_bytes())
        except (OSError, ValidationError):  # not there yet, or a full disk made a mixture of it for a moment
            return None
        return health if pid is None or health.pid == pid else None

    def _recorder_bytes(self, pid: int) -> int:
        try:
            health = status.RECORDER.validate_json((self.runtime_dir / "recorder.json").read_bytes())
        except (OSError, ValidationError):
            return 0
        return health.bytes if health.pid == pid else 0

    # -- what hangs ---------------------------------------------------------------------------------------------------

    def reducer_hangs(self, now: float, pid: int) -> str:
        """Say why the reducer has to be killed; empty when it need not."""
        health = self.reducer_health(pid)
        if health is None:
            return ""
        in_stage = self._stage.seconds(now, (pid, health.stage, health.stage_since_ns))
        silent = self._reducer.seconds(now, (pid, _changed_ns(self.runtime_dir / "reducer.json")))
        if health.stage in SCRIPT_STAGES:
            use = health.scripts.get(health.stage)
            if use is not None and use.limit_s is not None and in_stage > use.limit_s + AFTER_LIMIT_S:
                return f"its {health.stage} script goes on {AFTER_LIMIT_S:.0f} s after the limit of {use.limit_s:g} s"
            return ""
        return f"it has said nothing for {silent:.0f} s in stage {health.stage}" if silent > REDUCER_SILENT_S else ""

    def recorder_hangs(self, now: float, pid: int) -> str:
        """Say why the recorder has to be killed; empty when it need not."""
        silent = self._recorder.seconds(now, (pid, _changed_ns(self.runtime_dir / "recorder.json")))
        return f"it has not reported for {silent:.0f} s" if silent > RECORDER_SILENT_S else ""

    # -- deaths -------------------------------------------------------------------------------------------------------

    def recorder_died(self, end: End, now: float) -> bool:
        """Take note of an end of the recorder; tell whether to give up."""
        received = self._recorder_bytes(end.pid)
        return self.recorder_budget.spent(now, progress=received > 0)

    def reducer_died(self, end: End, now: float) -> tuple[Ban | LookCloser | Skip | None, bool]:
        """Take note of an end of the reducer; say what has to be done about it and whether to give up."""
        health = self.reducer_health(end.pid)
        if health is None:
            return None, self.reducer_budget.spent(now, progress=False)
        position = Place(*health.position)
        progress, self._furthest = position > self._furthest, max(position, self._furthest)
        verdict = self.rules.judge(self._death(end, health))
        if isinstance(verdict, Skip):
            self._note_skip(verdict)
        # a script that is held leaves nothing to die of; the next record, or none, may be as fatal as the last
        progress |= isinstance(verdict, Ban) or end.lived_s > self.reducer_budget.window_s
        return verdict, self.reducer_budget.spent(now, progress=progress)

    def forget(self) -> None:
        """Begin anew, because a person asks for it."""
        self.rules.forget()
        self.reducer_budget.renew()

    def _death(self, end: End, health: ReducerHealth) -> Death:
        use = health.scripts.get(health.stage)
        decoding, exact = self._decoding()
        return Death(
            stage=health.stage,
            position=Place(*health.position),
            digest=use.digest if use else None,
            passed=Place(*use.passed) if use and use.passed else None,
            decoding=decoding,
            exact=exact,
            by_someone_else=end.by_someone_else,
        )

    def _decoding(self) -> tuple[Place | None, bool]:
        """Read what the reducer noted before it decoded: segment, offset, and whether one record begins there."""
        try:
            segment, offset, exact = map(int, (self.runtime_dir / "decoding").read_text().split())
        except (OSError, ValueError):
            return None, False
        return Place(segment, offset), bool(exact)

    def _note_skip(self, skip: Skip) -> None:
        log.error("the record at %s of the journal ended the reducer twice; it is skipped", skip.record)
        try:
            with (self.state_dir / "skipped").open("a") as file:
                file.write(f"{skip.record}\n")
        except OSError as error:
            log.error("that cannot be noted: %s", error)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def where_it_died(health: ReducerHealth | None) -> str:
    """Say where the reducer was when it ended."""
    if health is None:
        return "before it said anything"
    return "while idle" if health.stage is Stage.IDLE else f"in stage {health.stage}"
