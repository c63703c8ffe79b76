"""/api/events: server-sent events with the versions of the workspaces, each time one of them has changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from livereduce.web import files

if TYPE_CHECKING:
    from livereduce.web.app import Site

LOOK_EVERY_S = 0.2
KEEP_ALIVE_S = 15.0
"""A comment line is sent after this silence, so that proxies do not close the connection."""


def stream(site: Site) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint; it ends when `site.stopping` is set or the client goes."""

    async def respond(_: Request) -> Response:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(changes(site), media_type="text/event-stream", headers=headers)

    return respond


async def changes(site: Site) -> AsyncIterator[str]:
    """Give the text of the stream, piece by piece."""
    yield "retry: 2000\n\n"
    sent, silent = None, 0.0
    while not site.stopping.is_set():
        present = await asyncio.to_thread(versions, site.config.runtime_dir)
        if present != sent:
            sent, silent = present, 0.0
            yield f"data: {json.dumps(present)}\n\n"
        elif silent >= KEEP_ALIVE_S:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_EVERY_S)
        silent += LOOK_EVERY_S


def versions(runtime_dir: Path) -> dict[str, int | str]:
    """Give ``{name: version}``; a damaged snapshot has none until the next one replaces it."""
    try:
        manifest = files.read_manifest(runtime_dir)
    except files.SnapshotError:
        return {}
    return {entry["name"]: entry.get("version", manifest.version) for entry in manifest.workspaces}
