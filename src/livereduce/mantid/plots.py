"""What scripts use of plotly, where it is not installed: figures as plotly.js takes them, drawn into a ``<div>``.

Stands in for ``plotly.graph_objs``, ``plotly.graph_objects`` and ``plotly.offline`` (`livereduce.mantid.finder`). Every
capitalised name is a trace, ``Scatter(x=..., y=...)``, or a part of a figure, ``Layout(title=...)``. Does not cover:
plotly.js itself, which the page that shows the ``<div>`` has; checks of what plotly.js knows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from livereduce.algorithms.plotting import plotly_div

_PARTS = frozenset(
    "Layout XAxis YAxis ZAxis Scene Marker Line ErrorX ErrorY Margin Font Legend ColorBar Annotation".split()
)
# ``xaxis_title="Q"`` means ``xaxis={"title": "Q"}``; other names have underscores of their own (error_y, paper_bgcolor)
_NESTED = re.compile(r"([xyz]axis\d*|title|legend|margin|marker|line|font|colorbar)_(.+)")


class Part(dict[str, Any]):
    """A trace or another part of a figure: a dictionary whose entries are attributes too."""

    def __init__(self, *given: Mapping[str, Any], **settings: Any) -> None:
        super().__init__()
        self.update(*given, **settings)

    def update(self, *given: Mapping[str, Any], **settings: Any) -> Part:  # type: ignore[override]  # as plotly's does
        """Set entries, those of parts inside as ``inner_name=value`` too, and return this part."""
        for name, value in [item for entries in (*given, settings) for item in entries.items()]:
            if nested := _NESTED.fullmatch(name):
                inner = self.get(nested[1])
                self[nested[1]] = Part(inner if isinstance(inner, Mapping) else {}).update({nested[2]: value})
            else:
                self[name] = value
        return self

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"{name!r} is not set; there are {', '.join(self) or 'no entries'}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})


class Figure:
    """Traces and a layout."""

    def __init__(self, data: Any = (), layout: Mapping[str, Any] | None = None) -> None:
        self.data = [data] if isinstance(data, Mapping) else list(data)
        self.layout = Part(layout or {})

    def add_trace(self, trace: Mapping[str, Any]) -> Figure:
        """Add a trace and return the figure."""
        self.data.append(trace)
        return self

    def update_layout(self, *given: Mapping[str, Any], **settings: Any) -> Figure:
        """Set entries of the layout and return the figure."""
        self.layout.update(*given, **settings)
        return self

    def to_html(self, full_html: bool = True, include_plotlyjs: object = True) -> str:
        """Return the ``<div>``; a whole page is not to be had."""
        if full_html:
            raise _not_here("to_html of whole pages")
        return plot(self, output_type="div")


def plot(figure_or_data: Any, output_type: str = "file", **_options: Any) -> str:
    """Return the HTML ``<div>`` of a figure, or of traces.

    Whatever the options say, plotly.js is not in it, and no window is opened.
    """
    if output_type != "div":
        raise _not_here(f"plot with output_type={output_type!r}")
    figure = figure_or_data if isinstance(figure_or_data, Figure) else _figure(figure_or_data)
    return plotly_div([_titled(trace) for trace in figure.data], _titled(figure.layout))


def _figure(given: Mapping[str, Any] | Sequence[Any]) -> Figure:
    if isinstance(given, Mapping) and "data" in given:
        return Figure(given["data"], given.get("layout"))
    return Figure(given)


def _titled(part: Mapping[str, Any]) -> dict[str, Any]:
    """Write titles as plotly.js wants them, which takes no plain texts any more."""
    return {
        name: {"text": value} if name == "title" and isinstance(value, str)
        else _titled(value) if isinstance(value, Mapping) else value
        for name, value in part.items()
    }  # fmt: skip


def _not_here(what: str) -> RuntimeError:
    return RuntimeError(
        f"{what} needs plotly, which is not installed; livereduce stands in for figures as a <div> only. Install it for"
        f" {sys.executable}, or use output_type='div'"
    )


def _maker(name: str) -> Callable[..., Part]:
    kind = {} if name in _PARTS else {"type": name.lower()}

    def make(*given: Mapping[str, Any], **settings: Any) -> Part:
        return Part(kind).update(*given, **settings)

    make.__name__ = make.__qualname__ = name
    return make


def __getattr__(name: str) -> Any:
    if name in ("Data", "Annotations"):
        return list
    if name[:1].isupper():
        return _maker(name)
    raise AttributeError(f"livereduce's stand-in for plotly has no {name!r}; plotly itself is not installed", name=name)
