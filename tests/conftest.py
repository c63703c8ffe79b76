"""What holds for every test: nothing may be left behind, and the design office's data are used where present."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

# A shell's background job ignores Ctrl-C, and so does all it starts; tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real measurement and the streams captured from the real server."""
    if not DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{DATA} is missing; CI has it beside the checkout")
        pytest.skip(f"{DATA} is not here; it stays out of the repository")
    return DATA


def _sockets() -> set[tuple[object, ...]]:
    return {
        (c.fd, c.laddr, c.status)
        for c in psutil.Process().net_connections(kind="inet")
        if c.status not in {psutil.CONN_TIME_WAIT}
    }


def _until_gone(kind: str, before: set[object], now: set[object]) -> str | None:
    left = now - before
    return f"{kind} left behind: {left}" if left else None


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or a socket behind."""
    me = psutil.Process()
    threads, children, sockets = set(threading.enumerate()), set(me.children(recursive=True)), _sockets()
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)
    psutil.wait_procs(set(me.children(recursive=True)) - children, timeout=5)
    problems = [
        _until_gone("threads", set(threads), set(threading.enumerate())),
        _until_gone("processes", set(children), set(me.children(recursive=True))),
        _until_gone("sockets", set(sockets), set(_sockets())),
    ]
    assert not any(problems), "; ".join(p for p in problems if p)
