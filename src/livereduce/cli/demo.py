"""`livereduce demo`: a simulated powder diffractometer, the daemon and the page in one command, offline."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from livereduce.supervisor.daemon import Supervisor

INSTRUMENT = "DEMO-POW"


@click.command(epilog="Example: livereduce demo --sample nacl --seconds 60")
@click.option("--sample", type=click.Choice(["si", "nacl"]), default="si", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port of the page.")
@click.option("--seconds", type=float, help="End after so long. [default: Ctrl-C]")
@click.option("--rate", default=50_000.0, show_default=True, help="Events per second.")
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option(
    "--script-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the two scripts; those in it already are kept. [default: a new one]",
)
def demo(sample: str, port: int, seconds: float | None, rate: float, no_browser: bool, script_dir: Path | None) -> None:
    """Watch a diffraction pattern grow: simulator, daemon and page, with scripts to play with.

    Edit and save one of the scripts whose folder is printed: the curve follows.
    """
    from livereduce.config import from_mapping
    from livereduce.config.logs import configure_logging
    from livereduce.errors import ConfigError
    from livereduce.supervisor.daemon import Supervisor

    home = Path(tempfile.mkdtemp(prefix="livereduce-demo-"))
    scripts = script_dir or home / "scripts"
    _write_scripts(scripts)
    simulator, address = _start_simulator(sample, rate)
    try:
        config = from_mapping(
            {
                "instrument": INSTRUMENT,
                "listener": "SNSLiveEventDataListener",
                "address": address,
                "script_dir": str(scripts),
                "update_every": 1,
                "state_dir": str(home / "state"),
                "runtime_dir": str(home / "run"),
                "log": {"file": str(home / "livereduce.log"), "level": "WARNING"},
                "web": {"port": port},
            }
        )
        configure_logging(config, "livereduce")
        line = _StatusLine(seconds)
        supervisor = Supervisor(config, on_turn=line)
    except ConfigError as error:
        _stop(simulator)
        shutil.rmtree(home, ignore_errors=True)
        click.echo(f"livereduce: {error}", err=True)
        sys.exit(2)
    click.echo(f"the page       {supervisor.page.url}")
    click.echo(f"the scripts    {scripts}   (edit and save: the curve follows)")
    click.echo(f"the simulator  {address}, {rate:g} events/s; Ctrl-C ends everything")
    if not no_browser:
        threading.Thread(target=_open_browser, args=(supervisor.page.url,), daemon=True).start()
    try:
        outcome = supervisor.run()
    finally:
        _stop(simulator)
        edited = script_dir is None and any(p.stat().st_mtime > line.started for p in scripts.glob("*.py"))
        for path in (home / "state", home / "run") if edited else (home,):
            shutil.rmtree(path, ignore_errors=True)
    click.echo(f"\n{_summary(outcome.ledger)}")
    if edited:
        click.echo(f"your edited scripts stay in {scripts}")


def _summary(ledger: dict[str, Any]) -> str:
    """Say what became of the events, as the ledger has it."""
    runs = [*ledger.get("runs", []), ledger.get("between_runs", {})]
    received, added = (sum(run.get(key, 0) for run in runs) for key in ("events", "accumulated"))
    dropped = received - added
    return f"the demo has ended: {received:,} events received, {added:,} accumulated, {dropped:,} dropped or pending"


def _write_scripts(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stage in ("proc", "post_proc"):
        target = folder / f"reduce_{INSTRUMENT}_live_{stage}.py"
        if not target.exists():
            source = resources.files("livereduce.cli") / "demo_scripts" / target.name
            target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")


def _start_simulator(sample: str, rate: float) -> tuple[subprocess.Popen[str], str]:
    """Start the simulator as a process of its own and wait until it says where it listens."""
    command = [
        sys.executable,
        "-m",
        "livereduce.cli.main",
        "simulate",
        "adara",
        "--sample",
        sample,
        "--rate",
        str(rate),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    for text in process.stderr:
        if text.startswith("listening on "):
            # what it says later is drained, so that its pipe never fills
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, text.removeprefix("listening on ").strip()
    raise click.ClickException(f"the simulator ended at once with code {process.wait()}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _open_browser(url: str) -> None:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return  # a machine without a browser: the address is printed
    webbrowser.open(url)


class _StatusLine:
    """One line in the terminal, renewed every second: state, run, rate, age, and the curve's size."""

    def __init__(self, seconds: float | None) -> None:
        self.started = time.time()
        self._end = time.monotonic() + seconds if seconds is not None else float("inf")
        self._next = 0.0

    def __call__(self, supervisor: Supervisor) -> None:
        now = time.monotonic()
        if now >= self._end:
            supervisor.stop()
        if now < self._next:
            return
        self._next = now + 1.0
        text = self._text(supervisor)
        end = "\r" if sys.stdout.isatty() else "\n"
        click.echo(f"{text:<100}" if end == "\r" else text, nl=False)
        click.echo(end, nl=False)
        sys.stdout.flush()

    def _text(self, supervisor: Supervisor) -> str:
        status = supervisor.status()
        parts = [f"{status.state}"]
        if status.run:
            parts.append(f"run {status.run}")
        parts.append(f"{status.events:,} events")
        if status.event_rate is not None:
            parts.append(f"{status.event_rate:,.0f}/s")
        if status.result_age_s is not None:
            parts.append(f"result {status.result_age_s:.1f} s old")
        if status.state in {"starting", "script error"}:
            parts.append(status.sentence)
        return "  ".join(parts)
