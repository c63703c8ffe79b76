import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from livereduce import config
from livereduce.status import ScriptProblem
from livereduce.web.app import STATIC, create_app

NOW = 1_772_366_400_000_000_000
TOKEN = "a-secret"


@pytest.fixture
def app(settings: config.Config) -> Starlette:
    return create_app(settings, token=TOKEN, clock_ns=lambda: NOW)


def test_the_status_has_word_sentence_ages_and_figures(app: Starlette, snapshot: Any, ask: Any) -> None:
    found = ask(app, "/api/status").json
    assert (found["state"], found["sentence"]) == ("running", "Run 1001 is being reduced: 250,000 events/s.")
    assert (found["instrument"], found["run"], found["events"]) == ("POWGEN", 1001, 12_345_678)
    assert (found["data_age_s"], found["result_age_s"], found["received_age_s"]) == (2.0, 4.0, 0.25)
    assert (found["restarts"], found["reconnects"], found["memory_bytes"]) == (1, 2, 1 << 30)
    assert found["latency"] == {"proc": 0.5, "post": 0.25}
    assert found["logs"]["temperature"]["units"] == "K"


def test_before_any_process_has_reported_the_status_is_starting(app: Starlette, ask: Any) -> None:
    assert ask(app, "/api/status").json["state"] == "starting"
    assert ask(app, "/api/workspaces").json["workspaces"] == []
    assert ask(app, "/api/ledger").json == {"runs": [], "between_runs": {}}
    assert ask(app, "/api/story").json == {"story": []}
    assert ask(app, "/api/log").json["lines"] == []


def test_a_record_that_cannot_be_read_is_told_and_the_rest_goes_on(app: Starlette, snapshot: Any, ask: Any) -> None:
    (snapshot.folder / "recorder.json").write_text('{"pid":')
    found = ask(app, "/api/status").json
    assert found["state"] == "starting"
    assert "recorder.json cannot be read" in found["warnings"][0]


def test_a_script_error_comes_with_its_line(app: Starlette, snapshot: Any, ask: Any) -> None:
    snapshot.health(script_error=ScriptProblem("proc", "/s/proc.py", 12, "NameError: x", "Traceback", 1, NOW))
    found = ask(app, "/api/status").json
    assert (found["state"], found["script_error"]["line"]) == ("script error", 12)


def test_the_history_comes_in_columns_with_nulls_for_what_is_not_known(
    app: Starlette, settings: config.Config, ask: Any
) -> None:
    empty: dict[str, list[Any]] = {"time_s": [], "run": [], "event_rate": [], "charge_rate_pC": []}
    assert ask(app, "/api/history").json == empty
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    (settings.state_dir / "history.jsonl").write_text(
        "[1700000000.5, 7, 250000.0, null]\n[1700000010.5, 7, null, 1e9]\n"
    )
    assert ask(app, "/api/history").json == {
        "time_s": [1700000000.5, 1700000010.5], "run": [7, 7], "event_rate": [250000.0, None],
        "charge_rate_pC": [None, 1e9],
    }  # fmt: skip


def test_ledger_and_story_are_the_reducers(app: Starlette, snapshot: Any, ask: Any) -> None:
    assert ask(app, "/api/ledger").json["runs"][-1] == {"run": 1001, "dropped": {"unmapped": 5}}
    assert ask(app, "/api/story").json == {"story": ["new run 1001"]}


def test_the_log_gives_its_last_lines_only(app: Starlette, settings: config.Config, ask: Any) -> None:
    settings.log.file.write_text("".join(f"line {i}\n" for i in range(100_000)))
    assert ask(app, "/api/log?lines=2").json["lines"] == ["line 99998", "line 99999"]
    assert len(ask(app, "/api/log").json["lines"]) == 200
    assert ask(app, "/api/log?lines=many").status == 400


def test_a_log_shorter_than_asked_for_is_given_whole(app: Starlette, settings: config.Config, ask: Any) -> None:
    settings.log.file.write_text("one\ntwo\n")
    assert ask(app, "/api/log").json["lines"] == ["one", "two"]


def test_scripts_are_shown_and_a_missing_one_says_so(app: Starlette, ask: Any) -> None:
    proc, post = ask(app, "/api/scripts").json["scripts"]
    assert (proc["stage"], proc["text"]) == ("proc", "output = input\n")
    assert (post["stage"], post["text"], post["reason"]) == ("post", None, "No such file or directory")


def test_health_and_readiness(app: Starlette, snapshot: Any, ask: Any) -> None:
    assert ask(app, "/healthz").status == 200
    assert ask(app, "/readyz").status == 200
    (snapshot.folder / "reducer.json").unlink()
    assert ask(app, "/healthz").status == 200
    assert ask(app, "/readyz").status == 503


def test_metrics_give_the_figures_and_leave_out_what_is_not_known(app: Starlette, snapshot: Any, ask: Any) -> None:
    snapshot.health(event_rate=None)
    answer = ask(app, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'livereduce_state{state="running"} 1.0' in lines
    assert 'livereduce_state{state="script error"} 0.0' in lines
    assert "livereduce_run_events 1.2345678e+07" in lines
    assert "livereduce_received_bytes_total 5e+06" in lines
    assert "livereduce_data_age_seconds 2.0" in lines
    assert 'livereduce_stage_seconds{stage="proc"} 0.5' in lines
    assert 'livereduce_run_dropped_events{reason="unmapped"} 5.0' in lines
    assert "livereduce_event_rate" not in answer.text


def test_actions_need_the_token(settings: config.Config, ask: Any) -> None:
    done: list[str] = []
    app = create_app(settings, token=TOKEN, actions={"restart": lambda: done.append("restart")})
    without = ask(app, "/api/restart", method="POST")
    assert (without.status, without.headers["www-authenticate"]) == (401, "Bearer")
    assert ask(app, "/api/restart", method="POST", authorization="Basic YTpi").status == 401
    assert ask(app, "/api/restart", method="POST", authorization="Bearer wrong").status == 403
    assert done == []
    right = ask(app, "/api/restart", method="POST", authorization=f"Bearer {TOKEN}")
    assert (right.status, right.json) == (202, {"done": "restart"})
    assert done == ["restart"]


def test_looking_never_acts(settings: config.Config, ask: Any) -> None:
    app = create_app(settings, token=TOKEN, actions={"clear": lambda: pytest.fail("a GET cleared the data")})
    assert ask(app, "/api/clear", authorization=f"Bearer {TOKEN}").status == 405
    assert ask(app, "/api/rollback", method="POST", authorization=f"Bearer {TOKEN}").status == 404


def test_the_description_names_every_route_with_its_methods(settings: config.Config, ask: Any) -> None:
    actions: dict[str, Callable[[], None]] = {"restart": lambda: None, "clear": lambda: None}
    app = create_app(settings, token=TOKEN, actions=actions)
    described = ask(app, "/openapi.json").json
    routes = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, method) for path, item in described["paths"].items() for method in item} == routes
    for path in ("/", "/api/status", "/api/ledger", "/api/events", "/metrics", "/healthz", "/readyz", "/api/scripts"):
        assert (path, "get") in routes
    assert described["paths"]["/api/clear"]["post"]["security"] == [{"token": []}]
    assert set(described["paths"]["/api/clear"]["post"]["responses"]) == {"202", "401", "403"}
    states = described["components"]["schemas"]["State"]["enum"]
    assert len(states) == 11
    references = json.dumps(described).count("#/components/schemas/")
    assert references > 0
    for name in ("State", "Stage", "ScriptProblem", "LogValue"):
        assert name in described["components"]["schemas"]


def test_the_status_has_exactly_the_fields_the_description_promises(app: Starlette, snapshot: Any, ask: Any) -> None:
    schema = ask(app, "/openapi.json").json["paths"]["/api/status"]["get"]["responses"]["200"]["content"]
    promised = set(schema["application/json"]["schema"]["properties"])
    assert set(ask(app, "/api/status").json) == promised


def test_the_page_is_served_with_a_policy_that_allows_nothing_from_elsewhere(app: Starlette, ask: Any) -> None:
    page = ask(app, "/")
    assert page.status == 200
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page.text


def test_the_whole_page_is_small(app: Starlette, ask: Any) -> None:
    names = [f"/static/{path.name}" for path in STATIC.iterdir() if path.name != "index.html"]
    assert len(names) >= 3
    sizes = [len(ask(app, url, accept_encoding="gzip").body) for url in ["/", *names]]
    assert sum(sizes) < 150_000


def test_nothing_outside_the_static_folder_is_served(app: Starlette, ask: Any) -> None:
    assert ask(app, "/static/../app.py").status == 404
    assert ask(app, "/static/%2e%2e/app.py").status == 404


def test_a_damaged_manifest_is_503_with_its_name(app: Starlette, snapshot: Any, ask: Any) -> None:
    folder: Path = snapshot.folder / "snapshot"
    folder.mkdir()
    (folder / "manifest.json").write_text("{")
    answer = ask(app, "/api/workspaces")
    assert answer.status == 503
    assert "manifest.json" in answer.json["detail"]
