# mypy: disable-error-code="no-untyped-def, assignment"
"""Hot loops over events, compiled by numba; wrappers that check their arguments are in `binning` and `event_list`.

What makes them run at the speed of C (measured 2026-11-23, see benchmarks/): unsigned indices only, because a signed
one costs a wrap-around test at each access; blocks of 512 events worked in several small passes, so that the compiler
vectorises some and the cache misses of others overlap; no branches on data. Float results are decided on float64 in
the same steps as numpy, so every event lands where ``searchsorted(edges, y, side="right") - 1`` puts it.

A histogram kernel takes what `binning` prepared, then (tof, pix, step, out), `out` having a row per spectrum. All
counts are uint32 and `step` is 1 or 2**32 - 1 (subtract, modulo 2**32): callers offer fewer than 2**32 events, and
`out` has fewer than 2**32 values. Indices are trusted: `pix` is below the length of the per-pixel arrays
(EventTable.append checks it once).
"""

import numpy as np
from numba import njit

compiled_njit = njit(nogil=True, cache=True, boundscheck=False, error_model="numpy")
BLOCK = 512
U = np.uintp


@compiled_njit
def scratch():
    """Return room for a block: y (float64), row, key, bin and place (uint32).

    A load that comes soon after a store to an address equal in its low 12 bits waits for it. Where valid events are
    compacted, places are stored at a rate between 0 and 4 bytes an event while rows, keys and bins are loaded at 4; so
    those three start at the same place of a page and the fourth 2560 bytes further, where it is never caught up with.
    Left to chance, the layout halves the speed of `focus_bits` (measured 2026-11-23: 215 against 350 million events/s).
    """
    raw = np.empty(6 * 4096, np.uint8)
    return (
        raw[0:4096].view(np.float64),
        raw[4096:6144].view(np.uint32),
        raw[8192:10240].view(np.uint32),
        raw[12288:14336].view(np.uint32),
        raw[18944:20992].view(np.uint32),
    )


# -- time-of-flight histograms on integer ticks -----------------------------------------------------------------------


@compiled_njit
def hist1d_uniform(lo, span, multiplier, shift, tof, pix, step, out):
    """Bins of equal whole width through an exact reciprocal; 4 sub-histograms break the store-to-load dependency."""
    nbins, flat = U(out.size), out.reshape(-1)
    start, top, m, s = np.uint32(lo), np.uint32(span), np.uint64(multiplier), np.uint64(shift)
    h = np.zeros((4, out.size + 1), np.uint32)
    n4 = U(tof.size // 4 * 4)
    for i in range(U(0), n4, U(4)):
        for k in range(U(4)):
            x = min(np.uint32(tof[i + k] - start), top)
            h[k, U((np.uint64(x) * m) >> s)] += np.uint32(1)
    for i in range(n4, U(tof.size)):
        x = min(np.uint32(tof[i] - start), top)
        h[U(0), U((np.uint64(x) * m) >> s)] += np.uint32(1)
    for j in range(nbins):
        flat[j] += np.uint32(step) * (h[U(0), j] + h[U(1), j] + h[U(2), j] + h[U(3), j])


@compiled_njit
def hist1d_table(lo, span, shift, lut, edges, hops, tof, pix, step, out):
    """Any bins: a table over the top bits of the tick gives a bin, `hops` comparisons with the next edge correct it."""
    nbins, flat = U(out.size), out.reshape(-1)
    start, top, s, w = np.uint32(lo), np.uint32(span), np.uint32(shift), np.uint32(step)
    h = np.zeros((2, out.size + 1), np.uint32)
    _, _, xs, bins, _ = scratch()
    for i in range(0, tof.size, BLOCK):
        block = tof[i : i + BLOCK]
        m = U(block.size)
        for k in range(m):
            x = min(np.uint32(block[k] - start), top)
            xs[k] = x
            j = np.uint32(lut[U(x >> s)])
            bins[k] = j + np.uint32(x >= edges[U(j + np.uint32(1))])
        for _ in range(1, hops):
            for k in range(m):
                bins[k] += np.uint32(xs[k] >= edges[U(bins[k] + np.uint32(1))])
        for k in range(m):
            h[k & U(1), U(bins[k])] += np.uint32(1)
    for j in range(nbins):
        flat[j] += w * (h[U(0), j] + h[U(1), j])


@compiled_njit
def grouped_uniform(group, lo, span, multiplier, shift, tof, pix, step, out):
    """Bins of equal whole width for every spectrum; `group` sends a pixel to a row, or past the last."""
    rows, stride = np.uint32(out.shape[0]), np.uint32(out.shape[1])
    start, top, mul, s = np.uint32(lo), np.uint32(span), np.uint64(multiplier), np.uint64(shift)
    w = np.uint32(step)
    flat = out.reshape(-1)
    _, _, _, _, where = scratch()
    for i in range(0, tof.size, BLOCK):
        t, p = tof[i : i + BLOCK], pix[i : i + BLOCK]
        n = U(0)
        for k in range(U(t.size)):
            x = np.uint32(t[k] - start)
            g = np.uint32(group[U(np.uint32(p[k]))])
            where[n] = g * stride + np.uint32((np.uint64(x) * mul) >> s)
            n += U((x < top) & (g < rows))
        for k in range(n):
            flat[U(where[k])] += w


@compiled_njit
def grouped_table(group, lo, span, shift, lut, edges, hops, tof, pix, step, out):
    """Any bins on ticks for every spectrum; see `hist1d_table` and `grouped_uniform`."""
    rows, stride = np.uint32(out.shape[0]), np.uint32(out.shape[1])
    start, top, s, w = np.uint32(lo), np.uint32(span), np.uint32(shift), np.uint32(step)
    flat = out.reshape(-1)
    _, rs, xs, bins, where = scratch()
    for i in range(0, tof.size, BLOCK):
        t, p = tof[i : i + BLOCK], pix[i : i + BLOCK]
        m = U(t.size)
        for k in range(m):
            x = min(np.uint32(t[k] - start), top)
            xs[k] = x
            rs[k] = group[U(np.uint32(p[k]))]
            j = np.uint32(lut[U(x >> s)])
            bins[k] = j + np.uint32(x >= edges[U(j + np.uint32(1))])
        for _ in range(1, hops):
            for k in range(m):
                bins[k] += np.uint32(xs[k] >= edges[U(bins[k] + np.uint32(1))])
        n = U(0)
        for k in range(m):
            where[n] = rs[k] * stride + bins[k]
            n += U((xs[k] < top) & (rs[k] < rows))
        for k in range(n):
            flat[U(where[k])] += w


# -- histograms of y = tof * factor + offset --------------------------------------------------------------------------
# `offset_mask` 0 reads one offset for all pixels: a second array to gather from costs a third of the speed.


@compiled_njit
def focus_bits(group, factor, offset, offset_mask, zero, tick, edges, lut, key0, shift, hops, tof, pix, step, out):
    """Bins of y by the top bits of its float64 pattern, which rise with y for y > 0: right for edges spaced like logs.

    `edges` has one entry more than edges, NaN, and `lut` one entry more than keys: the bin past the last.
    """
    rows, stride = np.uint32(out.shape[0]), np.uint32(out.shape[1])
    lo, hi = edges[0], edges[edges.size - 2]
    sh, k0, nk, w = np.uint64(shift), np.uint64(key0), np.uint32(lut.size - 1), np.uint32(step)
    z, us, mask = np.float64(zero), np.float64(tick), np.uint32(offset_mask)
    flat = out.reshape(-1)
    ys, rs, keys, bins, where = scratch()
    for i in range(0, tof.size, BLOCK):
        t, p = tof[i : i + BLOCK], pix[i : i + BLOCK]
        m = U(t.size)
        for k in range(m):
            q = np.uint32(p[k])
            ys[k] = (np.float64(t[k]) - z) * us * factor[U(q)] + offset[U(q & mask)]
            rs[k] = np.uint32(group[U(q)])
        for k in range(m):
            y = ys[k]
            key = np.uint32((np.float64(y).view(np.uint64) >> sh) - k0)
            keys[k] = key if (y >= lo) & (y < hi) & (rs[k] < rows) else nk
        for k in range(m):
            j = np.uint32(lut[U(keys[k])])
            bins[k] = j + np.uint32(ys[k] >= edges[U(j + np.uint32(1))])
        for _ in range(1, hops):
            for k in range(m):
                bins[k] += np.uint32(ys[k] >= edges[U(bins[k] + np.uint32(1))])
        n = U(0)
        for k in range(m):
            where[n] = rs[k] * stride + bins[k]
            n += U(keys[k] < nk)
        for k in range(n):
            flat[U(where[k])] += w


@compiled_njit
def focus_linear(group, factor, offset, offset_mask, zero, tick, edges, lut, scale, hops, tof, pix, step, out):
    """Bins of y by a table linear in y: for edges spaced evenly, or that begin at or below zero."""
    rows, stride = np.uint32(out.shape[0]), np.uint32(out.shape[1])
    lo, hi = edges[0], edges[edges.size - 2]
    nk, w = np.uint32(lut.size - 1), np.uint32(step)
    z, us, mask, inverse = np.float64(zero), np.float64(tick), np.uint32(offset_mask), np.float64(scale)
    flat = out.reshape(-1)
    ys, rs, keys, bins, where = scratch()
    for i in range(0, tof.size, BLOCK):
        t, p = tof[i : i + BLOCK], pix[i : i + BLOCK]
        m = U(t.size)
        for k in range(m):
            q = np.uint32(p[k])
            ys[k] = (np.float64(t[k]) - z) * us * factor[U(q)] + offset[U(q & mask)]
            rs[k] = np.uint32(group[U(q)])
        for k in range(m):
            y = ys[k]
            inside = (y >= lo) & (y < hi) & (rs[k] < rows)
            key = np.uint32(np.int32(((y - lo) if inside else 0.0) * inverse))  # below 2**18
            keys[k] = min(key, nk - np.uint32(1)) if inside else nk
        for k in range(m):
            j = np.uint32(lut[U(keys[k])])
            bins[k] = j + np.uint32(ys[k] >= edges[U(j + np.uint32(1))])
        for _ in range(1, hops):
            for k in range(m):
                bins[k] += np.uint32(ys[k] >= edges[U(bins[k] + np.uint32(1))])
        n = U(0)
        for k in range(m):
            where[n] = rs[k] * stride + bins[k]
            n += U(keys[k] < nk)
        for k in range(n):
            flat[U(where[k])] += w


@compiled_njit
def focus_search(group, factor, offset, offset_mask, zero, tick, edges, tof, pix, step, out):
    """Bins of y by bisection in its row of `edges` (one row for all, or one per spectrum): any bins, slowly."""
    rows, nbins, w = np.uint32(out.shape[0]), U(out.shape[1]), np.uint32(step)
    z, us, mask = np.float64(zero), np.float64(tick), np.uint32(offset_mask)
    last_row = np.uint32(edges.shape[0] - 1)
    for i in range(U(tof.size)):
        q = np.uint32(pix[i])
        g = np.uint32(group[U(q)])
        if g >= rows:
            continue
        y = (np.float64(tof[i]) - z) * us * factor[U(q)] + offset[U(q & mask)]
        r = U(min(g, last_row))  # a view of the row would be counted as a reference, which takes longer than all this
        if not (y >= edges[r, U(0)] and y < edges[r, nbins]):
            continue
        low, high = U(0), nbins
        while high - low > U(1):
            middle = (low + high) >> U(1)
            if y >= edges[r, middle]:
                low = middle
            else:
                high = middle
        out[U(g), low] += w


# -- events with weights ----------------------------------------------------------------------------------------------


@compiled_njit
def bin_of(y, r, edges, lut, first, shift, scale, hops):
    """Bin of y, inside the edges of row r: by a table (see `lookup`) of its bits or linear in it, else by bisection."""
    if hops == 0:
        low, n = U(0), U(edges.shape[1] - 2)
        while n > U(1):
            half = n >> U(1)
            low += half * U(y >= edges[r, low + half])
            n -= half
        return low
    if shift > 0:
        key = U((np.float64(y).view(np.uint64) >> np.uint64(shift)) - np.uint64(first))
    else:
        key = min(U(np.int32((y - edges[r, U(0)]) * scale)), U(lut.size - 2))
    j = U(lut[key])
    for _ in range(hops):
        j += U(y >= edges[r, j + U(1)])
    return j


@compiled_njit
def sum_weights(
    group, factor, offset, offset_mask, zero, tick,
    edges, lut, first, shift, scale, hops, tof, pix, weight, variance, out,
):  # fmt: skip
    """Sums of weights, and below them of variances; `out` has two rows a spectrum; rows of `edges` end in NaN."""
    rows, nbins = np.uint32(out.shape[0] // 2), U(out.shape[1])
    z, us, mask = np.float64(zero), np.float64(tick), np.uint32(offset_mask)
    last_row = np.uint32(edges.shape[0] - 1)
    for i in range(U(tof.size)):
        q = np.uint32(pix[i])
        g = np.uint32(group[U(q)])
        if g >= rows:
            continue
        y = (np.float64(tof[i]) - z) * us * factor[U(q)] + offset[U(q & mask)]
        r = U(min(g, last_row))  # a view of the row would be counted as a reference, which takes longer than all this
        if not (y >= edges[r, U(0)] and y < edges[r, nbins]):
            continue
        k = bin_of(y, r, edges, lut, first, shift, scale, hops)
        out[U(g), k] += weight[i]
        out[U(g + rows), k] += variance[i]


@compiled_njit
def multiply_weights(
    group, factor, offset, offset_mask, zero, tick,
    edges, lut, first, shift, scale, hops, values, variances, tof, pix, weight, variance,
):  # fmt: skip
    """Multiply weights by the factors of the events' spectra and bins, which are 0 outside; variances with them."""
    nbins = U(values.shape[1])
    z, us, mask = np.float64(zero), np.float64(tick), np.uint32(offset_mask)
    last_edges, last_values = np.uint32(edges.shape[0] - 1), np.uint32(values.shape[0] - 1)
    for i in range(U(tof.size)):
        q = np.uint32(pix[i])
        g = np.uint32(group[U(q)])
        y = (np.float64(tof[i]) - z) * us * factor[U(q)] + offset[U(q & mask)]
        r = U(min(g, last_edges))
        f, v = 0.0, 0.0
        if y >= edges[r, U(0)] and y < edges[r, nbins]:
            k = bin_of(y, r, edges, lut, first, shift, scale, hops)
            f, v = values[U(min(g, last_values)), k], variances[U(min(g, last_values)), k]
        variance[i] = variance[i] * f * f + weight[i] * weight[i] * v
        weight[i] *= f


# -- which events -----------------------------------------------------------------------------------------------------


@compiled_njit
def count_rows(group, tof, pix, step, out):
    """Events per spectrum, whatever their time of flight."""
    rows, w = np.uint32(out.shape[0]), np.uint32(step)
    flat = out.reshape(-1)
    for i in range(U(pix.size)):
        g = np.uint32(group[U(np.uint32(pix[i]))])
        if g < rows:
            flat[U(g)] += w


@compiled_njit
def keep_window(first, width, cut_first, cut_width, tof, pix, out_tof, out_pix):
    """Copy events whose tick is in [first, first + width] of their pixel and in none of the cuts; return how many."""
    n = U(0)
    for i in range(U(tof.size)):
        t, p = tof[i], pix[i]
        q = U(np.uint32(p))
        keep = np.uint32(t - first[q]) <= width[q]
        for c in range(U(cut_first.size)):
            keep &= np.uint32(t - cut_first[c]) > cut_width[c]
        out_tof[n], out_pix[n] = t, p
        n += U(keep)
    return np.int64(n)


@compiled_njit
def extent_y(group, factor, offset, offset_mask, zero, tick, rows, tof, pix):
    """Least and greatest y of the events that are in a spectrum; (inf, -inf) if there are none."""
    lo, hi, r = np.inf, -np.inf, np.uint32(rows)
    z, us, mask = np.float64(zero), np.float64(tick), np.uint32(offset_mask)
    for i in range(U(tof.size)):
        q = np.uint32(pix[i])
        y = (np.float64(tof[i]) - z) * us * factor[U(q)] + offset[U(q & mask)]
        if np.uint32(group[U(q)]) < r:
            lo, hi = min(lo, y), max(hi, y)
    return lo, hi


@compiled_njit
def map_by_lookup(tof, ids, start, lookup, first, out_tof, out_pix, out_start):
    """Detector IDs to dense indices through an array, leaving unknown ones out; returns the number kept."""
    n, size, base = U(0), np.uint32(lookup.size), np.uint32(first)
    for pulse in range(U(start.size - 1)):
        for i in range(U(start[pulse]), U(start[pulse + U(1)])):
            at = np.uint32(ids[i] - base)
            index = lookup[U(at)] if at < size else np.int32(-1)
            out_tof[n], out_pix[n] = tof[i], index
            n += U(index >= 0)
        out_start[pulse + U(1)] = n
    return np.int64(n)


@compiled_njit
def map_by_search(tof, ids, start, sorted_ids, sorted_index, out_tof, out_pix, out_start):
    """As `map_by_lookup`, by bisection in sorted IDs: for IDs spread too widely for an array."""
    n, size = U(0), U(sorted_ids.size)
    for pulse in range(U(start.size - 1)):
        for i in range(U(start[pulse]), U(start[pulse + U(1)])):
            wanted = np.int64(ids[i])
            low, high = U(0), size
            while low < high:
                middle = (low + high) >> U(1)
                if sorted_ids[middle] < wanted:
                    low = middle + U(1)
                else:
                    high = middle
            if low < size and sorted_ids[low] == wanted:
                out_tof[n], out_pix[n] = tof[i], sorted_index[low]
                n += U(1)
        out_start[pulse + U(1)] = n
    return np.int64(n)


# -- events by pixel: two passes, first into buckets of 2**bits pixels that fit the cache -----------------------------


@compiled_njit
def bucket_count(pix, bits, out):
    """Events per bucket."""
    s = np.uint32(bits)
    for i in range(U(pix.size)):
        out[U(np.uint32(pix[i]) >> s)] += 1


@compiled_njit
def bucket_scatter(tof, pix, pulse, bits, cursor, out):
    """Copy (tof, pulse, pixel) to the place of their bucket, in order; moves the cursors."""
    s = np.uint32(bits)
    flat = out.reshape(-1)
    for i in range(U(tof.size)):
        k = U(np.uint32(pix[i]) >> s)
        at = U(cursor[k]) * U(3)
        cursor[k] += 1
        flat[at], flat[at + U(1)], flat[at + U(2)] = tof[i], pulse[i], np.uint32(pix[i])


@compiled_njit
def bucket_sort(bucketed, bucket_start, bits, n_pixels, begin, out_tof, out_pulse):
    """Sort each bucket by pixel, keeping the order within a pixel; `begin` becomes each pixel's first event."""
    size = 1 << bits
    mask = np.uint32(size - 1)
    flat = bucketed.reshape(-1)
    where = np.empty(size, np.int64)
    for bucket in range(bucket_start.size - 1):
        a, b = U(bucket_start[bucket]), U(bucket_start[bucket + 1])
        where[:] = 0
        for i in range(a, b):
            where[U(flat[i * U(3) + U(2)] & mask)] += 1
        at = bucket_start[bucket]
        for p in range(size):
            n, where[p] = where[p], at
            if (bucket << bits) + p < n_pixels:
                begin[(bucket << bits) + p] = at
            at += n
        for i in range(a, b):
            p = U(flat[i * U(3) + U(2)] & mask)
            q = U(where[p])
            where[p] += 1
            out_tof[q], out_pulse[q] = flat[i * U(3)], flat[i * U(3) + U(1)]
    begin[n_pixels] = bucket_start[bucket_start.size - 1]


# -- clusters of events -----------------------------------------------------------------------------------------------


@compiled_njit
def find_clusters(slot, x, tolerance, first):
    """Write the first event of each cluster in events sorted by slot and x, and return how many there are."""
    n = 0
    start = 0.0
    reach = 0.0
    for i in range(U(x.size)):
        if n == 0 or slot[i] != slot[i - U(1)] or x[i] - start > reach:
            start = x[i]
            reach = tolerance if tolerance >= 0.0 else -tolerance * abs(start)
            first[U(n)] = i
            n += 1
    return n


@compiled_njit
def count_clusters(spectrum, x, tolerance):
    """Return the number of clusters in events sorted by spectrum and x."""
    n = 0
    start = 0.0
    reach = 0.0
    present = np.int64(-1)
    for i in range(U(x.size)):
        if spectrum[i] != present or x[i] - start > reach:
            present = spectrum[i]
            start = x[i]
            reach = tolerance if tolerance >= 0.0 else -tolerance * abs(start)
            n += 1
    return n


# -- ranges of events, times of pulses: ascending, walked through together ---------------------------------------------


@compiled_njit
def places(values, wanted, out):
    """Find the first of the ascending values that is not below each of the wanted, which ascend too.

    The search for one goes on from the place of the one before it, in steps that double: what is near costs little.
    """
    n, at = U(values.size), U(0)
    for k in range(U(wanted.size)):
        low, high, step = at, at, U(1)
        while high < n and values[high] < wanted[k]:
            low = high + U(1)
            high += step
            step += step
        high = min(high, n)
        while low < high:
            middle = (low + high) >> U(1)
            if values[middle] < wanted[k]:
                low = middle + U(1)
            else:
                high = middle
        out[k] = low
        at = low


@compiled_njit
def subtract_ranges(a, b, out):
    """Write what of the ranges `a` is in none of `b`, both ascending and disjoint; return how many ranges that is."""
    n, j, n_b = U(0), U(0), U(b.shape[0])
    for i in range(U(a.shape[0])):
        low, high = a[i, U(0)], a[i, U(1)]
        while j < n_b and b[j, U(1)] <= low:
            j += U(1)
        k = j
        while k < n_b and b[k, U(0)] < high:
            if low < b[k, U(0)]:
                out[n, U(0)], out[n, U(1)] = low, b[k, U(0)]
                n += U(1)
            low = max(low, b[k, U(1)])
            k += U(1)
        if low < high:
            out[n, U(0)], out[n, U(1)] = low, high
            n += U(1)
        if k > j:
            j = k - U(1)  # it may reach into the next of `a`
    return n
