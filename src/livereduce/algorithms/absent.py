"""What to say of an algorithm that is not here: what comes nearest, and where the list is."""

from __future__ import annotations

from livereduce.algorithms.declaration import names, nearest

__all__ = ["absent", "nearest_algorithms"]

# What facilities' scripts call that is not here; their names do not say what serves in their place, if anything does.
_IN_PLACE_OF: dict[str, tuple[str, ...]] = {
    "alignandfocuspowderfromfiles": ("LoadEventNexus", "AlignAndFocusPowder"),
    "applydiffcal": ("AlignDetectors",),
    "binmd": (),
    "converttabletomatrixworkspace": ("CreateWorkspace",),
    "converttomd": (),
    "correctkikf": ("ConvertUnits", "Multiply"),
    "correctlogtimes": (),
    "creategroupingworkspace": ("LoadDetectorsGroupingFile", "GroupDetectors"),
    "deletelog": ("RemoveLogs",),
    "detectorefficiencycor": (),
    "dgsreduction": ("GetEi", "ChangeBinOffset", "ConvertUnits"),
    "filterevents": ("FilterByLogValue", "FilterByTime"),
    "generateeventsfilter": ("FilterByLogValue", "FilterByTime"),
    "loadraw": ("LoadTOFRawNexus",),
    "lrautoreduction": ("RefRoi", "ConvertUnits"),
    "maskinstrument": ("MaskDetectors",),
    "moderatortzero": ("ChangeBinOffset",),
    "mrfiltercrosssections": ("FilterByLogValue",),
    "pause": (),
    "rebinragged": ("Rebin",),
    "reflectometryisisloadandprocess": ("RefRoi", "ConvertUnits"),
    "savenxspe": ("SaveNexus",),
    "setgoniometer": (),
    "snapreduce": ("NormaliseByCurrent", "AlignDetectors", "DiffractionFocussing"),
    "sofqw": ("ConvertUnits",),
    "sofqw3": ("ConvertUnits",),
    "sofqwnormalisedpolygon": ("ConvertUnits",),
    "splinebackground": ("SmoothData", "CalculateFlatBackground"),
    "stepscan": ("FilterByLogValue", "Integration"),
    "stitch1d": ("Rebin", "Scale", "WeightedMean"),
    "sumneighbours": ("GroupDetectors",),
    "visionreduction": ("GroupDetectors", "ConvertUnits"),
}


def nearest_algorithms(name: str) -> list[str]:
    """Algorithms that serve in place of `name`, or whose names look like it, best first; there may be none."""
    known = _IN_PLACE_OF.get(name.lower())
    return nearest(name, names()) if known is None else list(known)


def absent(name: str) -> str:
    """Say that there is no such algorithm, what comes nearest and where the list is."""
    near = nearest_algorithms(name)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    return f"{name} is not available in livereduce.{hint} `livereduce algorithms` lists all there are."
