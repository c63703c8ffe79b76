"""Wrong configurations end the process with a reason; a running one is tested in tests/system."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from livereduce.config import from_mapping
from livereduce.recorder.__main__ import main


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """Undo what a process may set up for itself: its signals and its log."""
    interrupt, root = signal.getsignal(signal.SIGINT), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    signal.signal(signal.SIGINT, interrupt)
    root.setLevel(level)
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
        handler.close()


def test_a_configuration_that_is_missing_or_unreadable_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--config", str(tmp_path / "none.json")]) == 2
    (tmp_path / "bad.json").write_text('{"instrument": 5')
    assert main(["--config", str(tmp_path / "bad.json")]) == 2
    assert "none.json" in caplog.text
    assert "bad.json" in caplog.text


def test_an_address_that_cannot_be_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = from_mapping(
        {
            "instrument": "POWGEN", "listener": "adara", "address": "a:b:1,c:2", "state_dir": str(tmp_path / "state"),
            "runtime_dir": str(tmp_path / "runtime"), "log": {"file": str(tmp_path / "log")},
        }
    )  # fmt: skip
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert main(["--config", str(tmp_path / "config.json")]) == 1
    assert "'a:b:1': expected host:port" in caplog.text
