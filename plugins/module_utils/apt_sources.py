"""What the files below /etc/apt say of archives (sources.list(5)): pure, texts in, archives out.

apt itself tells of an archive only once it has fetched its lists, and of none at all where two files name one archive
with different keys. Just then somebody has to know which files these are.
"""

from __future__ import annotations

import re
from typing import Iterator, Mapping

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>[^\s\[]\S*)\s+(?P<suite>\S+)(?P<components>.*)")
FIELD = re.compile(r"(?P<name>[^\s:]+):\s*(?P<value>.*)")

Archive = dict[str, str]


def archives(texts: Mapping[str, str], machine: str) -> list[Archive]:
    """Return uri, suite, component, keyring and file of every entry for packages, by the texts of the files."""
    found: list[Archive] = []
    for path, text in texts.items():
        entries = _stanzas(text) if path.endswith(".sources") else _lines(text)
        for uri, suite, component, keyring in entries:
            where = "%s/" % uri.rstrip("/")
            found.append({
                "uri": where.replace("$(ARCH)", ARCHITECTURES.get(machine, machine)),
                "suite": suite.replace("$(ARCH)", ARCHITECTURES.get(machine, machine)),
                "component": component,
                "keyring": keyring if keyring.startswith("/") else "",
                "file": path,
            })  # fmt: skip
    return found


def _lines(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield (uri, suite, component, signed-by) of each line of a .list."""
    for line in text.splitlines():
        match = LINE.match(line.partition("#")[0].strip())
        if match:
            options = dict(option.partition("=")[::2] for option in (match.group("options") or "").split())
            for component in match.group("components").split() or [""]:
                yield match.group("uri"), match.group("suite"), component, options.get("signed-by", "")


def _stanzas(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the same of each stanza of a .sources that is not disabled."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", lines):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "").lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                for component in fields.get("components", "").split() or [""]:
                    yield uri, suite, component, fields.get("signed-by", "")


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        match = FIELD.match(line)
        if match:
            name = match.group("name").lower()
            fields[name] = match.group("value").strip()
        elif name and line[:1].isspace():
            fields[name] = (fields[name] + " " + line.strip()).strip()
    return fields


def together(fetched: list[Archive], named: list[Archive]) -> list[Archive]:
    """Return what apt tells, and what its files name beside that."""
    keys = ("uri", "suite", "component", "file")
    known = {tuple(archive[key] for key in keys) for archive in fetched}
    return fetched + [archive for archive in named if tuple(archive[key] for key in keys) not in known]
