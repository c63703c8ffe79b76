"""/api/plots and /api/plots/{name}: the plots scripts publish, as documents of which the page's origin knows nothing.

The reducer writes ``<runtime_dir>/plots/<name>.plot``: a line of JSON (``instrument``, ``run``, ``file``, ``time_ns``),
then HTML, as it came from a script. Its document is in a sandbox: scripts in it run, in an origin of its own, and reach
neither the page with its token, nor the API, nor the network. plotly.js comes from an installed plotly package.
"""

from __future__ import annotations

import html
import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

PLOTLY_JS = "/plotly.min.js"
# plotly.js makes functions from text; in a sandbox with scripts of its own that gives nothing away
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HEAD_BYTES = 10_000


def listing(runtime_dir: Path) -> dict[str, Any]:
    """Give /api/plots, the newest first."""
    plots, left_out = [], []
    for path in _folder(runtime_dir).glob("*.plot"):
        try:
            plots.append(_about(path))
        except FileNotFoundError:
            continue  # it has just given way to a newer one
        except (OSError, ValueError, KeyError, TypeError) as error:  # after a power failure a file may be empty
            left_out.append({"name": path.stem, "why": f"{path} cannot be read: {error!r}"})
    plots.sort(key=lambda plot: (plot["time_ns"], plot["name"]), reverse=True)
    return {"plots": plots, "left_out": left_out}


def _folder(runtime_dir: Path) -> Path:
    return runtime_dir / "plots"


def _about(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.readline(HEAD_BYTES)
        size = file.seek(0, 2) - len(head)
    found = json.loads(head)
    about = {key: str(found[key]) for key in ("instrument", "run", "file")}
    return {"name": path.stem, **about, "time_ns": int(found["time_ns"]), "bytes": size}


def get(runtime_dir: Path, name: str) -> Response:
    """Answer ``GET /api/plots/{name}`` with the plot as a document."""
    names = {path.stem: path for path in _folder(runtime_dir).glob("*.plot")}
    try:
        data = names[name].read_bytes()
    except (KeyError, FileNotFoundError):
        raise HTTPException(
            404, f"there is no plot {name!r}; there are: {', '.join(sorted(names)) or 'none yet'}"
        ) from None
    body = data.partition(b"\n")[2].decode(errors="replace")
    return HTMLResponse(document(name, body, drawn=plotly_js() is not None), headers=HEADERS)


def document(title: str, body: str, *, drawn: bool) -> str:
    """Make a document of what a script published.

    Parameters
    ----------
    title
        Its title, as text.
    body
        HTML.
    drawn
        Whether there is a plotly.js to draw it, if that is what it needs.
    """
    needed = "Plotly" in body
    head = f'<script src="{PLOTLY_JS}"></script>' if needed and drawn else ""
    # a script may also have published plotly.js with its plot
    before = f'<p id="livereduce-missing">{_MISSING}</p>' if needed and not drawn else ""
    after = f"<script>{_NOT_MISSING}</script>" if before else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f"<style>{_STYLE}</style>{head}</head>\n<body>{before}\n{body}\n{after}</body>\n</html>\n"
    )


_STYLE = (
    "body { margin: 0; background: #fff; color: #17212b; font: 15px/1.45 system-ui, sans-serif } p { margin: 12px }"
)
_MISSING = (
    "This plot is drawn by plotly.js, which livereduce does not have: the Python package plotly is not installed where"
    f" livereduce is. Install it with <code>{html.escape(sys.executable)} -m pip install plotly</code> and load this"
    " page again."
)
_NOT_MISSING = 'if (window.Plotly) document.getElementById("livereduce-missing").remove()'


def plotly_js() -> Path | None:
    """Find plotly.min.js in an installed plotly package, which is not imported; None without."""
    spec = PathFinder.find_spec("plotly")
    folders = spec.submodule_search_locations if spec is not None else None
    paths = [Path(folder) / "package_data" / "plotly.min.js" for folder in folders or ()]
    return next((path for path in paths if path.is_file()), None)


def get_plotly_js() -> Response:
    """Answer ``GET /plotly.min.js``."""
    path = plotly_js()
    if path is None:
        raise HTTPException(404, "the Python package plotly, which brings plotly.min.js, is not installed")
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "max-age=3600"})
