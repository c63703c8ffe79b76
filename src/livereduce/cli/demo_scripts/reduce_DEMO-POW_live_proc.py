# Runs on every chunk of new data: `input` is the chunk, and what `output` is at the end is added to the accumulation.
from mantid.simpleapi import ConvertUnits, Rebin, SumSpectra

# Each of the 21560 detectors sees a Bragg line of the sample at a time of flight of its own. In lattice spacing (d, in
# Å) the line is at the same place in all of them, so they can be summed.
output = ConvertUnits(InputWorkspace=input, Target="dSpacing")
output = Rebin(InputWorkspace=output, Params="0.5,-0.001,3.5")  # a negative step is relative: bins 0.1 % wide
output = SumSpectra(InputWorkspace=output)

# The events are still there, each at its exact d: the other script can bin them anew.
