"""Real sessions for tests: simulator and daemon as processes, their files, what they say, and their certain end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

DEADLINE_S = 60.0
LIVEREDUCE = (sys.executable, "-m", "livereduce.cli.main")
INSTRUMENT = "DEMO-POW"
Json = dict[str, Any]
T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Wait until `condition` gives something, and give that."""
    deadline = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {deadline_s:g} s in vain for {what}"
        time.sleep(0.01)
    return value


class Process:
    """One of our commands; what it writes goes to files in `folder`, which stay when a test fails."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*LIVEREDUCE, *arguments], stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def said(self, begin: str) -> str | None:
        """Give what follows `begin` in the first line on stderr that has it."""
        lines = [line for line in self.err.read_text(errors="replace").splitlines() if begin in line]
        return lines[0].partition(begin)[2] if lines else None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for its end and give the exit code."""
        return self.process.wait(deadline_s)

    def last_words(self, deadline_s: float = DEADLINE_S) -> Json:
        """Wait for an end with exit code 0 and read the JSON on the last line of stdout."""
        assert self.wait(deadline_s) == 0, self.err.read_text(errors="replace")[-3000:]
        found: Json = json.loads(self.out.read_text().splitlines()[-1])
        return found

    def end(self) -> None:
        """Make sure that it and what it started are gone."""
        children = []
        if self.process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
        self.process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        for child in alive:
            child.kill()
        assert not alive, f"outlived their parent by 10 s: {alive}"


class Simulator(Process):
    """A simulated source of any kind; its truth is what the daemon's ledger has to say."""

    def __init__(self, folder: Path, name: str, kind: str, *arguments: str) -> None:
        super().__init__(folder, name, "simulate", kind, *arguments)
        self.address = until(self._address, "the simulator to listen")
        self.port = int(self.address.rpartition(":")[2])

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.err.read_text()
        return self.said("listening on ")

    def truth(self) -> Json:
        return self.last_words()


class Daemon(Process):
    """`livereduce run` on a configuration of the test's own."""

    def __init__(self, folder: Path, name: str, config: Path, *arguments: str) -> None:
        self.settings: Json = json.loads(config.read_text())
        self.runtime, self.state = Path(self.settings["runtime_dir"]), Path(self.settings["state_dir"])
        super().__init__(folder, name, "run", str(config), *arguments)

    @property
    def url(self) -> str:
        return until(lambda: self.said("the page is at "), "the page's address")

    def get(self, path: str) -> Any:
        """Read a page of the API."""
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE_S) as answer:
            return json.load(answer)

    def status(self) -> Json:
        found: Json = self.get("/api/status")
        return found

    def until_status(self, condition: Callable[[Json], Any], what: str, deadline_s: float = DEADLINE_S) -> Json:
        """Wait until /api/status is as wanted, and give it."""

        def look() -> Json | None:
            assert self.process.poll() is None, self.err.read_text(errors="replace")[-3000:]
            status = self.status()
            return status if condition(status) else None

        return until(look, what, deadline_s)

    def health(self, child: str) -> Json:
        """Read what the recorder or the reducer says about itself; nothing yet is an empty record."""
        with contextlib.suppress(FileNotFoundError):
            found: Json = json.loads((self.runtime / f"{child}.json").read_bytes())
            return found
        return {}

    def until_health(self, child: str, condition: Callable[[Json], Any], what: str) -> Json:
        def look() -> Json | None:
            health = self.health(child)
            return health if health and condition(health) else None

        return until(look, what)

    def until_events(self, number: int) -> Json:
        """Wait until a numbered run has so many events in its account."""
        return self.until_health("reducer", lambda h: h["run"] and h["events"] >= number, f"{number} events of a run")

    def workspace(self, name: str = "result") -> tuple[Json, NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Read a workspace of the newest snapshot: its entry, x, y, e."""
        snapshot = self.runtime / "snapshot"
        while True:
            manifest = json.loads((snapshot / "manifest.json").read_bytes())
            [entry] = [w for w in manifest["workspaces"] if w["name"] == name]
            try:
                x, y, e = (np.load(snapshot / entry["files"][part]) for part in "xye")
            except FileNotFoundError:  # a newer snapshot has taken its place
                continue
            return entry, x, y, e

    def names(self) -> set[str]:
        """Names of the workspaces in the newest snapshot."""
        manifest = json.loads((self.runtime / "snapshot" / "manifest.json").read_bytes())
        return {entry["name"] for entry in manifest["workspaces"]}

    def journal(self) -> bytes:
        """All that was recorded, in order."""
        return b"".join(path.read_bytes() for path in sorted((self.state / "journal").glob("*.adara")))


class Lab:
    """A folder with scripts, and what was started in it; all of it ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts = folder / "scripts"
        self.scripts.mkdir()
        self.started: list[Process] = []

    def simulator(self, *arguments: str, port: int = 0, **options: object) -> Simulator:
        """Start an ADARA server: 20 000 events/s, ten times as fast as life, gone 0.3 s after its last run."""
        given = {"rate": 20_000, "speed": 10, "lead_in_seconds": 1, "gap_seconds": 2, "linger": 0.3, "port": port}
        words = [f"--{k.replace('_', '-')}={v}" for k, v in (given | options).items()]
        return self.source("adara", *words, *arguments)

    def source(self, kind: str, *arguments: str) -> Simulator:
        """Start a simulated source of any kind, with just these arguments."""
        simulator = Simulator(self.folder, f"simulator{len(self.started)}", kind, *arguments)
        self.started.append(simulator)
        return simulator

    def command(self, *arguments: str) -> Process:
        """Start another of our commands."""
        process = Process(self.folder, f"{arguments[0]}{len(self.started)}", *arguments)
        self.started.append(process)
        return process

    def script(self, stage: str, text: str) -> Path:
        """Save a script (``proc`` or ``post``) as editors do: beside, then by rename."""
        path = self.scripts / f"reduce_{INSTRUMENT}_live_{'proc' if stage == 'proc' else 'post_proc'}.py"
        beside = path.with_suffix(".swp")
        beside.write_text(text)
        os.replace(beside, path)
        return path

    def config(self, address: str, **settings: object) -> Path:
        """Write a configuration whose folders are the test's own."""
        path = self.folder / "livereduce.conf"
        given = {
            "instrument": INSTRUMENT, "listener": "adara", "address": address, "script_dir": str(self.scripts),
            "state_dir": str(self.folder / "state"), "runtime_dir": str(self.folder / "run"), "web": {"port": 0},
            "log": {"file": str(self.folder / "livereduce.log")}, "update_every": 0.2,
        }  # fmt: skip
        path.write_text(json.dumps(given | settings))
        return path

    def daemon(self, address: str, *arguments: str, **settings: object) -> Daemon:
        """Start the daemon."""
        config = self.config(address, **settings)
        daemon = Daemon(self.folder, f"daemon{len(self.started)}", config, *arguments)
        self.started.append(daemon)
        return daemon

    def end(self) -> None:
        for process in reversed(self.started):
            process.end()


@pytest.fixture(scope="session")
def kernels_compiled() -> None:
    """Compile the kernels once, in a process of its own: a fresh checkout's first daemon takes 10 s for it, too long
    to meet a run of a fast simulated clock while it lasts."""
    subprocess.run(
        [sys.executable, "-c", "from livereduce.reducer.warm import compile_kernels; compile_kernels()"], check=True
    )


@pytest.fixture
def lab(tmp_path: Path, kernels_compiled: None) -> Iterator[Lab]:
    """A place to start simulators and daemons in; where a test fails, their last lines are shown."""
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        try:
            made.end()
        finally:
            for process in made.started:
                for path in (process.out, process.err):
                    sys.stdout.write(f"--- {path} ---\n{path.read_text(errors='replace')[-4000:]}\n")


Agree = Callable[[Json, Json], None]


@pytest.fixture
def agree() -> Agree:
    """Assert that the account of a run says what the simulator sent, everything added and nothing missing."""

    def agree(account: Json, sent: Json) -> None:
        same = ("run", "start", "pulses", "events", "monitor_events", "charge_pC")
        assert {key: account[key] for key in same} == {key: sent[key] for key in same}
        assert account["accumulated"] + sum(account["dropped"].values()) == sent["events"]
        assert (account["pending"], account["missing"], account["complete"]) == (0, [], True)
        assert (account["finished"], account["joined_mid_run"], account["state"]) == (True, False, "complete")

    return agree


Until = Callable[..., Any]


@pytest.fixture(name="until")
def _until() -> Until:
    """``until(condition, what, deadline_s)`` waits for a condition and gives what it gave."""
    return until


class Stretch(NamedTuple):
    """What a recording holds of one run, or of all time between runs; counted without our decoder.

    `good` events have a detector ID; `tof` (100 ns) and `pixel` are theirs.
    """

    pulses: int
    events: int
    good: int
    monitor_events: int
    charge_10pC: int  # noqa: N815
    tof: NDArray[np.uint32]
    pixel: NDArray[np.uint32]


Counted = Callable[..., dict[int, Stretch]]


@pytest.fixture
def counted() -> Counted:
    """``counted(recording, runs=n)`` -> what it holds by run number, 0 between runs, up to the end of the n-th run.

    Knows packet headers, RunStatus, banked and monitor events from the wire specification, and nothing of ours.
    The recording must be of one connection.
    """
    return _counted


def _counted(recording: bytes, runs: int | None = None) -> dict[int, Stretch]:
    pulses: dict[int, list[tuple[int, list[NDArray[np.uint32]], int, int]]] = {}
    run = at = ended = 0
    while at + 16 <= len(recording) and ended != runs:
        length, form = struct.unpack_from("<2I", recording, at)
        payload = recording[at + 16 : at + 16 + length]
        at += 16 + length
        if len(payload) < length:
            break  # a connection that was cut
        kind = form >> 8
        if kind == 0x4003:
            run = struct.unpack_from("<I", payload)[0]
            ended += payload[11] == 4  # the status is in the upper byte of the third word
        elif kind == 0x4000:
            banks, bad = _banks(payload)
            pulses.setdefault(run, []).append((struct.unpack_from("<I", payload)[0], banks, bad, 0))
        elif kind == 0x4001:
            pulses.setdefault(run, []).append((0, [], -1, _monitor_events(payload)))
    return {run: _stretch(found) for run, found in pulses.items()}


def _banks(payload: bytes) -> tuple[list[NDArray[np.uint32]], int]:
    """Events [n, 2] of the real banks, and how many are in the two others."""
    good, bad, at = [], 0, 16
    while at < len(payload):
        _, _, offset, banks = struct.unpack_from("<4I", payload, at)
        late = 0 if offset >> 31 else offset  # else times of flight have been corrected already
        at += 16
        for _ in range(banks):
            bank, n = struct.unpack_from("<2I", payload, at)
            events = np.frombuffer(payload, "<u4", 2 * n, at + 8).reshape(n, 2)
            at += 8 + 8 * n
            if bank in (0xFFFFFFFE, 0xFFFFFFFF):
                bad += n
            else:
                good.append(events + np.array([late, 0], np.uint32))
    return good, bad


def _monitor_events(payload: bytes) -> int:
    total, at = 0, 16
    while at < len(payload):
        n = struct.unpack_from("<I", payload, at)[0] & 0x3FFFFF
        total += n
        at += 12 + 4 * n
    return total


def _stretch(found: list[tuple[int, list[NDArray[np.uint32]], int, int]]) -> Stretch:
    good = np.concatenate([np.empty((0, 2), np.uint32), *(bank for _, banks, _, _ in found for bank in banks)])
    bad = [bad for _, _, bad, _ in found if bad >= 0]
    monitors, charge = sum(n for *_, n in found), sum(charge for charge, *_ in found)
    return Stretch(len(bad), len(good) + sum(bad), len(good), monitors, charge, good[:, 0], good[:, 1])
