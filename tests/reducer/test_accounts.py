"""What the ledger remembers from one process to the next."""

import json
from pathlib import Path

from livereduce.live.ledger import Ledger
from livereduce.live.state import RunIdentity
from livereduce.reducer.accounts import Accounts
from livereduce.sources import Position

S = 1_000_000_000


def ledger_of(*runs: int, between: int = 0) -> Ledger:
    """Make a ledger of finished runs with as many events as their number says."""
    ledger = Ledger()
    for run in runs:
        account = ledger.open(RunIdentity(run, run * S))
        account.events = account.accumulated = run
        account.finished = account.end_seen = True
    ledger.between_runs.events = ledger.between_runs.accumulated = between
    return ledger


def restored(path: Path, resume_at: Position | None) -> Ledger:
    ledger = Ledger()
    Accounts(path, resume_at, 0).restore(ledger)
    return ledger


def test_finished_runs_and_what_lay_between_them_are_found_again(tmp_path: Path) -> None:
    path, here = tmp_path / "accounts", Position(3, 40)
    before = ledger_of(7, 8, between=5)
    before.between_runs.missing.append((1 * S, 2 * S + 1000))
    before.between_runs.dropped["error pixel"] = 2
    before.between_runs.events += 2
    Accounts(path, None, 0).keep(before, here, 1)
    for _ in range(2):  # also after the file has been rewritten
        after = restored(path, here)
        assert after.as_json() == before.as_json()
        after.check()


def test_what_lay_between_runs_is_that_of_the_place_where_reading_begins(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    accounts = Accounts(path, None, 0)
    accounts.keep(ledger_of(7, between=5), Position(3, 40), 1)
    # the process dies before this transition is noted as done: what lay before it is read, and counted, again
    accounts.keep(ledger_of(7, between=9), Position(4, 0), 2)
    assert restored(path, Position(3, 40)).between_runs.events == 5
    # and what is read from the beginning counts from nothing
    assert restored(path, None).between_runs.events == 0


def test_runs_count_once_and_from_the_given_time_on(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    accounts = Accounts(path, None, 0)
    accounts.keep(ledger_of(7), Position(3, 40), 10)
    later = Accounts(path, Position(3, 40), 20)
    assert later.finished == 0
    for _ in range(2):
        later.keep(ledger_of(8), Position(4, 40), 20)
        assert later.finished == 1
    assert sum("account" in json.loads(line) for line in path.read_text().splitlines()) == 2


def test_a_line_torn_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    Accounts(path, None, 0).keep(ledger_of(7), Position(3, 40), 1)
    with path.open("a") as file:
        file.write('{"written_ns": 2, "acc')
    assert [account["run"] for account in restored(path, None).as_json()["runs"]] == [7]
    assert path.read_text().endswith("\n")


def test_file_and_memory_keep_a_thousand_runs_however_long_the_process_lives(tmp_path: Path) -> None:
    path, ledger = tmp_path / "accounts", Ledger()
    accounts = Accounts(path, None, 0)
    for run in range(1, 1601):
        account = ledger.open(RunIdentity(run, run * S))
        account.events = account.accumulated = run
        account.finished = account.end_seen = True
        accounts.keep(ledger, Position(1, run), run)
    assert accounts.finished == 1600
    # 1000 runs and one line between them when it was last written anew; not more than 1000 lines were added since
    assert len(path.read_text().splitlines()) <= 2001
    accounts.close()
    found = restored(path, Position(1, 1600))
    assert [account["run"] for account in found.as_json()["runs"]] == list(range(601, 1601))
