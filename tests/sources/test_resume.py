"""When to try again, and what to ask for."""

from __future__ import annotations

from livereduce.sources.resume import CONTAINER, NOW, Resume

# 2021-09-09T01:46:40 UTC, in EPICS and in Unix seconds
EPICS_S, UNIX_S = 1_000_000_000, 1_631_152_000


def ns(seconds: int) -> int:
    return (UNIX_S + seconds) * 10**9


def test_the_first_connection_asks_for_what_was_configured() -> None:
    assert Resume(CONTAINER).start() == CONTAINER
    assert Resume(NOW).start() == NOW


def test_after_a_pulse_data_are_asked_for_from_ten_seconds_before_it() -> None:
    resume = Resume(CONTAINER)
    resume.received(None)
    assert resume.start() == CONTAINER
    resume.received(ns(0))
    resume.received(None)
    assert resume.start() == EPICS_S - 10


def test_a_pulse_of_an_earlier_process_counts_like_ones_own() -> None:
    assert Resume(NOW, ns(0)).start() == EPICS_S - 10


def test_a_pulse_at_the_beginning_of_time_does_not_turn_into_a_special_start() -> None:
    assert Resume(NOW, 631_152_000 * 10**9).start() == CONTAINER


def test_delays_double_up_to_half_a_minute_and_begin_again_after_data() -> None:
    resume = Resume(CONTAINER)
    assert [resume.delay() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    resume.received(None)
    assert resume.delay() == 0.5


def test_a_place_that_breaks_again_and_again_is_left_behind_by_asking_for_now() -> None:
    resume = Resume(CONTAINER)
    starts, delays = [], []
    for _ in range(4):
        starts.append(resume.start())
        resume.received(ns(-5))  # history, up to the place
        resume.received(ns(0))
        resume.broke()
        delays.append(resume.delay())
    assert starts == [CONTAINER, EPICS_S - 10, EPICS_S - 10, NOW]
    assert delays == [0.5, 1, 2, 4]


def test_data_beyond_a_place_that_broke_make_it_forgotten() -> None:
    resume = Resume(CONTAINER)
    for _ in range(3):
        resume.received(ns(0))
        resume.broke()
        resume.delay()
    assert resume.start() == NOW
    resume.received(ns(1))
    assert resume.start() == EPICS_S + 1 - 10
    assert resume.delay() == 0.5


def test_a_stream_without_pulses_that_keeps_breaking_is_left_behind_too() -> None:
    resume = Resume(CONTAINER)
    for _ in range(3):
        resume.received(None)
        resume.broke()
    assert resume.start() == NOW
