"""Files that scripts name without a folder, read from the search folders and written to the default one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from livereduce.algorithms.declaration import find
from livereduce.mantid import api, config, mtd, simpleapi
from livereduce.mantid.file_finder import to_read, with_folders
from livereduce.workspaces import HistogramWorkspace


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two search folders, another one to write to (``out``), and an empty folder to work in."""
    kept = {key: config[key] for key in config.keys()}
    for name in ("first", "second", "out", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config.setDataSearchDirs([str(tmp_path / "first"), str(tmp_path / "second")])
    yield tmp_path / "first", tmp_path / "second"
    for key, value in kept.items():
        config[key] = value


def columns(path: Path, y: float) -> None:
    path.write_text(f"0,{y},1\n1,{y},1\n")


def test_a_file_to_read_is_looked_for_here_and_then_in_the_search_folders(folders: tuple[Path, Path]) -> None:
    first, second = folders
    columns(second / "curve.txt", 2.0)
    found = simpleapi.LoadAscii("curve.txt", OutputWorkspace="a")
    assert found.readY(0).tolist() == [2.0, 2.0]
    columns(first / "curve.txt", 1.0)
    assert simpleapi.LoadAscii(Filename="curve.txt", OutputWorkspace="a").readY(0).tolist() == [1.0, 1.0]
    columns(Path("curve.txt"), 0.5)
    assert simpleapi.Load("curve.txt", OutputWorkspace="a").readY(0).tolist() == [0.5, 0.5]
    (second / "deep").mkdir()
    columns(second / "deep" / "curve.txt", 3.0)
    algorithm = api.AlgorithmManager.create("LoadAscii")
    algorithm.setProperty("Filename", "deep/curve.txt")
    algorithm.setProperty("OutputWorkspace", "b")
    algorithm.execute()
    ws = mtd["b"]
    assert isinstance(ws, HistogramWorkspace)
    assert ws.readY(0).tolist() == [3.0, 3.0]


def test_a_file_that_is_nowhere_is_named_as_the_script_did(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match=r"LoadAscii: there is no file 'none\.txt'"):
        simpleapi.LoadAscii(Filename="none.txt", OutputWorkspace="a")
    assert to_read("/nowhere/PG3_1.nxs") == Path("/nowhere/PG3_1.nxs")


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("PG3_4844", "PG3_4844_event.nxs"),
        ("PG3_4844", "PG3_4844.nxs.h5"),
        ("POWGEN_4844", "PG3_4844.nxs"),
        ("REF_L_198409", "REF_L_198409.nxs.h5"),
        ("MER78715", "MER78715.nxs"),
        ("78715", "MER00078715.nxs"),
        ("MER715", "MERLIN00715.nxs"),
        ("LET00024374", "LET00024374.nxs"),
    ],
)
def test_a_run_is_found_by_its_number(folders: tuple[Path, Path], named: str, file: str) -> None:
    config["default.instrument"] = "MERLIN"
    (folders[1] / file).touch()
    assert to_read(named) == folders[1] / file
    assert api.FileFinder.findRuns(named) == [str(folders[1] / file)]
    assert to_read("PG3_48440") == Path("PG3_48440")


def test_what_looks_like_a_run_of_no_instrument_is_none(folders: tuple[Path, Path]) -> None:
    config["default.instrument"] = ""
    (folders[0] / "78715.nxs").touch()
    assert to_read("78715") == Path("78715")
    assert to_read("van78715") == Path("van78715")
    with pytest.raises(RuntimeError, match=r"no file of run '78715' in the search folders \(.*first, .*second\)"):
        api.FileFinder.findRuns("78715")
    assert api.FileFinder.getFullPath("van78715") == ""
    assert api.FileFinder.Instance().getFullPath("78715.nxs") == str(folders[0] / "78715.nxs")


def test_files_are_written_to_the_default_folder_unless_they_name_one(folders: tuple[Path, Path]) -> None:
    mtd["ws"] = HistogramWorkspace([0, 1], [[5]])
    simpleapi.SaveAscii("ws", "here.txt")
    assert Path("here.txt").is_file()
    out = folders[0].parent / "out"
    config["defaultsave.directory"] = str(out)
    simpleapi.SaveAscii("ws", "there.txt")
    simpleapi.SaveNexus(InputWorkspace="ws", Filename=str(folders[0] / "named.nxs"))
    assert sorted(p.name for p in out.iterdir()) == ["there.txt"]
    assert (folders[0] / "named.nxs").is_file()
    with pytest.raises(ValueError, match=r"there is no folder '.*out/deep'"):
        simpleapi.SaveAscii("ws", "deep/there.txt")


def test_every_file_of_a_list_is_looked_for(folders: tuple[Path, Path]) -> None:
    (folders[0] / "a.txt").write_text(
        "Instrument parameter file: a\n1 3.18 90\nL1 60\n#S 1 runs\n60 0.5 1 7 0 0 0.05 2.2 0 16666\n"
    )
    (folders[1] / "b.txt").write_text("version=1\nfreq wl van van_back mt_env mt_instr PAC06\n60 0.5 9 0 0 0 906\n")
    table = simpleapi.PDLoadCharacterizations(Filename="a.txt,b.txt", OutputWorkspace="t").OutputWorkspace
    assert table.rowCount() == 1


def test_a_plot_is_written_to_the_default_folder_too(folders: tuple[Path, Path]) -> None:
    config["defaultsave.directory"] = "/plots"
    declared = find("SavePlot1D")
    assert declared is not None
    placed = {p.name: with_folders(declared, p, "a.png") for p in declared.inputs}
    assert placed.pop("OutputFilename") == Path("/plots/a.png")
    assert set(placed.values()) == {"a.png"}
