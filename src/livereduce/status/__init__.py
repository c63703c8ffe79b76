"""The health that all processes share, and what it means in words. Pure."""

from livereduce.status.health import (
    HEARTBEAT,
    RECORDER,
    REDUCER,
    Heartbeat,
    Holding,
    LogValue,
    RecorderHealth,
    ReducerHealth,
    ScriptProblem,
    ScriptTrial,
    ScriptUse,
    Stage,
)
from livereduce.status.words import STATUS, State, Status, age_s, describe, duration

__all__ = [
    "HEARTBEAT",
    "RECORDER",
    "REDUCER",
    "STATUS",
    "Heartbeat",
    "Holding",
    "LogValue",
    "RecorderHealth",
    "ReducerHealth",
    "ScriptProblem",
    "ScriptTrial",
    "ScriptUse",
    "Stage",
    "State",
    "Status",
    "age_s",
    "describe",
    "duration",
]
