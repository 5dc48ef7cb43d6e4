"""Artifacts as data: where one comes from, what it must be, the lock file, and how a failure reads.

Nothing here touches the network or writes a file; that is the module ``artifact``.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

try:
    import yaml
except ImportError:  # the control node has it, since Ansible needs it; the module says what to do if not
    yaml = None  # type: ignore[assignment]

LOCK_VERSION = 1
LOCK_HEADER = """\
# The SHA-256 and size of every file that Slipway downloads for this site.
# Written by playbooks/lock.yml; keep it under version control beside the inventory.
"""
FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
HTML_SUFFIXES = (".html", ".htm")


class LockError(ValueError):
    """A lock file that cannot be used; the message names file and line."""


@dataclass(frozen=True)
class Artifact:
    """A file of an upstream."""

    name: str
    version: str
    filename: str
    url: str
    sha256: str = ""


@dataclass(frozen=True)
class Entry:
    """What the lock file records of an artifact."""

    url: str
    sha256: str
    size: int


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


def cache_path(cache: str, sha256: str, filename: str) -> str:
    """Return where a file of this content is kept; its own name stays, because package managers look at it."""
    return os.path.join(cache, sha256[:16], filename)


def looks_like_html(head: bytes, filename: str) -> bool:
    """Tell whether a web page came where a file was asked for: a login page, or an error page sent as 200."""
    if filename.lower().endswith(HTML_SUFFIXES):
        return False
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return (
        start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml version"))
        and b"<html" in head.lower()
    )


def title_of(head: bytes) -> str:
    """Return the title of an HTML page, or nothing."""
    found = re.search(rb"<title[^>]*>([^<]{1,200})", head, re.IGNORECASE)
    return " ".join(found.group(1).decode("utf-8", "replace").split()) if found else ""


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


def parse_lock(text: str, path: str) -> dict[str, Entry]:
    """Return the entries of a lock file; raises LockError with file and line when it is not one."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            raise LockError("%s, line %d: a merge conflict was left in the file" % (path, number))
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        cause = getattr(error, "problem", None) or str(error)
        raise LockError("%s, line %d: not valid YAML: %s" % (path, mark.line + 1 if mark else 1, cause)) from None
    if root is None:
        raise LockError("%s, line 1: the file is empty" % path)
    top = _mapping(root, path, "the file", ("artifacts_lock_version", "artifacts"))
    version = _scalar(top["artifacts_lock_version"], path, "artifacts_lock_version")
    if version != str(LOCK_VERSION):
        line = top["artifacts_lock_version"].start_mark.line + 1
        raise LockError(
            "%s, line %d: lock version %s; this Slipway reads %d" % (path, line, version, LOCK_VERSION)
        )
    entries = {}
    for filename, node in _mapping(top["artifacts"], path, "artifacts").items():
        if not FILENAME.match(filename):
            raise LockError("%s, line %d: %r is not a file name" % (path, node.start_mark.line + 1, filename))
        entries[filename] = _entry(node, path, filename)
    return entries


def _entry(node: Any, path: str, filename: str) -> Entry:
    fields = _mapping(node, path, filename, ("url", "sha256", "size"))
    values = {key: _scalar(child, path, "%s of %s" % (key, filename)) for key, child in fields.items()}
    for key, good, wanted in (
        ("sha256", SHA256.match(values["sha256"]), "64 lower-case hexadecimal digits"),
        ("size", re.match(r"[0-9]{1,15}\Z", values["size"]), "a number of bytes"),
        ("url", values["url"], "a URL"),
    ):
        if not good:
            line = fields[key].start_mark.line + 1
            raise LockError(
                "%s, line %d: %s of %s must be %s, not %r" % (path, line, key, filename, wanted, values[key])
            )
    return Entry(values["url"], values["sha256"], int(values["size"]))


def _mapping(node: Any, path: str, what: str, keys: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return a YAML mapping's children by key; a missing, unknown or repeated key is a LockError."""
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise LockError("%s, line %d: %s must be a mapping" % (path, line, what))
    children: dict[str, Any] = {}
    for key_node, child in node.value:
        key = _scalar(key_node, path, "a key of %s" % what)
        key_line = key_node.start_mark.line + 1
        if key in children:
            raise LockError("%s, line %d: %s is there twice" % (path, key_line, key))
        if keys is not None and key not in keys:
            raise LockError("%s, line %d: unknown key %r in %s" % (path, key_line, key, what))
        children[key] = child
    for key in keys or ():
        if key not in children:
            raise LockError("%s, line %d: %s lacks %s" % (path, line, what, key))
    return children


def _scalar(node: Any, path: str, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise LockError("%s, line %d: %s must be a single value" % (path, node.start_mark.line + 1, what))
    return str(node.value)


def render_lock(entries: dict[str, Entry]) -> str:
    """Return a lock file, sorted by file name so that a diff shows only what changed."""
    lines = [LOCK_HEADER + "artifacts_lock_version: %d" % LOCK_VERSION]
    lines.append("artifacts:" if entries else "artifacts: {}")
    for filename in sorted(entries):
        entry = entries[filename]
        lines += [
            "  %s:" % filename,
            "    url: %s" % entry.url,
            "    sha256: %s" % entry.sha256,
            "    size: %d" % entry.size,
        ]
    return "\n".join(lines) + "\n"


def digest_of(path: str) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


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
