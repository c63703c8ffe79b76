import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import livereduce.mantid
import livereduce.mantid.simpleapi
from livereduce.mantid import finder
from livereduce.mantid.publishing import publications


@pytest.fixture
def real_mantid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Mantid, a finddata and a postprocessing are installed."""
    for name in ("mantid", "finddata"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("real = True\n")
    (tmp_path / "mantid" / "plots.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in ("mantid", "finddata")]:
        del sys.modules[name]


def test_mantid_is_the_very_module_of_ours(installed: None) -> None:
    assert importlib.import_module("mantid") is livereduce.mantid
    assert importlib.import_module("mantid.simpleapi") is livereduce.mantid.simpleapi
    for name in finder.PUBLIC:
        module = importlib.import_module(f"mantid.{name}")
        assert module is importlib.import_module(f"livereduce.mantid.{name}")
        assert module.__name__ == module.__spec__.name == f"livereduce.mantid.{name}"  # type: ignore[union-attr]


def test_without_the_hook_there_is_no_mantid() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mantid.kernel")


def test_uninstalling_takes_everything_back() -> None:
    path, modules = list(sys.meta_path), set(sys.modules)
    finder.install()
    finder.install()
    importlib.import_module("mantid.api")
    importlib.import_module("postprocessing.publish_plot")
    finder.uninstall()
    finder.uninstall()
    assert sys.meta_path == path
    assert {name for name in set(sys.modules) - modules if name.split(".")[0] in ("mantid", "postprocessing")} == set()


def test_a_submodule_we_lack_is_an_import_error_that_says_what_there_is(installed: None) -> None:
    for name in ("geometry", "plots", "finder"):
        with pytest.raises(ImportError, match=r"livereduce has mantid\.simpleapi"):
            importlib.import_module(f"mantid.{name}")


def test_ours_wins_over_a_real_mantid_even_one_imported_before(real_mantid: None) -> None:
    real = importlib.import_module("mantid")
    assert real.real
    finder.install()
    try:
        assert importlib.import_module("mantid") is livereduce.mantid
        with pytest.raises(ImportError):
            importlib.import_module("mantid.plots")
    finally:
        finder.uninstall()
    assert importlib.import_module("mantid") is real
    assert importlib.import_module("mantid.plots").real


def test_publishing_shims_are_found_only_where_the_real_ones_are_not(real_mantid: None, installed: None) -> None:
    assert importlib.import_module("finddata").real
    assert importlib.import_module("postprocessing.publish_plot").publish_plot


@pytest.mark.parametrize(
    "line",
    [
        "from finddata import publish_plot",
        "from finddata.publish_plot import publish_plot",
        "from postprocessing.publish_plot import publish_plot",
        "import finddata.publish_plot; from finddata import publish_plot",
    ],
)
def test_publish_plot_is_callable_however_it_is_imported(installed: None, line: str) -> None:
    names: dict[str, object] = {}
    exec(f"{line}\nanswer = publish_plot('POWGEN', 42, files={{'file': '<div>x</div>'}})", names)
    assert names["answer"].status_code == 200  # type: ignore[attr-defined]
    assert publications[-1].files == {"file": "<div>x</div>"}


def test_importing_livereduce_installs_no_hook() -> None:
    code = textwrap.dedent("""
        import sys
        import livereduce.mantid.simpleapi
        try:
            import mantid
        except ImportError:
            print("none")
    """)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "none"


def test_results_are_named_without_source_too() -> None:
    code = textwrap.dedent("""
        from livereduce.mantid.simpleapi import *
        ws = CreateSampleWorkspace()
        coarse = Rebin(ws, "0,1000,20000")
        both = ws + ws
        print(mtd.getObjectNames())
    """)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['ws', 'coarse', 'both']"
