# Runs after every chunk on all data so far; what `output` is at the end is the curve on the page.
from mantid.simpleapi import Rebin

# From 3.4 Å down: the lines 111, 220, 311, 400, 331, 422, 511, 440 and 531 of silicon.
# Try other bins, say "1.5,-0.0005,2", and save: the curve follows.
output = Rebin(InputWorkspace="accumulation", Params="0.9,-0.002,3.4")
