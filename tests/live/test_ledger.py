import pytest

from livereduce.errors import StateError
from livereduce.live.ledger import Ledger, RunLedger, json_time
from livereduce.live.state import NO_RUN, RunIdentity


def test_times_in_json_have_microseconds_and_are_utc() -> None:
    assert json_time(1_164_251_209_570_306_441) == "2006-11-23T03:06:49.570306Z"


def test_an_account_that_does_not_balance_is_an_error() -> None:
    account = RunLedger(RunIdentity(7, 1), events=10, accumulated=6, pending=1)
    account.dropped["unmapped"] += 3
    account.check()
    account.events += 1
    with pytest.raises(StateError, match="run 7 does not balance: 11 events received, 10 accounted for"):
        account.check()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "running"),
        ({"finished": True, "end_seen": True}, "complete"),
        ({"finished": True}, "incomplete: end not seen"),
        (
            {"finished": True, "joined_mid_run": True, "missing": [(1, 2)]},
            "incomplete: joined in mid-run, end not seen, data missing",
        ),
    ],
)
def test_the_end_of_a_run_is_said_in_words(changes: dict[str, object], words: str) -> None:
    account = RunLedger(RunIdentity(7, 1))
    for name, value in changes.items():
        setattr(account, name, value)
    assert account.in_words() == words
    assert account.complete == (words == "complete")


def test_a_run_read_again_replaces_its_account_of_an_earlier_process() -> None:
    ledger = Ledger()
    ledger.restore(
        [{"run": 6, "start": json_time(5), "events": 1}, {"run": 7, "start": json_time(10**9), "events": 2}], None
    )
    ledger.open(RunIdentity(7, 10**9)).events = 3
    assert [(r["run"], r["events"]) for r in ledger.as_json()["runs"]] == [(6, 1), (7, 3)]


def test_data_between_runs_have_one_account() -> None:
    ledger = Ledger()
    assert ledger.open(NO_RUN) is ledger.between_runs


def test_the_newest_runs_can_be_asked_for_alone() -> None:
    ledger = Ledger()
    ledger.restore([{"run": 5, "start": json_time(5), "events": 1}], None)
    for run in (6, 7, 8):
        ledger.open(RunIdentity(run, run * 10**9))
    assert [r["run"] for r in ledger.as_json(2)["runs"]] == [7, 8]
    assert [r["run"] for r in ledger.as_json()["runs"]] == [5, 6, 7, 8]


def test_a_thousand_runs_are_kept_and_the_oldest_forgotten() -> None:
    ledger = Ledger()
    ledger.restore([{"run": run, "start": json_time(run * 10**9), "events": 1} for run in range(1, 6)], None)
    for run in range(6, 1506):
        ledger.open(RunIdentity(run, run * 10**9)).finished = True
        ledger.check()
    assert [r["run"] for r in ledger.as_json()["runs"]] == list(range(506, 1506))


def test_an_account_is_checked_until_it_is_settled_and_again_when_it_is_taken_up_again() -> None:
    ledger = Ledger()
    account = ledger.open(RunIdentity(7, 1))
    account.finished, account.events, account.pending = True, 3, 3
    ledger.check()
    account.pending = 2  # finished, and still something to come: one event went missing
    with pytest.raises(StateError, match="3 events received, 2 accounted for"):
        ledger.check()
    account.pending, account.accumulated = 0, 3
    ledger.check()
    ledger.open(RunIdentity(7, 1)).events = 4
    with pytest.raises(StateError, match="4 events received, 3 accounted for"):
        ledger.check()
