import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from starlette.applications import Starlette

from livereduce import config
from livereduce.algorithms import load_nexus
from livereduce.web.app import create_app
from livereduce.workspaces import MatrixWorkspace


@pytest.fixture
def app(settings: config.Config) -> Starlette:
    return create_app(settings, token="t")


def test_the_listing_says_what_there_is_and_what_was_left_out(
    app: Starlette, snapshot: Any, result: Any, ask: Any
) -> None:
    snapshot.write(result)
    found = ask(app, "/api/workspaces").json
    assert (found["version"], found["run"]) == (1, 1001)
    (entry,) = found["workspaces"]
    assert (entry["name"], entry["shape"], entry["x_unit"], entry["role"]) == ("result", [2, 3], "Å", "result")
    assert "files" not in entry
    assert found["left_out"] == [{"name": "huge", "why": "beyond the 20 newest"}]


def test_a_spectrum_comes_with_edges_values_and_errors(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    snapshot.write(result)
    found = ask(app, "/api/workspaces/result?spectrum=0").json
    assert found["curves"] == [{"spectrum": 0, "x": [1, 2, 3, 4], "y": [4, 9, 16], "e": [2, 3, 4]}]
    assert (found["x_label"], found["y_unit"], found["version"]) == ("d-Spacing", "counts", 1)


def test_several_spectra_or_all_and_a_value_that_is_no_number_is_null(
    app: Starlette, snapshot: Any, result: Any, ask: Any
) -> None:
    snapshot.write(result)
    for query in ("", "?spectrum=0,1"):
        curves = ask(app, f"/api/workspaces/result{query}").json["curves"]
        assert [curve["y"] for curve in curves] == [[4, 9, 16], [1, None, 25]]


def test_the_sum_of_all_spectra_adds_errors_in_quadrature(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    result["arrays"]["y"][1, 1] = 7
    snapshot.write(result)
    (curve,) = ask(app, "/api/workspaces/result?spectrum=sum").json["curves"]
    assert curve["y"] == [5, 16, 41]
    assert curve["e"] == pytest.approx([5**0.5, 3, 41**0.5])


def test_spectra_of_different_bins_have_no_sum(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    result["arrays"]["x"] = np.array([[1.0, 2, 3, 4], [2.0, 3, 4, 5]])
    snapshot.write(result)
    assert ask(app, "/api/workspaces/result?spectrum=sum").status == 409
    assert ask(app, "/api/workspaces/result?spectrum=1").json["curves"][0]["x"] == [2, 3, 4, 5]


def test_counts_against_spectrum(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    snapshot.write(result)
    (curve,) = ask(app, "/api/workspaces/result?spectrum=counts").json["curves"]
    assert (curve["x"], curve["y"], curve["e"]) == ([0, 1], [29, 26], None)


@pytest.mark.parametrize(("query", "code"), [("spectrum=2", 404), ("spectrum=-1", 404), ("spectrum=a", 400),
                                             ("format=xlsx", 400), ("format=npy&part=z", 400)])  # fmt: skip
def test_what_does_not_exist_is_refused(
    app: Starlette, snapshot: Any, result: Any, ask: Any, query: str, code: int
) -> None:
    snapshot.write(result)
    answer = ask(app, f"/api/workspaces/result?{query}")
    assert answer.status == code
    assert "found" in answer.json["detail"]


def test_an_unknown_workspace_is_404(app: Starlette, snapshot: Any, ask: Any) -> None:
    assert ask(app, "/api/workspaces/nothing").status == 404
    assert ask(app, "/api/workspaces/..%2F..%2Fetc").status == 404


def test_npy_gives_the_exact_array(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    expected = {part: array.copy() for part, array in result["arrays"].items()}
    snapshot.write(result)
    for part in ("x", "y", "e"):
        answer = ask(app, f"/api/workspaces/result?format=npy&part={part}")
        assert_array_equal(np.load(io.BytesIO(answer.body), allow_pickle=False), expected[part])
    one = ask(app, "/api/workspaces/result?format=npy&spectrum=1&part=e")
    assert_array_equal(np.load(io.BytesIO(one.body)), expected["e"][1:])


def test_npz_holds_all_arrays_and_the_description(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    expected = {part: array.copy() for part, array in result["arrays"].items()}
    snapshot.write(result)
    with np.load(io.BytesIO(ask(app, "/api/workspaces/result?format=npz").body), allow_pickle=False) as found:
        assert set(found) == {"about", "x", "y", "e"}
        assert_array_equal(found["y"], expected["y"])
        about = json.loads(str(found["about"]))
    assert (about["name"], about["version"], about["x_unit"]) == ("result", 1, "Å")


def test_csv_has_a_line_a_bin(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    snapshot.write(result)
    answer = ask(app, "/api/workspaces/result?format=csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="result.csv"'
    assert answer.text.split("\r\n") == [
        "spectrum,x_from,x_to,y,e",
        "0,1.0,2.0,4.0,2.0",
        "0,2.0,3.0,9.0,3.0",
        "0,3.0,4.0,16.0,4.0",
        "1,1.0,2.0,1.0,1.0",
        "1,2.0,3.0,,0.0",
        "1,3.0,4.0,25.0,5.0",
        "",
    ]


def test_csv_of_points_has_one_x(app: Starlette, snapshot: Any, ask: Any) -> None:
    snapshot.write({"name": "fit", "arrays": {"x": np.array([1.0, 2.0]), "y": np.array([[3.0, 4.0]])}})
    assert ask(app, "/api/workspaces/fit?format=csv").text == "spectrum,x,y,e\r\n0,1.0,3.0,\r\n0,2.0,4.0,\r\n"


def saved(body: bytes, folder: Path) -> MatrixWorkspace:
    (folder / "saved.nxs").write_bytes(body)
    found = load_nexus(folder / "saved.nxs")
    assert isinstance(found, MatrixWorkspace)
    return found


def test_nexus_is_what_loadnexus_reads(app: Starlette, snapshot: Any, result: Any, ask: Any, tmp_path: Path) -> None:
    snapshot.write(result | {"x_unit_id": "dSpacing", "spectrum_numbers": [7, 9]})
    found = saved(ask(app, "/api/workspaces/result?format=nxs").body, tmp_path)
    assert (found.unit, found.y_unit, found.title) == ("dSpacing", "counts", result["title"])
    assert found.spectra.numbers.tolist() == [7, 9]
    assert_array_equal(found.x, [1, 2, 3, 4])
    assert_array_equal(found.y, [[4, 9, 16], [1, np.nan, 25]])
    assert_array_equal(found.e[0], [2, 3, 4])
    second = saved(ask(app, "/api/workspaces/result?format=nxs&spectrum=1").body, tmp_path)
    assert second.spectra.numbers.tolist() == [9]
    counts = saved(ask(app, "/api/workspaces/result?format=nxs&spectrum=counts").body, tmp_path)
    assert (counts.unit, counts.y.tolist(), counts.x.tolist()) == ("Empty", [[29, 26]], [0, 1])


def test_nexus_of_different_bins_has_those_of_each_spectrum(
    app: Starlette, snapshot: Any, result: Any, ask: Any, tmp_path: Path
) -> None:
    result["arrays"]["x"] = np.array([[1.0, 2, 3, 4], [2.0, 3, 4, 5]])
    snapshot.write(result)
    found = saved(ask(app, "/api/workspaces/result?format=nxs").body, tmp_path)
    assert_array_equal(found.x, [[1, 2, 3, 4], [2, 3, 4, 5]])


def test_what_has_not_changed_is_not_sent_again(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    arrays = dict(result["arrays"])
    snapshot.write(result)
    first = ask(app, "/api/workspaces/result?spectrum=0")
    tag = first.headers["etag"]
    again = ask(app, "/api/workspaces/result?spectrum=0", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    snapshot.write(result | {"arrays": arrays})
    newer = ask(app, "/api/workspaces/result?spectrum=0", if_none_match=tag)
    assert newer.status == 200
    assert newer.headers["etag"] != tag


def test_long_answers_are_compressed_for_those_who_can_read_it(app: Starlette, snapshot: Any, ask: Any) -> None:
    y = np.zeros((1, 5000))
    snapshot.write({"name": "flat", "arrays": {"x": np.arange(5001.0), "y": y, "e": y}})
    plain, packed = ask(app, "/api/workspaces/flat"), ask(app, "/api/workspaces/flat", accept_encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 3
    assert packed.json == plain.json


def test_too_much_for_text_is_refused_and_given_as_npy(app: Starlette, snapshot: Any, ask: Any) -> None:
    snapshot.write({"name": "big", "arrays": {"x": np.arange(1001.0), "y": np.ones((300, 1000))}})
    assert ask(app, "/api/workspaces/big").status == 413
    assert ask(app, "/api/workspaces/big?format=csv").status == 413
    assert len(ask(app, "/api/workspaces/big?format=npy").body) == 128 + 300_000 * 8
    assert ask(app, "/api/workspaces/big?spectrum=7").status == 200


def test_a_truncated_workspace_gives_its_sum_and_notes_which_spectra_are_wanted(
    app: Starlette, snapshot: Any, ask: Any
) -> None:
    snapshot.write(
        {
            "name": "all",
            "shape": [100_000, 50],
            "spectra": [7, 90_000],
            "truncated": True,
            "arrays": {
                "x": np.arange(51.0),
                "y": np.array([np.full(50, 7.0), np.full(50, 9.0)]),
                "sum_y": np.full(50, 1e6),
                "sum_e": np.full(50, 1e3),
                "counts": np.arange(100_000),
            },
        }
    )
    assert ask(app, "/api/workspaces/all?spectrum=sum").json["curves"][0]["y"] == [1e6] * 50
    assert ask(app, "/api/workspaces/all?spectrum=90000").json["curves"][0]["y"] == [9.0] * 50
    later = ask(app, "/api/workspaces/all?spectrum=5,7,99999")
    assert (later.status, later.json["wanted"]) == (202, [5, 99999])
    ask(app, "/api/workspaces/all?spectrum=6")
    assert json.loads((snapshot.folder / "wanted.json").read_text()) == {"all": [5, 99999, 6]}
    for index in range(200, 300):
        ask(app, f"/api/workspaces/all?spectrum={index}")
    assert json.loads((snapshot.folder / "wanted.json").read_text()) == {"all": list(range(268, 300))}
    assert ask(app, "/api/workspaces/all?spectrum=100000").status == 404


def test_the_picture_averages_neighbours_and_names_its_edges(app: Starlette, snapshot: Any, ask: Any) -> None:
    y = np.repeat(np.arange(400.0), 800).reshape(400, 800)
    snapshot.write({"name": "map", "arrays": {"x": np.arange(801.0) / 10, "y": y}})
    picture = ask(app, "/api/workspaces/map?image").json
    values = np.array(picture["values"])
    assert values.shape == (200, 400)
    assert_array_equal(values, np.repeat(np.arange(200) * 2 + 0.5, 400).reshape(200, 400))
    assert (len(picture["x"]), picture["x"][:2], picture["x"][-1]) == (401, [0.0, 0.2], 80.0)
    assert (picture["spectra"][:2], picture["spectra"][-1]) == ([0, 2], 400)


def test_a_small_picture_is_the_data(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    snapshot.write(result)
    picture = ask(app, "/api/workspaces/result?image").json
    assert picture["values"] == [[4, 9, 16], [1, 0, 25]]
    assert (picture["x"], picture["spectra"]) == ([1, 2, 3, 4], [0, 1, 2])


def test_a_pickle_in_the_snapshot_is_never_opened(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    result["arrays"]["y"] = np.array([{"not": "numbers"}], dtype=object)
    snapshot.write(result)
    answer = ask(app, "/api/workspaces/result")
    assert answer.status == 503
    assert "Python objects" in answer.json["detail"]


def test_a_manifest_cannot_lead_out_of_its_folder(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    snapshot.write(result)
    manifest = snapshot.folder / "snapshot" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("result.1.y.npy", "../../secret.npy"))
    assert ask(app, "/api/workspaces/result").status == 503


def test_a_file_that_is_gone_for_good_is_503(app: Starlette, snapshot: Any, result: Any, ask: Any) -> None:
    snapshot.write(result)
    (snapshot.folder / "snapshot" / "result.1.e.npy").unlink()
    answer = ask(app, "/api/workspaces/result")
    assert answer.status == 503
    assert "gone" in answer.json["detail"]


@pytest.mark.parametrize("nbytes", [0, 40, 130])
def test_a_file_that_ends_early_is_503(app: Starlette, snapshot: Any, result: Any, ask: Any, nbytes: int) -> None:
    snapshot.write(result)
    os.truncate(snapshot.folder / "snapshot" / "result.1.y.npy", nbytes)
    answer = ask(app, "/api/workspaces/result")
    assert answer.status == 503
    assert "result.1.y.npy" in answer.json["detail"]


def test_a_table_comes_by_columns(app: Starlette, snapshot: Any, ask: Any) -> None:
    columns = {"column0": np.array(["111", "220, again"]), "column1": np.array([3.135, np.nan])}
    snapshot.write({"name": "peaks", "kind": "TableWorkspace", "columns": ["hkl", "d"], "arrays": columns})
    found = ask(app, "/api/workspaces/peaks").json
    assert found["columns"] == [
        {"name": "hkl", "values": ["111", "220, again"]},
        {"name": "d", "values": [3.135, None]},
    ]
    assert ask(app, "/api/workspaces/peaks?format=csv").text == 'hkl,d\r\n111,3.135\r\n"220, again",\r\n'
    assert ask(app, "/api/workspaces/peaks?format=npy").status == 400


def test_a_workspace_without_values_says_so(app: Starlette, snapshot: Any, ask: Any) -> None:
    snapshot.write({"name": "odd", "kind": "PeaksWorkspace", "arrays": {}})
    assert ask(app, "/api/workspaces/odd").status == 409


def test_an_empty_workspace_is_an_empty_curve(app: Starlette, snapshot: Any, ask: Any) -> None:
    snapshot.write({"name": "none", "shape": [1, 0], "arrays": {"x": np.empty(0), "y": np.empty((1, 0))}})
    assert ask(app, "/api/workspaces/none").json["curves"] == [{"spectrum": 0, "x": [], "y": [], "e": None}]


def test_some_rows_of_a_truncated_workspace_are_never_taken_for_all(app: Starlette, snapshot: Any, ask: Any) -> None:
    arrays = {"x": np.arange(3.0), "y": np.ones((1, 2))}
    snapshot.write({"name": "part", "shape": [9, 2], "spectra": [4], "truncated": True, "arrays": arrays})
    assert ask(app, "/api/workspaces/part?spectrum=sum").status == 409
    assert ask(app, "/api/workspaces/part?spectrum=counts").status == 409
    assert ask(app, "/api/workspaces/part?spectrum=4").json["curves"][0]["y"] == [1, 1]
