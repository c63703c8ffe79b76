"""`livereduce status` and `livereduce ledger`: what a running livereduce says."""

from __future__ import annotations

import json
from typing import Any

import click

from livereduce.client import DEFAULT_URL

_url = click.option(
    "--url", default=DEFAULT_URL, show_default=True, envvar="LIVEREDUCE_URL", help="Address of the page."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")


@click.command(epilog="Example: livereduce status --url http://bl11a-livereduce:8000")
@_url
@_json
def status(url: str, as_json: bool) -> None:
    """Say how a running livereduce is doing."""
    from livereduce.client import Live

    found = Live(url).status()
    click.echo(json.dumps(found) if as_json else "\n".join(status_lines(found)))


@click.command(epilog="Example: livereduce ledger --json")
@_url
@_json
def ledger(url: str, as_json: bool) -> None:
    """Show what became of every event, run by run."""
    from livereduce.client import Live

    found = Live(url).ledger()
    click.echo(json.dumps(found) if as_json else "\n".join(ledger_lines(found)))


def status_lines(found: dict[str, Any]) -> list[str]:
    """Say a status in a few lines."""
    rate = found["event_rate"]
    figures = [
        f"run {found['run']}" if found["run"] else "no run",
        f"{found['events']:,} events" + ("" if rate is None else f", {rate:,.0f} /s"),
        f"data {_age(found['data_age_s'])}",
        f"result {_age(found['result_age_s'])}",
        f"memory {found['memory_bytes'] / 2**20:,.0f} MiB",
        f"{found['restarts']} restarts",
    ]
    steps = ", ".join(f"{stage} {seconds * 1000:,.1f} ms" for stage, seconds in found["latency"].items())
    return [
        f"{found['instrument']}: {found['state']}",
        found["sentence"],
        *found["also"],
        "; ".join(figures),
        *([f"last step: {steps}"] if steps else []),
        *(f"warning: {warning}" for warning in found["warnings"]),
    ]


def _age(seconds: float | None) -> str:
    from livereduce.status import duration

    return "none yet" if seconds is None else f"{duration(seconds)} old"


def ledger_lines(found: dict[str, Any]) -> list[str]:
    """Give a ledger as a table."""
    head = f"{'run':>8} {'events':>15} {'accumulated':>15} {'dropped':>12} {'pending':>12} {'duplicates':>12}  state"
    lines = [head]
    for account in found["runs"]:
        dropped = sum(account["dropped"].values())
        lines.append(
            f"{account['run']:>8} {account['events']:>15,} {account['accumulated']:>15,} {dropped:>12,} "
            f"{account['pending']:>12,} {account['duplicates']:>12,}  {account['state']}"
        )
        lines += [f"{'':>8} {count:>15,} dropped: {reason}" for reason, count in account["dropped"].items()]
        lines += [f"{'':>8} missing from {first} to {last}" for first, last in account["missing"]]
    return lines if found["runs"] else ["no run yet"]
