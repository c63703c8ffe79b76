# Every chunk: one spectrum on fixed bins.
from mantid.simpleapi import *

binned = Rebin(InputWorkspace=input, Params="0,100,20000")
output = SumSpectra(InputWorkspace=binned)
