import json
import os
import resource
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from livereduce.mantid.publishing import Publication
from livereduce.reducer import plots
from livereduce.reducer.plots import PlotWriter

NOW = 1_772_366_400_000_000_000


def publication(run: object = 7, **files: str) -> Publication:
    return Publication("PG3", str(run), files or {"file": "<p>x</p>"})


def write(writer: PlotWriter, *published: Publication) -> list[str]:
    """Write them; return what was said of plots left out."""
    said: list[str] = []
    writer.write(deque(published), NOW, said.append)
    return said


def there(runtime_dir: Path) -> list[str]:
    return sorted(os.listdir(runtime_dir / "plots"))


@contextmanager
def files_of_at_most(nbytes: int) -> Iterator[None]:
    """Let what is written beyond that fail, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_plot_is_a_line_about_it_and_its_html(tmp_path: Path) -> None:
    assert write(PlotWriter(tmp_path), publication(file="<div>Å\n</div>")) == []
    head, _, body = (tmp_path / "plots" / "PG3_7_file.plot").read_bytes().partition(b"\n")
    assert json.loads(head) == {"instrument": "PG3", "run": "7", "file": "file", "time_ns": NOW}
    assert body == "<div>Å\n</div>".encode()


def test_nothing_is_made_before_anything_is_published(tmp_path: Path) -> None:
    assert write(PlotWriter(tmp_path)) == []
    assert os.listdir(tmp_path) == []


def test_a_plot_replaces_the_one_of_the_same_run_and_file(tmp_path: Path) -> None:
    writer = PlotWriter(tmp_path)
    write(writer, publication(a="old", b="old"), publication(a="new"))
    assert there(tmp_path) == ["PG3_7_a.plot", "PG3_7_b.plot"]
    assert (tmp_path / "plots" / "PG3_7_a.plot").read_bytes().endswith(b"\nnew")


@pytest.mark.parametrize("again", [False, True])
def test_only_the_newest_stay_those_of_an_earlier_process_too(tmp_path: Path, again: bool) -> None:
    writer = PlotWriter(tmp_path)
    for run in range(plots.KEPT):
        write(writer, publication(run))
        os.utime(tmp_path / "plots" / f"PG3_{run}_file.plot", (1000 + run, 1000 + run))
    write(writer, publication(0))  # is now the newest
    write(PlotWriter(tmp_path) if again else writer, publication("x"))
    kept = [0, *range(2, plots.KEPT), "x"]
    assert there(tmp_path) == sorted(f"PG3_{run}_file.plot" for run in kept)


def test_all_together_they_stay_within_the_folders_size(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(plots, "TOTAL_BYTES", 3000)
    writer = PlotWriter(tmp_path)
    write(writer, *(publication(run, file="x" * 900) for run in range(5)))  # each a little below 1000 with its head
    assert there(tmp_path) == [f"PG3_{run}_file.plot" for run in (2, 3, 4)]
    write(writer, publication(5, file="x" * 1900))
    assert there(tmp_path) == [f"PG3_{run}_file.plot" for run in (4, 5)]


def test_a_plot_that_is_too_large_is_left_out_and_said(tmp_path: Path) -> None:
    said = write(PlotWriter(tmp_path), publication(large="x" * plots.PLOT_BYTES, small="x"))
    assert there(tmp_path) == ["PG3_7_small.plot"]
    assert len(said) == 1
    assert "the plot 'large' of run 7 is not shown: its HTML has 10.0 MB" in said[0]


def test_odd_names_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    names = ["../../x", "a/b", "a_b", "a.b", "\N{GREEK SMALL LETTER PSI}", "\N{GREEK SMALL LETTER PHI}", "", "\ud800",
             "x" * 500, "x" * 501, "\0", "new\nline"]  # fmt: skip
    assert write(PlotWriter(tmp_path), publication(**dict.fromkeys(names, "text \ud800"))) == []
    assert os.listdir(tmp_path) == ["plots"]
    found = there(tmp_path)
    assert len(found) == len(names)
    for name in found:
        assert name.isascii()
        assert name.removesuffix(".plot").replace("_", "").replace("-", "").isalnum()
        head, _, body = (tmp_path / "plots" / name).read_bytes().partition(b"\n")
        assert (json.loads(head)["run"], body) == ("7", b"text ?")
    assert "PG3_7_a_b.plot" in found


def test_on_a_full_disk_the_plot_before_stays_and_the_new_one_waits(tmp_path: Path) -> None:
    writer, waiting = PlotWriter(tmp_path), deque([publication(file="y" * 2000), publication(8)])
    write(writer, publication(file="old"))
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large"):
        writer.write(waiting, NOW, pytest.fail)
    assert there(tmp_path) == ["PG3_7_file.plot"]
    assert (tmp_path / "plots" / "PG3_7_file.plot").read_bytes().endswith(b"\nold")
    writer.write(waiting, NOW, pytest.fail)
    assert not waiting
    assert there(tmp_path) == ["PG3_7_file.plot", "PG3_8_file.plot"]
    assert (tmp_path / "plots" / "PG3_7_file.plot").stat().st_size > 2000


def test_what_a_killed_reducer_left_half_written_goes(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "PG3_7_file.tmp").write_bytes(b"half")
    PlotWriter(tmp_path)
    assert there(tmp_path) == []


def test_clearing_removes_them_all(tmp_path: Path) -> None:
    write(PlotWriter(tmp_path), publication(1))
    writer = PlotWriter(tmp_path)
    write(writer, publication(2))
    writer.clear()
    assert there(tmp_path) == []
    write(writer, publication(3))
    assert there(tmp_path) == ["PG3_3_file.plot"]
