"""Every algorithm that takes events and histograms gives the same values for both: a table of calls, one list each.

The histogram is made of the same events by plain numpy, in whole ticks, so it shares nothing with the code that counts.
The events are as nasty as they come: on bin edges, outside all bins, none at all, in masked spectra and in monitors,
in segments of four, in two tables, with weights of -0.5. What takes
events alone is compared with events chosen by numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms.declaration import declarations
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
    WorkspaceStore,
)

alg: Any = algorithms
SECOND = 1_000_000_000
TICKS_PER_US = 10


class Events(NamedTuple):
    """Events as lists: spectrum, time of flight in ticks of 0.1 µs, pulse (one a second), weight."""

    spectrum: np.ndarray
    ticks: np.ndarray
    pulse: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, *spectra: Iterable[float], weights: Sequence[float] = (1.0,)) -> Events:
        """Times in µs by spectrum; event k of a spectrum came in pulse k, its weight is the k-th, in turns."""
        rows = [(i, round(t * TICKS_PER_US), k, weights[k % len(weights)]) for i, s in enumerate(spectra)
                for k, t in enumerate(s)]  # fmt: skip
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        return cls(columns[0], columns[1], columns[2], columns[3].astype(float))

    def where(self, keep: np.ndarray) -> Events:
        return Events(*(column[keep] for column in self))


@dataclass(frozen=True)
class Measurement:
    """The same data twice: as an event workspace, and as a histogram that numpy made of them."""

    data: Events
    edges: np.ndarray  # µs, whole ticks; one row or one for each spectrum
    detectors: Detectors
    spectra: Spectra
    logs: dict[str, Any] = field(default_factory=dict)
    monitors: Measurement | None = None
    tick_ns: int = 100
    zero_ticks: int = 0

    def run(self) -> Run:
        run = Run()
        pulses = np.arange(8)
        run.append("proton_charge", pulses * SECOND, np.full(8, 4.5e8), "picoCoulomb")
        run.append("angle", pulses * SECOND, pulses.astype(float), "degree")
        run.set("gd_prtn_chrg", 2.0, "uA.hour")
        for name, value in self.logs.items():
            run.set(name, value)
        return run

    def events(self) -> MatrixWorkspace:
        n = len(self.spectra)
        index = self.detectors.index_of(self.spectra.ids)
        group = np.full(len(self.detectors), -1, np.int32)
        group[index] = np.repeat(np.arange(n), np.diff(self.spectra.start))
        plan = Plan(n, _column(group))
        start, several = self.spectra.start, np.diff(self.spectra.start)
        parts = []
        for weight in dict.fromkeys([*self.data.weight.tolist(), 1.0]):
            some = self.data.where(self.data.weight == weight)
            order = np.argsort(some.pulse, kind="stable")
            of_pulse = np.searchsorted(some.pulse[order], np.arange(9))
            table = EventTable(len(self.detectors), self.tick_ns, self.zero_ticks, segment_events=4)
            ticks = some.ticks[order] * (100 // self.tick_ns) + self.zero_ticks
            spectrum = some.spectrum[order]
            pixel = index[start[spectrum] + some.ticks[order] % several[spectrum]]  # one of the spectrum's detectors
            pulses = np.arange(8) * SECOND
            table.append(ticks, pixel, pulses, of_pulse, np.full(8, 4.5e8))
            middle = int(of_pulse[3])  # two parts of one table, as two chunks are
            scaled = plan.scaled(weight)
            parts += [Part(table, 0, middle, scaled), Part(table, middle, table.n, scaled)]
        monitors = None if self.monitors is None else self.monitors.events()
        return EventWorkspace(
            parts, self.detectors, self.run(), edges=self.edges, spectra=self.spectra, monitors=monitors
        )

    def histogram(self) -> MatrixWorkspace:
        ticks = np.round(np.atleast_2d(self.edges) * TICKS_PER_US).astype(np.int64)
        rows = np.broadcast_to(ticks, (len(self.spectra), ticks.shape[1]))
        y, e2 = np.zeros((2, len(rows), rows.shape[1] - 1))
        for spectrum, tick, _, weight in zip(*self.data, strict=True):
            at = np.flatnonzero((rows[spectrum][:-1] <= tick) & (tick < rows[spectrum][1:]))
            y[spectrum, at] += weight
            e2[spectrum, at] += weight**2
        monitors = None if self.monitors is None else self.monitors.histogram()
        return HistogramWorkspace(
            self.edges, y, e2, detectors=self.detectors, spectra=self.spectra, run=self.run(), monitors=monitors
        )


def _column(values: np.ndarray) -> Any:
    from livereduce.workspaces.arrays import Column

    return Column(values)


EDGES = np.array([10.0, 20.0, 25.0, 40.0, 50.0])
DETECTORS = Detectors(
    [10, 11, 12, 13, 14, 15, 20],
    [False, False, False, False, False, True, True],
    l1=10.0,
    l2=[1.0, 2.0, 1.5, 2.5, 3.0, 1.0, -2.0],
    two_theta=[0.5, 1.0, 1.5, 2.0, 2.5, 0.0, 0.0],
)
SPECTRA = Spectra([1, 2, 3, 5, 4, 9], [10, 11, 12, 13, 14, 15], masked=[False, False, True, False, False, False])
MONITOR = Measurement(Events.of([10.0, 11.0, 49.9, 50.0]), EDGES, DETECTORS, Spectra([1], [20]))
NASTY: tuple[list[float], ...] = (
    [10.0, 9.9, 20.0, 19.9, 25.0, 50.0, 49.9, 40.0],  # on both sides of every edge
    [],
    [10.0, 20.0, 30.0, 41.0],  # masked, and not empty
    [30.0, 30.0, 30.0, 30.1, 12.3, 44.4, 0.0],
    [0.0, 9.9, 50.0, 400.0],  # nothing in any bin
    [15.0, 21.0, 22.0, 49.9],  # a monitor
)

PLAIN = Measurement(Events.of(*NASTY), EDGES, DETECTORS, SPECTRA, monitors=MONITOR)
WEIGHTED = replace(PLAIN, data=Events.of(*NASTY, weights=[1.0, 1.0, -0.5]))
RAGGED = replace(PLAIN, edges=EDGES + np.arange(6)[:, None])
NO_EVENTS = replace(PLAIN, data=PLAIN.data.where(np.zeros(len(PLAIN.data.ticks), bool)))
ONE = replace(PLAIN, data=Events.of(NASTY[0]), spectra=SPECTRA.take([0]), monitors=None)
# spectra of two detectors each, ticks of a nanosecond that begin 5 µs before time zero
SUMS = replace(
    PLAIN,
    data=Events.of(*NASTY[:3]),
    spectra=Spectra.from_groups([4, 2, 3], [[10, 11], [12, 13], [14, 15]]).with_masked([False, False, True]),
    tick_ns=1,
    zero_ticks=5000,
)
MEASUREMENTS = {
    "plain": PLAIN,
    "weighted": WEIGHTED,
    "ragged": RAGGED,
    "no events": NO_EVENTS,
    "one spectrum": ONE,
    "sums": SUMS,
}

OTHER = replace(
    PLAIN, data=Events.of([10.0, 41.0], [25.0], [12.0], [30.0, 30.0, 49.9], [20.0], [15.0]), logs={"gd_prtn_chrg": 3.0}
)
SHARED = HistogramWorkspace(EDGES, [[2.0, 4.0, 0.5, 8.0]], e=[[0.1, 0.2, 0.3, 0.4]], y_unit="Counts")


def _peak() -> Measurement:
    """Two spectra of a peak on a background: 1 and 2 µs wide, 40 bins of 1 µs, two monitors 1 and 3 m behind."""
    rng = np.random.default_rng(3)
    spectra = [
        np.concatenate([rng.normal(centre, 1.2, 3000), rng.uniform(10, 50, 800)]).clip(10, 49.9) for centre in (25, 35)
    ]
    data = [Events.of(*spectra, weights=[1.0])]
    capped = data[0]._replace(pulse=data[0].pulse % 8)
    place = Detectors([1, 2], l1=10.0, l2=[1.0, 3.0], two_theta=[1.5, 1.5], positions=[[0, 0, 1.0], [0, 0, 3.0]])
    return Measurement(capped, np.linspace(10.0, 50.0, 41), place, Spectra([1, 2], [1, 2]))


PEAK = _peak()


@dataclass(frozen=True)
class Given:
    """What a call may use besides the workspace: a second one of the same kind, a folder, a store."""

    other: MatrixWorkspace
    folder: Path
    store: WorkspaceStore


Call = Callable[[MatrixWorkspace, Given], Any]


def groups_of(ws: MatrixWorkspace) -> HistogramWorkspace:
    """Grouping: detectors 10, 12, 13 are group 2, 11 and 14 group 1, the monitor in none."""
    return HistogramWorkspace(
        np.zeros(1), np.array([[2.0], [1.0], [2.0], [2.0], [1.0], [0.0]]), spectra=Spectra(range(6), range(10, 16))
    )


def difcs() -> TableWorkspace:
    table = TableWorkspace([("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero")])
    for k, (difc, tzero) in enumerate([(3.0, 0.0), (4.0, 2.5), (5.0, -1.5), (7.0, 0.25), (6.0, 0.0)]):
        table.addRow([10 + k, difc, 0.0, tzero])
    return table


def ranges(*rows: tuple[float, float, str]) -> TableWorkspace:
    table = TableWorkspace([("double", "XMin"), ("double", "XMax"), ("str", "SpectraList")])
    for row in rows:
        table.addRow(row)
    return table


def written(save: Callable[..., Any], name: str, **options: Any) -> Call:
    """Text of the files that an algorithm writes."""

    def call(ws: MatrixWorkspace, given: Given) -> dict[str, str]:
        before = set(given.folder.iterdir())
        save(ws, given.folder / name, **options)
        made = sorted(set(given.folder.iterdir()) - before)
        texts = {path.name: path.read_text() for path in made}
        for path in made:
            path.unlink()
        return texts

    return call


def saved_and_loaded(ws: MatrixWorkspace, given: Given) -> Any:
    path = given.folder / "saved.nxs"
    alg.save_nexus(ws, path)
    loaded = alg.load_nexus_processed(path)
    path.unlink()
    return loaded


def for_common_bins(call: Call) -> Call:
    """Mark a call that says no to spectra with different bins, on both sides with the same words."""

    def marked(ws: MatrixWorkspace, given: Given) -> Any:
        if ws.common_bins:
            return call(ws, given)
        with pytest.raises(ValueError, match=r"different bins|bins differ") as refused:
            call(ws, given)
        return str(refused.value)

    return marked


def with_shared_bins(call: Call) -> Call:
    """Mark a call with SHARED: spectra with bins other than its are refused, their events are looked up in it."""

    def marked(ws: MatrixWorkspace, given: Given) -> Any:
        if ws.common_bins:
            return call(ws, given)
        if isinstance(ws, EventWorkspace):
            assert call(ws, given).n_bins == ws.n_bins
        else:
            with pytest.raises(ValueError, match="bins differ"):
                call(ws, given)
        return "bins differ"

    return marked


def for_counts(call: Call) -> Call:
    """Mark a call that says no to data without any counts, on both sides with the same words."""

    def marked(ws: MatrixWorkspace, given: Given) -> Any:
        if ws.y.any():
            return call(ws, given)
        with pytest.raises(RuntimeError, match="no counts") as refused:
            call(ws, given)
        return str(refused.value)

    return marked


def by_whole_bins(call: Call) -> Call:
    """Mark a call with a range that cuts bins of spectra with different bins: a histogram has only whole bins to go."""

    def marked(ws: MatrixWorkspace, given: Given) -> Any:
        return call(ws, given) if ws.common_bins else None

    return marked


# What takes both: calls that must give the same for events and for their histogram. Where an algorithm keeps events
# that the bins do not show, new bins are unions of the old ones; sharing a bin out is what only a histogram needs.
BOTH: dict[str, list[Call]] = {
    "AddSampleLog": [lambda ws, g: alg.add_sample_log(ws, "a", "1", "Number")],
    "AddSampleLogMultiple": [lambda ws, g: alg.add_sample_log_multiple(ws, ["a", "b"], ["x", "3"])],
    "AddTimeSeriesLog": [lambda ws, g: alg.add_time_series_log(ws, "a", "1970-01-01T00:00:01", "5")],
    "AlignAndFocusPowder": [
        by_whole_bins(
            lambda ws, g: alg.align_and_focus_powder(ws, params=[20, 20, 40], dspacing=False, preserve_events=False)
        ),
    ],
    "AlignDetectors": [lambda ws, g: alg.align_detectors(ws, calibration_workspace=difcs())],
    "AppendSpectra": [
        lambda ws, g: alg.append_spectra(ws, g.other),
        lambda ws, g: alg.append_spectra(ws, ws, merge_logs=True),
        for_common_bins(lambda ws, g: alg.append_spectra(ws, g.other, number=2)),
    ],
    "CalculateFlatBackground": [
        lambda ws, g: alg.calculate_flat_background(ws, 20, 40, mode="Mean"),
        lambda ws, g: alg.calculate_flat_background(ws, 10, 55, [0], output_mode="Return Background"),
    ],
    "ChangeBinOffset": [
        lambda ws, g: alg.change_bin_offset(ws, 0.5),
        lambda ws, g: alg.change_bin_offset(ws, -3.0, index_min=0, index_max=ws.n_spectra // 2),
    ],
    "CloneWorkspace": [lambda ws, g: alg.clone_workspace(ws)],
    "ConjoinWorkspaces": [lambda ws, g: alg.conjoin_workspaces(ws, g.other, check_overlapping=False)],
    "ConvertFromDistribution": [
        lambda ws, g: alg.convert_from_distribution(alg.convert_to_distribution(ws)),
        with_shared_bins(lambda ws, g: alg.convert_from_distribution(alg.divide(ws, SHARED))),
    ],
    "ConvertToDistribution": [lambda ws, g: alg.convert_to_distribution(ws)],
    "ConvertToHistogram": [lambda ws, g: alg.convert_to_histogram(ws)],
    "ConvertToMatrixWorkspace": [lambda ws, g: alg.convert_to_matrix_workspace(ws)],
    "ConvertToPointData": [lambda ws, g: alg.convert_to_point_data(ws)],
    "ConvertUnits": [
        lambda ws, g: alg.convert_units(ws, "Wavelength"),
        lambda ws, g: alg.convert_units(ws, "dSpacing"),
        lambda ws, g: alg.convert_units(alg.convert_units(ws, "dSpacing"), "TOF"),
        # falls with time of flight: the edge that a bin includes is now at its other end
        lambda ws, g: alg.convert_units(ws, "Energy"),
        lambda ws, g: alg.convert_units(ws, "MomentumTransfer"),
        lambda ws, g: alg.convert_units(ws, "DeltaE", "Direct", 40_000_000.0),
    ],
    "CreateWorkspace": [
        lambda ws, g: (
            alg.create_workspace([1, 2], [3] * ws.n_spectra, n_spec=1, parent_workspace=ws)
            if ws.n_spectra == 1
            else alg.create_workspace([1, 2], [3] * ws.n_spectra, n_spec=ws.n_spectra, parent_workspace=ws)
        )
    ],
    "CropWorkspace": [
        by_whole_bins(lambda ws, g: alg.crop_workspace(ws, 20, 40)),
        by_whole_bins(lambda ws, g: alg.crop_workspace(ws, x_min=20.0)),
        by_whole_bins(lambda ws, g: alg.crop_workspace(ws, 12, 45)),
        by_whole_bins(lambda ws, g: alg.crop_workspace(ws, x_max=40.0, end_workspace_index=0)),
        lambda ws, g: alg.crop_workspace(ws, -1e9, 1e9),
    ],
    "DiffractionFocussing": [
        by_whole_bins(
            lambda ws, g: alg.diffraction_focussing(
                ws, grouping_workspace=groups_of(ws), d_min=10, d_max=40, delta=15, preserve_events=False
            )
        ),
    ],
    "Divide": [
        lambda ws, g: alg.divide(ws, 4.0),
        with_shared_bins(lambda ws, g: alg.divide(ws, SHARED)),
        lambda ws, g: alg.divide(ws, g.other),
        lambda ws, g: alg.divide(ws, alg.convert_to_matrix_workspace(g.other)),
        lambda ws, g: alg.divide(alg.convert_to_matrix_workspace(g.other), ws),
        with_shared_bins(lambda ws, g: alg.divide(ws, alg.extract_single_spectrum(g.other, 0))),
        lambda ws, g: alg.divide(ws, ws.readY(0).sum() - 7.0),
        lambda ws, g: alg.divide(2.0, ws),
        lambda ws, g: alg.divide(ws, alg.create_single_valued_workspace(4.0, 1.0)),
        lambda ws, g: alg.divide(ws, alg.integration(ws)),
    ],
    "EditInstrumentGeometry": [
        lambda ws, g: alg.convert_units(
            alg.edit_instrument_geometry(
                ws, 12.0, ws.getSpectrumNumbers(), [1.5] * ws.n_spectra, [90.0] * ws.n_spectra
            ),
            "dSpacing",
        ),
    ],
    "EvaluateFunction": [lambda ws, g: alg.evaluate_function("name=LinearBackground,A0=1,A1=0.5", ws)],
    "ExtractSingleSpectrum": [lambda ws, g: alg.extract_single_spectrum(ws, ws.n_spectra - 1)],
    "ExtractSpectra": [
        by_whole_bins(lambda ws, g: alg.extract_spectra(ws, 20, 40, workspace_index_list=[0])),
        lambda ws, g: alg.extract_spectra(ws, detector_list=[10]),
    ],
    "FFTSmooth": [lambda ws, g: alg.fft_smooth(ws, filter="Zeroing", params="2", all_spectra=True, ignore_x_bins=True)],
    "GroupDetectors": [
        for_common_bins(lambda ws, g: alg.group_detectors(ws, workspace_index_list=range(ws.n_spectra))),
        for_common_bins(lambda ws, g: alg.group_detectors(ws, workspace_index_list=[0], keep_ungrouped_spectra=True)),
        for_common_bins(
            lambda ws, g: alg.group_detectors(ws, workspace_index_list=range(ws.n_spectra), behaviour="Average")
        ),
        for_common_bins(
            lambda ws, g: alg.group_detectors(ws, workspace_index_list=range(ws.n_spectra), preserve_events=False)
        ),
        for_common_bins(lambda ws, g: alg.group_detectors(ws, grouping_pattern=f"0-{ws.n_spectra - 1},0")),
    ],
    "GroupWorkspaces": [lambda ws, g: WorkspaceGroup([ws, g.other])],
    "Integration": [
        lambda ws, g: alg.integration(ws),
        by_whole_bins(lambda ws, g: alg.integration(ws, 20, 40)),
        lambda ws, g: alg.integration(ws, range_upper=40, end_workspace_index=0),
    ],
    "LoadInstrument": [lambda ws, g: alg.load_instrument(ws, instrument_xml=IDF, rewrite_spectra_map=False)],
    "Logarithm": [lambda ws, g: alg.logarithm(ws), lambda ws, g: alg.logarithm(ws, -1.0, natural=False)],
    "MaskBTP": [
        lambda ws, g: alg.mask_btp(
            alg.load_instrument(ws, instrument_xml=IDF, rewrite_spectra_map=False), components=["TINY"], pixel=["1"]
        )
    ],
    "MaskBins": [
        by_whole_bins(lambda ws, g: alg.mask_bins(ws, 20, 40)),
        lambda ws, g: alg.mask_bins(ws, 25, 40, [0]),
    ],
    "MaskBinsFromTable": [
        by_whole_bins(lambda ws, g: alg.mask_bins_from_table(ws, ranges((20.0, 25.0, ""), (40.0, 50.0, "0")))),
    ],
    "MaskDetectors": [
        lambda ws, g: alg.mask_detectors(ws, workspace_index_list=[0]),
        for_common_bins(lambda ws, g: alg.sum_spectra(alg.mask_detectors(ws, detector_list=[10]))),
    ],
    "MergeRuns": [
        by_whole_bins(lambda ws, g: alg.merge_runs([ws, g.other])),
        by_whole_bins(lambda ws, g: alg.merge_runs([ws])),
    ],
    "Minus": [
        lambda ws, g: alg.minus(ws, g.other),
        lambda ws, g: alg.minus(ws, alg.convert_to_matrix_workspace(g.other)),
        lambda ws, g: alg.minus(alg.scale(ws, 3), alg.scale(g.other, 0.25)),
        lambda ws, g: alg.minus(ws, ws),
        for_common_bins(lambda ws, g: alg.minus(ws, SHARED)),
        lambda ws, g: alg.minus(1.5, ws),
        lambda ws, g: alg.minus(ws, 1.5),
    ],
    "Multiply": [
        lambda ws, g: alg.multiply(ws, 4.0),
        lambda ws, g: alg.multiply(-4.0, ws),
        lambda ws, g: alg.multiply(ws, 0.0),
        with_shared_bins(lambda ws, g: alg.multiply(ws, SHARED)),
        lambda ws, g: alg.multiply(ws, g.other),
        lambda ws, g: alg.multiply(alg.convert_to_matrix_workspace(g.other), ws),
        lambda ws, g: alg.multiply(ws, alg.integration(g.other)),
        with_shared_bins(lambda ws, g: alg.multiply(alg.multiply(ws, SHARED), SHARED)),
        lambda ws, g: alg.multiply(ws, alg.create_single_valued_workspace(4.0, 1.0)),
    ],
    "NormaliseByCurrent": [
        lambda ws, g: alg.normalise_by_current(ws),
        lambda ws, g: alg.normalise_by_current(ws, recalculate_charge=True),
    ],
    "NormaliseToMonitor": [
        for_counts(lambda ws, g: alg.normalise_to_monitor(ws, monitor_spectrum=1)),
        lambda ws, g: alg.normalise_to_monitor(ws, monitor_workspace=g.other, integration_range_min=20),
    ],
    "Plus": [
        lambda ws, g: alg.plus(ws, g.other),
        lambda ws, g: alg.plus(alg.convert_to_matrix_workspace(g.other), ws),
        lambda ws, g: alg.plus(alg.scale(ws, -1), alg.plus(ws, g.other)),
        lambda ws, g: alg.plus(ws, ws),
        for_common_bins(lambda ws, g: alg.plus(ws, SHARED)),
        lambda ws, g: alg.plus(ws, 1.5),
    ],
    "Power": [lambda ws, g: alg.power(ws, 2.0), lambda ws, g: alg.power(ws, -1.0)],
    "Rebin": [
        by_whole_bins(lambda ws, g: alg.rebin(ws, "10,10,20,20,40,10,50")),
        by_whole_bins(lambda ws, g: alg.rebin(ws, [20, 20, 40])),
        by_whole_bins(lambda ws, g: alg.rebin(ws, [10, 40, 50], preserve_events=False)),
    ],
    "RebinToWorkspace": [
        by_whole_bins(lambda ws, g: alg.rebin_to_workspace(ws, g.other)),
        by_whole_bins(
            lambda ws, g: alg.rebin_to_workspace(ws, alg.rebin(g.other, [20, 20, 40]), preserve_events=False)
        ),
    ],
    "RefRoi": [
        for_common_bins(lambda ws, g: alg.ref_roi(ws, 1, ws.n_spectra, convert_to_q=False)),
        for_common_bins(lambda ws, g: alg.ref_roi(ws, ws.n_spectra, 1, sum_pixels=True, convert_to_q=False)),
    ],
    "RemoveLogs": [lambda ws, g: alg.remove_logs(ws, ["gd_prtn_chrg"])],
    "RemovePromptPulse": [
        # every 40 µs: [0, 10) is before the bins, [40, 50) is the last of them
        by_whole_bins(lambda ws, g: alg.remove_prompt_pulse(ws, 10.0, 25_000.0)),
    ],
    "ReplaceSpecialValues": [
        lambda ws, g: alg.replace_special_values(alg.divide(1.0, ws), 1, 2, 3, 4),
        lambda ws, g: alg.replace_special_values(ws, big_number_threshold=1.5, big_number_value=7, big_number_error=1),
    ],
    "ResampleX": [
        by_whole_bins(lambda ws, g: alg.resample_x(ws, 1, [10], [50])),
        by_whole_bins(lambda ws, g: alg.resample_x(ws, 2, [10], [40])),
    ],
    "SaveAscii": [written(alg.save_ascii, "a.txt"), written(alg.save_ascii, "a.txt", workspace_index_max=0)],
    "SaveFocusedXYE": [
        written(alg.save_focused_xye, "a.xye"),
        written(alg.save_focused_xye, "a.xye", split_files=False),
    ],
    "SaveGSS": [by_whole_bins(written(alg.save_gss, "a.gsa", split_files=False, format="SLOG"))],
    "SaveNexus": [saved_and_loaded],
    "SavePlot1D": [lambda ws, g: alg.save_plot_1d(ws, output_type="plotly")],
    "Scale": [lambda ws, g: alg.scale(ws, -2.5), lambda ws, g: alg.scale(ws, 3, "Add")],
    "ScaleX": [
        lambda ws, g: alg.scale_x(ws, 2.0),
        lambda ws, g: alg.scale_x(ws, 0.5, "Add", 0, 0),
    ],
    "SetUncertainties": [
        lambda ws, g: alg.set_uncertainties(ws, "zero"),
        lambda ws, g: alg.set_uncertainties(ws, "sqrtOrOne"),
    ],
    "SmoothData": [lambda ws, g: alg.smooth_data(ws, 3)],
    "SumSpectra": [
        for_common_bins(lambda ws, g: alg.sum_spectra(ws)),
        for_common_bins(lambda ws, g: alg.sum_spectra(ws, include_monitors=False)),
        for_common_bins(lambda ws, g: alg.sum_spectra(ws, 0, 0)),
        for_common_bins(lambda ws, g: alg.sum_spectra(ws, weighted_sum=True)),
        for_common_bins(lambda ws, g: alg.sum_spectra(ws, remove_special_values=True)),
        for_common_bins(lambda ws, g: alg.sum_spectra(alg.divide(ws, alg.integration(ws)), remove_special_values=True)),
    ],
    "Transpose": [
        for_common_bins(lambda ws, g: alg.transpose(ws)),
        for_common_bins(lambda ws, g: alg.transpose(alg.transpose(ws))),
    ],
    "WeightedMean": [lambda ws, g: alg.weighted_mean(ws, g.other)],
}

IDF = """<instrument name="TINY" valid-from="2000-01-01 00:00:00"><defaults><length unit="metre"/></defaults>
<component type="source"><location z="-10.0"/></component><type name="source" is="Source"/>
<component type="sample"><location/></component><type name="sample" is="SamplePos"/>
<component type="pixel" idlist="ids"><location x="1"/><location x="2"/><location x="3"/></component>
<type name="pixel" is="detector"/><idlist idname="ids"><id val="10"/><id val="11"/><id val="12"/></idlist>
</instrument>"""

# What follows a division by a factor of every bin and spectrum, which then stays with each event.
EXACT = HistogramWorkspace(EDGES, np.arange(1.0, 25.0).reshape(6, 4), y_unit="Counts")
FACTORS: dict[str, Call] = {
    "group": lambda ws, g: alg.group_detectors(alg.divide(ws, EXACT), grouping_pattern="0-2,3+4,5"),
    "sum": lambda ws, g: alg.sum_spectra(alg.multiply(alg.multiply(ws, EXACT), EXACT)),
    "rebin": lambda ws, g: alg.rebin(alg.multiply(ws, EXACT), [10, 10, 20, 20, 40, 10, 50]),
    "crop": lambda ws, g: alg.crop_workspace(alg.divide(ws, EXACT), 20, 40, 0, 3),
    "integrate": lambda ws, g: alg.integration(alg.multiply(ws, EXACT), 20, 40),
    "convert": lambda ws, g: alg.convert_units(alg.multiply(ws, EXACT), "Wavelength"),
    "convert, falling": lambda ws, g: alg.convert_units(alg.multiply(ws, EXACT), "Energy"),
    "move": lambda ws, g: alg.change_bin_offset(alg.divide(ws, EXACT), 3.0, 1, 2),
    "append": lambda ws, g: alg.append_spectra(alg.multiply(ws, EXACT), alg.multiply(g.other, EXACT)),
    "add": lambda ws, g: alg.plus(alg.multiply(ws, EXACT), alg.multiply(g.other, EXACT)),
    "subtract and sum": lambda ws, g: alg.sum_spectra(alg.minus(alg.multiply(ws, EXACT), alg.multiply(ws, EXACT))),
    "mask": lambda ws, g: alg.sum_spectra(alg.mask_detectors(alg.multiply(ws, EXACT), workspace_index_list=[0])),
    "mask bins": lambda ws, g: alg.mask_bins(alg.multiply(ws, EXACT), 20, 25),
    "extract": lambda ws, g: alg.extract_spectra(alg.divide(ws, EXACT), workspace_index_list=[1, 3]),
    "divide again": lambda ws, g: alg.divide(alg.group_detectors(alg.multiply(ws, EXACT), grouping_pattern="0-5"), 4),
}

# Fits and searches want a peak to find.
PEAKS: dict[str, list[Call]] = {
    "FindPeaks": [lambda ws, g: alg.find_peaks(ws)],
    "Fit": [
        lambda ws, g: list(alg.fit("name=Gaussian,Height=500,PeakCentre=26,Sigma=1;name=FlatBackground,A0=9", ws))[:2],
    ],
    "FitPeak": [lambda ws, g: alg.fit_peak(ws, "Gaussian", fit_window=[18, 32], peak_range=[21, 29])],
    "GetEi": [lambda ws, g: alg.get_ei(ws, 1, 2, 2_000_000.0)],
    "StripPeaks": [lambda ws, g: alg.strip_peaks(ws)],
    "StripVanadiumPeaks": [
        lambda ws, g: alg.strip_vanadium_peaks(alg.scale_x(alg.convert_units(ws, "dSpacing"), 220.0)),
    ],
}


def both_cases() -> Iterator[Any]:
    for name, calls in BOTH.items():
        for k, call in enumerate(calls):
            for kind in MEASUREMENTS:
                yield pytest.param(call, kind, id=f"{name}-{k}-{kind}")


@pytest.mark.parametrize(("call", "kind"), list(both_cases()))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_events_give_what_their_histogram_gives(call: Call, kind: str, tmp_path: Path) -> None:
    measurement = MEASUREMENTS[kind]
    others = OTHER.data.where(OTHER.data.spectrum < len(measurement.spectra))
    other = replace(OTHER, data=others, spectra=measurement.spectra, edges=measurement.edges)
    compare(measurement, other, call, tmp_path)


@pytest.mark.parametrize("kind", ["plain", "weighted", "no events"])
@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in FACTORS.items()])
def test_weighted_events_give_what_their_histogram_gives(call: Call, kind: str, tmp_path: Path) -> None:
    compare(MEASUREMENTS[kind], OTHER, call, tmp_path)


def compare(measurement: Measurement, other: Measurement, call: Call, folder: Path) -> None:
    of_events = call(measurement.events(), Given(other.events(), folder, WorkspaceStore()))
    of_histogram = call(measurement.histogram(), Given(other.histogram(), folder, WorkspaceStore()))
    assert_same(of_events, of_histogram)


def assert_same(events: Any, histogram: Any) -> None:
    if isinstance(histogram, MatrixWorkspace):
        assert_same_workspace(events, histogram)
    elif isinstance(histogram, WorkspaceGroup) or (isinstance(histogram, tuple) and len(histogram) and
                                                   isinstance(histogram[0], Workspace)):  # fmt: skip
        for one, two in zip(events, histogram, strict=True):
            assert_same(one, two)
    elif isinstance(histogram, TableWorkspace):
        assert events.toDict() == histogram.toDict()
    else:
        assert events == histogram


def assert_same_workspace(events: MatrixWorkspace, histogram: MatrixWorkspace) -> None:
    assert_same_values(events, histogram)
    assert sorted(events.logs.keys()) == sorted(histogram.logs.keys())


def assert_same_values(events: MatrixWorkspace, histogram: MatrixWorkspace) -> None:
    assert isinstance(events, MatrixWorkspace), events
    for name in ("n_spectra", "n_bins", "unit", "y_unit", "y_label", "distribution", "is_histogram", "title"):
        assert getattr(events, name) == getattr(histogram, name), name
    np.testing.assert_allclose(
        events.extractX(), histogram.extractX(), rtol=1e-9, atol=0
    )  # ConvertUnits moves edges of events by 2e-9 µs
    np.testing.assert_allclose(events.y, histogram.y, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(np.sqrt(events.e2), np.sqrt(histogram.e2), rtol=1e-12, atol=1e-11)
    assert events.spectra.numbers.tolist() == histogram.spectra.numbers.tolist()
    assert events.spectra.ids.tolist() == histogram.spectra.ids.tolist()
    assert events.spectra.masked.tolist() == histogram.spectra.masked.tolist()
    assert (events.monitors is None) == (histogram.monitors is None)
    if events.monitors is not None and histogram.monitors is not None:
        assert_same_values(events.monitors, histogram.monitors)


@pytest.mark.parametrize("call", [pytest.param(c, id=name) for name, calls in PEAKS.items() for c in calls])
def test_peaks_of_events_are_those_of_their_histogram(call: Call, tmp_path: Path) -> None:
    compare(PEAK, PEAK, call, tmp_path)


# What takes events alone: a call, and which events numpy keeps: by ticks of 0.1 µs, and by pulse (one a second).
EVENTS_ONLY: dict[str, list[tuple[Call, Callable[[Events], np.ndarray]]]] = {
    "CompressEvents": [(lambda ws, g: alg.compress_events(ws, 50.0), lambda d: d.ticks >= 0)],
    "FilterBadPulses": [(lambda ws, g: alg.filter_bad_pulses(ws), lambda d: d.pulse >= 0)],
    "FilterByLogValue": [
        (lambda ws, g: alg.filter_by_log_value(ws, "angle", 2, 4), lambda d: (d.pulse >= 2) & (d.pulse <= 4)),
        (
            lambda ws, g: alg.filter_by_log_value(ws, "angle", 1, 2, log_boundary="Left"),
            lambda d: (d.pulse >= 1) & (d.pulse < 3),
        ),
        (lambda ws, g: alg.filter_by_log_value(ws, "angle", 100, 200), lambda d: d.pulse < 0),
    ],
    "FilterByTime": [
        (lambda ws, g: alg.filter_by_time(ws, 1, 3), lambda d: (d.pulse >= 1) & (d.pulse < 3)),
        (lambda ws, g: alg.filter_by_time(ws, start_time=2.5), lambda d: d.pulse >= 3),
    ],
    "FilterByXValue": [
        (lambda ws, g: alg.filter_by_x_value(ws, 20, 30), lambda d: (d.ticks >= 200) & (d.ticks <= 300)),
        (lambda ws, g: alg.filter_by_x_value(ws, x_min=20.05), lambda d: d.ticks >= 201),
        (lambda ws, g: alg.filter_by_x_value(ws, x_max=30.0), lambda d: d.ticks <= 300),
    ],
    "SortEvents": [(lambda ws, g: alg.sort_events(ws) or ws, lambda d: d.ticks >= 0)],
}


@pytest.mark.parametrize("kind", list(MEASUREMENTS))
@pytest.mark.parametrize(
    ("call", "keep"),
    [pytest.param(*one, id=f"{name}-{k}") for name, cases in EVENTS_ONLY.items() for k, one in enumerate(cases)],
)
def test_chosen_events_are_those_that_numpy_chooses(
    call: Call, keep: Callable[[Events], np.ndarray], kind: str, tmp_path: Path
) -> None:
    measurement = MEASUREMENTS[kind]
    result = call(measurement.events(), Given(OTHER.events(), tmp_path, WorkspaceStore()))
    chosen = replace(measurement, data=measurement.data.where(keep(measurement.data)))
    assert isinstance(result, EventWorkspace)
    assert_same_values(result, chosen.histogram())
    assert result.number_events() == len(chosen.data.ticks)


# Algorithms that have nothing to do with values, or make a workspace of none.
WITHOUT_VALUES = {
    "DeleteWorkspace",
    "DeleteWorkspaces",
    "LoadCalFile",
    "LoadDetectorsGroupingFile",
    "LoadDiffCal",
    "LoadMask",
    "PDDetermineCharacterizations",
    "RenameWorkspace",
}


def test_no_algorithm_that_takes_events_is_left_out() -> None:
    takes_events = {
        declared.name
        for declared in declarations()
        if declared.function.__module__.startswith("livereduce.algorithms.")
        and any(
            prop.direction != "Output" and any(issubclass(EventWorkspace, cls) for cls in prop.classes)
            for prop in declared.properties
        )
    }
    assert takes_events == {*BOTH, *PEAKS, *EVENTS_ONLY, *WITHOUT_VALUES}
    assert all(calls for calls in (*BOTH.values(), *PEAKS.values(), *EVENTS_ONLY.values()))
