"""What the dockerd of this node says about itself.

Apart from docker_process, because importing an HTTP client costs a node more than all that is asked without one.
"""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import docker_process


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a local socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(docker_process.SOCKET)


def info(seconds: float) -> dict[str, Any] | None:
    """Return what Docker says about itself (GET /info), None where it does not answer within ``seconds``.

    Asking starts a Docker that is stopped: systemd listens for it.
    """
    connection = _SocketConnection("localhost", timeout=seconds)
    try:
        connection.request("GET", "/info")
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return found if answer.status == 200 and isinstance(found, dict) else None
