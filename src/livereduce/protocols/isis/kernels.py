"""Neutron packets to columns, compiled. Every length is checked against the buffer before it is used.

Indices are unsigned, because a signed one costs a wrap-around test an access; the loop over events has no branches, so
that the compiler vectorises it.
"""

# mypy: allow-untyped-defs

import numpy as np
from numba import njit

compiled_njit = njit(nogil=True, cache=True, boundscheck=False, error_model="numpy")
U = np.uintp
U4 = np.uint32
I8 = np.int64

MARKER = U4(0xFFFFFFFF)
NEUTRON = U4(2)
LONGEST_TICK = 4294967296.0


@compiled_njit
def head_is_sound(length, least, most):
    """Whether a header may have so many bytes."""
    return length >= least and length <= most and length & U4(3) == 0


@compiled_njit
def packet_words(words, at, max_header, max_words):
    """Give the size in words of the neutron packet at `at`, 0 where none lies complete and sound."""
    left = U(words.size) - at
    if left < U(11) or words[at] != MARKER or words[at + U(1)] != MARKER:
        return U(0)
    length = words[at + U(3)]
    if words[at + U(2)] >> U4(16) != U4(1) or words[at + U(4)] != NEUTRON:
        return U(0)
    if not head_is_sound(length, U4(20), U4(max_header)):
        return U(0)
    body = U(length >> U4(2))
    if left < body + U(6) or not head_is_sound(words[at + body], U4(24), U4(max_header)):
        return U(0)
    size = body + U(words[at + body] >> U4(2)) + U(2) * U(words[at + body + U(5)])
    if size > left or size > U(max_words):
        return U(0)
    return size


@compiled_njit
def scan_run(words, max_header, max_words):
    """Find the run of complete neutron packets that `words` begin with.

    Returns
    -------
    tuple of int
        Words in the run, packets, events.
    """
    at, packets, events = U(0), I8(0), I8(0)
    while True:
        size = packet_words(words, at, max_header, max_words)
        if size == U(0):
            return I8(at), packets, events
        body = at + U(words[at + U(3)] >> U4(2))
        packets += 1
        events += I8(words[body + U(5)])
        at += size


@compiled_njit
def copy_events(words, reals, tof, spectrum, n):
    """Append events at row `n`, their times in whole ns; returns the rows filled.

    A time of flight that is negative, not a number or beyond 2**32 ns leaves no row. Its float32 times 1000 is exact
    in float64, so that rounding down is the same everywhere.
    """
    begin = n
    good = U(0)
    for i in range(U(words.size) // U(2)):
        ns = np.float64(reals[U(2) * i]) * 1000.0
        fits = (ns >= 0.0) & (ns < LONGEST_TICK)
        tof[begin + good] = U4(ns if fits else 0.0)
        spectrum[begin + good] = words[U(2) * i + U(1)]
        good += U(fits)
    return begin + good


@compiled_njit
def decode_run(words, reals, end, out):
    """Decode the neutron packets in the first `end` words into the columns of `out`.

    Parameters
    ----------
    words, reals
        uint32[:] and the same as float32[:], the stream from a packet's beginning.
    out
        An `events.Columns` with room for what `scan_run` found.

    Returns
    -------
    tuple of int
        Packets, events.
    """
    at, packets, events = U(0), I8(0), U(0)
    out.start[0] = 0
    while at < U(end):
        body = at + U(words[at + U(3)] >> U4(2))
        first = body + U(words[body] >> U4(2))
        at = first + U(2) * U(words[body + U(5)])
        out.frame[packets] = words[body + U(1)]
        out.period[packets] = words[body + U(2)]
        out.charge[packets] = reals[body + U(3)]
        out.frame_time[packets] = reals[body + U(4)]
        before = events
        events = copy_events(words[first:at], reals[first:at], out.tof, out.spectrum, events)
        out.bad_times[packets] = I8(U(words[body + U(5)]) - (events - before))
        packets += 1
        out.start[packets] = I8(events)
    return packets, I8(events)
