"""Vectors and places; expected numbers by hand."""

import numpy as np
import pytest

from livereduce.workspaces import Detectors, HistogramWorkspace, Spectra
from livereduce.workspaces.instrument_view import V3D

A, B = V3D(1, 2, 2), V3D(0, 3, -4)


def test_a_vector_gives_its_components_in_every_way() -> None:
    assert (A.X(), A.Y(), A.Z()) == (A.getX(), A.getY(), A.getZ()) == (A.x, A.y, A.z) == (1, 2, 2)
    assert (A[0], A[2], len(A), list(A)) == (1, 2, 3, [1, 2, 2])
    assert np.array(A).tolist() == [1, 2, 2]
    assert V3D() == V3D(0, 0, 0)
    assert str(V3D(0.5, 0, -60)) == "[0.5,0,-60]"


def test_lengths_and_distances() -> None:
    assert (A.norm(), A.norm2(), B.norm()) == (3, 9, 5)
    assert A.distance(B) == pytest.approx(np.sqrt(1 + 1 + 36))


def test_products_and_angles() -> None:
    assert A.scalar_prod(B) == 6 - 8
    assert A.cross_prod(B) == V3D(2 * -4 - 2 * 3, 2 * 0 - 1 * -4, 1 * 3 - 2 * 0) == V3D(-14, 4, 3)
    assert A.angle(B) == pytest.approx(np.arccos(-2 / 15))
    assert V3D(1, 0, 0).angle(V3D(0, 0, 2)) == pytest.approx(np.pi / 2)
    assert V3D(1, 0, 0).angle(V3D(1, 1e-10, 0)) == pytest.approx(1e-10)


def test_arithmetic_of_vectors() -> None:
    assert A + B == V3D(1, 5, -2)
    assert A - B == V3D(1, -1, 6)
    assert A * 2 == 2 * A == V3D(2, 4, 4)
    assert A * B == V3D(0, 6, -8)
    assert A / 2 == V3D(0.5, 1, 1)
    assert B / V3D(1, 3, 2) == V3D(0, 1, -2)
    assert -A == V3D(-1, -2, -2)
    moved = A
    moved += B
    assert (moved, A) == (V3D(1, 5, -2), V3D(1, 2, 2))


def test_a_spectrum_is_in_the_middle_of_its_detectors() -> None:
    detectors = Detectors([7, 9], positions=[[0, 1, 2], [2, 3, 2]])
    spectra = Spectra.from_groups(np.array([1, 2, 3]), [np.array([9]), np.array([7, 9]), np.array([], np.int64)])
    info = HistogramWorkspace([0, 1], np.zeros((3, 1)), detectors=detectors, spectra=spectra).spectrumInfo()
    assert (info.position(0), info.position(1)) == (V3D(2, 3, 2), V3D(1, 2, 2))
    with pytest.raises(RuntimeError, match="the place of spectrum 2 is not known"):
        info.position(2)
