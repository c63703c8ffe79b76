import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.geometry import instrument_from_flight_paths
from livereduce.workspaces import Detectors, Spectra, SpectrumGeometry
from livereduce.workspaces.detectors import as_pixels


def test_ids_are_found_by_dense_index_and_unknown_ones_are_minus_one() -> None:
    detectors = Detectors([10, -1, 7, 4_000_000_000])
    assert detectors.index_of([7, 10, -1, 8, 4_000_000_000]).tolist() == [2, 0, 1, -1, 3]
    assert Detectors([]).index_of([1]).tolist() == [-1]


@pytest.mark.parametrize("offset", [0, 1000, 0xFFFFFF00 - 60])
@pytest.mark.parametrize("far", [False, True])
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1)), max_size=60),
    st.lists(st.integers(0, 60), max_size=10),
)
def test_mapping_events_keeps_those_of_known_detectors_in_their_pulses(
    offset: int, far: bool, events: list[tuple[int, int]], cuts: list[int]
) -> None:
    known = [offset + i for i in range(0, 40, 3)] + ([1, 0xFFFFFFF0] if far else [])
    ids = [offset + i for i, _ in events]
    start = np.sort(np.array([0, *(min(c, len(ids)) for c in cuts), len(ids)]))
    detectors = Detectors(known)
    assert (len(detectors._lookup) == 0) == far
    found = detectors.map_events(np.arange(len(ids), dtype=np.uint32), np.array(ids, np.uint32), start.astype(np.int64))
    kept = [k for k, i in enumerate(ids) if i in known]
    assert found.tof.tolist() == kept
    assert found.pix.tolist() == [known.index(ids[k]) for k in kept]
    assert found.unmapped == len(ids) - len(kept)
    assert found.start.tolist() == [sum(k < s for k in kept) for s in start]


def test_a_negative_id_of_a_monitor_is_never_taken_for_a_large_pixel_id() -> None:
    detectors = Detectors([5, -1], [False, True])
    found = detectors.map_events(
        np.zeros(2, np.uint32), np.array([5, 0xFFFFFFFF], np.uint32), np.array([0, 2], np.int64)
    )
    assert found.pix.tolist() == [0]
    assert found.unmapped == 1


def test_starts_that_do_not_fit_the_events_are_refused() -> None:
    with pytest.raises(ValueError, match="starts must rise from 0 to 2"):
        Detectors([1]).map_events(np.zeros(2, np.uint32), np.ones(2, np.uint32), np.array([0, 3], np.int64))


def test_an_id_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="detector ID 3 occurs more than once"):
        Detectors([1, 3, 2, 3])
    with pytest.raises(ValueError, match="1 values of l2 for 2 detector IDs"):
        Detectors([1, 2], l2=[1.0])


def test_detectors_of_an_instrument_have_its_ids_and_flight_paths() -> None:
    instrument = instrument_from_flight_paths(
        "X", [11, 12, 13], [1.0, 2.0, -1.5], [0.5, 1.0, 0.0], [False, False, True], l1=10.0
    )
    detectors = Detectors.from_instrument(instrument)
    assert detectors.ids.tolist() == [11, 12, 13]
    assert detectors.monitor.tolist() == [False, False, True]
    assert detectors.l1 == pytest.approx(10.0)
    assert detectors.l2 is not None
    assert detectors.l2.tolist() == pytest.approx([1.0, 2.0, -1.5])
    assert detectors.instrument is instrument


def test_geometry_of_a_spectrum_is_the_mean_over_its_detectors() -> None:
    detectors = Detectors([1, 2, 3], l1=10.0, l2=[1.0, 2.0, 4.0], two_theta=[0.1, 0.3, 0.5])
    spectra = Spectra.from_groups([1, 2, 3, 4], [[1, 3], [2], [], [99]])
    geometry = spectra.geometry_from(detectors)
    assert geometry.l1 == 10.0
    assert geometry.l2.tolist() == pytest.approx([2.5, 2.0, np.nan, np.nan], nan_ok=True)
    assert geometry.two_theta.tolist() == pytest.approx([0.3, 0.3, np.nan, np.nan], nan_ok=True)


def test_geometry_that_was_set_comes_before_that_of_the_detectors() -> None:
    spectra = Spectra([1, 2]).with_geometry(SpectrumGeometry(5.0, np.array([1.0, 2.0]), np.array([0.1, 0.2])))
    assert spectra.geometry_from(Detectors([])).l2.tolist() == [1.0, 2.0]
    assert spectra.take([1]).geometry_from(Detectors([])).l2.tolist() == [2.0]
    assert np.isnan(Spectra([1]).geometry_from(Detectors([])).l1)


def test_spectra_are_taken_in_any_order_with_ids_and_mask() -> None:
    spectra = Spectra.from_groups([5, 6, 7], [[1, 2], [], [3]]).with_masked([True, False, False])
    taken = spectra.take([2, 0, 1])
    assert taken.numbers.tolist() == [7, 5, 6]
    assert [taken.detector_ids(i).tolist() for i in range(3)] == [[3], [1, 2], []]
    assert taken.masked.tolist() == [False, True, False]
    assert len(spectra.take([])) == 0


def test_spectrum_numbers_are_found_by_index() -> None:
    spectra = Spectra([30, 10, 20])
    assert spectra.index_of_numbers([10, 30, 5]).tolist() == [1, 0, -1]
    assert Spectra([]).index_of_numbers([1]).tolist() == [-1]


def test_detectors_are_found_in_the_first_spectrum_that_has_them() -> None:
    spectra = Spectra.from_groups([1, 2, 3, 4], [[7, 5], [], [9], [5, 3]])
    assert spectra.owner.tolist() == [0, 0, 2, 3, 3]
    assert spectra.index_of_detectors([5, 3, 9, 7, 4, 99]).tolist() == [0, 3, 2, 0, -1, -1]
    assert Spectra([1]).index_of_detectors([1]).tolist() == [-1]


def test_pixels_of_spectra_are_their_first_detectors_and_the_others_follow() -> None:
    detectors, group = as_pixels(Spectra.from_groups([1, 2, 3, 4], [[7, 5], [], [9], [7, 3]]))
    assert detectors.ids[[0, 2]].tolist() == [7, 9]
    assert (detectors.ids[[1, 3]] < 0).all()  # one has no detector, the other none of its own
    assert detectors.ids[4:].tolist() == [3, 5]
    assert group is not None
    assert group.values.tolist() == [0, 1, 2, 3, -1, -1]
    assert as_pixels(Spectra([1, 2], [4, 6]))[1] is None


def test_a_spectrum_is_a_monitor_if_all_its_detectors_are() -> None:
    detectors = Detectors([1, 2, 3], [True, True, False])
    spectra = Spectra.from_groups([1, 2, 3, 4], [[1, 2], [1, 3], [], [77]])
    assert spectra.is_monitor(detectors).tolist() == [True, False, False, False]
    assert Spectra([1], [5]).is_monitor(Detectors([])).tolist() == [False]


def test_descriptions_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="3 detector IDs for 2 spectra need `start`"):
        Spectra([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="do not fit together"):
        Spectra([1, 2], [1, 2, 3], [0, 1, 2])


def test_detectors_take_the_place_an_instrument_gives_them_by_their_ids() -> None:
    first = instrument_from_flight_paths("X", [11, 12], [1.0, 2.0], [0.5, 1.0], [False, False], l1=10.0)
    moved = instrument_from_flight_paths("X", [11, 12], [1.5, 2.5], [0.6, 1.1], [False, False], l1=11.0)
    detectors = Detectors.from_instrument(first)
    spectra = detectors.default_spectra
    placed = detectors.placed(moved)
    assert (placed.l1, placed.instrument) == (11.0, moved)
    assert placed.l2 is not None
    assert placed.l2.tolist() == pytest.approx([1.5, 2.5])
    assert detectors.l2 is not None
    assert detectors.l2.tolist() == pytest.approx([1.0, 2.0])
    assert placed.index_of([12, 11, 13]).tolist() == [1, 0, -1]
    assert placed.ids is detectors.ids
    assert placed.default_spectra is not spectra


def test_detectors_an_instrument_does_not_know_have_no_place() -> None:
    instrument = instrument_from_flight_paths("X", [13, 11], [3.0, 1.0], [0.5, 1.0], [True, False], l1=10.0)
    placed = Detectors([11, 12, 13]).placed(instrument)
    assert placed.l2 is not None
    # a monitor's is its distance from the source less l1: by the cosine theorem
    assert placed.l2.tolist() == pytest.approx([1.0, np.nan, np.sqrt(109 + 60 * np.cos(0.5)) - 10], nan_ok=True)
    assert placed.monitor.tolist() == [False, False, True]
    assert placed.positions is not None
    assert np.isnan(placed.positions[1]).all()
    assert len(placed.default_spectra) == 2
    empty = instrument_from_flight_paths("X", [], [], [], [], l1=10.0)
    assert Detectors([11]).placed(empty).l2 is None
