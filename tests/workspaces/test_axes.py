import pytest

from livereduce.geometry.units import UNITS
from livereduce.workspaces.axes import unit


@pytest.mark.parametrize(
    ("name", "caption", "symbol"),
    [
        ("TOF", "Time-of-flight", "µs"),
        ("Wavelength", "Wavelength", "Å"),
        ("Energy", "Energy", "meV"),
        ("Energy_inWavenumber", "Energy", "cm⁻¹"),
        ("Momentum", "Momentum", "Å⁻¹"),
        ("dSpacing", "d-Spacing", "Å"),
        ("MomentumTransfer", "q", "Å⁻¹"),
        ("QSquared", "Q2", "Å⁻²"),
        ("DeltaE", "Energy transfer", "meV"),
        ("DeltaE_inWavenumber", "Energy transfer", "cm⁻¹"),
    ],
)
def test_units_that_convert_have_a_caption_and_a_symbol(name: str, caption: str, symbol: str) -> None:
    found = unit(name)
    assert (found.unitID(), found.caption(), found.name(), found.symbol()) == (name, caption, caption, symbol)
    assert name in UNITS


def test_an_unknown_unit_is_its_own_caption() -> None:
    assert (unit("Furlong").caption(), unit("Furlong").symbol()) == ("Furlong", "")
