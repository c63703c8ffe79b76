"""Files are looked into with h5py, as users do, and read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.algorithms import (
    compress_events,
    create_sample_workspace,
    crop_workspace,
    edit_instrument_geometry,
    load_instrument,
    load_nexus_processed,
    mask_bins,
    multiply,
    plus,
    save_nexus,
    transpose,
)
from livereduce.geometry import instrument_from_flight_paths
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Intervals,
    Run,
    Spectra,
    TableWorkspace,
    TimeSeries,
    WorkspaceGroup,
)

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]
SECOND = 1_000_000_000


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    run = Run({"run_number": "1234", "gd_prtn_chrg": 2.5, "flag": True})
    run.set("T", TimeSeries("T", [5 * SECOND, 7 * SECOND + 1], [1.5, 2.5], "K"))
    run.set("state", TimeSeries("state", [0], ["open"]))
    spectra = Spectra([4, 9], [10, 11, 12], [0, 2, 3], masked=[False, True])
    return make_histogram(
        [0, 1, 3], [[1, 2], [3, 4]], [[1, 1.5], [2, 2.5]], run=run, spectra=spectra, title="Si", unit="dSpacing"
    )


def test_the_paths_that_users_read_are_there(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_nexus(ws, tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        entry = file["mantid_workspace_1"]
        assert entry.attrs["NX_class"] == "NXentry"
        assert entry["title"].asstr()[()] == "Si"
        data = entry["workspace"]
        assert data.attrs["NX_class"] == "NXdata"
        assert data["values"][()].tolist() == [[1, 2], [3, 4]]
        assert data["errors"][()].tolist() == [[1, 1.5], [2, 2.5]]
        assert dict(data["values"].attrs) == {
            "units": "Counts", "unit_label": "Counts", "signal": 1, "axes": "axis2,axis1",
        }  # fmt: skip
        assert data["axis1"][()].tolist() == [0, 1, 3]
        assert data["axis1"].attrs["units"] == "dSpacing"
        assert data["axis2"][()].tolist() == [4, 9]
        assert data["axis2"].attrs["units"] == "spectraNumber"
        log = entry["logs/T"]
        assert log["value"][()].tolist() == [1.5, 2.5]
        assert log["time"][()].tolist() == [0, 2.000000001]
        assert log["time"].attrs["start"] == "1970-01-01T00:00:05.000000000"
        assert entry["logs/run_number/value"].asstr()[()] == "1234"
        assert {"instrument", "sample", "process"} <= set(entry)


def test_a_histogram_comes_back_as_it_was(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    for mine, theirs in ((back.x, ws.x), (back.y, ws.y), (back.e, ws.e)):
        np.testing.assert_array_equal(mine, theirs)
    assert (back.unit, back.y_unit, back.title) == ("dSpacing", "Counts", "Si")
    assert back.getSpectrumNumbers() == [4, 9]
    assert [back.getSpectrum(i).getDetectorIDs() for i in (0, 1)] == [[10, 11], [12]]
    assert back.spectra.masked.tolist() == [False, True]
    run = back.getRun()
    assert (run["run_number"].value, run["gd_prtn_chrg"].value, run["flag"].value) == ("1234", 2.5, True)
    series = run["T"]
    assert isinstance(series, TimeSeries)
    assert (series.time_ns.tolist(), series.units) == ([5 * SECOND, 7 * SECOND + 1], "K")
    assert run["state"].value.tolist() == ["open"]


def test_bins_of_each_spectrum_points_and_distributions_come_back(make_histogram: Make, tmp_path: Path) -> None:
    ragged = make_histogram([[0, 1, 2], [0, 2, 4]], [[1, 2], [3, 4]], distribution=True)
    points = make_histogram([0, 1], [[1, 2], [3, 4]])
    save_nexus(WorkspaceGroup([ragged, points, transpose(points)]), tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, WorkspaceGroup)
    first, second, third = back
    assert isinstance(first, HistogramWorkspace)
    assert isinstance(second, HistogramWorkspace)
    assert isinstance(third, HistogramWorkspace)
    assert first.x.tolist() == [[0, 1, 2], [0, 2, 4]]
    assert first.isDistribution()
    assert not second.isHistogramData()
    assert third.getAxis(1).extractValues().tolist() == [0, 1]


def test_flight_paths_and_angles_come_back(tmp_path: Path) -> None:
    ws = create_sample_workspace(num_banks=1, bank_pixel_width=3)
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    for i in (0, 8):
        assert back.spectrumInfo().l1() == 10.0
        assert back.spectrumInfo().l2(i) == pytest.approx(ws.spectrumInfo().l2(i), rel=1e-12)
        assert back.spectrumInfo().twoTheta(i) == pytest.approx(ws.spectrumInfo().twoTheta(i), rel=1e-12)


def test_events_are_written_one_by_one(make_events: MakeEvents, tmp_path: Path) -> None:
    save_nexus(make_events([1.5, 2.5], [], [3.0], edges=[0, 2, 4]), tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        data = file["mantid_workspace_1/event_workspace"]
        assert data["tof"][()].tolist() == [1.5, 2.5, 3.0]
        assert data["indices"][()].tolist() == [0, 2, 2, 3]
        since_1990 = int(np.datetime64("1990-01-01", "s").astype(int)) * SECOND
        assert (data["pulsetime"][()] + since_1990).tolist() == [0, SECOND, 0]
        assert "weight" not in data
        assert data["axis1"][()].tolist() == [0, 2, 4]
        assert "workspace" not in file["mantid_workspace_1"]


def test_events_come_back_as_events(tmp_path: Path) -> None:
    ws = create_sample_workspace("Event", num_banks=1, bank_pixel_width=2)
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, EventWorkspace)
    assert isinstance(ws, EventWorkspace)
    assert back.y.tolist() == ws.y.tolist()
    for i in range(4):
        a, b = back.getSpectrum(i), ws.getSpectrum(i)
        assert sorted(a.getTofs()) == sorted(b.getTofs())
        assert sorted(a.getPulseTimes()) == sorted(b.getPulseTimes())


def test_cropped_events_are_written_without_what_was_cut(make_events: MakeEvents, tmp_path: Path) -> None:
    save_nexus(crop_workspace(make_events([0.5, 1.5, 2.5], edges=[0, 1, 2, 3]), 1, 2), tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["mantid_workspace_1/event_workspace/tof"][()].tolist() == [1.5]


def test_events_come_back_with_their_weights(make_events: MakeEvents, tmp_path: Path) -> None:
    weighted = multiply(make_events([0.5, 1.5, 1.6], [0.1], edges=[0, 1, 2]), 3)
    save_nexus(weighted, tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        data = file["mantid_workspace_1/event_workspace"]
        assert data["weight"][()].tolist() == [3, 3, 3, 3]
        assert data["error_squared"][()].tolist() == [9, 9, 9, 9]
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, EventWorkspace)
    np.testing.assert_array_equal(back.y, [[3, 6], [3, 0]])
    np.testing.assert_allclose(back.e2, [[9, 18], [9, 0]])
    assert back.getSpectrum(0).getWeights().tolist() == [3, 3, 3]
    # and a second time
    save_nexus(back, tmp_path / "b.nxs")
    again = load_nexus_processed(tmp_path / "b.nxs")
    assert isinstance(again, EventWorkspace)
    np.testing.assert_array_equal(again.e2, back.e2)


def test_events_of_chunks_scaled_each_by_a_number_come_back_with_their_weights(tmp_path: Path) -> None:
    table, place, total = EventTable(1), Detectors([10]), None
    for pulse, weight in enumerate((1.0, 3.0, 5.0)):
        a, b = table.append([5 + pulse, 15 + pulse], [0, 0], [pulse], [0, 2], [1.0])
        chunk = multiply(EventWorkspace.from_table(table, a, b, place, edges=[0, 1, 2]), weight)
        total = chunk if total is None else plus(total, chunk)
    assert total is not None
    save_nexus(total, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, EventWorkspace)
    assert back.getSpectrum(0).getWeights().tolist() == [1, 1, 3, 3, 5, 5]
    assert (back.y.tolist(), back.e2.tolist()) == ([[9, 9]], [[35, 35]])


def test_weights_by_bin_are_each_events_own(make_events: MakeEvents, make_histogram: Make, tmp_path: Path) -> None:
    factor = make_histogram([0, 1, 2], [[10, 100]], [[0, 0]])
    save_nexus(multiply(make_events([0.5, 1.5, 1.6], edges=[0, 1, 2]), factor), tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["mantid_workspace_1/event_workspace/weight"][()].tolist() == [10, 100, 100]
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, EventWorkspace)
    assert (back.y.tolist(), back.e2.tolist()) == ([[10, 200]], [[100, 20000]])


def test_events_can_be_written_as_their_histogram(make_events: MakeEvents, tmp_path: Path) -> None:
    save_nexus(make_events([0.5, 1.5], edges=[0, 2]), tmp_path / "a.nxs", preserve_events=False)
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["mantid_workspace_1/workspace/values"][()].tolist() == [[2]]


def test_a_table_has_a_data_set_a_column(tmp_path: Path) -> None:
    table = TableWorkspace([("str", "Name"), ("double", "Value"), ("int", "Count"), ("bool", "Used")], title="List")
    table.addRow(["a", 1.5, 3, True])
    table.addRow(["b", 2.5, 4, False])
    save_nexus(table, tmp_path / "t.nxs")
    with h5py.File(tmp_path / "t.nxs") as file:
        group = file["mantid_workspace_1/table_workspace"]
        assert group["column_2"][()].tolist() == [1.5, 2.5]
        assert group["column_2"].attrs["name"] == "Value"
    back = load_nexus_processed(tmp_path / "t.nxs")
    assert isinstance(back, TableWorkspace)
    assert back.toDict() == table.toDict()
    assert back.columnTypes() == ["str", "double", "int", "bool"]


def test_appended_workspaces_and_members_of_groups_are_further_entries(ws: HistogramWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    save_nexus(ws, path)
    save_nexus(WorkspaceGroup([ws, ws]), path, title="more", append=True)
    back = load_nexus_processed(path)
    assert isinstance(back, WorkspaceGroup)
    assert [member.getTitle() for member in back] == ["Si", "more", "more"]
    assert load_nexus_processed(path, entry_number=2).getTitle() == "more"
    with pytest.raises(ValueError, match=r"EntryNumber: 4, but .* has 3 entries"):
        load_nexus_processed(path, entry_number=4)
    save_nexus(ws, path)
    assert isinstance(load_nexus_processed(path), HistogramWorkspace)


def test_some_spectra_can_be_written(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_nexus(ws, tmp_path / "a.nxs", workspace_index_list=[1])
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["mantid_workspace_1/workspace/values"][()].tolist() == [[3, 4]]
        assert file["mantid_workspace_1/workspace/axis2"][()].tolist() == [9]


def test_a_failed_write_leaves_the_old_file(ws: HistogramWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    save_nexus(ws, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="SaveNexus: workspace index 7"):
        save_nexus(ws, path, workspace_index_list=[7])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nxs"]


def test_other_files_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "raw.nxs", "w") as file:
        file.create_group("entry")
    with pytest.raises(RuntimeError, match=r"raw\.nxs: is no processed NeXus file"):
        load_nexus_processed(tmp_path / "raw.nxs")
    with pytest.raises(ValueError, match="there is no file"):
        load_nexus_processed(tmp_path / "nowhere.nxs")


def test_times_finer_than_a_tick_and_other_units_keep_their_bins(tmp_path: Path) -> None:
    """A file of Mantid's may hold any number as an event's X."""
    for unit, x in (("TOF", [1.00004, 2.00006]), ("dSpacing", [0.7654321, 1.2345678])):
        with h5py.File(tmp_path / "a.nxs", "w") as file:
            data = file.create_group("mantid_workspace_1/event_workspace")
            data["tof"], data["pulsetime"], data["indices"] = x, [0, 10], [0, 1, 2]
            data["axis1"], data["axis2"] = [0.0, 1.1, 2.2], [1, 2]
            data["axis1"].attrs["units"] = unit
            data["axis2"].attrs["units"] = "spectraNumber"
        back = load_nexus_processed(tmp_path / "a.nxs")
        assert isinstance(back, EventWorkspace)
        assert back.y.tolist() == [[1, 0], [0, 1]]
        assert back.unit == unit
        assert back.getTofMin() == pytest.approx(x[0], abs=1e-3 if unit == "TOF" else 1e-9)


def test_detectors_known_before_are_known_by_their_ids(make_histogram: Make, tmp_path: Path) -> None:
    ws = make_histogram([0, 1], [[1], [2]], detectors=Detectors([10, 11]))
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert back.detectors.ids.tolist() == [10, 11]


def test_masked_bins_and_the_resolution_of_x_come_back(make_histogram: Make, tmp_path: Path) -> None:
    plain = make_histogram([0, 1, 2, 3], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], dx=[[0.1, 0.2, 0.3]] * 3)
    save_nexus(mask_bins(mask_bins(plain, 1, 3, indices=[2]), 0, 1, indices=[0]), tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        data = file["mantid_workspace_1/workspace"]
        # spectrum 0 from entry 0 on, spectrum 2 from entry 1 on
        assert data["masked_spectra"][()].tolist() == [[0, 0], [2, 1]]
        assert data["masked_bins"][()].tolist() == [0, 1, 2]
        assert data["xerrors"][()].tolist() == [[0.1, 0.2, 0.3]] * 3
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert back.bin_mask is not None
    assert back.bin_mask.tolist() == [[True, False, False], [False] * 3, [False, True, True]]
    assert back.readDx(1).tolist() == [0.1, 0.2, 0.3]


DEFINITION = """<instrument name="SLIDE" valid-from="2000-01-01 00:00:00">
  <component type="source"><location z="-10"/></component><type name="source" is="Source"/>
  <component type="sample"><location/></component><type name="sample" is="SamplePos"/>
  <component type="bank" name="bank" idlist="ids"><location/>
    <parameter name="z"><logfile id="slide" eq="value/1000"/></parameter></component>
  <type name="bank"><component type="pixel"><location name="a"/><location name="b" x="0.5"/></component></type>
  <type name="pixel" is="detector"/><idlist idname="ids"><id start="10" end="11"/></idlist>
  <component-link name="SLIDE"><parameter name="Efixed"><value val="1.84"/></parameter></component-link>
</instrument>"""


def test_the_instrument_comes_back_with_parameters_and_where_logs_had_moved_it(
    make_histogram: Make, tmp_path: Path
) -> None:
    run = Run({"slide": TimeSeries("slide", [0, SECOND], [1000.0, 2500.0])})
    ws = load_instrument(make_histogram([0, 1], [[1], [2]], run=run), instrument_xml=DEFINITION)
    instrument = ws.detectors.instrument
    assert instrument is not None
    ws.detectors = Detectors.from_instrument(instrument.with_logs({"slide": 2500.0}))
    assert ws.spectrumInfo().l2(0) == 2.5
    save_nexus(ws, tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["mantid_workspace_1/instrument/instrument_xml/data"].asstr()[()] == DEFINITION
        assert file["mantid_workspace_1/instrument/name"].asstr()[()] == "SLIDE"
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert back.getInstrument().getName() == "SLIDE"
    assert back.getInstrument().getNumberParameter("Efixed") == [1.84]
    bank = back.getInstrument().getComponentByName("bank")
    assert bank is not None
    assert list(bank.getPos()) == [0, 0, 2.5]
    assert list(back.getDetector(1).getPos()) == [0.5, 0, 2.5]
    assert back.getInstrument().getSource().getPos().getZ() == -10
    assert (back.spectrumInfo().l1(), back.spectrumInfo().l2(0)) == (10, 2.5)
    assert back.spectra.geometry is None  # follows the detectors, as before


def test_a_file_of_mantids_has_its_detectors_from_the_definition_alone(tmp_path: Path) -> None:
    """Its instrument group knows spectra and definition; strings are fixed in length, values may be one only."""
    with h5py.File(tmp_path / "m.nxs", "w") as file:
        entry = file.create_group("mantid_workspace_1")
        entry["title"] = np.array([b"focused"], "S7")
        data = entry.create_group("workspace")
        data["values"], data["errors"] = [[1.0], [2.0]], [[1.0], [1.0]]
        data["axis1"], data["axis2"] = [0.0, 1.0], np.array([1, 2], np.int32)
        data["axis1"].attrs["units"], data["axis2"].attrs["units"] = b"TOF", b"spectraNumber"
        instrument = entry.create_group("instrument")
        instrument["name"] = np.array([b"SLIDE"], "S5")
        instrument["instrument_xml/data"] = np.array([DEFINITION.encode()])
        detector = instrument.create_group("detector")
        for name, values in (("count", [1, 2]), ("index", [0, 1]), ("list", [11, 10, 11])):
            detector[f"detector_{name}"] = np.array(values, np.int32)
        detector["spectra"] = np.array([1, 2], np.int32)
        log = entry.create_group("logs/slide")
        log["value"], log["time"] = [3000.0, 4000.0], [0.0, 1.5]
        log["time"].attrs["start"] = b"2026-11-23T06:00:00"
    back = load_nexus_processed(tmp_path / "m.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert (back.getTitle(), back.getInstrument().getName()) == ("focused", "SLIDE")
    assert [back.getSpectrum(i).getDetectorIDs() for i in (0, 1)] == [[11], [10, 11]]
    # the bank stands where the log's last value puts it
    assert list(back.getDetector(0).getPos()) == [0.5, 0, 4]
    assert back.spectrumInfo().l2(0) == pytest.approx(np.hypot(0.5, 4))
    assert back.spectrumInfo().l2(1) == pytest.approx((4 + np.hypot(0.5, 4)) / 2)


def test_an_instrument_without_a_definition_comes_back_as_a_list_of_places(tmp_path: Path) -> None:
    instrument = instrument_from_flight_paths(
        "LIST", [3, 5, 9], [1.0, 2.0, 3.0], np.radians([90, 45, 0]), [False, False, True], l1=17.0
    )
    ids = instrument.ids
    ws = HistogramWorkspace(
        [0, 1], [[1], [2], [3]], detectors=Detectors.from_instrument(instrument), spectra=Spectra([1, 2, 3], ids)
    )
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert back.getInstrument().getName() == "LIST"
    assert [back.spectrumInfo().isMonitor(i) for i in range(3)] == [False, False, True]
    assert back.getInstrument().getSource().getPos().getZ() == -17
    np.testing.assert_allclose(list(back.getDetector(0).getPos()), [1, 0, 0], atol=1e-15)
    assert back.spectrumInfo().twoTheta(1) == pytest.approx(np.pi / 4, rel=1e-14)


def test_geometry_that_spectra_were_given_stays_theirs(tmp_path: Path) -> None:
    ws = create_sample_workspace(num_banks=1, bank_pixel_width=2)
    ws = edit_instrument_geometry(ws, 12.0, l2=[1, 2, 3, 4], polar=[10, 20, 30, 40])
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert (back.spectrumInfo().l1(), back.spectrumInfo().l2(3)) == (12.0, 4.0)
    assert back.spectrumInfo().twoTheta(1) == pytest.approx(np.radians(20))


def test_logs_of_all_kinds_come_back(make_histogram: Make, tmp_path: Path) -> None:
    series: dict[str, list[Any]] = {
        "whole": [1, -(1 << 60)], "real": [1.5, np.nan], "text": ["a", "µ/b"], "flag": [True, False],
    }  # fmt: skip
    run = Run({name: TimeSeries(name, [7, 7 + 86400 * SECOND * 30 + 1], values) for name, values in series.items()})
    run.set("empty", TimeSeries("empty", [], []))
    singles = {"n": 3, "x": 0.1, "s": "text", "b": False, "PV:with/slash": 1}
    for name, value in singles.items():
        run.set(name, value, "K")
    run.set("row", np.array([1.0, 2.0, 3.0]))
    run.set("words", ["a", "b"])
    ws = make_histogram([0, 1], [[1]], run=run)
    ws.comment = "good"
    save_nexus(ws, tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    logs = back.getRun()
    for name, values in series.items():
        found = logs[name]
        assert isinstance(found, TimeSeries)
        assert found.time_ns.tolist() == [7, 7 + 86400 * SECOND * 30 + 1]
        assert str(found.value.tolist()) == str(values)
    assert len(logs["empty"].value) == 0
    for name, value in singles.items():
        assert (logs[name].value, type(logs[name].value), logs[name].units) == (value, type(value), "K")
    assert list(logs["row"].value) == [1.0, 2.0, 3.0]
    assert list(logs["words"].value) == ["a", "b"]
    assert back.getComment() == "good"


def test_tables_of_all_column_types_come_back(tmp_path: Path) -> None:
    kinds: dict[str, list[Any]] = {
        "str": ["a", "µ", ""], "int": [1, -2, 3], "float": [0.5, 1.5, 2.5], "double": [0.1, np.inf, -1e300],
        "bool": [True, False, True], "long64": [1 << 62, -1, 0], "size_t": [(1 << 64) - 1, 0, 1], "uint": [1, 2, 3],
        "V3D": [(1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (-1.0, 0.5, 0.0)],
    }  # fmt: skip
    table = TableWorkspace([(kind, f"col {kind}") for kind in kinds], title="All")
    for row in zip(*kinds.values(), strict=True):
        table.addRow(list(row))
    empty = TableWorkspace([(kind, kind) for kind in kinds])
    unset = TableWorkspace([("V3D", "place")])
    unset.setRowCount(1)
    save_nexus(WorkspaceGroup([table, empty, unset]), tmp_path / "t.nxs")
    back = load_nexus_processed(tmp_path / "t.nxs")
    assert isinstance(back, WorkspaceGroup)
    first, second, third = back
    assert isinstance(first, TableWorkspace)
    assert isinstance(second, TableWorkspace)
    assert isinstance(third, TableWorkspace)
    assert first.toDict() == table.toDict()
    assert first.columnTypes() == list(kinds)
    assert first.getTitle() == "All"
    assert (second.columnTypes(), second.rowCount()) == (list(kinds), 0)
    assert [list(place) for place in third.column("place")] == [[0.0, 0.0, 0.0]]


def test_tables_of_other_programs_are_read_by_what_they_hold(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.nxs", "w") as file:
        group = file.create_group("mantid_workspace_1/table_workspace")
        group["column_1"] = np.array([1, 2], np.int32)
        group["column_2"] = np.array([[b"ab"], [b"c"]], "S4")
        group["column_10"] = [0.5, 1.5]
        for name, title, kind in (("1", "n", "An integer"), ("2", "s", "A string"), ("10", "x", "A double")):
            group[f"column_{name}"].attrs.update(name=title, interpret_as=kind)
    back = load_nexus_processed(tmp_path / "t.nxs")
    assert isinstance(back, TableWorkspace)
    assert back.toDict() == {"n": [1, 2], "s": ["ab", "c"], "x": [0.5, 1.5]}
    assert back.columnTypes() == ["int", "str", "double"]


LIES: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "indices beyond the events": (
        lambda e: e["event_workspace/indices"].__setitem__(2, 9),
        r"event_workspace/indices: .*9.*; expected them to rise from 0 to 3",
    ),
    "fewer pulse times": (
        lambda e: e["event_workspace/pulsetime"].resize((2,)),
        r"event_workspace/pulsetime: 2 entries for 3 events",
    ),
    "no variances": (
        lambda e: e.create_dataset("event_workspace/weight", data=[1.0, 2.0, 3.0]),
        r"event_workspace: the events have a weight but no error_squared",
    ),
    "X not finite": (
        lambda e: e["event_workspace/tof"].__setitem__(1, np.nan),
        r"1 events have an X that is not finite",
    ),
    "falling edges": (
        lambda e: e["event_workspace/axis1"].__setitem__(slice(None), [4.0, 2.0, 0.0]),
        r"event_workspace: bin edges must rise",
    ),
    "other spectra": (
        lambda e: e["instrument/detector/detector_count"].__setitem__(0, 5),
        r"instrument/detector: 2 spectra, 2 entries of detector_count with a sum of 6, 2 of detector_list",
    ),
    "no axis": (lambda e: e["event_workspace"].__delitem__("axis1"), r"event_workspace has no axis1; it has"),
    "nothing": (lambda e: e.__delitem__("event_workspace"), r"has no workspace, event_workspace or table_workspace"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_with_the_place(make_events: MakeEvents, tmp_path: Path, lie: str) -> None:
    edit, message = LIES[lie]
    save_nexus(make_events([1.5, 2.5], [3.0], edges=[0, 2, 4]), tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs", "a") as file:
        edit(file["mantid_workspace_1"])
    with pytest.raises(RuntimeError, match=r"LoadNexusProcessed: .*a\.nxs: .*" + message):
        load_nexus_processed(tmp_path / "a.nxs")


def test_a_file_cut_short_is_named(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_nexus(ws, tmp_path / "a.nxs")
    (tmp_path / "a.nxs").write_bytes((tmp_path / "a.nxs").read_bytes()[:-100])
    with pytest.raises(RuntimeError, match=r"a\.nxs: cannot be read as HDF5"):
        load_nexus_processed(tmp_path / "a.nxs")


def test_compressed_events_are_written_compressed(make_events: MakeEvents, tmp_path: Path) -> None:
    save_nexus(compress_events(make_events([1.0, 1.5, 5.0], [2.0]), 1.0), tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs") as file:
        data = file["mantid_workspace_1/event_workspace"]
        assert data["tof"][()].tolist() == [1.25, 5.0, 2.0]
        assert data["weight"][()].tolist() == [2, 1, 1]


def test_the_time_in_which_live_data_were_taken_is_saved_as_their_duration(
    make_histogram: Make, tmp_path: Path
) -> None:
    run = Run({"run_start": "2026-01-01T00:00:00"})
    run.measured = Intervals(np.array([[0, 10], [25, 30]]) * SECOND)
    save_nexus(make_histogram([0, 1], [[1]], run=run), tmp_path / "a.nxs")
    back = load_nexus_processed(tmp_path / "a.nxs")
    assert isinstance(back, HistogramWorkspace)
    assert back.getRun().getProperty("duration").value == 15.0
    with h5py.File(tmp_path / "a.nxs") as file:
        assert file["mantid_workspace_1/logs/duration/value"][()] == 15.0
