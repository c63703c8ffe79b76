"""Parameters that replace positions and rotations, constant or from logs, and those that are only kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError, Instrument
from livereduce.geometry.parameters import Parameter

Make = Callable[..., Instrument]
Ids = Callable[..., str]


def same(found: Any, expected: Any) -> None:
    assert_allclose(found, expected, rtol=0, atol=1e-12)


def number(name: str, value: object) -> str:
    return f'<parameter name="{name}"><value val="{value}"/></parameter>'


def logged(name: str, log: str, eq: str = "", extract: str = "") -> str:
    more = f' eq="{eq}"' if eq else ""
    more += f' extract-single-value-as="{extract}"' if extract else ""
    return f'<parameter name="{name}"><logfile id="{log}"{more}/></parameter>'


def arm(location_parameters: str = "", component_parameters: str = "", child_parameters: str = "") -> str:
    """An arm at (1, 2, 3), turned by 90 degrees about z, with a pixel at its x = 5."""
    return f"""<component type="arm" idlist="ids">
    <location name="arm1" x="1" y="2" z="3" rot="90">{location_parameters}</location>{component_parameters}</component>
    <type name="arm"><component type="pixel"><location name="p" x="5">{child_parameters}</location></component></type>
    <idlist idname="ids"><id val="1"/></idlist>"""


def test_a_coordinate_is_replaced_in_the_relative_position(idf: Make) -> None:
    # arm at (1, 2, 30); the pixel's x is the arm's y
    same(idf(arm(number("z", 30))).positions, [[1, 7, 30]])
    # pixel at x=-1 in the arm: (1, 2, 3) + (0, -1, 0)
    same(idf(arm(child_parameters=number("x", -1))).positions, [[1, 1, 3]])


def test_spherical_parameters_replace_the_whole_position_with_missing_angles_zero(idf: Make) -> None:
    # arm at r=2, t=90, p=0: (2,0,0), pixel 5 along y
    found = idf(arm(number("r-position", 2) + number("t-position", 90)))
    same(found.positions, [[2, 5, 0]])
    found = idf(arm(number("r-position", 2)))
    same(found.positions, [[0, 5, 2]])


def test_angles_without_r_position_are_ignored(idf: Make) -> None:
    same(idf(arm(number("t-position", 90))).positions, [[1, 7, 3]])


def test_rotation_parameters_replace_the_rotation_in_the_order_x_y_z(idf: Make) -> None:
    # Rx(90) Rz(90) on x: Rz takes x to y, Rx takes y to z. The arm's own 90 about z is gone.
    found = idf(arm(number("rotx", 90) + number("rotz", 90)))
    same(found.positions, [[1, 2, 8]])
    # Rx(90) Ry(90) on x: Ry takes x to -z, Rx takes -z to y
    found = idf(arm(number("roty", 90) + number("rotx", 90)))
    same(found.positions, [[1, 7, 3]])


def test_scale_parameters_stretch_a_panel(idf: Make) -> None:
    body = f"""<component type="panel"><location>{number("scalex", 2)}{number("scaley", "0.5")}</location></component>
    <type name="panel" is="rectangular_detector" type="pixel"
     xpixels="2" xstart="1" xstep="1" ypixels="1" ystart="4" ystep="1"/>"""
    # x = 1, 2 doubled; y = 4 halved
    same(idf(body).positions, [[2, 2, 0], [4, 2, 0]])


def test_location_beats_component_and_link_beats_both(idf: Make) -> None:
    link = f'<component-link name="arm1">{number("z", 300)}</component-link>'
    assert idf(arm(component_parameters=number("z", 3000))).positions[0, 2] == 3000
    assert idf(arm(number("z", 30), number("z", 3000))).positions[0, 2] == 30
    assert idf(arm(number("z", 30), number("z", 3000)) + link).positions[0, 2] == 300


def test_the_later_of_two_parameters_in_one_place_wins(idf: Make) -> None:
    assert idf(arm(number("z", 1) + number("z", 2))).positions[0, 2] == 2


@pytest.mark.parametrize("link", ['name="p"', 'name="arm1/p"', 'name="TEST/arm1/p"', 'id="1"'])
def test_links_find_a_detector_by_name_path_or_id(idf: Make, link: str) -> None:
    found = idf(arm() + f"<component-link {link}>{number('x', 0)}</component-link>")
    same(found.positions, [[1, 2, 3]])


def test_links_to_other_names_move_nothing(idf: Make) -> None:
    for link in ('name="q"', 'name="other/p"', 'id="2"'):
        found = idf(arm() + f"<component-link {link}>{number('x', 0)}</component-link>")
        same(found.positions, [[1, 7, 3]])


def test_parameters_of_a_component_move_all_its_places_and_those_of_one_place_only_that(idf: Make) -> None:
    body = f"""<component type="arm" idlist="ids"><location/></component>
    <type name="arm"><component type="pixel"><location x="1"/><location x="2">{number("y", 7)}</location>
    <location x="3"/>{number("y", 5)}{number("z", 6)}</component></type>
    <idlist idname="ids" start="1" end="3"/>"""
    same(idf(body).positions, [[1, 5, 6], [2, 7, 6], [3, 5, 6]])


def test_a_missing_log_leaves_the_position_without_the_parameter_and_is_named(idf: Make) -> None:
    found = idf(arm(logged("z", "HB2C:Mot:detz.RBV", "value/1000")))
    assert found.missing_logs == ("HB2C:Mot:detz.RBV",)
    assert found.needed_logs == ("HB2C:Mot:detz.RBV",)
    same(found.positions, [[1, 7, 3]])


def test_an_arriving_log_moves_what_hangs_below_and_nothing_else(idf: Make) -> None:
    still = (
        """<component type="pixel" idlist="far"><location z="9"/></component><idlist idname="far" start="7" end="7"/>"""
    )
    before = idf(arm(logged("z", "detz", "value/1000")) + still)
    after = before.with_logs({"detz": 4000.0})
    assert after.missing_logs == ()
    same(after.positions, [[1, 7, 4], [0, 0, 9]])
    same(before.positions, [[1, 7, 3], [0, 0, 9]])
    assert after.ids is before.ids


def test_logs_that_move_nothing_leave_the_very_same_instrument(idf: Make) -> None:
    found = idf(arm(logged("z", "detz")), logs={"detz": 4.0})
    assert found.with_logs({"detz": 4.0, "other": 1.0}) is found
    assert found.with_logs({}) is found


def test_a_log_keeps_its_value_when_another_arrives(idf: Make) -> None:
    found = idf(arm(logged("z", "detz") + logged("x", "detx")))
    found = found.with_logs({"detz": 40.0}).with_logs({"detx": 10.0})
    same(found.positions, [[10, 7, 40]])


def test_nested_components_that_move_together_are_placed_right(idf: Make) -> None:
    body = arm(logged("z", "detz"), child_parameters=logged("x", "slide"))
    found = idf(body).with_logs({"detz": 40.0, "slide": 6.0})
    same(found.positions, [[1, 8, 40]])
    found = found.with_logs({"slide": 7.0})
    same(found.positions, [[1, 9, 40]])


def test_log_names_match_without_regard_to_case_but_exactly_first(idf: Make) -> None:
    found = idf(arm(logged("z", "THETA")), logs={"Theta": 5.0})
    assert found.positions[0, 2] == 5.0
    found = idf(arm(logged("z", "THETA")), logs={"Theta": 5.0, "THETA": 6.0})
    assert found.positions[0, 2] == 6.0


def test_the_source_may_be_driven_too(idf: Make) -> None:
    head = f"""<component type="s"><location name="source">{logged("z", "msd", "-value/1000")}</location></component>
    <type name="s" is="Source"/><component type="p"><location/></component><type name="p" is="SamplePos"/>"""
    found = idf("", head=head)
    assert (found.l1, found.missing_logs) == (0.0, ("msd",))
    assert found.with_logs({"msd": 38_200.0}).l1 == pytest.approx(38.2)


@pytest.mark.parametrize("value", ["abc", float("nan"), -1.0])
def test_a_log_that_gives_no_number_is_a_warning_and_stays_missing(idf: Make, value: float | str) -> None:
    found = idf(arm(logged("z", "detz", "sqrt(value)")), logs={"detz": value})
    assert found.missing_logs == ("detz",)
    assert "log 'detz' gives" in found.warnings[0]
    assert found.positions[0, 2] == 3.0
    better = found.with_logs({"detz": 9.0})
    assert (better.positions[0, 2], better.warnings) == (3.0, ())
    assert better.missing_logs == ()


TIMES = np.array([0, 10, 20, 100], dtype=np.int64)
VALUES = np.array([1.0, 3.0, 2.0, 50.0])


@pytest.mark.parametrize(
    ("extract", "expected"),
    [
        ("", (1 * 10 + 3 * 10 + 2 * 80) / 100),  # 2.0: each value weighs as long as it held, the last one not at all
        ("mean", 2.0),
        ("first_value", 1.0),
        ("last_value", 50.0),
        ("median", 2.5),
        ("minimum", 1.0),
        ("maximum", 50.0),
        ("position 1", 3.0),
    ],
)
def test_a_log_of_many_values_is_reduced_to_one_as_the_parameter_says(idf: Make, extract: str, expected: float) -> None:
    found = idf(arm(logged("z", "detz", extract=extract)), logs={"detz": (TIMES, VALUES)})
    assert found.positions[0, 2] == pytest.approx(expected)


@pytest.mark.parametrize("extract", ["", "position 1", "last_value"])
def test_one_sample_is_the_value_whatever_is_asked_for(idf: Make, extract: str) -> None:
    found = idf(arm(logged("z", "detz", extract=extract)), logs={"detz": (TIMES[:1], VALUES[:1])})
    assert found.positions[0, 2] == 1.0


def test_a_position_beyond_the_log_and_an_empty_log_are_missing(idf: Make) -> None:
    body = arm(logged("z", "detz", extract="position 7"))
    assert idf(body, logs={"detz": (TIMES, VALUES)}).missing_logs == ("detz",)
    assert idf(arm(logged("z", "detz")), logs={"detz": (TIMES[:0], VALUES[:0])}).missing_logs == ("detz",)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (number("z", "abc"), r"parameter 'z' \(line 2\): value 'abc' is not a number"),
        (logged("z", "detz", "os.exit()"), r"<logfile> \(line 2\): formula 'os.exit\(\)'"),
        (
            logged("z", "detz", extract="mode"),
            r"<logfile> \(line 2\): extract-single-value-as='mode' is not one of mean",
        ),
        (logged("z", "detz", extract="position x"), r"extract-single-value-as='position x'"),
        (logged("z", ""), r"<logfile> \(line 2\): attribute id is missing"),
        ("<parameter/>", r"<parameter> \(line 2\): attribute name is missing"),
    ],
)
def test_wrong_parameters_name_the_element(idf: Make, parameter: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        idf(arm(parameter))


def test_the_names_pos_and_rot_are_reserved_and_ignored_with_a_warning(idf: Make) -> None:
    found = idf(arm(number("rot", 45)))
    assert found.warnings == ("parameter 'rot' (line 2) is a reserved name and was ignored",)
    same(found.positions, [[1, 7, 3]])


def test_other_parameters_are_kept_and_inherited_by_the_detectors_below(idf: Make) -> None:
    body = f"""{number("Efixed", 1.5)}<parameter name="deltaE-mode" type="string"><value val="indirect"/></parameter>
    <component type="arm" idlist="ids"><location name="a">{number("Efixed", 2.5)}</location><location/></component>
    <type name="arm"><component type="pixel"><location/><location>{number("Efixed", 3.5)}</location></component></type>
    <idlist idname="ids" start="1" end="4"/>"""
    found = idf(body)
    assert found.parameter("Efixed").tolist() == [2.5, 3.5, 1.5, 3.5]
    assert found.parameter_text("deltaE-mode") == "indirect"
    assert np.isnan(found.parameter("none")).all()
    assert found.parameter_text("none") is None


def test_a_separate_parameter_file_links_to_components_and_detectors(idf: Make) -> None:
    body = """<component type="arm" idlist="ids"><location name="a"/><location name="b"/></component>
    <type name="arm"><component type="pixel"><location/><location/></component></type>
    <idlist idname="ids" start="1" end="4"/>"""
    parameters = f"""<parameter-file instrument="TEST" xmlns="http://two">
    <component-link name="TEST"><parameter name="deltaE-mode" type="string"><value val="indirect"/></parameter>
    {number("Efixed", 1)}</component-link>
    <component-link name="b">{number("Efixed", 2)}</component-link>
    <component-link id="1">{number("Efixed", 3)}</component-link></parameter-file>"""
    found = idf(body, parameters=parameters)
    assert found.parameter("Efixed").tolist() == [3, 1, 2, 2]
    assert found.parameter_text("deltaE-mode") == "indirect"
    # the same with a file that comes later, beating what is there, and names in any case
    later = idf(body.replace('<location name="b"/>', f'<location name="b">{number("Efixed", 9)}</location>'))
    assert np.isnan(later.parameter("EFIXED")).tolist() == [True, True, False, False]
    assert later.with_parameters(parameters).parameter("efixed").tolist() == [3, 1, 2, 2]
    assert later.with_parameters(parameters).parameter_text("DELTAE-mode") == "indirect"
    with pytest.raises(GeometryError, match="the root element is <x>, expected <parameter-file>"):
        later.with_parameters("<x/>")


def test_a_parameter_file_may_move_things_and_leaves_the_logs_that_have_come(idf: Make, ids: Ids) -> None:
    body = f"""<component type="arm" idlist="ids"><location name="a"><parameter name="x"><logfile id="s"/></parameter>
    </location></component><type name="arm"><component type="pixel"><location/></component></type>{ids(1)}"""
    file = f'<parameter-file><component-link name="a">{number("z", 5)}</component-link></parameter-file>'
    found = idf(body, logs={"s": 2.0}).with_parameters(file)
    same(found.positions[0], [2, 0, 5])
    same(found.with_logs({"s": 3.0}).positions[0], [3, 0, 5])


def test_kept_parameters_may_come_from_logs(idf: Make) -> None:
    found = idf(arm(child_parameters=logged("gap", "S1VG", "value*2")))
    assert np.isnan(found.parameter("gap")).all()
    assert found.missing_logs == ()  # it moves nothing
    assert found.with_logs({"S1VG": 4.0}).parameter("gap").tolist() == [8.0]


def test_a_kept_parameter_that_is_no_number_says_so_when_asked_for_as_one(idf: Make) -> None:
    with pytest.raises(GeometryError, match="parameter 'Efixed' of 'TEST/arm1' is 'x', not a number"):
        idf(arm(number("Efixed", "x"))).parameter("Efixed")


def test_a_fitting_parameter_keeps_its_formula(idf: Make) -> None:
    text = '<parameter name="Alpha" type="fitting"><formula eq="1/(0.1 + value)" unit="TOF"/><fixed/></parameter>'
    assert idf(text).parameter_text("Alpha") == "1/(0.1 + value)"


def test_a_parameter_with_a_constant_is_a_number_in_degrees_whatever_the_unit_of_the_file() -> None:
    assert Parameter("rotx", "number", text="2", scale=57.0).constant() == 114.0


def test_a_component_is_moved_by_a_log_that_its_definition_does_not_know(idf: Make) -> None:
    found = idf(arm()).moved_by_log("arm1", "z", "value/1000", "detectorZ")
    assert found.missing_logs == ("detectorZ",)
    assert found.positions[0, 2] == 3.0
    assert found.with_logs({"detectorZ": 4200.0}).positions[0, 2] == pytest.approx(4.2)


def test_a_move_keeps_the_logs_that_have_arrived_and_beats_the_definition(idf: Make) -> None:
    found = idf(arm(logged("z", "detz") + logged("x", "detx")), logs={"detz": 40.0, "detx": 10.0})
    found = found.moved_by_log("arm1", "z", "-7")
    same(found.positions, [[10, 7, -7]])
    assert found.missing_logs == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no", "z", "value", "log"), "there is no component 'no' to move"),
        (("arm1", "w", "value", "log"), "cannot move 'arm1' along 'w'; expected one of p-position"),
        (("arm1", "z", "value"), "moving 'arm1' by 'value' needs the name of a log"),
        (("arm1", "z", "import os", "log"), "formula 'import os' cannot be read"),
    ],
)
def test_a_wrong_move_is_explained(idf: Make, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        idf(arm()).moved_by_log(*arguments)
