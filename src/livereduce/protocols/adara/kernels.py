"""Runs of event packets straight to columns, compiled. Every length is checked against its packet before it is used.

A packet is checked while it is copied; the rows of one whose inner structure is wrong are written over. Indices are
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
LONG_BANK = 256
FOLD_WORDS = 4096


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
def mixed(at, pair):
    """Fold two words at place `at` of a payload into what is summed up to its fingerprint: NH with running keys.

    No place has the key 0: with it, a word beside a zero, as the charge is without a pulse energy, would not be seen.
    The keys are multiples of each other, so products alone would have sums in common that words differing by 1 and 3
    find; and where one half of `keyed` is 0, the other is still seen.
    """
    keyed = pair ^ (U8(at + U(1)) * U8(0x9E3779B185EBCA77))
    return ((keyed & U8(0xFFFFFFFF)) * (keyed >> U8(32))) ^ keyed


@compiled_njit
def pair_at(payload, at):
    """Give two words as one number: the compiler makes one load of it."""
    return U8(payload[at]) | (U8(payload[at + U(1)]) << U8(32))


@compiled_njit
def mixed_words(payload, begin, end):
    """Fold the words [begin, end) of a payload, an odd one out with a zero; its place is no other pair's."""
    total = U8(0)
    for i in range((end - begin) // U(2)):
        at = begin + U(2) * i
        total += mixed(at, pair_at(payload, at))
    if (end - begin) % U(2):
        total += mixed(end - U(1), U8(payload[end - U(1)]))
    return total


@compiled_njit
def settled(hashed, size):
    """Give the fingerprint of a payload of `size` words that are all folded in."""
    hashed += U8(size)
    return hashed ^ (hashed >> U8(29))


@compiled_njit
def rtdl_is_sound(payload, version):
    """Whether an RTDL payload has its 120 bytes and the constant 4 in word 4."""
    long_enough = payload.size == 30 or (version > 1 and payload.size > 30)
    return long_enough and payload[U(4)] >> U4(24) == 4


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
def copy_short_bank(payload, at, events, offset, tof, pixel, n):
    """Copy the events at word `at` to row `n`."""
    highest = U4(0xFFFFFFFF) - offset
    for i in range(events):
        tof[n + i] = min(payload[at + U(2) * i], highest) + offset
        pixel[n + i] = payload[at + U(2) * i + U(1)]


@compiled_njit
def ored(pixel, begin, end):
    """Return the pixels of rows [begin, end) or-ed together."""
    seen = U4(0)
    for i in range(begin, end):
        seen |= pixel[i]
    return seen


@compiled_njit
def copy_long_bank(payload, at, events, offset, tof, pixel, n):
    """Copy the events at word `at` to row `n`; returns their pixels or-ed together, and what they fold to."""
    highest = U4(0xFFFFFFFF) - offset
    seen, total = U4(0), U8(0)
    for i in range(events):
        event = pair_at(payload, at + U(2) * i)
        word = U4(event >> U8(32))
        tof[n + i] = min(U4(event), highest) + offset
        pixel[n + i] = word
        seen |= word
        total += mixed(at + U(2) * i, event)
    return seen, total


@compiled_njit
def copy_banks(payload, bank_words, tof, pixel, n):
    """Append the events of a payload at row `n`, their offsets added (saturating), and take its fingerprint.

    Folding a word into the fingerprint is nearly free while it is in the cache: in the same loop for a long bank, a
    few banks later for short ones, whose loop it would make longer than what they gain; so is looking for pixels in
    error. A pass of its own took a third of the time (all measured). Array slices cost three times the copying itself
    for sections of some 30 events.

    Returns
    -------
    tuple
        Whether the source and bank sections end exactly where the payload does; the rest means nothing if not.
        Rows filled, events in error, events of unmapped pixels, fingerprint.
    """
    at, size = U(4), U(payload.size)
    n, error, unmapped = U(n), U(0), U(0)
    begin, looked_at, seen = n, n, U4(0)
    folded, hashed = U(0), U8(0)
    sound = bool(size >= at)
    while sound and at < size:
        if size - at < U(4):
            sound = False
            break
        offset = added_offset(payload[at + U(2)])
        banks = payload[at + U(3)]
        at += U(4)
        for _ in range(banks):
            if size - at < bank_words:
                sound = False
                break
            bank = payload[at]
            events = U(payload[at + bank_words - U(1)])
            at += bank_words
            if size - at < U(2) * events:
                sound = False
                break
            if bank == U4(0xFFFFFFFF):
                unmapped += events
            elif bank == U4(0xFFFFFFFE):
                error += events
            else:
                if events >= LONG_BANK:
                    hashed += mixed_words(payload, folded, at)
                    word, mixed_events = copy_long_bank(payload, at, events, offset, tof, pixel, n)
                    seen |= ored(pixel, looked_at, n) | word
                    hashed += mixed_events
                    folded, looked_at = at + U(2) * events, n + events
                else:
                    copy_short_bank(payload, at, events, offset, tof, pixel, n)
                n += events
            at += U(2) * events
            if at - folded > FOLD_WORDS:
                hashed += mixed_words(payload, folded, at)
                seen |= ored(pixel, looked_at, n)
                folded, looked_at = at, n
    if sound:
        if (seen | ored(pixel, looked_at, n)) & TOP_BIT:
            kept = drop_error_pixels(tof, pixel, begin, n)
            error += n - kept
            n = kept
        hashed = settled(hashed + mixed_words(payload, folded, size), size)
    return sound, I8(n), I8(error), I8(unmapped), hashed


@compiled_njit
def copy_monitors(payload, tof, number, n):
    """Append the events of a monitor payload at row `n`.

    Returns
    -------
    tuple
        Whether the sections end exactly where the payload does; the rest means nothing if not. Rows filled,
        fingerprint.
    """
    at, size = U(4), U(payload.size)
    n = U(n)
    if size < at:
        return False, I8(0), U8(0)
    while at < size:
        if size - at < U(3):
            return False, I8(0), U8(0)
        monitor = np.uint16(payload[at] >> U4(22))
        events = U(payload[at] & U4(0x3FFFFF))
        offset = added_offset(payload[at + U(2)])
        at += U(3)
        if size - at < events:
            return False, I8(0), U8(0)
        for i in range(events):
            # 21 + 31 bits fit into 32: no saturation needed
            tof[n + i] = (payload[at + i] & U4(0x1FFFFF)) + offset
            number[n + i] = monitor
        n += events
        at += events
    return True, I8(n), settled(mixed_words(payload, U(0), size), size)


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
        if kind == RTDL:
            row = 0
            sound = rtdl_is_sound(payload, version)
        elif kind == MONITOR:
            row = 2
            sound, end_of_monitors, hashed = copy_monitors(payload, out.monitor_tof, out.monitor_number, monitor_events)
            if sound:
                monitor_events = end_of_monitors
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
            sound, end_of_events, error, unmapped, hashed = copy_banks(payload, bank_words, out.tof, out.pixel, events)
            if sound:
                events = end_of_events
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
