"""`livereduce run`: the daemon in the foreground; what systemd starts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from livereduce.errors import ConfigError

if TYPE_CHECKING:
    from livereduce.config import Config
    from livereduce.supervisor.daemon import Outcome, Supervisor


@click.command(epilog="Example: livereduce run /etc/livereduce.conf --port 8080")
@click.argument("conf", required=False, type=click.Path(path_type=Path))
@click.option("--exit-after-runs", type=click.IntRange(min=1), help="End when so many runs are done.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page, in place of web.port; 0 = any free one.")
def run(conf: Path | None, exit_after_runs: int | None, port: int | None) -> None:
    """Receive the live stream, run the scripts, show the result, until stopped.

    CONF is the configuration (JSON); without it /etc/livereduce.conf. With --exit-after-runs the last line on stdout
    is the ledger as JSON.
    """
    from livereduce.config import load, resolve_scripts
    from livereduce.config.logs import configure_logging
    from livereduce.supervisor.daemon import Stop, Supervisor

    def read() -> Config:
        config = load(conf)
        resolve_scripts(config)
        chosen = config.web if port is None else config.web.model_copy(update={"port": port})
        return config.model_copy(update={"web": chosen})

    stop, started_ns = Stop(), time.time_ns()

    def supervise(config: Config) -> Supervisor:
        configure_logging(config, "livereduce")
        supervisor = Supervisor(
            config, exit_after_runs=exit_after_runs, counting_from_ns=started_ns, reload=read, stop=stop
        )
        click.echo(
            f"livereduce: {config.instrument} from {config.address}; the page is at {supervisor.page.url}", err=True
        )
        return supervisor

    outcome = _run(read(), supervise)
    if exit_after_runs is not None:
        click.echo(json.dumps(outcome.ledger))
    sys.exit(outcome.exit_code)


def _run(config: Config, supervise: Callable[[Config], Supervisor]) -> Outcome:
    """Run with one configuration after the other; one that turns out to be unusable leaves the one before it in use."""
    outcome = supervise(config).run()
    while outcome.changed is not None:
        try:
            supervisor = supervise(outcome.changed)
            config = outcome.changed
        except ConfigError as error:
            supervisor = supervise(config)
            supervisor.refuse(error.problems)
        outcome = supervisor.run()
    return outcome
