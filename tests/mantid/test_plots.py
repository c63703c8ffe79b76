"""The stand-in for plotly: what scripts write with it arrives in the HTML as plotly.js takes it."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from livereduce.mantid import finder, plots
from livereduce.mantid.plots import Figure, Part, plot

Script = Callable[..., dict[str, Any]]


def drawn(div: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Traces and layout in a plot's HTML."""
    found = re.search(r"var p=(.*);Plotly", div)
    assert found is not None
    traces, layout = json.loads(found[1])
    return traces, layout


@pytest.fixture
def without_plotly(installed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide a plotly that is installed here: its stand-in is found first."""
    loaded = finder._take_out("plotly")
    monkeypatch.setattr(sys, "meta_path", sorted(sys.meta_path, key=lambda found: found is not finder._stand_ins))
    yield
    finder._take_out("plotly")
    sys.modules.update(loaded)


def test_a_script_written_for_plotly_makes_its_div(script: Script, without_plotly: None) -> None:
    left = script(
        "from plotly.offline import plot\n"
        "import plotly.graph_objs as go\n"
        "import numpy as np\n"
        "trace = go.Scatter(x=[1, 2], y=np.array([3.5, np.nan]), error_y=dict(type='data', array=[1, 1]), name='a')\n"
        "layout = go.Layout(title='counts', xaxis=dict(title='Q', type='log'), yaxis=go.YAxis(title='I'))\n"
        "fig = go.Figure(data=[trace], layout=layout)\n"
        "div = plot(fig, output_type='div', include_plotlyjs=False, show_link=False)\n"
    )
    assert left["div"].startswith("<div")
    traces, layout = drawn(left["div"])
    assert traces == [
        {"type": "scatter", "x": [1, 2], "y": [3.5, None], "error_y": {"type": "data", "array": [1, 1]}, "name": "a"}
    ]
    assert layout == {
        "title": {"text": "counts"},
        "xaxis": {"title": {"text": "Q"}, "type": "log"},
        "yaxis": {"title": {"text": "I"}},
    }


@pytest.mark.parametrize(
    "line",
    [
        "import plotly\nplotly.offline.plot\nplotly.graph_objs.Scatter",
        "import plotly.offline as off\noff.plot",
        "from plotly import graph_objs as go, offline\ngo.Heatmap",
        "from plotly.graph_objects import Figure, Heatmap, Layout, Scatter, Scattergl",
    ],
)
def test_it_is_imported_in_every_way(script: Script, without_plotly: None, line: str) -> None:
    script(line)


def test_what_it_does_not_have_is_told(script: Script, without_plotly: None) -> None:
    with pytest.raises(
        ModuleNotFoundError, match=r"plotly is not installed, and livereduce stands in for plotly\.graph"
    ):
        script("import plotly.express")
    with pytest.raises(ImportError, match="cannot import name 'iplot'"):
        script("from plotly.offline import iplot")
    with pytest.raises(RuntimeError, match="plot with output_type='file' needs plotly"):
        plot([plots.Scatter(x=[1], y=[2])])
    with pytest.raises(RuntimeError, match="to_html of whole pages needs plotly"):
        Figure().to_html()


def test_figures_are_changed_as_plotlys_are() -> None:
    figure = Figure(plots.Heatmap(z=np.array([[1, 2]])))
    figure.add_trace(plots.Bar(x=[1], y=[2], marker_color="red")).update_layout(
        xaxis_title="d", legend={"x": 0}, paper_bgcolor="white"
    )
    figure.layout.xaxis.title = "d-spacing"
    figure.layout.yaxis_type = "log"
    traces, layout = drawn(figure.to_html(full_html=False))
    assert traces == [
        {"type": "heatmap", "z": [[1, 2]]},
        {"type": "bar", "x": [1], "y": [2], "marker": {"color": "red"}},
    ]
    assert layout == {
        "xaxis": {"title": {"text": "d-spacing"}}, "legend": {"x": 0}, "paper_bgcolor": "white",
        "yaxis": {"type": "log"},
    }  # fmt: skip


def test_traces_come_alone_in_lists_and_in_dictionaries() -> None:
    trace = plots.Scatter(x=[1], y=[2])
    expected = [{"type": "scatter", "x": [1], "y": [2]}]
    for given in (trace, [trace], plots.Data([trace]), {"data": [trace], "layout": {"title": "t"}}):
        assert drawn(plot(given, output_type="div"))[0] == expected


def test_an_entry_that_is_not_set_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'title' is not set; there are x"):
        _ = Part(x=1).title
