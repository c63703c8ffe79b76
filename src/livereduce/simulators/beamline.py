"""What the outside is told of a simulated instrument: names, detector IDs, banks, monitors, geometry as an IDF text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bank:
    """A run of consecutive detector IDs that the data acquisition treats as one."""

    number: int
    first_id: int
    size: int


@dataclass(frozen=True, slots=True)
class Monitor:
    """A beam monitor; its detector ID is minus its number, as in every SNS instrument definition."""

    number: int
    z: float
    """m, along the beam from the sample."""


@dataclass(frozen=True, slots=True)
class Beamline:
    """One instrument as the stream describes it.

    Attributes
    ----------
    name, short_name, beamline_id, facility : str
    idf : str
        Instrument definition file.
    ids : int64[n]
        Detector ID of each detector, bank after bank.
    banks : tuple of Bank
    monitors : tuple of Monitor
    frequency : float
        Pulses a second.
    """

    name: str
    short_name: str
    beamline_id: str
    facility: str
    idf: str
    ids: NDArray[np.int64]
    banks: tuple[Bank, ...]
    monitors: tuple[Monitor, ...]
    frequency: float


def document(name: str, body: str) -> str:
    """Wrap components into a complete IDF: metres, degrees, beam along z, y up."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name="{name}" valid-from="1990-01-01 00:00:00">
  <defaults>
    <length unit="meter"/>
    <angle unit="degree"/>
    <reference-frame>
      <along-beam axis="z"/>
      <pointing-up axis="y"/>
      <handedness val="right"/>
    </reference-frame>
  </defaults>
{body}</instrument>
"""


def source_sample_monitors(source_z: float, monitors: tuple[Monitor, ...]) -> str:
    """IDF of what stands in the beam; z in m."""
    lines = [
        '  <component type="moderator">',
        f'    <location z="{source_z!r}"/>',
        "  </component>",
        '  <type name="moderator" is="Source"/>',
        '  <component type="sample-position">',
        "    <location/>",
        "  </component>",
        '  <type name="sample-position" is="SamplePos"/>',
    ]
    if monitors:
        lines += ['  <component type="monitors" idlist="monitors">', "    <location/>", "  </component>"]
        lines += ['  <type name="monitors">', '    <component type="monitor">']
        lines += [f'      <location z="{m.z!r}" name="monitor{m.number}"/>' for m in monitors]
        lines += ["    </component>", "  </type>", '  <type name="monitor" is="monitor"/>']
        lines += ['  <idlist idname="monitors">', *(f'    <id val="{-m.number}"/>' for m in monitors), "  </idlist>"]
    return "\n".join(lines) + "\n"
