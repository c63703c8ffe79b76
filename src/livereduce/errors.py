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
    """A user's script could not be compiled or raised; `file` and `line` say where in the user's own file."""

    def __init__(self, message: str, *, file: str, line: int | None, traceback: str = "") -> None:
        self.message = message
        self.file = file
        self.line = line
        self.traceback = traceback
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {message}")


class StateError(LiveReduceError):
    """An invariant of the live cycle does not hold; carries the story of the last events."""
