"""The supervisor: parent of recorder and reducer, watcher of scripts and configuration, server of the page.

Covers: what `livereduce run` does once the configuration is good. Never runs users' code, never unpickles; what the
children say it reads from files, and what it says itself (`heartbeat.json`) is a file too.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from livereduce import status
from livereduce.config import Config
from livereduce.config.files import replace_file
from livereduce.errors import ConfigError
from livereduce.status import Heartbeat, ReducerHealth, Stage, Status
from livereduce.supervisor.configuration import WatchedConfig
from livereduce.supervisor.deaths import Ban, LookCloser, Skip
from livereduce.supervisor.history import HistoryWriter
from livereduce.supervisor.lifeguard import Lifeguard, where_it_died
from livereduce.supervisor.memory import MemoryWatch, Relief, limit_bytes
from livereduce.supervisor.notify import notify
from livereduce.supervisor.page import PageServer
from livereduce.supervisor.processes import Child, End, stop
from livereduce.supervisor.reading import HURRIED_S, Reading
from livereduce.supervisor.scripts import Change, Scripts

log = logging.getLogger(__name__)

TURN_S = 0.25
LOOK_S = 1.0
GAVE_UP = 3
"""Exit code when the restart budget is spent."""
REST_S = 600.0
"""So much later a reducer that has spent its budget is tried once more, while the recorder goes on."""
WRONG_CONFIGURATION = 2
RECORDED_STREAMS = {"adara", "isis_events", "kafka"}
"""Streams that need a recorder; a histogram memory holds the total itself and is polled."""
NO_FURTHER = "the reducer ended again and again without getting further"
ROOM_WANTED = 1 << 30
"""With less room on the disk of the journal than this, in bytes, the page says so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended.

    Attributes
    ----------
    exit_code
        For the command line.
    ledger
        The reducer's last words.
    changed
        The new configuration because of which it ended; None for any other reason.
    """

    exit_code: int
    ledger: dict[str, Any]
    changed: Config | None = None


@dataclass(slots=True)
class Stop:
    """Whether the end is asked for; not a `threading.Event`, whose lock a signal handler may find held."""

    asked: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """The reducer is not started before `until_ns`, Unix ns."""

    why: str
    until_ns: int


class Supervisor:
    """One running `livereduce run` with one configuration.

    Parameters
    ----------
    exit_after_runs
        End after so many numbered runs; None = never.
    counting_from_ns
        When to begin to count them, Unix ns; default: now.
    on_turn
        Called every quarter of a second (the demo's status line).
    reload
        Reads the configuration's file again when it has changed; None = it is not watched.
    stop
        What signals ask for; shared by the sessions that follow each other in one process.
    """

    def __init__(
        self,
        config: Config,
        *,
        exit_after_runs: int | None = None,
        counting_from_ns: int | None = None,
        on_turn: Callable[[Supervisor], None] = lambda _: None,
        reload: Callable[[], Config] | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.config = config
        self._on_turn = on_turn
        self._stop = stop or Stop()
        self._started_ns = time.time_ns()
        self._next_look = self._next_memory = 0.0
        self._hurry = False
        self._for_runs = exit_after_runs is not None
        self._rest: Rest | None = None
        self._exit_code: int | None = None
        self._changed: Config | None = None
        _make_folders(config)
        for stale in ("recorder.json", "reducer.json", "heartbeat.json", "decoding"):
            (config.runtime_dir / stale).unlink(missing_ok=True)
        resolved = config.runtime_dir / "config.json"
        replace_file(resolved, config.model_dump_json().encode())
        counting = ("--counting-from", str(counting_from_ns or self._started_ns))
        exit_arguments = () if exit_after_runs is None else ("--exit-after-runs", str(exit_after_runs), *counting)
        self.recorder = Child("livereduce.recorder", resolved) if config.listener in RECORDED_STREAMS else None
        self.reducer = Child("livereduce.reducer", resolved, exit_arguments)
        self.guard = Lifeguard(config.runtime_dir, config.state_dir)
        self.scripts = Scripts(config)
        self._file = WatchedConfig(config.source if reload else None, config, reload or (lambda: config))
        self._reading = Reading(self._fetch)
        self.memory = MemoryWatch(limit_bytes(config.system_mem_limit_perc))
        self._history = HistoryWriter(config.state_dir)
        self._requested: set[str] = set()
        self.page = PageServer(config, token(config.state_dir, config.web.token), self._actions())

    def _actions(self) -> dict[str, Callable[[], None]]:
        return {wish: partial(self._requested.add, wish) for wish in ("restart", "clear", "rollback")}

    # -- life ---------------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Work until a signal comes, the reducer has done what it was asked to, or the configuration changes."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            self.page.start()
            now = time.monotonic()
            if self.recorder is not None:
                self.recorder.start(now)
            self.scripts.first_look()
            self._reading.start()
            if self.scripts.usable:
                self.reducer.start(now)
            notify("READY=1")
            while not self._over():
                self._turn(time.monotonic())
                time.sleep(HURRIED_S if self._reading.hurried(time.monotonic()) else TURN_S)
        finally:
            self._end()
        health = self.guard.reducer_health()
        return Outcome(self._exit_code or 0, dict(health.ledger) if health else {}, self._changed)

    def stop(self) -> None:
        """Ask for an orderly end."""
        self._stop.asked = True

    def refuse(self, problems: list[str]) -> None:
        """Show why the configuration file as it is now is not used."""
        self._file.refuse(problems)

    def _over(self) -> bool:
        return self._stop.asked or self._exit_code is not None or self._changed is not None

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._stop.asked = True

    def _on_hangup(self, _signal: int, _frame: FrameType | None) -> None:
        self._hurry = True

    def _turn(self, now: float) -> None:
        self._look_after_children(now)
        self._obey(now)
        if now >= self._next_memory:
            self._next_memory = now + self.config.mem_check_interval_sec
            self._look_at_memory(now)
        if self._hurry:
            self._hurry = False
            self._reading.hurry(now)
        self._look_at_files(now)
        if now >= self._next_look or self._reading.hurried(now):
            self._next_look = now + LOOK_S
            self._kill_what_hangs(now)
            self._beat()
            self._history.note(now, self.status)
        self._on_turn(self)

    def _end(self) -> None:
        # giving up is no end on purpose: a watchdog may start the service again
        self._beat(stopping=self._changed is None and not self._exit_code)
        notify("STOPPING=1" if self._changed is None else "STATUS=taking up the changed configuration")
        stop(self._children())
        self._reading.stop()
        self.page.stop()

    # -- the children -------------------------------------------------------------------------------------------------

    def _children(self) -> list[Child]:
        return [child for child in (self.recorder, self.reducer) if child is not None]

    def _look_after_children(self, now: float) -> None:
        if self.recorder is not None and (end := self.recorder.look_after(now)) is not None:
            self._recorder_ended(self.recorder, end, now)
        if (end := self.reducer.look_after(now)) is not None:
            self._reducer_ended(end, now)

    def _recorder_ended(self, recorder: Child, end: End, now: float) -> None:
        if end.code == WRONG_CONFIGURATION:
            self._give_up("the recorder cannot work with this configuration", WRONG_CONFIGURATION)
        elif self.guard.recorder_died(end, now):
            self._give_up(f"the recorder ended again and again without receiving anything, lastly with {end.in_words}")
        else:
            wait = recorder.start_later(now)
            log.error("the recorder ended with %s; starting it again in %.0f s", end.in_words, wait)

    def _reducer_ended(self, end: End, now: float) -> None:
        if end.code == 0:
            self._exit_code = 0
            return
        where = where_it_died(self.guard.reducer_health(end.pid))
        if end.code == WRONG_CONFIGURATION:
            self._give_up("the reducer cannot work with this configuration", WRONG_CONFIGURATION)
            return
        verdict, spent = self.guard.reducer_died(end, now)
        if spent and (self.recorder is None or self._for_runs):
            self._give_up(f"{NO_FURTHER}, lastly {where} ({end.in_words})")
            return
        if isinstance(verdict, Ban):
            self.scripts.ban(verdict.stage, f"with {end.in_words}")
            if verdict.stage is Stage.PROC:
                return
        more = ("--careful", str(verdict.end)) if isinstance(verdict, LookCloser) else ()
        if spent:
            self._rest = Rest(f"{NO_FURTHER}, lastly {where} ({end.in_words})", time.time_ns() + int(REST_S * 1e9))
            self.reducer.start_later(now, *more, rest_s=REST_S)
            log.critical("%s; data are recorded meanwhile, and it is tried again in %.0f s", self._rest.why, REST_S)
            return
        wait = self.reducer.start_later(now, *more, rest_s=0.0 if isinstance(verdict, Ban | Skip) else None)
        log.error("the reducer ended with %s %s; starting it again in %.0f s", end.in_words, where, wait)

    def _give_up(self, why: str, exit_code: int = GAVE_UP) -> None:
        log.critical("giving up: %s; what went wrong is in the lines above", why)
        self._exit_code = exit_code

    def _kill_what_hangs(self, now: float) -> None:
        if self.reducer.pid is not None and (why := self.guard.reducer_hangs(now, self.reducer.pid)):
            self.reducer.kill(why)
        if self.recorder is not None and self.recorder.pid is not None:
            why = self.guard.recorder_hangs(now, self.recorder.pid)
            if why:
                self.recorder.kill(why)

    def _obey(self, now: float) -> None:
        """Do what was asked for through the page."""
        while self._requested:
            wish = self._requested.pop()
            self.guard.forget()
            if wish == "rollback" and not self.scripts.roll_back():
                log.warning("a rollback was asked for, but there are no versions of the scripts before these")
                continue
            self.scripts.lift_bans()
            if not self.scripts.usable:
                log.warning("%s was asked for, but no data can be processed before the script is mended", wish)
            elif wish == "clear":
                log.info("beginning with the data that come now, as asked")
                self._begin_again(now, "--clear")
            else:
                log.info("beginning the run again, as asked (%s)", wish)
                self._begin_again(now)

    def _begin_again(self, now: float, *more: str) -> None:
        self.reducer.restart(now, *more)
        self.memory.restart()

    # -- files --------------------------------------------------------------------------------------------------------

    def _fetch(self) -> None:
        self.scripts.fetch()
        self._file.fetch()

    def _look_at_files(self, now: float) -> None:
        running = self.guard.reducer_health(self.reducer.pid) if self.reducer.pid is not None else None
        changes = self.scripts.look(now, running)
        if self.scripts.usable:
            if Change.RESTART in changes or (self.reducer.pid is None and changes):
                self.guard.reducer_budget.renew()
                self._begin_again(now)
            elif Change.SWAP_POST in changes:
                self.reducer.tell(do=Change.SWAP_POST.value)
        if Change.TRY_PROC in changes:
            self.reducer.tell(do=Change.TRY_PROC.value, number=self.scripts.trial_number)
        self._changed = self._file.look()
        if self._changed is not None:
            log.info("%s has changed: taking it up", self.config.source)

    # -- memory -------------------------------------------------------------------------------------------------------

    def _look_at_memory(self, now: float) -> None:
        pids = [os.getpid(), *(child.pid for child in self._children() if child.pid)]
        health = self.guard.reducer_health(self.reducer.pid) if self.reducer.pid else None
        relief = self.memory.look(now, pids, health.largest if health else ())
        if relief is Relief.SAVE:
            self.reducer.tell(do=Relief.SAVE.value, surplus=self.memory.surplus)
        elif relief is Relief.RESTART and self.reducer.pid is not None:
            self.reducer.restarts += 1
            self._begin_again(now)

    # -- what is said -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return the present state in words and figures, as the page shows it."""
        return self.page.status()

    def reducer_health(self) -> ReducerHealth | None:
        """Return what the reducer wrote last."""
        return self.guard.reducer_health()

    def _warnings(self) -> tuple[str, ...]:
        own = (self._reading.silence(time.monotonic()), self.memory.trouble, _room(self.config.state_dir))
        return (*self._file.refused, *self.scripts.warnings(), *(text for text in own if text), *self.config.warnings)

    def _beat(self, *, stopping: bool = False) -> None:
        rest = self._rest if self.reducer.pid is None else None
        heartbeat = Heartbeat(
            pid=os.getpid(),
            written_ns=time.time_ns(),
            started_ns=self._started_ns,
            stopping=stopping,
            restarts=sum(child.restarts for child in self._children()),
            recorder_pid=self.recorder.pid if self.recorder else None,
            reducer_pid=self.reducer.pid,
            memory_bytes=self.memory.used,
            memory_limit_bytes=self.memory.limit,
            memory_full_s=self.memory.full_s,
            script_refused=self.scripts.problem(),
            warnings=self._warnings(),
            resting=rest.why if rest else "",
            resting_until_ns=rest.until_ns if rest else None,
        )
        notify("WATCHDOG=1")
        try:
            replace_file(self.config.runtime_dir / "heartbeat.json", status.HEARTBEAT.dump_json(heartbeat))
            # Watchdogs of older installations look at the age of the log file.
            if self.config.log.file.exists():
                os.utime(self.config.log.file)
        except OSError as error:
            log.error("the heartbeat cannot be written: %s", error)


def _make_folders(config: Config) -> None:
    problems = []
    for key, folder in (("runtime_dir", config.runtime_dir), ("state_dir", config.state_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problems.append(f"{key}: {folder} cannot be made ({error.strerror}); choose another")
    if problems:
        raise ConfigError(problems)


def _room(folder: Path) -> str:
    """Say that a disk is nearly full; empty while it is not."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder} cannot be looked at: {error.strerror}"
    return "" if free >= ROOM_WANTED else f"{free / 2**20:,.0f} MiB of room left on the disk of {folder}"


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
