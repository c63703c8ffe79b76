import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from livereduce import config
from livereduce.cli import check
from livereduce.cli.main import cli
from livereduce.errors import ConfigError


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_a_good_configuration_is_shown_and_ends_with_0(write_config: Any) -> None:
    found = run(str(write_config(proc="output = Rebin(input, '0,10,100')\n")))
    assert found.exit_code == 0
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    assert "instrument     POWGEN (PG3), SNS" in lines
    assert "source         adara at 127.0.0.1:31415 (127.0.0.1)" in lines
    assert lines[-2:] == ["post script    none", "nothing wrong"]


def test_everything_wrong_is_listed_at_once_and_ends_with_2(write_config: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = run(
        str(
            write_config(
                proc="x = 1\ndef f(:\n    pass\n",
                post="",
                state_dir=str(tmp_path / "file" / "state"),
                output={"directory": str(tmp_path)},
            )
        )
    )
    assert found.exit_code == 2
    problems = found.stderr.splitlines()
    assert len(problems) == 2
    assert "state_dir" in problems[0]
    assert "reduce_PG3_live_post_proc.py: found an empty file" in problems[1]


def test_a_syntax_error_is_named_with_its_line(write_config: Any) -> None:
    found = run(str(write_config(proc="x = 1\n\ndef f(:\n    pass\n", post="output = input\n")))
    assert found.exit_code == 2
    assert "reduce_PG3_live_proc.py:3: " in found.stderr


def test_a_configuration_that_cannot_be_read_ends_with_2(tmp_path: Path) -> None:
    found = run(str(tmp_path / "nothere.conf"))
    assert found.exit_code == 2
    assert found.stderr.startswith(f"livereduce: {tmp_path / 'nothere.conf'}: cannot be read")


def test_algorithms_we_lack_are_warnings_with_line_and_nearest(write_config: Any) -> None:
    proc = "from mantid.simpleapi import Rebin, LoadEmptyTeapot\nRebim(input, '1,2,3')\n"
    found = run(str(write_config(proc=proc)))
    assert found.exit_code == 0
    warnings = found.stderr.splitlines()
    assert len(warnings) == 2
    assert "live_proc.py:1: LoadEmptyTeapot is not an algorithm livereduce has" in warnings[0]
    assert "live_proc.py:2: Rebim is not an algorithm livereduce has; nearest: Rebin" in warnings[1]


def test_unknown_keys_are_warnings(write_config: Any) -> None:
    found = run(str(write_config(proc="output = input\n", update_evry=3)))
    assert found.exit_code == 0
    assert "update_evry: unknown key, ignored; did you mean update_every?" in found.stderr


def test_a_host_nobody_knows_is_a_problem() -> None:
    def unknown(host: str) -> str:
        raise socket.gaierror(-2, "Name or service not known")

    powgen = config.from_mapping({"instrument": "POWGEN"}, environ={})
    assert check.address_of(powgen, lambda host: f"address of {host}") == "address of bl11a-daq1.sns.gov"
    with pytest.raises(ConfigError, match=r"bl11a-daq1\.sns\.gov is not known to this machine"):
        check.address_of(powgen, unknown)


def test_a_source_without_network_is_not_looked_up() -> None:
    fake = config.from_mapping({"instrument": "ADARA_FakeEvent"}, environ={})
    assert check.address_of(fake, lambda _: pytest.fail("looked up")) == "no network"
