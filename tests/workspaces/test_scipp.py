"""To scipp and back; values by hand."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from livereduce.workspaces import (
    Curve,
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    NumericAxis,
    Part,
    Plan,
    Run,
    Spectra,
    SpectrumGeometry,
    TimeSeries,
    from_scipp,
)
from livereduce.workspaces.compression import Compression

sc = pytest.importorskip("scipp")


def histogram(**options: Any) -> HistogramWorkspace:
    return HistogramWorkspace([1.0, 2.0, 4.0], [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 8.0]], **options)


def events(**options: Any) -> EventWorkspace:
    """Two pulses; pixels 0 (ID 11), 1 (ID 12) at 1.0, 2.0, 3.5 and 0.5 us."""
    table = EventTable(2)
    table.append([10, 20, 35, 5], [0, 1, 0, 1], [1000, 2000], [0, 2, 4], [1.0, 1.0])
    return EventWorkspace.from_table(table, 0, 4, Detectors([11, 12]), edges=[0.0, 1.0, 3.0, 4.0], **options)


def array(values: Any, dims: Any, unit: str = "counts", **coords: Any) -> Any:
    data = sc.array(dims=dims, values=np.array(values, np.float64), unit=unit)
    return sc.DataArray(data, coords=coords)


# -- out --------------------------------------------------------------------------------------------------------------


def test_a_histogram_becomes_counts_with_variances_on_edges_in_microseconds() -> None:
    found = histogram(title="silicon", spectra=Spectra([5, 7], [50, 70])).to_scipp()
    assert found.dims == ("spectrum", "tof")
    assert found.unit == sc.units.counts
    assert found.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert found.variances.tolist() == [[1.0, 2.0], [3.0, 8.0]]
    assert found.coords["tof"].values.tolist() == [1.0, 2.0, 4.0]
    assert found.coords["tof"].unit == sc.Unit("us")
    assert found.coords["spectrum"].values.tolist() == [5, 7]
    assert found.coords["detector_id"].values.tolist() == [50, 70]
    assert found.name == "silicon"


@pytest.mark.parametrize(
    ("unit", "dim", "scipp_unit"),
    [
        ("Wavelength", "wavelength", "angstrom"),
        ("dSpacing", "dspacing", "angstrom"),
        ("MomentumTransfer", "Q", "1/angstrom"),
        ("QSquared", "Q2", "1/angstrom**2"),
        ("Energy", "energy", "meV"),
        ("DeltaE", "energy_transfer", "meV"),
        ("DeltaE_inWavenumber", "energy_transfer", "1/cm"),
    ],
)
def test_units_of_x_go_there_and_come_back(unit: str, dim: str, scipp_unit: str) -> None:
    found = histogram(unit=unit).to_scipp()
    assert found.coords[dim].unit == sc.Unit(scipp_unit)
    back = from_scipp(found)
    assert back.unit == unit
    assert back.x.tolist() == [1.0, 2.0, 4.0]


def test_points_and_ragged_edges_keep_their_shape() -> None:
    points = HistogramWorkspace([1.0, 2.0], [[3.0, 4.0]]).to_scipp()
    assert not points.coords.is_edges("tof")
    ragged = histogram().replaced(x=[[1.0, 2.0, 4.0], [2.0, 3.0, 5.0]]).to_scipp()
    assert ragged.coords["tof"].dims == ("spectrum", "tof")
    assert from_scipp(ragged).x.tolist() == [[1.0, 2.0, 4.0], [2.0, 3.0, 5.0]]


def test_a_distribution_is_in_counts_per_x() -> None:
    found = histogram(distribution=True).to_scipp()
    assert found.unit == sc.Unit("counts/us")
    back = from_scipp(found)
    assert (back.y_unit, back.distribution) == ("Counts", True)
    assert back.y.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_masks_and_places_of_spectra_go_along() -> None:
    spectra = Spectra([1, 2], [10, 20], masked=[False, True]).with_geometry(
        SpectrumGeometry(9.5, np.array([1.0, 1.5]), np.array([0.5, 2.5]))
    )
    found = histogram(spectra=spectra, bin_mask=[[False, True], [False, False]]).to_scipp()
    assert found.masks["masked"].values.tolist() == [False, True]
    assert found.masks["masked_bins"].values.tolist() == [[False, True], [False, False]]
    assert found.coords["L1"].value == 9.5
    assert found.coords["L2"].values.tolist() == [1.0, 1.5]
    assert found.coords["two_theta"].values.tolist() == [0.5, 2.5]
    back = from_scipp(found)
    assert isinstance(back, HistogramWorkspace)
    assert back.spectra.masked.tolist() == [False, True]
    assert back.bin_mask is not None
    assert back.bin_mask.tolist() == [[False, True], [False, False]]
    assert back.y.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert back.spectra.geometry is not None
    assert back.spectra.geometry.two_theta.tolist() == [0.5, 2.5]


def test_spectra_of_several_detectors_keep_them() -> None:
    found = histogram(spectra=Spectra.from_groups([3, 9], [[1, 2, 5], [7]])).to_scipp()
    back = from_scipp(found)
    assert [back.spectra.detector_ids(i).tolist() for i in (0, 1)] == [[1, 2, 5], [7]]
    one = from_scipp(found["spectrum", 1:2])
    assert (one.spectra.numbers.tolist(), one.spectra.ids.tolist()) == ([9], [7])


def test_logs_are_scalars_and_series_and_come_back() -> None:
    run = Run({"run_number": "42", "flag": True, "tof": 3.0})
    run.set("field", 1.5, "T")
    run.set("speed", 60, "rev per min or so")
    run.append("temperature", [1_000, 2_000], [10.0, 20.0], "Kelvin")
    run.append("state", [1_000, 2_000], ["on", "off"])
    found = histogram(run=run).to_scipp()
    assert found.coords["field"].unit == sc.Unit("T")
    assert found.coords["tof_log"].value == 3.0
    series = found.coords["temperature"].value
    assert series.values.tolist() == [10.0, 20.0]
    assert series.unit == sc.Unit("K")
    assert series.coords["time"].values.astype(np.int64).tolist() == [1_000, 2_000]
    back = from_scipp(found).logs
    assert (back["run_number"].value, back["flag"].value, back["field"].value) == ("42", True, 1.5)
    assert (back["field"].units, back["speed"].value) == ("T", 60)
    assert isinstance(back["temperature"], TimeSeries)
    assert back["temperature"].time_ns.tolist() == [1_000, 2_000]
    assert back["state"].value.tolist() == ["on", "off"]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_whole_numbers_of_all_kinds_go_out(kind: type[np.integer[Any]]) -> None:
    run = Run()
    run.set("steps", TimeSeries("steps", np.array([0, 5]), np.array([3, 7], kind), "deg"))
    run.set("offsets", np.array([3, 7], kind))
    run.set("offset", kind(7))
    found = histogram(run=run).to_scipp()
    assert found.coords["steps"].value.values.tolist() == [3, 7]
    assert found.coords["offsets"].value.values.tolist() == [3, 7]
    assert found.coords["offset"].value == 7


def test_arrays_with_other_logs_can_be_added() -> None:
    a, b = (histogram(run=Run({"run_number": n})).to_scipp() for n in ("1", "2"))
    assert (a + b).values.tolist() == [[2.0, 4.0], [6.0, 8.0]]


def test_a_numeric_vertical_axis_is_the_outer_dimension() -> None:
    found = histogram(vertical=NumericAxis.of([0.5, 1.5], "MomentumTransfer"), unit="DeltaE").to_scipp()
    assert found.dims == ("Q", "energy_transfer")
    assert found.coords["Q"].values.tolist() == [0.5, 1.5]
    back = from_scipp(found)
    assert back.vertical is not None
    assert (back.vertical.unit, back.vertical.values.tolist()) == ("MomentumTransfer", [0.5, 1.5])


def test_an_event_workspace_gives_its_histogram() -> None:
    found = events().to_scipp()
    assert found.values.tolist() == [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    assert found.variances.tolist() == found.values.tolist()


def test_an_event_workspace_gives_its_events() -> None:
    found = events().to_scipp(events=True)
    assert found.dims == ("spectrum",)
    assert found.bins.size().values.tolist() == [2, 2]
    first = found["spectrum", 1].value
    assert first.coords["tof"].values.tolist() == [2.0, 0.5]
    assert first.coords["pulse_time"].values.astype(np.int64).tolist() == [1000, 2000]
    edges = sc.array(dims=["tof"], values=[0.0, 1.0, 3.0, 4.0], unit="us")
    assert found.hist(tof=edges).sum("spectrum").values.tolist() == [1.0, 2.0, 1.0]


def test_events_of_other_weight_and_unit_go_out_as_they_are() -> None:
    ws = events().planned(
        lambda p: p.in_unit("Energy", 2.0, 0.0, Curve(-2, 1.0)).multiplied([[2.0], [3.0]], [[0.5], [0.0]])
    )
    both = ws.plus(ws, subtract=True).to_scipp(events=True)
    assert both.bins.size().values.tolist() == [4, 4]
    second = both["spectrum", 1].value
    # y = 2 t = 4 and 1; E = 1 / y^2
    assert second.coords["energy"].values.tolist() == [1 / 16, 1.0, 1 / 16, 1.0]
    assert second.values.tolist() == [3.0, 3.0, -3.0, -3.0]
    assert both["spectrum", 0].value.variances.tolist() == [4.5] * 4


def test_compressed_events_go_out_compressed() -> None:
    table = EventTable(2)
    table.append([10, 12, 50], [1, 1, 1], [0], [0, 3], [1.0])
    ws = EventWorkspace.from_table(table, 0, 3, Detectors([1, 2]), compression=Compression(0.5, "TOF"))
    found = ws.to_scipp(events=True)
    assert found.bins.size().values.tolist() == [0, 2]
    assert found["spectrum", 1].value.values.tolist() == [2.0, 1.0]


def test_a_histogram_has_no_events_to_give() -> None:
    with pytest.raises(ValueError, match="no event workspace"):
        histogram().to_scipp(events=True)


def test_without_scipp_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipp", None)
    with pytest.raises(ImportError, match=r"livereduce\[scipp\]"):
        histogram().to_scipp()


def test_nothing_imports_scipp_before_it_is_asked_for() -> None:
    code = "import sys, livereduce.workspaces, livereduce.live.load; sys.exit('scipp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- in ---------------------------------------------------------------------------------------------------------------


def test_x_is_converted_to_the_unit_of_its_name() -> None:
    tof = array([[1.0, 2.0]], ["spectrum", "tof"], tof=sc.array(dims=["tof"], values=[1, 2, 3], unit="ms"))
    assert from_scipp(tof).x.tolist() == [1000.0, 2000.0, 3000.0]
    energy = array([1.0], ["energy"], energy=sc.array(dims=["energy"], values=[1.0], unit="eV"))
    assert from_scipp(energy).unit == "Energy"
    assert from_scipp(energy).x.tolist() == pytest.approx([1000.0])


def test_an_inner_dimension_of_another_name_keeps_name_and_unit() -> None:
    found = from_scipp(
        array([1.0, 2.0], ["temperature"], temperature=sc.array(dims=["temperature"], values=[4.0, 5.0], unit="K"))
    )
    assert (found.unit, found.n_spectra) == ("temperature [K]", 1)
    assert found.to_scipp().coords["temperature"].unit == sc.Unit("K")


def test_x_is_found_wherever_it_is_and_other_dimensions_are_spectra() -> None:
    values = np.arange(12.0).reshape(2, 3, 2)  # tof, x, y
    found = from_scipp(array(values, ["tof", "x", "y"], tof=sc.arange("tof", 3.0, unit="us")))
    assert found.n_spectra == 6
    assert found.y[1].tolist() == [1.0, 7.0]
    detector = sc.array(dims=["y", "x"], values=[[1, 2, 3], [4, 5, 6]], unit=None)
    with_ids = array(values, ["tof", "x", "y"], tof=sc.arange("tof", 3.0, unit="us"), detector_number=detector)
    assert from_scipp(with_ids).spectra.ids.tolist() == [1, 4, 2, 5, 3, 6]


def test_a_converted_coordinate_of_the_innermost_dimension_is_x() -> None:
    wavelength = sc.array(dims=["spectrum", "tof"], values=[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], unit="angstrom")
    found = from_scipp(array([[1.0, 2.0], [3.0, 4.0]], ["spectrum", "tof"], wavelength=wavelength))
    assert found.unit == "Wavelength"
    assert found.x.tolist() == [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]


def test_falling_x_is_turned_round() -> None:
    energy = array(
        [[1.0, 2.0]], ["spectrum", "energy"], energy=sc.array(dims=["energy"], values=[9.0, 4.0, 1.0], unit="meV")
    )
    energy.masks["bad"] = sc.array(dims=["energy"], values=[True, False])
    found = from_scipp(energy)
    assert isinstance(found, HistogramWorkspace)
    assert found.x.tolist() == [1.0, 4.0, 9.0]
    assert found.y.tolist() == [[2.0, 0.0]]
    assert found.bin_mask is not None
    assert found.bin_mask.tolist() == [[False, True]]


def test_units_of_y() -> None:
    edges, points = (sc.arange("tof", n, unit="us") for n in (3.0, 2.0))
    assert from_scipp(array([1.0, 2.0], ["tof"], "counts", tof=edges)).y_unit == "Counts"
    assert from_scipp(array([1.0, 2.0], ["tof"], "kcounts", tof=edges)).y.tolist() == [[1000.0, 2000.0]]
    quotient = from_scipp(array([1.0, 2.0], ["tof"], "one", tof=edges))
    assert (quotient.y_unit, quotient.distribution) == ("", True)
    assert not from_scipp(array([1.0, 2.0], ["tof"], "one", tof=points)).distribution
    assert from_scipp(array([1.0, 2.0], ["tof"], "counts/ms", tof=edges)).y.tolist() == [[0.001, 0.002]]
    charge = from_scipp(array([1.0, 2.0], ["tof"], "counts/uAh", tof=edges))
    assert charge.y_unit == "counts/uAh"
    assert charge.to_scipp().unit == sc.Unit("counts/uAh")


def test_values_without_variances_have_no_errors() -> None:
    assert from_scipp(array([1.0, 2.0], ["tof"], tof=sc.arange("tof", 3.0, unit="us"))).e2.tolist() == [[0.0, 0.0]]


def test_one_slice_keeps_its_number_and_detector() -> None:
    found = from_scipp(histogram(spectra=Spectra([5, 7], [50, 70])).to_scipp()["spectrum", 1])
    assert found.spectra.numbers.tolist() == [7]
    assert found.spectra.ids.tolist() == [70]
    assert "spectrum" not in found.logs


def test_events_stay_events_and_come_back_exactly() -> None:
    original = events()
    found = from_scipp(original.to_scipp(events=True))
    assert isinstance(found, EventWorkspace)
    assert found.default_binning
    assert found.tables[0].tick_ns == 100
    assert found.spectra.ids.tolist() == [11, 12]
    assert found.replaced(edges=original.edges).y.tolist() == original.y.tolist()
    kept = found.selected([(1500, 3000)])
    assert kept.events_per_spectrum().tolist() == [1, 1]


def test_binned_events_keep_their_bins_and_masks() -> None:
    table = sc.DataArray(
        sc.ones(dims=["event"], shape=[4], unit="counts"),
        coords={
            "tof": sc.array(dims=["event"], values=[-0.001, 1.5, 2.5, 1.25], unit="us"),
            "detector_number": sc.array(dims=["event"], values=[4, 4, 5, 5]),
            "event_time_zero": sc.array(dims=["event"], values=np.array([7, 5, 5, 7], "datetime64[us]")),
        },
    )
    data = table.group("detector_number").bin(tof=sc.array(dims=["tof"], values=[-1.0, 2.0, 4.0], unit="us"))
    data.masks["dead"] = sc.array(dims=["detector_number"], values=[False, True])
    found = from_scipp(data)
    assert isinstance(found, EventWorkspace)
    assert found.x.tolist() == [-1.0, 2.0, 4.0]
    assert found.y.tolist() == [[2.0, 0.0], [0.0, 0.0]]
    assert found.spectra.masked.tolist() == [False, True]
    assert found.tables[0].tick_ns == 1
    assert found.tables[0].pulses.time.tolist() == [5000, 7000]
    assert found.getSpectrum(0).getTofs().tolist() == [1.5, -0.001]
    del data.masks["dead"]
    assert from_scipp(data["tof", 0]).number_events() == 3  # one bin of each, gaps in the buffer


def weighted_events() -> Any:
    """Three events in two bins of wavelength."""
    table = sc.DataArray(
        sc.array(dims=["event"], values=[2.0, 3.0, 4.0], variances=[1.0, 1.0, 2.0], unit="counts"),
        coords={"wavelength": sc.array(dims=["event"], values=[0.5, 1.5, 1.75], unit="angstrom")},
    )
    return table.bin(wavelength=sc.array(dims=["wavelength"], values=[0.0, 1.0, 2.0], unit="angstrom"))


def test_weighted_events_of_any_unit_stay_events() -> None:
    found = from_scipp(weighted_events())
    assert isinstance(found, EventWorkspace)
    assert found.unit == "Wavelength"
    assert (found.y.tolist(), found.e2.tolist()) == ([[2.0, 7.0]], [[1.0, 3.0]])
    other = found.replaced(edges=[0.0, 1.6, 2.0])
    assert (other.y.tolist(), other.e2.tolist()) == ([[5.0, 4.0]], [[2.0, 2.0]])
    assert found.getSpectrum(0).getTofs() == pytest.approx([0.5, 1.5, 1.75], abs=1e-9)
    assert found.getSpectrum(0).getWeights().tolist() == [2.0, 3.0, 4.0]


def test_events_on_an_edge_of_a_bin_stay_in_it() -> None:
    values = np.linspace(-3.0, 7.0, 101)
    table = sc.DataArray(
        sc.ones(dims=["event"], shape=[101], unit="counts"),
        coords={"energy_transfer": sc.array(dims=["event"], values=values, unit="meV")},
    )
    edges = np.append(values, 8.0)
    found = from_scipp(table.bin(energy_transfer=sc.array(dims=["energy_transfer"], values=edges, unit="meV")))
    assert isinstance(found, EventWorkspace)
    assert found.y.tolist() == [[1.0] * 101]


def test_weights_units_and_times_of_events_come_back() -> None:
    pulses = np.array([7, 5, 5, 7, 9], "datetime64[us]")
    table = sc.DataArray(
        sc.array(dims=["event"], values=[0.5, -2.0, 1.0, 4.0, 1.0], variances=[0.25, 4.0, 1.0, 0.0, 9.0], unit="1/s"),
        coords={
            "dspacing": sc.array(dims=["event"], values=[1.0, 2.5, 1.25, 3.5, 0.75], unit="angstrom"),
            "spectrum": sc.array(dims=["event"], values=[4, 4, 9, 9, 9]),
            "pulse_time": sc.array(dims=["event"], values=pulses.astype("datetime64[ns]")),
        },
    )
    data = table.group("spectrum").bin(dspacing=sc.array(dims=["dspacing"], values=[0.5, 2.0, 4.0], unit="angstrom"))
    found = from_scipp(data)
    assert isinstance(found, EventWorkspace)
    back = found.to_scipp(events=True)
    assert (found.unit, back.bins.unit, back.bins.coords["dspacing"].unit) == ("dSpacing", sc.Unit("1/s"), sc.Unit("Å"))
    assert back.coords["spectrum"].values.tolist() == [4, 9]
    both = back, data.bins.concat("dspacing")
    for spectrum in range(2):
        found_, expected = (sc.sort(events_of["spectrum", spectrum].value, "dspacing") for events_of in both)
        assert sc.allclose(found_.coords["dspacing"], expected.coords["dspacing"])
        assert sc.identical(found_.coords["pulse_time"], expected.coords["pulse_time"])
        assert found_.values.tolist() == expected.values.tolist()
        assert found_.variances.tolist() == expected.variances.tolist()


def test_masked_events_are_left_out_and_masked_bins_make_a_histogram() -> None:
    data = weighted_events()
    data.bins.masks["bad"] = data.bins.coords["wavelength"] > sc.scalar(1.6, unit="angstrom")
    assert from_scipp(data).y.tolist() == [[2.0, 3.0]]
    data = weighted_events()
    data.masks["gap"] = sc.array(dims=["wavelength"], values=[True, False])
    found = from_scipp(data)
    assert isinstance(found, HistogramWorkspace)
    assert (found.y.tolist(), found.e2.tolist()) == ([[0.0, 7.0]], [[0.0, 3.0]])
    assert found.bin_mask is not None
    assert found.bin_mask.tolist() == [[True, False]]


def test_weights_without_variances_have_no_errors_but_plain_events_are_counts() -> None:
    data = weighted_events()
    data.bins.constituents["data"].variances = None
    assert from_scipp(data).e2.tolist() == [[0.0, 0.0]]
    data.bins.constituents["data"].values = np.ones(3)
    found = from_scipp(data)
    assert isinstance(found, EventWorkspace)
    assert (found.e2.tolist(), found.tables[0].weighted) == ([[1.0, 2.0]], False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: sc.DataArray(sc.scalar(1.0)), "single value"),
        (lambda: array([1.0, 2.0], ["x"]), "'x' has no coordinate"),
        (
            lambda: array([1.0], ["tof"], tof=sc.array(dims=["tof"], values=[1.0], unit="m")),
            "expected us, or",
        ),
        (
            lambda: array([1.0], ["tof"], tof=sc.array(dims=["tof"], values=[1.0], unit=None)),
            "expected us, or",
        ),
        (lambda: array([1.0], ["x"], x=sc.array(dims=["x"], values=["a"])), "has to be numbers"),
        (lambda: array([1.0], ["x"], x=sc.array(dims=["x"], values=np.array([1], "datetime64[ns]"))), "to be numbers"),
        (lambda: array([1.0, 2, 3], ["x"], x=sc.array(dims=["x"], values=[1.0, 3.0, 2.0])), "neither rises nor falls"),
    ],
)
def test_what_has_no_meaning_here_is_refused_with_a_reason(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_scipp(data())


def test_only_data_arrays_are_taken() -> None:
    with pytest.raises(TypeError, match="Variable"):
        from_scipp(sc.scalar(1.0))


def test_times_of_flight_too_far_apart_for_ticks_are_refused() -> None:
    table = sc.DataArray(
        sc.ones(dims=["event"], shape=[2], unit="counts"),
        coords={"tof": sc.array(dims=["event"], values=[0.001, 5e6], unit="us")},
    )
    with pytest.raises(ValueError, match=r"4\.29 s"):
        from_scipp(table.bin(tof=sc.array(dims=["tof"], values=[0.0, 1e7], unit="us")))


def test_a_workspace_without_spectra_goes_out_empty() -> None:
    ws = EventWorkspace([Part(EventTable(0), 0, 0, Plan(0))], Detectors([]), Run(), edges=[0.0, 1.0])
    assert ws.to_scipp().shape == (0, 1)
    assert ws.to_scipp(events=True).shape == (0,)
