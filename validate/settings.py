"""What a site says about its acceptance, from its inventory's `validate_…` variables and the command line."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from validate import profile_form
from validate.catalogue import load
from validate.errors import CannotStart
from validate.model import PERMISSIONS, TIERS, WORKLOADS
from validate.probing import CONTAINER_START

PREFIX = "validate_"
FORMS = {int: "a number above 0", tuple: "a list of texts", str: "a text", dict: "a mapping by kind"}
ESCAPES = ("allow", "warn", "refuse")
# Components of which site.yml installs one where nothing else is said (<component>_state).
RUNTIMES = ("enroot", "pyxis", "docker", "apptainer")
STATES = ("present", "absent", "unmanaged")
# What validate_runtimes may name.
INSTALLED = (*RUNTIMES, "nvidia_container_toolkit")
# They say how a host is reached (session.submit_host).
REACHED_BY = (
    "ansible_connection", "ansible_host", "ansible_port", "ansible_user", "ansible_ssh_private_key_file",
    "ansible_ssh_common_args", "ansible_ssh_extra_args",
)  # fmt: skip
# Variables of playbooks/validate.yml alone.
OF_THE_PLAYBOOK = ("arguments", "drain", "output", "resume")
# Roughly what one salloc or srun can start at once without the launch itself failing (32 to 64).
CHUNK_LIMIT = 64


@dataclass(frozen=True)
class Settings:
    """The inputs of a run; docs/operate/validate.md explains each.

    ``immediate`` is how long a node may stay busy before it is NO_RESULT (s), ``chunk_size`` how many nodes share an
    allocation, ``container_start`` how long a container may take to start (s), ``site_mounts`` file systems that
    every node must have, ``workloads`` what ``workload_image`` holds, ``build_images`` the two images of a build in two
    stages, ``cpu_bind`` the site's srun option, ``docker_escape`` (allow, warn, refuse) whether docker may leave a job,
    ``profiles`` what the site says of its nodes, by kind, ``operator`` the account that drains ('' for Ansible's own),
    ``drain_percent`` how many of the nodes one run may drain.
    """

    image: str = ""
    user: str = ""
    partition: str = ""
    account: str = ""
    reservation: str = ""
    kind: str = ""
    profiles: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tier: str = "quick"
    only: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ("enroot", "pyxis")
    hooks: tuple[str, ...] = ("50-slurm-pmi.sh", "50-slurm-pytorch.sh")
    site_mounts: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    online_image: str = ""
    plain_image: str = ""
    newest_image: str = ""
    workload_image: str = ""
    workloads: tuple[str, ...] = ()
    build_images: tuple[str, ...] = ()
    cpu_bind: str = ""
    docker_escape: str = "warn"
    chunk_size: int = 48
    immediate: int = 10
    container_start: int = CONTAINER_START
    operator: str = ""
    drain_percent: int = 5

    def record(self) -> dict[str, Any]:
        """Return them for the results and the probe."""
        return dataclasses.asdict(self)


def make(values: Mapping[str, Any]) -> Settings:
    """Return settings from values by name; CannotStart lists everything that is wrong with them."""
    defaults = Settings().record()
    problems, chosen = [], {}
    for name, value in values.items():
        if name not in defaults:
            problems.append(f"validate_{name} is no setting: there are {', '.join(sorted(defaults))}")
        elif templated(value):
            problems.append(f"validate_{name}: {value!r} is a template; write the value itself")
        else:
            default = defaults[name]
            converted = convert(value, default)
            if converted is None:
                problems.append(f"validate_{name}: {value!r} is not {FORMS[type(default)]}")
            else:
                chosen[name] = converted
    problems += faults(chosen)
    if problems:
        raise CannotStart("\n".join(problems))
    return Settings(**chosen)


def faults(chosen: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with values of the right type."""
    problems = []
    if chosen.get("tier", "quick") not in TIERS:
        problems.append(f"validate_tier: {chosen['tier']!r} is none of {', '.join(TIERS)}")
    for name, known in (("workloads", WORKLOADS), ("runtimes", INSTALLED), ("allow", PERMISSIONS)):
        unknown = sorted(set(chosen.get(name, ())) - set(known))
        if unknown:
            problems.append(f"validate_{name}: {', '.join(unknown)}; there are {', '.join(known)}")
    if chosen.get("workloads") and not chosen.get("workload_image"):
        problems.append("validate_workloads needs validate_workload_image, the image that holds them")
    if len(chosen.get("build_images", ())) not in (0, 2):
        problems.append("validate_build_images: name two, the one that compiles and the one that runs")
    if chosen.get("docker_escape", "warn") not in ESCAPES:
        problems.append(f"validate_docker_escape: {chosen['docker_escape']!r} is none of {', '.join(ESCAPES)}")
    if chosen.get("chunk_size", 1) > CHUNK_LIMIT:
        problems.append(f"validate_chunk_size: {chosen['chunk_size']} is more than {CHUNK_LIMIT}")
    problems += [f"validate_profiles: {said}" for said in profile_form.faults(chosen.get("profiles", {}), load())]
    return problems


def templated(value: Any) -> bool:
    """Return whether something in a value is a template: ansible-inventory leaves those as they are written."""
    if isinstance(value, dict):
        return any(templated(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(templated(part) for part in value)
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def convert(value: Any, default: Any) -> Any:
    """Return a value in the type of its default, None where that cannot be."""
    if isinstance(default, int):
        text = str(value)
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else None
    if isinstance(default, tuple):
        items = [part for part in re.split(r"[,\s]+", value) if part] if isinstance(value, str) else value
        is_list = isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items)
        return tuple(items) if is_list else None
    if isinstance(default, dict):
        return value if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Site:
    """What an inventory says: hosts by group, the `validate_…` values, and every host's variables.

    ``runtimes`` are what each host is to have, empty where validate_runtimes says it of all of them.
    """

    compute: tuple[str, ...]
    login: tuple[str, ...]
    values: Mapping[str, Any]
    variables: Mapping[str, Mapping[str, Any]]
    controller: tuple[str, ...] = ()
    runtimes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


def of_site(site: Site | None, given: Mapping[str, Any]) -> tuple[Site | None, Settings]:
    """Return site and settings; ``given`` counts over the inventory, whose states say what is installed."""
    if site is None:
        return None, make(given)
    values = {**site.values, **given}
    if "runtimes" in values:
        return dataclasses.replace(site, runtimes={}), make(values)
    problems = state_faults(site)
    if problems:
        raise CannotStart("\n".join(problems))
    anywhere = {name for names in site.runtimes.values() for name in names}
    return site, make({**values, "runtimes": [name for name in RUNTIMES if name in anywhere]})


def state_faults(site: Site) -> list[str]:
    """Return which <component>_state does not say what is installed; a wrong one would pass for "not installed"."""
    found: dict[tuple[str, str], list[str]] = {}
    for host in (*site.compute, *site.login):
        for name in RUNTIMES:
            state = site.variables.get(host, {}).get(f"{name}_state", "present")
            if state not in STATES:
                found.setdefault((f"{name}_state", repr(state)), []).append(host)
    return [
        f"{variable} of {_several(hosts)}: {state} is "
        + ("a template; write the value itself" if templated(state) else f"none of {', '.join(STATES)}")
        + ", or say with validate_runtimes what every host has"
        for (variable, state), hosts in found.items()
    ]


def require_reachable(site: Site | None, hosts: Iterable[str]) -> None:
    """Raise CannotStart for a template in what says how these hosts are reached: ssh would get it as text."""
    found: dict[tuple[str, str], list[str]] = {}
    variables = site.variables if site else {}
    for host in hosts:
        for name in REACHED_BY:
            value = variables.get(host, {}).get(name)
            if templated(value):
                found.setdefault((name, repr(value)), []).append(host)
    said = [f"{name} of {_several(on)}: {value} is a template" for (name, value), on in found.items()]
    if said:
        raise CannotStart("\n".join(f"{line}; write the value itself" for line in said))


def _several(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def read_inventory(*paths: str) -> Site:
    """Return what Ansible inventories say together; CannotStart where they cannot be read or name no node."""
    path = ", ".join(paths)
    # That of the environment whose Python runs, which need not be on PATH.
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which("ansible-inventory", path=search)
    if not program:
        raise CannotStart(
            f"the inventory {path} cannot be read: ansible-inventory is neither beside {sys.executable} nor on PATH; "
            "run `make venv` and `. .venv/bin/activate`, or give no inventory on a host that submits"
        )
    # A text with a comma lists hosts.
    gone = [one for one in paths if "," not in one and not Path(one).expanduser().exists()]
    if gone:
        raise CannotStart(f"no such inventory: {', '.join(gone)}")
    words = [program, *(f"--inventory={one}" for one in paths), "--list"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        listing = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        listing = None
    if not isinstance(listing, dict):
        raise CannotStart(f"the inventory {path} cannot be read:\n{done.stderr.strip() or done.stdout.strip()}")
    try:
        return site_of(listing, path)
    except CannotStart as error:
        # Ansible only warns of a file that it cannot read.
        raise CannotStart(f"{error}\n{done.stderr.strip()}".strip()) from None


def site_of(listing: Mapping[str, Any], path: str) -> Site:
    """Return the site of what ansible-inventory printed."""
    compute, login = members(listing, "compute"), members(listing, "login") or members(listing, "controller")
    if not compute:
        raise CannotStart(f"the inventory {path} has no host in the group compute: name the nodes to accept there")
    if not login:
        raise CannotStart(f"the inventory {path} has no host in the groups login and controller to submit from")
    variables = listing.get("_meta", {}).get("hostvars", {})
    values = {
        name[len(PREFIX) :]: value
        for name, value in variables.get(login[0], {}).items()
        if name.startswith(PREFIX) and name[len(PREFIX) :] not in OF_THE_PLAYBOOK
    }
    runtimes = {
        host: tuple(name for name in RUNTIMES if variables.get(host, {}).get(f"{name}_state", "present") == "present")
        for host in (*compute, *login)
    }
    return Site(tuple(compute), tuple(login), values, variables, tuple(members(listing, "controller")), runtimes)


def members(listing: Mapping[str, Any], group: str) -> list[str]:
    """Return the hosts of a group, those of its children among them, each once."""
    entry = listing.get(group) or {}
    names = list(entry.get("hosts", []))
    for child in entry.get("children", []):
        names += members(listing, child)
    return list(dict.fromkeys(names))
