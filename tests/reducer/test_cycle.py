"""What the live cycle tells the recorder, read from a real journal; sessions as a whole are tested in tests/system."""

from __future__ import annotations

import gc
import struct
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from livereduce.algorithms.memory import remembered
from livereduce.config import Config, from_mapping
from livereduce.mantid.api import mtd
from livereduce.mantid.publishing import publications
from livereduce.protocols.adara import RunState, RunStatus, encode, unix_ns
from livereduce.reducer.cycle import Cycle
from livereduce.reducer.health import Reporter
from livereduce.reducer.scripts import ACCEPTED
from livereduce.sources import BEGIN, Position
from livereduce.sources.journal import NEEDED, JournalWriter, prune, read_needed, segments
from livereduce.status import REDUCER
from livereduce.workspaces import EventWorkspace, Spectra

START_NS = unix_ns(1_000_000_000)


def pulse(second: int, pixel: int | None = None) -> bytes:
    words = (1, 2, 3, 0x300, 1, 0, 0, 1, 5, 1, 100, second if pixel is None else pixel)
    return struct.pack("<16I", 48, 0x400001, 1_000_000_000 + second, 0, *words)


def status(run: int, state: RunState) -> bytes:
    return encode(RunStatus(START_NS, run, START_NS, state))


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "runtime").mkdir()
    yield from_mapping(
        {
            "instrument": "POWGEN", "listener": "adara", "address": "127.0.0.1:1", "state_dir": str(tmp_path / "state"),
            "runtime_dir": str(tmp_path / "runtime"), "script_dir": str(tmp_path / "scripts"),
            "log": {"file": str(tmp_path / "log")},
        }
    )  # fmt: skip
    mtd.clear()
    publications.clear()


def write_runs(journal: Path) -> None:
    """Two runs that are over, a segment each, and the beginning of a third one."""
    writer = JournalWriter(journal)
    writer.new_connection()
    for run in (7, 8, 9):
        writer.begin_segment(run, START_NS, 1)
        writer.write(status(run, RunState.NEW_RUN) + pulse(run))
        if run != 9:
            writer.write(status(run, RunState.END_RUN))
    writer.close()


def test_the_journal_stays_from_the_run_on_that_has_still_to_be_processed(config: Config) -> None:
    journal = config.state_dir / "journal"
    write_runs(journal)
    cycle = Cycle(config, Reporter(config.runtime_dir / "reducer.json"))
    try:
        assert read_needed(journal) == BEGIN  # before the first script is run, which may never end
        assert prune(journal, keep_bytes=1, keep_runs=1) == 0
        needed = []
        for turn in range(10):
            cycle.monitor.turn(1000.0 * turn)
            cycle.report()
            needed.append(read_needed(journal))
    finally:
        cycle.close()
    # Before the mark at the end of a run (36 bytes at its beginning, 64 of a pulse), then behind it (36 more) as the
    # next one begins: a new process has to read that mark. Run 9 is under way.
    places = [Position(1, 100), Position(1, 136), Position(2, 100), Position(2, 136)]
    assert list(dict.fromkeys(needed)) == places
    assert prune(journal, keep_bytes=1, keep_runs=1) == 136
    assert [segment.run for segment in segments(journal)] == [8, 9]


def test_between_runs_the_journal_of_a_day_ago_is_not_needed_any_more(config: Config) -> None:
    journal = config.state_dir / "journal"
    writer = JournalWriter(journal)
    writer.new_connection()
    writer.begin_segment(0, 0, 1)
    state = status(0, RunState.NO_RUN)  # 36 bytes; a pulse has 64
    writer.write(state + pulse(0, 7) + pulse(90_000, 7) + state + pulse(90_001, 7) + pulse(90_002, 7))
    writer.close()
    for turns in (3, 1):  # a new process goes on from there
        cycle = Cycle(config, Reporter(config.runtime_dir / "reducer.json"))
        try:
            for turn in range(turns):
                cycle.monitor.turn(1000.0 * turn)
            result = mtd["result"]
            assert isinstance(result, EventWorkspace)
            assert result.getNumberEvents() == 2
            assert cycle.monitor.builder.ledger.between_runs.accumulated == 4
            cycle.report()
        finally:
            cycle.close()
        assert read_needed(journal) == Position(1, 36 + 64 + 64)
        mtd.clear()


def test_a_new_process_says_again_from_where_it_reads(config: Config) -> None:
    journal = config.state_dir / "journal"
    write_runs(journal)
    for turns, before, after in ((1, Position(0, 0), Position(1, 100)), (0, Position(1, 100), Position(1, 100))):
        cycle = Cycle(config, Reporter(config.runtime_dir / "reducer.json"))
        try:
            assert read_needed(journal) == before
            for turn in range(turns):
                cycle.monitor.turn(1000.0 * turn)
                cycle.report()
            assert read_needed(journal) == after
        finally:
            cycle.close()
        (journal / NEEDED).unlink()


def test_that_a_run_is_read_again_is_said_before_it_is_read(config: Config) -> None:
    write_runs(config.state_dir / "journal")
    path = config.runtime_dir / "reducer.json"
    said = []
    for _ in range(2):
        cycle = Cycle(config, Reporter(path))
        said.append(REDUCER.validate_json(path.read_bytes()).reprocess_percent if path.exists() else None)
        for turn in range(10):  # into run 9, which is under way
            cycle.monitor.turn(1000.0 * turn)
        path.unlink()
        cycle.close()
    assert said == [None, 0.0]


class Diary(Reporter):
    """A reporter that keeps what it has said of stages."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.said: list[tuple[str, Position]] = []

    def update(self, **changes: object) -> None:
        super().update(**changes)
        self.said.append((self.health.stage.value, Position(*self.health.position)))


def test_what_was_read_counts_as_progress_when_the_chunk_made_of_it_is_processed(config: Config) -> None:
    """Else a process that dies making its first chunk gets further each time, as data come, and starts for ever."""
    write_runs(config.state_dir / "journal")
    diary = Diary(config.runtime_dir / "reducer.json")
    cycle = Cycle(config, diary)
    try:
        cycle.monitor.turn(0.0)
    finally:
        cycle.close()
    begin, end = Position(0, 0), Position(1, 136)
    said = [(stage, place) for stage, place in diary.said if stage in ("extract", "build", "proc", "idle")]
    assert said == [("extract", begin), ("build", begin), ("proc", end), ("idle", end)]


def test_when_memory_is_short_what_is_remembered_of_spectra_goes(config: Config) -> None:
    write_runs(config.state_dir / "journal")
    owner = Spectra([1])
    alive = weakref.ref(remembered(owner, "taken", lambda: Spectra([2])))
    assert alive() is not None
    Cycle(config, Reporter(config.runtime_dir / "reducer.json")).save_memory(0)
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(("surplus", "kept"), [(0, {"result_7", "result_8"}), (1 << 40, set())])
def test_results_of_ended_runs_become_files_where_forgetting_does_not_save_enough_memory(
    config: Config, surplus: int, kept: set[str]
) -> None:
    write_runs(config.state_dir / "journal")
    renaming = config.model_copy(update={"run_transition_behavior": "Rename"})
    cycle = Cycle(renaming, Reporter(config.runtime_dir / "reducer.json"))
    try:
        for turn in range(10):
            cycle.monitor.turn(1000.0 * turn)
        copies = {"result_7", "result_8"}
        assert set(mtd.getObjectNames()) >= copies
        cycle.save_memory(surplus)
    finally:
        cycle.close()
    assert set(mtd.getObjectNames()) & copies == kept
    assert {path.stem for path in config.output.directory.glob("result_*.nxs")} & copies == copies - kept


PUBLISHING = """
from livereduce.mantid.publishing import publish_plot
output, run = input, input.getRunNumber()
publish_plot("PG3", run, files={"file": f"<p>{input.getNumberEvents():g} events \\ud800</p>"})
"""


def accept_post(config: Config, text: str) -> None:
    """Put a post-processing script where the supervisor puts those that may be used."""
    folder = config.state_dir / "scripts"
    folder.mkdir(parents=True)
    (folder / ACCEPTED["post"]).write_text(text)


def published(config: Config) -> dict[str, bytes]:
    found = sorted((config.runtime_dir / "plots").glob("*"))
    return {path.name: path.read_bytes().partition(b"\n")[2] for path in found}


def test_what_scripts_publish_is_written_for_the_page_until_the_data_are_cleared(config: Config) -> None:
    write_runs(config.state_dir / "journal")
    accept_post(config, PUBLISHING)
    for turns, before in ((10, []), (0, [f"PG3_{run}_file.plot" for run in (0, 7, 8, 9)])):
        cycle = Cycle(config, Reporter(config.runtime_dir / "reducer.json"))
        assert list(published(config)) == before
        for turn in range(turns):
            cycle.monitor.turn(1000.0 * turn)
        cycle.report()
        if turns:
            assert published(config)["PG3_7_file.plot"] == b"<p>1 events ?</p>"
        else:
            cycle.clear()
        cycle.close()
    assert published(config) == {}


def test_plots_that_cannot_be_written_are_said_and_the_data_go_on(config: Config) -> None:
    write_runs(config.state_dir / "journal")
    accept_post(config, PUBLISHING)
    (config.runtime_dir / "plots").write_text("in the way")
    cycle = Cycle(config, Reporter(path := config.runtime_dir / "reducer.json"))
    for turn in range(10):
        cycle.monitor.turn(1000.0 * turn)
    cycle.report()
    assert REDUCER.validate_json(path.read_bytes()).warnings == (
        "what scripts publish cannot be written for the page: File exists",
    )
    assert [run["events"] for run in cycle.monitor.builder.ledger.as_json()["runs"]] == [1, 1, 1]
    (config.runtime_dir / "plots").unlink()
    cycle.shown(9)  # the next result
    cycle.report()
    assert REDUCER.validate_json(path.read_bytes()).warnings == ()
    assert list(published(config)) == [f"PG3_{run}_file.plot" for run in (0, 7, 8, 9)]
    cycle.close()
