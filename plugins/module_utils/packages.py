"""What package managers print, read."""

from __future__ import annotations

import os
import re

DPKG_FIELDS = ("Package", "Version", "Architecture", "db:Status-Status", "db:Status-Eflag", "db:Status-Want")
DPKG_FORMAT = r"\t".join("${%s}" % field for field in DPKG_FIELDS) + r"\n"
# The same, followed by a line for each path of the package (dpkg 1.19.3).
DPKG_FILES_FORMAT = DPKG_FORMAT + "${db-fsys:Files}"
RPM_FORMAT = r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"
# How long to wait before a locked package manager is asked again (seconds).
LOCK_PAUSE = 5
# For `apt-get indextargets`. apt leaves a variable that has no value as it stands.
APT_TARGETS_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(SOURCESENTRY)"
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# dnf's plugin versionlock has no query that is cheaper than its file.
VERSIONLOCK = "/etc/dnf/plugins/versionlock.list"
# dpkg journals status changes here until it has written them; a file left means that it was interrupted.
DPKG_JOURNAL = "/var/lib/dpkg/updates"

# "missing   c /etc/x", and where the kernel said why "missing     /root/x (Permission denied)".
MISSING = re.compile(r"^missing\s+(?:[a-z]\s+)?(/.*?)(?: \([^()]*\))?$", re.MULTILINE)
# Minimal images leave these out on purpose (dpkg's path-exclude, rpm's nodocs).
OPTIONAL_FILES = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/locale/", "/usr/share/lintian/")

Packages = dict[str, list[dict[str, str]]]


def dpkg_was_interrupted() -> bool:
    """Return whether dpkg left changes that it had not written yet."""
    try:
        return bool(os.listdir(DPKG_JOURNAL))
    except FileNotFoundError:
        return False


def parse_dpkg(text: str) -> tuple[Packages, list[str]]:
    """Return the installed packages by name, and the names of those that are only partly installed."""
    found: Packages = {}
    broken: list[str] = []
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) < 5:
            continue
        name, version, architecture, status, flag = fields[:5]
        if status == "installed" and flag == "ok":
            found.setdefault(name, []).append({"name": name, "version": version, "arch": architecture})
        elif status not in ("not-installed", "config-files"):
            broken.append(name)
    return found, broken


def lacking_by_dpkg(text: str) -> set[str]:
    """Return the names of the packages of which a path is not there, from dpkg-query's answer with files."""
    name, found = "", set()
    for line in text.splitlines():
        if not line.startswith(" "):
            name = line.partition("\t")[0]
        elif not line.startswith(OPTIONAL_FILES, 1) and not os.path.lexists(line[1:]):
            found.add(name)
    return found


def held_by_dpkg(text: str) -> list[str]:
    """Return the names of the packages that an upgrade leaves alone, from dpkg-query's answer."""
    lines = (line.split("\t") for line in text.splitlines())
    return sorted({fields[0] for fields in lines if len(fields) == len(DPKG_FIELDS) and fields[-1] == "hold"})


def held_by_versionlock(text: str, names: list[str]) -> list[str]:
    """Return those of the names that dnf's versionlock.list locks.

    A line is NAME-EPOCH:VERSION-RELEASE.ARCHITECTURE (dnf-plugins-core 4, its documentation), ! before one excludes.
    """
    locked = re.findall(r"^([^\s#!].*?)-[0-9]+:", text, re.MULTILINE)
    return sorted(set(names) & set(locked))


def parse_rpm(text: str) -> Packages:
    """Return the installed packages by name; lines such as ``package x is not installed`` are left out."""
    found: Packages = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 3:
            entry = {"name": fields[0], "version": fields[1], "arch": fields[2]}
            found.setdefault(fields[0], []).append(entry)
    return found


def listed_twice(found: Packages) -> list[str]:
    """Return the names that rpm lists in two versions, as an upgrade that was killed leaves them."""
    return [name for name, entries in found.items() if len({entry["arch"] for entry in entries}) < len(entries)]


def parse_apt_targets(text: str) -> list[dict[str, str]]:
    """Return what apt fetches lists from: uri, suite, component, file, and keyring ('' for none, or one in place)."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 5:
            continue
        archive = dict(zip(("uri", "suite", "component", "keyring", "file"), fields))
        archive["keyring"] = archive["keyring"] if archive["keyring"].startswith("/") else ""
        archive["file"] = archive["file"].rpartition(":")[0]
        # One target for each architecture.
        if archive not in found:
            found.append(archive)
    return found


def own_archive(archives: list[dict[str, str]], release: str) -> dict[str, str]:
    """Return uri and keyring of the Debian archive that a node takes its release (``trixie``) from.

    A vendor's archive may use Debian's names of suites and components, too. Without any it is Debian's public one.
    """

    def is_debians(archive: dict[str, str]) -> bool:
        return "debian-archive" in archive["keyring"] or ".debian.org/" in archive["uri"]

    found = [archive for archive in archives if (archive["suite"], archive["component"]) == (release, "main")]
    chosen = sorted(found, key=lambda archive: (not is_debians(archive), bool(archive["keyring"])))
    uri, keyring = (chosen[0]["uri"], chosen[0]["keyring"]) if chosen else ("http://deb.debian.org/debian/", "")
    return {"uri": uri, "keyring": keyring or DEBIAN_KEYRING}


def missing_files(text: str) -> list[str]:
    """Return the files that `dpkg --verify` or `rpm --verify` say are gone."""
    return [path for path in MISSING.findall(text) if not path.startswith(OPTIONAL_FILES)]


APT_NO_VERSION = re.compile(r"E: Version '[^']+' for '(?P<name>[^']+)' was not found")
# How many versions a message lists.
SHOWN_VERSIONS = 10


def wanted_version_is_missing(output: str) -> str:
    """Return the package of which apt lacks the version that was asked for, '' where that is not what went wrong."""
    found = APT_NO_VERSION.search(output)
    return found.group("name") if found else ""


def parse_madison(text: str) -> list[str]:
    """Return the versions that `apt-cache madison` lists, in its order: the newest first."""
    lines = (line.split("|") for line in text.splitlines())
    return list(dict.fromkeys(fields[1].strip() for fields in lines if len(fields) == 3))


def would_remove(output: str) -> bool:
    """Return whether apt-get refused because of --no-remove (seen with apt 3.0.3)."""
    return "Packages need to be removed but remove is disabled" in output


def mirror_is_changing(output: str) -> bool:
    """Return whether files of a mirror did not fit its lists, or these its Release: in some seconds they may."""
    return bool(re.search(r"^E: Failed to fetch .*(?:Hash Sum mismatch|Mirror sync in progress)", output, re.MULTILINE))


def lists_are_stale(output: str) -> bool:
    """Return whether `apt-get update` may be what is missing."""
    signs = (
        "Hash Sum mismatch",
        "Unable to locate package",
        r"\b404 +\w",
        "has no installation candidate",
        "E: Version '[^']+' for '[^']+' was not found",
        "is not going to be installed",
        "but it is not installable",
        "is to be installed",
    )
    return bool(re.search("|".join(signs), output))


def apt_is_locked(output: str) -> bool:
    """Return whether a lock is held for which `apt-get update`, or dpkg itself, does not wait."""
    signs = r"^E: (?:Could not get lock|Unable to lock directory) \S*/lists/|^dpkg: error: .*locked by another process"
    return bool(re.search(signs, output, re.MULTILINE))


def metadata_is_stale(output: str) -> bool:
    """Return whether `dnf --refresh` may be what is missing."""
    signs = "Unable to find a match|nothing provides|Cannot download, all mirrors|incorrect checksum"
    return bool(re.search(signs, output))


def rpm_is_locked(output: str) -> bool:
    """Return whether dnf or rpm gave up because another one runs."""
    return bool(re.search(r"already locked by \d|can't create transaction lock", output))


def failed_scripts(output: str) -> list[str]:
    """Return a sentence for each script that failed although its package was installed."""
    pattern = r"Error in (POST\w+) scriptlet in rpm package (\S+)"
    return ["%s is installed, and its scriptlet %s failed" % (name, kind) for kind, name in re.findall(pattern, output)]
