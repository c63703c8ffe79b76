# All data so far: the pattern, and where the 220 line of silicon is.
from mantid.simpleapi import *

output = Rebin(InputWorkspace=input, Params="0.8,-0.001,3.4", PreserveEvents=False)

peak = Gaussian(PeakCentre=1.92, Sigma=0.005)
peak.constrain("1.90 < PeakCentre < 1.94")
fit = Fit(
    Function=peak + LinearBackground(),
    InputWorkspace=output,
    StartX=1.88,
    EndX=1.96,
    Output="peak",  # workspaces peak_Parameters and peak_Workspace: data, fitted curve, difference
)
if fit.OutputStatus == "success":
    centre = fit.OutputParameters.row(1)
    print(f"{centre['Name']} = {centre['Value']:.5f} +- {centre['Error']:.5f} A")
else:
    logger.warning(fit.OutputStatus)
