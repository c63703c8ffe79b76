"""Where detectors are and what time of flight means there: definitions, NeXus geometry, units, calibration."""

from livereduce.geometry.components import Component
from livereduce.geometry.document import GeometryError
from livereduce.geometry.idf import find_definition, load_idf
from livereduce.geometry.instrument import Instrument, instrument_from_flight_paths

__all__ = [
    "Component",
    "GeometryError",
    "Instrument",
    "find_definition",
    "instrument_from_flight_paths",
    "load_idf",
]
