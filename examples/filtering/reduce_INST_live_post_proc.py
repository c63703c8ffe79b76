# All that was kept: the charge is that of the time kept, so dividing by it stays right.
from mantid.simpleapi import *

if input.getRun().getProtonCharge() == 0:  # not warm yet
    return
temperature = input.getRun().getProperty("SampleTemp")
print(f"{input.getNumberEvents():.0f} events at {temperature.value.min():.1f} to {temperature.value.max():.1f} K")
per_charge = NormaliseByCurrent(InputWorkspace=input)
output = SumSpectra(InputWorkspace=per_charge)
