import ast

import pytest

from livereduce.mantid.names import missing_names, names_used


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from mantid.simpleapi import Rebin, mtd as ads", [("Rebin", 1), ("mtd", 1)]),
        ("from mantid.simpleapi import *\nRebin(input, '1')", [("Rebin", 2)]),
        ("import mantid.simpleapi as api\nx = api.Load('a')", [("Load", 2)]),
        ("import mantid\nmantid.simpleapi.Plus(a, b)", [("Plus", 2)]),
        ("from mantid import simpleapi\nsimpleapi.Plus", [("Plus", 2)]),
        ("import mantid as m\nm.simpleapi.Plus", [("Plus", 2)]),
        ("Rebin(a)\nif x:\n    Rebin(b)", [("Rebin", 1)]),
        ("def Focus(w):\n    return SumSpectra(w)\nFocus(input)", [("SumSpectra", 2)]),
        ("class Peak: pass\nPeak()\nException()", []),
        ("from mymodule import Helper\nHelper()", []),
        ("Total = 3\nTotal()\nprint(Total)", []),
        ("def f(Algorithm):\n    Algorithm()", []),
        ("ws.Rebin()", []),
    ],
)
def test_names_a_script_expects_of_simpleapi(text: str, expected: list[tuple[str, int]]) -> None:
    assert names_used(ast.parse(text)) == expected


def test_names_we_do_not_have_are_told_with_their_line_and_the_nearest_we_have() -> None:
    text = "from mantid.simpleapi import *\nRebin(input, '1')\nRebinn(input, '1')\n"
    assert missing_names(text, "p.py") == ["p.py:3: Rebinn is not an algorithm livereduce has; nearest: Rebin"]
