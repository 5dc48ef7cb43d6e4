"""What a node says about ranges of subordinate ids: its files, and its name service. Reads, changes nothing."""

from __future__ import annotations

from typing import Iterable, Sequence

from ansible_collections.slipway.containers.plugins.module_utils import accounts, subid

SUBUID, SUBGID, NSSWITCH = "/etc/subuid", "/etc/subgid", "/etc/nsswitch.conf"
# How many ids a range has that nobody declared otherwise.
COUNT = 65536


def read(path: str) -> str:
    """Return a file's text byte by byte, '' for one that does not exist; raises OSError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def known_users(names: Iterable[str]) -> dict[str, int]:
    """Return the ids of those users that this node knows."""
    return {name: account.pw_uid for name, account in accounts.known(names).items()}


def everybody(entries: list[subid.Entry]) -> dict[str, int]:
    """Return the ids of the owners of lines: one owner may be named by name here and by number there."""
    return known_users(sorted({entry.owner.lstrip(subid.DISABLED) for entry in entries}))


def problems(texts: dict[str, str]) -> list[str]:
    """Return a sentence for each pair of lines that overlap."""
    found = []
    for path, text in texts.items():
        entries = subid.parse(text)
        for one, two in subid.overlaps(entries, everybody(entries)):
            found.append(
                "%s: line %d (%s) and line %d (%s) have ids in common"
                % (path, one.number, one.text, two.number, two.text)
            )
    return found


def served(users: Sequence[str]) -> list[str]:
    """Return those users who have their ranges; none where anything about the files is to be said.

    Raises OSError.
    """
    texts = {path: read(path) for path in (SUBUID, SUBGID)}
    sources = subid.sources(read(NSSWITCH))
    if (sources and "files" not in sources) or problems(texts):
        return []
    uids = known_users(users)
    entries = [subid.parse(text) for text in texts.values()]
    return [
        user
        for user in uids
        if all(
            any(subid.same_owner(entry, user, uids) and entry.count >= COUNT for entry in found) for found in entries
        )
    ]
