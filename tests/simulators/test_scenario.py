from __future__ import annotations

from typing import Any

import pytest

from livereduce.errors import LiveReduceError
from livereduce.simulators.plan import Plan
from livereduce.simulators.scenario import Scenario


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"sample": "cheese"}, "cheese.*si, nacl"),
        ({"rate": 10.0}, "10 events/s.*1000 to 1e"),
        ({"rate": 1e9}, "out of range"),
        ({"plan": Plan(run_seconds=0.0)}, "at least 0.1 s"),
        ({"plan": Plan(index_period=0.0)}, "at least 0.1 s"),
    ],
)
def test_impossible_scenarios_are_refused_with_what_is_possible(options: dict[str, Any], word: str) -> None:
    with pytest.raises(LiveReduceError, match=word):
        Scenario(**options).prepare()


@pytest.mark.parametrize(("sample", "title"), [("si", "Si NIST 640"), ("nacl", "NaCl"), ("vanadium", "Vanadium")])
def test_every_title_says_that_it_is_simulated(sample: str, title: str) -> None:
    plan = Scenario(sample=sample).prepare().plan
    assert plan.title.startswith(title)
    assert "simulated" in plan.title
