"""From the file to a `Config`: read, say everything that is wrong at once, fill in from the instrument table."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from livereduce import facilities
from livereduce.config.settings import Config, Instruments, Log, Move, Output, Section, Settings, Stream, Watchdog, Web
from livereduce.errors import ConfigError

SYSTEM_PATH = Path("/etc/livereduce.conf")
_KINDS = {"tuple_type": "a list", "model_type": "an object with keys"}
NOT_NEEDED = ("CONDA_ENV", "PIXI_ENV", "mantid_loc")


def load(
    path: Path | str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    system_path: Path = SYSTEM_PATH,
    now: datetime | None = None,
) -> Config:
    """Read and resolve the configuration.

    Parameters
    ----------
    path
        File to read. Without one, `system_path` is read if it exists and is not empty, else there are only defaults.
    environ
        Environment, for the user's folders.
    now
        Present time, to notice a start time in the future; default: the clock's.

    Raises
    ------
    ConfigError
        With everything that is wrong, one line each.
    """
    if path is not None:
        source = Path(path).expanduser().absolute()
    elif system_path.is_file() and system_path.stat().st_size > 0:
        source = system_path
    else:
        return from_mapping({}, environ=environ, now=now)
    found, twice = _read(source)
    config = from_mapping(found, source=source, environ=environ, now=now)
    return config.model_copy(update={"warnings": (*twice, *config.warnings)})


def from_mapping(
    found: Mapping[str, Any],
    *,
    source: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> Config:
    """Resolve settings that do not come from a file, as `load` does (``{"instrument": "POWGEN"}`` is complete)."""
    where = str(source) if source else "configuration"
    try:
        settings, problems = Settings.model_validate(dict(found)), []
    except ValidationError as error:
        settings, problems = None, [_in_words(details) for details in error.errors()]
    # looked up even when something else is wrong, so that a wrong name is not found at the second attempt only
    problems += _contradictions(found)
    if settings is None or problems:
        # a key that is missing may be there, misspelt
        raise ConfigError([f"{where}: {problem}" for problem in (*problems, *_unknown_keys(found))])
    warnings = [
        *_unknown_keys(found),
        *(f"{key}: not needed by livereduce, ignored" for key in NOT_NEEDED if key in found),
    ]
    if _starts_after(settings, now or datetime.now(UTC)):
        warnings.append(f"start_time: {settings.start_time} is in the future; now is used")
        settings = settings.model_copy(update={"start_time": "now"})
    return _resolve(settings, source, tuple(f"{where}: {warning}" for warning in warnings), environ)


def _read(source: Path) -> tuple[dict[str, Any], list[str]]:
    """Parse the file; also say which keys are in it twice."""
    twice: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice.extend(
            f"{source}: {key}: given twice, the last one counts"
            for key in sorted({k for k in keys if keys.count(k) > 1})
        )
        return dict(pairs)

    try:
        text = source.read_text(encoding="utf-8")
        found = json.loads(text, object_pairs_hook=unique)
    except OSError as error:
        raise ConfigError([f"{source}: cannot be read ({error.strerror}); expected a JSON file"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{source}: byte {error.start} is not UTF-8; expected a JSON file"]) from None
    except json.JSONDecodeError as error:
        what = "an empty file" if not text.strip() else f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise ConfigError([f'{source}: found {what}; expected JSON like {{"instrument": "POWGEN"}}']) from None
    if not isinstance(found, dict):
        raise ConfigError([f'{source}: found {_shown(found)}; expected JSON like {{"instrument": "POWGEN"}}'])
    return found, twice


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _in_words(details: ErrorDetails) -> str:
    key = ".".join(str(part) for part in details["loc"])
    if details["type"] == "missing":
        return f"{key}: missing; expected a value"
    if details["type"] == "extra_forbidden":
        return f"{key}: unknown key; expected one of {', '.join(Move.model_fields)}"
    if details["type"] in _KINDS:
        return f"{key}: found {_shown(details['input'])}, expected {_KINDS[details['type']]}"
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    found = "a value" if key == "web.token" else _shown(details["input"])
    return f"{key}: found {found}, expected {message[0].lower()}{message[1:]}"


def _sections() -> dict[str, type[Section]]:
    return {
        "output": Output,
        "stream": Stream,
        "instruments": Instruments,
        "web": Web,
        "log": Log,
        "watchdog": Watchdog,
    }


def _unknown_keys(found: Mapping[str, Any]) -> list[str]:
    known = {"": set(Settings.model_fields)} | {name: set(model.model_fields) for name, model in _sections().items()}
    given = [("", key) for key in found]
    given += [(name, key) for name in _sections() if isinstance(found.get(name), dict) for key in found[name]]
    dotted = {name: f"{section}.{name}".lstrip(".") for section, names in known.items() for name in sorted(names)}
    lines = []
    for section, key in given:
        if key in known[section]:
            continue
        # the key's own section is asked first: "prot" in web means web.port
        close = difflib.get_close_matches(key.lower(), known[section], n=1)
        close = [f"{section}.{close[0]}".lstrip(".")] if close else []
        close = close or [dotted[name] for name in difflib.get_close_matches(key.lower(), dotted, n=1)]
        hint = f"; did you mean {close[0]}?" if close else ""
        lines.append(f"{f'{section}.{key}'.lstrip('.')}: unknown key, ignored{hint}")
    return lines


def _contradictions(found: Mapping[str, Any]) -> list[str]:
    """Say what is wrong between keys that may each be right; keys of a wrong type are left to the models."""
    problems: list[str] = []
    name, facility, connection = (
        value if isinstance(value := found.get(key), str) and value else None
        for key in ("instrument", "facility", "connection")
    )
    if facility and facility.casefold() not in {f.casefold() for f in facilities.facilities()}:
        problems.append(f"facility: found {_shown(facility)}, expected one of {', '.join(facilities.facilities())}")
    elif name:
        problems += _connection_problems(name, facility, connection, found)
    if found.get("post_process_only") is True and found.get("post_process") is False:
        problems.append("post_process: found false with post_process_only true, which leaves no script; remove one")
    return problems


def _connection_problems(
    name: str, facility: str | None, connection: str | None, found: Mapping[str, Any]
) -> list[str]:
    instrument = facilities.find(name, facility)
    if connection and instrument and instrument.connection(connection) is None:
        names = ", ".join(c.name for c in instrument.connections) or "none"
        return [f"connection: found {_shown(connection)}, expected one of {instrument.name}'s: {names}"]
    listener = found.get("listener") or (c.listener if instrument and (c := instrument.connection(connection)) else "")
    if facilities.kind_of(str(listener)) == "kafka":
        return [f"listener: found {listener}; this version cannot read Kafka streams yet, expected another listener"]
    if facilities.kind_of(str(listener)) == "isis_histogram" and str(found.get("accum_method")).casefold() == "add":
        return ['accum_method: found "Add" with a histogram source, whose reads are totals; expected "Replace"']
    if facilities.kind_of(str(listener)) == "file" and not _in_section(found, "stream", "file"):
        return ["stream.file: missing; FileEventDataListener needs the NeXus file to replay"]
    missing = [key for key in ("listener", "address") if not found.get(key)]
    if not missing or (instrument and instrument.connections):
        return []
    if instrument:
        return [f"instrument: {instrument.name} has no live connection in the table; give {' and '.join(missing)}"]
    near = facilities.nearest(name)
    hint = f"did you mean {near}? If not, give" if near else "give"
    return [f"instrument: found {_shown(name)}, which is not in the table; {hint} {' and '.join(missing)}"]


def _in_section(found: Mapping[str, Any], section: str, key: str) -> object:
    group = found.get(section)
    return group.get(key) if isinstance(group, dict) else None


def _starts_after(settings: Settings, now: datetime) -> bool:
    return settings.start_time not in {"now", "run"} and datetime.fromisoformat(settings.start_time) > now


def _resolve(settings: Settings, source: Path | None, warnings: tuple[str, ...], environ: Mapping[str, str]) -> Config:
    row = facilities.find(settings.instrument, settings.facility)
    row = row or facilities.Instrument(settings.instrument, settings.instrument, settings.facility or "", "UTC", ())
    connection = row.connection(settings.connection)
    listener = settings.listener or (facilities.kind_of(connection.listener) if connection else None)
    # each read of a histogram source already is the total
    by_default_replace = listener == "isis_histogram" and "accum_method" not in settings.model_fields_set
    folders = _folders(settings, row.name, environ)
    known = {
        "instrument": row.name,
        "short_name": row.short_name,
        "facility": row.facility,
        "time_zone": row.time_zone,
        "topics": dict(row.topics),
        "listener": listener,
        "address": settings.address or (connection.address if connection else None),
        "script_dir": _absolute(settings.script_dir or Path(f"/SNS/{row.short_name}/shared/livereduce"), environ),
        "accum_method": "Replace" if by_default_replace else settings.accum_method,
        "stream": settings.stream.model_dump() | _file(settings.stream, environ),
        "instruments": settings.instruments.model_dump() | _definition_folders(settings.instruments, environ),
        "web": settings.web,  # as it is, since model_dump leaves the token out
        "source": source,
        "warnings": warnings,
    }
    return Config.model_validate(settings.model_dump() | known | folders)


def _file(stream: Stream, environ: Mapping[str, str]) -> dict[str, Path]:
    return {} if stream.file is None else {"file": _absolute(stream.file, environ)}


def _definition_folders(instruments: Instruments, environ: Mapping[str, str]) -> dict[str, list[Path]]:
    return {"definition_folders": [_absolute(folder, environ) for folder in instruments.definition_folders]}


def _folders(settings: Settings, name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    state = settings.state_dir or writable_or(
        Path("/var/lib/livereduce") / name,
        Path(environ.get("XDG_STATE_HOME") or "~/.local/state") / "livereduce" / name,
    )
    state = _absolute(state, environ)
    user_runtime = environ.get("XDG_RUNTIME_DIR")
    runtime = settings.runtime_dir or writable_or(
        Path("/run/livereduce") / name,
        Path(user_runtime) / "livereduce" / name if user_runtime else state / "runtime",
    )
    log = settings.log.file or writable_or(
        Path("/var/log/SNS_applications/livereduce.log"), state / "livereduce.log", create_parents=False
    )
    return {
        "state_dir": state,
        "runtime_dir": _absolute(runtime, environ),
        "output": settings.output.model_dump() | {"directory": _absolute(settings.output.directory or state, environ)},
        "log": settings.log.model_dump() | {"file": _absolute(log, environ)},
    }


def writable_or(system: Path, user: Path, *, create_parents: bool = True) -> Path:
    """Give `system` if it is, or can be made, writable; else `user`."""
    for folder in (system, *system.parents) if create_parents else (system if system.exists() else system.parent,):
        if folder.exists():
            fits = (
                os.access(folder, os.W_OK | os.X_OK)
                if folder.is_dir()
                else folder == system and os.access(folder, os.W_OK)
            )
            return system if fits else user
    return user


def _absolute(path: Path, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home and path.parts[:1] == ("~",):
        path = Path(home).joinpath(*path.parts[1:])
    return Path(os.path.abspath(path.expanduser()))
