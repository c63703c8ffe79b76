"""`livereduce simulate`: stand in for a facility's data acquisition system."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

import click

from livereduce.cli.simulate_isis import isis_events, isis_histogram
from livereduce.cli.times import epoch_ns
from livereduce.errors import LiveReduceError
from livereduce.simulators.chaos import HELP as CHAOS_HELP


@click.group(epilog="Example: livereduce simulate adara --port 31415")
def simulate() -> None:
    """Stand in for a facility: a stream with real physics, for demos, tests and training."""


_CHAOS_TEXT = "\n".join(["\b", "Faults for --chaos:", *(f"  {name:20} {text}" for name, text in CHAOS_HELP.items())])


@simulate.command(
    epilog=f"{_CHAOS_TEXT}\n\nExample: livereduce simulate adara --port 31415 --sample nacl --rate 1e5 --runs 3"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="TCP port; 0 chooses a free one, which is printed.")
@click.option(
    "--rate",
    default=50_000.0,
    show_default=True,
    help="Detector events a second, 1e3 to 1e8. Above 4e5 pulses are repeated, so that sending is all the work.",
)
@click.option("--seed", default=1, show_default=True, help="Same seed, --epoch and plan: same bytes.")
@click.option(
    "--sample", default="si", show_default=True, help="si, nacl (heated from 300 to 500 K), diamond, vanadium."
)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Replay this NeXus histogram instead of a sample, every count as one event, once a run.",
)
@click.option("--runs", type=click.IntRange(min=0), help="Number of runs, then exit. [default: no end; 1 with --file]")
@click.option("--run-seconds", default=300.0, show_default=True, help="Length of a run.")
@click.option("--gap-seconds", default=15.0, show_default=True, help="Time between runs; pulses go on.")
@click.option("--lead-in-seconds", default=1.0, show_default=True, help="Time before the first run.")
@click.option(
    "--pause-at", default=0.0, show_default=True, help="Pause every run this long after its start, for --pause-seconds."
)
@click.option("--pause-seconds", default=0.0, show_default=True, help="Length of the pause; 0 = none.")
@click.option(
    "--file-rollover-seconds", default=120.0, show_default=True, help="New file of the same run this often; 0 = never."
)
@click.option(
    "--index-period", default=300.0, show_default=True, help="Seconds between places where history can be read from."
)
@click.option("--ramp-rate", default=6.0, show_default=True, help="K/min of the heating of NaCl.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the first client.")
@click.option("--linger", default=10.0, show_default=True, help="Seconds to go on after the last run.")
@click.option("--epoch", callback=epoch_ns, metavar="ISO", help="Simulated time at the start. [default: now]")
@click.option("--speed", default=1.0, show_default=True, help="Simulated seconds a second.")
@click.option("--chaos", multiple=True, metavar="FAULT", help="Commit a fault; may be repeated. See below.")
def adara(
    host: str, port: int, rate: float, seed: int, sample: str, file: Path | None, runs: int | None, run_seconds: float,
    gap_seconds: float, lead_in_seconds: float, pause_at: float, pause_seconds: float, file_rollover_seconds: float,
    index_period: float, ramp_rate: float, no_wait: bool, linger: float, epoch: int | None, speed: float,
    chaos: tuple[str, ...],
) -> None:  # fmt: skip
    """Be an SNS/HFIR streaming server (ADARA) with a powder diffractometer, or with the counts of a file, behind it.

    Starts when the first client has said hello. The last line on stdout is the truth: what was sent, as JSON.
    """
    from livereduce.simulators.adara_server import AdaraServer
    from livereduce.simulators.chaos import chaos_from
    from livereduce.simulators.plan import Plan
    from livereduce.simulators.scenario import Scenario

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    plan = Plan(
        runs=1 if runs is None and file is not None else runs,
        run_seconds=run_seconds,
        gap_seconds=gap_seconds,
        lead_in=lead_in_seconds,
        pause_at=pause_at,
        pause_seconds=pause_seconds,
        rollover=file_rollover_seconds,
        index_period=index_period,
    )
    try:
        simulation = Scenario(sample, file, rate, seed, plan, chaos_from(chaos), ramp_rate).prepare()
        server = AdaraServer(
            simulation, host, port, epoch_ns=epoch, speed=speed, wait=not no_wait, linger=linger
        )  # fmt: skip
    except LiveReduceError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error}; --port 0 chooses a free port") from error
    with server:
        click.echo(f"serving {simulation.plan.title} on {simulation.beamline.name}", err=True)
        click.echo(f"listening on {server.address}", err=True)
        while not server.wait(0.1) and not asked_to_stop.is_set():
            pass
    click.echo(server.truth_json())


simulate.add_command(isis_histogram)
simulate.add_command(isis_events)

if __name__ == "__main__":
    simulate()
