"""Unpack a source archive safely and find what a failed build wants to say."""

from __future__ import annotations

import os
import re
import tarfile

# A compiler's or make's own first complaint; what follows it is usually a consequence.
ERRORS = re.compile(
    r"^.*(?:\bfatal error:|\berror:|: undefined reference to|No such file or directory|not found|\*\*\*).*$",
    re.MULTILINE,
)
LARGEST = 200 * 1024 * 1024


class BadArchiveError(Exception):
    """The archive cannot be read, or holds something that must not be unpacked."""


def unpack(archive: str, directory: str) -> str:
    """Unpack a tar archive and return its top directory; raises BadArchiveError.

    Refuses absolute names, ``..``, links that lead out, devices, and more than 200 MiB.
    """
    try:
        with tarfile.open(archive) as stream:
            members = stream.getmembers()
            for member in members:
                _judge(member)
            if sum(member.size for member in members) > LARGEST:
                raise BadArchiveError(f"it would unpack to more than {LARGEST // 1024 // 1024} MiB")
            for member in members:
                member.uid = member.gid = os.geteuid()
                member.uname = member.gname = ""
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            stream.extractall(directory, members=members)  # noqa: S202 -- each member was judged above
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadArchiveError(str(error) or error.__class__.__name__) from error
    tops = sorted(os.listdir(directory))
    if "Makefile" in tops:
        return directory
    if len(tops) == 1 and os.path.isfile(os.path.join(directory, tops[0], "Makefile")):
        return os.path.join(directory, tops[0])
    raise BadArchiveError("it holds no Makefile at its top")


def _judge(member: tarfile.TarInfo) -> None:
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise BadArchiveError(f"its member {member.name} is a device or a pipe")
    if _leaves(member.name):
        raise BadArchiveError(f"its member {member.name} would be written outside")
    base = os.path.dirname(member.name) if member.issym() else ""
    if (member.issym() or member.islnk()) and _leaves(os.path.join(base, member.linkname)):
        raise BadArchiveError(f"its link {member.name} leads outside, to {member.linkname}")


def _leaves(name: str) -> bool:
    return name.startswith("/") or os.path.normpath(name).split(os.sep)[0] == ".."


def first_error(text: str) -> str:
    """Return the first line of a build's output that names an error, else its last line."""
    found = ERRORS.search(text)
    lines = text.strip().splitlines()
    return found.group(0).strip() if found else (lines[-1].strip() if lines else "no output")


def missing_tool(text: str) -> str:
    """Return which of gcc, headers or libc headers a failed build lacks, empty where it is something else."""
    if re.search(r"slurm/\w+\.h: No such file", text):
        return "slurm headers"
    if re.search(r"(?:^|[\s:/])(?:cc|gcc|strip|ld|as)\b.*(?:not found|No such file)", text):
        return "compiler"
    if re.search(r"fatal error: \S+\.h: No such file", text):
        return "C library headers"
    return ""
