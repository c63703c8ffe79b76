"""Telling systemd how the service is: the whole of sd_notify."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(*messages: str) -> bool:
    """Send messages like ``READY=1`` to the service manager; tell whether there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # in the abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.sendto("\n".join(messages).encode(), address)
    except OSError as error:
        log.warning("systemd cannot be told %s: %s", messages, error)
        return False
    return True
