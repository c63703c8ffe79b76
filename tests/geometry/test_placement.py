"""Facing and neutronic positions: rules that need the absolute position of a component."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import Instrument

Make = Callable[..., Instrument]
Ids = Callable[..., str]

ARM = """<type name="arm"><component type="pixel"><location z="1"/><location x="1"/></component></type>
<idlist idname="ids" start="1" end="2"/>"""


def same(found: Any, expected: Any) -> None:
    assert_allclose(found, expected, rtol=0, atol=1e-12)


def faced(location: str, defaults: str = "") -> tuple[str, str]:
    return f'<component type="arm" idlist="ids">{location}</component>{ARM}', defaults


def test_facing_turns_an_assembly_so_that_its_z_points_away_from_the_target(idf: Make) -> None:
    # at (5,0,0), away from the origin is +x: the smallest turn z -> x is +90 about y, which takes x to -z
    found = idf(*faced('<location x="5"><facing x="0" y="0" z="0"/></location>'))
    same(found.positions, [[6, 0, 0], [5, 0, -1]])


def test_the_default_target_applies_to_every_component_and_may_be_switched_off(idf: Make) -> None:
    default = '<components-are-facing x="5" y="0" z="-3"/>'
    # target 3 m below along z: away is +z already, nothing turns
    same(idf(*faced('<location x="5"/>', default)).positions, [[5, 0, 1], [6, 0, 0]])
    default = "<components-are-facing/>"
    same(idf(*faced('<location x="5"/>', default)).positions, [[6, 0, 0], [5, 0, -1]])
    off = '<location x="5"><facing val="none"/></location>'
    same(idf(*faced(off, default)).positions, [[5, 0, 1], [6, 0, 0]])


def test_a_component_behind_its_target_turns_half_about_y(idf: Make) -> None:
    # at (0,0,-5) away from the origin is -z: half a turn about y takes z to -z and x to -x
    found = idf(*faced('<location z="-5"><facing/></location>'))
    same(found.positions, [[0, 0, -6], [-1, 0, -5]])


def test_a_component_at_its_target_keeps_its_rotation(idf: Make) -> None:
    found = idf(*faced('<location rot="90"><facing/></location>'))
    same(found.positions, [[0, 0, 1], [0, 1, 0]])


def test_facing_may_first_turn_about_the_own_z(idf: Make) -> None:
    # 90 about z takes x to y; then z -> x is a turn about y, which leaves y
    found = idf(*faced('<location x="5"><facing rot="90"/></location>'))
    same(found.positions, [[6, 0, 0], [5, 1, 0]])


def test_facing_starts_from_the_rotation_the_component_has(idf: Make) -> None:
    # turned by 90 about z, the own frame sees +x (absolute) as -y: own z -> -y is a turn about own x, so own x, which
    # is absolute y, stays
    found = idf(*faced('<location x="5" rot="90"><facing/></location>'))
    same(found.positions, [[6, 0, 0], [5, 1, 0]])


def test_facing_uses_absolute_positions_below_a_turned_parent(idf: Make) -> None:
    body = (
        """<component type="outer" idlist="ids"><location z="2" rot="90" axis-y="1" axis-z="0"/></component>
    <type name="outer"><component type="arm"><location z="3"><facing z="2"/></location></component></type>"""
        + ARM
    )
    # outer turned 90 about y: z -> x. The arm stands at (3,0,2); away from (0,0,2) is +x, where its z points already.
    # its x points to -z
    same(idf(body).positions, [[4, 0, 2], [3, 0, 1]])


def test_facing_targets_may_be_spherical(idf: Make) -> None:
    # target (4, 90, 0) = (4,0,0); arm at (5,0,0): away is +x
    found = idf(*faced('<location x="5"><facing r="4" t="90" p="0"/></location>'))
    same(found.positions, [[6, 0, 0], [5, 0, -1]])


def test_facing_turns_panels(idf: Make) -> None:
    body = """<component type="panel"><location x="5"><facing/></location></component>
    <type name="panel" is="rectangular_detector" type="pixel"
     xpixels="2" xstart="0" xstep="1" ypixels="1" ystart="0" ystep="1"/>"""
    same(idf(body).positions, [[5, 0, 0], [5, 0, -1]])


def test_a_general_facing_is_the_smallest_turn(idf: Make) -> None:
    # away from the origin f = (2,3,6)/7. Smallest turn z -> f: v -> v + k x v + (k x (k x v))/(1 + f.z), k = z x f
    f = np.array([2, 3, 6]) / 7
    k = np.cross([0, 0, 1], f)
    x = np.array([1.0, 0, 0])
    turned = x + np.cross(k, x) + np.cross(k, np.cross(k, x)) / (1 + f[2])
    found = idf(*faced('<location x="2" y="3" z="6"><facing/></location>'))
    same(found.positions, [np.array([2, 3, 6]) + f, np.array([2, 3, 6]) + turned])
    same(found.components["arm"].rotation @ [0, 0, 1], f)


def test_facing_follows_a_component_that_a_log_moves_only_before_the_parameter(idf: Make) -> None:
    # facing is worked out for the location as written (x=5, so z -> x); the parameter then replaces the position
    parameter = '<parameter name="x"><logfile id="slide"/></parameter>'
    found = idf(*faced(f'<location x="5"><facing/>{parameter}</location>'), logs={"slide": 7.0})
    same(found.positions, [[8, 0, 0], [7, 0, -1]])


def test_steps_and_facing_below_a_turned_component_do_not_see_the_parameter_that_turns_it(idf: Make) -> None:
    # as on a detector arm that swings: arm turned by 90 about y (z -> x, x -> -z) and put to r = 5, t = 90 by a log
    swing = """<parameter name="roty"><logfile id="arc"/></parameter><parameter name="t-position"><logfile id="arc"/>
    </parameter><parameter name="r-position"><value val="5"/></parameter>"""
    body = f"""<component type="east"><location>{swing}</location></component>
    <type name="east"><component type="panel"><location><trans x="2" y="3"/></location></component></type>
    <type name="panel" is="rectangular_detector" type="pixel" xpixels="1" ypixels="1"/>"""
    # r-position alone puts the arm to z = 5
    assert_allclose(idf(body).positions, [[2, 3, 5]])
    # at (5, 0, 0), the panel's x = 2 becomes z = -2
    same(idf(body, logs={"arc": 90.0}).positions, [[5, 3, -2]])
    facing = body.replace('<trans x="2" y="3"/>', '<facing x="-9" y="0" z="0"/>')
    facing = facing.replace('xpixels="1"', 'xpixels="1" xstart="1"')
    # facing away from (-9, 0, 0) as written, at the origin: z -> x, so x -> -z; then the swing takes -z to -x
    same(idf(facing, logs={"arc": 90.0}).positions, [[4, 0, 0]])


INDIRECT = "<indirect-neutronic-positions/>"
ANALYSER = """<component type="bank" idlist="ids"><location z="1"/></component>
<type name="bank">
  <component type="pixel"><location name="a" x="1"><neutronic x="2" z="3"/></location><location name="b" x="5"/>
  <location name="c" x="6"><neutronic r="4" t="90" p="90"/></location></component>
  <component type="monitor"><location name="m" z="-2"/></component>
</type><idlist idname="ids" start="1" end="4"/>"""


def test_neutronic_places_replace_positions_and_a_detector_without_one_is_dropped_with_its_id(idf: Make) -> None:
    found = idf(ANALYSER, INDIRECT)
    # a: (2,0,3) in the bank at z=1; c: (4,90,90) = (0,4,0); the monitor stays where it is; id 2 is used up by b
    assert found.ids.tolist() == [1, 3, 4]
    same(found.positions, [[2, 0, 4], [0, 4, 1], [0, 0, -1]])
    assert list(found.names) == ["a", "c", "m"]


def test_the_physical_instrument_stays_within_reach(idf: Make) -> None:
    found = idf(ANALYSER, INDIRECT, neutronic=False)
    assert found.ids.tolist() == [1, 2, 3, 4]
    same(found.positions, [[1, 0, 1], [5, 0, 1], [6, 0, 1], [0, 0, -1]])


def test_neutronic_children_mean_nothing_without_the_default(idf: Make) -> None:
    same(idf(ANALYSER).positions[0], [1, 0, 1])


def test_a_neutronic_assembly_keeps_its_physical_rotation_and_turns_on(idf: Make) -> None:
    body = """<component type="bank" idlist="ids">
      <location x="5" rot="90"><neutronic y="7"><rot val="90" axis-x="1" axis-z="0"/></neutronic></location></component>
    <type name="bank"><component type="pixel"><location x="9"><neutronic y="1"/></location></component></type>
    <idlist idname="ids" start="1" end="1"/>"""
    # bank at (0,7,0) with Rz(90) Rx(90); pixel y: Rx takes y to z, Rz leaves z
    same(idf(body, INDIRECT).positions, [[0, 7, 1]])


def test_facing_of_a_neutronic_assembly_comes_from_its_physical_place(idf: Make) -> None:
    body = """<component type="bank" idlist="ids"><location x="5"><facing/><neutronic y="7"/></location></component>
    <type name="bank"><component type="pixel"><location><neutronic z="1"/></location></component></type>
    <idlist idname="ids" start="1" end="1"/>"""
    # at (5,0,0) facing takes z to x; the neutronic bank at (0,7,0) keeps that
    same(idf(body, INDIRECT).positions, [[1, 7, 0]])


def test_an_assembly_without_a_neutronic_place_keeps_the_physical_one(idf: Make) -> None:
    body = """<component type="outer" idlist="ids"><location x="5"><neutronic y="7"/></location></component>
    <type name="outer"><component type="bank"><location z="2"/></component></type>
    <type name="bank"><component type="pixel"><location><neutronic x="1"/></location></component></type>
    <idlist idname="ids" start="1" end="1"/>"""
    same(idf(body, INDIRECT).positions, [[1, 7, 2]])


@pytest.mark.parametrize("neutronic", [True, False])
def test_a_log_moves_only_its_subtree_in_both_instruments(idf: Make, neutronic: bool) -> None:
    parameter = '<parameter name="x"><logfile id="slide"/></parameter>'
    body = f"""<component type="outer" idlist="ids"><location><neutronic y="7"/></location></component>
    <type name="outer"><component type="bank"><location z="2">{parameter}</location><location z="3"/></component></type>
    <type name="bank"><component type="pixel"><location z="1"><neutronic z="1"/></location></component></type>
    <idlist idname="ids" start="1" end="2"/>"""
    found = idf(body, INDIRECT, neutronic=neutronic).with_logs({"slide": 4.0})
    y = 7 if neutronic else 0
    same(found.positions, [[4, y, 3], [0, y, 4]])
