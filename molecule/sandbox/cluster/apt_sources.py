"""Finds the Debian mirror this machine uses, so that no mirror's name is written down here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PUBLIC_ARCHIVE = "http://deb.debian.org/debian"
PUBLIC_SECURITY = "http://deb.debian.org/debian-security"
# Names under which a Debian machine may follow a release without naming it.
MOVING_SUITES = {"stable", "oldstable", "testing", "unstable", "sid"}


@dataclass(frozen=True)
class Source:
    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False


@dataclass(frozen=True)
class Mirror:
    archive: Source
    security: Source | None


def parse_one_line(text: str) -> list[Source]:
    sources = []
    for raw in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?([^#\s]\S*)\s+([^#]*)", raw)
        if not match:
            continue
        pairs = (item.partition("=") for item in (match[1] or "").split())
        options = {key.lower(): value for key, _, value in pairs}
        suite, *components = match[3].split() or [""]
        sources.append(
            Source(
                uri=match[2],
                suites=(suite,),
                components=tuple(components),
                signed_by=options.get("signed-by", ""),
                trusted=options.get("trusted") == "yes",
            )
        )
    return sources


def stanza_fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in " \t" and key:
            # A lone dot stands for an empty line, as inside a key written in place.
            part = line.strip()
            fields[key] += "\n" + ("" if part == "." else part)
        elif ":" in line:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            fields[key] = value.strip()
    return fields


def parse_deb822(text: str) -> list[Source]:
    sources = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = stanza_fields(stanza)
        if fields.get("enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            sources.append(
                Source(
                    uri=uri,
                    suites=tuple(fields.get("suites", "").split()),
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", "").strip(),
                    trusted=fields.get("trusted", "").lower() == "yes",
                )
            )
    return sources


def preference(source: Source) -> int:
    """A vendor's repository may use Debian's suite and component names too."""
    if "debian-archive" in source.signed_by or ".debian.org/" in source.uri:
        return 0
    return 1 if not source.signed_by else 2


def choose(sources: Iterable[Source], os_release: Mapping[str, str]) -> Mirror:
    """The archive and the security archive; the public ones on a machine that is not Debian."""
    public = Source(PUBLIC_ARCHIVE, (), ("main",), DEBIAN_KEYRING)
    security = Source(PUBLIC_SECURITY, (), ("main",), DEBIAN_KEYRING)
    if os_release.get("ID") != "debian":
        return Mirror(public, security)
    names = MOVING_SUITES | {os_release.get("VERSION_CODENAME", "")}
    usable = [
        source for source in sources if "main" in source.components and source.uri.startswith(("http://", "https://"))
    ]
    archives = [source for source in usable if names.intersection(source.suites)]
    if not archives:
        return Mirror(public, security)
    secured = {f"{name}-security" for name in names}
    found = [source for source in usable if secured.intersection(source.suites)]
    return Mirror(min(archives, key=preference), min(found, key=preference) if found else None)


def resolve(uri: str) -> str:
    """Debian's cloud images name their mirrors in a file of their own (`mirror+file:`)."""
    if not uri.startswith("mirror+file:"):
        return uri
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    entries = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return entries[0] if entries else uri


def read_machine(root: Path = Path("/etc/apt")) -> list[Source]:
    found: list[Source] = []
    parts = sorted((root / "sources.list.d").glob("*"))
    for path in [root / "sources.list", *parts]:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".sources":
            found += parse_deb822(text)
        elif path.suffix == ".list":
            found += parse_one_line(text)
    return [Source(resolve(item.uri), item.suites, item.components, item.signed_by, item.trusted) for item in found]
