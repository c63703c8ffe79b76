"""How much memory a session takes while it falls behind."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.system


def test_while_a_script_sleeps_bytes_wait_on_disk_and_not_in_memory(lab: Any, agree: Any, until: Any) -> None:
    """2·10⁶ events/s for 24 s of which the script sleeps 12: the reducer grows by one chunk at the most."""
    limit = 10_000_000
    lab.script(
        "post",
        "import os, time\n"
        f"if not os.path.exists({str(lab.folder / 'slept')!r}):\n"
        f"    open({str(lab.folder / 'slept')!r}, 'w').close()\n    time.sleep(12)\n",
    )
    lab.script("proc", "output = SumSpectra(input)\noutput = Rebin(output, '0,100,40000', PreserveEvents=False)\n")
    simulator = lab.simulator(runs=1, run_seconds=24, rate=2_000_000, speed=1)
    daemon = lab.daemon(
        simulator.address, "--exit-after-runs", "1", preserve_events=False, stream={"buffer_events": limit}
    )
    until(lambda: (lab.folder / "slept").exists() or None, "the script to sleep")
    reducer = psutil.Process(daemon.health("reducer")["pid"])

    def memory() -> int:
        status = Path(f"/proc/{reducer.pid}/status").read_text()
        return sum(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(("RssAnon", "RssShm")))

    before, most = memory(), 0
    while daemon.process.poll() is None:
        try:
            most = max(most, memory())
        except FileNotFoundError:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.process.wait(0.2)
    agree(daemon.last_words()["runs"][0], simulator.truth()["runs"][0])
    # one chunk of 8 bytes an event (measured: 51 MB of 80), and what a block takes while it is decoded
    assert most - before < 8 * limit + (16 << 20)
