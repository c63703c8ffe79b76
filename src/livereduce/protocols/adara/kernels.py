"""Runs of event packets straight to columns, compiled. Every length is checked against its packet before it is used.

A packet is walked first and copied after, so one whose inner structure is wrong leaves nothing behind. Indices are
unsigned, because a signed one costs a wrap-around test an access; inner loops have no branches, so that the compiler
vectorises them.
"""

# mypy: allow-untyped-defs

import numpy as np
from numba import njit

compiled_njit = njit(nogil=True, cache=True, boundscheck=False, error_model="numpy")
U = np.uintp
U4 = np.uint32
U8 = np.uint64
I8 = np.int64

RTDL, BANKED, MONITOR, BANKED_STATE = 0x0001, 0x4000, 0x4001, 0x4100
UNIX_EPOCH = 631_152_000
TOP_BIT = U4(0x80000000)


@compiled_njit
def scan_run(words, max_words):
    """Find the run of complete event packets that `words` begin with.

    Returns
    -------
    tuple of int
        Words in the run, detector packets, most events they can hold, monitor packets, most events they can hold.
    """
    at, n = U(0), U(words.size)
    n_banked, n_monitor, banked_words, monitor_words = I8(0), I8(0), I8(0), I8(0)
    while at + U(4) <= n:
        length = words[at]
        size = U(length >> U4(2)) + U(4)
        if length & U4(3) or size > U(max_words) or at + size > n:
            break
        kind = words[at + U(1)] >> U4(8)
        if kind == BANKED or kind == BANKED_STATE:
            n_banked += 1
            banked_words += I8(size)
        elif kind == MONITOR:
            n_monitor += 1
            monitor_words += I8(size)
        elif kind != RTDL:
            break
        at += size
    return I8(at), n_banked, banked_words // 2, n_monitor, monitor_words


@compiled_njit
def fingerprint(payload):
    """Hash a payload to 64 bits: the NH universal hash with running keys, a quarter of a nanosecond an event."""
    total = U8(payload.size)
    pairs = U(payload.size) // U(2)
    for i in range(pairs):
        x = payload[U(2) * i] + U4(i) * U4(0x9E3779B1) + U4(0x7F4A7C15)
        y = payload[U(2) * i + U(1)] + U4(i) * U4(0x85EBCA77) + U4(0xC2B2AE3D)
        total += U8(U4(x)) * U8(U4(y))
    if payload.size % 2:
        total += U8(payload[U(payload.size - 1)]) * U8(0x9FB21C651E98DF25)
    return total ^ (total >> U8(29))


@compiled_njit
def rtdl_is_sound(payload, version):
    """Whether an RTDL payload has its 120 bytes and the constant 4 in word 4."""
    long_enough = payload.size == 30 or (version > 1 and payload.size > 30)
    return long_enough and payload[U(4)] >> U4(24) == 4


@compiled_njit
def banks_are_sound(payload, bank_words):
    """Whether the source and bank sections (headers of `bank_words` words) end exactly where the payload does."""
    at, n = U(4), U(payload.size)
    if n < at:
        return False
    while at < n:
        if n - at < U(4):
            return False
        banks = payload[at + U(3)]
        at += U(4)
        for _ in range(banks):
            if n - at < bank_words:
                return False
            events = U(payload[at + bank_words - U(1)])
            at += bank_words
            if n - at < U(2) * events:
                return False
            at += U(2) * events
    return True


@compiled_njit
def monitors_are_sound(payload):
    """Whether the monitor sections end exactly where the payload does."""
    at, n = U(4), U(payload.size)
    if n < at:
        return False
    while at < n:
        if n - at < U(3):
            return False
        events = U(payload[at] & U4(0x3FFFFF))
        at += U(3)
        if n - at < events:
            return False
        at += events
    return True


@compiled_njit
def added_offset(word):
    """Give what an offset word adds to times of flight: nothing when bit 31 says they are corrected."""
    return U4(0) if word & TOP_BIT else word


@compiled_njit
def drop_error_pixels(tof, pixel, begin, end):
    """Close up rows [begin, end) over pixels with bit 31 set; returns the end of those left."""
    kept = begin
    for i in range(begin, end):
        tof[kept] = tof[i]
        pixel[kept] = pixel[i]
        kept += U(pixel[i] < TOP_BIT)
    return kept


@compiled_njit
def copy_banks(payload, bank_words, tof, pixel, n):
    """Append the events of a sound payload at row `n`, their offsets added (saturating).

    Array slices in here cost three times the copying itself for sections of some 30 events (measured).

    Returns
    -------
    tuple of int
        Rows filled, events in error, events of unmapped pixels.
    """
    at, size = U(4), U(payload.size)
    n, error, unmapped = U(n), U(0), U(0)
    while at < size:
        offset = added_offset(payload[at + U(2)])
        highest = U4(0xFFFFFFFF) - offset
        banks = payload[at + U(3)]
        at += U(4)
        for _ in range(banks):
            bank = payload[at]
            events = U(payload[at + bank_words - U(1)])
            at += bank_words
            if bank == U4(0xFFFFFFFF):
                unmapped += events
            elif bank == U4(0xFFFFFFFE):
                error += events
            else:
                seen = U4(0)
                for i in range(events):
                    tof[n + i] = min(payload[at + U(2) * i], highest) + offset
                    word = payload[at + U(2) * i + U(1)]
                    pixel[n + i] = word
                    seen |= word
                end = n + events
                if seen & TOP_BIT:
                    end = drop_error_pixels(tof, pixel, n, n + events)
                error += n + events - end
                n = end
            at += U(2) * events
    return I8(n), I8(error), I8(unmapped)


@compiled_njit
def copy_monitors(payload, tof, number, n):
    """Append the events of a sound monitor payload at row `n`; returns the rows filled."""
    at, size = U(4), U(payload.size)
    n = U(n)
    while at < size:
        monitor = np.uint16(payload[at] >> U4(22))
        events = U(payload[at] & U4(0x3FFFFF))
        offset = added_offset(payload[at + U(2)])
        at += U(3)
        for i in range(events):
            # 21 + 31 bits fit into 32: no saturation needed
            tof[n + i] = (payload[at + i] & U4(0x1FFFFF)) + offset
            number[n + i] = monitor
        n += events
        at += events
    return I8(n)


@compiled_njit
def decode_run(words, end, out, counts):
    """Decode the event packets in the first `end` words into the columns of `out`.

    One long function, because handing all columns to another counts their references up and down: 250 ns a packet, four
    times the work itself for pulses of some 30 events (measured), inlined by numba or not.

    Parameters
    ----------
    words
        uint32[:], the stream from a packet's beginning.
    out
        A `batch.Columns` with room for what `scan_run` found.
    counts
        int64[2, 4], filled with sound and malformed packets: RTDL, banked, monitor, banked with state.

    Returns
    -------
    tuple of int
        Detector packets, their events, monitor packets, their events, words of malformed packets.
    """
    pulses, events, monitor_pulses, monitor_events, skipped = I8(0), I8(0), I8(0), I8(0), I8(0)
    at = U(0)
    out.start[0] = 0
    out.monitor_start[0] = 0
    while at < U(end):
        size = U(words[at] >> U4(2))
        form = words[at + U(1)]
        kind, version = form >> U4(8), form & U4(0xFF)
        second, nanosecond = U8(words[at + U(2)]), U8(words[at + U(3)])
        payload = words[at + U(4) : at + U(4) + size]
        at += U(4) + size
        time = I8((second + U8(UNIX_EPOCH)) * U8(1_000_000_000) + nanosecond)
        pulse_id = ((second + nanosecond // U8(1_000_000_000)) << U8(32)) | (nanosecond % U8(1_000_000_000))
        # first, because reading straight on brings the packet into the cache at the memory's full speed
        hashed = fingerprint(payload) if kind != RTDL else U8(0)
        if kind == RTDL:
            row = 0
            sound = rtdl_is_sound(payload, version)
        elif kind == MONITOR:
            row = 2
            sound = monitors_are_sound(payload)
            if sound:
                monitor_events = copy_monitors(payload, out.monitor_tof, out.monitor_number, monitor_events)
                out.monitor_pulse_id[monitor_pulses] = pulse_id
                out.monitor_time[monitor_pulses] = time
                out.monitor_charge[monitor_pulses] = payload[U(0)]
                out.monitor_payload_length[monitor_pulses] = U4(size) * U4(4)
                out.monitor_fingerprint[monitor_pulses] = hashed
                monitor_pulses += 1
                out.monitor_start[monitor_pulses] = monitor_events
        else:
            with_state = kind == BANKED_STATE
            row = 3 if with_state else 1
            bank_words = U(3) if with_state else U(2)
            sound = banks_are_sound(payload, bank_words)
            if sound:
                events, error, unmapped = copy_banks(payload, bank_words, out.tof, out.pixel, events)
                split = with_state or version > 0
                flags = payload[U(3)]
                out.pulse_id[pulses] = pulse_id
                out.pulse_time[pulses] = time
                out.charge[pulses] = payload[U(0)]
                out.flags[pulses] = flags & U4(0xFFFFF) if split else flags
                out.veto[pulses] = flags >> U4(20) if split else U4(0)
                out.packet_type[pulses] = kind
                out.payload_length[pulses] = U4(size) * U4(4)
                out.fingerprint[pulses] = hashed
                out.error_events[pulses] = error
                out.unmapped_events[pulses] = unmapped
                pulses += 1
                out.start[pulses] = events
        counts[0 if sound else 1, row] += 1
        if not sound:
            skipped += I8(size) + 4
    return pulses, events, monitor_pulses, monitor_events, skipped
