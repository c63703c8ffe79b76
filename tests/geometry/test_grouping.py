from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from livereduce.geometry import GeometryError, Instrument
from livereduce.geometry.grouping import load_grouping, load_mask


@pytest.fixture
def banks(idf: Callable[..., Instrument]) -> Instrument:
    """Detectors 1-3 in bank1, 4-6 in bank2, 7-9 in bank10; monitor -1 first."""
    return idf(
        """<component type="monitor" idlist="m"><location/></component>
        <component type="bank" idlist="ids"><location name="bank1"/><location name="bank2"/><location name="bank10"/>
        </component><type name="bank"><component type="pixel"><locations n-elements="3" name="p"/></component></type>
        <idlist idname="ids" start="1" end="9"/><idlist idname="m"><id val="-1"/></idlist>"""
    )


SPECTRA = np.array([10, 1, 2, 3, 4, 5, 6, 7, 8, 9])  # the monitor is spectrum 10


def test_groups_of_ids_ranges_and_components_add_up(banks: Instrument) -> None:
    found = load_grouping(
        """<detector-grouping instrument="TEST">
        <group ID="5" name="left"><detids val="1,2 - 3"/><detids>9</detids></group>
        <group ID="2"><component val="bank2"/></group></detector-grouping>""",
        banks,
    )
    assert found.group.tolist() == [0, 5, 5, 5, 2, 2, 2, 0, 0, 5]
    assert found.names == {5: "left", 2: "2"}
    assert found.warnings == ()
    assert not found.group.flags.writeable


def test_groups_without_a_number_count_from_one(banks: Instrument) -> None:
    found = load_grouping(
        '<detector-grouping><group name="a"><component>bank10, bank1/p0</component></group>'
        '<group name="b"><ids>5,10</ids></group></detector-grouping>',
        banks,
        SPECTRA,
    )
    assert found.group.tolist() == [2, 1, 0, 0, 0, 2, 0, 1, 1, 1]
    assert found.names == {1: "a", 2: "b"}


def test_negative_ids_of_monitors_may_be_listed(banks: Instrument) -> None:
    found = load_grouping("<detector-grouping><group><detids>-1, 1</detids></group></detector-grouping>", banks)
    assert found.group.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_numbers_that_are_not_there_and_detectors_in_two_groups_are_warnings(banks: Instrument) -> None:
    found = load_grouping(
        "<detector-grouping><group><detids>1-3,70-72</detids></group><group><detids>3</detids></group></detector-grouping>",
        banks,
    )
    assert found.group.tolist() == [0, 1, 1, 2, 0, 0, 0, 0, 0, 0]
    assert found.warnings == (
        "3 numbers are not in the instrument, the first is 70",
        "1 detectors are in more than one group; the last one counts",
    )


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("<group><detids>1;2</detids></group>", r"<detids> \(line 1\): ';' is neither a number nor a range like 3-5"),
        ("<group><detids>5-3</detids></group>", r"<detids> \(line 1\): the range 5-3 is not one of rising numbers"),
        ("<group><detids>1-99999999999</detids></group>", "or too long"),
        ("<group><component>bank9</component></group>", r"<component> \(line 1\): TEST has no component 'bank9'"),
        ("<group><ids>1</ids></group>", r"<ids> \(line 1\) names spectra, but which detectors these have is not known"),
        ('<group ID="-4"/>', r"<group> \(line 1\): attribute ID=-4 is not a positive number"),
        ('<group ID="x"/>', "attribute ID='x' is not a whole number"),
        ("<group><tube/></group>", r"<tube> \(line 1\): expected detids, ids or component"),
    ],
)
def test_wrong_groups_name_the_element(banks: Instrument, group: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        load_grouping(f"<detector-grouping>{group}</detector-grouping>", banks)


MAP = """# two groups
2
# first
1
4
1-3 5

7
2   # second
8
- 9
"""


def test_a_map_lists_spectra_over_any_number_of_lines(banks: Instrument, tmp_path: Path) -> None:
    path = tmp_path / "x.map"
    path.write_text(MAP)
    found = load_grouping(path, banks, SPECTRA)
    assert found.group.tolist() == [0, 1, 1, 1, 0, 1, 0, 0, 2, 2]
    assert found.names == {1: "1", 2: "7"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n1\n3\n1 2\n", "the text is not a grouping map, or ends too early"),
        ("one\n", "is not a grouping map"),
        ("1\n1\n2\n1-3\n", "group 1 says it has 2 spectra, but lists 3"),
    ],
)
def test_wrong_maps_are_explained(banks: Instrument, text: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        load_grouping(text, banks, SPECTRA)


def test_a_mask_is_true_where_masked(banks: Instrument, tmp_path: Path) -> None:
    text = """<?xml version="1.0"?><detector-masking><group><detids>3-4</detids><component>bank10</component></group>
    </detector-masking>"""
    expected = [False, False, False, True, True, False, False, True, True, True]
    assert load_mask(text, banks).tolist() == expected
    path = tmp_path / "mask.xml"
    path.write_text(text)
    assert load_mask(path, banks).tolist() == expected


def test_an_isis_mask_lists_spectra_between_comments(banks: Instrument) -> None:
    text = "Comment 7\n1   3 -5\n* 6\n  9- 10\n"
    assert np.flatnonzero(load_mask(text, banks, SPECTRA)).tolist() == [0, 1, 3, 4, 5, 9]


def test_a_mask_of_spectra_needs_to_know_them(banks: Instrument) -> None:
    with pytest.raises(GeometryError, match="the text names spectra, but which detectors these have is not known"):
        load_mask("1\n2\n", banks)
