"""The packets which tell a client where it is: beamline, run, geometry, pixel map, monitors."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from livereduce.protocols.adara import (
    BeamlineInfo,
    BeamMonitorConfig,
    Geometry,
    MonitorConfig,
    Packet,
    PixelList,
    PixelMappingAlt,
    PixelRange,
    RunInfo,
)
from livereduce.simulators.beamline import Beamline

DAS_VERSION = "livereduce simulator"


@dataclass(slots=True, eq=False)
class Run:
    """A run as the server knows it; ``start_ns`` is a whole second, as on the wire."""

    number: int
    start_ns: int
    begun_ns: int
    """When it really began, Unix ns."""
    title: str
    formula: str


def instrument_packets(beamline: Beamline, time_ns: int) -> tuple[Packet, ...]:
    """Geometry, pixel map and monitor configuration."""
    sections: list[PixelList | PixelRange] = []
    physical = 0
    for bank in beamline.banks:
        if not sections:  # the long form once; both are legal
            logical = np.arange(bank.first_id, bank.first_id + bank.size, dtype=np.uint32)
            sections.append(PixelList(physical, bank.number, logical))
        else:
            last = bank.first_id + bank.size - 1
            stop = physical + bank.size - 1
            sections.append(PixelRange(bank.number, bank.size, physical, stop, 1, bank.first_id, last, 1))
        physical += bank.size
    monitors = tuple(MonitorConfig(m.number, 0, 33_333, 1, m.z, format=1) for m in beamline.monitors)
    return (
        Geometry(time_ns, beamline.idf),
        PixelMappingAlt(time_ns, len(beamline.banks), tuple(sections)),
        BeamMonitorConfig(time_ns, monitors),
    )


def beamline_info(beamline: Beamline, time_ns: int) -> BeamlineInfo:
    """Names."""
    return BeamlineInfo(time_ns, beamline.beamline_id, beamline.short_name, beamline.name)


def run_info(beamline: Beamline, run: Run) -> RunInfo:
    """Say what the user office and the users told about the run."""
    xml = f"""<?xml version="1.0" encoding="UTF-8"?>
<runinfo xmlns="http://public.sns.gov/schema/runinfo.xsd">
  <das_version>{DAS_VERSION}</das_version>
  <facility_name>{escape(beamline.facility)}</facility_name>
  <instrument_name>{escape(beamline.name)}</instrument_name>
  <run_number>{run.number}</run_number>
  <users><user><name>Demo User</name><id>demo</id><role>principal investigator</role></user></users>
  <proposal_id>DEMO-0001</proposal_id>
  <proposal_title>Simulated experiment</proposal_title>
  <run_title>{escape(run.title)}</run_title>
  <sample><name>{escape(run.title)}</name><chemical_formula>{escape(run.formula)}</chemical_formula></sample>
</runinfo>"""
    return RunInfo(run.begun_ns, xml)
