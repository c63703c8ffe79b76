"""What users' scripts import as ``mantid``: Mantid's names for livereduce's algorithms, workspaces and logs.

Covers what live-reduction scripts use (``simpleapi``, ``kernel``, ``api``, ``dataobjects``). Does not cover user
interfaces, or algorithms and fitting functions written by users as classes. `finder` makes ``import mantid``
mean this package; without it, ``from livereduce.mantid.simpleapi import Rebin`` does the same.
"""

from livereduce.mantid import api, dataobjects, kernel, live_data, simpleapi
from livereduce.mantid.ads import AnalysisDataService, mtd
from livereduce.mantid.config import ConfigService, config
from livereduce.mantid.kernel import PropertyManagerDataService
from livereduce.mantid.logger import Logger, logger
from livereduce.mantid.simpleapi import script_names

# Scripts compare it with the version from which something works; this is the Mantid whose behaviour is followed.
__version__ = "6.13.0"

__all__ = [
    "AnalysisDataService",
    "ConfigService",
    "Logger",
    "PropertyManagerDataService",
    "api",
    "config",
    "dataobjects",
    "kernel",
    "live_data",
    "logger",
    "mtd",
    "script_names",
    "simpleapi",
]
