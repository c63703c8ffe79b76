"""Who reads what: containers, files, index points, paused files, the bound on memory."""

from __future__ import annotations

import pytest

from livereduce.simulators.history import ForgottenError, History, Reader


def read(reader: Reader, limit: int = 1 << 20) -> bytes:
    data = b""
    while taken := reader.take(limit):
        data += b"".join(taken)
    return data


@pytest.fixture
def history() -> History:
    """Container of a gap, closed, and one of a run: file a, paused file p, file b, each with two pieces."""
    made = History()
    gap = made.current
    made.append(made.begin_file(100, paused=False), [b"gap "])
    made.begin_container()
    for time_ns, name, paused in ((200, b"a", False), (300, b"p", True), (400, b"b", False)):
        file = made.begin_file(time_ns, paused)
        made.append(file, [name + b"1 ", name + b"2 "])
    made.append(gap.files[-1], [b"end "])
    made.close(gap)
    return made


def test_request_before_the_container_gets_it_from_its_first_byte(history: History) -> None:
    assert read(history.since(1, skip_paused=False)) == b"a1 a2 p1 p2 b1 b2 "
    assert read(history.since(200, skip_paused=False)) == b"a1 a2 p1 p2 b1 b2 "


def test_paused_file_is_left_out_whole_for_who_does_not_want_it(history: History) -> None:
    assert read(history.since(1, skip_paused=True)) == b"a1 a2 b1 b2 "


def test_request_inside_the_container_starts_at_the_newest_index_point_before_it(history: History) -> None:
    assert read(history.since(401, skip_paused=False)) == b"b1 b2 "
    assert read(history.since(400, skip_paused=False)) == b"p1 p2 b1 b2 "
    assert read(history.since(10**18, skip_paused=False)) == b"b1 b2 "


def test_index_point_inside_a_file_says_the_state_first(history: History) -> None:
    history.mark(450, b"state ")
    history.append(history.current.files[-1], [b"b3 "])
    assert read(history.since(451, skip_paused=False)) == b"state b3 "


def test_who_begins_now_gets_the_state_and_then_what_comes(history: History) -> None:
    reader = history.now(b"state ", skip_paused=True)
    assert read(reader) == b"state "
    history.append(history.current.files[-1], [b"b3 "])
    assert read(reader) == b"b3 "


def test_who_begins_inside_a_paused_file_gets_the_rest_of_it_even_unwanted() -> None:
    history = History()
    history.append(history.begin_file(1, paused=False), [b"a "])
    file = history.begin_file(2, paused=True)
    history.append(file, [b"p1 "])
    reader = history.now(b"state ", skip_paused=True)
    history.append(file, [b"p2 "])
    assert read(reader) == b"state p2 "
    # the next paused file begins while the client waits: that one it can leave out whole
    history.append(history.begin_file(3, paused=True), [b"p3 "])
    history.append(history.begin_file(4, paused=False), [b"b "])
    assert read(reader) == b"b "


def test_client_waiting_for_the_end_of_a_pause_skips_every_paused_file() -> None:
    history = History()
    history.append(history.begin_file(1, paused=False), [b"a "])
    reader = history.since(0, skip_paused=True)
    for time_ns in (2, 3):
        history.append(history.begin_file(time_ns, paused=True), [b"p "])
        read_now = read(reader)
        assert read_now in (b"a ", b"")
    history.append(history.begin_file(4, paused=False), [b"b "])
    assert read(reader) == b"b "


def test_reader_waits_for_the_closing_bytes_of_a_container_before_it_goes_on() -> None:
    history = History()
    history.append(history.begin_file(1, paused=False), [b"run "])
    reader = history.since(0, skip_paused=True)
    container = history.current
    history.begin_container()
    history.append(history.begin_file(2, paused=False), [b"gap "])
    assert read(reader) == b"run "
    history.append(container.files[-1], [b"end "])
    history.close(container)
    assert read(reader) == b"end gap "


def test_run_that_ends_in_a_pause_still_leads_on_to_the_next_container() -> None:
    history = History()
    history.append(history.begin_file(1, paused=True), [b"p "])
    reader = history.since(0, skip_paused=True)
    container = history.current
    history.begin_container()
    history.append(history.begin_file(2, paused=False), [b"gap "])
    history.close(container)
    assert read(reader) == b"gap "


def test_pieces_larger_than_asked_for_come_in_parts(history: History) -> None:
    reader = history.since(1, skip_paused=False)
    parts = []
    while taken := reader.take(2):
        assert sum(map(len, taken)) <= 2
        parts += taken
    assert b"".join(parts) == b"a1 a2 p1 p2 b1 b2 "


def test_what_memory_does_not_hold_is_read_back_from_disk() -> None:
    history = History(memory_bytes=10)
    file = history.begin_file(1, paused=False)
    history.append(file, [b"0123456789"[:8], b"on disk 1 ", b"on disk 2 "])
    assert read(history.since(0, skip_paused=False)) == b"01234567on disk 1 on disk 2 "
    assert read(history.since(0, skip_paused=False), limit=3) == b"01234567on disk 1 on disk 2 "


def test_shared_bytes_cost_nothing() -> None:
    history = History(memory_bytes=10, disk_bytes=0)
    body = b"x" * 1000
    for time_ns in range(5):
        history.append(history.begin_file(time_ns, paused=False), [body], unique=False)
    assert read(history.since(0, skip_paused=False)) == 5 * body


def test_oldest_files_are_forgotten_beyond_the_bound_and_who_needs_them_is_told() -> None:
    history = History(memory_bytes=10, disk_bytes=20)
    history.append(history.begin_file(1, paused=False), [b"a" * 20])
    late = history.since(0, skip_paused=False)
    history.append(history.begin_file(2, paused=False), [b"b" * 20])
    assert read(history.since(0, skip_paused=False)) == b"b" * 20
    with pytest.raises(ForgottenError, match="behind"):
        late.take(100)
