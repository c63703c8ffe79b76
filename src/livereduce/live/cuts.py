"""Where chunks ended: what makes a run that is read again fall into the same chunks, and says where it began.

One JSON line a chunk, written before the chunk is processed, and one more when a run's last chunk is done. The
state of a reducer is a function of the journal, these cuts, the scripts and the configuration.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from livereduce.live.lines import LineFile, rewrite
from livereduce.live.state import RunIdentity, Transition
from livereduce.sources import Position


@dataclass(frozen=True, slots=True)
class CutRecord:
    """A chunk: from where to where in the journal, of which run, and what transition lies at its end.

    Attributes
    ----------
    resume
        Where a fresh process begins to read what follows: `end`, or before the mark that made the transition.
    """

    begin: Position
    end: Position
    identity: RunIdentity
    transition: Transition
    resume: Position

    def as_line(self) -> str:
        """Return the record as it stands in the file."""
        return json.dumps([*self.begin, *self.end, *self.identity, self.transition.value, *self.resume])

    @classmethod
    def from_line(cls, line: str) -> CutRecord:
        """Read a record; raises `ValueError` or `TypeError` for anything else."""
        a, b, c, d, run, start_ns, transition, e, f = json.loads(line)
        identity = RunIdentity(run, start_ns)
        return cls(Position(a, b), Position(c, d), identity, Transition(transition), Position(e, f))


class CutLog:
    """The file of cuts, appended to as chunks are taken.

    Attributes
    ----------
    to_replay
        Cuts of the run that was under way when the last process ended, and of what came between if its source had left
        it and might take it up again, in order; empty when it had ended cleanly.
    resume_at
        Where reading has to begin: the start of that run, or the end of the last run processed; None for a journal
        of which nothing has been processed.
    clear_until
        What lies before this is dropped without being processed; None = nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = self._needed_again()
        rewrite(path, lines)
        self._file = LineFile(path)

    def _needed_again(self) -> list[str]:
        """Read the file and return what a restart needs of it: nothing behind the present run, so it stays small."""
        records, done, self.clear_until = _read(self._path)
        last = records[-1] if records else None
        self.to_replay = [record for record in records if done is None or record.end > done]
        ended = last is not None and not self.to_replay
        self.resume_at: Position | None = None
        if last is not None:
            self.resume_at = last.resume if ended else self.to_replay[0].begin
        kept = [last] if last is not None and ended else self.to_replay
        lines = [record.as_line() for record in kept] + ([_done_line(done)] if ended and done else [])
        if self.clear_until is not None and self.resume_at is not None and self.clear_until <= self.resume_at:
            self.clear_until = None
        return lines + ([_clear_line(self.clear_until)] if self.clear_until else [])

    @property
    def trouble(self) -> str:
        """Why cuts are not on disk yet; empty when they are. Asking tries again."""
        self._file.retry()
        return self._file.trouble

    def append(self, record: CutRecord) -> None:
        """Note a chunk that is about to be processed."""
        self._file.append(record.as_line())

    def done(self, record: CutRecord) -> None:
        """Note that a chunk with a transition at its end has been processed: its run need not be read again."""
        self._file.append(_done_line(record.end))
        if not self._file.trouble:  # else the file does not have everything yet
            self._file.rewrite(self._needed_again())

    def clear(self, position: Position) -> None:
        """Note that what lies before `position` is to be forgotten, now and whenever the run is read again."""
        self.clear_until = position
        self._file.append(_clear_line(position))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _done_line(position: Position) -> str:
    return json.dumps({"done": list(position)})


def _clear_line(position: Position) -> str:
    return json.dumps({"clear": list(position)})


def _read(path: Path) -> tuple[list[CutRecord], Position | None, Position | None]:
    """Read all whole lines; the last one may be torn by a crash. A cut that begins where another did replaces it."""
    by_begin: dict[Position, CutRecord] = {}
    marks: dict[str, Position] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            if line.startswith("{"):
                marks |= {name: Position(*place) for name, place in json.loads(line).items()}
                continue
            record = CutRecord.from_line(line)
        except (ValueError, TypeError, KeyError):
            continue  # torn: the chunk it would have named was not processed either
        by_begin.pop(record.begin, None)
        by_begin[record.begin] = record
    return list(by_begin.values()), marks.get("done"), marks.get("clear")
