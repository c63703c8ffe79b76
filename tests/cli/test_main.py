import json

import click
import pytest
from click.testing import CliRunner

from livereduce import __version__
from livereduce.cli import look
from livereduce.cli.main import COMMANDS, cli


def offered() -> list[str]:
    return cli.list_commands(click.Context(cli))


def test_the_version_is_the_packages() -> None:
    found = CliRunner().invoke(cli, ["--version"])
    assert found.output.strip() == f"livereduce, version {__version__}"


def test_a_command_that_is_not_there_is_a_usage_error() -> None:
    found = CliRunner().invoke(cli, ["brew"])
    assert found.exit_code == 2
    assert "No such command 'brew'" in found.stderr


def test_the_commands_of_this_room_are_offered() -> None:
    assert {"check", "status", "ledger", "algorithms"} <= set(offered()) <= set(COMMANDS)


@pytest.mark.parametrize("name", offered())
def test_every_help_has_an_example(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    pages = [[name], *([name, sub] for sub in getattr(command, "commands", {}))]
    texts = [CliRunner().invoke(cli, [*page, "--help"]).output for page in pages]
    assert any("Example: livereduce " in text for text in texts)


def test_algorithms_are_listed_and_described() -> None:
    listed = CliRunner().invoke(cli, ["algorithms"])
    assert listed.exit_code == 0
    assert any(line.startswith("Rebin ") for line in listed.output.splitlines())
    assert any(line.startswith("SaveNexus, SaveNexusProcessed ") for line in listed.output.splitlines())
    described = json.loads(CliRunner().invoke(cli, ["algorithms", "rebin", "--json"]).output)
    assert described["name"] == "Rebin"
    assert [p["name"] for p in described["properties"]][:3] == ["InputWorkspace", "OutputWorkspace", "Params"]


def test_the_page_of_an_algorithm_fits_the_terminal_and_is_plain_text() -> None:
    wide, narrow = (
        CliRunner().invoke(cli, ["algorithms", "Fit"], env={"COLUMNS": columns}).output for columns in ("5000", "90")
    )
    assert max(map(len, narrow.splitlines())) <= 90
    assert narrow.split() == wide.split()
    (ties,) = (line for line in wide.splitlines() if line.startswith("  Ties "))
    assert " ".join(ties.split()) == (
        "Ties input string, optional. Parameters that follow from others or are fixed: f1.Sigma=f0.Sigma,f1.A0=2."
    )


def test_an_algorithm_that_does_not_exist_names_the_nearest() -> None:
    found = CliRunner().invoke(cli, ["algorithms", "Rebim"])
    assert found.exit_code == 2
    assert "there is no algorithm Rebim; nearest: Rebin" in found.stderr


def test_status_lines_say_state_sentence_figures_and_warnings() -> None:
    found = {
        "instrument": "POWGEN", "state": "running", "sentence": "Run 7 is being reduced.", "also": ["slow"], "run": 7,
        "events": 12345, "event_rate": 250.4, "data_age_s": 2.0, "result_age_s": None, "memory_bytes": 3 << 20,
        "restarts": 1, "latency": {"proc": 0.5}, "warnings": ["odd"],
    }  # fmt: skip
    assert look.status_lines(found) == [
        "POWGEN: running",
        "Run 7 is being reduced.",
        "slow",
        "run 7; 12,345 events, 250 /s; data 2.0 s old; result none yet; memory 3 MiB; 1 restarts",
        "last step: proc 500.0 ms",
        "warning: odd",
    ]


def test_ledger_lines_give_each_run_its_reasons_and_gaps() -> None:
    account = {
        "run": 1001, "events": 1200, "accumulated": 1000, "dropped": {"unmapped": 150, "error pixel": 50},
        "pending": 0, "duplicates": 3, "state": "complete",
        "missing": [["2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"]],
    }  # fmt: skip
    lines = look.ledger_lines({"runs": [account]})
    assert lines[1].split() == ["1001", "1,200", "1,000", "200", "0", "3", "complete"]
    assert [line.split() for line in lines[2:4]] == [
        ["150", "dropped:", "unmapped"],
        ["50", "dropped:", "error", "pixel"],
    ]
    assert lines[4].strip() == "missing from 2026-01-01T00:00:00Z to 2026-01-01T00:00:05Z"
    assert look.ledger_lines({"runs": []}) == ["no run yet"]
