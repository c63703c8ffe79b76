"""`livereduce watchdog`: look after a running livereduce from outside."""

from __future__ import annotations

import logging
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from livereduce.supervisor.watchdog import Restarts

log = logging.getLogger(__name__)

TURN_S = 0.25


@click.command(epilog="Example: livereduce watchdog /etc/livereduce.conf --restart")
@click.argument("conf", required=False, type=click.Path(path_type=Path))
@click.option("--restart", is_flag=True, help="Have systemd start the service again when it is not well.")
@click.option("--unit", default="livereduce.service", show_default=True, help="The service to start again.")
@click.option("--once", is_flag=True, help="Look once; the exit code is 0 if all is well, else 1.")
def watchdog(conf: Path | None, restart: bool, unit: str, once: bool) -> None:
    """Look at the heartbeat of a running livereduce every watchdog.interval seconds, and say when it is not well.

    It is not well when its heartbeat is older than watchdog.threshold, but at least three times update_every. A long
    script, an idle beam or a lost source is no reason. CONF is the configuration (JSON); without it
    /etc/livereduce.conf. Restarts are at least the threshold apart and no more than five an hour.
    """
    from livereduce.config import load
    from livereduce.supervisor.watchdog import Restarts, look, threshold_s

    config = load(conf)
    if once:
        verdict = look(config, time.time_ns())
        click.echo(verdict.why)
        sys.exit(0 if verdict.well else 1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s - watchdog - %(levelname)s - %(message)s")
    signals: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        signals.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    restarts = Restarts(threshold_s(config)) if restart else None
    log.info("looking at %s every %g s", config.runtime_dir / "heartbeat.json", config.watchdog.interval)
    well = True
    while not signals:
        verdict = look(config, time.time_ns())
        if not verdict.well:
            log.error("%s", verdict.why)
            _treat(restarts, unit)
        elif not well:
            log.info("%s", verdict.why)
        well = verdict.well
        again = time.monotonic() + config.watchdog.interval
        while not signals and time.monotonic() < again:
            time.sleep(TURN_S)


def _treat(restarts: Restarts | None, unit: str) -> None:
    from livereduce.supervisor.watchdog import restart_service

    if restarts is None:
        return
    if not restarts.allowed(time.monotonic()):
        log.error("%s is not started again now: too soon after the last time, or too often within an hour", unit)
        return
    failure = restart_service(unit)
    if failure:
        log.error("%s could not be started again: %s", unit, failure)
    else:
        log.warning("%s was started again", unit)
