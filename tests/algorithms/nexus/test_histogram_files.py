from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.algorithms import get_ei, load, load_nexus_monitors, load_tof_raw_nexus, rebin
from livereduce.workspaces import Detectors, HistogramWorkspace, Spectra, WorkspaceGroup


def group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs["NX_class"] = kind
    return made


def bank(entry: h5py.Group, name: str, counts: list[Any], ids: list[Any], edges: list[float]) -> None:
    data = group(entry, name, "NXdata")
    data["data"] = np.array(counts, np.uint32)
    data["data"].attrs.update(signal=1, axes="x,time_of_flight")
    data["time_of_flight"] = np.array(edges, np.float32)
    data["time_of_flight"].attrs["units"] = "microsecond"
    data["pixel_id"] = np.array(ids, np.uint32)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "raw.nxs", "w") as file:
        entry = group(file, "entry", "NXentry")
        entry["title"], entry["run_number"] = "Ni", "12"
        bank(entry, "bank1", [[1, 0], [2, 3]], [10, 11], [0, 100, 300])
        bank(entry, "bank2", [[4, 5]], [20], [0, 100, 300])
    return tmp_path / "raw.nxs"


def change(path: Path, edit: Callable[[h5py.Group], object]) -> None:
    with h5py.File(path, "a") as file:
        edit(file["entry"])


def test_counts_of_all_banks_come_with_their_roots_as_errors(raw: Path) -> None:
    for ws in (load_tof_raw_nexus(raw), load(raw)):
        assert isinstance(ws, HistogramWorkspace)
        assert ws.x.tolist() == [0, 100, 300]
        assert ws.y.tolist() == [[1, 0], [2, 3], [4, 5]]
        assert ws.e2.tolist() == ws.y.tolist()
        assert [ws.getSpectrum(i).getDetectorIDs() for i in range(3)] == [[10], [11], [20]]
        assert (ws.getTitle(), ws.getRunNumber()) == ("Ni", 12)


def test_spectra_are_chosen_by_number(raw: Path) -> None:
    ws = load_tof_raw_nexus(raw, spectrum_min=3, spectrum_list=[1])
    assert (ws.getSpectrumNumbers(), ws.y.tolist()) == ([1, 3], [[1, 0], [4, 5]])
    with pytest.raises(ValueError, match="no spectrum number is in 4 to None; there are 1 to 3"):
        load_tof_raw_nexus(raw, spectrum_min=4)


LIES: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "other channels": (
        lambda e: bank(e, "bank3", [[1, 1]], [30], [0, 50, 300]),
        r"/entry/bank3 has other time channels than /entry/bank1; expected the same",
    ),
    "too few edges": (
        lambda e: bank(e, "bank0", [[1, 1]], [30], [0, 50]),
        r"/entry/bank0/time_of_flight has 2 values for 2 channels",
    ),
    "half a count": (
        lambda e: (e["bank1"].__delitem__("data"), e["bank1"].create_dataset("data", data=[[0.5, 1.0]])),
        r"/entry/bank1/data has values that are no counts",
    ),
    "no counts": (
        lambda e: (e.__delitem__("bank1"), e.__delitem__("bank2")),
        r"/entry has no counts against time of flight \(NXdata\); it has run_number, title",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_with_the_place(raw: Path, lie: str) -> None:
    edit, message = LIES[lie]
    change(raw, edit)
    with pytest.raises(RuntimeError, match=r"LoadTOFRawNexus: .*raw\.nxs: .*" + message):
        load_tof_raw_nexus(raw)


def test_a_real_measurement_is_read_count_for_count(shared_data: Path) -> None:
    path = shared_data / "lrcs3701.nx5"
    ws = load(path)
    assert isinstance(ws, HistogramWorkspace)
    with h5py.File(path) as file:
        data = file["Histogram1/data"]
        np.testing.assert_array_equal(ws.y, data["data"][()])
        np.testing.assert_array_equal(ws.x, data["time_of_flight"][()])
        angles = np.abs(data["polar_angle"][()])
    np.testing.assert_allclose([np.degrees(ws.spectrumInfo().twoTheta(i)) for i in range(148)], angles, atol=1e-4)
    assert ws.spectrumInfo().l2(0) == pytest.approx(2.5, abs=0.01)
    coarse = load_tof_raw_nexus(path, nx_entry_name="Histogram2")
    assert coarse.n_bins == 35


def test_the_incident_energy_of_a_real_measurement_is_found_in_its_monitors(shared_data: Path) -> None:
    """The peaks stand at 1427.5 and 2177 µs, 3.7324 m apart: 4979.9 m/s or 129.6 meV, with the clock 108 µs early."""
    monitors = load_nexus_monitors(shared_data / "lrcs3701.nx5")
    assert isinstance(monitors, WorkspaceGroup)
    rows = []
    for member, length in zip(monitors, (7.6475, 11.3799), strict=True):
        assert isinstance(member, HistogramWorkspace)
        assert member.spectrumInfo().l1() + member.spectrumInfo().l2(0) == pytest.approx(length, abs=1e-3)
        rows.append(rebin(member, [1000, 2.5, 2500]))
    l1 = rows[0].spectrumInfo().l1()
    both = HistogramWorkspace(
        rows[0].x,
        np.concatenate([row.y for row in rows]),
        np.concatenate([row.e2 for row in rows]),
        detectors=Detectors([-1, -2], [True, True], l1=l1, l2=[7.6475 - l1, 11.3799 - l1], two_theta=[0, 0]),
        spectra=Spectra([1, 2], [-1, -2]),
    )
    found = get_ei(both, 1, 2, 125.0)
    assert found.incident_energy == pytest.approx(129.6, abs=1.0)
    assert found.tzero == pytest.approx(-108, abs=5)
