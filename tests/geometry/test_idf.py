"""Whole definitions: namespaces, choice of the file, names, size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from livereduce.geometry import GeometryError, Instrument, find_definition, load_idf

Make = Callable[..., Instrument]
MakeText = Callable[..., str]

PIXEL = '<component type="pixel" idlist="a"><location x="1"/></component><idlist idname="a"><id val="4"/></idlist>'


@pytest.mark.parametrize(
    "attributes",
    ["", 'xmlns="http://one/IDF/1.0"', 'xmlns="http://two" xmlns:xsi="http://w3" xsi:schemaLocation="a b"'],
)
def test_any_namespace_or_none_is_read(idf_text: MakeText, attributes: str) -> None:
    assert load_idf(idf_text(PIXEL, attributes=attributes)).ids.tolist() == [4]


def test_the_name_of_the_stream_replaces_that_in_the_file(idf_text: MakeText) -> None:
    found = load_idf(idf_text(PIXEL), name="HB2B")
    assert found.name == "HB2B"
    assert found.components["HB2B"].ids.tolist() == [4]


def test_hints_for_drawing_are_ignored_without_a_warning(idf: Make) -> None:
    body = """<description is="x"/><type name="bar"><cuboid id="s"><left-front-bottom-point x="q"/></cuboid>
    <algebra val="s"/><percent-transparency val="50"/><bounding-box/></type>"""
    assert idf(body, '<default-view view="3D"/><location r="0"/>').warnings == ()


def test_unknown_elements_are_warned_of_once_per_name_and_ignored(idf: Make) -> None:
    found = idf("<wobble/><wobble/><type name='a'><flab/></type>")
    assert found.warnings == (
        "element <wobble> in <instrument> is not known and was ignored",
        "element <flab> in <type> is not known and was ignored",
    )


def write(directory: Path, name: str, valid_from: str, valid_to: str = "") -> Path:
    path = directory / name
    to = f' valid-to="{valid_to}"' if valid_to else ""
    path.write_text(f'<instrument name="x" valid-from="{valid_from}"{to}/>')
    return path


def test_the_file_valid_since_the_latest_date_is_chosen(tmp_path: Path) -> None:
    old = write(tmp_path, "POW_Definition.xml", "1900-01-31 23:59:59", "2011-01-31 23:59:59")
    middle = write(tmp_path, "POW_Definition_2010.xml", "2010-06-01   00:00:00", "2100-01-31 23:59:59")
    new = write(tmp_path, "pow_Definition_new.xml", "2020-01-01T00:00:00+02:00")
    write(tmp_path, "POWDER_Definition.xml", "1900-01-01 00:00:00")
    assert find_definition(tmp_path, "POW", datetime(2005, 1, 1, tzinfo=UTC)) == old
    assert find_definition(tmp_path, "POW", datetime(2010, 7, 1, tzinfo=UTC)) == middle
    assert find_definition(tmp_path, "pow", datetime(2019, 12, 31, 21, 59, tzinfo=UTC)) == middle
    assert find_definition(tmp_path, "POW", datetime(2019, 12, 31, 22, 1, tzinfo=UTC)) == new


def test_no_valid_file_and_a_broken_date_are_explained(tmp_path: Path) -> None:
    when = datetime(2024, 1, 1, tzinfo=UTC)
    with pytest.raises(GeometryError, match=r"no POW_Definition\*.xml in .*[^)]$"):
        find_definition(tmp_path, "POW", when)
    write(tmp_path, "POW_Definition_old.xml", "2000-01-01 00:00:00", "2001-01-01 00:00:00")
    with pytest.raises(GeometryError, match=r"no POW_Definition\*.xml in .* \(of 1\) is valid at 2024-01-01 00:00:00"):
        find_definition(tmp_path, "POW", when)
    write(tmp_path, "POW_Definition.xml", "yesterday")
    with pytest.raises(GeometryError, match=r"POW_Definition.xml: 'yesterday' is not a date like"):
        find_definition(tmp_path, "POW", when)


def test_only_the_beginning_of_a_file_is_read_to_know_when_it_is_valid(tmp_path: Path) -> None:
    path = write(tmp_path, "POW_Definition.xml", "1900-01-31 23:59:59")
    path.write_text(path.read_text().replace("/>", "><type name='t'/><broken") + " " * 200_000)
    assert find_definition(tmp_path, "POW", datetime(2024, 1, 1, tzinfo=UTC)) == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!DOCTYPE x []><instrument/>", "document types and entities are not accepted"),
        ("<other/>", "the root element is <other>, expected <instrument>"),
        ("<<", "is not well-formed XML"),
        ("", "the root element is <None>"),
    ],
)
def test_a_candidate_that_is_no_definition_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "POW_Definition.xml").write_text(text)
    with pytest.raises(GeometryError, match=f"POW_Definition.xml.*{said}"):
        find_definition(tmp_path, "POW", datetime(2024, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("asked", "stem"), [("NIMROD", "NIM"), ("CG2", "GPSANS"), ("BIOSANS", "CG3")])
def test_instruments_of_two_names_are_found_by_either(tmp_path: Path, asked: str, stem: str) -> None:
    path = write(tmp_path, f"{stem}_Definition.xml", "1900-01-31 23:59:59")
    assert find_definition(tmp_path, asked, datetime(2024, 1, 1, tzinfo=UTC)) == path


# 32 panels of 256 x 256, 1000 tubes of 512 pixels: as many detectors as the largest live instrument has
LARGE = (
    "".join(
        f"""<component type="panel" idstart="{65536 * i}" idfillbyfirst="y" idstepbyrow="256">
        <location name="bank{i}" r="3" t="{3 * i}"><rot val="{3 * i}" axis-y="1" axis-z="0"/></location></component>"""
        for i in range(32)
    )
    + """<type name="panel" is="rectangular_detector" type="pixel"
     xpixels="256" xstart="-0.1275" xstep="0.001" ypixels="256" ystart="-0.1275" ystep="0.001"/>
    <component type="tubes" idlist="tubes"><location name="tubes"/></component>
    <type name="tubes"><component type="tube"><locations n-elements="1000" r="3" t="5" t-end="100"/></component></type>
    <type name="tube"><component type="pixel"><locations n-elements="512" y="-0.5" y-end="0.5"/></component></type>
    <idlist idname="tubes"><id start="10000000" end="10511999"/></idlist>"""
)
MEASURE = """
import resource, sys, time
from livereduce.geometry import load_idf
text = sys.stdin.read()
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
found = load_idf(text)
found.l2, found.two_theta
print(len(found), time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_2_6_million_detectors_are_right_at_both_ends(idf: Make) -> None:
    found = idf(LARGE)
    assert len(found) == 32 * 65536 + 512_000 == 2_609_152
    # bank 30 at 90 degrees: (3,0,0); its x is -z, so pixel (0,0) at x = y = -0.1275 is (3, -0.1275, 0.1275)
    assert_allclose(found.positions[30 * 65536], [3, -0.1275, 0.1275], atol=1e-12)
    last = np.radians(100)
    assert_allclose(found.positions[-1], [3 * np.sin(last), 0.5, 3 * np.cos(last)], atol=1e-12)
    assert found.ids[[0, -1]].tolist() == [0, 10_511_999]


def test_2_6_million_detectors_are_read_within_10_s_and_500_mb(idf_text: MakeText) -> None:
    """A process of its own, so that only this is measured; both bounds are the contract and far from what it takes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], input=idf_text(LARGE), capture_output=True, text=True, check=True
    )
    count, seconds, megabytes = (float(word) for word in done.stdout.split())
    assert count == 2_609_152
    assert seconds < 10
    assert megabytes < 500


def test_an_instrument_keeps_the_text_it_was_read_from(idf_text: Callable[..., str], tmp_path: Path) -> None:
    text = idf_text(PIXEL)
    assert load_idf(text).definition == text
    path = tmp_path / "A_Definition.xml"
    path.write_bytes(b'<?xml version="1.0" encoding="latin-1"?>\n<!-- \xb5 -->' + text.encode())
    found = load_idf(path)
    assert found.definition.splitlines()[1].startswith("<!-- µ -->")
    assert load_idf(found.definition).ids.tolist() == found.ids.tolist()
