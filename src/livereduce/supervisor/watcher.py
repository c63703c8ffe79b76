"""Which version of the user's files is in use: changes found by looking, broken edits refused.

Looks at size, time and contents again and again, because file notifications are blind on network file systems and to
saves by rename. A new version counts when it is read the same twice (a save may be half done), parses, and differs
in its syntax tree. What was accepted is copied to the state directory, so that a reducer that starts again while a
broken edit lies in the script folder runs the last good version.
"""

from __future__ import annotations

import ast
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from livereduce.config.files import replace_file

log = logging.getLogger(__name__)

SETTLED = 2
"""A save may be half done; so often it has to be read the same."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A version of a script that is not used, and why."""

    stage: str
    file: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a script that parses and is not the one in use."""

    text: str
    digest: str


def tree_digest(text: str) -> str:
    """Digest of the syntax tree: blind to comments and blank lines. Raises `SyntaxError` or `ValueError`."""
    return hashlib.sha256(ast.dump(ast.parse(text)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What was found at one time; None = no readable file. `reads`: how often it was the same."""

    seen: tuple[int, int, int] | None = None
    data: bytes | None = None
    reads: int = 0


class WatchedFile:
    """A file whose new contents are told once they have settled.

    `fetch` reads it, and may be called in another thread, because a folder on a network may not answer for hours;
    `look` judges what was fetched last.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fetched = self._judged = _Fetched()
        self._told: bytes | None = None

    def fetch(self) -> None:
        """Read the file, if it may have changed."""
        before = self._fetched
        try:
            stat = self.path.stat()
            seen = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            if seen == before.seen and before.reads >= SETTLED:
                return
            data = self.path.read_bytes()
        except OSError:
            self._fetched = _Fetched()
        else:
            same = (seen, data) == (before.seen, before.data)
            self._fetched = _Fetched(seen, data, before.reads + 1 if same else 1)

    def take(self) -> bytes | None:
        """Read the file and give its contents, settled or not; None when there is no readable file."""
        self.fetch()
        self._told = self._fetched.data
        return self._told

    def look(self) -> bytes | None:
        """Give contents that are new and were fetched the same twice."""
        fetched, before = self._fetched, self._judged
        if fetched is before:
            return None
        self._judged = fetched
        if fetched.data is None:
            if before.data is not None:
                log.warning("%s is gone; its last version stays in use", self.path)
            return None
        if fetched.data == self._told or fetched.reads < SETTLED:
            return None
        self._told = fetched.data
        return fetched.data

    def forget(self) -> None:
        """Take the next save for new, even if it has the contents that were told last."""
        self._told = None

    @property
    def settling(self) -> bool:
        """Whether a save was seen that may be half done."""
        fetched = self._fetched
        return fetched.data not in (None, self._told) and fetched.reads < SETTLED


class WatchedScript:
    """One script, its version in use and what became of newer ones.

    Attributes
    ----------
    digest
        Of the version in use; None = there is none.
    candidate
        A newer version that parses, to be accepted or refused by the owner.
    refused
        A newer version that is not used.
    banned
        Why the version in use is not run any more.
    rolled_back
        Whether the version before the last save is in use, because somebody asked for it.

    Parameters
    ----------
    stage
        ``"proc"``, ``"post"`` or ``"helper"``.
    path
        The user's file.
    accepted
        Where the version in use is kept; None = nowhere.
    """

    def __init__(self, stage: str, path: Path, accepted: Path | None, digest: str | None = None) -> None:
        self.stage = stage
        self.path = path
        self.accepted = accepted
        self.digest = digest
        self.candidate: Candidate | None = None
        self.refused: Refused | None = None
        self.banned: Refused | None = None
        self.rolled_back = False
        self._refused_candidate: Candidate | None = None
        self._file = WatchedFile(path)

    def first_look(self) -> None:
        """Accept what is there at start, if it parses; what an earlier start accepted is not used any more."""
        if self.accepted is not None:
            self.accepted.unlink(missing_ok=True)
            self._previous(self.accepted).unlink(missing_ok=True)
        data = self._file.take()
        if data is not None:
            self._consider(data)
        if self.candidate is not None:
            self.accept()

    def fetch(self) -> None:
        """Read the file for the next look; may be called in another thread."""
        self._file.fetch()

    def look(self) -> bool:
        """Return whether there is a new `candidate` in what was fetched."""
        data = self._file.look()
        if data is None:
            return False
        self._consider(data)
        return self.candidate is not None

    @property
    def settling(self) -> bool:
        """Whether a save was seen that may be half done."""
        return self._file.settling

    def accept(self) -> None:
        """Take the candidate into use."""
        assert self.candidate is not None
        if self.accepted is not None:
            self.accepted.parent.mkdir(parents=True, exist_ok=True)
            if self.accepted.exists():
                replace_file(self._previous(self.accepted), self.accepted.read_bytes())
            replace_file(self.accepted, self.candidate.text.encode())
        self.digest = self.candidate.digest
        self.candidate = self.refused = self.banned = self._refused_candidate = None
        self.rolled_back = False

    def roll_back(self) -> bool:
        """Take the version before the one in use, until the next save; tell whether there is one."""
        if self.accepted is None or not self._previous(self.accepted).exists():
            return False
        os.replace(self._previous(self.accepted), self.accepted)
        self.digest = tree_digest(self.accepted.read_text(encoding="utf-8"))
        self.candidate = self.refused = self.banned = self._refused_candidate = None
        self.rolled_back = True
        self._file.forget()
        log.warning("%s: the version before the last save is in use, as asked", self.path)
        return True

    @staticmethod
    def _previous(accepted: Path) -> Path:
        return accepted.with_suffix(".previous.py")

    def refuse(self, line: int | None, message: str) -> None:
        """Leave the candidate aside until the next save."""
        self._refused_candidate, self.candidate = self.candidate, None
        self._file.forget()
        self._refuse(line, message)

    def reconsider(self) -> None:
        """Make what was refused a candidate again, because what it depends on has changed."""
        if self.candidate is None and self._refused_candidate is not None:
            self.candidate, self._refused_candidate = self._refused_candidate, None

    def ban(self, message: str) -> None:
        """Do not run the version in use any more."""
        self.banned = Refused(self.stage, str(self.path), None, message)
        log.error("%s: %s", self.path, message)

    def _consider(self, data: bytes) -> None:
        self.candidate = self._refused_candidate = None
        try:
            text = data.decode()
            if not text.strip():
                raise ValueError("found an empty file, expected a Python script")
            digest = tree_digest(text)
        except UnicodeDecodeError as error:
            self._refuse(None, f"is not UTF-8 text: byte {error.start}")
        except (RecursionError, MemoryError):
            self._refuse(None, "is nested too deeply for Python")
        except SyntaxError as error:
            self._refuse(error.lineno, f"{type(error).__name__}: {error.msg}")
        except ValueError as error:
            self._refuse(None, str(error))
        else:
            self.refused = None
            if digest != self.digest:
                self.candidate = Candidate(text, digest)

    def _refuse(self, line: int | None, message: str) -> None:
        self.refused = Refused(self.stage, str(self.path), line, message)
        log.error("%s:%s is not used: %s", self.path, line, message)
