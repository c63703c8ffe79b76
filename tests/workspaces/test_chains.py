"""Chains of algorithms on events that keep arriving, against lists of events in plain numpy.

The lists know nothing of plans, tables, caches or kernels: an event is a detector, a pulse time, an X, a spectrum, a
weight and a variance, and a step of a chain changes these columns or drops rows. After every append the
chain is carried out anew on the accumulation, as a script of the post-processing stage does, and on all events so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from livereduce import algorithms
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, HistogramWorkspace, Run, TimeSeries

alg: Any = algorithms
SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
N = 6
L1, L2 = 20.0, np.linspace(1.0, 2.0, N)
THETA = np.linspace(0.2, 1.3, N)  # half the scattering angle
DETECTORS = Detectors(np.arange(10, 10 + N), l1=L1, l2=L2, two_theta=2 * THETA)
TOF_EDGES = np.geomspace(100.0371, 20_000.9317, 12)  # on no tick
# h t / (m L) and so on, written out: Å, Å, 1/Å and meV for µs and m
H, M, MEV = 6.62607015e-34, 1.67492749804e-27, 1.602176634e-22
WAVELENGTH = H / (M * (L1 + L2)) * 1e4
D_SPACING = WAVELENGTH / (2 * np.sin(THETA))
ENERGY = 0.5 * M * (L1 + L2) ** 2 * 1e12 / MEV
X_OF_TOF: dict[str, Callable[[Any, Any], Any]] = {
    "TOF": lambda t, i: t,
    "Wavelength": lambda t, i: WAVELENGTH[i] * t,
    "dSpacing": lambda t, i: D_SPACING[i] * t,
    "MomentumTransfer": lambda t, i: 2 * np.pi / (D_SPACING[i] * t),
    "Energy": lambda t, i: ENERGY[i] / t**2,
}
TOF_OF_X: dict[str, Callable[[Any, Any], Any]] = {
    "TOF": lambda x, i: x,
    "Wavelength": lambda x, i: x / WAVELENGTH[i],
    "dSpacing": lambda x, i: x / D_SPACING[i],
    "MomentumTransfer": lambda x, i: 2 * np.pi / (D_SPACING[i] * x),
    "Energy": lambda x, i: np.sqrt(ENERGY[i] / x),
}


@dataclass
class Lists:
    """Events as columns, and the pulses they came in: what the engine is compared with."""

    spectrum: np.ndarray
    x: np.ndarray
    time: np.ndarray
    weight: np.ndarray
    variance: np.ndarray
    moved: np.ndarray  # in a unit that is no linear function of time of flight, since the last conversion
    pulses: np.ndarray  # time (ns), charge (pC)
    n: int = N
    unit: str = "TOF"
    grouped: bool = False
    bent: bool = False  # some may be moved

    def where(self, keep: np.ndarray) -> Lists:
        columns: dict[str, Any] = {
            c: getattr(self, c)[keep] for c in ("spectrum", "x", "time", "weight", "variance", "moved")
        }
        return replace(self, **columns)

    def times(self, factor: Any) -> Lists:
        return replace(self, weight=self.weight * factor, variance=self.variance * factor**2)

    def plus(self, other: Lists, sign: float = 1.0) -> Lists:
        both: dict[str, Any] = {
            c: np.concatenate([getattr(self, c), getattr(other, c)]) for c in ("spectrum", "x", "time", "moved")
        }
        weight = np.concatenate([self.weight, sign * other.weight])
        pulses = np.concatenate([self.pulses, other.pulses])
        return replace(
            self, **both, weight=weight, variance=np.concatenate([self.variance, other.variance]), pulses=pulses
        )

    def bins(self, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bin of each event in the row of its spectrum, and whether it is in one."""
        rows = np.broadcast_to(edges, (self.n, edges.shape[-1]))
        at = [np.searchsorted(rows[s], x, side="right") - 1 for s, x in zip(self.spectrum, self.x, strict=True)]
        found = np.array(at, np.int64)
        return found, (found >= 0) & (found < edges.shape[-1] - 1)

    def histogram(self, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y, e2 = np.zeros((2, self.n, edges.shape[-1] - 1))
        at, inside = self.bins(edges)
        np.add.at(y, (self.spectrum[inside], at[inside]), self.weight[inside])
        np.add.at(e2, (self.spectrum[inside], at[inside]), self.variance[inside])
        return y, e2


class Source:
    """Events that arrive, in a table and as lists."""

    def __init__(self, seed: int, *, weighted: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.table = EventTable(N, segment_events=97, weighted=weighted)
        none: list[Any] = [np.empty(0, kind) for kind in (int, float, np.int64, float, float, bool)]
        self.lists = Lists(*none, np.empty((0, 2), np.int64))  # type: ignore[call-arg]
        self.pulse = BEGIN

    def chunk(self, events: int) -> tuple[EventWorkspace, Lists]:
        """Append a chunk of some pulses a second apart, and return it."""
        rng, pulses = self.rng, 4
        start = np.sort(np.append(rng.integers(0, events + 1, pulses - 1), [0, events]))
        times = self.pulse + SECOND * np.arange(pulses)
        self.pulse = int(times[-1]) + SECOND
        if rng.random() < 0.2:  # as after a reconnect
            self.pulse -= 3 * SECOND + int(rng.integers(1, SECOND))
        tick, pixel = rng.integers(0, 210_000, events), rng.integers(0, N, events)
        charge = rng.integers(1, 9, pulses) * 100_000_000
        own: dict[str, Any] = {}
        weight = np.ones(events)
        if self.table.weighted:
            weight = rng.integers(1, 9, events) / 4
            own = {"weights": (weight, weight**2)}
        a, b = self.table.append(tick, pixel, times, start, charge, **own)
        time = np.repeat(times, np.diff(start))
        new = Lists(
            pixel, tick * 0.1, time, weight, weight**2, np.zeros(events, bool), np.stack([times, charge], axis=1)
        )
        self.lists = self.lists.plus(new)
        logs = Run()
        logs.set("proton_charge", TimeSeries("proton_charge", times, charge, "picoCoulomb"))
        return EventWorkspace.from_table(self.table, a, b, DETECTORS, logs, edges=TOF_EDGES), new


BACKGROUND = Source(99)
BACKGROUND_EVENTS, _ = BACKGROUND.chunk(80)

Step = Callable[[EventWorkspace, Lists, float, float], tuple[EventWorkspace, Lists]]


def between(ws: EventWorkspace, part: float) -> float:
    """A number in the range of X, by what part of it is below."""
    x = ws.x[np.isfinite(ws.x)]
    return float(x.min() + part * (x.max() - x.min()))


def rebin(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    low, high = between(ws, 0.3 * a), between(ws, 0.6 + 0.8 * b)
    step = -0.37 if a < b and low > 0 else (high - low) / 7.3
    return alg.rebin(ws, [low, step, high]), lists


def convert(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    """To another unit; what was moved in one that is not linear gets a time of flight in whole ns, see respelling.

    Units that follow from each other without a flight path get that time at another path, so not in whole ns of ours.
    """
    unit = "TOF" if lists.bent else list(X_OF_TOF)[int(a * 4.99)]
    if lists.grouped or (ws.x <= 0).any() or unit == lists.unit:  # spectra of several detectors are another subject
        return ws, lists
    kept = lists.where(lists.x > 0) if {unit, lists.unit} & {"MomentumTransfer", "Energy"} else lists
    tof = TOF_OF_X[lists.unit](kept.x, kept.spectrum)
    tof = np.where(kept.moved, np.round(tof, 3), tof)
    x = X_OF_TOF[unit](tof, kept.spectrum)
    return alg.convert_units(ws, unit), replace(kept, x=x, unit=unit, bent=False, moved=np.zeros_like(kept.moved))


def scale_x(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    return alg.scale_x(ws, 0.5 + a), replace(lists, x=lists.x * (0.5 + a))


def offset(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    curved = lists.unit in ("MomentumTransfer", "Energy")
    by = (a if curved else a - 0.2) * 0.01 * between(ws, 0.5)
    chosen = (lists.spectrum >= 1) & (lists.spectrum <= 2) if ws.n_spectra > 2 else lists.spectrum >= 0
    some = {"index_min": 1, "index_max": 2} if ws.n_spectra > 2 else {}
    moved = lists.moved | chosen if curved else lists.moved
    return alg.change_bin_offset(ws, by, **some), replace(
        lists, x=np.where(chosen, lists.x + by, lists.x), moved=moved, bent=lists.bent or curved
    )


def crop(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    low, high = between(ws, 0.3 * a), between(ws, 0.5 + 0.6 * b)
    return alg.crop_workspace(ws, low, high), lists.where((lists.x >= low) & (lists.x <= high))


def filter_x(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    low, high = between(ws, 0.2 * a), between(ws, 0.6 + 0.6 * b)
    return alg.filter_by_x_value(ws, low, high), lists.where((lists.x >= low) & (lists.x <= high))


def in_time(lists: Lists, keep: Callable[[np.ndarray], np.ndarray]) -> Lists:
    return replace(lists.where(keep(lists.time)), pulses=lists.pulses[keep(lists.pulses[:, 0])])


def filter_time(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    start, stop = BEGIN + round(3 * a) * SECOND, BEGIN + round(6 + 20 * b) * SECOND
    times = (str(np.datetime64(t, "ns")) for t in (start, stop))
    result = alg.filter_by_time(ws, absolute_start_time=next(times), absolute_stop_time=next(times))
    return result, in_time(lists, lambda t: (t >= start) & (t < stop))


def filter_log(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    """Three seconds in every five are good; the log has an entry wherever it changes, from before all pulses."""
    turns = BEGIN - 100 * SECOND + np.repeat(np.arange(60) * 5, 2) * SECOND + np.tile([0, 3], 60) * SECOND
    ws = ws.clone()
    ws.getRun().set("temperature", TimeSeries("temperature", turns, np.tile([10.0 + a, 20.0], 60), "K"))
    kept = alg.filter_by_log_value(ws, "temperature", 5.0, 15.0, log_boundary="Left")
    return kept, in_time(lists, lambda t: np.mod(t - BEGIN, 5 * SECOND) < 3 * SECOND)


def mask(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    index = int(a * (ws.n_spectra - 0.01))
    return alg.mask_detectors(ws.clone(), workspace_index_list=[index]), lists.where(lists.spectrum != index)


def unmasked(ws: EventWorkspace, lists: Lists) -> Lists:
    return lists.where(~ws.spectra.masked[lists.spectrum])


def group(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    if ws.n_spectra != N or not ws.common_bins:
        return ws, lists
    lists = unmasked(ws, lists)
    target = np.array([0, 0, 2, 1, 1, -1])[lists.spectrum]
    moved = replace(lists, spectrum=target, n=3, grouped=True).where(target >= 0)
    return alg.group_detectors(ws, grouping_pattern="0+1,3+4,2"), moved


def sum_up(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    if not ws.common_bins:
        return ws, lists
    lists = unmasked(ws, lists)
    return alg.sum_spectra(ws), replace(lists, spectrum=np.zeros_like(lists.spectrum), n=1, grouped=True)


def multiply(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    return alg.multiply(ws, 0.5 + a), lists.times(0.5 + a)


def per_event(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    """Scale by a number that is another for each chunk, as its duration is: as a number, or as a workspace of one."""
    number = 1 + a + len(lists.x) / 64
    if b < 0.5:
        return alg.multiply(ws, 1 / number), lists.times(1 / number)
    return alg.divide(ws, alg.create_single_valued_workspace(number)), lists.times(1 / number)


def divide(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    """By a histogram without errors: of all values, of one row for all, or of one value for each spectrum."""
    rows = 1 if 0.3 < a < 0.6 and ws.x.ndim == 1 else ws.n_spectra
    bins = 1 if a <= 0.3 else ws.n_bins
    values = 0.5 + np.random.default_rng(int(1000 * b)).random((rows, bins))
    x = (ws.x if ws.x.ndim == 1 else ws.x[:rows]) if bins > 1 else [0.0, 1.0]
    by = HistogramWorkspace(x, values, np.zeros_like(values), unit=ws.unit, y_unit="Counts")
    result = alg.divide(ws, by)
    result.y_unit, result.distribution = "Counts", False
    row = lists.spectrum if rows > 1 else np.zeros_like(lists.spectrum)
    if bins == 1:
        return result, lists.times(1 / values[row, 0])
    at, inside = lists.bins(ws.x)
    factor = np.where(inside, 1 / values[row, np.clip(at, 0, bins - 1)], 0.0)  # outside there is no factor
    return result, lists.times(factor)


def normalise(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    charge = lists.pulses[:, 1].sum() / 3.6e9
    if charge == 0:
        return ws, lists
    return alg.normalise_by_current(ws), lists.times(1 / charge)


def minus(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    if lists.grouped or lists.unit != "TOF" or ws.spectra.masked.any():
        return ws, lists
    return ws.plus(BACKGROUND_EVENTS, subtract=True), replace(lists.plus(BACKGROUND.lists, -1.0), pulses=lists.pulses)


def twice(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    if len(ws.parts) > 4:
        return ws, lists
    return ws.plus(ws.clone()), replace(lists.plus(lists), pulses=lists.pulses)


def read(ws: EventWorkspace, lists: Lists, a: float, b: float) -> tuple[EventWorkspace, Lists]:
    """A script that looks at what it has on the way."""
    compare(ws, lists)
    return ws.clone(), lists


STEPS: list[Step] = [
    rebin, rebin, convert, convert, scale_x, offset, crop, filter_x, filter_time, filter_log, mask, group, sum_up,
    multiply, per_event, per_event, divide, divide, normalise, minus, twice, read,
]  # fmt: skip


def compare(ws: EventWorkspace, lists: Lists) -> None:
    assert isinstance(ws, EventWorkspace)
    y, e2 = lists.histogram(ws.x)
    np.testing.assert_allclose(ws.y, y, rtol=2e-7, atol=2e-7 * np.abs(lists.weight).sum())
    np.testing.assert_allclose(ws.e2, e2, rtol=2e-7, atol=2e-7 * lists.variance.sum())
    assert ws.number_events() == len(lists.x)


def compare_lists(ws: EventWorkspace, lists: Lists, index: int) -> None:
    """Compare X, pulse times and weights of a spectrum's events, one by one."""
    events = ws.getSpectrum(index).events()
    expected = lists.where(lists.spectrum == index)
    columns = [expected.x, expected.time, expected.weight, expected.variance]
    # X and weights differ by rounding only, so they are sorted by what tells them apart beyond it
    order, found = (np.lexsort([np.round(w, 6), np.round(x, 5), t]) for x, t, w, _ in (columns, events))
    for ours, theirs in zip(events, columns, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[found], theirs[order], rtol=2e-7, atol=1e-9)


Drawn = tuple[Step, float, float]
fraction = st.floats(0, 1, exclude_max=True)
drawn = st.lists(st.tuples(st.sampled_from(STEPS), fraction, fraction), max_size=5)


@pytest.mark.parametrize("weighted", [False, True])
@given(
    of_chunks=drawn, of_all=drawn, chunks=st.lists(st.integers(0, 60), min_size=2, max_size=5), seed=st.integers(0, 999)
)
@settings(max_examples=200)
def test_chains_of_chunks_and_of_all_so_far_give_what_lists_of_events_give(
    weighted: bool, of_chunks: list[Drawn], of_all: list[Drawn], chunks: list[int], seed: int
) -> None:
    source = Source(seed, weighted=weighted)
    total: tuple[EventWorkspace, Lists] | None = None
    for events in chunks:
        ws, lists = carried_out(of_chunks, *source.chunk(events))
        if total is not None:
            if seed % 3 == 0:  # somebody goes on from the same accumulation in another way
                other = alg.plus(total[0], alg.multiply(ws, 3.0))
                compare(other, unmasked(ws, total[1].plus(lists.times(3.0))))
            ws, lists = alg.plus(total[0], ws), unmasked(ws, total[1].plus(lists))
        total = ws, lists
        compare(*total)
        ws, lists = carried_out(of_all, total[0].clone(), total[1])
        compare(ws, lists)
        compare_lists(ws, lists, seed % ws.n_spectra)


def carried_out(chain: list[Drawn], ws: EventWorkspace, lists: Lists) -> tuple[EventWorkspace, Lists]:
    for step, a, b in chain:
        event(step.__name__)
        ws, lists = step(ws, lists, a, b)
    return ws, lists
