from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import Detectors, EventTable, EventWorkspace, event_list
from livereduce.workspaces.compression import Compression

Make = Callable[..., EventTable]
TOLERANCE = 40.0


def slow_clusters(x: np.ndarray) -> list[float]:
    """Mean X of the clusters of events that all weigh the same, one event after the other."""
    clusters: list[list[float]] = []
    for value in np.sort(x).tolist():
        if not clusters or value - clusters[-1][0] > TOLERANCE:
            clusters.append([])
        clusters[-1].append(value)
    return [float(np.mean(cluster)) for cluster in clusters]


@pytest.mark.parametrize("stretch", [1 << 22, 700])
def test_events_of_a_spectrum_near_each_other_become_one_within_each_stretch(
    stretch: int, make_table: Make, columns: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_list, "STRETCH_EVENTS", stretch)
    table, second = make_table(3000), 1_000_000_000
    tof, pix, time = columns(table)
    ws = EventWorkspace.from_table(table, 0, 3000, Detectors(np.arange(20)), edges=[0.0, 2e4])
    ws = ws.selected([(5 * second, 290 * second)]).planned(lambda p: p.scaled(0.5))
    ws = ws.replaced(compression=Compression(TOLERANCE, "TOF"))
    keep = (time >= 5 * second) & (time < 290 * second)
    total = 0
    for spectrum in range(20):
        expected: list[float] = []
        for first in range(0, 3000, stretch):
            mine = keep & (pix == spectrum) & (np.arange(3000) // stretch == first // stretch)
            expected += slow_clusters(tof[mine] * 0.1)
        found = ws.getSpectrum(spectrum)
        assert found.getTofs() == pytest.approx(np.sort(expected), rel=1e-12)
        assert found.getWeights().sum() == 0.5 * np.count_nonzero(keep & (pix == spectrum))
        assert found.getNumberEvents() == len(expected)
        total += len(expected)
    assert ws.getNumberEvents() == total
    assert ws.y.sum() == 0.5 * keep.sum()


def test_events_of_two_tables_are_put_together(make_table: Make) -> None:
    tables = [EventTable(1), EventTable(1)]
    for table, ticks in zip(tables, ([10, 500], [12, 900]), strict=True):
        table.append(ticks, [0, 0], [0], [0, 2], [1.0])
    one, two = (EventWorkspace.from_table(t, 0, 2, Detectors([1]), edges=[0.0, 100.0]) for t in tables)
    both = one.plus(two, subtract=True).replaced(compression=Compression(1.0, "TOF"))
    events = both.getSpectrum(0)
    assert both.getNumberEvents() == 3
    assert events.getTofs() == pytest.approx([1.1, 50.0, 90.0])
    assert events.getWeights().tolist() == [0.0, 1.0, -1.0]
    assert events.getWeightErrors() == pytest.approx([np.sqrt(2), 1.0, 1.0])
