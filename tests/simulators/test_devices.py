import xml.etree.ElementTree as ET

import numpy as np
import pytest

from livereduce.protocols.adara import DeviceDescriptor, PacketType, VariableDouble, VariableU32
from livereduce.simulators.devices import DEVICES, Devices, Ramp

NS = {"d": "http://public.sns.gov/schema/device.xsd"}
RAMP = Ramp(300.0, 500.0, 6.0)


def devices(epoch_ns: int) -> Devices:
    return Devices(epoch_ns, RAMP, 1.5, seed=1)


def test_temperature_holds_a_minute_then_rises_6_kelvin_a_minute_and_overshoots_by_1_5() -> None:
    assert RAMP.temperature(59.0) == 300.0
    assert RAMP.temperature(60.0 + 600.0) == pytest.approx(360.0)
    top = 60.0 + 2000.0
    after = np.array([RAMP.temperature(top + t) for t in range(600)])
    assert after.max() == pytest.approx(501.5, abs=0.1)
    assert after[-1] == pytest.approx(500.0, abs=0.01)
    assert abs(after[0] - RAMP.temperature(top - 1)) < 0.2


def test_every_packet_type_of_variables_is_used(epoch_ns: int) -> None:
    seen = {packet.type for packet in devices(epoch_ns).declared()}
    variables = {kind for kind in PacketType if kind >= 0x8000}
    assert seen == variables


def test_descriptors_declare_unique_names_with_types_and_units(epoch_ns: int) -> None:
    names = []
    for packet in devices(epoch_ns).declared():
        if isinstance(packet, DeviceDescriptor):
            root = ET.fromstring(packet.xml)
            for pv in root.findall(".//d:process_variable", NS):
                names.append(pv.findtext("d:pv_name", namespaces=NS))
                assert pv.findtext("d:pv_type", namespaces=NS)
    assert len(names) == len(set(names)) == sum(len(device.variables) for device in DEVICES)
    assert {"SampleTemp", "SampleTempSetpoint", "BL:Chop:Speed", "BL:Chop:Wavelength", "omega"} <= set(names)


def test_speed_and_wavelength_are_said_under_the_names_that_characterisations_are_chosen_by(epoch_ns: int) -> None:
    names = {(device.number, n): v for device in DEVICES for n, v in enumerate(device.variables, 1)}
    said = {}
    for packet in devices(epoch_ns).declared():
        if isinstance(packet, VariableDouble):
            variable = names[packet.device_id, packet.variable_id]
            said[variable.name] = (packet.value, variable.units)
    assert said["frequency"] == said["BL:Chop:Speed"] == (60.0, "Hz")
    assert said["LambdaRequest"] == said["BL:Chop:Wavelength"]
    assert said["LambdaRequest"][1] == "Angstrom"


def test_each_variable_follows_its_descriptor_with_a_time_before_the_start(epoch_ns: int) -> None:
    declared: set[int] = set()
    for packet in devices(epoch_ns).declared():
        if isinstance(packet, DeviceDescriptor):
            declared.add(packet.device_id)
        else:
            assert packet.device_id in declared
        assert packet.time_ns < epoch_ns


def test_one_gauge_is_disconnected_once_and_comes_back(epoch_ns: int) -> None:
    simulated = devices(epoch_ns)
    pressure = [
        packet
        for second in range(1, 120)
        for packet in simulated.changes(second)
        if isinstance(packet, VariableDouble) and (packet.device_id, packet.variable_id) == (1, 3)
    ]
    lost = [packet for packet in pressure if packet.status]
    assert [(p.status, p.severity, p.time_ns - epoch_ns) for p in lost] == [(0xFFFE, 3, 20_000_000_000)]
    assert lost[0].value == pressure[pressure.index(lost[0]) - 1].value
    assert pressure[pressure.index(lost[0]) + 1].time_ns - epoch_ns == 30_000_000_000


def test_latest_value_is_what_a_new_client_is_told(epoch_ns: int) -> None:
    simulated = devices(epoch_ns)
    for second in range(1, 100):
        simulated.changes(second)
    told = {(p.device_id, p.variable_id): p for p in simulated.declared() if not isinstance(p, DeviceDescriptor)}
    temperature = told[1, 1]
    assert isinstance(temperature, VariableDouble)
    assert temperature.value == pytest.approx(300 + 39 * 0.1, abs=0.15)
    steps = told[3, 3]
    assert isinstance(steps, VariableU32)
    # one degree of 1000 steps from -1200, as two's complement
    assert steps.value == 2**32 - 200


def test_values_are_the_same_for_the_same_seed(epoch_ns: int) -> None:
    one, other = devices(epoch_ns), devices(epoch_ns)
    assert [one.changes(k) for k in range(1, 40)] == [other.changes(k) for k in range(1, 40)]
