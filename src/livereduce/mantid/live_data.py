"""StartLiveData, MonitorLiveData and LoadLiveData for scripts and notebooks, with Mantid's properties.

Covers what the properties mean and what is wrong with them. The cycle itself is `livereduce.live`; what of the daemon's
promises a notebook has to do without is said in `livereduce.live.start`.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import sys
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from livereduce import facilities
from livereduce.algorithms.declaration import algorithm, nearest
from livereduce.errors import LiveReduceError, ScriptError
from livereduce.listeners.opening import CLASSES, NOW, RUN_START, Wanted, open_stream
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.ledger import Ledger
from livereduce.live.load import LiveStep, Method, Names
from livereduce.live.monitor import Cadence, Monitor, RunTransitionBehavior
from livereduce.live.scripts import compile_script
from livereduce.live.stages import ScriptFileStage, ScriptStage, Stage, Surroundings, algorithm_stage
from livereduce.live.start import LiveMonitor, refuse_names_in_use, take_first_chunk
from livereduce.mantid.ads import mtd
from livereduce.mantid.config import config
from livereduce.mantid.live_properties import (
    LiveOutputs,
    LoadProperties,
    MonitorProperties,
    StartOutputs,
    StartProperties,
)
from livereduce.workspaces import WorkspaceStore
from livereduce.workspaces.run import iso, to_ns

log = logging.getLogger(__name__)

SENTINELS = {to_ns("1990-01-01T00:00:00"): NOW, to_ns("1990-01-01T00:00:01"): RUN_START}
"""Start times that mean something else, as listeners of Mantid see them."""


def _live_algorithm(
    name: str, properties: type[LoadProperties], outputs: type
) -> Callable[[Callable[[Any, WorkspaceStore], Any]], Callable[..., Any]]:
    """Declare a function of (properties, store) as an algorithm that has the fields as its properties.

    It is then called with the fields as keywords; without `store`, workspaces are those of ``mtd``.
    """
    hints = typing.get_type_hints(properties)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(properties)
    ]
    parameters.append(inspect.Parameter("store", inspect.Parameter.KEYWORD_ONLY, default=None))

    def declare(function: Callable[[Any, WorkspaceStore], Any]) -> Callable[..., Any]:
        def call(store: WorkspaceStore | None = None, **given: Any) -> Any:
            return function(properties(**given), mtd.store if store is None else store)

        documented = [inspect.getdoc(cls) or "" for cls in properties.__mro__ if cls is not object]
        call.__doc__ = "\n\n".join([inspect.getdoc(function) or "", *documented])
        call.__name__ = call.__qualname__ = function.__name__
        call.__annotations__ = {**hints, "store": WorkspaceStore | None, "return": outputs}
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
        return algorithm(name, lenient=True, assignable=False, with_results=True)(call)

    return declare


@_live_algorithm("StartLiveData", StartProperties, StartOutputs)
def start_live_data(wanted: StartProperties, store: WorkspaceStore) -> StartOutputs:
    """Reduce a live stream in this process: one chunk at once, the others in the background.

    When this returns the result is there, made of the first chunk; every UpdateEvery seconds it takes in what has come
    meanwhile, in the same object. AlgorithmManager.cancelAll() ends it.

    Of what the daemon promises this keeps: every event is accounted for, script errors are contained, lost connections
    are made again. It does not keep: there is no journal, so what arrived and was not processed is lost with this
    process, and a changed chunk script does not see the run again; a script that hangs or takes all memory takes this
    process with it. From now on ``import mantid`` means livereduce's façade here.
    """
    _check(wanted)
    if wanted.from_now + wanted.from_start_of_run + wanted.from_time != 1:
        raise ValueError("exactly one of FromNow, FromStartOfRun and FromTime must be True; FromNow is by default")
    if wanted.from_time and not wanted.start_time:
        raise ValueError("StartTime: must be given with FromTime")
    start = _start_ns(wanted.start_time) if wanted.from_time else RUN_START if wanted.from_start_of_run else NOW
    if wanted.update_every < 0:
        raise ValueError(f"UpdateEvery: expected 0 or more seconds, found {wanted.update_every:g}")
    monitor = _monitor(wanted, store, start, wanted.update_every)
    taken_at = _first_chunk(wanted, monitor)
    outputs = LiveOutputs(taken_at, _newest(monitor))
    if wanted.update_every == 0 or monitor.stopped:
        monitor.builder.listener.close()
        return StartOutputs(*outputs, None)
    running = LiveMonitor(monitor, monitor.step.names)
    running.start()
    return StartOutputs(*outputs, running)


@_live_algorithm("MonitorLiveData", MonitorProperties, LiveOutputs)
def monitor_live_data(wanted: MonitorProperties, store: WorkspaceStore) -> LiveOutputs:
    """Reduce a live stream here until cancelled from another thread, by Ctrl-C, or until it ends.

    What accumulates goes on from what there is under that name. StartLiveData does the same in the background.
    """
    _check(wanted)
    if wanted.update_every <= 0:
        raise ValueError(f"UpdateEvery: expected more than 0 seconds, found {wanted.update_every:g}")
    monitor = _monitor(wanted, store, _start_ns(wanted.start_time), wanted.update_every, go_on=True)
    running = LiveMonitor(monitor, monitor.step.names)
    running.run()
    return LiveOutputs(running.last_time_stamp, running.newest_data)


@_live_algorithm("LoadLiveData", LoadProperties, LiveOutputs)
def load_live_data(wanted: LoadProperties, store: WorkspaceStore) -> LiveOutputs:
    """Connect to a live stream, take one chunk, process and accumulate it, and disconnect.

    With Add or Append the chunk is put to what there is under the name of the accumulation.
    """
    _check(wanted)
    monitor = _monitor(wanted, store, _start_ns(wanted.start_time), 0.0, go_on=True)
    taken_at = _first_chunk(wanted, monitor)
    monitor.builder.listener.close()
    return LiveOutputs(taken_at, _newest(monitor))


# -- what is wrong ----------------------------------------------------------------------------------------------------


def _check(wanted: LoadProperties) -> None:
    """Raise ValueError with everything that is wrong before anything is started."""
    kind = _kind(wanted)
    stages = {"Processing": _given(wanted, ""), "PostProcessing": _given(wanted, "post_")}
    problems = [f"{', '.join(given)}: only one of them may be given" for given in stages.values() if len(given) > 1]
    if stages["PostProcessing"] and wanted.accumulation_workspace in ("", wanted.output_workspace):
        problems.append("AccumulationWorkspace: with post-processing it must be given, and not be the OutputWorkspace")
    if not CLASSES[kind].buffers_events and wanted.accumulation_method == "Add":
        problems.append(f"AccumulationMethod: each read of {CLASSES[kind].name} is the total already; use Replace")
    files = (wanted.processing_script_filename, wanted.post_processing_script_filename)
    problems += [f"{path}: there is no such script file" for path in files if path is not None and not path.is_file()]
    if any(number < 1 for number in (*wanted.spectra_list, *wanted.period_list)):
        problems.append("SpectraList, PeriodList: numbers count from 1")
    if wanted.buffer_threshold < 1:
        problems.append(f"BufferThreshold: expected 1 or more events, found {wanted.buffer_threshold}")
    if problems:
        raise ValueError("; ".join(problems))
    refuse_names_in_use(_names(wanted))


def _given(wanted: LoadProperties, prefix: str) -> list[str]:
    """Name the properties that say what is done at a stage; at most one may."""
    fields = [f"{prefix}processing_{part}" for part in ("algorithm", "script", "script_filename")]
    return [field.title().replace("_", "") for field in fields if getattr(wanted, field)]


def _names(wanted: LoadProperties) -> Names:
    accumulation = wanted.accumulation_workspace if _given(wanted, "post_") else wanted.output_workspace
    return Names(wanted.output_workspace, accumulation)


# -- where data come from ---------------------------------------------------------------------------------------------


def _connection(wanted: LoadProperties) -> facilities.Connection:
    """Return listener class and address, of the table or as given."""
    row = facilities.find(wanted.instrument, config["default.facility"]) or facilities.find(wanted.instrument)
    if row is None and not wanted.listener:
        near = facilities.nearest(wanted.instrument)
        hint = f"did you mean {near}? If not, give" if near else "give"
        raise ValueError(f"Instrument: {wanted.instrument!r} is not in the table; {hint} Listener and Address")
    found = row.connection(wanted.connection or None) if row else None
    if row and wanted.connection and found is None:
        names = ", ".join(c.name for c in row.connections) or "none"
        raise ValueError(f"Connection: {wanted.connection!r} is none of {row.name}'s: {names}")
    if row and found is None and not wanted.listener:
        raise ValueError(f"Instrument: {row.name} has no live connection in the table; give Listener and Address")
    default = found or facilities.Connection("", "", "")
    return facilities.Connection(default.name, wanted.listener or default.listener, wanted.address or default.address)


def _kind(wanted: LoadProperties) -> str:
    listener = _connection(wanted).listener
    kind = facilities.kind_of(listener)
    if kind is None:
        near = nearest(listener, facilities.LISTENERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(facilities.LISTENERS)}"
        raise ValueError(f"Listener: there is no {listener!r}; {hint}")
    if kind not in CLASSES:
        raise ValueError(f"Listener: this version has no {kind} listener in a notebook; it has {', '.join(CLASSES)}")
    return kind


def _start_ns(text: str) -> int:
    """Read a start time: ns since 1970 UTC, or one of the two that are no times."""
    if not text:
        return NOW
    try:
        start = to_ns(text)
    except ValueError as error:
        raise ValueError(f"StartTime: {error}") from None
    if start in SENTINELS:
        return SENTINELS[start]
    if start < min(SENTINELS):
        raise ValueError(f"StartTime: {text!r} is before 1990")
    if start > time.time_ns():
        log.error("StartTime %s is in the future; starting now", text)
        return NOW
    return start


def _stream(wanted: LoadProperties, start_ns: int) -> Wanted:
    kind, connection = _kind(wanted), _connection(wanted)
    listener = CLASSES[kind]
    if start_ns != NOW and listener.buffers_events and not listener.supports_history:
        log.error("%s keeps no history; starting now", listener.name)
        start_ns = NOW
    file = config["fileeventdatalistener.filename"]
    return Wanted(
        kind=kind,
        address=connection.address,
        start=start_ns if start_ns in (NOW, RUN_START) else start_ns // 1_000_000_000,
        spectra=[int(number) for number in wanted.spectra_list] or None,
        periods=[int(number) for number in wanted.period_list] or None,
        file=Path(file) if file else None,
        file_chunks=int(config["fileeventdatalistener.chunks"] or 10),
        fake_rate=float(config["fakeeventdatalistener.datarate"] or 200),
        fake_end_run_every=int(config["fakeeventdatalistener.endrunevery"] or 0),
        fake_not_yet=int(config["fakeeventdatalistener.notyettimes"] or 0),
    )


# -- the cycle --------------------------------------------------------------------------------------------------------


def _monitor(
    wanted: LoadProperties, store: WorkspaceStore, start_ns: int, update_every_s: float, *, go_on: bool = False
) -> Monitor:
    """Connect and put the cycle together; with `go_on` it begins with what has accumulated in the store already."""
    names = _names(wanted)
    surroundings = Surroundings(_script_names(), echo=_printer())
    step = LiveStep(
        store,
        names,
        _stage(wanted, "", store, surroundings),
        _stage(wanted, "post_", store, surroundings),
        preserve_events=wanted.preserve_events,
        copies_folder=Path(config["defaultsave.directory"]) if config["defaultsave.directory"] else None,
        accumulation=store[names.accumulation].clone() if go_on and names.accumulation in store else None,
    )
    behavior = wanted.end_run_behavior or wanted.run_transition_behavior
    cadence = Cadence(update_every_s, Method(wanted.accumulation_method), RunTransitionBehavior(behavior))
    stream = _stream(wanted, start_ns)
    try:
        listener = open_stream(stream)
    except LiveReduceError as error:
        raise _cannot_listen(wanted, error) from error
    builder = ChunkBuilder(listener, Ledger(), keep_events=wanted.preserve_events, limit=wanted.buffer_threshold)
    return Monitor(builder, step, cadence)


def _printer() -> Callable[[str], None]:
    """Pass on what scripts print to where prints go now; while a script runs in the main thread they go elsewhere."""
    out = sys.stdout

    def echo(text: str) -> None:
        out.write(text)
        out.flush()

    return echo


def _script_names() -> dict[str, Any]:
    from livereduce.mantid import finder, simpleapi  # the façade, which declares this module's algorithms

    # scripts begin with `from mantid.simpleapi import ...`
    finder.install()
    return simpleapi.script_names()


def _stage(wanted: LoadProperties, prefix: str, store: WorkspaceStore, surroundings: Surroundings) -> Stage | None:
    def given(part: str) -> Any:
        return getattr(wanted, f"{prefix}processing_{part}")

    if given("algorithm"):
        return algorithm_stage(given("algorithm"), given("properties"), store)
    if given("script"):
        place = f"<{'Post' if prefix else ''}ProcessingScript of {wanted.output_workspace}>"
        return ScriptStage(compile_script(given("script"), place), surroundings)
    if given("script_filename") is not None:
        return ScriptFileStage(Path(given("script_filename")), surroundings)
    return None


def _first_chunk(wanted: LoadProperties, monitor: Monitor) -> str:
    """Take one chunk; whatever prevents it is the caller's error, and the connection is closed."""
    try:
        return take_first_chunk(monitor)
    except BaseException as error:
        monitor.builder.listener.close()
        if isinstance(error, ScriptError):
            raise RuntimeError(f"{error}\n{error.traceback}") from error
        if isinstance(error, LiveReduceError):
            raise _cannot_listen(wanted, error) from error
        raise


def _cannot_listen(wanted: LoadProperties, error: LiveReduceError) -> RuntimeError:
    address = _connection(wanted).address
    told = str(error).removeprefix(f"{address}: ")
    return RuntimeError(f"cannot listen to {wanted.instrument} at {address}: {told}")


def _newest(monitor: Monitor) -> str:
    return iso(monitor.builder.newest_ns) if monitor.builder.newest_ns else ""
