"""``mantid.api``: the store, the factories, and the kinds of workspaces."""

from livereduce.mantid.ads import AnalysisDataService, AnalysisDataServiceImpl, mtd
from livereduce.mantid.factories import TableFactory, WorkspaceFactory
from livereduce.mantid.file_finder import FileFinder
from livereduce.mantid.functions import FunctionFactory
from livereduce.mantid.managed import Algorithm, AlgorithmManager
from livereduce.workspaces import EventWorkspace as IEventWorkspace
from livereduce.workspaces import MatrixWorkspace, NumericAxis, Run, Workspace, WorkspaceGroup
from livereduce.workspaces import TableWorkspace as ITableWorkspace
from livereduce.workspaces.spectrum_view import SpectrumInfo

IAlgorithm = Algorithm

__all__ = [
    "Algorithm",
    "AlgorithmManager",
    "AnalysisDataService",
    "AnalysisDataServiceImpl",
    "FileFinder",
    "FunctionFactory",
    "IAlgorithm",
    "IEventWorkspace",
    "ITableWorkspace",
    "MatrixWorkspace",
    "NumericAxis",
    "Run",
    "SpectrumInfo",
    "TableFactory",
    "Workspace",
    "WorkspaceFactory",
    "WorkspaceGroup",
    "mtd",
]
