"""CreateSampleWorkspace: data with a known shape on a small instrument, for trying things out."""

from __future__ import annotations

import re
from typing import Literal
from xml.sax.saxutils import quoteattr

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.fitting.functions import evaluated
from livereduce.geometry import Instrument, load_idf
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
)
from livereduce.workspaces.arrays import F64, I64
from livereduce.workspaces.axes import unit

# $PCk$ stands for X at k tenths of the bins. Peaks and their values as in Mantid, which tests are written against.
_POWDER = [
    (0.584528, 14.3772), (1.33361, 15.2516), (1.74691, 15.8395), (0.950388, 19.8408), (1.92185, 18.0844),
    (3.64069, 19.2404), (2.8998, 21.1127), (2.05237, 21.9932), (8.40976, 25.2751),
]  # fmt: skip
_TUNNELLING = [(1, 0.1, 5), (0.04, 0.05, 7), (0.04, 0.05, 3), (0.02, 0.05, 8), (0.02, 0.05, 2)]
_FUNCTIONS = {
    "One Peak": "name=LinearBackground,A0=0.3;name=Gaussian,PeakCentre=$PC5$,Height=10,Sigma=0.7",
    "Multiple Peaks": "name=LinearBackground,A0=0.3;name=Gaussian,PeakCentre=$PC3$,Height=10,Sigma=0.7;"
    "name=Gaussian,PeakCentre=$PC6$,Height=8,Sigma=0.5",
    "Flat background": "name=LinearBackground,A0=1",
    "Exp Decay": "name=ExpDecay,Height=100,Lifetime=1000",
    "Powder Diffraction": "name=LinearBackground,A0=0.0850208,A1=-4.89583e-06;"
    + ";".join(f"name=Gaussian,Height={h},PeakCentre=$PC{k + 1}$,Sigma={s}" for k, (h, s) in enumerate(_POWDER)),
    "Quasielastic": "name=Lorentzian,FWHM=0.3,PeakCentre=$PC5$,Amplitude=0.8;"
    "name=Lorentzian,FWHM=0.1,PeakCentre=$PC5$,Amplitude=1;name=LinearBackground,A0=0.1",
    "Quasielastic Tunnelling": "name=LinearBackground,A0=0.1;"
    + ";".join(f"name=Lorentzian,Amplitude={a},FWHM={w},PeakCentre=$PC{k}$" for a, w, k in _TUNNELLING),
}
_START_NS = int(np.datetime64("2010-01-01T00:00:00", "ns").astype(np.int64))
_PULSES = 3600
_SECOND_NS = 1_000_000_000


@algorithm("CreateSampleWorkspace", names={"x_unit": "XUnit"})
def create_sample_workspace(
    workspace_type: Literal["Histogram", "Event"] = "Histogram",
    function: Literal[
        "One Peak",
        "Multiple Peaks",
        "Flat background",
        "Exp Decay",
        "Powder Diffraction",
        "Quasielastic",
        "Quasielastic Tunnelling",
        "User Defined",
    ] = "One Peak",
    user_defined_function: str = "",
    x_unit: str = "TOF",
    x_min: float = 0.0,
    x_max: float = 20000.0,
    bin_width: float = 200.0,
    num_events: int = 1000,
    random: bool = False,
    instrument_name: str = "basic_rect",
    num_banks: int = 2,
    num_monitors: int = 0,
    bank_pixel_width: int = 10,
    pixel_spacing: float = 0.008,
    bank_distance_from_sample: float = 5.0,
    source_distance_from_sample: float = 10.0,
) -> MatrixWorkspace:
    """Make a workspace whose spectra all follow a function, on square banks standing behind each other.

    Parameters
    ----------
    workspace_type
        Histogram, or events spread over the bins in proportion to the function.
    function
        What the spectra look like; its value at the lower edge of a bin is the bin's.
    user_defined_function
        With ``User Defined``: text such as ``name=Gaussian,Height=5,PeakCentre=$PC5$,Sigma=300``; $PC0$ to $PC10$ are X
        at so many tenths of the bins.
    x_unit
        Unit of X.
    x_min, x_max, bin_width
        Bins.
    num_events
        Events per spectrum.
    random
        Whether to add noise, different every time; without, the same call gives the same data.
    instrument_name
        Name of the instrument.
    num_banks, bank_pixel_width
        Number of banks and of pixels along each side of one; IDs count from the number of pixels of a bank on.
    num_monitors
        Number of monitors, which are the first spectra; they stand in the beam between the banks.
    pixel_spacing
        Distance between pixels, m; a bank's corner is in the beam.
    bank_distance_from_sample
        Distance of the first bank from the sample, and between banks, m.
    source_distance_from_sample
        Primary flight path, m.
    """
    if x_max <= x_min or bin_width <= 0:
        raise ValueError(f"XMax ({x_max:g}) must be above XMin ({x_min:g}), and BinWidth ({bin_width:g}) above 0")
    if not np.isfinite([x_min, x_max, bin_width]).all():
        raise ValueError(f"XMin, XMax and BinWidth must be finite, found {x_min:g}, {x_max:g} and {bin_width:g}")
    for name, number, least in (
        ("NumEvents", num_events, 0),
        ("NumBanks", num_banks, 1),
        ("NumMonitors", num_monitors, 0),
        ("BankPixelWidth", bank_pixel_width, 1),
    ):
        if number < least:
            raise ValueError(f"{name}: expected {least} or more, found {number}")
    x_unit = unit(x_unit).id
    width = min(bin_width, x_max - x_min)
    edges = x_min + width * np.arange(int((x_max - x_min) / width) + 1, dtype=np.float64)
    noise = np.random.default_rng(None if random else 0)
    y = _values(function, user_defined_function, edges[:-1])
    if random:
        y = np.abs(y + noise.uniform(-0.5, 0.5, y.shape))
    instrument = basic_instrument(
        instrument_name,
        num_banks,
        bank_pixel_width,
        num_monitors,
        pixel_spacing=pixel_spacing,
        bank_distance=bank_distance_from_sample,
        l1=source_distance_from_sample,
    )
    detectors = Detectors.from_instrument(instrument)
    spectra = Spectra(np.arange(1, len(detectors) + 1), detectors.ids)
    run = Run({"run_start": "2010-01-01T00:00:00", "run_end": "2010-01-01T01:00:00"})
    if workspace_type == "Event":
        share = y / y.sum() if y.any() else y
        plan, times, gap = Plan(len(detectors)), edges, 0
        if x_unit != "TOF":  # a bin is 1000 ticks, and none is on an edge, which rounding could put into the bin before
            plan, times, gap = (
                plan.in_unit(x_unit, [width / 100], [x_min]),
                100 * np.arange(len(edges), dtype=np.float64),
                1,
            )
        table = _event_table(len(detectors), times, num_events * share, noise, gap)
        parts = [Part(table, 0, table.n, plan)]
        return EventWorkspace(parts, detectors, run, edges=edges, spectra=spectra, title="Test Workspace")
    rows = np.tile(y, (len(detectors), 1))
    return HistogramWorkspace(
        edges, rows, rows.copy(), detectors=detectors, spectra=spectra, run=run, title="Test Workspace", unit=x_unit
    )


def _values(function: str, user_defined: str, x: F64) -> F64:
    text = user_defined if function == "User Defined" else _FUNCTIONS[function]
    places = [x[min(len(x) // 10 * k, len(x) - 1)] for k in range(10)]
    places.append(x[max(len(x) // 10 * 10 - 1, 0)])
    text = re.sub(r"\$PC(10|\d)\$", lambda match: repr(float(places[int(match[1])])), text)
    return np.abs(evaluated(text, x))


def _event_table(n_pixels: int, edges: F64, events_per_bin: F64, noise: np.random.Generator, gap: int) -> EventTable:
    """Table of whole numbers of events per pixel and bin, spread evenly over an hour of pulses, and over the bin.

    Of a bin the first ticks, as many as `gap`, are left out.
    """
    counts: I64 = events_per_bin.astype(np.int64)
    bins = np.tile(np.repeat(np.arange(len(counts)), counts), n_pixels)
    pix = np.repeat(np.arange(n_pixels, dtype=np.int32), counts.sum())
    tof = edges[bins] + noise.random(len(bins)) * (edges[bins + 1] - edges[bins])
    zero = max(0, int(np.ceil(-edges[0] * 10)))  # ticks of 0.1 µs before time zero
    table = EventTable(n_pixels, tick_ns=100, zero_ticks=zero)
    # a tick counts from its lower end, so rounding up could cross the upper edge: cut off instead
    ticks = np.floor(tof * 10).astype(np.int64) + zero
    lowest = np.ceil(edges[bins] * 10).astype(np.int64) + zero + gap
    pulse = np.sort(noise.integers(0, _PULSES, len(bins)))
    shuffled = noise.permutation(len(bins))
    start = np.searchsorted(pulse, np.arange(_PULSES + 1))
    table.append(
        np.maximum(ticks, lowest)[shuffled].astype(np.uint32),
        pix[shuffled],
        _START_NS + _SECOND_NS * np.arange(_PULSES),
        start,
        np.zeros(_PULSES),
    )
    return table


def basic_instrument(
    name: str, banks: int, width: int, monitors: int, *, pixel_spacing: float, bank_distance: float, l1: float
) -> Instrument:
    """Instrument of square banks along the beam, each with a corner in it; see `create_sample_workspace`."""
    panels = "".join(
        f'<component type="panel" name="bank{b}" idstart="{b * width**2}" idfillbyfirst="y" idstepbyrow="{width}">'
        f'<location z="{bank_distance * b}"/></component>'
        for b in range(1, banks + 1)
    )
    places = "".join(f'<location name="monitor{m + 1}" z="{bank_distance * (m + 0.5)}"/>' for m in range(monitors))
    first = (banks + 1) * width**2
    beam_monitors = (
        f'<component type="monitor" idlist="monitors">{places}</component><type name="monitor" is="monitor"/>'
        f'<idlist idname="monitors"><id start="{first}" end="{first + monitors - 1}"/></idlist>'
    )
    grid = " ".join(f'{a}pixels="{width}" {a}start="0" {a}step="{pixel_spacing}"' for a in "xy")
    return load_idf(
        f"<instrument name={quoteattr(name)}><defaults>"
        '<length unit="meter"/><angle unit="degree"/><reference-frame>'
        '<along-beam axis="z"/><pointing-up axis="y"/><handedness val="right"/></reference-frame></defaults>'
        f'<component type="moderator"><location z="{-l1}"/></component><type name="moderator" is="Source"/>'
        '<component type="sample"><location/></component><type name="sample" is="SamplePos"/>'
        f"{beam_monitors if monitors else ''}{panels}"
        f'<type name="panel" is="RectangularDetector" type="pixel" {grid}/><type name="pixel" is="detector"/>'
        "</instrument>"
    )
