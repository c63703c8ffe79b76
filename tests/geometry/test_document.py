from __future__ import annotations

from pathlib import Path

import pytest

from livereduce.geometry.document import MAX_DEPTH, GeometryError, parse

BOMB = """<!DOCTYPE instrument [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<instrument name="&b;"/>"""
FOREIGN = '<!DOCTYPE instrument SYSTEM "file:///etc/hostname"><instrument/>'


def test_elements_carry_local_names_attributes_text_and_their_line() -> None:
    root = parse(
        '<?xml version="1.0"?>\n<a:instrument xmlns:a="http://one" name=" x ">\n\n<b>1 2</b></a:instrument>',
        "instrument",
    )
    assert (root.tag, root.line, root.text_of("name")) == ("instrument", 2, "x")
    assert [(child.tag, child.line, child.text) for child in root.children] == [("b", 4, "1 2")]


def test_text_may_be_bytes_in_any_declared_encoding() -> None:
    root = parse('<?xml version="1.0" encoding="ISO-8859-1"?><instrument name="Möss"/>'.encode("latin-1"), "instrument")
    assert root.text_of("name") == "Möss"


def test_a_path_is_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<instrument name='f'/>")
    assert parse(path, "instrument").text_of("name") == "f"
    assert parse(str(path), "instrument").text_of("name") == "f"


@pytest.mark.parametrize("text", [BOMB, FOREIGN], ids=["entity expansion", "external document type"])
def test_document_types_and_entities_are_refused_with_the_line(text: str) -> None:
    with pytest.raises(GeometryError, match=r"document types and entities are not accepted \(line 1\)"):
        parse(text, "instrument")


def test_broken_xml_says_where() -> None:
    with pytest.raises(GeometryError, match="not well-formed XML: mismatched tag: line 3"):
        parse("<instrument>\n<type>\n</instrument>", "instrument")


@pytest.mark.parametrize("text", ["<", b"<?xml version='1.0' encoding='no-such'?><instrument/>", b"\xff\xfe\x00"])
def test_what_is_not_xml_is_a_geometry_error(text: str | bytes) -> None:
    with pytest.raises(GeometryError):
        parse(text, "instrument")


def test_another_root_element_is_refused() -> None:
    with pytest.raises(GeometryError, match="root element is <html>, expected <instrument>"):
        parse("<html/>", "instrument")


def test_a_missing_file_is_a_geometry_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"cannot read .*nowhere\.xml"):
        parse(tmp_path / "nowhere.xml", "instrument")


@pytest.mark.parametrize("text", ["", "/dev/zero", "/etc/hostname", "instrument"])
def test_text_that_is_not_xml_is_never_opened_as_a_file(text: str) -> None:
    # a geometry packet may hold anything; a device that never ends would take all memory
    with pytest.raises(GeometryError, match="is neither XML nor the name of an"):
        parse(text, "instrument")


def test_nesting_without_end_is_refused_before_it_is_stored() -> None:
    with pytest.raises(GeometryError, match=f"<a> .*nested more than {MAX_DEPTH} deep"):
        parse("<instrument>" + "<a>" * 100_000, "instrument")


@pytest.mark.parametrize("value", ["abc", "1e", "nan", "inf", "1_0", "0x1"])
def test_a_number_that_is_none_names_element_line_and_attribute(value: str) -> None:
    root = parse(f'<instrument name="T"\n x="{value}"/>', "instrument")
    with pytest.raises(GeometryError, match=rf"<instrument 'T'> \(line 1\): attribute x='{value}' is not a number"):
        root.number("x")


@pytest.mark.parametrize("value", ["1.5", "9223372036854775808", "1_0"])
def test_a_whole_number_must_be_whole_and_fit_64_bits(value: str) -> None:
    with pytest.raises(GeometryError, match="is not a whole number"):
        parse(f'<instrument n="{value}"/>', "instrument").integer("n")


def test_missing_and_empty_numbers_are_the_default() -> None:
    root = parse('<instrument x="" y=" -2.5e1 "/>', "instrument")
    assert (root.number("x"), root.number("y"), root.number("z", 3.0), root.integer("x", 7)) == (0.0, -25.0, 3.0, 7)
