"""A script that takes much longer than an update: bytes wait in the journal, not in memory, and nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Lab, Until

pytestmark = pytest.mark.system

SLEEP_S = 10
RATE = 2_000_000
BUFFER_EVENTS = 2_000_000
CHUNK_BYTES = 8 * BUFFER_EVENTS
PASSING_BYTES = 48 << 20
"""Beside the chunk, for a moment: a block of the journal, its columns, their mapping, and the events beyond the limit
that were in it (measured 2026-11: 30 MB in all)."""


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that nothing but it accounts for: not the pages of files it has read."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_while_a_script_sleeps_data_wait_on_disk_and_none_is_lost(lab: Lab, agree: Agree, until: Until) -> None:
    slept = lab.folder / "slept"
    lab.script("proc", 'output = Rebin(SumSpectra(input, OutputWorkspace="__s"), "0,1000000,1000000")\n')
    lab.script(
        "post",
        f"import os, time\nif input.run()['run_number'].value != '0' and not os.path.exists({str(slept)!r}):\n"
        f"    open({str(slept)!r}, 'w').close()\n    time.sleep({SLEEP_S})\noutput = input\n",
    )
    simulator = lab.simulator(runs=1, run_seconds=SLEEP_S + 5, speed=1, rate=RATE)
    daemon = lab.daemon(
        simulator.address, "--exit-after-runs", "1", preserve_events=False, stream={"buffer_events": BUFFER_EVENTS},
        update_every=0.5,
    )  # fmt: skip
    daemon.until_health("reducer", lambda h: slept.exists() and h["stage"] == "post", "the script to sleep")
    pid = daemon.health("reducer")["pid"]
    before = [anonymous_bytes(pid)]
    asleep: list[int] = []
    recorded = daemon.health("recorder")["bytes"]

    def awake() -> bool:
        if daemon.health("reducer")["stage"] == "post":
            asleep.append(anonymous_bytes(pid))
            return False
        return True

    until(awake, "the script to wake up")
    waiting = daemon.health("recorder")["bytes"] - recorded
    assert waiting > 0.8 * SLEEP_S * RATE * 8
    caught_up: list[int] = []

    def over() -> bool:
        if daemon.process.poll() is None and daemon.health("reducer")["finished_runs"] == 0:
            caught_up.append(anonymous_bytes(pid))
            return False
        return True

    until(over, "the rest to be taken in")
    [account] = daemon.last_words()["runs"]
    agree(account, simulator.truth()["runs"][0])
    assert daemon.workspace()[2].sum() == account["accumulated"]
    assert max(asleep) - before[0] < CHUNK_BYTES
    assert max(caught_up) - before[0] < CHUNK_BYTES + PASSING_BYTES
