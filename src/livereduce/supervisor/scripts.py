"""The user's scripts and the modules they import: what a change of one of them calls for.

A post-processing script is swapped in place. A chunk script is tried on the last chunk first, in a scratch process
made by the reducer, and read the run again with when it passes. A module that scripts import from their folder is used
by whoever imported it, so a changed one means a fresh reducer, which imports it afresh. Does not cover: noticing
changes (`watcher`), carrying out what is called for (`daemon`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from livereduce.config import Config, script_names
from livereduce.config.files import replace_file
from livereduce.status import ReducerHealth, ScriptProblem, Stage
from livereduce.supervisor.watcher import Refused, WatchedScript

log = logging.getLogger(__name__)

TRIAL_FILE = "proc.trial.py"
TRIAL_BEGINS_WITHIN_S = 30.0
"""A reducer that is busy for longer, and for longer than two steps take, cannot try a script: it is taken as it is,
because the mend may be in it."""


class Change(Enum):
    """What the reducer has to do because a script changed."""

    RESTART = "begin the run again"
    SWAP_POST = "swap post"
    TRY_PROC = "try proc"


class Scripts:
    """The scripts of one configuration.

    Attributes
    ----------
    trouble
        Why an accepted version cannot be kept; empty when it can.
    """

    def __init__(self, config: Config) -> None:
        self.trouble = ""
        self._folder = config.state_dir / "scripts"
        self._scripts = _watched(config, self._folder)
        self._helpers: dict[str, WatchedScript] = {}
        self._helpers_of: int | None = None
        self._trial: _Asked | None = None
        self._trials = 0
        self._helper_changed = False

    def first_look(self) -> None:
        """Accept what is there at start; on a full disk, as soon as there is room."""
        for unused in {"proc", "post"} - self._scripts.keys():
            (self._folder / f"{unused}.py").unlink(missing_ok=True)
        try:
            for script in self._scripts.values():
                script.first_look()
        except OSError as error:
            self.trouble = f"the scripts cannot be taken up yet: {error}"

    def fetch(self) -> None:
        """Read all files for the next look; may be called in another thread."""
        for script in (*self._scripts.values(), *list(self._helpers.values())):
            script.fetch()

    @property
    def usable(self) -> bool:
        """Whether data may be processed: not without a chunk script that works, where there is one."""
        broken = any(script.refused and script.digest is None for script in self._scripts.values())
        proc = self._scripts.get("proc")
        return not broken and not self.trouble and (proc is None or proc.banned is None)

    def look(self, now: float, health: ReducerHealth | None) -> list[Change]:
        """Look at what was fetched of all files; say what has to be done.

        Parameters
        ----------
        health
            What the running reducer said last; None = there is none running.
        """
        for script in self._scripts.values():
            script.look()
        self._look_at_helpers(health)
        try:
            changes = [*self._post_changes(), *self._proc_changes(now, health)]
        except OSError as error:
            changes, self.trouble = [], f"a changed script cannot be taken up yet: {error}"
            return changes
        self.trouble = ""
        return changes

    def ban(self, stage: Stage, how: str) -> None:
        """Do not run the script of this stage until it changes."""
        script = self._scripts[stage]
        meanwhile = "data are recorded meanwhile" if stage is Stage.PROC else "the accumulation is shown without it"
        script.ban(f"the process died twice while this script ran, {how}; it is not run until it changes; {meanwhile}")
        if script.accepted is not None:
            script.accepted.unlink(missing_ok=True)

    def lift_bans(self) -> None:
        """Give banned scripts another chance, because a person asks for it."""
        for script in self._scripts.values():
            if script.banned is not None:
                script.banned, script.digest = None, None
                script.first_look()

    def roll_back(self) -> bool:
        """Take the versions before those in use; tell whether there are any."""
        rolled_back = [script.roll_back() for script in self._scripts.values()]
        return any(rolled_back)

    def warnings(self) -> list[str]:
        """Say what is odd and not wrong."""
        names = [script.path.name for script in self._scripts.values() if script.rolled_back]
        said = [
            f"{name}: the version before the last save is in use, as asked; the next save ends that" for name in names
        ]
        return [*said, *([self.trouble] if self.trouble else [])]

    def problem(self) -> ScriptProblem | None:
        """Return the script or the edit that is not used, if there is one."""
        for script in (*self._scripts.values(), *self._helpers.values()):
            if script.refused is not None:
                kept = "; the version before it stays in use" if script.digest else "; data are recorded meanwhile"
                return _problem(script.refused, kept)
            if script.banned is not None:
                return _problem(script.banned, "")
        return None

    # -- what changed -------------------------------------------------------------------------------------------------

    def _post_changes(self) -> list[Change]:
        post = self._scripts.get("post")
        if post is None or post.candidate is None:
            return []
        post.accept()
        return [Change.SWAP_POST]

    def _proc_changes(self, now: float, health: ReducerHealth | None) -> list[Change]:
        """Deal with the chunk script and the modules; a module waits for a chunk script that was saved with it."""
        proc = self._scripts.get("proc")
        if proc is not None and proc.candidate is not None:
            if self._to_be_tried(proc, now, health):
                return [Change.TRY_PROC]
            if not self._verdict(proc, now, health):
                return []
            log.info("%s has changed: reading the run again", proc.path)
            self._helper_changed = False
            return [Change.RESTART]
        if self._helper_changed and (proc is None or not proc.settling):
            self._helper_changed = False
            return [Change.RESTART]
        return []

    def _to_be_tried(self, proc: WatchedScript, now: float, health: ReducerHealth | None) -> bool:
        assert proc.candidate is not None
        if health is None or (self._trial is not None and self._trial.digest == proc.candidate.digest):
            return False
        replace_file(self._folder / TRIAL_FILE, proc.candidate.text.encode())
        self._trials += 1
        self._trial = _Asked(self._trials, proc.candidate.digest, health.pid, now)
        return True

    @property
    def trial_number(self) -> int:
        """Number of the last trial that was asked for."""
        return self._trials

    def _verdict(self, proc: WatchedScript, now: float, health: ReducerHealth | None) -> bool:
        """Accept or refuse the candidate, or wait; tell whether it was accepted.

        Without a reducer that could try it, it is accepted as it is.
        """
        asked = self._trial
        if asked is not None and health is not None and health.pid == asked.pid:
            trial = health.trial
            if trial is None or trial.number != asked.number:
                if now - asked.at < max(TRIAL_BEGINS_WITHIN_S, 2 * sum(health.latency.values())):
                    return False
                log.warning("%s: the reducer is busy, so the change is taken up without a trial", proc.path)
            elif trial.verdict == "running":
                return False
            elif trial.problem is not None:
                self._trial = None
                proc.refuse(trial.problem.line, f"{trial.problem.message.rstrip('.')} (tried on the last chunk)")
                return False
        self._trial = None
        proc.accept()
        return True

    # -- modules ------------------------------------------------------------------------------------------------------

    def _look_at_helpers(self, health: ReducerHealth | None) -> None:
        if health is not None:
            if health.pid != self._helpers_of:
                self._helpers, self._helpers_of = {}, health.pid
            for file, digest in health.helpers.items():
                if file not in self._helpers:
                    self._helpers[file] = WatchedScript("helper", Path(file), None, digest)
        for helper in self._helpers.values():
            if helper.look():
                log.info("%s, which a script imports, has changed: reading the run again with it", helper.path)
                helper.accept()
                self._helper_changed = True
                self._try_again()

    def _try_again(self) -> None:
        """Give another chance to what was refused or banned: the reason may have been in a module."""
        for script in self._scripts.values():
            script.reconsider()
        self.lift_bans()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A trial the reducer with this process ID was asked for."""

    number: int
    digest: str
    pid: int
    at: float


def _watched(config: Config, accepted: Path) -> dict[str, WatchedScript]:
    proc, post = (config.script_dir / name for name in script_names(config.short_name))
    scripts = {} if config.post_process_only else {"proc": WatchedScript("proc", proc, accepted / "proc.py")}
    if config.post_process:
        scripts["post"] = WatchedScript("post", post, accepted / "post.py")
    return scripts


def _problem(refused: Refused, kept: str) -> ScriptProblem:
    return ScriptProblem(refused.stage, refused.file, refused.line, refused.message.rstrip(".") + kept)
