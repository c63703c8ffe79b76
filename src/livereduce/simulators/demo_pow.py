"""DEMO-POW, the simulated powder diffractometer: twenty panels from one table of positions and IDs.

Of the scale of a modern 60 m machine. The panels stand in three tiers, since side by side twenty of them do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livereduce.simulators.beamline import Bank, Beamline, Monitor, document, source_sample_monitors

L1 = 60.0
COLUMNS, ROWS = 154, 7
PIXEL_WIDTH, PIXEL_HEIGHT = 0.005, 0.0543
PANELS = 20
FIRST_ID_STEP = 15_000
TIER_HEIGHTS = (0.0, 0.45, -0.45)
MONITOR = Monitor(number=1, z=-1.5)
FREQUENCY = 60.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Where a panel's centre is (m) and how it is turned: first about y, then about its own x axis (degrees)."""

    bank: Bank
    centre: tuple[float, float, float]
    turn_y: float
    turn_x: float

    def positions(self) -> NDArray[np.float64]:
        """Centres of the pixels in m, float64[COLUMNS * ROWS, 3], in the order of their IDs (up first)."""
        x = (np.arange(COLUMNS) - (COLUMNS - 1) / 2) * PIXEL_WIDTH
        y = (np.arange(ROWS) - (ROWS - 1) / 2) * PIXEL_HEIGHT
        flat = np.stack([np.repeat(x, ROWS), np.tile(y, COLUMNS), np.zeros(COLUMNS * ROWS)], axis=1)
        return np.asarray(flat @ self.rotation().T + np.array(self.centre), dtype=np.float64)

    def rotation(self) -> NDArray[np.float64]:
        """Ry·Rx: the panel's axes in the laboratory, its z pointing away from the sample."""
        b, a = np.deg2rad(self.turn_y), np.deg2rad(self.turn_x)
        about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        return np.asarray(about_y @ about_x, dtype=np.float64)


def panels() -> list[Panel]:
    """Place the panels: centres at two-theta 20 to 160 degrees, L2 falling from 4.3 to 2.1 m, all on the +x side."""
    return [_panel(n) for n in range(PANELS)]


def _panel(n: int) -> Panel:
    two_theta = np.deg2rad(20.0 + 140.0 * n / (PANELS - 1))
    l2 = 4.3 - 2.2 * n / (PANELS - 1)
    y = TIER_HEIGHTS[n % len(TIER_HEIGHTS)]
    z = l2 * np.cos(two_theta)
    x = np.sqrt(l2**2 - y**2 - z**2)
    return Panel(
        bank=Bank(number=n + 1, first_id=FIRST_ID_STEP * (n + 1), size=COLUMNS * ROWS),
        centre=(round(float(x), 6), y, round(float(z), 6)),
        turn_y=round(float(np.rad2deg(np.arctan2(x, z))), 6),
        turn_x=round(float(-np.rad2deg(np.arcsin(y / l2))), 6),
    )


def idf() -> str:
    """Instrument definition of DEMO-POW."""
    lines = [
        f'  <type name="panel" is="rectangular_detector" type="pixel" xpixels="{COLUMNS}" '
        f'xstart="{-(COLUMNS - 1) / 2 * PIXEL_WIDTH:.6g}" xstep="{PIXEL_WIDTH}" ypixels="{ROWS}" '
        f'ystart="{-(ROWS - 1) / 2 * PIXEL_HEIGHT:.6g}" ystep="{PIXEL_HEIGHT}"/>',
        '  <type name="pixel" is="detector"/>',
    ]
    for panel in panels():
        x, y, z = panel.centre
        lines += [
            f'  <component type="panel" idstart="{panel.bank.first_id}" idfillbyfirst="y" idstepbyrow="{ROWS}">',
            f'    <location name="bank{panel.bank.number}" x="{x}" y="{y}" z="{z}">',
            f'      <rot val="{panel.turn_y}" axis-x="0" axis-y="1" axis-z="0">',
            f'        <rot val="{panel.turn_x}" axis-x="1" axis-y="0" axis-z="0"/>',
            "      </rot>",
            "    </location>",
            "  </component>",
        ]
    return document("DEMO-POW", source_sample_monitors(-L1, (MONITOR,)) + "\n".join(lines) + "\n")


def beamline() -> Beamline:
    """Describe DEMO-POW as the stream does."""
    banks = tuple(panel.bank for panel in panels())
    return Beamline(
        name="DEMO-POW",
        short_name="DPOW",
        beamline_id="BL99",
        facility="simulated",
        idf=idf(),
        ids=np.concatenate([np.arange(b.first_id, b.first_id + b.size) for b in banks]),
        banks=banks,
        monitors=(MONITOR,),
        frequency=FREQUENCY,
    )


def positions() -> NDArray[np.float64]:
    """Pixel centres in m, float64[21560, 3], in the order of `Beamline.ids`."""
    return np.concatenate([panel.positions() for panel in panels()])


def solid_angles() -> NDArray[np.float64]:
    """Solid angle of each pixel seen from the sample, sr."""
    area = PIXEL_WIDTH * PIXEL_HEIGHT
    pieces = []
    for panel in panels():
        position = panel.positions()
        distance = np.linalg.norm(position, axis=1)
        cosine = position @ panel.rotation()[:, 2] / distance
        pieces.append(area * cosine / distance**2)
    return np.concatenate(pieces)


def tube_end_shading() -> NDArray[np.float64]:
    """Relative efficiency along a tube: the two outer rows of a panel lose 30 %."""
    row = np.ones(ROWS)
    row[[0, -1]] = 0.7
    return np.tile(row, COLUMNS * PANELS)
