"""Records through srun's stdout: lines that survive garbage, interleaving, truncation and another run's output.

srun forwards a task's output in messages of about a kilobyte, so a long line can be torn by another node's. A record
therefore travels as short frames, each with its own checksum. Also part of the probe: Python 3.9, standard library.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import Any, NamedTuple

MARK = b"@slipway-validate"
PAYLOAD = 760  # bytes of base64 in a frame: with mark and header it stays below one kilobyte
PARTS_LIMIT = 4000
SIZE_LIMIT = 4_000_000  # bytes of one record once unpacked
FRAME = re.compile(
    rb"@slipway-validate (?P<nonce>[0-9a-f]+) (?P<node>[\w.-]+) (?P<task>\d+) (?P<number>\d+)"
    rb" (?P<part>\d+)/(?P<parts>\d+) (?P<sum>[0-9a-f]{8}) (?P<data>[A-Za-z0-9+/=]*);"
)


class Record(NamedTuple):
    """A record as it arrived: what its frame says of its origin, and its content."""

    node: str
    task: int
    content: dict[str, Any]


def encode(content: dict[str, Any], nonce: str, node: str, task: int, number: int) -> bytes:
    """Return the lines that carry a record."""
    packed = base64.b64encode(zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6))
    pieces = [packed[at : at + PAYLOAD] for at in range(0, len(packed), PAYLOAD)]
    lines = []
    for part, piece in enumerate(pieces, 1):
        head = b"%s %s %s %d %d %d/%d" % (
            MARK, nonce.encode(), node.encode(), task, number, part, len(pieces),
        )  # fmt: skip
        lines.append(b"%s %08x %s;\n" % (head, zlib.crc32(head + piece), piece))
    return b"".join(lines)


def unpack(data: bytes) -> dict[str, Any] | None:
    """Return a record from its joined payload, None where it is damaged."""
    try:
        engine = zlib.decompressobj()
        text = engine.decompress(base64.b64decode(data, validate=True), SIZE_LIMIT)
        content = json.loads(text) if engine.eof else None
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


class Decoder:
    """Takes bytes as they come and gives back whole records of this run; everything else is kept as noise."""

    def __init__(self, nonce: str, noise_limit: int = 20_000) -> None:
        """``nonce`` is the run's: frames of another run, or made up by a user's program, do not carry it."""
        self.nonce = nonce.encode()
        self.noise = b""
        self._noise_limit = noise_limit
        self._rest = b""
        self._parts: dict[tuple[bytes, bytes, bytes], dict[int, bytes]] = {}
        self._seen: set[tuple[bytes, bytes, bytes]] = set()

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that became whole with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > 65536:
            # Whatever this is, it is no frame.
            lines, self._rest = [*lines, self._rest], b""
        return [record for line in lines for record in self._line(line)]

    def close(self) -> list[Record]:
        """Return what the last line, without its end, still gives."""
        rest, self._rest = self._rest, b""
        return self._line(rest)

    def _line(self, line: bytes) -> list[Record]:
        matches = [match for match in FRAME.finditer(line) if self._sound(match)]
        if not matches:
            room = self._noise_limit - len(self.noise)
            if line.strip() and room > 0:
                self.noise += line[:room] + b"\n"
            return []
        return [record for match in matches for record in self._frame(match)]

    def _sound(self, match: re.Match[bytes]) -> bool:
        head = match.group().rsplit(b" ", 2)[0]
        known = match["nonce"] == self.nonce and 0 < int(match["part"]) <= int(match["parts"]) <= PARTS_LIMIT
        return known and int(match["sum"], 16) == zlib.crc32(head + match["data"])

    def _frame(self, match: re.Match[bytes]) -> list[Record]:
        key = (match["node"], match["task"], match["number"])
        parts = self._parts.setdefault(key, {})
        parts[int(match["part"])] = match["data"]
        if len(parts) < int(match["parts"]) or key in self._seen:
            return []
        self._seen.add(key)
        content = unpack(b"".join(parts[number] for number in sorted(parts)))
        del self._parts[key]
        return [Record(match["node"].decode(), int(match["task"]), content)] if content is not None else []
