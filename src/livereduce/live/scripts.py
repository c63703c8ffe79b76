"""Users' scripts: compiled once, run as the body of a function, contained whatever they do.

The contract is Mantid's (a script is a function body with ``input`` and ``output``) with its oddities mended: a
``return`` at top level ends the script, ``from x import *`` works, line numbers are the user's own, and names of
``mantid.simpleapi`` need no import line.

Does not cover: what becomes of the result (`live.load`), who runs a script when (`live.monitor`).
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import io
import linecache
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from livereduce.algorithms.absent import absent
from livereduce.errors import ScriptError, encodable

_FUNCTION = "__livereduce_script__"
_ENDING = "__livereduce_ending__"
_STAR = "__livereduce_import_star__"
PARAMETERS = ("input", "output", "accumulation")
OUTPUT_KEPT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Script:
    """A compiled script. `digest` is of its syntax tree, so comments and blank lines do not change it."""

    path: str
    text: str
    digest: str
    code: CodeType


@dataclass(frozen=True, slots=True)
class ScriptOutcome:
    """What a script left: the final values of its variables, what it printed, and what it forgot to clean up."""

    input: Any
    output: Any
    printed: str
    threads_left: tuple[str, ...]


def load_script(path: Path) -> Script:
    """Read and compile the script at `path`; `ScriptError` names file and line of a syntax error."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(f"cannot be read: {error.strerror}", file=str(path), line=None) from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"is not UTF-8 text: byte {error.start}", file=str(path), line=None) from error
    return compile_script(text, str(path))


def compile_script(text: str, path: str) -> Script:
    """Compile `text` as a function body whose lines are those of the user's file."""
    try:
        tree = ast.parse(text, filename=path)
        digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
        code = compile(_as_function(tree), path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise ScriptError(f"{error.msg}: {(error.text or '').strip()}", file=path, line=error.lineno) from error
    except ValueError as error:  # NUL bytes
        raise ScriptError(str(error), file=path, line=None) from error
    return Script(path, text, digest, code)


class _Mend(ast.NodeTransformer):
    """Star imports become calls that fill the script's globals; nested functions are left alone."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if [alias.name for alias in node.names] != ["*"]:
            return node
        call = ast.Call(ast.Name(_STAR, ast.Load()), [ast.Constant(node.module)], [])
        return ast.copy_location(ast.Expr(call), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        return node


def _as_function(tree: ast.Module) -> ast.Module:
    """Wrap the module's statements: ``def f(input, output, accumulation): try: ... finally: report the variables``."""
    future = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    body = [_Mend().visit(n) for n in tree.body if n not in future] or [ast.Pass()]
    # A script may `del output`: its ending then reports what can still be read.
    report: list[ast.stmt] = [
        ast.Try([_report_of(name)], [ast.ExceptHandler(ast.Name("NameError", ast.Load()), None, [ast.Pass()])], [], [])
        for name in ("input", "output")
    ]
    template = ast.parse(f"def {_FUNCTION}({', '.join(PARAMETERS)}): pass").body[0]
    assert isinstance(template, ast.FunctionDef)
    template.body = [ast.Try(body, [], [], report)]
    module = ast.Module([*future, template], [])
    ast.fix_missing_locations(module)
    return module


def _report_of(name: str) -> ast.stmt:
    call = ast.Call(ast.Name(_ENDING, ast.Load()), [], [ast.keyword(name, ast.Name(name, ast.Load()))])
    return ast.Expr(call)


def run_script(
    script: Script,
    input_workspace: Any,
    output: Any,
    names: Mapping[str, Any],
    *,
    accumulation: Any = None,
    echo: Callable[[str], None] = lambda _: None,
    limit_s: float | None = None,
) -> ScriptOutcome:
    """Run `script` once.

    Parameters
    ----------
    input_workspace, output, accumulation
        What the script finds under these names; `output` is at first the name to create.
    names
        Further names it finds without importing them.
    echo
        Called with each piece of text the script prints, as it prints it.
    limit_s
        After so many seconds the script is interrupted by an exception (main thread only).

    Raises
    ------
    ScriptError
        For anything the script raises, `SystemExit` included, with the line in the user's file.
    """
    # executing and traceback look the source up by file name: they must see the text that is running, not a newer save
    linecache.cache[script.path] = (len(script.text), None, script.text.splitlines(True), script.path)
    final: dict[str, Any] = {}
    namespace: dict[str, Any] = {**names, "__name__": "__main__", "__file__": script.path}
    namespace[_ENDING] = lambda **variables: final.update(variables)
    namespace[_STAR] = lambda module: _import_star(module, namespace)
    before = set(threading.enumerate())
    try:
        with _contained(script, echo) as printed:
            exec(script.code, namespace)  # noqa: S102  running users' code is what this module is for
            with _time_limit(limit_s):
                namespace[_FUNCTION](input_workspace, output, accumulation)
        left = tuple(t.name for t in threading.enumerate() if t not in before and t.is_alive() and _in_main_thread())
        return ScriptOutcome(final.get("input"), final.get("output"), printed.getvalue(), left)
    finally:
        # a script's globals and its functions hold each other: workspaces must not wait with them for the collector
        final.clear()


def _import_star(module_name: str, namespace: dict[str, Any]) -> None:
    module = importlib.import_module(module_name)
    public = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    namespace.update({name: getattr(module, name) for name in public})


class _Tee(io.TextIOBase):
    """Keeps the last part of what is printed and passes everything on."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo
        self._text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        shown = encodable(text)
        self._text = (self._text + shown)[-OUTPUT_KEPT:]
        self._echo(shown)
        return len(text)

    def getvalue(self) -> str:
        return self._text


@contextlib.contextmanager
def _contained(script: Script, echo: Callable[[str], None]) -> Iterator[_Tee]:
    """Turn whatever the script raises into a `ScriptError` and put back what it may have changed."""
    tee = _Tee(echo)
    # in a thread of a notebook, streams, folder and figures are the notebook's as much as the script's
    with _put_back(tee) if _in_main_thread() else contextlib.nullcontext():
        try:
            yield tee
        except BaseException as error:
            if _is_for_the_process(error):
                raise
            # without its traceback, whose frames hold the script's workspaces and, in some, the error itself
            raise script_error(error, script.path, tee.getvalue()) from error.with_traceback(None)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_for_the_process(error: BaseException) -> bool:
    """Whether somebody wants the process to stop, by signal or by Ctrl-C where that is not ignored."""
    if isinstance(error, KeyboardInterrupt):
        return _in_main_thread() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    return isinstance(error, ScriptInterrupted) and error.final


@contextlib.contextmanager
def _put_back(tee: _Tee) -> Iterator[None]:
    cwd = os.getcwd()
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    streams = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = tee
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        os.chdir(cwd)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")


class ScriptInterrupted(BaseException):
    """Raised inside a script to end it: past its time limit, or (`final`) because the process is asked to stop."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@contextlib.contextmanager
def _time_limit(limit_s: float | None) -> Iterator[None]:
    if limit_s is None or not _in_main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise ScriptInterrupted(f"ran longer than script_limit ({limit_s:g} s) and was interrupted")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _hint(error: BaseException) -> str:
    """Say where a package that Python did not find has to be, and what comes near an algorithm that is not here.

    The façade's own messages say what to do themselves.
    """
    if isinstance(error, ModuleNotFoundError) and str(error) == f"No module named {error.name!r}":
        package = (error.name or "").partition(".")[0]
        return f"; scripts find what is beside them or installed for {sys.executable} (-m pip install {package})"
    if type(error) is NameError and error.name and error.name[0].isupper():  # as names of algorithms do
        return f"; if this is to be an algorithm: {absent(error.name)}"
    return ""


def script_error(error: BaseException, path: str, printed: str = "") -> ScriptError:
    """Describe what a script raised: its message, the line in the user's file, the traceback without our frames."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [i for i, frame in enumerate(frames) if frame.filename == path]
    if isinstance(error, SystemExit):
        message = f"called exit({error.code!r}); a live script ends with its last line or with return"
    else:
        message = f"{type(error).__name__}: {error}{_hint(error)}"
    shown = frames[own[0] :] if own else frames
    text = "Traceback (most recent call last):\n" + "".join(traceback.format_list(shown)) + message
    line = frames[own[-1]].lineno if own else getattr(error, "lineno", None)
    return ScriptError(
        message, file=path, line=line, traceback=text + (f"\n--- printed ---\n{printed}" if printed else "")
    )
