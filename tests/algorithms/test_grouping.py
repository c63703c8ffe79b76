import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import create_sample_workspace, group_detectors, multiply
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, NumericAxis, Spectra

Make = Callable[..., HistogramWorkspace]
MakeEvents = Callable[..., EventWorkspace]
X = [0, 1, 2]


@pytest.fixture
def ws(make_histogram: Make) -> HistogramWorkspace:
    """Five spectra numbered 11 to 15 with detectors 10 to 14; counts 1, 2, 4, 8, 16 in the first bin."""
    spectra = Spectra([11, 12, 13, 14, 15], [10, 11, 12, 13, 14])
    return make_histogram(X, [[2**i, 1] for i in range(5)], [[1, 1]] * 5, spectra=spectra)


def first_bins(ws: Any) -> list[float]:
    return [float(value) for value in ws.y[:, 0]]


@pytest.mark.parametrize(
    "chosen", [{"spectra_list": [12, 14]}, {"detector_list": [11, 13]}, {"workspace_index_list": [1, 3]}]
)
def test_a_list_makes_one_group_with_the_smallest_number(ws: HistogramWorkspace, chosen: dict[str, Any]) -> None:
    result = group_detectors(ws, **chosen)
    assert result.y.tolist() == [[10, 2]]
    assert result.e[0] == pytest.approx(np.sqrt([2, 2]))
    assert result.getSpectrumNumbers() == [12]
    assert result.getSpectrum(0).getDetectorIDs() == [11, 13]


def test_other_spectra_follow_if_they_are_kept(ws: HistogramWorkspace) -> None:
    result = group_detectors(ws, workspace_index_list=[1, 3], keep_ungrouped_spectra=True)
    assert first_bins(result) == [10, 1, 4, 16]
    assert result.getSpectrumNumbers() == [12, 11, 13, 15]


def test_an_average_divides_by_the_number(ws: HistogramWorkspace) -> None:
    result = group_detectors(ws, workspace_index_list=[0, 1, 3], behaviour="Average")
    assert result.y[0] == pytest.approx([11 / 3, 1])
    assert result.e[0] == pytest.approx([np.sqrt(3) / 3] * 2)


def test_masked_spectra_do_not_count(ws: HistogramWorkspace) -> None:
    masked = ws.replaced(spectra=ws.spectra.with_masked([False, True, False, True, False]))
    result = group_detectors(masked, grouping_pattern="0-2,1+3", behaviour="Average")
    assert first_bins(result) == [2.5, 0]
    assert result.spectra.masked.tolist() == [False, True]


def test_a_spectrum_listed_twice_counts_twice_and_is_warned_of(
    ws: HistogramWorkspace, make_events: MakeEvents, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert first_bins(group_detectors(ws, workspace_index_list=[1, 1, 2])) == [8]
    assert "listed more than once" in caplog.text
    events = make_events([0.5], [0.1, 0.2], edges=X)
    assert group_detectors(events, workspace_index_list=[1, 1, 0]).y.tolist() == [[5, 0]]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("0-2", [7]),
        ("0+4", [17]),
        ("0-1,3+4", [3, 24]),
        ("2:4", [4, 8, 16]),
        ("0+1+3-4, 2", [27, 4]),
        ("0-1,1-2", [3, 6]),
    ],
)
def test_patterns_join_and_separate_workspace_indices(
    ws: HistogramWorkspace, make_events: MakeEvents, pattern: str, expected: list[int]
) -> None:
    assert first_bins(group_detectors(ws, grouping_pattern=pattern)) == expected
    events = make_events(*([0.5] * 2**i for i in range(5)), edges=X)
    result = group_detectors(events, grouping_pattern=pattern)
    assert isinstance(result, EventWorkspace)
    assert first_bins(result) == expected


def test_a_map_gives_groups_of_spectrum_numbers(ws: HistogramWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "two.map"
    path.write_text("# a comment\n2\n7  # its own number\n3\n11-12 15\n5\n1\n13\n")
    result = group_detectors(ws, map_file=path)
    assert first_bins(result) == [19, 4]
    assert result.getSpectrumNumbers() == [1, 2]
    assert result.getSpectrum(0).getDetectorIDs() == [10, 11, 14]
    own = group_detectors(ws, map_file=path, ignore_group_number=False)
    assert (first_bins(own), own.getSpectrumNumbers()) == ([19, 4], [7, 5])
    kept = group_detectors(ws, map_file=path, keep_ungrouped_spectra=True)
    assert first_bins(kept) == [19, 4, 8]


@pytest.mark.parametrize("stated", [1, 9])
def test_a_map_that_says_a_wrong_number_of_groups_is_warned_of(
    ws: HistogramWorkspace, tmp_path: Path, caplog: pytest.LogCaptureFixture, stated: int
) -> None:
    path = tmp_path / "two.map"
    path.write_text(f"{stated}\n1\n3\n11-12 15\n2\n1\n13\n")
    assert first_bins(group_detectors(ws, map_file=path)) == [19, 4]
    assert f"it says it has {stated} groups, but has 2" in caplog.text


def test_groups_have_spectrum_numbers_on_the_vertical_axis(make_histogram: Make) -> None:
    ws = make_histogram([0, 1], [[1], [2], [3]], vertical=NumericAxis.of([0.5, 1.5, 2.5], "Wavelength"))
    result = group_detectors(ws, workspace_index_list=[0, 2])
    assert result.getAxis(1).isSpectra()
    assert result.getAxis(1).extractValues().tolist() == [1]


def test_a_map_of_a_spectrum_that_is_not_there_is_an_error(ws: HistogramWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "bad.map"
    path.write_text("1\n1\n2\n11 99\n")
    with pytest.raises(ValueError, match=r"GroupDetectors: MapFile: .*99"):
        group_detectors(ws, map_file=path)
    path.write_text("one\n")
    with pytest.raises(RuntimeError, match="not a grouping map"):
        group_detectors(ws, map_file=path)
    with pytest.raises(ValueError, match="there is no file"):
        group_detectors(ws, map_file=tmp_path / "nowhere.map")


def test_an_xml_file_groups_detectors_and_missing_ones_are_warned_of(
    ws: HistogramWorkspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "groups.xml"
    path.write_text(
        '<detector-grouping><group ID="4"><detids val="10,12-13"/></group>'
        '<group ID="2"><detids val="14,777"/></group></detector-grouping>'
    )
    with caplog.at_level(logging.WARNING):
        result = group_detectors(ws, map_file=path)
    assert first_bins(result) == [16, 13]
    assert result.getSpectrumNumbers() == [2, 4]
    assert "777" in caplog.text


def test_a_map_groups_spectra_without_detectors_too(make_histogram: Make, tmp_path: Path) -> None:
    path = tmp_path / "one.map"
    path.write_text("1\n1\n2\n1 3\n")
    ws = make_histogram(X, [[1, 1], [2, 1], [4, 1]], spectra=Spectra([1, 2, 3]))
    assert first_bins(group_detectors(ws, map_file=path)) == [5]


def test_components_of_the_instrument_can_be_grouped(tmp_path: Path) -> None:
    path = tmp_path / "banks.xml"
    path.write_text(
        '<detector-grouping><group ID="1"><component val="bank2"/></group>'
        '<group ID="2"><component val="bank1"/></group></detector-grouping>'
    )
    result = group_detectors(create_sample_workspace(bank_pixel_width=2), map_file=path)
    assert [result.getSpectrum(i).getDetectorIDs() for i in (0, 1)] == [[8, 9, 10, 11], [4, 5, 6, 7]]


def test_a_grouping_workspace_says_the_group_of_each_detector(ws: HistogramWorkspace, make_histogram: Make) -> None:
    grouping = make_histogram([0, 1], [[2], [1], [2], [0]], spectra=Spectra([1, 2, 3, 4], [14, 13, 12, 11]))
    result = group_detectors(ws, copy_grouping_from_workspace=grouping)
    assert first_bins(result) == [8, 20]
    assert result.getSpectrumNumbers() == [1, 2]


def test_exactly_one_way_of_grouping_must_be_given(ws: HistogramWorkspace) -> None:
    with pytest.raises(ValueError, match=r"give exactly one of .*; found none"):
        group_detectors(ws)
    with pytest.raises(ValueError, match="found GroupingPattern, SpectraList"):
        group_detectors(ws, grouping_pattern="0", spectra_list=[11])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"spectra_list": [99]}, "there is no spectrum number 99"),
        ({"detector_list": [99]}, "no spectrum has detector 99"),
        ({"workspace_index_list": [5]}, "workspace index 5 is not in 0 to 4"),
        ({"grouping_pattern": "0-9"}, "workspace index 5 is not in 0 to 4"),
        ({"grouping_pattern": "a"}, "GroupingPattern: cannot read 'a'"),
        ({"grouping_pattern": "3-1"}, "GroupingPattern: expected a rising range such as 4-7, found '3-1'"),
        ({"grouping_pattern": "3:1"}, "the grouping has no groups"),
    ],
)
def test_spectra_that_are_not_there_cannot_be_grouped(
    ws: HistogramWorkspace, chosen: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="GroupDetectors: ") as caught:
        group_detectors(ws, **chosen)
    assert message in str(caught.value)


def test_events_and_their_histogram_are_grouped_alike(random_events: EventWorkspace) -> None:
    for options in ({"behaviour": "Sum"}, {"behaviour": "Average"}):
        by_events = group_detectors(random_events, grouping_pattern="0-1,3", **options)  # type: ignore[arg-type]
        by_histogram = group_detectors(random_events.to_histogram(), grouping_pattern="0-1,3", **options)  # type: ignore[arg-type]
        assert isinstance(by_events, EventWorkspace)
        np.testing.assert_allclose(by_events.y, by_histogram.y)
        np.testing.assert_allclose(by_events.e, by_histogram.e)
    not_preserved = group_detectors(random_events, grouping_pattern="0-1,3", preserve_events=False)
    assert isinstance(not_preserved, HistogramWorkspace)


def test_events_weighted_by_spectrum_are_grouped_as_a_histogram(make_events: MakeEvents, make_histogram: Make) -> None:
    events = multiply(make_events([0.5], [0.5], edges=X), make_histogram([0, 2], [[10], [100]], [[0], [0]]))
    assert group_detectors(events, workspace_index_list=[0, 1]).y.tolist() == [[110, 0]]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("behaviour", ["Sum", "Average"])
@pytest.mark.parametrize("keep", [False, True])
def test_groups_by_chance_are_those_of_slow_numpy(
    make_events: MakeEvents, seed: int, behaviour: Any, keep: bool
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    times = [rng.integers(0, 40, rng.integers(0, 12)) / 10 for _ in range(n)]
    masked, group = rng.random(n) < 0.25, np.append(rng.integers(0, 4, n - 1), 1)
    ids = np.arange(10, 10 + n)
    numbers = Spectra(rng.permutation(n) + 1, ids, masked=masked)
    events = make_events(*[t.tolist() for t in times], edges=[0.0, 1.0, 2.0, 4.0], spectra=numbers)
    grouping = HistogramWorkspace([0.0], group[:, None].astype(float), spectra=Spectra(np.arange(n), ids))
    counts = np.array([[np.sum((t >= a) & (t < b)) for a, b in ((0, 1), (1, 2), (2, 4))] for t in times], float)
    y, e2 = [], []
    for number in sorted(set(group[group > 0].tolist())):
        members = np.flatnonzero((group == number) & ~masked)
        share = max(len(members), 1) if behaviour == "Average" else 1
        y.append(counts[members].sum(axis=0) / share)
        e2.append(counts[members].sum(axis=0) / share**2)
    if keep:
        alone = np.flatnonzero(group == 0)
        y += list(np.where(masked[alone, None], 0.0, counts[alone]))
        e2 += list(np.where(masked[alone, None], 0.0, counts[alone]))
    for ws in (events, events.to_histogram()):
        result = group_detectors(
            ws, copy_grouping_from_workspace=grouping, keep_ungrouped_spectra=keep, behaviour=behaviour
        )
        np.testing.assert_allclose(result.y, y)
        np.testing.assert_allclose(result.e2, e2)
