"""Where a host keeps Slurm: processes, units, programs, configuration. Reads, changes nothing."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.slipway.containers.plugins.module_utils import command, slurm_text

PREFIXES = ("/opt/slurm", "/opt/aws/pcs/scheduler/slurm-*", "/usr", "/usr/local", "/opt/slurm-*")
LIBRARIES = (
    "lib/slurm",
    "lib64/slurm",
    "lib/*-linux-gnu/slurm-wlm",
    "lib/*-linux-gnu/slurm",
    "lib/slurm-wlm",
)
ENVIRONMENT_FILES = ("/etc/default/%s", "/etc/sysconfig/%s")
UNIT_PROPERTIES = ("Id", "LoadState", "ActiveState", "Environment", "EnvironmentFiles", "ExecStart")

Runner = Callable[..., command.Output]


@dataclass(frozen=True)
class Process:
    """A running daemon of this host."""

    name: str
    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass
class Host:
    """A host's files below ``root`` and a way to run its programs; tests give others."""

    root: str = "/"
    run: Runner = command.run
    search_path: str = field(default_factory=lambda: os.environ.get("PATH", ""))

    def at(self, path: str) -> str:
        """Return where a path of the host lies for this process."""
        return os.path.join(self.root, path.lstrip("/"))

    def read(self, path: str) -> str | None:
        """Return a file's text, None where it cannot be read."""
        try:
            with open(self.at(path), encoding="utf-8", errors="replace", newline="") as stream:
                return stream.read()
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Whether a path of the host exists, symbolic links followed."""
        return os.path.exists(self.at(path))

    def real(self, path: str) -> str:
        """Return a path of the host with its symbolic links resolved."""
        found = os.path.realpath(self.at(path))
        root = os.path.realpath(self.root).rstrip("/")
        return found[len(root) :] if root and found.startswith(root + "/") else found

    def glob(self, pattern: str) -> list[str]:
        """Return the host's paths that match, newest version number first."""
        root = self.root.rstrip("/")
        return sorted(
            (path[len(root) :] for path in glob.glob(self.at(pattern))), key=_by_version, reverse=True
        )


def _by_version(path: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", path)], path


def processes(host: Host) -> list[Process]:
    """Return the Slurm daemons that run in this host's own process namespace, not in containers on it."""
    found = []
    own = _namespace(host, "self")
    for directory in host.glob("/proc/[0-9]*"):
        name = (host.read(directory + "/comm") or "").strip()
        if (
            name.split("-")[0] not in slurm_text.DAEMONS
            or _namespace(host, os.path.basename(directory)) != own
        ):
            continue
        try:
            program = os.readlink(host.at(directory + "/exe"))
        except OSError:
            program = ""
        words = (host.read(directory + "/cmdline") or "").split("\0")
        pairs = (
            word.partition("=")
            for word in (host.read(directory + "/environ") or "").split("\0")
            if "=" in word
        )
        environment = {key: value for key, _equals, value in pairs}
        arguments = tuple(word for word in words if word)
        found.append(Process(name.split("-")[0], program.removesuffix(" (deleted)"), arguments, environment))
    return found


def _namespace(host: Host, process: str) -> str:
    try:
        return os.readlink(host.at(f"/proc/{process}/ns/pid"))
    except OSError:
        return ""


def steps_here(host: Host) -> set[str]:
    """Return the ids of jobs that have a slurmstepd on this host."""
    own = _namespace(host, "self")
    found = set()
    for directory in host.glob("/proc/[0-9]*"):
        if (host.read(directory + "/comm") or "").strip() != "slurmstepd":
            continue
        title = re.search(r"\[(\d+)\.", host.read(directory + "/cmdline") or "")
        if title and _namespace(host, os.path.basename(directory)) == own:
            found.add(title.group(1))
    return found


def loaded_plugins(host: Host, name: str) -> list[str] | None:
    """Return the files of a plugin that the running slurmd has loaded, None where no slurmd runs.

    A file that was replaced since ends in `` (deleted)``, as proc(5) shows it.
    """
    own = _namespace(host, "self")
    found: set[str] = set()
    runs = False
    for directory in host.glob("/proc/[0-9]*"):
        if (host.read(directory + "/comm") or "").strip() != "slurmd":
            continue
        if _namespace(host, os.path.basename(directory)) != own:
            continue
        runs = True
        for line in (host.read(directory + "/maps") or "").splitlines():
            path = line.split(maxsplit=5)[5] if line.count(" ") >= 5 and "/" in line else ""
            if os.path.basename(path.removesuffix(" (deleted)")) == name:
                found.add(path)
    return sorted(found) if runs else None


def units(host: Host) -> dict[str, dict[str, list[str]]]:
    """Return systemd's view of the daemons, empty where there is no systemd."""
    words = ["systemctl", "show", *slurm_text.DAEMONS, "--property=" + ",".join(UNIT_PROPERTIES)]
    output = host.run(words, timeout=3)
    return slurm_text.parse_units(output.stdout) if output.succeeded else {}


def daemon_states(
    host: Host, known: Mapping[str, Mapping[str, Sequence[str]]], running: Sequence[Process]
) -> dict[str, str]:
    """Return active, inactive or absent for each daemon; one that runs without a unit is active."""
    states = {}
    for name in slurm_text.DAEMONS:
        state = slurm_text.unit_state(known.get(name, {}))
        if not known and any(host.exists(f"{place}/{name}") for place in ("/usr/sbin", "/usr/local/sbin")):
            state = "inactive"
        states[name] = "active" if any(process.name == name for process in running) else state
    return states


@dataclass(frozen=True)
class Evidence:
    """What a daemon's command line and environment say, running or as its unit would start it."""

    name: str
    running: bool
    options: Mapping[str, str]
    environment: Mapping[str, str]


def evidence(
    host: Host, known: Mapping[str, Mapping[str, list[str]]], running: Sequence[Process]
) -> list[Evidence]:
    """Return what tells where the configuration is, strongest first: running daemons, then units."""
    found = []
    for name in ("slurmctld", "slurmd", "sackd"):
        for process in (process for process in running if process.name == name):
            found.append(
                Evidence(name, True, slurm_text.parse_daemon_options(process.arguments), process.environment)
            )
    for name in ("slurmd", "sackd", "slurmctld"):
        # What lies in /etc/default for a daemon that is not installed says nothing.
        absent = bool(known) and slurm_text.unit_state(known.get(name, {})) == "absent"
        if not absent and not any(item.name == name for item in found):
            found.append(_from_unit(host, name, known.get(name, {})))
    return found


def _from_unit(host: Host, name: str, properties: Mapping[str, list[str]]) -> Evidence:
    variables = slurm_text.parse_environment("\n".join(properties.get("Environment", [])))
    named = [value.split(" ")[0] for value in properties.get("EnvironmentFiles", [])]
    for path in [*named, *(pattern % name for pattern in ENVIRONMENT_FILES)]:
        variables.update(slurm_text.parse_environment(host.read(path) or ""))
    words = slurm_text.unit_arguments(properties.get("ExecStart", [""])[0], variables)
    options = slurm_text.parse_daemon_options(
        words or [name, *variables.get(name.upper() + "_OPTIONS", "").split()]
    )
    return Evidence(name, False, options, variables)


def find_prefix(host: Host, running: Sequence[Process]) -> str | None:
    """Return the prefix of the Slurm that runs, else of the one on PATH, else of a known place."""
    programs = [process.program for process in running if process.program and process.name != "slurmdbd"]
    programs += [
        f"{directory}/{name}" for directory in host.search_path.split(":") for name in ("srun", "scontrol")
    ]
    places = [path for pattern in PREFIXES for path in host.glob(pattern)]
    programs += [place + name for place in places for name in ("/bin/srun", "/bin/scontrol", "/sbin/slurmd")]
    for program in programs:
        if program.startswith("/") and os.access(host.at(program), os.X_OK):
            return os.path.dirname(os.path.dirname(_unlink_program(host, program)))
    return None


def _unlink_program(host: Host, program: str) -> str:
    # Debian's slurmd is a link into /etc/alternatives: resolve the directory, and a program's own link only
    # where it leads to a directory that holds programs.
    place = os.path.join(host.real(os.path.dirname(program)), os.path.basename(program))
    target = host.real(program)
    return target if os.path.basename(os.path.dirname(target)) in ("bin", "sbin") else place


def find_programs(host: Host, prefix: str) -> dict[str, str | None]:
    """Return the paths of srun, scontrol and slurmd, in the prefix first."""
    found: dict[str, str | None] = {}
    for name in ("srun", "scontrol", "slurmd"):
        candidates = [f"{prefix}/{directory}/{name}" for directory in ("bin", "sbin")]
        candidates += [f"{directory}/{name}" for directory in host.search_path.split(":") if directory]
        found[name] = next((path for path in candidates if os.access(host.at(path), os.X_OK)), None)
    return found


def find_library(host: Host, prefix: str) -> str | None:
    """Return the directory that holds libslurmfull.so or, failing that, Slurm's plugins."""
    places = [path for pattern in LIBRARIES for path in host.glob(f"{prefix}/{pattern}")]
    for wanted in ("libslurmfull.so", "auth_munge.so"):
        for place in places:
            if host.exists(f"{place}/{wanted}"):
                return place
    return None
