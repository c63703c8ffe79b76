import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import save_plot_1d
from livereduce.workspaces import HistogramWorkspace, NumericAxis, TableWorkspace, WorkspaceGroup

Make = Callable[..., HistogramWorkspace]


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    return make_histogram([0, 2, 4], [[1, 2], [3, np.nan]], unit="Wavelength")


def figure(div: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Traces and layout that plotly.js is given."""
    found = re.search(r"var p=(.*);Plotly\.newPlot", div)
    assert found
    traces, layout = json.loads(found[1].replace("<\\/", "</"))
    return traces, layout


def test_a_plotly_div_holds_the_curves_and_captions(ws: HistogramWorkspace) -> None:
    div = save_plot_1d(ws, output_type="plotly")
    traces, layout = figure(div)
    assert [trace["x"] for trace in traces] == [[1, 3], [1, 3]]
    assert [trace["y"] for trace in traces] == [[1, 2], [3, None]]
    assert [trace["name"] for trace in traces] == ["sp-1", "sp-2"]
    assert [trace["visible"] for trace in traces] == [True, True]
    assert layout["xaxis"]["title"]["text"] == "Wavelength (Å)"
    assert layout["yaxis"]["title"]["text"] == "Counts"


def test_the_div_finds_itself_wherever_it_is_put(ws: HistogramWorkspace) -> None:
    div = save_plot_1d(ws, output_type="plotly")
    found = re.fullmatch(r'<div><div id="([\w-]+)" class="plotly-graph-div"></div><script>.*</script></div>', div)
    assert found
    assert f'Plotly.newPlot("{found[1]}",p[0],p[1])' in div
    other = save_plot_1d(ws, output_type="plotly", x_label="other")
    assert found[1] not in other


def test_a_label_cannot_end_the_script(ws: HistogramWorkspace) -> None:
    div = save_plot_1d(ws, output_type="plotly", x_label="</script><b>")
    assert div.count("</script>") == 1
    assert figure(div)[1]["xaxis"]["title"]["text"] == "</script><b>"


def test_spectra_are_chosen_by_number_and_named(ws: HistogramWorkspace) -> None:
    traces, layout = figure(
        save_plot_1d(ws, output_type="plotly", spectra_list=[2], spectra_names=["", "sum"], x_label="x", y_label="y")
    )
    assert [trace["visible"] for trace in traces] == ["legendonly", True]
    assert [trace["name"] for trace in traces] == ["sp-1", "sum"]
    assert (layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]) == ("x", "y")
    traces, _ = figure(save_plot_1d(ws.replaced(spectra=ws.spectra.with_labels(["a", "b"])), output_type="plotly"))
    assert [trace["name"] for trace in traces] == ["a", "b"]


def test_a_numeric_vertical_axis_names_the_curves(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[1], [2]], vertical=NumericAxis.of([2, 3.5], "Wavelength"))
    traces, _ = figure(save_plot_1d(ws, output_type="plotly"))
    assert [trace["name"] for trace in traces] == ["Wavelength = 2", "Wavelength = 3.5"]


def test_members_of_a_group_have_axes_of_their_own(ws: HistogramWorkspace, make_histogram: Make) -> None:
    group = WorkspaceGroup([ws, make_histogram([0, 1], [[5]])])
    traces, layout = figure(save_plot_1d(group, output_type="plotly", spectra_names=["a", "b", "c"]))
    assert [(trace["name"], trace["yaxis"]) for trace in traces] == [("a", "y"), ("b", "y"), ("c", "y2")]
    upper, lower = layout["yaxis"]["domain"], layout["yaxis2"]["domain"]
    assert upper[1] == 1
    assert lower[0] == 0
    assert lower[1] <= upper[0]


def test_a_whole_page_is_written_to_a_file(ws: HistogramWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "a&b.html"
    assert save_plot_1d(ws, str(path), output_type="plotly-full") == str(path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<title>a&amp;b</title>" in text
    assert figure(text)[0][0]["y"] == [1, 2]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_images_are_written_where_matplotlib_is_installed(ws: HistogramWorkspace, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot.{ending}"
    assert save_plot_1d(ws, str(path)) == str(path)
    begins = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
    assert path.read_bytes().startswith(begins[ending])
    assert list(tmp_path.iterdir()) == [path]


def test_an_image_of_an_unknown_kind_is_refused_and_leaves_nothing(ws: HistogramWorkspace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"SavePlot1D: Format 'xyz' is not supported"):
        save_plot_1d(ws, str(tmp_path / "plot.xyz"))
    assert list(tmp_path.iterdir()) == []


def test_an_image_has_the_curves_asked_for(ws: HistogramWorkspace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "plot.svg"
    save_plot_1d(WorkspaceGroup([ws, ws]), str(path), spectra_list=[2])
    image = path.read_text(encoding="utf-8")
    assert len(re.findall(r'id="axes_\d+"', image)) == 2
    assert 'id="legend_1"' not in image  # a single curve needs none
    save_plot_1d(ws, str(path))
    assert 'id="legend_1"' in path.read_text(encoding="utf-8")


def test_without_matplotlib_images_name_the_extra(
    ws: HistogramWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RuntimeError, match=r"SavePlot1D: images need matplotlib.*livereduce\[plot\].*plotly"):
        save_plot_1d(ws, str(tmp_path / "plot.png"))
    assert save_plot_1d(ws, output_type="plotly").startswith("<div>")


def test_wrong_properties_are_named(ws: HistogramWorkspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SavePlot1D: OutputFilename: must be given with OutputType=image"):
        save_plot_1d(ws)
    with pytest.raises(ValueError, match="SavePlot1D: InputWorkspace: expected spectra"):
        save_plot_1d(WorkspaceGroup([TableWorkspace()]), output_type="plotly")
    with pytest.raises(ValueError, match="SavePlot1D: SpectraList: there is no spectrum number 7"):
        save_plot_1d(WorkspaceGroup([ws, ws]), output_type="plotly", spectra_list=[2, 7])
    with pytest.raises(ValueError, match="SavePlot1D: there is no folder"):
        save_plot_1d(ws, str(tmp_path / "missing" / "a.html"), output_type="plotly-full")
