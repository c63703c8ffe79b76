import signal

import pytest

from livereduce.supervisor.processes import BackOff, End, RestartBudget


def test_the_wait_doubles_with_each_quick_death_up_to_half_a_minute() -> None:
    back_off = BackOff()
    assert [back_off.after_death(0.1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_healthy_minute_forgets_earlier_deaths() -> None:
    back_off = BackOff()
    for _ in range(5):
        back_off.after_death(0.1)
    assert back_off.after_death(61) == 1


def test_quick_deaths_spend_the_budget_in_spite_of_the_back_off() -> None:
    """20 deaths with the rests between them and 2 s of life each: 31 + 14 * 30 + 20 * 2 = 491 s < 600 s."""
    back_off, budget, now = BackOff(), RestartBudget(), 0.0
    deaths = 0
    while True:
        now, deaths = now + 2.0, deaths + 1
        if budget.spent(now, progress=False):
            break
        now += back_off.after_death(2.0)
    assert (deaths, now) == (20, 491.0)


def test_deaths_with_progress_between_them_are_never_too_many() -> None:
    budget = RestartBudget(limit=3)
    assert not any(budget.spent(float(now), progress=True) for now in range(100))
    assert [budget.spent(100.0 + now, progress=False) for now in range(2)] == [False, True]


def test_deaths_far_apart_are_never_too_many() -> None:
    budget = RestartBudget(limit=3, window_s=600)
    assert not any(budget.spent(301.0 * n, progress=False) for n in range(100))


def test_a_spent_budget_stays_so_until_there_is_progress_or_somebody_wants_it_renewed() -> None:
    budget = RestartBudget(limit=2, window_s=600)
    assert [budget.spent(1000.0 * n, progress=False) for n in range(2)] == [False, False]
    assert [budget.spent(t, progress=False) for t in (1001.0, 5000.0, 9000.0)] == [True, True, True]
    assert [budget.spent(t, progress=p) for t, p in ((9001.0, True), (9002.0, False))] == [False, True]
    budget.renew()
    assert not budget.spent(9003.0, progress=False)


@pytest.mark.parametrize(
    ("end", "words", "from_outside"),
    [
        (End(1, -signal.SIGSEGV, 1.0), "signal SIGSEGV", False),
        (End(1, 1, 1.0), "exit code 1", False),
        (End(1, -signal.SIGKILL, 1.0), "signal SIGKILL", True),
        (End(1, -signal.SIGKILL, 1.0, "script_limit"), "signal SIGKILL (script_limit)", False),
        (End(1, 143, 1.0), "exit code 143", True),
        (End(1, 137, 1.0), "exit code 137", True),
    ],
)
def test_an_end_is_told_in_words(end: End, words: str, from_outside: bool) -> None:
    assert (end.in_words, end.by_someone_else) == (words, from_outside)
