from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import load_ascii, save_ascii, save_focused_xye
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    Run,
    Spectra,
    TableWorkspace,
    TimeSeries,
)

Make = Callable[..., HistogramWorkspace]


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    return make_histogram([0, 1, 5 / 3], [[4, 2.5], [1e-7, 123456789]], [[2, np.sqrt(2.5)], [0, 11111.11]])


def saved(ws: Any, tmp_path: Path, **options: Any) -> str:
    save_ascii(ws, tmp_path / "out.txt", **options)
    return (tmp_path / "out.txt").read_text()


def test_the_layout_is_header_then_number_and_rows_of_each_spectrum(ws: HistogramWorkspace, tmp_path: Path) -> None:
    assert saved(ws, tmp_path) == (
        "# X , Y , E\n1\n0.5,4,2\n1.33333,2.5,1.58114\n2\n0.5,1e-07,0\n1.33333,1.23457e+08,11111.1\n"
    )


@pytest.mark.parametrize(
    ("separator", "header", "row"),
    [
        ("Tab", "# X \t Y \t E", "0.5\t4\t2"),
        ("Space", "# X   Y   E", "0.5 4 2"),
        ("Colon", "# X : Y : E", "0.5:4:2"),
        ("SemiColon", "# X ; Y ; E", "0.5;4;2"),
    ],
)
def test_separators_stand_between_columns(
    ws: HistogramWorkspace, tmp_path: Path, separator: Any, header: str, row: str
) -> None:
    lines = saved(ws, tmp_path, separator=separator).splitlines()
    assert (lines[0], lines[2]) == (header, row)


def test_a_separator_of_ones_own_can_be_given(ws: HistogramWorkspace, tmp_path: Path) -> None:
    assert "0.5|4|2" in saved(ws, tmp_path, separator="UserDefined", custom_separator="|")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": "UserDefined"}, "CustomSeparator: must be given"),
        ({"separator": "UserDefined", "custom_separator": "e"}, "'e' could be part of a number"),
        ({"separator": "UserDefined", "custom_separator": "-"}, "'-' could be part of a number"),
        ({"separator": "UserDefined", "custom_separator": "#"}, "'#' is the CommentIndicator as well"),
        ({"comment_indicator": "1"}, "CommentIndicator: '1' could be part of a number"),
    ],
)
def test_separators_that_could_not_be_read_back_are_refused(
    ws: HistogramWorkspace, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="SaveAscii: ") as caught:
        saved(ws, tmp_path, **options)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_number_formats_follow_precision_and_scientific_format(ws: HistogramWorkspace, tmp_path: Path) -> None:
    assert "\n1.3,2.5,1.6\n" in saved(ws, tmp_path, precision=2)
    assert "\n5.000000e-01,4.000000e+00,2.000000e+00\n" in saved(ws, tmp_path, scientific_format=True)
    assert "\n5.00e-01,4.00e+00,2.00e+00\n" in saved(ws, tmp_path, scientific_format=True, precision=2)


def test_options_choose_header_numbers_spectra_and_dx(ws: HistogramWorkspace, tmp_path: Path) -> None:
    assert saved(ws, tmp_path, spectrum_list=[0], write_spectrum_id=False) == (
        "# X , Y , E\n0.5,4,2\n1.33333,2.5,1.58114\n"
    )
    assert saved(ws, tmp_path, spectrum_list=[0]).splitlines()[1] == "1"
    assert saved(ws, tmp_path, write_spectrum_id=False).splitlines()[1] == "1"
    assert saved(ws, tmp_path, column_header=False).startswith("1\n0.5,4,2\n")
    assert saved(ws, tmp_path, comment_indicator="//").startswith("// X , Y , E\n")
    with_dx = saved(ws, tmp_path, write_x_error=True, workspace_index_min=1)
    assert with_dx.splitlines()[:3] == ["# X , Y , E , DX", "2", "0.5,1e-07,0,0"]


def test_points_are_written_as_they_are(make_histogram: Make, tmp_path: Path) -> None:
    assert saved(make_histogram([1, 2], [[3, 4]], [[0, 0]]), tmp_path).splitlines()[2:] == ["1,3,0", "2,4,0"]


def test_events_are_written_as_their_histogram(make_events: Callable[..., EventWorkspace], tmp_path: Path) -> None:
    assert saved(make_events([0.5, 0.6, 1.5], edges=[0, 1, 2]), tmp_path).splitlines()[2:] == [
        "0.5,2,1.41421", "1.5,1,1",
    ]  # fmt: skip


def test_appending_adds_rows_without_header(ws: HistogramWorkspace, tmp_path: Path) -> None:
    first = saved(ws, tmp_path, append_to_file=True)
    assert first.startswith("# X")
    assert saved(ws, tmp_path, append_to_file=True) == first + first.removeprefix("# X , Y , E\n")


def test_every_spectrum_can_have_a_file_of_its_own(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_ascii(ws, tmp_path / "out.txt", one_spectrum_per_file=True, write_spectrum_id=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out_0.txt", "out_1.txt"]
    assert (tmp_path / "out_0.txt").read_text().splitlines()[1] == "1"


def test_an_existing_file_is_replaced_and_nothing_else_is_left(ws: HistogramWorkspace, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("old")
    saved(ws, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_folders_that_are_not_there_and_empty_workspaces_are_errors(ws: HistogramWorkspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SaveAscii: there is no folder"):
        save_ascii(ws, tmp_path / "nowhere" / "out.txt")
    empty = HistogramWorkspace([], np.empty((1, 0)))
    with pytest.raises(ValueError, match="is empty"):
        save_ascii(empty, tmp_path / "out.txt")


@pytest.mark.parametrize("separator", ["CSV", "Tab", "Space", "Colon", "SemiColon"])
def test_what_was_written_is_read_back_as_points(ws: HistogramWorkspace, tmp_path: Path, separator: Any) -> None:
    save_ascii(ws, tmp_path / "out.txt", separator=separator)
    for how in (separator, "Automatic"):
        back = load_ascii(tmp_path / "out.txt", separator=how, unit="TOF")
        assert isinstance(back, HistogramWorkspace)
        assert back.x.tolist() == [0.5, 1.33333]
        assert back.y.tolist() == [[4, 2.5], [1e-7, 1.23457e8]]
        assert back.e[0].tolist() == [2, 1.58114]
        assert back.getSpectrumNumbers() == [1, 2]
        assert back.unit == "TOF"


def test_two_columns_without_numbers_are_one_spectrum_without_errors(tmp_path: Path) -> None:
    path = tmp_path / "data.dat"
    path.write_text("my sample\nX Y\n1 2\n\n3 4\n")
    back = load_ascii(path)
    assert isinstance(back, HistogramWorkspace)
    assert (back.x.tolist(), back.y.tolist(), back.e.tolist()) == ([1, 3], [[2, 4]], [[0, 0]])
    assert back.getTitle() == "data"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no numbers"),
        ("1,2\n1,2,3\n", ":2: expected 2 columns, found 3"),
        ("1,2\nend\n", ":2: expected numbers, found 'end'"),
        ("1\n1,2\n2\n1,2\n3,4\n", "expected spectra of equal length"),
    ],
)
def test_files_that_cannot_be_read_are_named_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(RuntimeError, match=r"LoadAscii: .*bad\.txt") as caught:
        load_ascii(tmp_path / "bad.txt")
    assert message in str(caught.value)


def test_spectra_of_an_xye_file_are_told_apart(ws: HistogramWorkspace, tmp_path: Path) -> None:
    save_focused_xye(ws, tmp_path / "all.xye", split_files=False)
    back = load_ascii(tmp_path / "all.xye")
    assert isinstance(back, HistogramWorkspace)
    assert back.getSpectrumNumbers() == [1, 2]
    np.testing.assert_allclose(back.x, [0.5, 4 / 3], atol=1e-5)
    np.testing.assert_allclose(back.y, ws.y, atol=1e-8)


def test_comments_and_blank_lines_within_a_spectrum_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,5\n# here the beam came back\n2,6\n\n3,7\n")
    back = load_ascii(tmp_path / "a.txt")
    assert isinstance(back, HistogramWorkspace)
    assert (back.x.tolist(), back.y.tolist()) == ([1, 2, 3], [[5, 6, 7]])


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="LoadAscii: there is no file"):
        load_ascii(tmp_path / "nowhere.txt")


def test_spectrum_numbers_are_the_workspaces_own(make_histogram: Make, tmp_path: Path) -> None:
    ws = make_histogram([0, 1], [[1], [2]], spectra=Spectra([42, 7]))
    assert [line for line in saved(ws, tmp_path).splitlines() if "," not in line] == ["42", "7"]


def test_what_a_spectrum_is_stands_before_its_rows(make_histogram: Make, tmp_path: Path) -> None:
    """Neutrons of 2.0721248 meV have a wave vector of 1/Å; scattered by 60 and 180 degrees they gain 1 and 2."""
    ws = make_histogram([0, 1], [[1], [2]], run=Run({"Ei": 2.0721248}), spectra=Spectra([7, 9], [10, 11]))
    ws.detectors = Detectors([10, 11], l1=10.0, l2=[1.0, 1.0], two_theta=np.radians([60, 180]))
    written = saved(ws, tmp_path, spectrum_meta_data=["Angle", "q", "SpectrumNumber"])
    assert written.splitlines() == [
        "# X , Y , E", "# Angle , Q , SpectrumNumber", "60,1,7", "0.5,1,1", "180,2,9", "0.5,2,1.41421",
    ]  # fmt: skip
    assert saved(ws, tmp_path, spectrum_meta_data=["SpectrumNumber"], spectrum_list=[1]).splitlines()[2] == "9"


def test_what_is_not_known_of_a_spectrum_is_named(ws: HistogramWorkspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SpectrumMetaData: expected any of SpectrumNumber, Q, Angle, found 'L2'"):
        saved(ws, tmp_path, spectrum_meta_data=["L2"])
    with pytest.raises(ValueError, match="SpectrumMetaData: Q needs an energy"):
        saved(ws, tmp_path, spectrum_meta_data=["Q"])


@pytest.fixture
def table() -> TableWorkspace:
    made = TableWorkspace([("str", "Name"), ("double", "Value"), ("int", "N"), ("bool", "Used"), ("V3D", "Place")])
    made.addRow(["a", 1 / 3, -3, True, (1.0, 2.5, 3.0)])
    made.addRow(["", 1e20, 4, False, (0.0, 0.0, 0.0)])
    return made


def test_a_table_says_its_columns_and_types(table: TableWorkspace, tmp_path: Path) -> None:
    assert saved(table, tmp_path) == (
        "# Name , Value , N , Used , Place\n# str , double , int , bool , V3D\n"
        "a,0.333333,-3,1,[1 2.5 3]\n,1e+20,4,0,[0 0 0]\n"
    )
    assert saved(table, tmp_path, column_header=False, precision=2).startswith("a,0.33,-3,1,")
    whole = saved(table, tmp_path)
    assert saved(table, tmp_path, append_to_file=True) == whole + whole.split("\n", 2)[2]


@pytest.mark.parametrize("separator", ["CSV", "Tab", "Colon", "SemiColon"])
def test_a_table_is_read_back(table: TableWorkspace, tmp_path: Path, separator: Any) -> None:
    save_ascii(table, tmp_path / "out.txt", separator=separator, precision=17)
    for how in (separator, "Automatic"):
        back = load_ascii(tmp_path / "out.txt", separator=how)
        assert isinstance(back, TableWorkspace)
        assert back.columnTypes() == table.columnTypes()
        for mine, theirs in zip(back, table, strict=True):
            assert [*mine.values()][:4] == [*theirs.values()][:4]
            assert list(mine["Place"]) == list(theirs["Place"])


def test_cells_that_could_not_be_told_apart_are_refused(table: TableWorkspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"column 'Place': '\[1 2.5 3\]' cannot be told apart.*another Separator"):
        saved(table, tmp_path, separator="Space")
    table.setCell("Name", 1, "b,c")
    with pytest.raises(ValueError, match="column 'Name': 'b,c' cannot be told apart"):
        saved(table, tmp_path)
    assert saved(table, tmp_path, separator="Tab")
    with pytest.raises(ValueError, match="is a table; options for spectra mean nothing for it"):
        saved(table, tmp_path, spectrum_list=[0])


def test_rows_that_do_not_fit_the_tables_columns_are_named(tmp_path: Path) -> None:
    for row, message in (("1", "expected 2 columns \\(a, b\\), found 1"), ("x,y", "expected int, str, found 'x,y'")):
        (tmp_path / "t.txt").write_text(f"# a , b\n# int , str\n1,z\n{row}\n")
        with pytest.raises(RuntimeError, match=rf"t\.txt:4: {message}"):
            load_ascii(tmp_path / "t.txt")


def test_a_number_alone_that_is_no_spectrum_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0.5\n1,2\n")
    with pytest.raises(RuntimeError, match=r"a\.txt:1: expected a spectrum number or columns, found 0\.5 alone"):
        load_ascii(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_bytes(b"1,2\n\xff\xfe\n")
    with pytest.raises(RuntimeError, match=r"a\.txt: is no text in UTF-8"):
        load_ascii(tmp_path / "a.txt")


def test_logs_stand_before_the_header_if_asked_for(make_histogram: Make, tmp_path: Path) -> None:
    run = Run({"run_number": "77", "temp": TimeSeries("temp", [0, 1], [10.0, 21.0], "K"), "n": 3})
    ws = make_histogram([0, 1], [4], run=run)
    text = saved(ws, tmp_path, log_list=["temp", "nowhere", "run_number", "n"])
    assert text == ("# temp , 15.5 , K\n# nowhere , Not defined\n# run_number , 77\n# n , 3\n# X , Y , E\n1\n0.5,4,2\n")
    read = load_ascii(tmp_path / "out.txt")
    assert isinstance(read, HistogramWorkspace)
    assert read.y.tolist() == [[4]]
