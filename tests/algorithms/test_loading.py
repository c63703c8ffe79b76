from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from livereduce.algorithms import declaration, load, load_nexus, save_ascii, save_focused_xye, save_gss, save_nexus
from livereduce.algorithms.calling import execute
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, TableWorkspace, WorkspaceGroup, WorkspaceStore

Make = Callable[..., HistogramWorkspace]


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    return make_histogram([1, 2, 3], [[1, 2], [3, 4], [5, 6]], unit="dSpacing", title="Si")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three events of detectors 4, 5, 6 at 10, 20, 30 µs."""
    with h5py.File(tmp_path / "raw.nxs.h5", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        events = entry.create_group("bank1_events")
        events.attrs["NX_class"] = "NXevent_data"
        events["event_id"] = np.array([4, 5, 6], np.uint32)
        events["event_time_offset"] = np.array([10, 20, 30], np.float32)
        events["event_time_offset"].attrs["units"] = "microsecond"
        events["event_index"], events["event_time_zero"] = np.array([0], np.uint64), [0.0]
        events["event_time_zero"].attrs["offset"] = "2026-11-23T06:00:00"
    return tmp_path / "raw.nxs.h5"


def test_a_processed_file_is_known_by_its_contents_whatever_its_name(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_nexus(ws, tmp_path / "a.dat")
    for found in (load(tmp_path / "a.dat"), load_nexus(tmp_path / "a.dat")):
        assert isinstance(found, HistogramWorkspace)
        assert found.y.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_entries_and_spectra_of_a_processed_file_are_chosen(ws: HistogramWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    save_nexus(WorkspaceGroup([ws, ws]), path)
    group = load(path, spectrum_min=2)
    assert isinstance(group, WorkspaceGroup)
    assert [m.getSpectrumNumbers() for m in group if isinstance(m, HistogramWorkspace)] == [[2, 3]] * 2
    one = load_nexus(path, entry_number=2, spectrum_list=[3, 1])
    assert isinstance(one, HistogramWorkspace)
    assert one.y.tolist() == [[1, 2], [5, 6]]
    with pytest.raises(ValueError, match="SpectrumList: there is no spectrum number 4"):
        load(path, spectrum_list=[4])
    with pytest.raises(ValueError, match="no spectrum number is in 7 to None"):
        load(path, spectrum_min=7)


def test_several_files_are_added_up_or_make_a_group_called_by_their_names(
    ws: HistogramWorkspace, tmp_path: Path, store: WorkspaceStore
) -> None:
    for name in ("a", "b", "c"):
        save_nexus(ws, tmp_path / f"{name}.nxs")
    a, b, c = (f"{tmp_path}/{name}.nxs" for name in "abc")
    group = load(f"{a}, {b}+{c}")
    assert isinstance(group, WorkspaceGroup)
    assert [m.y.tolist() for m in group if isinstance(m, HistogramWorkspace)] == [ws.y.tolist(), (2 * ws.y).tolist()]
    declared = declaration.find("Load")
    assert declared is not None
    execute(declared, (), {"Filename": [a, f"{b} + {c}"], "OutputWorkspace": "all"}, store)
    assert sorted(store.names()) == ["a", "all", "b_c"]
    named = store["all"]
    assert isinstance(named, WorkspaceGroup)
    assert named.getNames() == ["a", "b_c"]
    alone = load(f"{a}+{b}")
    assert isinstance(alone, HistogramWorkspace)
    assert alone.y.tolist() == (2 * ws.y).tolist()


def test_a_file_may_have_a_plus_in_its_name_and_one_that_is_not_there_is_named(
    ws: HistogramWorkspace, tmp_path: Path
) -> None:
    save_nexus(ws, tmp_path / "a+b.nxs")
    assert isinstance(load(tmp_path / "a+b.nxs"), HistogramWorkspace)
    with pytest.raises(ValueError, match=r"there is no file '.*c\.nxs'"):
        load(f"{tmp_path}/a+b.nxs, {tmp_path}/c.nxs")
    save_nexus(TableWorkspace([("int", "n")]), tmp_path / "t.nxs")
    with pytest.raises(ValueError, match="only workspaces with spectra can be added up"):
        load(f"{tmp_path}/t.nxs+{tmp_path}/t.nxs")


def test_a_table_has_no_spectra_to_choose(tmp_path: Path) -> None:
    save_nexus(TableWorkspace([("int", "n")]), tmp_path / "t.nxs")
    assert isinstance(load(tmp_path / "t.nxs"), TableWorkspace)
    with pytest.raises(ValueError, match="SpectrumList: entry '' is a table, it has no spectra"):
        load(tmp_path / "t.nxs", spectrum_min=1)


def test_a_file_of_events_is_known_by_its_contents(raw: Path) -> None:
    for found in (load(raw), load_nexus(raw)):
        assert isinstance(found, EventWorkspace)
        assert found.getNumberEvents() == 3
    some = load(raw, filter_by_tof_min=15, spectrum_max=2)
    assert isinstance(some, EventWorkspace)
    assert [some.getSpectrum(i).getTofs().tolist() for i in range(2)] == [[], [20]]
    with h5py.File(raw, "a") as file:
        file["entry/bank1_events/event_time_offset"][0] = -5
    positive = load(raw, filter_by_tof_min=0.0)
    assert isinstance(positive, EventWorkspace)
    assert positive.getNumberEvents() == 2
    assert load_nexus(raw, spectrum_list=[3]).getSpectrumNumbers() == [3]  # type: ignore[attr-defined]


def test_columns_of_text_are_known_by_their_contents(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_ascii(ws, tmp_path / "a.nxs")
    found = load(tmp_path / "a.nxs", unit="dSpacing")
    assert isinstance(found, HistogramWorkspace)
    assert (found.x.tolist(), found.y.tolist(), found.unit) == ([1.5, 2.5], [[1, 2], [3, 4], [5, 6]], "dSpacing")
    save_focused_xye(ws, tmp_path / "b.xye")
    found = load(tmp_path / "b-1.xye")
    assert isinstance(found, HistogramWorkspace)
    assert found.y.tolist() == [[3, 4]]


def test_options_that_mean_nothing_for_the_file_are_named(ws: HistogramWorkspace, raw: Path, tmp_path: Path) -> None:
    save_nexus(ws, tmp_path / "a.nxs")
    with pytest.raises(ValueError, match=r"BankName, LoadMonitors: means nothing for .*a\.nxs, which is a processed"):
        load(tmp_path / "a.nxs", bank_name=["bank1"], load_monitors=True)
    save_ascii(ws, tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"SpectrumMin: means nothing for .*a\.txt, which is a text of columns"):
        load(tmp_path / "a.txt", spectrum_min=2)
    with pytest.raises(ValueError, match=r"EntryNumber: means nothing for .*raw\.nxs\.h5, which is a NeXus file of ev"):
        load_nexus(raw, entry_number=1)


MASK = (
    '<?xml version="1.0"?>\n<!-- by hand -->\n<detector-masking>\n<group><detids>1</detids></group></detector-masking>'
)
OTHERS = {
    "mask": (MASK, r"is a mask file; LoadMask reads it"),
    "grouping": ("<detector-grouping/>", r"is a grouping file; LoadDetectorsGroupingFile reads it"),
    "idf": (
        '<?xml version="1.0"?><instrument name="A"/>',
        r"is an instrument definition; LoadEmptyInstrument reads it",
    ),
    "cal": ("# number UDET offset select group\n 0  1  0.0012 1 1\n 1 2 -0.001 1 1\n", r"five columns; LoadCalFile"),
    "binary": ("\0\1\2", r"is neither HDF5 nor text; Load reads NeXus files and columns of text"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_files_of_other_kinds_name_what_reads_them(tmp_path: Path, kind: str) -> None:
    text, message = OTHERS[kind]
    (tmp_path / "file.txt").write_text(text)
    with pytest.raises(RuntimeError, match=r"Load: .*file\.txt .*" + message):
        load(tmp_path / "file.txt")


def test_gsas_files_are_told_from_columns(make_histogram: Make, tmp_path: Path) -> None:
    save_gss(make_histogram([1000, 1010, 1020], [[1, 2]], unit="TOF"), tmp_path / "a.gss", split_files=False)
    with pytest.raises(RuntimeError, match=r"a\.gss is a GSAS file; nothing here reads such"):
        load(tmp_path / "a.gss")


def test_hdf5_files_of_other_kinds_say_what_was_expected(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["calibration/difc"] = [1.0]
    with pytest.raises(RuntimeError, match=r"a\.h5: is a diffraction calibration; LoadDiffCal reads it"):
        load(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["results/x"] = [1.0]
    with pytest.raises(RuntimeError, match=r"b\.h5: is HDF5 of no known kind: it has results; expected mantid_worksp"):
        load(tmp_path / "b.h5")
    (tmp_path / "c.nxs").write_text("1 2 3")
    with pytest.raises(RuntimeError, match=r"LoadNexus: .*c\.nxs: cannot be read as HDF5"):
        load_nexus(tmp_path / "c.nxs")
    with pytest.raises(ValueError, match="there is no file"):
        load(tmp_path / "nowhere")
