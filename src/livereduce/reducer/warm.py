"""Compile the kernels before the first chunk, so that no update waits for the compiler.

Compiled code is cached on disk; after the first start this takes under a second.
"""

from __future__ import annotations

import numpy as np

from livereduce.algorithms import plus, rebin, sum_spectra
from livereduce.protocols import isis
from livereduce.protocols.adara import EPICS_EPOCH_S, BankedEvent, Decoder, encode
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, Part, Plan, Run, Spectra


def compile_kernels() -> None:
    """Run a handful of events through decoding, mapping and every way of counting that a first chunk needs."""
    detectors = Detectors(np.arange(4))
    table = EventTable(4)
    start = np.array([0, 4])
    for _ in Decoder(batch_events=True).feed(_packet()):
        pass
    for _ in isis.Decoder().feed(_isis_packet()):
        pass
    mapped = detectors.map_events(np.array([10, 20, 30, 40], np.uint32), np.arange(4, dtype=np.uint32), start)
    table.append(mapped.tof, mapped.pix, np.array([0]), mapped.start, np.array([0.0]))
    workspace = EventWorkspace(
        [Part(table, 0, 4, Plan(4))], detectors, Run(), spectra=Spectra(np.arange(4), np.arange(4))
    )
    summed = sum_spectra(workspace)
    for each in (workspace, summed):
        _ = each.y
        for params in ([1.0, 1.0, 5.0], [1.0, -0.1, 5.0]):
            _ = rebin(each, params).y
    _ = plus(summed, summed).y


def _packet() -> bytes:
    one, none = np.ones(1, np.uint32), np.zeros(1, np.uint32)
    return encode(
        BankedEvent(
            1_000_000_000 * EPICS_EPOCH_S, charge=0, energy=0, cycle=0, flags=0, veto=0,
            source_id=one, intra_pulse_time=none, tof_offset=none, corrected=np.zeros(1, bool), banks_per_source=one,
            bank_id=one, events_per_bank=one, tof=one, pixel=one,
        )
    )  # fmt: skip


def _isis_packet() -> bytes:
    return isis.encode(isis.Neutron(0, 0, 0.0, 0.0, np.zeros(1, np.float32), np.zeros(1, np.uint32)))
