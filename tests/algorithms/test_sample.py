from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import convert_units, create_sample_workspace
from livereduce.workspaces import EventWorkspace


def test_the_default_is_two_banks_of_a_hundred_with_one_peak() -> None:
    ws = create_sample_workspace()
    assert (ws.getNumberHistograms(), ws.blocksize()) == (200, 100)
    assert ws.readX(0).tolist() == list(range(0, 20001, 200))
    expected = np.full(100, 0.3)
    expected[50] = 10.3  # the bin whose lower edge is the centre of the peak, far narrower than a bin
    assert ws.readY(0) == pytest.approx(expected)
    assert ws.readE(7) == pytest.approx(np.sqrt(expected))
    assert ws.getTitle() == "Test Workspace"
    assert ws.getRun()["run_start"].value == "2010-01-01T00:00:00"


def test_the_instrument_stands_where_it_is_said_to() -> None:
    ws = create_sample_workspace()
    assert ws.getInstrument().getName() == "basic_rect"
    assert ws.spectrumInfo().l1() == 10.0
    first, last = ws.getDetector(0), ws.getDetector(199)
    assert (first.getID(), last.getID()) == (100, 299)
    assert tuple(first.getPos()) == (0, 0, 5)
    assert tuple(last.getPos()) == pytest.approx((0.072, 0.072, 10))
    assert tuple(ws.getDetector(1).getPos()) == pytest.approx((0, 0.008, 5))


def test_monitors_are_the_first_spectra() -> None:
    ws = create_sample_workspace(num_monitors=2, num_banks=1, bank_pixel_width=2)
    assert ws.getNumberHistograms() == 6
    assert [ws.spectrumInfo().isMonitor(i) for i in range(3)] == [True, True, False]
    assert [ws.getDetector(i).getID() for i in range(3)] == [8, 9, 4]
    assert tuple(ws.getDetector(0).getPos()) == (0, 0, 2.5)


def test_events_are_spread_in_proportion_to_the_function() -> None:
    ws = create_sample_workspace("Event", num_banks=1, bank_pixel_width=2)
    assert isinstance(ws, EventWorkspace)
    # 99 bins of 0.3 and one of 10.3 make 40; of 1000 events 7.5 and 257.5 are whole 7 and 257
    expected = np.full(100, 7)
    expected[50] = 257
    for i in range(4):
        assert ws.readY(i).tolist() == expected.tolist()
    assert ws.getNumberEvents() == 4 * (99 * 7 + 257)


@pytest.mark.parametrize(
    ("unit", "x_min", "x_max", "width"),
    [
        ("dSpacing", 0.0, 20000.0, 200.0),
        ("dSpacing", 0.5, 3.5, 0.01),
        ("DeltaE", -0.5, 0.5, 0.01),
        ("tof", 0, 20000, 200),
    ],
)
def test_events_are_made_in_any_unit(unit: str, x_min: float, x_max: float, width: float) -> None:
    options: dict[str, Any] = {"x_unit": unit, "x_min": x_min, "x_max": x_max, "bin_width": width, "num_banks": 1}
    function = "name=LinearBackground,A0=1,A1=0.25"
    options |= {"function": "User Defined", "user_defined_function": function, "bank_pixel_width": 2}
    ws = create_sample_workspace("Event", **options)
    assert isinstance(ws, EventWorkspace)
    assert ws.unit == ("TOF" if unit == "tof" else unit)
    shape = np.abs(1 + 0.25 * ws.readX(3)[:-1])
    expected = np.floor(1000 * shape / shape.sum())
    assert ws.readY(3).tolist() == expected.tolist()
    assert ws.readX(3) == pytest.approx(np.arange(x_min, x_max + width / 2, width))
    tofs = ws.getSpectrum(3).getTofs()
    assert np.histogram(tofs, ws.readX(3))[0].tolist() == expected.tolist()
    assert np.std((tofs - x_min) / width % 1) == pytest.approx(12**-0.5, rel=0.05)  # spread over each bin


def test_events_in_d_spacing_can_be_converted() -> None:
    options: dict[str, Any] = {"x_unit": "dSpacing", "x_min": 0.5, "x_max": 3.5, "bin_width": 0.01, "num_banks": 1}
    events = convert_units(create_sample_workspace("Event", bank_pixel_width=2, **options), "TOF")
    assert isinstance(events, EventWorkspace)
    angle = np.arctan(0.008 / 5)  # of the pixel 8 mm above the one in the beam
    difc = 252.778413 * (10 + np.hypot(5, 0.008)) * 2 * np.sin(angle / 2)
    assert events.readX(1) == pytest.approx(difc * np.linspace(0.5, 3.5, 301))
    assert events.readY(1).tolist() == create_sample_workspace("Event", **options).readY(1).tolist()


def test_the_same_call_gives_the_same_data_unless_random() -> None:
    one, two = (create_sample_workspace("Event", num_banks=1, bank_pixel_width=1) for _ in range(2))
    assert one.getSpectrum(0).getTofs().tolist() == two.getSpectrum(0).getTofs().tolist()  # type: ignore[attr-defined]
    noisy = create_sample_workspace(random=True)
    assert noisy.readY(0).tolist() != create_sample_workspace(random=True).readY(0).tolist()


def test_a_function_of_ones_own_can_be_given() -> None:
    ws = create_sample_workspace(
        function="User Defined", user_defined_function="name=LinearBackground,A0=1,A1=2", x_max=10, bin_width=1
    )
    assert ws.readY(0).tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]


def test_peak_places_are_tenths_of_the_bins() -> None:
    text = "name=Gaussian,Height=4,PeakCentre=$PC3$,Sigma=0.1"
    ws = create_sample_workspace(function="User Defined", user_defined_function=text, x_min=100, x_max=120, bin_width=1)
    assert ws.readY(0).argmax() == 6
    assert ws.readY(0)[6] == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the function is empty"),
        ("name=Gauss,Height=1", "there is no function 'Gauss'"),
        ("name=Gaussian,Width=1", "Gaussian has no parameter 'Width'; it has Height, PeakCentre, Sigma"),
        ("name=Gaussian,Height", "'Height' in 'name=Gaussian,Height' is no setting"),
    ],
)
def test_a_function_that_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="CreateSampleWorkspace: ") as caught:
        create_sample_workspace(function="User Defined", user_defined_function=text)
    assert message in str(caught.value)


def test_bins_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="XMax"):
        create_sample_workspace(x_min=5, x_max=5)
    assert create_sample_workspace(x_max=100, bin_width=1000).readX(0).tolist() == [0, 100]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_events": -1}, "NumEvents: expected 0 or more, found -1"),
        ({"num_banks": 0}, "NumBanks: expected 1 or more, found 0"),
        ({"num_monitors": -1}, "NumMonitors: expected 0 or more"),
        ({"bank_pixel_width": 0}, "BankPixelWidth: expected 1 or more"),
        ({"x_max": float("inf")}, "XMin, XMax and BinWidth must be finite, found 0, inf and 200"),
        ({"bin_width": 0}, "BinWidth .0. above 0"),
        ({"workspace_type": "Table"}, "WorkspaceType: expected one of Histogram, Event, found 'Table'"),
    ],
)
def test_numbers_that_make_no_instrument_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"CreateSampleWorkspace: .*{message}"):
        create_sample_workspace(**given)


def test_events_of_a_function_that_is_zero_or_of_none_are_none() -> None:
    for given in ({"function": "User Defined", "user_defined_function": "name=FlatBackground,A0=0"}, {"num_events": 0}):
        ws = create_sample_workspace("Event", num_banks=1, bank_pixel_width=1, **given)
        assert isinstance(ws, EventWorkspace)
        assert ws.number_events() == 0
        assert ws.y.shape == (1, 100)


def test_events_and_histogram_have_the_same_bins_logs_and_detectors() -> None:
    events, histogram = (
        create_sample_workspace(kind, num_monitors=1, x_min=-50, x_max=75, bin_width=25)
        for kind in ("Event", "Histogram")
    )
    assert events.x.tolist() == histogram.x.tolist() == [-50, -25, 0, 25, 50, 75]
    assert events.spectra.ids.tolist() == histogram.spectra.ids.tolist()
    assert events.getRun().keys() == histogram.getRun().keys()
    shape = histogram.readY(1) / histogram.readY(1).sum() * 1000
    assert events.readY(1).tolist() == np.floor(shape).tolist()
