"""ADARA bytes to columns, and the same in C on the same bytes."""

from __future__ import annotations

import numpy as np

from benchmarks.engine import Job
from benchmarks.measuring import Yardsticks, i64
from livereduce.protocols.adara import Decoder, EventBatch


def stream(pulses: int, banks: int, events_per_bank: int) -> np.ndarray:
    """Words of banked event packets (version 0): per pulse one source section with `banks` sections."""
    rng = np.random.default_rng(1)
    section = 2 + 2 * events_per_bank
    payload = 4 + 4 + banks * section
    words = np.zeros((pulses, 4 + payload), np.uint32)
    words[:, 0], words[:, 1] = 4 * payload, 0x4000 << 8
    words[:, 2] = 1_000_000_000 + np.arange(pulses)
    words[:, 4] = 1000
    words[:, 8 + 2], words[:, 8 + 3] = 1 << 31, banks
    sections = words[:, 12:].reshape(pulses, banks, section)
    sections[:, :, 0], sections[:, :, 1] = np.arange(banks), events_per_bank
    sections[:, :, 2::2] = rng.integers(0, 166_700, (pulses, banks, events_per_bank), dtype=np.uint32)
    sections[:, :, 3::2] = rng.integers(0, 100_000, (pulses, banks, events_per_bank), dtype=np.uint32)
    return words.reshape(-1)


def decoding(pulses: int = 100, banks: int = 100, events_per_bank: int = 1000) -> Job:
    words = stream(pulses, banks, events_per_bank)
    data = words.data.cast("B")
    n = pulses * banks * events_per_bank
    block = 8 << 20  # as the listener reads
    tof, pix = np.empty(n, np.uint32), np.empty(n, np.uint32)
    time, start, found = np.empty(pulses, np.int64), np.empty(pulses + 1, np.int64), np.empty(1, np.int64)

    def ours() -> np.ndarray:
        decoder, events = Decoder(batch_events=True), 0
        for at in range(0, len(data), block):  # batches are dropped once read, as the live cycle does
            events += sum(len(item.tof) for item in decoder.feed(data[at : at + block]) if isinstance(item, EventBatch))
        return np.array([events])

    def in_c(c: Yardsticks) -> np.ndarray:
        return np.array([c.call("decode", words, i64(len(words)), tof, pix, time, start, found)])

    name = "decode" if events_per_bank >= 1000 else f"decode{events_per_bank}"
    return Job(name, f"ADARA packets of {banks} banks with {events_per_bank} events", n, ours, in_c)
