from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce import algorithms
from livereduce.algorithms import create_sample_workspace, declaration, mask_detectors
from livereduce.algorithms.calling import execute
from livereduce.workspaces import WorkspaceStore

GROUPS = '<detector-grouping instrument="none"><group ID="2"><detids val="4-6"/></group>' \
    '<group ID="1"><detids val="7"/></group></detector-grouping>'  # fmt: skip
MASK = "<detector-masking><group><detids>5,7</detids></group></detector-masking>"


def two_banks() -> Any:
    """IDs 4 to 7 in bank1, 8 to 11 in bank2."""
    return create_sample_workspace(bank_pixel_width=2, num_banks=2)


def test_a_grouping_file_becomes_the_group_of_each_detector(tmp_path: Path) -> None:
    (tmp_path / "g.xml").write_text(GROUPS)
    result: Any = algorithms.load_detectors_grouping_file(tmp_path / "g.xml", two_banks())
    assert result.spectra.ids.tolist() == list(range(4, 12))
    assert result.y[:, 0].tolist() == [2, 2, 2, 1, 0, 0, 0, 0]


def test_a_map_names_spectra_as_live_data_number_them(tmp_path: Path) -> None:
    (tmp_path / "g.map").write_text("2\n1\n2\n1 8\n2\n3\n2-4\n")
    result: Any = algorithms.load_detectors_grouping_file(tmp_path / "g.map", two_banks())
    assert result.y[:, 0].tolist() == [1, 2, 2, 2, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.map", "2\n1\n2\n1 8\n2\n3\n2-4\n"),
        ("g.xml", '<detector-grouping><group><ids>1</ids><ids val="8"/></group><group ID="2"><ids>2-4</ids></group>'
                  "</detector-grouping>"),
    ],
)  # fmt: skip
def test_groups_of_spectra_are_read_without_an_instrument(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    result: Any = algorithms.load_detectors_grouping_file(tmp_path / name)
    assert result.getSpectrumNumbers() == [1, 2, 3, 4, 8]
    assert result.y[:, 0].tolist() == [1, 2, 2, 2, 1]


def test_a_mask_file_masks_its_detectors(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_text(MASK)
    ws = two_banks()
    mask: Any = algorithms.load_mask("", tmp_path / "m.xml", ws)
    assert mask.y[:, 0].tolist() == [0, 1, 0, 1, 0, 0, 0, 0]
    masked = mask_detectors(ws, masked_workspace=mask)
    assert np.flatnonzero(masked.spectra.masked).tolist() == [1, 3]
    assert not masked.y[[1, 3]].any()


def test_an_isis_mask_names_spectra(tmp_path: Path) -> None:
    (tmp_path / "m.msk").write_text("a comment\n1-2 8\n")
    mask: Any = algorithms.load_mask("", tmp_path / "m.msk", two_banks())
    assert mask.y[:, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 1]


def test_an_instrument_is_needed_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livereduce.algorithms.instruments.definition_folders", [tmp_path])
    (tmp_path / "m.xml").write_text(MASK)
    (tmp_path / "g.xml").write_text(GROUPS)
    (tmp_path / "g2.xml").write_text("<detector-grouping><group><detids>4</detids></group></detector-grouping>")
    (tmp_path / "g3.xml").write_text("<detector-grouping/>")
    with pytest.raises(ValueError, match="LoadMask: give Filename or InstrumentName"):
        algorithms.load_mask("", tmp_path / "m.xml")
    with pytest.raises(ValueError, match=r"no NOWHERE_Definition\*.xml"):
        algorithms.load_mask("NOWHERE", tmp_path / "m.xml")
    with pytest.raises(ValueError, match=r"no none_Definition\*.xml"):
        algorithms.load_detectors_grouping_file(tmp_path / "g.xml")
    with pytest.raises(ValueError, match="does not name an instrument"):
        algorithms.load_detectors_grouping_file(tmp_path / "g2.xml")
    with pytest.raises(ValueError, match="groups nothing"):
        algorithms.load_detectors_grouping_file(tmp_path / "g3.xml")


def test_a_script_gets_the_workspaces_and_finds_them_by_name(tmp_path: Path, store: WorkspaceStore) -> None:
    (tmp_path / "a.cal").write_text("".join(f"0 {i} 0.0 1 1\n" for i in range(4, 12)))
    store.add("ws", two_banks())
    declared = declaration.find("LoadDiffCal")
    assert declared is not None
    keywords = {"InputWorkspace": "ws", "Filename": str(tmp_path / "a.cal"), "WorkspaceName": "bank"}
    made = execute(declared, (), keywords, store, ["cal"])
    assert store.names() == ["ws", "bank_group", "bank_mask", "bank_cal"]
    assert made.OutputCalWorkspace is store["bank_cal"]
    with pytest.raises(ValueError, match="LoadDiffCal: WorkspaceName: must be given"):
        execute(declared, (), {"Filename": str(tmp_path / "a.cal")}, store)
    align = declaration.find("AlignAndFocusPowder")
    assert align is not None
    options = {
        "InputWorkspace": "ws",
        "OutputWorkspace": "focused",
        "CalibrationWorkspace": "bank_cal",
        "groupingworkspace": "bank_group",
        "MaskWorkspace": store["bank_mask"],
        "Params": -0.01,
        "DMin": 0.5,
        "DMax": "2.5",
        "L2": "1.0",
        "Polar": "90",
        "SpectrumIDs": "1",
        "PrimaryFlightPath": 10,
    }
    focused: Any = execute(align, (), options, store)
    assert focused.getNumberHistograms() == 1
    assert focused.readX(0)[0] == 0.5
    assert store["focused"] is focused
