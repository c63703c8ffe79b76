"""What users' scripts import as ``mantid``: Mantid's names for livereduce's algorithms, workspaces and logs.

Covers what live-reduction scripts use (``simpleapi``, ``kernel``, ``api``, ``dataobjects``). Does not cover user
interfaces, or algorithms and fitting functions written by users as classes. `finder` makes ``import mantid``
mean this package; without it, ``from livereduce.mantid.simpleapi import Rebin`` does the same.
"""

from livereduce.mantid import api, dataobjects, kernel, live_data, simpleapi
from livereduce.mantid.api import *  # noqa: F403  # as in Mantid, all of both is found here too
from livereduce.mantid.kernel import *  # noqa: F403
from livereduce.mantid.simpleapi import script_names

# Scripts compare it with the version from which something works; this is the Mantid whose behaviour is followed.
__version__ = "6.13.0"

__all__ = ["api", "dataobjects", "kernel", "live_data", "script_names", "simpleapi"]
__all__ += api.__all__
__all__ += kernel.__all__
