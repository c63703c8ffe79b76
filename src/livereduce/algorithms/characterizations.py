"""What a powder diffractometer needs to know of its setting: PDLoadCharacterizations, PDDetermineCharacterizations.

A characterisation file lists, for each setting of the choppers, the runs to correct by and the useful ranges. The row
that fits a run becomes a property manager, from which scripts and AlignAndFocusPowder read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from livereduce.algorithms import values
from livereduce.algorithms.declaration import Integers, Numbers, algorithm
from livereduce.algorithms.files import check_exists
from livereduce.algorithms.property_manager import PropertyManager, property_managers
from livereduce.workspaces import MatrixWorkspace, Run, TableWorkspace, TimeSeries

log = logging.getLogger(__name__)

COLUMNS = (
    ("double", "frequency"),
    ("double", "wavelength"),
    ("int", "bank"),
    ("str", "vanadium"),
    ("str", "vanadium_background"),
    ("str", "container"),
    ("str", "empty_environment"),
    ("str", "empty_instrument"),
    ("str", "d_min"),
    ("str", "d_max"),
    ("double", "tof_min"),
    ("double", "tof_max"),
    ("double", "wavelength_min"),
    ("double", "wavelength_max"),
)
_RUNS = ("vanadium", "vanadium_background", "container", "empty_environment", "empty_instrument")
# Columns of a table in the order of a file's: the container comes before the background of the vanadium there.
_IN_FILE = ("frequency", "wavelength", "bank", "vanadium", "container", "vanadium_background", "d_min", "d_max",
            "tof_min", "tof_max", "wavelength_min", "wavelength_max")  # fmt: skip
_IN_FILE_1 = ("frequency", "wavelength", "vanadium", "vanadium_background", "empty_environment", "empty_instrument")
_EXP_INI = {"Vana": "vanadium", "VanaBg": "vanadium_background", "MTc": "container"}
_SAME = 0.05  # settings that differ by less than this, relative to their mean, are one


class Characterizations(NamedTuple):
    """What PDLoadCharacterizations returns.

    Attributes
    ----------
    output_workspace
        Table with a row for each setting of frequency and wavelength.
    i_parm_filename
        Instrument parameter file that the file names.
    primary_flight_path
        m, 0 if the file does not say.
    spectrum_ids, l2, polar, azimuthal
        Where focused spectra are to be: for EditInstrumentGeometry, m and degrees.
    """

    output_workspace: TableWorkspace
    i_parm_filename: str
    primary_flight_path: float
    spectrum_ids: Integers
    l2: Numbers
    polar: Numbers
    azimuthal: Numbers


@algorithm(
    "PDLoadCharacterizations",
    names={
        "exp_ini_filename": "ExpIniFilename",
        "i_parm_filename": "IParmFilename",
        "spectrum_ids": "SpectrumIDs",
    },
    outputs_after="exp_ini_filename",
)
def pd_load_characterizations(filename: Sequence[str], exp_ini_filename: Path | None = None) -> Characterizations:
    """Read characterisation files of a powder diffractometer.

    Parameters
    ----------
    filename
        One file, or several: the classic one and one that begins with ``version=1`` (runs of sample containers).
    exp_ini_filename
        NOMAD's ``exp.ini``, whose runs take the place of those of all rows.
    """
    rows: list[dict[str, Any]] = []
    containers: list[str] = []
    focus = _Focus()
    versioned = []
    for path in map(values.to_path, filename):
        check_exists(path)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if lines and lines[0].strip().replace(" ", "") == "version=1":
            versioned.append((path, lines))
        else:
            rows += _classic(path, lines, focus)
    for path, lines in versioned:
        _add_containers(path, lines, rows, containers)
    if exp_ini_filename is not None:
        _override(exp_ini_filename, rows)
    table = TableWorkspace([*COLUMNS, *(("str", name) for name in containers)], title="characterizations")
    for row in rows:
        table.addRow([row.get(name, _empty(kind)) for kind, name in _columns(containers)])
    return Characterizations(
        table, focus.file, focus.l1, np.array(focus.ids, np.int64), *(np.array(c) for c in focus.places())
    )


class _Focus:
    """The part of a file that says where focused spectra are."""

    def __init__(self) -> None:
        self.file = ""
        self.l1 = 0.0
        self.ids: list[int] = []
        self.rows: list[tuple[float, float, float]] = []

    def places(self) -> tuple[list[float], list[float], list[float]]:
        l2, polar, azimuthal = ([row[i] for row in self.rows] for i in range(3))
        return l2, polar, azimuthal


def _columns(containers: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield from COLUMNS
    yield from (("str", name) for name in containers)


def _empty(kind: str) -> str | float:
    return "0" if kind == "str" else 0


def _classic(path: Path, lines: Sequence[str], focus: _Focus) -> list[dict[str, Any]]:
    """Rows of a file without version; where it says so, places of focused spectra go to `focus`."""
    rows = []
    in_focus = False
    for number, line in enumerate(lines, 1):
        words = line.split()
        if line.startswith("Instrument parameter file:"):
            focus.file, in_focus = line.partition(":")[2].strip(), True
        elif not words or line.startswith("#"):
            in_focus = in_focus and not line.startswith("#")
        elif words[0] == "L1":
            focus.l1, in_focus = _number(path, number, words[1:2]), False
        elif in_focus:
            focus.ids.append(int(_number(path, number, words)))
            l2, polar = (_number(path, number, words[i : i + 1]) for i in (1, 2))
            focus.rows.append((l2, polar, float(words[3]) if len(words) > 3 else 0.0))
        else:
            rows.append(_row(path, number, words, _IN_FILE, at_least=8))
    return rows


def _row(path: Path, number: int, words: Sequence[str], names: Sequence[str], at_least: int) -> dict[str, Any]:
    if len(words) < at_least:
        raise ValueError(f"{path}, line {number}: {len(words)} columns, expected {at_least} or more")
    kinds = {name: kind for kind, name in COLUMNS}
    row: dict[str, Any] = {}
    for name, word in zip(names, words, strict=False):
        is_text = kinds[name] == "str"
        row[name] = word if is_text else _number(path, number, [word])
        if kinds[name] == "int":
            row[name] = int(row[name])
    return row


def _number(path: Path, line: int, words: Sequence[str]) -> float:
    try:
        return float(words[0])
    except (IndexError, ValueError):
        found = repr(words[0]) if words else "nothing"
        raise ValueError(f"{path}, line {line}: expected a number, found {found}") from None


def _add_containers(path: Path, lines: Sequence[str], rows: list[dict[str, Any]], containers: list[str]) -> None:
    """Put the runs of a version 1 file into the rows of its settings; settings that are new get rows of their own."""
    header: list[str] | None = None
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if header is None:
            header = words[len(_IN_FILE_1) :]
            containers += [name for name in header if name not in containers]
            continue
        found = _row(path, number, words, _IN_FILE_1, at_least=len(_IN_FILE_1) + len(header))
        found |= dict(zip(header, words[len(_IN_FILE_1) :], strict=False))
        matching = _matching(rows, found["frequency"], found["wavelength"])
        if matching is None:
            rows.append({"bank": 1} | found)
        else:
            del found["frequency"], found["wavelength"]
            matching.update(found)


def _override(path: Path, rows: list[dict[str, Any]]) -> None:
    check_exists(path)
    if not rows:
        raise RuntimeError(f"ExpIniFilename: {path} cannot be used: the files list no settings")
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in _EXP_INI:
            for row in rows:
                row[_EXP_INI[words[0]]] = words[1]


def _matching(rows: Sequence[dict[str, Any]], frequency: float, wavelength: float) -> dict[str, Any] | None:
    for row in rows:
        if _close(row["frequency"], frequency) and _close(row["wavelength"], wavelength):
            return row
    return None


def _close(a: float, b: float) -> bool:
    return bool(a == b or abs(a - b) < _SAME * abs(a + b) / 2)


# -- the row that fits --------------------------------------------------------------------------------------------


@algorithm("PDDetermineCharacterizations", names={"wave_length_log_names": "WaveLengthLogNames"})
def pd_determine_characterizations(
    ws: MatrixWorkspace,
    characterizations: TableWorkspace | None = None,
    reduction_properties: str = "__powderreduction",
    back_run: Integers = (0,),
    norm_run: Integers = (0,),
    norm_back_run: Integers = (0,),
    empty_env: Integers = (0,),
    empty_instr: Integers = (0,),
    frequency_log_names: Sequence[str] = ("SpeedRequest1", "Speed1", "frequency", "skf1.speed"),
    wave_length_log_names: Sequence[str] = ("LambdaRequest", "lambda", "skf12.lambda", "Lambda"),
) -> None:
    """Choose the row of characterisations that fits a run, and put it into a property manager.

    Frequency and wavelength of the run come from its logs; a row fits if both are within 5 %. Without such a row, or
    without these logs, the properties are zero or empty.

    Parameters
    ----------
    ws
        Workspace with the logs of the run.
    characterizations
        Table of PDLoadCharacterizations.
    reduction_properties
        Name of the property manager; one that is there keeps its other properties.
    back_run, norm_run, norm_back_run, empty_env, empty_instr
        Runs in place of container, vanadium, vanadium_background, empty_environment, empty_instrument of the row: 0 for
        what the row says, -1 for none.
    frequency_log_names
        Logs that may hold the frequency (Hz); the first whose mean is not 0 counts.
    wave_length_log_names
        The same for the central wavelength (Å).
    """
    known = reduction_properties in property_managers
    manager = property_managers[reduction_properties] if known else PropertyManager()
    frequency = _from_logs(ws.logs, frequency_log_names, {"hz"})
    wavelength = _from_logs(ws.logs, wave_length_log_names, {"angstrom", "a", "å"})
    row: dict[str, Any] = {}
    if characterizations is not None and frequency and wavelength:
        _check_columns(characterizations)
        row = _matching(list(characterizations), frequency, wavelength) or {}
        if not row:
            log.warning("no characterization fits a frequency of %g Hz and a wavelength of %g Å", frequency, wavelength)
    elif characterizations is not None:
        log.warning("the logs do not say %s", "the frequency" if not frequency else "the wavelength")
    for name, value in _chosen(ws.logs, row).items():
        manager[name] = value
    given = dict(zip(_RUNS, (norm_run, norm_back_run, back_run, empty_env, empty_instr), strict=True))
    for name, runs in given.items():
        numbers = np.atleast_1d(np.asarray(runs, np.int64))
        if len(numbers) and numbers[0] != 0:
            manager[name] = np.zeros(1, np.int64) if numbers[0] < 0 else numbers
    property_managers[reduction_properties] = manager


def _from_logs(logs: Run, names: Sequence[str], units: set[str]) -> float:
    """Mean of the first of these logs that is not 0 and in the right unit, 0 if there is none."""
    for name in names:
        if name not in logs:
            continue
        entry = logs[name]
        if entry.units and entry.units.lower() not in units:
            log.info("%s is in %s, which is not expected: it is not used", name, entry.units)
            continue
        value = float(entry.statistics().mean) if isinstance(entry, TimeSeries) else values.to_number(entry.value)
        if value != 0 and np.isfinite(value):
            return value
    return 0.0


def _check_columns(table: TableWorkspace) -> None:
    names = table.getColumnNames()
    for kind, name in COLUMNS:
        if name not in names:
            raise ValueError(f"Characterizations: the table has no column {name!r} ({kind})")


def _chosen(logs: Run, row: dict[str, Any]) -> dict[str, Any]:
    """Properties of a row, or their defaults."""
    result: dict[str, Any] = {
        name: row.get(name, 0.0 if kind == "double" else 1) for kind, name in COLUMNS if kind != "str"
    }
    texts = {name: row.get(name, "0") for name in _RUNS}
    if "SampleContainer" in logs:
        value = logs["SampleContainer"].value
        container = re.sub(r"\s", "", str(value if isinstance(value, str) else np.atleast_1d(value)[-1]))
        texts["container"] = row.get(container, texts["container"]) if container not in result else texts["container"]
    result |= {name: values.to_integers(text) for name, text in texts.items()}
    for name in ("d_min", "d_max"):
        result[name] = values.to_numbers(row.get(name, ""))
    order = [name for _, name in COLUMNS]
    return {name: result[name] for name in order}
