/* The same jobs in plain C, written to be fast: what the engine's speed is measured against.
   Built by benchmarks/yardsticks.py with gcc -O3 -march=native. Tricks the engine uses are used here too: exact
   reciprocals in place of division, several sub-histograms, blocks of events worked in small passes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512
typedef uint32_t u32;
typedef uint64_t u64;

/* times of flight into bins of equal width */
void hist1d(const u32 *tof, int64_t n, u32 lo, u32 width, u32 nbins, u32 *out) {
    u32 span = nbins * width;
    u64 m = (1ull << 42) / width + 1;
    u32 *h = calloc(4ull * (nbins + 1), sizeof(u32));
    u32 *h0 = h, *h1 = h + nbins + 1, *h2 = h1 + nbins + 1, *h3 = h2 + nbins + 1;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        u32 a = tof[i] - lo, b = tof[i + 1] - lo, c = tof[i + 2] - lo, d = tof[i + 3] - lo;
        a = a < span ? a : span; b = b < span ? b : span; c = c < span ? c : span; d = d < span ? d : span;
        h0[(a * m) >> 42]++; h1[(b * m) >> 42]++; h2[(c * m) >> 42]++; h3[(d * m) >> 42]++;
    }
    for (; i < n; i++) { u32 a = tof[i] - lo; h0[((a < span ? a : span) * m) >> 42]++; }
    for (u32 j = 0; j < nbins; j++) out[j] += h0[j] + h1[j] + h2[j] + h3[j];
    free(h);
}

/* as hist1d, over ranges of events [a, b) */
void hist1d_ranges(const u32 *tof, const int64_t *ranges, int64_t n_ranges, u32 lo, u32 width, u32 nbins, u32 *out) {
    for (int64_t r = 0; r < n_ranges; r++)
        hist1d(tof + ranges[2 * r], ranges[2 * r + 1] - ranges[2 * r], lo, width, nbins, out);
}

/* a histogram per pixel; rows are far apart, so the misses of a block overlap */
void hist2d(const u32 *tof, const int32_t *pix, int64_t n, u32 lo, u32 width, u32 nbins, u32 *out) {
    u32 span = nbins * width;
    u64 m = (1ull << 42) / width + 1;
    u64 at[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t end = i + BLOCK < n ? i + BLOCK : n, k = 0;
        for (int64_t j = i; j < end; j++) {
            u32 x = tof[j] - lo;
            at[k] = (u64)(u32)pix[j] * nbins + (((u64)x * m) >> 42);
            k += x < span;
        }
        for (int64_t j = 0; j < k; j++) __builtin_prefetch(out + at[j], 1);
        for (int64_t j = 0; j < k; j++) out[at[j]]++;
    }
}

/* x = tof * factor[pixel] into any bins of its group, through a table over the top bits of x (float32: the tables and
   one comparison decide; a few events in 10^5 land one bin off, which the engine's float64 does not allow itself) */
void focus(const u32 *tof, const int32_t *pix, int64_t n, const float *factor, const u32 *group, const float *edges,
           u32 nbins, const uint16_t *lut, u32 nkeys, u32 key0, u32 shift, u32 *out) {
    float lo = edges[0], hi = edges[nbins];
    u32 stride = nbins + 1, key[BLOCK], row[BLOCK];
    float x[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        for (int64_t k = 0; k < m; k++) {
            u32 p = (u32)pix[i + k];
            x[k] = (float)tof[i + k] * factor[p];
            row[k] = group[p] * stride;
        }
        for (int64_t k = 0; k < m; k++) {
            u32 bits;
            memcpy(&bits, &x[k], 4);
            key[k] = (x[k] >= lo) & (x[k] < hi) ? (bits >> shift) - key0 : nkeys;
        }
        for (int64_t k = 0; k < m; k++) {
            u32 j = lut[key[k]];
            j += x[k] >= edges[j + 1];
            out[row[k] + j]++;
        }
    }
}

/* events sorted by pixel in two passes: into buckets of 512 pixels, then within each */
void sort_by_pixel(const u32 *tof, const u32 *pulse, const int32_t *pix, int64_t n, int64_t npix, int64_t *begin,
                   u32 *out_tof, u32 *out_pulse) {
    const int bits = 9;
    int64_t nb = ((npix - 1) >> bits) + 1;
    int64_t *start = calloc(nb + 1, sizeof(int64_t)), *cursor = malloc(nb * sizeof(int64_t));
    u32 *tmp = malloc(12ull * n);
    for (int64_t i = 0; i < n; i++) start[((u32)pix[i] >> bits) + 1]++;
    for (int64_t k = 0; k < nb; k++) start[k + 1] += start[k];
    memcpy(cursor, start, nb * sizeof(int64_t));
    for (int64_t i = 0; i < n; i++) {
        u32 *q = tmp + 3 * cursor[(u32)pix[i] >> bits]++;
        q[0] = tof[i]; q[1] = pulse[i]; q[2] = (u32)pix[i];
    }
    int64_t w[512];
    for (int64_t k = 0; k < nb; k++) {
        memset(w, 0, sizeof w);
        for (int64_t i = start[k]; i < start[k + 1]; i++) w[tmp[3 * i + 2] & 511]++;
        int64_t at = start[k];
        for (int p = 0; p < 512; p++) {
            int64_t c = w[p], P = (k << bits) + p;
            w[p] = at;
            if (P < npix) begin[P] = at;
            at += c;
        }
        for (int64_t i = start[k]; i < start[k + 1]; i++) {
            int64_t q = w[tmp[3 * i + 2] & 511]++;
            out_tof[q] = tmp[3 * i];
            out_pulse[q] = tmp[3 * i + 1];
        }
    }
    begin[npix] = n;
    free(start); free(cursor); free(tmp);
}

/* ADARA banked event packets to columns, every length checked before it is used; returns events, or -1 */
int64_t decode(const u32 *w, int64_t words, u32 *tof, u32 *pix, int64_t *time, int64_t *start, int64_t *pulses) {
    int64_t at = 0, n = 0, np = 0;
    while (at + 4 <= words) {
        int64_t size = w[at] / 4, end = at + 4 + size;
        if (w[at] & 3 || end > words) break;
        if (w[at + 1] >> 8 == 0x4000) {
            int64_t c = at + 8;
            if (c > end) return -1;
            time[np] = (int64_t)w[at + 2] * 1000000000 + w[at + 3];
            start[np++] = n;
            while (c < end) {
                if (end - c < 4) return -1;
                u32 banks = w[c + 3], offset = w[c + 2] >> 31 ? 0 : w[c + 2], highest = 0xFFFFFFFFu - offset;
                c += 4;
                for (u32 b = 0; b < banks; b++) {
                    if (end - c < 2) return -1;
                    u32 bank = w[c];
                    int64_t m = w[c + 1];
                    c += 2;
                    if (end - c < 2 * m) return -1;
                    if (bank < 0xFFFFFFFEu) {
                        for (int64_t i = 0; i < m; i++) {
                            u32 t = w[c + 2 * i];
                            tof[n + i] = (t < highest ? t : highest) + offset;
                            pix[n + i] = w[c + 2 * i + 1];
                        }
                        n += m;
                    }
                    c += 2 * m;
                }
            }
        }
        at = end;
    }
    start[np] = n;
    *pulses = np;
    return n;
}
