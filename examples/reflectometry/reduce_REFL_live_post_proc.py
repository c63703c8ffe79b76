# All data so far: the reflected beam's rows less the rows below it, against momentum transfer.
from mantid.simpleapi import *

size = {"NXPixel": 6, "NYPixel": 10}  # of the whole detector; pixel (x, y) is spectrum x * NYPixel + y
columns = {"XPixelMin": 1, "XPixelMax": 4}
angle = input.getRun().getProperty("thi").value[-1]  # degrees


def region(name, low, high):
    """Sum of the rows from low to high, both included, within the columns; each under a name of its own."""
    return RefRoi(
        InputWorkspace=input,
        OutputWorkspace=name,
        YPixelMin=low,
        YPixelMax=high,
        SumPixels=True,
        ConvertToQ=True,
        ScatteringAngle=angle,
        **size,
        **columns,
    )


signal = region("signal", 5, 6)
background = region("background", 1, 4)
output = signal - background * 0.5  # two rows of signal, four of background
