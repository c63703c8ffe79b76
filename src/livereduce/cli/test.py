"""`livereduce test`: an instrument's scripts on simulated chunks, with time, memory and errors by line."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from livereduce.errors import ScriptError
    from livereduce.live.cuts import CutRecord
    from livereduce.live.monitor import Monitor
    from livereduce.workspaces.store import Holding

EPOCH_NS = 1_767_225_600_000_000_000
"""The simulated run begins on 2026-01-01."""
LARGEST = 5
PRINTED_LINES = 20
COLUMNS = {
    "chunk": 5, "events": 12, "pending": 12, "proc ms": 10, "accumulate ms": 14, "post ms": 10, "memory MiB": 11
}  # fmt: skip


@click.command(epilog="Example: livereduce test /SNS/PG3/shared/livereduce --instrument POWGEN")
@click.argument("script_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--instrument", required=True, help="Instrument whose scripts are in the folder, by name or short name.")
@click.option("--chunks", type=click.IntRange(min=1), default=5, show_default=True, help="How many chunks.")
@click.option("--seconds", type=click.FloatRange(min=0.5), default=5.0, show_default=True, help="Data in each chunk.")
@click.option("--rate", type=click.FloatRange(1e3, 1e7), default=50_000.0, show_default=True, help="Events a second.")
@click.option("--sample", type=click.Choice(["si", "nacl", "diamond", "vanadium"]), default="si", show_default=True)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Recorded stream or NeXus file of the instrument to use instead of simulated data.",
)
@click.option(
    "--accum-method",
    type=click.Choice(["Add", "Replace", "Append"], case_sensitive=False),
    default="Add",
    show_default=True,
    help="How chunks are put together.",
)
@click.option("--preserve-events/--drop-events", default=True, show_default=True, help="As in the configuration.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def test(
    script_dir: Path, instrument: str, chunks: int, seconds: float, rate: float, sample: str, file: Path | None,
    accum_method: str, preserve_events: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run an instrument's scripts on chunks of a simulated powder diffractometer, or of a recorded file.

    Shows how long each stage takes and how memory grows, chunk by chunk, and each error with its line. Scripts that
    need the instrument's own geometry want --file. Ends with 1 if a script failed.
    """
    from livereduce.errors import ScriptError
    from livereduce.listeners.opening import open_recording
    from livereduce.live.pacing import PacedListener, run_to_end
    from livereduce.testing import facade, live_cycle

    proc, post = _scripts(script_dir, instrument)
    report = Report(chunks, (lambda _line: None) if as_json else click.echo)
    with tempfile.TemporaryDirectory() as folder, facade(proc, post):
        if file is None:
            click.echo(f"simulating {chunks * seconds:g} s at {rate:g} events/s", err=True)
        recording = file or _simulated(Path(folder) / "simulated.adara", chunks, seconds, rate, sample)
        paced = PacedListener(open_recording(recording, chunks))
        try:
            report.monitor = live_cycle(
                paced, proc, post, update_every_s=seconds, method=accum_method, preserve_events=preserve_events,
                observer=report, echo=report.printed.append,
            )  # fmt: skip
            run_to_end(report.monitor, paced)
            report.holdings = report.monitor.step.store.holdings()[:LARGEST]
        except ScriptError as error:  # one that could not be compiled
            report.script_failed("compile", error)
        finally:
            paced.close()
    click.echo(json.dumps(report.as_json()) if as_json else "\n".join(report.lines()))
    sys.exit(1 if report.failures else 0)


def _scripts(folder: Path, instrument: str) -> tuple[Path | None, Path | None]:
    from livereduce import facilities
    from livereduce.config import script_names

    row = facilities.find(instrument)
    proc, post = (folder / name for name in script_names(row.short_name if row else instrument))
    if not proc.exists() and not post.exists():
        near = None if row else facilities.nearest(instrument)
        hint = f"; did you mean {near}?" if near else ""
        raise click.UsageError(f"{folder}: no script; looked for {proc.name} and {post.name}{hint}")
    return proc if proc.exists() else None, post if post.exists() else None


def _simulated(path: Path, chunks: int, seconds: float, rate: float, sample: str) -> Path:
    """Write the stream of one simulated run that is long enough."""
    from livereduce.simulators.plan import Plan
    from livereduce.simulators.scenario import Scenario

    length = chunks * seconds + 1.0
    plan = Plan(runs=1, run_seconds=length, lead_in=0.0, gap_seconds=1.0, rollover=0.0)
    stream = Scenario(sample=sample, rate=rate, plan=plan).prepare().begin(EPOCH_NS)
    reader = stream.history.since(EPOCH_NS, skip_paused=True)
    with path.open("wb") as out:
        for tenths in range(1, round(length * 10) + 1):
            stream.advance(EPOCH_NS + tenths * 100_000_000)
            while parts := reader.take(1 << 20):
                out.writelines(parts)
    return path


class Report:
    """What each step took, and what went wrong; `tell` gets a line for each chunk as it is done."""

    def __init__(self, chunks: int, tell: Callable[[str], None]) -> None:
        self.monitor: Monitor | None = None
        self.printed: list[str] = []
        self.failures: dict[tuple[str, str, int | None], tuple[int, ScriptError]] = {}
        self.holdings: list[Holding] = []
        self.rows: list[dict[str, Any]] = []
        self._chunks = chunks
        self._tell = tell
        self._in_step = False

    # -- the live cycle's observer ------------------------------------------------------------------------------------

    def stage(self, name: str) -> None:
        """Take note of a step that is over."""
        if name == "proc":
            self._in_step = True
        elif name == "idle" and self._in_step:
            self._in_step = False
            self._note()

    def _note(self) -> None:
        import psutil

        assert self.monitor is not None
        runs = self.monitor.builder.ledger.as_json()["runs"]
        if not runs or not runs[-1]["events"]:  # the moment before the run begins
            return
        self.rows.append(
            {
                "chunk": len(self.rows) + 1,
                "events": runs[-1]["accumulated"],
                "pending": runs[-1]["pending"],
                "seconds": dict(self.monitor.step.latency),
                "memory_bytes": psutil.Process().memory_info().rss,
            }
        )
        if len(self.rows) == 1:
            self._tell(" ".join(f"{name:>{width}}" for name, width in COLUMNS.items()))
        self._tell(_as_text(self.rows[-1]))
        if len(self.rows) >= self._chunks:
            self.monitor.stopped = True

    def script_failed(self, stage: str, error: ScriptError) -> None:
        """Count it."""
        key = (stage, error.message, error.line)
        self.failures[key] = (self.failures.get(key, (0, error))[0] + 1, error)

    def script_succeeded(self, stage: str) -> None:
        """See `live.monitor.Observer`."""

    def shown(self, run: int) -> None:
        """See `live.monitor.Observer`."""

    def settled(self, record: CutRecord) -> None:
        """See `live.monitor.Observer`."""

    # -- what is told -------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """Everything as one object."""
        return {
            "chunks": self.rows,
            "errors": [
                {"stage": stage, "file": e.file, "line": e.line, "message": message, "count": n}
                for (stage, message, _), (n, e) in self.failures.items()
            ],
            "largest": [{"name": h.name, "kind": h.kind, "bytes": h.nbytes} for h in self.holdings],
            "printed": "".join(self.printed),
        }

    def lines(self) -> list[str]:
        """What there is to say at the end."""
        largest = [f"  {h.name}: {h.kind}, {h.nbytes / 2**20:,.1f} MiB" for h in self.holdings if h.nbytes]
        printed = "".join(self.printed).splitlines()
        last = f", the last {PRINTED_LINES} of {len(printed)} lines" if len(printed) > PRINTED_LINES else ""
        errors = [
            line
            for (stage, _, _), (count, error) in self.failures.items()
            for line in (
                f"{stage} failed {'once' if count == 1 else f'{count} times'}: {error}",
                *error.traceback.splitlines(),
            )
        ]
        return [
            *(["largest in memory:", *largest] if largest else []),
            *([f"printed{last}:", *(f"  {line}" for line in printed[-PRINTED_LINES:])] if printed else []),
            *(errors or ["no errors"]),
        ]


def _as_text(row: dict[str, Any]) -> str:
    return (
        f"{row['chunk']:>5} {row['events']:>12,} {row['pending']:>12,} {_ms(row, 'proc'):>10} "
        f"{_ms(row, 'accumulate'):>14} {_ms(row, 'post'):>10} {row['memory_bytes'] / 2**20:>11,.0f}"
    )


def _ms(row: dict[str, Any], stage: str) -> str:
    seconds = row["seconds"].get(stage)
    return "-" if seconds is None else f"{seconds * 1000:,.1f}"
