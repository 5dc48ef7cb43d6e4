"""Versions of packages, compared as dpkg compares them (deb-version(7)); rpm's order agrees for ours."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

# A stand-in of the sandbox counts as the version that it stands in for.
STANDIN = re.compile(r"~standin[0-9]*")
PARTS = re.compile(r"(?:([0-9]+):)?(.*?)(?:-([^-]*))?\Z", re.DOTALL)


def split(version: str) -> tuple[int, str, str]:
    """Return epoch, upstream version and packaging revision."""
    match = PARTS.match(STANDIN.sub("", version.strip().removeprefix("v")))
    if match is None:  # the pattern matches any text; this is for the type checker
        return 0, version, ""
    return int(match.group(1) or 0), match.group(2), match.group(3) or ""


def _weight(character: str) -> int:
    if character == "~":
        return -1
    if character.isalpha():
        return ord(character)
    return ord(character) + 256


def _compare_part(left: str, right: str) -> int:
    """Compare alternately what is no number, by character, and what is one, by value."""
    while left or right:
        texts = [re.match(r"[^0-9]*", side).group() for side in (left, right)]  # type: ignore[union-attr]
        for position in range(max(map(len, texts))):
            weights = [_weight(text[position]) if position < len(text) else 0 for text in texts]
            if weights[0] != weights[1]:
                return -1 if weights[0] < weights[1] else 1
        left, right = left[len(texts[0]) :], right[len(texts[1]) :]
        numbers = [re.match(r"[0-9]*", side).group() for side in (left, right)]  # type: ignore[union-attr]
        left, right = left[len(numbers[0]) :], right[len(numbers[1]) :]
        values = [int(number or 0) for number in numbers]
        if values[0] != values[1]:
            return -1 if values[0] < values[1] else 1
    return 0


def compare(left: str, right: str) -> int:
    """Return -1, 0 or 1; epoch and packaging revision count only where both sides have one.

    A vendor's pin says ``1.18.0`` and dpkg ``1.18.0-1``: both mean the same release.
    """
    one, two = split(left), split(right)
    if one[0] and two[0] and one[0] != two[0]:
        return -1 if one[0] < two[0] else 1
    return _compare_part(one[1], two[1]) or (_compare_part(one[2], two[2]) if one[2] and two[2] else 0)


def matches(version: str, pattern: str) -> bool:
    """Tell whether a version is the one that a deny list names; a repackaging (+ds1, +dfsg) is the same release."""
    if "+" not in pattern:
        epoch, upstream, revision = split(version)
        version = "%d:%s%s" % (epoch, upstream.split("+")[0], "-" + revision if revision else "")
    return compare(version, pattern) == 0


def refusal(version: str, denied: Iterable[Mapping[str, Any]], minimum: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (problem, what is allowed) for a version on a deny list or below a minimum."""
    for item in denied:
        if matches(version, str(item["version"])):
            return "is denied: %s" % _reason(item), "any other version"
    if minimum and compare(version, str(minimum["version"])) < 0:
        return "is too old: %s" % _reason(minimum), "%s or newer" % minimum["version"]
    return None


def _reason(item: Mapping[str, Any]) -> str:
    link = " (%s)" % item["link"] if item.get("link") else ""
    return "%s%s" % (item.get("reason") or "no reason given", link)
