"""Key-and-value files that belong to somebody else (enroot.conf, apptainer.conf), merged key by key."""

from __future__ import annotations

import re
from typing import Any, Collection, Mapping, Union

# What a key is set to: a text, a list of them for a key that may stand on several lines, or None for no such key.
Value = Union[str, list[str], None]


def _pattern(key: str, separator: str) -> re.Pattern[str]:
    # Where "=" separates, keys have blanks in them ("allow setuid = yes" of apptainer.conf).
    between = r"\s*=" if "=" in separator else r"(?:\s*=|(?=\s)|$)"
    return re.compile(r"^\s*%s%s\s*(?P<value>.*?)\s*$" % (re.escape(key), between))


def active_value(text: str, key: str, separator: str = " ") -> str | None:
    """Return the value of the first uncommented line of ``key``; the first one is the one programs take."""
    pattern = _pattern(key, separator)
    for line in text.split("\n"):
        found = pattern.match(line)
        if found:
            return found.group("value")
    return None


def as_texts(settings: Mapping[Any, Any]) -> dict[str, Value]:
    """Return settings as they stand in the file; YAML has made a boolean of a plain yes."""
    return {str(key): _as_text(value) for key, value in settings.items()}


def _as_text(value: Any) -> Value:
    if isinstance(value, list):
        return [str(_as_text(item)) for item in value]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)


def telling_lines(text: str) -> list[str] | None:
    """Return the lines that ``merge`` may find a key on, None where it would change the text in any case.

    What begins with ``[`` ends them: in TOML a key after it belongs to a table.
    """
    if text and not text.endswith("\n"):
        return None
    lines = []
    for line in text.split("\n"):
        if line.lstrip().startswith("["):
            break
        if line.strip() and line.lstrip()[0] not in "#;":
            lines.append(line)
    return lines


def _check(key: str, values: list[str]) -> None:
    if not key or key != key.strip() or key[0] in "#;" or set(key) & set("=\n\r"):
        raise ValueError("%r cannot be a key of such a file" % key)
    if any(set(value) & set("\n\r\0") for value in values):
        raise ValueError("the value of %s has a line break in it" % key)


def fault_of(key: Any, value: Any, allowed: Collection[str]) -> str:
    """Return why a key and its value cannot stand in such a file, '' where they can.

    A value is text or a number, and what ``allowed`` names: ``boolean``, ``null`` and ``list``.
    """
    items = value if isinstance(value, list) and "list" in allowed else [value]
    for item in items:
        if item is None and not ("null" in allowed and value is None):
            return "%s has no value" % key
        if isinstance(item, (Mapping, list, tuple)):
            return "%s is %s" % (key, "a dictionary" if isinstance(item, Mapping) else "a list")
        if isinstance(item, bool) and "boolean" not in allowed:
            return "%s is read by YAML as true or false; put quotes around it" % key
    try:
        _check(str(key), [str(item) for item in items])
    except ValueError as error:
        return str(error)
    return ""


def values_of(value: Value) -> list[str]:
    """Return the values of a key, one for each of its lines."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def merge(text: str, settings: Mapping[str, Value], keep: list[str], separator: str, until: str = "") -> str:
    """Return ``text`` with every key of ``settings`` set, and a final newline.

    A key stands on one line, and on one line for each item where its value is a list ("bind path" of apptainer.conf).
    A key of ``keep`` that already has a value is left alone.  ``None`` removes a key, and so does an empty list.
    With ``until`` only what stands before the first line that begins with it is looked at, and added to
    (``[`` of a TOML file: a key after it belongs to a table).
    Lines that are not ours, comments among them, stay as they are and where they are, byte by byte.
    Raises ValueError for a key or value that would be read as something else.
    """
    # Not splitlines(), which also breaks lines at form feeds and the like.
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    end = next((number for number, line in enumerate(lines) if until and line.lstrip().startswith(until)), len(lines))
    lines, rest = lines[:end], lines[end:]
    text = "\n".join(lines)
    for key, value in settings.items():
        values = values_of(value)
        _check(key, values)
        if key in keep and active_value(text, key, separator):
            continue
        pattern = _pattern(key, separator)
        places = [number for number, line in enumerate(lines) if pattern.match(line)]
        wanted = ["%s%s%s" % (key, separator, item) for item in values]
        if not places:
            lines += wanted
            continue
        for number in reversed(places[1:]):
            del lines[number]
        lines[places[0] : places[0] + 1] = wanted
    return "".join(line + "\n" for line in lines + rest)
