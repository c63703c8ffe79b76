"""What flows through a reduction: event tables, workspaces, logs, and the store scripts find them in by name.

Covers the data model and its arithmetic of counting. Does not cover algorithms, file formats or where data come from.
"""

from livereduce.workspaces.axes import NumericAxis
from livereduce.workspaces.detectors import Detectors, Mapped, Spectra, SpectrumGeometry
from livereduce.workspaces.event_workspace import EventWorkspace
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.group import WorkspaceGroup
from livereduce.workspaces.histogram import HistogramWorkspace
from livereduce.workspaces.intervals import Intervals
from livereduce.workspaces.matrix import MatrixWorkspace
from livereduce.workspaces.operators import install_operator
from livereduce.workspaces.plan import LINEAR, Curve, Factors, Part, Plan
from livereduce.workspaces.run import Run
from livereduce.workspaces.scipp_exchange import from_scipp, is_data_array
from livereduce.workspaces.series import Property, TimeSeries
from livereduce.workspaces.spectrum_view import SpectrumInfo
from livereduce.workspaces.store import WorkspaceStore
from livereduce.workspaces.table import TableWorkspace
from livereduce.workspaces.workspace import Workspace

__all__ = [
    "LINEAR",
    "Curve",
    "Detectors",
    "EventTable",
    "EventWorkspace",
    "Factors",
    "HistogramWorkspace",
    "Intervals",
    "Mapped",
    "MatrixWorkspace",
    "NumericAxis",
    "Part",
    "Plan",
    "Property",
    "Run",
    "Spectra",
    "SpectrumGeometry",
    "SpectrumInfo",
    "TableWorkspace",
    "TimeSeries",
    "Workspace",
    "WorkspaceGroup",
    "WorkspaceStore",
    "from_scipp",
    "install_operator",
    "is_data_array",
]
