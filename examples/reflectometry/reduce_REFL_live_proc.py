# Every chunk: wavelength for each pixel, on bins that never change, so that chunks can be added.
from mantid.simpleapi import *

in_wavelength = ConvertUnits(InputWorkspace=input, Target="Wavelength")
output = Rebin(InputWorkspace=in_wavelength, Params="2.5,0.1,7", PreserveEvents=False)
