"""The properties of StartLiveData, MonitorLiveData and LoadLiveData: names, defaults, what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from livereduce.algorithms.declaration import OutputName

_NO_NAME = OutputName("")


@dataclass(frozen=True, kw_only=True)
class LoadProperties:
    """What all three algorithms have in common.

    Attributes
    ----------
    instrument
        Name or short name of the instrument; any name where Listener and Address are given.
    connection
        Named live connection of the instrument; without, its default one.
    listener
        Listener class, as SNSLiveEventDataListener; without, the connection's.
    address
        host:port; without, the connection's.
    start_time
        ISO 8601 time, UTC unless it says otherwise.
    processing_algorithm
        Algorithm that is run on every chunk.
    processing_properties
        Its properties, as name=value;name=value.
    processing_script
        Python text that is run on every chunk.
    processing_script_filename
        Python file that is run on every chunk; read again every time.
    accumulation_method
        How chunks are put together.
    preserve_events
        Whether events are kept after the chunk stage; without, they become histograms on the bins they have then.
    post_processing_algorithm
        Algorithm that is run on what has accumulated, after every chunk.
    post_processing_properties
        Its properties, as name=value;name=value.
    post_processing_script
        Python text that is run on what has accumulated, after every chunk.
    post_processing_script_filename
        Python file that is run on what has accumulated; read again every time.
    run_transition_behavior
        What happens where a run begins or ends.
    end_run_behavior
        Name of RunTransitionBehavior in very old scripts.
    spectra_list
        Spectra wanted of a histogram memory, from 1; default: all.
    period_list
        Periods wanted of a histogram memory, from 1; default: all.
    buffer_threshold
        A chunk ends at about so many events.
    accumulation_workspace
        Name for what has accumulated; needed with post-processing.
    output_workspace
        Name of the result.
    """

    instrument: str
    connection: str = ""
    listener: str = ""
    address: str = ""
    start_time: str = ""
    processing_algorithm: str = ""
    processing_properties: str = ""
    processing_script: str = ""
    processing_script_filename: Path | None = None
    accumulation_method: Literal["Add", "Replace", "Append"] = "Add"
    preserve_events: bool = False
    post_processing_algorithm: str = ""
    post_processing_properties: str = ""
    post_processing_script: str = ""
    post_processing_script_filename: Path | None = None
    run_transition_behavior: Literal["Restart", "Stop", "Rename"] = "Restart"
    end_run_behavior: Literal["Restart", "Stop", "Rename"] | None = None
    spectra_list: Sequence[int] = ()
    period_list: Sequence[int] = ()
    buffer_threshold: int = 20_000_000
    accumulation_workspace: OutputName = _NO_NAME
    output_workspace: OutputName


@dataclass(frozen=True, kw_only=True)
class MonitorProperties(LoadProperties):
    """What a loop has besides.

    Attributes
    ----------
    update_every
        Time between chunks, s; with StartLiveData 0 means one chunk only.
    """

    update_every: float = 60.0


@dataclass(frozen=True, kw_only=True)
class StartProperties(MonitorProperties):
    """What the start has besides; exactly one of the three must be true.

    Attributes
    ----------
    from_now
        Data from now on.
    from_start_of_run
        Data from the start of the current run.
    from_time
        Data from StartTime on.
    """

    from_now: bool = True
    from_start_of_run: bool = False
    from_time: bool = False


class LiveOutputs(NamedTuple):
    """What comes out besides workspaces.

    Attributes
    ----------
    last_time_stamp
        When data were taken in last, by this computer's clock (ISO 8601 UTC).
    newest_data
        Time of the newest pulse (ISO 8601 UTC).
    """

    last_time_stamp: str
    newest_data: str


class StartOutputs(NamedTuple):
    """What comes out besides workspaces.

    Attributes
    ----------
    last_time_stamp
        When data were taken in last, by this computer's clock (ISO 8601 UTC).
    newest_data
        Time of the newest pulse (ISO 8601 UTC).
    monitor_live_data
        The monitoring that goes on: cancel() ends it.
    """

    last_time_stamp: str
    newest_data: str
    monitor_live_data: Any
