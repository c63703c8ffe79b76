from livereduce.supervisor.processes import BackOff


def test_the_wait_doubles_with_each_quick_death_up_to_a_minute() -> None:
    back_off = BackOff()
    assert [back_off.after_death(0.1) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_healthy_minute_forgets_earlier_deaths() -> None:
    back_off = BackOff()
    for _ in range(5):
        back_off.after_death(0.1)
    assert back_off.after_death(61) == 1
