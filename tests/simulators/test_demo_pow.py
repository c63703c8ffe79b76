"""The table of panels, and the IDF text made from it as the geometry room reads it."""

import numpy as np
import pytest

from livereduce.geometry import load_idf
from livereduce.simulators import demo_pow


def test_there_are_21560_pixels_with_gaps_between_the_panels_ids() -> None:
    beamline = demo_pow.beamline()
    assert len(beamline.ids) == len(set(beamline.ids.tolist())) == 21_560
    assert [bank.first_id for bank in beamline.banks] == list(range(15_000, 15_000 * 21, 15_000))
    assert {bank.size for bank in beamline.banks} == {1078}


def test_panel_centres_go_from_20_to_160_degrees_on_the_positive_x_side() -> None:
    centres = np.array([panel.centre for panel in demo_pow.panels()])
    l2 = np.linalg.norm(centres, axis=1)
    two_theta = np.rad2deg(np.arccos(centres[:, 2] / l2))
    assert two_theta == pytest.approx(np.linspace(20, 160, 20), abs=1e-3)
    assert l2 == pytest.approx(np.linspace(4.3, 2.1, 20), abs=1e-5)
    assert (centres[:, 0] > 0).all()


def test_panels_face_the_sample_and_do_not_touch_each_other() -> None:
    for panel in demo_pow.panels():
        centre = np.array(panel.centre)
        assert panel.rotation()[:, 2] == pytest.approx(centre / np.linalg.norm(centre), abs=1e-6)
    positions = [panel.positions() for panel in demo_pow.panels()]
    for i, one in enumerate(positions):
        for other in positions[i + 1 :]:
            nearest = min(np.linalg.norm(other - corner, axis=1).min() for corner in one[::50])
            assert nearest > 0.05


def test_geometry_reader_finds_every_pixel_of_the_idf_where_the_table_has_it() -> None:
    beamline = demo_pow.beamline()
    instrument = load_idf(beamline.idf)
    row = {int(i): k for k, i in enumerate(instrument.ids)}
    found = instrument.positions[[row[int(i)] for i in beamline.ids]]
    assert found == pytest.approx(demo_pow.positions(), abs=1e-5)
    assert instrument.l1 == pytest.approx(60.0)
    assert instrument.ids[instrument.monitor].tolist() == [-1]
    assert instrument.positions[row[-1]] == pytest.approx([0, 0, -1.5])
    assert len(instrument.ids) == 21_561


def test_second_pixel_of_a_panel_is_above_the_first() -> None:
    first, second, next_column = demo_pow.panels()[0].positions()[[0, 1, 7]]
    assert second - first == pytest.approx([0.0, 0.0543, 0.0], abs=1e-9)
    assert np.linalg.norm(next_column - first) == pytest.approx(0.005)


def test_solid_angles_add_up_to_what_the_panels_cover() -> None:
    """A flat panel of w × h at distance r covers 4 atan(wh / (2r √(4r² + w² + h²)))."""
    w, h = 154 * 0.005, 7 * 0.0543
    l2 = np.linspace(4.3, 2.1, 20)
    exact = 4 * np.arctan(w * h / (2 * l2 * np.sqrt(4 * l2**2 + w**2 + h**2)))
    assert demo_pow.solid_angles().reshape(20, -1).sum(axis=1) == pytest.approx(exact, rel=1e-3)


def test_outer_rows_of_a_panel_lose_30_percent() -> None:
    shading = demo_pow.tube_end_shading().reshape(-1, 7)
    assert (shading == [0.7, 1, 1, 1, 1, 1, 0.7]).all()
