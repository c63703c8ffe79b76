"""SavePlot1D: curves as an image (needs matplotlib), or as HTML that plotly.js draws (needs nothing here)."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.files import check_folder, replacing
from livereduce.algorithms.text.writing import members_of
from livereduce.workspaces import MatrixWorkspace, WorkspaceGroup
from livereduce.workspaces.arrays import F64
from livereduce.workspaces.axes import Axis

# a plot of more curves than this has no legend
_MOST_LABELS = 10
# beside the page: nothing is fetched from elsewhere, beamline networks often cannot
_PLOTLY_JS = "plotly.min.js"


class Curve(NamedTuple):
    """Values at X, what they are called, and whether they are among those asked for."""

    x: F64
    y: F64
    label: str
    visible: bool


class Panel(NamedTuple):
    """The curves of one workspace and the captions of its axes."""

    curves: list[Curve]
    x_label: str
    y_label: str


@algorithm("SavePlot1D", names={"return": "Result"})
def save_plot_1d(
    ws: MatrixWorkspace | WorkspaceGroup,
    output_filename: str = "",
    output_type: Literal["image", "plotly", "plotly-full"] = "image",
    x_label: str = "",
    y_label: str = "",
    spectra_list: Integers = (),
    spectra_names: Sequence[str] = (),
    pop_canvas: bool = False,
) -> str:
    """Plot the spectra of a workspace as curves; the members of a group one below the other.

    The result is the file name, or with plotly the HTML of a ``<div>``.

    Parameters
    ----------
    output_filename
        File to write; its ending says which kind of image. Not needed with plotly.
    output_type
        An image; a ``<div>`` that plotly.js draws where the page has it; or a page, which
        loads ``plotly.min.js`` from its own folder.
    x_label, y_label
        Captions; without, the workspace's units.
    spectra_list
        Numbers of the spectra to show; all without. In plotly the others can be switched on in the legend.
    spectra_names
        What the spectra are called; without, by their number.
    pop_canvas
        Accepted for scripts that give it; no window is opened.
    """
    members, panels, names = members_of(ws), [], list(spectra_names)
    missing = np.setdiff1d(spectra_list, np.concatenate([member.spectra.numbers for member in members]))
    if len(missing):
        raise ValueError(f"SpectraList: there is no spectrum number {int(missing[0])}")
    for member in members:
        panels.append(_panel(member, names, np.asarray(spectra_list, np.int64), x_label, y_label))
        names = names[member.n_spectra :]
    if output_type == "plotly":
        return _plotly(panels)
    if not output_filename.strip():
        raise ValueError(f"OutputFilename: must be given with OutputType={output_type}")
    path = Path(output_filename).expanduser()
    if output_type == "image":
        _write_image(path, panels)
    else:
        with replacing(path) as temporary:
            temporary.write_text(_page(path.stem, _plotly(panels)), encoding="utf-8")
    return output_filename


def _panel(ws: MatrixWorkspace, names: Sequence[str], shown: np.ndarray, x_label: str, y_label: str) -> Panel:
    curves = []
    for index, number in enumerate(ws.getSpectrumNumbers()):
        x = ws.readX(index)
        points = (x[1:] + x[:-1]) / 2 if ws.is_histogram else x
        named = names[index].strip() if index < len(names) else ""
        visible = not len(shown) or bool(np.any(shown == number))
        curves.append(Curve(points, ws.readY(index), named or _label(ws.getAxis(1), index), visible))
    return Panel(curves, x_label or _caption(ws.getAxis(0)), y_label or ws.y_unit or ws.y_label)


def _label(axis: Axis, index: int) -> str:
    return axis.label(index) if not axis.isNumeric() else f"{axis.getUnit().caption()} = {axis.label(index)}"


def _caption(axis: Axis) -> str:
    unit = axis.getUnit()
    return f"{unit.caption()} ({unit.symbol()})" if unit.symbol() else unit.caption()


# -- image --------------------------------------------------------------------------------------------------------


def _write_image(path: Path, panels: Sequence[Panel]) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise RuntimeError(
            "images need matplotlib, which is not installed; install it with `pip install 'livereduce[plot]'`, or use"
            " OutputType='plotly'"
        ) from missing
    check_folder(path)
    figure = Figure(figsize=(6.4, 1.2 + 3.6 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        visible = [curve for curve in panel.curves if curve.visible]
        for curve in visible:
            axes.plot(curve.x, curve.y, label=curve.label)
        axes.set_xlabel(panel.x_label)
        axes.set_ylabel(panel.y_label)
        if 1 < len(visible) <= _MOST_LABELS:
            axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:] or "png")


# -- plotly -------------------------------------------------------------------------------------------------------


def _plotly(panels: Sequence[Panel]) -> str:
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"margin": {"l": 60, "r": 10, "t": 10, "b": 50}}
    height = 1 / len(panels)
    for i, panel in enumerate(panels):
        which = "" if i == 0 else str(i + 1)
        traces += [_trace(curve, which) for curve in panel.curves]
        low = 1 - (i + 1) * height
        layout[f"xaxis{which}"] = {"title": {"text": panel.x_label}, "anchor": f"y{which}"}
        layout[f"yaxis{which}"] = {
            "title": {"text": panel.y_label},
            "anchor": f"x{which}",
            "domain": [low + (0.15 * height if i + 1 < len(panels) else 0.0), low + height],
        }
    return plotly_div(traces, layout)


def _trace(curve: Curve, which: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": curve.label,
        "x": curve.x,
        "y": curve.y,
        "xaxis": f"x{which}",
        "yaxis": f"y{which}",
        "visible": True if curve.visible else "legendonly",
    }


def plotly_div(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> str:
    """HTML ``<div>`` that plotly.js, if the page has it, fills with the traces; the numbers are in it as JSON.

    It finds itself by an ID made of its content: pages that insert it do not run its script in its place.
    """
    data = json.dumps([traces, layout], default=_plain).replace("</", "<\\/")
    name = f"plot-{hashlib.sha256(data.encode()).hexdigest()[:16]}"
    script = f'(function(){{var p={data};Plotly.newPlot("{name}",p[0],p[1]);}})()'
    return f'<div><div id="{name}" class="plotly-graph-div"></div><script>{script}</script></div>'


def _plain(value: Any) -> Any:
    """Numpy arrays as lists, with what JSON cannot say (NaN, infinity) as null."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        plain = array.astype(object)
        plain[~np.isfinite(array)] = None
        return plain.tolist()
    return array.tolist()


def _page(title: str, div: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<script src="{_PLOTLY_JS}"></script></head>\n<body>{div}</body>\n</html>\n'
    )
