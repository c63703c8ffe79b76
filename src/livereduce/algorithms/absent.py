"""What to say of an algorithm that is not here: what comes nearest, and where the list is."""

from __future__ import annotations

from livereduce.algorithms.declaration import names, nearest

__all__ = ["absent", "nearest_algorithms"]

# What facilities' scripts call that is not here, whose names say nothing about what serves in its place.
_IN_PLACE_OF = {
    "alignandfocuspowderfromfiles": ("LoadEventNexus", "AlignAndFocusPowder"),
    "correctkikf": ("ConvertUnits", "Multiply"),
    "dgsreduction": ("GetEi", "ChangeBinOffset", "ConvertUnits"),
    "filterevents": ("FilterByLogValue", "FilterByTime"),
    "generateeventsfilter": ("FilterByLogValue", "FilterByTime"),
    "lrautoreduction": ("RefRoi", "ConvertUnits"),
    "moderatortzero": ("ChangeBinOffset",),
    "reflectometryisisloadandprocess": ("RefRoi", "ConvertUnits"),
    "sofqw": ("ConvertUnits",),
    "sofqw3": ("ConvertUnits",),
    "sofqwnormalisedpolygon": ("ConvertUnits",),
    "stitch1d": ("Rebin", "Scale", "WeightedMean"),
}


def nearest_algorithms(name: str) -> list[str]:
    """Algorithms that serve in place of `name`, or whose names look like it, best first; there may be none."""
    return list(_IN_PLACE_OF.get(name.lower(), ())) or nearest(name, names())


def absent(name: str) -> str:
    """Say that there is no such algorithm, what comes nearest and where the list is."""
    near = nearest_algorithms(name)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    return f"{name} is not available in livereduce.{hint} `livereduce algorithms` lists all there are."
