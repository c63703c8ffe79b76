"""Normalisation by what the accelerator delivered."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.arithmetic import divide
from livereduce.algorithms.declaration import algorithm
from livereduce.workspaces import MatrixWorkspace, Run


@algorithm("NormaliseByCurrent", names={"recalculate_charge": "RecalculatePCharge"})
def normalise_by_current(ws: MatrixWorkspace, recalculate_charge: bool = False) -> MatrixWorkspace:
    """Divide values and errors by the good proton charge in microampere hours. Events stay events.

    The charge goes into the log NormalizationFactor. With several periods it is that of the present one.

    Parameters
    ----------
    recalculate_charge
        Whether to integrate the series proton_charge, whatever the source stated as the good charge.
    """
    charge = _charge(ws.getRun().clone(), recalculate_charge)
    if not charge > 0 or not np.isfinite(charge):
        raise RuntimeError(
            f"the proton charge is {charge:g} uA h (logs gd_prtn_chrg, proton_charge); there is nothing to divide by"
        )
    result = divide(ws, charge)
    if recalculate_charge:
        result.getRun().integrateProtonCharge()
    result.getRun().set("NormalizationFactor", charge, "uAh")
    result.setYUnitLabel("Counts per microAmp.hour")
    return result


def _charge(run: Run, recalculate: bool) -> float:
    periods = int(float(run["nperiods"].value)) if "nperiods" in run else 1
    if periods > 1:
        if "proton_charge_by_period" not in run or "current_period" not in run:
            raise RuntimeError(f"there are {periods} periods, but no logs proton_charge_by_period and current_period")
        charges = np.atleast_1d(run["proton_charge_by_period"].value)
        return float(charges[int(float(run["current_period"].value)) - 1])
    return run.integrateProtonCharge() if recalculate else run.getProtonCharge()
