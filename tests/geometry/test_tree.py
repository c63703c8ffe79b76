"""Which detectors there are, in which order and with which ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from livereduce.geometry import GeometryError, Instrument, load_idf, tree

Make = Callable[..., Instrument]
MakeText = Callable[..., str]
Ids = Callable[..., str]


def same(found: Any, expected: Any) -> None:
    assert_allclose(found, expected, rtol=0, atol=1e-12)


BANK = """<type name="bank">
<component type="tube"><location x="0" name="t1"/><location x="1" name="t2"/></component></type>
<type name="tube"><component type="pixel"><locations n-elements="2" y="0" y-end="1" name="p"/></component></type>"""


def test_ids_go_to_detectors_in_document_order_through_nested_assemblies(idf: Make, ids: Ids) -> None:
    found = idf('<component type="bank" idlist="ids"><location/><location z="5"/></component>' + BANK + ids(8))
    assert found.ids.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found.ids.dtype == np.int64
    one = [[0, 0], [0, 1], [1, 0], [1, 1]]
    same(found.positions[:, :2], one * 2)
    same(found.positions[:, 2], [0] * 4 + [5] * 4)


def test_naming_the_same_idlist_again_goes_on_and_another_name_restarts(idf: Make) -> None:
    body = """<component type="top" idlist="a"><location/></component>
    <type name="top">
      <component type="pixel" idlist="a"><location/></component>
      <component type="pixel" idlist="a"><location/></component>
      <component type="pixel" idlist="b"><location/></component>
      <component type="pixel"><location/></component>
    </type>
    <idlist idname="a"><id val="5"/><id val="7"/></idlist><idlist idname="b" start="20" end="21"/>"""
    assert idf(body).ids.tolist() == [5, 7, 20, 21]


def test_an_idlist_used_up_only_partly_when_another_takes_over_is_a_warning(idf: Make) -> None:
    body = """<component type="top"><location/></component>
    <type name="top"><component type="pixel" idlist="a"><location/></component>
    <component type="pixel" idlist="b"><location/></component></type>
    <idlist idname="a" start="1" end="3"/><idlist idname="b" start="9" end="9"/>"""
    found = idf(body)
    assert found.ids.tolist() == [1, 9]
    assert "idlist 'a': 1 of 3 ids were used before <component 'pixel'> (line 3)" in found.warnings[0]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('<id val="-3"/><id start="4"/><id start="5" end="7"/>', [-3, 4, 5, 6, 7]),
        ('<id start="10" end="4" step="-3"/>', [10, 7, 4]),
        ('<id start="1" end="6" step="2"/>', [1, 3, 5]),
    ],
)
def test_id_elements_are_values_and_inclusive_ranges_with_steps(idf: Make, xml: str, expected: list[int]) -> None:
    n = len(expected)
    body = f"""<component type="t" idlist="a"><location/></component>
    <type name="t"><component type="pixel"><locations n-elements="{n}"/></component></type>
    <idlist idname="a">{xml}</idlist>"""
    assert idf(body).ids.tolist() == expected


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ('<id start="1" end="5" step="0"/>', "ids from 1 to 5 in steps of 0 never arrive"),
        ('<id start="5" end="1"/>', "ids from 5 to 1 in steps of 1 never arrive"),
        ('<id end="1"/>', "has neither val nor start"),
        ('<id start="1" end="9000000000000000000"/>', "brings the lists to more than 20000000 ids"),
        ('<id val="1.5"/>', "attribute val='1.5' is not a whole number"),
    ],
)
def test_wrong_id_ranges_name_the_element(idf: Make, xml: str, message: str) -> None:
    body = f'<component type="pixel" idlist="a"><location/></component>\n<idlist idname="a">{xml}</idlist>'
    with pytest.raises(GeometryError, match=rf"<i.* \(line 2\): {message}"):
        idf(body)


def test_many_small_elements_cannot_ask_for_more_ids_than_the_limit(idf: Make) -> None:
    lists = "".join(f'<idlist idname="l{i}" start="1" end="15000000"/>' for i in range(2))
    with pytest.raises(GeometryError, match=r"<idlist 'l1'> \(line 1\): brings the lists to more than 20000000 ids"):
        idf(lists)


def test_too_few_and_too_many_ids_are_errors_with_both_numbers(idf: Make, ids: Ids) -> None:
    body = '<component type="bank" idlist="ids"><location/></component>' + BANK
    with pytest.raises(GeometryError, match=r"<component 'pixel'> \(line 3\): needs 4 ids up to here.*'ids' has 3"):
        idf(body + ids(3))
    with pytest.raises(GeometryError, match=r"<component 'bank'> \(line 1\): idlist 'ids' has 5 ids, but 4 detectors"):
        idf(body + ids(5))


def test_a_detector_without_an_idlist_and_an_unknown_idlist_are_errors(idf: Make) -> None:
    with pytest.raises(GeometryError, match=r"<component 'pixel'>.*neither it nor a parent names an idlist"):
        idf('<component type="pixel"><location/></component>')
    with pytest.raises(GeometryError, match=r"<component 'pixel'>.*there is no idlist 'none'"):
        idf('<component type="pixel" idlist="none"><location/></component>')


def test_a_second_idlist_of_one_name_is_ignored_with_a_warning(idf: Make) -> None:
    one = '<component type="pixel" idlist="a"><location/></component><idlist idname="a"><id val="1"/></idlist>'
    found = idf(one + '<idlist idname="a"><id val="2"/></idlist>')
    assert found.ids.tolist() == [1]
    assert "the first one is used" in found.warnings[0]


def test_an_id_used_twice_is_an_error_that_names_both_places(idf: Make) -> None:
    body = """<component type="tube" idlist="a"><location name="left"/></component>
    <component type="tube" idlist="b"><location name="right"/></component>
    <type name="tube"><component type="pixel"><locations n-elements="2"/></component></type>
    <idlist idname="a" start="1" end="2"/><idlist idname="b" start="2" end="3"/>"""
    with pytest.raises(GeometryError, match="detector id 2 is used twice: in 'left' and in 'right'"):
        idf(body)


def panel(component: str = "", kind: str = "", location: str = "<location/>") -> str:
    return f"""<component type="panel" {component}>{location}</component>
    <type name="panel" is="rectangular_detector" type="pixel" xpixels="3" xstart="-1" xstep="1"
     ypixels="2" ystart="0" ystep="0.5" {kind}/>"""


def test_a_panel_is_filled_by_y_first_and_centred_where_its_start_says(idf: Make) -> None:
    found = idf(panel('idstart="100"'))
    # x outermost: (x0,y0) (x0,y1) (x1,y0) ...; by y first a row is a column of 2
    assert found.ids.tolist() == [100, 101, 102, 103, 104, 105]
    same(found.positions, [[-1, 0, 0], [-1, 0.5, 0], [0, 0, 0], [0, 0.5, 0], [1, 0, 0], [1, 0.5, 0]])
    assert list(found.names)[:3] == ["panel(0,0)", "panel(0,1)", "panel(1,0)"]


def test_a_panel_filled_by_y_may_leave_gaps_between_its_columns(idf: Make) -> None:
    # id = 100 + i * 10 + j
    assert idf(panel('idstart="100" idstepbyrow="10"')).ids.tolist() == [100, 101, 110, 111, 120, 121]


def test_a_panel_filled_by_x_counts_along_x_first(idf: Make) -> None:
    # id = i + 3 j
    assert idf(panel('idfillbyfirst="x"')).ids.tolist() == [0, 3, 1, 4, 2, 5]
    # id = 7 + 8 j + 2 i, with a gap of 2 between rows
    found = idf(panel('idstart="7" idfillbyfirst="x" idstepbyrow="8" idstep="2"'))
    assert found.ids.tolist() == [7, 15, 9, 17, 11, 19]


def test_panel_steps_may_be_negative(idf: Make) -> None:
    assert idf(panel('idstart="5" idstep="-1" idstepbyrow="-2"')).ids.tolist() == [5, 4, 3, 2, 1, 0]


def test_a_turned_panel_puts_its_pixels_along_its_own_axes(idf: Make) -> None:
    # 90 degrees about y: x -> -z; panel at z=4
    found = idf(panel(location='<location z="4" rot="90" axis-y="1" axis-z="0"/>'))
    same(found.positions[[0, 5]], [[0, 0, 5], [0, 0.5, 3]])


@pytest.mark.parametrize("spelling", ["RectangularDetector", "rectangulardetector", "rectangularDetector"])
def test_panels_are_spelled_in_several_ways(idf: Make, spelling: str) -> None:
    assert len(idf(panel().replace("rectangular_detector", spelling))) == 6


def test_a_panel_placed_twice_repeats_its_ids_which_is_an_error(idf: Make) -> None:
    with pytest.raises(GeometryError, match=r"detector id 0 is used twice: in 'panel' and in 'panel' \(6 ids"):
        idf(panel(location='<location/><location x="9"/>'))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('xpixels="3"', 'xpixels="0"', r"<type 'panel'> \(line 2\): a panel needs xpixels and ypixels of at least 1"),
        ('xpixels="3"', 'xpixels="many"', r"<type 'panel'> \(line 2\): attribute xpixels='many'"),
        ('xpixels="3"', 'xpixels="1000000000"', "brings the instrument to more than 20000000 detectors"),
        ('xstep="1"', 'xstep="1" zpixels="4"', "unsupported: a panel with zpixels"),
        ('type="panel" ', 'type="panel" idfillbyfirst="z"', r"<component 'panel'> .*idfillbyfirst='z'"),
    ],
)
def test_wrong_panels_name_the_element(idf: Make, old: str, new: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        idf(panel().replace(old, new))


def test_monitors_are_marked_by_their_type_or_the_old_attribute_and_keep_negative_ids(idf: Make) -> None:
    body = """<component type="monitors" idlist="m"><location/></component>
    <type name="monitors"><component type="monitor"><location z="-2"/></component>
    <component type="pixel" mark-as="monitor"><location z="3"/></component>
    <component type="pixel"><location x="1"/></component></type>
    <idlist idname="m"><id val="-1"/><id val="-2"/><id val="7"/></idlist>"""
    found = idf(body)
    assert found.ids.tolist() == [-1, -2, 7]
    assert found.monitor.tolist() == [True, True, False]


def test_an_assembly_that_says_it_is_a_detector_takes_no_id(idf: Make, ids: Ids) -> None:
    body = '<component type="t" idlist="ids"><location/></component><type name="t" is="detector">'
    assert len(idf(body + '<component type="pixel"><location/></component></type>' + ids(1))) == 1


def test_a_type_combined_into_one_shape_is_one_detector(idf: Make, ids: Ids) -> None:
    body = """<component type="t" idlist="ids"><location y="1"/></component>
    <type name="t" is="detector"><component type="pixel"><location x="5"/><location x="6"/></component>
    <combine-components-into-one-shape/><algebra val="a : b"/></type>"""
    found = idf(body + ids(1))
    same(found.positions, [[0, 1, 0]])
    assert found.warnings == ()


def test_an_excluded_part_of_one_placement_takes_no_id(idf: Make, ids: Ids) -> None:
    locations = '<location z="1" name="a"><exclude sub-part="t1"/></location><location z="2" name="b"/>'
    found = idf(f'<component type="bank" idlist="ids">{locations}</component>' + BANK + ids(6))
    # bank a has tube t2 only (x=1), bank b both
    same(found.positions[:, [0, 2]], [[1, 1], [1, 1], [0, 2], [0, 2], [1, 2], [1, 2]])
    assert_array_equal(found.ids, [1, 2, 3, 4, 5, 6])


def test_single_detectors_may_be_excluded_too(idf: Make, ids: Ids) -> None:
    location = '<location><exclude sub-part="p1"/></location>'
    found = idf(f'<component type="tube" idlist="ids">{location}</component>' + BANK + ids(1))
    same(found.positions, [[0, 0, 0]])
    assert list(found.names) == ["p0"]


@pytest.mark.parametrize("kind", ["StructuredDetector", "GridDetector"])
def test_unsupported_detectors_are_named_with_type_and_line(idf: Make, kind: str) -> None:
    word = kind.replace("Detector", "").lower()
    message = rf"unsupported IDF element <{word} detector> in <type 'fan'> \(line 2\), placed by <component 'fan'>"
    with pytest.raises(GeometryError, match=message):
        idf(f'<component type="fan"><location/></component>\n<type name="fan" is="{kind}"/>')


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<component type="no"><location/></component>', r"<component 'no'> \(line 1\): there is no type 'no'"),
        ('<component type="pixel"/>', r"<component 'pixel'> \(line 1\): has no <location>"),
        ("<component><location/></component>", r"<component> \(line 1\): attribute type is missing"),
        ('<type name="a"/><type name="a"/>', r"<type 'a'> \(line 1\): a type of this name is already there"),
        ("<component-link/>", r"<component-link> \(line 1\): names neither a component"),
    ],
)
def test_broken_structure_names_the_element(idf: Make, body: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        idf(body)


def test_a_type_without_a_name_is_ignored_with_a_warning(idf: Make) -> None:
    # a definition in use has one around a component that was to be taken out
    found = idf('<type><component type="no such"><location/></component></type>')
    assert found.warnings == ("<type> (line 1) has no name, so nothing can use it; it was ignored",)


def test_a_type_that_contains_itself_is_an_error(idf: Make) -> None:
    body = (
        '<component type="a"><location/></component><type name="a"><component type="a"><location/></component></type>'
    )
    with pytest.raises(GeometryError, match=r"nested more than 100 deep; does a type contain itself\?"):
        idf(body)


def test_types_that_multiply_without_end_are_refused(idf: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # 10^6 components from 6 lines; the limit is lowered so that the test is quick
    monkeypatch.setattr(tree, "MAX_ENTRIES", 1000)
    types = "".join(
        f'<type name="t{i}"><component type="t{i + 1}"><locations n-elements="10"/></component></type>'
        for i in range(6)
    )
    with pytest.raises(GeometryError, match="more than 1000 components"):
        idf(f'<component type="t0"><location/></component>{types}<type name="t6"/>')


def test_a_missing_source_or_sample_is_no_error(idf_text: MakeText) -> None:
    found = load_idf(idf_text("", head=""))
    assert found.source is None
    assert found.sample is None
    assert np.isnan(found.l1)
    assert len(found.warnings) == 2


def test_the_first_of_several_sources_is_used_with_a_warning(idf: Make) -> None:
    found = idf('<component type="moderator"><location z="-7"/></component>')
    assert found.l1 == 7.0
    assert "another source; the first one is used" in found.warnings[0]
