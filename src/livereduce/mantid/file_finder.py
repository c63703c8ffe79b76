"""Where files are that scripts name without a folder, as their settings in `config` say.

A file to read that is not there as it is named is looked for in ``datasearch.directories``, by its name and as a run:
``PG3_4844``, or ``4844`` of ``default.instrument``, is any of ``PG3_4844.nxs.h5``, ``PG3_4844_event.nxs`` and
``PG3_4844.nxs``, and ``MER78715`` the same with zeros before the number. A file to write goes to
``defaultsave.directory``. Does not cover: the facilities' archives, several runs in one name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livereduce import facilities
from livereduce.algorithms.declaration import Declaration, Kind, Property
from livereduce.algorithms.values import to_path, to_texts
from livereduce.mantid.config import config

__all__ = ["FileFinder", "FileFinderImpl", "to_read", "to_write", "with_folders"]

_RUN = re.compile(r"(?:([A-Za-z][A-Za-z0-9_-]*?)_?)?0*(\d+)")
_ENDINGS = (".nxs.h5", "_event.nxs", ".nxs")
_WIDTHS = (0, 5, 8)  # digits to which facilities fill run numbers up


def to_read(name: str | os.PathLike[str]) -> Path:
    """Return the file that is meant, or the name as it is if there is none."""
    path = to_path(name)
    if path.is_absolute() or path.is_file():
        return path
    folders = [Path(folder).expanduser() for folder in config.getDataSearchDirs()]
    candidates = [path] if len(path.parts) > 1 else [path, *map(Path, _names_of_run(path.name))]
    return next((at for one in candidates for folder in folders if (at := folder / one).is_file()), path)


def to_write(name: str | os.PathLike[str]) -> Path:
    """Return where a file is to be written."""
    path, folder = to_path(name), config["defaultsave.directory"]
    return path if path.is_absolute() or not folder else Path(folder).expanduser() / path


def with_folders(declared: Declaration, prop: Property, value: Any) -> Any:
    """Return the value of a property for a script's call: where it names files, with their folders."""
    place = to_write if declared.name.startswith("Save") else to_read
    if prop.kind is Kind.TEXTS and prop.name == "Filename":
        return [str(place(name)) for name in to_texts(value)]
    names_file = prop.kind is Kind.PATH or prop.name == "OutputFilename"
    return place(value) if names_file and isinstance(value, (str, os.PathLike)) and str(value) else value


def _names_of_run(text: str) -> Iterator[str]:
    match = _RUN.fullmatch(text)
    wanted = match and (match[1] or config["default.instrument"])
    found = facilities.find(wanted) if wanted else None
    if match is None or found is None:
        return
    number = int(match[2])
    for prefix in dict.fromkeys((found.short_name, found.name)):
        for ending in _ENDINGS:
            yield f"{prefix}_{number}{ending}"
            yield from (f"{prefix}{number:0{width}}{ending}" for width in _WIDTHS)


class FileFinderImpl:
    """``mantid.api.FileFinder``; one instance, `FileFinder`."""

    def Instance(self) -> FileFinderImpl:  # noqa: N802
        """Give this object."""
        return self

    def getFullPath(self, name: str) -> str:  # noqa: N802
        """Return the path of a file that is here or in the search folders, an empty text if there is none."""
        path = to_read(name)
        return str(path.absolute()) if path.is_file() else ""

    def findRuns(self, hint: str) -> list[str]:  # noqa: N802
        """Return the path of the file of a run, in a list; RuntimeError if there is none."""
        path = self.getFullPath(hint)
        if not path:
            folders = ", ".join(config.getDataSearchDirs()) or "none are set"
            raise RuntimeError(f"there is no file of run {hint!r} in the search folders ({folders})")
        return [path]


FileFinder = FileFinderImpl()
