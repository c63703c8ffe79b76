"""Rotations and spherical coordinates as the instrument definitions mean them.

Rotations are right-handed and active, 3 x 3 matrices that act on column vectors; angles are in degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

IDENTITY: Floats = np.eye(3)
IDENTITY.setflags(write=False)


def rotation(angle: ArrayLike, axis: ArrayLike) -> Floats:
    """Rotation by `angle` degrees about `axis` (any length but zero): float64[..., 3, 3] for angles [...].

    Rodrigues' formula, R = 1 + sin(a) K + (1 - cos(a)) K K with K the cross product matrix of the unit axis.
    """
    unit = np.asarray(axis, dtype=np.float64)
    unit = unit / np.linalg.norm(unit)
    x, y, z = unit
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    radians = np.radians(np.asarray(angle, dtype=np.float64))[..., None, None]
    result: Floats = IDENTITY + np.sin(radians) * cross + (1.0 - np.cos(radians)) * (cross @ cross)
    return result


def cartesian(spherical: ArrayLike) -> Floats:
    """(r, theta, phi)[..., 3] in metres and degrees to (x, y, z): theta from +z, phi from +x about +z."""
    triple = np.asarray(spherical, dtype=np.float64)
    r, theta, phi = triple[..., 0], np.radians(triple[..., 1]), np.radians(triple[..., 2])
    return np.stack([r * np.sin(theta) * np.cos(phi), r * np.sin(theta) * np.sin(phi), r * np.cos(theta)], axis=-1)


def turn_z_to(direction: Floats) -> Floats:
    """Smallest rotation that takes +z to the unit vector `direction`; half a turn about y when it is -z."""
    x, y, cosine = direction
    if np.hypot(x, y) < 1e-12:
        return IDENTITY if cosine > 0 else np.diag([-1.0, 1.0, -1.0])
    # z cross direction = (-y, x, 0)
    cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    result: Floats = IDENTITY + cross + cross @ cross / (1.0 + cosine)
    return result
