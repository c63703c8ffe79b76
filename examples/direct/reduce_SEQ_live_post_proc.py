# All data so far: the incident energy from the monitors, then counts against the energy the sample took.
from mantid.simpleapi import *

guess = 25.0  # meV; or the chopper's log: input.getRun().getProperty("EnergyRequest").value[-1]
try:
    found = GetEi(InputWorkspace=input.getMonitorWorkspace(), Monitor1Spec=1, Monitor2Spec=2, EnergyEstimate=guess)
    energy = round(found.IncidentEnergy, 2)  # so that it soon stays the same, and only new events have to be counted
except (RuntimeError, ValueError) as problem:  # too few counts in the monitors yet
    logger.warning(str(problem))
    energy = guess
print(f"incident energy {energy:.3f} meV")

transfer = ConvertUnits(InputWorkspace=input, Target="DeltaE", EMode="Direct", EFixed=energy)
bins = [-0.5 * energy, 0.01 * energy, 0.95 * energy]
binned = Rebin(InputWorkspace=transfer, Params=bins, PreserveEvents=False)
output = SumSpectra(InputWorkspace=binned)
