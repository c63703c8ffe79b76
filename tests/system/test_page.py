"""The page in a real browser, against a snapshot written with plain numpy."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from livereduce import config, status
from livereduce.status import Heartbeat, LogValue, RecorderHealth, ReducerHealth, ScriptProblem, Stage
from livereduce.web.app import create_app

pytestmark = pytest.mark.system
SECOND = 1_000_000_000
RUN = 1001


def write_health(folder: Path, **reducer: Any) -> None:
    now = time.time_ns()
    folder.mkdir(parents=True, exist_ok=True)
    account = {
        "run": RUN, "start": "2026-11-23T04:50:00.000000Z", "events": 12_345_678, "accumulated": 12_300_000,
        "pending": 40_000, "dropped": {"unmapped": 5_000, "error pixel": 678}, "paused_events": 0, "duplicates": 0,
        "missing": [], "state": "running",
    }  # fmt: skip
    given: dict[str, Any] = {
        "pid": 11, "written_ns": now, "stage": Stage.IDLE, "stage_since_ns": now, "run": RUN, "run_state": "running",
        "title": "Silicon standard", "events": 12_345_678, "event_rate": 251_300.0, "charge_rate_pC": 1e9,
        "charge_pC": 6e11, "pulses": 36_000, "chunks": 7, "newest_data_ns": now - 2 * SECOND,
        "result_ns": now - 4 * SECOND, "latency": {"extract": 0.08, "proc": 0.51, "post": 0.25, "snapshot": 0.01},
        "logs": {"SampleTemp": LogValue(293.512, "K"), "proton_charge": LogValue(16_600_000, "pC")},
        "ledger": {"runs": [account], "between_runs": {}}, "script_output": "normalised by 6.0e11 pC\n",
    }  # fmt: skip
    records = {
        "recorder.json": status.RECORDER.dump_json(
            RecorderHealth(
                pid=10, written_ns=now, started_ns=now, state="connected", address="bl11a-daq1.sns.gov:31415",
                connection=1, last_receive_ns=now, bytes=5_000_000_000, packets=123_456,
            )
        ),
        "reducer.json": status.REDUCER.dump_json(ReducerHealth(**given | reducer)),
        "heartbeat.json": status.HEARTBEAT.dump_json(
            Heartbeat(pid=1, written_ns=now, started_ns=now, memory_bytes=812 << 20, memory_limit_bytes=11 << 30)
        ),
    }  # fmt: skip
    for name, data in records.items():
        (folder / name).write_bytes(data)


def powder_pattern(scale: float, spectra: int = 1) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Edges in Å, and counts of a few Gaussian peaks on a background with Poisson noise."""
    x = np.geomspace(0.6, 3.6, 1801)
    d = np.sqrt(x[1:] * x[:-1])
    shape = 20 + 8 / d
    for peak, height in [(3.1356, 900), (1.9201, 700), (1.6375, 400), (1.3577, 120), (1.2459, 150), (1.1086, 170),
                         (1.0452, 90), (0.9601, 60), (0.9180, 80), (0.8587, 70)]:  # fmt: skip
        shape = shape + height * np.exp(-(((d - peak) / (0.002 * peak + 0.002)) ** 2) / 2)
    rows = np.random.default_rng(1).poisson(np.outer(np.linspace(1, 0.4, spectra) * scale, shape))
    return x, rows.astype(float)


def write_snapshot(folder: Path, version: int, scale: float = 1.0, spectra: int = 1) -> np.ndarray[Any, Any]:
    x, y = powder_pattern(scale, spectra)
    snapshot = folder / "snapshot"
    snapshot.mkdir(parents=True, exist_ok=True)
    files = {}
    for part, array in {"x": x, "y": y, "e": np.sqrt(y)}.items():
        files[part] = f"result.{version}.{part}.npy"
        np.save(snapshot / files[part], array)
    entry = {
        "name": "result", "kind": "EventWorkspace", "version": version, "shape": list(y.shape), "x_unit": "Å",
        "x_label": "d-Spacing", "y_unit": "counts", "title": "Silicon standard", "run": RUN,
        "spectra": list(range(spectra)), "files": files, "truncated": False, "event_count": int(y.sum()),
        "role": "result",
    }  # fmt: skip
    manifest = {"version": version, "written_ns": 0, "run": RUN, "workspaces": [entry], "left_out": []}
    beside = snapshot / "manifest.tmp"
    beside.write_text(json.dumps(manifest))
    beside.replace(snapshot / "manifest.json")
    return y


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    (tmp_path / "reduce_PG3_live_proc.py").write_text("".join(f"# line {i}\n" for i in range(1, 20)))
    folders = {"script_dir": tmp_path, "state_dir": tmp_path / "state", "runtime_dir": tmp_path / "run"}
    return config.from_mapping({"instrument": "POWGEN"} | {key: str(path) for key, path in folders.items()})


@contextmanager
def served(settings: config.Config) -> Iterator[str]:
    """Serve the page on a free port of the loopback; give its address."""
    stopping = threading.Event()
    app = create_app(settings, token="t", actions={"restart": lambda: None}, stopping=stopping)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        stopping.set()
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


class Browser:
    """Headless Chromium, spoken to through its debugging pipe (file descriptors 3 and 4, NUL after each message)."""

    def __init__(self, program: str, folder: Path, *, width: int, height: int) -> None:
        read_end, self.commands = os.pipe()
        self.replies, write_end = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in (read_end, write_end)]

        def take_ends() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={folder}",
                f"--window-size={width},{height}", "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4), preexec_fn=take_ends,
            start_new_session=True,
        )  # fmt: skip
        for end in (read_end, write_end, *ends):
            os.close(end)
        self.number, self.buffer, self.session = 0, b"", ""
        self.errors: list[str] = []
        target = wait_for(lambda: [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"])[0]
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a command of the debugging protocol; exceptions on the page are kept in `errors`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            reply = self.receive()
            if reply.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(reply["params"]["exceptionDetails"])[:500])
            if reply.get("id") == self.number:
                assert "error" not in reply, reply["error"]
                return reply["result"]

    def receive(self) -> Any:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.replies], [], [], 30)
            assert ready, "the browser does not answer"
            more = os.read(self.replies, 1 << 20)
            assert more, "the browser has gone"
            self.buffer += more
        reply, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(reply)

    def ask(self, expression: str) -> Any:
        """Give the value of a JavaScript expression on the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        return wait_for(lambda: self.ask(f"!!({expression})"))

    def text(self, name: str) -> str:
        return str(self.ask(f"document.getElementById('{name}').textContent"))

    def drawn(self, name: str = "plot") -> dict[str, str]:
        """Give what the page says it has drawn on a canvas."""
        found: dict[str, str] = self.ask(f"({{...document.getElementById('{name}').dataset}})")
        return found

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        try:
            self.session = ""
            self.call("Browser.close")
            self.process.wait(10)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
            os.close(self.commands)
            os.close(self.replies)


Open = Callable[..., Browser]


@pytest.fixture
def browse(tmp_path: Path) -> Iterator[Open]:
    """``browse(url, width=…, height=…)`` opens the page; no script on it may have thrown."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium; install it to test the page")
    opened: list[Browser] = []

    def open_page(url: str, width: int = 1400, height: int = 950) -> Browser:
        opened.append(page := Browser(program, tmp_path / "profile", width=width, height=height))
        page.call("Page.navigate", url=url)
        page.until("document.readyState === 'complete' && location.protocol === 'http:'")
        return page

    yield open_page
    for page in opened:
        errors = page.errors
        page.close()
        assert errors == []


DRAWN = "+document.getElementById('plot').dataset.drawn > 0"


def test_the_curve_is_drawn_without_any_click(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    y = write_snapshot(settings.runtime_dir, version=3)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        page.until("document.getElementById('word').textContent === 'running'")
        drawn = page.drawn()
        assert (drawn["drawn"], drawn["curves"], drawn["version"]) == ("1800", "1", "3")
        # the axis holds the highest point with its error bar, and little more
        highest = float((y + np.sqrt(y)).max())
        assert highest < float(drawn["top"]) < 1.2 * highest
        assert page.text("instrument") == "POWGEN"
        assert page.text("sentence") == "Run 1001 is being reduced: 251,300 events/s."
        assert "12.35 M" in page.text("figures")
        assert "SampleTemp293.512K" in page.text("logs")
        assert page.text("output") == "normalised by 6.0e11 pC\n"
        page.until("document.getElementById('ledger').textContent.includes('1001')")
        assert int(page.drawn("rate")["drawn"]) >= 1


def test_rates_and_beam_current_are_shown_from_before_the_page_was_opened(
    settings: config.Config, browse: Open
) -> None:
    """Half an hour every ten seconds, of 2 mA where now it is 1 mA, and of 500 000 events/s; then 2 days ago."""
    write_health(settings.runtime_dir)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    now = time.time()
    lines = [[now - 2 * 86400, 1, 9e9, 9e12], *([now - 1800 + 10 * i, RUN, 5e5, 2e9] for i in range(180))]
    (settings.state_dir / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with served(settings) as url:
        page = browse(url)
        page.until("+document.getElementById('beam').dataset.drawn > 180")
        assert float(page.drawn("rate")["top"]) == 5e5
        assert float(page.drawn("beam")["top"]) == 2.0
        page.ask(
            "(() => { const span = document.getElementById('span');"
            "span.value = 600; span.dispatchEvent(new Event('change')) })()"
        )
        assert 58 <= int(page.drawn("beam")["drawn"]) < 100


def test_the_curve_is_on_the_canvas_in_its_colour(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        # pixels of the curve's colour, #0b66a3, in each third of the canvas
        thirds = page.ask(
            "(() => { const c = document.getElementById('plot'), g = c.getContext('2d');"
            "return [0, 1, 2].map((k) => { const d = g.getImageData(c.width * k / 3, 0, c.width / 3, c.height).data;"
            "let n = 0; for (let i = 0; i < d.length; i += 4)"
            "if (Math.abs(d[i] - 11) + Math.abs(d[i + 1] - 102) + Math.abs(d[i + 2] - 163) < 30) n++;"
            "return n; }); })()"
        )
    assert all(count > 100 for count in thirds)


def test_new_data_are_drawn_by_themselves_and_the_zoom_is_kept(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        box = page.ask(
            "(({x, y, width, height}) => [x, y, width, height])"
            "(document.getElementById('plot').getBoundingClientRect())"
        )
        left, right, middle = box[0] + box[2] * 0.4, box[0] + box[2] * 0.6, box[1] + box[3] / 2
        page.mouse("mousePressed", left, middle, button="left", buttons=1, clickCount=1)
        page.mouse("mouseMoved", right, middle, button="left", buttons=1)
        page.mouse("mouseReleased", right, middle, button="left", clickCount=1)
        zoomed = page.drawn()
        assert 0 < int(zoomed["drawn"]) < 1800
        assert 1.5 < float(zoomed["low"]) < float(zoomed["high"]) < 2.7
        write_snapshot(settings.runtime_dir, version=2, scale=3.0)
        page.until("document.getElementById('plot').dataset.version === '2'")
        after = page.drawn()
        assert (after["low"], after["high"]) == (zoomed["low"], zoomed["high"])
        assert float(after["top"]) > 2 * float(zoomed["top"])
        page.ask("document.getElementById('whole').click()")
        assert page.drawn()["drawn"] == "1800"


def test_values_are_read_with_the_mouse_and_with_the_keyboard(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        page.ask("document.getElementById('plot').focus()")
        page.key("ArrowRight")
        first = page.text("read")
        assert re.fullmatch(r"2\.\d+ … 2\.\d+ Å:  \d+ ± [\d.]+", first)
        page.key("ArrowRight")
        assert page.text("read") != first
        page.key("+")
        assert int(page.drawn()["drawn"]) < 1800
        page.key("0")
        assert page.drawn()["drawn"] == "1800"


def test_axes_become_logarithmic(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        assert float(page.drawn()["bottom"]) == 0
        page.ask("document.getElementById('log-y').click(), document.getElementById('log-x').click()")
        assert float(page.drawn()["bottom"]) > 1
        assert page.drawn()["drawn"] == "1800"


def test_the_ticks_of_a_linear_axis_have_one_power_of_ten_and_all_digits(settings: config.Config, browse: Open) -> None:
    with served(settings) as url:
        page = browse(url)

        def texts(values: list[float], reach: str) -> Any:
            return page.ask(f"import('/static/scale.js').then((m) => {values}.map((v) => m.tickText(v, {reach})))")

        assert texts([0, 80_000, 100_000, 120_000], "250000") == ["0", "0.8·10⁵", "10⁵", "1.2·10⁵"]
        assert texts([241_200, 241_400], "241500") == ["2.412·10⁵", "2.414·10⁵"]
        assert texts([-0.0005, 0.0002], "0.0005") == ["-5·10⁻⁴", "2·10⁻⁴"]
        assert texts([0.0005, 20_000], "30000") == ["0.0005", "20000"]
        assert texts([50_000, 200_000], "undefined") == ["50000", "2·10⁵"]


def test_several_spectra_are_all_drawn_and_can_be_chosen(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    y = write_snapshot(settings.runtime_dir, version=1, spectra=3)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        assert (page.drawn()["drawn"], page.drawn()["curves"]) == ("5400", "3")
        assert page.ask("document.querySelectorAll('#legend li').length") == 3
        choose = (
            "(v) => { const s = document.getElementById('show'); s.value = v; s.dispatchEvent(new Event('change')) }"
        )
        page.ask(f"({choose})('sum')")
        page.until("document.getElementById('plot').dataset.curves === '1'")
        total = y.sum(axis=0)
        assert float((total + np.sqrt(total)).max()) < float(page.drawn()["top"])
        page.ask(f"({choose})('image')")
        page.until("document.getElementById('plot').dataset.curves === '0'")
        assert int(page.drawn()["drawn"]) == 3 * 400


def test_of_a_table_the_newest_rows_are_shown(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1, spectra=3)
    folder = settings.runtime_dir / "snapshot"
    manifest = json.loads((folder / "manifest.json").read_text())
    columns = {"column0": np.arange(10_000_000, 10_000_600), "column1": np.linspace(1, 2, 600) / 3}
    files = {part: f"centres.{part}.npy" for part in columns}
    for part, file in files.items():
        np.save(folder / file, columns[part])
    entry = {"name": "centres", "kind": "TableWorkspace", "version": 1, "columns": ["run", "d"], "files": files}
    manifest["workspaces"].append(entry | {"role": "other", "title": "", "truncated": False})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with served(settings) as url:
        page = browse(url)
        page.until("document.getElementById('workspace').options.length === 2")
        page.ask(
            "(() => { const s = document.getElementById('workspace');"
            "s.value = 'centres'; s.dispatchEvent(new Event('change')); })()"
        )
        page.until("document.querySelectorAll('#columns tbody tr').length === 500")
        assert page.ask("document.querySelector('#columns tbody tr:last-child').innerText").split() == [
            "10000599", "0.6666667",
        ]  # fmt: skip
        assert page.ask("document.getElementById('legend').hidden")
        assert page.text("get").split() == ["save", "as", "csv"]


def test_a_script_error_is_shown_with_its_line_while_the_curve_stays(settings: config.Config, browse: Open) -> None:
    script = str(settings.script_dir / "reduce_PG3_live_proc.py")
    error = ScriptProblem("proc", script, 12, "NameError: name 'Rebim'", "Traceback …", 3, time.time_ns())
    write_health(settings.runtime_dir, script_error=error)
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        page.until("document.querySelector('#problem mark')")
        assert page.text("word") == "script error"
        assert page.ask("document.querySelector('#problem mark').textContent") == "  12  # line 12"
        assert page.drawn()["drawn"] == "1800"


def test_before_the_first_result_the_page_says_what_it_waits_for(settings: config.Config, browse: Open) -> None:
    with served(settings) as url:
        page = browse(url)
        page.until("document.getElementById('word').textContent === 'starting'")
        assert page.text("note") == "Waiting for the first result…"
        write_health(settings.runtime_dir)
        write_snapshot(settings.runtime_dir, version=1)
        page.until(DRAWN)
        assert page.text("note") == ""


def test_text_from_outside_is_never_taken_for_markup(settings: config.Config, browse: Open) -> None:
    bad = '<img src=x onerror="window.bad=1">'
    write_health(settings.runtime_dir, title=bad, script_output=bad, warnings=(bad,), logs={bad: LogValue(bad, bad)})
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
        page.until("document.getElementById('warnings').children.length > 0")
        assert page.ask("document.querySelectorAll('img').length") == 0
        assert page.ask("window.bad") is None


PUBLISHED = """
<div id="chart"></div>
<script>
let page = "reached", api = "reached";
try { parent.document.title } catch { page = "refused" }
const curves = () => chart.querySelectorAll(".scatter").length;
const tell = () => parent.postMessage({ page, api, origin: self.origin, drawn: curves() }, "*");
const fetched = fetch("/api/status").catch(() => { api = "refused" });
Plotly.newPlot("chart", [{ x: [1, 2], y: [3, 4] }, { x: [1, 2], y: [4, 3] }]).then(() => fetched).then(tell);
</script>
"""


def test_plots_that_scripts_publish_are_drawn_in_a_frame_that_reaches_nothing(
    settings: config.Config, browse: Open
) -> None:
    write_health(settings.runtime_dir)
    with served(settings) as url:
        page = browse(url)
        page.until("document.getElementById('word').textContent === 'running'")
        assert page.ask("document.getElementById('published').checkVisibility()") is False
        page.ask("void addEventListener('message', (event) => { window.told = event.data })")
        (settings.runtime_dir / "plots").mkdir()
        about = {"instrument": "PG3", "run": str(RUN), "file": "file", "time_ns": time.time_ns()}
        beside = settings.runtime_dir / "plots" / "PG3_1001_file.tmp"
        beside.write_text(json.dumps(about) + "\n" + PUBLISHED)
        beside.replace(beside.with_suffix(".plot"))
        page.until("window.told")
        assert page.ask("window.told") == {
            "page": "refused", "api": "refused", "origin": "null", "drawn": 2,
        }  # fmt: skip
        assert page.ask("document.getElementById('published').checkVisibility()") is True
        assert page.text("published-name") == "PG3 1001"
        (settings.runtime_dir / "plots" / "PG3_1001_file.plot").unlink()
        page.until("document.getElementById('published').hidden")


def test_a_server_that_goes_away_is_said_and_the_curve_stays(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1)
    with served(settings) as url:
        page = browse(url)
        page.until(DRAWN)
    page.until("document.getElementById('word').textContent === 'no contact'")
    assert page.drawn()["drawn"] == "1800"


def test_on_a_phone_nothing_is_wider_than_the_screen(settings: config.Config, browse: Open) -> None:
    write_health(settings.runtime_dir)
    write_snapshot(settings.runtime_dir, version=1, spectra=3)
    with served(settings) as url:
        page = browse(url, width=500, height=900)
        page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        page.until(DRAWN)
        assert page.ask("document.documentElement.scrollWidth") <= 390


def test_the_event_stream_tells_of_each_new_version_and_ends_with_the_server(settings: config.Config) -> None:
    write_snapshot(settings.runtime_dir, version=1)
    seen: list[str] = []
    with served(settings) as url:
        reply = urllib.request.urlopen(f"{url}/api/events", timeout=20)
        assert reply.headers["content-type"].startswith("text/event-stream")
        reader = threading.Thread(target=lambda: seen.extend(line.decode().strip() for line in reply))
        reader.start()
        write_snapshot(settings.runtime_dir, version=2)
        assert json.loads(urllib.request.urlopen(f"{url}/api/workspaces", timeout=20).read())["version"] == 2
        started = time.monotonic()
    reader.join(10)
    reply.close()
    assert not reader.is_alive()
    assert time.monotonic() - started < 5
    assert seen[0] == "retry: 2000"
    assert 'data: {"result": 2}' in seen or 'data: {"result": 1}' in seen
