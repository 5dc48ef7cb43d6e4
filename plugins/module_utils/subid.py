"""Ranges of subordinate user and group ids: /etc/subuid and /etc/subgid (subuid(5)), as values.

A container that is built or started with them runs under ids of its owner's range.  Two owners with ids in common can
reach each other's files, so no range may share an id with another one, nor with an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, Iterable, Mapping, Sequence

# The two highest ids have a meaning of their own: "no id", and its 16-bit relative.
HIGHEST_ID = 2**32 - 3
# Apptainer's mark of an owner who is switched off; the range stays taken.
DISABLED = "!"


@dataclass(frozen=True)
class Entry:
    """One line of such a file; ``number`` counts lines from 1."""

    owner: str
    start: int
    count: int
    number: int

    @property
    def end(self) -> int:
        """The first id behind the range."""
        return self.start + self.count

    @property
    def text(self) -> str:
        """The line as it stands in the file."""
        return "%s:%d:%d" % (self.owner, self.start, self.count)


@dataclass(frozen=True)
class Wanted:
    """What is declared: who gets ranges, of how many ids, and from which id on new ones are looked for."""

    users: Sequence[str]
    count: int
    minimum: int


class NoRoom(ValueError):
    """No free range is left; the message names the user and what was looked through."""


def parse(text: str) -> list[Entry]:
    """Return the entries; what is none (shadow skips it, too) is left out."""
    entries = []
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split(":")
        if len(fields) == 3 and fields[0] and fields[1].isdecimal() and fields[2].isdecimal() and int(fields[2]):
            entries.append(Entry(fields[0], int(fields[1]), int(fields[2]), number))
    return entries


def same_owner(entry: Entry, name: str, uids: Mapping[str, int]) -> bool:
    """Tell whether a line is a user's: by name or by number, as subuid(5) allows."""
    owner = entry.owner.lstrip(DISABLED)
    return owner == name or (name in uids and owner == str(uids[name]))


def overlaps(entries: Iterable[Entry], uids: Mapping[str, int]) -> list[tuple[Entry, Entry]]:
    """Return the pairs of lines of different owners that have ids in common; ``uids`` are the known users' ids."""
    names = {str(uid): name for name, uid in uids.items()}

    def owner_of(entry: Entry) -> str:
        owner = entry.owner.lstrip(DISABLED)
        return names.get(owner, owner)

    found = []
    furthest: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: entry.start):
        furthest = [other for other in furthest if other.end > entry.start]
        found += [(other, entry) for other in furthest if owner_of(other) != owner_of(entry)]
        furthest.append(entry)
    return [(min(pair, key=_number), max(pair, key=_number)) for pair in found]


def _number(entry: Entry) -> int:
    return entry.number


def first_free(taken: Iterable[tuple[int, int]], count: int, minimum: int) -> int | None:
    """Return the lowest start of ``count`` free ids from ``minimum`` on; ``taken`` are (start, first id behind)."""
    start = minimum
    for begin, end in sorted(taken):
        if start + count <= begin:
            break
        start = max(start, end)
    return start if start + count - 1 <= HIGHEST_ID else None


def allocate(
    wanted: Wanted, files: Mapping[str, str], uids: Mapping[str, int], accounts: Collection[int]
) -> dict[str, list[str]]:
    """Return the lines to add to each file.

    A user who has a range of that size in a file keeps it.  One who has none in any file gets the same range in all.
    ``files`` are the files' texts by path, ``uids`` the users' ids by name, ``accounts`` ids that belong to somebody.
    Raises NoRoom.
    """
    entries = {path: parse(text) for path, text in files.items()}
    added: dict[str, list[str]] = {path: [] for path in files}
    for user in dict.fromkeys(wanted.users):
        lacking = [
            path
            for path, found in entries.items()
            if not any(same_owner(entry, user, uids) and entry.count >= wanted.count for entry in found)
        ]
        taken = [(entry.start, entry.end) for path in lacking for entry in entries[path]]
        start = first_free([*taken, *((uid, uid + 1) for uid in accounts)], wanted.count, wanted.minimum)
        if lacking and start is None:
            message = "no %d free ids for %s from %d to %d in %s"
            raise NoRoom(message % (wanted.count, user, wanted.minimum, HIGHEST_ID, " and ".join(lacking)))
        for path in lacking:
            entry = Entry(user, start or 0, wanted.count, 0)
            entries[path].append(entry)
            added[path].append(entry.text)
    return added


def with_lines(text: str, lines: Sequence[str]) -> str:
    """Return a file's text with lines added behind its last one, which may lack its line end."""
    if not lines:
        return text
    return text + ("" if not text or text.endswith("\n") else "\n") + "".join(line + "\n" for line in lines)


def without_lines(text: str, lines: Collection[str]) -> str:
    """Return a file's text without some lines, whose owner Apptainer may have switched off meanwhile."""
    return "\n".join(line for line in text.split("\n") if line.lstrip(DISABLED) not in lines)


def parse_record(text: str) -> dict[str, list[str]]:
    """Return the lines that were added to each file, from the record of them: a path and a line on each of its own."""
    added: dict[str, list[str]] = {}
    for entry in text.splitlines():
        path, _blank, line = entry.rpartition(" ")
        added.setdefault(path, []).append(line)
    return added


def record_of(added: Mapping[str, Sequence[str]]) -> str:
    """Return the record of what was added: an admin's own line looks the same, so only this tells whose it is."""
    return "".join("%s %s\n" % (path, line) for path in sorted(added) for line in dict.fromkeys(added[path]))


def sources(nsswitch: str) -> list[str]:
    """Return what nsswitch.conf names as the sources of such ranges; none means the files (shadow's default)."""
    for line in nsswitch.split("\n"):
        key, colon, value = line.partition("#")[0].partition(":")
        if colon and key.strip() == "subid":
            return value.split()
    return []
