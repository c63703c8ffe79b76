import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from livereduce import config
from livereduce.web.app import create_app
from livereduce.web.plots import PLOTLY_JS

NEEDS_PLOTLY = '<div id="d"></div><script>Plotly.newPlot("d", [])</script>'
MISSING = "is drawn by plotly.js, which livereduce does not have"


@pytest.fixture
def app(settings: config.Config) -> Starlette:
    return create_app(settings, token="a-secret")


@pytest.fixture
def folder(settings: config.Config) -> Path:
    folder = settings.runtime_dir / "plots"
    folder.mkdir(parents=True)
    return folder


def put(folder: Path, name: str, body: str, run: str = "7", file: str = "file", time_ns: int = 5) -> None:
    about = {"instrument": "PG3", "run": run, "file": file, "time_ns": time_ns}
    (folder / f"{name}.plot").write_bytes(json.dumps(about).encode() + b"\n" + body.encode())


@pytest.fixture
def without_plotly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide a plotly that is installed here behind one that has nothing in it."""
    package = tmp_path / "site" / "plotly"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return package


@pytest.fixture
def with_plotly(without_plotly: Path) -> None:
    (without_plotly / "package_data").mkdir()
    (without_plotly / "package_data" / "plotly.min.js").write_text("window.Plotly = {}")


def test_there_are_no_plots_before_anything_is_published(app: Starlette, ask: Any) -> None:
    assert ask(app, "/api/plots").json == {"plots": [], "left_out": []}
    answer = ask(app, "/api/plots/PG3_7_file")
    assert (answer.status, answer.json["detail"]) == (404, "there is no plot 'PG3_7_file'; there are: none yet")


def test_plots_are_listed_newest_first_with_the_size_of_their_html(app: Starlette, folder: Path, ask: Any) -> None:
    put(folder, "PG3_7_file", "<p>Å</p>", time_ns=5)
    put(folder, "PG3_8_map", "", run="8", file="map", time_ns=6)
    assert ask(app, "/api/plots").json["plots"] == [
        {"name": "PG3_8_map", "instrument": "PG3", "run": "8", "file": "map", "time_ns": 6, "bytes": 0},
        {"name": "PG3_7_file", "instrument": "PG3", "run": "7", "file": "file", "time_ns": 5, "bytes": 9},
    ]


def test_a_damaged_file_is_named_and_the_others_are_listed(app: Starlette, folder: Path, ask: Any) -> None:
    put(folder, "good", "")
    for name, content in {"empty": "", "odd": "[1]\n", "part": '{"run": "7"}\n'}.items():
        (folder / f"{name}.plot").write_text(content)
    (folder / "good.tmp").write_text("half")
    found = ask(app, "/api/plots").json
    assert [plot["name"] for plot in found["plots"]] == ["good"]
    assert sorted(item["name"] for item in found["left_out"]) == ["empty", "odd", "part"]
    assert "cannot be read" in found["left_out"][0]["why"]


def test_a_plot_is_a_document_with_its_html_as_it_is(app: Starlette, folder: Path, ask: Any) -> None:
    put(folder, "PG3_7_file", '<svg viewBox="0 0 1 1"></svg>\n<img src="data:image/png;base64,AA">')
    answer = ask(app, "/api/plots/PG3_7_file")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<svg viewBox="0 0 1 1"></svg>\n<img src="data:image/png;base64,AA">' in answer.text
    assert '"time_ns"' not in answer.text
    assert MISSING not in answer.text  # it needs no plotly.js
    assert PLOTLY_JS not in answer.text


def test_scripts_of_a_plot_are_in_a_sandbox_and_reach_nothing(app: Starlette, folder: Path, ask: Any) -> None:
    put(folder, "PG3_7_file", "<script>top.location = 'x'</script>")
    headers = ask(app, "/api/plots/PG3_7_file").headers
    rules = dict(rule.strip().partition(" ")[::2] for rule in headers["content-security-policy"].split(";"))
    assert rules["sandbox"] == "allow-scripts"
    assert rules["default-src"] == "'none'"  # and so connect-src, frame-src, ...
    assert not {"connect-src", "frame-src", "child-src", "worker-src", "object-src"} & set(rules)
    assert rules["img-src"] == "data: blob:"
    assert (rules["form-action"], rules["base-uri"]) == ("'none'", "'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("name", ["other", "..", "PG3_7_file.plot", "%00", "..%2Fsecret", "../secret"])
def test_nothing_but_plots_is_served(app: Starlette, folder: Path, ask: Any, name: str) -> None:
    put(folder, "PG3_7_file", "")
    put(folder.parent, "secret", "secret")
    for asked in (name, name.replace("%2F", "/").replace("%00", "\0")):
        assert ask(app, f"/api/plots/{asked}").status == 404


def test_without_plotly_a_plot_that_needs_it_says_so_and_how_to_get_it(
    app: Starlette, folder: Path, ask: Any, without_plotly: Path
) -> None:
    put(folder, "PG3_7_file", NEEDS_PLOTLY)
    text = ask(app, "/api/plots/PG3_7_file").text
    assert MISSING in text
    assert "-m pip install plotly" in text
    assert NEEDS_PLOTLY in text
    assert f'src="{PLOTLY_JS}"' not in text
    answer = ask(app, PLOTLY_JS)
    assert (answer.status, "is not installed" in answer.json["detail"]) == (404, True)


def test_with_plotly_its_javascript_comes_before_the_plot_and_plotly_is_not_imported(
    app: Starlette, folder: Path, ask: Any, with_plotly: None
) -> None:
    put(folder, "PG3_7_file", NEEDS_PLOTLY)
    text = ask(app, "/api/plots/PG3_7_file").text
    assert MISSING not in text
    assert 0 < text.index(f'<script src="{PLOTLY_JS}"></script>') < text.index(NEEDS_PLOTLY)
    answer = ask(app, PLOTLY_JS)
    assert (answer.status, answer.text) == (200, "window.Plotly = {}")
    assert answer.headers["content-type"].startswith("text/javascript")


def test_a_page_without_plots_has_no_section_to_see(app: Starlette, ask: Any) -> None:
    assert '<section class="panel" id="published" aria-label="Plots of scripts" hidden>' in ask(app, "/").text
