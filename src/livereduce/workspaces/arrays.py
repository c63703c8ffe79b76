"""Arrays as values: frozen, compared by content, or growing at the end.

Everything that crosses a border in this package is an array nobody can write to. `frozen` makes one without copying
where that is safe, `Column` makes one comparable (plans are compared at every update), `GrowingArray` holds what is
only ever appended to.
"""

from __future__ import annotations

import hashlib
from typing import Any, Self

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
U32 = npt.NDArray[np.uint32]
Bool = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]


def root_of(array: AnyArray) -> AnyArray:
    """Return the array that owns the memory behind a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def frozen(values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> AnyArray:
    """Return a C-contiguous array with these values that nobody else can write to.

    An array that owns its memory is **taken over**: it becomes read-only itself. A view is shared if the memory behind
    it is read-only already and copied otherwise, so a workspace never depends on memory somebody may still change.
    """
    array = np.ascontiguousarray(values, dtype) if np.ndim(values) else np.asarray(values, dtype)
    root = root_of(array)
    if root is not array and root.flags.writeable:
        array = array.copy()
    array.flags.writeable = False
    return array


def kept(values: npt.ArrayLike, dtype: npt.DTypeLike) -> AnyArray:
    """Return these values as an array nobody can write to: shared if nobody can already, else a copy."""
    array = np.asarray(values, dtype)
    return frozen(array if not root_of(array).flags.writeable else array.copy(), dtype)


def read_only(array: AnyArray) -> AnyArray:
    """Return a view nobody can write through. Kernels get all input like this: each then has one compiled form."""
    view = array.view()
    view.flags.writeable = False
    return view


class Rows(np.ndarray[Any, np.dtype[np.float64]]):
    """X, Y or E of a workspace's spectra: an array that gives the row of one spectrum when it is called.

    So ``ws.y`` is all values, and ``ws.y(0)`` those of a spectrum, as scripts for Mantid ask for them. What is computed
    of such an array is a plain one.
    """

    __array_priority__ = -1.0
    _n_spectra: int

    @classmethod
    def of(cls, array: F64, n_spectra: int) -> Self:
        """Show an array, which is a row for each spectrum or one row for all, so; read-only if it is."""
        rows = array.view(cls)
        rows._n_spectra = n_spectra
        return rows

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Return what numpy has computed as a plain array or number."""
        return array[()] if return_scalar else np.asarray(array)

    def __call__(self, index: int) -> F64:
        """Return the row of a spectrum."""
        if not 0 <= index < self._n_spectra:
            raise IndexError(f"workspace index {index} is not in 0 to {self._n_spectra - 1}")
        plain: F64 = np.asarray(self)
        return plain if plain.ndim == 1 else plain[index]


class Column:
    """A read-only array with equality and hash by content: what plans are made of."""

    __slots__ = ("_digest", "values")

    def __init__(self, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> None:
        self.values: AnyArray = frozen(values, dtype)
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """16 bytes that identify dtype, shape and content."""
        if self._digest is None:
            head = f"{self.values.dtype.str}{self.values.shape}".encode()
            content = self.values.reshape(-1).view(np.uint8)
            self._digest = hashlib.blake2b(content.data, digest_size=16).digest() + head
        return self._digest

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Column):
            return NotImplemented
        if self.values is other.values:
            return True
        return self.values.shape == other.values.shape and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Column({self.values.dtype}, shape={self.values.shape})"


class GrowingArray:
    """One-dimensional array that grows at its end by doubling; what was handed out never changes."""

    __slots__ = ("_buffer", "n")

    def __init__(self, dtype: npt.DTypeLike, capacity: int = 16) -> None:
        self._buffer: AnyArray = np.empty(capacity, dtype)
        self.n = 0

    def append(self, values: AnyArray) -> None:
        """Add values at the end; amortised cost is that of the new values."""
        n = self.n + len(values)
        if n > len(self._buffer):
            grown = np.empty(max(n, 2 * len(self._buffer)), self._buffer.dtype)
            grown[: self.n] = self._buffer[: self.n]
            self._buffer = grown
        self._buffer[self.n : n] = values
        self.n = n

    def view(self, n: int | None = None) -> AnyArray:
        """Return the first n values (default: all) as a read-only view."""
        view = self._buffer[: self.n if n is None else n]
        view.flags.writeable = False
        return view

    @property
    def nbytes(self) -> int:
        """Bytes reserved, including room to grow."""
        return self._buffer.nbytes
