"""The documentation's pairs of scripts, each through the live cycle on a stream whose every event is known."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.special import ndtri

from livereduce.algorithms import save_nexus
from livereduce.listeners.opening import open_recording
from livereduce.mantid.publishing import publications
from livereduce.simulators.beamline import Monitor, document, source_sample_monitors
from livereduce.simulators.plan import Plan
from livereduce.simulators.scenario import Scenario
from livereduce.workspaces import EventWorkspace, HistogramWorkspace

Through = Callable[..., Any]
Pair = Callable[[str], tuple[Path, Path]]

# h / neutron mass, Å m/s, and the speed of a neutron of 1 meV, m/s
H_OVER_M = 3956.034
SPEED = 437.393

RING = document(
    "RING",
    source_sample_monitors(-20.0, (Monitor(1, -10.0), Monitor(2, -2.0)))
    + """  <component type="ring" idlist="ring"><location/></component>
  <type name="ring">
    <component type="pixel"><location x="2.5"/><location x="-2.5"/><location y="2.5"/><location y="-2.5"/></component>
  </type>
  <type name="pixel" is="detector"/>
  <idlist idname="ring"><id start="1" end="4"/></idlist>
""",
)
"""Four detectors at 2.5 m and 90 degrees; 20 m from source to sample, monitors 10 and 18 m from the source."""

AREA = document(
    "AREA",
    source_sample_monitors(-13.6, ())
    + """  <type name="panel" is="rectangular_detector" type="pixel" xpixels="6" xstart="-0.0025" xstep="0.001"
        ypixels="10" ystart="-0.0045" ystep="0.001"/>
  <type name="pixel" is="detector"/>
  <component type="panel" idstart="0" idfillbyfirst="y" idstepbyrow="10"><location name="panel" z="1.83"/></component>
""",
)
"""6 x 10 pixels of 1 mm, 1.83 m behind the sample; the pixel (x, y) has the ID 10 x + y."""


def bragg(d: float) -> float:
    """Time of flight on RING of a lattice spacing, µs."""
    return float(1e6 * 22.5 / H_OVER_M * 2 * d * np.sin(np.pi / 4))


def thrice(stream: Any, detectors: Any, monitors: Any = None) -> Any:
    """Return three equal chunks on RING: 1 uA h in all."""
    written = stream(RING)
    for _ in range(3):
        written.chunk(detectors, monitors)
    return written.listener()


def test_counts(through_scripts: Through, pair: Pair, stream: Any) -> None:
    listener = thrice(stream, {1: [150.0] * 60, 4: [950.0] * 30}, {1: [500.0] * 12, 2: [900.0] * 9})
    done = through_scripts(listener, *pair("counts"))
    assert isinstance(done.accumulation, HistogramWorkspace)
    assert done.output.readY(0)[[1, 9]].tolist() == [180, 90]
    assert done.output.readY(0).sum() == 270
    table = done.store["totals"].toDict()
    assert table["what"] == ["detector", "monitor 1", "monitor 2"]
    assert table["counts"] == [270, 36, 27]
    assert table["counts per uA h"] == pytest.approx([270, 36, 27])
    assert done.printed.splitlines()[-3:] == [
        "run 4711: detector 270 counts",
        "run 4711: monitor 1 36 counts",
        "run 4711: monitor 2 27 counts",
    ]


@pytest.fixture(scope="session")
def silicon(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """5 s of silicon on the simulated diffractometer; number of events and charge (pC) as the simulator tells."""
    path, epoch = tmp_path_factory.mktemp("silicon") / "si.adara", 1_767_225_600_000_000_000
    plan = Plan(runs=1, run_seconds=5.0, lead_in=0.0, gap_seconds=0.5, rollover=0.0)
    sent = Scenario(sample="si", rate=60_000.0, plan=plan).prepare().begin(epoch)
    reader = sent.history.since(epoch, skip_paused=True)
    with path.open("wb") as out:
        for tenths in range(1, 61):
            sent.advance(epoch + tenths * 100_000_000)
            while parts := reader.take(1 << 20):
                out.writelines(parts)
    truth: Any = sent.truth()
    (run,) = truth["runs"]
    return path, run["events"], run["charge_pC"]


def test_powder(through_scripts: Through, pair: Pair, silicon: tuple[Path, int, int]) -> None:
    path, sent, charge = silicon
    done = through_scripts(open_recording(path, 1), *pair("powder"), every=2.0)
    result = done.shown[-1]
    assert (result.getAxis(0).getUnit().unitID(), result.getNumberHistograms()) == ("dSpacing", 1)
    # 0.1 % of the events are in the banks for errors and unmapped pixels
    assert done.accumulation.getNumberEvents() == pytest.approx(0.999 * sent, rel=3e-4)
    assert result.getRun().getProtonCharge() == pytest.approx(charge / 3.6e9)
    found = re.findall(r"f0\.PeakCentre = ([\d.]+) \+- ([\d.]+) A", done.printed)
    assert len(found) >= 3
    centre, error = map(float, found[-1])
    # a / sqrt(8) with a = 5.4311946 Å
    assert centre == pytest.approx(1.92022, abs=2e-4)
    assert 0 < error < float(found[0][1]) < 1e-3
    compared = done.store["peak_Workspace"]
    assert np.abs(compared.readY(2)).max() < 0.2 * compared.readY(0).max()


def test_centres(through_scripts: Through, pair: Pair, stream: Any) -> None:
    written, places = stream(RING), [2.00, 2.01, 2.03]
    normal = ndtri((np.arange(2000) + 0.5) / 2000)
    for d in places:
        written.chunk({1: bragg(1.0) * (d + 0.005 * normal)})
    done = through_scripts(written.listener(), *pair("centres"))
    table = done.store["centres"].toDict()
    assert table["run"] == [4711] * 3
    # the newest of a chunk's 60 pulses
    assert table["seconds"] == pytest.approx([0.895, 1.895, 2.895])
    assert table["centre"] == pytest.approx(places, abs=1e-4)
    # sigma / sqrt(n), and more because of the background that is fitted too
    assert all(0.005 / np.sqrt(2000) < error < 0.010 / np.sqrt(2000) for error in table["error"])
    curve = done.shown[-1]
    assert curve.readX(0).tolist() == table["seconds"]
    assert curve.readY(0).tolist() == table["centre"]
    assert curve.readE(0).tolist() == table["error"]
    assert done.accumulation.getNumberEvents() == 6000


def test_direct_geometry(through_scripts: Through, pair: Pair, stream: Any) -> None:
    incident, lost = 25.0, 10.0
    speed = SPEED * np.sqrt(incident)

    def arrival(transfer: float) -> float:
        return float(1e6 * (20.0 / speed + 2.5 / (SPEED * np.sqrt(incident - transfer))))

    # pulses of triangular shape pass the monitors
    shape = np.repeat(np.arange(-20.0, 21.0), 21 - np.abs(np.arange(-20, 21)))
    passing = {1: 1e6 * 10.0 / speed + shape, 2: 1e6 * 18.0 / speed + shape}
    counts = {i: [arrival(0.0)] * 75 + [arrival(lost)] * 25 + [5.0] * 10 for i in range(1, 5)}
    done = through_scripts(stream(RING).chunk(counts, passing).chunk(counts, passing).listener(), *pair("direct"))
    found = [float(number) for number in re.findall(r"incident energy ([\d.]+) meV", done.printed)]
    assert found[-1] == pytest.approx(incident, abs=0.05)
    result = done.shown[-1]
    centre = (result.readX(0)[1:] + result.readX(0)[:-1]) / 2
    counted = [result.readY(0)[np.abs(centre - at) < 0.6].sum() for at in (0.0, lost)]
    assert counted == [2 * 4 * 75, 2 * 4 * 25]
    assert result.readY(0).sum() == sum(counted)  # nothing of the prompt pulse


def test_reflectometry(through_scripts: Through, pair: Pair, stream: Any) -> None:
    time = 1e6 * (13.6 + 1.83) / H_OVER_M * 4.05
    counts = {10 * x + y: [time] * 2 for x in range(6) for y in range(1, 5)}
    counts |= {10 * x + y: [time] * (27 if 1 <= x <= 4 else 2) for x in range(6) for y in (5, 6)}
    written = stream(AREA).chunk(counts, logs={"thi": 0.6}).chunk(counts, logs={"thi": 0.6})
    result = through_scripts(written.listener(), *pair("reflectometry")).shown[-1]
    at = int(np.argmax(result.readY(0)))
    # 8 pixels of 54, less half of 16 pixels of 4; variances add, those of the background times a quarter
    assert result.readY(0)[at] == result.readY(0).sum() == 8 * 54 - 0.5 * 16 * 4
    assert result.readE(0)[at] == pytest.approx(np.sqrt(8 * 54 + 0.25 * 16 * 4))
    edges = 4 * np.pi * np.sin(np.radians(0.6)) / np.array([4.1, 4.0])
    assert result.readX(0)[at : at + 2] == pytest.approx(edges)
    assert result.getAxis(0).getUnit().unitID() == "MomentumTransfer"


def test_normalising(through_scripts: Through, pair: Pair, stream: Any) -> None:
    done = through_scripts(thrice(stream, {2: [1050.0] * 90}, {1: [500.0] * 30, 2: [900.0]}), *pair("normalising"))
    # 270 counts for 1 uA h, in the 2.895 s from the start of the run to its newest pulse, for 90 monitor counts
    assert done.output.readY(0)[10] == pytest.approx(270)
    assert done.output.readE(0)[10] == pytest.approx(np.sqrt(270))
    assert done.store["per_second"].readY(0)[10] == pytest.approx(270 / 2.895)
    assert done.store["per_monitor_count"].readY(0)[10] == pytest.approx(3)


def test_background_and_vanadium(through_scripts: Through, pair: Pair, stream: Any, tmp_path: Path) -> None:
    scripts = [Path(shutil.copy(script, tmp_path)) for script in pair("vanadium")]
    edges = 1 + 0.1 * np.arange(21)
    for name, counts in (("container", 60.0), ("vanadium", 260.0)):
        measured = HistogramWorkspace(edges, np.full((1, 20), counts), np.full((1, 20), counts), unit="dSpacing")
        measured.logs.set("gd_prtn_chrg", 2.0, "uAh")
        save_nexus(measured, tmp_path / f"{name}.nxs")
    done = through_scripts(thrice(stream, {1: [bragg(2.05)] * 240}), *scripts)
    # 720, 30 and 130 counts for 1 uA h
    expected = np.full(20, -30 / 100)
    expected[10] = (720 - 30) / 100
    assert done.output.readY(0) == pytest.approx(expected)
    # 720 ± sqrt(720), 30 ± sqrt(60)/2, 130 ± sqrt(260)/2; numerator and denominator are taken as independent
    relative = np.sqrt((720 + 15) / 690**2 + (65 + 15) / 100**2)
    assert done.output.readE(0)[10] == pytest.approx(6.9 * relative)


def test_filtering_by_a_log(through_scripts: Through, pair: Pair, stream: Any) -> None:
    written = stream(RING)
    for temperature, counts in ((295.0, 50), (302.0, 100), (306.0, 70)):
        written.chunk({1: [1050.0] * counts}, logs={"SampleTemp": temperature})
    done = through_scripts(written.listener(), *pair("filtering"))
    assert isinstance(done.accumulation, EventWorkspace)
    assert done.accumulation.getNumberEvents() == 100
    # a third of a uA h belongs to the second chunk
    assert done.shown[-1].readY(0)[10] == done.shown[-1].readY(0).sum() == pytest.approx(300)
    assert done.printed.splitlines()[-1].startswith("100 events at ")


def test_saving(through_scripts: Through, pair: Pair, stream: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    scripts = [Path(shutil.copy(script, tmp_path)) for script in pair("saving")]
    through_scripts(thrice(stream, {1: [1050.0] * 40}), *scripts)
    results = tmp_path / "results"
    with h5py.File(results / "run_4711.nxs") as file:
        workspace = file["mantid_workspace_1/workspace"]
        assert workspace["values"][0, 10] == workspace["values"][()].sum() == 120
        assert workspace["axis1"][10] == 1000
    lines = (results / "run_4711.txt").read_text().splitlines()
    assert (len(lines), lines[1]) == (202, "1")
    assert [float(number) for number in lines[12].split("\t")] == pytest.approx([1050, 120, np.sqrt(120)], rel=1e-5)
    assert (results / "run_4711.png").read_bytes().startswith(b"\x89PNG")


def test_an_interactive_plot(through_scripts: Through, pair: Pair, stream: Any) -> None:
    publications.clear()
    through_scripts(thrice(stream, {1: [1050.0] * 40}), *pair("plotly"))
    newest = publications[-1]
    assert (newest.instrument, newest.run) == ("INST", "4711")
    assert newest.files["file"].startswith("<div")
    assert "time of flight (us)" in newest.files["file"]
    assert "120.0" in newest.files["file"]


def test_every_example_is_tested(examples: Path) -> None:
    folders = {folder.name for folder in examples.iterdir() if folder.is_dir()}
    tested = set(re.findall(r'pair\("(\w+)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert folders == tested
