"""Pixels of a NeXus detector: their numbers and centres in the frame of the detector, however it gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.document import LARGEST, GeometryError
from livereduce.geometry.nexus_tree import NexusNode
from livereduce.geometry.space import Floats, cartesian
from livereduce.geometry.transformations import angle_scale, length_scale

_ID_NAMES = ("detector_number", "detector_id", "pixel_id", "monitor_number")


def pixel_ids(node: NexusNode) -> NDArray[np.int64] | None:
    """Detector numbers in the file's own shape, at least one-dimensional; None when it gives none."""
    for name in _ID_NAMES:
        found = node.at(name)
        values = None if found is None else found.value()
        if values is not None:
            whole = values.dtype.kind in "iu" or (
                values.dtype.kind == "f" and np.all(np.abs(values) < 2**53) and np.array_equal(values, np.floor(values))
            )
            if not whole:
                raise GeometryError(f"{node.path}/{name}: {values.dtype} values, expected whole numbers")
            return np.atleast_1d(values.astype(np.int64))
    return None


def pixel_offsets(node: NexusNode, ids: NDArray[np.int64], warnings: list[str]) -> Floats:
    """Pixel centres float64[k, 3] from x, y, z_pixel_offset; on a grid of (ny, nx) x and y may be rows."""
    shape = ids.shape
    pixels = np.zeros((*shape, 3))
    offsets = [lengths(node, f"{axis}_pixel_offset") for axis in "xyz"]
    if all(offset is None for offset in offsets):
        faces = face_centres(node)
        if faces is not None:
            return _in_order_of(ids, faces, node)
        if pixels.size > 3:
            warnings.append(f"{node.path}: {pixels.size // 3} pixels without offsets all stand in one place")
    for axis, offset in enumerate(offsets):
        if offset is None:
            continue
        if len(shape) == 2 and axis == 1 and offset.shape == shape[:1]:
            offset = offset[:, None]  # y is the slow axis of (ny, nx)
        elif offset.size == 1:
            offset = offset.reshape(())
        elif offset.shape != shape and not (len(shape) == 2 and axis == 0 and offset.shape == shape[1:]):
            name = f"{'xyz'[axis]}_pixel_offset"
            raise GeometryError(f"{node.path}/{name} has shape {offset.shape} for detector numbers of shape {shape}")
        pixels[..., axis] = offset
    return pixels.reshape(-1, 3)


def lengths(node: NexusNode, name: str) -> Floats | None:
    """Values of a dataset in m; None when it is not there."""
    found = node.at(name)
    values = None if found is None else found.value()
    if found is None or values is None:
        return None
    return _floats(found, values) * length_scale(found)


def _floats(node: NexusNode, values: NDArray[Any]) -> Floats:
    try:
        found = values.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise GeometryError(f"{node.path}: {values.dtype} values, expected numbers") from error
    if not found.size or not np.all(np.abs(found) <= LARGEST):
        raise GeometryError(f"{node.path}: no values, or some that are not finite or absurdly large")
    return found


def polar_places(node: NexusNode, shape: tuple[int, ...] | None) -> Floats | None:
    """Places from distance, polar_angle and azimuthal_angle; None without a distance."""
    distance = lengths(node, "distance")
    if distance is None:
        return None
    angles = []
    for name in ("polar_angle", "azimuthal_angle"):
        found = node.at(name)
        values = None if found is None else found.value()
        angles.append(np.zeros(()) if found is None or values is None else _floats(found, values) * angle_scale(found))
    columns = [column.reshape(()) if column.size == 1 else column for column in (distance, *angles)]
    whole = () if shape is None else shape
    try:
        columns = [np.asarray(c) for c in np.broadcast_arrays(*columns, np.zeros(whole))[:3]]
    except ValueError as error:
        raise GeometryError(f"{node.path}: distance and angles do not fit together: {error}") from error
    if shape is not None and columns[0].shape != shape:
        raise GeometryError(
            f"{node.path}: distance and angles of shape {columns[0].shape} for {shape} detector numbers"
        )
    return cartesian(np.stack([column.reshape(-1) for column in columns], axis=-1))


def face_centres(node: NexusNode) -> tuple[NDArray[np.int64], Floats] | None:
    """Ids and centres of pixels that are faces of one shape (NXoff_geometry with ``detector_faces``)."""
    shape = node.at("detector_shape")
    parts = {}
    for name in ("vertices", "faces", "winding_order", "detector_faces"):
        found = None if shape is None else shape.at(name)
        values = None if found is None else found.value()
        if shape is None or found is None or values is None:
            return None
        parts[name] = _floats(found, values)
        if name == "vertices":
            parts[name] = parts[name] * length_scale(found)
    try:
        with np.errstate(invalid="raise"):
            order, starts, pairs = (
                parts[name].astype(np.int64) for name in ("winding_order", "faces", "detector_faces")
            )
        return _mean_of_faces(parts["vertices"], order.reshape(-1), starts.reshape(-1), pairs.reshape(-1, 2))
    except (IndexError, ValueError, FloatingPointError) as error:
        raise GeometryError(f"{node.path}/detector_shape: faces and vertices do not fit together: {error}") from error


def _mean_of_faces(
    vertices: Floats, order: NDArray[np.int64], starts: NDArray[np.int64], pairs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Floats]:
    """Ids, and the mean over their faces of the mean over each face's corners."""
    if not len(pairs) or min(order.min(), starts.min(), pairs[:, 0].min()) < 0:
        raise ValueError("a negative index, or no face at all")
    sizes = np.diff(np.append(starts, len(order)))
    if sizes.min() < 1:
        raise ValueError("a face without corners")
    centres = np.add.reduceat(vertices[order], starts, axis=0) / sizes[:, None]
    ids, which = np.unique(pairs[:, 1], return_inverse=True)
    total = np.zeros((len(ids), 3))
    np.add.at(total, which, centres[pairs[:, 0]])
    return ids, total / np.bincount(which)[:, None]


def _in_order_of(ids: NDArray[np.int64], faces: tuple[NDArray[np.int64], Floats], node: NexusNode) -> Floats:
    wanted = ids.reshape(-1)
    at = np.minimum(np.searchsorted(faces[0], wanted), len(faces[0]) - 1)
    if not np.array_equal(faces[0][at], wanted):
        raise GeometryError(f"{node.path}: detector_faces do not cover all of its detector numbers")
    return faces[1][at]
