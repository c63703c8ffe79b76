"""One step of the live cycle: chunk script, drop events unless preserved, accumulate, post-processing script.

The order is the contract's: process, *then* drop events, *then* accumulate, *then* post-process. The step owns the
accumulation; scripts get clones, which share the data until written to, so nothing a script does to its workspaces or
their names can damage it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from livereduce.errors import ScriptError
from livereduce.live.accumulate import Method, accumulate, without_events
from livereduce.live.scripts import Script, ScriptOutcome, run_script
from livereduce.workspaces import Workspace, WorkspaceGroup, WorkspaceStore

__all__ = ["LiveStep", "Method", "Names"]

log = logging.getLogger(__name__)

ACCUMULATION_ALIAS = "accumulation"


@dataclass(frozen=True, slots=True)
class Names:
    """What the workspaces of one live cycle are called in the store."""

    output: str = "result"
    accumulation: str = "accumulation"

    @property
    def chunk(self) -> str:
        """Hidden name of the chunk while its script runs."""
        return f"__{self.output}_chunk"


@dataclass(slots=True)
class LiveStep:
    """The scripts, the store they share, and the accumulation.

    Parameters
    ----------
    script_names
        Names scripts find without importing them.
    preserve_events
        Keep events after the chunk script; otherwise they become histograms on the bins they have then.
    script_limit_s
        A running script is interrupted after this many seconds; None = never.
    echo
        Called with what scripts print.
    """

    store: WorkspaceStore
    names: Names
    proc: Script | None
    post_script: Script | None
    script_names: Mapping[str, Any]
    preserve_events: bool = True
    script_limit_s: float | None = None
    echo: Callable[[str], None] = lambda _: None
    accumulation: Workspace | None = None
    output: Workspace | None = None
    latency: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    _last_run: int = 0

    def __post_init__(self) -> None:
        if self.names.accumulation != ACCUMULATION_ALIAS:
            self.store.alias(ACCUMULATION_ALIAS, self.names.accumulation)

    # -- chunk --------------------------------------------------------------------------------------------------------

    def load(self, chunk: Workspace, method: Method, stage: Callable[[str], None]) -> None:
        """Run the chunk script on `chunk` and take the outcome into the accumulation.

        Raises
        ------
        ScriptError
            The script failed, or what it made cannot be accumulated; the accumulation is as it was.
        """
        with self._timed("proc", stage):
            processed = chunk if self.proc is None else self._process(self.proc, chunk)
        with self._timed("accumulate", stage):
            if not self.preserve_events:
                processed = without_events(processed)
            try:
                self.accumulation = accumulate(self.accumulation, processed, method)
            except (ValueError, RuntimeError) as error:
                file = self.proc.path if self.proc else "(no chunk script)"
                raise ScriptError(f"its output cannot be accumulated: {error}", file=file, line=None) from error

    def _process(self, script: Script, chunk: Workspace) -> Workspace:
        name = self.names.chunk
        given = self.store.replace(name, chunk.clone())
        try:
            outcome = self._run(script, given, name)
            result = self._result(outcome, script)
            if result is None:  # no output set: what the script left of its input is the result
                result = outcome.input if isinstance(outcome.input, Workspace) else self._stored(name) or given
            return result.clone()
        finally:
            if name in self.store:
                self.store.remove(name)

    # -- result -------------------------------------------------------------------------------------------------------

    def post(self, stage: Callable[[str], None]) -> None:
        """Run the post-processing script on the accumulation; without one the accumulation is the output.

        Raises
        ------
        ScriptError
            The script failed; the last output stays.
        """
        if self.accumulation is None:
            return
        with self._timed("post", stage):
            if self.post_script is None:
                self.output = self._publish(self.accumulation)
                return
            given = self.store.replace(self.names.accumulation, self.accumulation.clone())
            outcome = self._run(self.post_script, given, self.names.output)
            result = self._result(outcome, self.post_script)
            if result is None:
                self.warn(f"{self.post_script.path} set no output; showing the accumulation")
                result = self.accumulation
            self.output = self._publish(result)

    def _publish(self, result: Workspace) -> Workspace:
        """Store the output under its name, members of a group as ``name_1`` and so on."""
        name = self.names.output
        if self._stored(name) is result:
            return result
        if isinstance(result, WorkspaceGroup):
            members = [self.store.replace(f"{name}_{i}", m.clone()) for i, m in enumerate(result.members, 1)]
            result = WorkspaceGroup(members, title=result.title)
        else:
            result = result.clone()
        return self.store.replace(name, result)

    def keep_copy(self, run: int, *, after_run: bool) -> None:
        """Copy the output under the name of the run that has ended (``_post``: data taken after it)."""
        if not after_run:
            self._last_run = run
        if self.output is None:
            return
        name = f"{self.names.output}_{self._last_run}" + ("_post" if after_run else "")
        self.store.replace(name, self.output.clone())
        log.info("kept a copy of %s as %s", self.names.output, name)

    # -- scripts ------------------------------------------------------------------------------------------------------

    def _run(self, script: Script, given: Workspace, output_name: str) -> ScriptOutcome:
        outcome = run_script(
            script,
            given,
            output_name,
            self.script_names,
            accumulation=given,
            echo=self.echo,
            limit_s=self.script_limit_s,
        )
        for thread in outcome.threads_left:
            self.warn(f"{script.path} left a thread running: {thread}")
        return outcome

    def _result(self, outcome: ScriptOutcome, script: Script) -> Workspace | None:
        """Read the final value of ``output``: a workspace, a name in the store, or nothing."""
        final = outcome.output
        if final is None or isinstance(final, Workspace):
            return final
        if isinstance(final, str):
            return self._stored(final)
        raise ScriptError(
            f"output is {type(final).__name__} ({final!r:.60}) at the end of the script; expected a workspace, the "
            "name of one, or nothing",
            file=script.path,
            line=None,
        )

    def _stored(self, name: str) -> Workspace | None:
        return self.store[name] if name in self.store else None

    def warn(self, text: str) -> None:
        """Log a warning once and count how often it holds."""
        if text not in self.warnings:
            log.warning("%s", text)
        self.warnings[text] = self.warnings.get(text, 0) + 1

    @contextlib.contextmanager
    def _timed(self, name: str, stage: Callable[[str], None]) -> Iterator[None]:
        stage(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.latency[name] = time.perf_counter() - began
