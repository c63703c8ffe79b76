from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import Instrument

Make = Callable[..., Instrument]

TWO_BANKS = """<component type="bank" idlist="ids">
<location name="bank1" x="1"/><location name="bank2" x="2"/></component>
<type name="bank"><component type="tube" name="tube"><location/><location name="last" y="5"/></component></type>
<type name="tube"><component type="pixel"><locations n-elements="2" z="0" z-end="1" name="p"/></component></type>
<component type="panel" idstart="100"><location name="square" z="9" rot="90"/></component>
<type name="panel" is="rectangular_detector" type="pixel" xpixels="3" xstep="1" ypixels="2" ystep="1"/>
<idlist idname="ids" start="1" end="8"/>"""


@pytest.fixture
def found(idf: Make) -> Instrument:
    return idf(TWO_BANKS)


def test_a_component_has_its_place_its_rotation_and_the_ids_below(found: Instrument) -> None:
    bank = found.components["bank2"]
    assert (bank.name, bank.path) == ("bank2", "TEST/bank2")
    assert bank.ids.tolist() == [5, 6, 7, 8]
    assert found.ids[bank.rows].tolist() == [5, 6, 7, 8]
    assert_allclose(bank.position, [2, 0, 0])
    assert_allclose(found.components["square"].rotation @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    assert found.components["TEST"].ids.tolist() == found.ids.tolist()


def test_names_come_from_location_then_component_then_type(found: Instrument) -> None:
    assert list(found.components) == [
        "TEST",
        "bank1",
        "tube",
        "last",
        "bank2",
        "square",
        "moderator",
        "sample-position",
    ]
    assert len(found.components) == 8
    assert found.components["moderator"].position.tolist() == [0, 0, -10]
    assert found.components["moderator"].ids.tolist() == []


def test_a_name_used_often_means_the_first_and_a_path_tells_others_apart(found: Instrument) -> None:
    assert found.components["last"].ids.tolist() == [3, 4]
    assert found.components["bank2/last"].ids.tolist() == [7, 8]
    assert found.components["TEST/bank2/tube"].ids.tolist() == [5, 6]
    assert found.components["bank2/last"].path == "TEST/bank2/last"


def test_a_column_of_a_panel_is_found_by_its_number(found: Instrument) -> None:
    # three columns of two pixels, numbered along y first
    column = found.components["square(x=1)"]
    assert (column.name, column.path, column.ids.tolist()) == ("square(x=1)", "TEST/square/square(x=1)", [102, 103])
    assert found.ids[column.rows].tolist() == [102, 103]
    assert found.components["square/square(x=2)"].ids.tolist() == [104, 105]
    assert found.components["square/square(x=2)/square(2,1)"].ids.tolist() == [105]
    for name in ("square(x=3)", "square(x=)", "square(x=-1)", "bank1/square(x=1)", "square(y=1)"):
        assert name not in found.components


def test_the_component_nearest_to_the_root_wins_over_an_earlier_deeper_one(idf: Make) -> None:
    body = """<component type="outer" idlist="a"><location/></component>
    <type name="outer"><component type="bank"><location name="x" y="1"/></component></type>
    <component type="bank" idlist="b"><location name="x" y="2"/></component>
    <type name="bank"><component type="pixel"><location/></component></type>
    <idlist idname="a" start="1" end="1"/><idlist idname="b" start="2" end="2"/>"""
    assert idf(body).components["x"].ids.tolist() == [2]


def test_single_detectors_are_found_by_name_and_path(found: Instrument) -> None:
    pixel = found.components["bank2/last/p1"]
    assert (pixel.path, pixel.ids.tolist()) == ("TEST/bank2/last/p1", [8])
    assert_allclose(pixel.position, [2, 5, 1])
    assert found.components["p0"].ids.tolist() == [1]
    corner = found.components["square(2,1)"]
    assert (corner.path, corner.ids.tolist()) == ("TEST/square/square(2,1)", [105])
    # x=2, y=1 turned by 90 about z: (-1, 2, 9)
    assert_allclose(corner.position, [-1, 2, 9], atol=1e-15)
    assert_allclose(corner.rotation @ [1, 0, 0], [0, 1, 0], atol=1e-15)


@pytest.mark.parametrize(
    "name",
    ["none", "", "/", "bank1/none", "bank2/bank1", "p9", "square(3,0)", "square(0,2)", "square(-1,0)", "square(a)"],
)
def test_what_is_not_there_is_a_key_error(found: Instrument, name: str) -> None:
    assert name not in found.components
    with pytest.raises(KeyError):
        found.components[name]


def test_detector_names_follow_the_rows(found: Instrument) -> None:
    names = found.names
    assert len(names) == len(found) == 14
    assert names[:4] == ["p0", "p1", "p0", "p1"]
    assert (names[8], names[-1], names[-14]) == ("square(0,0)", "square(2,1)", "p0")
    assert list(names)[8:] == [f"square({x},{y})" for x in range(3) for y in range(2)]
    with pytest.raises(IndexError):
        names[14]


def test_the_turn_of_a_single_detector_is_its_own_on_top_of_its_parents(idf: Make) -> None:
    body = """<component type="bank" idlist="ids"><location rot="90"/></component>
    <type name="bank"><component type="pixel"><location name="p" rot="90" axis-y="1" axis-z="0"/></component></type>
    <idlist idname="ids" start="1" end="1"/>"""
    # Rz(90) Ry(90) on x: -z
    assert_allclose(idf(body).components["p"].rotation @ np.array([1, 0, 0]), [0, 0, -1], atol=1e-15)
