"""Files are read in a thread of its own; waiting is for events, never for a time."""

import threading
import time
from collections.abc import Iterator

import pytest

from livereduce.supervisor.reading import Reading


class Folder:
    """Answers when the test lets it."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Semaphore(0)

    def fetch(self) -> None:
        self.asked.release()
        assert self.answers.wait(20)


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
def reading(folder: Folder) -> Iterator[Reading]:
    made = Reading(folder.fetch)
    made.start()
    yield made
    folder.answers.set()
    made.stop()


def test_files_are_read_again_and_again_and_at_once_when_told_to_hurry(folder: Folder, reading: Reading) -> None:
    assert folder.asked.acquire(timeout=20)
    reading.hurry(time.monotonic())
    assert reading.hurried(time.monotonic())
    for _ in range(2):
        assert folder.asked.acquire(timeout=20)


def test_a_folder_that_does_not_answer_is_told_of_and_stops_nothing(folder: Folder, reading: Reading) -> None:
    folder.answers.clear()
    reading.hurry(time.monotonic())
    while folder.asked.acquire(blocking=False):
        pass
    assert folder.asked.acquire(timeout=20)
    now = time.monotonic()
    assert reading.silence(now) == ""
    assert "cannot be read for 3600 s now" in reading.silence(now + 3600)
