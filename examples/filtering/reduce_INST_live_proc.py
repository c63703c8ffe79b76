# Every chunk: only what was counted between 300 and 305 K. A value holds from its entry in the log to the next.
from mantid.simpleapi import *

warm = FilterByLogValue(
    InputWorkspace=input, LogName="SampleTemp", MinimumValue=300, MaximumValue=305, LogBoundary="Left"
)
output = Rebin(InputWorkspace=warm, Params="0,100,20000")
