"""What the recorder does when its disk is full; a running one is tested in tests/system."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from livereduce.config import from_mapping
from livereduce.recorder.recording import Recorder
from livereduce.sources import Position
from livereduce.sources.journal import JournalWriter, segments, write_needed

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three runs of one segment, 100 bytes each."""
    directory = tmp_path / "state" / "journal"
    writer = JournalWriter(directory)
    for run in (1, 2, 3):
        writer.begin_segment(run, 1_700_000_000 * 10**9, 1)
        writer.write(b"x" * 100)
    writer.close()
    return directory


@pytest.fixture
def recorder(tmp_path: Path, journal: Path) -> Iterator[Recorder]:
    (tmp_path / "runtime").mkdir()
    config = from_mapping(
        {
            "instrument": "POWGEN", "listener": "adara", "address": "127.0.0.1:1", "state_dir": str(tmp_path / "state"),
            "runtime_dir": str(tmp_path / "runtime"), "log": {"file": str(tmp_path / "log")},
        }
    )  # fmt: skip
    recorder = Recorder(config)
    yield recorder
    recorder.close()


def write_fails(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Turn the loop once, with a write that fails as on a full disk."""

    def fail() -> None:
        raise error

    stops = iter([False, True])
    monkeypatch.setattr(recorder, "_step", fail)
    monkeypatch.setattr(recorder, "_should_stop", lambda _parent, _wake: next(stops))
    recorder.run(0, 0)


def test_a_full_disk_gets_the_room_of_the_oldest_run_that_is_processed(
    journal: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_needed(journal, Position(2, 50))
    write_fails(recorder, monkeypatch, FULL)
    assert [segment.run for segment in segments(journal)] == [2, 3]
    assert recorder.health().journal_bytes == 200
    assert "No space left on device. The oldest run was removed from it (100 bytes)" in recorder.health().error


def test_a_full_disk_loses_nothing_that_has_to_be_processed_and_says_so(
    journal: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_needed(journal, Position(1, 0))
    write_fails(recorder, monkeypatch, FULL)
    assert [segment.run for segment in segments(journal)] == [1, 2, 3]
    assert f"No run can be removed from {journal}: each is under way or has still to be" in recorder.health().error


def test_other_failures_remove_nothing(journal: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_needed(journal, Position(4, 0))
    write_fails(recorder, monkeypatch, OSError(errno.EIO, os.strerror(errno.EIO)))
    assert [segment.run for segment in segments(journal)] == [1, 2, 3]
    assert recorder.health().error == "cannot write the journal: [Errno 5] Input/output error"
