"""``python -m benchmarks``: lines for people, then one line of JSON.

Keys of the JSON: ``<job>.mev_s`` million events a second and processor, ``<job>.ratio_c`` our speed over that of the C
yardstick built in this run (1 = as fast as C, more is faster); null where there is no gcc.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

from benchmarks.decoding import decoding
from benchmarks.engine import Job, jobs, update
from benchmarks.measuring import Yardsticks, seconds, yardsticks


def measured(job: Job, c: Yardsticks | None) -> dict[str, float | None]:
    ours = seconds(job.ours)
    ratio = None
    if c is not None and job.in_c is not None:
        in_c = job.in_c
        agrees(job, job.ours(), in_c(c))
        ratio = seconds(lambda: in_c(c)) / ours
    against = "no C" if ratio is None else f"{ratio:5.2f} of C"
    print(f"{job.name:10} {job.events / ours / 1e6:8.1f} Mev/s  {against:12} {job.what}", flush=True)
    return {
        f"{job.name}.mev_s": round(job.events / ours / 1e6, 1),
        f"{job.name}.ratio_c": None if ratio is None else round(ratio, 3),
    }


def agrees(job: Job, ours: np.ndarray, in_c: np.ndarray) -> None:
    """Stop if the two did not do the same; float32 in C may put a few events in 10 000 one bin off."""
    if job.exact:
        if not np.array_equal(ours.reshape(-1), in_c.reshape(-1)):
            sys.exit(f"{job.name}: results differ from those of C")
    elif np.abs(ours.astype(np.int64) - in_c).sum() > job.events * 1e-3:
        sys.exit(f"{job.name}: results differ from those of C by more than float32 explains")


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found: dict[str, float | None] = {}
    with yardsticks() as c:
        if c is None:
            print("there is no gcc: speeds without a yardstick")
        for job in [*jobs(), decoding()]:
            found |= measured(job, c)
    chunks, size = 200, 100_000
    update(3, 1000)
    took, offered = update(chunks, size)
    print(
        f"update     {1e3 * took / chunks:8.2f} ms a chunk of {size} events: append, add, rebin, sum; all counted once"
    )
    found |= {
        "update.ms_per_chunk": round(1e3 * took / chunks, 3),
        "update.events_offered_ratio": offered / (chunks * size),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
