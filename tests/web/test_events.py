import asyncio
import threading
from typing import Any

from livereduce import config
from livereduce.web import events
from livereduce.web.app import Site


def test_versions_are_those_of_the_snapshot(snapshot: Any, result: Any, settings: config.Config) -> None:
    assert events.versions(settings.runtime_dir) == {}
    snapshot.write(result)
    assert events.versions(settings.runtime_dir) == {"result": 1}
    (snapshot.folder / "snapshot" / "manifest.json").write_text("{")
    assert events.versions(settings.runtime_dir) == {}


def test_the_stream_sends_each_version_once_and_ends_when_the_server_stops(
    snapshot: Any, result: Any, settings: config.Config
) -> None:
    arrays = dict(result["arrays"])
    snapshot.write(result)
    stopping = threading.Event()
    site = Site(settings, "t", {}, stopping, lambda: 0)

    async def read() -> list[str]:
        seen = []
        async for piece in events.changes(site):
            seen.append(piece)
            if piece == 'data: {"result": 1}\n\n':
                snapshot.write(result | {"arrays": arrays})
            if piece == 'data: {"result": 2}\n\n':
                stopping.set()
        return seen

    seen = asyncio.run(asyncio.wait_for(read(), 10))
    assert seen == ["retry: 2000\n\n", 'data: {"result": 1}\n\n', 'data: {"result": 2}\n\n']
