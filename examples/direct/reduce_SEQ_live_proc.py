# Every chunk: without the flash of fast neutrons at each pulse. The events stay for the other script.
from mantid.simpleapi import *

output = RemovePromptPulse(InputWorkspace=input, Width=30, Frequency=60)
