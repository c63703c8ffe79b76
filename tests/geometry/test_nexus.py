"""NeXus geometry: every case as an HDF5 file and as the JSON that starts a run, through the one reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError, Instrument, load_nexus, load_nexus_structure

Tree = dict[str, Any]
Load = Callable[..., Instrument]


def same(found: Any, expected: Any) -> None:
    assert_allclose(found, expected, rtol=0, atol=1e-12)


# A tree is a dict: "@name" is an attribute, a dict is a group, (values, {attributes}) or plain values a dataset.


def to_hdf5(group: Any, tree: Tree) -> None:
    for name, value in tree.items():
        if name.startswith("@"):
            group.attrs[name[1:]] = value
        elif isinstance(value, dict):
            to_hdf5(group.create_group(name), value)
        else:
            values, attributes = value if isinstance(value, tuple) else (value, {})
            group[name] = values
            group[name].attrs.update(attributes)


def to_json(tree: Tree, name: str = "") -> dict[str, Any]:
    children = []
    for child, value in tree.items():
        if child.startswith("@"):
            continue
        if isinstance(value, dict):
            children.append(to_json(value, child))
            continue
        values, attributes = value if isinstance(value, tuple) else (value, {})
        named = [{"name": key, "values": item, "dtype": "string"} for key, item in attributes.items()]
        children.append({"module": "dataset", "config": {"name": child, "values": values}, "attributes": named})
    attributes = [{"name": key[1:], "values": value} for key, value in tree.items() if key.startswith("@")]
    return {"type": "group", "name": name, "children": children, "attributes": attributes}


@pytest.fixture(params=["hdf5", "json"])
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Load:
    def make(tree: Tree) -> Instrument:
        if request.param == "json":
            return load_nexus_structure(json.dumps(to_json(tree)))
        path = tmp_path / "file.nxs"
        with h5py.File(path, "w") as file:
            to_hdf5(file, tree)
        return load_nexus(path)

    return make


def step(kind: str, value: Any, vector: list[float], on: str = ".", **more: Any) -> tuple[Any, dict[str, Any]]:
    units = "m" if kind == "translation" else "deg"
    return value, {"transformation_type": kind, "vector": vector, "depends_on": on, "units": units, **more}


def entry(detector: Tree, source: Tree | None = None, sample: Tree | None = None, **more: Any) -> Tree:
    start: Tree = {"@NX_class": "NXsource", "depends_on": "t", "t": step("translation", -20.0, [0, 0, 1])}
    return {
        "entry": {
            "@NX_class": "NXentry",
            "instrument": {
                "@NX_class": "NXinstrument",
                "name": "BENCH",
                "source": start if source is None else source,
                "bank": {"@NX_class": "NXdetector", **detector},
                **more,
            },
            "sample": {"@NX_class": "NXsample"} if sample is None else sample,
        }
    }


PIXELS: Tree = {"detector_number": [1, 2], "x_pixel_offset": ([1.0, 0.0], {"units": "m"}),
                "y_pixel_offset": ([0.0, 500.0], {"units": "mm"})}  # fmt: skip


def test_a_translation_moves_along_the_unit_vector_in_its_unit(load: Load) -> None:
    found = load(entry({**PIXELS, "depends_on": "t", "t": step("translation", 300.0, [0, 3, 4], units="cm")}))
    # 3 m along (0, 0.6, 0.8)
    same(found.positions, [[1, 1.8, 2.4], [0, 2.3, 2.4]])
    assert (found.name, found.l1, found.ids.tolist()) == ("BENCH", 20.0, [1, 2])
    assert found.monitor.tolist() == [False, False]
    assert found.warnings == ()


def test_the_first_element_of_a_chain_acts_first(load: Load) -> None:
    # first 90 degrees about y (x -> -z, y stays), then 5 m along z
    chain = {"turn": step("rotation", 90.0, [0, 1, 0], on="shift"), "shift": step("translation", 5.0, [0, 0, 1])}
    found = load(entry({**PIXELS, "depends_on": "turn", **chain}))
    same(found.positions, [[0, 0, 4], [0, 0.5, 5]])
    # first 5 m along z, then the turn: z -> x
    chain = {"turn": step("rotation", 90.0, [0, 1, 0]), "shift": step("translation", 5.0, [0, 0, 1], on="turn")}
    found = load(entry({**PIXELS, "depends_on": "shift", **chain}))
    same(found.positions, [[5, 0, -1], [5, 0.5, 0]])
    same(found.components["bank"].position, [5, 0, 0])
    same(found.components["bank"].rotation @ [1, 0, 0], [0, 0, -1])


def test_rotations_may_be_in_radians_and_about_any_vector(load: Load) -> None:
    found = load(entry({**PIXELS, "depends_on": "t", "t": step("rotation", np.pi / 2, [0, 0, 7], units="rad")}))
    same(found.positions, [[0, 1, 0], [-0.5, 0, 0]])


def test_paths_are_absolute_or_relative_to_the_group_that_holds_them(load: Load) -> None:
    chain = {
        "depends_on": "transformations/a",
        "transformations": {
            "@NX_class": "NXtransformations",
            "a": step("translation", [1.0], [1, 0, 0], on="b"),
            "b": step("translation", 2.0, [0, 1, 0], on="/entry/instrument/arm/c"),
        },
    }
    found = load(entry({**PIXELS, **chain}, arm={"c": step("translation", 4.0, [0, 0, 1])}))
    same(found.positions[0], [2, 2, 4])


def test_an_offset_is_added_in_its_own_unit(load: Load) -> None:
    shift = step("translation", 1.0, [1, 0, 0], offset=[0.0, 2.0, 3000.0], offset_units="mm")
    found = load(entry({**PIXELS, "depends_on": "t", "t": shift}))
    same(found.positions[0], [2, 0.002, 3])
    shift = step("translation", 100.0, [1, 0, 0], units="cm", offset=[0.0, 200.0, 0.0])
    same(load(entry({**PIXELS, "depends_on": "t", "t": shift})).positions[0], [2, 2, 0])


def test_a_rotation_with_an_offset_turns_first_and_warns(load: Load) -> None:
    turn = step("rotation", 90.0, [0, 0, 1], offset=[0.0, 0.0, 3.0], offset_units="m")
    found = load(entry({**PIXELS, "depends_on": "t", "t": turn}))
    same(found.positions[0], [0, 1, 3])
    assert "/entry/instrument/bank/t: a rotation with an offset" in found.warnings[0]


def test_a_log_stands_for_its_last_value(load: Load) -> None:
    attributes = {f"@{key}": value for key, value in step("translation", 0, [0, 0, 1])[1].items() if key != "units"}
    log = {"@NX_class": "NXlog", **attributes, "value": ([1.0, 2.0, 300.0], {"units": "cm"}), "time": [0, 1, 2]}
    found = load(entry({**PIXELS, "depends_on": "t", "t": log}))
    same(found.positions[0], [1, 0, 3])
    assert found.needed_logs == ()


def test_an_empty_log_leaves_the_place_open_until_it_is_given(load: Load) -> None:
    attributes = {f"@{key}": value for key, value in step("translation", 0, [0, 0, 1])[1].items()}
    tree = entry({**PIXELS, "depends_on": "t", "t": {"@NX_class": "NXlog", **attributes, "value": []}})
    found = load(tree)
    assert found.missing_logs == ("/entry/instrument/bank/t",)
    assert np.isnan(found.positions).all()
    same(found.with_logs({"/entry/instrument/bank/t": 3.0}).positions[0], [1, 0, 3])


def test_a_grid_has_y_as_its_slow_axis_where_offsets_are_rows(load: Load) -> None:
    pixels: Tree = {
        "detector_number": [[1, 2, 3], [4, 5, 6]],
        "x_pixel_offset": ([-1.0, 0.0, 1.0], {"units": "m"}),
        "y_pixel_offset": ([10.0, 20.0], {"units": "m"}),
        "z_pixel_offset": (7.0, {"units": "m"}),
        "depends_on": ".",
    }
    found = load(entry(pixels))
    assert found.ids.tolist() == [1, 2, 3, 4, 5, 6]
    same(found.positions[[0, 2, 3]], [[-1, 10, 7], [1, 10, 7], [-1, 20, 7]])
    assert found.names[5] == "bank(1,2)"
    assert found.components["bank(1,2)"].ids.tolist() == [6]


def test_offsets_of_the_full_shape_pair_with_the_numbers(load: Load) -> None:
    pixels: Tree = {
        "detector_id": [[1, 2], [3, 4]],
        "x_pixel_offset": ([[1.0, 2.0], [3.0, 4.0]], {"units": "m"}),
        "depends_on": ".",
    }
    same(load(entry(pixels)).positions[:, 0], [1, 2, 3, 4])


def test_pixels_that_are_faces_stand_at_the_mean_of_their_corners(load: Load) -> None:
    # two triangles; detector 8 is the second face, detector 9 both
    shape: Tree = {
        "@NX_class": "NXoff_geometry",
        "vertices": ([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [3.0, 3.0, 3.0]], {"units": "m"}),
        "winding_order": [0, 1, 2, 1, 2, 3],
        "faces": [0, 3],
        "detector_faces": [[1, 8], [0, 9], [1, 9]],
    }
    found = load(entry({"detector_shape": shape, "depends_on": "."}))
    assert found.ids.tolist() == [8, 9]
    same(found.positions, [[2, 2, 1], [1.5, 1.5, 0.5]])
    ordered = load(entry({"detector_shape": shape, "detector_number": [9, 8], "depends_on": "."}))
    same(ordered.positions, [[1.5, 1.5, 0.5], [2, 2, 1]])
    with pytest.raises(GeometryError, match="bank: detector_faces do not cover all of its detector numbers"):
        load(entry({"detector_shape": shape, "detector_number": [9, 7], "depends_on": "."}))
    with pytest.raises(GeometryError, match="bank/detector_shape: faces and vertices do not fit together"):
        load(entry({"detector_shape": {**shape, "faces": [0, 9]}, "depends_on": "."}))
    with pytest.raises(GeometryError, match="do not fit together: a face without corners"):
        load(entry({"detector_shape": {**shape, "faces": [3, 3]}, "depends_on": "."}))


def test_monitors_are_counted_downwards_unless_they_have_a_number(load: Load) -> None:
    at = {"@NX_class": "NXmonitor", "depends_on": "t", "t": step("translation", -2.0, [0, 0, 1])}
    found = load(entry({**PIXELS, "depends_on": "."}, m1=at, m2={**at, "detector_id": 77}))
    assert sorted(found.ids.tolist()) == [-1, 1, 2, 77]
    monitors = found.rows_of([-1, 77])
    assert found.monitor[monitors].all()
    same(found.l2[monitors], [-2, -2])


def test_a_moderator_serves_where_no_source_says_where_it_is(load: Load) -> None:
    moderator = {"@NX_class": "NXmoderator", "depends_on": "t", "t": step("translation", -77.0, [0, 0, 1])}
    nowhere = {"@NX_class": "NXsource"}
    found = load(entry({**PIXELS, "depends_on": "."}, source=nowhere, moderator=moderator))
    assert found.l1 == 77.0
    chopper = {"@NX_class": "NXdisk_chopper", "distance": 5.0}  # without a unit, and nobody's business
    found = load(entry({**PIXELS, "depends_on": "."}, source=nowhere, moderator=moderator, chopper=chopper))
    assert found.l1 == 77.0


def test_without_any_source_the_flight_path_is_undefined(load: Load) -> None:
    found = load(entry({**PIXELS, "depends_on": "."}, source={}))
    assert found.source is None
    assert "the instrument has no source; flight paths are undefined" in found.warnings


def test_a_sample_may_be_moved_by_its_own_chain(load: Load) -> None:
    sample = {"@NX_class": "NXsample", "depends_on": "t", "t": step("translation", 0.5, [0, 0, 1])}
    found = load(entry({**PIXELS, "depends_on": "."}, sample=sample))
    assert found.l1 == 20.5
    same(found.components["sample"].position, [0, 0, 0.5])


def test_older_files_give_distance_and_angles(load: Load) -> None:
    detector: Tree = {
        "detector_number": [4, 5],
        "distance": ([2.0, 3.0], {"units": "m"}),
        "polar_angle": ([90.0, -90.0], {"units": "degrees"}),
        "azimuthal_angle": (90.0, {"units": "degree"}),
    }
    source = {"@NX_class": "NXsource", "distance": (20.0, {"units": "m"})}
    monitor = {"@NX_class": "NXmonitor", "distance": (-100.0, {"units": "cm"})}
    found = load(entry(detector, source=source, monitor=monitor))
    same(found.positions, [[0, 2, 0], [0, -3, 0], [0, 0, -1]])
    same(found.two_theta, [np.pi / 2, np.pi / 2, 0])
    assert found.l1 == 20.0


def test_pixels_without_numbers_are_counted_across_detectors_with_a_warning(load: Load) -> None:
    detector: Tree = {"distance": ([2.0, 3.0], {"units": "m"})}
    found = load(entry(detector, zweite={"@NX_class": "NXdetector", **detector}))
    assert found.ids.tolist() == [1, 2, 3, 4]
    assert "no detector numbers; its 2 pixels are counted up from 1" in found.warnings[0]


def test_a_detector_without_any_place_is_a_warning_and_has_none(load: Load) -> None:
    found = load(entry(PIXELS))
    assert np.isnan(found.positions).all()
    assert found.warnings == ("/entry/instrument/bank: neither depends_on nor distance; its place is not known",)


def test_many_pixels_in_one_place_are_a_warning(load: Load) -> None:
    found = load(entry({"detector_number": [1, 2], "depends_on": "."}))
    assert found.warnings == ("/entry/instrument/bank: 2 pixels without offsets all stand in one place",)


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ({"depends_on": "gone"}, "bank: its depends_on leads to 'gone', which is not there"),
        ({"depends_on": "a", "a": step("rotation", 1.0, [0, 0, 1], on="b"), "b": step("rotation", 1, [1, 0, 0], on="a")
         }, "bank: its depends_on goes round in a circle at /entry/instrument/bank/a"),
        ({"depends_on": "a", "a": step("rotation", 1.0, [0, 0, 0])}, "bank/a: the vector has zero length"),
        ({"depends_on": "a", "a": step("rotation", 1.0, [0, 1])}, "attribute vector is .*expected three numbers"),
        ({"depends_on": "a", "a": step("shear", 1.0, [0, 0, 1])}, "bank/a: transformation_type is 'shear'"),
        ({"depends_on": "a", "a": step("rotation", 1.0, [0, 0, 1], units="m")}, "bank/a: attribute units is 'm'"),
        ({"depends_on": "a", "a": step("translation", 1.0, [0, 0, 1], units="parsec")}, "attribute units is 'parsec'"),
        ({"depends_on": "a", "a": step("rotation", [1.0, 2.0], [0, 0, 1])}, "bank/a: 2 values, expected one"),
        ({"depends_on": "a", "a": step("rotation", "far", [0, 0, 1])}, "bank/a: the value is not a number"),
        ({"depends_on": "a", "a": {"@transformation_type": "rotation", "@vector": [0, 0, 1]}}, "a group without a"),
        ({"depends_on": ".", "x_pixel_offset": ([1.0, 2.0, 3.0], {"units": "m"})},
         r"bank/x_pixel_offset has shape \(3,\) for detector numbers of shape \(2,\)"),
        ({"depends_on": ".", "x_pixel_offset": [1.0, 2.0]}, "bank/x_pixel_offset: attribute units is None"),
        ({"depends_on": ".", "detector_number": [1.5, 2.0]}, "bank/detector_number: float64 values, expected whole"),
        ({"depends_on": ".", "detector_number": [1, 1]}, "BENCH: detector id 1 is used more than once"),
        ({"distance": ([1.0, 2.0, 3.0], {"units": "m"})}, "bank: distance and angles do not fit together"),
    ],
)  # fmt: skip
def test_errors_name_the_path(load: Load, detector: Tree, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        load(entry({"detector_number": [1, 2], **detector}))


def test_a_tree_without_an_entry_is_refused(load: Load) -> None:
    with pytest.raises(GeometryError, match=r"the NeXus tree has no NXentry; found \['stuff'\]"):
        load({"stuff": {"@NX_class": "NXcollection"}})


IDF = """<instrument name="EMB"><component type="s"><location z="-9"/></component><type name="s" is="Source"/>
<component type="p"><location/></component><type name="p" is="SamplePos"/>
<component type="d" idlist="a"><location><parameter name="z"><logfile id="detz" eq="value/1000"/></parameter></location>
</component><type name="d" is="detector"/><idlist idname="a"><id val="5"/></idlist></instrument>"""


def test_a_definition_embedded_in_the_file_is_preferred_with_the_logs_of_the_file(load: Load) -> None:
    tree = entry({}, instrument_xml={"@NX_class": "NXnote", "data": IDF})
    tree["entry"]["DASlogs"] = {"detz": {"@NX_class": "NXlog", "value": ([1.0, 4000.0], {"units": "mm"})}}
    found = load(tree)
    assert (found.name, found.l1, found.ids.tolist()) == ("EMB", 9.0, [5])
    same(found.positions, [[0, 0, 4]])
    assert found.missing_logs == ()


STREAM = {
    "type": "group",
    "name": "t",
    "attributes": [
        {"name": "NX_class", "values": "NXlog"},
        {"name": "transformation_type", "values": "translation"},
        {"name": "vector", "values": [0, 0, 1]},
        {"name": "depends_on", "values": "."},
    ],
    "children": [{"module": "f144", "config": {"source": "det:z", "topic": "motion", "value_units": "mm"}}],
}
OLD_STREAM = {
    **STREAM,
    "attributes": {"transformation_type": "translation", "vector": [0, 0, 1], "depends_on": ".", "units": "mm"},
    "children": [{"type": "stream", "stream": {"writer_module": "f142", "source": "det:z", "topic": "motion"}}],
}


@pytest.mark.parametrize("stream", [STREAM, OLD_STREAM], ids=["module", "old stream"])
def test_a_stream_gives_the_place_when_its_source_has_sent_a_value(stream: dict[str, Any]) -> None:
    structure = to_json(entry({**PIXELS, "depends_on": "t"}))
    bank = structure["children"][0]["children"][0]["children"][2]
    bank["children"].append(stream)
    found = load_nexus_structure(structure)
    assert found.missing_logs == found.needed_logs == ("det:z",)
    assert np.isnan(found.positions).all()
    times = np.array([0, 10], dtype=np.int64)
    later = found.with_logs({"det:z": (times, np.array([1000.0, 3000.0]))})
    same(later.positions, [[1, 0, 3], [0, 0.5, 3]])
    assert later.missing_logs == ()
    assert later.with_logs({"det:z": 3000.0}) is later
    same(later.with_logs({"det:z": 4000.0}).positions[0], [1, 0, 4])
    assert "log 'det:z' gives" in found.with_logs({"det:z": "far"}).warnings[0]
    assert load_nexus_structure(structure, {"det:z": 2.0}).missing_logs == ()


def test_links_in_a_structure_are_followed_and_circles_of_them_end() -> None:
    structure = to_json(entry({**PIXELS, "depends_on": "there"}, arm={"c": step("translation", 4.0, [0, 0, 1])}))
    bank = structure["children"][0]["children"][0]["children"][2]
    bank["children"].append({"module": "link", "config": {"name": "there", "source": "../arm/c"}})
    same(load_nexus_structure(structure).positions[0], [1, 0, 4])
    bank["children"][-1] = {"type": "link", "name": "there", "target": "/entry/instrument/bank/there"}
    with pytest.raises(GeometryError, match="leads to 'there', which is not there"):
        load_nexus_structure(structure)


def test_links_in_a_file_are_followed_but_their_groups_are_not_read_twice(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.nxs", "w") as file:
        to_hdf5(file, entry({**PIXELS, "depends_on": "/entry/shortcut/t", "t": step("translation", 4.0, [0, 0, 1])}))
        file["entry/shortcut"] = h5py.SoftLink("/entry/instrument/bank")
        file["entry/loop"] = h5py.SoftLink("/entry")
        found = load_nexus(file)
    same(found.positions[0], [1, 0, 4])


def test_old_datasets_and_objects_of_attributes_are_read() -> None:
    number = {"type": "dataset", "name": "detector_number", "dataset": {"type": "int32"}, "values": [3]}
    depends = {"type": "dataset", "name": "depends_on", "values": "."}
    bank = {"type": "group", "name": "b", "attributes": {"NX_class": "NXdetector"}, "children": [number, depends]}
    start = {"type": "group", "name": "e", "attributes": {"NX_class": {"values": "NXentry"}}, "children": [bank]}
    found = load_nexus_structure({"children": [start]}, name="OLD")
    assert (found.name, found.ids.tolist()) == ("OLD", [3])


def test_a_component_is_moved_by_a_log(load: Load) -> None:
    found = load(entry({**PIXELS, "depends_on": "t", "t": step("translation", 5.0, [0, 0, 1])}))
    moving = found.moved_by_log("bank", "z", "value/1000", "detz")
    assert moving.missing_logs == ("detz",)
    same(moving.positions[0], [1, 0, 5])
    same(moving.with_logs({"detz": 7000.0}).positions[0], [1, 0, 7])
    with pytest.raises(GeometryError, match="BENCH: there is no component 'no' to move"):
        found.moved_by_log("no", "z", "1")
    with pytest.raises(GeometryError, match="BENCH: a parameter file does not go with NeXus geometry"):
        found.with_parameters("<parameter-file/>")


def test_what_is_no_nexus_is_explained(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="the nexus_structure is not JSON"):
        load_nexus_structure("{")
    with pytest.raises(GeometryError, match="the nexus_structure is not JSON"):
        load_nexus_structure("[" * 100_000)
    with pytest.raises(GeometryError, match="the nexus_structure is a list, expected an object"):
        load_nexus_structure("[]")
    with pytest.raises(GeometryError, match=r"cannot read .*none\.nxs"):
        load_nexus(tmp_path / "none.nxs")


def test_a_real_measurement_has_its_flight_paths_and_angles(shared_data: Path) -> None:
    # chopper spectrometer: 148 detectors at 2.5 m, monitors 7.6475 m and 11.3799 m from the source
    found = load_nexus(shared_data / "lrcs3701.nx5")
    assert found.name == "LRMECS"
    assert (len(found), int(found.monitor.sum())) == (150, 2)
    assert found.l1 == pytest.approx(8.1237, abs=1e-4)
    assert_allclose(found.l1 + found.l2[found.monitor], [7.6475, 11.3799], atol=1e-4)
    detectors = ~found.monitor
    assert_allclose(found.l2[detectors], 2.5, atol=5e-3)
    first = found.rows_of([1])[0]
    assert np.degrees(found.two_theta[first]) == pytest.approx(7.2, abs=1e-5)
    assert found.positions[first, 0] < 0  # the file says -7.2
