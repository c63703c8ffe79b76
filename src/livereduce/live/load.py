"""One step of the live cycle: chunk stage, drop events unless preserved, accumulate, post-processing stage.

The order is the contract's: process, *then* drop events, *then* accumulate, *then* post-process. The step owns the
accumulation; scripts get clones, which share the data until written to, so nothing a script does to its workspaces or
their names can damage it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from livereduce.algorithms import save_nexus
from livereduce.errors import ScriptError, encodable, reason
from livereduce.live.accumulate import Method, accumulate, without_events
from livereduce.live.scripts import ScriptOutcome
from livereduce.live.stages import Stage
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    MatrixWorkspace,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
    WorkspaceStore,
    from_scipp,
    is_data_array,
)

__all__ = ["LiveStep", "Method", "Names"]

log = logging.getLogger(__name__)

ACCUMULATION_ALIAS = "accumulation"
WARNINGS_KEPT = 50
ROOM = 3
SHED_S = 5.0
"""After so long no further copy is written in one go: data and the supervisor wait meanwhile."""


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
    """The two stages, the store they share, and the accumulation.

    Parameters
    ----------
    proc, post_stage
        What is done to each chunk, and to the accumulation; None = nothing.
    preserve_events
        Keep events after the chunk stage; otherwise they become histograms on the bins they have then.
    copies_folder, memory_left
        Where the result of a run that is to be kept does not fit `ROOM` times into the memory that is left, the oldest
        copies are written here, by default into the working folder, and if that does not help the new one too.
    """

    store: WorkspaceStore
    names: Names
    proc: Stage | None
    post_stage: Stage | None
    preserve_events: bool = True
    copies_folder: Path | None = None
    memory_left: Callable[[], int] = lambda: psutil.virtual_memory().available
    accumulation: Workspace | None = None
    output: Workspace | None = None
    latency: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    _copies: dict[str, int] = field(default_factory=dict)  # name -> stamp in the store, oldest first
    _last_run: int = 0
    _placed: Detectors | None = None
    _table_of: Stage | None = None  # the stage whose last output was a table

    # -- chunk --------------------------------------------------------------------------------------------------------

    def load(self, chunk: Workspace, method: Method, stage: Callable[[str], None]) -> None:
        """Run the chunk stage on `chunk` and take the outcome into the accumulation.

        Raises
        ------
        ScriptError
            The stage failed, or what it made cannot be accumulated; the accumulation is as it was.
        """
        path = self.proc.path if self.proc else "(no chunk script)"
        with self._timed("proc", stage), _as_script_error("the chunk cannot be processed", path):
            processed = chunk if self.proc is None else self._process(self.proc, chunk)
        with self._timed("accumulate", stage), _as_script_error("its output cannot be accumulated", path):
            if not self.preserve_events:
                processed = without_events(processed)
            self.accumulation = accumulate(self.accumulation, processed, method)

    def _process(self, proc: Stage, chunk: Workspace) -> Workspace:
        name = self.names.chunk
        given = self.store.replace(name, chunk.clone())
        try:
            outcome = self._run(proc, given, name)
            result = self._result(outcome, proc, name)
            if result is None:  # no output set: what the script left of its input is the result
                result = outcome.input if isinstance(outcome.input, Workspace) else self._stored(name) or given
            return result.clone()
        finally:
            if name in self.store:
                self.store.remove(name)

    # -- result -------------------------------------------------------------------------------------------------------

    def post(self, stage: Callable[[str], None]) -> None:
        """Run the post-processing stage on the accumulation; without one the accumulation is the output.

        Raises
        ------
        ScriptError
            The stage failed; the last output stays.
        """
        if self.accumulation is None:
            return
        path = self.post_stage.path if self.post_stage else "(no post-processing script)"
        with self._timed("post", stage), _as_script_error("the result cannot be made", path):
            if self.post_stage is None:
                result = self._where_somebody_put_it(self.accumulation)
            else:
                result = self._post(self.post_stage, self.accumulation)
            self.output = self._publish(self.names.output, result)

    def _where_somebody_put_it(self, result: Workspace) -> Workspace:
        """Keep the detectors of the output where somebody has moved them since it was stored.

        Not with a post stage, which can move them each time.
        """
        stored = self._stored(self.names.output)
        if not isinstance(result, MatrixWorkspace):
            return result
        if isinstance(stored, MatrixWorkspace) and self._placed is not None and stored.detectors is not self._placed:
            if np.array_equal(stored.detectors.ids, result.detectors.ids):
                return result.replaced(detectors=stored.detectors)
        self._placed = result.detectors
        return result

    def _post(self, post: Stage, accumulation: Workspace) -> Workspace:
        output = self.names.output
        if self.names.accumulation != ACCUMULATION_ALIAS:
            self.store.alias(ACCUMULATION_ALIAS, self.names.accumulation)
        given = self.store.replace(self.names.accumulation, accumulation.clone())
        before = self.store.stamp(output)
        outcome = self._run(post, given, output)
        result = self._result(outcome, post, output)
        if outcome.output is None or outcome.output == output:
            # what an earlier step left under the name is no output of this one, but for a table a script lets grow
            result = self._stored(output)
            grown = isinstance(result, TableWorkspace) and self._table_of is post
            if self.store.stamp(output) == before and not grown:
                result = None
        self._table_of = post if isinstance(result, TableWorkspace) else None
        if result is None:
            self.warn(f"{post.path} set no output; showing the accumulation")
            return accumulation
        return result

    def _publish(self, name: str, result: Workspace) -> Workspace:
        """Store a workspace under a name, members of a group as ``name_1`` and so on."""
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
        needed = ROOM * held_bytes(self.output)
        left = self.memory_left()
        if left <= needed:
            left += self.shed_copies(needed - left + 1)
        if left <= needed:
            self._write_copy(name, self.output)
            return
        try:
            self._publish(name, self.output)
        except Exception as error:
            self.warn(f"no copy of {self.names.output} was kept as {name}: {reason(error)}")
            return
        self._copies.pop(name, None)
        self._copies[name] = self.store.stamp(name)
        log.info("kept a copy of %s as %s", self.names.output, name)

    def shed_copies(self, wanted_bytes: int) -> int:
        """Write copies to files, oldest first, until so much is free or `SHED_S` over; gives the bytes made free."""
        freed, began = 0, time.monotonic()
        while self._copies and freed < wanted_bytes and time.monotonic() - began < SHED_S:
            name, stamp = next(iter(self._copies.items()))
            del self._copies[name]
            if self.store.stamp(name) != stamp:  # a script has deleted it, or stored something else under its name
                continue
            copy = self.store.remove(name)
            self._write_copy(name, copy)
            freed += held_bytes(copy)
            for member in copy.members if isinstance(copy, WorkspaceGroup) else ():
                if member.name() in self.store:
                    self.store.remove(member.name())
        return freed

    def _write_copy(self, name: str, copy: Workspace) -> None:
        path = (self.copies_folder or Path.cwd()) / f"{name}.nxs"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_nexus(copy, path)  # type: ignore[arg-type]  # says itself what it cannot save
        except Exception as error:
            self.warn(f"no copy of {self.names.output} was kept as {name}: {reason(error)}")
            return
        self.warn(f"memory is short: copies of {self.names.output} go to {path.parent}")
        log.info("wrote the copy of %s to %s", self.names.output, path)

    # -- stages -------------------------------------------------------------------------------------------------------

    def _run(self, stage: Stage, given: Workspace, output: str) -> ScriptOutcome:
        outcome = stage.run(given, output)
        for thread in outcome.threads_left:
            self.warn(f"{stage.path} left a thread running: {thread}")
        return outcome

    def _result(self, outcome: ScriptOutcome, stage: Stage, name: str) -> Workspace | None:
        """Read the final value of ``output``: a workspace, a name in the store, a scipp DataArray, or nothing.

        `name` is what it was at first; nothing has to be stored under that one.
        """
        final = outcome.output
        if final is None or isinstance(final, Workspace):
            return final
        if isinstance(final, str) and (final == name or final in self.store):
            return self._stored(final)
        if is_data_array(final):
            try:
                return from_scipp(final)
            except (ValueError, RuntimeError) as error:
                raise ScriptError(f"output cannot become a workspace: {error}", file=stage.path, line=None) from error
        raise ScriptError(
            f"output is {type(final).__name__} ({final!r:.60}) at the end of the script; expected a workspace, the "
            "name of one, a scipp DataArray, or nothing",
            file=stage.path,
            line=None,
        )

    def _stored(self, name: str) -> Workspace | None:
        return self.store[name] if name in self.store else None

    def warn(self, text: str) -> None:
        """Log a warning once and count how often it holds; the newest texts are kept."""
        text = encodable(text)
        if text not in self.warnings:
            log.warning("%s", text)
            while len(self.warnings) >= WARNINGS_KEPT:
                del self.warnings[next(iter(self.warnings))]
        self.warnings[text] = self.warnings.get(text, 0) + 1

    @contextlib.contextmanager
    def _timed(self, name: str, stage: Callable[[str], None]) -> Iterator[None]:
        stage(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.latency[name] = time.perf_counter() - began


@contextlib.contextmanager
def _as_script_error(what: str, path: str) -> Iterator[None]:
    """Whatever a workspace of the user's making causes is a failure of that stage, not of the process."""
    try:
        yield
    except ScriptError:
        raise
    except Exception as error:
        raise ScriptError(f"{what}: {reason(error)}", file=path, line=None) from error


def held_bytes(workspace: Workspace) -> int:
    """Bytes that stay in memory for as long as a workspace does, its events included."""
    if isinstance(workspace, WorkspaceGroup):
        return sum(held_bytes(member) for member in workspace.members)
    events = sum(table.nbytes for table in workspace.tables) if isinstance(workspace, EventWorkspace) else 0
    return workspace.nbytes + events
