"""The supervisor: parent of recorder and reducer, watcher of scripts, server of the page.

Covers: what `livereduce run` does once the configuration is good. Never runs users' code, never unpickles; what the
children say it reads from files, and what it says itself (`heartbeat.json`) is a file too.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from livereduce import status
from livereduce.config import Config, script_names
from livereduce.status import Heartbeat, ReducerHealth, ScriptProblem, Status
from livereduce.supervisor.page import PageServer
from livereduce.supervisor.processes import Child
from livereduce.supervisor.watcher import WatchedScript

log = logging.getLogger(__name__)

TURN_S = 0.25
LOOK_S = 1.0
RECORDED_STREAMS = {"adara", "isis_events", "kafka"}
"""Streams that need a recorder; a histogram memory holds the total itself and is polled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended: the exit code for the command line, and the reducer's last words."""

    exit_code: int
    ledger: dict[str, Any]


class Supervisor:
    """One running `livereduce run`.

    Parameters
    ----------
    exit_after_runs
        End after so many numbered runs; None = never.
    on_turn
        Called every quarter of a second with the newest reducer health (the demo's status line).
    """

    def __init__(
        self,
        config: Config,
        *,
        exit_after_runs: int | None = None,
        on_turn: Callable[[Supervisor], None] = lambda _: None,
    ) -> None:
        self.config = config
        self._on_turn = on_turn
        self._stop = threading.Event()
        self._started_ns = time.time_ns()
        self._last_look = 0.0
        config.runtime_dir.mkdir(parents=True, exist_ok=True)
        config.state_dir.mkdir(parents=True, exist_ok=True)
        for stale in ("recorder.json", "reducer.json", "heartbeat.json"):
            (config.runtime_dir / stale).unlink(missing_ok=True)
        resolved = config.runtime_dir / "config.json"
        resolved.write_text(config.model_dump_json())
        self.recorder = Child("livereduce.recorder", resolved) if config.listener in RECORDED_STREAMS else None
        counting = ("--counting-from", str(self._started_ns))
        exit_arguments = () if exit_after_runs is None else ("--exit-after-runs", str(exit_after_runs), *counting)
        self.reducer = Child("livereduce.reducer", resolved, exit_arguments)
        self.scripts = self._watched_scripts()
        self.page = PageServer(config, token(config.state_dir, config.web.token), self._actions())
        self._requested: set[str] = set()

    def _watched_scripts(self) -> list[WatchedScript]:
        config = self.config
        proc, post = (config.script_dir / name for name in script_names(config.short_name))
        accepted = config.state_dir / "scripts"
        scripts = [] if config.post_process_only else [WatchedScript("proc", proc, accepted / "proc.py")]
        if config.post_process:
            scripts.append(WatchedScript("post", post, accepted / "post.py"))
        for unused in {"proc", "post"} - {script.stage for script in scripts}:
            (accepted / f"{unused}.py").unlink(missing_ok=True)
        return scripts

    def _actions(self) -> dict[str, Callable[[], None]]:
        return {"restart": lambda: self._requested.add("restart"), "clear": lambda: self._requested.add("clear")}

    # -- life ---------------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Work until a signal comes or the reducer has done what it was asked to."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            self.page.start()
            now = time.monotonic()
            if self.recorder is not None:
                self.recorder.start(now)
            for script in self.scripts:
                script.first_look()
            if self._scripts_usable():
                self.reducer.start(now)
            while not self._stop.is_set() and self.reducer.exit_code != 0:
                self._turn()
                self._stop.wait(TURN_S)
        finally:
            self._end()
        health = self.reducer_health()
        return Outcome(0, dict(health.ledger) if health else {})

    def stop(self) -> None:
        """Ask for an orderly end."""
        self._stop.set()

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _on_hangup(self, _signal: int, _frame: FrameType | None) -> None:
        self._last_look = 0.0

    def _turn(self) -> None:
        now = time.monotonic()
        for child in self._children():
            child.look_after(now)
        if now - self._last_look >= LOOK_S:
            self._last_look = now
            self._look_at_scripts(now)
            self._beat()
        while self._requested:
            self._requested.pop()
            log.info("the reducer begins the run again, as asked")
            self.reducer.restart(now)
        self._on_turn(self)

    def _children(self) -> list[Child]:
        return [child for child in (self.recorder, self.reducer) if child is not None]

    def _end(self) -> None:
        self._beat(stopping=True)
        self.reducer.stop()
        if self.recorder is not None:
            self.recorder.stop()
        self.page.stop()

    # -- scripts ------------------------------------------------------------------------------------------------------

    def _look_at_scripts(self, now: float) -> None:
        changed = {script.stage for script in self.scripts if script.look()}
        if not changed or not self._scripts_usable():
            return
        if self.reducer.pid is None and self.reducer.exit_code is None:
            self.reducer.start(now)
        elif "proc" in changed:
            log.info("the chunk script has changed: reading the run again")
            self.reducer.restart(now)
        else:
            self.reducer.tell(do="swap post")

    def _scripts_usable(self) -> bool:
        """Whether no script is broken from the start; without a good version of it no data may be processed."""
        return not any(script.refused and script.digest is None for script in self.scripts)

    def refused(self) -> ScriptProblem | None:
        """Return the edit that is not used, if there is one."""
        for script in self.scripts:
            if script.refused is not None:
                r = script.refused
                kept = "; the version before it stays in use" if script.digest else "; data are recorded meanwhile"
                return ScriptProblem(r.stage, r.file, r.line, r.message + kept)
        return None

    # -- what is said -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return the present state in words and figures, as the page shows it."""
        return self.page.status()

    def reducer_health(self) -> ReducerHealth | None:
        """Return what the reducer wrote last."""
        try:
            return status.REDUCER.validate_json((self.config.runtime_dir / "reducer.json").read_bytes())
        except FileNotFoundError:
            return None

    def _beat(self, *, stopping: bool = False) -> None:
        heartbeat = Heartbeat(
            pid=os.getpid(),
            written_ns=time.time_ns(),
            started_ns=self._started_ns,
            stopping=stopping,
            restarts=sum(child.restarts for child in self._children()),
            recorder_pid=self.recorder.pid if self.recorder else None,
            reducer_pid=self.reducer.pid,
            memory_bytes=sum(_own_memory(child.pid) for child in self._children()) + _own_memory(os.getpid()),
            script_refused=self.refused(),
            warnings=self.config.warnings,
        )
        path = self.config.runtime_dir / "heartbeat.json"
        beside = path.with_suffix(".tmp")
        beside.write_bytes(status.HEARTBEAT.dump_json(heartbeat))
        os.replace(beside, path)
        # Watchdogs of older installations look at the age of the log file.
        if self.config.log.file.exists():
            os.utime(self.config.log.file)


def _own_memory(pid: int | None) -> int:
    """Anonymous and shared memory of a process; the journal's page cache is not ours to count."""
    if pid is None:
        return 0
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(memory.rss - memory.shared)


def token(state_dir: Path, configured: str | None) -> str:
    """Return the token that changing anything needs: the configured one, else one made at the first start."""
    if configured:
        return configured
    path = state_dir / "token"
    if not path.exists():
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w") as file:
            file.write(secrets.token_urlsafe(24))
        log.info("the token for changing anything through the page is in %s", path)
    return path.read_text().strip()
