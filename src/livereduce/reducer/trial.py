"""A changed chunk script tried on the last chunk, in a scratch process that changes nothing here.

The scratch process is a fork, so that it has the very chunk, with its detectors and logs, and the workspaces that
earlier chunks left in the store, without anything being read again. The reducer is single-threaded but for a thread
that reads a pipe, which makes that safe. What the script does to workspaces ends with the process; files it writes
stay, as they would after any chunk. It has the script's own time limit: meanwhile the version before it goes on.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from livereduce.errors import ScriptError
from livereduce.live.load import LiveStep, Method
from livereduce.reducer.scripts import LimitedScript
from livereduce.status import ScriptProblem, ScriptTrial
from livereduce.workspaces import Workspace

AFTER_LIMIT_S = 10.0
TRACEBACK_KEPT = 20_000
"""Less than a pipe holds, so that the scratch process never waits for its reader."""
_PR_SET_PDEATHSIG = 1


class Trial:
    """The `number`-th trial; ask `poll` for its verdict, and `end` it when that is not wanted any more.

    Parameters
    ----------
    chunk
        What the script is run on.
    afresh
        Makes the next import of the user's modules read their files again; called in the scratch process.
    """

    def __init__(
        self, number: int, script: LimitedScript, step: LiveStep, chunk: Workspace, afresh: Callable[[], None]
    ) -> None:
        self._number = number
        self._script = script
        self._kill_at = time.monotonic() + script.limit_s + AFTER_LIMIT_S
        self._killed = False
        self._pipe, write_end = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: see above
            self._pid = os.fork()
        if self._pid == 0:
            _try(write_end, script, step, chunk, afresh)
        os.close(write_end)

    def poll(self) -> ScriptTrial:
        """Say how far it is; after a verdict there is nothing left to ask."""
        if time.monotonic() > self._kill_at and not self._killed:
            os.kill(self._pid, signal.SIGKILL)
            self._killed = True
        pid, how = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            return ScriptTrial(self._number, "running")
        told = os.read(self._pipe, 1 << 16)
        os.close(self._pipe)
        problem = self._problem(told, os.waitstatus_to_exitcode(how))
        return ScriptTrial(self._number, "passed" if problem is None else "failed", problem)

    def end(self) -> None:
        """End the scratch process, whose verdict is not wanted any more."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._pipe)

    def _problem(self, told: bytes, code: int) -> ScriptProblem | None:
        if told:
            found = json.loads(told)
            return ScriptProblem("proc", **found) if found else None
        if self._killed:
            message = f"went on {AFTER_LIMIT_S:.0f} s after script_limit ({self._script.limit_s:g} s)"
        elif code < 0:
            message = f"ended its process with signal {signal.Signals(-code).name}"
        else:
            message = f"ended its process with exit code {code}"
        return ScriptProblem("proc", self._script.path, None, message)


def _try(told: int, script: LimitedScript, step: LiveStep, chunk: Workspace, afresh: Callable[[], None]) -> NoReturn:
    """Be the scratch process; never comes back into the reducer's own loop."""
    try:
        if sys.platform == "linux":  # it ends with the reducer, however that ends
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        logging.disable()
        afresh()
        step.proc = replace(script, surroundings=replace(script.surroundings, echo=lambda _: None))
        os.write(told, json.dumps(_found(step, chunk)).encode())
    finally:
        os._exit(1)


def _found(step: LiveStep, chunk: Workspace) -> dict[str, Any]:
    """Run the chunk stage and say what is wrong with it; empty = nothing."""
    try:
        step.load(chunk, Method.REPLACE, lambda _: None)
    except ScriptError as error:
        return {
            "file": error.file,
            "line": error.line,
            "message": error.message,
            "traceback": error.traceback[-TRACEBACK_KEPT:],
        }
    return {}
