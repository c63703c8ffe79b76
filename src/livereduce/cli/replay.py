"""`livereduce replay`: recorded data through the scripts as if they were live."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from livereduce.errors import ScriptError
    from livereduce.live.cuts import CutRecord
    from livereduce.live.monitor import Monitor

TOLD_EVERY_S = 1.0
_SCRIPT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog="Example: livereduce replay powgen.adara --proc reduce_PG3_live_proc.py --out results")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--proc", type=_SCRIPT, help="Chunk script.")
@click.option("--post", type=_SCRIPT, help="Post-processing script.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the result of each run, as result_<run>.nxs.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds of data a second. [default: as fast as possible]",
)
@click.option(
    "--update-every",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds of data between updates.",
)
@click.option(
    "--accum-method",
    type=click.Choice(["Add", "Replace", "Append"], case_sensitive=False),
    default="Add",
    show_default=True,
    help="How chunks are put together.",
)
@click.option("--preserve-events/--drop-events", default=True, show_default=True, help="Keep events after --proc.")
def replay(
    file: Path, proc: Path | None, post: Path | None, out: Path | None, speed: float | None, update_every: float,
    accum_method: str, preserve_events: bool,
) -> None:  # fmt: skip
    """Run the scripts on a recorded stream or a NeXus file, chunk by chunk, as if it were live.

    The last line on stdout is the ledger as JSON: what became of every event. Ends with 1 if a script failed.
    """
    from livereduce.listeners.opening import open_recording
    from livereduce.live.pacing import PacedListener, run_to_end
    from livereduce.testing import facade, live_cycle

    paced = PacedListener(open_recording(file))
    watcher = Watcher(out)
    with facade(proc, post), _stopped_by_ctrl_c():
        monitor = live_cycle(
            paced,
            proc,
            post,
            update_every_s=update_every,
            method=accum_method,
            preserve_events=preserve_events,
            observer=watcher,
            echo=_printer(),
        )
        watcher.monitor = monitor
        try:
            run_to_end(monitor, paced, speed)
        finally:
            watcher.end()
            paced.close()
            click.echo(json.dumps(monitor.builder.ledger.as_json()))
    sys.exit(1 if watcher.failures else 0)


class Watcher:
    """Says how a cycle gets on: a line a second and for each new script error; saves the result of each run."""

    def __init__(self, out: Path | None = None) -> None:
        self.monitor: Monitor | None = None
        self.failures: dict[tuple[str, str, int | None], tuple[int, ScriptError]] = {}
        self._out = out
        self._shown: tuple[int, Any] | None = None
        self._told, self._told_run = 0.0, -1

    def stage(self, name: str) -> None:
        """See `live.monitor.Observer`."""

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """Say it once and count it."""
        key = (stage, error.message, error.line)
        count, _ = self.failures.get(key, (0, error))
        self.failures[key] = (count + 1, error)
        if not count:
            click.echo(f"{error}\n{error.traceback}", err=True)

    def script_succeeded(self, stage: str) -> None:
        """See `live.monitor.Observer`."""

    def shown(self, run: int) -> None:
        """Say what there is now; the result of the run before is final."""
        assert self.monitor is not None
        if self._shown is not None and self._shown[0] != run:
            self._save(*self._shown)
        output = self.monitor.step.output
        self._shown = None if output is None else (run, output.clone())
        if self._told_run == run and time.monotonic() - self._told < TOLD_EVERY_S:
            return
        self._told, self._told_run = time.monotonic(), run
        latency = self.monitor.step.latency
        took = ", ".join(f"{stage} {seconds * 1000:,.1f} ms" for stage, seconds in latency.items())
        click.echo(f"run {run or 'none'}: {self._events(run):,} events; {took}", err=True)

    def _events(self, run: int) -> int:
        assert self.monitor is not None
        ledger = self.monitor.builder.ledger.as_json()
        accounts = [account for account in ledger["runs"] if account["run"] == run] or [ledger["between_runs"]]
        return int(accounts[-1]["accumulated"])

    def settled(self, record: CutRecord) -> None:
        """See `live.monitor.Observer`."""

    def end(self) -> None:
        """Save what is left and say what failed how often."""
        if self._shown is not None:
            self._save(*self._shown)
        self._shown = None
        for (stage, message, _), (count, error) in self.failures.items():
            place = error.file if error.line is None else f"{error.file}:{error.line}"
            click.echo(f"{stage} failed {count} times: {place}: {message}", err=True)

    def _save(self, run: int, result: Any) -> None:
        from livereduce.algorithms import save_nexus

        if self._out is None or run == 0:
            return
        self._out.mkdir(parents=True, exist_ok=True)
        path = self._out / f"result_{run}.nxs"
        save_nexus(result, path)
        click.echo(f"wrote {path}", err=True)


def _printer() -> Callable[[str], None]:
    """Print what scripts print; they run with streams of their own in place of ours."""
    stderr = sys.stderr

    def echo(text: str) -> None:
        stderr.write(text)

    return echo


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        sys.exit(0)
