# Every chunk: lattice spacings of all detectors, summed, on the bins of the files.
from mantid.simpleapi import *

in_d = ConvertUnits(InputWorkspace=input, Target="dSpacing")
binned = Rebin(InputWorkspace=in_d, Params="1,0.1,3")
output = SumSpectra(InputWorkspace=binned)
