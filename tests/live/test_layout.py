"""Where detectors are: the stream's geometry, logs that move it, the user's moves, definitions found by name."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import convert_units, instruments, load_empty_instrument
from livereduce.geometry import Move, load_idf
from livereduce.listeners.base import (
    Connected,
    GeometryUpdate,
    InstrumentInfo,
    LogValues,
    Message,
    MonitorEvents,
    RunMark,
    RunMarkKind,
    SpectrumMap,
)
from livereduce.live.accumulate import Method, accumulate
from livereduce.live.chunk import ChunkBuilder
from livereduce.live.layout import DetectorBook
from livereduce.live.ledger import Ledger
from livereduce.workspaces import Detectors, EventWorkspace, MatrixWorkspace, Workspace

S = 1_000_000_000
# the bank of two pixels stands at the origin unless the log arm (mm) moves it; the monitor follows the log msd (mm)
IDF = """<instrument name="WRONG">
  <component type="src"><location z="-10"/></component><type name="src" is="Source"/>
  <component type="smp"><location/></component><type name="smp" is="SamplePos"/>
  <component type="bank" idlist="d"><location z="1">
    <parameter name="z"><logfile id="arm" eq="value/1000"/></parameter></location></component>
  <type name="bank"><component type="det"><location name="left" x="-1"/><location name="right" x="1"/></component>
  </type>
  <type name="det" is="detector"/><idlist idname="d"><id start="5" end="6"/></idlist>
  <component type="mon" idlist="m"><location z="-2"><parameter name="z"><logfile id="msd" eq="value/1000"/></parameter>
  </location></component><type name="mon" is="monitor"/><idlist idname="m"><id val="-1"/></idlist>
</instrument>"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with definitions."""
    monkeypatch.setattr(instruments, "definition_folders", [tmp_path])
    monkeypatch.setattr(instruments, "_described_by_streams", {})
    return tmp_path


def geometry(text: str = IDF) -> GeometryUpdate:
    return GeometryUpdate(load_idf(text), hashlib.sha256(text.encode()).digest())


def log(name: str, time_s: int, value: float) -> LogValues:
    return LogValues(name, np.array([time_s * S]), np.array([value]))


def opening(*rest: Message) -> list[Message]:
    info = InstrumentInfo("STREAMED", "STR", "BL1")
    return [Connected(1), info, RunMark(RunMarkKind.NEW, 7, 100 * S, 100 * S), *rest]


class Stream:
    """A scripted stream and the chunks made of it, accumulated as they are."""

    def __init__(self, events_of: Any, *messages: Message, **options: Any) -> None:
        self._make, self._listener, self._time = events_of.make, events_of.listener(messages), 100
        self.builder = ChunkBuilder(self._listener, Ledger(), keep_events=True, **options)
        self.total: Workspace | None = None

    def chunk(self, *messages: Message) -> EventWorkspace:
        """Take a chunk of these messages and one event in each pixel at 10 ms."""
        self._time += 1
        self._listener.extend(*messages, self._make((self._time * S, [(5, 100_000), (6, 100_000)])))
        chunk = self.builder.extract()
        assert chunk is not None
        assert isinstance(chunk.workspace, EventWorkspace)
        self.total = accumulate(self.total, chunk.workspace, Method.ADD)
        self.builder.consume(chunk)
        return chunk.workspace

    def l2_of_total(self) -> list[float]:
        assert isinstance(self.total, MatrixWorkspace)
        return [self.total.spectrumInfo().l2(i) for i in (0, 1)]


# -- logs that move things ---------------------------------------------------------------------------------------------


def test_a_log_that_has_not_come_is_told_once_and_where_it_arrives_the_whole_run_is_placed(
    events_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = Stream(events_of, *opening(geometry()))
    assert stream.chunk().spectrumInfo().l2(0) == pytest.approx(np.sqrt(2))  # as if there were no parameter
    stream.chunk()
    assert [r.message for r in caplog.records if "no value yet" in r.message] == [
        "WRONG is not where it should be: the logs arm, msd, which move parts of it, have no value yet"
    ]
    placed = stream.chunk(log("ARM", 102, 3000.0), log("msd", 102, -4000.0))
    assert placed.spectrumInfo().l2(0) == pytest.approx(np.sqrt(10))
    assert caplog.records[-1].message == "all logs that move parts of WRONG have arrived"
    assert stream.l2_of_total() == pytest.approx([np.sqrt(10)] * 2)
    assert isinstance(stream.total, MatrixWorkspace)
    # all six events of the run have the wavelength of the right place: t / (252.778 (10 + sqrt 10))
    in_wavelength = convert_units(stream.total, "Wavelength")
    assert isinstance(in_wavelength, EventWorkspace)
    expected = 10_000 / (252.778413 * (10 + np.sqrt(10)))
    np.testing.assert_allclose(in_wavelength.getSpectrum(0).getTofs(), [expected] * 3, rtol=1e-7)


def test_what_is_doubtful_in_a_definition_or_its_logs_is_said_once(
    events_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    odd = IDF.replace('<component type="mon"', "<odd/>" + '<component type="mon"')
    stream = Stream(events_of, *opening(geometry(odd), log("arm", 90, np.nan), log("msd", 90, 0.0)))
    for _ in range(3):
        stream.chunk()
    said = [r.message for r in caplog.records]
    assert said.count("WRONG: element <odd> in <instrument> is not known and was ignored") == 1
    assert sum("gives 'z' = nan" in each for each in said) == 1
    assert "WRONG is not where it should be: the logs arm, which move parts of it, have no value yet" in said


def test_a_motor_that_moves_on_moves_the_next_chunk_and_not_what_has_been_accumulated(events_of: Any) -> None:
    stream = Stream(events_of, *opening(geometry(), log("arm", 90, 3000.0), log("msd", 90, -2000.0)))
    stream.chunk()
    assert stream.chunk(log("arm", 102, 0.0)).spectrumInfo().l2(0) == 1.0
    assert stream.l2_of_total() == pytest.approx([np.sqrt(10)] * 2)


def test_monitors_are_moved_too(events_of: Any) -> None:
    hits = MonitorEvents(
        np.array([101 * S]), np.array([0, 1]), np.array([50], np.uint32), np.array([1], np.uint16), None
    )
    stream = Stream(events_of, *opening(geometry(), log("msd", 90, -4000.0), hits))
    monitors = stream.chunk().monitors
    assert monitors is not None
    assert monitors.spectrumInfo().l2(0) == pytest.approx(6 - 10)  # 4 m before the sample


# -- the user's moves --------------------------------------------------------------------------------------------------


def test_a_component_is_moved_by_a_log_its_definition_does_not_know(events_of: Any) -> None:
    moves = [Move("bank", "z", "detectorZ", "value/1000 + 1")]
    stream = Stream(events_of, *opening(geometry(), log("arm", 90, 7000.0), log("msd", 90, 0.0)), moves=moves)
    stream.chunk()
    stream.chunk(log("detectorZ", 101, 2000.0))
    assert stream.l2_of_total() == pytest.approx([np.sqrt(10)] * 2)  # beats the definition's own log


def test_a_move_that_cannot_be_made_is_said_and_data_go_on(events_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    moves = [Move("gone", "z"), Move("bank", "z", "", "4"), Move("left", "x", "d", "import os")]
    stream = Stream(events_of, *opening(geometry()), moves=moves)
    assert stream.chunk().spectrumInfo().l2(0) == pytest.approx(np.sqrt(17))
    said = [r.message for r in caplog.records if "instruments.moves" in r.message]
    assert said[0] == "instruments.moves: moving 'gone' by 'value' needs the name of a log"
    assert "formula 'import os' cannot be read" in said[1]


# -- definitions found by name -----------------------------------------------------------------------------------------


def spectra() -> SpectrumMap:
    return SpectrumMap(np.array([1, 2]), np.array([5, 6]), np.array([0, 1, 2]))


def spectrum_events(events_of: Any) -> Any:
    return events_of.make((101 * S, [(0, 100_000), (1, 100_000)]))


@pytest.mark.parametrize("described", [True, False])
def test_where_the_stream_gives_no_geometry_the_definition_of_that_name_does(
    events_of: Any, folder: Path, described: bool
) -> None:
    (folder / "STREAMED_Definition.xml").write_text(IDF)
    stream = Stream(events_of, *opening(*([spectra()] if described else [])), moves=[Move("bank", "z", "", "3")])
    if described:
        stream._listener.extend(spectrum_events(events_of))
        chunk = stream.builder.extract()
        assert chunk is not None
        assert isinstance(chunk.workspace, EventWorkspace)
        found = chunk.workspace
    else:
        found = stream.chunk()  # events alone tell which detectors there are
    assert [found.spectrumInfo().l2(i) for i in (0, 1)] == pytest.approx([np.sqrt(10)] * 2)
    assert found.spectrumInfo().l1() == 10.0
    assert found.y.tolist() == [[1], [1]]


def test_a_definition_of_other_detectors_is_not_used(
    events_of: Any, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "STREAMED_Definition.xml").write_text(IDF.replace('end="6"', 'end="7" step="2"'))
    found = Stream(events_of, *opening()).chunk()
    assert found.detectors.l2 is None
    assert "the definition of STREAMED has only 50 % of the detectors; it is not used" in caplog.text


def test_without_any_definition_events_are_taken_all_the_same(events_of: Any, folder: Path) -> None:
    (folder / "STREAMED_Definition.xml").write_text("<!DOCTYPE x []><instrument/>")
    stream = Stream(events_of, *opening())
    assert stream.chunk().y.sum() == 2
    (folder / "STREAMED_Definition.xml").write_text(IDF)
    assert stream.chunk().detectors.l2 is None  # looked for once a run


def test_detectors_of_a_histogram_memory_are_placed_once_by_the_definition(folder: Path) -> None:
    (folder / "STREAMED_Definition.xml").write_text(IDF)
    book, detectors = DetectorBook(), Detectors([5, 6])
    found = book.place_totals(detectors, {"arm": (0, 3000.0, "mm")}, "STREAMED", 10**18)
    assert found.l2 is not None
    assert found.l2.tolist() == pytest.approx([np.sqrt(10)] * 2)
    assert book.place_totals(detectors, {"arm": (0, 3000.0, "mm")}, "STREAMED", 10**18) is found


def test_scripts_find_the_instrument_of_the_stream_by_its_name(events_of: Any) -> None:
    Stream(events_of, *opening(geometry())).chunk()
    assert load_empty_instrument(instrument_name="streamed").n_spectra == 3
