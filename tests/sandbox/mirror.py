"""A web server that delivers artifacts as badly as real ones do."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Please log in</title></head><body></body></html>"


class Handler(http.server.BaseHTTPRequestHandler):
    """Delivers the files of ``directory``, those named in ``faults`` with a fault."""

    directory: Path
    faults: Mapping[str, str]

    def do_GET(self) -> None:
        name = unquote(self.path).lstrip("/")
        path = self.directory / name
        fault = self.faults.get(name, "" if path.is_file() else "missing")
        if fault == "missing":
            self.send_error(404)
            return
        content = LOGIN_PAGE if fault == "page" else path.read_bytes()
        if fault == "altered":
            content = bytes(byte ^ 1 for byte in content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault == "truncated" else content)

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@contextmanager
def serving(directory: Path, faults: Mapping[str, str]) -> Iterator[str]:
    """Serve a directory and yield the base URL; faults are missing, page, altered and truncated, by file name."""
    handler = type("Faulty", (Handler,), {"directory": directory, "faults": faults})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
