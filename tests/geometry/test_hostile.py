"""Whatever the network sends as geometry ends in an instrument or in a `GeometryError`, never in anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from livereduce.geometry import GeometryError, load_idf, load_nexus_structure

IDF = """<instrument name="T"><defaults><offsets spherical="delta"/><components-are-facing x="0" y="0" z="0"/>
<indirect-neutronic-positions/><reference-frame><along-beam axis="z"/></reference-frame></defaults>
<component type="s"><location z="-9"/></component><type name="s" is="Source"/>
<component type="p"><location/></component><type name="p" is="SamplePos"/>
<component type="bank" idlist="a"><location r="2" t="30" rot="5" name="b"><rot val="4" axis-y="1"><trans x="1"/></rot>
<neutronic x="1"/><exclude sub-part="q"/><parameter name="z"><logfile id="l" eq="value/1000"
extract-single-value-as="position 1"/></parameter></location></component>
<type name="bank"><component type="px"><locations n-elements="3" x="0" x-end="1" name="n"/></component></type>
<type name="px" is="detector"/><idlist idname="a"><id start="1" end="3" step="1"/></idlist>
<component type="panel" idstart="9" idfillbyfirst="x" idstepbyrow="8"><location/></component>
<type name="panel" is="rectangular_detector" type="px" xpixels="2" xstart="0" xstep="1" ypixels="3" ystart="0"
ystep="1"/><component-link name="b"><parameter name="rotx"><value val="3"/></parameter></component-link></instrument>"""

WORDS = st.sampled_from(
    ["0", "-1", "1e308", "nan", "a", "", "99999999999999999999", "9e18", "1000000", "value", "None", "(", "<", '"',
     "\x00", "z", "x", "delta", "b", "a", "none", "Source", "monitor", "<x/>", "&amp;", "&x;"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_definitions_with_values_replaced_or_text_cut_out(data: st.DataObject) -> None:
    text = IDF
    for _ in range(data.draw(st.integers(1, 3))):
        quotes = [i for i, letter in enumerate(text) if letter == '"']
        if data.draw(st.booleans()) and len(quotes) > 1:
            at = data.draw(st.integers(0, len(quotes) // 2 - 1)) * 2
            text = text[: quotes[at] + 1] + data.draw(WORDS) + text[quotes[at + 1] :]
        else:
            start = data.draw(st.integers(0, len(text) - 1))
            text = text[:start] + data.draw(WORDS) + text[start + data.draw(st.integers(0, 40)) :]
    try:
        found = load_idf(text, {"l": 1.0})
    except GeometryError:
        return
    assert len(found.ids) == len(found.positions) == len(found.monitor) == len(found.names)
    assert len(found.two_theta) == len(found.l2) == len(found)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_a_definition(data: bytes) -> None:
    for text in (data, b"<instrument>" + data, b"<instrument><type " + data + b"/></instrument>"):
        try:
            load_idf(text)
        except GeometryError:
            continue


def attributed(name: str, values: Any, kind: str = "dataset", **attributes: Any) -> dict[str, Any]:
    listed = [{"name": key, "values": value} for key, value in attributes.items()]
    return {"module": kind, "config": {"name": name, "values": values}, "attributes": listed}


def group(name: str, nx_class: str, *children: Any) -> dict[str, Any]:
    return {"type": "group", "name": name, "children": list(children), "attributes": {"NX_class": nx_class}}


def structure() -> dict[str, Any]:
    shift = attributed("t", 3.0, transformation_type="translation", vector=[0, 0, 1], depends_on=".", units="m")
    turn = attributed("r", 3.0, transformation_type="rotation", vector=[0, 1, 1], depends_on="t", units="deg",
                      offset=[0, 0, 0], offset_units="m")  # fmt: skip
    numbers = attributed("detector_number", [[1, 2], [3, 4]])
    x = attributed("x_pixel_offset", [0.1, 0.2], units="m")
    shape = group(
        "detector_shape",
        "NXoff_geometry",
        attributed("vertices", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], units="m"),
        attributed("faces", [0]),
        attributed("winding_order", [0, 1, 2]),
        attributed("detector_faces", [[0, 9]]),
    )
    bank = group("bank", "NXdetector", attributed("depends_on", "r"), shift, turn, numbers, x)
    solid = group("solid", "NXdetector", attributed("depends_on", "."), shape)
    old = group("old", "NXmonitor", attributed("distance", [1.0], units="m"), attributed("polar_angle", 3, units="deg"))
    source = group("source", "NXsource", attributed("distance", -5.0, units="m"))
    log = group("log", "NXlog", {"module": "f144", "config": {"source": "a", "topic": "b", "value_units": "mm"}})
    link = {"module": "link", "config": {"name": "l", "source": "../bank"}}
    instrument = group("instrument", "NXinstrument", source, bank, solid, old, log, link)
    return {"children": [group("entry", "NXentry", instrument, group("sample", "NXsample"))]}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["group", "dataset", "link", "r", "t", ".", "..", "/", "m", "rad", "NXdetector", "NXlog"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "type", "values", "config",
        "children", "attributes", "module", "source", "topic"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in pairs] + [place for _, inner in pairs for place in places(inner)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_structures_with_any_part_replaced(data: st.DataObject) -> None:
    tree = structure()
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(tree)))
        container[key] = data.draw(JUNK)
        if not places(tree):
            break
    try:
        found = load_nexus_structure(json.dumps(tree), {"a": 5.0})
    except GeometryError:
        return
    assert len(found.ids) == len(found.positions) == len(found.monitor) == len(found.names)


def test_the_structure_as_it_is_has_all_its_pixels() -> None:
    found = load_nexus_structure(structure())
    assert found.ids.tolist() == [1, 2, 3, 4, 9, -1]
