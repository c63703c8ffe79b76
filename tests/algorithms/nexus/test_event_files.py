"""Small event files are written with plain h5py; what must come out of them is worked out by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livereduce.algorithms import filter_by_log_value, load_event_nexus, load_nexus_monitors, rebin
from livereduce.algorithms.calling import execute
from livereduce.algorithms.declaration import find
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, TimeSeries, WorkspaceStore

SECOND = 1_000_000_000
# 2026-11-23T06:00:00Z, by the calendar: 56 years, 14 of them leap, then 326 days and six hours
START = ((56 * 365 + 14 + 326) * 86400 + 6 * 3600) * SECOND

IDF = """<?xml version="1.0" encoding="UTF-8"?>
<instrument name="TWOBANKS" valid-from="2000-01-01 00:00:00" valid-to="2100-01-01 00:00:00">
  <component type="moderator"><location z="-10"/></component>
  <type name="moderator" is="Source"/>
  <component type="sample-position"><location/></component>
  <type name="sample-position" is="SamplePos"/>
  <component type="bank1" idlist="b1"><location z="2"/></component>
  <component type="bank2" idlist="b2"><location x="3"/></component>
  <component type="monitor" idlist="m"><location z="-1"/></component>
  <type name="bank1"><component type="pixel"><location name="p1"/><location x="0.1" name="p2"/></component></type>
  <type name="bank2"><component type="pixel"><location name="p3"/><location y="0.1" name="p4"/></component></type>
  <type name="pixel" is="detector"/>
  <type name="monitor" is="monitor"/>
  <idlist idname="b1"><id start="10" end="11"/></idlist>
  <idlist idname="b2"><id start="20" end="21"/></idlist>
  <idlist idname="m"><id val="-1"/></idlist>
</instrument>"""


def group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    found = parent.require_group(name)
    found.attrs["NX_class"] = kind
    return found


def put(parent: h5py.Group, name: str, data: Any, **attributes: Any) -> h5py.Dataset:
    dataset = parent.create_dataset(name, data=data)
    dataset.attrs.update(attributes)
    return dataset


def bank(entry: h5py.Group, name: str, ids: Any, tof: Any, index: Any, kind: str = "NXevent_data") -> h5py.Group:
    """Three pulses at 0, 1/60 and 2/60 s (rounded to ms) after the start."""
    events = group(entry, name, kind)
    put(events, "event_id", np.array(ids, np.uint32))
    put(events, "event_time_offset", np.array(tof, np.float32), units="microsecond")
    put(events, "event_index", np.array(index, np.uint64))
    put(events, "event_time_zero", [0.0, 0.016, 0.033], units="second", offset="2026-11-23T06:00:00.000000000Z")
    return events


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two banks; pulses of bank1 have 2, 0, 2 events, those of bank2 1, 2, 0, one of them of an unknown detector."""
    path = tmp_path / "raw.nxs.h5"
    with h5py.File(path, "w") as file:
        entry = group(file, "entry", "NXentry")
        entry["title"], entry["run_number"], entry["experiment_identifier"] = ["Si"], ["4711"], ["IPTS-1"]
        entry["start_time"], entry["end_time"] = ["2026-11-23T01:00:00-05:00"], ["2026-11-23T06:10:00Z"]
        group(entry, "instrument", "NXinstrument")["instrument_xml/data"] = IDF
        bank(entry, "bank1_events", [10, 11, 10, 10], [100.0, 200.1, 300.7, 1000.0], [0, 2, 2])
        bank(entry, "bank2_events", [21, 20, 99], [150.0, 400.0, 500.0], [0, 1, 3])
        logs = group(entry, "DASlogs", "NXcollection")
        charge = group(logs, "proton_charge", "NXlog")
        put(charge, "value", [3.6e9, 7.2e9, 3.6e9], units="picoCoulombs")
        put(charge, "time", [0.0, 0.016, 0.033], units="second", start="2026-11-23T06:00:00Z")
        temperature = group(logs, "BL1:SE:T", "NXlog")
        put(temperature, "value", np.array([1.5, 2.5], np.float32), units="K")
        put(temperature, "time", [-1.0, 0.02], units="second", start="2026-11-23T06:00:00Z")
        put(group(logs, "gap", "NXlog"), "value", [0.25], units="mm")
    return path


def change(path: Path, edit: Callable[[h5py.Group], object]) -> None:
    with h5py.File(path, "a") as file:
        edit(file["entry"])


def replace(group: h5py.Group, name: str, data: Any) -> None:
    attributes = dict(group[name].attrs) if name in group and hasattr(group[name], "shape") else {}
    if name in group:
        del group[name]
    put(group, name, data, **attributes)


# -- what comes out -----------------------------------------------------------------------------------------------


def test_events_logs_and_geometry_of_a_file_rebin_to_the_numbers_by_hand(raw: Path) -> None:
    ws = load_event_nexus(raw)
    assert isinstance(ws, EventWorkspace)
    # spectra 1 to 4 are detectors 10, 11, 20, 21; the event of detector 99 is left out
    assert [ws.getSpectrum(i).getDetectorIDs() for i in range(4)] == [[10], [11], [20], [21]]
    assert ws.getSpectrumNumbers() == [1, 2, 3, 4]
    assert ws.getNumberEvents() == 6
    binned = rebin(ws, [100, 100, 500])
    assert binned.readX(0).tolist() == [100, 200, 300, 400, 500]
    # 10: 100.0, 300.7 (1000.0 is above), 11: 200.1, 20: 400.0, 21: 150.0
    assert binned.extractY().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert binned.extractE().tolist() == binned.extractY().tolist()
    assert ws.spectrumInfo().l1() == 10
    assert ws.spectrumInfo().l2(2) == 3
    assert ws.spectrumInfo().twoTheta(2) == pytest.approx(np.pi / 2)
    assert ws.getInstrument().getName() == "TWOBANKS"


def test_each_event_has_its_time_of_flight_and_the_time_of_its_pulse(raw: Path) -> None:
    events = load_event_nexus(raw).getSpectrum(0).events()
    assert events.x.tolist() == [100.0, 300.7, 1000.0]
    assert (events.pulse_time - START).tolist() == [0, 33_000_000, 33_000_000]
    assert events.weight.tolist() == [1, 1, 1]


def test_logs_are_series_and_single_values(raw: Path) -> None:
    run = load_event_nexus(raw).getRun()
    series = run["BL1:SE:T"]
    assert isinstance(series, TimeSeries)
    assert (series.time_ns - START).tolist() == [-SECOND, 20_000_000]
    assert (series.value.tolist(), series.units) == ([1.5, 2.5], "K")
    assert (run["gap"].value, run["gap"].units) == (0.25, "mm")
    # 4 uA h of 3.6e9 pC each
    assert run["gd_prtn_chrg"].value == pytest.approx(4.0)
    assert run.getProtonCharge() == pytest.approx(4.0)
    assert (run["run_number"].value, run["experiment_identifier"].value) == ("4711", "IPTS-1")
    assert run["start_time"].value == run["run_start"].value == "2026-11-23T06:00:00.000000000"
    assert run.duration == 600.0


def test_logs_are_chosen_by_name(raw: Path) -> None:
    run = load_event_nexus(raw, allow_list=["gap"]).getRun()
    assert "gap" in run
    assert "BL1:SE:T" not in run
    run = load_event_nexus(raw, block_list=["gap"]).getRun()
    assert "gap" not in run
    assert "BL1:SE:T" in run


def test_title_and_run_number_are_the_files(raw: Path) -> None:
    ws = load_event_nexus(raw, load_logs=False)
    assert (ws.getTitle(), ws.getRunNumber()) == ("Si", 4711)
    assert "BL1:SE:T" not in ws.getRun()


def test_bins_cover_all_events(raw: Path) -> None:
    ws = load_event_nexus(raw)
    assert ws.blocksize() == 500
    assert ws.readX(0)[0] == 100.0
    assert ws.y.sum() == 6
    ws = load_event_nexus(raw, number_of_bins=9)
    np.testing.assert_allclose(ws.readX(0), np.linspace(100, 1000, 10))
    assert ws.y[0].tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 1]
    with pytest.raises(ValueError, match="NumberOfBins: expected 1 or more, found 0"):
        load_event_nexus(raw, number_of_bins=0)


def test_times_of_flight_are_filtered_with_both_ends(raw: Path) -> None:
    ws = load_event_nexus(raw, filter_by_tof_min=150, filter_by_tof_max=300.7)
    assert [np.round(ws.getSpectrum(i).getTofs(), 9).tolist() for i in range(4)] == [[300.7], [200.1], [], [150.0]]
    with pytest.raises(ValueError, match=r"FilterByTofMax: must be above FilterByTofMin \(20\), found 10"):
        load_event_nexus(raw, filter_by_tof_min=20, filter_by_tof_max=10)


def test_pulses_and_logs_are_filtered_by_seconds_since_the_first_pulse(raw: Path) -> None:
    ws = load_event_nexus(raw, filter_by_time_start=0.016, filter_by_time_stop=0.033)
    assert [ws.getSpectrum(i).getTofs().tolist() for i in range(4)] == [[], [], [400.0], []]
    assert ws.getRun().getProtonCharge() == pytest.approx(2.0)
    ws = load_event_nexus(raw, filter_by_time_start=0.016)
    assert ws.getNumberEvents() == 3
    ws = load_event_nexus(raw, filter_by_time_stop=0.016)
    assert ws.getNumberEvents() == 3


def test_a_bank_is_read_alone_with_its_pixels_or_all(raw: Path) -> None:
    ws = load_event_nexus(raw, bank_name=["bank2"])
    assert [ws.getSpectrum(i).getDetectorIDs() for i in range(ws.n_spectra)] == [[20], [21]]
    assert ws.getSpectrumNumbers() == [3, 4]
    assert ws.spectrumInfo().l2(0) == 3
    assert ws.getNumberEvents() == 2
    ws = load_event_nexus(raw, bank_name=["bank2"], single_bank_pixels_only=False)
    assert (ws.n_spectra, ws.getNumberEvents()) == (4, 2)
    with pytest.raises(ValueError, match="BankName: there is no bank 'bank7' with events; there are bank1, bank2"):
        load_event_nexus(raw, bank_name=["bank7"])


def test_spectra_are_chosen_by_number(raw: Path) -> None:
    ws = load_event_nexus(raw, spectrum_min=2, spectrum_max=3)
    assert ws.getSpectrumNumbers() == [2, 3]
    assert [np.round(ws.getSpectrum(i).getTofs(), 9).tolist() for i in range(2)] == [[200.1], [400.0]]
    assert load_event_nexus(raw, spectrum_list=[4, 1]).getSpectrumNumbers() == [1, 4]
    with pytest.raises(ValueError, match="SpectrumList: there is no spectrum number 5"):
        load_event_nexus(raw, spectrum_list=[5])
    with pytest.raises(ValueError, match="SpectrumMin, SpectrumMax: no spectrum number is in 3 to 2; there are 1 to 4"):
        load_event_nexus(raw, spectrum_min=3, spectrum_max=2)


def test_meta_data_alone_have_no_events(raw: Path) -> None:
    ws = load_event_nexus(raw, meta_data_only=True)
    assert (ws.n_spectra, ws.getNumberEvents(), ws.getRunNumber()) == (4, 0, 4711)


def test_nanoseconds_and_times_since_1970_are_read_exactly(raw: Path) -> None:
    """As ESS writes them; a nanosecond must not get lost."""

    def as_ess(entry: h5py.Group) -> None:
        events = entry["bank1_events"]
        for name in ("event_time_offset", "event_time_zero"):
            del events[name]
        put(events, "event_time_offset", np.array([100_000, 200_101, 300_700, 70_000_001], np.int32), units="ns")
        put(events, "event_time_zero", np.array([START, START + 1, START + 2], np.int64), units="ns")

    change(raw, as_ess)
    ws = load_event_nexus(raw, bank_name=["bank1"])
    assert ws.getSpectrum(0).getTofs().tolist() == [100.0, 300.7, 70_000.001]
    assert (ws.getSpectrum(0).events().pulse_time - START).tolist() == [0, 2, 2]
    assert ws.getSpectrum(1).getTofs().tolist() == [200.101]


def test_tenths_of_a_microsecond_stay_on_their_side_of_a_bin_edge(raw: Path) -> None:
    """In 32 bits 20000.1 is 20000.0996: it was measured as 20000.1 and belongs above that edge."""
    change(raw, lambda entry: replace(entry["bank1_events"], "event_time_offset", np.array([20000.1] * 4, np.float32)))
    ws = rebin(load_event_nexus(raw, bank_name=["bank1"]), [20000.0, 0.1, 20000.2])
    assert ws.y.tolist() == [[0, 3], [0, 1]]


def test_negative_times_of_flight_are_kept(raw: Path) -> None:
    change(
        raw, lambda entry: replace(entry["bank1_events"], "event_time_offset", np.array([-5.5, 1, 2, 3], np.float32))
    )
    ws = load_event_nexus(raw, bank_name=["bank1"])
    assert ws.getSpectrum(0).getTofs().tolist() == [-5.5, 2.0, 3.0]
    assert ws.getTofMin() == -5.5


def test_older_names_of_the_fields_are_known(raw: Path) -> None:
    def rename(entry: h5py.Group) -> None:
        events = entry["bank1_events"]
        events.move("event_id", "event_pixel_id")
        events.move("event_time_offset", "event_time_of_flight")
        events.move("event_time_zero", "pulse_time")

    change(raw, rename)
    assert load_event_nexus(raw).getNumberEvents() == 6


def test_events_that_two_links_lead_to_are_read_once(raw: Path) -> None:
    def link(entry: h5py.Group) -> None:
        detector = group(entry["instrument"], "bank1", "NXdetector")
        again = group(detector, "events", "NXevent_data")
        for name in entry["bank1_events"]:
            again[name] = entry["bank1_events"][name]
        entry["loop"] = entry["instrument"]
        entry["instrument/entry"] = entry
        entry["gone"] = h5py.SoftLink("/nowhere")

    change(raw, link)
    assert load_event_nexus(raw).getNumberEvents() == 6


def test_banks_of_errors_and_banks_without_events_give_none(raw: Path) -> None:
    def add(entry: h5py.Group) -> None:
        bank(entry, "bank_error_events", [10], [1.0], [0, 0, 0])
        bank(entry, "bank3_events", [10], [1.0], [0, 0, 0])["total_counts"] = [0]

    change(raw, add)
    assert load_event_nexus(raw).getNumberEvents() == 6


def test_without_geometry_detectors_are_known_by_their_ids(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    def remove(entry: h5py.Group) -> None:
        del entry["instrument"]

    change(raw, remove)
    ws = load_event_nexus(raw)
    assert [ws.getSpectrum(i).getDetectorIDs() for i in range(5)] == [[10], [11], [20], [21], [99]]
    assert ws.getNumberEvents() == 7
    assert "detectors are known by their IDs alone" in caplog.text
    assert load_event_nexus(raw, bank_name=["bank2"]).n_spectra == 3


def test_geometry_in_nexus_places_the_detectors(raw: Path) -> None:
    def replace_instrument(entry: h5py.Group) -> None:
        del entry["instrument"]
        instrument = group(entry, "instrument", "NXinstrument")
        put(group(instrument, "source", "NXsource"), "distance", -12.0, units="m")
        for number, ids in ((1, [10, 11]), (2, [20, 21])):
            detector = group(instrument, f"bank{number}", "NXdetector")
            detector["detector_number"] = ids
            put(detector, "distance", [1.5 * number] * 2, units="m")
            put(detector, "polar_angle", [90.0, 45.0], units="degree")

    change(raw, replace_instrument)
    ws = load_event_nexus(raw)
    assert (ws.spectrumInfo().l1(), ws.spectrumInfo().l2(3)) == (12.0, 3.0)
    assert load_event_nexus(raw, bank_name=["bank2"]).getSpectrumNumbers() == [3, 4]


def test_unknown_detectors_are_counted(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_event_nexus(raw)
    assert "1 of 7 events have an ID that is of no detector of TWOBANKS (IDs -1 to 21); left out" in caplog.text
    change(raw, lambda entry: entry.__delitem__("bank1_events"))
    change(raw, lambda entry: replace(entry["bank2_events"], "event_id", np.array([98, 99, 100], np.uint32)))
    with pytest.raises(RuntimeError, match=r"all 3 events have an ID that is of no detector of TWOBANKS"):
        load_event_nexus(raw)


def test_negative_ids_are_of_no_detector(raw: Path) -> None:
    change(raw, lambda entry: replace(entry["bank1_events"], "event_id", np.array([-10, 1 << 40, 10, 10], np.int64)))
    assert load_event_nexus(raw).getNumberEvents() == 4


def test_an_entry_is_chosen_by_name(raw: Path) -> None:
    with h5py.File(raw, "a") as file:
        file.copy("entry", "entry-off")
        del file["entry-off/bank1_events"]
    assert load_event_nexus(raw, nx_entry_name="entry-off").getNumberEvents() == 2
    with pytest.raises(RuntimeError, match=r"raw\.nxs\.h5: has no NXentry 'other'; it has entry, entry-off"):
        load_event_nexus(raw, nx_entry_name="other")


def test_events_are_compressed_if_asked_for(raw: Path) -> None:
    ws = load_event_nexus(raw, compress_tolerance=300.0)
    # of detector 10, 100.0 and 300.7 are nearer than 300 us
    assert ws.getSpectrum(0).events().weight.tolist() == [2, 1]


@pytest.fixture
def isis(tmp_path: Path) -> Path:
    """Spectrum 1 is a monitor, 2 is made of detectors 20 and 21, 3 of 30; one row is in no spectrum."""
    with h5py.File(tmp_path / "isis.nxs", "w") as file:
        entry = group(file, "raw_data_1", "NXentry")
        group(entry, "instrument", "NXinstrument")["name"] = "NOWHERE"
        put(group(entry["instrument"], "moderator", "NXmoderator"), "distance", [-17.0], units="metre")
        tables = group(entry, "isis_vms_compat", "IXvms")
        tables["SPEC"] = np.array([1, 2, 3, 2, 0], np.int32)
        tables["UDET"] = np.array([1, 20, 30, 21, 99], np.int32)
        tables["LEN2"] = np.array([-1, 2, 3, 4, 1], np.float32)
        tables["TTHE"] = np.array([0, 90, 45, 60, 10], np.float32)
        tables["MDET"] = np.array([1], np.int32)
        bank(entry, "detector_1_events", [2, 3, 2, 1, 7], [10.0, 20.0, 30.0, 40.0, 50.0], [0, 1, 2])
    return tmp_path / "isis.nxs"


def test_events_of_isis_are_told_by_spectrum_number(isis: Path) -> None:
    ws = load_event_nexus(isis)
    assert ws.getSpectrumNumbers() == [1, 2, 3]
    assert [ws.getSpectrum(i).getDetectorIDs() for i in range(3)] == [[1], [20, 21], [30]]
    assert [ws.getSpectrum(i).getTofs().tolist() for i in range(3)] == [[40], [10, 30], [20]]
    info = ws.spectrumInfo()
    assert [info.isMonitor(i) for i in range(3)] == [True, False, False]
    assert (info.l1(), info.l2(1), info.l2(2)) == (17, 3, 3)
    assert info.twoTheta(1) == pytest.approx(np.radians(75), rel=1e-6)
    assert ws.getInstrument().getName() == "NOWHERE"


def test_spectra_of_isis_are_chosen_by_number_and_bank(isis: Path) -> None:
    ws = load_event_nexus(isis, spectrum_list=[3])
    assert (ws.getSpectrumNumbers(), ws.getSpectrum(0).getTofs().tolist()) == ([3], [20])
    assert ws.spectrumInfo().l2(0) == 3
    assert load_event_nexus(isis, bank_name=["detector_1"]).getSpectrumNumbers() == [1, 2, 3]


def test_periods_come_together_with_a_warning_and_can_be_parted(isis: Path, caplog: pytest.LogCaptureFixture) -> None:
    with h5py.File(isis, "a") as file:
        entry = file["raw_data_1"]
        group(entry, "periods", "IXperiods")["number"] = [2]
        periods = group(group(entry, "framelog", "NXcollection"), "period_log", "NXlog")
        put(periods, "value", np.array([1, 2, 1], np.int32))
        put(periods, "time", [0.0, 0.016, 0.033], units="second", start="2026-11-23T06:00:00")
    ws = load_event_nexus(isis)
    assert "/raw_data_1 has 2 periods, which are loaded as one" in caplog.text
    second = filter_by_log_value(ws, "period_log", 2, 2, log_boundary="Left")
    # the second pulse has the event at 20 us alone
    assert second.getNumberEvents() == 1
    assert second.getSpectrum(2).getTofs().tolist() == [20]


def test_tables_of_isis_that_contradict_themselves_are_named(isis: Path) -> None:
    with h5py.File(isis, "a") as file:
        replace(file["raw_data_1/isis_vms_compat"], "SPEC", [1, 2])
    with pytest.raises(RuntimeError, match="/raw_data_1/isis_vms_compat: 2 entries of SPEC for 5 of UDET"):
        load_event_nexus(isis)


# -- monitors -----------------------------------------------------------------------------------------------------


def histogram_monitor(entry: h5py.Group, name: str, counts: list[int]) -> None:
    monitor = group(entry, name, "NXmonitor")
    put(monitor, "data", np.array(counts, np.int32), signal=1, axes="time_of_flight", units="counts")
    put(monitor, "time_of_flight", np.array([0, 10, 20], np.float32), units="microsecond")


def test_monitors_are_attached_as_their_histograms(raw: Path) -> None:
    change(raw, lambda entry: histogram_monitor(entry, "monitor1", [3, 4]))
    assert load_event_nexus(raw).getMonitorWorkspace() is None
    monitors = load_event_nexus(raw, load_monitors=True).getMonitorWorkspace()
    assert isinstance(monitors, HistogramWorkspace)
    assert (monitors.x.tolist(), monitors.y.tolist()) == ([0, 10, 20], [[3, 4]])
    np.testing.assert_allclose(monitors.e, np.sqrt([[3, 4]]))
    assert monitors.getSpectrum(0).getDetectorIDs() == [-1]
    assert monitors.spectrumInfo().isMonitor(0)
    # 9 m from the source: upstream of the sample
    assert monitors.spectrumInfo().l2(0) == -1.0


def test_monitors_are_attached_as_their_events(raw: Path) -> None:
    def add(entry: h5py.Group) -> None:
        bank(entry, "monitor1", [], [5.0, 6.5, 6.5], [0, 1, 1], "NXmonitor")
        bank(entry, "monitor2", [], [7.0], [0, 0, 1], "NXmonitor")

    change(raw, add)
    ws = load_event_nexus(raw, load_monitors=True)
    monitors = ws.getMonitorWorkspace()
    assert isinstance(monitors, EventWorkspace)
    assert [monitors.getSpectrum(i).getTofs().tolist() for i in range(2)] == [[5.0, 6.5, 6.5], [7.0]]
    assert [monitors.getSpectrum(i).getDetectorIDs() for i in range(2)] == [[-1], [-2]]
    assert ws.getNumberEvents() == 6


def test_which_monitors_are_wanted_can_be_said(raw: Path) -> None:
    def add(entry: h5py.Group) -> None:
        bank(entry, "monitor1", [], [5.0], [0, 1, 1], "NXmonitor")
        histogram_monitor(entry, "monitor2", [3, 4])

    change(raw, add)
    with pytest.raises(RuntimeError, match=r"monitor2: no events, .*MonitorsLoadOnly"):
        load_event_nexus(raw, load_monitors=True)
    only = load_event_nexus(raw, load_monitors=True, monitors_load_only="Histogram").getMonitorWorkspace()
    assert only is not None
    assert only.getSpectrum(0).getDetectorIDs() == [-2]
    older: Any = load_event_nexus(raw, load_monitors=True, monitors_as_events=False).getMonitorWorkspace()
    assert older.getSpectrum(0).getDetectorIDs() == [-2]
    histograms: Any = load_nexus_monitors(raw, monitors_as_events=False)
    assert histograms.getSpectrum(0).getDetectorIDs() == [-2]
    alone = load_nexus_monitors(raw, load_only="Events")
    assert isinstance(alone, EventWorkspace)
    assert (alone.getNumberEvents(), alone.getTitle()) == (1, "Si")


def test_pulses_of_little_charge_are_left_out_if_asked(raw: Path) -> None:
    # charges 1, 2 and 1 with mean 4/3: the second pulse alone has 95 % of it, with one event of a known detector
    ws = load_event_nexus(raw, filter_bad_pulses_lower_cutoff=95, load_all_logs=True, load_type="Default")
    assert (ws.getNumberEvents(), ws.getRun()["proton_charge"].value.tolist()) == (1, [7.2e9])
    assert load_event_nexus(raw, filter_bad_pulses_lower_cutoff=60).getNumberEvents() == 6


def test_a_file_without_monitors_has_none(raw: Path) -> None:
    assert load_event_nexus(raw, load_monitors=True).getMonitorWorkspace() is None
    with pytest.raises(RuntimeError, match=r"LoadNexusMonitors: .*/entry has no monitors"):
        load_nexus_monitors(raw)


def test_a_script_gets_the_monitors_beside_the_result(raw: Path) -> None:
    change(raw, lambda entry: histogram_monitor(entry, "monitor1", [3, 4]))
    store: Any = WorkspaceStore()

    def call(name: str, **keywords: Any) -> Any:
        declaration = find(name)
        assert declaration is not None
        return execute(declaration, [str(raw)], keywords, store, ["ws"])

    ws = call("LoadEventNexus", LoadMonitors="1")
    assert (ws._fields, ws.MonitorWorkspace.name()) == (("OutputWorkspace", "MonitorWorkspace"), "ws_monitors")
    assert store["ws_monitors"].y.tolist() == [[3, 4]]
    assert store["ws"].getMonitorWorkspace() is store["ws_monitors"] is ws[1]
    again = call("Load", LoadMonitors=True)
    assert again[1] is ws[1], "who held the monitors sees the new ones"
    assert store["ws"].getMonitorWorkspace() is ws[1]
    unnamed = call("LoadEventNexus", LoadMonitors=True, StoreInADS=False)
    assert (unnamed[1].y.tolist(), unnamed[1].name()) == ([[3, 4]], "")
    assert isinstance(call("LoadEventNexus"), EventWorkspace)


def test_a_script_that_asks_for_monitors_of_a_file_without_gets_the_workspace(raw: Path) -> None:
    store = WorkspaceStore()
    declaration = find("LoadEventNexus")
    assert declaration is not None
    ws = execute(declaration, [str(raw)], {"LoadMonitors": True}, store, ["ws"])
    assert isinstance(ws, EventWorkspace)
    assert store.names() == ["ws"]


# -- files that lie -----------------------------------------------------------------------------------------------

EVENTS = "bank1_events"


def never_written(events: h5py.Group) -> None:
    del events["event_id"]
    events.create_dataset("event_id", (10**12,), np.uint32, chunks=(1 << 16,))


def without_pulses(events: h5py.Group) -> None:
    replace(events, "event_index", np.array([], np.uint64))
    replace(events, "event_time_zero", [])


LIES: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "index beyond the data": (
        lambda e: replace(e[EVENTS], "event_index", np.array([0, 2, 9], np.uint64)),
        r"/entry/bank1_events/event_index: entry 2 is 9, but there are 4 events",
    ),
    "index beyond 63 bits": (
        lambda e: replace(e[EVENTS], "event_index", np.array([0, 2, (1 << 64) - 1], np.uint64)),
        r"event_index: entry 2 is 18446744073709551615, but there are 4 events",
    ),
    "index falls": (
        lambda e: replace(e[EVENTS], "event_index", np.array([0, 3, 2], np.uint64)),
        r"event_index: entry 2 is 2 after 3; expected them ascending",
    ),
    "index begins late": (
        lambda e: replace(e[EVENTS], "event_index", np.array([1, 2, 2], np.uint64)),
        r"event_index: begins with 1, so the first events have no pulse; expected 0",
    ),
    "index too short": (
        lambda e: replace(e[EVENTS], "event_index", np.array([0, 2], np.uint64)),
        r"event_index: 2 entries for 3 pulses; expected one for each",
    ),
    "no pulses": (
        lambda e: without_pulses(e[EVENTS]),
        r"event_index: no entries, but there are 4 events",
    ),
    "index of floats": (
        lambda e: replace(e[EVENTS], "event_index", [0.0, 2.0, 2.0]),
        r"event_index: expected whole numbers in 1 dimension, found float64 of shape \(3,\)",
    ),
    "ids of text": (
        lambda e: replace(e[EVENTS], "event_id", ["a", "b", "c", "d"]),
        r"event_id: expected whole numbers in 1 dimension, found object of shape \(4,\)",
    ),
    "ids in two dimensions": (
        lambda e: replace(e[EVENTS], "event_id", np.zeros((2, 2), np.uint32)),
        r"event_id: expected whole numbers in 1 dimension, found uint32 of shape \(2, 2\)",
    ),
    "more ids than times": (
        lambda e: replace(e[EVENTS], "event_id", np.array([10] * 5, np.uint32)),
        r"/entry/bank1_events: 5 entries of .*event_id for 4 of .*event_time_offset; expected as many",
    ),
    "no ids": (
        lambda e: e[EVENTS].__delitem__("event_id"),
        r"/entry/bank1_events has no event_id; it has event_index, event_time_offset, event_time_zero",
    ),
    "a group for a dataset": (
        lambda e: (e[EVENTS].__delitem__("event_id"), e[EVENTS].create_group("event_id")),
        r"/entry/bank1_events/event_id: expected whole numbers, found a group or a broken link",
    ),
    "times not finite": (
        lambda e: replace(e[EVENTS], "event_time_offset", np.array([1, np.nan, np.inf, 2], np.float32)),
        r"event_time_offset: 2 times are not finite",
    ),
    "times too long": (
        lambda e: replace(e[EVENTS], "event_time_offset", np.array([1, 2, 3.12345, 1e9], np.float64)),
        r"times of flight from 0 to 1e\+09 µs .*bank1.*do not fit into 32 bits of 1 ns",
    ),
    "unknown units": (
        lambda e: e[EVENTS]["event_time_offset"].attrs.__setitem__("units", "fortnight"),
        r"event_time_offset is in 'fortnight'; known for a time: ",
    ),
    "pulse times not finite": (
        lambda e: replace(e[EVENTS], "event_time_zero", [0.0, np.nan, 1.0]),
        r"event_time_zero: entry 1 is nan second after 2026-11-23T06:00:00.* no usable time",
    ),
    "pulse times beyond 64 bits": (
        lambda e: replace(e[EVENTS], "event_time_zero", [0.0, 1.0, 1e300]),
        r"event_time_zero: entry 2 is 1e\+300 second",
    ),
    "origin no time": (
        lambda e: e[EVENTS]["event_time_zero"].attrs.__setitem__("offset", "yesterday"),
        r"event_time_zero: its origin 'yesterday' is not a time; expected ISO-8601",
    ),
    "fewer weights": (
        lambda e: put(e[EVENTS], "event_weight", [1.0, 0.5]),
        r"/entry/bank1_events/event_weight: 2 weights for 4 events",
    ),
    "data that were never written": (
        lambda e: never_written(e[EVENTS]),
        r"event_id: claims shape \(1000000000000,\), but only 0 bytes of it are in the file",
    ),
    "no events at all": (
        lambda e: (e.__delitem__(EVENTS), e.__delitem__("bank2_events")),
        r"/entry has no events \(NXevent_data\); it has DASlogs",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_with_what_was_found_and_expected(raw: Path, lie: str) -> None:
    edit, message = LIES[lie]
    change(raw, edit)
    with pytest.raises(RuntimeError, match=r"LoadEventNexus: .*raw\.nxs\.h5: " + f".*{message}"):
        load_event_nexus(raw)


def test_events_of_a_simulated_instrument_have_their_weights(raw: Path) -> None:
    change(raw, lambda entry: put(entry[EVENTS], "event_weight", [0.5, 2.0, 0.25, 1.0]))
    ws = load_event_nexus(raw)
    events = ws.getSpectrum(0).events()
    assert (events.weight.tolist(), events.variance.tolist()) == ([0.5, 0.25, 1], [0.25, 0.0625, 1])
    # the event of detector 99, in the other bank, is left out; those of that bank count one
    assert rebin(ws, [0, 2000, 2000]).y.tolist() == [[1.75], [2], [1], [1]]
    assert load_event_nexus(raw, filter_by_tof_max=250).getSpectrum(0).getWeights().tolist() == [0.5]

    def monitor(entry: h5py.Group) -> None:
        put(bank(entry, "monitor1", [], [5.0, 6.5], [0, 1, 1], "NXmonitor"), "event_weight", [3.0, 4.0])

    change(raw, monitor)
    monitors = load_nexus_monitors(raw)
    assert isinstance(monitors, EventWorkspace)
    assert (monitors.y.tolist(), monitors.e2.tolist()) == ([[7]], [[25]])


def test_a_file_cut_short_or_of_another_kind_is_named(raw: Path, tmp_path: Path) -> None:
    whole = raw.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        raw.write_bytes(whole[:size])
        with pytest.raises(RuntimeError, match=r"LoadEventNexus: .*raw\.nxs\.h5: cannot be read"):
            load_event_nexus(raw)
    with pytest.raises(ValueError, match="LoadEventNexus: there is no file"):
        load_event_nexus(tmp_path / "nowhere.nxs")


def test_bytes_changed_anywhere_are_an_error_or_read_but_never_another_exception(raw: Path) -> None:
    """Scrambled metadata of HDF5 must come out as an error for people, whatever h5py makes of it."""
    whole = raw.read_bytes()
    rng = np.random.default_rng(3)
    refused = 0
    for at in rng.integers(0, len(whole) - 16, 60).tolist():
        raw.write_bytes(whole[:at] + bytes(rng.integers(0, 256, 16, np.uint8)) + whole[at + 16 :])
        said = ""
        try:
            load_event_nexus(raw)
        except RuntimeError as error:
            said = str(error)
        assert not said or "raw.nxs.h5: " in said
        refused += bool(said)
    assert refused


def test_a_log_that_contradicts_itself_is_left_out_with_a_warning(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    def spoil(entry: h5py.Group) -> None:
        replace(entry["DASlogs/BL1:SE:T"], "value", [1.0, 2.0, 3.0])
        put(group(entry["DASlogs"], "title", "NXlog"), "value", ["abc"])
        state = group(entry["DASlogs"], "state", "NXlog")
        put(state, "value", ["shut", "open"])
        put(state, "time", [0.0, 0.5], units="second", start="2026-11-23T06:00:00Z")

    change(raw, spoil)
    run = load_event_nexus(raw).getRun()
    assert "BL1:SE:T" not in run
    assert "values of shape (3,) at 2 times; expected one each; the log BL1:SE:T is left out" in caplog.text
    assert run["title"].value == "abc"
    assert run["state"].value.tolist() == ["shut", "open"]


def test_logs_of_isis_are_found_by_the_name_of_their_block(raw: Path) -> None:
    def add(entry: h5py.Group) -> None:
        block = group(group(entry, "selog", "IXselog"), "Temp_Sample", "IXseblock")
        series = group(block, "value_log", "NXlog")
        put(series, "value", np.array([4.0, 5.0], np.float32), units="K")
        put(series, "time", np.array([0.0, 10.0], np.float32), units="second", start="2026-11-23T06:00:00")

    change(raw, add)
    series = load_event_nexus(raw).getRun()["Temp_Sample"]
    assert isinstance(series, TimeSeries)
    assert series.value.tolist() == [4.0, 5.0]
    assert (series.time_ns - START).tolist() == [0, 10 * SECOND]


def test_charges_and_titles_that_are_none_are_not_taken_for_some(raw: Path) -> None:
    def spoil(entry: h5py.Group) -> None:
        replace(entry["DASlogs/proton_charge"], "value", ["a", "b", "c"])
        del entry["title"]
        group(entry, "title", "NXcollection")

    change(raw, spoil)
    ws = load_event_nexus(raw)
    assert (ws.getTitle(), "gd_prtn_chrg" in ws.getRun()) == ("", False)


def test_without_charges_of_pulses_the_files_total_is_the_charge(raw: Path) -> None:
    def total(entry: h5py.Group) -> None:
        del entry["DASlogs/proton_charge"]
        put(entry, "proton_charge", [7.2e9], units="picoCoulomb")

    change(raw, total)
    assert load_event_nexus(raw).getRun().getProtonCharge() == pytest.approx(2.0)
