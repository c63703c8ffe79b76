from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import (
    append_spectra,
    create_empty_table_workspace,
    create_single_valued_workspace,
    create_workspace,
    extract_single_spectrum,
)
from livereduce.workspaces import Detectors, HistogramWorkspace, Run, Spectra


@pytest.mark.parametrize(
    ("x", "is_histogram", "rows"),
    [
        ([0, 1, 2], True, 1),
        ([0, 1], False, 1),
        ([0, 1, 2, 5, 6, 7], True, 2),
        ([0, 1, 5, 6], False, 2),
    ],
)
def test_x_holds_edges_or_points_for_all_spectra_or_for_each(x: list[float], is_histogram: bool, rows: int) -> None:
    ws = create_workspace(x, [1, 2, 3, 4], n_spec=2)
    assert ws.isHistogramData() is is_histogram
    assert np.atleast_2d(ws.x).shape[0] == rows
    assert ws.y.tolist() == [[1, 2], [3, 4]]
    assert ws.e.tolist() == [[0, 0], [0, 0]]
    assert ws.getSpectrumNumbers() == [1, 2]


def test_everything_given_is_there() -> None:
    ws = create_workspace(
        [0, 1, 2], [1, 2], [3, 4], unit_x="dSpacing", distribution=True, y_unit_label="Yield",
        workspace_title="Title", dx=[0.1, 0.2],
    )  # fmt: skip
    assert ws.e.tolist() == [[3, 4]]
    assert ws.readDx(0).tolist() == [0.1, 0.2]
    assert (ws.getAxis(0).getUnit().unitID(), ws.YUnitLabel(), ws.getTitle()) == ("dSpacing", "Yield", "Title")
    assert ws.isDistribution()


def test_a_numeric_vertical_axis_can_be_given() -> None:
    ws = create_workspace(
        [0, 1], [1, 2], n_spec=2, vertical_axis_unit="MomentumTransfer", vertical_axis_values=[0.5, 1.5]
    )
    assert ws.getAxis(1).isNumeric()
    assert ws.getAxis(1).extractValues().tolist() == [0.5, 1.5]
    with pytest.raises(ValueError, match="VerticalAxisValues: 3 values for 1 spectra"):
        create_workspace([0, 1], [1], vertical_axis_unit="Q", vertical_axis_values=[1, 2, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_x": [0, 1], "data_y": [1, 2, 3], "n_spec": 2}, "DataY: 3 values for NSpec=2"),
        ({"data_x": [0, 1, 2, 3, 4], "data_y": [1, 2]}, "DataX: 5 values for 1 spectra of 2; expected 2 or 3"),
        ({"data_x": [0, 1], "data_y": [1], "data_e": [1, 2]}, "DataE: 2 values"),
        ({"data_x": [], "data_y": []}, "DataY: 0 values"),
    ],
)
def test_numbers_that_do_not_fit_together_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="CreateWorkspace: ") as caught:
        create_workspace(**arguments)
    assert message in str(caught.value)


def test_the_callers_arrays_stay_writable_and_apart() -> None:
    x, y = np.array([0.0, 1.0]), np.array([5.0])
    ws = create_workspace(x, y)
    y[0] = x[0] = -1
    assert (ws.readX(0)[0], ws.readY(0)[0]) == (0, 5)


def test_a_parent_lends_instrument_logs_and_spectra() -> None:
    parent = HistogramWorkspace(
        [0, 1], [[1]], detectors=Detectors([7]), spectra=Spectra([42], [7]), run=Run({"a": 1}), unit="Wavelength"
    )
    parent.setComment("taken at night")
    ws = create_workspace([0, 1, 2], [1, 2], parent_workspace=parent)
    assert ws.getComment() == "taken at night"
    assert ws.getSpectrumNumbers() == [42]
    assert ws.getRun()["a"].value == 1
    assert ws.unit == "Wavelength"
    ws.getRun()["a"] = 2
    assert parent.getRun()["a"].value == 1


def test_spectra_can_have_names() -> None:
    def two(**options: Any) -> HistogramWorkspace:
        return create_workspace([0, 1], [1, 2], n_spec=2, vertical_axis_unit="Text", **options)

    ws = two(vertical_axis_values="left, right")
    axis = ws.getAxis(1)
    assert (axis.isText(), axis.isSpectra(), axis.isNumeric()) == (True, False, False)
    assert [axis.label(i) for i in range(2)] == ["left", "right"]
    assert ws.getSpectrumNumbers() == [1, 2]
    assert extract_single_spectrum(ws, 1).getAxis(1).label(0) == "right"
    both = append_spectra(ws, two(vertical_axis_values=["up", 7]))
    assert [both.getAxis(1).label(i) for i in range(4)] == ["left", "right", "up", "7"]
    parent = HistogramWorkspace([0, 1], [[1], [2]], spectra=Spectra([42, 43], [7, 8], masked=[True, False]))
    child = two(vertical_axis_values=["a", "b"], parent_workspace=parent)
    assert child.getAxis(1).label(0) == "a"
    assert child.getSpectrumNumbers() == [42, 43]
    assert child.spectrumInfo().isMasked(0)
    with pytest.raises(ValueError, match="VerticalAxisValues: 3 labels for 2 spectra; expected one each"):
        two(vertical_axis_values=["a", "b", "c"])


@pytest.mark.parametrize(
    ("name", "unit"), [("wavelength", "Wavelength"), ("DSPACING", "dSpacing"), ("tof", "TOF"), ("Furlong", "Furlong")]
)
def test_units_are_known_in_any_case(name: str, unit: str) -> None:
    ws = create_workspace([0, 1], [1], unit_x=name, vertical_axis_unit=name, vertical_axis_values=[2])
    assert (ws.unit, ws.getAxis(1).getUnit().unitID()) == (unit, unit)


def test_a_single_value_and_an_empty_table() -> None:
    number = create_single_valued_workspace(3.5, 0.5)
    assert (number.readY(0).tolist(), number.readE(0).tolist()) == ([3.5], [0.5])
    assert create_empty_table_workspace("List").getTitle() == "List"
    assert create_empty_table_workspace().columnCount() == 0
