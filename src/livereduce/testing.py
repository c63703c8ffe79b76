"""For users' own tests: run live scripts on chunks of data, without an instrument and without the daemon.

    from livereduce.testing import run_scripts

    def test_my_reduction():
        done = run_scripts("reduce_PG3_live_proc.py", "reduce_PG3_live_post_proc.py", chunks=3)
        assert done.output.getNumberHistograms() == 1

Scripts run exactly as in the daemon: the same names without imports, ``import mantid``, a store of their own, the same
order of stages. An error is raised as `ScriptError` with the script's own file and line.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from livereduce.algorithms import create_sample_workspace
from livereduce.errors import ScriptError
from livereduce.listeners.base import Listener
from livereduce.listeners.opening import open_recording
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, Observer, RunTransitionBehavior
from livereduce.live.scripts import compile_script, load_script
from livereduce.live.stages import ScriptStage, Surroundings
from livereduce.mantid import finder, mtd, script_names
from livereduce.workspaces import EventWorkspace, Workspace, WorkspaceStore

__all__ = ["Done", "ScriptError", "facade", "live_cycle", "run_scripts", "sample_chunks"]

ScriptSource = str | Path


@dataclass(slots=True)
class Done:
    """What the scripts have made.

    Attributes
    ----------
    output
        The result after the last chunk, as the page would show it.
    accumulation
        What has accumulated.
    store
        All workspaces the scripts left, by name.
    seconds
        How long each stage took, by stage, one number a chunk.
    printed
        What the scripts printed.
    warnings
        What the live cycle remarks on, with how often.
    """

    output: Workspace
    accumulation: Workspace
    store: WorkspaceStore
    seconds: dict[str, list[float]] = field(default_factory=dict)
    printed: str = ""
    warnings: dict[str, int] = field(default_factory=dict)


def run_scripts(
    proc: ScriptSource | None = None,
    post: ScriptSource | None = None,
    *,
    chunks: int | Path | Iterable[Workspace] = 3,
    method: str = "Add",
    preserve_events: bool = True,
) -> Done:
    """Run the scripts on some chunks, one after another, and return what they have made.

    Parameters
    ----------
    proc, post
        Chunk script and post-processing script: a ``.py`` file, or the text of a script.
    chunks
        How many made-up ones (see `sample_chunks`), a recorded stream or NeXus file to take them from, or the chunks
        themselves.
    method
        Add, Replace or Append.
    preserve_events
        Keep events after the chunk script.

    Raises
    ------
    ScriptError
        A script could not be compiled or raised; `file` and `line` are its own.
    ValueError
        There is no chunk.
    """
    printed: list[str] = []
    seconds: dict[str, list[float]] = {}
    with facade(proc, post) as store:
        surroundings = Surroundings(script_names(), echo=printed.append)
        step = LiveStep(
            store, Names(), _stage(proc, surroundings), _stage(post, surroundings), preserve_events=preserve_events
        )
        for chunk in _chunks(chunks):
            step.load(chunk, Method(method), lambda _: None)
            step.post(lambda _: None)
            for stage, took in step.latency.items():
                seconds.setdefault(stage, []).append(took)
    if step.output is None or step.accumulation is None:
        raise ValueError(f"run_scripts: there is no chunk in {chunks!r}")
    return Done(step.output, step.accumulation, store, seconds, "".join(printed), dict(step.warnings))


def sample_chunks(count: int, *, events_per_pixel: int = 200, pulses: int = 60) -> Iterator[EventWorkspace]:
    """Make chunks of events with peaks, on two banks of 10 x 10 pixels, each of another second of one run.

    At most `events_per_pixel`, since bins have whole numbers of events. They have the logs that live data have: run
    number and start, title, proton charge, pause, scan index.
    """
    begin = int(np.datetime64("2026-01-01T00:00:00", "ns").astype(np.int64))
    for k in range(count):
        made = create_sample_workspace("Event", "Powder Diffraction", num_events=events_per_pixel, bin_width=20.0)
        assert isinstance(made, EventWorkspace)
        times = begin + k * 1_000_000_000 + np.arange(pulses) * (1_000_000_000 // pulses)
        made.logs.set("run_number", "1")
        made.logs.set("run_title", "made up")
        made.logs.append("proton_charge", times, np.full(pulses, 2.0e7), "picoCoulomb")
        made.logs.append("pause", [begin], [0])
        made.logs.append("scan_index", [begin], [0])
        yield made.replaced(edges=None, title="made up")


@contextlib.contextmanager
def facade(*scripts: ScriptSource | None) -> Iterator[WorkspaceStore]:
    """Let ``import mantid`` mean livereduce's façade and give it an empty store, as a fresh daemon has.

    The folders of `scripts` are searched for modules meanwhile. Everything is put back at the end.
    """
    before, path = mtd.use(WorkspaceStore()), list(sys.path)
    installed = finder.install()
    sys.path[:0] = [str(Path(s).absolute().parent) for s in scripts if s is not None and not _is_text(s)]
    try:
        yield mtd.store
    finally:
        sys.path[:] = path
        if installed:
            finder.uninstall()
        mtd.use(before)


def live_cycle(
    listener: Listener,
    proc: ScriptSource | None,
    post: ScriptSource | None,
    *,
    update_every_s: float = 30.0,
    method: str = "Add",
    preserve_events: bool = True,
    transition: str = "Restart",
    observer: Observer | None = None,
    echo: Callable[[str], None] = lambda _: None,
) -> Monitor:
    """Put the daemon's live cycle together on any listener; call it within `facade`, then turn what it returns."""
    surroundings = Surroundings(script_names(), echo=echo)
    step = LiveStep(
        mtd.store, Names(), _stage(proc, surroundings), _stage(post, surroundings), preserve_events=preserve_events
    )
    builder = ChunkBuilder(listener, Ledger(), keep_events=preserve_events)
    cadence = Cadence(update_every_s, Method(method), RunTransitionBehavior(transition))
    return Monitor(builder, step, cadence, observer=observer)


def _is_text(script: ScriptSource) -> bool:
    return isinstance(script, str) and ("\n" in script or not script.endswith(".py"))


def _stage(script: ScriptSource | None, surroundings: Surroundings) -> ScriptStage | None:
    if script is None:
        return None
    compiled = compile_script(str(script), "<script>") if _is_text(script) else load_script(Path(script))
    return ScriptStage(compiled, surroundings)


def _chunks(wanted: int | Path | Iterable[Workspace]) -> Iterator[Workspace]:
    if isinstance(wanted, int):
        yield from sample_chunks(wanted)
    elif isinstance(wanted, Path):
        yield from _recorded(wanted)
    else:
        yield from wanted


def _recorded(path: Path) -> Iterator[Workspace]:
    """Chunks of a file: a NeXus file in ten parts, a recorded stream cut where its runs begin and end."""
    listener = open_recording(path, 10)
    builder = ChunkBuilder(listener, Ledger(), keep_events=True)
    try:
        while not listener.ended or builder.holds_data:
            chunk = builder.extract()
            if chunk is not None:
                if chunk.workspace is not None:
                    yield chunk.workspace
                builder.consume(chunk)
            elif listener.ended:
                break
    finally:
        listener.close()
