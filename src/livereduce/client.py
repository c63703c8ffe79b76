"""A running livereduce, looked at from Python: ``live = livereduce.connect("http://host:8000")``.

Only reads. Does not cover following changes as they come (``/api/events``) nor the actions that need the token.
"""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError

DEFAULT_URL = "http://127.0.0.1:8000"
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class RemoteWorkspace:
    """Values of a workspace as they were at `version`, an event workspace's as its histogram.

    `x` has one value more than a row of `y` where these are bins, and one row for all spectra or one for each; `e` is
    one standard deviation. `spectra` are the workspace indices of the rows: all of them, unless `truncated`.
    """

    name: str
    version: int
    run: int
    x: NDArray[np.float64] = field(repr=False)
    y: NDArray[np.float64] = field(repr=False)
    e: NDArray[np.float64] = field(repr=False)
    x_unit: str
    y_unit: str
    title: str
    spectra: tuple[int, ...]
    truncated: bool
    about: dict[str, Any] = field(repr=False)
    """Everything the listing says about it."""


def connect(url: str = DEFAULT_URL, *, timeout_s: float = 20.0) -> Live:
    """Connect to a running livereduce.

    Parameters
    ----------
    url
        Address of its page.
    timeout_s
        How long to wait for an answer.

    Raises
    ------
    LiveReduceError
        When nothing answers there.
    """
    live = Live(url, timeout_s=timeout_s)
    live.status()
    return live


class Live:
    """A running livereduce; made by `connect`."""

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise LiveReduceError(f"url: found {url!r}, expected the address of the page, like {DEFAULT_URL}")
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        # an instrument's page is near; a site's proxy for the outside world cannot reach it
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __repr__(self) -> str:
        return f"Live({self.url!r})"

    def status(self) -> dict[str, Any]:
        """State in a word and a sentence, and the figures; see ``/openapi.json``."""
        found: dict[str, Any] = self._json("/api/status")
        return found

    def ledger(self) -> dict[str, Any]:
        """Events by run and by what became of them."""
        found: dict[str, Any] = self._json("/api/ledger")
        return found

    def workspaces(self) -> list[dict[str, Any]]:
        """What can be got: names, kinds, shapes, units, versions."""
        listed: list[dict[str, Any]] = self._json("/api/workspaces")["workspaces"]
        return listed

    def get(self, name: str) -> RemoteWorkspace:
        """Get the values of a workspace, all of one version.

        Raises
        ------
        LiveReduceError
            When there is no such workspace, or it holds no values.
        """
        for _ in range(ATTEMPTS):
            about = next((w for w in self.workspaces() if w["name"] == name), None)
            if about is None:
                names = ", ".join(w["name"] for w in self.workspaces()) or "none yet"
                raise LiveReduceError(f"there is no workspace {name!r} at {self.url}; there are: {names}")
            parts = {part: self._array(name, part) for part in ("x", "y", "e")}
            if len({tag for tag, _ in parts.values()}) == 1 and f'"{about["version"]}-' in parts["x"][0]:
                return _workspace(about, {part: array for part, (_, array) in parts.items()})
        raise LiveReduceError(f"{name} changes faster than it can be read from {self.url}")

    def _array(self, name: str, part: str) -> tuple[str, NDArray[np.float64]]:
        path = f"/api/workspaces/{urllib.parse.quote(name, safe='')}?format=npy&part={part}"
        tag, body = self._open(path)
        return tag, np.load(io.BytesIO(body), allow_pickle=False)

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self._open(path)[1])
        except ValueError as error:
            raise LiveReduceError(f"{self.url}{path} does not answer as livereduce does: {error}") from error

    def _open(self, path: str) -> tuple[str, bytes]:
        """Give ETag and body."""
        try:
            with self._opener.open(self.url + path, timeout=self._timeout_s) as answer:
                return answer.headers.get("ETag", ""), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise LiveReduceError(f"{self.url}{path}: {_detail(error)}") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise LiveReduceError(f"nothing answers at {self.url}: {reason}; is livereduce running there?") from error


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"


def _workspace(about: dict[str, Any], arrays: dict[str, NDArray[np.float64]]) -> RemoteWorkspace:
    return RemoteWorkspace(
        name=about["name"],
        version=about["version"],
        run=about.get("run") or 0,
        **arrays,
        x_unit=about.get("x_unit") or "",
        y_unit=about.get("y_unit") or "",
        title=about.get("title") or "",
        spectra=tuple(about.get("spectra") or range(len(np.atleast_2d(arrays["y"])))),
        truncated=bool(about.get("truncated")),
        about=about,
    )
