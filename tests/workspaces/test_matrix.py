from typing import Any

import numpy as np
import pytest

from livereduce.geometry import instrument_from_flight_paths
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    NumericAxis,
    Spectra,
    TimeSeries,
    install_operator,
    operators,
)


def instrument() -> Any:
    return instrument_from_flight_paths(
        "X", [11, 12, 13], [1.0, 2.0, -1.5], [0.5, 1.0, 0.0], [False, False, True], 10.0
    )


def histogram(**options: Any) -> HistogramWorkspace:
    spectra = Spectra.from_groups([5, 6], [[11, 12], [13]])
    return HistogramWorkspace(
        [0.0, 1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]], [[1.0, 4.0], [9.0, 16.0]], spectra=spectra, **options
    )


def events() -> EventWorkspace:
    table = EventTable(3)
    table.append([5, 15, 15], [0, 1, 1], [0], [0, 3], [1.0])
    return EventWorkspace.from_table(table, 0, 3, Detectors.from_instrument(instrument()), edges=[0.0, 1.0, 2.0])


@pytest.mark.parametrize("ws", [histogram(), events()], ids=["histogram", "events"])
def test_both_kinds_answer_what_scripts_ask(ws: Any) -> None:
    assert ws.getNumberHistograms() == 2
    assert ws.blocksize() == ws.getNumberBins() == 2
    assert ws.size() == 4
    assert ws.isHistogramData()
    assert ws.isCommonBins()
    assert not ws.isDistribution()
    assert not ws.isGroup()
    assert ws.YUnit() == "Counts"
    assert ws.readX(1).tolist() == [0, 1, 2]
    assert ws.extractX().tolist() == [[0, 1, 2], [0, 1, 2]]
    assert ws.extractY().shape == ws.extractE().shape == (2, 2)
    assert ws.readDx(0).tolist() == []
    assert ws.getAxis(0).getUnit().unitID() == "TOF"
    assert ws.getAxis(0).getUnit().caption() == "Time-of-flight"
    assert ws.getAxis(1).isSpectra()
    assert ws.axes() == 2
    ws.setTitle("a title")
    assert ws.getTitle() == "a title"
    ws.setYUnitLabel("counts per something")
    assert ws.YUnitLabel() == "counts per something"
    ws.setDistribution(True)
    assert ws.isDistribution()
    assert ws.getRun() is ws.run() is ws.mutableRun()


def test_kinds_have_the_identifiers_scripts_compare_with() -> None:
    assert histogram().id() == "Workspace2D"
    assert events().id() == "EventWorkspace"


def test_extracted_arrays_are_copies_to_play_with() -> None:
    for ws in (histogram(), events()):
        y = ws.extractY()
        before = ws.y.tolist()
        y[:] = 7.0
        ws.extractX()[:] = 7.0
        assert ws.y.tolist() == before


def test_text_of_a_workspace_is_its_name_as_scripts_expect() -> None:
    ws = histogram()
    assert str(ws) == ws.name() == ws.getName() == ""
    ws._name = "ws"
    assert f"{ws}" == "ws"
    assert repr(ws) == "<Workspace2D 'ws'>"


@pytest.mark.parametrize(("value", "number"), [("1234", 1234), (7, 7), ("", 0), (None, 0)])
def test_run_number_is_a_number_however_the_log_is_kept(value: Any, number: int) -> None:
    ws = histogram()
    if value is not None:
        ws.run()["run_number"] = value
    assert ws.getRunNumber() == number
    ws.run()["run_number"] = TimeSeries("run_number", [1, 2], [5, 6])
    assert ws.getRunNumber() == 6


def test_spectra_know_their_number_and_detectors() -> None:
    ws = histogram()
    assert [ws.getSpectrum(i).getSpectrumNo() for i in range(2)] == [5, 6]
    assert ws.getSpectrum(0).getDetectorIDs() == [11, 12]
    assert ws.getSpectrumNumbers() == [5, 6]
    assert ws.getIndexFromSpectrumNumber(6) == 1
    with pytest.raises(RuntimeError, match="no spectrum with number 7"):
        ws.getIndexFromSpectrumNumber(7)
    with pytest.raises(IndexError, match="workspace index 9"):
        ws.getSpectrum(9)


def test_axis_values_are_x_spectrum_numbers_or_numbers_after_a_transposition() -> None:
    ws = histogram()
    assert ws.getAxis(0).extractValues().tolist() == [0, 1, 2]
    assert ws.getAxis(1).extractValues().tolist() == [5, 6]
    assert ws.getAxis(1).label(1) == "sp-6"
    assert ws.getAxis(1).length() == 2
    transposed = ws.replaced(vertical=NumericAxis.of([0.5, 1.5], "dSpacing"))
    axis = transposed.getAxis(1)
    assert axis.isNumeric()
    assert not axis.isSpectra()
    assert axis.getUnit().symbol() == "Å"
    assert (axis.getValue(1), axis.label(1), axis.indexOfValue(0.6)) == (1.5, "1.5", 0)
    with pytest.raises(IndexError, match="axis 2"):
        ws.getAxis(2)


def test_a_script_gives_axes_units_and_names_of_its_own() -> None:
    ws = histogram()
    ws.getAxis(0).setUnit("Wavelength")
    assert (ws.unit, ws.getAxis(0).getUnit().caption(), ws.x.tolist()) == ("Wavelength", "Wavelength", [0, 1, 2])
    ws.getAxis(0).setUnit("Label").setLabel("Temperature", "K")
    ws.getAxis(1).setUnit("Label").setLabel("Field")
    for copy in (ws, ws.clone()):
        assert (copy.getAxis(0).getUnit().caption(), copy.getAxis(0).getUnit().symbol()) == ("Temperature", "K")
        assert (copy.getAxis(1).getUnit().caption(), copy.getAxis(1).isSpectra()) == ("Field", True)
    assert ws.replaced(unit="TOF").getAxis(0).getUnit().caption() == "Time-of-flight"
    with pytest.raises(RuntimeError, match="the unit TOF has its own label"):
        ws.getAxis(0).setUnit("TOF").setLabel("Temperature", "K")
    with pytest.raises(RuntimeError, match="has events in TOF; ConvertUnits"):
        events().getAxis(0).setUnit("Wavelength")
    events().getAxis(0).setUnit("TOF")


def test_the_vertical_axis_is_replaced_by_numbers_that_a_script_fills_in() -> None:
    ws = histogram()
    axis = NumericAxis.create(2)
    axis.setUnit("Label").setLabel("Temperature", "K")
    for index, value in enumerate((25.0, 28.0)):
        axis.setValue(index, value)
    ws.replaceAxis(1, axis)
    axis.setValue(0, 99.0)
    found = ws.getAxis(1)
    assert (found.isNumeric(), found.extractValues().tolist()) == (True, [25, 28])
    assert (found.getUnit().caption(), found.getUnit().symbol()) == ("Temperature", "K")
    found.setUnit("Energy")
    assert ws.getAxis(1).getUnit().symbol() == "meV"
    with pytest.raises(RuntimeError, match="the axis of a workspace is replaced whole"):
        found.setValue(0, 1.0)
    with pytest.raises(ValueError, match="expected 2 numbers or one more, found 4"):
        ws.replaceAxis(1, NumericAxis.create(4))


def test_a_bin_or_a_point_is_found_by_its_x() -> None:
    ws = HistogramWorkspace([0.0, 1.0, 5.0], [[1.0, 2.0]])
    assert [ws.yIndexOfX(x) for x in (0.0, 0.99, 1.0, 5.0)] == [0, 0, 1, 1]
    assert ws.binIndexOf(3.0, 0) == 1
    with pytest.raises(ValueError, match=r"spectrum 0 has no bin that holds 5\.1; X is 0 to 5"):
        ws.yIndexOfX(5.1)
    points = HistogramWorkspace([0.0, 1.0, 5.0], [[1.0, 2.0, 3.0]])
    assert (points.yIndexOfX(5.0), points.yIndexOfX(1.3, tolerance=0.5)) == (2, 1)
    with pytest.raises(ValueError, match=r"has no point at 1\.3"):
        points.yIndexOfX(1.3)


def test_detectors_are_called_as_the_instrument_calls_them() -> None:
    ws = histogram(detectors=Detectors.from_instrument(instrument()))
    names = instrument().names
    assert [ws.getInstrument().getDetector(i).getName() for i in (11, 13)] == [names[0], names[2]]
    placed = histogram(detectors=Detectors([11, 12, 13], positions=np.zeros((3, 3))))
    assert placed.getDetector(1).getName() == "detector 13"


def test_detectors_of_masked_spectra_are_masked() -> None:
    ws = histogram(detectors=Detectors.from_instrument(instrument()))
    ws.spectra = ws.spectra.with_masked([True, False])
    assert [ws.getInstrument().getDetector(i).isMasked() for i in (11, 12, 13)] == [True, True, False]
    assert (ws.getDetector(0).isMasked(), ws.getDetector(1).isMasked()) == (True, False)


def test_an_unknown_unit_is_its_own_caption() -> None:
    assert histogram(unit="furlong").getAxis(0).getUnit().caption() == "furlong"


def test_spectrum_info_gives_mask_kind_and_means_of_the_geometry() -> None:
    ws = histogram(detectors=Detectors.from_instrument(instrument()))
    ws.spectra = ws.spectra.with_masked([True, False])
    info = ws.spectrumInfo()
    assert info.size() == 2
    assert (info.isMasked(0), info.isMasked(1)) == (True, False)
    assert (info.isMonitor(0), info.isMonitor(1)) == (False, True)
    assert info.hasDetectors(0)
    assert info.l1() == pytest.approx(10.0)
    assert info.l2(0) == pytest.approx(1.5)
    assert info.twoTheta(0) == pytest.approx(0.75)


def test_spectrum_info_is_made_once_for_a_loop_and_again_where_spectra_or_detectors_changed() -> None:
    ws = histogram(detectors=Detectors.from_instrument(instrument()))
    info = ws.spectrumInfo()
    assert ws.spectrumInfo() is info
    ws.spectra = ws.spectra.with_masked([False, True])
    assert [ws.spectrumInfo().isMasked(i) for i in (0, 1)] == [False, True]
    ws.detectors = Detectors([11, 12, 13], l1=10.0, l2=[3.0, 5.0, 1.0], two_theta=[0.1, 0.3, 0.0])
    assert ws.spectrumInfo().l2(0) == pytest.approx(4.0)


def test_detector_info_counts_detectors_in_the_order_of_their_ids() -> None:
    ids, places = [30, 10, -1], [[0.0, 0.0, 3.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]
    detectors = Detectors(
        ids, [False, False, True], l1=10.0, l2=[3.0, 1.0, -1.0], two_theta=[0.0, 1.5, 0.0], positions=places
    )
    ws = histogram(detectors=detectors)
    ws.spectra = Spectra([1, 2], [10, 30], masked=[False, True])
    info = ws.detectorInfo()
    assert ws.detectorInfo() is info
    assert (info.size(), len(info), info.detectorIDs().tolist()) == (3, 3, [-1, 10, 30])
    assert [info.indexOf(i) for i in (-1, 10, 30)] == [0, 1, 2]
    assert [info.isMonitor(i) for i in range(3)] == [True, False, False]
    assert [info.isMasked(i) for i in range(3)] == [False, False, True]
    assert [info.position(i).Z() for i in range(3)] == [-1.0, 0.0, 3.0]
    assert (info.position(1)[1], info.l1(), info.l2(2), info.twoTheta(1)) == (1.0, 10.0, 3.0, 1.5)
    with pytest.raises(RuntimeError, match="there is no detector with ID 20"):
        info.indexOf(20)
    ws.spectra = ws.spectra.with_masked([True, False])
    assert [ws.detectorInfo().isMasked(i) for i in range(3)] == [False, True, False]
    with pytest.raises(RuntimeError, match="places of the detectors are not known"):
        histogram(detectors=Detectors([11, 12])).detectorInfo().l2(0)


def test_the_instrument_gives_places_and_detectors() -> None:
    ws = events()
    view = ws.getInstrument()
    assert view.getName() == "X"
    assert view.getSource().getPos().getZ() == pytest.approx(-10.0)
    assert view.getSample().getPos().Z() == 0.0
    assert view.getSource().getDistance(view.getSample()) == pytest.approx(10.0)
    assert view.getDetector(12).getPos().norm() == pytest.approx(2.0)
    assert view.getDetector(13).isMonitor()
    assert view.getNumberDetectors() == 3
    assert view.getNumberDetectors(skip_monitors=True) == 2
    assert ws.getDetector(1).getID() == 12
    assert view.getNumberParameter("no such parameter") == []
    assert not view.hasParameter("no such parameter")
    with pytest.raises(RuntimeError, match="no detector with ID 99"):
        view.getDetector(99)
    with pytest.raises(RuntimeError, match="no geometry"):
        histogram().getInstrument().getSource()


def test_monitors_are_attached_and_read_back() -> None:
    ws, monitors = histogram(), histogram()
    assert ws.getMonitorWorkspace() is None
    ws.setMonitorWorkspace(monitors)
    assert ws.getMonitorWorkspace() is monitors


def test_operators_call_what_was_installed_with_sides_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any, Any, bool]] = []

    def note(algorithm: str, left: Any, right: Any, *, in_place: bool) -> Any:
        calls.append((algorithm, left, right, in_place))
        return left if in_place else "result"

    monkeypatch.setattr(operators._Operators, "carry_out", None)
    install_operator(note)
    a, b = histogram(), events()
    assert (a + b, a - 2, 2 - a, 3.0 * a, a / b, 1 / a, -a, np.float64(2) * a) == ("result",) * 8
    assert calls == [
        ("Plus", a, b, False), ("Minus", a, 2, False), ("Minus", 2, a, False), ("Multiply", a, 3.0, False),
        ("Divide", a, b, False), ("Divide", 1, a, False), ("Multiply", a, -1.0, False),
        ("Multiply", a, np.float64(2), False),
    ]  # fmt: skip
    calls.clear()
    kept = a
    a += b
    a -= 1
    a *= 2
    a /= b
    assert a is kept
    assert [(name, in_place) for name, _, _, in_place in calls] == [
        ("Plus", True), ("Minus", True), ("Multiply", True), ("Divide", True),
    ]  # fmt: skip
    with pytest.raises(TypeError):
        a + "text"
    with pytest.raises(TypeError):
        [1] - a


def test_operators_without_algorithms_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators._Operators, "carry_out", None)
    with pytest.raises(RuntimeError, match=r"needs livereduce\.algorithms"):
        histogram() + 1
