"""Order of packets and truth of the simulated server's stream, read without the codec."""

from __future__ import annotations

import itertools
import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from livereduce.protocols.adara import BankedEvent, BeamMonitorEvent, Decoder
from livereduce.simulators.chaos import chaos_from
from livereduce.simulators.history import Reader
from livereduce.simulators.plan import Plan
from livereduce.simulators.scenario import Scenario
from livereduce.simulators.sms import Sms

SECOND = 1_000_000_000
PLAN = Plan(runs=2, run_seconds=5.0, gap_seconds=3.0, pause_at=2.0, pause_seconds=1.0, rollover=1.75, index_period=2.0)
QUIET = replace(PLAN, pause_seconds=0.0, rollover=0.0, index_period=300.0)
RATE = 3000.0
NO_RUN, NEW_RUN, RUN_EOF, RUN_BOF, END_RUN, STATE = range(6)


def stream_of(epoch_ns: int, plan: Plan, seconds: float, *chaos: str, skip_paused: bool = False) -> tuple[bytes, Sms]:
    """Everything from the start of the first container, advanced in uneven steps."""
    sms = Scenario(rate=RATE, plan=plan, chaos=chaos_from(chaos)).prepare().begin(epoch_ns)
    reader = sms.history.since(0, skip_paused)
    return advance(sms, reader, epoch_ns, seconds), sms


def advance(sms: Sms, reader: Reader, epoch_ns: int, seconds: float) -> bytes:
    data = bytearray()
    for step in np.linspace(0, seconds, 237):
        sms.advance(epoch_ns + round(step * SECOND))
        while taken := reader.take(1 << 24):
            data += b"".join(taken)
    return bytes(data)


def outline(wire: Any, stream: bytes) -> list[str]:
    """Stream without its pulses and single values, in short words."""
    names = {0x4008: "sync", 0x400B: "beamline", 0x4004: "info", 0x400A: "geometry", 0x4102: "map", 0x400D: "monitors"}
    lines: list[str] = []
    for packet in wire.packets(stream):
        if packet.type == 0x4003:
            run, _, word, paused, _ = packet.words
            mode, file = word >> 12 & 0xFFF, word & 0xFFF
            lines.append(f"{word >> 24} run {run} file {mode}.{file}" + (" paused" if paused >> 24 else ""))
        elif packet.type == 0x4007:
            lines.append(packet.payload[8 : 8 + (packet.words[0] & 0xFFFF)].decode())
        elif packet.type == 0x4000 and lines[-1] != "pulses":
            lines.append("pulses")
        elif packet.type in names:
            lines.append(names[packet.type])
        elif packet.type == 0x8000 and lines[-1] != "devices":
            lines.append("devices")
    return lines


def test_run_change_has_the_servers_order(wire: Any, epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, QUIET, 9.9)
    head = ["beamline", "info", "geometry", "map", "monitors", "pulses"]
    gap_head = ["sync", "0 run 0 file 1.1", "devices", "beamline", "geometry", "map", "monitors", "pulses"]
    start, stop = "[Run 10001] Scan #1 Started.", "[Run 10001] Scan #1 Stopped."
    assert outline(wire, stream) == [
        *gap_head,
        "0 run 0 file 1.1",
        *("sync", "1 run 10001 file 1.1", "devices", "Run 10001 Started.", *head),
        *(start, "pulses", stop, "Run 10001 Stopped.", "pulses", "4 run 10001 file 1.1"),
        *gap_head,
    ]


def test_pulses_after_a_run_start_are_not_older_and_those_before_its_end_not_younger(wire: Any, epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, QUIET, 12.0)
    run = 0
    times: dict[int, list[int]] = {0: [], 10001: []}
    for packet in wire.packets(stream):
        if packet.type == 0x4003 and packet.words[2] >> 24 in (NO_RUN, NEW_RUN):
            run = packet.words[0]
        elif packet.type == 0x4000 and run in times:
            times[run].append(packet.time_ns - epoch_ns)
    assert SECOND <= min(times[10001]) < 1.02 * SECOND
    assert 5.98 * SECOND < max(times[10001]) < 6 * SECOND
    assert not [t for t in times[0] if SECOND <= t < 6 * SECOND]


def test_closing_status_is_a_second_later_than_the_stop(wire: Any, epoch_ns: int) -> None:
    stream, sms = stream_of(epoch_ns, replace(QUIET, runs=1), 12.0)
    end = next(p for p in wire.packets(stream) if p.type == 0x4003 and p.words[2] >> 24 == END_RUN)
    assert end.time_ns - epoch_ns == 7 * SECOND
    # run start is in whole seconds since 1990
    assert end.words[1] == 1_700_000_001 - 631_152_000
    assert sms.finished


def test_pause_and_new_files_have_the_servers_order(wire: Any, epoch_ns: int) -> None:
    plan = replace(PLAN, runs=1, index_period=300.0)
    wanted = ["3 run 10001", "2 run 10001", "4 run 10001", "1 run 10001", "Run 10001", "pulses", "[NEW"]
    stream, _ = stream_of(epoch_ns, plan, 9.0)
    lines = [line for line in outline(wire, stream) if line.startswith(tuple(wanted))]
    scan = "[NEW RUN FILE CONTINUATION] [Run 10001] Scan #1 Started."
    assert lines == [
        *("pulses", "1 run 10001 file 1.1", "Run 10001 Started.", "pulses", "2 run 10001 file 1.1"),
        *("3 run 10001 file 1.2", "pulses", "Run 10001 Paused.", "2 run 10001 file 1.2"),
        *("3 run 10001 file 2.1 paused", "[NEW RUN FILE CONTINUATION] Run 10001 Paused.", "pulses"),
        "2 run 10001 file 2.1 paused",
        *("3 run 10001 file 3.1", scan, "Run 10001 Resumed.", "pulses", "2 run 10001 file 3.1"),
        *("3 run 10001 file 3.2", scan, "pulses", "Run 10001 Stopped.", "pulses", "4 run 10001 file 3.2"),
        "pulses",
    ]


def test_resume_is_stamped_slightly_before_the_status_ahead_of_it(wire: Any, epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, replace(PLAN, runs=1), 9.0)
    found = list(wire.packets(stream))
    resume = next(i for i, p in enumerate(found) if p.type == 0x4007 and p.words[0] >> 16 & 0x7FFF == 4)
    status = next(p for p in reversed(found[:resume]) if p.type == 0x4003)
    assert status.words[2] >> 24 == RUN_BOF
    assert -SECOND // 100 < found[resume].time_ns - status.time_ns < 0


def test_client_that_wants_no_paused_data_gets_all_but_the_paused_file(wire: Any, epoch_ns: int) -> None:
    everything, sms = stream_of(epoch_ns, PLAN, 25.0)
    without, _ = stream_of(epoch_ns, PLAN, 25.0, skip_paused=True)
    truth = sms.truth()
    runs: Any = truth["runs"]
    gap: Any = truth["between_runs"]
    sent, unpaused = (
        [len(wire.events_of(p)) for p in wire.packets(stream) if p.type == 0x4000] for stream in (everything, without)
    )
    counted = sum(run["events"] for run in runs) + gap["events"]
    assert sum(unpaused) == counted
    assert sum(sent) == counted + sum(run["paused_events"] for run in runs)
    assert all(run["paused_pulses"] == pytest.approx(60, abs=2) for run in runs)
    assert len(unpaused) == sum(run["pulses"] for run in runs) + gap["pulses"]


def test_truth_is_what_a_plain_reader_and_the_codec_count_in_each_run(wire: Any, epoch_ns: int) -> None:
    stream, sms = stream_of(epoch_ns, PLAN, 25.0)
    by_hand: dict[int, list[int]] = {}
    run, paused = 0, False
    for packet in wire.packets(stream):
        if packet.type == 0x4003 and packet.words[2] >> 24 in (NO_RUN, NEW_RUN):
            run = packet.words[0]
        elif packet.type == 0x4007 and (marker := packet.words[0] >> 16 & 0x7FFF) in (3, 4):
            paused = marker == 3
        elif packet.type == 0x4000:
            tally = by_hand.setdefault(run, [0, 0, 0, 0, 0])
            n = len(wire.events_of(packet))
            if paused:
                tally[4] += n
            else:
                tally[0] += 1
                tally[1] += n
                tally[3] += 10 * packet.words[0]
        elif packet.type == 0x4001 and not paused:
            by_hand.setdefault(run, [0, 0, 0, 0, 0])[2] += len(wire.monitor_events_of(packet))
    truth: Any = sms.truth()
    told = {r["run"]: r for r in truth["runs"]} | {0: truth["between_runs"] | {"paused_events": 0}}
    keys = ("pulses", "events", "monitor_events", "charge_pC", "paused_events")
    assert {run: [tally[key] for key in keys] for run, tally in told.items()} == by_hand

    decoded = list(Decoder().feed(stream))
    events = sum(len(packet.tof) for packet in decoded if isinstance(packet, BankedEvent))
    monitor = sum(len(packet.event) for packet in decoded if isinstance(packet, BeamMonitorEvent))
    assert events == sum(tally[1] + tally[4] for tally in by_hand.values())
    assert monitor >= sum(tally[2] for tally in by_hand.values())


def test_truth_has_the_published_form(epoch_ns: int) -> None:
    _, sms = stream_of(epoch_ns, QUIET, 25.0)
    truth = json.loads(json.dumps(sms.truth()))
    assert [(run["run"], run["start"]) for run in truth["runs"]] == [
        (10001, "2023-11-14T22:13:21.000000Z"),
        (10002, "2023-11-14T22:13:29.000000Z"),
    ]
    for run in truth["runs"]:
        assert run["pulses"] == pytest.approx(300, abs=1)
        assert run["events"] == pytest.approx(5 * RATE, rel=0.05)
        assert run["charge_pC"] / run["pulses"] == pytest.approx(23.3e6, rel=0.01)


def test_real_banks_error_and_unmapped_events_are_all_counted(wire: Any, epoch_ns: int) -> None:
    sms = Scenario(rate=100_000, plan=replace(QUIET, runs=1)).prepare().begin(epoch_ns)
    stream = advance(sms, sms.history.since(0, False), epoch_ns, 4.0)
    banks = [e[0] for p in wire.packets(stream) if p.type == 0x4000 for e in wire.events_of(p)]
    bank, n = np.unique(banks, return_counts=True)
    assert bank.tolist() == [*range(1, 21), 0xFFFFFFFE, 0xFFFFFFFF]
    assert n[-2:] == pytest.approx([5e-4 * len(banks)] * 2, rel=0.4)
    pixels = {e[2] for p in wire.packets(stream) if p.type == 0x4000 for e in wire.events_of(p) if e[0] == 0xFFFFFFFE}
    assert all(pixel >> 31 for pixel in pixels)


def test_same_seed_and_epoch_give_the_same_bytes_however_time_advances(epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, PLAN, 12.0, "backwards-time")
    sms = Scenario(rate=RATE, plan=PLAN, chaos=chaos_from(("backwards-time",))).prepare().begin(epoch_ns)
    reader = sms.history.since(0, False)
    sms.advance(epoch_ns + 12 * SECOND)
    again = b"".join(reader.take(1 << 30))
    assert again == stream


def test_snapshot_has_the_servers_order_and_does_not_say_that_the_run_is_paused(wire: Any, epoch_ns: int) -> None:
    _, sms = stream_of(epoch_ns, replace(PLAN, runs=1), 3.5)
    snapshot = sms.snapshot()
    assert outline(wire, snapshot) == [
        *("sync", "5 run 10001 file 0.0", "devices", "[NEW RUN FILE CONTINUATION] Run 10001 Paused."),
        "[NEW RUN FILE CONTINUATION] [PAUSED Run 10001] Scan #1 Started.",
        *("beamline", "info", "geometry", "map", "monitors"),
    ]
    first, second, *_ = wire.packets(snapshot)
    assert first.time_ns == second.time_ns == epoch_ns + round(3.5 * SECOND)


def test_history_from_a_time_begins_at_the_index_point_before_it(wire: Any, epoch_ns: int) -> None:
    plan = replace(QUIET, runs=1, run_seconds=60.0, index_period=2.0)
    _, sms = stream_of(epoch_ns, plan, 9.0)
    data = b"".join(sms.history.since(epoch_ns + 7 * SECOND, skip_paused=True).take(1 << 30))
    found = list(wire.packets(data))
    assert [found[0].type, found[1].words[2] >> 24, found[1].words[0]] == [0x4008, STATE, 10001]
    assert found[1].time_ns == epoch_ns + 6 * SECOND
    pulses = [p.time_ns - epoch_ns for p in found if p.type == 0x4000]
    assert 5.9 * SECOND < pulses[0] < 6 * SECOND
    # the future means the newest index point, not waiting
    ahead = b"".join(sms.history.since(epoch_ns + 3600 * SECOND, skip_paused=True).take(1 << 30))
    assert next(p for p in wire.packets(ahead) if p.type == 0x4003).time_ns == epoch_ns + 8 * SECOND


def test_sync_is_repeated_every_16_megabytes_with_its_offset(wire: Any, epoch_ns: int) -> None:
    sms = Scenario(rate=2e6, plan=replace(QUIET, runs=0)).prepare().begin(epoch_ns)
    stream = advance(sms, sms.history.since(0, False), epoch_ns, 4.0)
    offsets, at = [], 0
    for packet in wire.packets(stream):
        if packet.type == 0x4008:
            assert packet.payload[:16] == b"SNSADARAORNL\x00\x00\xf0\x7f"
            offsets.append((at, struct.unpack_from("<Q", packet.payload, 16)[0]))
        at += 16 + len(packet.payload)
    assert len(offsets) == len(stream) // (16 << 20) + 1 > 2
    assert all(told == really for really, told in offsets)


def test_variables_come_between_pulses_and_one_pv_disconnects(wire: Any, epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, replace(QUIET, runs=0), 32.0)
    kinds = {p.type for p in wire.packets(stream)}
    assert {0x8001, 0x8002, 0x8003, 0x8004, 0x8005, 0x8101, 0x8102, 0x8103, 0x8104, 0x8105} <= kinds
    lost = [p for p in wire.packets(stream) if p.type == 0x8002 and p.words[2] >> 16 == 0xFFFE]
    assert [p.time_ns - epoch_ns for p in lost] == [20 * SECOND]


def test_salt_ramp_is_told_by_the_log(wire: Any, epoch_ns: int) -> None:
    plan = replace(QUIET, runs=0)
    sms = Scenario(sample="nacl", rate=RATE, plan=plan, ramp_rate=600.0).prepare().begin(epoch_ns)
    stream = advance(sms, sms.history.since(0, False), epoch_ns, 72.0)
    values = [
        (p.time_ns - epoch_ns, struct.unpack_from("<d", p.payload, 12)[0])
        for p in wire.packets(stream)
        if p.type == 0x8002 and p.words[:2] == (1, 1)
    ]
    assert values[1][1] == pytest.approx(300.0, abs=0.1)
    # 10 K/s for ten seconds after a minute's hold
    assert next(v for t, v in values if t == 70 * SECOND) == pytest.approx(400.0, abs=0.1)


@pytest.mark.parametrize(
    "chaos", ["unknown-types", "oversize", "bad-xml", "backwards-time", "duplicate-pulses", "malformed", "short-run"]
)
def test_truth_is_exact_in_every_fault_of_the_stream(epoch_ns: int, chaos: str) -> None:
    stream, sms = stream_of(epoch_ns, PLAN, 20.0, chaos, skip_paused=True)
    decoder = Decoder()
    decoded = [packet for packet in decoder.feed(stream) if isinstance(packet, BankedEvent)]
    truth: Any = sms.truth()
    tallies = [*truth["runs"], truth["between_runs"]]
    assert sum(len(packet.tof) for packet in decoded) == sum(tally["events"] for tally in tallies)
    assert len(decoded) == sum(tally["pulses"] for tally in tallies)
    assert 10 * sum(packet.charge for packet in decoded) == sum(tally["charge_pC"] for tally in tallies)
    assert not decoder.pending


def test_backwards_time_swaps_pulses(wire: Any, epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, replace(QUIET, runs=0), 5.0, "backwards-time")
    times = np.array([p.time_ns for p in wire.packets(stream) if p.type == 0x4000])
    assert (np.diff(times) < 0).sum() == 6
    assert len(set(times.tolist())) == len(times)


def test_duplicate_pulses_have_the_flag_other_events_and_no_charge(wire: Any, epoch_ns: int) -> None:
    stream, _ = stream_of(epoch_ns, replace(QUIET, runs=0), 5.0, "duplicate-pulses")
    banked = [p for p in wire.packets(stream) if p.type == 0x4000]
    twice = [(a, b) for a, b in itertools.pairwise(banked) if a.time_ns == b.time_ns]
    assert len(twice) == 8
    for first, second in twice:
        assert second.words[3] & 0x020
        assert second.words[0] == 0 != first.words[0]
        assert wire.events_of(first) != wire.events_of(second) != []


def test_short_run_lasts_a_fifth_of_a_second(epoch_ns: int) -> None:
    _, sms = stream_of(epoch_ns, QUIET, 15.0, "short-run")
    runs: Any = sms.truth()["runs"]
    assert runs[0]["pulses"] == pytest.approx(12, abs=1)
    assert runs[1]["pulses"] == pytest.approx(300, abs=1)
