"""MaskBTP on two instruments of few detectors: packs of tubes, and rectangular panels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from livereduce.algorithms import create_sample_workspace, mask_detectors
from livereduce.algorithms import mask_btp as algorithm
from livereduce.geometry.idf import load_idf
from livereduce.workspaces import Detectors, HistogramWorkspace, MatrixWorkspace, Spectra

Make = Callable[..., HistogramWorkspace]
mask_btp: Any = algorithm  # properties as scripts give them, as text too

# two banks of two tubes of three pixels: IDs 0-2 and 3-5 in bank1, 6-8 and 9-11 in bank2
PACKS = """<instrument name="CNCS"><defaults><length unit="meter"/><angle unit="degree"/><reference-frame>
<along-beam axis="z"/><pointing-up axis="y"/><handedness val="right"/></reference-frame></defaults>
<component type="moderator"><location z="-10"/></component><type name="moderator" is="Source"/>
<component type="sample"><location/></component><type name="sample" is="SamplePos"/>
<component type="row" idlist="all"><location/></component>
<type name="row"><component type="bank"><location x="1" name="bank1"/><location x="2" name="bank2"/></component></type>
<type name="bank"><component type="eightpack"><location/></component></type>
<type name="eightpack"><component type="tube"><location name="tube1"/><location name="tube2"/></component></type>
<type name="tube"><component type="pixel"><location y="0" name="pixel1"/><location y="0.1" name="pixel2"/>
<location y="0.2" name="pixel3"/></component></type><type name="pixel" is="detector"/>
<idlist idname="all"><id start="0" end="11"/></idlist></instrument>"""


@pytest.fixture
def packs(make_histogram: Make) -> HistogramWorkspace:
    detectors = Detectors.from_instrument(load_idf(PACKS))
    spectra = Spectra(np.arange(1, 13), detectors.ids)
    return make_histogram([0, 1], [[1.0]] * 12, detectors=detectors, spectra=spectra)


def masked_ids(ws: MatrixWorkspace) -> list[int]:
    return [int(i) for i in ws.spectra.ids[ws.spectra.masked]]


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ({"bank": "1"}, [0, 1, 2, 3, 4, 5]),
        ({"bank": 2, "tube": "1"}, [6, 7, 8]),
        ({"pixel": "1,3"}, [0, 2, 3, 5, 6, 8, 9, 11]),
        ({"tube": [2], "pixel": "2-3"}, [4, 5, 10, 11]),
        ({"pixel": "Edges"}, [0, 2, 3, 5, 6, 8, 9, 11]),
        ({"bank": "1-2", "tube": "edges", "pixel": "2"}, [1, 4, 7, 10]),
        ({"components": "bank2", "pixel": "1"}, [6, 9]),
        ({"components": ["CNCS/row/bank1"], "bank": [2], "pixel": "3"}, [2, 5, 8, 11]),
        ({}, list(range(12))),
    ],
)
def test_packs_of_tubes_count_from_the_number_in_their_names(
    packs: HistogramWorkspace, chosen: dict[str, object], ids: list[int]
) -> None:
    result = mask_btp(packs, **chosen)
    assert masked_ids(result) == ids
    assert result.y[:, 0].tolist() == [0.0 if i in ids else 1.0 for i in range(12)]


def test_panels_count_from_zero_tubes_along_x_and_pixels_along_y() -> None:
    # IDs of bank b begin at 9 b and go along Y first: 9 b + 3 x + y
    ws = create_sample_workspace(bank_pixel_width=3, num_banks=2)
    assert masked_ids(mask_btp(ws, bank=[1], tube=[2])) == [15, 16, 17]
    assert masked_ids(mask_btp(ws, bank="2", tube="0", pixel="1")) == [19]
    assert masked_ids(mask_btp(ws, bank="1", tube="edges", pixel="edges")) == [9, 11, 15, 17]


def test_what_was_masked_stays_so_and_spectra_of_several_detectors_go_with_any(packs: HistogramWorkspace) -> None:
    pairs = packs.replaced(
        y=packs.y[:6], e2=packs.e2[:6], e=None, spectra=Spectra(np.arange(6), packs.spectra.ids, np.arange(0, 13, 2))
    )
    result = mask_btp(mask_detectors(pairs, workspace_index_list=[5]), bank="1", pixel="3")  # IDs 2 and 5
    assert result.spectra.masked.tolist() == [False, True, True, False, False, True]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"bank": "3"}, r"Bank: the instrument has no bank3; it has 2, bank1 to bank2\. Components takes"),
        ({"tube": "0-1"}, "Tube: there is no 0 in these banks, which have 1 to 2"),
        ({"pixel": "2,4"}, "Pixel: there is no 4 in these banks, which have 1 to 3"),
        ({"components": "bunk1"}, "Components: the instrument has no component 'bunk1'; did you mean 'bank1'?"),
        ({"tube": "first"}, "Tube: .*'first'"),
    ],
)
def test_what_is_not_there_is_an_error(packs: HistogramWorkspace, chosen: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"MaskBTP: {message}"):
        mask_btp(packs, **chosen)
    assert not packs.spectra.masked.any()


def test_without_banks_or_an_instrument_it_says_what_to_do(make_histogram: Make) -> None:
    with pytest.raises(ValueError, match=r"MaskBTP: Workspace: it has no instrument.*LoadInstrument"):
        mask_btp(make_histogram([0, 1], [[1.0]]), bank="1")
    text = PACKS.replace('name="bank1"', 'name="left"').replace('name="bank2"', 'name="right"')
    detectors = Detectors.from_instrument(load_idf(text))
    ws = make_histogram([0, 1], [[1.0]] * 12, detectors=detectors, spectra=Spectra(np.arange(1, 13), detectors.ids))
    with pytest.raises(ValueError, match=r"no bank1, bank2 \.\.\.\. Components takes banks of any name"):
        mask_btp(ws, pixel="1")
    assert masked_ids(mask_btp(ws, components="left", tube="2")) == [3, 4, 5]
