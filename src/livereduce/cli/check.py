"""`livereduce check`: everything that can be known to be wrong before anything is started, at once."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from livereduce.errors import ConfigError, ScriptError

if TYPE_CHECKING:
    from livereduce.config import Config, Scripts


def _first_address(host: str) -> str:
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


@click.command(epilog="Example: livereduce check /etc/livereduce.conf")
@click.argument("conf", required=False, type=click.Path(path_type=Path))
def check(conf: Path | None) -> None:
    """Check a configuration, its scripts and its address without starting anything.

    CONF is the configuration (JSON); without it /etc/livereduce.conf. Everything wrong is listed at once; the exit code
    is then 2. Algorithms that scripts name and livereduce does not have are warnings, as a script may never call them.
    """
    from livereduce import config as configuration

    config = configuration.load(conf)
    problems, warnings = folder_problems(config), list(config.warnings)
    scripts = None
    try:
        scripts = configuration.resolve_scripts(config)
    except ConfigError as error:
        problems += error.problems
    for path in _paths(scripts):
        more_problems, more_warnings = script_findings(path)
        problems += more_problems
        warnings += more_warnings
    where = ""
    try:
        where = f" ({address_of(config)})"
    except ConfigError as error:
        problems += error.problems
    for line in _summary(config, scripts, where):
        click.echo(line)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in problems:
        click.echo(f"problem: {problem}", err=True)
    if problems:
        sys.exit(2)
    click.echo("nothing wrong")


def _paths(scripts: Scripts | None) -> list[Path]:
    return [path for path in (scripts.proc, scripts.post) if path] if scripts else []


def _summary(config: Config, scripts: Scripts | None, where: str) -> list[str]:
    lines = [
        f"configuration  {config.source or 'built-in defaults'}",
        f"instrument     {config.instrument} ({config.short_name}){f', {config.facility}' if config.facility else ''}",
        f"source         {config.listener} at {config.address}{where}",
        f"update         every {config.update_every:g} s, {config.accum_method},"
        f" {'events kept' if config.preserve_events else 'histograms'}",
        f"state          {config.state_dir}",
        f"runtime        {config.runtime_dir}",
        f"page           http://{config.web.host}:{config.web.port}",
    ]
    stages = (("chunk script", scripts.proc), ("post script", scripts.post)) if scripts else ()
    return lines + [f"{stage:14} {path or 'none'}" for stage, path in stages]


def folder_problems(config: Config) -> list[str]:
    """Say which of the folders we write to cannot be written."""
    folders = {
        "state_dir": config.state_dir,
        "runtime_dir": config.runtime_dir,
        "output.directory": config.output.directory,
    }
    return [
        f"{key}: {path} cannot be written by this user; choose another"
        for key, path in folders.items()
        if not _writable(path)
    ]


def _writable(path: Path) -> bool:
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def address_of(config: Config, resolve: Callable[[str], str] = _first_address) -> str:
    """Look up the host of the source; `ConfigError` when there is none of that name."""
    host = config.address.rpartition(":")[0].strip("[]")
    if config.listener in {"file", "fake"}:
        return "no network"
    try:
        return resolve(host)
    except OSError as error:
        raise ConfigError([f"address: {host} is not known to this machine ({error})"]) from error


def script_findings(path: Path) -> tuple[list[str], list[str]]:
    """Compile a script and look at the names it uses; give problems and warnings."""
    from livereduce.live.scripts import load_script
    from livereduce.mantid.names import missing_names

    try:
        script = load_script(path)
    except ScriptError as error:
        return [str(error)], []
    return [], missing_names(script.text, str(path))
