# All data so far, in files that other programs read; each save replaces the one before.
import os

from mantid.simpleapi import *

folder = os.path.join(os.path.dirname(__file__), "results")
os.makedirs(folder, exist_ok=True)
base = os.path.join(folder, f"run_{input.getRunNumber()}")

output = Rebin(InputWorkspace=input, Params="0,100,20000", PreserveEvents=False)
SaveNexus(InputWorkspace=output, Filename=base + ".nxs")
SaveAscii(InputWorkspace=output, Filename=base + ".txt", Separator="Tab")
SavePlot1D(InputWorkspace=output, OutputFilename=base + ".png")  # needs matplotlib
