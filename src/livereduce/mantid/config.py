"""Mantid's ``config``: a dictionary of settings, and what it knows of facilities and instruments.

Settings are texts kept in this process only. ``default.instrument`` and ``default.facility`` are set by whoever runs
the scripts; ``datasearch.directories`` and ``defaultsave.directory`` say where algorithms that scripts call read and
write files (`file_finder`); the others are kept so that scripts can set and read them.
"""

from __future__ import annotations

from collections.abc import Iterator

from livereduce import facilities

_DEFAULTS = {
    "default.facility": "SNS",
    "default.instrument": "",
    "defaultsave.directory": "",
    "datasearch.directories": "",
    "datasearch.searcharchive": "off",
    "logging.loggers.root.level": "notice",
}


class InstrumentInfo:
    """An instrument of the table of facilities, with Mantid's method names."""

    def __init__(self, instrument: facilities.Instrument) -> None:
        self._instrument = instrument

    def name(self) -> str:
        """Full name."""
        return self._instrument.name

    def shortName(self) -> str:  # noqa: N802
        """Name that file and script names begin with."""
        return self._instrument.short_name

    def facility(self) -> FacilityInfo:
        """Facility the instrument stands at."""
        return FacilityInfo(self._instrument.facility)

    def __str__(self) -> str:
        return self.name()


class FacilityInfo:
    """A facility of the table, with Mantid's method names."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        """Name of the facility."""
        return self._name

    def instruments(self) -> list[InstrumentInfo]:
        """Its instruments in the order of the table."""
        return [InstrumentInfo(i) for i in facilities.instruments() if i.facility == self._name]

    def instrument(self, name: str) -> InstrumentInfo:
        """Its instrument of this name or short name."""
        return _instrument(name, self._name)

    def __str__(self) -> str:
        return self._name


class ConfigServiceImpl:
    """``config["key"]`` and the methods scripts use; one instance, `config`, which is `ConfigService` too."""

    def __init__(self) -> None:
        self._settings = dict(_DEFAULTS)

    @staticmethod
    def Instance() -> ConfigServiceImpl:  # noqa: N802
        """Give the one instance."""
        return config

    def __getitem__(self, key: str) -> str:
        return self._settings.get(key, "")

    def __setitem__(self, key: str, value: object) -> None:
        self._settings[key] = str(value)

    def __contains__(self, key: str) -> bool:
        return key in self._settings

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def keys(self) -> list[str]:
        """Names of all settings."""
        return list(self._settings)

    def hasProperty(self, key: str) -> bool:  # noqa: N802
        """Whether the setting exists."""
        return key in self._settings

    def getString(self, key: str, pathAbsolute: bool = True) -> str:  # noqa: N802, N803
        """Return a setting, or an empty text."""
        return self[key]

    def setString(self, key: str, value: object) -> None:  # noqa: N802
        """Set a setting."""
        self[key] = value

    def getFacility(self, name: str = "") -> FacilityInfo:  # noqa: N802
        """Facility of this name, or the default one."""
        wanted = name or self["default.facility"]
        known = {facility.lower(): facility for facility in facilities.facilities()}
        if wanted.lower() not in known:
            raise RuntimeError(f"there is no facility {wanted!r}; known are {', '.join(known.values())}")
        return FacilityInfo(known[wanted.lower()])

    def setFacility(self, name: str) -> None:  # noqa: N802
        """Make a facility the default."""
        self["default.facility"] = self.getFacility(name).name()

    def getFacilityNames(self) -> list[str]:  # noqa: N802
        """Names of all facilities."""
        return list(facilities.facilities())

    def getInstrument(self, name: str = "") -> InstrumentInfo:  # noqa: N802
        """Instrument of this name or short name, or the default one."""
        return _instrument(name or self["default.instrument"], None)

    def getDataSearchDirs(self) -> list[str]:  # noqa: N802
        """Folders in which files are looked for."""
        return [folder for folder in self["datasearch.directories"].split(";") if folder]

    def setDataSearchDirs(self, folders: str | list[str]) -> None:  # noqa: N802
        """Set the folders in which files are looked for: a list, or a text with semicolons."""
        self["datasearch.directories"] = folders if isinstance(folders, str) else ";".join(folders)

    def appendDataSearchDir(self, folder: str) -> None:  # noqa: N802
        """Add a folder in which files are looked for."""
        if folder not in self.getDataSearchDirs():
            self.setDataSearchDirs([*self.getDataSearchDirs(), folder])

    def setLogLevel(self, level: int | str, quiet: bool = False) -> None:  # noqa: N802
        """Remember the level; what is logged is decided by livereduce's configuration."""
        self["logging.loggers.root.level"] = level

    def setConsoleLogLevel(self, level: int | str) -> None:  # noqa: N802
        """Remember the level, as `setLogLevel` does."""
        self.setLogLevel(level)


def _instrument(name: str, facility: str | None) -> InstrumentInfo:
    found = facilities.find(name, facility)
    if found is None:
        near = facilities.nearest(name)
        raise RuntimeError(f"there is no instrument {name!r}" + (f"; did you mean {near}?" if near else ""))
    return InstrumentInfo(found)


config = ConfigService = ConfigServiceImpl()
