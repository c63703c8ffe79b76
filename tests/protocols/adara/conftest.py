"""One packet of every type and version, and the specification's worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from livereduce.protocols.adara import (
    RTDL,
    BankedEvent,
    BankedEventState,
    BankSet,
    BeamlineInfo,
    BeamMonitorConfig,
    BeamMonitorEvent,
    ClientHello,
    DataDone,
    DetectorBankSets,
    DeviceDescriptor,
    Geometry,
    Heartbeat,
    MappedEvent,
    MonitorConfig,
    MultVariableDouble,
    MultVariableDoubleArray,
    MultVariableString,
    MultVariableU32,
    MultVariableU32Array,
    Packet,
    PixelList,
    PixelMapping,
    PixelMappingAlt,
    PixelRange,
    RawEvent,
    RunInfo,
    RunStatus,
    SourceList,
    StreamAnnotation,
    Sync,
    TransComplete,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    VariableU32,
    VariableU32Array,
)

# 1 000 000 000 s after 1990-01-01 is 2021-09-09T01:46:40 UTC
TIME_NS = 1_631_152_000_000_000_000


def u32(*values: int) -> np.ndarray:
    return np.array(values, np.uint32)


def flags(*values: bool) -> np.ndarray:
    return np.array(values, np.bool_)


WORKED_EXAMPLES: list[tuple[str, Packet]] = [
    (
        "04000000 00064000 0A000000 00000000 01000000",
        ClientHello(631_152_010_000_000_000, start=1, flags=0, version=0),
    ),
    (
        "14000000 01034000 00CA9A3B 00000000 07000000 10000000 00000005 00000000 00000000",
        RunStatus(TIME_NS, run_number=7, run_start_ns=631_152_016_000_000_000, status=5),
    ),
    (
        "30000000 01004000 00CA9A3B 00000000 D82E1C00 6A23C534 00000000 00030000 01000000 0B8B0200 00000000 01000000 "
        "05000000 01000000 A0860100 E8030000",
        BankedEvent(
            TIME_NS, 1_847_000, 885_334_890, 0, 0x300, 0,
            u32(1), u32(166_667), u32(0), flags(False), u32(1), u32(5), u32(1), u32(100_000), u32(1000),
        ),
    ),
    (
        "24000000 01014000 00CA9A3B 00000000 D82E1C00 6A23C534 00000000 00030000 02004000 01000000 00000080 "
        "A0860180 A5860100",
        BeamMonitorEvent(
            TIME_NS, 1_847_000, 885_334_890, 0, 0x300, 0,
            u32(1), u32(1), u32(0), flags(True), u32(2), u32(0x80000000 + 100_000, 100_005),
        ),
    ),
    (
        "14000000 00028000 00CA9A3B 00000000 02000000 01000000 00000000 A8C64B37 89011440",
        VariableDouble(TIME_NS, 2, 1, 0, 0, 5.0015),
    ),
    (
        "24000000 00074000 00CA9A3B 00000000 1B000180 02000000 5B52756E 20313030 315D2053 63616E20 23322053 74617274 "
        "65642E00",
        StreamAnnotation(TIME_NS, marker=1, comment="[Run 1001] Scan #2 Started.", scan_index=2, reset_hint=True),
    ),
]  # fmt: skip


def banked(version: int = 1, veto: int = 0x804) -> BankedEvent:
    """Two sources (uncorrected, corrected), a source without banks, a bank without events, both special banks."""
    return BankedEvent(
        TIME_NS + 16_666_667, 1000, 0, 599, 0x311, veto,
        source_id=u32(1, 2, 3),
        intra_pulse_time=u32(10, 20, 30),
        tof_offset=u32(50, 0, 77),
        corrected=flags(False, False, True),
        banks_per_source=u32(3, 0, 2),
        bank_id=u32(5, 6, 0xFFFFFFFF, 0xFFFFFFFE, 7),
        events_per_bank=u32(2, 0, 1, 1, 3),
        tof=u32(100, 200, 300, 400, 500, 600, 0xFFFFFFF0),
        pixel=u32(1, 2, 3, 0x80000004, 5, 6, 7),
        version=version,
    )  # fmt: skip


def banked_with_states() -> BankedEventState:
    return BankedEventState(
        TIME_NS + 33_333_333, 1001, 5, 0xFFFFFFFF, 0x700, 1,
        u32(1), u32(0), u32(0x7FFFFFFF), flags(False), u32(3),
        bank_id=u32(5, 5, 9), events_per_bank=u32(1, 2, 0), tof=u32(1, 2, 0x80000001), pixel=u32(10, 0x80000011, 12),
        state=u32(0, 1, 2),
    )  # fmt: skip


def monitors(version: int = 1) -> BeamMonitorEvent:
    return BeamMonitorEvent(
        TIME_NS, 1002, 1, 2, 3, 0,
        u32(0, 1023, 2), u32(1, 1, 1), u32(0, 5, 6), flags(False, False, True), u32(2, 1, 0),
        u32(0x801FFFFF, 7, 0x7FE00009), version=version,
    )  # fmt: skip


def rtdl(version: int = 1) -> RTDL:
    return RTDL(
        TIME_NS, 3 if version else 0, 1, 0xFFFFFF, True, False, 0xAB, 0xFED, 1023, 256_092, True, 17, 964_728,
        np.arange(25, dtype=np.uint32) << np.uint32(24) | np.uint32(5), version=version,
    )  # fmt: skip


EVERY_PACKET: list[Packet] = [
    *(packet for _, packet in WORKED_EXAMPLES),
    banked(),
    banked(version=0, veto=0),
    banked_with_states(),
    monitors(),
    monitors(version=0),
    BankedEvent(TIME_NS, 9, 8, 7, 6, 5, u32(), u32(), u32(), flags(), u32(), u32(), u32(), u32(), u32()),
    BeamMonitorEvent(TIME_NS, 9, 8, 7, 6, 5, u32(), u32(), u32(), flags(), u32(), u32()),
    rtdl(),
    rtdl(version=0),
    RunStatus(TIME_NS, 0, 0, 0, 0x3001, version=0),
    RunStatus(TIME_NS, 1001, TIME_NS, 2, 0x3001, True, 4, True, 6),
    RunInfo(TIME_NS, "<runinfo/>"),
    TransComplete(TIME_NS, 0x8001, "no µ space"),
    ClientHello(TIME_NS, 0, 2),
    StreamAnnotation(TIME_NS, 0),
    Sync(TIME_NS, 1 << 33, "a comment"),
    Heartbeat(TIME_NS),
    DataDone(TIME_NS),
    Geometry(TIME_NS, "<instrument/>"),
    BeamlineInfo(TIME_NS, "BL14B", "HYS", "HYSPEC", 2),
    BeamlineInfo(TIME_NS, "", "", "", 0, version=0),
    BeamMonitorConfig(TIME_NS, (MonitorConfig(1, 0, 33_333, 1, -6.716, 1), MonitorConfig(2, 5, 6, 7, 8.0, 2))),
    BeamMonitorConfig(TIME_NS, (MonitorConfig(3, 0, 1, 2, 3.5),), version=0),
    BeamMonitorConfig(TIME_NS, ()),
    DetectorBankSets(TIME_NS, (BankSet("SET_A", 3, u32(1, 2, 3), 0, 33_333, 1, 0.5, "throttled"),)),
    DetectorBankSets(TIME_NS, (BankSet("", 1, u32(), 0, 1, 1), BankSet("sixteen letters!", 2, u32(9), 4, 5, 6))),
    PixelMapping(TIME_NS, (PixelList(100, 0xFFFF, u32(7, 8)), PixelList(5, 2, u32()))),
    PixelMappingAlt(TIME_NS, 2, (PixelList(0, 1, u32(3, 2, 1)), PixelRange(1, 128, 0, 127, 1, 127, 0, -1))),
    PixelMappingAlt(TIME_NS, 1, (PixelList(0, 1, np.arange(0x8000, dtype=np.uint32)),), version=0),
    DeviceDescriptor(TIME_NS, 0x80000001, "<device/>"),
    VariableU32(TIME_NS, 1, 2, 0xFFFE, 3, 0xFFFFFFFF),
    VariableString(TIME_NS, 1, 2, 0, 0, "Ångström"),
    VariableString(TIME_NS, 1, 2, 0, 0, ""),
    VariableU32Array(TIME_NS, 1, 2, 0, 0, u32(1, 2, 3)),
    VariableDoubleArray(TIME_NS, 1, 2, 0, 0, np.array([1.5, -2.5])),
    MultVariableU32(TIME_NS, 1, 2, 0, 0, u32(0, 100), u32(4, 5)),
    MultVariableDouble(TIME_NS, 1, 2, 0, 0, u32(0, 100), np.array([0.25, 0.5])),
    MultVariableString(TIME_NS, 1, 2, 0, 0, u32(0, 100, 200), ("a", "", "abcde")),
    MultVariableU32Array(TIME_NS, 1, 2, 0, 0, u32(0, 1), (u32(), u32(1, 2))),
    MultVariableDoubleArray(TIME_NS, 1, 2, 0, 0, u32(7), (np.array([1.0, 2.0, 3.0]),)),
    RawEvent(TIME_NS, bytes(24)),
    MappedEvent(TIME_NS, bytes(32)),
    SourceList(TIME_NS, b"\1\0\0\0"),
]


@pytest.fixture
def every_packet() -> list[Packet]:
    return EVERY_PACKET


@pytest.fixture
def worked_examples() -> list[tuple[str, Packet]]:
    return WORKED_EXAMPLES
