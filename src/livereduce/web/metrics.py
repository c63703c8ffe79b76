"""/metrics: the figures of the status for Prometheus, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from livereduce.status import State, Status


class StatusCollector(Collector):
    """Turns the present `Status` into metric families; a figure that is not known is left out, never zero."""

    def __init__(self, status: Callable[[], Status], ledger: Mapping[str, Any]) -> None:
        self._status = status
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Give the families."""
        now = self._status()
        state = GaugeMetricFamily("livereduce_state", "1 for the present state", labels=["state"])
        for word in State:
            state.add_metric([word], float(word is now.state))
        yield state
        for name, text, value in _gauges(now):
            if value is not None:
                yield GaugeMetricFamily(f"livereduce_{name}", text, value=value)
        for name, text, count in _counters(now):
            yield CounterMetricFamily(f"livereduce_{name}", text, value=count)
        stages = GaugeMetricFamily("livereduce_stage_seconds", "Duration in the last step", labels=["stage"])
        for stage, seconds in now.latency.items():
            stages.add_metric([stage], seconds)
        yield stages
        accounts = [account for account in self._ledger.get("runs", ()) if account["run"] == now.run]
        dropped = GaugeMetricFamily("livereduce_run_dropped_events", "Events not accumulated", labels=["reason"])
        for reason, count in accounts[-1].get("dropped", {}).items() if accounts else ():
            dropped.add_metric([reason], count)
        yield dropped


def _gauges(now: Status) -> Iterator[tuple[str, str, float | None]]:
    yield "run_number", "Run number, 0 between runs", now.run
    yield "run_events", "Events of the present run", now.events
    yield "run_pulses", "Pulses of the present run", now.pulses
    yield "run_charge_picocoulombs", "Proton charge of the present run", now.charge_pC
    yield "event_rate", "Events per second over the last chunk", now.event_rate
    yield "data_age_seconds", "Age of the newest data processed", now.data_age_s
    yield "received_age_seconds", "Time since anything came from the source", now.received_age_s
    yield "result_age_seconds", "Age of the newest result", now.result_age_s
    yield "behind_bytes", "Bytes received and not yet processed", now.behind_bytes
    yield "script_failing", "1 while a script fails", float(now.script_error is not None)
    yield "memory_bytes", "Anonymous and shared memory of all processes", now.memory_bytes
    yield "memory_limit_bytes", "Limit of that memory", now.memory_limit_bytes


def _counters(now: Status) -> Iterator[tuple[str, str, float]]:
    yield "received_bytes", "Bytes received since the recorder started", now.bytes
    yield "received_packets", "Packets received since the recorder started", now.packets
    yield "reconnects", "Connections lost since the recorder started", now.reconnects
    yield "restarts", "Children restarted since the supervisor started", now.restarts
    yield "chunks", "Chunks processed since the reducer started", now.chunks


def render(status: Callable[[], Status], ledger: Mapping[str, Any]) -> bytes:
    """Give the metrics as Prometheus' text; `ledger` is the object of /api/ledger."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status, ledger))
    return generate_latest(registry)
