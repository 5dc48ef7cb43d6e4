"""slurm.conf, parsed. Files are read through a function that the caller gives."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

# Returns the text of a file, or None where it cannot be read.
Reader = Callable[[str], "str | None"]

INCLUDE_DEPTH = 8
ASSIGNMENT = re.compile(r'([A-Za-z_]\w*)\s*=\s*("[^"]*"|[^\s"]*)')
# Lines that describe many things by keys of their own; none of those keys is a setting of the cluster.
RECORDS = ("nodename", "partitionname", "downnodes", "nodeset", "frontendname", "maintainstate")
COMMENT = re.compile(r"(?<!\\)#.*$")


def logical_lines(text: str) -> list[str]:
    """Return the lines of a slurm.conf without comments, continued lines joined."""
    lines: list[str] = []
    pending = ""
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = COMMENT.sub("", raw).rstrip()
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        if (pending + line).strip():
            lines.append((pending + line).strip())
        pending = ""
    return lines + ([pending.strip()] if pending.strip() else [])


def flatten(text: str, directory: str, read: Reader, depth: int = 0) -> list[str]:
    """Return the logical lines with every readable ``Include`` replaced by what it names."""
    lines: list[str] = []
    for line in logical_lines(text):
        found = re.match(r"include\s+(\S+)", line, re.IGNORECASE)
        path = posixpath.join(directory, found.group(1).strip('"')) if found else ""
        included = read(path) if found and depth < INCLUDE_DEPTH else None
        lines += [line] if included is None else flatten(included, directory, read, depth + 1)
    return lines


def settings(lines: list[str]) -> dict[str, str]:
    """Return the cluster's settings by lower-case key; the last one wins, as in Slurm."""
    values: dict[str, str] = {}
    for line in lines:
        pairs = ASSIGNMENT.findall(line)
        if pairs and pairs[0][0].lower() not in RECORDS:
            values.update({key.lower(): value.strip('"') for key, value in pairs})
    return values


def redirected(lines: list[str], plugstack: str) -> str:
    """Return a slurm.conf of these lines whose plugstack.conf is the one given, whatever they said of it."""
    kept = [re.sub(r'(?i)\bPlugStackConfig\s*=\s*("[^"]*"|\S+)', "", line).strip() for line in lines]
    return "\n".join([*filter(None, kept), f"PlugStackConfig={plugstack}"]) + "\n"


def enables_configless(values: dict[str, str]) -> bool:
    """Return whether slurmctld hands out its configuration."""
    parameters = values.get("slurmctldparameters", "").lower().split(",")
    return any(parameter.split("=")[0].strip() == "enable_configless" for parameter in parameters)
