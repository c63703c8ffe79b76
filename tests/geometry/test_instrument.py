"""Flight paths and angles, and an instrument of which only these are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError, Instrument, instrument_from_flight_paths

Make = Callable[..., Instrument]
PI = np.pi


def detectors(*places: str, kind: str = "pixel") -> str:
    locations = "".join(f"<location {place}/>" for place in places)
    return f"""<component type="all" idlist="ids"><location/></component>
    <type name="all"><component type="{kind}">{locations}</component></type>
    <idlist idname="ids" start="1" end="{len(places)}"/>"""


def test_flight_paths_are_distances_from_source_to_sample_to_detector(idf: Make) -> None:
    found = idf(detectors('x="3" z="4"', 'y="-2"'))
    assert found.l1 == 10.0
    assert_allclose(found.l2, [5, 2])


def test_distances_are_taken_from_a_sample_that_is_not_at_the_origin(idf: Make) -> None:
    head = """<component type="s"><location x="-10" z="1"/></component><type name="s" is="Source"/>
    <component type="p"><location z="1"/></component><type name="p" is="SamplePos"/>
    <type name="pixel" is="detector"/>"""
    found = idf(detectors('x="3" z="5"'), head=head)
    # the beam goes along x; sample to detector is (3, 0, 4)
    assert found.l1 == 10.0
    assert_allclose(found.l2, [5])
    assert_allclose(found.two_theta, [np.arctan2(4, 3)])


def test_l2_of_a_monitor_is_its_distance_from_the_source_less_l1(idf: Make) -> None:
    found = idf(detectors('z="-2"', 'z="3"', 'z="0"', kind="monitor"))
    # 8 - 10, 13 - 10, 10 - 10
    assert_allclose(found.l2, [-2, 3, 0])
    assert_allclose(found.two_theta, [0, 0, 0])


def test_two_theta_runs_from_zero_to_pi(idf: Make) -> None:
    found = idf(detectors('z="2"', 'x="1" z="1"', 'y="-3"', 'x="-1" z="-1"', 'z="-1"'))
    assert_allclose(found.two_theta, [0, PI / 4, PI / 2, 3 * PI / 4, PI], atol=1e-15)


def test_two_theta_keeps_its_digits_at_small_angles_and_in_backscattering(idf: Make) -> None:
    # 1 um at 10 m: the arc cosine would give exactly 0 and exactly pi
    found = idf(detectors('x="1e-6" z="10"', 'x="1e-6" z="-10"'))
    assert_allclose(found.two_theta[0], 1e-7, rtol=1e-12)
    assert_allclose(PI - found.two_theta[1], 1e-7, rtol=1e-6)


def test_signed_two_theta_is_negative_on_the_other_side_of_the_theta_sign_axis(idf: Make) -> None:
    # (z x (0,y,1)) . (z x y) = (-y)(-1): positive above
    found = idf(detectors('y="1" z="1"', 'y="-1" z="1"'))
    assert_allclose(found.signed_two_theta, [PI / 4, -PI / 4])
    frame = '<reference-frame><theta-sign axis="x"/></reference-frame>'
    found = idf(detectors('x="1" z="1"', 'x="-1" z="1"', 'x="1" y="-5"'), frame)
    assert_allclose(found.signed_two_theta, [PI / 4, -PI / 4, PI / 2])


def test_azimuth_goes_from_x_to_y_about_the_beam(idf: Make) -> None:
    found = idf(detectors('x="1" z="1"', 'y="1" z="1"', 'x="-1" y="-1"'))
    assert_allclose(found.azimuth, [0, PI / 2, -3 * PI / 4])


def test_a_frame_with_the_beam_along_x_names_axes_and_turns_no_coordinates(idf: Make) -> None:
    frame = """<reference-frame><along-beam axis="x"/><pointing-up axis="z"/><handedness val="right"/>
    <origin val="sample"/></reference-frame>"""
    head = """<component type="s"><location x="-17"/></component><type name="s" is="Source"/>
    <component type="p"><location/></component><type name="p" is="SamplePos"/><type name="pixel" is="detector"/>"""
    found = idf(detectors('x="3" z="3"', 'x="3" z="-3"', 'x="1" y="1"'), frame, head=head)
    assert (found.frame.along_beam, found.frame.up, found.frame.origin) == ("x", "z", "sample")
    assert_allclose(found.positions[0], [3, 0, 3])
    assert_allclose(found.two_theta, [PI / 4] * 3)
    assert_allclose(found.signed_two_theta[:2], [PI / 4, -PI / 4])
    # up is z, beam is x, so the horizontal axis of a right-handed frame is z x x = y
    assert_allclose(found.azimuth, [PI / 2, -PI / 2, 0])


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ('<reference-frame><along-beam axis="w"/></reference-frame>', "<along-beam> .*axis='w' is not one of x, y, z"),
        ('<reference-frame><handedness val="both"/></reference-frame>', "val='both' is not one of right, left"),
        ('<length unit="inch"/>', "<length> .*unsupported length unit 'inch'"),
        ('<angle unit="turn"/>', "<angle> .*unsupported angle unit 'turn'"),
    ],
)
def test_units_and_frames_that_are_not_known_are_errors(idf: Make, defaults: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        idf("", defaults)


def test_without_a_source_angles_count_from_the_axis_of_the_frame(idf: Make) -> None:
    head = (
        '<component type="p"><location/></component><type name="p" is="SamplePos"/><type name="pixel" is="detector"/>'
    )
    found = idf(detectors('x="1" z="1"'), head=head)
    assert np.isnan(found.l1)
    assert_allclose(found.l2, [np.sqrt(2)])
    assert_allclose(found.two_theta, [PI / 4])
    assert found.warnings == ("the instrument has no source; flight paths are undefined",)


def test_arrays_are_read_only(idf: Make) -> None:
    found = idf(detectors('x="1"'), logs={})
    arrays: list[Any] = [found.ids, found.positions, found.monitor, found.l2, found.two_theta, found.signed_two_theta]
    arrays += [found.azimuth, found.source, found.sample, found.beam, found.parameter("none")]
    component = found.components["all"]
    arrays += [component.position, component.rotation, component.ids]
    for array in arrays:
        assert not array.flags.writeable


def test_rows_are_found_by_id_whatever_the_order_and_minus_one_means_unknown(idf: Make) -> None:
    body = detectors('x="1"', 'x="2"', 'x="3"').replace('start="1" end="3"', 'start="9" end="5" step="-2"')
    found = idf(body)
    assert found.rows_of([5, 6, 9, -1, 100]).tolist() == [2, -1, 0, -1, -1]
    assert idf("").rows_of([1]).tolist() == [-1]


def test_an_instrument_says_what_it_is(idf: Make) -> None:
    assert repr(idf(detectors('x="1"'))) == "<Instrument 'TEST': 1 detectors, 0 of them monitors>"


def test_flight_paths_and_angles_alone_make_an_instrument() -> None:
    # DAE arrays: a detector at 2 m and 90 degrees, monitors 3 m behind and 1 m before the sample (angle pi)
    found = instrument_from_flight_paths(
        "LOQ", [10, 1, 2], [2.0, 3.0, 1.0], [PI / 2, 0.0, PI], [False, True, True], l1=11.1
    )
    assert found.ids.tolist() == [10, 1, 2]
    assert found.l1 == pytest.approx(11.1)
    assert_allclose(found.l2, [2, 3, -1])
    assert_allclose(found.two_theta, [PI / 2, 0, 0])
    assert list(found.names) == ["detector 10", "detector 1", "detector 2"]
    assert found.components["LOQ"].ids.tolist() == [10, 1, 2]
    assert found.with_logs({"x": 1.0}) is found


def test_flight_paths_must_fit_together() -> None:
    with pytest.raises(GeometryError, match="LOQ: ids, l2, two_theta and monitor must have one length, 2"):
        instrument_from_flight_paths("LOQ", [1, 2], [2.0], [0.0, 0.0], [False, False], l1=1.0)
    with pytest.raises(GeometryError, match="LOQ: a detector id is used twice"):
        instrument_from_flight_paths("LOQ", [1, 1], [2.0, 2.0], [0.0, 0.0], [False, False], l1=1.0)
    with pytest.raises(GeometryError, match="plain list of positions"):
        instrument_from_flight_paths("LOQ", [1], [2.0], [0.0], [False], l1=1.0).moved_by_log("LOQ", "z", "1")
