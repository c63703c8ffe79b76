"""The page's server in a thread of its own, so that nothing it does delays looking after the children."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping

import uvicorn

from livereduce.config import Config
from livereduce.errors import ConfigError
from livereduce.status import Status
from livereduce.web.app import create_app

log = logging.getLogger(__name__)

START_S = 10.0
STOP_S = 5.0


class PageServer:
    """Serves the page and its API; `url` is known after construction, also for port 0."""

    def __init__(self, config: Config, token: str, actions: Mapping[str, Callable[[], None]]) -> None:
        self._stopping = threading.Event()
        self._socket = self._listen(config.web.host, config.web.port)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        app = create_app(config, token=token, actions=actions, stopping=self._stopping)
        self.status: Callable[[], Status] = app.state.site.status
        settings = uvicorn.Config(
            app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2, access_log=False
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)

    @staticmethod
    def _listen(host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()  # whoever reads the address and comes before the server is up waits
        except OSError as error:
            listening.close()
            raise ConfigError(
                [f"web: cannot listen on {host}:{port}: {error.strerror}; choose another web.port, or 0 for any"]
            ) from error
        return listening

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        log.info("the page is at %s", self.url)

    def stop(self) -> None:
        """End open event streams and the server."""
        self._stopping.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self._socket.close()
