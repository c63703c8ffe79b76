# All data so far as an interactive plot: an HTML <div> for the facility's web monitor.
from finddata.publish_plot import publish_plot
from mantid.simpleapi import *

output = Rebin(InputWorkspace=input, Params="0,100,20000", PreserveEvents=False)
div = SavePlot1D(InputWorkspace=output, OutputType="plotly", XLabel="time of flight (us)", SpectraNames="all detectors")
answer = publish_plot("INST", input.getRunNumber(), files={"file": div})
if answer.status_code != 200:
    logger.warning(answer.text)
