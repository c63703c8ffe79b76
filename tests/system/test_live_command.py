"""`livereduce run` as a command: what it refuses to start with, and how it ends."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Lab

pytestmark = pytest.mark.system


def test_no_script_at_all_names_both_places(lab: Lab) -> None:
    daemon = lab.daemon("127.0.0.1:9")
    assert daemon.wait() == 2
    said = daemon.err.read_text()
    for name in ("reduce_DEMO-POW_live_proc.py", "reduce_DEMO-POW_live_post_proc.py"):
        assert str(lab.scripts / name) in said
    assert "Traceback" not in said
    assert daemon.out.read_text() == ""


def test_all_that_is_wrong_in_the_configuration_is_said_at_once(lab: Lab) -> None:
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(
        "nowhere", update_every="soon", accum_method="Sum", preserve_events="perhaps", web={"port": 70_000},
        listener="pigeon", run_transition_behavior="Dance",
    )  # fmt: skip
    assert daemon.wait() == 2
    lines = daemon.err.read_text().splitlines()
    keys = ("address", "update_every", "accum_method", "preserve_events", "web.port", "listener",
            "run_transition_behavior")  # fmt: skip
    for key in keys:
        assert sum(f"livereduce.conf: {key}: found " in line and "expected" in line for line in lines) == 1, key
    assert len(lines) == len(keys)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["in full flow", "while a script sleeps"])
def test_a_signal_ends_everything_soon_and_in_order(lab: Lab, number: signal.Signals, when: str) -> None:
    lab.script("proc", 'output = Rebin(SumSpectra(input, OutputWorkspace="__s"), "0,1000000,1000000")\n')
    lab.script("post", "import time\ntime.sleep(300)\n" if when != "in full flow" else "output = input\n")
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address)
    if when == "in full flow":
        daemon.until_events(50_000)
    else:
        daemon.until_health("reducer", lambda h: h["stage"] == "post", "the script to sleep")
    children = psutil.Process(daemon.process.pid).children(recursive=True)
    assert len(children) == 2
    daemon.signal(number)
    asked = time.monotonic()
    assert daemon.wait(10) == 0
    assert time.monotonic() - asked < 5
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in daemon.err.read_text()
