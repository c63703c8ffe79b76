"""Compiled loops without bound checks: what they may write to, whatever a packet says."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from livereduce.protocols.adara.batch import Columns, EventBatch, decode_run
from livereduce.protocols.adara.kernels import decode_run as fill
from livereduce.protocols.adara.kernels import scan_run

GUARD = 64
NOTE = 0xA5
LARGE = 0xFFFF_FFFF

PULSE = ("pulse_id", "pulse_time", "charge", "flags", "veto", "packet_type", "payload_length", "fingerprint")
ERRORS = ("error_events", "unmapped_events")
MONITOR = ("pulse_id", "time", "charge", "payload_length", "fingerprint")


def packet(rng: random.Random) -> bytes:
    """Give a packet of one of the four types, sound or with words of it changed, cut off or added."""
    type_ = rng.choice([0x0001, 0x4000, 0x4100, 0x4001])
    words = [rng.choice([0, 1, LARGE, 4 << 24, rng.randrange(1 << 32)]) for _ in range(30 if type_ == 1 else 4)]
    for _ in range(rng.randrange(3) if type_ != 1 else 0):
        if type_ == 0x4001:
            n = rng.randrange(40)
            words += [7 << 22 | n, 0, 50, *(rng.randrange(1 << 32) for _ in range(n))]
        else:
            words += [1, 0, 50, 2]
            for _ in range(2):
                n = rng.choice([0, 1, 30, 300])
                words += [rng.choice([5, LARGE, LARGE - 1]), *([1] if type_ == 0x4100 else []), n]
                words += [rng.choice([LARGE, rng.randrange(1 << 24)]) for _ in range(2 * n)]
    damage = rng.randrange(6)
    if damage == 0:
        words = words[: rng.randrange(len(words) + 1)]
    elif damage == 1:
        words += [rng.randrange(1 << 32) for _ in range(rng.randrange(4))]
    elif damage == 2:
        words[rng.randrange(len(words))] = rng.choice([0, 2, 300, LARGE, LARGE >> 1, rng.randrange(1 << 32)])
    return struct.pack(f"<{4 + len(words)}I", 4 * len(words), type_ << 8 | rng.randrange(3), 5, 6, *words)


def room(words: np.ndarray) -> dict[str, int]:
    """Count the rows that `scan_run` makes room for, by column."""
    _, pulses, events, monitor_pulses, monitor_events = scan_run(words, 1 << 20)
    rows = dict.fromkeys((*PULSE, *ERRORS), pulses) | {"start": pulses + 1, "tof": events, "pixel": events}
    rows |= {f"monitor_{name}": monitor_pulses for name in MONITOR}
    return rows | {"monitor_start": monitor_pulses + 1, "monitor_tof": monitor_events, "monitor_number": monitor_events}


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_written_beside_the_columns_whatever_packets_say(seed: int) -> None:
    rng = random.Random(seed)
    data = b"".join(packet(rng) for _ in range(30))
    words = np.frombuffer(data, "<u4")
    expected = decode_run(data, 0, 1 << 20)
    assert expected.size == len(data)
    assert isinstance(expected.batch, EventBatch)
    memory, columns = {}, {}
    for name, rows in room(words).items():
        dtype = getattr(expected.batch, name).dtype
        memory[name] = np.full((rows + 2 * GUARD) * dtype.itemsize, NOTE, np.uint8)
        columns[name] = memory[name].view(dtype)[GUARD : GUARD + rows]
    fill(words, len(words), Columns(**columns), np.zeros((2, 4), np.int64))
    for name, column in columns.items():
        edge = GUARD * column.itemsize
        assert np.all(memory[name][:edge] == NOTE), name
        assert np.all(memory[name][len(memory[name]) - edge :] == NOTE), name
        found = getattr(expected.batch, name)
        np.testing.assert_array_equal(column[: len(found)], found)
