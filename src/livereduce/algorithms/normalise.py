"""Normalisation by what the accelerator delivered."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.arithmetic import divide
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.values import to_numbers
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
    periods = _present(run, "nperiods") if "nperiods" in run else 1
    if periods > 1:
        if "proton_charge_by_period" not in run or "current_period" not in run:
            raise RuntimeError(f"there are {periods} periods, but no logs proton_charge_by_period and current_period")
        charges = to_numbers(run["proton_charge_by_period"].value)
        period = _present(run, "current_period")
        if not 1 <= period <= len(charges):
            raise RuntimeError(
                f"the log current_period is {period}; expected one of the {len(charges)} of proton_charge_by_period"
            )
        return float(charges[period - 1])
    return run.integrateProtonCharge() if recalculate else run.getProtonCharge()


def _present(run: Run, name: str) -> int:
    """Value of a log; of a series, the last."""
    return int(to_numbers(run[name].value)[-1])
