"""The scripts that write the generated parts of the documentation."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import livereduce.mantid  # noqa: F401  (declares all algorithms)
from livereduce.algorithms.declaration import declarations

ROOT = Path(__file__).parents[2]


def generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_algorithms_page_has_a_section_for_each_with_all_its_properties() -> None:
    text = generator("algorithm_reference").page()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    ours = [d for d in declarations() if d.function.__module__.startswith("livereduce.")]  # other tests declare some
    assert {d.name for d in ours} <= sections.keys()
    for declared in ours:
        rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.*) \| (.+) \|$", sections[declared.name], re.MULTILINE)
        assert [row[0] for row in rows] == [p.name for p in declared.properties], declared.name


def test_a_row_says_type_default_and_meaning() -> None:
    text = generator("algorithm_reference").page()
    rebin = text.partition("## Rebin\n")[2].partition("\n## ")[0]
    assert "| `InputWorkspace` | workspace | mandatory | Workspace to work on. |" in rebin
    assert "| `OutputWorkspace` | workspace (out) | mandatory | Name of the result. |" in rebin
    assert re.search(r"\| `PreserveEvents` \| boolean \| `True` \| .+ \|", rebin)
    assert "From Python: `livereduce.algorithms.rebin`." in rebin
    assert "Also called `SaveNexusProcessed`." in text.partition("## SaveNexus\n")[2].partition("\n## ")[0]
    evaluation = text.partition("## Scale\n")[2].partition("\n## ")[0]
    assert "| `Operation` | `Multiply`, `Add` | `Multiply` |" in evaluation


def test_the_functions_of_fits_are_listed_with_their_parameters() -> None:
    text = generator("algorithm_reference").page()
    functions = text.partition("## Functions\n")[2]
    assert re.search(r"\| `Gaussian` \| `Height`, `PeakCentre`, `Sigma` \| .+ \|", functions)
    assert re.search(r"\| `LinearBackground` \| `A0`, `A1` \| .+ \|", functions)
    assert re.search(r"\| `UserFunction` \| .+ \| .+ \|", functions)


def test_a_page_that_is_not_what_would_be_written_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    pages, page = generator("pages"), tmp_path / "reference" / "page.md"
    made = {page: lambda text: "made\n"}
    assert pages.main(["--check"], made) == 1
    assert "page.md: not what would be written; run `make docs`" in capsys.readouterr().err
    assert pages.main([], made) == 0
    assert page.read_text(encoding="utf-8") == "made\n"
    assert pages.main(["--check"], made) == 0
    page.write_text("made\nmore\n", encoding="utf-8")
    assert pages.main(["--check"], made) == 1


def test_quotes_of_examples_are_renewed() -> None:
    example = "examples/filtering/reduce_INST_live_proc.py"
    page = f"before\n<!-- {example} -->\n```python\nold\n```\nafter\n"
    text = (ROOT / example).read_text(encoding="utf-8")
    expected = f"before\n<!-- {example} -->\n```python\n{text}```\nafter\n"
    assert generator("quote_examples").quoted(page) == expected
    assert generator("quote_examples").quoted(expected) == expected
