"""``python -m benchmarks``: lines for people, then one line of JSON.

Keys of the JSON (null where a yardstick is missing):

``<job>.mev_s``           million events a second and processor
``<job>.ratio_c``         our speed over that of the C yardstick built in this run: 1 = as fast as C, more is faster
``focus.ratio_scipp``     our speed over scipp's for the same histograms
``focus.threads2``        speed on two cores over that on one, by the clock
``update.growth.<stage>`` cost of an update after 1e8 events over that after 1e7: 1 = the cost of the new data
``bytes_per_event``       memory an event takes that is kept, its pulse and logs included
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

from benchmarks.decoding import decoding
from benchmarks.engine import Job, counting, focus_plan, jobs, make_table, update
from benchmarks.growth import bytes_per_event, growth
from benchmarks.in_scipp import focus_in_scipp
from benchmarks.measuring import Yardsticks, best_wall_seconds, compared, on_cores, seconds, yardsticks
from livereduce.supervisor.processes import RETURN_MEMORY

Results = dict[str, float | None]


def measured(job: Job, c: Yardsticks | None) -> Results:
    ratio = None
    if c is not None and job.in_c is not None:
        in_c = job.in_c
        agrees(job, job.ours(), in_c(c))
        ours, ratio = compared(job.ours, lambda: in_c(c))
    else:
        ours = seconds(job.ours)
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


def engine_and_decoding() -> Results:
    found: Results = {}
    with yardsticks() as c:
        if c is None:
            print("there is no gcc: speeds without a yardstick")
        for job in [*jobs(), decoding(), decoding(2000, 100, 30)]:
            found |= measured(job, c)
    return found


def threads() -> Results:
    """The focus on two cores, by the clock, over that on one; null where there is only one."""
    table = make_table(20_000_000)
    ours = counting(table, *focus_plan(4))
    with on_cores(1):
        expected, one = ours().copy(), best_wall_seconds(ours, 15)
    with on_cores(2) as there_are:
        same, two = np.array_equal(ours(), expected), best_wall_seconds(ours, 15)
    if not same:
        sys.exit("focus: two threads do not count what one does")
    if not there_are:
        return {"focus.threads2": None}
    print(f"threads    {one / two:8.2f} times as fast on two cores, d-spacing, 4 groups", flush=True)
    return {"focus.threads2": round(one / two, 3)}


def against_scipp() -> Results:
    found = focus_in_scipp()
    if found is None:
        print("there is no scipp to compare with")
        return {"focus.ratio_scipp": None}
    ours, theirs = found
    print(f"scipp      {theirs / ours:8.1f} times its speed: d-spacing, 4 groups, events it has by pixel", flush=True)
    return {"focus.ratio_scipp": round(theirs / ours, 2)}


def updates() -> Results:
    chunks, size = 200, 100_000
    update(3, 1000)
    took, offered = update(chunks, size)
    print(
        f"update     {1e3 * took / chunks:8.2f} ms a chunk of {size} events: append, add, rebin, sum; all counted once"
    )
    found: Results = {
        "update.ms_per_chunk": round(1e3 * took / chunks, 3),
        "update.events_offered_ratio": offered / (chunks * size),
    }
    for name, early, late in growth():
        print(f"{name:10} {1e3 * late:8.2f} ms an update after 1e8 events, {late / early:.2f} of after 1e7", flush=True)
        found |= {f"update.{name}.ms": round(1e3 * late, 3), f"update.growth.{name}": round(late / early, 3)}
    kept = bytes_per_event()
    print(f"memory     {kept:8.2f} bytes an event kept", flush=True)
    return found | {"bytes_per_event": round(kept, 3)}


def main() -> None:
    if not RETURN_MEMORY.items() <= os.environ.items():  # what the reducer runs with is read when a process begins
        os.execve(sys.executable, [*sys.orig_argv], os.environ | RETURN_MEMORY)
    with on_cores(1):
        found = engine_and_decoding() | against_scipp() | updates()
    print(json.dumps(found | threads()))


if __name__ == "__main__":
    main()
