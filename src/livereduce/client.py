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
        path = f"/api/workspaces/{urllib.parse.quote(name, safe='')}?format=npz"
        with np.load(io.BytesIO(self._open(path)), allow_pickle=False) as arrays:
            return _workspace(json.loads(str(arrays["about"])), dict(arrays))

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self._open(path))
        except ValueError as error:
            raise LiveReduceError(f"{self.url}{path} does not answer as livereduce does: {error}") from error

    def _open(self, path: str) -> bytes:
        try:
            with self._opener.open(self.url + path, timeout=self._timeout_s) as answer:
                body: bytes = answer.read()
                return body
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


def _workspace(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> RemoteWorkspace:
    if not {"x", "y", "e"} <= set(arrays):
        raise LiveReduceError(f"{about['name']} ({about['kind']}) has no spectra to get")
    y = np.atleast_2d(arrays["y"])
    return RemoteWorkspace(
        name=about["name"],
        version=about["version"],
        run=about["run"] or 0,
        x=arrays["x"],
        y=y,
        e=np.atleast_2d(arrays["e"]),
        x_unit=about["x_unit"] or "",
        y_unit=about["y_unit"] or "",
        title=about["title"] or "",
        spectra=tuple(about["spectra"] or range(len(y))),
        truncated=bool(about["truncated"]),
        about=about,
    )
