"""Algorithms on workspaces, each declared once and used three ways: from Python, from scripts, on its reference page.

``from livereduce.algorithms import rebin`` gives the function that takes and returns objects. Importing this package
registers all of them (see `declaration`), which is what makes them known to scripts and to ``livereduce algorithms``.
"""

from livereduce.algorithms.arithmetic import divide, minus, multiply, plus, power, scale
from livereduce.algorithms.background import calculate_flat_background
from livereduce.algorithms.banks import mask_btp
from livereduce.algorithms.bin_masks import mask_bins_from_table
from livereduce.algorithms.binning import rebin, rebin_to_workspace
from livereduce.algorithms.calibrating import align_detectors
from livereduce.algorithms.calibration_files import (
    load_cal_file,
    load_detectors_grouping_file,
    load_diff_cal,
    load_mask,
)
from livereduce.algorithms.characterizations import pd_determine_characterizations, pd_load_characterizations
from livereduce.algorithms.creating import (
    create_empty_table_workspace,
    create_single_valued_workspace,
    create_workspace,
)
from livereduce.algorithms.cropping import crop_workspace, extract_spectra, integration
from livereduce.algorithms.filtering import (
    filter_bad_pulses,
    filter_by_log_value,
    filter_by_time,
    filter_by_x_value,
)
from livereduce.algorithms.fitting.fit import evaluate_function, fit
from livereduce.algorithms.fitting.fit_peak import fit_peak
from livereduce.algorithms.fitting.strip_peaks import find_peaks, strip_peaks, strip_vanadium_peaks
from livereduce.algorithms.focusing import diffraction_focussing
from livereduce.algorithms.forms import (
    convert_from_distribution,
    convert_to_distribution,
    convert_to_histogram,
    convert_to_matrix_workspace,
    convert_to_point_data,
)
from livereduce.algorithms.grouping import group_detectors
from livereduce.algorithms.incident_energy import get_ei
from livereduce.algorithms.instruments import edit_instrument_geometry, load_empty_instrument, load_instrument
from livereduce.algorithms.loading import load, load_nexus
from livereduce.algorithms.logs import add_sample_log, add_sample_log_multiple, add_time_series_log, remove_logs
from livereduce.algorithms.masking import mask_bins, mask_detectors
from livereduce.algorithms.merging import merge_runs
from livereduce.algorithms.monitors import normalise_to_monitor
from livereduce.algorithms.naming import (
    clone_workspace,
    delete_workspace,
    delete_workspaces,
    group_workspaces,
    rename_workspace,
    un_group_workspace,
)
from livereduce.algorithms.nexus.event_files import load_event_nexus
from livereduce.algorithms.nexus.histogram_files import load_tof_raw_nexus
from livereduce.algorithms.nexus.loading import load_nexus_processed
from livereduce.algorithms.nexus.monitors import load_nexus_monitors
from livereduce.algorithms.nexus.saving import save_nexus
from livereduce.algorithms.normalise import normalise_by_current
from livereduce.algorithms.plotting import save_plot_1d
from livereduce.algorithms.powder import align_and_focus_powder
from livereduce.algorithms.prompt_pulse import remove_prompt_pulse
from livereduce.algorithms.reflectometry import ref_roi
from livereduce.algorithms.resampling import resample_x
from livereduce.algorithms.sample import create_sample_workspace
from livereduce.algorithms.shifting import change_bin_offset, scale_x
from livereduce.algorithms.single_events import compress_events, sort_events
from livereduce.algorithms.smoothing import fft_smooth
from livereduce.algorithms.spectra import extract_single_spectrum, sum_spectra, transpose
from livereduce.algorithms.stacking import append_spectra, conjoin_workspaces
from livereduce.algorithms.text.ascii import save_ascii
from livereduce.algorithms.text.gss import save_gss
from livereduce.algorithms.text.loading import load_ascii
from livereduce.algorithms.text.xye import save_focused_xye
from livereduce.algorithms.units import convert_units
from livereduce.algorithms.values_of_bins import logarithm, replace_special_values, smooth_data
from livereduce.algorithms.weighting import set_uncertainties, weighted_mean

__all__ = [
    "add_sample_log",
    "add_sample_log_multiple",
    "add_time_series_log",
    "align_and_focus_powder",
    "align_detectors",
    "append_spectra",
    "calculate_flat_background",
    "change_bin_offset",
    "clone_workspace",
    "compress_events",
    "conjoin_workspaces",
    "convert_from_distribution",
    "convert_to_distribution",
    "convert_to_histogram",
    "convert_to_matrix_workspace",
    "convert_to_point_data",
    "convert_units",
    "create_empty_table_workspace",
    "create_sample_workspace",
    "create_single_valued_workspace",
    "create_workspace",
    "crop_workspace",
    "delete_workspace",
    "delete_workspaces",
    "diffraction_focussing",
    "divide",
    "edit_instrument_geometry",
    "evaluate_function",
    "extract_single_spectrum",
    "extract_spectra",
    "fft_smooth",
    "filter_bad_pulses",
    "filter_by_log_value",
    "filter_by_time",
    "filter_by_x_value",
    "find_peaks",
    "fit",
    "fit_peak",
    "get_ei",
    "group_detectors",
    "group_workspaces",
    "integration",
    "load",
    "load_ascii",
    "load_cal_file",
    "load_detectors_grouping_file",
    "load_diff_cal",
    "load_empty_instrument",
    "load_event_nexus",
    "load_instrument",
    "load_mask",
    "load_nexus",
    "load_nexus_monitors",
    "load_nexus_processed",
    "load_tof_raw_nexus",
    "logarithm",
    "mask_bins",
    "mask_bins_from_table",
    "mask_btp",
    "mask_detectors",
    "merge_runs",
    "minus",
    "multiply",
    "normalise_by_current",
    "normalise_to_monitor",
    "pd_determine_characterizations",
    "pd_load_characterizations",
    "plus",
    "power",
    "rebin",
    "rebin_to_workspace",
    "ref_roi",
    "remove_logs",
    "remove_prompt_pulse",
    "rename_workspace",
    "replace_special_values",
    "resample_x",
    "save_ascii",
    "save_focused_xye",
    "save_gss",
    "save_nexus",
    "save_plot_1d",
    "scale",
    "scale_x",
    "set_uncertainties",
    "smooth_data",
    "sort_events",
    "strip_peaks",
    "strip_vanadium_peaks",
    "sum_spectra",
    "transpose",
    "un_group_workspace",
    "weighted_mean",
]
