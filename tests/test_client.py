import subprocess
import sys

import pytest

import livereduce
from livereduce.errors import LiveReduceError


@pytest.mark.parametrize("url", ["host:8000", "file:///etc/passwd", "ftp://host", ""])
def test_an_address_that_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(LiveReduceError, match="expected the address of the page"):
        livereduce.connect(url)


def test_importing_livereduce_alone_brings_no_heavy_module() -> None:
    heavy = {"numpy", "numba", "starlette", "uvicorn", "pydantic", "click", "urllib.request"}
    code = f"import sys, livereduce; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_name_livereduce_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        livereduce.conect  # noqa: B018
