"""The errors livereduce raises itself.

A message names the thing, what was found, what was expected and what to do. Algorithms raise the built-in errors
that scripts written for Mantid catch (``ValueError`` for a bad property, ``TypeError`` for an unknown keyword,
``RuntimeError`` for a failed execution); everything else derives from `LiveReduceError`.
"""


class LiveReduceError(Exception):
    """Anything livereduce reports about itself or its input."""


class ConfigError(LiveReduceError):
    """The configuration is wrong; `problems` lists everything found, not only the first."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class ProtocolError(LiveReduceError):
    """The other side sent something the protocol does not allow."""


class ScriptError(LiveReduceError):
    """A user's script could not be compiled or raised; `file` and `line` say where in the user's own file.

    `in_use` is False for a version that gave way to the one before it.
    """

    def __init__(self, message: str, *, file: str, line: int | None, traceback: str = "") -> None:
        self.in_use = True
        self.message = encodable(message)
        self.file = encodable(file)
        self.line = line
        self.traceback = encodable(traceback)
        where = self.file if line is None else f"{self.file}:{line}"
        super().__init__(f"{where}: {self.message}")


class StateError(LiveReduceError):
    """An invariant of the live cycle does not hold; carries the story of the last events."""


def reason(error: Exception) -> str:
    """Say why, for people: a message made for them alone, what Python itself says with its type."""
    if isinstance(error, (LiveReduceError, ValueError, RuntimeError, OSError)) and str(error):
        return encodable(str(error))
    return encodable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def encodable(text: str) -> str:
    """Return text that any file or socket takes, with question marks for lone surrogates.

    Python has them in file names that are not UTF-8, and scripts can print them; UTF-8 has none.
    """
    return text.encode("utf-8", "replace").decode()
