"""`livereduce test` on the simulated diffractometer and on a file."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from livereduce.cli.main import cli


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["test", *map(str, arguments)])


def scripts(folder: Path, proc: str | None = None, post: str | None = None) -> Path:
    for name, text in (("proc", proc), ("post_proc", post)):
        if text is not None:
            (folder / f"reduce_PG3_live_{name}.py").write_text(text)
    return folder


SHORT = ("--instrument", "POWGEN", "--chunks", 3, "--seconds", 0.5, "--rate", 20_000)


def report(found: Result) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(found.stdout)
    return told


def test_the_scripts_of_the_demo_run_through(tmp_path: Path) -> None:
    with resources.as_file(resources.files("livereduce.cli") / "demo_scripts") as folder:
        found = run(folder, "--instrument", "DEMO-POW", "--chunks", 2, "--seconds", 1)
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert lines[0].split() == [
        "chunk",
        "events",
        "pending",
        "proc",
        "ms",
        "accumulate",
        "ms",
        "post",
        "ms",
        "memory",
        "MiB",
    ]
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert lines[-1] == "no errors"


def test_each_chunk_is_told_with_events_times_and_memory(tmp_path: Path) -> None:
    found = run(scripts(tmp_path, "output = SumSpectra(input)\n", "output = input\nprint('post')\n"), *SHORT, "--json")
    assert found.exit_code == 0, found.output
    told = report(found)
    events = [chunk["events"] for chunk in told["chunks"]]
    # 20 000 events/s for half a second each, drawn at random: six standard deviations are 600
    assert [abs(n - 10_000 * (k + 1)) < 1600 for k, n in enumerate(events)] == [True] * 3
    assert all(set(chunk["seconds"]) == {"proc", "accumulate", "post"} for chunk in told["chunks"])
    assert all(chunk["memory_bytes"] > 10e6 for chunk in told["chunks"])
    assert (told["errors"], told["printed"]) == ([], "post\n" * told["printed"].count("post"))
    assert told["printed"].count("post") >= 3


def test_errors_are_told_by_line_with_how_often(tmp_path: Path) -> None:
    folder = scripts(tmp_path, "x = 1\noutput = Rebim(input)\n")
    found = run(folder, *SHORT, "--json")
    assert found.exit_code == 1
    (error,) = report(found)["errors"]
    assert (error["stage"], error["line"]) == ("proc", 2)
    assert error["message"].startswith("NameError: name 'Rebim' is not defined; ")
    assert "Nearest: Rebin" in error["message"]
    assert error["file"] == str(folder / "reduce_PG3_live_proc.py")
    assert error["count"] >= 3
    text = run(folder, *SHORT)
    assert "reduce_PG3_live_proc.py:2: NameError" in text.stdout


def test_chunks_are_told_before_what_is_told_at_the_end_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    folder = scripts(tmp_path, "for i in range(10):\n    print(i)\n")
    found = run(folder, *SHORT)
    lines = found.stdout.splitlines()
    printed = lines.index("printed, the last 20 of 40 lines:")
    assert [line.split()[0] for line in lines[:4]] == ["chunk", "1", "2", "3"]
    assert [line.strip() for line in lines[printed + 1 : printed + 21]] == [str(i % 10) for i in range(20)]
    assert found.stderr.startswith("simulating 1.5 s at 20000 events/s")


def test_a_script_that_does_not_compile_is_told_too(tmp_path: Path) -> None:
    found = run(scripts(tmp_path, post="x = (\n"), *SHORT, "--json")
    assert found.exit_code == 1
    (error,) = report(found)["errors"]
    assert (error["stage"], error["line"]) == ("compile", 1)


def test_a_folder_without_scripts_is_a_usage_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    found = run(tmp_path, *SHORT)
    assert found.exit_code == 2
    assert "looked for reduce_PG3_live_proc.py and reduce_PG3_live_post_proc.py" in found.stderr
    assert "did you mean POWGEN?" in run(tmp_path, "--instrument", "POWGN").stderr


def test_a_recorded_file_may_take_the_place_of_the_simulation(tmp_path: Path, shared_data: Path) -> None:
    folder = scripts(tmp_path, "output = Rebin(input, '0,100,9000')\n")
    found = run(
        folder, "--instrument", "POWGEN", "--chunks", 4, "--seconds", 1e6, "--json",
        "--file", shared_data / "lrcs3701.nx5",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert report(found)["chunks"][-1]["events"] == 2_666_912


@pytest.mark.parametrize("option", [("--chunks", 0), ("--rate", 1), ("--seconds", 0)])
def test_numbers_out_of_range_are_usage_errors(tmp_path: Path, option: tuple[str, int]) -> None:
    assert run(scripts(tmp_path, "pass\n"), "--instrument", "POWGEN", *option).exit_code == 2
