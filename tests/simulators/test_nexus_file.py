"""Histogram files old and new, made here; the real one is in the tests of the file source."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from livereduce.errors import LiveReduceError
from livereduce.geometry import load_idf
from livereduce.simulators.nexus_file import read_measurement

COUNTS = np.arange(12).reshape(3, 4)
EDGES = np.array([1000.0, 1002.0, 1010.0, 1011.0, 1020.5])


def group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    return made


def put(parent: h5py.Group, name: str, values: object, **attrs: object) -> h5py.Dataset:
    made = parent.create_dataset(name, data=values)
    for key, value in attrs.items():
        made.attrs[key] = value
    return made


def frame(file: h5py.File) -> tuple[h5py.Group, h5py.Group]:
    """Entry and detector of a small instrument, in units that need converting."""
    entry = group(file, "entry", "NXentry")
    put(entry, "title", "A sample")
    put(entry, "run_number", [42])
    instrument = group(entry, "instrument", "NXinstrument")
    put(instrument, "name", b"TOY")
    source = group(instrument, "source", "NXsource")
    put(source, "distance", [-12500.0], units="mm")
    put(source, "frequency", 50, units="Hz")
    detector = group(instrument, "detector", "NXdetector")
    put(detector, "distance", [1.0, 1.1, 1.2], units="m")
    put(detector, "polar_angle", [-0.1, 0.5, 1.0], units="rad")
    monitor = group(entry, "monitor3", "NXmonitor")
    put(monitor, "distance", [-2.0], units="m")
    put(monitor, "data", [5, 6], signal=1, axes="time_of_flight")
    put(monitor, "time_of_flight", [0.0, 10.0, 20.0], units="microseconds")
    return entry, detector


def old_file(path: Path) -> h5py.File:
    """Signal and axes as attributes of the dataset."""
    file = h5py.File(path, "w")
    entry, _ = frame(file)
    data = group(entry, "data", "NXdata")
    put(data, "counts", COUNTS, signal=1, axes="polar_angle:time_of_flight", units="counts")
    put(data, "polar_angle", [-0.1, 0.5, 1.0], units="rad")
    put(data, "time_of_flight", EDGES, units="microseconds")
    return file


def modern_file(path: Path) -> h5py.File:
    """Signal and axes as attributes of the group, time first, in ns, with detector numbers."""
    file = h5py.File(path, "w")
    entry, detector = frame(file)
    put(detector, "detector_number", [7, 8, 20])
    data = group(entry, "data", "NXdata")
    data.attrs["signal"] = "counts"
    data.attrs["axes"] = np.array(["tof", "detector_number"], dtype=object)
    put(data, "counts", COUNTS.T.astype(float))
    put(data, "tof", EDGES * 1000, units="ns")
    return file


@pytest.mark.parametrize("make", [old_file, modern_file])
def test_counts_edges_and_places_are_read_in_our_units(tmp_path: Path, make: object) -> None:
    path = tmp_path / "toy.nxs"
    make(path).close()  # type: ignore[operator]
    found = read_measurement(path)
    assert (found.name, found.title, found.run_number, found.frequency, found.l1) == ("TOY", "A sample", 42, 50.0, 12.5)
    assert (found.detectors.counts == COUNTS).all()
    assert found.detectors.edges == pytest.approx(EDGES)
    assert np.deg2rad(found.two_theta) == pytest.approx([-0.1, 0.5, 1.0])
    assert found.ids.tolist() == ([1, 2, 3] if make is old_file else [7, 8, 20])
    (monitor,) = found.monitors
    assert (monitor.number, monitor.z, monitor.histogram.counts.tolist()) == (3, -2.0, [[5, 6]])


def test_idf_made_from_the_file_puts_detectors_where_it_says(tmp_path: Path) -> None:
    modern_file(tmp_path / "toy.nxs").close()
    instrument = load_idf(read_measurement(tmp_path / "toy.nxs").beamline().idf)
    assert sorted(instrument.ids.tolist()) == [-3, 7, 8, 20]
    assert instrument.l1 == pytest.approx(12.5)
    row = instrument.ids.tolist().index(7)
    assert instrument.positions[row] == pytest.approx([-np.sin(0.1), 0, np.cos(0.1)])
    row = instrument.ids.tolist().index(-3)
    assert instrument.positions[row] == pytest.approx([0, 0, -2.0])


def test_banks_are_runs_of_consecutive_ids(tmp_path: Path) -> None:
    modern_file(tmp_path / "toy.nxs").close()
    banks = read_measurement(tmp_path / "toy.nxs").beamline().banks
    assert [(bank.number, bank.first_id, bank.size) for bank in banks] == [(1, 7, 2), (2, 20, 1)]


def test_edges_as_centres_are_refused(tmp_path: Path) -> None:
    with old_file(tmp_path / "toy.nxs") as file:
        del file["entry/data/time_of_flight"]
        put(file["entry/data"], "time_of_flight", EDGES[:-1], units="us")
    with pytest.raises(LiveReduceError, match=r"4 values for 4 channels.*edges"):
        read_measurement(tmp_path / "toy.nxs")


def test_unknown_units_are_refused_and_named(tmp_path: Path) -> None:
    with old_file(tmp_path / "toy.nxs") as file:
        file["entry/instrument/source/distance"].attrs["units"] = "furlong"
    with pytest.raises(LiveReduceError, match=r"'furlong'.*length"):
        read_measurement(tmp_path / "toy.nxs")


@pytest.mark.parametrize("wrong", [-1.0, 0.5])
def test_values_that_are_no_counts_are_refused(tmp_path: Path, wrong: float) -> None:
    with modern_file(tmp_path / "toy.nxs") as file:
        file["entry/data/counts"][0, 0] = wrong
    with pytest.raises(LiveReduceError, match="no counts"):
        read_measurement(tmp_path / "toy.nxs")


def test_missing_distances_are_named(tmp_path: Path) -> None:
    with old_file(tmp_path / "toy.nxs") as file:
        del file["entry/instrument/detector/distance"]
    with pytest.raises(LiveReduceError, match="has no distance"):
        read_measurement(tmp_path / "toy.nxs")


def test_file_that_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "toy.nxs").write_text("no")
    with pytest.raises(LiveReduceError, match=r"toy\.nxs"):
        read_measurement(tmp_path / "toy.nxs")


def test_lrmecs_file_is_read_as_its_readers_know_it(shared_data: Path) -> None:
    found = read_measurement(shared_data / "lrcs3701.nx5")
    assert (found.name, found.run_number) == ("LRMECS", 3701)
    assert found.title.startswith("MgB2")
    assert found.detectors.counts.shape == (148, 750)
    assert found.detectors.counts.sum() == 2_666_912
    assert found.l1 == pytest.approx(8.1237, abs=1e-6)
    instrument = load_idf(found.beamline().idf)
    assert sorted(instrument.ids.tolist()) == [-2, -1, *range(1, 149)]
    row = instrument.ids.tolist().index(1)
    assert instrument.l2[row] == pytest.approx(2.5009, abs=1e-6)
    assert np.rad2deg(instrument.two_theta[row]) == pytest.approx(7.2, abs=1e-5)
    assert instrument.positions[row][0] < 0
