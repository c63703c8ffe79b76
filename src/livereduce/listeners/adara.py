"""ADARA records to messages: what an SNS or HFIR stream says, in the live cycle's terms.

Facts and units: the ADARA wire specification (times of flight in 100 ns, charges in 10 pC, EPICS epoch). Does not
cover framing and columns (`protocols.adara`) nor what the messages mean for a run (`live.state`, `live.chunk`).
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError, ProtocolError
from livereduce.geometry import Instrument, load_idf
from livereduce.listeners.base import (
    OUR_LOGS,
    Comment,
    Connected,
    DetectorIds,
    Events,
    GeometryUpdate,
    InstrumentInfo,
    LogDeclared,
    LogValues,
    Message,
    MonitorEvents,
    PacketKeys,
    PauseMark,
    Rejected,
    RunInfo,
    RunMark,
    RunMarkKind,
    ScanMark,
)
from livereduce.listeners.packets import PacketDecoder, PacketListener, PacketReader
from livereduce.protocols import adara
from livereduce.protocols.adara.xml import DeviceVariable, parse_device_descriptor, parse_run_info
from livereduce.sources import BEGIN, ByteSource, Position

log = logging.getLogger(__name__)

Item = adara.Packet | adara.EventBatch

PICOCOULOMB = 10.0
"""A pulse charge of 1 on the wire is 10 pC."""

_RUN_MARKS = {
    adara.RunState.NO_RUN: RunMarkKind.NONE,
    adara.RunState.NEW_RUN: RunMarkKind.NEW,
    adara.RunState.RUN_EOF: RunMarkKind.CONTINUE,
    adara.RunState.RUN_BOF: RunMarkKind.CONTINUE,
    adara.RunState.END_RUN: RunMarkKind.END,
    adara.RunState.STATE: RunMarkKind.CONTINUE,
    adara.RunState.PROLOGUE: RunMarkKind.CONTINUE,
}


class AdaraListener(PacketListener[Item]):
    """Reads ADARA packets from a byte source.

    Parameters
    ----------
    source
        Where the bytes come from: the journal, a socket, a recorded file.
    max_packet_bytes
        Larger packets are skipped and counted.
    """

    name = "SNSLiveEventDataListener"
    supports_history = True
    buffers_events = True

    def __init__(self, source: ByteSource, *, start: Position = BEGIN, max_packet_bytes: int = 64 << 20) -> None:
        def new_decoder() -> adara.Decoder:
            return adara.Decoder(max_packet_bytes, batch_events=True)

        super().__init__(PacketReader[Item](source, new_decoder, _skipped, start), start)
        self._variables: dict[tuple[int, int], DeviceVariable] = {}
        self._owners: dict[str, int] = {}
        self._instruments: dict[bytes, Instrument] = {}
        self._name = ""  # of the instrument, better than the one in its definition

    # -- packets ------------------------------------------------------------------------------------------------------

    def _messages(self, packet: Item | Connected | Rejected) -> list[Message]:
        match packet:
            case Connected():
                self._variables.clear()
                self._owners.clear()
                return [packet]
            case Rejected():
                return [packet]
            case adara.EventBatch():
                return _event_messages(packet)
            case (
                adara.MultVariableU32()
                | adara.MultVariableDouble()
                | adara.MultVariableString()
                | adara.MultVariableU32Array()
                | adara.MultVariableDoubleArray()
            ):
                times = packet.time_ns + packet.offset.astype(np.int64)
                return self._values(packet, times, packet.values)
            case (
                adara.VariableU32()
                | adara.VariableDouble()
                | adara.VariableString()
                | adara.VariableU32Array()
                | adara.VariableDoubleArray()
            ):
                return self._value(packet, packet.value)
            case adara.RunStatus():
                kind = _RUN_MARKS.get(adara.RunState(packet.status)) if packet.status in _STATUSES else None
                if kind is None:
                    return [Rejected(f"unknown run status {packet.status}", 1)]
                return [RunMark(kind, packet.run_number, packet.run_start_ns, packet.time_ns)]
            case adara.StreamAnnotation():
                return _annotation(packet)
            case adara.DeviceDescriptor():
                return self._descriptor(packet)
            case adara.Geometry():
                return self._geometry(packet.xml)
            case adara.BeamlineInfo():
                self._name = packet.long_name
                return [InstrumentInfo(packet.long_name, packet.short_name, packet.beamline_id)]
            case adara.RunInfo():
                return _run_info(packet.xml)
            case adara.PixelMappingAlt():
                return [DetectorIds(_logical_pixels(packet))]
        return []

    def _geometry(self, xml: str) -> list[Message]:
        digest = hashlib.sha256(xml.encode()).digest()
        if digest not in self._instruments:
            if not xml.lstrip("\ufeff \t\r\n").startswith("<"):
                return [Rejected("unusable geometry", 1)]  # never let the network name a file
            try:
                self._instruments[digest] = load_idf(xml, name=self._name)
            except LiveReduceError as error:
                log.error("the geometry in the stream cannot be used: %s", error)
                return [Rejected("unusable geometry", 1)]
        return [GeometryUpdate(self._instruments[digest], digest)]

    def _descriptor(self, packet: adara.DeviceDescriptor) -> list[Message]:
        try:
            device = parse_device_descriptor(packet.xml)
        except ProtocolError:
            return [Rejected("unreadable device descriptor", 1)]
        messages: list[Message] = []
        for variable in device.variables:
            if OUR_LOGS.fullmatch(variable.name):
                messages.append(Rejected("declaration of a log that livereduce keeps itself", 1))
                continue
            # Two devices may declare one name; the first keeps it, as in the reference listener.
            if self._owners.setdefault(variable.name, packet.device_id) == packet.device_id:
                self._variables[packet.device_id, variable.pv_id] = variable
                messages.append(LogDeclared(variable.name, _kind(variable.type), variable.units))
        return messages

    def _value(self, packet: adara.VariablePacket, value: Any) -> list[Message]:
        if isinstance(value, np.ndarray):
            variable = self._variables.get((packet.device_id, packet.variable_id))
            return [RunInfo({variable.name: value})] if variable else [Rejected("value of an undeclared variable", 1)]
        return self._values(packet, np.array([packet.time_ns], np.int64), [value])

    def _values(self, packet: adara.VariablePacket, times: NDArray[np.int64], values: Any) -> list[Message]:
        variable = self._variables.get((packet.device_id, packet.variable_id))
        if variable is None:
            return [Rejected("value of an undeclared variable", 1)]
        if packet.status == adara.ValueStatus.UPSTREAM_DISCONNECTED:
            # The value field repeats the last value and says nothing new.
            return [Comment(f"{variable.name} is disconnected", packet.time_ns)]
        if not times.size:
            return []
        if isinstance(values, tuple) and isinstance(values[0], np.ndarray):
            return [RunInfo({variable.name: values[-1]})]
        return [LogValues(variable.name, times, _typed(values, variable.type), variable.units)]


def _skipped(decoder: PacketDecoder[Item]) -> Counter[str]:
    assert isinstance(decoder, adara.Decoder)
    stats = decoder.stats
    skipped = Counter({f"malformed {name}": n for name, n in stats.malformed.items()})
    skipped.update({f"unknown packet type {number:#06x}": n for number, n in stats.unknown.items()})
    skipped["oversize packet"] = stats.oversize
    return skipped


_STATUSES = frozenset(int(state) for state in adara.RunState)


def _event_messages(batch: adara.EventBatch) -> list[Message]:
    messages: list[Message] = []
    if batch.monitor_pulse_id.size:
        messages.append(
            MonitorEvents(
                pulse_time=batch.monitor_time,
                start=batch.monitor_start,
                tof=batch.monitor_tof,
                number=batch.monitor_number,
                keys=PacketKeys(
                    batch.monitor_pulse_id,
                    _kind_and_length(np.uint64(adara.PacketType.BeamMonitorEvent), batch.monitor_payload_length),
                    batch.monitor_fingerprint,
                ),
            )
        )
    if batch.pulse_id.size:
        kind = batch.packet_type.astype(np.uint64)
        messages.append(
            Events(
                pulse_time=batch.pulse_time,
                charge=batch.charge.astype(np.float64) * PICOCOULOMB,
                start=batch.start,
                tof=batch.tof,
                detector_id=batch.pixel,
                keys=PacketKeys(batch.pulse_id, _kind_and_length(kind, batch.payload_length), batch.fingerprint),
                rejected={"error pixel": batch.error_events, "unmapped pixel": batch.unmapped_events},
            )
        )
    return messages


def _kind_and_length(kind: NDArray[np.uint64] | np.uint64, length: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return np.asarray(kind << np.uint64(32) | length.astype(np.uint64))


def _annotation(packet: adara.StreamAnnotation) -> list[Message]:
    match packet.marker:
        case adara.Marker.PAUSE:
            return [PauseMark(True, packet.time_ns)]
        case adara.Marker.RESUME:
            return [PauseMark(False, packet.time_ns)]
        case adara.Marker.SCAN_START:
            return [ScanMark(packet.scan_index, packet.time_ns)]
        case adara.Marker.SCAN_STOP:
            return [ScanMark(0, packet.time_ns)]
    return [Comment(packet.comment, packet.time_ns)] if packet.comment else []


def _run_info(xml: str) -> list[Message]:
    try:
        details = parse_run_info(xml)
    except ProtocolError:
        return [Rejected("unreadable run info", 1)]
    return [RunInfo({"run_title": details.run_title, "experiment_identifier": details.proposal_id})]


def _logical_pixels(packet: adara.PixelMappingAlt) -> NDArray[np.int64]:
    ids = [
        section.pixels.astype(np.int64)
        if isinstance(section, adara.PixelList)
        else section.logical_start + section.logical_step * np.arange(section.count, dtype=np.int64)
        for section in packet.sections
    ]
    return np.unique(np.concatenate(ids)) if ids else np.empty(0, np.int64)


def _kind(declared: str) -> type:
    if declared.startswith("double"):
        return float
    return str if declared == "string" else int


def _typed(values: Any, declared: str) -> NDArray[Any]:
    """Give values the type their descriptor declares: integers travel as uint32, signed ones as two's complement."""
    array = np.asarray(values)
    if array.dtype.kind in "SU" or array.dtype == object:
        return array.astype(str)
    if declared.startswith("double"):
        return array.astype(np.float64)
    if array.dtype.kind in "ui" and declared.startswith(("integer", "signed")):
        return array.astype(np.uint32).view(np.int32).astype(np.int64)
    return array.astype(np.int64) if array.dtype.kind in "ui" else array.astype(np.float64)
