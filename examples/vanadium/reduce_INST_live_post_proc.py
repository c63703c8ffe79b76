# All data so far, less the empty container, divided by vanadium. Both are files of SaveNexus beside this script.
import os

from mantid.simpleapi import *

for name in ("container", "vanadium"):
    if not mtd.doesExist(name):  # read once; it stays until the run is read again
        LoadNexusProcessed(Filename=os.path.join(os.path.dirname(__file__), name + ".nxs"), OutputWorkspace=name)

counts = Rebin(InputWorkspace=input, Params="1,0.1,3", PreserveEvents=False)
sample = NormaliseByCurrent(InputWorkspace=counts)
container = NormaliseByCurrent(InputWorkspace="container", OutputWorkspace="container_per_charge")
vanadium = NormaliseByCurrent(InputWorkspace="vanadium", OutputWorkspace="vanadium_per_charge")

ratio = (sample - container) / (vanadium - container)
output = ReplaceSpecialValues(InputWorkspace=ratio, NaNValue=0, InfinityValue=0)
