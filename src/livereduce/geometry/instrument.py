"""An instrument where everything has its place: detector ids, positions, flight paths and angles as arrays.

Covers what both kinds of geometry (instrument definitions and NeXus) end in and the quantities derived from it. Does
not read files: see `idf` and `nexus`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livereduce.geometry.components import Components, DetectorNames, Entry
from livereduce.geometry.definition import ReferenceFrame
from livereduce.geometry.document import GeometryError, Source
from livereduce.geometry.parameters import Logs
from livereduce.geometry.space import IDENTITY, Floats, cartesian

_T = TypeVar("_T", bound=np.generic)


class Model(Protocol):
    """What an instrument was made from, and can be made from again when logs change."""

    def with_logs(self, logs: Logs, present: Instrument) -> Instrument:
        """Return the instrument with these logs; `present` itself when nothing moves."""
        ...

    def with_moved(self, component: str, axis: str, expression: str, log: str) -> Instrument:
        """Return the instrument with one more parameter."""
        ...

    def with_parameters(self, source: Source) -> Instrument:
        """Return the instrument with the parameters of a separate file."""
        ...

    def parameter_texts(self, name: str) -> list[tuple[str, slice, str]]:
        """(component path, detector rows, text) of all parameters of a name, outer components first."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """A component moved by a log on top of what the definition says; see `Instrument.moved_by_log`."""

    component: str
    axis: str
    log: str = ""
    expression: str = "value"


@dataclass(frozen=True, eq=False)
class Instrument:
    """Detectors and monitors in document order, and the component tree over them. Immutable: all arrays are read-only.

    Attributes
    ----------
    ids
        int64[n] detector ids. SNS monitors have negative ones.
    positions
        float64[n, 3] in m, sample usually at the origin.
    monitor
        bool[n].
    source, sample
        float64[3] in m; None when the file has none.
    components
        Name or path to `Component`.
    names
        n detector names.
    needed_logs, missing_logs
        Logs that move something, and those of them that have given no value yet. While one is missing its component
        stands where it would without the parameter.
    warnings
        What was ignored or doubtful, for people.
    definition
        Text of the instrument definition (XML) it was read from, without a separate parameter file; "" if from none.
    """

    name: str
    ids: NDArray[np.int64]
    positions: Floats
    monitor: NDArray[np.bool_]
    source: Floats | None
    sample: Floats | None
    components: Components
    frame: ReferenceFrame = field(default_factory=ReferenceFrame)
    needed_logs: tuple[str, ...] = ()
    missing_logs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    model: Model | None = field(default=None, repr=False)
    definition: str = field(default="", repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        missing = f", missing logs {list(self.missing_logs)}" if self.missing_logs else ""
        return f"<Instrument {self.name!r}: {len(self)} detectors, {int(self.monitor.sum())} of them monitors{missing}>"

    @cached_property
    def names(self) -> Sequence[str]:
        """Names of the detectors, in the order of `ids`."""
        return DetectorNames(self.components.entries)

    @cached_property
    def l1(self) -> float:
        """Distance from source to sample in m; nan when either is missing."""
        if self.source is None or self.sample is None:
            return float("nan")
        return float(np.linalg.norm(self.sample - self.source))

    @cached_property
    def l2(self) -> Floats:
        """float64[n] m such that l1 + l2 is the flight path: for a detector its distance from the sample.

        For a monitor the distance from the source less l1, negative upstream of the sample.
        """
        if self.sample is None:
            return frozen(np.full(len(self), np.nan))
        result = np.linalg.norm(self.positions - self.sample, axis=1)
        if self.source is None:
            result[self.monitor] = np.nan
        else:
            result[self.monitor] = np.linalg.norm(self.positions[self.monitor] - self.source, axis=1) - self.l1
        return frozen(result)

    @cached_property
    def two_theta(self) -> Floats:
        """float64[n] rad, angle between beam and scattered beam; 0 for monitors, where it is not defined.

        Computed as atan2(|beam x out|, beam . out): the arc cosine loses digits near 0 and pi.
        """
        if self.sample is None:
            return frozen(np.full(len(self), np.nan))
        beam, out = self.beam, self.positions - self.sample
        across = np.sqrt(sum(_cross(beam, out, axis) ** 2 for axis in range(3)))
        angle = np.arctan2(across, out @ beam)
        angle[self.monitor] = 0.0
        return frozen(angle)

    @cached_property
    def signed_two_theta(self) -> Floats:
        """`two_theta`, negative where the detector lies on the other side of the beam than the theta-sign axis."""
        if self.sample is None:
            return self.two_theta
        side = np.cross(self.beam, self.frame.axis("theta_sign"))
        # (beam x out) . (beam x axis) by the triple product, without an n x 3 intermediate
        out = self.positions - self.sample
        below = out @ np.cross(side, self.beam) < 0.0
        return frozen(np.where(below, -self.two_theta, self.two_theta))

    @cached_property
    def azimuth(self) -> Floats:
        """float64[n] rad: angle about the beam, from the horizontal axis towards up; (x, y, z) with z the beam."""
        if self.sample is None:
            return frozen(np.full(len(self), np.nan))
        along = self.frame.axis("along_beam")
        up = self.frame.axis("up")
        sideways = np.cross(up, along)
        if self.frame.handedness == "left":
            sideways = -sideways
        out = self.positions - self.sample
        return frozen(np.arctan2(out @ up, out @ sideways))

    @property
    def beam(self) -> Floats:
        """Unit vector from source to sample; the frame's axis when the distance is not known."""
        if self.source is None or self.sample is None or self.l1 == 0.0:
            return self.frame.axis("along_beam")
        return frozen((self.sample - self.source) / self.l1)

    def rows_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Rows of detector ids, -1 where the instrument has no such id."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not len(self):
            return np.full(wanted.shape, -1, dtype=np.int64)
        order, ordered = self._order
        at = np.minimum(np.searchsorted(ordered, wanted), len(order) - 1)
        return np.where(ordered[at] == wanted, order[at], -1)

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.ids, kind="stable")
        return order, self.ids[order]

    def with_logs(self, logs: Logs) -> Instrument:
        """Return the instrument after these logs arrived; logs not named keep their earlier values.

        Only what hangs below a component whose value changed is computed again; when nothing moves the result is
        this same object.

        Parameters
        ----------
        logs
            Log name to a number, or to (times int64[m] in ns, values float64[m]).
        """
        return self if self.model is None else self.model.with_logs(logs, self)

    def moved_by_log(self, component: str, axis: str, expression: str, log: str = "") -> Instrument:
        """Return the instrument with `component` moved by a log, on top of what its definition says.

        For instruments whose definition leaves the detector at the origin and where reduction moves it (EQ-SANS).

        Parameters
        ----------
        component
            Name or path.
        axis
            What the expression gives: x, y, z, r-position, t-position, p-position (m, degrees, relative to the parent
            component) or rotx, roty, rotz (degrees).
        expression
            Formula of ``value``, for instance ``value/1000`` for a log in mm; a number when there is no log.
        log
            Name of the log; empty for a fixed place.

        Raises
        ------
        GeometryError
            There is no such component or axis, or the expression cannot be read.
        """
        if self.model is None:
            raise GeometryError(f"{self.name}: this geometry is a plain list of positions; nothing in it can be moved")
        return self.model.with_moved(component, axis, expression, log)

    def with_parameters(self, source: Source) -> Instrument:
        """Return the instrument with the parameters of a separate file (``<NAME>_Parameters.xml``), path or text.

        They beat those of the definition. Final energies of analysers (``Efixed``) mostly stand in such a file.

        Raises
        ------
        GeometryError
            The file cannot be read or used.
        """
        if self.model is None:
            raise GeometryError(f"{self.name}: this geometry is a plain list of positions; it has no parameters")
        return self.model.with_parameters(source)

    def parameter(self, name: str) -> Floats:
        """float64[n] of a numeric parameter (in any case) by detector, inherited from above; nan where unset.

        Raises
        ------
        GeometryError
            A value is not a number.
        """
        result = np.full(len(self), np.nan)
        for path, rows, text in self.model.parameter_texts(name) if self.model else ():
            try:
                result[rows] = float(text)
            except ValueError as error:
                raise GeometryError(f"parameter {name!r} of {path!r} is {text!r}, not a number") from error
        return frozen(result)

    def parameter_text(self, name: str) -> str | None:
        """Text of a parameter of the whole instrument (``deltaE-mode``); None when it is not set."""
        texts = self.model.parameter_texts(name) if self.model else []
        return next((text for path, _, text in reversed(texts) if "/" not in path), None)


def instrument_from_flight_paths(
    name: str, ids: ArrayLike, l2: ArrayLike, two_theta: ArrayLike, monitor: ArrayLike, l1: float
) -> Instrument:
    """Make an instrument of which only distances and angles are known, as an ISIS DAE gives them.

    Parameters
    ----------
    ids
        int[n].
    l2, two_theta
        float[n] m and rad. The azimuth is not known; detectors are put into the horizontal plane.
    monitor
        bool[n].
    l1
        m.

    Raises
    ------
    GeometryError
        The arrays differ in length, or an id is used twice.
    """
    numbers = np.array(ids, dtype=np.int64)
    arrays = [np.asarray(a, dtype=np.float64) for a in (l2, two_theta)]
    monitors = np.array(monitor, dtype=np.bool_)
    if {a.shape for a in (*arrays, monitors)} != {(len(numbers),)}:
        raise GeometryError(f"{name}: ids, l2, two_theta and monitor must have one length, {len(numbers)} as the ids")
    if len(np.unique(numbers)) != len(numbers):
        raise GeometryError(f"{name}: a detector id is used twice")
    positions = cartesian(np.stack([arrays[0], np.degrees(arrays[1]), np.zeros(len(numbers))], axis=1))
    return instrument_from_positions(name, numbers, positions, monitors, np.array([0.0, 0.0, -l1]), np.zeros(3))


def instrument_from_positions(
    name: str,
    ids: NDArray[np.int64],
    positions: Floats,
    monitor: NDArray[np.bool_],
    source: Floats,
    sample: Floats | None,
) -> Instrument:
    """Make an instrument that is a list of detectors; the arrays, as `Instrument` has them, become read-only."""
    entry = Entry(name, -1, 0, len(ids), 1, leaves=[f"detector {number}" for number in ids.tolist()])
    return Instrument(
        name=name,
        ids=frozen(ids),
        positions=frozen(positions),
        monitor=frozen(monitor),
        source=frozen(source),
        sample=None if sample is None else frozen(sample),
        components=Components([entry], ids, positions, frozen(np.zeros((1, 3))), IDENTITY[None]),
    )


def _cross(a: Floats, b: Floats, axis: int) -> Floats:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    result: Floats = a[i] * b[:, j] - a[j] * b[:, i]
    return result


def frozen(array: NDArray[_T]) -> NDArray[_T]:
    """Return the same array, from now on read-only."""
    array.setflags(write=False)
    return array
