"""What Slurm's programs and systemd print, parsed. No access to a host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

DAEMONS = ("slurmctld", "slurmd", "sackd", "slurmdbd")
# From 23.11 on the daemons execute themselves again on `scontrol reconfigure` and so load a new plugin.
RECONFIGURE_LOADS_PLUGINS = (23, 11)
# What sinfo and older scontrol append to a node's state (sinfo(1), NODE STATE CODES).
STATE_SUFFIXES = {
    "*": "not_responding", "~": "powered_down", "#": "powering_up", "!": "power_down", "%": "powering_down",
    "$": "maintenance", "@": "reboot_requested", "^": "reboot_issued", "-": "planned",
}  # fmt: skip
DOWN_STATES = ("down", "error")
DRAIN_FLAGS = ("drain", "drained", "draining")
# Free text, then who gave it and when, which a reason from slurm.conf lacks; further keys follow where they are set.
REASON = re.compile(
    r"\sReason=(?:(?P<given>.*?)\s\[[^\s\]]+@[^\s\]]+\](?=\s+[A-Z]\w*=|\s*$)"
    r"|(?P<bare>.*?)(?=\s+(?:Comment|Extra|InstanceId|InstanceType|ReservationName)=|\s*$))"
)


def parse_version(text: str) -> str | None:
    """Return ``24.11.5`` from ``slurm-wlm 24.11.5`` or ``slurm 25.05.0-0rc1``, None where there is none."""
    found = re.search(r"^slurm\S*\s+(\d+\.\d+(?:\.\d+)?)", text, re.MULTILINE)
    return found.group(1) if found else None


def series_of(version: str) -> str:
    """Return the major.minor that a SPANK plugin is built for."""
    return ".".join(version.split(".")[:2])


def reconfigure_means(version: str) -> str:
    """Return ``scontrol`` where a reconfigure loads a new plugin, else ``restart``."""
    number = tuple(int(part) for part in version.split(".")[:2])
    return "scontrol" if number >= RECONFIGURE_LOADS_PLUGINS else "restart"


def parse_header_version(text: str) -> str | None:
    """Return the version in slurm_version.h or slurm.h (``SLURM_VERSION_NUMBER 0x180b05``)."""
    found = re.search(r"^\s*#\s*define\s+SLURM_VERSION_NUMBER\s+0x([0-9a-fA-F]{6})\b", text, re.MULTILINE)
    return unpack_version(int(found.group(1), 16)) if found else None


def unpack_version(number: int) -> str:
    """Return ``24.11.5`` for 0x180b05, the form that headers and plugins carry."""
    return f"{number >> 16 & 0xFF}.{number >> 8 & 0xFF:02d}.{number & 0xFF}"


def parse_units(text: str) -> dict[str, dict[str, list[str]]]:
    """Return ``systemctl show A B -p …`` as unit name (no suffix) → property → values in order."""
    units: dict[str, dict[str, list[str]]] = {}
    for block in text.strip().split("\n\n"):
        properties: dict[str, list[str]] = {}
        for line in block.splitlines():
            key, _equals, value = line.partition("=")
            properties.setdefault(key, []).append(value)
        name = properties.get("Id", [""])[0]
        if name:
            units[name.rsplit(".", 1)[0]] = properties
    return units


def unit_state(properties: Mapping[str, Sequence[str]]) -> str:
    """Return active, inactive or absent for one unit's properties."""
    if properties.get("LoadState", ["not-found"])[0] == "not-found":
        return "absent"
    running = properties.get("ActiveState", ["inactive"])[0] in (
        "active",
        "activating",
        "reloading",
        "refreshing",
    )
    return "active" if running else "inactive"


def parse_environment(text: str) -> dict[str, str]:
    """Return the assignments of an environment file or of a unit's ``Environment=`` value."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        try:
            words = shlex.split(line, comments=False)
        except ValueError:
            continue
        for word in words[1:] if words[:1] == ["export"] else words:
            key, equals, value = word.partition("=")
            if equals and key.isidentifier():
                variables[key] = value
    return variables


def unit_arguments(exec_start: str, variables: Mapping[str, str]) -> list[str]:
    """Return the argument list of a unit's ``ExecStart`` property, its variables put in."""
    found = re.search(r"argv\[\]=(.*?) ; ", exec_start)
    words: list[str] = []
    for word in found.group(1).split() if found else []:
        name = re.fullmatch(r"\$\{?(\w+)\}?", word)
        words += variables.get(name.group(1), "").split() if name else [word]
    return words


def parse_daemon_options(arguments: Sequence[str]) -> dict[str, str]:
    """Return what a daemon's command line says of its configuration: conf_server, file, node."""
    options: dict[str, str] = {}
    words = list(arguments[1:])
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word.startswith("--conf-server"):
            options["conf_server"] = word.partition("=")[2] or following
        found = re.fullmatch(r"-[bcCDGiMrRsvVZ]*([fN])(.*)", word)
        if found:
            options[{"f": "file", "N": "node"}[found.group(1)]] = found.group(2) or following
    return options


def parse_nodes(text: str) -> list[dict[str, Any]]:
    """Return the roster from ``scontrol --oneliner show nodes``."""
    return [_node(line) for line in text.splitlines() if line.startswith("NodeName=")]


def _node(line: str) -> dict[str, Any]:
    # Reason and Comment hold free text that may look like Key=; they come last, so the first of a key counts.
    fields: dict[str, str] = {}
    for key, value in re.findall(r"(?:^|\s)([A-Z]\w*)=(.*?)(?=\s+[A-Z]\w*=|\s*$)", line):
        fields.setdefault(key, value)
    base, flags = split_state(fields.get("State", "UNKNOWN"))
    reason = REASON.search(line)
    name = fields["NodeName"]
    return {
        "name": name,
        "address": fields.get("NodeAddr") or name,
        "hostname": fields.get("NodeHostName") or name,
        "state": base,
        "flags": flags,
        "drained": any(flag in DRAIN_FLAGS for flag in [base, *flags]),
        "down": base in DOWN_STATES,
        "reason": (reason["given"] or reason["bare"] or "").strip() if reason else "",
        "version": fields.get("Version"),
    }


def split_state(text: str) -> tuple[str, list[str]]:
    """Return a node's base state and its flags: ``DOWN*+DRAIN`` → ``down``, [not_responding, drain]."""
    words: list[str] = []
    for word in text.strip().lower().split("+"):
        bare = word.rstrip("".join(STATE_SUFFIXES))
        words.append(bare)
        words += [STATE_SUFFIXES[suffix] for suffix in word[len(bare) :]]
    return words[0], list(dict.fromkeys(words[1:]))
