# Every chunk: fit the chunk alone and write down where the line is now. The table stays in `mtd` between calls.
from mantid.simpleapi import *

in_d = ConvertUnits(InputWorkspace=input, Target="dSpacing")
binned = Rebin(InputWorkspace=in_d, Params="1.8,0.001,2.2")
output = SumSpectra(InputWorkspace=binned)

if not mtd.doesExist("centres"):
    centres = CreateEmptyTableWorkspace(OutputWorkspace="centres")
    for kind, name in (("int", "run"), ("double", "seconds"), ("double", "centre"), ("double", "error")):
        centres.addColumn(kind, name)
centres = mtd["centres"]
if centres.rowCount() and centres.cell("run", 0) != input.getRunNumber():
    centres.setRowCount(0)  # a new run

if output.readY(0).sum() > 100:  # fewer counts are no peak
    fit = Fit(Function="name=Gaussian;name=FlatBackground", InputWorkspace=output, Output="peak")
    if fit.OutputStatus == "success":
        run = input.getRun()
        seconds = (run.endTime() - run.startTime()).total_seconds()  # from the start of the run to the newest pulse
        centre = fit.OutputParameters.row(1)
        centres.addRow([input.getRunNumber(), seconds, centre["Value"], centre["Error"]])
