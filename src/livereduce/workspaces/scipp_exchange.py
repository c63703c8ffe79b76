"""To scipp and back, where scipp is installed: an optional extra, not imported before anybody asks for it.

How is said in `scipp_export` and `scipp_import`, which do import it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import scipp as sc

    from livereduce.workspaces.event_workspace import EventWorkspace
    from livereduce.workspaces.histogram import HistogramWorkspace
    from livereduce.workspaces.matrix import MatrixWorkspace


def is_data_array(value: object) -> bool:
    """Tell whether a value is a scipp DataArray."""
    scipp = sys.modules.get("scipp")
    return scipp is not None and isinstance(value, scipp.DataArray)


def to_scipp(ws: MatrixWorkspace, *, events: bool = False) -> sc.DataArray:
    """Return a workspace as a scipp DataArray; see `MatrixWorkspace.to_scipp`."""
    _need_scipp()
    from livereduce.workspaces.scipp_export import exported

    return exported(ws, events=events)


def from_scipp(data: sc.DataArray) -> HistogramWorkspace | EventWorkspace:
    """Return a scipp DataArray as a workspace.

    X is the inner dimension or another one that has a coordinate of a name scippneutron knows (``tof``,
    ``wavelength``, ``dspacing``, ``Q``, ``energy``, ``energy_transfer``), whose unit is converted to that of
    ConvertUnits; X of another name keeps its unit. Every element of the other dimensions is a spectrum.

    Masked values become zero, as MaskDetectors and MaskBins make them. Without variances errors are zero. Counts per X,
    and values in bins that are dimensionless, are a distribution: rebinning averages them. Scalar coordinates become
    logs, the name the title; ``spectrum``, ``detector_id`` (or ``detector_number``), ``L1``, ``L2`` and ``two_theta``
    say what the spectra are.

    Events stay events. They have their times of flight to the nanosecond, another X to 3e-10 of its range; without
    ``pulse_time`` (or ``event_time_zero``) they all belong to one pulse, in 1970. Weights are kept in float32, with
    their variances: without, events of weight 1 are counts, and others have no errors. Where masks cover bins, events
    are summed up.

    Raises
    ------
    TypeError
        It is no DataArray.
    ValueError
        It has nothing that could be X, or values a workspace cannot hold; the message says what to do.
    """
    _need_scipp()
    if not is_data_array(data):
        raise TypeError(f"expected a scipp DataArray, found {type(data).__name__}")
    from livereduce.workspaces.scipp_import import imported

    return imported(data)


def _need_scipp() -> None:
    try:
        import scipp  # noqa: F401
    except ImportError:
        raise ImportError(
            "scipp is not installed, and it takes scipp to exchange data with it: pip install 'livereduce[scipp]'"
        ) from None
