# All data so far: totals of detector and monitors beside the accelerator's charge, printed and in a table.
from mantid.simpleapi import *

run = input.getRun()
counts = {"detector": input.readY(0).sum()}
monitors = input.getMonitorWorkspace()
if monitors is not None:
    for i in range(monitors.getNumberHistograms()):
        counts[f"monitor {i + 1}"] = Integration(InputWorkspace=monitors, StoreInADS=False).readY(i)[0]
charge = run.getProtonCharge()  # uA h

table = CreateEmptyTableWorkspace(OutputWorkspace="totals")
table.addColumn("str", "what")
table.addColumn("double", "counts")
table.addColumn("double", "counts per uA h")
for what, number in counts.items():
    table.addRow([what, number, number / charge if charge else 0.0])
    print(f"run {input.getRunNumber()}: {what} {number:.0f} counts")

output = input
