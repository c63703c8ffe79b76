import os
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from livereduce.status import Holding
from livereduce.supervisor.memory import Forecast, MemoryWatch, Pressure, Relief, in_words, limit_bytes, own_bytes

GIB = 1 << 30


def test_memory_is_what_only_the_process_can_give_back() -> None:
    before = own_bytes(os.getpid())
    block = b"x" * (64 << 20)
    grown = own_bytes(os.getpid()) - before
    assert 60 << 20 < grown < 80 << 20
    assert own_bytes(os.getpid()) <= psutil.Process().memory_info().rss
    del block


def test_a_process_that_has_gone_uses_nothing() -> None:
    assert own_bytes(2**22 + 1) == 0


def test_the_limit_is_a_share_of_the_machine_or_of_the_control_group(tmp_path: Path) -> None:
    total = psutil.virtual_memory().total
    assert limit_bytes(50, tmp_path) == int(total * 0.5)
    assert limit_bytes(0, tmp_path) is None
    group = tmp_path / Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.max").write_text("1000000\n")
    assert limit_bytes(70, tmp_path) == 700_000
    (group / "memory.max").write_text("max\n")
    assert limit_bytes(70, tmp_path) == int(total * 70 / 100)


def test_steady_growth_is_carried_on_to_the_limit() -> None:
    """1 MB/s from 100 MB: at 120 s 220 MB are used and 780 MB are left, which is 780 s."""
    forecast = Forecast()
    for second in range(121):
        forecast.add(float(second), 100_000_000 + 1_000_000 * second)
    assert forecast.seconds_until(1_000_000_000) == pytest.approx(780.0)


@pytest.mark.parametrize("growth", [0, -1000])
def test_memory_that_does_not_grow_is_never_full(growth: int) -> None:
    forecast = Forecast()
    for second in range(121):
        forecast.add(float(second), 100_000_000 + growth * second)
    assert forecast.seconds_until(1_000_000_000) is None


def test_there_is_no_forecast_in_the_first_minute_nor_for_next_year() -> None:
    forecast = Forecast()
    assert forecast.seconds_until(GIB) is None
    for second in range(59):
        forecast.add(float(second), second)
    assert forecast.seconds_until(GIB) is None
    for second in range(59, 200):
        forecast.add(float(second), second)
    assert forecast.seconds_until(10 * GIB) is None


def test_growth_of_more_than_five_minutes_ago_is_forgotten() -> None:
    forecast = Forecast()
    for second in range(200):
        forecast.add(float(second), 10_000_000 * second)
    for second in range(200, 510):
        forecast.add(float(second), 2_000_000_000)
    assert forecast.seconds_until(3_000_000_000) is None


def test_memory_is_saved_when_it_is_nearly_full_but_not_all_the_time() -> None:
    pressure = Pressure()
    judged = [pressure.judge(now, 95, 100, ()) for now in (0.0, 1.0, 59.0, 61.0)]
    assert judged == [Relief.SAVE, Relief.NOTHING, Relief.NOTHING, Relief.SAVE]
    assert pressure.judge(200.0, 89, 100, ()) is Relief.NOTHING


def test_at_the_limit_memory_is_saved_first_however_soon_after_the_last_time() -> None:
    pressure = Pressure()
    judged = [pressure.judge(now, used, 100, ()) for now, used in ((0.0, 92), (2.0, 104), (3.0, 60), (7.0, 101))]
    assert judged == [Relief.SAVE, Relief.SAVE, Relief.NOTHING, Relief.SAVE]
    assert [pressure.judge(now, 101, 100, ()) for now in (8.0, 16.9, 17.1)] == [
        Relief.NOTHING,
        Relief.NOTHING,
        Relief.RESTART,
    ]


def judge_full(pressure: Pressure, now: float, holdings: Sequence[Holding] = ()) -> list[Relief]:
    """Memory is full from `now` until what saving it cannot help against was done."""
    judged = [pressure.judge(now + s, 100, 100, holdings) for s in (0.0, 5.0, 11.0)]
    pressure.judge(now + 12.0, 10, 100, holdings)
    return judged


def test_a_leak_means_three_fresh_starts_an_hour_at_most() -> None:
    pressure = Pressure()
    judged = [judge_full(pressure, 600.0 * n) for n in range(6)]
    assert judged[:3] == [[Relief.SAVE, Relief.NOTHING, Relief.RESTART]] * 3
    assert judged[3:] == [[Relief.SAVE, Relief.NOTHING, Relief.SAY_OFTEN]] * 3
    assert judge_full(pressure, 3612.0)[-1] is Relief.RESTART


def test_events_are_no_leak() -> None:
    events, hoard = Holding("events", "EventTable", 85), Holding("hoard", "Workspace2D", 10)
    assert judge_full(Pressure(), 0.0, [events, hoard])[-1] is Relief.SAY_EVENTS
    assert judge_full(Pressure(), 0.0, [Holding("events", "EventTable", 75), hoard])[-1] is Relief.RESTART


def test_what_is_wrong_is_said_until_memory_is_below_the_limit() -> None:
    """All that this process uses counts; the limits are set around it."""
    me, events = [os.getpid()], [Holding("events", "EventTable", 1 << 60)]
    watch = MemoryWatch(1 << 20)
    said = []
    for now in (0.0, 5.0, 11.0, 61.0):
        watch.look(now, me, events)
        said.append("the events of this run fill it" in watch.trouble)
    watch.limit = 1 << 50
    watch.look(62.0, me, events)
    assert said == [False, False, True, True]
    assert watch.trouble == ""


def test_what_takes_most_is_named() -> None:
    words = in_words(5 << 20, 10 << 20, [Holding("hoard", "Workspace2D", 3 << 20)])
    assert words == "5 MiB of 10 MiB; largest: hoard (Workspace2D) 3 MiB"
