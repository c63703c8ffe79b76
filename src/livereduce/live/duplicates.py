"""Which packets we already have, after a reconnect makes the source repeat a part of its history.

A source that is asked for "the last ten seconds" sends up to several minutes again. An event packet is a duplicate
if and only if one with the same pulse ID, type, length and fingerprint was taken on an earlier connection of the
same run and has not been matched yet: a multiset, so a pulse that the source really sent twice is taken twice.
Never a time threshold: pulse times are not monotonic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from livereduce.listeners.base import PacketKeys

KEPT = 1 << 20
"""So many of the newest packets are kept where others are forgotten; a source repeats some minutes."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def packet_key(keys: PacketKeys) -> NDArray[np.uint64]:
    """Fold the three words of each packet into one of 64 bits.

    With 10⁷ packets in a run the chance that any two differing packets fold to the same key is below 10⁻⁵, and such
    a pair would still have to fall into the overlap of a reconnect to matter.
    """
    with np.errstate(over="ignore"):
        key = keys.pulse_id * _ODD
        for word in (keys.kind_and_length, keys.fingerprint):
            key = (key ^ (key >> np.uint64(31)) ^ word) * _MIX
        return np.asarray(key ^ (key >> np.uint64(29)))


class PacketMemory:
    """Packets taken for one run; remembers 8 bytes for each."""

    def __init__(self) -> None:
        self._earlier = np.empty(0, np.uint64)
        self._counts = np.empty(0, np.int64)
        self._left = np.empty(0, np.int64)
        self._taken: list[NDArray[np.uint64]] = []

    def reconnected(self) -> None:
        """All packets taken so far may now come again."""
        everything = np.concatenate([np.repeat(self._earlier, self._counts), *self._taken])
        self._earlier, self._counts = np.unique(everything, return_counts=True)
        self._left = self._counts.copy()
        self._taken = []

    def forget(self) -> None:
        """Forget all but the newest packets, if there have been many since the last connection."""
        if sum(keys.size for keys in self._taken) > KEPT:
            self._taken = [np.concatenate(self._taken)[-KEPT:]]
            self._earlier, self._counts, self._left = self._earlier[:0], self._counts[:0], self._left[:0]

    def is_new(self, keys: PacketKeys) -> NDArray[np.bool_]:
        """Return, for each packet, whether it is to be taken; those taken are remembered."""
        key = packet_key(keys)
        new = np.ones(key.size, bool) if not self._earlier.size else self._unmatched(key)
        self._taken.append(key[new])
        return new

    def _unmatched(self, key: NDArray[np.uint64]) -> NDArray[np.bool_]:
        at = np.minimum(np.searchsorted(self._earlier, key), self._earlier.size - 1)
        known = self._earlier[at] == key
        # how many packets of the same key precede each one in this batch: the k-th is matched by the k-th left over
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        first = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
        rank = np.empty(key.size, np.int64)
        rank[order] = np.arange(key.size) - np.repeat(first, np.diff([*first, key.size]))
        matched = known & (rank < self._left[at])
        np.subtract.at(self._left, at[matched], 1)
        return np.asarray(~matched)
