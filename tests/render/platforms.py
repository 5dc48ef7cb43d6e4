"""The platforms that the roles support, and what Ansible makes of the roles' data on each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
FACTS = {
    "architecture": "x86_64",
    "packages": {},
    "packages_broken": [],
    "packages_held": [],
    "files": {},
    "apparmor": {"restricts_user_namespaces": False, "profiles": []},
    "gpu": {"vendor": "none", "count": 0, "source": "pci"},
    "apt_archives": [],
    "apt_own_archive": {
        "uri": "http://mirror.example.org/debian/",
        "keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    },
    "storage": {"root": "/scratch/slipway", "mount_point": "/scratch"},
    "slurm": {
        "series": "24.11",
        "headers": {"directory": "/usr/include", "version": "24.11.5"},
        "config": {"source": "local", "shared": False},
        "programs": {"srun": "/usr/bin/srun"},
        "plugstack": {"file": "/etc/slurm/plugstack.conf", "registrations": [], "loaded": None},
    },
}
# Inputs without which a template has little to show.
INPUTS = {
    # Roles find their templates beside that of the role whose task it is.
    "role_path": str(REPOSITORY / "roles/artifacts"),
    "slurm_controller": "head",
    "slurm_cluster_hosts": ["head"],
    # Amazon Linux is the only one that has none of Docker's own packages.
    "docker_source": "{{ 'distribution' if ansible_facts['distribution'] == 'Amazon' else 'docker' }}",
    "docker_version": "28.1.1",
    "enroot_environment": {"NCCL_DEBUG": "WARN", "TZ": "Europe/Berlin"},
    "enroot_mounts": ["/scratch /scratch none x-create=dir,bind,rw,nosuid 0 0"],
}


Platform = tuple[str, str]


def load(path: Path) -> dict[str, Any]:
    # Role data may hold lookups and vaults; only plain keys are read here.
    return yaml.safe_load(path.read_text()) or {} if path.is_file() else {}


def platforms() -> list[tuple[str, str]]:
    """Return every (distribution, release) that any role supports."""
    found = set()
    for path in sorted((REPOSITORY / "roles").glob("*/vars/main.yml")):
        supported = load(path).get("__%s_distributions" % path.parents[1].name, {})
        found |= {(distribution, release) for distribution, releases in supported.items() for release in releases}
    return sorted(found)


def family(distribution: str) -> str:
    """Return ansible_facts['os_family'] of a distribution."""
    return "Debian" if distribution in ("Debian", "Ubuntu") else "RedHat"


def variable_files(distribution: str, release: str) -> list[str]:
    """Return the defaults and variables of all roles, as Ansible would load them on a distribution."""
    major = release.split(".", maxsplit=1)[0]
    names = [name for base in (family(distribution), distribution) for name in (base, "%s_%s" % (base, major))]
    roles = sorted((REPOSITORY / "roles").iterdir())
    paths = [role / "defaults/main.yml" for role in roles]
    paths += [role / ("vars/%s.yml" % name) for role in roles for name in dict.fromkeys(["main", *names])]
    return [str(path) for path in paths if path.is_file()]


def play(platform: Platform, expressions: dict[str, str], architecture: str, place: Path) -> dict[str, Any]:
    """Return a play that writes the values of expressions on a platform into one file."""
    distribution, release = platform
    facts = {
        **FACTS,
        "architecture": architecture,
        "distribution": distribution,
        "distribution_version": release,
        "distribution_major_version": release.split(".", maxsplit=1)[0],
        "os_family": family(distribution),
    }
    name = "-".join([*platform, architecture])
    return {
        "name": name,
        "hosts": name,
        "connection": "local",
        "gather_facts": False,
        "vars_files": [*variable_files(distribution, release), str(place / "inputs.yml")],
        "tasks": [
            {"name": "Be such a node", "ansible.builtin.set_fact": {**facts, "cacheable": True}},
            {
                "name": "Evaluate",
                "ansible.builtin.copy": {
                    "content": "{{ expressions | to_json }}",
                    "dest": str(place / (name + ".json")),
                    "mode": "0644",
                },
                "vars": {"expressions": expressions},
            },
        ],
    }


def run(plays: list[dict[str, Any]], place: Path, python: Path = Path(sys.executable)) -> dict[str, Any]:
    """Run plays, each for a host of its own, and return what each has written into <host>.json.

    ``python`` is that of the ansible-core to take.
    """
    hosts = {one["hosts"]: {"ansible_python_interpreter": str(python)} for one in plays}
    (place / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (place / "plays.yml").write_text(yaml.safe_dump(plays))
    # What lies beside Slipway's playbooks reaches a play from there.
    (place / "group_vars").symlink_to(REPOSITORY / "playbooks/group_vars")
    done = subprocess.run(
        [python.parent / "ansible-playbook", "-i", "hosts.yml", "plays.yml"],
        cwd=place,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks/collections"),
            "ANSIBLE_INJECT_FACT_VARS": "False",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DEPRECATION" not in done.stderr, done.stderr
    return {name: json.loads((place / (name + ".json")).read_text()) for name in hosts}


def evaluate(
    expressions: Callable[[Platform], dict[str, str]],
    architectures: tuple[str, ...],
    place: Path,
    python: Path = Path(sys.executable),
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the values of expressions by (distribution, release, architecture), by one run of Ansible."""
    cases = {"-".join([*found, machine]): (*found, machine) for found in platforms() for machine in architectures}
    (place / "inputs.yml").write_text(yaml.safe_dump(INPUTS))
    plays = [play(case[:2], expressions(case[:2]), case[2], place) for case in cases.values()]
    return {cases[name]: found for name, found in run(plays, place, python).items()}


def golden(text: str, own: Path, common: Path, first: bool) -> Path:
    """Return the golden file that counts for a text; with UPDATE=1 it is written first.

    What the first of all platforms gets is what any of them gets, and ``own`` is only there where one differs.
    """
    if os.environ.get("UPDATE"):
        own.unlink(missing_ok=True)
        target = common if first or (common.is_file() and common.read_text() == text) else own
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    found = own if own.is_file() else common
    assert found.is_file(), "there is no %s: run `UPDATE=1 make render`, and look at it" % own
    return found
