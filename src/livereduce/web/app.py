"""The page and its API: a starlette application made of one list of endpoints.

It reads files that the other processes write (`web.files`), so a hanging script never makes the page hang. Endpoints
are plain functions: starlette runs them in a thread pool, off the event loop. Not covered: the server itself and what
the actions do, which the supervisor gives.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from livereduce import __version__, status
from livereduce.config import Config, script_names
from livereduce.status import State, Status, history
from livereduce.web import events, files, metrics, openapi, plots, workspaces
from livereduce.web.files import SnapshotError
from livereduce.web.openapi import Endpoint

STATIC = Path(__file__).parent / "static"
LOG_LINES = 200
SCRIPT_BYTES = 1_000_000
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

Action = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Site:
    """What the endpoints work with."""

    config: Config
    token: str
    actions: Mapping[str, Action]
    stopping: threading.Event
    clock_ns: Callable[[], int]

    def status(self) -> Status:
        """Describe the present state from the files."""
        health = files.read_health(self.config.runtime_dir)
        return status.describe(
            health.recorder,
            health.reducer,
            self.clock_ns(),
            heartbeat=health.heartbeat,
            instrument=self.config.instrument,
            update_every_s=self.config.update_every,
            needs_recorder=self.config.listener in {"adara", "isis_events", "kafka"},
            problems=health.problems,
        )


def create_app(
    config: Config,
    *,
    token: str,
    actions: Mapping[str, Action] | None = None,
    stopping: threading.Event | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Starlette:
    """Make the application.

    Parameters
    ----------
    config
        Resolved settings: folders, instrument, time between updates.
    token
        Bearer token that the actions need.
    actions
        What ``POST /api/<name>`` calls, by name: ``restart``, ``clear``, ``rollback``. Called in a worker thread; an
        exception is answered with 500.
    stopping
        Set before the server is asked to exit, so that open event streams end.
    clock_ns
        Present time in ns since 1970 UTC.
    """
    site = Site(config, token, actions or {}, stopping or threading.Event(), clock_ns)
    app = Starlette(
        routes=[
            *(Route(e.path, e.handler, methods=[e.method], name=e.name) for e in endpoints(site)),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)],
        exception_handlers={HTTPException: _refused, SnapshotError: _damaged},
    )
    app.state.site = site
    return app


def endpoints(site: Site) -> list[Endpoint]:
    """Everything the server answers, each with what /openapi.json says of it."""
    runtime_dir = site.config.runtime_dir
    listed: list[Endpoint] = []

    def add(path: str, summary: str, handler: Callable[[Request], Any], **more: Any) -> None:
        listed.append(Endpoint(path, summary, handler, **more))

    add("/", "The page", lambda _: FileResponse(STATIC / "index.html", headers=_page_headers()), media="text/html")
    add("/api/status", "State in words, and figures", lambda _: _status(site), schema=openapi.STATUS)
    add("/api/ledger", "Events by run and by what became of them", lambda _: JSONResponse(_ledger(runtime_dir)))
    add("/api/workspaces", "What there is to look at", lambda _: JSONResponse(workspaces.listing(runtime_dir)))
    add(
        "/api/workspaces/{name}",
        "Values of one workspace",
        lambda request: workspaces.get(runtime_dir, request),
        parameters=openapi.WORKSPACE_PARAMETERS,
        responses=openapi.WORKSPACE_RESPONSES,
    )
    add(
        "/api/plots", "Plots that scripts publish, the newest first", lambda _: JSONResponse(plots.listing(runtime_dir))
    )
    add(
        "/api/plots/{name}",
        "One plot as a document with its scripts in a sandbox",
        lambda request: plots.get(runtime_dir, request.path_params["name"]),
        media="text/html",
        parameters=openapi.PLOT_PARAMETERS,
        responses=openapi.PLOT_RESPONSES,
    )
    add(
        plots.PLOTLY_JS,
        "plotly.js of an installed plotly package, for plots that need it",
        lambda _: plots.get_plotly_js(),
        media="text/javascript",
        responses=openapi.PLOTLY_RESPONSES,
    )
    add("/api/events", "Versions of the workspaces, as they change", events.stream(site), media="text/event-stream")
    add("/api/log", "The end of the log", lambda request: _log(site.config.log.file, request), parameters=openapi.LINES)
    add("/api/history", "Rates of the last day", lambda _: JSONResponse(_history(site.config.state_dir)))
    add("/api/story", "The last events of the run state machine", lambda _: _story(runtime_dir))
    add("/api/scripts", "The scripts as they are on disk", lambda _: _scripts(site.config))
    add("/metrics", "Figures for Prometheus", lambda _: _metrics(site), media="text/plain")
    add("/healthz", "200 while the process answers", lambda _: JSONResponse({"ok": True}))
    add("/readyz", "200 when data can be reduced, else 503", lambda _: _ready(site), responses=openapi.READY_RESPONSES)
    add("/openapi.json", "This description", lambda _: JSONResponse(openapi.describe(listed, __version__)))
    for name, action in site.actions.items():
        text = openapi.ACTIONS.get(name, name)
        add(f"/api/{name}", text, _guarded(site, action), method="POST", responses=openapi.ACTION_RESPONSES)
    return listed


def _page_headers() -> dict[str, str]:
    return {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


def _status(site: Site) -> Response:
    return Response(status.STATUS.dump_json(site.status()), media_type="application/json")


def _ledger(runtime_dir: Path) -> dict[str, Any]:
    reducer = files.read_health(runtime_dir).reducer
    return dict(reducer.ledger) if reducer and reducer.ledger else {"runs": [], "between_runs": {}}


def _history(state_dir: Path) -> dict[str, Any]:
    found = history.read(state_dir)
    columns = zip(*found, strict=True) if found else ((),) * len(history.Rates._fields)
    return dict(zip(history.Rates._fields, columns, strict=True))


def _story(runtime_dir: Path) -> Response:
    reducer = files.read_health(runtime_dir).reducer
    return JSONResponse({"story": list(reducer.story) if reducer else []})


def _log(file: Path, request: Request) -> Response:
    try:
        wanted = min(max(int(request.query_params.get("lines", LOG_LINES)), 1), 10_000)
    except ValueError:
        raise HTTPException(400, "lines: expected a whole number") from None
    try:
        with file.open("rb") as log:
            # a line is rarely longer than 500 characters; a log may be gigabytes
            start = max(log.seek(0, 2) - 500 * wanted, 0)
            log.seek(start)
            tail = deque(log.read(500 * wanted).decode(errors="replace").splitlines()[int(start > 0) :], wanted)
    except FileNotFoundError:
        tail = deque()
    return JSONResponse({"file": str(file), "lines": list(tail)})


def _scripts(config: Config) -> Response:
    found = []
    for stage, name in zip(("proc", "post"), script_names(config.short_name), strict=True):
        path = config.script_dir / name
        try:
            with path.open("rb") as script:
                text = script.read(SCRIPT_BYTES).decode(errors="replace")
            found.append({"stage": stage, "file": str(path), "text": text, "changed_ns": path.stat().st_mtime_ns})
        except OSError as error:
            found.append({"stage": stage, "file": str(path), "text": None, "reason": error.strerror})
    return JSONResponse({"scripts": found})


def _metrics(site: Site) -> Response:
    text = metrics.render(site.status, _ledger(site.config.runtime_dir))
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _ready(site: Site) -> Response:
    now = site.status()
    ready = now.state not in {State.STARTING, State.SOURCE_LOST, State.REDUCER_FAILING, State.STOPPING}
    return JSONResponse({"ready": ready, "state": now.state, "sentence": now.sentence}, 200 if ready else 503)


def _guarded(site: Site, action: Action) -> Callable[[Request], Response]:
    def act(request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        if not hmac.compare_digest(given.strip().encode(), site.token.encode()):
            raise HTTPException(403, "this is not the token; its file is named in the log of the first start")
        action()
        return JSONResponse({"done": request.url.path.rpartition("/")[2]}, 202)

    return act


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _damaged(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 503)
