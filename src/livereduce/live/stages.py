"""What may be done to a chunk or to the accumulation: a script, a script file read again every time, an algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from livereduce.algorithms import calling, declaration
from livereduce.algorithms.absent import nearest_algorithms
from livereduce.algorithms.declaration import Declaration, Kind
from livereduce.errors import ScriptError
from livereduce.live.scripts import Script, ScriptOutcome, load_script, run_script
from livereduce.workspaces import Workspace, WorkspaceStore

OUTPUT = "OutputWorkspace"


class Stage(Protocol):
    """Works on one workspace; `run` raises `ScriptError` and nothing else, whatever the user's code does."""

    @property
    def path(self) -> str:
        """What messages call it: the file of a script, the name of an algorithm."""

    def run(self, given: Workspace, output: str) -> ScriptOutcome:
        """Work on `given`, which is in the store; `output` is the name for what comes out."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every script of a live cycle runs in.

    Parameters
    ----------
    names
        Names scripts find without importing them.
    echo
        Called with what scripts print.
    limit_s
        A running script is interrupted after this many seconds; None = never.
    """

    names: Mapping[str, Any]
    echo: Callable[[str], None] = lambda _: None
    limit_s: float | None = None

    def run(self, script: Script, given: Workspace, output: str) -> ScriptOutcome:
        """Run a script once; `accumulation` is its second name for the input."""
        return run_script(script, given, output, self.names, accumulation=given, echo=self.echo, limit_s=self.limit_s)


@dataclass(frozen=True, slots=True)
class ScriptStage:
    """A script compiled once; a changed one is a new stage."""

    script: Script
    surroundings: Surroundings

    @property
    def path(self) -> str:
        """File of the script."""
        return self.script.path

    def run(self, given: Workspace, output: str) -> ScriptOutcome:
        """See `Stage`."""
        return self.surroundings.run(self.script, given, output)


@dataclass(frozen=True, slots=True)
class ScriptFileStage:
    """A script that is read again every time, so that an edit takes effect at the next chunk."""

    file: Path
    surroundings: Surroundings

    @property
    def path(self) -> str:
        """File of the script."""
        return str(self.file)

    def run(self, given: Workspace, output: str) -> ScriptOutcome:
        """See `Stage`."""
        return self.surroundings.run(load_script(self.file), given, output)


@dataclass(frozen=True, slots=True)
class AlgorithmStage:
    """An algorithm with properties as text; the input goes to its first workspace property that takes one.

    `input_property` is chosen by `algorithm_stage`.
    """

    declared: Declaration
    properties: Mapping[str, str]
    input_property: str
    store: WorkspaceStore

    @property
    def path(self) -> str:
        """Name of the algorithm."""
        return self.declared.name

    def run(self, given: Workspace, output: str) -> ScriptOutcome:
        """See `Stage`."""
        keywords: dict[str, Any] = {**self.properties, self.input_property: given}
        stores = self.declared.property_named(OUTPUT) is not None
        if stores:
            keywords[OUTPUT] = output
        try:
            calling.execute(self.declared, (), keywords, self.store)
        except Exception as error:
            raise ScriptError(str(error), file=self.path, line=None) from error
        return ScriptOutcome(given, output if stores else None, "", ())


def algorithm_stage(name: str, properties: str, store: WorkspaceStore) -> AlgorithmStage:
    """Make a stage of the algorithm `name` with ``property=value;property=value``.

    Input and output workspaces given there are overwritten.

    Raises
    ------
    ValueError
        There is no such algorithm, it takes no workspace, or it has no such property.
    """
    declared = declaration.find(name)
    if declared is None:
        near = ", ".join(nearest_algorithms(name)) or "none"
        raise ValueError(f"there is no algorithm {name!r}; nearest: {near}")
    inputs = [p.name for p in declared.inputs if p.kind in (Kind.WORKSPACE, Kind.OPERAND)]
    if not inputs:
        raise ValueError(f"{declared.name} takes no workspace, so it cannot work on a chunk")
    first = "InputWorkspace" if "InputWorkspace" in inputs else inputs[0]
    given = _parsed(declared, properties)
    return AlgorithmStage(declared, {k: v for k, v in given.items() if k not in (first, OUTPUT)}, first, store)


def _parsed(declared: Declaration, text: str) -> dict[str, str]:
    given = {}
    for part in filter(str.strip, text.split(";")):
        name, equals, value = part.partition("=")
        prop = declared.property_named(name.strip())
        if not equals or prop is None:
            known = ", ".join(p.name for p in declared.properties)
            raise ValueError(f"found {part.strip()!r}, expected name=value with a property of {declared.name}: {known}")
        given[prop.name] = value.strip()
    return given
