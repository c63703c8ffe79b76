# All data so far, three ways to see whether the beam or the sample has changed.
from mantid.simpleapi import *

run = input.getRun()
charge = run.getProtonCharge()  # uA h of the pulses that are in
seconds = run.getProperty("duration").value  # time in which data were taken: from the first pulse on, without pauses
if charge == 0 or seconds == 0:
    output = input
    return

per_charge = NormaliseByCurrent(InputWorkspace=input)  # the same as input / charge, with its unit
per_second = input / seconds
monitors = input.getMonitorWorkspace()
if monitors is not None:
    monitored = Integration(InputWorkspace=monitors, StoreInADS=False).readY(0)[0]
    if monitored:
        per_monitor_count = input / float(monitored)
output = per_charge
