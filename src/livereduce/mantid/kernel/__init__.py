"""``mantid.kernel``: loggers, configuration, times, property types, vectors."""

from livereduce.algorithms.property_manager import PropertyManager, property_managers
from livereduce.algorithms.values import EMPTY_DBL, EMPTY_INT, EMPTY_LONG
from livereduce.mantid.config import ConfigService, ConfigServiceImpl, FacilityInfo, InstrumentInfo, config
from livereduce.mantid.kernel import funcinspect
from livereduce.mantid.logger import Logger, logger
from livereduce.mantid.types import (
    V3D,
    BoolTimeSeriesProperty,
    Direction,
    FloatTimeSeriesProperty,
    Int32TimeSeriesProperty,
    Int64TimeSeriesProperty,
    Property,
    StringTimeSeriesProperty,
    TimeSeriesProperty,
)
from livereduce.mantid.units import DeltaEModeType, UnitConversion
from livereduce.workspaces.times import DateAndTime

PropertyManagerDataService = property_managers

__all__ = [
    "EMPTY_DBL",
    "EMPTY_INT",
    "EMPTY_LONG",
    "V3D",
    "BoolTimeSeriesProperty",
    "ConfigService",
    "ConfigServiceImpl",
    "DateAndTime",
    "DeltaEModeType",
    "Direction",
    "FacilityInfo",
    "FloatTimeSeriesProperty",
    "InstrumentInfo",
    "Int32TimeSeriesProperty",
    "Int64TimeSeriesProperty",
    "Logger",
    "Property",
    "PropertyManager",
    "PropertyManagerDataService",
    "StringTimeSeriesProperty",
    "TimeSeriesProperty",
    "UnitConversion",
    "config",
    "funcinspect",
    "logger",
]
