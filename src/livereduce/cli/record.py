"""`livereduce record`: keep a stream's bytes."""

from __future__ import annotations

import logging
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from livereduce.sources.link import Link

LOOK_S = 0.2


@click.command(epilog="Example: livereduce record bl11a-daq1.sns.gov:31415 powgen.adara --seconds 600")
@click.argument("address", metavar="HOST:PORT")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from-now", is_flag=True, help="From now on. [default: from the start of the current run]")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after so long. [default: Ctrl-C]")
@click.option("--force", is_flag=True, help="Write over FILE if there is one.")
def record(address: str, file: Path, from_now: bool, seconds: float | None, force: bool) -> None:
    """Write what an ADARA server sends to FILE, until Ctrl-C or until the server ends the connection.

    FILE is what other tools for ADARA read, and `livereduce replay`. One connection is one file: a stream that was
    interrupted is recorded anew, since the server repeats what came before.
    """
    # a lost connection is said below, and is not made again
    logging.getLogger("livereduce.sources").setLevel(logging.ERROR)
    from livereduce.sources.dialects import adara
    from livereduce.sources.link import Link
    from livereduce.sources.resume import Resume
    from livereduce.sources.socket import NO_SEGMENTS

    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; --force writes over it")
    link = Link(address, adara(NO_SEGMENTS), Resume(0 if from_now else 1), time.monotonic)
    end = float("inf") if seconds is None else time.monotonic() + seconds
    try:
        written = _record(link, file, end)
    finally:
        link.close()
    click.echo(f"{file}: {written:,} bytes, {link.packets:,} packets", err=True)
    if link.error is not None and not (written and link.error == "the server closed the connection"):
        raise click.ClickException(f"{address}: {link.error}")


def _record(link: Link, file: Path, end: float) -> int:
    """Write until the connection or the time is over; gives the number of bytes."""
    written, told = 0, time.monotonic()
    with file.open("wb") as out:
        try:
            while link.error is None and time.monotonic() < end:
                chunk = link.step()
                if chunk is not None:
                    written += out.write(chunk.data)
                    link.taken(chunk)
                elif link.error is None:
                    _wait(link)
                if time.monotonic() - told > 1:
                    told = time.monotonic()
                    click.echo(f"{link.state}: {written / 1e6:,.1f} MB, run {link.run or 'none'}", err=True)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
    return written


def _wait(link: Link) -> None:
    interest = link.interest
    if interest is None:
        time.sleep(LOOK_S / 10)
        return
    poll = select.poll()
    poll.register(*interest)
    poll.poll(LOOK_S * 1000)
