import io
import json
import re
from typing import Any

import numpy as np
import pytest

from livereduce.mantid import publishing
from livereduce.mantid.publishing import plot1d, plot_heatmap, publications, publish_plot


@pytest.fixture(autouse=True)
def no_publications() -> None:
    publications.clear()


def figure(div: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Traces and layout in a plot's HTML."""
    found = re.search(r"var p=(.*);Plotly", div)
    assert found is not None
    traces, layout = json.loads(found[1])
    return traces, layout


def test_a_publication_is_kept_with_its_texts_and_answered_well() -> None:
    response = publish_plot("PG3", 1234, files={"file": "<div>a</div>", "more": io.StringIO("<div>b</div>")})
    assert (response.status_code, "file" in response.text) == (200, True)
    assert publications[-1].instrument == "PG3"
    assert publications[-1].run == "1234"
    assert publications[-1].files == {"file": "<div>a</div>", "more": "<div>b</div>"}


def test_files_opened_as_bytes_and_odd_names_are_taken() -> None:
    response = publish_plot("PG3", 1, files={1: io.BytesIO("<p>Å\N{DEGREE SIGN}</p>".encode()), "b": b"\xff<p>"})  # type: ignore[dict-item]
    assert response.status_code == 200
    assert publications[-1].files == {"1": "<p>Å°</p>", "b": "\N{REPLACEMENT CHARACTER}<p>"}


def test_only_the_newest_publications_are_kept() -> None:
    for i in range(publishing.KEPT + 5):
        publish_plot("X", i, {"file": ""})
    assert [p.run for p in publications] == [str(i) for i in range(5, publishing.KEPT + 5)]


@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], [[[1, 2], [3, 4]]], [(np.array([1, 2]), np.array([3, 4]))]])
def test_curves_come_as_one_pair_or_a_list_of_them(data: Any) -> None:
    traces, _ = figure(plot1d(1, data, publish=False))
    assert [(t["x"], t["y"]) for t in traces] == [([1, 2], [3, 4])]


def test_errors_names_titles_and_log_axes_are_in_the_plot() -> None:
    traces, layout = figure(
        plot1d(
            1, [[[1], [2], [0.1], [0.01]], [[1], [3]]], data_names=["a", "b"], x_title="Q", y_title="R", x_log=True,
            show_dx=False, title="T", publish=False,
        )
    )  # fmt: skip
    assert traces[0]["error_y"]["array"] == [0.1]
    assert traces[0]["error_x"] == {"type": "data", "array": [0.01], "visible": True, "thickness": 0}
    assert [t["name"] for t in traces] == ["a", "b"]
    assert (layout["xaxis"]["type"], layout["yaxis"]["type"], layout["showlegend"]) == ("log", "linear", True)
    assert layout["title"]["text"] == "T"


def test_what_json_cannot_say_is_null_and_no_tag_ends_the_script_early() -> None:
    div = plot1d(1, [[[1.0, 2.0], np.array([np.nan, np.inf])]], title="</script>", publish=False)
    traces, _ = figure(div)
    assert traces[0]["y"] == [None, None]
    assert str(div).count("</script>") == 1


def test_plots_are_published_by_default() -> None:
    plot1d(7, [[1, 2], [3, 4]], instrument="REF_M")
    plot_heatmap(8, [0, 1], [0, 1], np.eye(2), instrument="REF_M")
    assert [(p.instrument, p.run) for p in publications] == [("REF_M", "7"), ("REF_M", "8")]
    traces, _ = figure(publications[-1].files["file"])
    assert (traces[0]["type"], traces[0]["z"]) == ("heatmap", [[1, 0], [0, 1]])
