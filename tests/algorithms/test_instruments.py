import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import convert_units, create_workspace, instruments
from livereduce.geometry import load_idf
from livereduce.workspaces import Detectors, EventWorkspace, HistogramWorkspace

edit: Any = algorithms.edit_instrument_geometry
load: Any = algorithms.load_instrument
XML = """<instrument name="PAIR" valid-from="2000-01-01 00:00:00">
<defaults><length unit="meter"/><angle unit="degree"/></defaults>
<component type="source"><location z="-20"/></component><type name="source" is="Source"/>
<component type="sample"><location/></component><type name="sample" is="SamplePos"/>
<component type="tube" idlist="ids"><location x="3"/><location z="4"/></component><type name="tube" is="detector"/>
<component type="mon" idlist="m"><location z="-5"/></component><type name="mon" is="monitor"/>
<idlist idname="ids"><id val="11"/><id val="10"/></idlist><idlist idname="m"><id val="-1"/></idlist></instrument>"""


def two() -> HistogramWorkspace:
    place = Detectors([10, 11], l1=10.0, l2=[1.0, 2.0], two_theta=[1.0, 2.0])
    return HistogramWorkspace([1000.0, 2000.0], [[1.0], [2.0]], detectors=place, spectra=place.default_spectra)


def test_flight_paths_and_angles_are_set_for_all_spectra() -> None:
    result = edit(two(), 60.0, l2=[3.0, 4.0], polar=[90.0, 150.0])
    info = result.spectrumInfo()
    assert (info.l1(), info.l2(0), info.l2(1)) == (60.0, 3.0, 4.0)
    assert info.twoTheta(1) == pytest.approx(np.radians(150))
    in_d = convert_units(result, "dSpacing")
    np.testing.assert_allclose(in_d.readX(0), np.array([1000, 2000]) / (252.778413 * 63 * np.sqrt(2)), rtol=1e-8)


def test_only_some_spectra_are_changed_by_number_and_others_keep_what_they_have() -> None:
    result = edit(two(), spectrum_ids=[2], l2=5.0)
    info = result.spectrumInfo()
    assert (info.l1(), info.l2(0), info.l2(1), info.twoTheta(1)) == (10.0, 1.0, 5.0, 2.0)


def test_spectra_may_get_other_detector_ids() -> None:
    result = edit(two(), l2=[1.0, 1.0], polar=[90.0, 90.0], detector_ids=[100, 200])
    assert [result.getSpectrum(i).getDetectorIDs() for i in (0, 1)] == [[100], [200]]
    assert edit(two(), spectrum_ids=[2], detector_ids=[200]).getSpectrum(0).getDetectorIDs() == [10]


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="EditInstrumentGeometry: L2: 1 values for 2 spectra"):
        edit(two(), l2=[1.0])
    with pytest.raises(ValueError, match="there is no spectrum number 7"):
        edit(two(), spectrum_ids=[7], l2=[1.0])
    with pytest.raises(ValueError, match="must be positive, found -1"):
        edit(two(), l2=[1.0, -1.0])
    with pytest.raises(ValueError, match="PrimaryFlightPath: must be positive, found 0"):
        edit(two(), 0.0)
    with pytest.raises(ValueError, match="Polar: 3 values for 2 spectra"):
        edit(two(), polar="1,2,3")
    with pytest.raises(ValueError, match="DetectorIDs: 1 values for 2 spectra"):
        edit(two(), detector_ids=[1])


def test_spectra_without_detectors_get_those_of_the_instrument_by_id(tmp_path: Path) -> None:
    (tmp_path / "pair.xml").write_text(XML)
    ws = create_workspace([0, 1], [1, 2, 3], n_spec=3, unit_x="TOF")
    result = load(ws, tmp_path / "pair.xml")
    assert [result.getSpectrum(i).getDetectorIDs() for i in range(3)] == [[-1], [10], [11]]
    info = result.spectrumInfo()
    assert (info.l1(), info.l2(1), info.l2(2), info.isMonitor(0)) == (20.0, 4.0, 3.0, True)
    assert result.getInstrument().getName() == "PAIR"


def test_a_definition_given_with_every_chunk_is_read_and_placed_once_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "pair.xml"
    path.write_text(XML)
    first = two()
    again = first.replaced(y=[[3.0], [4.0]], e=None)  # the next chunk: other counts of the same detectors
    one, other = load(first, path), load(again, path)
    assert one.detectors is other.detectors
    assert one.spectra is other.spectra is first.spectra
    path.write_text(XML.replace('z="-20"', 'z="-30"'))
    assert load(again, path).spectrumInfo().l1() == 30.0
    assert other.spectrumInfo().l1() == 20.0


def test_events_keep_their_detectors_and_get_their_places(random_events: EventWorkspace) -> None:
    before = random_events.y
    result = load(random_events, instrument_xml=XML, rewrite_spectra_map=True)
    assert result.spectra.ids.tolist() == [10, 11, 12, 13]
    np.testing.assert_array_equal(result.y, before)
    assert [result.spectrumInfo().l2(i) for i in (0, 1)] == [4.0, 3.0]
    assert np.isnan(result.spectrumInfo().l2(2))


def test_an_instrument_is_found_by_name_where_definitions_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "PAIR_Definition.xml").write_text(XML)
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path / "none", tmp_path])
    result = algorithms.load_empty_instrument(instrument_name="pair")
    assert result.y[:, 0].tolist() == [1, 1, 2]  # two tubes, then the monitor
    assert result.spectra.ids.tolist() == [11, 10, -1]
    with pytest.raises(ValueError, match=r"LoadEmptyInstrument: InstrumentName: no OTHER_Definition"):
        algorithms.load_empty_instrument(instrument_name="OTHER")
    with pytest.raises(ValueError, match="give Filename or InstrumentName"):
        algorithms.load_empty_instrument()
    with pytest.raises(ValueError, match="there is no file"):
        algorithms.load_empty_instrument(tmp_path / "nothing.xml")


def test_the_definition_is_the_one_valid_when_the_run_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    valid = 'valid-from="2000-01-01 00:00:00"'
    (tmp_path / "PAIR_Definition_old.xml").write_text(XML.replace(valid, f'{valid} valid-to="2010-01-01 00:00:00"'))
    later = XML.replace(valid, 'valid-from="2010-01-01 00:00:01"').replace('z="-20"', 'z="-30"')
    (tmp_path / "PAIR_Definition.xml").write_text(later)
    ws = two()
    ws.run()["run_start"] = "2005-06-01T12:00:00"
    assert load(ws, instrument_name="PAIR").spectrumInfo().l1() == 20.0
    ws.run()["run_start"] = "2015-06-01T12:00:00"
    assert load(ws, instrument_name="pair").spectrumInfo().l1() == 30.0
    assert load(two(), instrument_name="PAIR").spectrumInfo().l1() == 30.0  # no run: the one valid now
    ws.run()["run_start"] = "1999-06-01T12:00:00"
    with pytest.raises(ValueError, match=r"no PAIR_Definition\*.xml in .* \(of 2\) is valid at 1999-06-01 12:00:00"):
        load(ws, instrument_name="PAIR")


def test_a_definition_that_cannot_be_used_is_named_instead_of_being_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    (tmp_path / "PAIR_Definition.xml").write_text(XML.replace('type="tube"', 'type="tub"'))
    with pytest.raises(ValueError, match=r"<component 'tub'> \(line \d+\): there is no type 'tub'"):
        algorithms.load_empty_instrument(instrument_name="PAIR")


def test_a_definition_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    path = tmp_path / "PAIR_Definition.xml"
    path.write_text(XML)
    os.utime(path, ns=(1, 1))
    before = algorithms.load_empty_instrument(instrument_name="PAIR").detectors.instrument
    assert algorithms.load_empty_instrument(instrument_name="PAIR").detectors.instrument is before
    path.write_text(XML.replace('z="-20"', 'z="-25"'))
    os.utime(path, ns=(2, 2))
    assert algorithms.load_empty_instrument(instrument_name="PAIR").spectrumInfo().l1() == 25.0


def test_the_instrument_a_stream_describes_is_found_by_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    monkeypatch.setattr("livereduce.algorithms.instruments._described_by_streams", {})
    instruments.remember(load_idf(XML, name="STREAMED"), "Pair of tubes")
    assert algorithms.load_empty_instrument(instrument_name="streamed").n_spectra == 3
    assert algorithms.load_empty_instrument(instrument_name="Pair of Tubes").n_spectra == 3
    (tmp_path / "STREAMED_Definition.xml").write_text(XML.replace('z="-20"', 'z="-25"'))
    assert algorithms.load_empty_instrument(instrument_name="STREAMED").spectrumInfo().l1() == 25.0


PARAMETERS = """<parameter-file instrument="PAIR"><component-link name="tube">
<parameter name="Efixed"><value val="1.845"/></parameter></component-link></parameter-file>"""


@pytest.mark.parametrize(
    ("definition", "parameters"),
    [
        ("PAIR_Definition.xml", "PAIR_Parameters.xml"),
        ("PAIR_Definition_2010.xml", "PAIR_Parameters_2010.xml"),
        ("PAIR_Definition_2010.xml", "PAIR_Parameters.xml"),
    ],
)
def test_the_parameter_file_beside_a_definition_is_read_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, definition: str, parameters: str
) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    (tmp_path / definition).write_text(XML)
    (tmp_path / parameters).write_text(PARAMETERS)
    found = load(two(), instrument_name="PAIR")
    assert found.detectors.instrument.parameter("EFixed").tolist()[:2] == [1.845, 1.845]
    # Ef = 1.845 meV takes 2286.27155 / sqrt(1.845) us/m from the sample to detector 10, 4 m away; the source is at 20 m
    final = 2286.27155 / np.sqrt(1.845) * 4
    found = found.replaced(x=final + np.array([10_000.0, 20_000.0]))
    expected = (2286.27155 * 20 / np.array([20_000.0, 10_000.0])) ** 2 - 1.845
    np.testing.assert_allclose(convert_units(found, "DeltaE", "Indirect").readX(0), expected, rtol=1e-7)


def test_a_parameter_file_that_cannot_be_used_leaves_the_instrument_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    instrument = load_idf(XML)
    (tmp_path / "PAIR_Parameters.xml").write_text("<parameter-file><component-link/></parameter-file>")
    assert instruments.with_parameter_file(instrument) is instrument
    assert "<component-link> (line 1): names neither a component" in caplog.text
    (tmp_path / "PAIR_Parameters.xml").write_text(PARAMETERS)
    found = instruments.with_parameter_file(instrument, "OTHER")
    np.testing.assert_array_equal(found.parameter("Efixed"), [1.845, 1.845, np.nan])
