"""Which version of the user's scripts is in use: changes found by looking, broken edits refused.

Looks at size, time and contents at every turn, because file notifications are blind on network file systems and to
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """An edit that is not used, and why."""

    stage: str
    file: str
    line: int | None
    message: str


def tree_digest(text: str) -> str:
    """Digest of the syntax tree: blind to comments and blank lines. Raises `SyntaxError` or `ValueError`."""
    return hashlib.sha256(ast.dump(ast.parse(text)).encode()).hexdigest()


class WatchedScript:
    """One script and its last good version.

    Parameters
    ----------
    stage
        ``"proc"`` or ``"post"``.
    path
        The user's file.
    accepted
        Where the last good version is kept.
    """

    def __init__(self, stage: str, path: Path, accepted: Path) -> None:
        self.stage = stage
        self.path = path
        self.accepted = accepted
        self.refused: Refused | None = None
        self.digest: str | None = None
        self._seen: tuple[int, int, int] | None = None
        self._unsettled: str | None = None
        self._text: str | None = None

    def first_look(self) -> None:
        """Accept what is there at start, if it parses; what an earlier start accepted is not used any more."""
        self.accepted.unlink(missing_ok=True)
        text = self._read()
        if text is not None:
            self._consider(text)

    def look(self) -> bool:
        """Return whether a new version was accepted."""
        try:
            stat = self.path.stat()
        except OSError:
            if self._seen is not None:
                log.warning("%s is gone; its last version stays in use", self.path)
            self._seen = None
            return False
        seen = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if seen == self._seen and self._unsettled is None:
            return False
        self._seen = seen
        text = self._read()
        if text is None or text == self._text:
            self._unsettled = None
            return False
        if text != self._unsettled:
            self._unsettled = text
            return False
        self._unsettled = None
        return self._consider(text)

    def _read(self) -> str | None:
        try:
            return self.path.read_text(encoding="utf-8")
        except OSError:
            return None
        except UnicodeDecodeError as error:
            self.refused = Refused(self.stage, str(self.path), None, f"is not UTF-8 text: byte {error.start}")
            return None

    def _consider(self, text: str) -> bool:
        self._text = text
        try:
            digest = tree_digest(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            self.refused = Refused(self.stage, str(self.path), line, f"{type(error).__name__}: {error}")
            log.error("%s:%s is not used: %s", self.path, line, error)
            return False
        self.refused = None
        if digest == self.digest:
            return False
        self.digest = digest
        self.accepted.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.accepted.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, self.accepted)
        return True
