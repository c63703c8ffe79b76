"""`livereduce run`: the daemon in the foreground; what systemd starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


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
    from livereduce.errors import ConfigError
    from livereduce.supervisor.daemon import Supervisor

    problems: list[str] = []
    try:
        config = load(conf)
        resolve_scripts(config)
    except ConfigError as error:
        problems = error.problems
    for problem in problems:
        click.echo(f"livereduce: {problem}", err=True)
    if problems:
        sys.exit(2)
    if port is not None:
        config = config.model_copy(update={"web": config.web.model_copy(update={"port": port})})
    configure_logging(config, "livereduce")
    try:
        supervisor = Supervisor(config, exit_after_runs=exit_after_runs)
    except ConfigError as error:
        click.echo(f"livereduce: {error}", err=True)
        sys.exit(2)
    click.echo(f"livereduce: {config.instrument} from {config.address}; the page is at {supervisor.page.url}", err=True)
    outcome = supervisor.run()
    if exit_after_runs is not None:
        click.echo(json.dumps(outcome.ledger))
    sys.exit(outcome.exit_code)
