"""A way to write small instrument definitions: the body is the test's own; source, sample and pixel type are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from livereduce.geometry import Instrument, load_idf

# source 10 m upstream, sample at the origin
HEAD = """
<component type="moderator"><location z="-10"/></component>
<type name="moderator" is="Source"/>
<component type="sample-position"><location/></component>
<type name="sample-position" is="SamplePos"/>
<type name="pixel" is="detector"/>
<type name="monitor" is="monitor"/>
"""

MakeText = Callable[..., str]
MakeInstrument = Callable[..., Instrument]


@pytest.fixture
def idf_text() -> MakeText:
    def make(body: str, defaults: str = "", head: str = HEAD, attributes: str = "") -> str:
        return f'<instrument name="TEST" {attributes}><defaults>{defaults}</defaults>{body}{head}</instrument>'

    return make


@pytest.fixture
def idf(idf_text: MakeText) -> MakeInstrument:
    def make(
        body: str,
        defaults: str = "",
        logs: Mapping[str, Any] | None = None,
        neutronic: bool = True,
        head: str = HEAD,
        parameters: str | None = None,
    ) -> Instrument:
        return load_idf(idf_text(body, defaults, head), logs, neutronic, parameters=parameters)

    return make


@pytest.fixture
def ids() -> Callable[..., str]:
    """An idlist named 'ids' of the numbers 1 to n."""

    def make(count: int, name: str = "ids") -> str:
        return f'<idlist idname="{name}"><id start="1" end="{count}"/></idlist>'

    return make
