import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write_config(tmp_path: Path) -> Write:
    """``write_config(proc=text, post=text, **settings)`` -> a configuration whose folders are the test's own."""

    def write(*, proc: str | None = None, post: str | None = None, **settings: Any) -> Path:
        for name, text in (("reduce_PG3_live_proc.py", proc), ("reduce_PG3_live_post_proc.py", post)):
            if text is not None:
                (tmp_path / name).write_text(text)
        folders = {"script_dir": tmp_path, "state_dir": tmp_path / "state", "runtime_dir": tmp_path / "run"}
        given = {key: str(path) for key, path in folders.items()} | {"address": "127.0.0.1:31415"} | settings
        path = tmp_path / "livereduce.conf"
        path.write_text(json.dumps({"instrument": "POWGEN"} | given))
        return path

    return write
