"""What the configuration says of instruments, on a journal of an EQ-SANS-like stream: detectorZ moves its detector."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livereduce.algorithms.instruments import definition_folders
from livereduce.config import from_mapping
from livereduce.mantid.api import mtd
from livereduce.protocols.adara import (
    BeamlineInfo,
    DeviceDescriptor,
    Geometry,
    RunState,
    RunStatus,
    VariableDouble,
    encode,
    unix_ns,
)
from livereduce.reducer.cycle import Cycle
from livereduce.reducer.health import Reporter
from livereduce.sources.journal import JournalWriter
from livereduce.workspaces import MatrixWorkspace

START_NS = unix_ns(1_000_000_000)
# the detector stands at the sample and there is no log, as in the definition of the real one
IDF = """<instrument name="wrong name">
<component type="src"><location z="-14"/></component><type name="src" is="Source"/>
<component type="smp"><location/></component><type name="smp" is="SamplePos"/>
<component type="panel" idlist="d"><location name="detector1"/></component>
<type name="panel"><component type="det"><location/></component></type>
<type name="det" is="detector"/><idlist idname="d"><id val="5"/></idlist></instrument>"""
DEVICE = """<device xmlns="http://public.sns.gov/schema/device.xsd"><device_name>motors</device_name><process_variables>
<process_variable><pv_name>detectorZ</pv_name><pv_id>3</pv_id><pv_type>double</pv_type><pv_units>mm</pv_units>
</process_variable></process_variables></device>"""
MOVE = {"component": "detector1", "axis": "z", "log": "detectorZ", "expression": "value/1000"}


def pulse(second: int) -> bytes:
    """One event in pixel 5."""
    words = (1, 2, 3, 0x300, 1, 0, 0, 1, 1, 1, 100, 5)
    return struct.pack("<16I", 48, 0x400001, 1_000_000_000 + second, 0, *words)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave the store and the folders of definitions as they were."""
    before = list(definition_folders)
    yield
    definition_folders[:] = before
    mtd.clear()


def result_of(tmp_path: Path, *packets: bytes, **instruments: Any) -> MatrixWorkspace:
    """Turn a cycle once on a journal of these packets."""
    for name in ("scripts", "runtime"):
        (tmp_path / name).mkdir()
    folders = {f"{name}_dir": str(tmp_path / folder) for name, folder in
               (("state", "state"), ("runtime", "runtime"), ("script", "scripts"))}  # fmt: skip
    config = from_mapping({
        "instrument": "EQ-SANS", "listener": "adara", "address": "127.0.0.1:1", "log": {"file": str(tmp_path / "log")},
        "instruments": instruments, **folders,
    })  # fmt: skip
    writer = JournalWriter(config.state_dir / "journal")
    writer.new_connection()
    writer.begin_segment(7, START_NS, 1)
    writer.write(encode(RunStatus(START_NS, 7, START_NS, RunState.NEW_RUN)) + b"".join(packets))
    writer.close()
    cycle = Cycle(config, Reporter(config.runtime_dir / "reducer.json"))
    try:
        cycle.monitor.turn(0.0)
    finally:
        cycle.close()
    found = mtd["result"]
    assert isinstance(found, MatrixWorkspace)
    assert found.y.sum() == 1
    return found


INFO = encode(BeamlineInfo(START_NS, "BL6", "EQSANS", "EQ-SANS"))


def test_a_detector_is_moved_by_the_log_the_configuration_names(tmp_path: Path) -> None:
    stream = [INFO, encode(Geometry(START_NS, IDF)), encode(DeviceDescriptor(START_NS, 1, DEVICE))]
    value = encode(VariableDouble(START_NS, 1, 3, 0, 0, 4000.0))
    found = result_of(tmp_path, *stream, value, pulse(1), moves=[MOVE])
    assert (found.spectrumInfo().l1(), found.spectrumInfo().l2(0)) == (14.0, 4.0)
    assert found.getInstrument().getName() == "EQ-SANS"  # the stream knows better than its definition


def test_a_stream_without_geometry_is_placed_by_the_definition_in_a_configured_folder(tmp_path: Path) -> None:
    (tmp_path / "idf").mkdir()
    (tmp_path / "idf" / "EQ-SANS_Definition.xml").write_text(IDF)
    move = MOVE | {"log": "", "expression": "5"}
    found = result_of(tmp_path, INFO, pulse(1), definition_folders=str(tmp_path / "idf"), moves=move)
    assert (found.spectrumInfo().l1(), found.spectrumInfo().l2(0)) == (14.0, 5.0)
    assert found.run()["run_number"].value == "7"
