"""XML of descriptors and run information: found by local names, and nothing hostile gets in."""

from __future__ import annotations

import pytest

from livereduce.errors import ProtocolError
from livereduce.protocols.adara.xml import (
    MAX_CHARACTERS,
    DeviceVariable,
    User,
    parse_device_descriptor,
    parse_run_info,
)

DEVICE = """<?xml version="1.0" encoding="UTF-8"?>
<device xmlns="http://public.sns.gov/schema/device.xsd">
  <device_name>Shutter &amp; motor</device_name>
  <enumerations>
    <enumeration>
      <enum_name>enum_00</enum_name>
      <enum_element><enum_element_name>closed</enum_element_name><enum_element_value>0</enum_element_value></enum_element>
      <enum_element><enum_element_name>open</enum_element_name><enum_element_value>1</enum_element_value></enum_element>
      <enum_element><enum_element_name>no value</enum_element_name></enum_element>
    </enumeration>
  </enumerations>
  <process_variables>
    <process_variable>
      <pv_name>BL14B:Shutter</pv_name><pv_id>1</pv_id><pv_type>enum_00</pv_type>
    </process_variable>
    <process_variable>
      <pv_name> angle </pv_name><pv_id>2</pv_id><pv_type>double</pv_type><pv_units>degree</pv_units>
    </process_variable>
    <process_variable><pv_name>no id</pv_name><pv_type>double</pv_type></process_variable>
    <process_variable><pv_name>id not a number</pv_name><pv_id>x</pv_id><pv_type>double</pv_type></process_variable>
    <process_variable><pv_id>3</pv_id><pv_type>double</pv_type></process_variable>
    <process_variable><pv_name>no type</pv_name><pv_id>4</pv_id></process_variable>
  </process_variables>
</device>"""


def test_variables_of_a_device_are_read_and_incomplete_ones_left_out() -> None:
    device = parse_device_descriptor(DEVICE)
    assert device.name == "Shutter & motor"
    assert device.variables == (
        DeviceVariable("BL14B:Shutter", 1, "enum_00", "", {0: "closed", 1: "open"}),
        DeviceVariable("angle", 2, "double", "degree"),
    )


def test_any_namespace_and_none_will_do() -> None:
    for changed in (
        DEVICE.replace(' xmlns="http://public.sns.gov/schema/device.xsd"', ""),
        DEVICE.replace("public.sns.gov", "elsewhere.example"),
    ):
        assert parse_device_descriptor(changed) == parse_device_descriptor(DEVICE)


def test_run_information_is_read_and_what_is_missing_is_empty() -> None:
    details = parse_run_info(
        '<runinfo xmlns="http://public.sns.gov/schema/runinfo.xsd"><run_number>1001</run_number>'
        "<proposal_id>IPTS-1234</proposal_id><run_title>Si &lt;111&gt;</run_title>"
        "<users><user><name>Ada</name><id>a1</id><role>PI</role></user><user><name>Bob</name></user></users>"
        "<sample><name>Si powder</name><chemical_formula>Si</chemical_formula></sample></runinfo>"
    )
    assert (details.run_number, details.proposal_id, details.run_title) == ("1001", "IPTS-1234", "Si <111>")
    assert (details.proposal_title, details.das_version) == ("", "")
    assert details.users == (User("Ada", "a1", "PI"), User("Bob"))
    assert details.sample == {"name": "Si powder", "chemical_formula": "Si"}


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("", "not well-formed"),
        ("<device>", "not well-formed"),
        ("no xml", "not well-formed"),
        ("<device>\0</device>", "not well-formed"),
        ("<device>\ud800</device>", "not well-formed"),
        ("<nonsense></nonsense>", "<nonsense>, expected <device>"),
        ("<runinfo/>", "<runinfo>, expected <device>"),
        ("<a>" * 100 + "</a>" * 100, "deeper than 64"),
        ("<device>" + " " * MAX_CHARACTERS + "</device>", f"at most {MAX_CHARACTERS} are read"),
        ("<!DOCTYPE device><device/>", "document type declaration"),
        ('<!DOCTYPE d [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><device>&b;</device>', "document type declaration"),
        ('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><device>&x;</device>', "document type declaration"),
    ],
)
def test_xml_that_is_broken_or_hostile_is_refused_with_a_reason(xml: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_device_descriptor(xml)
