from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms.characterizations import COLUMNS
from livereduce.algorithms.property_manager import property_managers
from livereduce.workspaces import HistogramWorkspace, Run, TableWorkspace, TimeSeries

load: Any = algorithms.pd_load_characterizations
determine: Any = algorithms.pd_determine_characterizations

# made-up numbers in the layout of POWGEN's and NOMAD's files
POWGEN = """Instrument parameter file: pg3.iparm
1 3.18 90.0000
L1 60.0
#S 1 characterization runs
#L frequency(Hz) center_wavelength(angstrom) bank_num vanadium_run empty_run vanadium_back d_min d_max
60 0.533  1 101 201 301 0.05  2.20  0000.00  16666.67
60 1.333  3 103 203 0 0.43  5.40 12500.00  29166.67
10 3.198  1 104 0 0 0.05 15.40 00000.00 100000.00
"""
NOMAD = """Instrument parameter file: nom.prm
1 2 15
2 2.5 31 7.5
L1 19.5
#S 1 characterization runs
60 1.4  1 0 0 0 .31,.25 13.66,5.83 300.00 16666.67 .1 2.9
"""
CONTAINERS = """version=1
freq wl     van   van_back mt_env mt_instr PAC06 PAC08
60 0.533   901   902     903      904      906 908
60 4.797   911   912     0      0      916 918
"""


def write(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return [str(folder / f"{name}.txt") for name in files]


def test_a_file_gives_a_row_for_each_setting_and_the_place_of_the_focus(tmp_path: Path) -> None:
    found = load(write(tmp_path, pg3=POWGEN))
    table = found.output_workspace
    assert table.getColumnNames() == [
        "frequency", "wavelength", "bank", "vanadium", "vanadium_background", "container", "empty_environment",
        "empty_instrument", "d_min", "d_max", "tof_min", "tof_max", "wavelength_min", "wavelength_max",
    ]  # fmt: skip
    assert list(table.row(0).values()) == [
        60.0, 0.533, 1, "101", "301", "201", "0", "0", "0.05", "2.20", 0.0, 16666.67, 0.0, 0.0,
    ]  # fmt: skip
    assert table.rowCount() == 3
    assert found.i_parm_filename == "pg3.iparm"
    assert found.primary_flight_path == 60.0
    assert [found.spectrum_ids.tolist(), found.l2.tolist(), found.polar.tolist()] == [[1], [3.18], [90.0]]


def test_ranges_may_differ_between_groups(tmp_path: Path) -> None:
    found = load(write(tmp_path, nom=NOMAD))
    row = found.output_workspace.row(0)
    assert (row["d_min"], row["d_max"]) == (".31,.25", "13.66,5.83")
    assert (row["tof_min"], row["wavelength_min"], row["wavelength_max"]) == (300.0, 0.1, 2.9)
    assert (found.l2.tolist(), found.azimuthal.tolist()) == ([2.0, 2.5], [0.0, 7.5])


@pytest.mark.parametrize("names", [["pg3", "pac"], ["pac", "pg3"]])
def test_runs_of_sample_containers_go_into_the_rows_of_their_settings(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, pg3=POWGEN, pac=CONTAINERS)
    table = load(",".join(str(tmp_path / f"{name}.txt") for name in names)).output_workspace
    assert table.columnCount() == 16
    first = table.row(0)
    assert [first[n] for n in ("vanadium", "vanadium_background", "container", "empty_environment")] == [
        "901", "902", "201", "903",
    ]  # fmt: skip
    assert (first["empty_instrument"], first["PAC06"], first["PAC08"]) == ("904", "906", "908")
    assert table.row(1)["PAC06"] == "0"
    new = table.row(3)
    assert (new["wavelength"], new["bank"], new["vanadium"], new["d_min"]) == (4.797, 1, "911", "0")


def test_runs_of_nomads_exp_ini_replace_those_of_all_rows(tmp_path: Path) -> None:
    (tmp_path / "exp.ini").write_text("required ****\nDia 49262\nVana 49258\nVanaBg 49086\nMTc 49257\n# IPTS 1\n")
    table = load(write(tmp_path, nom=NOMAD), tmp_path / "exp.ini").output_workspace
    assert [table.row(0)[n] for n in ("vanadium", "vanadium_background", "container")] == ["49258", "49086", "49257"]
    with pytest.raises(RuntimeError, match="cannot be used"):
        load(write(tmp_path, empty="# nothing\n"), tmp_path / "exp.ini")


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"PDLoadCharacterizations: .*bad.txt, line 2: expected a number, found 'sixty'"
    ):
        load(write(tmp_path, bad="#S 1\nsixty 1 1 0 0 0 0 0\n"))
    with pytest.raises(ValueError, match="line 1: 3 columns, expected 8"):
        load(write(tmp_path, short="60 1 1\n"))
    with pytest.raises(ValueError, match="there is no file"):
        load(str(tmp_path / "none.txt"))


def run(**logs: Any) -> HistogramWorkspace:
    return HistogramWorkspace([0.0, 1.0], [[1.0]], run=Run(logs))


def chosen(ws: HistogramWorkspace, table: TableWorkspace | None, **options: Any) -> dict[str, Any]:
    determine(ws, table, "__test_properties", **options)
    manager = property_managers["__test_properties"]
    property_managers.remove("__test_properties")
    values = {name: manager[name].value for name in manager.keys()}
    return {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in values.items()}


@pytest.fixture
def table(tmp_path: Path) -> TableWorkspace:
    found: TableWorkspace = load(write(tmp_path, pg3=POWGEN, pac=CONTAINERS)).output_workspace
    return found


def test_the_row_of_the_runs_frequency_and_wavelength_becomes_properties(table: TableWorkspace) -> None:
    speed = TimeSeries("SpeedRequest1", [0, 10], [60.1, 60.1], "Hz")
    found = chosen(run(SpeedRequest1=speed, LambdaRequest=1.32), table)
    assert found == {
        "frequency": 60.0, "wavelength": 1.333, "bank": 3, "vanadium": [103], "vanadium_background": [0],
        "container": [203], "empty_environment": [0], "empty_instrument": [0], "d_min": [0.43], "d_max": [5.4],
        "tof_min": 12500.0, "tof_max": 29166.67, "wavelength_min": 0.0, "wavelength_max": 0.0,
    }  # fmt: skip


def test_the_first_log_that_is_not_zero_counts(table: TableWorkspace) -> None:
    assert chosen(run(SpeedRequest1=0.0, frequency=60.0, Lambda=0.533), table)["vanadium"] == [901]
    wrong_unit = Run()
    wrong_unit.set("SpeedRequest1", 60.0, "rpm")
    wrong_unit.set("Speed1", 10.0, "Hz")
    wrong_unit.set("lambda", 3.2, "Angstrom")
    ws = HistogramWorkspace([0.0, 1.0], [[1.0]], run=wrong_unit)
    assert chosen(ws, table)["tof_max"] == 100000.0


@pytest.mark.parametrize("logs", [{"frequency": 60.0}, {"frequency": 60.0, "Lambda": 2.0}, {}])
def test_without_a_fitting_row_everything_is_zero_or_empty(
    table: TableWorkspace, logs: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    found = chosen(run(**logs), table)
    assert found["vanadium"] == [0]
    assert found["d_min"] == []
    assert (found["bank"], found["tof_max"], found["frequency"]) == (1, 0.0, 0.0)
    assert len(caplog.records) == 1


def test_the_sample_container_of_the_run_decides_its_empty_run(table: TableWorkspace) -> None:
    logs = {"frequency": 60.0, "Lambda": 0.533}
    assert chosen(run(**logs, SampleContainer="PAC 08"), table)["container"] == [908]
    assert chosen(run(**logs, SampleContainer="unknown"), table)["container"] == [201]


def test_runs_given_go_before_the_row_and_minus_one_means_none(table: TableWorkspace) -> None:
    logs = run(frequency=60.0, Lambda=0.533)
    found = chosen(logs, table, back_run=[7, 8], norm_run=-1, norm_back_run=0, empty_instr=5)
    assert found["container"] == [7, 8]
    assert found["vanadium"] == [0]
    assert found["vanadium_background"] == [902]
    assert found["empty_instrument"] == [5]


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="the table has no column 'frequency'"):
        chosen(run(frequency=60.0, Lambda=0.533), TableWorkspace([("int", "x")]))


def test_without_a_table_there_are_the_defaults() -> None:
    assert chosen(run(), None)["container"] == [0]


def test_a_manager_that_is_there_keeps_what_else_it_has(table: TableWorkspace) -> None:
    determine(run(frequency=60.0, Lambda=1.333), table, "__test_kept")
    manager = property_managers["__test_kept"]
    manager["mine"] = 7
    determine(run(frequency=60.0, Lambda=0.533), table, "__test_kept")
    kept = property_managers["__test_kept"]
    property_managers.remove("__test_kept")
    assert kept is manager
    assert (kept["mine"].value, kept["bank"].value) == (7, 1)
    assert len(kept.keys()) == 15


@pytest.mark.parametrize(("frequency", "fits"), [(57.1, True), (56.9, False), (63.0, True), (63.2, False)])
def test_a_setting_fits_within_five_per_cent_of_the_mean(table: TableWorkspace, frequency: float, fits: bool) -> None:
    # |57.1 - 60| / 58.55 = 0.0495, |56.9 - 60| / 58.45 = 0.053, 3 / 61.5 = 0.0488, 3.2 / 61.6 = 0.052
    assert bool(chosen(run(frequency=frequency, Lambda=1.333), table)["vanadium"][0]) == fits


def test_the_first_row_that_fits_counts() -> None:
    rows = TableWorkspace([*COLUMNS])
    for vanadium in ("1", "2"):
        rows.addRow([60.0, 1.0, 1, vanadium, "0", "0", "0", "0", "1", "2", 0.0, 0.0, 0.0, 0.0])
    assert chosen(run(frequency=60.0, Lambda=1.0), rows)["vanadium"] == [1]


def test_limits_of_several_groups_become_lists(tmp_path: Path) -> None:
    table = load(write(tmp_path, nom=NOMAD)).output_workspace
    found = chosen(run(frequency=60.0, Lambda=1.4), table)
    assert (found["d_min"], found["d_max"]) == ([0.31, 0.25], [13.66, 5.83])


def test_events_have_logs_too(table: TableWorkspace, make_events: Any) -> None:
    ws = make_events([1.0], run=Run({"frequency": 60.0, "Lambda": 1.333}))
    assert chosen(ws, table)["bank"] == 3
