from collections.abc import Callable

import pytest

from livereduce.algorithms import normalise_by_current, plus
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, Run, TimeSeries

Make = Callable[..., HistogramWorkspace]
UAH = 3.6e9  # pC in a microampere hour


def charges(*values: float) -> TimeSeries:
    return TimeSeries("proton_charge", list(range(len(values))), list(values), "picoCoulomb")


def test_values_and_errors_are_divided_by_the_stated_charge(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[10]], [[2]], run=Run({"gd_prtn_chrg": 4.0}))
    result = normalise_by_current(ws)
    assert (result.y.tolist(), result.e.tolist()) == ([[2.5]], [[0.5]])
    assert result.getRun()["NormalizationFactor"].value == 4.0
    assert result.YUnitLabel() == "Counts per microAmp.hour"
    assert (ws.y.tolist(), "NormalizationFactor" in ws.getRun()) == ([[10]], False)


def test_without_a_statement_the_series_is_integrated(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[10]], run=Run({"proton_charge": charges(1.5 * UAH, 0.5 * UAH)}))
    assert normalise_by_current(ws).y.tolist() == [[5]]


def test_recalculation_goes_before_the_statement(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[10]], run=Run({"gd_prtn_chrg": 4.0, "proton_charge": charges(2 * UAH)}))
    result = normalise_by_current(ws, recalculate_charge=True)
    assert result.y.tolist() == [[5]]
    assert result.getRun().getProtonCharge() == 2.0
    assert ws.getRun().getProtonCharge() == 4.0


def test_the_charge_follows_when_chunks_are_added(make_histogram: Make) -> None:
    first = make_histogram([0, 1], [[10]], run=Run({"proton_charge": charges(UAH)}))
    second = make_histogram([0, 1], [[30]], run=Run({"proton_charge": TimeSeries("p", [9], [3 * UAH], "picoCoulomb")}))
    assert normalise_by_current(first).y.tolist() == [[10]]
    assert normalise_by_current(plus(first, second)).y.tolist() == [[10]]


def test_the_charge_of_the_present_period_is_taken(make_histogram: Make) -> None:
    run = Run({"gd_prtn_chrg": 9.0, "nperiods": 3, "current_period": 2, "proton_charge_by_period": [1.0, 5.0, 3.0]})
    assert normalise_by_current(make_histogram([0, 1], [[10]], run=run)).y.tolist() == [[2]]
    incomplete = Run({"gd_prtn_chrg": 9.0, "nperiods": 3})
    with pytest.raises(RuntimeError, match="3 periods, but no logs proton_charge_by_period"):
        normalise_by_current(make_histogram([0, 1], [[10]], run=incomplete))


@pytest.mark.parametrize("run", [Run(), Run({"gd_prtn_chrg": 0.0}), Run({"gd_prtn_chrg": float("nan")})])
def test_no_charge_is_an_error(make_histogram: Make, run: Run) -> None:
    with pytest.raises(RuntimeError, match="NormaliseByCurrent: the proton charge is"):
        normalise_by_current(make_histogram([0, 1], [[10]], run=run))


def test_events_stay_events(make_events: Callable[..., EventWorkspace]) -> None:
    result = normalise_by_current(make_events([0.5, 0.6], edges=[0, 1], run=Run({"gd_prtn_chrg": 2.0})))
    assert isinstance(result, EventWorkspace)
    assert result.y.tolist() == [[1]]


def test_the_present_period_of_a_series_is_its_last(make_histogram: Make) -> None:
    period = TimeSeries("current_period", [0, 10], [1, 3])
    run = Run({"nperiods": 3, "current_period": period, "proton_charge_by_period": "1.0, 5.0, 2.0"})
    assert normalise_by_current(make_histogram([0, 1], [[10]], run=run)).y.tolist() == [[5]]


@pytest.mark.parametrize("period", [0, 3])
def test_a_period_that_there_is_not_is_an_error(make_histogram: Make, period: int) -> None:
    run = Run({"nperiods": 2, "current_period": period, "proton_charge_by_period": [1.0, 5.0]})
    with pytest.raises(RuntimeError, match=f"the log current_period is {period}; expected one of the 2"):
        normalise_by_current(make_histogram([0, 1], [[10]], run=run))


def test_events_and_their_histogram_are_normalised_alike(make_events: Callable[..., EventWorkspace]) -> None:
    events = make_events([0.5, 0.6], [1.5], edges=[0, 1, 2], run=Run({"proton_charge": charges(3 * UAH, UAH)}))
    for ws in (events, events.to_histogram()):
        result = normalise_by_current(ws)
        # 4 uAh: 2/4 +- sqrt(2)/4 and 1/4 +- 1/4
        assert result.y.tolist() == [[0.5, 0], [0, 0.25]]
        assert result.e2.tolist() == [[0.125, 0], [0, 0.0625]]
        assert result.getRun()["NormalizationFactor"].value == 4.0
    assert normalise_by_current(events).getRun()["NormalizationFactor"].units == "uAh"


def test_a_negative_charge_is_an_error(make_histogram: Make) -> None:
    with pytest.raises(RuntimeError, match="NormaliseByCurrent: the proton charge is -1 uA h"):
        normalise_by_current(make_histogram([0, 1], [[10]], run=Run({"gd_prtn_chrg": -1.0})))
