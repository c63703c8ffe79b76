"""ConvertUnits, with formulas written out again and times of flight of single neutrons worked out one by one."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import multiply, plus, rebin, sum_spectra
from livereduce.geometry import load_idf
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
    SpectrumGeometry,
)

Make = Callable[..., Any]
convert_units: Any = algorithms.convert_units

M, H, MEV = 1.67492749804e-27, 6.62607015e-34, 1.602176634e-22
L1, L2 = 10.0, np.array([2.0, 1.0, 3.0])
TWO_THETA = np.array([np.pi / 2, 2.0, 0.5])
EDGES = np.linspace(2000.0, 12000.0, 21)


def detectors() -> Detectors:
    return Detectors([10, 11, 12], l1=L1, l2=L2, two_theta=TWO_THETA)


def histogram(edges: Any = EDGES, seed: int = 3, **options: Any) -> HistogramWorkspace:
    edges = np.array(edges, float)
    y = np.random.default_rng(seed).poisson(50, (3, edges.shape[-1] - 1)).astype(float)
    defaults: dict[str, Any] = {"detectors": detectors(), "spectra": Spectra([1, 2, 3], [10, 11, 12])}
    return HistogramWorkspace(edges, y, y, **(defaults | options))


def events(n: int = 3000, seed: int = 3, **options: Any) -> Any:
    rng = np.random.default_rng(seed)
    table = EventTable(3, tick_ns=100)
    table.append(rng.integers(20_000, 120_000, n), rng.integers(0, 3, n), [0], [0, n], [1.0])
    defaults: dict[str, Any] = {"edges": EDGES, "detectors": detectors(), "run": Run()}
    return EventWorkspace([Part(table, 0, n, Plan(3))], **(defaults | options))


def speed(tof: Any, path: Any) -> Any:
    return path / (np.asarray(tof) * 1e-6)


def expected(unit: str, tof: np.ndarray, i: int) -> np.ndarray:
    """Elastic formulas of the textbook, in SI."""
    v = speed(tof, L1 + L2[i])
    wavelength = H / (M * v) * 1e10
    d = wavelength / (2 * np.sin(TWO_THETA[i] / 2))
    values: dict[str, np.ndarray] = {
        "Wavelength": wavelength,
        "Energy": M * v**2 / 2 / MEV,
        "Energy_inWavenumber": M * v**2 / 2 / MEV * 8.06554465,
        "Momentum": 2 * np.pi / wavelength,
        "dSpacing": d,
        "MomentumTransfer": 2 * np.pi / d,
        "QSquared": (2 * np.pi / d) ** 2,
    }
    return values[unit]


ELASTIC = ["Wavelength", "Energy", "Energy_inWavenumber", "Momentum", "dSpacing", "MomentumTransfer", "QSquared"]
FALLING = {"Energy", "Energy_inWavenumber", "Momentum", "MomentumTransfer", "QSquared"}


@pytest.mark.parametrize("unit", ELASTIC)
def test_edges_are_converted_and_counts_kept_in_the_order_of_the_new_unit(unit: str) -> None:
    ws = histogram()
    result = convert_units(ws, unit)
    for i in range(3):
        x, y, e = expected(unit, EDGES, i), ws.readY(i), ws.readE(i)
        if unit in FALLING:
            x, y, e = x[::-1], y[::-1], e[::-1]
        np.testing.assert_allclose(result.readX(i), x, rtol=1e-12)
        np.testing.assert_array_equal(result.readY(i), y)
        np.testing.assert_array_equal(result.readE(i), e)
    assert result.unit == unit
    assert ws.unit == "TOF"


@pytest.mark.parametrize("unit", ELASTIC)
def test_events_give_the_same_as_their_histogram(unit: str) -> None:
    ws = events()
    by_events = convert_units(ws, unit)
    by_histogram = convert_units(ws.to_histogram(), unit)
    assert isinstance(by_events, EventWorkspace)
    np.testing.assert_allclose(by_events.x, by_histogram.x, rtol=1e-9)
    np.testing.assert_array_equal(by_events.y, by_histogram.y)  # every edge is on a tick: none may change its bin
    np.testing.assert_array_equal(by_events.e2, by_histogram.e2)


@pytest.mark.parametrize("unit", ELASTIC)
def test_every_event_is_where_its_own_time_of_flight_puts_it(unit: str) -> None:
    ws = events(60)
    result = convert_units(ws, unit)
    for i in range(3):
        tofs = ws.getSpectrum(i).getTofs()
        np.testing.assert_allclose(result.getSpectrum(i).getTofs(), expected(unit, tofs, i), rtol=1e-12)


@pytest.mark.parametrize("make", [histogram, events])
@pytest.mark.parametrize(
    "through", [["dSpacing"], ["Energy"], ["MomentumTransfer", "dSpacing"], ["Wavelength", "Energy"]]
)
def test_there_and_back_is_where_it_began(make: Make, through: list[str]) -> None:
    ws = make()
    result = ws
    for unit in [*through, "TOF"]:
        result = convert_units(result, unit)
    np.testing.assert_allclose(result.extractX(), ws.extractX(), rtol=1e-9)
    assert rebin(result, [1990, 505, 12090]).y.sum() == pytest.approx(ws.y.sum())


def test_events_converted_back_have_exactly_the_plan_they_had() -> None:
    ws = events()
    assert convert_units(convert_units(ws, "dSpacing"), "TOF").plan == ws.plan


def test_energy_and_wavelength_need_no_geometry(make_histogram: Make) -> None:
    ws = make_histogram([1.0, 2.0, 4.0], [[3, 5]], unit="Wavelength")
    result = convert_units(ws, "Energy")
    # 81.80421 meV at 1 Å
    np.testing.assert_allclose(result.x, [81.80421 / 16, 81.80421 / 4, 81.80421], rtol=1e-7)
    assert result.y.tolist() == [[5, 3]]
    q = convert_units(make_histogram([1.0, 2.0], [[3]], unit="dSpacing"), "MomentumTransfer")
    np.testing.assert_allclose(q.x, [np.pi, 2 * np.pi])


def test_without_geometry_nothing_else_can_be_converted(make_histogram: Make) -> None:
    with pytest.raises(RuntimeError, match=r"ConvertUnits: .*source to sample is not known"):
        convert_units(make_histogram([1.0, 2.0], [[3]]), "Wavelength")


def test_a_distribution_keeps_its_counts(make_histogram: Make) -> None:
    ws = histogram(distribution=True)
    result = convert_units(ws, "Energy")
    counts = ws.y * np.diff(EDGES)
    np.testing.assert_allclose(result.y * np.diff(result.x), counts[:, ::-1])
    errors = ws.e * np.diff(EDGES)
    np.testing.assert_allclose(result.e * np.diff(result.x), errors[:, ::-1])


def test_spectra_with_different_bins_are_converted_by_their_own() -> None:
    ragged = np.stack([EDGES, EDGES + 10, EDGES * 1.5])
    result = convert_units(histogram(ragged), "Wavelength")
    for i in range(3):
        np.testing.assert_allclose(result.readX(i), expected("Wavelength", ragged[i], i))


def test_points_are_converted_as_points() -> None:
    points = np.array([1000.0, 2000.0, 4000.0])
    ws = HistogramWorkspace(
        points, [[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]], detectors=detectors(), spectra=Spectra([1], [11])
    )
    result = convert_units(ws, "Energy")
    np.testing.assert_allclose(result.x, expected("Energy", points, 1)[::-1])
    assert result.y.tolist() == [[3, 2, 1]]
    with pytest.raises(ValueError, match="its X holds points; ConvertFromPointData=True converts them too"):
        convert_units(ws, "Energy", convert_from_point_data=False)


def with_others() -> Detectors:
    return Detectors([10, -1, 12], [False, True, False], l1=L1, l2=[2.0, -1.5, 3.0], two_theta=[np.pi / 2, 0.0, 0.0])


@pytest.mark.parametrize("make", [histogram, events])
def test_spectra_without_the_unit_become_zero_and_are_counted_in_one_warning(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    spectra = Spectra.from_groups([1, 2, 3], [[10], [-1], []])
    ws = make(detectors=with_others(), spectra=spectra)
    with caplog.at_level(logging.WARNING):
        result = convert_units(ws, "dSpacing")
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 3 spectra have no dSpacing (no detectors, or a scattering angle of 0): they are set to zero"
    ]
    assert result.y[0].tolist() == ws.y[0].tolist()
    assert not result.y[1:].any()
    assert not result.e2[1:].any()
    assert np.all(np.diff(result.x) > 0)
    assert rebin(result, [0.1, 0.1, 5.0]).y.shape == (3, 49)


@pytest.mark.parametrize("make", [histogram, events])
def test_monitors_have_a_wavelength_of_their_own_path(make: Make) -> None:
    ws = make(detectors=with_others(), spectra=Spectra([1, 2, 3], [10, -1, 12]))
    result = convert_units(ws, "Wavelength")
    np.testing.assert_allclose(result.readX(1), H / (M * speed(EDGES, 8.5)) * 1e10, rtol=1e-9)
    assert result.y[1].tolist() == ws.y[1].tolist()


def test_where_no_spectrum_has_the_unit_it_is_an_error() -> None:
    ws = histogram(detectors=with_others(), spectra=Spectra([1, 2, 3], [-1, 12, 99]))
    with pytest.raises(ValueError, match="ConvertUnits: no spectrum has a MomentumTransfer"):
        convert_units(ws, "MomentumTransfer")


# -- energy transfer ----------------------------------------------------------------------------------------------

EI = 25.0
INELASTIC = np.linspace(1000.0, 12000.0, 45)  # 250 µs a bin


def direct(tof: np.ndarray, i: int) -> Any:
    v1 = np.sqrt(2 * EI * MEV / M)
    t2 = tof * 1e-6 - L1 / v1
    return EI - M * (L2[i] / t2) ** 2 / 2 / MEV


def indirect(tof: np.ndarray, i: int, ef: float) -> Any:
    v2 = np.sqrt(2 * ef * MEV / M)
    t1 = tof * 1e-6 - L2[i] / v2
    return M * (L1 / t1) ** 2 / 2 / MEV - ef


@pytest.mark.parametrize("make", [histogram, events])
def test_direct_energy_transfer_begins_after_the_neutron_has_reached_the_sample(make: Make) -> None:
    ws = make(edges=INELASTIC)
    arrival = L1 / np.sqrt(2 * EI * MEV / M) * 1e6  # 4572 µs: bins 0 to 14 begin before
    first = int(np.searchsorted(INELASTIC, arrival))
    assert first == 15
    result = convert_units(ws, "DeltaE", "Direct", EI)
    assert result.n_bins == 44 - first
    for i in range(3):
        np.testing.assert_allclose(result.readX(i), direct(INELASTIC[first:], i), rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(result.readY(i), ws.readY(i)[first:])


def test_direct_events_before_the_sample_are_dropped() -> None:
    ws = events(edges=INELASTIC)
    result = convert_units(ws, "DeltaE", "Direct", EI)
    arrival = L1 / np.sqrt(2 * EI * MEV / M) * 1e6
    late = sum(int(np.count_nonzero(ws.getSpectrum(i).getTofs() > arrival)) for i in range(3))
    assert result.number_events() == late < ws.number_events()


@pytest.mark.parametrize("make", [histogram, events])
def test_indirect_energy_transfer_loses_a_different_number_of_bins_in_each_spectrum(make: Make) -> None:
    ef, edges = 2.0, np.linspace(500.0, 12000.0, 47)
    ws = make(edges=edges)
    result = convert_units(ws, "DeltaE", "Indirect", ef)
    arrival = L2 / np.sqrt(2 * ef * MEV / M) * 1e6  # 3233, 1617, 4850 µs
    first = np.searchsorted(edges, arrival)
    assert first.tolist() == [11, 5, 18]
    assert result.n_bins == 46 - 5
    for i in range(3):
        n = 47 - first[i]
        np.testing.assert_allclose(result.readX(i)[:n], indirect(edges[first[i] :], i, ef)[::-1], rtol=1e-9)
        np.testing.assert_array_equal(result.readY(i)[: n - 1], ws.readY(i)[first[i] :][::-1])
        if make is histogram:
            assert not result.readY(i)[n - 1 :].any()
    assert np.all(np.diff(result.x) > 0)


def test_wavenumbers_are_energies_times_a_number_and_need_no_second_fixed_energy() -> None:
    by_energy = convert_units(histogram(INELASTIC), "DeltaE", "Direct", EI)
    result = convert_units(by_energy, "DeltaE_inWavenumber")
    np.testing.assert_allclose(result.x, by_energy.x * 8.06554465)
    there = convert_units(events(edges=INELASTIC), "DeltaE_inWavenumber", "Direct", EI)
    np.testing.assert_allclose(there.x, result.x, rtol=1e-9)
    by_events = convert_units(convert_units(events(edges=INELASTIC), "DeltaE", "Direct", EI), "DeltaE_inWavenumber")
    np.testing.assert_array_equal(by_events.y, there.y)


def test_direct_mode_takes_the_fixed_energy_from_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    ws = histogram(INELASTIC, run=Run({"Ei": EI, "EnergyRequest": 30.0}))
    expected_x = convert_units(histogram(INELASTIC), "DeltaE", "Direct", EI).x
    np.testing.assert_array_equal(convert_units(ws, "DeltaE", "Direct").x, expected_x)
    assert not caplog.records
    convert_units(histogram(INELASTIC, run=Run({"EnergyRequest": EI})), "DeltaE", "Direct")
    assert "not measured" in caplog.text


def test_energy_transfer_says_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="elastic mode; choose Direct or Indirect"):
        convert_units(histogram(), "DeltaE")
    with pytest.raises(ValueError, match="EFixed: must be given in Direct mode"):
        convert_units(histogram(), "DeltaE", "Direct")
    with pytest.raises(ValueError, match="no parameter Efixed"):
        convert_units(histogram(), "DeltaE", "Indirect")
    with pytest.raises(ValueError, match="no bin of any spectrum has an X"):
        convert_units(histogram([100.0, 200.0, 300.0]), "DeltaE", "Direct", EI)
    with pytest.raises(ValueError, match="expected one of TOF, Wavelength"):
        convert_units(histogram(), "Furlong")


ANALYSERS = """<instrument name="INDIRECT"><defaults><length unit="meter"/><angle unit="degree"/></defaults>
<component type="source"><location z="-10"/></component><type name="source" is="Source"/>
<component type="sample"><location/></component><type name="sample" is="SamplePos"/>
<component type="tube" idlist="ids">
  <location name="a" x="2"><parameter name="Efixed"><value val="2.0"/></parameter></location>
  <location name="b" x="1"><parameter name="Efixed"><value val="7.4"/></parameter></location>
  <location name="c" x="3"><parameter name="Efixed"><value val="2.1"/></parameter></location>
</component><type name="tube" is="detector"/><idlist idname="ids"><id start="10" end="12"/></idlist></instrument>"""


def test_indirect_mode_takes_a_final_energy_for_each_analyser_from_the_instrument() -> None:
    place = Detectors.from_instrument(load_idf(ANALYSERS))
    edges = np.linspace(6000.0, 12000.0, 25)
    ws = events(edges=edges, detectors=place)
    by_events = convert_units(ws, "DeltaE", "Indirect")
    by_histogram = convert_units(ws.to_histogram(), "DeltaE", "Indirect")
    for i, ef in enumerate([2.0, 7.4, 2.1]):
        np.testing.assert_allclose(by_histogram.readX(i), indirect(edges, i, ef)[::-1], rtol=1e-9)
        tofs = ws.getSpectrum(i).getTofs()
        there = tofs > L2[i] / np.sqrt(2 * ef * MEV / M) * 1e6
        wanted = indirect(tofs[there], i, ef)
        # times are kept to 1 ns of a neutron that would have gone to the highest of the final energies
        rounding = 0.5e-3 * 2 * (wanted + 7.4) ** 1.5 / (L1 * 2286.27)
        assert np.all(np.abs(by_events.getSpectrum(i).getTofs() - wanted) < 1.01 * rounding + 1e-9)
    assert isinstance(by_events, EventWorkspace)
    # an event on an edge may be rounded into the neighbour, none is lost
    assert np.abs(by_events.y - by_histogram.y).sum() <= 12


def test_events_whose_energies_differ_are_converted_once_each_as_data_come_in() -> None:
    place = Detectors.from_instrument(load_idf(ANALYSERS))
    rng = np.random.default_rng(5)
    table = EventTable(3, tick_ns=100)
    total: Any = None
    for chunk in range(4):
        a, b = table.append(rng.integers(60_000, 120_000, 500), rng.integers(0, 3, 500), [chunk], [0, 500], [1.0])
        part = EventWorkspace([Part(table, a, b, Plan(3))], place, Run(), edges=[6000.0, 12000.0])
        new = rebin(convert_units(part, "DeltaE", "Indirect"), [-2, 0.1, 8])
        total = new if total is None else plus(total, new)
        assert len(total.parts) == 1
        assert len(total.tables) == 1
        assert total.y.sum() > 0
    second = total.tables[0]
    assert second.n == table.n == 2000
    assert second.cache.offered == 2000  # every event was counted once, in the chunk it came in
    whole = EventWorkspace([Part(table, 0, table.n, Plan(3))], place, Run())
    np.testing.assert_array_equal(rebin(convert_units(whole, "DeltaE", "Indirect"), [-2, 0.1, 8]).y, total.y)


def test_chunks_scaled_each_by_a_number_keep_their_scales_when_energies_differ() -> None:
    place = Detectors.from_instrument(load_idf(ANALYSERS))
    rng = np.random.default_rng(5)
    table = EventTable(3, tick_ns=100)
    total: Any = None
    expected = np.zeros((3, 100))
    for chunk in range(5):
        a, b = table.append(rng.integers(60_000, 120_000, 500), rng.integers(0, 3, 500), [chunk], [0, 500], [1.0])
        if not chunk:
            continue  # which nobody asks for, so that the second table begins after it
        part = EventWorkspace([Part(table, a, b, Plan(3))], place, Run(), edges=[6000.0, 12000.0])
        scaled = part.planned(lambda p, s=1 / (2 + chunk): p.scaled(s))  # type: ignore[misc]
        total = scaled if total is None else plus(total, scaled)
        alone: Any = rebin(convert_units(part.clone(), "DeltaE", "Indirect"), [-2, 0.1, 8])
        expected += alone.y / (2 + chunk)
        converted: Any = rebin(convert_units(total, "DeltaE", "Indirect"), [-2, 0.1, 8])
        assert len(converted.parts) == 1
        assert converted.tables[0] is alone.tables[0]
        np.testing.assert_allclose(converted.y, expected, rtol=1e-12)
        weights = np.concatenate([converted.getSpectrum(i).getWeights() for i in range(3)])
        assert set(np.round(1 / weights, 9)) == set(range(3, 3 + chunk))


# -- events stay events -------------------------------------------------------------------------------------------


def test_nothing_is_counted_until_values_are_read_and_then_only_what_is_new() -> None:
    rng = np.random.default_rng(1)
    table = EventTable(3, tick_ns=100)
    total: Any = None
    for chunk in range(5):
        a, b = table.append(rng.integers(20_000, 120_000, 1000), rng.integers(0, 3, 1000), [chunk], [0, 1000], [1.0])
        chunk_ws = EventWorkspace([Part(table, a, b, Plan(3))], detectors(), Run(), edges=EDGES)
        new = rebin(convert_units(chunk_ws, "MomentumTransfer"), [0.5, -0.01, 30])
        total = new if total is None else plus(total, new)
        assert len(total.parts) == 1
        assert table.cache.offered == chunk * 1000
        total.y  # noqa: B018
    assert table.cache.offered == 5000


def test_edges_of_many_spectra_are_not_made_before_somebody_looks() -> None:
    n, bins = 200_000, 5_000  # 8 GB if they were
    table = EventTable(n)
    table.append([50_000], [7], [0], [0, 1], [1.0])
    place = Detectors(np.arange(n), l1=L1, l2=np.full(n, 2.0), two_theta=np.linspace(0.5, 2.5, n))
    ws = EventWorkspace([Part(table, 0, 1, Plan(n))], place, Run(), edges=np.linspace(0, 20_000, bins + 1))
    result = rebin(convert_units(ws, "dSpacing"), [0.5, 1.0, 3.5])
    assert result.y[7].sum() == 1


def test_edges_made_late_are_those_there_were_when_events_were_converted() -> None:
    ws = events()
    converted = convert_units(ws, "Wavelength")
    in_place = events()
    in_place.adopt(convert_units(in_place, "Wavelength"))
    ws.adopt(rebin(ws, [3000, 100, 4000]))  # before anybody has looked at what was converted
    for result in (converted, in_place):
        assert result.x.shape == (3, 21)
        for i in range(3):
            np.testing.assert_allclose(result.readX(i), expected("Wavelength", EDGES, i), rtol=1e-9)
        np.testing.assert_array_equal(result.y, events().y)


def test_default_binning_still_covers_the_events() -> None:
    result = convert_units(events(edges=None), "dSpacing")
    assert isinstance(result, EventWorkspace)
    assert result.default_binning
    assert result.y.sum() == 3000


def test_grouped_spectra_are_converted_by_their_mean_path_and_angle() -> None:
    result = convert_units(sum_spectra(events(30)), "dSpacing")
    path, angle = L1 + L2.mean(), TWO_THETA.mean()
    tofs = np.concatenate([events(30).getSpectrum(i).getTofs() for i in range(3)])
    wanted = H / (M * speed(tofs, path)) * 1e10 / (2 * np.sin(angle / 2))
    np.testing.assert_allclose(np.sort(result.getSpectrum(0).getTofs()), np.sort(wanted))


def test_events_focused_in_one_geometry_go_back_to_the_times_of_another() -> None:
    in_d: Any = sum_spectra(convert_units(events(30, edges=None), "dSpacing"))
    spectra = in_d.spectra.with_geometry(SpectrumGeometry(L1, np.array([2.0]), np.array([np.pi / 2])))
    result = convert_units(in_d.replaced(spectra=spectra), "TOF")
    d = in_d.getSpectrum(0).getTofs()
    np.testing.assert_allclose(result.getSpectrum(0).getTofs(), d * M / H * 1e-4 * 12.0 * np.sqrt(2), rtol=1e-12)


def test_events_in_transfer_of_one_energy_convert_to_that_of_another() -> None:
    in_transfer = convert_units(events(edges=None), "DeltaE", "Direct", EI)
    back = convert_units(in_transfer, "TOF", "Direct", 26.0)
    for i in range(3):
        de = in_transfer.getSpectrum(i).getTofs()
        wrong = L1 / np.sqrt(2 * 26.0 * MEV / M) + L2[i] / np.sqrt(2 * (26.0 - de) * MEV / M)
        np.testing.assert_allclose(back.getSpectrum(i).getTofs(), wrong * 1e6, atol=1e-3)


def test_weights_by_bin_stay_with_the_events(make_histogram: Make) -> None:
    ws = events()
    weights = HistogramWorkspace(EDGES, np.arange(1.0, 21.0), np.zeros(20))
    result = convert_units(multiply(ws, weights), "MomentumTransfer")
    assert isinstance(result, EventWorkspace)
    np.testing.assert_array_equal(result.y, (ws.y * np.arange(1.0, 21.0))[:, ::-1])


@pytest.mark.parametrize("make", [histogram, events])
def test_aligned_bins_are_one_linear_axis_with_as_many_bins(make: Make) -> None:
    ws = make()
    result = convert_units(ws, "Wavelength", align_bins=True)
    lowest = H / (M * speed(2000.0, 13.0)) * 1e10
    highest = H / (M * speed(12000.0, 11.0)) * 1e10
    np.testing.assert_allclose(result.x, np.linspace(lowest, highest, 21))
    assert result.y.sum() == pytest.approx(ws.y.sum())


def test_the_same_unit_is_a_copy() -> None:
    ws = histogram()
    result = convert_units(ws, "TOF")
    assert result is not ws
    np.testing.assert_array_equal(result.y, ws.y)


@pytest.mark.parametrize("unit", ["", "Label", "Degrees"])
def test_what_has_no_time_of_flight_cannot_be_converted(unit: str) -> None:
    with pytest.raises(ValueError, match=f"ConvertUnits: InputWorkspace: X is in '{unit}', which is no unit"):
        convert_units(histogram(unit=unit), "Wavelength")
