"""Algorithms as objects: ``AlgorithmManager.create("Rebin")``, then set properties, execute, read results."""

from __future__ import annotations

from typing import Any

from livereduce.algorithms import calling, declaration
from livereduce.algorithms.absent import absent
from livereduce.algorithms.declaration import Declaration, Kind
from livereduce.algorithms.declaration import Property as DeclaredProperty
from livereduce.live import start
from livereduce.live.start import LiveMonitor
from livereduce.mantid.ads import mtd
from livereduce.mantid.file_finder import with_folders
from livereduce.workspaces import Property


class Algorithm:
    """An algorithm with its properties; results go to the store unless it is made a child."""

    def __init__(self, declared: Declaration) -> None:
        self._declared = declared
        self._given: dict[str, Any] = {}
        self._results: dict[str, Any] = {}
        self._store_results = True
        self._executed = False

    def name(self) -> str:
        """Name of the algorithm."""
        return self._declared.name

    def version(self) -> int:
        """Version of the algorithm."""
        return self._declared.version

    def summary(self) -> str:
        """Return what it does, in a sentence."""
        return self._declared.summary

    def initialize(self) -> None:
        """Do nothing: an algorithm made here is ready."""

    def setChild(self, child: bool) -> None:  # noqa: N802
        """Keep results out of the store (True) or not."""
        self._store_results = not child

    def isChild(self) -> bool:  # noqa: N802
        """Tell whether results stay out of the store."""
        return not self._store_results

    def setAlwaysStoreInADS(self, store: bool) -> None:  # noqa: N802
        """Put results into the store (True) or not."""
        self._store_results = store

    def setLogging(self, enabled: bool) -> None:  # noqa: N802
        """Do nothing: algorithms here do not announce themselves."""

    def setRethrows(self, rethrow: bool) -> None:  # noqa: N802
        """Do nothing: a failure always raises."""

    def setProperty(self, name: str, value: Any) -> None:  # noqa: N802
        """Set a property; ValueError if the value cannot be one."""
        prop = self._property(name)
        if prop.kind not in (Kind.WORKSPACE, Kind.WORKSPACES, Kind.OPERAND) and prop.direction != "Output":
            try:
                prop.parse(value)
            except ValueError as problem:
                raise ValueError(f"{self.name()}: {prop.name}: {problem}") from None
        self._given[prop.name] = value

    setPropertyValue = setProperty  # noqa: N815

    def setProperties(self, properties: dict[str, Any]) -> None:  # noqa: N802
        """Set several properties."""
        for name, value in properties.items():
            self.setProperty(name, value)

    def getProperty(self, name: str) -> Property:  # noqa: N802
        """Return a property; its ``value`` is what was set, what came out, or the default."""
        prop = self._property(name)
        for source in (self._results, self._given):
            if prop.name in source:
                return Property(prop.name, source[prop.name])
        return Property(prop.name, prop.default)

    def getPropertyValue(self, name: str) -> str:  # noqa: N802
        """Return a property's value as text; of a workspace, its name."""
        value = self.getProperty(name).value
        return "" if value is None else str(value)

    def existsProperty(self, name: str) -> bool:  # noqa: N802
        """Tell whether the algorithm has such a property."""
        return self._declared.property_named(name) is not None

    def inputProperties(self) -> list[str]:  # noqa: N802
        """Names of the properties that go in."""
        return [p.name for p in self._declared.properties if p.direction == "Input"]

    def outputProperties(self) -> list[str]:  # noqa: N802
        """Names of the properties that come out."""
        return [p.name for p in self._declared.outputs]

    def mandatoryProperties(self) -> list[str]:  # noqa: N802
        """Names of the properties that must be given."""
        return [p.name for p in self._declared.properties if p.mandatory]

    def execute(self) -> bool:
        """Run it; raises if it fails, as all algorithms here do."""
        keywords = self._given | {"StoreInADS": self._store_results}
        result = calling.execute(self._declared, (), keywords, mtd.store, with_folders=with_folders)
        outputs = self._declared.results
        parts = [result] if len(outputs) == 1 else [] if result is None else list(result)
        self._results = {p.name: part for p, part in zip(outputs, parts, strict=False)}
        self._executed = True
        return True

    def isExecuted(self) -> bool:  # noqa: N802
        """Tell whether it has run."""
        return self._executed

    def _property(self, name: str) -> DeclaredProperty:
        prop = self._declared.property_named(name)
        if prop is None:
            near = declaration.nearest(name, [p.name for p in self._declared.properties], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise RuntimeError(f"{self.name()}: there is no property {name!r}{hint}")
        return prop


class AlgorithmManagerImpl:
    """Makes algorithm objects; one instance, `AlgorithmManager`."""

    def Instance(self) -> AlgorithmManagerImpl:  # noqa: N802
        """Give this object, as scripts for old versions ask for it."""
        return self

    def create(self, name: str, version: int = -1) -> Algorithm:
        """Make an algorithm whose results go to the store; RuntimeError if there is none of that name."""
        declared = declaration.find(name)
        if declared is None:
            raise RuntimeError(absent(name))
        if version not in (-1, declared.version):
            raise RuntimeError(f"algorithm {name!r} has version {declared.version}, not {version}")
        return Algorithm(declared)

    def createUnmanaged(self, name: str, version: int = -1) -> Algorithm:  # noqa: N802
        """Make an algorithm whose results stay with it, as child algorithms' do."""
        algorithm = self.create(name, version)
        algorithm.setChild(True)
        return algorithm

    def runningInstancesOf(self, name: str) -> list[LiveMonitor]:  # noqa: N802
        """Return what runs in the background under an algorithm's name, the newest last; only MonitorLiveData does."""
        return start.running() if name == "MonitorLiveData" else []

    def newestInstanceOf(self, name: str) -> LiveMonitor | None:  # noqa: N802
        """Return the newest of `runningInstancesOf`, or None."""
        return next(reversed(self.runningInstancesOf(name)), None)

    def cancelAll(self) -> None:  # noqa: N802
        """End all live monitoring of this process; returns when it has ended, or a script has run for 5 s."""
        start.cancel_all()


AlgorithmManager = AlgorithmManagerImpl()
