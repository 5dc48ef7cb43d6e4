"""A web server that hands out a bundle, counts who asks for what, and stands in for the world as a proxy."""

from __future__ import annotations

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote


@dataclass(frozen=True)
class Request:
    """One request; ``when`` is in seconds of the monotonic clock."""

    when: float
    client: str
    method: str
    target: str


@dataclass
class Server:
    """A running server; ``refused`` holds what was asked of it as a proxy, which leads nowhere."""

    port: int
    served: list[Request] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)

    def forget(self) -> None:
        """Count anew."""
        self.served.clear()
        self.refused.clear()

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how often each client asked for each file."""
        return Counter((item.client, item.target) for item in self.served)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the files of ``directory``."""

    server: Listener

    def note(self, requests: list[Request]) -> None:
        requests.append(Request(time.monotonic(), str(self.client_address[0]), self.command, self.path))

    def do_GET(self) -> None:
        if "://" in self.path:
            self.do_CONNECT()
            return
        self.note(self.server.record.served)
        name = unquote(self.path).lstrip("/")
        # Processes on one machine have one address: each asks below a directory of its own name.
        path = self.server.directory / (name.partition("/")[2] if self.server.by_node else name)
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                self.wfile.write(block)

    def do_CONNECT(self) -> None:
        """Refuse to be a proxy, and remember for whom."""
        self.note(self.server.record.refused)
        self.send_error(403, "nothing out there is to be needed")

    def do_HEAD(self) -> None:
        """Refuse: nothing that a hook needs begins so."""
        self.do_CONNECT()

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


class Listener(http.server.ThreadingHTTPServer):
    """All nodes ask in the same second."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, directory: Path, by_node: bool) -> None:
        super().__init__(("0.0.0.0", 0), Handler)
        self.directory, self.by_node = directory, by_node
        self.record = Server(self.server_address[1])


@contextmanager
def serving(directory: Path, by_node: bool = False) -> Iterator[Server]:
    """Serve a directory on every address of this machine."""
    listener = Listener(directory, by_node)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield listener.record
    finally:
        listener.shutdown()
        listener.server_close()
