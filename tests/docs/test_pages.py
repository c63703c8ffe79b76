"""Every block of Python in the documentation runs: those of a live script in the live cycle, others as they stand."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from livereduce.mantid import finder, mtd
from livereduce.mantid.names import missing_names
from livereduce.testing import Done, run_scripts
from livereduce.workspaces import WorkspaceStore

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"(?:^<!-- (?P<quoted>\S+\.py) -->\n)?^```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT = re.compile(r"# reduce_\w+_live_(post_)?proc\.py\n")


class Block(NamedTuple):
    """Python of a page, the file it quotes if it quotes one, and what it calls itself in its first line."""

    page: str
    line: int
    text: str
    quoted: str | None

    @property
    def stage(self) -> str:
        match = SCRIPT.match(self.text)
        return "" if match is None else "post" if match[1] else "proc"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(str(page.relative_to(DOCS)), text.count("\n", 0, m.start("text")) + 1, m["text"], m["quoted"])
        for m in BLOCK.finditer(text)
    ]


ALL = [block for page in sorted(DOCS.rglob("*.md")) for block in blocks(page)]


@pytest.mark.parametrize("block", [b for b in ALL if b.quoted], ids=lambda b: f"{b.page}:{b.line}")
def test_a_quoted_file_is_quoted_as_it_is(block: Block) -> None:
    assert block.quoted
    assert (DOCS.parent / block.quoted).read_text(encoding="utf-8") == block.text


def test_every_example_is_quoted() -> None:
    there = {f"examples/{path.parent.name}/{path.name}" for path in (DOCS.parent / "examples").glob("*/*.py")}
    assert there == {block.quoted for block in ALL if block.quoted}


def run_live(block: Block, chunks: int) -> Done:
    """Run a block that is a live script on made-up chunks."""
    if "import scipp" in block.text:
        pytest.importorskip("scipp")
    proc, post = (block.text if block.stage == stage else None for stage in ("proc", "post"))
    return run_scripts(proc, post, chunks=chunks)


def run_plain(page: Path, folder: Path) -> str:
    """Run the blocks of a page that are no live scripts one after the other; returns what they print."""
    if "import scipp" in page.read_text(encoding="utf-8"):
        pytest.importorskip("scipp")
    before, namespace = mtd.use(WorkspaceStore()), {"__name__": "__main__"}
    out = io.StringIO()
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(out):
            for block in blocks(page):
                if not block.quoted and not block.stage:
                    exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), namespace)
    finally:
        mtd.use(before)
        finder.uninstall()
    return out.getvalue()


@pytest.mark.parametrize("block", [b for b in ALL if b.stage and not b.quoted], ids=lambda b: f"{b.page}:{b.line}")
def test_a_live_script_runs_in_the_live_cycle(block: Block) -> None:
    done = run_live(block, 2)
    assert not done.warnings
    assert done.output is not done.accumulation


PLAIN = sorted({DOCS / b.page for b in ALL if not b.quoted and not b.stage})


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_other_blocks_run_one_after_the_other(page: Path, tmp_path: Path) -> None:
    run_plain(page, tmp_path)


def printed(page: str, wanted: str) -> str:
    """Return what the live script of a page that holds a text prints in three chunks."""
    (block,) = [b for b in ALL if b.page.endswith(page) and wanted in b.text]
    return run_live(block, 3).printed


def test_what_a_script_asks_is_answered_right() -> None:
    # made-up chunks stand on an instrument with 10 m from source to sample
    lines = printed("scripts.md", "moderator").splitlines()
    events = [float(line.split()[0]) for line in lines]
    assert events == [events[0], 2 * events[0], 3 * events[0]]
    assert all(line.endswith("source at 10 m") for line in lines)


def test_the_fit_finds_the_peaks_that_were_put_in() -> None:
    rows = dict(line.split()[:2] for line in printed("scripts.md", "Gaussian(").splitlines()[-9:])
    # halved at 0.5 from the centre: sigma = 0.5 / sqrt(2 ln 2)
    expected = {
        "f0.Height": 20, "f0.PeakCentre": 4, "f0.Sigma": 0.4247, "f1.Height": 10, "f1.PeakCentre": 7,
        "f1.Sigma": 0.4247, "f2.A0": 3, "f2.A1": 0.5,
    }  # fmt: skip
    assert {name: float(rows[name]) for name in expected} == pytest.approx(expected, abs=1e-4)


def test_counts_survive_the_way_to_scipp_and_back(tmp_path: Path) -> None:
    first, live, counts, bins = run_plain(DOCS / "how-to" / "notebooks.md", tmp_path).splitlines()
    assert live == "20 bins"
    spectra, events = (float(n) for n in re.findall(r"[\d.]+", first))
    assert spectra == 200
    # the script doubles the weight of every event
    assert counts == f"{2 * events} counts, 10.0 m from source to sample"
    assert bins == "20 bins"
    written = [float(line.split(",")[1]) for line in (tmp_path / "counts.txt").read_text().splitlines()[2:]]
    assert len(written) == 20
    assert sum(written) == pytest.approx(2 * events, rel=1e-4)


@pytest.mark.parametrize("block", [b for b in ALL if b.stage or b.quoted], ids=lambda b: f"{b.page}:{b.line}")
def test_a_script_uses_no_name_that_is_missing(block: Block) -> None:
    assert missing_names(block.text, block.quoted or block.page) == []
