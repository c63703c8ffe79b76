import numpy as np

from livereduce.listeners.base import PacketKeys
from livereduce.live.duplicates import PacketMemory


def keys(*rows: tuple[int, int, int]) -> PacketKeys:
    table = np.array(rows, np.uint64).reshape(-1, 3)
    return PacketKeys(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())


def test_without_a_reconnect_nothing_is_a_duplicate() -> None:
    memory = PacketMemory()
    assert memory.is_new(keys((1, 1, 1), (1, 1, 1))).all()
    assert memory.is_new(keys((1, 1, 1))).all()


def test_after_a_reconnect_each_packet_matches_once() -> None:
    memory = PacketMemory()
    memory.is_new(keys((1, 0, 7), (2, 0, 7), (2, 0, 7)))
    memory.reconnected()
    again = memory.is_new(keys((2, 0, 7), (1, 0, 7), (2, 0, 7), (2, 0, 7)))
    assert again.tolist() == [False, False, False, True]


def test_the_same_pulse_with_other_contents_or_kind_is_new() -> None:
    memory = PacketMemory()
    memory.is_new(keys((1, 0, 7)))
    memory.reconnected()
    assert memory.is_new(keys((1, 0, 8), (1, 1, 7), (2, 0, 7))).all()


def test_packets_of_all_earlier_connections_are_remembered() -> None:
    memory = PacketMemory()
    memory.is_new(keys((1, 0, 0)))
    memory.reconnected()
    memory.is_new(keys((1, 0, 0), (2, 0, 0)))
    memory.reconnected()
    assert memory.is_new(keys((1, 0, 0), (2, 0, 0), (3, 0, 0))).tolist() == [False, False, True]


def test_random_repeats_equal_a_counter_done_the_slow_way() -> None:
    from collections import Counter

    rng = np.random.default_rng(3)
    memory, taken = PacketMemory(), Counter[tuple[int, ...]]()
    for _ in range(6):
        left = Counter(taken)
        for _ in range(4):
            rows = [(int(a), int(b), int(c)) for a, b, c in rng.integers(0, 4, (9, 3))]
            expected = []
            for row in rows:
                expected.append(left[row] == 0)
                if left[row]:
                    left[row] -= 1
                else:
                    taken[row] += 1
            assert memory.is_new(keys(*rows)).tolist() == expected
        memory.reconnected()


def test_of_very_many_packets_the_newest_million_is_remembered() -> None:
    memory = PacketMemory()
    memory.is_new(keys((1, 0, 0)))
    memory.reconnected()
    ids = np.arange(10, 10 + (1 << 20), dtype=np.uint64)
    same = np.zeros_like(ids)
    memory.is_new(PacketKeys(ids, same, same))
    memory.forget()  # not one too many yet
    memory.is_new(keys((2, 0, 0)))
    memory.forget()
    memory.reconnected()
    assert memory.is_new(keys((1, 0, 0), (10, 0, 0), (11, 0, 0), (2, 0, 0))).tolist() == [True, True, False, False]
