"""`livereduce simulate isis-histogram` and `isis-events`: stand in for an ISIS data acquisition (DAE)."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from livereduce.cli.times import epoch_ns
from livereduce.errors import LiveReduceError
from livereduce.simulators.isis_chaos import COMMAND_HELP, EVENT_HELP, CommandChaos, EventChaos

if TYPE_CHECKING:
    from livereduce.simulators.isis_memory import Memory

COMMAND_PORT, EVENT_PORT = 56789, 59876
"""Where Mantid's fakes listen, and where the test instruments ISIS_Histogram and ISIS_Event are looked for."""


def _faults(texts: Mapping[str, str]) -> str:
    return "\n".join(["\b", "Faults for --chaos:", *(f"  {name:20} {text}" for name, text in texts.items())])


def _until_asked_to_stop() -> threading.Event:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    return asked


@click.command(
    "isis-histogram",
    epilog=f"{_faults(COMMAND_HELP)}\n\n"
    "Example: livereduce simulate isis-histogram --periods 5 --spectra 10 --bins 100",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=COMMAND_PORT, show_default=True, help="TCP port; 0 chooses a free one.")
@click.option("--periods", default=1, show_default=True, help="Number of periods.")
@click.option("--spectra", default=100, show_default=True, help="Spectra, three monitors apart.")
@click.option("--bins", default=30, show_default=True, help="Time channels of 100 µs from 10000 µs on.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Hold this NeXus histogram instead.",
)
@click.option("--chaos", multiple=True, metavar="FAULT", help="Commit a fault; may be repeated. See below.")
def isis_histogram(
    host: str, port: int, periods: int, spectra: int, bins: int, file: Path | None, chaos: tuple[str, ...]
) -> None:
    """Be the histogram memory of an ISIS instrument (ISISDS), with constant counts or those of a file.

    Without --file it does what Mantid's FakeISISHistoDAE does: spectrum s of period p (from 0) holds 1000 p + s in
    every channel. The last line on stdout says what it holds, as JSON.
    """
    from livereduce.simulators.chaos import read_switches
    from livereduce.simulators.isis_memory import fake_memory, file_memory
    from livereduce.simulators.isis_servers import CommandServer

    asked_to_stop = _until_asked_to_stop()
    try:
        memory = fake_memory(periods, spectra, bins) if file is None else file_memory(file)
        faults = read_switches(CommandChaos, COMMAND_HELP, chaos)
        server = CommandServer(memory, host, port, chaos=faults)
    except LiveReduceError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error}; --port 0 chooses a free port") from error
    with server:
        click.echo(f"listening on {server.address}", err=True)
        asked_to_stop.wait()
    click.echo(json.dumps({"runs": [_held(memory)], "between_runs": {}}))


def _held(memory: Memory) -> dict[str, object]:
    counts = int(memory.first.values[:, :, 1:].sum())
    return {"run": memory.run or 0, "periods": memory.periods, "spectra": memory.spectra, "events": counts}


@click.command(
    "isis-events",
    epilog=f"{_faults(EVENT_HELP)}\n\nExample: livereduce simulate isis-events --runs 3 --run-seconds 60 --periods 2",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=EVENT_PORT,
    show_default=True,
    help="TCP port of the events; commands are on the next one. 0 chooses a free pair.",
)
@click.option("--periods", default=1, show_default=True, help="Number of periods.")
@click.option("--spectra", default=100, show_default=True, help="Spectra, three monitors apart.")
@click.option("--bins", default=30, show_default=True, help="Time channels of the histogram memory.")
@click.option("--interval", default=0.02, show_default=True, help="Seconds between frames.")
@click.option("--rate", default=50_000.0, show_default=True, help="Events a second.")
@click.option("--seed", default=1, show_default=True, help="Same seed: same events.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Send this NeXus histogram, every count as one event, once a run.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), help="Measure so many runs, then exit. [default: 1 with --file, else a fake]"
)
@click.option("--run-seconds", default=60.0, show_default=True, help="Length of a run.")
@click.option("--cards", default=2, show_default=True, help="Packets each frame is split into.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the first client.")
@click.option("--linger", default=10.0, show_default=True, help="Seconds to go on after the last run.")
@click.option("--epoch", callback=epoch_ns, metavar="ISO", help="Time of the first run's start. [default: now]")
@click.option("--chaos", multiple=True, metavar="FAULT", help="Commit a fault; may be repeated. See below.")
def isis_events(
    host: str, port: int, periods: int, spectra: int, bins: int, interval: float, rate: float, seed: int,
    file: Path | None, runs: int | None, run_seconds: float, cards: int, no_wait: bool, linger: float,
    epoch: int | None, chaos: tuple[str, ...],
) -> None:  # fmt: skip
    """Be the event stream of an ISIS instrument, with its command port beside it.

    Without --runs and --file it does what Mantid's FakeISISEventDAE does: an endless run 1234 without frame numbers,
    times and charges, every client its own. With them it measures: runs with frames, charges and periods, counted
    into the histogram memory as well. The last line on stdout is the truth: what was sent, as JSON.
    """
    from livereduce.simulators.chaos import read_switches
    from livereduce.simulators.isis_scenario import IsisScenario
    from livereduce.simulators.isis_stream import EventPlan

    asked_to_stop = _until_asked_to_stop()
    plan = EventPlan(runs=runs, run_seconds=run_seconds, interval=interval, periods=periods, cards=cards)
    try:
        faults = read_switches(EventChaos, EVENT_HELP, chaos)
        scenario = IsisScenario(plan, spectra, bins, rate, seed, file, faults)
        machine = scenario.serve(host, port, wait=not no_wait, linger=linger, epoch_ns=epoch)
    except LiveReduceError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        message = f"cannot listen on {host}:{port} and its command port: {error}; --port 0 chooses free ones"
        raise click.ClickException(message) from error
    with machine:
        if machine.commands is not None:
            click.echo(f"commands on {machine.commands.address}", err=True)
        click.echo(f"listening on {machine.address}", err=True)
        while not machine.events.wait(0.1) and not asked_to_stop.is_set():
            pass
    click.echo(machine.events.truth_json())
