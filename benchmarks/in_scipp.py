"""The focus in scipp, as somebody who reduces with scipp writes it, on events that it has by pixel already."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.engine import N_PIXELS, counting, focus_plan, make_table
from benchmarks.measuring import seconds
from livereduce.workspaces import Detectors, EventWorkspace


def focus_in_scipp(n: int = 10_000_000, groups: int = 4) -> tuple[float, float] | None:
    """Return processor times of the engine and of scipp for the same histograms; None without scipp."""
    try:
        import scipp as sc
    except ImportError:
        return None
    table = make_table(n)
    plan, edges = focus_plan(groups)
    ours = counting(table, plan, edges)
    data = EventWorkspace.from_table(table, 0, n, Detectors(np.arange(N_PIXELS))).to_scipp(events=True)
    assert plan.factor is not None
    assert plan.group is not None
    data.coords["factor"] = sc.array(dims=["spectrum"], values=plan.factor.values, unit="angstrom/us")
    data.coords["group"] = sc.array(dims=["spectrum"], values=plan.group.values, unit=None)
    d_edges = sc.array(dims=["dspacing"], values=edges, unit="angstrom")

    def dspacing(tof: sc.Variable, factor: sc.Variable) -> sc.Variable:
        return tof * factor

    def in_scipp() -> Any:
        in_d: Any = data.transform_coords("dspacing", {"dspacing": dspacing})
        return in_d.groupby("group").concat("spectrum").hist(dspacing=d_edges)

    theirs = in_scipp().values
    if np.abs(ours() - theirs).sum() > 1e-5 * n:  # an event on an edge may be rounded to the other side of it
        raise SystemExit("focus: results differ from those of scipp")
    return seconds(ours), seconds(in_scipp, repeats=2)
