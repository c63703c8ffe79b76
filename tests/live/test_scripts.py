"""What a script may do, and what it may do wrong; each script is text in a file as a user has it."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from livereduce.errors import ScriptError
from livereduce.live.scripts import ScriptOutcome, compile_script, load_script, run_script


def run(tmp_path: Path, text: str, value: Any = 2, **names: Any) -> ScriptOutcome:
    path = tmp_path / "reduce_X_live_proc.py"
    path.write_text(text)
    return run_script(load_script(path), value, "result", names)


def test_a_script_sees_input_and_the_output_name_and_rebinds_output(tmp_path: Path) -> None:
    outcome = run(tmp_path, "assert output == 'result'\noutput = input * 21\n")
    assert outcome.output == 42


def test_output_not_touched_is_the_name_it_was_given(tmp_path: Path) -> None:
    assert run(tmp_path, "# nothing at all\n").output == "result"


def test_return_at_top_level_ends_the_script_with_the_present_output(tmp_path: Path) -> None:
    assert run(tmp_path, "output = 1\nif input:\n    return\noutput = 2\n").output == 1
    assert run(tmp_path, "output = 1\nreturn 7\n").output == 1


def test_a_deleted_output_is_no_output(tmp_path: Path) -> None:
    assert run(tmp_path, "del output\n").output is None


def test_star_imports_and_helper_functions_work(tmp_path: Path) -> None:
    text = "from math import *\nimport math as m\ndef helper(x):\n    return sqrt(x) + m.pi\noutput = helper(16)\n"
    assert run(tmp_path, text).output == pytest.approx(7.14159265)


def test_future_imports_and_docstrings_are_accepted(tmp_path: Path) -> None:
    text = '"""What I do."""\nfrom __future__ import annotations\ndef f(x: Unknown): return x\noutput = f(3)\n'
    assert run(tmp_path, text).output == 3


def test_multi_line_strings_are_not_indented(tmp_path: Path) -> None:
    assert run(tmp_path, 'output = """a\nb"""\n').output == "a\nb"


def test_the_name_guard_runs_and_injected_names_are_there(tmp_path: Path) -> None:
    assert run(tmp_path, "if __name__ == '__main__':\n    output = Twice(input)\n", Twice=lambda x: 2 * x).output == 4


def test_names_of_a_script_vanish_between_calls(tmp_path: Path) -> None:
    assert run(tmp_path, "global kept\nkept = 1\n").output == "result"
    with pytest.raises(ScriptError, match="NameError: name 'kept' is not defined"):
        run(tmp_path, "kept\n")


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="was never closed: output = Rebin") as caught:
        run(tmp_path, "x = 1\n\noutput = Rebin(input\n")
    assert caught.value.line == 3
    assert caught.value.file.endswith("reduce_X_live_proc.py")


def test_an_exception_names_the_line_of_the_users_file_and_hides_our_frames(tmp_path: Path) -> None:
    text = "def helper():\n    raise ValueError('no beam')\n\nprint('so far')\nhelper()\n"
    with pytest.raises(ScriptError, match="ValueError: no beam") as caught:
        run(tmp_path, text)
    assert caught.value.line == 2
    assert "scripts.py" not in caught.value.traceback
    assert "so far" in caught.value.traceback
    assert "helper()" in caught.value.traceback


def test_exit_is_a_script_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="called exit") as caught:
        run(tmp_path, "import sys\nsys.exit(3)\n")
    assert caught.value.line == 2


def test_what_a_script_prints_is_kept_and_streams_are_restored(tmp_path: Path) -> None:
    before = sys.stdout
    assert run(tmp_path, "import sys\nprint('hello')\nprint('oops', file=sys.stderr)\n").printed == "hello\noops\n"
    assert sys.stdout is before


def test_cwd_and_signal_handlers_are_restored(tmp_path: Path) -> None:
    cwd, handler = os.getcwd(), signal.getsignal(signal.SIGTERM)
    run(tmp_path, f"import os, signal\nos.chdir({str(tmp_path)!r})\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n")
    assert os.getcwd() == cwd
    assert signal.getsignal(signal.SIGTERM) is handler


def test_threads_left_behind_are_reported(tmp_path: Path) -> None:
    release = threading.Event()
    text = "import threading\nthreading.Thread(target=release.wait, name='forgotten').start()\n"
    assert run(tmp_path, text, release=release).threads_left == ("forgotten",)
    release.set()


def test_a_script_past_its_limit_is_interrupted_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "slow.py"
    path.write_text("x = 1\nwhile True:\n    x += 1\n")
    started = time.monotonic()
    with pytest.raises(ScriptError, match="longer than script_limit") as caught:
        run_script(load_script(path), None, "out", {}, limit_s=0.05)
    assert caught.value.line in (2, 3)
    assert time.monotonic() - started < 30


def test_an_edit_of_comments_leaves_the_digest_and_an_edit_of_code_changes_it() -> None:
    digest = compile_script("output = input\n", "a.py").digest
    assert compile_script("# why\n\noutput   =  input\n", "a.py").digest == digest
    assert compile_script("output = 1\n", "a.py").digest != digest


def test_a_missing_or_binary_script_is_a_script_error(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="cannot be read: No such file"):
        load_script(tmp_path / "none.py")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe")
    with pytest.raises(ScriptError, match="is not UTF-8 text"):
        load_script(tmp_path / "binary.py")


def test_ctrl_c_in_a_script_is_for_the_process_unless_the_process_ignores_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "raise KeyboardInterrupt\n")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(ScriptError, match="KeyboardInterrupt"):
            run(tmp_path, "raise KeyboardInterrupt\n")
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_a_thread_streams_and_folder_are_left_to_the_others(tmp_path: Path) -> None:
    """A notebook's own cell may be printing meanwhile."""
    seen: list[object] = []
    thread = threading.Thread(
        target=lambda: run(tmp_path, "import sys\nsee(sys.stdout)\n", see=seen.append), name="live"
    )
    thread.start()
    thread.join()
    assert seen == [sys.stdout]


def test_text_that_utf8_cannot_hold_is_printed_and_reported_with_question_marks(tmp_path: Path) -> None:
    echoed: list[str] = []
    script = compile_script("print('caf\\udce9.nxs')\nraise ValueError('caf\\udce9.nxs')\n", "proc.py")
    with pytest.raises(ScriptError) as raised:
        run_script(script, None, "result", {}, echo=echoed.append)
    assert "".join(echoed) == "caf?.nxs\n"
    assert raised.value.message == "ValueError: caf?.nxs"
    assert raised.value.traceback.endswith("ValueError: caf?.nxs\n--- printed ---\ncaf?.nxs\n")


@pytest.mark.parametrize(
    "text", ["output = input\n", "def f():\n    return input\n\n\noutput = f()\nraise ValueError\n"]
)
def test_what_a_script_was_given_does_not_wait_for_the_garbage_collector(tmp_path: Path, text: str) -> None:
    class Chunk:
        pass

    chunk = Chunk()
    last = weakref.ref(chunk)
    gc.disable()
    try:
        with contextlib.suppress(ScriptError):
            run(tmp_path, text, chunk)
        del chunk
        assert last() is None
    finally:
        gc.enable()
