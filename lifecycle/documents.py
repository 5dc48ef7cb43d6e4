"""Read what a platform put on the node: JSON that may be half-written, empty, or something else altogether."""

from __future__ import annotations

import json
from typing import Any

from .outcome import BadConfiguration

SHOWN = 40


def parse_object(content: bytes, path: str) -> dict[str, Any]:
    """Return the JSON object in a file's content; a byte order mark and CRLF are accepted.

    Raises BadConfiguration with the path, and the offset (characters from 0) where there is one.
    """
    if not content.strip():
        raise BadConfiguration("%s is empty (offset 0); expected a JSON object" % path)
    if b"\0" in content:
        raise BadConfiguration("%s has a NUL byte at offset %d; expected a JSON object" % (path, content.index(b"\0")))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfiguration("%s is not UTF-8 at offset %d; expected a JSON object" % (path, error.start)) from None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = "offset %d (line %d)" % (error.pos, error.lineno)
        message = "%s is not valid JSON at %s: %s; it begins with %r" % (path, where, error.msg, text[:SHOWN])
        raise BadConfiguration(message) from None
    except RecursionError:
        raise BadConfiguration("%s is nested too deeply to be JSON of the platform (offset 0)" % path) from None
    if not isinstance(value, dict):
        raise BadConfiguration("%s holds %s at offset 0; expected a JSON object" % (path, json.dumps(value)[:SHOWN]))
    return value
