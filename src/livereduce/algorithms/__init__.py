"""Algorithms on workspaces, each declared once and used three ways: from Python, from scripts, on its reference page.

``from livereduce.algorithms import rebin`` gives the function that takes and returns objects. Importing this package
registers all of them (see `declaration`), which is what makes them known to scripts and to ``livereduce algorithms``.
"""

from livereduce.algorithms.arithmetic import divide, minus, multiply, plus, power, scale
from livereduce.algorithms.binning import rebin, rebin_to_workspace
from livereduce.algorithms.creating import (
    add_sample_log,
    create_empty_table_workspace,
    create_single_valued_workspace,
    create_workspace,
)
from livereduce.algorithms.naming import (
    clone_workspace,
    delete_workspace,
    delete_workspaces,
    group_workspaces,
    rename_workspace,
    un_group_workspace,
)
from livereduce.algorithms.sample import create_sample_workspace
from livereduce.algorithms.spectra import (
    append_spectra,
    conjoin_workspaces,
    extract_single_spectrum,
    sum_spectra,
    transpose,
)

__all__ = [
    "add_sample_log",
    "append_spectra",
    "clone_workspace",
    "conjoin_workspaces",
    "create_empty_table_workspace",
    "create_sample_workspace",
    "create_single_valued_workspace",
    "create_workspace",
    "delete_workspace",
    "delete_workspaces",
    "divide",
    "extract_single_spectrum",
    "group_workspaces",
    "minus",
    "multiply",
    "plus",
    "power",
    "rebin",
    "rebin_to_workspace",
    "rename_workspace",
    "scale",
    "sum_spectra",
    "transpose",
    "un_group_workspace",
]
