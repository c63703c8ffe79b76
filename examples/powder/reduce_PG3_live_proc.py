# Every chunk: times of flight become lattice spacings (d), then all detectors are summed.
from mantid.simpleapi import *

# With a calibration add CalFileName="/path/to/calibration.h5". For a spectrum of each bank add GroupFilename and leave
# SumSpectra out.
focused = AlignAndFocusPowder(InputWorkspace=input, Params="0.8,-0.001,3.4")
output = SumSpectra(InputWorkspace=focused)
