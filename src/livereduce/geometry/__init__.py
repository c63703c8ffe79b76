"""Where detectors are and what time of flight means there: definitions, NeXus geometry, units, calibration."""

from livereduce.geometry.components import Component
from livereduce.geometry.document import GeometryError
from livereduce.geometry.idf import find_definition, load_idf
from livereduce.geometry.instrument import Instrument, Move, instrument_from_flight_paths
from livereduce.geometry.nexus import load_nexus, load_nexus_structure

__all__ = [
    "Component",
    "GeometryError",
    "Instrument",
    "Move",
    "find_definition",
    "instrument_from_flight_paths",
    "load_idf",
    "load_nexus",
    "load_nexus_structure",
]
