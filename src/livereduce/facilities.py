"""Instrument name -> facility, time zone, listener and address; the table is `facilities.toml`."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

StreamKind = Literal["adara", "isis_histogram", "isis_events", "kafka", "file", "fake"]

# the class names that scripts, configuration files and Facilities.xml use -> what reads them here
LISTENERS: Mapping[str, StreamKind] = {
    "SNSLiveEventDataListener": "adara",
    "ISISHistoDataListener": "isis_histogram",
    "ISISLiveEventDataListener": "isis_events",
    "KafkaEventListener": "kafka",
    "FileEventDataListener": "file",
    "FakeEventDataListener": "fake",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """One way to an instrument's live data; `address` is ``host:port``."""

    name: str
    listener: str
    address: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument of the table; the first of `connections` is the default, `topics` maps kind -> Kafka topic."""

    name: str
    short_name: str
    facility: str
    time_zone: str
    connections: tuple[Connection, ...]
    topics: Mapping[str, str] = field(default_factory=dict)

    def connection(self, name: str | None = None) -> Connection | None:
        """Give the named connection (any case), or the default one; None when there is no such connection."""
        wanted = [c for c in self.connections if name is None or c.name.casefold() == name.casefold()]
        return wanted[0] if wanted else None


@cache
def instruments() -> tuple[Instrument, ...]:
    """Give all instruments of all facilities, in the order of the table."""
    text = resources.files("livereduce").joinpath("facilities.toml").read_text(encoding="utf-8")
    return tuple(
        Instrument(
            name=row["name"],
            short_name=row.get("short", row["name"]),
            facility=facility,
            time_zone=table["time_zone"],
            connections=tuple(Connection(**connection) for connection in row["connections"]),
            topics=row.get("topics", {}),
        )
        for facility, table in tomllib.loads(text).items()
        for row in table["instruments"]
    )


def find(name: str, facility: str | None = None) -> Instrument | None:
    """Find an instrument by its name or short name, in any case.

    Instruments with a live connection go first, so that ``CG2``, an instrument without one, means GPSANS, whose short
    name it is; then names go before short names (LET before LET_EVENT).
    """
    wanted = name.casefold()
    found = [
        i
        for i in instruments()
        if wanted in {i.name.casefold(), i.short_name.casefold()}
        and (facility is None or i.facility.casefold() == facility.casefold())
    ]
    found.sort(key=lambda i: (not i.connections, i.name.casefold() != wanted))
    return found[0] if found else None


def nearest(name: str) -> str | None:
    """Name the instrument of the table that is spelt most like `name`; None when nothing comes close."""
    names = {n.casefold(): i.name for i in instruments() for n in (i.short_name, i.name)}
    close = difflib.get_close_matches(name.casefold(), names, n=1)
    return names[close[0]] if close else None


def facilities() -> tuple[str, ...]:
    """Name the facilities of the table."""
    return tuple(dict.fromkeys(i.facility for i in instruments()))


def kind_of(listener: str) -> StreamKind | None:
    """Say what reads a listener class; our own kinds (``adara``, ``kafka``, …) are accepted as they are."""
    for class_name, kind in LISTENERS.items():
        if listener.casefold() in {class_name.casefold(), kind}:
            return kind
    return None
