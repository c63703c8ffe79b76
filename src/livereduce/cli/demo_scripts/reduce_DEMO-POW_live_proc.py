# Runs on every chunk of new data. `input` is the chunk, `output` becomes what is accumulated.
from mantid.simpleapi import Rebin, SumSpectra

output = SumSpectra(InputWorkspace=input)
output = Rebin(InputWorkspace=output, Params="14000,20,34000")
