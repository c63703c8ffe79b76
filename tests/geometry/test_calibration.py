from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError, Instrument
from livereduce.geometry.calibration import (
    load_cal,
    load_diffraction_calibration,
)


@pytest.fixture
def bench(idf: Callable[..., Instrument]) -> Instrument:
    """L1 = 10 m; detectors 11 and 12 at 90 degrees, 2 m and 5 m; monitor -1."""
    return idf(
        """<component type="all" idlist="a"><location/></component><type name="all">
        <component type="pixel"><location x="2"/><location y="5"/></component>
        <component type="monitor"><location z="1"/></component></type>
        <idlist idname="a"><id start="11" end="12"/><id val="-1"/></idlist>"""
    )


# 252.778413 us/(m Å) * L * 2 sin 45
DIFC_11 = 252.778413 * 12 * np.sqrt(2)
DIFC_12 = 252.778413 * 15 * np.sqrt(2)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(**fields: Any) -> Path:
        path = tmp_path / "cal.h5"
        with h5py.File(path, "w") as file:
            group = file.create_group("calibration")
            for name, values in fields.items():
                group[name] = values
        return path

    return make


def test_a_calibration_file_has_defaults_for_all_but_ids_and_difc(write: Callable[..., Path]) -> None:
    found = load_diffraction_calibration(write(detid=np.array([7, 3], np.int32), difc=[2000.0, 1000.0]))
    assert found.ids.tolist() == [7, 3]
    assert (found.difa.tolist(), found.tzero.tolist()) == ([0, 0], [0, 0])
    assert (found.group.tolist(), found.use.tolist()) == ([1, 1], [True, True])
    assert found.instrument == ""


def test_no_difc_or_use_0_masks_and_groups_are_kept(write: Callable[..., Path]) -> None:
    found = load_diffraction_calibration(
        write(detid=[1, 2, 3], difc=[0.0, 1000.0, 1000.0], use=[1, 0, 1], group=[1, 2, 0])
    )
    assert found.use.tolist() == [False, False, True]
    assert found.group.tolist() == [1, 2, 0]
    assert not load_diffraction_calibration(write(detid=[1])).use.any()


@pytest.mark.parametrize("name", [np.bytes_(b"POW"), "POW", np.array([b"POW"]), np.array(["POW"], dtype=object)])
def test_the_instrument_name_may_be_of_any_kind_of_text(write: Callable[..., Path], name: Any) -> None:
    path = write(detid=[1], difc=[1.0])
    with h5py.File(path, "a") as file:
        file.create_dataset("calibration/instrument/name", data=name, dtype=h5py.string_dtype() if isinstance(
            name, np.ndarray) and name.dtype == object else None)  # fmt: skip
        assert load_diffraction_calibration(file).instrument == "POW"


def test_constants_are_put_in_the_order_of_the_detectors_asked_for(write: Callable[..., Path]) -> None:
    path = write(detid=[7, 3, 5], difc=[700.0, 300.0, 500.0], tzero=[7.0, 3.0, 5.0], group=[1, 2, 3])
    found = load_diffraction_calibration(path).ordered([3, 4, 7])
    assert found.ids.tolist() == [3, 4, 7]
    assert found.difc.tolist() == [300, 0, 700]
    assert found.tzero.tolist() == [3, 0, 7]
    assert found.group.tolist() == [2, 0, 1]
    assert found.use.tolist() == [True, False, True]
    empty = load_diffraction_calibration(write(detid=np.empty(0, int), difc=np.empty(0))).ordered([3])
    assert empty.use.tolist() == [False]


def test_broken_calibration_files_are_explained(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"cannot read the calibration .*none\.h5"):
        load_diffraction_calibration(tmp_path / "none.h5")
    with pytest.raises(GeometryError, match="calibration/difc has 2 values for 1 detectors"):
        load_diffraction_calibration(write(detid=[1], difc=[1.0, 2.0]))
    with pytest.raises(GeometryError, match="has no calibration/detid"):
        load_diffraction_calibration(write(difc=[1.0]))
    with pytest.raises(GeometryError, match=r"calibration/detid is .* \(1, 1\), expected a row of numbers"):
        load_diffraction_calibration(write(detid=[[1]]))
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(GeometryError, match=r"other\.h5 has no group 'calibration'"):
        load_diffraction_calibration(other)


CAL = """# number UDET offset select group
0 11 0.25 1 2
1.0  12.0  -0.5 0 3   # masked

2 -1 0 1 1
3 999 0 1 1
4 998 0 1 1
"""


def test_offsets_of_a_cal_file_divide_the_geometric_difc(bench: Instrument) -> None:
    found = load_cal(CAL, bench)
    assert_allclose(found.difc[:2], [DIFC_11 / 1.25, DIFC_12 / 0.5], rtol=1e-8)
    assert found.use.tolist() == [True, False, False]
    assert found.group.tolist() == [2, 3, 1]
    assert found.warnings == ("the text: 2 detectors are not in the instrument, the first is 999",)


def test_detectors_a_cal_file_does_not_name_are_not_used(bench: Instrument, tmp_path: Path) -> None:
    path = tmp_path / "x.cal"
    path.write_text("0 12 0 1 -1\n")
    found = load_cal(path, bench)
    assert found.use.tolist() == [False, True, False]
    assert found.group.tolist() == [0, 0, 0]
    assert load_cal("# nothing\n", bench).use.tolist() == [False] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 11 0 1\n", "line 1: 4 columns, expected 5"),
        ("# x\n0 11 0 1 1\n0 12 x 1 1\n", "line 3: not a number"),
        ("0 11 -1 1 1\n", "detector 11 has offset -1.0; expected more than -1"),
        ("0 11 nan 1 1\n", "detector 11 has offset nan; expected more than -1"),
    ],
)
def test_wrong_lines_of_a_cal_file_are_named(bench: Instrument, text: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        load_cal(text, bench)
    with pytest.raises(GeometryError, match=r"cannot read 'nowhere\.cal'"):
        load_cal("nowhere.cal", bench)
