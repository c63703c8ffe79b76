"""What follows from the death of the reducer: a script that is not run any more, a record that is skipped, or nothing.

Pure. Two deaths in one stage with one script, without that stage having got further in between, are the script's
fault: it is not run until it changes. Two deaths while one place of the journal was decoded are the fault of a record
there: it is skipped and counted. After the first of them the file it lies in is read record by record, so that the
second one tells which record it was. Whoever is killed from outside says nothing about records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from livereduce.status import Stage

SCRIPT_STAGES = (Stage.PROC, Stage.POST)
DECODING_STAGES = (Stage.EXTRACT, Stage.REPROCESSING)


class Place(NamedTuple):
    """A place in the journal; `__str__` is how it stands on a command line."""

    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Death:
    """How the reducer died.

    Attributes
    ----------
    digest
        Of the script that ran; None outside scripts.
    position
        Up to where it had taken data in.
    passed
        Up to where the stage it died in had run through in this life; None = it had not.
    decoding, exact
        What it was decoding; exact = the record that begins there, else something before there in that segment.
    by_someone_else
        Whether somebody from outside killed it.
    """

    stage: Stage
    position: Place
    digest: str | None = None
    passed: Place | None = None
    decoding: Place | None = None
    exact: bool = False
    by_someone_else: bool = False


@dataclass(frozen=True, slots=True)
class Ban:
    """The script of `stage` is not to be run until it changes."""

    stage: Stage
    digest: str


@dataclass(frozen=True, slots=True)
class LookCloser:
    """Read record by record up to here."""

    end: Place


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave out the record that begins here."""

    record: Place


@dataclass(slots=True)
class DeathRules:
    """Judges one death after the other."""

    _suspects: dict[Stage, tuple[str, Place]] = field(default_factory=dict)

    def judge(self, death: Death) -> Ban | LookCloser | Skip | None:
        """Say what has to be done before the reducer is started again."""
        if death.stage in SCRIPT_STAGES and death.digest is not None:
            return self._judge_script(death, death.digest)
        if death.stage in DECODING_STAGES and death.decoding is not None and not death.by_someone_else:
            return Skip(death.decoding) if death.exact else LookCloser(death.decoding)
        return None

    def _judge_script(self, death: Death, digest: str) -> Ban | None:
        before = self._suspects.pop(death.stage, None)
        if before is not None and before[0] == digest and (death.passed is None or death.passed < before[1]):
            return Ban(death.stage, digest)
        self._suspects[death.stage] = digest, death.position
        return None

    def forget(self) -> None:
        """Begin anew, because something else has changed or a person asks for it."""
        self._suspects.clear()
