"""The user's scripts as the reducer runs them: the accepted version, its time limit, and the modules it imports."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from livereduce.config import Config, script_names
from livereduce.errors import ScriptError
from livereduce.live.scripts import Script, ScriptOutcome, compile_script, load_script
from livereduce.live.stages import Surroundings
from livereduce.mantid import simpleapi
from livereduce.mantid.names import missing_names
from livereduce.sources import Position
from livereduce.status import ScriptProblem, ScriptUse
from livereduce.workspaces import Workspace

log = logging.getLogger(__name__)

SHORTEST_LIMIT_S = 30 * 60.0
TIMES_LONGEST = 10.0
ACCEPTED = {"proc": "proc.py", "post": "post.py", "trial": "proc.trial.py"}


@dataclass(slots=True)
class LimitedScript:
    """A script as a stage of the live cycle; it may run for ten times as long as it ever has, or as configured.

    Attributes
    ----------
    passed
        Up to where in the journal it has run through; the owner knows.
    """

    script: Script
    surroundings: Surroundings
    configured_limit_s: float | None
    longest_s: float = 0.0
    passed: Position | None = None

    @property
    def path(self) -> str:
        """File of the script."""
        return self.script.path

    @property
    def limit_s(self) -> float:
        """Time after which it is interrupted, s."""
        return self.configured_limit_s or max(SHORTEST_LIMIT_S, TIMES_LONGEST * self.longest_s)

    @property
    def use(self) -> ScriptUse:
        """What the supervisor has to know."""
        return ScriptUse(self.script.digest, self.limit_s, self.passed)

    def run(self, given: Workspace, output: str) -> ScriptOutcome:
        """See `live.stages.Stage`."""
        began = time.perf_counter()
        outcome = replace(self.surroundings, limit_s=self.limit_s).run(self.script, given, output)
        self.longest_s = max(self.longest_s, time.perf_counter() - began)
        return outcome


@dataclass(frozen=True, slots=True)
class BrokenScript:
    """A script that parses and does not compile (a misplaced ``global``, say): fails whenever it is to run."""

    error: ScriptError

    @property
    def path(self) -> str:
        """File of the script."""
        return self.error.file

    @property
    def problem(self) -> ScriptProblem:
        """What the page has to know."""
        return ScriptProblem("proc", self.error.file, self.error.line, self.error.message)

    def run(self, given: Workspace, output: str) -> ScriptOutcome:
        """See `live.stages.Stage`."""
        raise self.error


class ScriptFolder:
    """Gives the scripts of one configuration.

    Parameters
    ----------
    echo
        Called with what scripts print.
    """

    def __init__(self, config: Config, echo: Callable[[str], None]) -> None:
        self._config = config
        self._surroundings = Surroundings(simpleapi.script_names(), echo=echo)
        self._known: set[str] = set()
        self._missing: dict[str, list[str]] = {}
        self._helpers: dict[str, tuple[str, str]] = {}

    def load(self, which: str) -> LimitedScript | BrokenScript | None:
        """Compile an accepted version (or the one on trial) under the name of the user's own file."""
        accepted = self._config.state_dir / "scripts" / ACCEPTED[which]
        if not accepted.exists():
            return None
        proc, post = script_names(self._config.short_name)
        users_file = self._config.script_dir / (post if which == "post" else proc)
        try:
            script = compile_script(accepted.read_text(encoding="utf-8"), str(users_file))
        except ScriptError as error:
            return BrokenScript(error)
        self._missing[which] = missing_names(script.text, users_file.name)
        for line in self._missing[which]:
            log.warning("%s", line)
        return LimitedScript(script, self._surroundings, self._config.script_limit)

    def warnings(self) -> list[str]:
        """Say which algorithms the scripts in use name that do not exist here; a script may never call them."""
        return [line for which in ("proc", "post") for line in self._missing.get(which, ())]

    def helpers(self) -> Mapping[str, str]:
        """Return the modules that were imported from the script folder: file -> digest of what was imported."""
        new, self._known = sys.modules.keys() - self._known, set(sys.modules)
        folder = str(self._config.script_dir) + os.sep
        for name in new:
            # not getattr: asking some lazy modules for anything imports them
            file = vars(sys.modules[name]).get("__file__") if sys.modules[name] is not None else None
            if isinstance(file, str) and file.startswith(folder) and file.endswith(".py"):
                try:
                    self._helpers[file] = name, load_script(Path(file)).digest
                except ScriptError:  # it was replaced by something unusable just now: its next version counts
                    self._helpers[file] = name, ""
        return {file: digest for file, (_, digest) in self._helpers.items()}

    def forget_helpers(self) -> None:
        """Let the next import of each of these modules read its file again."""
        for name, _ in self._helpers.values():
            sys.modules.pop(name, None)
