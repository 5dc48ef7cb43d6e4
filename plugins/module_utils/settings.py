"""Key-and-value files that belong to somebody else (enroot.conf, apptainer.conf), merged key by key."""

from __future__ import annotations

import re


def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(r"^\s*%s(?=[\s=])\s*=?\s*(?P<value>.*?)\s*$" % re.escape(key))


def active_value(text: str, key: str) -> str | None:
    """Return the value of the first uncommented line of ``key``; the first one is the one programs take."""
    pattern = _pattern(key)
    for line in text.splitlines():
        found = pattern.match(line)
        if found:
            return found.group("value")
    return None


def merge(text: str, settings: dict[str, str | None], keep: list[str], separator: str) -> str:
    """Return ``text`` with every key of ``settings`` set once, and a final newline.

    A key of ``keep`` that already has a value is left alone.  ``None`` removes a key.
    Lines that are not ours, comments among them, stay as they are and where they are.
    """
    lines = text.splitlines()
    for key, value in settings.items():
        pattern = _pattern(key)
        places = [number for number, line in enumerate(lines) if pattern.match(line)]
        if key in keep and places:
            continue
        wanted = [] if value is None else ["%s%s%s" % (key, separator, value)]
        if not places:
            lines += wanted
            continue
        for number in reversed(places[1:]):
            del lines[number]
        lines[places[0] : places[0] + 1] = wanted
    return "".join(line + "\n" for line in lines)
