"""Which file of an inventory defines a variable: what a message tells its reader to edit."""

from __future__ import annotations

import os
import re
from typing import Iterable, Iterator, Sequence

SUFFIXES = ("", ".yml", ".yaml", ".json")
VAULT = "$ANSIBLE_VAULT"
LARGEST = 4 << 20


def candidates(
    bases: Sequence[str], sources: Sequence[str], host: str, groups: Sequence[str]
) -> Iterator[str]:
    """Yield the files that may define a variable of a host, the ones that win first.

    ``bases`` are the directories of the playbook and of the inventory sources, the winning one first;
    ``groups`` the host's groups, the winning one first.
    """
    wanted = [("host_vars", host)] + [("group_vars", group) for group in [*groups, "all"]]
    for kind, name in wanted:
        for base in bases:
            path = os.path.join(base, kind, name)
            yield from reversed(_files_below(path))
            for suffix in SUFFIXES:
                if os.path.isfile(path + suffix):
                    yield path + suffix
    for source in sources:
        if os.path.isfile(source):
            yield source
        elif os.path.isdir(source):
            names = [os.path.join(source, name) for name in sorted(os.listdir(source))]
            yield from (path for path in names if os.path.isfile(path))


def _files_below(path: str) -> list[str]:
    found = []
    for directory, subdirectories, names in os.walk(path):
        subdirectories.sort()
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith("~") and os.path.splitext(name)[1] in SUFFIXES:
                found.append(os.path.join(directory, name))
    return found


def line_of(variable: str, text: str) -> int:
    """Return the first line (from 1) that sets a variable in YAML, JSON or INI, or 0."""
    pattern = re.compile(r"""(?:^|[\s{,"'])%s["']?\s*[:=](?!=)""" % re.escape(variable))
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith(("#", ";")) and pattern.search(line):
            return number
    return 0


def locate(variable: str, files: Iterable[str]) -> str:
    """Return ``file:line`` of the first file that sets a variable in clear text, or nothing."""
    for path in files:
        try:
            if os.path.getsize(path) > LARGEST:
                continue
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except (OSError, UnicodeDecodeError):
            continue
        line = line_of(variable, text)
        if line:
            return "%s:%d" % (path, line)
    return ""


def vaults(files: Iterable[str]) -> Iterator[str]:
    """Yield the files that are encrypted as a whole, and so can only be searched once decrypted."""
    for path in files:
        try:
            with open(path, "rb") as stream:
                if stream.read(len(VAULT)) == VAULT.encode():
                    yield path
        except OSError:
            continue
