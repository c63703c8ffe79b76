from pathlib import Path

from livereduce.live.cuts import CutLog, CutRecord
from livereduce.live.state import NO_RUN, RunIdentity, Transition
from livereduce.sources import Position

RUN7 = RunIdentity(7, 1000)


def cut(begin: int, end: int, identity: RunIdentity = RUN7, transition: Transition = Transition.NONE) -> CutRecord:
    return CutRecord(Position(1, begin), Position(1, end), identity, transition, Position(1, end))


def log_of(path: Path, *records: CutRecord, done: CutRecord | None = None) -> None:
    log = CutLog(path)
    for record in records:
        log.append(record)
    if done:
        log.done(done)
    log.close()


def test_a_new_journal_has_nothing_to_replay(tmp_path: Path) -> None:
    log = CutLog(tmp_path / "cuts")
    assert (log.to_replay, log.resume_at) == ([], None)
    log.close()


def test_a_run_under_way_is_replayed_from_its_first_cut(tmp_path: Path) -> None:
    between = cut(0, 10, NO_RUN, Transition.BEGIN)
    log_of(tmp_path / "cuts", between, cut(10, 20), cut(20, 35), done=between)
    log = CutLog(tmp_path / "cuts")
    assert log.to_replay == [cut(10, 20), cut(20, 35)]
    assert log.resume_at == Position(1, 10)
    log.close()


def test_a_run_whose_last_chunk_is_done_is_not_read_again(tmp_path: Path) -> None:
    end = cut(20, 35, transition=Transition.END)
    log_of(tmp_path / "cuts", cut(10, 20), end, done=end)
    for _ in range(2):  # also after the file has been rewritten
        log = CutLog(tmp_path / "cuts")
        assert (log.to_replay, log.resume_at) == ([], Position(1, 35))
        log.close()


def test_after_a_run_reading_goes_on_before_the_mark_that_ended_it(tmp_path: Path) -> None:
    end = CutRecord(Position(1, 10), Position(1, 35), RUN7, Transition.END, Position(1, 31))
    log_of(tmp_path / "cuts", end, done=end)
    log = CutLog(tmp_path / "cuts")
    assert log.resume_at == Position(1, 31)
    log.close()


def test_a_run_that_died_in_its_last_chunk_is_read_again(tmp_path: Path) -> None:
    log_of(tmp_path / "cuts", cut(10, 20), cut(20, 35, transition=Transition.END))
    log = CutLog(tmp_path / "cuts")
    assert log.resume_at == Position(1, 10)
    log.close()


def test_a_chunk_taken_again_replaces_the_failed_attempt(tmp_path: Path) -> None:
    log_of(tmp_path / "cuts", cut(10, 20), cut(20, 30), cut(20, 50))
    log = CutLog(tmp_path / "cuts")
    assert log.to_replay == [cut(10, 20), cut(20, 50)]
    log.close()


def test_a_line_torn_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "cuts"
    log_of(path, cut(10, 20))
    with path.open("a") as file:
        file.write("[1, 20, 1, 3")
    log = CutLog(path)
    assert log.to_replay == [cut(10, 20)]
    log.append(cut(20, 40))
    log.close()
    log = CutLog(path)
    assert log.to_replay == [cut(10, 20), cut(20, 40)]
    log.close()


def test_data_between_runs_are_read_again_from_where_they_began_anew(tmp_path: Path) -> None:
    anew = cut(20, 30, NO_RUN, Transition.ANEW)
    log = CutLog(tmp_path / "cuts")
    for record in (cut(10, 20, NO_RUN), anew):
        log.append(record)
    log.done(anew)
    for record in (cut(30, 40, NO_RUN), cut(40, 50, NO_RUN)):
        log.append(record)
    log.close()
    log = CutLog(tmp_path / "cuts")
    assert log.to_replay == [cut(30, 40, NO_RUN), cut(40, 50, NO_RUN)]
    assert log.resume_at == Position(1, 30)
    log.close()


def test_a_clear_is_remembered_until_reading_begins_behind_it(tmp_path: Path) -> None:
    log = CutLog(tmp_path / "cuts")
    log.append(cut(10, 20))
    log.clear(Position(1, 25))
    log.append(cut(20, 35))
    log.close()
    for _ in range(2):  # also after the file has been rewritten
        log = CutLog(tmp_path / "cuts")
        assert (log.clear_until, log.to_replay) == (Position(1, 25), [cut(10, 20), cut(20, 35)])
        log.close()
    end = cut(35, 40, transition=Transition.END)
    log_of(tmp_path / "cuts", end, done=end)
    log = CutLog(tmp_path / "cuts")
    assert (log.resume_at, log.clear_until) == (Position(1, 40), None)
    log.close()


def test_the_file_keeps_only_what_a_restart_needs_while_the_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "cuts"
    log = CutLog(path)
    for run in range(100):
        identity, start = RunIdentity(run, run), 30 * run
        end = cut(start + 10, start + 30, identity, Transition.END)
        log.append(cut(start, start + 10, identity))
        log.append(end)
        assert len(path.read_text().splitlines()) == (
            2 if run == 0 else 4
        )  # this run, the end of the last and its mark
        log.done(end)
        assert len(path.read_text().splitlines()) == 2
    log.append(cut(3000, 3010, RunIdentity(100, 100)))
    log.close()
    log = CutLog(path)
    assert (log.resume_at, log.to_replay) == (Position(1, 3000), [cut(3000, 3010, RunIdentity(100, 100))])
    log.close()
