"""Where one location puts a component: rules 1 to 5 of the definition language, with positions worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError, Instrument

Make = Callable[..., Instrument]
Ids = Callable[..., str]


def same(found: Any, expected: Any) -> None:
    assert_allclose(found, expected, rtol=0, atol=1e-12)


def arm(location: str, child: str = '<location x="1"/>') -> str:
    """One assembly placed by `location`, with one pixel in it."""
    return f"""<component type="arm" idlist="ids">{location}</component>
    <type name="arm"><component type="pixel">{child}</component></type>"""


def test_a_pixel_in_an_arm_is_shifted_by_the_arm(idf: Make, ids: Ids) -> None:
    found = idf(arm('<location x="1" y="2" z="3"/>') + ids(1))
    same(found.positions, [[2, 2, 3]])


def test_the_default_axis_of_a_rotation_is_z(idf: Make, ids: Ids) -> None:
    # x turned by +90 degrees about z is y (right-handed)
    found = idf(arm('<location rot="90"/>') + ids(1))
    same(found.positions, [[0, 1, 0]])


def test_the_axis_need_not_be_a_unit_vector_and_missing_parts_take_their_own_default(idf: Make, ids: Ids) -> None:
    # axis (0, 5, default 1) would tilt; with axis-z="0" it is y: x turned by +90 about y is -z
    found = idf(arm('<location rot="90" axis-x="0" axis-y="5" axis-z="0"/>') + ids(1))
    same(found.positions, [[0, 0, -1]])
    # axis (1, 0, default 1)/sqrt2, 180 degrees: v -> 2 (v.n) n - v; x -> (1/2)*2*(1,0,1) - x = (0, 0, 1)
    found = idf(arm('<location rot="180" axis-x="1"/>') + ids(1))
    same(found.positions, [[0, 0, 1]])


def nested(first: str, second: str) -> str:
    axes = {"x": 'axis-x="1" axis-z="0"', "y": 'axis-y="1" axis-z="0"', "z": ""}
    return f'<location><rot val="90" {axes[first]}><rot val="90" {axes[second]}/></rot></location>'


def test_nested_rotations_act_about_the_already_turned_axes(idf: Make, ids: Ids) -> None:
    # Y then X nested reads Ry Rx. For x: Rx leaves x, Ry takes x to -z.
    same(idf(arm(nested("y", "x")) + ids(1)).positions, [[0, 0, -1]])
    # X then Y nested reads Rx Ry. For x: Ry takes x to -z, Rx takes z to -y, so -z to +y.
    same(idf(arm(nested("x", "y")) + ids(1)).positions, [[0, 1, 0]])


def test_the_rot_attribute_comes_before_nested_rotations(idf: Make, ids: Ids) -> None:
    # Rz(90) Rx(90) on y: Rx takes y to z, Rz leaves z. The other order would give Rx Rz y = -x.
    location = '<location rot="90"><rot val="90" axis-x="1" axis-z="0"/></location>'
    same(idf(arm(location, '<location y="1"/>') + ids(1)).positions, [[0, 0, 1]])


def test_spherical_coordinates_go_from_z_and_about_z(idf: Make, ids: Ids) -> None:
    # r=2, theta=30, phi=90: x = 2 sin30 cos90 = 0, y = 2 sin30 sin90 = 1, z = 2 cos30 = sqrt3
    found = idf(arm("<location/>", '<location r="2" t="30" p="90"/>') + ids(1))
    same(found.positions, [[0, 1, np.sqrt(3)]])


def test_spherical_beats_cartesian_and_long_names_are_the_same(idf: Make, ids: Ids) -> None:
    found = idf(arm("<location/>", '<location R="2" theta="90" phi="0" x="7" y="7" z="7"/>') + ids(1))
    same(found.positions, [[2, 0, 0]])


def test_spherical_coordinates_are_taken_in_the_turned_frame_of_the_parent(idf: Make, ids: Ids) -> None:
    # in the arm: (1, 0, 0); the arm is turned by 90 about z and shifted by z=5: (0, 1, 5)
    found = idf(arm('<location z="5" rot="90"/>', '<location r="1" t="90" p="0"/>') + ids(1))
    same(found.positions, [[0, 1, 5]])


def test_angles_may_be_in_radians(idf: Make, ids: Ids) -> None:
    # the same as rot 90 degrees, and r=1 t=pi/2: x -> y
    half = repr(np.pi / 2)
    found = idf(arm(f'<location rot="{half}"/>', f'<location r="1" t="{half}"/>') + ids(1), '<angle unit="radian"/>')
    same(found.positions, [[0, 1, 0]])


def test_rotations_multiply_down_the_tree(idf: Make, ids: Ids) -> None:
    body = f"""<component type="outer" idlist="ids"><location x="1" rot="90"/></component>
    <type name="outer"><component type="inner"><location x="2" rot="90"/></component></type>
    <type name="inner"><component type="pixel"><location x="3"/></component></type>{ids(1)}"""
    # outer: P=(1,0,0), R=90. inner: P = (1,0,0) + R(2,0,0) = (1,2,0), R=180. pixel: (1,2,0) + (-3,0,0)
    same(idf(body).positions, [[-2, 2, 0]])


def test_a_nested_trans_moves_along_the_turned_axes(idf: Make, ids: Ids) -> None:
    # rot 90 about z, then 2 m along the turned x (= y), then 90 more about z: pixel x -> -x
    location = '<location x="1"><rot val="90"><trans x="2"><rot val="90"/></trans></rot></location>'
    # arm: (1,0,0) + (0,2,0); pixel: + Rz(180) x = (-1,0,0)
    same(idf(arm(location) + ids(1)).positions, [[0, 2, 0]])


def test_a_rot_beside_a_trans_is_ignored(idf: Make, ids: Ids) -> None:
    location = '<location><rot val="90"/><trans r="2" t="90"/></location>'
    # trans (2,0,0), no rotation; pixel at x=1
    same(idf(arm(location) + ids(1)).positions, [[3, 0, 0]])


def test_the_step_of_a_trans_is_turned_by_the_absolute_rotation_before_the_parent_turns_it_again(
    idf: Make, ids: Ids
) -> None:
    # parent turned by 90 about z; its pixel has trans x=1: relative p = R (1,0,0) = (0,1,0), absolute R p = (-1,0,0)
    found = idf(arm('<location rot="90"/>', '<location><trans x="1"/></location>') + ids(1))
    same(found.positions, [[-1, 0, 0]])


def test_locations_without_n_elements_or_with_an_end_but_no_start_are_errors(idf: Make, ids: Ids) -> None:
    for attributes, message in [
        ('x="1"', "n-elements='' is not a number from 1"),
        ('n-elements="0"', "n-elements='0'"),
        ('n-elements="a"', "attribute n-elements='a' is not a whole number"),
        ('n-elements="3" x-end="2"', "x-end is given without x"),
    ]:
        with pytest.raises(GeometryError, match=rf"<locations.*\(line 2\).*{message}"):
            idf(arm("<location/>", f"<locations {attributes}/>") + ids(3))


def test_a_range_of_locations_includes_both_ends(idf: Make, ids: Ids) -> None:
    locations = '<locations n-elements=" 5 " x=" 0 " x-end=" 2 " z="7" name="px" name-count-start="10"/>'
    found = idf(arm("<location/>", locations) + ids(5))
    same(found.positions, [[0, 0, 7], [0.5, 0, 7], [1, 0, 7], [1.5, 0, 7], [2, 0, 7]])
    assert list(found.names) == ["px10", "px11", "px12", "px13", "px14"]
    assert found.ids.tolist() == [1, 2, 3, 4, 5]


def test_a_range_of_one_location_is_its_start(idf: Make, ids: Ids) -> None:
    found = idf(arm("<location/>", '<locations n-elements="1" x="3" x-end="9" name="px"/>') + ids(1))
    same(found.positions, [[3, 0, 0]])
    assert list(found.names) == ["px0"]


def test_a_range_may_run_over_angles_and_share_one_name(idf: Make, ids: Ids) -> None:
    found = idf(arm("<location/>", '<locations n-elements="3" r="1" t="0" t-end="180" p="90"/>') + ids(3))
    same(found.positions, [[0, 0, 1], [0, 1, 0], [0, 0, -1]])
    assert list(found.names) == ["pixel"] * 3


def test_a_range_of_rotations_turns_what_is_inside(idf: Make, ids: Ids) -> None:
    found = idf(arm('<locations n-elements="3" rot="0" rot-end="180"/>') + ids(3))
    same(found.positions, [[1, 0, 0], [0, 1, 0], [-1, 0, 0]])


def test_children_of_a_range_are_ignored_with_a_warning(idf: Make, ids: Ids) -> None:
    found = idf(arm("<location/>", '<locations n-elements="2"><rot val="90"/></locations>') + ids(2))
    assert found.warnings == ("element <rot> in <locations> is not known and was ignored",)


def test_delta_offsets_add_spherical_coordinates_to_those_of_the_parent(idf: Make, ids: Ids) -> None:
    # parent (2, 30, 0); child adds (0, 60, 90): sum (2, 90, 90) = (0, 2, 0)
    body = arm('<location r="2" t="30" p="0"/>', '<location r="0" t="60" p="90"/>') + ids(1)
    same(idf(body, '<offsets spherical="delta"/>').positions, [[0, 2, 0]])
    # without delta, r = 0 is no shift: parent at (2 sin30, 0, 2 cos30) = (1, 0, sqrt3)
    same(idf(body).positions, [[1, 0, np.sqrt(3)]])


def test_delta_differences_are_taken_in_the_turned_frame_of_the_parent(idf: Make, ids: Ids) -> None:
    # parent (2, 90, 0) = (2,0,0) turned 90 about z; child +(1, 0, 0): difference (3,0,0)-(2,0,0) = (1,0,0) -> (0,1,0)
    body = arm('<location r="2" t="90" rot="90"/>', '<location r="1"/>') + ids(1)
    same(idf(body, '<offsets spherical="delta"/>').positions, [[2, 1, 0]])


def test_a_parent_in_cartesian_coordinates_has_no_spherical_ones_to_add_to(idf: Make, ids: Ids) -> None:
    # the parent's triple is (0, 0, 0): difference = (1, 90, 0) - 0 = (1,0,0), shifted by the parent's z=5
    body = arm('<location z="5"/>', '<location r="1" t="90"/>') + ids(1)
    same(idf(body, '<offsets spherical="delta"/>').positions, [[1, 0, 5]])


def test_delta_leaves_cartesian_locations_alone_and_goes_on_over_three_levels(idf: Make, ids: Ids) -> None:
    body = f"""<component type="a" idlist="ids"><location r="1" t="10" p="90"/></component>
    <type name="a"><component type="b"><location r="1" t="20" p="0"/></component></type>
    <type name="b"><component type="pixel"><location t="60"/><location y="0.5"/></component></type>{ids(2)}"""
    found = idf(body, '<offsets spherical="delta"/>')
    # b has triple (2, 30, 90); first pixel (2, 90, 90) = (0, 2, 0)
    same(found.positions[0], [0, 2, 0])
    # b stands at (2, 30, 90) = (0, 1, sqrt3); second pixel 0.5 above
    same(found.positions[1], [0, 1.5, np.sqrt(3)])


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ('<location x="a"/>', r"<location> \(line 1\): attribute x='a' is not a number"),
        ('<location rot="5" axis-z="0"/>', r"<location> \(line 1\): the axis of rotation has zero length"),
        ('<location><rot val="5" axis-z="0"/></location>', r"<rot> \(line 1\): the axis of rotation has zero length"),
        ("<location><exclude/></location>", r"<exclude> .*attribute sub-part is missing"),
    ],
)
def test_errors_name_the_element(idf: Make, ids: Ids, location: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        idf(arm(location) + ids(1))


def test_unknown_children_are_ignored_with_one_warning(idf: Make, ids: Ids) -> None:
    found = idf(arm("<location><glow/></location><location><glow/></location>") + ids(2))
    assert found.warnings == ("element <glow> in <location> is not known and was ignored",)


def test_places_given_by_coordinates_alone_are_read_together_and_others_between_them_in_order(
    idf: Make, ids: Ids
) -> None:
    places = """<location x="1" name="a"/><location y=" 2 "/><location r="2" t="90" p="90"/><location t="90" r="3"/>
    <location x="5" rot="10"/><location z=""/><location R="4" theta="90"/><locations n-elements="2" x="7" x-end="8"/>
    <location y="9"><rot val="20"/></location><location x="1e1"/>"""
    found = idf(f'<component type="pixel" idlist="ids">{places}</component>{ids(11)}')
    expected = [
        [1, 0, 0], [0, 2, 0], [0, 2, 0], [3, 0, 0], [5, 0, 0], [0, 0, 0], [4, 0, 0], [7, 0, 0], [8, 0, 0], [0, 9, 0],
        [10, 0, 0],
    ]  # fmt: skip
    assert_allclose(found.positions, expected, atol=1e-12)
    assert found.names[:3] == ["a", "pixel", "pixel"]


@pytest.mark.parametrize("wrong", ["one", "nan", "1e300", "1_0"])
def test_a_wrong_number_among_many_places_is_named(idf: Make, ids: Ids, wrong: str) -> None:
    places = '<location x="1"/>' * 5 + f'\n<location y="{wrong}"/>' + '<location r="1"/>' * 5
    with pytest.raises(GeometryError, match=rf"<location> \(line 2\): attribute y='{wrong}' is not a number"):
        idf(f'<component type="pixel" idlist="ids">{places}</component>{ids(11)}')


def test_radians_hold_for_places_read_together_too(idf: Make, ids: Ids) -> None:
    found = idf(
        f'<component type="pixel" idlist="ids"><location r="2" t="{np.pi / 2}"/><location r="3"/></component>{ids(2)}',
        '<angle unit="radian"/>',
    )
    assert_allclose(found.positions, [[2, 0, 0], [0, 0, 3]], atol=1e-12)
