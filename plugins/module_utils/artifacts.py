"""Artifacts as data: where one comes from, what it must be, and how a failure reads.

Nothing here touches the network or a file; that is ``artifact_download`` and ``artifact_store``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Artifact:
    """A file of an upstream."""

    name: str
    version: str
    filename: str
    url: str
    sha256: str = ""


@dataclass(frozen=True)
class Problem:
    """Why an artifact cannot be used, and what to do."""

    artifact: str
    url: str
    problem: str
    expected: str
    found: str
    fix: str


def redact(url: str) -> str:
    """Return a URL without the user name and password that it may carry."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rsplit("@", 1)[1]))


def is_url(location: str) -> bool:
    """Tell a base URL from a directory."""
    return location.startswith(("http://", "https://"))


def source_of(artifact: Artifact, mirror: str) -> str:
    """Return where the file is to be had: the mirror's URL or path when there is a mirror, else upstream's URL."""
    if not mirror:
        return artifact.url
    if is_url(mirror):
        return "%s/%s" % (mirror.rstrip("/"), quote(artifact.filename))
    return os.path.join(mirror, artifact.filename)


def merge(requested: list[dict[str, Any]]) -> tuple[list[Artifact], list[Problem]]:
    """Return each wanted file once, ordered by name, and what is wrong with the request itself.

    Many hosts ask for the same file, so equal entries are one; two different files under one name are a problem.
    """
    merged: dict[str, Artifact] = {}
    problems = []
    for raw in requested:
        wanted = Artifact(
            raw["name"],
            raw["version"],
            raw["filename"],
            raw["url"],
            (raw.get("sha256") or "").strip().lower(),
        )
        fault = _fault_of(wanted)
        known = merged.get(wanted.filename)
        if not fault and known and (known.url, known.sha256) != (wanted.url, wanted.sha256):
            fault = (
                "two different files are wanted under this name",
                "one URL and one checksum",
                "%s and %s" % (_identity(known), _identity(wanted)),
            )
        if fault:
            fix = "correct the pin of %s (roles/*/vars, or the inventory where it overrides it)" % wanted.name
            problems.append(Problem(wanted.filename, redact(wanted.url), fault[0], fault[1], fault[2], fix))
        else:
            merged[wanted.filename] = wanted
    return [merged[name] for name in sorted(merged)], list(dict.fromkeys(problems))


def _identity(artifact: Artifact) -> str:
    return "%s (sha256 %s)" % (redact(artifact.url), artifact.sha256 or "not pinned")


def _fault_of(artifact: Artifact) -> tuple[str, str, str] | None:
    if not FILENAME.match(artifact.filename):
        return (
            "not a file name",
            "letters, digits and . _ + ~ - without a directory",
            repr(artifact.filename),
        )
    if artifact.sha256 and not SHA256.match(artifact.sha256):
        return ("not a SHA-256", "64 hexadecimal digits", repr(artifact.sha256))
    if not is_url(artifact.url) or re.search(r"\s", artifact.url) or not urlsplit(artifact.url).netloc:
        return ("not a URL that can be downloaded", "http://… or https://…", repr(redact(artifact.url)))
    return None


def render_problems(problems: list[Problem], outcome: str) -> str:
    """Return all problems as one message that is readable in a terminal."""
    count = len(problems)
    lines = ["%d artifact problem%s; %s." % (count, "" if count == 1 else "s", outcome)]
    for item in problems:
        lines += ["", "%s: %s" % (item.artifact, item.problem)]
        for label, text in (
            ("url", item.url),
            ("expected", item.expected),
            ("found", item.found),
            ("do", item.fix),
        ):
            if text:
                lines.append("  %-9s %s" % (label + ":", text))
    return "\n".join(lines)
