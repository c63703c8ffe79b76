"""``mantid.dataobjects``: the classes scripts test workspaces against."""

from livereduce.workspaces import EventWorkspace, TableWorkspace
from livereduce.workspaces import HistogramWorkspace as Workspace2D
from livereduce.workspaces.event_list import EventList

__all__ = ["EventList", "EventWorkspace", "TableWorkspace", "Workspace2D"]
