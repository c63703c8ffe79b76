"""`livereduce`: a table of commands, each imported when it is asked for.

A command is an attribute of a module; heavy imports are inside the commands, so ``livereduce --help`` is quick. A
command whose module is not there is not offered.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import click

from livereduce import __version__
from livereduce.errors import ConfigError, LiveReduceError

COMMANDS = {
    "run": "livereduce.cli.run:run",
    "demo": "livereduce.cli.demo:demo",
    "check": "livereduce.cli.check:check",
    "simulate": "livereduce.cli.simulate:simulate",
    "record": "livereduce.cli.record:record",
    "replay": "livereduce.cli.replay:replay",
    "test": "livereduce.cli.test:test",
    "status": "livereduce.cli.look:status",
    "ledger": "livereduce.cli.look:ledger",
    "watchdog": "livereduce.cli.watchdog:watchdog",
    "service": "livereduce.cli.service:service",
    "algorithms": "livereduce.cli.algorithms:algorithms",
}


class LazyGroup(click.Group):
    """A group whose commands are imported by name; our own errors become one line each and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the commands in the order of the table."""
        return [name for name, target in COMMANDS.items() if importlib.util.find_spec(target.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; 2 = wrong configuration, 1 = failed."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            problems, code = error.problems, 2
        except LiveReduceError as error:
            problems, code = [str(error)], 1
        for problem in problems:
            click.echo(f"livereduce: {problem}", err=True)
        ctx.exit(code)


@click.group(cls=LazyGroup, epilog="Example: livereduce demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="livereduce")
def cli() -> None:
    """Reduce neutron data while they are being measured, with the instrument scientist's own scripts."""


if __name__ == "__main__":
    cli(prog_name="livereduce")
