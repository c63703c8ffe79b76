"""What scripts call to show a plot on the facility's web monitor, where `finddata` and `postprocessing` are missing.

`publish_plot`, `plot1d` and `plot_heatmap` take the arguments of the real ones. A publication is kept here, newest last
and at most `KEPT` of them, until the reducer writes them for the page; nothing is sent anywhere and nothing is raised,
because the scripts that publish do so as an afterthought. Plots are HTML ``<div>`` texts that plotly.js draws.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from livereduce.algorithms.plotting import plotly_div

KEPT = 20


@dataclass(frozen=True, slots=True)
class Publication:
    """One call of `publish_plot`: `files` maps a name to an HTML text."""

    instrument: str
    run: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What scripts read of the web monitor's answer."""

    status_code: int = 200
    text: str = ""


publications: deque[Publication] = deque(maxlen=KEPT)


def publish_plot(instrument: str, run_number: object, files: Mapping[str, Any], config: object = None) -> Response:
    """Keep the HTML texts of `files` for the page; open files are read."""
    texts = {str(name): _text(item) for name, item in files.items()}
    publications.append(Publication(str(instrument), str(run_number), texts))
    return Response(text=f"kept for livereduce's page: {', '.join(texts)}")


def _text(item: Any) -> str:
    content = item.read() if hasattr(item, "read") else item
    return content.decode(errors="replace") if isinstance(content, bytes) else str(content)


def plot1d(
    run_number: object,
    data_list: Sequence[Any],
    data_names: Sequence[str] | None = None,
    x_title: str = "",
    y_title: str = "",
    x_log: bool = False,
    y_log: bool = False,
    instrument: str = "",
    show_dx: bool = True,
    title: str = "",
    publish: bool = True,
) -> Response | str:
    """Plot curves ``[[x, y], [x, y, dy], [x, y, dy, dx], ...]``, or a single ``[x, y]``."""
    single = len(data_list) == 2 and np.ndim(data_list[0][0]) == 0
    curves = [data_list] if single else data_list
    names = data_names if data_names is not None and len(data_names) == len(curves) else [""] * len(curves)
    traces = [_trace(curve, name, show_dx) for curve, name in zip(curves, names, strict=True)]
    div = plotly_div(traces, _layout(title, x_title, y_title, x_log, y_log, legend=any(names)))
    return publish_plot(instrument, run_number, {"file": div}) if publish else div


def plot_heatmap(
    run_number: object,
    x: Any,
    y: Any,
    z: Any,
    x_title: str = "",
    y_title: str = "",
    surface: bool = False,
    x_log: bool = False,
    y_log: bool = False,
    instrument: str = "",
    title: str = "",
    publish: bool = True,
) -> Response | str:
    """Plot the image `z` (rows along `y`) over `x` and `y`."""
    trace = {"type": "surface" if surface else "heatmap", "x": x, "y": y, "z": z}
    div = plotly_div([trace], _layout(title, x_title, y_title, x_log, y_log, legend=False))
    return publish_plot(instrument, run_number, {"file": div}) if publish else div


def _trace(curve: Sequence[Any], name: str, show_dx: bool) -> dict[str, Any]:
    trace: dict[str, Any] = {"type": "scatter", "name": name, "x": curve[0], "y": curve[1]}
    if len(curve) > 2:
        trace["error_y"] = {"type": "data", "array": curve[2], "visible": True}
    if len(curve) > 3:
        trace["error_x"] = {"type": "data", "array": curve[3], "visible": True} | ({} if show_dx else {"thickness": 0})
    return trace


def _layout(title: str, x_title: str, y_title: str, x_log: bool, y_log: bool, *, legend: bool) -> dict[str, Any]:
    return {
        "title": {"text": title},
        "showlegend": legend,
        "xaxis": {"title": {"text": x_title}, "type": "log" if x_log else "linear"},
        "yaxis": {"title": {"text": y_title}, "type": "log" if y_log else "linear"},
    }


class _Callable(ModuleType):
    """Scripts import ``publish_plot`` from `finddata` as the module or as the function and call either."""

    def __call__(
        self, instrument: str, run_number: object, files: Mapping[str, Any], config: object = None
    ) -> Response:
        return publish_plot(instrument, run_number, files, config)


sys.modules[__name__].__class__ = _Callable
