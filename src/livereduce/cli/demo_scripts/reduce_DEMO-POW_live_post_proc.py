# Runs on the accumulation after every chunk. Try another bin width and save: the curve follows.
from mantid.simpleapi import Rebin

output = Rebin(InputWorkspace="accumulation", Params="14000,50,34000")
