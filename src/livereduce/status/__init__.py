"""The health that all processes share, and what it means in words. Pure."""

from livereduce.status.health import (
    HEARTBEAT,
    RECORDER,
    REDUCER,
    Heartbeat,
    LogValue,
    RecorderHealth,
    ReducerHealth,
    ScriptProblem,
    Stage,
)
from livereduce.status.words import STATUS, State, Status, age_s, describe, duration

__all__ = [
    "HEARTBEAT",
    "RECORDER",
    "REDUCER",
    "STATUS",
    "Heartbeat",
    "LogValue",
    "RecorderHealth",
    "ReducerHealth",
    "ScriptProblem",
    "Stage",
    "State",
    "Status",
    "age_s",
    "describe",
    "duration",
]
