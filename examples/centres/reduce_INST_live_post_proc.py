# After every chunk: the table as a curve, centre against time, which the page shows.
from mantid.simpleapi import *

if not mtd.doesExist("centres") or not mtd["centres"].rowCount():
    return
table = mtd["centres"]
output = CreateWorkspace(
    DataX=table.column("seconds"),
    DataY=table.column("centre"),
    DataE=table.column("error"),
    YUnitLabel="d-spacing of the line (A)",
)
